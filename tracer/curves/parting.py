"""Where two curves part beyond the noise of both: pure thinking on two series.

Both sides saw the same batches, so what counts is the difference of the points of one step. Two right ports begin equal
but for rounding, and rounding grows from step to step, for training is chaotic; it grows to about the noise of the
curves and stays there. So the difference counts where it

- *jumps*: in one step it grows a hundredfold beyond all that it was in the last 50 points, and stays (the median of 5);
- *leaves the noise*: the median of the signed difference over 7, 31 or 101 points in a row is larger than six times
  what it would be by chance in two independent curves as noisy as these, and than two hundredths of their size;
- is there *from the beginning*, where there is nothing yet that could have grown.

How the limits were found is told in docs/decisions/0010-where-curves-part.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tracer.curves import noise
from tracer.curves.measures import LEARNING_RATE
from tracer.curves.noise import Floats
from tracer.curves.series import Series

State = Literal["equal", "drifting", "apart", "parted"]
How = Literal["", "beginning", "jump", "noise", "grew", "not finite", "value", "end"]
Verdict = Literal["agree", "diverged", "unsure"]
Steps: TypeAlias = NDArray[np.int64]

ROUNDING = 1e-6
"""Relative difference that the rounding of float32 makes within a step."""

JUMP = 100.0
"""How much the difference may grow in one step and still be rounding: ReLU's kinks gave up to 50 in right ports."""

PER_STEP = 1.5
"""How much more for each further step between two points that were kept."""

SURE = 1e-3
"""Part of the curves' size that a difference reaches after a jump, or the jump is told and not taken for proof."""

STAYS = 5
REMEMBERED = 50
REDUCED = 1e-2
"""Relative difference that float16 and bfloat16 explain."""

LIKE = 0.5
"""Below this part of the curves' noise the difference has so little of its own that both must have seen one batch."""

CHANCE = 6.0
"""Standard deviations of a median that chance does not reach."""

WINDOWS = (7, 31, 101)
VISIBLE = 0.02
"""Below this part of the curves' size a difference that grew is not called parted, however smooth the curves are."""

SUDDEN = 20.0
"""Growth within a step by which what left the noise is called a jump."""

SAME_RATE = 1e-5
"""A learning rate is computed, not measured: it has no noise and no chaos."""

_MEDIAN_OF_TWO = 1.2533 * 2**0.5


@dataclass(frozen=True, slots=True)
class Parting:
    """How the curves of one measure stand to each other.

    `step` is where they part (None where they do not); `about` how many steps earlier or later that may be; `how` says
    by what it was told. `begins` is the first step with a difference that the numbers as they were written can show,
    `largest` the largest relative difference and `largest_at` its step; `growth` the factor per step by which the
    difference grew while it grew. `noise`, `band` are by common step: the noise of both, and what counted as beyond it.
    """

    measure: str
    state: State
    verdict: Verdict
    how: How = ""
    step: int | None = None
    about: int = 0
    relative: float | None = None
    begins: int | None = None
    largest: float = 0.0
    largest_at: int | None = None
    growth: float | None = None
    not_finite: tuple[int | None, int | None] = (None, None)
    steps: tuple[int, ...] = ()
    reference: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    noise: tuple[float, ...] = ()
    band: tuple[float, ...] = ()
    only_reference: tuple[int, ...] = ()
    only_candidate: tuple[int, ...] = ()


