"""One parameter's update judged: was the candidate's step the one that the reference's rule makes of what it was given?

The reference's rule, once it is seen to make the reference's own numbers, is applied to the candidate's parameter,
gradient and state. So what the candidate inherited, and gradients that are rounding, count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tracer.divergence.training.rule_meanings import RuleMeaning
from tracer.divergence.training.update_rules import Array, Updated, initial, states_in_common_words, updated

Recorded = np.ndarray[Any, Any]
Answer = Literal["agree", "differ", "cannot tell"]

_STEP_ROUNDING = 4.0
"""How many roundings an update's terms take, at most; measured over all classes: 0.3 of what this allows."""

_ONE_ELEMENT = 64.0
"""A single element that is this many times what rounding allows is a difference, however the others are."""

FLOOR_MARGIN = 4.0
"""How many times the rounding of a gradient is still rounding."""

_SCALARS = ("step", "mu_product", "eta", "mu", "fresh")


@dataclass(frozen=True)
class SideUpdate:
    """What one side's optimizer had of a parameter, and what it made of it. None is what was not recorded.

    `gradient` is as the optimizer got it. The states are by the optimizer's own names, those that belong to no
    parameter (a step count) included. `resolution` is the relative rounding of the parameter's dtype, where the arrays
    hold it in a wider one (bfloat16: 2 ** -8).
    """

    before: Recorded | None = None
    after: Recorded | None = None
    gradient: Recorded | None = None
    state_before: Mapping[str, Recorded] = field(default_factory=dict)
    state_after: Mapping[str, Recorded] = field(default_factory=dict)
    resolution: float | None = None

    @property
    def moved(self) -> bool | None:
        """Did the update change anything? None where that was not recorded."""
        if self.before is None or self.after is None:
            return None
        return not np.array_equal(self.before, self.after, equal_nan=self.before.dtype.kind in "fc")

    @property
    def eps(self) -> float:
        """The relative rounding of the parameter."""
        kind = self.before.dtype if self.before is not None else np.dtype(np.float32)
        own = float(np.finfo(kind).eps) if kind.kind == "f" else float(np.finfo(np.float32).eps)
        return max(own, self.resolution or 0.0)


@dataclass(frozen=True)
class ParameterUpdate:
    """A pair of parameters in one step. A rule is None where the side's optimizer does not hold the parameter.

    `floor` is the rounding of the candidate's gradient, absolute (one number, or one for each element), where it is
    known: elements that are not above it say nothing, and what the optimizer makes of them is not judged.
    """

    name: str
    reference: SideUpdate
    candidate: SideUpdate
    reference_rule: RuleMeaning | None
    candidate_rule: RuleMeaning | None
    floor: Recorded | float | None = None

    @property
    def telling(self) -> Recorded | None:
        """Which elements of the candidate's gradient say something; None where that is not known."""
        gradient = self.candidate.gradient
        if self.floor is None or gradient is None:
            return None
        floor = np.asarray(self.floor, np.float64)
        floor = floor.reshape(gradient.shape) if floor.size == gradient.size else floor
        return np.asarray(np.abs(gradient.astype(np.float64)) > FLOOR_MARGIN * floor)


@dataclass(frozen=True)
class StateFinding:
    """One state after the update, by its common word (its own name where no rule is known)."""

    word: str
    verdict: Answer
    relative: float
    allowed: float


@dataclass(frozen=True)
class UpdateFinding:
    """How an update was judged: `by` the reference's rule, or (where that is not known, or not what the reference did)
    by holding both updates against each other. `relative` is the L2 of what the candidate's new parameter is off,
    relative to the size of its update, `allowed` what rounding (and, between updates, inheritance) makes of it."""

    verdict: Answer
    by: Literal["rule", "updates", "nothing"] = "nothing"
    relative: float | None = None
    allowed: float | None = None
    reason: str = ""
    states: tuple[StateFinding, ...] = ()


