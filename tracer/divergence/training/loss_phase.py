"""The phase `loss`: what each net's loss was, the outputs being equal, and what was sent back from it."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.divergence.causes import Cause
from tracer.divergence.metrics import MARGIN, Difference
from tracer.divergence.phases import Phase
from tracer.divergence.places import Origin
from tracer.divergence.training.start import loss_spot
from tracer.divergence.training.steps import PhaseRow
from tracer.trace.schema import LossTaken, Step

_LEAST = 1e-5
"""Relative difference of two losses that rounding alone may make: logarithms and sums in two orders."""


@dataclass(frozen=True)
class LossPhase:
    """What the phase shows."""

    row: PhaseRow
    origins: tuple[Origin, ...] = ()
    notes: tuple[str, ...] = ()


def judge_losses(steps: tuple[Step, Step], forward: float, *, fresh: bool) -> LossPhase:
    """Compare the losses of a step. `forward` is how far the outputs are apart (relative L2)."""
    ours, theirs = steps[0].losses, steps[1].losses
    if not ours or not theirs:
        lone = "" if not ours and not theirs else f" in the {'reference' if not ours else 'candidate'}"
        return LossPhase(PhaseRow("not judged", None, f"no loss was named{lone}"))
    worst = 0.0
    notes: tuple[str, ...] = ()
    if len(ours) != len(theirs):
        notes = (f"the reference names {len(ours)} losses in step {steps[0].number}, the candidate {len(theirs)}",)
    for r, c in zip(ours, theirs, strict=False):
        found = _difference(r, c, max(_LEAST, MARGIN * forward))
        if found is None:
            continue
        worst = max(worst, found.size)
        if found.diverged and (fresh or found.size > 0.5):
            cause = Cause("loss", "value", _mean(r), _mean(c), sentence=f"the losses are {_mean(r)} and {_mean(c)}")
            origin = Origin("loss", "loss", loss_spot(r), loss_spot(c), found, forward, (cause,))
            return LossPhase(PhaseRow("diverged", found.size), (origin,), notes)
    return LossPhase(PhaseRow("agree", worst), (), notes)


def _mean(loss: LossTaken) -> float | None:
    return loss.value.statistics.mean if loss.value.statistics is not None else None


def _difference(r: LossTaken, c: LossTaken, allowed: float) -> Difference | None:
    a, b = _mean(r), _mean(c)
    if a is None or b is None:
        return None
    problem = (
        "shape"
        if r.value.statistics and c.value.statistics and r.value.statistics.count != c.value.statistics.count
        else ""
    )
    size = abs(b - a) / max(abs(a), 1e-30)
    return Difference(size, allowed, abs(b - a), problem=problem, shapes=(r.value.shape, c.value.shape))


def sent_back_origin(steps: tuple[Step, Step], backward: Phase) -> Origin | None:
    """The losses agree, but what comes back from them into the outputs of the net does not."""
    for begin in backward.search.begins:
        if begin.point in backward.flow.given and steps[0].losses and steps[1].losses:
            said = "the losses agree, and what they send back into the output of the net does not"
            cause = Cause("code", "loss", sentence=said, edit="look at what lies between the net's output and the loss")
            spots = loss_spot(steps[0].losses[0]), loss_spot(steps[1].losses[0])
            return Origin(
                "backward", "loss", *spots, begin.difference, None, (cause,), sentence=said, point=begin.point
            )
    return None
