"""How noisy a curve is where it stands, and how large: the measure by which a difference counts."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

WINDOW = 51
"""Points around a point that its noise and size are taken from."""

LEAST = 8
"""Points below which noise cannot be told from the curve."""

_SIGMA = 1.4826
"""What makes a standard deviation of a median of distances, of normal noise."""

_AT_ONCE = 1 << 21


def spread(values: Floats) -> Floats:
    """The noise at each point, shape (n,): of the window around it the median distance from its own straight line.

    The line goes through the medians of the window's first and last third, so that neither the fall of the curve nor a
    few outliers are taken for noise. Windows at the ends are moved inside, not cut. Zeros for fewer than `LEAST`.
    """
    size = min(WINDOW, len(values))
    if size < LEAST:
        return np.zeros(len(values))
    third = size // 3
    place = np.arange(size) - (size - 1) / 2

    def of(rows: NDArray[Any]) -> Floats:
        slope = (np.median(rows[:, -third:], axis=1) - np.median(rows[:, :third], axis=1)) / (size - third)
        rest = rows - slope[:, None] * place
        rest = rest - np.median(rest, axis=1)[:, None]
        found: Floats = _SIGMA * np.median(np.abs(rest), axis=1)
        return found

    return around(by_windows(values, size, of), len(values), size)


def size(values: Floats) -> Floats:
    """How large a curve is at each point: the median of its absolute values in the window around it, shape (n,)."""
    window = min(WINDOW, len(values))
    return around(by_windows(np.abs(values), window, lambda rows: np.median(rows, axis=1)), len(values), window)


def medians(values: Floats, window: int) -> Floats:
    """The median of each `window` points in a row, by the first of them, shape (n - window + 1,)."""
    return by_windows(values, window, lambda rows: np.median(rows, axis=1))


def by_windows(values: Floats, window: int, of: Any) -> Floats:
    """What `of` makes of all windows, a block of them at a time."""
    rows = np.lib.stride_tricks.sliding_window_view(values, window)
    block = max(_AT_ONCE // window, 1)
    return np.concatenate([of(rows[at : at + block]) for at in range(0, len(rows), block)])


def around(found: Floats, count: int, window: int) -> Floats:
    """What was found by windows, for each of `count` points: that of the window around it, at the ends the nearest."""
    at = np.clip(np.arange(count) - window // 2, 0, len(found) - 1)
    result: Floats = found[at]
    return result
