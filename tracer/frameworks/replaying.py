"""A layer of random output does again what another run of it did: what both frameworks need for that.

What a layer did is a factor for each element of its input (0 where dropout dropped, 1 / (1 - p) where it kept; a slope
below zero), so a replay is one multiplication, with gradients like any other. For the time of a run it stands in for
the layer's own `forward` or `construct`: hooks fire as ever, and the layer's generator is not asked.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_PRINT = 64
"""Elements of an input by which a recomputed call is known."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What one call gives: `input * factor + shift`.

    `factor` and `shift` are broadcast to the input, which must be of `shape`; both are in its dtype. `below` says that
    they are meant where the input is not above zero (RReLU): what is above passes. `like` is the digest of what the
    reference's call gave, by which a reader knows whose randomness this is.
    """

    shape: tuple[int, ...]
    factor: Array
    shift: Array | None = None
    below: bool = False
    like: str = ""


Replays = Mapping[str, Mapping[int, Replay]]
"""By path of the layer and index of the call."""

Done = set[tuple[str, int]]
"""The calls that were replayed indeed: (path, index)."""


@dataclass(frozen=True)
class Hands:
    """What a framework does for a replay: its word for what a layer runs ("forward"), whether something is a tensor,
    a tensor's numbers (None where they cannot be read), whether a backward pass is running, and the arithmetic:
    `multiply(layer, tensor, factor, shift)`, in place where the layer works in place."""

    method: str
    is_tensor: Callable[[Any], bool]
    read: Callable[[Any], Array | None]
    in_backward: Callable[[], bool]
    multiply: Callable[[Any, Any, Array, Array | None], Any]


@contextmanager
def standing_in(layers: Mapping[str, Any], replays: Replays, hands: Hands) -> Iterator[Done]:
    """While it is open the layers of `replays` do what is told there; calls that nothing is told of run as ever, and so
    do those whose input has another shape. Gives the set that fills with the calls that were replayed."""
    done: Done = set()
    changed: list[tuple[Any, Any]] = []
    try:
        for path, plan in replays.items():
            layer = layers.get(path)
            if layer is not None and plan:
                own = vars(layer)
                changed.append((layer, own.get(hands.method)))
                own[hands.method] = _StandIn(path, layer, plan, hands, done, getattr(layer, hands.method))
        yield done
    finally:
        for layer, before in changed:
            if before is None:
                vars(layer).pop(hands.method, None)
            else:
                vars(layer)[hands.method] = before


@dataclass(eq=False)
class _StandIn:
    """Runs in place of a layer's own method. A copy of the layer, made meanwhile, gets its own back."""

    path: str
    layer: Any
    plan: Mapping[int, Replay]
    hands: Hands
    done: Done
    own: Callable[..., Any]
    seen: list[bytes] = field(default_factory=list)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tensor = next(filter(self.hands.is_tensor, (*args, *kwargs.values())), None)
        array = None if tensor is None else self.hands.read(tensor)
        index = self._index(b"" if array is None else _print_of(array))
        replay = self.plan.get(index)
        if replay is None or array is None or array.shape != replay.shape:
            return self.own(*args, **kwargs)
        factor, shift = replay.factor, replay.shift
        if replay.below:
            factor = np.where(array > 0, np.ones_like(factor), factor)
        self.done.add((self.path, index))
        return self.hands.multiply(self.layer, tensor, factor, shift)

    def _index(self, seen: bytes) -> int:
        """Calls are counted as they begin. One that a backward pass makes again (a checkpoint) is the last that was
        given the same numbers."""
        if self.seen and self.hands.in_backward():
            same = [index for index, known in enumerate(self.seen) if known == seen]
            return same[-1] if same else len(self.seen) - 1
        self.seen.append(seen)
        return len(self.seen) - 1

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return types.MethodType(getattr(type(self.layer), self.hands.method), memo[id(self.layer)])


def _print_of(array: Array) -> bytes:
    flat = array.reshape(-1)
    return repr(array.shape).encode() + flat[:: max(1, flat.size // _PRINT)].tobytes()
