"""How far two files are apart, by the metrics and tolerances of the diff, and whether two hold nearly the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tracer.divergence.comparison import UNKNOWN_CODE_BACKWARD, read_difference
from tracer.divergence.files.search import Match
from tracer.divergence.files.shelf import Shelf
from tracer.divergence.metrics import (
    MARGIN,
    Difference,
    Tolerance,
    coarser,
    is_constant,
    rounding,
    same_values,
)
from tracer.trace.schema import Statistics, Value

_NEARLY = 1e-3
"""How far apart two arrays may be and still be told to be one, where names and order leave a choice. A fault as small
as another epsilon does not hide a partner; two blocks of a net are much further apart."""

_ROUND_ABOUT = 2
"""How many files before and behind say how large the terms of a gradient may have been."""


class Judge:
    """Reads the arrays of both sides; remembers what is known of each."""

    def __init__(self, reference: Shelf, candidate: Shelf, tolerance: Tolerance) -> None:
        self.sides = (reference, candidate)
        self.tolerance = tolerance
        ours, theirs = reference.framework, candidate.framework
        self.frameworks = (ours, theirs if ours != "files" else "other files")  # of files nobody knows: not the same

    def value(self, side: int, place: int) -> Value:
        """An array with its statistics."""
        shelf = self.sides[side]
        value = shelf.values[place]
        return replace(value, statistics=shelf.arrays.statistics(value))

    def same(self, i: int, j: int) -> bool:
        """Do two arrays hold nearly equal numbers, in whatever layout? Not where all of them are equal, which says
        nothing, unless they are on both sides."""
        r, c = self.value(0, i), self.value(1, j)
        ours, theirs = r.statistics, c.statistics
        if ours is None or theirs is None or is_constant(ours) != is_constant(theirs):
            return False
        if not same_values(ours, theirs, within=_NEARLY):
            return False
        return r.shape != c.shape or _sampled(ours, theirs)

    def judge(self, match: Match, at: int, *, gradient: bool, around: Sequence[Match]) -> Difference:
        """How far a pair is apart; `at` is its place among the pairs `around`, in order."""
        r, c = self.value(0, match.reference), self.value(1, match.candidate)
        allowed = self._allowed(match, at, gradient=gradient)
        found = self._difference(r, c, allowed)
        found = replace(found, dtypes=(r.dtype, c.dtype), shapes=(r.shape, c.shape), tolerance=allowed)
        if found.problem or not found.diverged:
            return found
        if self.tolerance.accepts(found.max_abs):
            return replace(found, tolerance=max(allowed, found.relative_l2 or 0.0))
        if gradient and self.tolerance.rtol is None:
            error = (found.rms_error or 0.0) * math.sqrt(max(math.prod(r.shape), 1))
            if error <= 8 * rounding(coarser(r.dtype, c.dtype)) * self._scale(at, around):
                return replace(found, relative_l2=0.0, layout="below the rounding of its own sum")
        return found

    def rounded(self, match: Match, at: int, *, gradient: bool) -> float:
        """The relative L2 that rounding alone may give there, no op on the way being an approximation."""
        dtype = self._dtype(match)
        grown = MARGIN * self.tolerance.noise("linear", dtype, self.frameworks) * math.sqrt(at + 1)
        return grown * (3 if gradient else 1)  # a backward rule multiplies by what the forward pass rounded already

    def _dtype(self, match: Match) -> str:
        """What a pair is judged by: the coarser of both dtypes."""
        values = self.sides[0].values[match.reference], self.sides[1].values[match.candidate]
        dtype = coarser(values[0].dtype, values[1].dtype)
        return {"float128": "float64", "complex256": "complex128"}.get(dtype, dtype)

    def _allowed(self, match: Match, at: int, *, gradient: bool) -> float:
        """As for code that no rule knows, since that is what lies between two files; rounding adds up along them."""
        dtype = self._dtype(match)
        if not rounding(dtype):
            return 0.0
        if self.tolerance.rtol is not None:
            return self.tolerance.rtol
        allowed = max(self.tolerance.limit("", dtype, self.frameworks), self.rounded(match, at, gradient=False))
        if not gradient:
            return allowed
        mixed = self.frameworks[0] != self.frameworks[1]
        return max(3 * allowed, UNKNOWN_CODE_BACKWARD if mixed else 0.0)

    def _difference(self, r: Value, c: Value, allowed: float) -> Difference:
        if math.prod(r.shape) != math.prod(c.shape):
            return Difference(None, allowed, problem="shape")
        if math.prod(r.shape) == 0:
            return Difference(
                0.0, allowed, 0.0, exact=True, rms_error=0.0, problem="" if r.shape == c.shape else "shape"
            )
        return read_difference(self.sides[0].arrays, r, self.sides[1].arrays, c, allowed)

    def _scale(self, at: int, around: Sequence[Match]) -> float:
        """The largest gradient of those next to one, which is about what its terms may have been: the gradient of a
        bias before a softmax is the sum of such terms, and nothing but their rounding is left of it."""
        near = around[max(at - _ROUND_ABOUT, 0) : at + _ROUND_ABOUT + 1]
        sizes = (self.value(0, m.reference).statistics for m in near)
        return max((s.l2 or 0.0 for s in sizes if s is not None), default=0.0)


def _sampled(a: Statistics, b: Statistics) -> bool:
    """Do the sampled elements of two arrays of one shape go together?"""
    ours, theirs = np.array(a.sample, np.float64), np.array(b.sample, np.float64)
    finite = np.isfinite(ours) & np.isfinite(theirs)
    error = float(np.abs(ours - theirs)[finite].max(initial=0.0))
    return error <= 10 * _NEARLY * max(float(np.abs(ours[finite]).max(initial=0.0)), 1e-300)
