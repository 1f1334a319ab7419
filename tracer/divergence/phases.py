"""The two passes, each searched for where divergence begins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from tracer.divergence.case import SIDES, Case
from tracer.divergence.comparison import UNKNOWN_CODE_BACKWARD, match_leaves
from tracer.divergence.flow import Flow, Point, backward_flow
from tracer.divergence.graph import CallGraph
from tracer.divergence.metrics import MARGIN, Progress, rounding
from tracer.divergence.origins import OriginSearch, Search


@dataclass(frozen=True)
class Phase:
    """What one pass showed. `said` is "judged", or why it was not; then there is nothing in `search`."""

    said: str
    search: Search
    flow: Flow


def search_forward(
    case: Case, *, every: bool, progress: Progress | None, parameters: Mapping[Point, float] | None = None
) -> Phase:
    """Judge the outputs of the net and find where they went wrong. `parameters` says how far apart other parameters put
    what a layer gives (relative L2), where training has changed them."""
    flow = case.flow
    inherited = parameters or {}
    case.comparison.spread_noise(flow, list(nx.topological_sort(flow.graph)), inherited)
    search = OriginSearch(
        case.comparison,
        flow,
        case.suspects,
        inherited=lambda point: inherited.get(point, 0.0),
        within=case.within,
        progress=progress,
    )
    found = search.run(outputs(case))
    if every:
        search.every()
    return Phase(_judged(case), found, flow)


def outputs(case: Case) -> tuple[Point, ...]:
    """The outputs of the net; where there are none (it raised, or only a part is looked at), the last points that can
    be judged."""
    graph = case.flow.graph
    sinks = tuple(p for p in case.flow.sinks if p in graph)
    if case.within is not None:
        ends = [p for p in case.within if not any(q in case.within for q in graph.successors(p))]
        return tuple(dict.fromkeys(p for end in ends for p in _last_judgeable(case, end)))
    if case.complete:
        return sinks
    ends = [p for p in graph if graph.out_degree(p) == 0 or p in sinks]
    last = {p for end in ends for p in _last_judgeable(case, end)}
    return tuple(dict.fromkeys([*sinks, *last]))


def _last_judgeable(case: Case, point: Point) -> list[Point]:
    found, todo, seen = [], [point], {point}
    while todo:
        at = todo.pop()
        if case.comparison.screened(at) is not None:
            found.append(at)
            continue
        above = [p for p in case.flow.graph.predecessors(at) if p not in seen]
        seen.update(above)
        todo.extend(above)
    return found


def search_backward(
    case: Case,
    *,
    every: bool,
    progress: Progress | None,
    parameters: Mapping[Point, float] | None = None,
    cancelled: float = 1.0,
    unseen_loss: bool = False,
) -> Phase:
    """Walk the gradients back and find where they went wrong, the forward pass being right.

    Args:
        parameters: as `search_forward` has them.
        cancelled: how many times larger the terms are that a loss makes its gradient of (probability minus label) than
            what is left of them, and so their errors.
        unseen_loss: what came in at the outputs was made by a loss, whose code nobody saw and which may enlarge what it
            was given.
    """
    apart = parameters or {}
    flow = backward_flow(case.flow, case.graphs[0])
    why = _no_backward(case)
    if why is not None:
        return Phase(f"not judged: {why}", Search(()), flow)
    comparison = case.comparison
    if all(trace.skeleton.header.cotangent for trace in case.traces):
        # what was sent back is the same on both sides; a tensor that is given and used as well has more to it
        comparison.passed_over.update(flow.given)
    order: list[Point] = list(nx.topological_sort(flow.graph))
    sent = {p: cancelled * max(comparison.noise.get(p.at("out"), 0.0), _rounded(case, p)) for p in flow.given}
    start = {p: apart[out] for p in order if (out := p.at("out")) in apart}
    if unseen_loss:
        sent = _sent_back(case, flow, order, {**start, **sent})
    comparison.spread_noise(flow, order, {**start, **sent})
    comparison.confirmed_missing = _missing_gradients(case, flow, order)
    within = None if case.within is None else frozenset(flow_point for flow_point in order if _named(case, flow_point))
    search = OriginSearch(
        comparison,
        flow,
        inherited=lambda point: max(
            _forward_size(case, point) * (cancelled if point in sent else 1.0),
            apart.get(point.at("out"), 0.0),
            sent.get(point, 0.0) if cancelled > 1.0 or unseen_loss else 0.0,
        ),
        within=within,
        progress=progress,
    )
    found = search.run([p for p in _furthest(case, flow, order) if within is None or p in within])
    if every:
        search.every()
    return Phase(_judged(case), found, flow)


def _sent_back(case: Case, flow: Flow, order: Sequence[Point], start: Mapping[Point, float]) -> dict[Point, float]:
    """How far apart what a loss sends back may be: as far as code that nobody saw may put it; behind it, as far as it
    is."""
    comparison = case.comparison
    accepted = {p: max(start.get(p, 0.0), UNKNOWN_CODE_BACKWARD / MARGIN) for p in flow.given}
    comparison.spread_noise(flow, order, {**start, **accepted})
    found = {}
    for point in flow.given:
        judged = comparison.judge(point)
        size = judged.size if judged is not None and not judged.diverged else 0.0
        found[point] = max(start.get(point, 0.0), size)
    return found


def _rounded(case: Case, point: Point) -> float:
    return rounding(case.comparison.dtype(point))


def _named(case: Case, point: Point) -> bool:
    return case.within is not None and (point.at("in") in case.within or point.at("out") in case.within)


def _judged(case: Case) -> str:
    keeps = {trace.skeleton.header.keep for trace in case.traces}
    return "judged" if keeps == {"values"} else "judged from statistics"


def _no_backward(case: Case) -> str | None:
    for trace, word in zip(case.traces, SIDES, strict=True):
        if not trace.skeleton.end.complete:
            return f"the {word} trace is not complete"
        why = trace.skeleton.end.backward
        if why is not None:
            return f"the {word} has none ({why})"
    if any(_other_ranks(case, point) for point in case.flow.sinks):
        return "the outputs come in another order, so the cotangents differ"
    if any(_other_shapes(case, point) for point in case.flow.sinks):
        return "the outputs have other shapes, so the cotangents differ"
    if not any(bank.parameter_gradients for bank in (case.comparison.reference, case.comparison.candidate)):
        bare = [word for graph, word in zip(case.graphs, SIDES, strict=True) if not _has_gradients(graph)]
        if bare:  # without parameters to show it, a gradient that one side did not ask for is no finding
            return "no gradient was recorded" + (f" in the {bare[0]}" if len(bare) == 1 else "")
    return None


def _has_gradients(graph: CallGraph) -> bool:
    """Was a gradient of any value recorded?"""
    calls = (node.call for node in graph.nodes.values())
    return any(v.kind == "tensor" for call in calls for v in (*call.grad_inputs, *call.grad_outputs))


def _other_ranks(case: Case, point: Point) -> bool:
    """Has an output another place among the float leaves, by which its cotangent was made?"""
    if not all(trace.skeleton.header.cotangent for trace in case.traces):
        return False
    ours, theirs = ([v for v in side if rounding(v.dtype)] for side in case.comparison.values(point))
    pairs, _ = match_leaves(ours, theirs)
    return any(ours.index(r) != theirs.index(c) for r, c in pairs)


def _other_shapes(case: Case, point: Point) -> bool:
    ours, theirs = case.comparison.values(point)
    return [v.shape for v in ours if rounding(v.dtype)] != [v.shape for v in theirs if rounding(v.dtype)]


def _forward_size(case: Case, point: Point) -> float:
    """How far apart the forward values are that the backward rule at a point uses."""
    sizes = [0.0]
    for forward in (point.at("in"), point.at("out")):
        if forward in case.flow.graph:
            known = case.comparison.known(forward)
            size = known.size if known is not None else case.comparison.screened(forward)
            sizes.append(size if size is not None and math.isfinite(size) else 0.0)
    return max(sizes)


def _missing_gradients(case: Case, flow: Flow, order: Sequence[Point]) -> set[Point]:
    """Where one side has no gradient and the parameters further back felt it."""
    felt: dict[Point, bool] = {}
    for point in reversed(order):
        if point.side == "grad_param":
            felt[point] = _felt(case, point)
        else:
            felt[point] = any(felt.get(p, False) for p in flow.graph.successors(point))
    return {
        p for p, seen in felt.items() if seen and (p.side == "grad_out" or (p.side == "grad_in" and _own_code(case, p)))
    }


def _own_code(case: Case, point: Point) -> bool:
    """Is the pair a class of the user's own that got a gradient for its output on both sides? Then it owes one for its
    input; layers of a framework always pay, and have none only where their input asks for none."""
    return all(n.unit and not n.meaning.op and n.call.grad_outputs for n in case.nodes(point))


def _felt(case: Case, point: Point) -> bool:
    """Is a parameter's gradient missing, all zeros, or far off on one side?"""
    for _, r, c in case.comparison.parameter_gradients(point):
        sizes = [0.0 if v is None or v.statistics is None else v.statistics.l2 or 0.0 for v in (r, c)]
        if min(sizes) == 0.0 < max(sizes):
            judged = case.comparison.judge(point)
            return judged is not None and judged.size >= 0.5
    screened = case.comparison.screened(point)
    if screened is None or screened < 0.05:
        return False
    judged = case.comparison.judge(point)
    return judged is not None and judged.size >= 0.05


_MOST_SINKS = 16


def _furthest(case: Case, flow: Flow, order: Sequence[Point]) -> list[Point]:
    """The gradients that have come furthest: those after which no other gradient of a value can be judged."""
    after: dict[Point, bool] = {}
    sinks: list[Point] = []
    for point in reversed(order):
        below = any(after.get(p, False) for p in flow.graph.successors(point))
        here = point.side != "grad_param" and case.comparison.screened(point) is not None
        if here and not below:
            sinks.append(point)
        after[point] = here or below
    return sinks[:_MOST_SINKS]
