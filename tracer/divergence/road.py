"""The road through an origin, and the table of every pair: what a reader sees of the judgements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import networkx as nx

from tracer.divergence.case import Case
from tracer.divergence.flow import Flow, Point, Side
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import MARGIN, Difference
from tracer.divergence.places import Origin, PhaseName, Spot, carries, limit_after, spot


@dataclass(frozen=True)
class RoadStep:
    """One pair on the road through the first origin, in call order."""

    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    state: Literal["agrees", "starts here", "carried on", "grew", "unknown"]


@dataclass(frozen=True)
class PairRow:
    """One row of the table of every pair (`--every`, `--csv`); `state` also "not judged", and "grew" of what is beyond
    its tolerance, no more than what fed it explains, where no origin lies before it."""

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
    difference, state = _seen(case, point, [(origin, below)])
    return RoadStep(spot(case, 0, point.reference), spot(case, 1, point.candidate), difference, state)


def _seen(
    case: Case, point: Point, origins: Iterable[tuple[Origin, set[Point]]]
) -> tuple[Difference | None, Literal["agrees", "carried on", "grew", "unknown"]]:
    """What a point is told to be, on the road and in the table alike: of the first of the origins that it shows, held
    against what would not show it. With each origin come the points downstream of it."""
    difference = case.comparison.judge(point)
    if difference is None:
        return None, "unknown"
    after = [origin for origin, below in origins if point in below]
    carried = next((origin for origin in after if carries(case, point, origin)), None)
    for origin in [carried] if carried is not None else after[:1]:
        limit = min(difference.tolerance, limit_after(case, point, origin))
        difference = case.comparison.held_against(point, difference, limit)
    if carried is None and not case.comparison.diverged(point):
        return difference, "agrees"
    return difference, "carried on" if after else "grew"


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
    """One row for each pair that is looked at and pass; what was not judged says so. Of a layer it tells what the pass
    made there: its output, or the gradient handed back, else the one that came. Where an origin is, its numbers."""
    rows: list[PairRow] = []
    passes: list[tuple[PhaseName, tuple[Side, Side], Flow | None]] = [
        ("forward", ("out", "in"), case.flow),
        ("backward", ("grad_in", "grad_out"), backward),
    ]
    for phase, (made, came), flow in passes:
        if flow is None:
            continue
        of_pass = [o for o in origins if (o.phase == "backward") == (phase == "backward")]
        below = [(o, nx.descendants(flow.graph, o.point)) for o in of_pass if o.point is not None]
        for pair in case.alignment.pairs:
            if not case.looks_at(pair.reference, pair.candidate):
                continue
            point = Point(pair.reference, pair.candidate, made)
            known, fed = case.comparison.known(point), case.comparison.known(point.at(came))
            if known is None and phase == "backward":
                point, known, fed = point.at(came), fed, None
            difference, state = (None, "not judged") if known is None else _seen(case, point, below)
            fed_by = None if fed is None else fed.size
            here = next((o for o in of_pass if _is_at(o, pair.reference)), None)
            if here is not None:
                difference, state, fed_by = here.difference, "starts here", here.fed_by
            node = case.graphs[0].nodes.get(pair.reference)
            rows.append(
                PairRow(
                    spot(case, 0, pair.reference),
                    spot(case, 1, pair.candidate),
                    node.meaning.op if node else "",
                    phase,
                    difference,
                    fed_by,
                    state,
                    pair.reason,
                    pair.confidence,
                )
            )
    return tuple(rows)


def _is_at(origin: Origin, id_: CallId) -> bool:
    at = origin.reference
    return at is not None and (at.path, at.call) == (id_.path, id_.call if id_.call >= 0 else None)
