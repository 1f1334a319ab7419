"""The verbs about one trace: record, show."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tracer.cli.group import cli
from tracer.cli.options import sampled, shared, starting
from tracer.cli.output import print_out, write_out

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.trace.schema import Skeleton

_RECORD_EXAMPLES = """\b
Examples:
  tracer record my_models:torch_vit --input 8x3x224x224:float32 -o pt.h5
  tracer record my_models:mindspore_vit --like pt.h5 -o ms.h5
  tracer record nets.py:Bert --input ids=2x16:int64<30522 -o bert.h5
  tracer record my_models:torch_vit --input 8x3x224x224:float32 --keep timing -o times.h5"""

_SHOW_EXAMPLES = """\b
Examples:
  tracer show pt.h5                    the tree of layers
  tracer show pt.h5 --depth 1          the net and its direct children
  tracer show pt.h5 blocks.2.mlp.act   one layer in full
  tracer show pt.h5 --nan              where NaN and Inf were born
  tracer show pt.h5 --step 3           of a training the layers of one step
  tracer show pt.h5 --json -           for a program"""


@cli.command(
    "record",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="Run a net and keep what every layer computes.",
    epilog=_RECORD_EXAMPLES,
)
@click.argument("target")
@click.option("-o", "--out", type=click.Path(), required=True, metavar="FILE", help="Where the trace will be.")
@sampled
@click.option("--like", type=click.Path(), metavar="TRACE", help="Start like this net: its samples, weights, modes.")
@click.option(
    "--mode",
    type=click.Choice(["eval", "train", "as-is"]),
    default="eval",
    show_default=True,
    help="The mode of the net; with --like that of the other net counts.",
)
@click.option("--backward/--no-backward", default=True, help="Record gradients too.  [default: backward]")
@click.option(
    "--keep",
    type=click.Choice(["values", "statistics", "timing"]),
    default="values",
    show_default=True,
    help="Keep every array, only what is known of each without reading it, or times.",
)
@click.option(
    "--repeat", type=click.IntRange(min=1), metavar="N", help="With --keep timing: steps that are timed. [10]"
)
@click.option("--warmup", type=click.IntRange(min=0), metavar="N", help="With --keep timing: steps before that. [3]")
@click.option("--only", multiple=True, metavar="GLOB", help="Record only layers that match. Repeatable.")
@click.option("--skip", multiple=True, metavar="GLOB", help="Leave out layers that match. Repeatable.")
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="Leave out what lies deeper than N levels.")
@click.option("--note", metavar="TEXT", help="Free text, kept in the trace.")
@starting
@click.option(
    "--weights", "told", type=click.Path(), metavar="FILE", help="With --like: write the report on the weights as JSON."
)
@shared
def record(
    *,
    target: str,
    out: str,
    inputs: tuple[str, ...],
    samples: int | None,
    seed: int,
    like: str | None,
    mode: str,
    backward: bool,
    keep: str,
    repeat: int | None,
    warmup: int | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    depth: int | None,
    note: str | None,
    pins: tuple[tuple[str, str], ...],
    rules: str | None,
    partial: bool,
    cast: bool,
    told: str | None,
    no_color: bool,
) -> int:
    """Run the net that TARGET makes, once, and keep what every layer computes in a trace.

    TARGET is module:factory or file.py:factory; a factory is a class or a function without arguments.
    """
    from tracer.api.commands import record_target

    if samples not in {None, 1}:
        raise click.UsageError("one trace is of one sample; --samples N is for tracer compare")
    words = record_target(
        target,
        out,
        inputs,
        seed=seed,
        like=like,
        mode="as is" if mode == "as-is" else mode,
        backward=backward,
        keep=keep,
        repeat=repeat,
        warmup=warmup,
        only=only or None,
        skip=skip or None,
        depth=depth,
        note=note,
        pins=pins,
        rules=rules or (),
        partial=partial,
        cast=cast,
        told=told,
    )
    from rich.text import Text

    print_out((Text(line) for line in words), color=not no_color)
    return 0


@cli.command(
    "show",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="What is in one trace.",
    epilog=_SHOW_EXAMPLES,
)
@click.argument("file", type=click.Path())
@click.argument("path", required=False)
@click.option("--depth", type=click.IntRange(min=0), metavar="N", help="How many levels below the net to show.")
@click.option("--step", type=click.IntRange(min=0), metavar="N", help="One step of a training, counted from 0.")
@click.option("--nan", is_flag=True, help="Where NaN and Inf were born; exits with 1 where any was.")
@click.option("--json", "json_file", type=click.Path(), metavar="FILE|-", help="Write it as JSON; - prints it.")
@shared
def show(
    *,
    file: str,
    path: str | None,
    depth: int | None,
    step: int | None,
    nan: bool,
    json_file: str | None,
    no_color: bool,
) -> int:
    """Show what is in one trace FILE: the tree of its layers, or one layer in full; of a training its steps in numbers,
    or with --step the layers of one.

    PATH names the layer as the tree does, with all that stands before it ("blocks.2.mlp.act"); the net itself is
    "(root)".
    """
    from tracer.reports import overview, timed
    from tracer.reports.contract import to_text
    from tracer.trace.reader import Trace

    if nan:
        if path is not None or depth is not None:
            raise click.UsageError("--nan looks at the whole trace: leave out PATH and --depth")
        return _show_nan(file, step, json_file, color=not no_color)
    with Trace(file) as trace:
        timing = trace.timing
        skeleton = timed.with_times(trace.skeleton, timing)
    if json_file is not None:
        document = overview.to_json(skeleton, file, path=path, depth=depth, number=step)
        write_out(json_file, to_text(document), [file])
    if json_file != "-":
        times = timed.words(timing, file) if skeleton.header.keep == "timing" else ""
        print_out(_show_lines(skeleton, file, path, depth, step, times), color=not no_color)
    return 0


def _show_nan(file: str, step: int | None, json_file: str | None, *, color: bool) -> int:
    from rich.text import Text

    from tracer import api
    from tracer.reports.terminal import page_for

    report = api.find_nan(file, step=step)
    if json_file is not None:
        write_out(json_file, report.to_json(), [file])
    if json_file != "-":
        page = page_for(sys.stdout)
        lines = report.to_text(width=page.width).splitlines()
        print_out((Text(page.clean(line)) for line in lines), color=color)
    code: int = report.exit_code
    return code


def _show_lines(
    skeleton: Skeleton, file: str, path: str | None, depth: int | None, step: int | None, times: str
) -> Iterator[Text]:
    from rich.text import Text

    from tracer.reports import overview, terminal, terminal_steps, training_overview

    page = terminal.page_for(sys.stdout)
    if path is not None:
        part = overview.layer_part(skeleton, path, number=step)
        yield from terminal.layer_lines(part, page)
        return
    yield from terminal.head_lines(overview.head(skeleton, file, step, times=times), page)
    trains = training_overview.trains(skeleton)
    if trains and step is None and depth is None:
        yield from terminal_steps.training_lines(training_overview.training(skeleton, file=shlex.quote(file)), page)
        return
    if trains:
        shown = overview.step_of(skeleton, step)
        yield from terminal_steps.training_lines(training_overview.one_step(shown), page)
        if not shown.calls:
            return
    yield Text()
    rows = overview.tree(skeleton, depth=depth, number=step)
    yield from terminal.tree_lines(rows, page, narrow=terminal.is_narrow(sys.stdout))
