"""A command runs: its exit code, and failures in three beats."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path

import click

from tracer import __version__
from tracer.cli.output import forget_stdout
from tracer.errors import TracerError

COULD_NOT_TELL = 2
INTERRUPTED = 130


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
    _end_in_order()
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
        forget_stdout()
        return 0
    except Exception as error:
        if debug:
            traceback.print_exc()
        return _fail(_unexpected(error, debug=debug), color=color)
    return code if isinstance(code, int) else 0


def _end_in_order() -> None:
    """SIGTERM ends as Ctrl-C does: files whole or gone. MindSpore makes a SIGTERM of a Ctrl-C while it executes."""
    with contextlib.suppress(ValueError):  # not in the main thread
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.default_int_handler)


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
