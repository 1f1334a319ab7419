"""Every parameter of two sides: its partner, and how far apart their numbers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from tracer.divergence.metrics import Difference, Tolerance, coarser, compare_blocks, rounding
from tracer.starting_point.holders import Holder
from tracer.starting_point.weights.converting import blocks
from tracer.starting_point.weights.map_file import BY_THE_MAP
from tracer.starting_point.weights.weight_map import ParameterFacts, Placement, WeightMap
from tracer.trace.schema import ROOT

Array = np.ndarray[Any, Any]
Verdict = Literal["equal", "rounded", "differs", "not kept"]


@dataclass(frozen=True)
class Compared:
    """A parameter of the candidate and what it is made of. `verdict`: "equal" to the last bit, "rounded" where only the
    coarser of two dtypes tells them apart, "differs", or "not kept" where a side has no numbers. `relative_l2` is
    ||c - r|| / ||r||, `max_abs` the largest difference, both of what is finite; `finite_alike` says that NaN and Inf
    stand at the same places. `unlike` says why it differs whatever its numbers are."""

    target: str
    sources: str
    shape: tuple[int, ...]
    dtypes: tuple[str, str]
    verdict: Verdict
    relative_l2: float | None
    max_abs: float | None
    reason: str
    confidence: float
    finite_alike: bool = True
    transformed: bool = False
    unlike: str = ""


@dataclass(frozen=True)
class Parameters:
    """All parameters of two sides held against each other."""

    reference: str
    candidate: str
    weights: WeightMap
    rows: tuple[Compared, ...]
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Literal["agree", "diverged", "unsure"]:
        """Numbers that differ, else parameters without partner or numbers, else agreement."""
        if any(row.verdict == "differs" for row in self.rows):
            return "diverged"
        unknown = not self.rows or any(row.verdict == "not kept" for row in self.rows)
        return "agree" if self.weights.whole and not unknown else "unsure"


def compare_parameters(
    reference: Holder, candidate: Holder, weights: WeightMap, *, tolerance: Tolerance | None = None
) -> Parameters:
    """Read both sides a block at a time and compare what the map pairs.

    Args:
        reference: the side that is right.
        candidate: the other.
        weights: which parameter is made of which.
        tolerance: what counts as equal; without it equal bits, or what rounding to the coarser dtype explains.

    Raises:
        TracerError: a side cannot be read.
    """
    rows = []
    for placement in weights.placements:
        facts = weights.candidate[placement.target]
        source = weights.reference[placement.pieces[0].source].dtype
        kept = all(reference.holds(p.source) for p in placement.pieces) and candidate.holds(placement.target)
        found, watched = None, _Watched(())
        if kept:
            pairs = _side_by_side(blocks(placement, reference), candidate.pieces(placement.target))
            watched = _Watched(pairs)
            found = compare_blocks(watched, (prod(facts.shape),), tolerance=0.0, rms=1.0, fills=False)
        unlike = _stored_otherwise(reference, candidate, placement, weights.reference, facts)
        judged = _verdict(found, (source, facts.dtype), tolerance, same=watched.same)
        rows.append(
            Compared(
                placement.target,
                str(placement).partition(" = ")[2],
                facts.shape,
                (source, facts.dtype),
                "differs" if unlike and kept else judged,
                found.relative_l2 if found else None,
                found.max_abs if found else None,
                placement.reason,
                placement.confidence,
                not (found and found.mask_differs),
                placement.transformed,
                unlike,
            )
        )
    notes = (*reference.notes, *candidate.notes, *weights.notes)
    return Parameters(reference.name, candidate.name, weights, tuple(rows), notes)


def _stored_otherwise(
    reference: Holder,
    candidate: Holder,
    placement: Placement,
    own: Mapping[str, ParameterFacts],
    facts: ParameterFacts,
) -> str:
    """Has one framework one name for two shapes, in layers that are not known to be of two classes? No loader takes the
    one for the other, though the numbers be equal once they are turned. A map says itself what is done."""
    source = own[placement.pieces[0].source]
    same = placement.target == source.key and reference.framework == candidate.framework != ""
    if not same or source.shape == facts.shape or placement.reason == BY_THE_MAP:
        return ""
    path = facts.key.rpartition(".")[0] or ROOT
    kinds = {side.skeleton.layers[path].kind for side in (reference, candidate) if path in side.skeleton.layers} - {""}
    if len(kinds) > 1:
        return ""
    return f"{'x'.join(map(str, source.shape))} there: one name, stored in another shape"


def _side_by_side(ours: Iterator[Array], theirs: Iterator[Array]) -> Iterator[tuple[Array, Array]]:
    """Blocks of equal length of two streams that are cut otherwise."""
    a = b = np.empty(0)
    while True:
        a = a if a.size else next(ours, np.empty(0))
        b = b if b.size else next(theirs, np.empty(0))
        size = min(a.size, b.size)
        if not size:
            return
        yield a[:size], b[:size]
        a, b = a[size:], b[size:]


class _Watched:
    """Pairs of blocks on their way; `same`: were all of them the same numbers, NaN included? Sums in float64 tell that
    neither of large whole numbers nor of tiny floats."""

    def __init__(self, pairs: Iterable[tuple[Array, Array]]) -> None:
        self.same = True
        self._pairs = pairs

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        for ours, theirs in self._pairs:
            self.same = self.same and np.array_equal(ours, theirs, equal_nan=True)
            yield ours, theirs


def _verdict(found: Difference | None, dtypes: tuple[str, str], tolerance: Tolerance | None, *, same: bool) -> Verdict:
    if found is None:
        return "not kept"
    if same:
        return "equal"
    if found.mask_differs or found.relative_l2 is None:
        return "differs"
    if tolerance is not None and (tolerance.rtol is not None or tolerance.atol is not None):
        near = tolerance.rtol is not None and found.relative_l2 <= tolerance.rtol
        return "rounded" if near or tolerance.accepts(found.max_abs) else "differs"
    coarse = coarser(*dtypes)
    return "rounded" if dtypes[0] != dtypes[1] and found.relative_l2 <= 2 * rounding(coarse) else "differs"
