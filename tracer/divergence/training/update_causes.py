"""Why updates differ: which known difference between both optimizers makes the candidate's numbers, all parameters of a
group together. Hypotheses are tried in float64 on the recorded arrays (on some elements of each parameter)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracer.divergence.training import cause_words
from tracer.divergence.training.cause_words import Schedule, UpdateCause
from tracer.divergence.training.rule_meanings import RuleMeaning
from tracer.divergence.training.update_rules import Array, Updated, states_in_common_words
from tracer.divergence.training.updates import (
    ParameterUpdate,
    Recorded,
    SideUpdate,
    applied,
    begins,
    expected_state,
    gradient_scale,
    judge,
    off,
    state_findings,
)
from tracer.trace.schema import Plain

__all__ = ["Explanation", "Schedule", "UpdateCause", "explain", "some_elements", "words_apart"]

_ELEMENTS = 4096
"""How many elements of a parameter a hypothesis is tried on."""

_UNSEEN = {"single_precision", "skips_gamma_beta", "buffer_holds_lr", "in_place", "loss_scale"}
"""Words of a rule that are no cause: of rounding, or seen by what they do to another word, or tried before."""


@dataclass(frozen=True)
class Explanation:
    """Causes, the one that explains most (or all alone) first; `notes` are differences between the settings that make
    no difference to these numbers beyond rounding, and what could not be told."""

    causes: tuple[UpdateCause, ...] = ()
    notes: tuple[str, ...] = ()


def explain(
    pairs: Sequence[ParameterUpdate],
    reference_schedule: Schedule | None = None,
    candidate_schedule: Schedule | None = None,
) -> Explanation:
    """Why the updates of these parameters differ, where they do.

    Args:
        pairs: the parameters of one step that share nothing but the optimizers; those that agree help to tell causes
            apart, so give all of a group, or all there are.
        reference_schedule, candidate_schedule: learning rates of the step before and of the one behind.
    """
    some = [some_elements(pair) for pair in pairs]
    schedules = (reference_schedule or Schedule(), candidate_schedule or Schedule())
    causes: list[UpdateCause] = []
    notes: list[str] = []
    for group in _by_rules(some):
        found = _explain_group(group, schedules)
        causes += found.causes
        notes += found.notes
    return Explanation(_merged(causes), tuple(dict.fromkeys(notes)))


def _by_rules(pairs: Iterable[ParameterUpdate]) -> list[list[ParameterUpdate]]:
    """Pairs of equal rules on both sides together."""
    groups: dict[tuple[object, ...], list[ParameterUpdate]] = {}
    for pair in pairs:
        key = tuple(
            None if rule is None else (rule.kind, *sorted(rule.hyper.items()))
            for rule in (pair.reference_rule, pair.candidate_rule)
        )
        groups.setdefault(key, []).append(pair)
    return list(groups.values())


def _explain_group(pairs: Sequence[ParameterUpdate], schedules: tuple[Schedule, Schedule]) -> Explanation:
    judged = [(pair, judge(pair)) for pair in pairs]
    wrong = [pair for pair, finding in judged if finding.verdict == "differ"]
    reference, candidate = pairs[0].reference_rule, pairs[0].candidate_rule
    if not wrong:
        return Explanation((), _notes(reference, candidate))
    still = [pair for pair in wrong if pair.candidate.moved is False and pair.reference.moved]
    found = [cause_words.not_moved(still, whole=len(still) == len(pairs))] if still else []
    skipped = [pair for pair in wrong if pair.reference.gradient is None and pair.candidate.moved]
    if skipped:
        found.append(cause_words.moved_without_gradient(skipped))
    rest = [pair for pair in wrong if pair not in still and pair not in skipped]
    if rest and reference is None:
        found.append(cause_words.not_held(rest))
    elif rest and reference is not None and candidate is not None:
        told = _explain_moved(rest, [p for p, f in judged if f.verdict == "agree"], reference, candidate, schedules)
        return Explanation((*found, *told.causes), told.notes)
    return Explanation(tuple(found))


def _notes(reference: RuleMeaning | None, candidate: RuleMeaning | None) -> tuple[str, ...]:
    """What differs between two rules whose numbers agree."""
    if reference is None or candidate is None or not reference.known or not candidate.known:
        return ()
    words = [*words_apart(reference, candidate)]
    if reference.rule == candidate.rule and not _equal(_word(reference, _START), _word(candidate, _START)):
        words.append(_START)
    return tuple(cause_words.no_effect(reference, candidate, word) for word in words)


def _explain_moved(
    wrong: Sequence[ParameterUpdate],
    right: Sequence[ParameterUpdate],
    reference: RuleMeaning,
    candidate: RuleMeaning,
    schedules: tuple[Schedule, Schedule],
) -> Explanation:
    """Of parameters that moved otherwise than they were to."""
    if not reference.known or not candidate.known:
        named = cause_words.of_kinds(reference, candidate, wrong) if _kind(reference) != _kind(candidate) else ()
        return Explanation(named, (cause_words.unknown_rule(reference, candidate),))
    everything = [*wrong, *right]
    if _fits(everything, _own(candidate)):
        return _apart(wrong, right, reference, candidate, schedules)
    known = _said_otherwise(wrong, reference, candidate, schedules)
    if known or len(wrong) == 1:
        return Explanation(known, () if known else (cause_words.unexplained(candidate, wrong),))
    each = [_explain_moved([pair], (), reference, candidate, schedules) for pair in wrong]
    return Explanation(
        tuple(cause for one in each for cause in one.causes), tuple(note for one in each for note in one.notes)
    )


# --------------------------------------------------------------------------------------------------------------------
# Hypotheses
# --------------------------------------------------------------------------------------------------------------------

Hypothesis = Callable[[ParameterUpdate], Updated | None]
_START = "accumulator"
_OF_THE_CLASS = {"kind", "bias_correction", "decoupled", "in_place"}
"""What another class does otherwise: it is told first, since its settings are mended with it."""


def _own(rule: RuleMeaning) -> Hypothesis:
    """A rule on what the candidate remembers, by the candidate's own words for it."""

    def make(pair: ParameterUpdate) -> Updated | None:
        own = pair.candidate_rule or rule
        return applied(rule, pair.candidate, states_in_common_words(own, pair.candidate.state_before))

    return make