def judge(pair: ParameterUpdate) -> UpdateFinding:
    """Judge one parameter of one step; nothing is raised for what is missing, it is said."""
    reference, candidate = pair.reference, pair.candidate
    if reference.moved is None or candidate.moved is None:
        return UpdateFinding("cannot tell", reason="the parameter was not recorded before and after the update")
    if pair.reference_rule is None or pair.candidate_rule is None:
        return _held_by_one(pair)
    if reference.gradient is None or candidate.gradient is None:
        return _without_gradient(pair)
    if not pair.reference_rule.known:
        return _by_updates(pair, "no rule is known for the reference's optimizer " + pair.reference_rule.kind)
    if not makes_own_numbers(pair.reference, pair.reference_rule):
        return _by_updates(pair, f"the reference's own update is not by the rule of {pair.reference_rule.kind}")
    return _by_rule(pair, pair.reference_rule)


def makes_own_numbers(side: SideUpdate, rule: RuleMeaning) -> bool:
    """Does a rule make a side's own new parameter of what the side had?"""
    got = applied(rule, side, states_in_common_words(rule, side.state_before))
    return got is not None and off(side, got).within


def applied(rule: RuleMeaning, side: SideUpdate, state: Mapping[str, Array], scale: float = 1.0) -> Updated | None:
    """A rule applied to a side's parameter and gradient (times `scale`); None where they do not fit together."""
    if not rule.known or side.before is None or side.gradient is None or side.gradient.size != side.before.size:
        return None
    before = side.before.astype(np.float64)
    gradient = side.gradient.astype(np.float64).reshape(before.shape) * scale
    shaped = {}
    for word, value in state.items():
        if word in _SCALARS or value.size == before.size:
            shaped[word] = value if word in _SCALARS else value.reshape(before.shape)
    return updated(rule, before, gradient, shaped)


# --------------------------------------------------------------------------------------------------------------------
# Held against a prediction
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Off:
    """How far a new parameter is from a prediction: L2, what rounding allows of it, the size of the update, and the
    largest multiple of what rounding allows that a single element is off."""

    distance: float
    allowed: float
    size: float
    worst: float

    @property
    def within(self) -> bool:
        """Is it rounding?"""
        return self.distance <= self.allowed and self.worst <= _ONE_ELEMENT


def off(side: SideUpdate, got: Updated, telling: Recorded | None = None) -> Off:
    """How far a side's new parameter is from what a rule gives, in all elements or in those that tell something."""
    if side.before is None or side.after is None:
        return Off(np.inf, 0.0, 0.0, np.inf)
    before, after = side.before.astype(np.float64), side.after.astype(np.float64).reshape(got.parameter.shape)
    eps = side.eps
    work = max(float(np.finfo(np.float32).eps) if side.before.dtype != np.float64 else eps, eps)
    allowed = eps * (np.abs(got.parameter) + np.abs(before)) + got.size * (_STEP_ROUNDING * work + got.tremble) + 1e-37
    difference, step = after - got.parameter, np.asarray(got.parameter - before)
    if telling is not None:
        chosen = telling.reshape(difference.shape)
        difference, allowed, step = (np.where(chosen, part, 0.0) for part in (difference, allowed, step))
    return _off(difference, allowed, step, np.isfinite(got.parameter), after)


def _off(difference: Array, allowed: Array, step: Array, finite: Array, actual: Array) -> Off:
    # where the rule gives NaN or infinity, anything that is not finite is what was to come
    distance = np.where(finite, difference, np.where(np.isfinite(actual), np.inf, 0.0))
    allowed, step = np.where(finite, allowed, 0.0), np.where(finite, step, 0.0)
    with np.errstate(all="ignore"):
        worst = np.nan_to_num(np.abs(distance) / allowed, nan=0.0, posinf=np.inf)
    length = float(np.linalg.norm(distance)) if distance.size else 0.0
    length = np.inf if np.isnan(length) else length
    return Off(length, float(np.linalg.norm(allowed)), float(np.linalg.norm(step)), float(worst.max(initial=0.0)))


def begins(rule: RuleMeaning, state: Mapping[str, Array]) -> bool:
    """Has a rule not updated yet, as its state (in common words) tells?"""
    if "fresh" in state:
        return bool(np.max(state["fresh"]) > 0)
    if "step" in state:
        return bool(np.max(state["step"]) == 0)
    return all(np.array_equal(value, initial(rule, word, value.shape)) for word, value in state.items())


