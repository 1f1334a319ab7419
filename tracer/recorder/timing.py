"""A net's step is run again and again, bare and watched in turn, and put back as it was.

One run before is recorded as any other, without values: its calls are those that the times are of.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tracer.errors import RuleError
from tracer.frameworks import watcher_for
from tracer.frameworks.base import Watcher
from tracer.frameworks.timing import Call, Costs, Log, Rest, Step, Timer, timer_of
from tracer.frameworks.training import trainer_of
from tracer.recorder.listener import Progress, error_words
from tracer.recorder.runs import cotangent
from tracer.recorder.sampling import Sampling
from tracer.recorder.session import Options, Watched, watching
from tracer.recorder.timing_memory import MemoryLog
from tracer.recorder.timing_tally import NONE, Calls, Tally, tally
from tracer.recorder.training import Training
from tracer.trace.timing import Nanoseconds, Timing

NO_GRADIENTS = 'only times were kept: keep="timing"'
NOT_ASKED = "it was not asked for: backward=False"


@dataclass(frozen=True)
class Repeats:
    """How often a step is timed, and how often it runs before that."""

    repeat: int = 10
    warmup: int = 3

    @staticmethod
    def of(repeat: Any, warmup: Any) -> Repeats:
        """Check what the user gave; None is the default.

        Raises:
            RuleError: an option that counts nothing.
        """
        given = {"repeat": (repeat, 1), "warmup": (warmup, 0)}
        for name, (value, least) in given.items():
            if value is not None and not (type(value) is int and value >= least):
                raise RuleError(f"{name}={value!r} counts no steps", then=f"give a whole number from {least} on")
        known = {name: value for name, (value, _) in given.items() if value is not None}
        return Repeats(**known)


def time_and_record(
    net: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Path,
    options: Options,
    repeats: Repeats,
    *,
    backward: bool,
    training: Training | None = None,
    progress: Progress | None = None,
) -> None:
    """Time the calls of a step, leave the trace at `out`, and net and optimizer as they were.

    Args:
        net, args, kwargs, out, options, progress: as `run_and_record` has them.
        repeats: how often.
        backward: without `training`: also go backward from the outputs.
        training: the step is one of training.

    Raises:
        RecordingError: the net, the loss or the optimizer is none.
        TraceFileError: the trace could not be written.
        Exception: whatever the net raised; the trace up to there is at `out`.
    """
    tell = progress or (lambda *_: None)
    tell("reading the net", 0, 0)
    watcher = watcher_for(net)
    timer = timer_of(watcher)
    optimizer = training.optimizer if training is not None else None
    if optimizer is not None:
        trainer_of(watcher).optimizer(optimizer)
    options = replace(options, sampling=Sampling())  # no hooks but our own
    with watcher.eager(net) as done:
        args, words = watcher.convert(net, args)
        kwargs, more = watcher.convert(net, kwargs)
        if training is not None:
            targets, most = watcher.convert(net, training.targets)
            training, words = replace(training, targets=targets), (*words, *most)
        prepare = getattr(watcher, "prepare", None)
        prepared = prepare(net, args, kwargs) if prepare is not None else ()
        said = dict.fromkeys((*done, *words, *more, *prepared))
        with watching(watcher, net, out, options, tuple(said), progress=progress) as watched:
            put_back = [watcher.preserve(net)]
            if optimizer is not None:
                put_back.append(trainer_of(watcher).preserve(optimizer))
            watched.backward = NO_GRADIENTS
            clock = Clock(timer, net, watched, done)
            try:
                with clock.skeleton(watcher):
                    watcher.run(net, args, kwargs, None)
                if training is not None:
                    step = _training_step(watcher, timer, net, args, kwargs, training)
                else:
                    step, watched.backward = _step(watcher, clock, args, kwargs, backward=backward)
                tell("warming up", 0, repeats.warmup)
                for _ in range(repeats.warmup + 1):
                    step(_nobody)
                clock.calibrate()
                for n in range(repeats.repeat):
                    tell("timing", n, repeats.repeat)
                    clock.bare(step)
                    clock.watched(step)
                clock.memory(step)
            finally:
                try:
                    clock.keep()
                finally:
                    watched.unrestored = tuple(word for restore in reversed(put_back) for word in restore())
                tell("writing the rest", 0, 0)


def _training_step(
    watcher: Watcher, timer: Timer, net: Any, args: tuple[Any, ...], kwargs: dict[str, Any], training: Training
) -> Step:
    """The step of training; one by the trainer before, who says what is wrong with a loss."""
    trainer = trainer_of(watcher)
    trainer.train(net, args, kwargs, training.loss, training.targets, training.optimizer, lambda _: None)
    return timer.train(net, args, kwargs, training.loss, training.targets, training.optimizer)


def _step(
    watcher: Watcher, clock: Clock, args: tuple[Any, ...], kwargs: dict[str, Any], *, backward: bool
) -> tuple[Step, str]:
    """A run of the net, backward too where the framework can and it was asked for; and why no gradient was kept."""
    weights, why = cache(cotangent), NOT_ASKED
    if backward:
        _, gradients = watcher.run(clock.net, args, kwargs, weights)
        failed = f"the framework could not run it: {error_words(gradients.error)}" if gradients.error else None
        why = failed or gradients.skipped or NO_GRADIENTS
    asked = weights if why == NO_GRADIENTS else None
    return clock.timer.run(clock.net, args, kwargs, asked), why


def _nobody(_: Any) -> None:
    """Is told when phases end, and does not listen."""


class Clock:
    """Gathers the times of one net's steps, and keeps them in the trace."""

    def __init__(self, timer: Timer, net: Any, watched: Watched, done: Sequence[str]) -> None:
        """`done` is what was done to the net so that its layers are seen."""
        self.timer, self.net = timer, net
        self.notes = dict.fromkeys((*(f"Not as it usually runs: {word}" for word in done), *timer.limits))
        self.costs = Costs()
        self._watched = watched
        self._rest: Rest = timer.rest(net)
        self._calls = Calls((), ())
        self._orders: tuple[int, ...] = ()
        self._bare: list[int] = []
        self._tallies: list[Tally] = []
        self._peaks: dict[Call, int] | None = None

    def skeleton(self, watcher: Watcher) -> ExitStack:
        """While it is open, calls are recorded as in any other trace; those are what is timed afterwards."""
        recorder, layers = self._watched.recorder, self._watched.layers
        stack = ExitStack()
        recorder.begin_step(0)
        stack.callback(self._take_calls)
        stack.enter_context(watcher.watch(self.net, recorder, layers))
        return stack

    def _take_calls(self) -> None:
        recorder = self._watched.recorder
        places = {order: n for n, (order, _, _, _) in enumerate(recorder.calls)}
        keys = tuple((path, index) for _, path, index, _ in recorder.calls)
        parents = tuple(NONE if parent is None else places[parent] for _, _, _, parent in recorder.calls)
        self._orders, self._calls = tuple(places), Calls(keys, parents)
        recorder.end_step()

    def calibrate(self) -> None:
        """Measure what watching costs."""
        self.costs = self.timer.costs(self.net)

    def bare(self, step: Step) -> None:
        """One step, unwatched."""
        began = self.begin_bare()
        step(_nobody)
        self.end_bare(began)

    def begin_bare(self) -> int:
        """A step begins that nobody watches."""
        self._wait()
        return time.perf_counter_ns()

    def end_bare(self, began: int) -> None:
        """It is over."""
        self._wait()
        self._bare.append(time.perf_counter_ns() - began)

    def watched(self, step: Step) -> None:
        """One step, watched."""
        with self.watching() as log:
            log.start()
            step(log.ended)
            whole = log.now()
        self.take(log, whole)

    @contextmanager
    def watching(self) -> Iterator[Log]:
        """Hooks that write into a new log."""
        log = Log(self._rest.wait)
        with self.timer.watch(self.net, self._watched.layers, log):
            yield log

    def take(self, log: Log, whole: int) -> None:
        """A watched step is over."""
        found = tally(log, whole, self._calls, self.costs, exact=self.timer.exact_backward)
        self._tallies.append(found)
        self.notes.update(dict.fromkeys(found.notes))

    def memory(self, step: Step) -> None:
        """One more step, in which memory is asked for, where the framework tells of it."""
        memory = self.timer.memory(self.net)
        if memory is None:
            self.notes["The framework tells nothing of memory on this device"] = None
            return
        log = MemoryLog(memory, self._rest.wait)
        with self.timer.watch(self.net, self._watched.layers, log):
            log.start()
            step(_nobody)
        self._peaks = log.peaks

    def keep(self) -> None:
        """Hand over what was gathered; nothing where no step was timed."""
        if self._tallies:
            self._watched.writer.timing(self._timing())

    def _wait(self) -> None:
        if self._rest.wait is not None:
            self._rest.wait()

    def _timing(self) -> Timing:
        found = self._tallies
        peaks = self._peaks or {}
        count = min(len(found), len(self._bare))
        missing = [n for n in range(len(self._orders)) if all(one.forward[n, 0] == NONE for one in found)]
        if missing:
            paths = ", ".join(dict.fromkeys(self._calls.keys[n][0] for n in missing[:3]))
            self.notes[
                f"{len(missing)} calls of the first run have no times ({paths}{', ...' * (len(missing) > 3)})"
            ] = None
        return Timing(
            orders=self._orders,
            forward=_stacked([one.forward for one in found[:count]]),
            backward=_stacked([one.backward for one in found[:count]]),
            backward_own=_stacked([one.own for one in found[:count]]),
            backward_total=_stacked([one.total for one in found[:count]]),
            step=_stacked([one.step for one in found[:count]]),
            bare=np.array(self._bare[:count], np.int64),
            enter_cost=self.costs.enter,
            leave_cost=self.costs.leave,
            inside_cost=self.costs.inside,
            peak=np.array([peaks.get(key, NONE) for key in self._calls.keys], np.int64),
            rest=self._rest.words,
            notes=tuple(self.notes),
            watched=np.array([one.watched for one in found[:count]], np.int64),
        )


def _stacked(arrays: Sequence[Nanoseconds]) -> Nanoseconds:
    return np.stack(arrays)
