"""Causes of updates that differ, in words: what each side does, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracer.divergence.training.rule_meanings import RuleMeaning
from tracer.divergence.training.updates import ParameterUpdate


@dataclass(frozen=True)
class UpdateCause:
    """Why updates differ. `name` is torch's word for it ("lr", "weight_decay", "eps", "eps_placement", "betas",
    "momentum", "nesterov", "bias_correction", "accumulator", "in_place", "groups", "schedule", "decoupled", "kind",
    "frozen", "state", ...); `reference` and `candidate` what each side has; `edit_hint` what to write, "" where nothing
    is known; `parameters` which it explains."""

    name: str
    reference: str
    candidate: str
    sentence: str
    edit_hint: str = ""
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Schedule:
    """Learning rates of one side by step, as far as they were recorded: to tell a schedule that is a step off."""

    previous: float | None = None
    coming: float | None = None


_ALIGNED = {
    "adam": "mindspore.experimental.optim.AdamW(params, lr=..., weight_decay=...)",
    "sgd": "mindspore.experimental.optim.SGD(params, lr=..., momentum=..., weight_decay=..., nesterov=...)",
    "rmsprop": "mindspore.experimental.optim.RMSprop(params, lr=..., alpha=..., eps=...)",
    "adagrad": "mindspore.experimental.optim.Adagrad(params, lr=..., eps=...)",
    "adamax": "mindspore.experimental.optim.Adamax(params, lr=..., eps=...)",
    "adadelta": "mindspore.experimental.optim.Adadelta(params, lr=..., rho=..., eps=...)",
    "nadam": "mindspore.experimental.optim.NAdam(params, lr=..., betas=...)",
    "radam": "mindspore.experimental.optim.RAdam(params, lr=..., betas=...)",
    "rprop": "mindspore.experimental.optim.Rprop(params, lr=..., etas=...)",
    "asgd": "mindspore.experimental.optim.ASGD(params, lr=..., lambd=...)",
}
"""MindSpore's classes that update as torch's do."""

_PLACES = {
    "corrected": "beside the root of the corrected second moment",
    "plain": "beside the root of the second moment before its bias correction",
    "inside": "inside the root",
    "outside": "beside the root",
    "mixed": "now beside the root, now inside",
    "maximum": "inside the running maximum",
    "": "as without centered",
}

_OWN_NAME = {
    "beta1": "betas",
    "beta2": "betas",
    "nesterov_form": "nesterov",
    "eps_placement_centered": "eps_placement",
    "ignores_amsgrad": "amsgrad",
}
_TRUTHS = {
    "nesterov",
    "maximize",
    "amsgrad",
    "centered",
    "decoupled",
    "bias_correction",
    "in_place",
    "ignores_amsgrad",
    "buffer_holds_lr",
    "skips_gamma_beta",
}


_DECAY = (
    "the reference takes weight decay off the parameter (decoupled, as AdamW), the candidate adds it to the gradient "
    "(L2, as Adam)"
)


def _aligned(reference: RuleMeaning, candidate: RuleMeaning) -> str:
    """The aligned choice, where the candidate is MindSpore's and is not that already."""
    if candidate.framework != "mindspore" or reference.framework != "torch":
        return ""
    hint = _ALIGNED.get(reference.rule, "")
    rate = reference.hyper.get("weight_decay", 0.0)
    if reference.rule == "adam" and rate and not reference.quirks.get("decoupled"):
        if reference.hyper.get("eps", 0.0) > 1e-7:
            return "mindspore.experimental.optim.AdamW(params, weight_decay=0.0), and add the decay to the gradients"
        hint = "mindspore.experimental.optim.Adam(params, lr=..., weight_decay=...)"
    for word in ("lr", "weight_decay", "eps"):
        hint = hint.replace(f"{word}=...", f"{word}={reference.hyper.get(word, 0.0):g}")
    if "beta1" in reference.hyper and reference.rule in ("adam", "nadam", "radam", "adamax"):
        betas = f"({reference.hyper['beta1']:g}, {reference.hyper['beta2']:g})"
        hint = hint.replace("betas=...", f"betas={betas}")
        if "betas=" not in hint and betas != "(0.9, 0.999)":
            hint = hint[:-1] + f", betas={betas})"
        if "eps=" not in hint and reference.hyper.get("eps", 1e-8) != 1e-8:
            hint = hint[:-1] + f", eps={reference.hyper['eps']:g})"
    return "" if hint.startswith(f"{candidate.call}(") else hint


