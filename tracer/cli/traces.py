"""The verbs about one trace: show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tracer.cli.group import cli
from tracer.cli.options import shared
from tracer.cli.output import print_out, write_out

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.trace.schema import Skeleton

_SHOW_EXAMPLES = """\b
Examples:
  tracer show pt.h5                    the tree of layers
  tracer show pt.h5 --depth 1          the net and its direct children
  tracer show pt.h5 blocks.2.mlp.act   one layer in full
  tracer show pt.h5 --json -           for a program"""


@cli.command(
    "show",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="What is in one trace.",
    epilog=_SHOW_EXAMPLES,
)
@click.argument("file", type=click.Path())
@click.argument("path", required=False)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="How many levels below the net to show.")
@click.option("--step", type=click.IntRange(min=0), default=0, metavar="N", help="Which step, from 0.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write it as JSON; - prints it.")
@shared
def show(*, file: str, path: str | None, depth: int | None, step: int, json_file: str | None, no_color: bool) -> int:
    """Show what is in one trace FILE: the tree of its layers, or one layer in full.

    PATH names the layer as the tree does, with all that stands before it ("blocks.2.mlp.act"); the net itself is
    "(root)".
    """
    from tracer.reports import overview
    from tracer.reports.contract import to_text
    from tracer.trace.reader import Trace

    with Trace(file) as trace:
        skeleton = trace.skeleton
    if json_file is not None:
        document = overview.to_json(skeleton, file, path=path, depth=depth, number=step)
        write_out(json_file, to_text(document), [file])
    if json_file != "-":
        print_out(_show_lines(skeleton, file, path, depth, step), color=not no_color)
    return 0


def _show_lines(skeleton: Skeleton, file: str, path: str | None, depth: int | None, step: int) -> Iterator[Text]:
    from rich.text import Text

    from tracer.reports import overview, terminal

    page = terminal.page_for(sys.stdout)
    if path is not None:
        part = overview.layer_part(skeleton, path, number=step)
        yield from terminal.layer_lines(part, page)
        return
    yield from terminal.head_lines(overview.head(skeleton, file, step), page)
    yield Text()
    rows = overview.tree(skeleton, depth=depth, number=step)
    yield from terminal.tree_lines(rows, page, narrow=terminal.is_narrow(sys.stdout))