def parting(reference: Series, candidate: Series) -> Parting | None:
    """Hold one curve against the other; None where they have no step in common.

    Args:
        reference, candidate: curves of one measure; steps that only one of them has are told apart.
    """
    ours = dict(zip(reference.steps, reference.values, strict=True))
    theirs = dict(zip(candidate.steps, candidate.values, strict=True))
    common = [step for step in reference.steps if step in theirs]
    if not common:
        return None
    a, b = (np.array([side[step] for step in common], dtype=np.float64) for side in (ours, theirs))
    bad = _first(~np.isfinite(a)), _first(~np.isfinite(b))
    end = min((at for at in bad if at is not None), default=len(common))
    unit = np.array([reference.precision.unit(x) + candidate.precision.unit(y) for x, y in zip(a, b, strict=True)])
    found = _judged(reference.measure, np.array(common)[:end], a[:end], b[:end], unit[:end])
    if bad[0] != bad[1] and found.verdict != "diverged":
        found = replace(found, state="parted", verdict="diverged", how="not finite", step=common[end], about=0)
    return replace(
        found,
        not_finite=(_at(common, bad[0]), _at(common, bad[1])),
        steps=tuple(common),
        reference=tuple(a.tolist()),
        candidate=tuple(b.tolist()),
        only_reference=tuple(step for step in reference.steps if step not in theirs),
        only_candidate=tuple(step for step in candidate.steps if step not in ours),
    )


def _judged(measure: str, steps: Steps, a: Floats, b: Floats, unit: Floats) -> Parting:
    """The verdict on points that are finite on both sides; `unit` is how finely they were written."""
    if not len(steps):
        return Parting(measure, "equal", "unsure")
    with np.errstate(all="ignore"):  # curves that run away are as large as numbers get
        points = _points(measure, steps, a, b, unit)
        found = _parted(points) or _together(points)
        relative = points.distance / points.size
    seen = _first(points.distance > points.floor)
    return replace(
        found,
        begins=None if seen is None else int(steps[seen]),
        largest=float(relative.max()),
        largest_at=int(steps[relative.argmax()]) if relative.any() else None,
        growth=_growth(points),
        noise=tuple(points.noise.tolist()),
        band=tuple(points.band(WINDOWS[0]).tolist()),
    )


# --------------------------------------------------------------------------------------------------------------------
# Points
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Points:
    """What is known at each common step: arrays of one length. `floor` is the difference that is none."""

    measure: str
    steps: Steps
    signed: Floats
    distance: Floats
    noise: Floats
    size: Floats
    floor: Floats

    def band(self, window: int) -> Floats:
        """What the median of the signed difference over a window stays within."""
        chance = CHANCE * _MEDIAN_OF_TWO / window**0.5 * self.noise
        return np.maximum(np.maximum(chance, VISIBLE * self.size), self.floor)


def _points(measure: str, steps: Steps, a: Floats, b: Floats, unit: Floats) -> _Points:
    both = np.sqrt((noise.spread(a) ** 2 + noise.spread(b) ** 2) / 2)
    size = np.maximum(noise.size((np.abs(a) + np.abs(b)) / 2), both)
    size = np.where(size > 0, size, 1.0)
    rounding = SAME_RATE if measure == LEARNING_RATE else ROUNDING
    floor = np.maximum(rounding * size, unit)
    return _Points(measure, steps, a - b, np.abs(a - b), both, size, floor)


def _before(points: _Points) -> Floats:
    """The largest difference of the `REMEMBERED` points before each, and what is none at least."""
    padded = np.concatenate([np.zeros(REMEMBERED), points.distance[:-1]])
    largest = np.lib.stride_tricks.sliding_window_view(padded, REMEMBERED).max(axis=1)
    return np.maximum(largest, points.floor)


def _growth(points: _Points) -> float | None:
    """The factor per step from where a difference is first seen to where it is largest; None where it hardly grew."""
    first, last = _first(points.distance > points.floor), int(points.distance.argmax())
    if first is None or last <= first:
        return None
    factor = float(points.distance[last] / max(points.distance[first], points.floor[first]))
    return factor ** (1 / float(points.steps[last] - points.steps[first])) if factor > 10 else None


# --------------------------------------------------------------------------------------------------------------------
# Verdicts
# --------------------------------------------------------------------------------------------------------------------


def _together(points: _Points) -> Parting:
    """Nothing told that they part."""
    equal = bool((points.distance <= points.floor).all())
    return Parting(points.measure, "equal" if equal else "drifting", "agree")