def _names(pairs: Sequence[ParameterUpdate]) -> tuple[str, ...]:
    return tuple(pair.name for pair in pairs)


def shown(rule: RuleMeaning, word: str) -> str:
    """A setting or quirk as a reader takes it."""
    value = rule.quirks[word] if word in rule.quirks else rule.hyper.get(word, 0.0)
    if word == "nesterov_form":
        return "as torch does" if value == "gradient" else str(value)
    if word.startswith("eps_placement"):
        if rule.rule == "adamax" and value == "outside":
            return "beside the running maximum"
        return _PLACES.get(str(value), str(value))
    if word in _TRUTHS:
        return str(bool(value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _default(rule: RuleMeaning, word: str) -> str:
    """Says so where the value is that of the constructor."""
    value = rule.defaults.get(word)
    same = isinstance(value, int | float) and abs(float(value) - rule.hyper.get(word, 0.0)) <= 1e-6 * abs(float(value))
    return f", the default of {rule.call}" if same and word in rule.hyper else ""


def named(
    word: str, reference: RuleMeaning, candidate: RuleMeaning, pairs: Sequence[ParameterUpdate], *, starts: bool
) -> UpdateCause:
    """The cause that one word of both rules is."""
    if word == "accumulator":
        return _state_cause(reference, candidate, pairs, starts=starts)
    one, other = shown(reference, word), shown(candidate, word)
    name = _OWN_NAME.get(word, word)
    own = candidate.own_words.get(word, word)
    words = "the place of eps" if word.startswith("eps_placement") else word
    said = f"{words} is {one} in the reference and {other} in the candidate{_default(candidate, word)}"
    note = candidate.notes.get(word, "").format(kind=candidate.kind)
    hint = f"{candidate.call}(..., {own}={_literal(reference, word)})" if word in candidate.own_words else ""
    if word in candidate.quirks or (note and word not in candidate.own_words):
        hint = _aligned(reference, candidate)
        said = note or (_DECAY if word == "decoupled" else said)
        if word == "decoupled" and not reference.quirks.get(word):
            said = _DECAY.replace("reference", "?").replace("candidate", "reference").replace("?", "candidate")
    elif word == "weight_decay" and not candidate.hyper.get(word) and _by_name(candidate, pairs):
        name = "groups"
        said = f"weight_decay is {one} in the reference and 0 in the candidate: {candidate.notes['skips_gamma_beta']}"
        hint = f"give parameter groups: [{{'params': norms, 'weight_decay': {_literal(reference, word)}}}, ...]"
    elif word == "lr":
        said = f"the learning rate of this update is {one} in the reference and {other} in the candidate" + _default(
            candidate, word
        )
    return UpdateCause(name, one, other, said, hint, _names(pairs))


def _by_name(candidate: RuleMeaning, pairs: Sequence[ParameterUpdate]) -> bool:
    """Is weight decay left out for what the parameters are called?"""
    names = [".".join(place) for place in candidate.parameters] or [pair.name for pair in pairs]
    return bool(candidate.quirks.get("skips_gamma_beta")) and all("gamma" in name or "beta" in name for name in names)


def _literal(rule: RuleMeaning, word: str) -> str:
    if word in ("beta1", "beta2"):
        other = rule.hyper.get("beta1", 0.9), rule.hyper.get("beta2", 0.999)
        return f"({other[0]:g}, {other[1]:g})"
    return shown(rule, word)


def _state_cause(
    reference: RuleMeaning, candidate: RuleMeaning, pairs: Sequence[ParameterUpdate], *, starts: bool
) -> UpdateCause:
    if not starts:
        return state_lost(pairs)
    one, other = f"{reference.number('accumulator'):g}", f"{candidate.number('accumulator'):g}"
    note = candidate.notes.get("accumulator", "")
    if one == other:
        said = "the candidate's optimizer begins with a state that is not the one its class begins with"
        return UpdateCause("state", "as its class begins", "something else", said, "", _names(pairs))
    said = note or f"the sum or mean of squared gradients starts at {one} in the reference and {other} in the candidate"
    own = candidate.own_words.get("accumulator")
    hint = f"{candidate.call}(..., {own}={one})" if own else _aligned(reference, candidate)
    return UpdateCause("accumulator", one, other, said, hint, _names(pairs))


def state_lost(pairs: Sequence[ParameterUpdate]) -> UpdateCause:
    """The candidate goes on as if it had never updated."""
    said = (
        "the candidate's optimizer updates as if it remembered nothing of the steps before (momentum, moments, count)"
    )
    hint = "make the optimizer once, before the loop, and load its state where training goes on"
    return UpdateCause("state", "kept", "lost", said, hint, _names(pairs))


def of_kinds(
    reference: RuleMeaning, candidate: RuleMeaning, pairs: Sequence[ParameterUpdate]
) -> tuple[UpdateCause, ...]:
    """Optimizers of different rules; with learning rates that differ as well, where they do."""
    said = f"the reference updates by {reference.kind}, the candidate by {candidate.kind}: another rule"
    cause = UpdateCause("kind", reference.kind, candidate.kind, said, _aligned(reference, candidate), _names(pairs))
    return (cause,)


def not_moved(pairs: Sequence[ParameterUpdate], *, whole: bool) -> UpdateCause:
    """Parameters that the candidate's update left as they were."""
    rules = [pair.candidate_rule for pair in pairs]
    rule = rules[0]
    if any(r is None for r in rules):
        said = "the candidate's optimizer does not hold these parameters, the reference's does"
        return UpdateCause("groups", "held", "not held", said, "give the optimizer all of them", _names(pairs))
    if rule is not None and not rule.quirks.get("in_place", True):
        said = rule.notes.get("in_place", "the update does not reach the parameters")
        reference = pairs[0].reference_rule
        hint = _aligned(reference, rule) if reference is not None else ""
        return UpdateCause("in_place", "updated", "never changed", said, hint, _names(pairs))
    if any(pair.candidate.gradient is None for pair in pairs):
        said = "the candidate's optimizer got no gradient of these parameters and left them as they were"
        hint = "do they take gradients (requires_grad), and does the loss depend on them?"
        return UpdateCause("frozen", "updated", "no gradient", said, hint, _names(pairs))
    which = "no parameter of this group" if whole else "some parameters"
    said = f"the candidate has gradients but its update changed {which}".replace(
        "some parameters", "not all parameters"
    )
    if rule is not None and rule.number("lr") == 0:
        return UpdateCause(
            "lr", "not zero", "0", "the learning rate of this update is 0 in the candidate", "", _names(pairs)
        )
    return UpdateCause("in_place", "updated", "not changed", said, "", _names(pairs))


def moved_without_gradient(pairs: Sequence[ParameterUpdate]) -> UpdateCause:
    """Weight decay or momentum moves what the reference passes over."""
    said = (
        "the reference's optimizer passes over parameters without a gradient, the candidate's gets zeros and moves "
        "them by weight decay or momentum"
    )
    hint = "give the candidate's optimizer only the parameters that are trained"
    return UpdateCause("frozen", "passed over", "moved", said, hint, _names(pairs))


def not_held(pairs: Sequence[ParameterUpdate]) -> UpdateCause:
    """The candidate updates what the reference's optimizer does not hold."""
    said = "the candidate's optimizer holds these parameters, the reference's does not"
    return UpdateCause("groups", "not held", "held", said, "leave them out of the optimizer", _names(pairs))


def as_if(
    name: str,
    reference: RuleMeaning,
    candidate: RuleMeaning,
    changed: RuleMeaning,
    pairs: Sequence[ParameterUpdate],
) -> UpdateCause:
    """The candidate's numbers are those of another setting than the recorded one."""
    if name == "maximize":
        said = "the candidate steps the other way: its gradient is negated (maximize, or a sign in the loop)"
        return UpdateCause("maximize", "down", "up", said, "", _names(pairs))
    if name == "kind":
        said = f"the candidate updates as {changed.kind} does"
        return UpdateCause("kind", reference.kind, candidate.kind, said, "", _names(pairs))
    one, other = shown(reference, name), shown(changed, name)
    said = f"the candidate's numbers are those of {name} {other}, though it says {shown(candidate, name)}"
    if name == "weight_decay":
        if _by_name(candidate, pairs) and not changed.hyper.get("weight_decay"):
            said = candidate.notes["skips_gamma_beta"]
            return UpdateCause("groups", one, other, said, "give parameter groups", _names(pairs))
        said = (
            f"the candidate updates these parameters with weight_decay {other}, though it says {shown(candidate, name)}"
        )
    return UpdateCause(_OWN_NAME.get(name, name), one, other, said, "", _names(pairs))


def schedule(
    reference: RuleMeaning,
    candidate: RuleMeaning,
    schedules: tuple[Schedule, Schedule],
    pairs: Sequence[ParameterUpdate],
) -> UpdateCause | None:
    """The candidate's learning rate is the one that the reference has a step earlier or later."""
    rate = candidate.number("lr")
    for known in schedules[:1]:
        for which, value in (("the step before", known.previous), ("the next step", known.coming)):
            if value is None or value <= 0 or abs(rate / value - 1) > 1e-5:
                continue
            if abs(value - reference.number("lr")) <= 1e-5 * value:
                continue
            still = schedules[1].previous is not None and abs(schedules[1].previous - rate) <= 1e-5 * rate
            said = (
                f"the candidate updates with a learning rate of {rate:g}, that of {which}, the reference with "
                f"{reference.number('lr'):g}: its schedule is a step off"
            ) + (", or is not stepped" if still and which == "the step before" else "")
            hint = "step the schedule where the reference does, behind the optimizer's update or before it"
            return UpdateCause("schedule", shown(reference, "lr"), f"{rate:g}", said, hint, _names(pairs))
    return None


def other_rate(
    factor: float,
    base: RuleMeaning,
    reference: RuleMeaning,
    candidate: RuleMeaning,
    schedules: tuple[Schedule, Schedule],
    pairs: Sequence[ParameterUpdate],
) -> UpdateCause:
    """The candidate's steps are a factor larger than its rule makes them."""
    rate, own = base.number("lr") * factor, reference.number("lr")
    off_by_one = schedule(reference, candidate.with_words(lr=rate), schedules, pairs)
    if off_by_one is not None:
        return off_by_one
    if factor < 0:
        said = f"the candidate steps the other way, {abs(factor):.6g} times as far"
        return UpdateCause("maximize", f"{own:g}", f"{rate:.6g}", said, "", _names(pairs))
    said = f"the candidate's steps are {factor:.6g} times as large: as with a learning rate of {rate:.6g}"
    return UpdateCause("lr", f"{own:g}", f"{rate:.6g}", said, "", _names(pairs))


def no_effect(reference: RuleMeaning, candidate: RuleMeaning, word: str) -> str:
    """A difference that makes none here."""
    if word == "accumulator":
        return (
            f"the squared gradients start at {shown(reference, word)} in the reference and {shown(candidate, word)} in "
            "the candidate: the first step shows it, later ones inherit it"
        )
    if word == "kind":
        return f"{reference.kind} and {candidate.kind} are different rules, with the same numbers in this step"
    words = "the place of eps" if word.startswith("eps_placement") else word
    return (
        f"{words} differs ({shown(reference, word)} in the reference, {shown(candidate, word)} in the candidate), "
        "with no effect beyond rounding in this step"
    )


def unknown_rule(reference: RuleMeaning, candidate: RuleMeaning) -> str:
    """Said where an update cannot be recomputed."""
    unknown = [rule for rule in (reference, candidate) if not rule.known]
    parts = [f"{rule.kind} ({', '.join(rule.missing)} not recorded)" if rule.missing else rule.kind for rule in unknown]
    return f"no rule is known for {' and '.join(parts)}: updates and states are compared by name and shape"


def unexplained(candidate: RuleMeaning, pairs: Sequence[ParameterUpdate]) -> str:
    """Said where nothing that is tried makes the numbers."""
    first = ", ".join(pair.name for pair in pairs[:3])
    return (
        f"the candidate's update is neither that of {candidate.kind} with its settings, nor any that was tried "
        f"({first})"
    )
