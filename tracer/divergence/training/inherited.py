"""How far apart the parameters of two nets put what their layers give, once training has moved them apart."""

from __future__ import annotations

import math

from tracer.divergence.case import Case
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallId, Node
from tracer.divergence.metrics import Difference
from tracer.trace.schema import Parameter, Value


def by_parameters(case: Case) -> dict[Point, float]:
    """The relative L2 that differing parameters may give to each output, and to what code of their layer makes.

    A matrix W gives at most ||dW|| ||x|| / ||y|| (Frobenius; each element of x is used once for each place of the
    kernel), a bias or a norm's factor the root mean square of its difference over that of the output. What code of a
    container makes of its own parameters is taken to be as far apart as they are.
    """
    found: dict[Point, float] = {}
    own: dict[CallId, float] = {}
    for pair in case.alignment.pairs:
        node = case.graphs[0].nodes.get(pair.reference)
        if node is None or pair.candidate not in case.graphs[1].nodes:
            continue
        apart = [
            (r, error)
            for r, c in case.comparison.shared_parameters(pair.reference, pair.candidate)
            if (d := case.comparison.parameter(r, c)) is not None and (error := _error(r, d))
        ]
        if not apart:
            continue
        if node.unit:
            found[Point(pair.reference, pair.candidate, "out")] = sum(_effect(node, p, error) for p, error in apart)
        else:
            own[pair.reference] = max(error / _rms(p) for p, error in apart)
    if own:
        for point in case.flow.code:
            around = [id_ for id_ in (point.reference, *case.graphs[0].ancestors(point.reference)) if id_ in own]
            if around:
                found[point] = max(found.get(point, 0.0), *(own[id_] for id_ in around))
    return found


def _error(parameter: Parameter, difference: Difference) -> float:
    """Root mean square of a difference; where only statistics were kept, what they say at least."""
    if difference.rms_error is not None:
        return difference.rms_error
    return (difference.relative_l2 or 0.0) * _rms(parameter)


def _effect(node: Node, parameter: Parameter, error: float) -> float:
    out = next((v for v in node.outputs if v.statistics and v.statistics.l2), None)
    if out is None or out.statistics is None or not out.statistics.l2:
        return error / _rms(parameter)
    long = [n for n in parameter.shape if n != 1]
    given = next((v for v in node.inputs if v.statistics and v.statistics.l2), None)
    if len(long) <= 1 or given is None or given.statistics is None or "embedding" in node.meaning.op:
        return error / _rms(out)
    size = error * math.sqrt(math.prod(parameter.shape)) * math.sqrt(math.prod(parameter.shape[2:]))
    return size * (given.statistics.l2 or 0.0) / out.statistics.l2


def _rms(value: Value | Parameter) -> float:
    s = value.statistics
    return max(s.l2 / math.sqrt(s.count), 1e-30) if s is not None and s.l2 and s.count else 1e-30


def overall(case: Case) -> float:
    """Relative L2 of all parameters of both sides together, as far as they are paired."""
    squares = error = 0.0
    seen: set[str] = set()
    for pair in case.alignment.pairs:
        if pair.reference.path in seen:
            continue
        seen.add(pair.reference.path)
        for r, c in case.comparison.shared_parameters(pair.reference, pair.candidate):
            if r.statistics is not None and r.statistics.l2:
                squares += r.statistics.l2**2
            d = case.comparison.parameter(r, c)
            if d is not None:
                error += _error(r, d) ** 2 * math.prod(r.shape)
    return math.sqrt(error / squares) if squares else math.sqrt(error)
