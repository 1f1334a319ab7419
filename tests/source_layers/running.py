"""What both sides do with a call: parts of an argument, of a result, and what is measured of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np


def leaves(value: object) -> Iterator[object]:
    """The arrays or tensors in nested tuples and lists."""
    if isinstance(value, tuple | list):
        for part in value:
            yield from leaves(part)
    elif value is not None:
        yield value


def mapped(value: object, change: Callable[[object], object]) -> object:
    """The same nesting with each leaf changed."""
    if isinstance(value, tuple | list):
        return tuple(mapped(part, change) for part in value)
    return value if value is None else change(value)


def weight(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What a parameter of that name is set to before anything is measured, in both frameworks."""
    numbers = np.random.default_rng(sum(name.encode()) + len(shape)).standard_normal(shape) * 0.4
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        return (np.abs(numbers) + 0.5).astype("float32")
    return numbers.astype("float32")


def cotangent(shape: tuple[int, ...], index: int) -> np.ndarray:
    """What an output is multiplied with before it is summed."""
    return np.random.default_rng(len(shape) + index).uniform(0.5, 1.5, shape).astype("float32")
