"""Where NaN and Inf leave nothing to judge, or less than all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tracer.divergence.case import SIDES, Case
from tracer.divergence.comparison import match_leaves
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph, CallId
from tracer.divergence.metrics import rounding
from tracer.trace.schema import Value

NOTHING_FINITE = "all outputs are NaN or Inf on both sides: nothing could be judged"


def nothing_finite(case: Case, points: Sequence[Point]) -> bool:
    """Do both sides return floats at these points, and not a finite number among them?"""
    sides = [[v for point in points for v in case.comparison.values(point)[side]] for side in (0, 1)]
    return all(_all_odd(values) for values in sides)


def notes_not_finite(case: Case, points: Sequence[Point]) -> list[str]:
    """From where on no number is finite; else how many of the numbers at these points are not."""
    if nothing_finite(case, points):
        firsts = [_first_odd(graph) for graph in case.graphs]
        said = [f"{first} of the {word}" for first, word in zip(firsts, SIDES, strict=True) if first is not None]
        return [f"the first output without a finite number is that of {' and '.join(said)}"] if said else []
    return [
        f"{odd} of {r.count} elements{_leaf(value)} of {point.reference} are NaN or Inf on both sides at the same "
        "places: the rest was judged"
        for point in points
        for value, other in match_leaves(*case.comparison.values(point))[0]
        if (r := value.statistics) is not None
        and (c := other.statistics) is not None
        and (odd := r.nan + r.inf)
        and odd == c.nan + c.inf
        and case.comparison.diverged(point) is False
    ]


def _leaf(value: Value) -> str:
    return f" in output[{value.leaf}]" if value.leaf else ""


def _first_odd(graph: CallGraph) -> CallId | None:
    """The call that first ended with no finite number in its output."""
    return next((id_ for id_ in graph.units if _all_odd(graph.nodes[id_].outputs)), None)


def _all_odd(values: Iterable[Value]) -> bool:
    floats = [v.statistics for v in values if rounding(v.dtype)]
    known = [s for s in floats if s is not None and s.count]
    return bool(known) and len(known) == len(floats) and all(s.nan + s.inf == s.count for s in known)
