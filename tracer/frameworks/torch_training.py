"""The torch side of recording training steps. Needs no import of torch: it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks import torch_losses, torch_optimizer, torch_updates
from tracer.frameworks.base import Unreadable
from tracer.frameworks.torch_state import KeptOptimizer, graph_leaves
from tracer.frameworks.training import LossFacts, OptimizerFacts, StateFacts, Updating
from tracer.trace.schema import Plain

Array = np.ndarray[Any, Any]


class TorchTrainer:
    """`tracer.frameworks.training.Trainer` for `torch.optim.Optimizer`, and for what has its groups, state and step."""

    def __init__(
        self,
        torch: Any,
        read: Callable[[Any], Array | Unreadable],
        make: Callable[[Array], Any],
        inside: Callable[[Any], Any],
    ) -> None:
        """`read` gives a tensor's data, `make` a new tensor of such data, `inside` a net out of its wrappers."""
        self._torch, self._read, self._make, self._inside = torch, read, make, inside

    def optimizer(self, optimizer: Any) -> OptimizerFacts:
        """Class, settings and groups; tensors of one element (a tensor as learning rate) as numbers.

        Raises:
            RecordingError: it has no groups of parameters, no state or no step.
        """
        torch_optimizer.check(optimizer)
        return torch_optimizer.facts(self._torch, optimizer)

    def state(self, optimizer: Any) -> list[StateFacts]:
        """Every entry of `optimizer.state`; lists in it are opened ("old_dirs.0")."""
        return torch_optimizer.state(self._torch, optimizer)

    def assign_state(self, optimizer: Any, parameter: Any, values: Mapping[str, Array | Plain]) -> tuple[str, ...]:
        """In place where it remembers already; before its first step the entries are made as it makes them."""
        return torch_optimizer.assign_state(self._torch, self._make, optimizer, parameter, values)

    def watch_updates(self, optimizer: Any, listener: Updating) -> AbstractContextManager[None]:
        """By the optimizer's own hooks. A step that `GradScaler` skips tells nothing, and what it did not unscale
        itself is told unscaled."""
        return torch_updates.watch_updates(self._torch, optimizer, listener)

    def watch_losses(self, net: Any, seen: Callable[[Any, LossFacts], None]) -> AbstractContextManager[None]:
        """By torch's hooks for all modules; class weights and other tensors that a loss holds are inputs too."""
        return torch_losses.watch_losses(self._torch, net, self._inside, seen)

    def made_by(self, loss: Any) -> LossFacts | None:
        """The last operation in the graph and what it saved."""
        return torch_losses.made_by(self._torch, loss)

    def mean(self, loss: Any) -> float | None:
        """In float64; a plain number is its own mean."""
        if isinstance(loss, int | float):
            return float(loss)
        try:
            return float(loss.detach().cpu().to(self._torch.float64).mean().item()) if loss.numel() else None
        except Exception:  # no tensor, or one without numbers
            return None

    def preserve(self, optimizer: Any) -> Callable[[], tuple[str, ...]]:
        """Everything it holds and the parameters it updates, bit for bit and each the very object."""
        return KeptOptimizer(self._torch, optimizer, self._read, self._make).restore

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
        """zero_grad, forward, `loss(output, *targets)`, backward, step; optimizers that cannot go without a closure
        (LBFGS) get all but the last as one.

        Raises:
            RecordingError: the loss is no tensor of one element that a gradient can come from.
        """
        updated = torch_optimizer.parameters(optimizer) if optimizer is not None else []
        before = {id(p): (p, p.grad) for p in (*net.parameters(), *updated)}

        def forward_and_backward() -> Any:
            for parameter, _ in before.values():
                parameter.grad = None
            value = loss(net(*args, **kwargs), *targets)
            self._check(value)
            for leaf in graph_leaves([value]).values():  # inputs that take a gradient, parameters of the loss
                if id(leaf) not in before:
                    before[id(leaf)] = (leaf, leaf.grad)
                    leaf.grad = None
            tell(value)
            value.backward()
            return value

        try:
            if optimizer is not None and torch_optimizer.needs_closure(optimizer):
                optimizer.step(forward_and_backward)
            else:
                forward_and_backward()
                if optimizer is not None:
                    optimizer.step()
        finally:
            for parameter, gradient in before.values():
                parameter.grad = gradient

    def callback(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> Any:  # noqa: ARG002
        """Torch leaves the loop to the user.

        Raises:
            RecordingError: always.
        """
        raise RecordingError(
            "PyTorch has no training loop of its own that takes a callback",
            where="recording.callback()",
            then="open each step of your loop by `with recording.step():`",
        )

    def _check(self, value: Any) -> None:
        if not isinstance(value, self._torch.Tensor):
            raise RecordingError(
                "The loss is no tensor",
                where=f"the loss function returned {type(value).__name__}",
                then="let it return a tensor of one element, as loss=lambda output, target: criterion(output, target)",
            )
        if value.numel() != 1:
            raise RecordingError(
                "The loss is no scalar, so nothing says what its gradient is",
                where=f"shape {list(value.shape)}",
                then='use reduction="mean" or loss=lambda output, target: criterion(output, target).mean()',
            )
        if not value.requires_grad:
            raise RecordingError(
                "The loss depends on nothing that takes a gradient",
                where="gradients are switched off" if not self._torch.is_grad_enabled() else "the loss has no grad_fn",
                then="switch gradients on, unfreeze parameters (requires_grad), and do not detach the output",
            )
