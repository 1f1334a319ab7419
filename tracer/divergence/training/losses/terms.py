"""A loss before it is reduced, and how it is reduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.trace.schema import Plain

Array = np.ndarray[Any, Any]
Arrays = Mapping[str, Array]
Settings = Mapping[str, Plain]


@dataclass(frozen=True)
class Terms:
    """A loss before it is reduced. `each` is what reduction 'none' gives, `divisor` what 'mean' divides their sum by,
    `batch` the number of samples, `valid` how many terms count. `size` is the sum of the sizes of what was added and
    taken away to make them: rounding is a small part of that, not of the sum."""

    each: Array
    divisor: float
    batch: int
    valid: int
    size: float

    @property
    def total(self) -> float:
        """The sum of all terms."""
        return float(self.each.sum())


def reduced(terms: Terms, reduction: str) -> Array | None:
    """The terms as a reduction makes one number of them, or themselves; None for a word that is none.

    Besides torch's own: "mean of all" divides by the number of all terms, "mean of valid" by that of the terms that
    count, whatever they weigh, and "mean per sample" by the batch, as "batchmean" does.
    """
    if reduction == "none":
        return terms.each
    divisor = divisors(terms).get(reduction)
    with np.errstate(all="ignore"):
        return None if divisor is None else np.asarray(np.float64(terms.total) / np.float64(divisor))


def divisors(terms: Terms) -> dict[str, float]:
    """What each reduction to one number divides the sum by."""
    return {
        "mean": terms.divisor,
        "sum": 1,
        "batchmean": terms.batch,
        "mean of all": terms.each.size,
        "mean of valid": terms.valid,
    }


def in_wide(arrays: Arrays) -> dict[str, Array]:
    """Arrays in float64, whole numbers in int64."""
    return {name: np.asarray(a, np.int64 if a.dtype.kind in "iub" else np.float64) for name, a in arrays.items()}


def alike(each: Array, a: Arrays, size: float | None = None) -> Terms:
    """Terms that all count alike."""
    return Terms(each, each.size, batch_of(a), each.size, float(np.abs(each).sum()) if size is None else size)


def batch_of(a: Arrays) -> int:
    """The number of samples."""
    first = next(iter(a.values()))
    return int(first.shape[0]) if first.ndim else 1


def number(s: Settings, name: str, otherwise: float) -> float:
    """A setting that is a number; `otherwise` where it is none."""
    value = s.get(name)
    return value if isinstance(value, int | float) else otherwise


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    return np.asarray(np.logaddexp(0.0, x))
