"""The verbs for a terminal: diff, show, demo. Exit codes: 0 agree, 1 diverged, 2 could not tell, 130 interrupted."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tracer import __version__
from tracer.errors import TracerError

if TYPE_CHECKING:
    from rich.text import Text

    from tracer.reports.report import Report
    from tracer.trace.schema import Skeleton

COULD_NOT_TELL = 2
INTERRUPTED = 130

_Function = TypeVar("_Function", bound=Callable[..., Any])

_EXIT_CODES = """\b
Exit codes:
  0  agree
  1  diverged
  2  could not tell: inputs that differ, nothing aligned, an error"""

_DIFF_EXAMPLES = """\b
Examples:
  tracer diff pt.h5 ms.h5                     the verdict, at most a screen
  tracer diff pt.h5 ms.h5 --every             judge every pair, print them all
  tracer diff pt.h5 ms.h5 --only 'blocks.2.*' judge these layers only
  tracer diff pt.h5 ms.h5 --pin head=fc       these two belong together
  tracer diff pt.h5 ms.h5 --json r.json       keep the report for a program"""

_SHOW_EXAMPLES = """\b
Examples:
  tracer show pt.h5                    the tree of layers
  tracer show pt.h5 --depth 1          the net and its direct children
  tracer show pt.h5 blocks.2.mlp.act   one layer in full
  tracer show pt.h5 --json -           for a program"""


def _shared(function: _Function) -> _Function:
    """Options that every command has."""
    debug = click.option(
        "--debug", is_flag=True, expose_value=False, help="When tracer itself fails, show Python's traceback."
    )
    color = click.option("--no-color", is_flag=True, help="No colour, also on a terminal (as does NO_COLOR=1).")
    return color(debug(function))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start here:
  tracer demo                  a port with a slip, found in a minute
  tracer diff pt.h5 ms.h5      where your own port first goes wrong

Traces are written by tracer.record(net, inputs, out="pt.h5") in Python.""",
)
@click.version_option(__version__, "-V", "--version", prog_name="tracer", message="%(prog)s %(version)s")
def cli() -> None:
    """Find the first layer where a port of a net goes wrong, and why."""


# --------------------------------------------------------------------------------------------------------------------
# diff
# --------------------------------------------------------------------------------------------------------------------


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
    epilog=f"{_DIFF_EXAMPLES}\n\n{_EXIT_CODES}",
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
@_shared
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
            _write(name, make(), [reference, candidate])
    if not quiet and not printed:
        _print(_report_lines(report, table=every), color=not no_color)
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


# --------------------------------------------------------------------------------------------------------------------
# show
# --------------------------------------------------------------------------------------------------------------------


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
@_shared
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
        _write(json_file, to_text(document), [file])
    if json_file != "-":
        _print(_show_lines(skeleton, file, path, depth, step), color=not no_color)
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


# --------------------------------------------------------------------------------------------------------------------
# demo
# --------------------------------------------------------------------------------------------------------------------


@cli.command(
    "demo",
    context_settings={"help_option_names": ["-h", "--help"]},
    short_help="See it work, on a net and a port that come along.",
)
@click.option("--folder", type=click.Path(), help="Where nets and traces go; without it a new temporary folder.")
@_shared
def demo(*, folder: str | None, no_color: bool) -> int:
    """See it work: a Vision Transformer in PyTorch and its MindSpore port, with the port's classic slip.

    Records both, finds the layer, mends it and looks again. Needs both frameworks and no network, and takes less
    than a minute.
    """
    from tracer.demo.tour import run_tour

    if no_color:
        os.environ["NO_COLOR"] = "1"
    return run_tour(Path(folder) if folder else None, click.echo)


# --------------------------------------------------------------------------------------------------------------------
# Output
# --------------------------------------------------------------------------------------------------------------------


def _print(lines: Iterable[Text], *, color: bool) -> None:
    from tracer.reports.terminal import print_lines

    with _printing():
        print_lines(lines, sys.stdout, color=color)


def _write(name: str, text: str, inputs: Iterable[str]) -> None:
    """To a file, whole or not at all; "-" is the standard output, in UTF-8 whatever the terminal speaks."""
    from tracer.reports.report import write_whole

    if name != "-":
        _spare(name, inputs)
        write_whole(Path(name), text)
        return
    with _printing():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()


def _spare(name: str, inputs: Iterable[str]) -> None:
    """A trace is not overwritten by the report on it."""
    if any(os.path.realpath(name) == os.path.realpath(given) for given in inputs):
        raise TracerError("the report would replace the trace it is about", where=name, then="name another file")


@contextlib.contextmanager
def _printing() -> Iterator[None]:
    """Nobody reads any more: quiet. No room where the output goes: an error."""
    try:
        yield
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        what = f"the report cannot be printed ({error.strerror or error})"
        raise TracerError(what, where="standard output", then="send it elsewhere") from error


def _forget_stdout() -> None:
    """What is still to come, also at the interpreter's end, goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --------------------------------------------------------------------------------------------------------------------
# Running
# --------------------------------------------------------------------------------------------------------------------


def run(command: click.Command, arguments: list[str], name: str) -> int:
    """Run a command; its exit code. Failures are told on stderr in three beats, never as a traceback."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by who started us
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    if isinstance(command, click.Group) and not arguments:
        run(command, ["--help"], name)
        return COULD_NOT_TELL
    debug = "--debug" in arguments
    color = "--no-color" not in arguments
    try:
        code: object = command.main(arguments, prog_name=name, standalone_mode=False)
    except TracerError as error:
        return _fail(error, color=color)
    except click.ClickException as error:
        return _fail(_usage(error, name), color=color)
    except (click.exceptions.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(_unexpected(error, debug=debug), color=color)
    return code if isinstance(code, int) else 0


def _fail(error: TracerError, *, color: bool) -> int:
    from tracer.reports.terminal import print_error

    with contextlib.suppress(BrokenPipeError):
        print_error(error, sys.stderr, color=color)
    return COULD_NOT_TELL


def _usage(error: click.ClickException, name: str) -> TracerError:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else name
    what = error.format_message().rstrip(".")
    return TracerError(what[:1].lower() + what[1:], where=command, then=f"{command} --help")


def _unexpected(error: Exception, *, debug: bool) -> TracerError:
    what = f"tracer failed where it should not have: {type(error).__name__}: {error}".splitlines()[0]
    then = "report it to the project with the traceback above" if debug else "run it again with --debug and report it"
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if f"{os.sep}tracer{os.sep}" in f.filename] or frames
    where = f"{Path(inside[-1].filename).name}:{inside[-1].lineno}, tracer {__version__}" if inside else ""
    return TracerError(what, where=where, then=then)


def main() -> None:
    """The command `tracer`."""
    sys.exit(run(cli, sys.argv[1:], "tracer"))


def diff_main() -> None:
    """The command `tracer.diff`, the same as `tracer diff`."""
    sys.exit(run(diff, sys.argv[1:], "tracer.diff"))
