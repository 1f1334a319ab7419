"""The phase `update`: parameters, buffers and what the optimizer remembers, after the step.

Each parameter of the candidate is held against what the reference's rule makes of the candidate's own parameter,
gradient and state (`updates.py`), so that nothing inherited counts, nor gradients that are rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tracer.divergence.case import SIDES, Case
from tracer.divergence.causes import Cause, setting_causes
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import Array, Difference, rounding
from tracer.divergence.places import Origin, Spot, spot
from tracer.divergence.training.cause_words import UpdateCause
from tracer.divergence.training.handing_on import PairedParameter, informative_floor, parameter_name, parameter_spot
from tracer.divergence.training.rule_meanings import RuleMeaning, meanings
from tracer.divergence.training.step_trace import StepTrace
from tracer.divergence.training.steps import PhaseRow
from tracer.divergence.training.update_causes import Schedule, explain, some_elements
from tracer.divergence.training.updates import ParameterUpdate, SideUpdate, UpdateFinding, judge, relative_difference
from tracer.trace.schema import Optimizer, Place, Step, Value

_NO_SETTING = frozenset({"in_place", "frozen", "groups", "state", "kind of gradient"})
"""Causes that are no setting of an optimizer's: they are told at the first parameter, not at its group."""

_OF_EPS = 0.02
"""Relative L2 of updates up to which the place of eps is no fault (1e-8 in both frameworks: 1e-3 to 1e-2)."""

_MOVED_ALIKE = 2e-3
"""Relative difference of two changes of a buffer that is none: moving statistics of equal inputs."""


