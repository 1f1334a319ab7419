"""The verb that looks at nets without running them: structure."""

from __future__ import annotations

import sys

import click

from tracer.cli.group import cli
from tracer.cli.options import paired, shared
from tracer.cli.output import print_out, write_out

_EXAMPLES = """\b
Examples:
  tracer structure pt.h5 ms.h5                 both trees, equal blocks folded
  tracer structure pt.h5 ms.h5 --all           a line for every layer
  tracer structure pt.h5 ms.h5 --depth 2       the upper levels only
  tracer structure pt.h5 ms.h5 --only 'blocks.3*'
  tracer structure vit.pth vit.ckpt            sizes only: files have no classes

\b
Exit codes:
  0  the same
  1  they differ
  2  could not tell: nothing aligned, an error"""


@cli.command(
    "structure",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Both nets side by side, without running them.",
    epilog=_EXAMPLES,
)
@click.argument("reference", type=click.Path())
@click.argument("candidate", type=click.Path())
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="How many levels below the net to show.")
@click.option("--all", "every", is_flag=True, help="A line for every layer: nothing is folded.")
@click.option(
    "--only", multiple=True, metavar="GLOB", help="Only layers whose path matches, as 'blocks.2.*'. Repeatable."
)
@paired
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write it as JSON; - prints it.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing: the exit code says it.")
@shared
def structure(
    *,
    reference: str,
    candidate: str,
    depth: int | None,
    every: bool,
    only: tuple[str, ...],
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    json_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Put REFERENCE and CANDIDATE side by side, layer by layer, and mark where they are built otherwise.

    Each is a trace, a file of parameters (.pth, .safetensors, .ckpt, .npz), of which only sizes are known, or a net
    that module:factory or file.py:factory makes. Nothing is run; of traces and files neither framework is needed.
    """
    from tracer import api
    from tracer.api.commands import named_side
    from tracer.reports import terminal
    from tracer.reports.terminal_trees import trees_lines

    sides = named_side(reference), named_side(candidate)
    report = api.structure(*sides, pins=pins, only=only, rules=rules or ())
    if json_file is not None:
        write_out(json_file, report.to_json(), [reference, candidate])
    if not quiet and json_file != "-":
        page = terminal.page_for(sys.stdout)
        print_out(trees_lines(report.trees, page, depth=depth, every=every), color=not no_color)
    code: int = report.exit_code
    return code
