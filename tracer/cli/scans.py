"""The verb that reads torch's source: scan."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from tracer.cli.group import cli
from tracer.cli.options import shared
from tracer.cli.output import print_out, write_out
from tracer.errors import SourceError

_EXAMPLES = """\b
Examples:
  tracer scan vit.py                           each use of torch, and what to write
  tracer scan src/ --only silent               only lines that would go wrong silently
  tracer scan src/ --mint --csv uses.csv       calls of mindspore.mint, a line each
  tracer scan timm.models.resnet               an installed package, never imported
  tracer scan src/ --annotate annotated/       copies with a comment above each use
  tracer scan --facts                          what is known, and how it was proven

\b
What stands before a use:
  !        it would run, and compute something else, if only the name were changed
  same     only the name changes
  renamed  another name, of arguments too; the same meaning
  differs  something means something else there; the call to write makes up for it
  by hand  no call keeps the meaning; what to do is said
  unknown  nothing is known of it, and it is not guessed

\b
Exit codes:
  0  each use has a counterpart, and none goes wrong silently
  1  some go wrong silently, are by hand or unknown
  2  something could not be read, an error"""

_ONLY = click.Choice(["same", "renamed", "differs", "by_hand", "unknown", "silent"])


@cli.command(
    "scan",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="What each torch call in some source becomes.",
    epilog=_EXAMPLES,
)
@click.argument("paths", nargs=-1, type=click.Path(), metavar="PATH...")
@click.option("--only", multiple=True, type=_ONLY, metavar="STATUS", help="List only uses that are same, renamed, "
              "differs, by_hand, unknown or silent. Repeatable.")  # fmt: skip
@click.option("--mint", is_flag=True, help="Write calls of mindspore.mint where it has a counterpart.")
@click.option("--all", "every", is_flag=True, help="Each use of every file: nothing is put together or only counted.")
@click.option("--annotate", metavar="FOLDER", type=click.Path(), help="Write copies of the files there, with a comment "
              "above each use.")  # fmt: skip
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", is_flag=False, flag_value="-",
              help="Write it as JSON; - (or nothing behind it) prints it.")  # fmt: skip
@click.option("--csv", "csv_file", type=click.Path(), metavar="FILE|-", is_flag=False, flag_value="-",
              help="Write a line for each use; - (or nothing behind it) prints it.")  # fmt: skip
@click.option("--html", "html_file", type=click.Path(), metavar="FILE|-", is_flag=False, flag_value="-",
              help="Write it as a page; - (or nothing behind it) prints it.")  # fmt: skip
@click.option("--facts", is_flag=True, help="Say what is known of torch's names and how it was proven; no PATH.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing: the exit code says it.")
@shared
def scan(
    *,
    paths: tuple[str, ...],
    only: tuple[str, ...],
    mint: bool,
    every: bool,
    annotate: str | None,
    json_file: str | None,
    csv_file: str | None,
    html_file: str | None,
    facts: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Find every use of torch in source code, and say for each what to write in MindSpore, with the arguments there.

    PATH is a .py file, a notebook, a folder, or the dotted name of an installed package. The code is read, and never
    imported or run. First come the lines that would run but compute something else if only the name were changed.
    """
    wanted = [name for name in (json_file, csv_file, html_file) if name is not None]
    if wanted.count("-") > 1:
        raise click.UsageError("only one of --json, --csv and --html can be printed; give the others files")
    if facts:
        if paths or only or annotate is not None or wanted:
            raise click.UsageError("--facts is about what is known, not about a source: give it alone, and no PATH")
        return _facts(no_color=no_color)
    if not paths:
        raise click.UsageError("give a file, a folder or a package to scan, or --facts")
    for name in wanted:
        _spare_source(name)

    from tracer.reports import terminal
    from tracer.reports.scans import ScanReport
    from tracer.reports.terminal_scan import scan_lines
    from tracer.source.scanning import scan_sources

    with terminal.LateProgress(color=not no_color, quiet=quiet) as progress:
        report = ScanReport(scan_sources(paths, mint=mint, progress=progress), only)
    if annotate is not None:
        copies = report.annotate(annotate)
    for target, make in ((json_file, report.to_json), (csv_file, report.to_csv), (html_file, report.to_html)):
        if target is not None:
            write_out(target, make(), [*paths, *(str(file.location) for file in report.scan.files)])
    if not quiet and "-" not in wanted:
        page = terminal.page_for(sys.stdout)
        print_out(scan_lines(report.scan, report.findings, page, every=every), color=not no_color)
        if annotate is not None:
            click.echo(f"\n{len(copies)} annotated {'copy' if len(copies) == 1 else 'copies'} in {annotate}")
    code: int = report.exit_code
    return code


def _facts(*, no_color: bool) -> int:
    from tracer.reports import terminal
    from tracer.reports.terminal_scan import facts_lines

    print_out(facts_lines(terminal.page_for(sys.stdout)), color=not no_color)
    return 0


def _spare_source(name: str) -> None:
    """A report is no Python; a slip of the hand must not cost a file of it."""
    if name != "-" and Path(name).suffix in (".py", ".ipynb"):
        raise SourceError("the report would be written over source code", where=name, then="name another file")
