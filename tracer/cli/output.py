"""Where the output of a command goes: to the terminal, or whole into a file."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracer.errors import TracerError

if TYPE_CHECKING:
    from rich.text import Text


def print_out(lines: Iterable[Text], *, color: bool) -> None:
    """Lines on the standard output."""
    from tracer.reports.terminal import print_lines

    with printing():
        print_lines(lines, sys.stdout, color=color)


def write_out(name: str, text: str | bytes, inputs: Iterable[str]) -> None:
    """To a file, whole or not at all; "-" is the standard output, in UTF-8 whatever the terminal speaks."""
    from tracer.reports.report import write_whole

    if name != "-":
        _spare(name, inputs)
        write_whole(Path(name), text)
        return
    with printing():
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text)
        sys.stdout.buffer.flush()


def _spare(name: str, inputs: Iterable[str]) -> None:
    """A trace, or a folder's array, is not overwritten by the report on it."""
    target = os.path.realpath(name)
    given = [os.path.realpath(one) for one in inputs]
    if target in given:
        raise TracerError("the report would replace the trace it is about", where=name, then="name another file")
    if target.lower().endswith((".npy", ".npz")) and any(target.startswith(one + os.sep) for one in given):
        raise TracerError("the report would replace an array of the folder", where=name, then="name another file")


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Nobody reads any more: quiet. No room where the output goes: an error."""
    try:
        yield
    except BrokenPipeError:
        forget_stdout()
    except OSError as error:
        forget_stdout()
        what = f"the report cannot be printed ({error.strerror or error})"
        raise TracerError(what, where="standard output", then="send it elsewhere") from error


def forget_stdout() -> None:
    """What is still to come, also at the interpreter's end, goes nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
