"""Whether drawn numbers come from the same distribution: of those, no two runs are equal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.source_proof.outcome import Leaf, Outcome

CHANCE = 1e-9
"""How seldom two samples of the same distribution are to be called different."""


def drawn_differently(wanted: Outcome, got: Outcome) -> list[str]:
    """How `got` was not drawn as `wanted`: other shapes, dtypes, or a distribution that differs beyond chance."""
    found = list(_apart(wanted.value, got.value))
    for name in sorted(wanted.changed.keys() ^ got.changed.keys()):
        found.append(f"values: `{name}` is changed in place on one side alone")
    for name in sorted(wanted.changed.keys() & got.changed.keys()):
        if _far(wanted.changed[name], got.changed[name]):
            found.append(f"values: `{name}` is drawn from another distribution")
    return found


def same_shapes(wanted: Outcome, got: Outcome) -> list[str]:
    """How the shapes or dtypes are not the same, for numbers that mean nothing."""
    return [one for one in _apart(wanted.value, got.value) if not one.startswith("values")]


def _apart(wanted: Any, got: Any) -> Iterator[str]:
    if not isinstance(wanted, Leaf) or not isinstance(got, Leaf):
        if wanted != got:
            yield f"structure: {type(wanted).__name__} against {type(got).__name__}"
        return
    if wanted.dtype != got.dtype:
        yield f"dtype: {wanted.dtype} against {got.dtype}"
    if wanted.array.shape != got.array.shape:
        yield f"shape: {wanted.array.shape} against {got.array.shape}"
    elif _far(wanted.array, got.array):
        yield "values: drawn from another distribution"


def _far(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Two samples' greatest distance of their distribution functions (Kolmogorov and Smirnov), against chance."""
    left, right = np.sort(one.reshape(-1).astype(np.float64)), np.sort(other.reshape(-1).astype(np.float64))
    if not left.size or not right.size:
        return left.size != right.size
    points = np.concatenate([left, right])
    distance = np.abs(
        np.searchsorted(left, points, side="right") / left.size
        - np.searchsorted(right, points, side="right") / right.size
    ).max()
    limit = np.sqrt(-np.log(CHANCE / 2) / 2) * np.sqrt((left.size + right.size) / (left.size * right.size))
    return bool(distance > limit)
