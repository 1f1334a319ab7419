"""What a framework has to be able to do so that training steps can be recorded: the contract beside `Watcher`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks.base import Leaf, Watcher
from tracer.trace.schema import Plain, Source

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class GroupFacts:
    """Parameters (the tensors themselves, in the optimizer's order) that share settings."""

    settings: Mapping[str, Plain]
    parameters: tuple[Any, ...]


@dataclass(frozen=True)
class OptimizerFacts:
    """An optimizer at this moment; see `tracer.trace.schema.Optimizer`. Settings bear the framework's own names; a
    schedule is said as the number that it gives now."""

    kind: str
    bases: tuple[str, ...]
    settings: Mapping[str, Plain]
    groups: tuple[GroupFacts, ...]
    source: Source | None = None


@dataclass(frozen=True)
class StateFacts:
    """Something that an optimizer remembers: of a parameter, or of none; a tensor, or a plain value."""

    parameter: Any | None
    key: str
    value: Any


@dataclass(frozen=True)
class LossFacts:
    """What made a loss, as far as it was seen; see `tracer.trace.schema.Loss`."""

    kind: str
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    inputs: tuple[Leaf, ...] = ()
    source: Source | None = None


class Updating(Protocol):
    """Who listens to an optimizer. No method raises."""

    def about_to_update(self, gradients: Sequence[tuple[Any, Any | None]]) -> None:
        """The optimizer is about to update: (parameter, its gradient as the optimizer gets it, None where it has
        none), in the optimizer's order. Nothing of it may be kept without a copy."""

    def updated(self) -> None:
        """The optimizer has updated."""


def trainer_of(watcher: Watcher) -> Trainer:
    """A framework's side of recording training: what its watcher gives as `trainer()`.

    Raises:
        RecordingError: it has none.
    """
    found = getattr(watcher, "trainer", None)
    if found is None:
        then = "record single runs: tracer.record(net, inputs, out=...)"
        raise RecordingError("training steps cannot be recorded here", where=watcher.name, then=then)
    trainer: Trainer = found()
    return trainer


class Trainer(Protocol):
    """One framework's side of recording training."""

    def optimizer(self, optimizer: Any) -> OptimizerFacts:
        """Class, settings and groups, as the next update will use them.

        Raises:
            RecordingError: this is no optimizer of the framework.
        """

    def state(self, optimizer: Any) -> list[StateFacts]:
        """All that it remembers at this moment; tensors are its own, so copy before it goes on."""

    def assign_state(self, optimizer: Any, parameter: Any, values: Mapping[str, Array | Plain]) -> tuple[str, ...]:
        """Make it remember these things of a parameter (`parameter` None: of none); the keys it could not be told.
        Keys are its own."""

    def watch_updates(self, optimizer: Any, listener: Updating) -> AbstractContextManager[None]:
        """Tell the listener of every update while it is open; the optimizer is as it was afterwards. With a closure
        that computes the gradients it is told behind the (first call of the) closure."""

    def watch_losses(self, net: Any, seen: Callable[[Any, LossFacts], None]) -> AbstractContextManager[None]:
        """Call `seen(output, facts)` after every call of a layer that is not in the net, as losses are, while it is
        open (outside of any call of the net). Never tells of layers inside such a layer."""

    def made_by(self, loss: Any) -> LossFacts | None:
        """What made a loss, as the framework's own graph tells; None where it tells nothing."""

    def mean(self, loss: Any) -> float | None:
        """The mean of all elements of a loss; None where it cannot be read. Waits for the device."""

    def preserve(self, optimizer: Any) -> Callable[[], tuple[str, ...]]:
        """Remember all of an optimizer that steps change; the returned function puts it back and names what could
        not be."""

    def train(
        self,
        net: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        loss: Callable[..., Any],
        targets: tuple[Any, ...],
        optimizer: Any | None,
        tell: Callable[[Any], None],
    ) -> None:
        """One step as users of the framework write it: forward, `loss(output, *targets)`, backward, update (none
        without an optimizer). `tell(loss)` is called where the loss is known and its gradient is not yet. Gradients
        begin at zero, and those that the framework keeps (`.grad`) are as before afterwards."""

    def callback(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> Any:
        """What the framework's own training loop takes as a callback: `begin()` before each step, and
        `end(loss or None, error or None)` after it.

        Raises:
            RecordingError: the framework has no such loop.
        """