def expected_state(pair: ParameterUpdate) -> dict[str, Array]:
    """What the candidate was to remember before the step, in common words: what it does remember, since that was judged
    where it was made; but the reference's start where the reference starts, and the reference's own state where only
    the candidate starts (its state was lost)."""
    rule, other = pair.reference_rule, pair.candidate_rule
    if rule is None or other is None:
        return {}
    state = states_in_common_words(rule, pair.reference.state_before)
    if begins(rule, state):
        return {}
    own = states_in_common_words(other, pair.candidate.state_before)
    lost = not own or begins(other, own)
    kept = dict(state) if lost else {word: value for word, value in state.items() if word in _SCALARS} | own
    if not lost and "fresh" not in own:
        kept.pop("fresh", None)
    return kept


def gradient_scale(pair: ParameterUpdate) -> float:
    """What the candidate's gradient is to be multiplied with so that the reference's rule takes it: each optimizer may
    divide by a loss scale of its own."""
    if pair.reference_rule is None or pair.candidate_rule is None:
        return 1.0
    own = pair.candidate_rule.number("loss_scale", 1.0) or 1.0
    return (pair.reference_rule.number("loss_scale", 1.0) or 1.0) / own


def _by_rule(pair: ParameterUpdate, rule: RuleMeaning) -> UpdateFinding:
    got = applied(rule, pair.candidate, expected_state(pair), gradient_scale(pair))
    if got is None:
        return UpdateFinding("cannot tell", reason="the candidate's parameter and its gradient have other shapes")
    telling = pair.telling
    if telling is not None and not telling.any():
        return UpdateFinding("cannot tell", reason="its gradient is rounding and says nothing")
    found = off(pair.candidate, got, telling)
    states = state_findings(pair, got)
    same = found.within and all(state.verdict != "differ" for state in states)
    size = found.size or 1.0
    return UpdateFinding(
        "agree" if same else "differ", "rule", found.distance / size, found.allowed / size, states=states
    )


def state_findings(pair: ParameterUpdate, got: Updated) -> tuple[StateFinding, ...]:
    """States that both sides have, after the update, against what the rule makes of them."""
    if pair.candidate_rule is None:
        return ()
    after = states_in_common_words(pair.candidate_rule, pair.candidate.state_after)
    eps, found = float(np.finfo(np.float32).eps), []
    for word, expected in got.state.items():
        actual = after.get(word)
        if actual is None or actual.size != expected.size:
            continue
        sizes = got.sizes.get(word, np.abs(expected))
        allowed = np.broadcast_to(eps * (_STEP_ROUNDING * sizes + np.abs(expected)) + 1e-37, expected.shape)
        actual = actual.reshape(expected.shape)
        difference, telling = actual - expected, pair.telling
        if telling is not None and telling.size == expected.size:
            difference = np.where(telling.reshape(expected.shape), difference, 0.0)
        how = _off(difference, np.asarray(allowed), expected, np.isfinite(expected), actual)
        size = how.size or 1.0
        found.append(StateFinding(word, "agree" if how.within else "differ", how.distance / size, how.allowed / size))
    return tuple(found)


# --------------------------------------------------------------------------------------------------------------------
# Without a rule
# --------------------------------------------------------------------------------------------------------------------


def _held_by_one(pair: ParameterUpdate) -> UpdateFinding:
    if pair.reference.moved == pair.candidate.moved:
        return UpdateFinding("agree", "updates", reason="only one side's optimizer holds it, and it was not changed")
    side = "reference" if pair.candidate_rule is None else "candidate"
    return UpdateFinding("differ", "updates", 1.0, 0.0, f"only the {side}'s optimizer holds this parameter")


