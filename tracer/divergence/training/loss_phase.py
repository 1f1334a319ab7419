"""The phase `loss`: what each net's loss was, the outputs being equal, and what was sent back from it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tracer.divergence.case import Case
from tracer.divergence.causes import Cause
from tracer.divergence.metrics import MARGIN, Array, Difference, rounding
from tracer.divergence.phases import Phase
from tracer.divergence.places import Origin
from tracer.divergence.training.losses import LossCause, LossFinding, LossSide, explain_loss, side_of
from tracer.divergence.training.start import loss_spot
from tracer.divergence.training.step_trace import StepTrace, scale_of
from tracer.divergence.training.steps import PhaseRow
from tracer.divergence.training.targets import targets_of
from tracer.trace.schema import LossTaken, Step, Value

_LEAST = 1e-5
"""Relative difference of two losses that rounding alone may make: logarithms and sums in two orders."""


@dataclass(frozen=True)
class LossPhase:
    """What the phase shows."""

    row: PhaseRow
    origins: tuple[Origin, ...] = ()
    notes: tuple[str, ...] = ()


def judge_losses(case: Case, traces: tuple[StepTrace, StepTrace], forward: float, *, fresh: bool) -> LossPhase:
    """Compare the losses of a step.

    Args:
        case: both sides, aligned.
        traces: the step of each side.
        forward: how far the outputs are apart (relative L2).
        fresh: does the step begin from the same weights? Else what nobody can explain is taken for drift.
    """
    ours, theirs = (trace.step.losses for trace in traces)
    if not ours or not theirs:
        lone = "" if not ours and not theirs else f" in the {'reference' if not ours else 'candidate'}"
        return LossPhase(PhaseRow("not judged", None, f"no loss was named{lone}"))
    worst = 0.0
    notes: tuple[str, ...] = ()
    if len(ours) != len(theirs):
        step = traces[0].step.number
        notes = (f"the reference names {len(ours)} losses in step {step}, the candidate {len(theirs)}",)
    for n, (r, c) in enumerate(zip(ours, theirs, strict=False)):
        found = _difference(r, c, max(_LEAST, MARGIN * forward))
        if found is None:
            continue
        worst = max(worst, found.size)
        if not found.diverged:
            continue
        told = _explained(case, traces, n, (r, c), found.tolerance, max(len(ours), len(theirs)))
        between = _between(case, traces, (r, c), forward) if told is not None and told.inherited and fresh else None
        if told is not None and told.inherited and between is None:
            continue
        if not fresh and (told is None or not told.causes):
            continue
        causes = tuple(map(_cause, told.causes)) if told is not None else ()
        causes = (between,) if between is not None else causes
        causes = causes or (Cause("loss", "value", _mean(r), _mean(c), sentence=_values(r, c)),)
        origin = Origin("loss", "loss", loss_spot(r), loss_spot(c), found, forward, causes, sentence=_values(r, c))
        return LossPhase(PhaseRow("diverged", found.size), (origin,), notes)
    return LossPhase(PhaseRow("agree", worst), (), notes)


def cancelled(case: Case, trace: StepTrace) -> float:
    """How many times larger than the gradient that a loss sends back the terms are that it makes it of: 1 / rows for
    each label (probability minus label), twice the predictions and targets over their number for numbers."""
    step, worst = trace.step, 1.0
    for number, id_ in enumerate(case.graphs[0].roots):
        if not step.losses:
            break
        loss = step.losses[min(number, len(step.losses) - 1)]
        node = case.graphs[0].nodes[id_]
        sent = [v.statistics.l2 for v in node.call.grad_outputs if v.statistics is not None and v.statistics.l2]
        given = [v.statistics for v in node.outputs if v.statistics is not None and rounding(v.dtype)]
        target = targets_of(loss)
        if not sent or not given or target is None or target.statistics is None:
            continue
        summed = loss.settings.get("reduction") in ("sum", 2)
        if rounding(target.dtype):
            size = 2 * ((given[0].l2 or 0.0) + (target.statistics.l2 or 0.0)) / (1 if summed else given[0].count)
        else:
            rows = max(target.statistics.count, 1)
            size = math.sqrt(rows) / (1 if summed else rows)
        worst = max(worst, size / min(sent))
    return worst


def _explained(
    case: Case,
    traces: tuple[StepTrace, StepTrace],
    number: int,
    losses: tuple[LossTaken, LossTaken],
    tolerance: float,
    passes: int,
) -> LossFinding | None:
    """What makes the candidate's number, from both sides' predictions and targets. Targets that only one side shows are
    taken to be those of the other, since the samples are the same."""
    sides: list[LossSide] = []
    targets = [_read(trace, targets_of(loss)) for trace, loss in zip(traces, losses, strict=True)]
    for n, (trace, loss) in enumerate(zip(traces, losses, strict=True)):
        side = side_of(loss, case.graphs[n].framework, lambda value, trace=trace: _read(trace, value))  # type: ignore[misc]
        if side is None:
            return None
        own = targets[n] if targets[n] is not None else targets[1 - n]
        sides.append(replace(side, predictions=_predictions(case, trace, n, number), targets=own))
    counts = {"backward passes": passes} if passes > 1 else {}
    return explain_loss(sides[0], sides[1], counts=counts, tolerance=tolerance)


def _between(
    case: Case, traces: tuple[StepTrace, StepTrace], losses: tuple[LossTaken, LossTaken], forward: float
) -> Cause | None:
    """Code between the net and the loss, where the loss is given other things although the outputs agree."""
    del case
    given = [next((v for v in loss.inputs if v.kind == "tensor" and rounding(v.dtype)), None) for loss in losses]
    if given[0] is None or given[1] is None or all(v is not None and v.maker is not None for v in given):
        return None
    r, c = (_read(trace, v) for trace, v in zip(traces, given, strict=True))
    if r is None or c is None:
        return None
    said = "the outputs of the nets agree, what the losses are given does not: code between the net and the loss"
    if r.size == c.size:
        a, b = np.ravel(r).astype(np.float64), np.ravel(c).astype(np.float64)
        size = float(np.linalg.norm(b - a)) / max(float(np.linalg.norm(a)), 1e-300)
        if size <= max(1e-3, MARGIN * forward):
            return None
        factor = float(a @ b) / max(float(a @ a), 1e-300)
        if np.linalg.norm(b - factor * a) <= 1e-4 * np.linalg.norm(b):
            said += f" multiplies it with {factor:.4g} in the candidate"
    return Cause("code", "between", sentence=said, edit="compare the lines between the net's output and the loss")


def _predictions(case: Case, trace: StepTrace, side: int, number: int) -> Array | None:
    """What the net returned in this part of the step, where that is one float tensor."""
    roots = case.graphs[side].roots
    if not roots:
        return None
    node = case.graphs[side].nodes[roots[min(number, len(roots) - 1)]]
    floats = [value for value in node.outputs if rounding(value.dtype)]
    return _read(trace, floats[0]) if len(floats) == 1 else None


def _read(trace: StepTrace, value: Value | None) -> Array | None:
    if value is None or value.stored is None:
        return None
    array = trace.recorded(value)
    return array.astype(np.float32) if array.dtype.itemsize < 4 and array.dtype.kind not in "iub" else array


def _cause(found: LossCause) -> Cause:
    return Cause(
        "loss",
        found.name,
        _said(found.reference),
        _said(found.candidate),
        proven=found.proven,
        edit=found.edit_hint,
        sentence=found.sentence,
    )


def _said(value: object) -> str | float | int | bool | None:
    return value if value is None or isinstance(value, str | float | int | bool) else str(value)


def _mean(loss: LossTaken) -> float | None:
    return loss.value.statistics.mean if loss.value.statistics is not None else None


def _values(r: LossTaken, c: LossTaken) -> str:
    a, b = _mean(r), _mean(c)
    return f"the losses are {a:.6g} and {b:.6g}" if a is not None and b is not None else "the losses differ"


def _difference(r: LossTaken, c: LossTaken, allowed: float) -> Difference | None:
    a, b = _mean(r), _mean(c)
    if a is None or b is None:
        return None
    counts = [loss.value.statistics.count for loss in (r, c) if loss.value.statistics is not None]
    problem = "shape" if len(set(counts)) > 1 else ""
    size = abs(b - a) / max(abs(a), 1e-30)
    return Difference(size, allowed, abs(b - a), problem=problem, shapes=(r.value.shape, c.value.shape))


def never_sent_back(steps: tuple[Step, Step]) -> Origin | None:
    """One side never went backward in the step."""
    went = [bool(step.parameter_gradients) or any(call.grad_outputs for call in step.calls) for step in steps]
    if went[0] == went[1] or not all(step.losses and step.ended and step.failed is None for step in steps):
        return None
    word = ("reference", "candidate")[went.index(False)]
    said = f"no gradient at all reached the net in the {word} in this step: was backward called?"
    cause = Cause("code", "backward", went[0], went[1], sentence=said, edit="go backward from the loss in each step")
    spots = loss_spot(steps[0].losses[0]), loss_spot(steps[1].losses[0])
    return Origin("backward", "loss", *spots, Difference(1.0, 0.0, problem="missing"), None, (cause,), sentence=said)


def sent_back_origin(steps: tuple[Step, Step], backward: Phase) -> Origin | None:
    """The losses agree, but what comes back from them into the outputs of the net does not."""
    for begin in backward.search.begins:
        if begin.point in backward.flow.given and steps[0].losses and steps[1].losses:
            said = "the losses agree, and what they send back into the output of the net does not"
            if begin.difference.problem == "nan":
                scales = [f"{scale_of(step.losses[0]):g}" for step in steps]
                said = "what the losses send back is not finite at the same places: an overflow? The loss scales are "
                said += f"{scales[0]} in the reference and {scales[1]} in the candidate"
            cause = Cause("code", "loss", sentence=said, edit="look at what lies between the net's output and the loss")
            spots = loss_spot(steps[0].losses[0]), loss_spot(steps[1].losses[0])
            return Origin(
                "backward", "loss", *spots, begin.difference, None, (cause,), sentence=said, point=begin.point
            )
    return None
