"""What a net is given and returns that is no tensor: numbers, flags and words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tracer.divergence.case import SIDES, Case
from tracer.divergence.flow import Point
from tracer.divergence.metrics import MARGIN, Difference
from tracer.trace.schema import Call, Plain, Value

_SAME_INPUT = 1e-6
"""How far apart, relative, two numbers may be that a net was given: one may have been through float32."""


@dataclass(frozen=True)
class ScalarDifference:
    """A leaf that holds other things on both sides; `difference` is None unless both are numbers."""

    leaf: str
    reference: Plain
    candidate: Plain
    difference: Difference | None = None


def differing_results(case: Case, point: Point) -> ScalarDifference | None:
    """The first leaf of a net's output that is no tensor and differs: numbers by the tolerance of the tensors next to
    it, what else by equality. What cannot be kept in a trace is not judged, nor is the leaf in its place."""
    calls = [node.call for node in case.nodes(point)]
    if not all(call.returned for call in calls):
        return None
    allowed = case.comparison.allowed(point)
    # a sum over a tensor is off by the rounding of what it sums, however much of it cancels
    sizes = [v.statistics.l2 or 0.0 for v in case.comparison.values(point)[0] if v.statistics]
    floor = allowed / MARGIN * max(sizes, default=0.0)
    for r, c in _partners(calls[0].outputs, calls[1].outputs):
        found = _apart(r, c, allowed, floor)
        number = None if found is None else found.difference
        if found is not None and not (number is not None and case.comparison.tolerance.accepts(number.max_abs)):
            return found
    return None


def differing_inputs(case: Case, point: Point) -> ScalarDifference | None:
    """The first argument that both nets were given, no tensor, and that differs."""
    ours, theirs = (_given(node.call) for node in case.nodes(point))
    pairs = ((ours[leaf], theirs[leaf]) for leaf in ours if leaf in theirs)
    return next((found for r, c in pairs if (found := _apart(r, c, _SAME_INPUT, 0.0)) is not None), None)


def one_sided_inputs(case: Case, point: Point) -> list[str]:
    """Arguments that are no tensor and that only one net was given: a default, perhaps."""
    ours, theirs = case.nodes(point)
    return [
        f"only the {side} was given {argument(leaf)} = {value.literal!r}"
        for side, node, other in ((SIDES[0], ours, theirs), (SIDES[1], theirs, ours))
        for leaf, value in _given(node.call).items()
        if leaf not in {**_given(other.call), **{v.leaf: v for v in other.inputs}}
    ]


def argument(leaf: str) -> str:
    """An argument of a net in words: its name, or its place."""
    return f"argument {leaf}" if leaf.split(".", 1)[0].isdigit() else leaf


def _given(call: Call) -> dict[str, Value]:
    return {v.leaf: v for v in (*call.inputs, *call.kwargs) if v.kind == "scalar"}


def _partners(ours: Sequence[Value], theirs: Sequence[Value]) -> Iterable[tuple[Value, Value]]:
    """Leaves in the same place; where the places have other names, in order. A leaf that one side lacks is None."""
    mine, other = {v.leaf: v for v in ours}, {v.leaf: v for v in theirs}
    if len(ours) == len(theirs) and mine.keys() != other.keys():
        return zip(ours, theirs, strict=True)
    return ((mine.get(x, Value(x, "none")), other.get(x, Value(x, "none"))) for x in dict.fromkeys([*mine, *other]))


def _apart(r: Value, c: Value, allowed: float, floor: float) -> ScalarDifference | None:
    kinds = {r.kind, c.kind}
    if "scalar" not in kinds or not kinds <= {"scalar", "none"} or r.literal == c.literal:
        return None
    a, b = _number(r), _number(c)
    if a is None or b is None:
        return ScalarDifference(r.leaf, r.literal, c.literal)
    if math.isnan(a) and math.isnan(b):
        return None
    exact = isinstance(r.literal, int) and isinstance(c.literal, int)
    apart, size = abs(a - b), max(abs(a), abs(b))
    if not exact and math.isfinite(size) and apart <= max(allowed * size, floor):
        return None
    found = Difference(apart / (abs(a) or size), 0.0 if exact else allowed, apart, leaf=r.leaf)
    return ScalarDifference(r.leaf, r.literal, c.literal, found if math.isfinite(apart) else None)


def _number(value: Value) -> float | None:
    number = value.literal
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None
