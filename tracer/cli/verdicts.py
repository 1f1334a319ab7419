"""The verbs that give a verdict: diff."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tracer.cli.group import cli
from tracer.cli.options import EXIT_CODES, shared
from tracer.cli.output import print_out, write_out

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.reports.report import Report

_DIFF_EXAMPLES = """\b
Examples:
  tracer diff pt.h5 ms.h5                     the verdict, at most a screen
  tracer diff pt.h5 ms.h5 --every             judge every pair, print them all
  tracer diff pt.h5 ms.h5 --only 'blocks.2.*' judge these layers only
  tracer diff pt.h5 ms.h5 --pin head=fc       these two belong together
  tracer diff pt.h5 ms.h5 --json r.json       keep the report for a program"""


def _bound(_context: click.Context, _option: click.Parameter, value: float | None) -> float | None:
    """A tolerance: a number from 0 on; "nan" is none."""
    if value is not None and not value >= 0:
        raise click.BadParameter(f"{value} is not a number from 0 on")
    return value


def _pinned(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Pairs of paths, each written A=B."""
    pairs = []
    for value in values:
        left, equals, right = value.partition("=")
        if not equals or not left or not right:
            raise click.BadParameter(f"{value!r} does not name two paths: write REFERENCE_PATH=CANDIDATE_PATH")
        pairs.append((left, right))
    return tuple(pairs)


@cli.command(
    "diff",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Where two traces part, and why.",
    epilog=f"{_DIFF_EXAMPLES}\n\n{EXIT_CODES}",
)
@click.argument("reference", type=click.Path())
@click.argument("candidate", type=click.Path())
@click.option("--every", is_flag=True, help="Judge every pair, not only those on the road, and print them all.")
@click.option(
    "--only", multiple=True, metavar="GLOB", help="Judge only layers whose path matches, as 'blocks.2.*'. Repeatable."
)
@click.option(
    "--pin",
    "pins",
    multiple=True,
    metavar="A=B",
    callback=_pinned,
    help="These two belong together. A side is PATH or PATH#CALL, the reference first. Repeatable.",
)
@click.option(
    "--rtol",
    type=float,
    metavar="NUMBER",
    callback=_bound,
    help="Count as equal up to this relative L2, instead of what rounding explains.",
)
@click.option(
    "--atol",
    type=float,
    metavar="NUMBER",
    callback=_bound,
    help="Count as equal what is nowhere further apart than this.",
)
@click.option("--rules", type=click.Path(), metavar="FILE.toml", help="Your own layers in common words.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write the report as JSON; - prints it.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(),
    metavar="FILE|-",
    help="Write a line for every pair as CSV; - prints it. Judges them all.",
)
@click.option("--html", "html_file", type=click.Path(), metavar="FILE|-", help="Write the report as an HTML page.")
@click.option("--quiet", "-q", is_flag=True, help="Print no report: the exit code says it.")
@shared
def diff(
    *,
    reference: str,
    candidate: str,
    every: bool,
    only: tuple[str, ...],
    pins: tuple[tuple[str, str], ...],
    rtol: float | None,
    atol: float | None,
    rules: str | None,
    json_file: str | None,
    csv_file: str | None,
    html_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Find the first layer where CANDIDATE goes another way than REFERENCE.

    Both are trace files. The reference is the net that is right, the candidate its port.
    """
    files = [os.path.realpath(name) for name in (json_file, csv_file, html_file) if name and name != "-"]
    if len(set(files)) < len(files):
        raise click.UsageError("--json, --csv and --html need a file each")
    printed = [name for name in (json_file, csv_file, html_file) if name == "-"]
    if len(printed) > 1:
        raise click.UsageError("only one of --json, --csv and --html can be printed; give the others a file")

    from tracer import api
    from tracer.divergence.metrics import Tolerance
    from tracer.reports.terminal import LateProgress

    with LateProgress(color=not no_color, quiet=quiet) as progress:
        report = api.diff(
            reference,
            candidate,
            tolerance=Tolerance(rtol=rtol, atol=atol),
            pins=pins,
            only=only,
            every=every or csv_file is not None,
            rules=rules or (),
            progress=progress,
        )
    for name, make in ((json_file, report.to_json), (csv_file, report.to_csv), (html_file, report.to_html)):
        if name is not None:
            write_out(name, make(), [reference, candidate])
    if not quiet and not printed:
        print_out(_report_lines(report, table=every), color=not no_color)
    code: int = report.exit_code
    return code


def _report_lines(report: Report, *, table: bool) -> Iterator[Text]:
    from rich.text import Text

    from tracer.reports import terminal

    page = terminal.page_for(sys.stdout)
    yield from terminal.report_lines(report.diagnosis, page)
    if table and report.diagnosis.rows:
        yield Text()
        yield from terminal.table_lines(report.diagnosis.rows, page, narrow=terminal.is_narrow(sys.stdout))
