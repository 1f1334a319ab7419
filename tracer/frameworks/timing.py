"""What a framework has to be able to do so that calls can be timed: the contract beside `Watcher`, and the log in which
its hooks write.

Everything that is worked out of the log is worked out after the step: a hook reads the clock and appends a line.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks.base import Watcher

Array = np.ndarray[Any, Any]
Call = tuple[str, int]
"""A layer's path, and which call of it in the step. Recomputed calls, which are matched later, count down from -1."""

What = Literal["enter", "leave", "begin", "end"]
"""A call is entered and left; its backward, or one operation of that, begins and ends."""

Phase = Literal["forward", "loss", "backward", "update"]
PHASES: tuple[Phase, ...] = ("forward", "loss", "backward", "update")


class Line(NamedTuple):
    """One line of a log. `again`: a call that is entered or left within the backward pass, to compute what it had not
    kept. `place` is where the framework's own count of operations stood, 0 where it has none."""

    time: int
    what: What
    call: Call | None
    again: bool = False
    place: int = 0


@dataclass(frozen=True)
class Rest:
    """How the device is brought to rest before a clock is read, and that in words."""

    wait: Callable[[], None] | None
    words: str


@dataclass(frozen=True)
class Memory:
    """What the framework tells of the device's memory: bytes allocated now, the most since `reset`."""

    now: Callable[[], int]
    most: Callable[[], int]
    reset: Callable[[], None]


@dataclass(frozen=True)
class Costs:
    """Nanoseconds that watching adds: to what is around a call, before its begin is read and after its end is; within
    a call; and within one begin and end of the backward pass."""

    enter: int = 0
    leave: int = 0
    inside: int = 0
    backward: int = 0


class Log:
    """What the hooks of one watched step tell, in the order of time.

    Attributes:
        lines: the lines so far.
        ends: when the phases ended, as far as somebody said so.
        notes: what could not be seen.
        zero: the clock when the step began.
    """

    def __init__(self, wait: Callable[[], None] | None = None) -> None:
        self.lines: list[Line] = []
        self.ends: dict[Phase, int] = {}
        self.notes: dict[str, None] = {}
        self._wait = wait
        self._open: list[Call] = []
        self._counts: dict[str, int] = {}
        self._again: list[Call] = []
        self._recomputed = 0
        self._thread = threading.get_ident()
        self._lost = 0
        self.zero = time.perf_counter_ns()

    def start(self) -> None:
        """The step begins now, with the device at rest."""
        if self._wait is not None:
            self._wait()
        self._thread = threading.get_ident()
        self.zero = time.perf_counter_ns()

    def now(self) -> int:
        """Nanoseconds since the step began, with the device at rest, without those spent in `free`."""
        if self._wait is not None:
            self._wait()
        return time.perf_counter_ns() - self.zero - self._lost

    def free(self, work: Callable[[], None]) -> None:
        """Do something of our own while the clock stands still."""
        began = time.perf_counter_ns()
        try:
            work()
        finally:
            self._lost += time.perf_counter_ns() - began

    def ended(self, phase: Phase) -> None:
        """A phase of the step is over. Of an update that computes the gradients again the first counts."""
        now = self.now()
        if phase not in self.ends or phase == "update":
            self.ends[phase] = now

    def enter(self, path: str, *, again: bool, place: int = 0) -> None:
        """A call begins; the clock is read last."""
        if again:
            self._recomputed += 1
            call = (path, -self._recomputed)
            self._again.append(call)
            self.lines.append(Line(self.now(), "enter", call, True, place))
            return
        if threading.get_ident() != self._thread:
            self.notes["Calls that the net makes in other threads have no times"] = None
            return
        index = self._counts.get(path, 0)
        self._counts[path] = index + 1
        call = (path, index)
        self._open.append(call)
        self.lines.append(Line(self.now(), "enter", call, False, place))

    def leave(self, path: str, *, again: bool, place: int = 0) -> bool:
        """The call that was entered last on this path ends; the clock is read first. Was it the outermost one?"""
        now = self.now()
        if not again and threading.get_ident() != self._thread:
            return False
        opened = self._again if again else self._open
        while opened:
            call = opened.pop()
            self.lines.append(Line(now, "leave", call, again, place))
            if call[0] == path:
                return not opened
        return False

    @property
    def running(self) -> bool:
        """Has a call been entered that was not left?"""
        return bool(self._open)

    def next_call(self, path: str) -> Call:
        """The call of this path that would be entered next."""
        return path, self._counts.get(path, 0)

    def open_call(self, path: str) -> Call | None:
        """The call that was entered last, where it is one of this path."""
        return self._open[-1] if self._open and self._open[-1][0] == path else None

    def begin(self, call: Call | None) -> None:
        """The backward of a call begins, or that of one of its operations; None of what is in no call."""
        self.lines.append(Line(self.now(), "begin", call))

    def end(self, call: Call | None) -> None:
        """It ends."""
        self.lines.append(Line(self.now(), "end", call))


class Step(Protocol):
    """A step as users of the framework write it, ready to be run again and again."""

    def __call__(self, ended: Callable[[Phase], None]) -> None:
        """Run it; `ended` is told of each phase. The device may still be busy afterwards."""


class Timer(Protocol):
    """One framework's side of timing."""

    def rest(self, net: Any) -> Rest:
        """How the device of this net is brought to rest."""

    def memory(self, net: Any) -> Memory | None:
        """What it tells of memory; None where it tells nothing."""

    def run(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        cotangent: Callable[[int, int], Array] | None,
    ) -> Step:
        """Forward, and unless `cotangent` is None backward as `Watcher.run` does it. What the gradients are multiplied
        with is made beforehand, for which the net may be run once."""

    def train(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loss: Callable[..., Any],
        targets: tuple[Any, ...],
        optimizer: Any | None,
    ) -> Step:
        """Forward, loss, backward and update as `Trainer.train` does them."""

    def watch(self, net: Any, paths: Mapping[str, Any], log: Log) -> AbstractContextManager[None]:
        """Hooks that write into the log on every layer in `paths`, as long as it is open. None of them changes a
        number, and all are gone afterwards."""

    def sees(self, log: Log, outputs: Any) -> None:
        """The backward pass will also go through what these depend on (a loss)."""

    def costs(self, net: Any) -> Costs:
        """What watching costs, measured on layers that do nothing."""

    exact_backward: bool
    """Does the log tell of every operation's end in the backward pass?"""

    limits: tuple[str, ...]
    """What its times cannot tell, in sentences."""


def timer_of(watcher: Watcher) -> Timer:
    """A framework's side of timing: what its watcher gives as `timer()`.

    Raises:
        RecordingError: it has none.
    """
    found = getattr(watcher, "timer", None)
    if found is None:
        then = 'record with keep="values"'
        raise RecordingError("calls cannot be timed here", where=watcher.name, then=then)
    timer: Timer = found()
    return timer
