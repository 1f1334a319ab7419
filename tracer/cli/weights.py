"""The verbs about parameters: weights map, weights convert, weights diff."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracer.cli.group import cli
from tracer.cli.options import EXIT_CODES, pinned, renamed, shared, tolerances
from tracer.cli.output import print_out, write_out
from tracer.cli.running import COULD_NOT_TELL

if TYPE_CHECKING:
    from rich.text import Text

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HELP = {"help_option_names": ["-h", "--help"]}

_SIDES = """\b
A side is one of:
  a trace                 pt.h5
  a file of parameters    .pth .pt .bin .safetensors .ckpt .npz
  a folder of shards      model/
  what makes a net        my_models:torch_vit, nets.py:Vit"""

_GROUP_EXAMPLES = """\b
Examples:
  tracer weights map pt.h5 ms.h5 -o map.toml          which parameter is which
  tracer weights convert vit.pth vit.ckpt --map map.toml
  tracer weights diff vit.pth vit.ckpt --map map.toml"""

_MAP_EXAMPLES = """\b
Examples:
  tracer weights map pt.h5 ms.h5 -o map.toml          two traces: the surest
  tracer weights map vit.pth ms.h5 -o map.toml        a file and a trace
  tracer weights map pt.h5 ms.h5 --pin head=fc        these two belong together
  tracer weights map pt.h5 ms.h5 -o -                 print the map itself

\b
Exit codes:
  0  every parameter that matters has its place
  2  some have not (they stand in the report), or an error"""

_CONVERT_EXAMPLES = """\b
Examples:
  tracer weights convert vit.pth vit.ckpt --map map.toml
  tracer weights convert vit.pth vit.ckpt --reference pt.h5 --candidate ms.h5
  tracer weights convert vit.pth vit.safetensors      another format, the same names
  tracer weights convert vit.pth half.pth --dtype float16
  tracer weights convert timm.pth ema.pth --part model_ema

\b
Exit codes:
  0  the target is written, and every parameter that matters is in it
  2  --partial left some out; or an error, and the target is as it was"""

_DIFF_EXAMPLES = """\b
Examples:
  tracer weights diff vit.pth vit.ckpt                what differs, at most a screen
  tracer weights diff pt.h5 ms.h5 --every             a line for every parameter
  tracer weights diff vit.pth vit.ckpt --map map.toml the pairs of a map
  tracer weights diff a.pth b.pth --rtol 1e-3         count as equal up to this
  tracer weights diff a.pth b.ckpt --json -           for a program"""

_DIFF_CODES = f"{EXIT_CODES.partition('  2')[0]}  2  could not tell: a parameter has no partner or no numbers, an error"


@cli.group(
    "weights",
    context_settings=_HELP,
    short_help="Move weights from one net to another.",
    epilog=f"{_GROUP_EXAMPLES}\n\n{_SIDES}",
    invoke_without_command=True,
)
@click.pass_context
def weights(context: click.Context) -> int | None:
    """Move weights from one net to another: which parameter is which, another file, what differs.

    Layers are paired by what they are and how they are connected, as in `tracer diff`; no list of names is needed.
    No framework needs to be installed, and nothing that stands in a file is run.
    """
    if context.invoked_subcommand is not None:
        return None
    click.echo(context.get_help())
    return COULD_NOT_TELL


def _choosing(function: _Function) -> _Function:
    """Options that say how parameters are paired."""
    part = click.option("--part", metavar="NAME", help="Which part of a file that holds several, as model_ema.")
    rules = click.option("--rules", type=click.Path(), metavar="FILE.toml", help="Your own layers in common words.")
    pins = click.option(
        "--pin",
        "pins",
        multiple=True,
        metavar="A=B",
        callback=pinned,
        help="These two belong together, layers by path or parameters by name, the reference's first. Repeatable.",
    )
    return pins(rules(part(function)))


def _telling(function: _Function) -> _Function:
    """Options that say what is printed."""
    every = click.option("--every", is_flag=True, help="Leave nothing out of the report.")
    json = click.option(
        "--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write the report as JSON; - prints it."
    )
    quiet = click.option("--quiet", "-q", is_flag=True, help="Print no report: the exit code says it.")
    return every(json(quiet(function)))


_mapping = click.option(
    "--map", "mapping", type=click.Path(), metavar="FILE", help="The pairs of this map, instead of looking for them."
)


@weights.command(
    "map",
    context_settings=_HELP,
    short_help="Which parameter of B is made of which of A.",
    epilog=f"{_MAP_EXAMPLES}\n\n{_SIDES}",
)
@click.argument("reference", metavar="A", type=click.Path())
@click.argument("candidate", metavar="B", type=click.Path())
@click.option("-o", "--out", type=click.Path(), metavar="FILE|-", help="Write the map as .toml or .json; - prints it.")
@_choosing
@click.option("--every", is_flag=True, help="Leave nothing out of the report.")
@click.option("--quiet", "-q", is_flag=True, help="Print no report: the exit code says it.")
@shared
def map_(
    *,
    reference: str,
    candidate: str,
    out: str | None,
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    part: str | None,
    every: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Say for each parameter of B which of A it is made of, and what is done to it on the way.

    A is where the numbers come from, B where they go to. The map is a file to read and edit; `weights convert` and
    `tracer.load_weights` follow it.
    """
    if out is not None and out != "-" and not out.endswith((".toml", ".json")):
        raise click.UsageError(f"-o {out}: a map is a .toml or a .json file")
    from tracer import api
    from tracer.api.commands import named_side

    sides = named_side(reference), named_side(candidate)
    report = api.weight_map(*sides, pins=pins, rules=rules or (), part=part)
    if out is not None:
        write_out(out, report.to_json() if out.endswith(".json") else report.to_toml(), [reference, candidate])
    if not quiet and out != "-":
        print_out(_painted(report.lines(every=every)), color=not no_color)
    return report.exit_code


