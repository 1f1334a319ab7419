"""The verbs that give a verdict: compare, diff."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tracer.cli.group import cli
from tracer.cli.options import EXIT_CODES, pinned, sampled, shared, starting, tolerances
from tracer.cli.output import print_out, write_out

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.reports.report import Report
    from tracer.reports.starting_point import CheckReport

_COMPARE_EXAMPLES = """\b
Examples:
  tracer compare my_models:torch_vit my_models:mindspore_vit --input 8x3x224x224:float32
  tracer compare pt.py:Net ms.py:Net --input 2x16:int64<30522 --samples 3 --mode train
  tracer compare pt.py:Net ms.py:Net --input samples.npz --out traces --json r.json
  tracer compare record_pt.py record_ms.py      (scripts that record to $TRACER_OUT)"""

_DIFF_EXAMPLES = """\b
Examples:
  tracer diff pt.h5 ms.h5                     the verdict, at most a screen
  tracer diff pt.h5 ms.h5 --every             judge every pair, print them all
  tracer diff pt.h5 ms.h5 --only 'blocks.2.*' judge these layers only
  tracer diff pt.h5 ms.h5 --pin head=fc       these two belong together
  tracer diff pt.h5 ms.h5 --json r.json       keep the report for a program
  tracer diff pt_dir/ ms_dir/                 two folders of .npy or .npz"""


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
    "--only",
    multiple=True,
    metavar="GLOB",
    help="Judge only layers (files) whose path (name) matches, as 'blocks.2.*'. Repeatable.",
)
@click.option(
    "--pin",
    "pins",
    multiple=True,
    metavar="A=B",
    callback=pinned,
    help="These two belong together. A side is PATH, PATH#CALL or a file's name, the reference first. Repeatable.",
)
@tolerances
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
    Either may be a folder of .npy and .npz files: then files are paired, and the first in order that differs is named.
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


@cli.command(
    "compare",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="The whole check of a port in one call.",
    epilog=f"{_COMPARE_EXAMPLES}\n\n{EXIT_CODES}",
)
@click.argument("reference")
@click.argument("candidate")
@sampled
@click.option(
    "--mode",
    type=click.Choice(["eval", "train", "as-is"]),
    default="eval",
    show_default=True,
    help="The mode of both nets.",
)
@click.option("--backward/--no-backward", default=True, help="Record and compare gradients too.  [default: backward]")
@starting
@click.option("--out", type=click.Path(), metavar="FOLDER", help="Keep the traces there.")
@click.option("--one-process", is_flag=True, help="Both nets in this process, instead of a process for each.")
@click.option("--only", multiple=True, metavar="GLOB", help="Judge only layers whose path matches. Repeatable.")
@click.option("--every", is_flag=True, help="Judge every pair, not only those on the road, and print them all.")
@tolerances
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write the report as JSON; - prints it.")
@click.option("--html", "html_file", type=click.Path(), metavar="FILE", help="Write the report as an HTML page.")
@click.option("--quiet", "-q", is_flag=True, help="Print no report: the exit code says it.")
@shared
def compare(
    *,
    reference: str,
    candidate: str,
    inputs: tuple[str, ...],
    samples: int | None,
    seed: int,
    mode: str,
    backward: bool,
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    partial: bool,
    cast: bool,
    out: str | None,
    one_process: bool,
    only: tuple[str, ...],
    every: bool,
    rtol: float | None,
    atol: float | None,
    json_file: str | None,
    html_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Check the port CANDIDATE of the net REFERENCE: move the weights, give both the same samples, record both, diff.

    Each is module:factory or file.py:factory, or a script that records to the file that $TRACER_OUT names (and may
    start from $TRACER_LIKE). Each net runs in a process of its own.
    """
    from tracer.api.commands import compare_targets
    from tracer.divergence.metrics import Tolerance
    from tracer.reports.terminal import LateProgress

    with LateProgress(color=not no_color, quiet=quiet, redirect=not one_process) as progress:
        report = compare_targets(
            reference,
            candidate,
            inputs,
            samples=samples,
            seed=seed,
            mode="as is" if mode == "as-is" else mode,
            backward=backward,
            pins=pins,
            rules=rules or (),
            partial=partial,
            cast=cast,
            out=out,
            processes=not one_process,
            only=only,
            every=every,
            tolerance=Tolerance(rtol=rtol, atol=atol),
            progress=progress,
        )
    for name, make in ((json_file, report.to_json), (html_file, report.to_html)):
        if name is not None:
            write_out(name, make(), [*inputs, *(map(str, Path(out).glob("*.h5")) if out is not None else ())])
    if not quiet and json_file != "-":
        print_out(_check_lines(report, table=every), color=not no_color)
    code: int = report.exit_code
    return code


def _check_lines(report: CheckReport, *, table: bool) -> Iterator[Text]:
    from rich.text import Text

    yield from (Text(line) for line in report.front(every=table))
    if report.report is not None:
        yield from _report_lines(report.report, table=table, command="tracer compare")


def _report_lines(report: Report, *, table: bool, command: str = "tracer diff") -> Iterator[Text]:
    from rich.text import Text

    from tracer.reports import terminal

    page = terminal.page_for(sys.stdout)
    yield from terminal.report_lines(report.diagnosis, page, command)
    files = report.alignment.unit == "file"
    if (table or files) and report.diagnosis.rows:
        yield Text()
        narrow = terminal.is_narrow(sys.stdout)
        yield from terminal.table_lines(report.diagnosis.rows, page, narrow=narrow, files=files)
