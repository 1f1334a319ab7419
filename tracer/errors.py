"""Every failure of tracer, each message in three beats: what happened, where, and what to do next."""

from __future__ import annotations

import contextlib
import warnings


def add_note(error: BaseException, words: str) -> None:
    """Say more of an error that is not ours, without changing it: a note, before Python 3.11 a warning."""
    if hasattr(error, "add_note"):
        error.add_note(words)
    else:
        with contextlib.suppress(Warning):  # where warnings are errors, the error itself goes first
            warnings.warn(words, RuntimeWarning, stacklevel=3)


class TracerError(Exception):
    """A failure the user can act on.

    Args:
        what: what went wrong, one sentence without a full stop.
        where: the path, shape or file concerned; empty when there is none.
        then: what to do next, one sentence without a full stop.
    """

    def __init__(self, what: str, *, where: str = "", then: str = "") -> None:
        self.what = what
        self.where = where
        self.then = then
        beats = [what, where and f"where: {where}", then and f"next: {then}"]
        super().__init__("\n  ".join(beat for beat in beats if beat))


class TraceFileError(TracerError):
    """A trace file that cannot be read or written."""


class CheckpointError(TracerError):
    """A file of parameters that cannot be read or written."""


class StartingPointError(TracerError):
    """Nets, weights or samples that cannot be brought to one starting point."""


class RecordingError(TracerError):
    """A net that cannot be watched, or inputs it cannot be run on."""


class FrameworkMissing(TracerError):  # noqa: N818 (it says what is the matter, as its kin do)
    """A framework that is needed here is not installed."""


class RuleError(TracerError):
    """A user's rule, pin or filter that does not hold."""


class CurveError(TracerError):
    """A log, table or event file without curves that can be read, or curves that have nothing in common."""


class SourceError(TracerError):
    """Source code that cannot be read, or a copy of it that cannot be written."""
