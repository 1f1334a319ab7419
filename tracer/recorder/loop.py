"""What a user holds while a loop of his own is recorded: where steps begin, and what the losses are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from tracer.errors import RecordingError
from tracer.frameworks.base import Watcher
from tracer.frameworks.training import trainer_of
from tracer.recorder.sampling import Sampling
from tracer.recorder.session import Options, Watched
from tracer.recorder.steps import Eager, Prepare, StepRecorder


class Session:
    """A recording that is going on: what `recording` gives. `out` is where the trace will be."""

    def __init__(self, out: Path, steps: Stepping) -> None:
        self.out = out
        self.notes: list[str] = []
        self._steps = steps

    def note(self, text: str) -> None:
        """Keep a sentence in the trace."""
        self.notes.append(str(text))

    def step(self) -> AbstractContextManager[None]:
        """A training step: `with recording.step():` around one iteration, from the forward pass to the update (several
        forward and backward passes, if gradients are accumulated). Steps are counted from 0; of those that are not
        chosen nothing is recorded, and nothing is watched.

        Raises:
            RecordingError: the step before is not over.
        """
        return _Step(self._steps.now())

    def loss(self, loss: Any, targets: Any = None) -> Any:
        """Name the loss of the step, where it is known and not yet sent back: `recording.loss(loss).backward()`. With
        accumulation once for each part. What it was made of is found out where the framework shows it.

        Args:
            loss: the tensor.
            targets: what the loss was held against, where it is made by plain functions, which nobody sees.

        Returns:
            The loss itself.

        Raises:
            RecordingError: no step has begun.
        """
        steps = self._steps.now()
        if not steps.running:
            then = "put the iteration into `with recording.step():`"
            raise RecordingError("a loss outside of a step", where="recording.loss(...)", then=then)
        steps.loss(loss, targets)
        return loss

    def callback(self) -> Any:
        """What the framework's own training loop takes as a callback (`mindspore.train.Model.train`): each of its
        steps becomes one here.

        Raises:
            RecordingError: the framework has no such loop.
        """
        steps = self._steps.now()

        def end(loss: Any, error: BaseException | None) -> None:
            if steps.running:
                if loss is not None and error is None and not steps.losses:
                    steps.loss(loss)
                steps.end(error)

        return self._steps.callback(steps.begin_next, end)

    def close(self) -> None:
        """Nothing is recorded any more."""
        self._steps.close()

    def __repr__(self) -> str:
        return f"<recording to {self.out}>"


class Steps(Protocol):
    """What does something with the steps of a loop. `number` is of the step that runs, or ran last (-1: none),
    `recorded` how many were recorded, `losses` how many losses the step that runs has named."""

    number: int
    recorded: int
    running: bool

    @property
    def losses(self) -> int:
        """How many losses the step has named."""

    def begin(self) -> bool:
        """The next step begins."""

    def begin_next(self) -> None:
        """The next step begins; one that nobody ended is over."""

    def end(self, error: BaseException | None) -> None:
        """The step is over."""

    def loss(self, loss: Any, targets: Any = None) -> None:
        """The user names a loss."""

    def given(self, output: Any, targets: Sequence[Any], kind: str) -> None:
        """What the next loss is made of, where the caller knows it."""


def step_recorder(
    watcher: Watcher,
    net: Any,
    optimizer: Any,
    watched: Watched,
    options: Options,
    eager: Eager | None = None,
    prepare: Prepare | None = None,
) -> StepRecorder:
    """What records steps with their numbers into `watched`. `eager` makes hooks fire, where that is done for each step
    by itself; `prepare` is called before each."""
    sampling, keep = options.sampling or Sampling(), options.keep
    assert keep != "timing"  # those have their own steps
    w = watched
    w.steps = made = StepRecorder(
        watcher, net, optimizer, w.recorder, w.writer, w.layers, w.parameters, sampling, keep, eager, prepare
    )
    return made


class Stepping:
    """Training steps of a recording. The first one takes the hooks off that were on for what is no step."""

    def __init__(self, watcher: Watcher, watched: Watched, make: Callable[[], Steps], *, at_once: bool = False) -> None:
        """`make` makes what records steps, `at_once` where nothing else is recorded in any case."""
        self._watcher, self._watched, self._make = watcher, watched, make
        self._over = False
        self._steps = make() if at_once else None

    def now(self) -> Steps:
        """What records steps.

        Raises:
            RecordingError: the net ran already, outside of steps.
        """
        if self._over:
            then = "put the loop into the `with` statement of tracer.recording"
            raise RecordingError("the recording is over", where="recording.step()", then=then)
        if self._steps is None:
            if self._watched.recorder.fired:
                raise RecordingError(
                    "the net ran before the first step, and that is in the trace already",
                    where="recording.step()",
                    then="give optimizer= to tracer.recording: then nothing is recorded outside of steps",
                )
            self._watched.hooks.close()
            self._watched.recorder.end_step()
            self._steps = self._make()
        return self._steps

    def close(self) -> None:
        """The recording ends; a step that is open ends with it."""
        self._over = True
        if self._steps is not None:
            self._steps.end(None)

    def callback(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> Any:
        """The framework's own kind of callback."""
        return trainer_of(self._watcher).callback(begin, end)


class _Step:
    """One training step as a context; as light as can be for those that are not kept."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def __enter__(self) -> None:
        if self._steps.running:
            then = "end the step first: `with recording.step():` around each iteration, and no other inside it"
            where = f"step {self._steps.number}"
            raise RecordingError("a step begins inside another one", where=where, then=then)
        self._steps.begin()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._steps.end(error)