def _mixed(reference: RuleMeaning, candidate: RuleMeaning, words: Iterable[str]) -> Hypothesis:
    """The reference's rule with some of the candidate's words; its start or lost state is one of them."""
    taken = set(words)
    if "kind" in taken:
        return _own(candidate)
    if "weight_decay" in taken and not reference.hyper.get("weight_decay"):
        taken.add("decoupled")
    # what is the same but for the framework's float32 is the candidate's own too: 1 - beta2 of the two is 1e-5 apart
    alike = {w for w, n in candidate.hyper.items() if w in reference.hyper and _equal(n, reference.hyper[w])}
    changed = {word: _word(candidate, word) for word in (taken | alike) - {_START}}
    rule = reference.with_words(**changed)

    def make(pair: ParameterUpdate) -> Updated | None:
        own = states_in_common_words(candidate, pair.candidate.state_before)
        state: Mapping[str, Array] = own if _START in taken else expected_state(pair)
        return applied(rule, pair.candidate, state, gradient_scale(pair))

    return make


def _fits(pairs: Iterable[ParameterUpdate], hypothesis: Hypothesis, *, states: bool = True) -> bool:
    """Does it make the new parameters, and the states that it speaks of?"""
    for pair in pairs:
        got = hypothesis(pair)
        if got is None or not off(pair.candidate, got, pair.telling).within:
            return False
        if states and any(state.verdict == "differ" for state in state_findings(pair, got)):
            return False
    return True


def _remains(pairs: Iterable[ParameterUpdate], hypothesis: Hypothesis) -> float:
    """How far the candidate is from a hypothesis, in multiples of what rounding allows."""
    total = allowed = 0.0
    for pair in pairs:
        got = hypothesis(pair)
        if got is None:
            return np.inf
        how = off(pair.candidate, got, pair.telling)
        total, allowed = total + how.distance**2, allowed + how.allowed**2
    return float(np.sqrt(total / allowed)) if allowed else np.inf


def _word(rule: RuleMeaning, word: str) -> Plain:
    return rule.quirks[word] if word in rule.quirks else rule.hyper.get(word, 0.0)


def _kind(rule: RuleMeaning) -> str:
    return rule.rule or rule.kind


def words_apart(reference: RuleMeaning, candidate: RuleMeaning) -> tuple[str, ...]:
    """Words in which two rules differ; "kind" where they are not one rule."""
    if reference.rule != candidate.rule:
        return ("kind",)
    words = [*reference.hyper, *reference.quirks, *candidate.hyper]
    return tuple(
        word
        for word in dict.fromkeys(words)
        if word not in _UNSEEN
        and word != _START
        and not _equal(_word(reference, word), _word(candidate, word))
        and not _idle(reference, candidate, word)
    )


