"""The verb that says where the time goes: profile."""

from __future__ import annotations

import os
import sys

import click

from tracer.cli.group import cli
from tracer.cli.options import paired, shared
from tracer.cli.output import print_out, write_out

_EXAMPLES = """\b
Examples:
  tracer profile pt.h5 ms.h5                   where the port loses time
  tracer profile pt.h5                         where the time of one net goes
  tracer profile pt.h5 ms.h5 --by kind         all layers of one op together
  tracer profile pt.h5 ms.h5 --perfetto t.json both on one time line, for ui.perfetto.dev
  tracer profile pt.h5 ms.h5 --html p.html     a page with a flame view

\b
The traces are recorded with tracer record ... --keep timing.

\b
Exit codes:
  0  profiled, whichever is faster
  2  could not: a trace without times, an error"""


@cli.command(
    "profile",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Where the time goes, layer beside layer.",
    epilog=_EXAMPLES,
)
@click.argument("reference", type=click.Path())
@click.argument("candidate", type=click.Path(), required=False)
@click.option("--top", type=click.IntRange(min=0), default=20, show_default=True, metavar="N", help="Lines of a table.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["layer", "block", "kind"]),
    help="Only this table. Repeatable.  [default: layer and block]",
)
@paired
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write it as JSON; - prints it.")
@click.option("--csv", "csv_file", type=click.Path(), metavar="FILE|-", help="A line for every layer; - prints it.")
@click.option("--html", "html_file", type=click.Path(), metavar="FILE|-", help="Write a page with a flame view.")
@click.option(
    "--perfetto",
    "perfetto_file",
    type=click.Path(),
    metavar="FILE|-",
    help="Write Chrome's trace JSON, which ui.perfetto.dev opens.",
)
@click.option("--quiet", "-q", is_flag=True, help="Print nothing.")
@shared
def profile(
    *,
    reference: str,
    candidate: str | None,
    top: int,
    by: tuple[str, ...],
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    json_file: str | None,
    csv_file: str | None,
    html_file: str | None,
    perfetto_file: str | None,
    quiet: bool,
    no_color: bool,
) -> int:
    """Say where the time of a step goes in REFERENCE, and where CANDIDATE, its port, loses it.

    Both are traces that were recorded with --keep timing. Without CANDIDATE one net is looked at.
    """
    names = [name for name in (json_file, csv_file, html_file, perfetto_file) if name]
    if names.count("-") > 1:
        raise click.UsageError(
            "only one of --json, --csv, --html and --perfetto can be printed; give the others a file"
        )
    files = [os.path.realpath(name) for name in names if name != "-"]
    if len(set(files)) < len(files):
        raise click.UsageError("--json, --csv, --html and --perfetto need a file each")

    from tracer import api
    from tracer.reports import terminal
    from tracer.reports.terminal_profile import profile_lines

    report = api.profile(reference, candidate, pins=pins, rules=rules or ())
    made = ((json_file, report.to_json), (csv_file, report.to_csv), (html_file, report.to_html),
            (perfetto_file, report.to_perfetto))  # fmt: skip
    for name, make in made:
        if name is not None:
            write_out(name, make(), [one for one in (reference, candidate) if one is not None])
    if not quiet and "-" not in names:
        page = terminal.page_for(sys.stdout)
        print_out(profile_lines(report.profile, page, top=top, by=by or ("layer", "block")), color=not no_color)
    return 0
