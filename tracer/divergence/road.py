"""The road through an origin, and the table of every pair: what a reader sees of the judgements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import networkx as nx

from tracer.divergence.case import Case
from tracer.divergence.flow import Flow, Point, Side
from tracer.divergence.metrics import MARGIN, Difference
from tracer.divergence.places import Origin, PhaseName, Spot, carries, spot


@dataclass(frozen=True)
class RoadStep:
    """One pair on the road through the first origin, in call order."""

    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    state: Literal["agrees", "starts here", "carried on", "unknown"]


@dataclass(frozen=True)
class PairRow:
    """One row of the table of every pair (`--every`, `--csv`); `state` also "not judged"."""

    reference: Spot | None
    candidate: Spot | None
    op: str
    phase: PhaseName
    difference: Difference | None
    fed_by: float | None
    state: str
    reason: str
    confidence: float


def road_through(case: Case, flow: Flow, origin: Origin) -> tuple[RoadStep, ...]:
    """The last units that agree, the origin, and how it grows to the output of the net, or to the gradients that came
    furthest; none for inputs that differ. `flow` is of the origin's pass."""
    begin = origin.point
    if begin is None or origin.place == "input" or begin not in flow.graph:
        return ()
    graph, side = flow.graph, _shown_side(origin)
    above, below = nx.ancestors(graph, begin), nx.descendants(graph, begin)
    own = begin if origin.place == "layer" else None
    units = [point for point in _units(case, flow, side) if point != own]
    before = [p for p in units if p in above and _agrees(case, p)][-2:]
    after = [p for p in units if p in below and _shows(case, p, origin)]
    ends = [sink for sink in flow.sinks if sink != own and sink in below] if side == "out" else []
    shown = dict.fromkeys([*after[:2], *after[-1:], *ends])
    return (
        *(_step(case, point, origin, below) for point in before),
        RoadStep(origin.reference, origin.candidate, origin.difference, "starts here"),
        *(_step(case, point, origin, below) for point in shown),
    )


def _shown_side(origin: Origin) -> Side:
    """What the road shows of a unit: what it gave, or the gradient that it handed back."""
    return "grad_in" if origin.phase == "backward" else "out"


def _units(case: Case, flow: Flow, side: Side) -> list[Point]:
    """One side of all paired units in the order of the pass."""
    partner, units = case.alignment.candidate_of, case.graphs[0].units
    ordered = units if side == "out" else tuple(reversed(units))
    points = [Point(id_, partner[id_], side) for id_ in ordered if id_ in partner]
    return [point for point in points if point in flow.graph]


def _step(case: Case, point: Point, origin: Origin, below: set[Point]) -> RoadStep:
    difference = case.comparison.judge(point)
    state: Literal["agrees", "starts here", "carried on", "unknown"] = "agrees"
    if difference is None:
        state = "unknown"
    elif point in below and carries(case, point, origin):
        state = "carried on"
    return RoadStep(spot(case, 0, point.reference), spot(case, 1, point.candidate), difference, state)


def _shows(case: Case, point: Point, origin: Origin) -> bool:
    """Do the statistics of a point downstream show the origin?"""
    screened = case.comparison.screened(point)
    return screened is not None and screened > MARGIN * (origin.fed_by or 1e-7)


def _agrees(case: Case, point: Point) -> bool:
    known = case.comparison.known(point)
    if known is not None:
        return not known.diverged
    screened = case.comparison.screened(point)
    return screened is not None and screened <= case.comparison.allowed(point)


def pair_rows(case: Case, backward: Flow | None, origins: Sequence[Origin]) -> tuple[PairRow, ...]:
    """One row for each pair and pass; what was not judged says so."""
    starts = {
        ("backward" if o.phase == "backward" else "forward", o.reference.path, o.reference.call)
        for o in origins
        if o.reference is not None
    }
    rows: list[PairRow] = []
    passes: list[tuple[PhaseName, Side, Side, Flow | None]] = [
        ("forward", "out", "in", case.flow),
        ("backward", "grad_out", "grad_in", backward),
    ]
    for phase, side, fed_side, flow in passes:
        if flow is None:
            continue
        for pair in case.alignment.pairs:
            point = Point(pair.reference, pair.candidate, side)
            known, fed = case.comparison.known(point), case.comparison.known(point.at(fed_side))
            state = "not judged"
            if (phase, pair.reference.path, pair.reference.call) in starts:
                state = "starts here"
            elif known is not None:
                state = "carried on" if case.comparison.diverged(point) else "agrees"
            node = case.graphs[0].nodes.get(pair.reference)
            rows.append(
                PairRow(
                    spot(case, 0, pair.reference),
                    spot(case, 1, pair.candidate),
                    node.meaning.op if node else "",
                    phase,
                    known,
                    None if fed is None else fed.size,
                    state,
                    pair.reason,
                    pair.confidence,
                )
            )
    return tuple(rows)
