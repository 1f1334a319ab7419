"""The MindSpore side of recording training steps. Needs no import of MindSpore: it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks import mindspore_calls, mindspore_optimizer
from tracer.frameworks.base import Unreadable, rebuild
from tracer.frameworks.mindspore_state import KeptNet
from tracer.frameworks.training import LossFacts, OptimizerFacts, StateFacts, Updating
from tracer.trace.schema import ROOT, Plain

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Hands:
    """What the trainer needs of the watcher: `read` gives a tensor's data, `write` puts such data where the tensor has
    its own, `wait` waits for the device, `compiled` lets jit do what it does for the user, `inside` gives the cell of a
    net; `every_cell` are attributes that all cells have, `bookkeeping` those that MindSpore keeps for itself."""

    read: Callable[[Any], Array | Unreadable]
    write: Callable[[Any, Array], None]
    wait: Callable[[], None]
    compiled: Callable[[], AbstractContextManager[None]]
    in_backward: Callable[[], bool]
    after_error: Callable[[], None]
    inside: Callable[[Any], Any]
    every_cell: frozenset[str]
    bookkeeping: frozenset[str]


class MindSporeTrainer:
    """`tracer.frameworks.training.Trainer` for the optimizers of `nn`, `experimental.optim` and `mint.optim`, and for
    cells of the user's that have `parameters` and are called with the gradients."""

    def __init__(self, mindspore: Any, hands: Hands) -> None:
        self._mindspore, self._hands = mindspore, hands

    def optimizer(self, optimizer: Any) -> OptimizerFacts:
        """Class, settings and groups, schedules as the numbers for the next update.

        Raises:
            RecordingError: it is no cell that has parameters to update.
        """
        return mindspore_optimizer.facts(self._mindspore, optimizer, self._hands.every_cell)

    def state(self, optimizer: Any) -> list[StateFacts]:
        """Every Parameter that it holds besides those it updates and its learning rates, by the attribute's name."""
        return mindspore_optimizer.state(self._mindspore, optimizer)

    def assign_state(self, optimizer: Any, parameter: Any, values: Mapping[str, Array | Plain]) -> tuple[str, ...]:
        """In place; MindSpore optimizers remember everything from their making on."""
        unknown = mindspore_optimizer.assign_state(self._mindspore, self._hands.write, optimizer, parameter, values)
        self._hands.wait()
        return unknown

    def watch_updates(self, optimizer: Any, listener: Updating) -> AbstractContextManager[None]:
        """By calls of the optimizer's cell; the gradients are told as they are handed over, before the optimizer's own
        loss scale and weight decay. An update that a loss scale skips on overflow is no call."""
        updated = mindspore_optimizer.parameters(self._mindspore, optimizer)
        hands = self._hands
        return mindspore_calls.watch_updates(
            self._mindspore.nn.Cell, optimizer, updated, listener, hands.wait, hands.compiled
        )

    def watch_losses(self, net: Any, seen: Callable[[Any, LossFacts], None]) -> AbstractContextManager[None]:
        """By calls of all cells; class weights and other tensors that a loss holds are inputs too."""
        hands = self._hands
        return mindspore_calls.watch_losses(
            self._mindspore.nn.Cell, hands.inside(net), seen, hands.every_cell, hands.in_backward
        )

    def made_by(self, loss: Any) -> LossFacts | None:  # noqa: ARG002
        """None: MindSpore's gradient graph cannot be read."""
        return None

    def mean(self, loss: Any) -> float | None:
        """In float64; a plain number is its own mean."""
        if isinstance(loss, int | float):
            return float(loss)
        if not isinstance(loss, self._mindspore.Tensor):
            return None
        array = self._hands.read(loss)
        if isinstance(array, Unreadable) or not array.size or array.dtype.kind == "c":
            return None
        return float(np.mean(array.astype(np.float64)))

    def preserve(self, optimizer: Any) -> Callable[[], tuple[str, ...]]:
        """Everything it holds and the parameters it updates, bit for bit and each the very object (`KeptNet`)."""
        mindspore_optimizer.parameters(self._mindspore, optimizer)
        hands = self._hands
        cells = [(path or ROOT, cell) for path, cell in optimizer.cells_and_names()]
        return KeptNet(self._mindspore, cells, hands.read, hands.write, hands.bookkeeping).restore

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
        """`value_and_grad` over the optimizer's parameters (else the net's trainable ones), `optimizer(gradients)`.
        Integer targets of 64 bits are given as 32 bits, which MindSpore's losses want; the numbers are the same.

        Raises:
            RecordingError: nothing takes a gradient, or the loss is no tensor of one element.
        """
        cell = self._hands.inside(net)
        if optimizer is not None:
            weights = mindspore_optimizer.parameters(self._mindspore, optimizer)
        else:
            weights = tuple(cell.trainable_params())
        if not weights:
            raise RecordingError(
                "The net has no trainable parameter, so there is nothing to train",
                where=type(cell).__name__,
                then="unfreeze parameters (requires_grad), or record the forward pass without a loss",
            )
        wanted = rebuild(targets, self._narrow)

        def forward() -> Any:
            value = loss(net(*args, **kwargs), *wanted)
            self._check(value)
            tell(value)
            return value

        try:
            _, gradients = self._mindspore.value_and_grad(forward, None, weights)()
            self._hands.wait()
        except Exception:
            self._hands.after_error()
            raise
        if optimizer is not None:
            optimizer(gradients)
            self._hands.wait()

    def callback(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> Any:
        """For `Model.train(..., callbacks=[...])`. Steps of a data set that is sunk into the device are not seen one by
        one: there the callback raises before the first."""
        return _callback_class(self._mindspore)(begin, end)

    def _narrow(self, value: Any) -> Any:
        mindspore = self._mindspore
        wide = isinstance(value, mindspore.Tensor) and value.dtype == mindspore.int64
        return value.astype(mindspore.int32) if wide else value

    def _check(self, value: Any) -> None:
        if not isinstance(value, self._mindspore.Tensor):
            raise RecordingError(
                "The loss is no tensor",
                where=f"the loss function returned {type(value).__name__}",
                then="let it return one number as a tensor: loss=lambda output, target: criterion(output, target)",
            )
        if value.size != 1:
            raise RecordingError(
                "The loss is no scalar, so nothing says what its gradient is",
                where=f"shape {list(value.shape)}",
                then='use reduction="mean" or loss=lambda output, target: criterion(output, target).mean()',
            )


def _callback_class(mindspore: Any) -> Any:
    class Steps(mindspore.train.Callback):  # type: ignore[misc]
        """Tells of the steps of `Model.train`."""

        def __init__(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> None:
            super().__init__()
            self._begin, self._end, self._open = begin, end, False

        def __exit__(
            self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
        ) -> None:
            if self._open:
                self._open = False
                self._end(None, error)

        def on_train_begin(self, run_context: Any) -> None:
            if run_context.original_args().get("dataset_sink_mode"):
                raise RecordingError(
                    "The data set is sunk into the device, where steps are not seen one by one",
                    where="Model.train(..., dataset_sink_mode=True)",
                    then="call Model.train with dataset_sink_mode=False while it is recorded",
                )

        def on_train_step_begin(self, run_context: Any) -> None:  # noqa: ARG002
            self._open = True
            self._begin()

        def on_train_step_end(self, run_context: Any) -> None:
            self._open = False
            outputs = run_context.original_args().net_outputs
            self._end(outputs[0] if isinstance(outputs, tuple | list) and outputs else outputs, None)

    return Steps
