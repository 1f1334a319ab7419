"""What stands around a step: parameters and the optimizer's state before and after it, and the gradients of its update.

Most of it is in the trace already: what a step leaves is what the next one finds, and the optimizer mostly gets the
gradients that were sent back. Such things are not copied, measured and stored again. That they are the same is told by
their bits (a digest takes a fraction of a copy); counters of changes miss those through `.data` and numpy, and are only
asked whether it is worth looking.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tracer.frameworks.base import Leaf, NamedTensor, Unreadable, Watcher
from tracer.frameworks.training import Trainer
from tracer.recorder.listener import Recorder
from tracer.recorder.norms import squares
from tracer.trace.schema import Kept, OptimizerState, ParameterGradient, ParameterState, Place, UpdateGradient, When
from tracer.trace.writer import TraceWriter

Array = np.ndarray[Any, Any]


def tensors_of(watcher: Watcher, net: Any) -> Iterator[tuple[Place, NamedTensor]]:
    """Every parameter and buffer of a net as it is now, under its first place."""
    seen: set[int] = set()
    for path, layer, _ in watcher.layers(net):
        for named in watcher.parameters(layer):
            if id(named.tensor) not in seen:
                seen.add(id(named.tensor))
                yield (path, named.name), named


class States:
    """Writes them, step by step.

    Args:
        watcher, trainer: the framework's.
        recorder: copies tensors.
        writer: where the rows go.
        net: whose parameters and buffers.
        owned: the parameters that are trained, by place.
    """

    def __init__(
        self,
        watcher: Watcher,
        trainer: Trainer,
        recorder: Recorder,
        writer: TraceWriter,
        net: Any,
        owned: Mapping[Place, Any],
    ) -> None:
        self._watcher, self._trainer, self._recorder, self._writer = watcher, trainer, recorder, writer
        self._net, self._owned = net, owned
        self._versions: dict[tuple[str, ...], int | None] = {}
        self._left: dict[Place, Array] = {}
        """Copies of what the step before left, as they are in the trace: the next step begins with them."""

    def forget(self) -> None:
        """A step comes that is not kept."""
        self._left = {}

    def places(self) -> dict[int, Place]:
        """Where each parameter and buffer lives, by its id."""
        return {id(named.tensor): place for place, named in tensors_of(self._watcher, self._net)}

    def parameters(self, step: int, when: When, kept: Kept) -> dict[Place, Array]:
        """Keep all parameters. Gives those that are trained, before the step as private copies."""
        found: dict[Place, Array] = {}
        left, self._left = self._left, {}
        for place, named in tensors_of(self._watcher, self._net):
            copy, again = (None, False) if kept == "curve" else self._parameter(step, when, place, named.tensor)
            if place not in self._owned:
                continue
            if copy is not None and when == "after":
                self._left[place] = copy
            if copy is None and again and when == "before":
                copy = left.get(place)
            if copy is None:
                array = self._watcher.array(named.tensor)
                if isinstance(array, Unreadable):
                    continue
                copy = np.array(array) if when == "before" else array
            found[place] = copy
        return found

    def _parameter(self, step: int, when: When, place: Place, tensor: Any) -> tuple[Array | None, bool]:
        """Its copy, where one had to be made, and whether it is still what was written of it last."""
        last = self._writer.newest(ParameterState, *place) if self._may_be_same(place, tensor, when) else None
        value, copy = self._recorder.copied(place[1], tensor, last.value if last is not None else None)
        self._writer.write(ParameterState(step, when, *place, value), (copy,))
        return copy, last is not None and last.value.digest == value.digest

    def optimizer(self, step: int, when: When, optimizer: Any) -> None:
        """Keep all that it remembers."""
        places = self.places()
        for fact in self._trainer.state(optimizer):
            place = places.get(id(fact.parameter)) if fact.parameter is not None else ("", "")
            if place is None:
                continue
            last = None
            if self._watcher.is_tensor(fact.value) and self._may_be_same((*place, fact.key), fact.value, when):
                last = self._writer.newest(OptimizerState, *place, fact.key)
            if last is not None:
                value, copy = self._recorder.copied(fact.key, fact.value, last.value)
                arrays: tuple[Array | None, ...] = (copy,)
            else:
                (value,), arrays = self._recorder.outside((Leaf(fact.key, fact.value),))
            self._writer.write(OptimizerState(step, when, *place, fact.key, value), arrays)

    def gradients(self, step: int, gradients: Sequence[tuple[Any, Any | None]], kept: Kept) -> float:
        """Keep what the optimizer gets; the L2 of all of it."""
        places = self.places()
        total, as_sent = 0.0, True
        for parameter, gradient in gradients:
            array = self._watcher.array(gradient) if gradient is not None else None
            if array is None or isinstance(array, Unreadable):
                continue
            place, statistics = places.get(id(parameter)), None
            if place is not None and kept != "curve":
                sent = self._writer.newest(ParameterGradient, *place) if as_sent else None
                known = sent.value if sent is not None and sent.step == step and sent.part == 0 else None
                value, copy = self._recorder.copied(place[1], gradient, known)
                as_sent = known is None or known.digest == value.digest  # one that was clipped: so were the others
                statistics = value.statistics
                self._writer.write(UpdateGradient(step, *place, value), (copy,))
            total += squares(array, statistics)
        return math.sqrt(total)

    def _may_be_same(self, what: tuple[str, ...], tensor: Any, when: When) -> bool:
        """Is it worth looking whether this was written last? Not after an update where nothing counts changes."""
        version = self._watcher.version_of(tensor)
        before = self._versions.get(what, version)
        self._versions[what] = version
        return when == "before" if version is None else version == before