def _idle(reference: RuleMeaning, candidate: RuleMeaning, word: str) -> bool:
    """Is this a way to do something that neither does (or, of the decay, that both do not do)?"""
    if word == "decoupled":
        return not (reference.hyper.get("weight_decay") and candidate.hyper.get("weight_decay"))
    needs = {
        "nesterov_form": "nesterov",
        "ignores_amsgrad": "amsgrad",
        "eps_placement_centered": "centered",
        "dampening": "momentum",
    }.get(word)
    return needs is not None and not reference.hyper.get(needs) and not candidate.hyper.get(needs)


def _equal(one: Plain, other: Plain) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return bool(np.isclose(float(one), float(other), rtol=1e-6, atol=0.0))
    return one == other


def _apart(
    wrong: Sequence[ParameterUpdate],
    right: Sequence[ParameterUpdate],
    reference: RuleMeaning,
    candidate: RuleMeaning,
    schedules: tuple[Schedule, Schedule],
) -> Explanation:
    """The candidate does what its own rule says: which words of it make the difference?"""
    words = list(words_apart(reference, candidate))
    if words == ["kind"]:
        return Explanation(cause_words.of_kinds(reference, candidate, wrong))
    starts = all(begins(reference, states_in_common_words(reference, p.reference.state_before)) for p in wrong)
    words.append(_START)
    everything = [*wrong, *right]
    solo = {word: _remains(wrong, _mixed(reference, candidate, [word])) for word in words}
    alone = [word for word in words if _fits(everything, _mixed(reference, candidate, [word]))]
    needed = alone or _needed(everything, reference, candidate, sorted(words, key=lambda word: -solo[word]))
    needed = sorted(needed, key=lambda word: (word not in _OF_THE_CLASS, solo[word]))
    causes = tuple(
        cause_words.schedule(reference, candidate, schedules, wrong)
        or cause_words.named(word, reference, candidate, wrong, starts=starts)
        if word == "lr"
        else cause_words.named(word, reference, candidate, wrong, starts=starts)
        for word in needed
    )
    idle = [word for word in words if word not in needed and word != _START]
    return Explanation(causes, tuple(cause_words.no_effect(reference, candidate, word) for word in idle))


def _needed(
    pairs: Sequence[ParameterUpdate], reference: RuleMeaning, candidate: RuleMeaning, words: Sequence[str]
) -> list[str]:
    """The words without any of which the numbers are not made; the least telling ones are left out first."""
    kept = list(words)
    for word in words:
        fewer = [other for other in kept if other != word]
        if _fits(pairs, _mixed(reference, candidate, fewer)):
            kept = fewer
    return kept


def _said_otherwise(
    wrong: Sequence[ParameterUpdate],
    reference: RuleMeaning,
    candidate: RuleMeaning,
    schedules: tuple[Schedule, Schedule],
) -> tuple[UpdateCause, ...]:
    """The candidate does not do what its settings say: what else makes its numbers? The candidate's own rule is tried
    with one thing changed, then the reference's."""
    for base in (candidate, reference):
        for name, changed in _otherwise(base, reference):
            if _fits(wrong, _own(changed), states=False):
                return (cause_words.as_if(name, reference, candidate, changed, wrong),)
        if _fits(wrong, _own(base), states=False) or _fits(wrong, _forgotten(base), states=False):
            return (cause_words.state_lost(wrong),)
        factor = _factor(wrong, base)
        if factor is not None:
            return (cause_words.other_rate(factor, base, reference, candidate, schedules, wrong),)
    return ()