@weights.command(
    "convert",
    context_settings=_HELP,
    short_help="The parameters of one file as another file.",
    epilog=f"{_CONVERT_EXAMPLES}\n\n{_SIDES}",
)
@click.argument("source", metavar="SRC", type=click.Path())
@click.argument("target", metavar="DST", type=click.Path())
@_mapping
@click.option("--reference", type=click.Path(), metavar="R", help="The net that SRC was saved from: a trace of it.")
@click.option("--candidate", type=click.Path(), metavar="C", help="The net that will load DST: a trace or a file.")
@click.option("--prefix", default="", metavar="P", help="Put this before every name in DST.")
@click.option(
    "--rename",
    "renames",
    multiple=True,
    metavar="OLD=NEW",
    callback=renamed,
    help="Write a parameter under another name. Repeatable.",
)
@click.option("--dtype", metavar="NAME", help="Write all floats as float16, bfloat16, float32 or float64.")
@click.option("--cast", is_flag=True, help="Round where the candidate's dtype has fewer digits than the source's.")
@click.option("--partial", is_flag=True, help="Go on where parameters find no partner, and say which.")
@_choosing
@_telling
@shared
def convert(
    *,
    source: str,
    target: str,
    mapping: str | None,
    reference: str | None,
    candidate: str | None,
    prefix: str,
    renames: tuple[tuple[str, str], ...],
    dtype: str | None,
    cast: bool,
    partial: bool,
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    part: str | None,
    every: bool,
    json_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Write the parameters of SRC into DST, whose suffix says the format: .pth .safetensors .ckpt .npz.

    With --map, or with --candidate (and --reference, where SRC does not tell what its layers are), they get the names
    and shapes that the other net wants. Without any of them only the format changes.
    """
    from tracer import api
    from tracer.api.commands import named_side

    report = api.convert_weights(
        source,
        target,
        reference=named_side(reference),
        candidate=named_side(candidate),
        mapping=mapping,
        pins=pins,
        rules=rules or (),
        part=part,
        prefix=prefix,
        rename=dict(renames) or None,
        dtype=dtype,
        partial=partial,
        cast=cast,
    )
    given = [source, target, *(name for name in (mapping, reference, candidate) if name)]
    return _told(report, given, every=every, json_file=json_file, quiet=quiet, no_color=no_color)


@weights.command(
    "diff",
    context_settings=_HELP,
    short_help="Every parameter of A against its partner of B.",
    epilog=f"{_DIFF_EXAMPLES}\n\n{_DIFF_CODES}\n\n{_SIDES}",
)
@click.argument("reference", metavar="A", type=click.Path())
@click.argument("candidate", metavar="B", type=click.Path())
@_mapping
@_choosing
@tolerances
@_telling
@shared
def diff(
    *,
    reference: str,
    candidate: str,
    mapping: str | None,
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    part: str | None,
    rtol: float | None,
    atol: float | None,
    every: bool,
    json_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Hold every parameter of A against its partner of B: shape, dtype, difference, verdict.

    A is the side that is right. Parameters are equal bit for bit, or differ by no more than rounding to the coarser of
    two dtypes, or differ.
    """
    from tracer import api
    from tracer.api.commands import named_side
    from tracer.divergence.metrics import Tolerance

    report = api.compare_weights(
        named_side(reference),
        named_side(candidate),
        mapping=mapping,
        pins=pins,
        rules=rules or (),
        part=part,
        tolerance=Tolerance(rtol=rtol, atol=atol),
    )
    given = [reference, candidate, *([mapping] if mapping else [])]
    return _told(report, given, every=every, json_file=json_file, quiet=quiet, no_color=no_color)


def _told(report: Any, given: Iterable[str], *, every: bool, json_file: str | None, quiet: bool, no_color: bool) -> int:
    """The report where it was asked for; its exit code."""
    if json_file is not None:
        write_out(json_file, report.to_json(), given)
    if not quiet and json_file != "-":
        print_out(_painted(report.lines(every=every)), color=not no_color)
    code: int = report.exit_code
    return code


_STYLES = {"agree": "bold green", "diverged": "bold red", "unsure": "bold yellow"}


def _painted(lines: Iterable[str]) -> Iterator[Text]:
    """Lines as the terminal can show them; a verdict at the very beginning in its colour."""
    from rich.text import Text

    from tracer.reports.terminal import page_for

    page = page_for(sys.stdout)
    for n, line in enumerate(lines):
        text = Text(page.clean(line))
        word = line.partition(" ")[0]
        if n == 0 and word in _STYLES:
            text.stylize(_STYLES[word], 0, len(word))
        yield text
