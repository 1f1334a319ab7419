"""What the skeleton alone tells of a call: by which factors its output is its input, at the elements that were kept.

Enough to know a class that drops (DropPath and its kin, which no rule knows), the factor it gives to what it keeps, and
code between layers that drops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.frameworks.base import FLOATS
from tracer.trace.schema import Plain, Value

Array = np.ndarray[Any, Any]

_NEAR = 8
_FEWEST = 3


def ends(node: Node) -> tuple[Value | None, Value | None]:
    """The one tensor that came in and the one that went out; None where there are others."""
    came, went = node.inputs, node.outputs
    return came[0] if len(came) == 1 else None, went[0] if len(went) == 1 and not went[0].leaf else None


def may_drop(node: Node) -> bool:
    """Is it a layer in training mode without parameters, of a class no rule knows, whose sampled output is its input
    times 0 or one factor?"""
    if node.meaning.op or node.layer.parameters or not node.call.training:
        return False
    if node.layer.children and not node.draws:
        return False
    seen = sampled(node)
    return seen is not None and seen.levels


@dataclass(frozen=True, eq=False)
class Sampled:
    """What some elements of a call tell: where each sits (flat, C order), whether its input was above zero, whether it
    was kept, and the factor of those that were (None where none was); `levels` is False where the factors of the kept
    are not one."""

    places: Array
    above: Array
    kept: Array
    scale: float | None
    levels: bool


def sampled(node: Node) -> Sampled | None:
    """The factors at the elements that the skeleton keeps of what came in and went out; None where nothing is known."""
    given, gave = ends(node)
    return None if given is None or gave is None else _sampled(given, gave)


def _sampled(given: Value, gave: Value) -> Sampled | None:
    if given.shape != gave.shape or given.statistics is None or gave.statistics is None:
        return None
    if not {given.dtype, gave.dtype} <= FLOATS:
        return None
    x, y = np.array(given.statistics.sample), np.array(gave.statistics.sample)
    if not x.size or x.size != y.size:
        return None
    count = math.prod(given.shape)
    places = np.round(np.linspace(0, count - 1, x.size)).astype(np.int64)
    known = np.isfinite(x) & np.isfinite(y) & (x != 0)
    if not known.any():
        return None
    x, y, places = x[known], y[known], places[known]
    kept = y != 0
    slack = slack_of(given.dtype, gave.dtype)
    scale = one_scale(x[kept], y[kept], slack) if kept.any() else None
    return Sampled(places, x > 0, kept, scale, scale is not None or not kept.any())


def slack_of(*dtypes: str) -> tuple[float, float]:
    """How far a product of floats may be from the exact one: relative, and absolute for numbers too small for them."""
    worst = (0.0, 0.0)
    for name in dtypes:
        facts = ml_dtypes.finfo(name)
        worst = max(worst[0], 16 * float(facts.eps)), max(worst[1], float(facts.smallest_normal))
    return worst


def one_scale(x: Array, y: Array, slack: tuple[float, float]) -> float | None:
    """The one factor between two arrays; None where there is none."""
    large = np.abs(x) > slack[1] / slack[0]
    if not large.any():
        return None
    scale = float(np.median(y[large] / x[large]))
    fits = np.abs(y - scale * x) <= slack[0] * np.abs(scale * x) + 2 * slack[1]
    return scale if fits.all() and scale != 0 else None


def by_sign(above: Array, kept: Array) -> bool:
    """Is kept what is above zero, or what is not? So do ReLU and its kin."""
    return bool(above.any() and not above.all() and ((kept == above).all() or (kept != above).all()))


def divisor_of(settings: Mapping[str, Plain], scale: float, slack: float) -> float | None:
    """The number by which a layer divides what it keeps, where a setting says it: 1 - p, or the share that is kept."""
    shares = [value for value in settings.values() if isinstance(value, float) and 0 < value < 1]
    divisors = (divisor for share in shares for divisor in (1.0 - share, share))
    return next((divisor for divisor in divisors if abs(scale * divisor - 1) <= slack), None)


def dropped_by_code(graph: CallGraph) -> Iterator[CallId]:
    """Calls whose input is what an earlier call beside them gave, times 0 or a factor above 1: F.dropout in code."""
    for id_, node in graph.nodes.items():
        if node.hidden or node.parent is None or not node.call.training:
            continue
        fed = [feed.value for feed in graph.feeds(id_) if feed.kind == "code"]
        made = [v for other in graph.before(id_)[-_NEAR:] for v in graph.nodes[other].outputs]
        if any(_is_dropped(v, value) for value in fed for v in (*made, *graph.nodes[node.parent].inputs)):
            yield id_


def _is_dropped(before: Value, after: Value) -> bool:
    seen = _sampled(before, after)
    if seen is None or seen.scale is None or seen.scale <= 1 + 1e-3 or by_sign(seen.above, seen.kept):
        return False
    return min(int(seen.kept.sum()), int((~seen.kept).sum())) >= _FEWEST
