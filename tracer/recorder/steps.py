"""Training steps: what is recorded around the calls of a step, and when hooks are on.

Between steps, and in steps that are not kept, nothing of the net or the optimizer is watched.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks.base import Leaf, Watcher, leaves
from tracer.frameworks.training import LossFacts, OptimizerFacts, trainer_of
from tracer.recorder.listener import Recorder, error_words
from tracer.recorder.norms import moved, squares
from tracer.recorder.sampling import Sampling
from tracer.recorder.states import States
from tracer.trace.schema import (
    Began,
    Ended,
    Group,
    Kept,
    Loss,
    LossGradient,
    Measures,
    Optimizer,
    Place,
    Updates,
    Value,
)
from tracer.trace.writer import TraceWriter

Array = np.ndarray[Any, Any]


Eager = Callable[[], AbstractContextManager[tuple[str, ...]]]
"""What a watcher's `eager` is, for one net."""

Prepare = Callable[[int], tuple[str, ...]]
"""Brings net and optimizer to where a step is to begin; what it could not do, in sentences."""


class StepRecorder:
    """Records the steps of one training.

    Args:
        watcher, trainer: the framework's.
        net: what is trained.
        optimizer: what trains it; None where it is not looked at.
        recorder: is told of calls and gradients within steps.
        writer: where the rows go.
        watched: the layers to hook, by path.
        owned: the parameters whose gradients are wanted, by place.
        sampling: which steps are kept.
        keep: what is kept of those.
        eager: makes hooks fire in the steps that are kept; None where they do anyway.
        prepare: called with the number of a step that is kept, before anything of it is recorded.
    """

    def __init__(
        self,
        watcher: Watcher,
        net: Any,
        optimizer: Any | None,
        recorder: Recorder,
        writer: TraceWriter,
        watched: Mapping[str, Any],
        owned: Mapping[Place, Any],
        sampling: Sampling,
        keep: Kept,
        eager: Eager | None = None,
        prepare: Prepare | None = None,
    ) -> None:
        self.number = -1
        """Of the step that runs, or ran last."""
        self.kept: Kept | None = None
        self.running = False
        self.recorded = 0
        self._watcher, self._net, self._optimizer = watcher, net, optimizer
        self._trainer = trainer_of(watcher)
        self._recorder, self._writer = recorder, writer
        self._watched, self._owned, self._sampling, self._keep = watched, owned, sampling, keep
        self._states = States(watcher, self._trainer, recorder, writer, net, owned)
        self._hooks = ExitStack()
        self._eager, self._prepare = eager, prepare
        self._began = 0.0
        self._losses: list[float | None] = []
        self._seen: list[_Seen] = []
        self._given: LossFacts | None = None
        self._updates = 0
        self._norm: float | None = None
        self._rates: tuple[float, ...] = ()
        self._scale: float | None = None
        self._before: dict[Place, Array] = {}

    # -- steps -----------------------------------------------------------------------------------------------------

    def begin(self) -> bool:
        """The next step begins. Is it kept?"""
        self.number += 1
        self.kept = self._sampling.kept(self.number, self._keep)
        self.running = True
        if self.kept is None:
            self._states.forget()
            return False
        self.recorded += 1
        self._losses, self._seen, self._given, self._updates = [], [], None, 0
        self._norm, self._rates, self._scale = None, (), None
        try:
            self._begin(self.kept)
        except BaseException:
            self.end(None)
            raise
        return True

    def _begin(self, kept: Kept) -> None:
        if kept != "curve":
            self._writer.wait_until_written()  # the steps before this one are in the file, whatever becomes of this one
        if self._prepare is not None:
            self._recorder.notes.update(dict.fromkeys(self._prepare(self.number)))
        self._writer.keeping = kept == "values"
        self._writer.write(Began(self.number, kept))
        if self._eager is not None and kept != "curve":
            self._recorder.notes.update(dict.fromkeys(self._hooks.enter_context(self._eager())))
        self._before = self._states.parameters(self.number, "before", kept)
        if self._optimizer is not None:
            if kept != "curve":
                self._states.optimizer(self.number, "before", self._optimizer)
            self._hooks.enter_context(self._trainer.watch_updates(self._optimizer, self))
        if kept != "curve":
            self._recorder.begin_step(self.number)
            self._hooks.callback(self._recorder.end_step)
            self._hooks.enter_context(self._trainer.watch_losses(self._net, self._saw))
            self._hooks.enter_context(self._watcher.watch(self._net, self._recorder, self._watched))
            self._recorder.watch_parameters(self._owned)
        self._began = time.perf_counter()

    def end(self, error: BaseException | None) -> None:
        """The step is over, by an error or not."""
        if not self.running:
            return
        self.running = False
        kept, self.kept = self.kept, None
        if kept is None:
            return
        seconds = time.perf_counter() - self._began
        try:
            if error is not None:
                self._recorder.stop(error)
                self._watcher.after_error()
        finally:
            try:
                self._hooks.close()
            except RecordingError:
                if error is None:
                    raise
        self._name_losses()
        self._seen.clear()
        self._given = None
        norm, change = self._norms(kept, whole=error is None)
        if error is None and kept != "curve" and self._optimizer is not None:
            self._states.optimizer(self.number, "after", self._optimizer)
        known = [loss for loss in self._losses if loss is not None]
        measures = Measures(
            loss=sum(known) / len(known) if known else None,
            gradient_norm=self._norm,
            parameter_norm=norm,
            update_norm=change,
            learning_rates=self._rates,
            scale=self._scale,
            seconds=seconds,
        )
        self._before = {}
        failed = error_words(error) if error is not None else None
        self._writer.write(Ended(self.number, _finite(measures), self._updates, failed))
        if kept != "curve":
            self._writer.write_soon()

    def _norms(self, kept: Kept, *, whole: bool) -> tuple[float | None, float | None]:
        """L2 of the parameters that are trained as they were before the step, and of what it added to them. Where the
        step came to its end, all parameters are kept as they are now."""
        after = self._states.parameters(self.number, "after", kept) if whole else {}
        if not self._before:
            return None, None
        was, added, comparable = 0.0, 0.0, False
        for place, before in self._before.items():
            now = after.get(place)
            if now is None:
                was += squares(before)
            elif now.shape != before.shape:
                return None, None
            else:
                comparable = True
                old, new = moved(before, now)
                was, added = was + old, added + new
        return math.sqrt(was), math.sqrt(added) if comparable else None

    def begin_next(self) -> None:
        """The next step begins; one that nobody ended is over."""
        self.end(None)
        self.begin()

    @property
    def losses(self) -> int:
        """How many losses the step has named."""
        return len(self._losses)

    # -- losses ----------------------------------------------------------------------------------------------------

    def loss(self, loss: Any, targets: Any = None) -> None:
        """The user names a loss."""
        if self.kept is None:
            return
        if not self._watcher.is_tensor(loss):
            kind = f"{type(loss).__module__}.{type(loss).__qualname__}"
            then = "give the tensor itself, as recording.loss(outputs.loss); several losses one after the other"
            raise RecordingError("the loss is no tensor", where=f"step {self.number}, an object of {kind}", then=then)
        if self.kept == "curve":
            self._losses.append(self._trainer.mean(loss))
            return
        seen = next((seen for seen in reversed(self._seen) if seen.output is loss), None)
        if seen is None or (targets is not None and not _holds(seen.facts.inputs, targets)):
            facts = seen.facts if seen is not None else self._facts(loss)
            if targets is not None and not _holds(facts.inputs, targets):
                facts = replace(facts, inputs=(*facts.inputs, *leaves(targets, "targets")))
            seen = self._taken(loss, facts)
        self._name(seen)

    def given(self, output: Any, targets: Sequence[Any], kind: str) -> None:
        """What the next loss is made of, where the caller knows it."""
        inputs = [leaf for n, given in enumerate((output, *targets)) for leaf in leaves(given, str(n))]
        self._given = LossFacts(kind, inputs=tuple(inputs))

    def _facts(self, loss: Any) -> LossFacts:
        made, given = self._trainer.made_by(loss), self._given
        if given is None:
            return made or LossFacts("")
        if made is None:
            return given
        return replace(made, inputs=given.inputs)

    def _saw(self, output: Any, facts: LossFacts) -> None:
        """A layer beside the net was called: a loss, if what it got comes from the net."""
        try:
            if self._watcher.is_tensor(output):
                self._seen.append(self._taken(output, facts))
        except Exception as error:
            self._recorder.failed(error)

    def _taken(self, loss: Any, facts: LossFacts) -> _Seen:
        """What there is to say of a loss, copied now; and its gradient is waited for."""
        values, arrays = self._recorder.outside((Leaf("", loss), *facts.inputs))
        seen = _Seen(loss, facts, values, arrays, self._trainer.mean(loss))
        self._recorder.on_loss(loss, lambda gradient: self._sent_back(seen, gradient))
        return seen

    def _sent_back(self, seen: _Seen, gradient: Any) -> None:
        (value,), (array,) = self._recorder.outside((Leaf("", gradient),))
        seen.gradient, seen.scale = (value, array), self._trainer.mean(gradient)
        if seen.index is not None:
            self._write_gradient(seen)

    def _name(self, seen: _Seen) -> None:
        """From now on it is a loss of the step."""
        if seen.index is not None:
            return
        seen.index = len(self._losses)
        self._losses.append(seen.mean)
        facts, values = seen.facts, seen.values
        row = Loss(
            self.number, seen.index, values[0], facts.kind, facts.bases, facts.settings, values[1:], facts.source
        )
        self._writer.write(row, seen.arrays)
        if seen.gradient is not None:
            self._write_gradient(seen)

    def _write_gradient(self, seen: _Seen) -> None:
        if seen.gradient is None or seen.index is None:
            return
        if seen.index == 0:
            self._scale = seen.scale
        value, array = seen.gradient
        self._writer.write(LossGradient(self.number, seen.index, value), (array,))

    def _name_losses(self) -> None:
        """Where the user named none, losses are those layers beside the net that made one number of what it gave; else
        the last that got something from it."""
        if self._losses:
            return
        of_net = [seen for seen in self._seen if any(value.maker is not None for value in seen.values[1:])]
        ends = [seen for seen in of_net or self._seen if math.prod(seen.values[0].shape) == 1]
        for seen in ends or of_net[-1:]:
            self._name(seen)

    # -- updates ---------------------------------------------------------------------------------------------------

    def about_to_update(self, gradients: Sequence[tuple[Any, Any | None]]) -> None:
        """The optimizer is about to update."""
        try:
            self._about_to_update(gradients)
        except Exception as error:
            self._recorder.failed(error)

    def _about_to_update(self, gradients: Sequence[tuple[Any, Any | None]]) -> None:
        if self._updates or self.kept is None:
            return
        self._norm = self._states.gradients(self.number, gradients, self.kept)
        facts = self._trainer.optimizer(self._optimizer)
        self._rates = tuple(_rate(facts, group.settings) for group in facts.groups)
        places = self._states.places()
        if not any(id(p) in places for group in facts.groups for p in group.parameters):
            self._recorder.notes["The optimizer holds no parameter of the net: was it made of another one?"] = None
        if self.kept != "curve":
            self._writer.write(Updates(self.number, optimizer_row(facts, places)))

    def updated(self) -> None:
        """The optimizer has updated."""
        self._updates += 1
        if self._updates == 2:
            self._recorder.notes["Some steps update more than once; gradients are those of the first update"] = None