def _parted(points: _Points) -> Parting | None:
    """The first step that tells that they part, and by what."""
    if points.measure.partition(".")[0] == LEARNING_RATE:
        at = _first(points.distance > points.floor)
        return None if at is None else _at_step(points, at, "value")
    jump, left = _jump(points), _out_of_noise(points)
    if jump is not None and (left is None or jump <= left[0]):
        return _by_jump(points, jump, None if left is None else left[0])
    if left is None:
        return None
    at, about = left
    if jump is not None and jump <= at + about:
        return _by_jump(points, jump, at)
    if points.distance[at] > SUDDEN * _before(points)[at]:
        return _at_step(points, at, "jump")
    began = np.median(points.distance[:STAYS] / points.size[:STAYS])
    if at >= STAYS and began < ROUNDING * JUMP:
        return replace(_at_step(points, at, "grew", about), verdict="unsure")
    return _at_step(points, at, "noise", about)


def _by_jump(points: _Points, at: int, left: int | None) -> Parting | None:
    """What a jump means: at the first point there was nothing before it, at the last ones it is not known to stay."""
    if at == 0:
        return _from_the_beginning(points, left)
    if len(points.steps) - at < 3:
        return replace(_at_step(points, at, "end"), state="apart", verdict="unsure")
    found = _at_step(points, at, "jump")
    small = left is None and points.distance[at : at + REMEMBERED].max() < SURE * points.size[at]
    return replace(found, state="apart", verdict="unsure") if small else found


def _from_the_beginning(points: _Points, left: int | None) -> Parting:
    """Apart at the first point: a fault, fewer digits than float32 has, or other batches.

    Where the difference is far less noisy than the curves, or there is too little to tell, both saw the same batches.
    """
    relative = float(np.median(points.distance[:STAYS] / points.size[:STAYS]))
    first = slice(0, noise.WINDOW)
    own = float(np.median(noise.spread(points.signed[first])))
    alike = own < LIKE * float(np.median(points.noise[first])) or len(points.steps) < noise.LEAST
    found = _at_step(points, 0, "beginning")
    if alike and relative > REDUCED:
        return found
    if left is not None:
        return found if left < STAYS else _at_step(points, left, "noise", WINDOWS[-1] // 2)
    return replace(found, state="apart", verdict="unsure")


def _jump(points: _Points) -> int | None:
    """The first point where the difference jumps and stays."""
    gap = np.diff(points.steps, prepend=min(1, points.steps[0]) - 1)
    limit = _before(points) * JUMP * PER_STEP ** np.minimum(np.maximum(gap - 1, 0), 500)
    for at in np.flatnonzero(points.distance > limit):
        if np.median(points.distance[at : at + STAYS]) > limit[at]:
            return int(at)
    return None


def _out_of_noise(points: _Points) -> tuple[int, int] | None:
    """The first point of a stretch beyond the noise of both, and how many points earlier or later that may be."""
    found: list[tuple[int, int]] = []
    for window in WINDOWS:
        if window > len(points.steps):
            break
        middles = noise.medians(points.signed, window)
        band = points.band(window)
        inside = band[window // 2 : window // 2 + len(middles)]
        at = _first(np.abs(middles) > inside)
        if at is not None:
            stretch = slice(at, at + window)
            beyond = points.signed[stretch] * np.sign(middles[at]) > band[stretch]
            found.append((at + int(beyond.argmax()), window // 2))
    return min(found, default=None)


def _at_step(points: _Points, at: int, how: How, about: int = 0) -> Parting:
    steps = points.steps
    around = int(max(steps[min(at + about, len(steps) - 1)] - steps[at], steps[at] - steps[max(at - about, 0)]))
    relative = float(points.distance[at] / points.size[at])
    return Parting(points.measure, "parted", "diverged", how, int(steps[at]), around, relative)


def _first(flags: NDArray[np.bool_]) -> int | None:
    return int(flags.argmax()) if flags.any() else None


def _at(steps: list[int], at: int | None) -> int | None:
    return None if at is None else steps[at]
