"""From the training steps of two traces to a diagnosis: the first step and phase that goes wrong, and why.

A step is judged phase by phase in the order in which it ran, and the first phase with an origin ends it: the rest
follows from it. Later steps begin from parameters that rounding has moved apart; what those explain is no finding,
and what a loop or an optimizer did is judged on each side's own numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracer.divergence.alignment import Alignment
from tracer.divergence.case import Case, TraceLike, open_case
from tracer.divergence.diagnosis import (
    Diagnosis,
    Verdict,
    cut_off,
    diagnose,
    inside_of_only,
    nothing_to_judge,
    only_random,
    told,
    where,
)
from tracer.divergence.flow import Point
from tracer.divergence.metrics import Progress, Tolerance
from tracer.divergence.not_finite import NOTHING_FINITE, nothing_finite
from tracer.divergence.origins import Begin
from tracer.divergence.phases import Phase, outputs, search_backward, search_forward
from tracer.divergence.places import (
    Origin,
    forward_origins,
    name_origin,
    raised_origin,
    returned_scalar_origin,
)
from tracer.divergence.rules import UserRule
from tracer.divergence.training.growth import growth_notes
from tracer.divergence.training.handing_on import (
    Handing,
    PairedParameter,
    judge_handing_on,
    none_against_zeros,
    not_optimized,
    paired_parameters,
)
from tracer.divergence.training.inherited import by_parameters, overall
from tracer.divergence.training.loss_phase import LossPhase, cancelled, judge_losses, never_sent_back, sent_back_origin
from tracer.divergence.training.start import changed_origin, differing_modes, differing_samples, differing_start
from tracer.divergence.training.step_trace import StepTrace
from tracer.divergence.training.steps import (
    PHASES,
    PhaseRow,
    PhaseVerdict,
    StepRow,
    common_steps,
    only_one_has,
    trains,
)
from tracer.divergence.training.update_phase import UpdatePhase, judge_update
from tracer.trace.schema import Step

_FRESH = 4e-7
"""Relative L2 of all parameters up to which a step begins from the same weights."""


def diagnose_traces(
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
    """`tracer.divergence.diagnosis.diagnose` for traces of any kind: of training steps where both hold such.

    Raises:
        RuleError: a pin that names nothing.
    """
    wishes = _Wishes(tolerance or Tolerance(), tuple(pins), tuple(only), tuple(rules), every, progress)
    sides = trains(reference.skeleton), trains(candidate.skeleton)
    steps = common_steps(reference.skeleton, candidate.skeleton) if all(sides) else []
    if steps:
        return _Training((reference, candidate), steps, wishes).diagnosis()
    found = diagnose(
        reference, candidate, tolerance=tolerance, pins=pins, only=only, every=every, rules=rules, progress=progress
    )
    if all(sides):
        why = "the traces keep no step in common: " + only_one_has(reference.skeleton, candidate.skeleton)
        phases = dict.fromkeys(PHASES, "not judged: no step in common")
        coverage = replace(found.coverage, phases=phases, judged=0, screened=0)
        return replace(
            found,
            verdict="unsure",
            reason=why,
            origins=(),
            road=(),
            other_roads=(),
            rows=(),
            notes=(),
            coverage=coverage,
        )
    if any(sides):
        words = ("reference", "candidate") if sides[0] else ("candidate", "reference")
        said = f"only the {words[0]} holds training steps: its first one was held against the run of the {words[1]}"
        return replace(found, notes=(said, *found.notes))
    return found


@dataclass(frozen=True)
class _Wishes:
    tolerance: Tolerance
    pins: tuple[tuple[str, str], ...]
    only: tuple[str, ...]
    rules: tuple[UserRule, ...]
    every: bool
    progress: Progress | None


@dataclass(frozen=True)
class _Judged:
    """One step: the row that is shown, and what was found. `unsure` says why nothing more can be said."""

    row: StepRow
    case: Case
    origins: tuple[Origin, ...] = ()
    unsure: str = ""
    quiet: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    forward: Phase | None = None
    backward: Phase | None = None
    apart: float = 0.0


class _Training:
    """The diagnosis of one pair of traces, step by step."""

    def __init__(self, traces: tuple[TraceLike, TraceLike], steps: list[tuple[Step, Step]], wishes: _Wishes) -> None:
        self.traces, self.steps, self.wishes = traces, steps, wishes
        self._alignment: Alignment | None = None
        self._calls: tuple[list[tuple[str, int]], ...] | None = None

    def diagnosis(self) -> Diagnosis:
        """All steps judged; those after the first origin are only measured."""
        rows: list[StepRow] = []
        ended: _Judged | None = None
        last: _Judged | None = None
        for n, pair in enumerate(self.steps):
            if self.wishes.progress is not None:
                self.wishes.progress("judging steps", n, len(self.steps))
            before = self.steps[n - 1] if n else None
            judged = self._judge(pair, before, measure_only=ended is not None and not self._resynced)
            rows.append(judged.row)
            last = judged
            if ended is None and (judged.origins or judged.unsure):
                ended = judged
        assert last is not None
        return self._told(ended or last, rows)

    @property
    def _resynced(self) -> bool:
        """Did each step begin like that of the other side? Then each is judged by itself."""
        return any(trace.skeleton.header.sampling.get("resync") for trace in self.traces)

    # -- one step --------------------------------------------------------------------------------------------------

    def _case(self, pair: tuple[Step, Step]) -> tuple[Case, tuple[StepTrace, StepTrace]]:
        views = StepTrace(self.traces[0], pair[0]), StepTrace(self.traces[1], pair[1])
        calls = tuple([(c.path, c.index) for c in step.calls] for step in pair)
        w = self.wishes
        known = self._alignment if calls == self._calls else None
        case = open_case(*views, w.tolerance, w.pins, w.only, w.rules, known=known)
        self._alignment, self._calls = case.alignment, calls
        return case, views

    def _judge(self, pair: tuple[Step, Step], before: tuple[Step, Step] | None, *, measure_only: bool) -> _Judged:
        case, views = self._case(pair)
        number = pair[0].number
        phases: dict[str, PhaseRow] = {}
        apart = overall(case)
        if measure_only:
            said = "not judged: an earlier phase or step explains what follows"
            return _Judged(_row(number, _measured(case, pair, apart), said), case, apart=apart)
        nothing = nothing_to_judge(case)
        if nothing:
            return _Judged(_row(number, {}, f"not judged: {nothing}"), case, unsure=nothing)
        fresh = before is None or apart <= _FRESH
        watched = before is not None and not self._resynced
        changed = changed_origin(case, before, pair) if before is not None and watched else None
        start = differing_start(case, pair) if before is None else differing_samples(case, pair)
        origins = start.origins or ((changed,) if changed is not None else ())
        origins = origins or (differing_modes(case) if before is not None else ())
        quiet = start.quiet
        verdict: PhaseVerdict = "unsure" if start.unsure else "diverged" if origins else "agree"
        phases["start"] = PhaseRow(verdict, apart)
        if origins:
            phases |= {name: row for name, row in _measured(case, pair, apart).items() if name != "start"}
            unsure = origins[0].sentence if start.unsure else ""
            row = _row(number, phases, "not judged: the starting points differ")
            return _Judged(row, case, _at(origins, number), unsure, more=quiet, apart=apart)
        return self._run(case, views, pair, phases, fresh=fresh, apart=apart, quiet=quiet)

    def _run(
        self,
        case: Case,
        views: tuple[StepTrace, StepTrace],
        pair: tuple[Step, Step],
        phases: dict[str, PhaseRow],
        *,
        fresh: bool,
        apart: float,
        quiet: tuple[str, ...],
    ) -> _Judged:
        number = pair[0].number
        parameters = None if fresh else by_parameters(case)
        w = self.wishes
        forward = search_forward(case, every=w.every, progress=w.progress, parameters=parameters)
        begins, edge = inside_of_only(case, forward.search.begins)
        origins, still = forward_origins(case, begins) if fresh else (_named(case, begins), ())
        scalar = None if origins or edge else returned_scalar_origin(case)
        origins = (scalar,) if scalar is not None else origins
        sinks = outputs(case)
        sizes = [d.size for point in sinks if (d := case.comparison.judge(point)) is not None]
        phases["forward"] = PhaseRow("diverged" if origins else "agree", max(sizes, default=None), _drifts(forward))
        judged = _Judged(StepRow(number), case, more=quiet, forward=forward, apart=apart, quiet=tuple(still))
        if edge and not origins:
            why = f"what --only names is given other numbers: {edge[0].point.reference} before it differs already"
            return replace(judged, row=_row(number, phases, "not judged: see forward"), unsure=why)
        if origins:
            random = all(only_random(origin) for origin in origins)
            why = "dropout is active on both sides: its masks differ, so what comes after it cannot be compared"
            if random:
                phases["forward"] = PhaseRow("unsure", phases["forward"].relative_l2)
            phases |= {n: r for n, r in _measured(case, pair, apart).items() if n not in phases}
            row = _row(
                number,
                phases,
                f"not judged: {'the masks of dropout differ' if random else 'the forward pass diverged'}",
            )
            return replace(judged, row=row, origins=_at(origins, number), unsure=why if random else "")
        if nothing_finite(case, sinks):
            return replace(judged, row=_row(number, phases, f"not judged: {NOTHING_FINITE}"), unsure=NOTHING_FINITE)
        losses: LossPhase = judge_losses(case, views, max(sizes, default=0.0), fresh=fresh)
        phases["loss"] = losses.row
        if losses.origins:
            phases |= {n: r for n, r in _measured(case, pair, apart).items() if n not in phases}
            return replace(
                judged, row=_row(number, phases, "not judged: the losses differ"), origins=_at(losses.origins, number)
            )
        return self._back(judged, views, pair, phases, parameters, more=(*quiet, *losses.notes))

    def _back(
        self,
        judged: _Judged,
        views: tuple[StepTrace, StepTrace],
        pair: tuple[Step, Step],
        phases: dict[str, PhaseRow],
        parameters: dict[Point, float] | None,
        *,
        more: tuple[str, ...],
    ) -> _Judged:
        case, number, w = judged.case, pair[0].number, self.wishes
        backward = search_backward(
            case,
            every=w.every,
            progress=w.progress,
            parameters=parameters,
            cancelled=cancelled(case, views[0]),
            unseen_loss=True,
        )
        judged = replace(judged, backward=backward, more=more)
        sent = never_sent_back(pair) or sent_back_origin(pair, backward)
        raised = None if case.complete else raised_origin(case)
        origins: tuple[Origin, ...] = (
            (raised,)
            if raised is not None
            else (sent,)
            if sent is not None
            else tuple(name_origin(case, backward.flow, begin, "backward") for begin in cut_off(case, backward))
        )
        pairs = paired_parameters(case)
        more = (*more, *none_against_zeros(pair, pairs))
        judged = replace(judged, more=more)
        origins = tuple(_with_reason(views, pairs, origin) for origin in origins)
        handing: Handing = judge_handing_on(case, views, pairs, fresh=parameters is None)
        said = backward.said if not backward.said.startswith("judged") else _drifts(backward)
        far = _furthest(case, backward)
        verdict: PhaseVerdict = (
            "diverged" if origins else "agree" if backward.said.startswith("judged") else "not judged"
        )
        phases["backward"] = PhaseRow(verdict, far, said)
        if origins:
            phases |= {n: r for n, r in _measured(case, pair, judged.apart).items() if n not in phases}
            phases["gradients"] = PhaseRow("not judged", handing.relative_l2, "not judged: the backward pass diverged")
            return replace(
                judged, row=_row(number, phases, "not judged: the backward pass diverged"), origins=_at(origins, number)
            )
        broken = _broken(views)
        if broken:
            row = _row(number, phases, f"not judged: {broken}")
            return replace(judged, row=row, unsure=f"{broken}; what ran before agrees")
        verdict = "diverged" if handing.origins else "not judged" if handing.said else "agree"
        phases["gradients"] = PhaseRow(verdict, handing.relative_l2, handing.said)
        if handing.origins:
            phases |= {n: r for n, r in _measured(case, pair, judged.apart).items() if n not in phases}
            return replace(
                judged,
                row=_row(number, phases, "not judged: the gradients differ"),
                origins=_at(handing.origins, number),
            )
        update: UpdatePhase = judge_update(case, views, pairs, *self._beside(pair), fresh=parameters is None)
        phases["update"] = update.row
        row = _row(number, phases, "")
        return replace(judged, row=row, origins=_at(update.origins, number), more=(*more, *update.notes))

    def _beside(self, pair: tuple[Step, Step]) -> tuple[tuple[Step, Step] | None, tuple[Step, Step] | None]:
        """The steps before and behind, of those that both keep."""
        n = self.steps.index(pair)
        return self.steps[n - 1] if n else None, self.steps[n + 1] if n + 1 < len(self.steps) else None

    # -- the end ---------------------------------------------------------------------------------------------------

    def _told(self, judged: _Judged, rows: list[StepRow]) -> Diagnosis:
        verdict, reason = self._verdict(judged, rows)
        lone = only_one_has(self.traces[0].skeleton, self.traces[1].skeleton)
        more = [
            *judged.more,
            *growth_notes(rows),
            *([f"{lone}: the steps that both have were compared"] if lone else []),
        ]
        drift = judged.forward.search.drift if judged.forward is not None and judged.apart <= _FRESH else None
        return told(
            judged.case,
            verdict,
            reason,
            judged.origins,
            phases=self._coverage(rows),
            quiet=judged.quiet,
            every=self.wishes.every,
            backward=judged.backward.flow
            if judged.backward is not None and judged.backward.said.startswith("judged")
            else None,
            drift=drift,
            more=tuple(dict.fromkeys(more)),
            steps=tuple(rows),
            traces=self.traces,
        )

    def _coverage(self, rows: list[StepRow]) -> dict[str, str]:
        """For each phase "judged", or why not, over all steps."""
        keeps = {trace.skeleton.header.keep for trace in self.traces}
        good = "judged" if keeps == {"values"} else "judged from statistics"
        said: dict[str, str] = {}
        for name in PHASES:
            here = [row.phases[name] for row in rows if name in row.phases]
            judged = [row for row in here if row.verdict != "not judged"]
            why = next((row.said for row in here if row.said), "")
            said[name] = (
                good if judged else (why if why.startswith("not judged") else f"not judged: {why or 'not recorded'}")
            )
        return said

    def _verdict(self, judged: _Judged, rows: list[StepRow]) -> tuple[Verdict, str]:
        if judged.unsure:
            return "unsure", judged.unsure
        if judged.origins:
            first = judged.origins[0]
            return "diverged", f"{first.phase} of step {first.step} diverges {where(first)}"
        for side, trace in enumerate(self.traces):
            if not trace.skeleton.end.complete:
                word = ("reference", "candidate")[side]
                stopped = (trace.skeleton.end.stopped or "cut off").splitlines()[0]
                return "unsure", f"the {word} trace is not complete ({stopped}); the steps that both have agree"
        ours, theirs = (sum(s.keep != "curve" for s in trace.skeleton.steps) for trace in self.traces)
        if ours != theirs:
            both = f"the {len(rows)} that both keep agree"
            return "unsure", f"the reference keeps {ours} steps, the candidate {theirs}; {both}"
        agreed = [p for p in PHASES if any(row.phases[p].verdict == "agree" for row in rows)]
        if "forward" not in agreed:
            return "unsure", "the forward pass could not be judged"
        steps = "1 step agrees" if len(rows) == 1 else f"{len(rows)} steps agree"
        return "agree", f"{steps} in {', '.join(agreed[:-1])} and {agreed[-1]}"


def _with_reason(views: tuple[StepTrace, StepTrace], pairs: list[PairedParameter], origin: Origin) -> Origin:
    """A gradient that one side lacks, with the reason that its optimizer tells."""
    if origin.difference is None or origin.difference.problem != "missing" or origin.reference is None:
        return origin
    cause = not_optimized(views, pairs, origin.reference.path)
    return origin if cause is None else replace(origin, causes=(cause,))


def _broken(views: tuple[StepTrace, StepTrace]) -> str:
    """That a step did not come to its end, in words."""
    for view, word in zip(views, ("reference", "candidate"), strict=True):
        if view.step.failed is not None:
            return f"step {view.step.number} raised in the {word}: {view.step.failed.splitlines()[0]}"
        if not view.step.ended:
            return f"step {view.step.number} was cut off in the {word}"
    return ""


def _named(case: Case, begins: Sequence[Begin]) -> tuple[Origin, ...]:
    """Origins of a later step: only points where something begins, since parameters differ anyway."""
    return tuple(name_origin(case, case.flow, begin, "forward") for begin in begins)


def _at(origins: Sequence[Origin], step: int) -> tuple[Origin, ...]:
    return tuple(replace(origin, step=step) for origin in origins)


def _row(number: int, phases: dict[str, PhaseRow], otherwise: str) -> StepRow:
    """The row of a step; phases that were not reached say why."""
    return StepRow(number, {name: phases.get(name) or PhaseRow("not judged", None, otherwise) for name in PHASES})


def _drifts(phase: Phase) -> str:
    drift = phase.search.drift
    return f"rounding grew to {drift.difference.size:.1e} at {drift.point.reference}" if drift is not None else ""


def _furthest(case: Case, backward: Phase) -> float | None:
    sizes = [
        d.size
        for point in backward.flow.graph
        if (d := case.comparison.known(point)) is not None and not d.problem and point.side.startswith("grad")
    ]
    return max(sizes, default=None)


def _measured(case: Case, pair: tuple[Step, Step], apart: float) -> dict[str, PhaseRow]:
    """How far apart both sides are, without looking for reasons."""
    said = "not judged: an earlier phase or step explains what follows"
    rows = {"start": PhaseRow("not judged", apart, said)}
    sizes = [d.size for p in case.flow.sinks if p in case.flow.graph and (d := case.comparison.judge(p)) is not None]
    rows["forward"] = PhaseRow("not judged", max(sizes, default=None), said)
    values = [step.measures.loss for step in pair]
    if values[0] is not None and values[1] is not None:
        rows["loss"] = PhaseRow("not judged", abs(values[1] - values[0]) / max(abs(values[0]), 1e-30), said)
    norms = [step.measures.gradient_norm for step in pair]
    if norms[0] is not None and norms[1] is not None:
        rows["gradients"] = PhaseRow("not judged", abs(norms[1] - norms[0]) / max(abs(norms[0]), 1e-30), said)
    return rows
