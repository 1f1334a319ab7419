"""From two traces to what a reader is shown: verdict, origins with their causes, the road, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import networkx as nx

from tracer.divergence.alignment import Alignment, Pair
from tracer.divergence.births import NotFinite, notes_births, survey_both
from tracer.divergence.case import SIDES, Case, TraceLike, matches, open_case
from tracer.divergence.causes import Cause
from tracer.divergence.comparison import pairs_read
from tracer.divergence.drawing_code import notes_drawing_code
from tracer.divergence.flow import Flow, Point
from tracer.divergence.metrics import Progress, Tolerance
from tracer.divergence.not_finite import NOTHING_FINITE, notes_not_finite, nothing_finite
from tracer.divergence.notes import beforehand, notes
from tracer.divergence.origins import Begin
from tracer.divergence.phases import Phase, outputs, search_backward, search_forward
from tracer.divergence.places import (
    Origin,
    Spot,
    forward_origins,
    given_origin,
    given_scalar_origin,
    loss_origin,
    name_origin,
    raised_origin,
    returned_scalar_origin,
)
from tracer.divergence.road import PairRow, RoadStep, pair_rows, road_through
from tracer.divergence.rules import UserRule
from tracer.trace.schema import ROOT

if TYPE_CHECKING:
    from tracer.divergence.training.steps import StepRow

__all__ = ["Cause", "Coverage", "Diagnosis", "Origin", "PairRow", "RoadStep", "Spot", "TraceSide", "diagnose"]

Verdict = Literal["agree", "diverged", "unsure"]

MOST_DRIFT = 0.02
"""The relative L2 up to which a difference that no pair introduces is called rounding that grew. (A clean port of sixty
residual blocks with MindSpore's approximate exp reaches 3e-3 in its gradients.)"""

_MOST_ROADS = 3
"""Through how many origins the road is drawn; each reads a few arrays."""


@dataclass(frozen=True)
class Coverage:
    """How much of the two nets the verdict rests on. `phases` says "judged" or why not."""

    judged: int
    aligned: int
    alone: int
    unjudgeable: int
    phases: Mapping[str, str]
    screened: int = 0
    """Pairs of which the recorded statistics were held against each other, without reading arrays."""
    only: tuple[str, ...] = ()
    """The globs that alone were looked at. Then `judged`, `screened` and `unjudgeable` count pairs that they name."""
    named: int = 0
    """How many pairs they name; of `aligned` where all were looked at."""

    def looks_at(self, pair: Pair) -> bool:
        """Is a pair among those that were looked at?"""
        return matches(pair.reference.path, pair.candidate.path, self.only)


@dataclass(frozen=True)
class TraceSide:
    """One of the two traces, in words."""

    file: str
    framework: str
    framework_version: str
    net: str
    complete: bool
    keep: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report shows. `notes` are findings that are no origin (settings that differ without effect,
    versions and flags that differ), one sentence each, most important first."""

    verdict: Verdict
    reason: str
    reference: TraceSide
    candidate: TraceSide
    origins: tuple[Origin, ...]
    road: tuple[RoadStep, ...]
    alignment: Alignment
    coverage: Coverage
    notes: tuple[str, ...] = ()
    rows: tuple[PairRow, ...] = ()
    beforehand: tuple[str, ...] = ()
    """Those of the notes that are read before any number: other dtypes, other modes, active dropout."""
    other_roads: tuple[tuple[RoadStep, ...], ...] = ()
    """Through the second origin and the next ones."""
    steps: tuple[StepRow, ...] = ()
    """Of training each step that both traces keep."""
    not_finite: tuple[NotFinite, NotFinite] = (NotFinite(), NotFinite())
    """Where NaN and Inf were born, in the reference and in the candidate."""

    @property
    def origin(self) -> Origin | None:
        """The first origin, None when nothing diverged or no place can be named."""
        return self.origins[0] if self.origins else None


def diagnose(
    reference: TraceLike,
    candidate: TraceLike,
    *,
    tolerance: Tolerance | None = None,
    pins: Sequence[tuple[str, str]] = (),
    only: Sequence[str] = (),
    every: bool = False,
    rules: Sequence[UserRule] = (),
    progress: Progress | None = None,
) -> Diagnosis:
    """Find where the candidate first diverges from the reference, and why.

    Args:
        reference, candidate: two traces, in this order.
        tolerance: what counts as equal; by default what the op and its dtype allow.
        pins: pairs the user insists on ("path" or "path#call" each).
        only: globs; pairs whose path on neither side matches are left out of judging.
        every: judge every pair and keep a row for each.
        rules: the user's own rules for layers.
        progress: told what is being done.

    Raises:
        RuleError: a pin that names nothing.
    """
    case = open_case(reference, candidate, tolerance or Tolerance(), pins, only, rules)
    nothing = nothing_to_judge(case)
    if nothing:
        return told(case, "unsure", nothing, phases={"forward": "not judged", "backward": "not judged"})
    given = given_origin(case) or given_scalar_origin(case)
    if given is not None:
        why = "not judged: the inputs differ"
        return told(case, "unsure", given.sentence, (given,), phases={"forward": why, "backward": why})
    forward = search_forward(case, every=every, progress=progress)
    begins, edge = inside_of_only(case, forward.search.begins)
    origins, quiet = forward_origins(case, begins)
    scalar = None if origins or edge else returned_scalar_origin(case)
    origins = (scalar,) if scalar is not None else origins
    if edge and not origins:
        why = f"what --only names is given other numbers: {edge[0].point.reference} before it differs already"
        return told(case, "unsure", why, phases={"forward": forward.said, "backward": "not judged: see forward"})
    backward: Phase | None = None
    if origins:
        said = "not judged: the forward pass diverged"
        if all(only_random(origin) for origin in origins):
            said = "not judged: the masks of dropout differ"
    else:
        backward = search_backward(case, every=every, progress=progress)
        said = backward.said
        loss = loss_origin(case, backward.flow, backward.search.begins)
        if loss is not None:
            why = f"not judged: {loss.sentence}"
            reason = "; ".join((*_run_otherwise(case), loss.sentence))
            return told(case, "unsure", reason, (loss,), phases={"forward": forward.said, "backward": why})
        raised = None if case.complete else raised_origin(case)
        origins = (
            (raised,)
            if raised is not None
            else tuple(name_origin(case, backward.flow, begin, "backward") for begin in cut_off(case, backward))
        )
    drift = forward.search.drift or (backward.search.drift if backward else None)
    verdict, reason = _verdict(case, origins, drift, both=said.startswith("judged"))
    return told(
        case,
        verdict,
        reason,
        origins,
        phases={"forward": forward.said, "backward": said},
        quiet=quiet,
        every=every,
        drift=drift,
        backward=backward.flow if backward and said.startswith("judged") else None,
    )


def inside_of_only(case: Case, begins: Sequence[Begin]) -> tuple[list[Begin], list[Begin]]:
    """Where divergence begins, and where it only comes in from what --only leaves out."""
    edge = [b for b in begins if case.within is not None and b.point not in case.within]
    return [b for b in begins if b not in edge], edge


def nothing_to_judge(case: Case) -> str | None:
    """Why the traces cannot be compared at all."""
    for graph, word, trace in zip(case.graphs, SIDES, case.traces, strict=True):
        if not graph.nodes:
            stopped = trace.skeleton.end.stopped
            return f"the {word} trace holds no call" + (f": {stopped.splitlines()[0]}" if stopped else "")
    units = sum(id_ in case.alignment.candidate_of for id_ in case.graphs[0].units)
    smaller = min(len(graph.units) for graph in case.graphs)
    if not units:
        return "nothing could be aligned: do both traces come from the same net?"
    if units < 0.2 * smaller and smaller > 5:
        return f"only {units} of {smaller} layers could be aligned: do both traces come from the same net?"
    return "no pair matches --only" if case.within is not None and not case.within else None


def _verdict(case: Case, origins: Sequence[Origin], drift: Begin | None, *, both: bool) -> tuple[Verdict, str]:
    """The verdict and its reason: agreement is claimed only where everything was there and was judged."""
    if origins and all(only_random(origin) for origin in origins):
        return "unsure", "dropout is active on both sides: its masks differ, so what comes after it cannot be compared"
    if origins:
        return "diverged", f"{origins[0].phase} diverges {where(origins[0])}"
    if not case.complete:
        side = 0 if not case.traces[0].skeleton.end.complete else 1
        stopped = (case.traces[side].skeleton.end.stopped or "cut off").splitlines()[0]
        return "unsure", f"the {SIDES[side]} trace is not complete ({stopped}); what ran agrees"
    if drift is not None and drift.difference.size > MOST_DRIFT:
        return "unsure", (
            f"{drift.point.reference} is {drift.difference.size:.1e} apart, more than rounding should give, "
            "yet no pair on its road introduces it"
        )
    sinks = outputs(case)
    if not sinks or any(case.comparison.judge(point) is None for point in sinks):
        return "unsure", "not every output of the net could be judged"
    if nothing_finite(case, sinks):
        return "unsure", NOTHING_FINITE
    otherwise = _run_otherwise(case)
    if otherwise and case.within is None:
        return "unsure", f"{otherwise[0]}; the runs that both have agree"
    if case.within is not None:
        return "agree", "what --only names agrees; the rest was not looked at"
    if any(root.path != ROOT for graph in case.graphs for root in graph.roots):
        return "unsure", "the layers agree, but no call of the net itself was recorded, nor what its code makes last"
    return "agree", "forward and backward agree" if both else "the forward pass agrees"


def cut_off(case: Case, backward: Phase) -> list[Begin]:
    """Where the backward pass begins to differ, without what has no gradient only because what it went into gets none
    for it, cut off at another of these points."""
    begins, flow = backward.search.begins, backward.flow
    missing = [b for b in begins if b.difference.problem == "missing"]

    def lacks(point: Point) -> int:
        """How many gradients more the reference has there."""
        ours, theirs = case.comparison.values(point)
        return len(ours) - len(theirs)

    def follows(begin: Begin) -> bool:
        others = [other.point for other in missing if other is not begin]
        lost = [point for point in flow.graph.predecessors(begin.point) if lacks(point) * lacks(begin.point) > 0]
        return any(nx.has_path(flow.graph, other, point) for other in others for point in lost)

    return [begin for begin in begins if begin not in missing or not follows(begin)]


def _run_otherwise(case: Case) -> tuple[str, ...]:
    """That one net was run more often than the other."""
    runs = [len(graph.roots) for graph in case.graphs]
    times = ["once" if count == 1 else f"{count} times" for count in runs]
    return (f"the reference was run {times[0]}, the candidate {times[1]}",) if runs[0] != runs[1] else ()


def where(origin: Origin) -> str:
    """The place of an origin in words."""
    place = (origin.reference or origin.candidate or Spot("?", None, "?")).path
    words = {"layer": "at {}", "between": "in code between the layers of {}", "output": "at the output of {}"}
    words |= {"loss": "at the {}", "parameter": "at {}", "group": "at {}"}
    return words.get(origin.place, "at the input").format(place)


def only_random(origin: Origin) -> bool:
    """Is the only thing against the pair that both sides draw random masks?"""
    kinds = {c.kind for c in origin.causes}
    return any(c.kind == "mode" and c.name == "p" for c in origin.causes) and "setting" not in kinds


def told(
    case: Case,
    verdict: Verdict,
    reason: str,
    origins: tuple[Origin, ...] = (),
    *,
    phases: Mapping[str, str],
    quiet: Sequence[str] = (),
    every: bool = False,
    backward: Flow | None = None,
    drift: Begin | None = None,
    more: Sequence[str] = (),
    steps: tuple[StepRow, ...] = (),
    traces: tuple[TraceLike, TraceLike] | None = None,
) -> Diagnosis:
    """Put everything together that a reader is shown. `more` are notes to stand before the others; `traces` those that
    a case of one step was made of."""
    flows = {"backward": backward or case.flow}
    roads = [road_through(case, flows.get(o.phase, case.flow), o) for o in origins[:_MOST_ROADS]]
    first = beforehand(case)
    odd = [] if origins else notes_not_finite(case, outputs(case))
    born = survey_both(traces or case.traces)
    alignment = case.alignment
    pairs = [p for p in alignment.pairs if case.looks_at(p.reference, p.candidate)]
    judgeable = {
        (p.reference, p.candidate)
        for p in case.flow.graph
        if case.looks_at(p.reference, p.candidate) and case.comparison.screened(p) is not None
    }
    coverage = Coverage(
        judged=sum(case.looks_at(*pair) for pair in pairs_read(case.comparison)),
        aligned=len(alignment.pairs) + len(alignment.groups),
        alone=len(alignment.alone_reference) + len(alignment.alone_candidate),
        unjudgeable=sum((p.reference, p.candidate) not in judgeable for p in pairs),
        phases=phases,
        screened=len(judgeable),
        only=case.only,
        named=len(pairs) + (0 if case.only else len(alignment.groups)),
    )
    return Diagnosis(
        verdict,
        reason,
        _side((traces or case.traces)[0]),
        _side((traces or case.traces)[1]),
        origins,
        roads[0] if roads else (),
        alignment,
        coverage,
        (
            *first,
            *more,
            *drift_note(drift),
            *odd,
            *notes_births(case, born),
            *notes_drawing_code(case, origins),
            *notes(case, origins, quiet),
        ),
        pair_rows(case, backward, origins) if every else (),
        first,
        tuple(roads[1:]),
        steps,
        born,
    )


def drift_note(drift: Begin | None) -> tuple[str, ...]:
    """Rounding that grew along the road, in a sentence."""
    if drift is None:
        return ()
    side = "gradient of " if drift.point.side.startswith("grad") else ""
    where = f"{side}{drift.point.reference} is {drift.difference.size:.1e} apart"
    return (f"rounding grows along the road: {where}, and no pair introduces it",)


def _side(trace: TraceLike) -> TraceSide:
    header, end = trace.skeleton.header, trace.skeleton.end
    return TraceSide(str(trace.path), header.framework, header.framework_version, header.net, end.complete, header.keep)
