"""The net is trained for some steps while it is recorded, and put back as it was, its optimizer too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tracer.frameworks import watcher_for
from tracer.frameworks.replaying import Replays
from tracer.frameworks.training import trainer_of
from tracer.recorder.listener import Progress
from tracer.recorder.loop import Session, Stepping, step_recorder
from tracer.recorder.runs import replaying
from tracer.recorder.session import Options, watching
from tracer.recorder.steps import Prepare
from tracer.trace.schema import Placed


@dataclass(frozen=True)
class Training:
    """What is trained with. `before` is called before each step."""

    loss: Any
    targets: tuple[Any, ...] = ()
    optimizer: Any | None = None
    steps: int = 1
    before: Prepare | None = None


def train_and_record(
    net: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Path,
    options: Options,
    training: Training,
    *,
    progress: Progress | None = None,
    replays: Replays | None = None,
    notes: Sequence[str] = (),
    placed: tuple[Placed, ...] = (),
) -> None:
    """Train the net for some steps on one batch, leave the trace at `out`, and net and optimizer as they were.

    Args:
        training: the loss, what it is given besides the output, the optimizer, how many steps.
        net, args, kwargs, out, options, progress, replays, notes, placed: as `run_and_record` has them.

    Raises:
        RecordingError: the net, the loss or the optimizer is none.
        TraceFileError: the trace could not be written.
        Exception: whatever the net or the loss raised; the trace up to there is at `out`.
    """
    tell = progress or (lambda *_: None)
    tell("reading the net", 0, 0)
    watcher = watcher_for(net)
    if training.optimizer is not None:
        trainer_of(watcher).optimizer(training.optimizer)
    with watcher.eager(net) as done:
        args, words = watcher.convert(net, args)
        kwargs, more = watcher.convert(net, kwargs)
        targets, most = watcher.convert(net, training.targets)
        said = dict.fromkeys((*notes, *done, *words, *more, *most))
        with watching(watcher, net, out, options, tuple(said), progress=progress) as watched:
            watched.placed = placed
            trainer = trainer_of(watcher)
            make = partial(step_recorder, watcher, net, training.optimizer, watched, options, prepare=training.before)
            steps = Stepping(watcher, watched, make, at_once=options.sampling is not None)
            session = Session(out, steps)
            put_back = [watcher.preserve(net)]
            if training.optimizer is not None:
                put_back.append(trainer.preserve(training.optimizer))
            loss = _Telling(training.loss, steps)
            try:
                with replaying(watcher, net, replays or {}, watched):
                    for number in range(training.steps):
                        tell("training", number, training.steps)
                        with session.step():
                            trainer.train(net, args, kwargs, loss, targets, training.optimizer, session.loss)
                if watched.recorder.gradients == 0:
                    watched.backward = "no gradient reached the net while it was recorded"
            finally:
                session.close()
                try:
                    watched.recorder.close()
                finally:
                    watched.unrestored = tuple(word for restore in reversed(put_back) for word in restore())
                tell("writing the rest", 0, 0)


class _Telling:
    """The loss as it is called, telling the steps what it is called with."""

    def __init__(self, loss: Any, steps: Stepping) -> None:
        self._loss, self._steps = loss, steps

    def __call__(self, output: Any, *targets: Any) -> Any:
        result = self._loss(output, *targets)
        kind = getattr(self._loss, "__name__", "") or type(self._loss).__name__
        self._steps.now().given(output, targets, kind)
        return result