@dataclass(frozen=True)
class UpdatePhase:
    """What the phase shows."""

    row: PhaseRow
    origins: tuple[Origin, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Judged:
    pair: PairedParameter
    update: ParameterUpdate
    finding: UpdateFinding


def judge_update(
    case: Case,
    traces: tuple[StepTrace, StepTrace],
    pairs: Sequence[PairedParameter],
    before: tuple[Step, Step] | None = None,
    behind: tuple[Step, Step] | None = None,
    *,
    fresh: bool = True,
) -> UpdatePhase:
    """Judge what the step made of parameters and buffers.

    Args:
        case: both sides, aligned.
        traces: the step of each side.
        pairs: the parameters that both have.
        before, behind: the steps next to it, whose learning rates tell a schedule that is off.
        fresh: did the step begin from the same weights? Then parameters that no rule speaks of are held against each
            other.
    """
    steps = traces[0].step, traces[1].step
    optimizers = [step.optimizer for step in steps]
    apart = _apart(traces, pairs)
    skipped = _skipped(case, pairs, steps) if all(trace.optimized for trace in traces) else None
    if skipped is not None:
        return UpdatePhase(PhaseRow("diverged", apart), (skipped,))
    statistics = _moving_statistics(case, traces, pairs)
    if optimizers[0] is None or optimizers[1] is None:
        lone = [word for word, optimizer in zip(SIDES, optimizers, strict=True) if optimizer is None]
        none = "made an update in this step" if all(trace.optimized for trace in traces) else "was watched"
        said = f"no optimizer {none}" + (f" in the {lone[0]}" if len(lone) == 1 else "")
        moved = _moved_otherwise(case, traces, pairs, frozenset()) if fresh else ()
        if statistics or moved:
            return UpdatePhase(PhaseRow("diverged", apart), (*moved, *statistics))
        return UpdatePhase(PhaseRow("not judged", apart, said))
    rules = tuple(
        _by_place(meanings(optimizer, graph.framework))
        for optimizer, graph in zip((optimizers[0], optimizers[1]), case.graphs, strict=True)
    )
    judged: list[_Judged] = []
    for pair in pairs:
        if not any(place in side for place, side in zip(pair.places, rules, strict=True)):
            continue
        sides = _side(traces[0], pair.places[0]), _side(traces[1], pair.places[1])
        own = rules[0].get(pair.places[0]), rules[1].get(pair.places[1])
        update = ParameterUpdate(parameter_name(pair), *sides, *own)
        judged.append(_Judged(pair, some_elements(update), judge(update)))
    free = _free(case, traces, judged)
    wrong = [one for one in judged if one.finding.verdict == "differ" and one.update.name not in free]
    telling = [one.update for one in judged if one.update.name not in free]
    told = explain(telling, *(_schedule(n, before, behind) for n in (0, 1)))
    notes = (*_free_note(free), *told.notes, *_unjudged(judged), *_strangers(optimizers))
    if wrong and _only_eps(judged, told.causes):
        notes = (
            *(f"{cause.sentence}: a difference of {_overall(judged):.1e} in these updates" for cause in told.causes),
            *notes,
        )
        wrong = []
    if wrong:
        origins = _origins(case, judged, wrong, told.causes, (optimizers[0], optimizers[1]))
        return UpdatePhase(PhaseRow("diverged", apart), (*origins, *statistics), notes)
    decided = frozenset(
        one.pair.places[0]
        for one in judged
        if one.finding.by == "rule" or one.finding.verdict == "agree" or one.update.name in free
    )
    moved = _moved_otherwise(case, traces, pairs, decided) if fresh else ()
    if statistics or moved:
        return UpdatePhase(PhaseRow("diverged", apart), (*moved, *statistics), notes)
    known = any(one.finding.verdict == "agree" for one in judged)
    return UpdatePhase(PhaseRow("agree" if known else "not judged", apart, "" if known else _why(judged)), (), notes)


def _only_eps(judged: Sequence[_Judged], causes: Sequence[UpdateCause]) -> bool:
    """Is the place of a small eps all that differs? Both frameworks have their own, nobody can write it otherwise, and
    with the usual eps it shows only where gradients are small."""
    return bool(causes) and all(cause.name == "eps_placement" for cause in causes) and _overall(judged) <= _OF_EPS


def _overall(judged: Sequence[_Judged]) -> float:
    """How far all updates together are off, relative to their size."""
    squares = error = 0.0
    for one in judged:
        side = one.update.candidate
        if side.before is None or side.after is None or one.finding.relative is None:
            continue
        size = float(np.sum((side.after.astype(np.float64) - side.before) ** 2))
        squares, error = squares + size, error + size * one.finding.relative**2
    return math.sqrt(error / squares) if squares else 1.0


# --------------------------------------------------------------------------------------------------------------------
# What each side had
# --------------------------------------------------------------------------------------------------------------------


def _by_place(rules: Sequence[RuleMeaning]) -> dict[Place, RuleMeaning]:
    return {place: rule for rule in rules for place in rule.parameters}


def _side(trace: StepTrace, place: Place) -> SideUpdate:
    step = trace.step
    value = step.parameters_before.get(place)
    return SideUpdate(
        before=_array(trace, value),
        after=_array(trace, step.parameters_after.get(place)),
        gradient=_array(trace, step.update_gradients.get(place)),
        state_before=_state(trace, step.state_before, place),
        state_after=_state(trace, step.state_after, place),
        resolution=2 * rounding(value.dtype) if value is not None and value.dtype in {"bfloat16", "float16"} else None,
    )


def _array(trace: StepTrace, value: Value | None) -> Array | None:
    if value is None:
        return None
    if value.kind == "scalar" and isinstance(value.literal, bool | int | float):
        return np.asarray(value.literal, np.float64)
    if value.stored is None:
        return None
    array = trace.recorded(value)
    return array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind not in "iub" else array


def _state(trace: StepTrace, state: Mapping[tuple[str, str, str], Value], place: Place) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for (path, name, key), value in state.items():
        if (path, name) in (place, ("", "")):
            array = _array(trace, value)
            if array is not None:
                found[key] = array
    return found


def _schedule(side: int, before: tuple[Step, Step] | None, behind: tuple[Step, Step] | None) -> Schedule:
    rates = [pair[side].measures.learning_rates if pair is not None else () for pair in (before, behind)]
    return Schedule(*(rate[0] if len(set(rate)) == 1 else None for rate in rates))


# --------------------------------------------------------------------------------------------------------------------
# What is said
# --------------------------------------------------------------------------------------------------------------------


def _origins(
    case: Case,
    judged: Sequence[_Judged],
    wrong: Sequence[_Judged],
    causes: Sequence[UpdateCause],
    optimizers: tuple[Optimizer, Optimizer],
) -> tuple[Origin, ...]:
    """One origin for all that the same causes explain, at the first parameter or its group."""
    by_name = {one.update.name: one for one in judged}
    found: list[Origin] = []
    told: set[str] = set()
    explained: dict[tuple[str, ...], list[UpdateCause]] = {}
    for cause in causes:
        explained.setdefault(cause.parameters, []).append(cause)
    for names, own in explained.items():
        here = [by_name[n] for n in names if n in by_name] or list(wrong)
        told.update(one.update.name for one in here)
        found.append(_origin(case, judged, here, own, optimizers))
    left = [one for one in wrong if one.update.name not in told]
    if left:
        found.append(_origin(case, judged, left, (), optimizers))
    return tuple(found)


def _origin(
    case: Case,
    judged: Sequence[_Judged],
    here: Sequence[_Judged],
    causes: Sequence[UpdateCause],
    optimizers: tuple[Optimizer, Optimizer],
) -> Origin:
    first = here[0]
    group = _group(optimizers[0], first.pair.places[0])
    setting = bool(causes) and causes[0].name not in _NO_SETTING
    worst = max(here, key=lambda one: one.finding.relative or 0.0)
    size, allowed = worst.finding.relative, worst.finding.allowed or 0.0
    difference = Difference(1.0 if size is None else size, allowed)
    said = tuple(
        Cause("optimizer", c.name, c.reference, c.candidate, edit=c.edit_hint, sentence=c.sentence) for c in causes
    ) or (Cause("optimizer", "update", sentence=_unlike(worst)),)
    count = f"{len(here)} of {len(judged)} parameters" if len(judged) > 1 else ""
    if setting and group is not None:
        other = _group(optimizers[1], first.pair.places[1])
        spots: tuple[Spot | None, Spot | None] = (_group_spot(optimizers[0], group), _group_spot(optimizers[1], other))
        return Origin("update", "group", spots[0], spots[1], difference, None, said, sentence=count)
    own = parameter_spot(case, 0, first.pair), parameter_spot(case, 1, first.pair)
    return Origin("update", "parameter", *own, difference, None, said, sentence=count)


def _unlike(one: _Judged) -> str:
    finding = one.finding
    reason = f" ({finding.reason})" if finding.reason else ""
    states = [state.word for state in finding.states if state.verdict == "differ"]
    if states and (finding.relative or 0.0) <= (finding.allowed or 0.0):
        return f"the update is the same, what is remembered of it is not: {', '.join(states)}"
    return f"no rule that is known makes the candidate's numbers of what its optimizer was given{reason}"


def _group(optimizer: Optimizer, place: Place) -> int | None:
    return next((n for n, group in enumerate(optimizer.groups) if place in group.parameters), None)


def _group_spot(optimizer: Optimizer, number: int | None) -> Spot:
    source = optimizer.source
    return Spot(
        f"optimizer.groups.{number or 0}",
        None,
        optimizer.kind,
        str(source) if source is not None else None,
        source.text if source is not None else None,
    )


def _free(case: Case, traces: tuple[StepTrace, StepTrace], judged: Sequence[_Judged]) -> list[str]:
    """Names of parameters whose gradients are rounding on both sides: what an optimizer makes of them says nothing."""
    names = []
    for one in judged:
        values = [t.step.parameter_gradients.get(place) for t, place in zip(traces, one.pair.places, strict=True)]
        if values[0] is None or values[1] is None:
            continue
        scaled = [t.skeleton.steps[0].parameter_gradients[p] for t, p in zip(traces, one.pair.places, strict=True)]
        sizes = [v.statistics.l2 or 0.0 for v in scaled if v.statistics is not None]
        floor = informative_floor(case, one.pair.layers[0], values[0].dtype)
        if len(sizes) == 2 and 0.0 < max(sizes) <= floor:
            names.append(one.update.name)
    return names


def _free_note(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    many, them = ("their gradients are", "them") if len(names) > 1 else ("its gradient is", "it")
    said = f"{many} rounding (zero in theory), so updates of {them} may differ by full steps"
    return [f"free of information: {shown}: {said}"]


def _unjudged(judged: Sequence[_Judged]) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for one in judged:
        if one.finding.reason and one.finding.verdict != "differ":
            reasons.setdefault(one.finding.reason, []).append(one.update.name)
    return [
        f"{reason}: {', '.join(names[:3])}" + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for reason, names in reasons.items()
        if "neither side changed" not in reason
    ]


def _why(judged: Sequence[_Judged]) -> str:
    return next((one.finding.reason for one in judged if one.finding.reason), "no parameter that both have was updated")


# --------------------------------------------------------------------------------------------------------------------
# Besides the rule
# --------------------------------------------------------------------------------------------------------------------


def _skipped(case: Case, pairs: Sequence[PairedParameter], steps: tuple[Step, Step]) -> Origin | None:
    """An update that only one side made."""
    made = [step.updates for step in steps]
    if made[0] != made[1] and all(made) and pairs and all(step.ended for step in steps):
        said = f"the reference updates {made[0]} times in this step, the candidate {made[1]} times"
        cause = Cause("optimizer", "updates", made[0], made[1], sentence=said, edit="call the optimizer as often")
        spots = parameter_spot(case, 0, pairs[0]), parameter_spot(case, 1, pairs[0])
        return Origin("update", "parameter", *spots, None, None, (cause,), sentence=said)
    if bool(made[0]) == bool(made[1]) or not pairs or not all(step.ended for step in steps):
        return None
    side = 0 if not made[0] else 1
    if steps[1 - side].optimizer is None:
        return None
    scale = steps[side].measures.scale
    why = f" at loss scale {scale:g}: did it find an overflow?" if scale not in (None, 1.0) else ""
    said = f"the {SIDES[side]} made no update in this step{why}"
    trained = [pair.places[side] for pair in pairs if pair.parameters[side].trainable]
    states = [(steps[side].parameters_before.get(p), steps[side].parameters_after.get(p)) for p in trained]
    if any(was is not None and now is not None and was.digest != now.digest for was, now in states):
        said = f"the optimizer that was watched in the {SIDES[side]} made no update in this step, and yet parameters "
        said += "changed: by another optimizer?"
    cause = Cause("optimizer", "skipped", made[0], made[1], sentence=said, edit="look at the gradients for Inf and NaN")
    spots = parameter_spot(case, 0, pairs[0]), parameter_spot(case, 1, pairs[0])
    return Origin("update", "parameter", *spots, None, None, (cause,), sentence=said)


def _moved_otherwise(
    case: Case, traces: tuple[StepTrace, StepTrace], pairs: Sequence[PairedParameter], decided: frozenset[Place]
) -> tuple[Origin, ...]:
    """Parameters that no rule speaks of (another optimizer updates them, or only statistics were kept), and that the
    step moved otherwise than what their gradients differ by explains. The first of them, and how many there are."""
    found: list[tuple[PairedParameter, float, float]] = []
    for pair in pairs:
        if pair.places[0] in decided or not all(p.trainable for p in pair.parameters):
            continue
        apart = _moves_apart(traces, pair)
        if apart is not None and apart[0] > 0.05 + 25 * apart[1]:
            found.append((pair, *apart))
    if not found:
        return ()
    pair, size, inherited = found[0]
    more = f" and {len(found) - 1} more parameters" if len(found) > 1 else ""
    said = f"{parameter_name(pair)}{more} moved otherwise than in the reference, by no watched optimizer's rule"
    cause = Cause("optimizer", "update", sentence=said, edit="compare what updates them on both sides")
    spots = parameter_spot(case, 0, pair), parameter_spot(case, 1, pair)
    return (Origin("update", "parameter", *spots, Difference(size, 0.05 + 25 * inherited), inherited, (cause,)),)


def _moves_apart(traces: tuple[StepTrace, StepTrace], pair: PairedParameter) -> tuple[float, float] | None:
    """How far apart both sides' changes of a parameter are, relative to the reference's, and their gradients. None
    where that cannot be told; from statistics alone only that the parameters after the step differ."""
    steps = traces[0].step, traces[1].step
    before = [step.parameters_before.get(place) for step, place in zip(steps, pair.places, strict=True)]
    after = [step.parameters_after.get(place) for step, place in zip(steps, pair.places, strict=True)]
    if after[0] is None or after[1] is None or (after[0].digest is not None and after[0].digest == after[1].digest):
        return None
    sent = [step.parameter_gradients.get(place) for step, place in zip(steps, pair.places, strict=True)]
    arrays = [_array(traces[n % 2], v) for n, v in enumerate((*before, *after, *sent))]
    r0, c0, r1, c1, rg, cg = arrays
    if r0 is None or c0 is None or r1 is None or c1 is None:
        return _statistics_apart(after[0], after[1], before[0])
    if not r0.size == c0.size == r1.size == c1.size:
        return None
    ours = np.ravel(r1).astype(np.float64) - np.ravel(r0)
    theirs = np.ravel(c1).astype(np.float64) - np.ravel(c0)
    size = float(np.linalg.norm(ours))
    rounded = 8 * rounding(str(r0.dtype)) * float(np.linalg.norm(r1))
    off = float(np.linalg.norm(theirs - ours))
    inherited = 1.0 if rg is None or cg is None else relative_difference(rg, cg)
    if off <= rounded or inherited is None:
        return None
    return (off / size if size else 1.0), (0.0 if rg is None and cg is None else inherited)


def _statistics_apart(r: Value, c: Value, before: Value | None) -> tuple[float, float] | None:
    """From what is known without arrays: how far the sizes after the step are apart, relative to what it changed."""
    if r.statistics is None or c.statistics is None or before is None or before.statistics is None:
        return None
    sample = [np.asarray(v.statistics.sample) for v in (r, c, before) if v.statistics is not None]
    if len({len(one) for one in sample}) > 1 or not len(sample[0]):
        return None
    size = float(np.linalg.norm(sample[0] - sample[2]))
    off = float(np.linalg.norm(sample[1] - sample[0]))
    if off <= 8 * rounding(r.dtype) * float(np.linalg.norm(sample[0])):
        return None
    return (off / size if size else 1.0), 0.0


def _strangers(optimizers: Sequence[Optimizer | None]) -> list[str]:
    """Parameters of an optimizer that are in no layer of the net."""
    said = []
    for word, optimizer in zip(SIDES, optimizers, strict=True):
        count = sum(group.strangers for group in optimizer.groups) if optimizer is not None else 0
        if count:
            many = "parameters" if count > 1 else "parameter"
            said.append(f"{count} {many} of the {word}'s optimizer lie in no layer of the net: they were not compared")
    return said


def _moving_statistics(
    case: Case, traces: tuple[StepTrace, StepTrace], pairs: Sequence[PairedParameter]
) -> tuple[Origin, ...]:
    """Buffers that a step changes (moving mean and variance): changed alike on both sides?"""
    found: dict[CallId, Origin] = {}
    for pair in pairs:
        values = [
            (_array(t, t.step.parameters_before.get(p)), _array(t, t.step.parameters_after.get(p)))
            for t, p in zip(traces, pair.places, strict=True)
        ]
        if any(p.trainable for p in pair.parameters) or any(a is None or b is None for a, b in values):
            continue
        (r0, r1), (c0, c1) = values
        if r0 is None or r1 is None or c0 is None or c1 is None or r0.size != c0.size or r0.dtype.kind != "f":
            continue
        ours, theirs = (np.ravel(b).astype(np.float64) - np.ravel(a) for a, b in ((r0, r1), (c0, c1)))
        size = max(float(np.linalg.norm(ours)), float(np.linalg.norm(theirs)))
        off = float(np.linalg.norm(theirs - ours))
        inherited = float(np.linalg.norm(np.ravel(c0).astype(np.float64) - np.ravel(r0)))
        floor = 8 * rounding(str(r0.dtype)) * float(np.linalg.norm(r1)) + _by_input(case, pair.layers, r0.size)
        if not size or off <= max(_MOVED_ALIKE * size, 3 * inherited, floor) or pair.layers[0] in found:
            continue
        nodes = case.graphs[0].nodes.get(pair.layers[0]), case.graphs[1].nodes.get(pair.layers[1])
        causes: list[Cause] = []
        if nodes[0] is not None and nodes[1] is not None:
            causes = setting_causes(case.comparison, nodes[0], nodes[1], quiet=True)
        factor = float(ours @ theirs) / float(ours @ ours) if ours.any() else math.inf
        said = f"{pair.name} moves {factor:.3g} times as far in the candidate" if math.isfinite(factor) else (
            f"{pair.name} moves in the candidate only"
        )  # fmt: skip
        if not theirs.any():
            said = f"{pair.name} does not move in the candidate"
        causes = causes or [Cause("code", pair.name, sentence=said)]
        spots = spot(case, 0, pair.layers[0]), spot(case, 1, pair.layers[1])
        difference = Difference(off / max(float(np.linalg.norm(ours)), 1e-300), _MOVED_ALIKE)
        found[pair.layers[0]] = Origin("update", "layer", *spots, difference, None, tuple(causes), sentence=said)
    return tuple(found.values())


def _by_input(case: Case, layers: tuple[CallId, CallId], count: int) -> float:
    """The L2 by which statistics of what came into a layer may differ, as that itself does: by its error in the mean,
    by twice its spread times its error in the variance."""
    most = 0.0
    for node_id, partner in case.alignment.candidate_of.items():
        if node_id.path != layers[0].path or node_id not in case.graphs[0].nodes:
            continue
        point = Point(node_id, partner, "in")
        difference = case.comparison.judge(point) if point in case.flow.graph else None
        given = next((v.statistics for v in case.graphs[0].nodes[node_id].inputs if v.statistics), None)
        if difference is None or difference.rms_error is None or given is None or not given.count:
            continue
        spread = (given.l2 or 0.0) / math.sqrt(given.count)
        most = max(most, difference.rms_error * max(1.0, 2 * spread) * math.sqrt(count))
    return most


def _apart(traces: tuple[StepTrace, StepTrace], pairs: Sequence[PairedParameter]) -> float | None:
    """Relative L2 of all parameters after the step."""
    squares = error = 0.0
    seen = False
    for pair in pairs:
        values = [t.step.parameters_after.get(p) for t, p in zip(traces, pair.places, strict=True)]
        if values[0] is None or values[1] is None or values[0].statistics is None:
            continue
        seen = True
        squares += (values[0].statistics.l2 or 0.0) ** 2
        if values[0].digest == values[1].digest:
            continue
        r, c = _array(traces[0], values[0]), _array(traces[1], values[1])
        if r is not None and c is not None and r.size == c.size:
            error += float(np.sum((np.ravel(c).astype(np.float64) - np.ravel(r)) ** 2))
    return math.sqrt(error / squares) if squares else (0.0 if seen else None)
