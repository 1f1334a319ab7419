"""Small torch nets, each with something that makes timing hard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.utils.checkpoint import checkpoint  # noqa: E402


class Block(nn.Module):
    """A residual block with dropout."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.norm, self.fc, self.drop = nn.LayerNorm(width), nn.Linear(width, width), nn.Dropout(0.5)

    def forward(self, x: Any) -> Any:
        """With an addition of its own."""
        return x + self.drop(torch.relu(self.fc(self.norm(x))))


class Net(nn.Module):
    """Two blocks, a shared layer, a running statistic."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])
        self.shared, self.norm, self.head = nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        """The shared layer is called twice."""
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(self.shared(self.shared(x))))


class Checkpointed(nn.Module):
    """Computes a block again when it goes backward."""

    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.first, self.block, self.reentrant = nn.Linear(8, 8), Block(), reentrant

    def forward(self, x: Any) -> Any:
        """The block is run under checkpoint."""
        return checkpoint(self.block, self.first(x), use_reentrant=self.reentrant)


class Raising(Net):
    """Raises in its n-th call (counted from 1), what it is told to."""

    def __init__(self, at: int, error: type[BaseException]) -> None:
        super().__init__()
        self.at, self.error, self.calls = at, error, [0]

    def forward(self, x: Any) -> Any:
        """Raises inside of a block, so that calls are open."""
        self.calls[0] += 1
        if self.calls[0] == self.at:
            raise self.error("told to")
        return super().forward(x)


class Nested(nn.Module):
    """Takes and gives nested things."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)

    def forward(self, given: Any, *, scale: float) -> Any:
        """A dict with None and numbers."""
        return {"out": (self.fc(given["x"]) * scale, None), "n": 3}


def ready(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """A net of fixed weights."""
    torch.manual_seed(0)
    return make(*args, **kwargs)


def batch() -> Any:
    """What all of these take."""
    return torch.randn(4, 8, generator=torch.Generator().manual_seed(1))


def hooks(net: Any) -> list[Any]:
    """All hooks that are on a net."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [hook for module in net.modules() for name in names for hook in getattr(module, name).values()]


def state(net: Any) -> list[Any]:
    """Parameters, buffers, gradients, modes and the random state."""
    tensors = [*net.state_dict().values(), torch.get_rng_state()]
    gradients = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    return [*(t.clone() for t in tensors), *gradients, [m.training for m in net.modules()]]


def same(left: list[Any], right: list[Any]) -> bool:
    """Are two of these the same, bit for bit?"""
    return len(left) == len(right) and all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a is b or a == b
        for a, b in zip(left, right, strict=True)
    )
