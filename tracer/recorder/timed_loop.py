"""Steps of a loop of the user's own are timed: the first is recorded for its calls, some warm up, then every second one
is watched and those between are left bare."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from tracer.frameworks import watcher_for
from tracer.frameworks.base import Watcher
from tracer.frameworks.timing import Log, Phase, What, timer_of
from tracer.frameworks.training import trainer_of
from tracer.recorder.loop import Session, Stepping
from tracer.recorder.sampling import Sampling
from tracer.recorder.session import Options, Watched, watching
from tracer.recorder.timing import NO_GRADIENTS, Clock, Repeats

_NO_MEMORY = "Memory was not asked for: that takes one more step, which only tracer.record runs"
_SEVERAL = "Steps with several runs of the net: where one phase ends and the next begins is not known"
_NO_UPDATE = "No update was seen: what it took is in the rest of the step; optimizer= tells it apart"


@contextlib.contextmanager
def time_while(net: Any, out: Path, options: Options, repeats: Repeats, optimizer: Any = None) -> Iterator[Session]:
    """Time the steps of whatever the body runs; see `tracer.recording`.

    Raises:
        RecordingError: the net cannot be timed, or the optimizer is none.
        TraceFileError: the trace could not be written.
    """
    watcher = watcher_for(net)
    timer = timer_of(watcher)
    if optimizer is not None:
        trainer_of(watcher).optimizer(optimizer)  # that it is one is said before anything is written
    options = replace(options, sampling=Sampling())  # no hooks but in steps
    with watcher.eager(net) as done, watching(watcher, net, out, options, done) as watched:
        watched.backward = NO_GRADIENTS
        clock = Clock(timer, net, watched, done)
        clock.notes[_NO_MEMORY] = None
        steps = TimedSteps(watcher, clock, watched, repeats, optimizer)
        watched.steps = steps
        session = Session(out, Stepping(watcher, watched, lambda: steps, at_once=True))
        try:
            yield session
        finally:
            session.close()
            watched.recorder.notes.update(dict.fromkeys(session.notes))
            clock.keep()
            watched.missing = steps.missing()


class TimedSteps:
    """The steps of one loop (`tracer.recorder.loop.Steps`)."""

    def __init__(
        self, watcher: Watcher, clock: Clock, watched: Watched, repeats: Repeats, optimizer: Any | None
    ) -> None:
        self.number = -1
        self.running = False
        self.recorded = 0
        self.losses = 0
        self._watcher, self._clock, self._watched = watcher, clock, watched
        self._repeats, self._optimizer = repeats, optimizer
        self._hooks = ExitStack()
        self._what: _What = "nothing"
        self._log = Log()
        self._began = 0

    def begin(self) -> bool:
        """The next step begins. Is it watched?"""
        self.number += 1
        self.running, self.losses = True, 0
        self._what = _what(self.number, self._repeats)
        if self._what == "calls":
            self._hooks.enter_context(self._clock.skeleton(self._watcher))
        elif self._what == "watched":
            self._log = self._hooks.enter_context(self._clock.watching())
            if self._optimizer is not None:
                self._hooks.enter_context(trainer_of(self._watcher).watch_updates(self._optimizer, self))
            self._log.start()
        elif self._what == "bare":
            self._began = self._clock.begin_bare()
        return self._what in ("calls", "watched")

    def end(self, error: BaseException | None) -> None:
        """The step is over, by an error or not; one that raised has no time."""
        if not self.running:
            return
        self.running = False
        what, whole = self._what, 0
        try:
            if error is not None:
                self._watched.recorder.stop(error)
                self._watcher.after_error()
            elif what == "bare":
                self._clock.end_bare(self._began)
            elif what == "watched":
                whole = self._log.now()
        finally:
            self._hooks.close()
        if error is not None:
            return
        if what == "calls":
            self._clock.calibrate()
        elif what == "watched":
            self._end_phases()
            self.recorded += 1
            self._clock.take(self._log, whole)

    def _end_phases(self) -> None:
        """Phases that nobody has ended, as far as the calls tell."""
        if _runs(self._log) > 1:
            self._log.notes[_SEVERAL] = None
            self._log.ends.clear()
            return
        self._phase("forward", _last(self._log, "leave"))
        if "update" not in self._log.ends:
            self._phase("backward", _last(self._log, "end"))
            self._log.notes[_NO_UPDATE] = None

    def begin_next(self) -> None:
        """The next step begins; one that nobody ended is over."""
        self.end(None)
        self.begin()

    def loss(self, loss: Any, targets: Any = None) -> None:  # noqa: ARG002
        """The user names a loss: where it is not yet sent back, its phase ends here."""
        self.losses += 1
        if self._what != "watched" or not self.running or "backward" in self._log.ends:
            return
        if not any(line.what == "begin" for line in self._log.lines):
            self._phase("forward", _last(self._log, "leave"))
            self._log.ended("loss")
            self._clock.timer.sees(self._log, loss)

    def given(self, output: Any, targets: Sequence[Any], kind: str) -> None:
        """What a loss is made of is not asked."""

    def about_to_update(self, gradients: Sequence[tuple[Any, Any | None]]) -> None:  # noqa: ARG002
        """The optimizer has the gradients."""
        self._phase("forward", _last(self._log, "leave"))
        self._log.ended("backward")

    def updated(self) -> None:
        """It has updated."""
        self._log.ended("update")

    def _phase(self, phase: Phase, end: int | None) -> None:
        if end is not None:
            self._log.ends.setdefault(phase, end)

    def missing(self) -> tuple[str, str] | None:
        """Why no step was timed, and what to do; None where one was."""
        if self.recorded:
            return None
        if self.number < 0:
            then = "put `with recording.step():` around each iteration, or give Model.train recording.callback()"
            return "no step was begun", then
        before = self._repeats.warmup + 2
        what = f"the loop had {self.number + 1} steps, and the first {before} are for calls, warming up and a bare step"
        return what, "let it run longer, or give a smaller warmup="


_What = Literal["calls", "warmup", "bare", "watched", "nothing"]


def _what(number: int, repeats: Repeats) -> _What:
    """What is done with the step of this number."""
    if number == 0:
        return "calls"
    if number <= repeats.warmup:
        return "warmup"
    since = number - repeats.warmup - 1
    if since >= 2 * repeats.repeat:
        return "nothing"
    return "watched" if since % 2 else "bare"


def _last(log: Log, what: What) -> int | None:
    return next((line.time for line in reversed(log.lines) if line.what == what and not line.again), None)


def _runs(log: Log) -> int:
    """How often the outermost layers were called."""
    depth = found = 0
    for line in log.lines:
        if line.again or line.what not in ("enter", "leave"):
            continue
        found += depth == 0 and line.what == "enter"
        depth += 1 if line.what == "enter" else -1
    return found