def _without_gradient(pair: ParameterUpdate) -> UpdateFinding:
    reference, candidate = pair.reference, pair.candidate
    if not reference.moved and not candidate.moved:
        return UpdateFinding("agree", "updates", 0.0, 0.0, "neither side changed it: one of them had no gradient")
    zeros = reference.gradient is None and candidate.gradient is not None and not np.any(candidate.gradient)
    if zeros and candidate.moved and not reference.moved:
        reason = "the reference's optimizer passed over it (no gradient), the candidate's moved it by zeros"
        return UpdateFinding("differ", "updates", None, 0.0, reason)
    if candidate.gradient is None and reference.gradient is not None and reference.moved and not candidate.moved:
        return UpdateFinding("differ", "updates", 1.0, 0.0, "the candidate's optimizer got no gradient")
    return UpdateFinding("cannot tell", reason="one side's optimizer got no gradient of it")


def relative_difference(one: Recorded | None, other: Recorded | None) -> float | None:
    """L2 of the difference relative to the first; None where shapes do not fit."""
    if one is None or other is None or one.size != other.size:
        return None
    first, second = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    size = float(np.linalg.norm(first))
    distance = float(np.linalg.norm(second - first))
    return distance / size if size else (0.0 if distance == 0 else np.inf)


def _by_updates(pair: ParameterUpdate, reason: str) -> UpdateFinding:
    """Both updates against each other: they may differ by what their gradients and states differ by."""
    reference, candidate = pair.reference, pair.candidate
    if reference.before is None or reference.after is None or candidate.before is None or candidate.after is None:
        return UpdateFinding("cannot tell", reason=reason)
    steps = [side.after.astype(np.float64) - side.before for side in (reference, candidate)]  # type: ignore[operator, union-attr]
    relative = relative_difference(*steps)
    gradients = relative_difference(reference.gradient, candidate.gradient)
    if relative is None or gradients is None:
        return UpdateFinding("cannot tell", "updates", reason=f"{reason}; and the shapes do not fit")
    inherited = [gradients]
    shared = reference.state_before.keys() & candidate.state_before.keys()
    inherited += [
        d
        for d in (relative_difference(reference.state_before[k], candidate.state_before[k]) for k in sorted(shared))
        if d is not None
    ]
    size = float(np.linalg.norm(steps[0])) or 1.0
    rounding = 4 * reference.eps * float(np.linalg.norm(reference.after.astype(np.float64))) / size
    allowed = rounding + 4 * max(inherited) + 1e-5
    verdict: Answer = "agree" if relative <= allowed else "differ" if relative > 0.01 + 25 * allowed else "cannot tell"
    return UpdateFinding(verdict, "updates", relative, allowed, reason, _plain_states(pair, max(inherited)))


def _plain_states(pair: ParameterUpdate, inherited: float) -> tuple[StateFinding, ...]:
    """States of equal name and size after the update."""
    found = []
    for key in sorted(pair.reference.state_after.keys() & pair.candidate.state_after.keys()):
        relative = relative_difference(pair.reference.state_after[key], pair.candidate.state_after[key])
        if relative is not None:
            allowed = 1e-5 + 4 * inherited
            verdict: Answer = "agree" if relative <= allowed else "cannot tell"
            found.append(StateFinding(key, verdict, relative, allowed))
    return tuple(found)


# --------------------------------------------------------------------------------------------------------------------
# Gradients that say nothing
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Information:
    """What a parameter's gradient says: `nothing` where both sides' gradients are within the rounding of the sums that
    made them; `share` of the elements are."""

    nothing: bool
    share: float


def free_of_information(
    reference: Recorded, candidate: Recorded, floor: Recorded | float, margin: float = FLOOR_MARGIN
) -> Information:
    """Is a parameter's gradient rounding, on both sides? If it is on one only, it is a fault of the other.

    Args:
        reference, candidate: the gradients, of equally many elements.
        floor: the rounding of the sum of each element (eps times the sum of its terms' sizes), absolute; one number
            for all, or one for each.
        margin: how many times the floor is still rounding.
    """
    one, other = reference.astype(np.float64).ravel(), candidate.astype(np.float64).ravel()
    if one.size != other.size or not one.size:
        return Information(False, 0.0)
    floors = np.broadcast_to(np.asarray(floor, np.float64).ravel(), one.shape) * margin
    below = (np.abs(one) <= floors) & (np.abs(other) <= floors)
    length = float(np.linalg.norm(floors))
    return Information(bool(np.linalg.norm(one) <= length and np.linalg.norm(other) <= length), float(np.mean(below)))
