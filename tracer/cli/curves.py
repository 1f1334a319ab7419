"""The verb that watches training curves: curve."""

from __future__ import annotations

import sys

import click

from tracer.cli.group import cli
from tracer.cli.options import EXIT_CODES, shared
from tracer.cli.output import print_out, write_out

_EXAMPLES = """\b
Examples:
  tracer curve pt.h5 ms.h5                     two traces of training
  tracer curve pt.log ms.log                   logs: common lines are recognised
  tracer curve pt.log ms.log --pattern 'it (?P<step>\\d+) ce (?P<loss>\\S+)'
  tracer curve runs/pt runs/ms --png loss.png  folders of event files
  tracer curve pt.csv ms.log --column loss=ce  each side may be another kind"""

_COLUMN = "What a column, key or tag is: --column step=it, --column loss=train/ce. Repeatable."


def _named(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        measure, _, name = value.partition("=")
        if not measure or not name:
            raise click.BadParameter(f"{value!r} does not say what is called how: write MEASURE=NAME")
    return values


@cli.command(
    "curve",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Where two training curves part.",
    epilog=f"{_EXAMPLES}\n\n{EXIT_CODES}",
)
@click.argument("reference", type=click.Path())
@click.argument("candidate", type=click.Path())
@click.option("--pattern", metavar="REGEX", help="Numbers of a log by named groups: (?P<step>\\d+), (?P<loss>\\S+).")
@click.option("--pattern-candidate", metavar="REGEX", help="The candidate's, where its lines look otherwise.")
@click.option("--column", "columns", multiple=True, metavar="MEASURE=NAME", callback=_named, help=_COLUMN)
@click.option(
    "--column-candidate",
    "columns_candidate",
    multiple=True,
    metavar="MEASURE=NAME",
    callback=_named,
    help="The candidate's, where they are called otherwise. Repeatable.",
)
@click.option(
    "--epoch-steps",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many steps an epoch has, where steps begin anew in each.",
)
@click.option("--only", multiple=True, metavar="GLOB", help="Only these measures, as 'loss'. Repeatable.")
@click.option("--every", is_flag=True, help="Plot every measure, not only the one that parts first.")
@click.option("--png", "png_file", type=click.Path(), metavar="FILE|-", help="Draw it; - prints the picture.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write it as JSON; - prints it.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing: the exit code says it.")
@shared
def curve(
    *,
    reference: str,
    candidate: str,
    pattern: str | None,
    pattern_candidate: str | None,
    columns: tuple[str, ...],
    columns_candidate: tuple[str, ...],
    epoch_steps: int | None,
    only: tuple[str, ...],
    every: bool,
    png_file: str | None,
    json_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Put the training curves of REFERENCE and CANDIDATE on one plot, and find the first step where they part.

    Each is a trace, a log, a CSV with a header, JSON lines, an event file of TensorBoard or MindSpore, or a folder of
    such. Both runs are to see the same batches: then what counts is the difference, step by step.
    """
    if png_file == json_file == "-":
        raise click.UsageError("only one of --png and --json can be printed; give the other a file")

    from tracer import api
    from tracer.reports import terminal
    from tracer.reports.terminal_curves import curves_lines

    report = api.curve(
        reference,
        candidate,
        pattern=pattern,
        pattern_candidate=pattern_candidate,
        columns=columns,
        columns_candidate=columns_candidate or None,
        epoch_steps=epoch_steps,
        only=only,
    )
    for name, make in ((json_file, report.to_json), (png_file, report.to_png)):
        if name is not None:
            write_out(name, make(), [reference, candidate])
    if not quiet and "-" not in {png_file, json_file}:
        page = terminal.page_for(sys.stdout)
        print_out(curves_lines(report.both, page, every=every), color=not no_color)
    code: int = report.exit_code
    return code