@dataclass
class _Seen:
    """A loss, or what may be one: its values as they were, and what came back from it. `index` is None until it is
    named as one."""

    output: Any
    facts: LossFacts
    values: tuple[Value, ...]
    arrays: tuple[Array | None, ...]
    mean: float | None
    gradient: tuple[Value, Array | None] | None = None
    scale: float | None = None
    index: int | None = None


def optimizer_row(facts: OptimizerFacts, places: Mapping[int, Place]) -> Optimizer:
    """An optimizer as a trace has it; `places` are by `id(parameter)`."""
    groups = []
    for group in facts.groups:
        known = [places[id(p)] for p in group.parameters if id(p) in places]
        groups.append(Group(group.settings, tuple(known), len(group.parameters) - len(known)))
    return Optimizer(facts.kind, facts.bases, facts.settings, tuple(groups), facts.source)


def _rate(facts: OptimizerFacts, settings: Mapping[str, Any]) -> float:
    for found in (settings, facts.settings):
        for name in ("lr", "learning_rate"):
            rate = found.get(name)
            if isinstance(rate, float | int):
                return float(rate)
    return math.nan


def _holds(inputs: Sequence[Leaf], targets: Any) -> bool:
    return any(leaf.value is targets for leaf in inputs)


def _finite(measures: Measures) -> Measures:
    rates = measures.learning_rates
    return replace(measures, learning_rates=rates if all(map(math.isfinite, rates)) else ())