def _otherwise(base: RuleMeaning, reference: RuleMeaning) -> list[tuple[str, RuleMeaning]]:
    """A rule with one thing changed, by the name of what that is."""
    tries: list[tuple[str, RuleMeaning]] = []
    rates = dict.fromkeys([0.0, reference.number("weight_decay")])
    tries += [("weight_decay", base.with_words(weight_decay=rate)) for rate in rates]
    tries.append(("decoupled", base.with_words(decoupled=not base.quirks.get("decoupled"))))
    tries.append(("maximize", base.with_words(maximize=not base.hyper.get("maximize"))))
    if base.rule == "sgd":
        tries += [
            ("nesterov", base.with_words(nesterov=not base.hyper.get("nesterov"))),
            ("dampening", base.with_words(dampening=0.0)),
            ("dampening", base.with_words(dampening=base.number("momentum"))),
            ("momentum", base.with_words(momentum=0.0)),
        ]
    if base.rule in ("adam", "nadam", "radam", "lamb"):
        tries += [
            ("bias_correction", base.with_words(bias_correction=not base.quirks.get("bias_correction"))),
            *(("eps_placement", base.with_words(eps_placement=place)) for place in ("corrected", "plain", "inside")),
            ("amsgrad", base.with_words(amsgrad=not base.hyper.get("amsgrad"), ignores_amsgrad=False)),
        ]
    elif "eps" in base.hyper:
        tries += [("eps_placement", base.with_words(eps_placement=place)) for place in ("outside", "inside", "maximum")]
    if "eps" in base.hyper:
        tries += [("eps", base.with_words(eps=eps)) for eps in (1e-8, 1e-7, 1e-6, 1e-5, 1e-3, 1e-10, 0.0)]
    if "loss_scale" in base.hyper:
        tries.append(("loss_scale", base.with_words(loss_scale=1.0)))
    return tries


def _forgotten(rule: RuleMeaning) -> Hypothesis:
    """The rule on nothing remembered."""
    return lambda pair: applied(rule, pair.candidate, {})


def _factor(wrong: Sequence[ParameterUpdate], rule: RuleMeaning) -> float | None:
    """By which factor the learning rate is off, where a factor makes all the numbers."""
    if rule.rule == "rprop":
        return None
    own = _own(rule)
    top = bottom = 0.0
    for pair in wrong:
        got = own(pair)
        if got is None or pair.candidate.before is None or pair.candidate.after is None:
            return None
        before = pair.candidate.before.astype(np.float64)
        step = got.parameter - before
        top += float(np.sum((pair.candidate.after - before) * step))
        bottom += float(np.sum(step * step))
    if not bottom or not np.isfinite(top / bottom) or abs(top / bottom) < 1e-6:
        return None
    factor = top / bottom

    def scaled(pair: ParameterUpdate) -> Updated | None:
        got = own(pair)
        if got is None or pair.candidate.before is None:
            return None
        before = pair.candidate.before.astype(np.float64)
        moved = before + factor * (got.parameter - before)
        return replace(got, parameter=moved, size=abs(factor) * got.size, tremble=got.tremble + 1e-6)

    return factor if _fits(wrong, scaled, states=False) else None


# --------------------------------------------------------------------------------------------------------------------
# Some elements
# --------------------------------------------------------------------------------------------------------------------


def some_elements(pair: ParameterUpdate) -> ParameterUpdate:
    """The same pair on some of its elements, spread evenly; whole where the rule looks at all of them together."""
    rules = (pair.reference_rule, pair.candidate_rule)
    size = pair.candidate.before.size if pair.candidate.before is not None else 0
    if size <= _ELEMENTS or any(rule is not None and rule.rule == "lamb" for rule in rules):
        return pair
    floor = np.asarray(pair.floor) if pair.floor is not None else None
    return replace(
        pair,
        reference=_picked(pair.reference, size),
        candidate=_picked(pair.candidate, size),
        floor=_pick(floor, size),
    )


def _pick(array: Recorded | None, size: int) -> Recorded | None:
    if array is None or array.size != size:
        return array
    return np.asarray(array.reshape(-1)[np.linspace(0, size - 1, _ELEMENTS).astype(np.int64)])


def _picked(side: SideUpdate, size: int) -> SideUpdate:
    return replace(
        side,
        before=_pick(side.before, size),
        after=_pick(side.after, size),
        gradient=_pick(side.gradient, size),
        state_before={key: got for key, value in side.state_before.items() if (got := _pick(value, size)) is not None},
        state_after={key: got for key, value in side.state_after.items() if (got := _pick(value, size)) is not None},
    )


def _merged(causes: Iterable[UpdateCause]) -> tuple[UpdateCause, ...]:
    """One cause for all parameters that it explains in the same words."""
    merged: dict[tuple[str, str, str], UpdateCause] = {}
    for cause in causes:
        key = (cause.name, cause.reference, cause.candidate)
        known = merged.get(key) or next((c for c in merged.values() if c.sentence == cause.sentence), None)
        if known is not None and known.name != cause.name:
            continue  # one sentence for what two words say
        merged[key] = replace(known, parameters=known.parameters + cause.parameters) if known else cause
    return tuple(merged.values())
