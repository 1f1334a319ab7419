"""What the reports on curves say, in words."""

from __future__ import annotations

from collections.abc import Sequence

from tracer.curves.beside import Beside
from tracer.curves.parting import REDUCED, Parting

LABELS = {
    "loss": "loss",
    "gradient_norm": "gradient norm",
    "parameter_norm": "parameter norm",
    "update_ratio": "update / parameter",
    "update_norm": "update norm",
    "learning_rate": "learning rate",
}


def label(measure: str) -> str:
    """A measure as a reader is told it."""
    name, _, group = measure.partition(".")
    return f"{LABELS[name]}{f' of group {group}' if group else ''}" if name in LABELS else measure


def summary(both: Beside) -> str:
    """The verdict on all of it in one line."""
    steps = max((p.steps for p in both.partings if p.measure in both.counting), key=len, default=())
    over = f"over {count(len(steps), 'common step')}"
    if both.verdict == "agree":
        drifting = [p for p in both.partings if p.measure in both.counting and p.state == "drifting"]
        how = "equal" if not drifting else "they drift as rounding does, and part nowhere"
        return f"agree: {how}, {over}"
    if both.first is None or both.first.step is None:
        return f"unsure: too little to judge, {over}"
    first = both.first
    word = "diverged" if both.verdict == "diverged" else "unsure"
    return f"{word}: the {label(first.measure)} parts at step {place(first)}, {over}"


def place(parting: Parting) -> str:
    """A step, and how sure it is."""
    if parting.step is None:
        return ""
    return f"{parting.step}{f' or up to {parting.about} earlier or later' if parting.about else ''}"


def sentence(parting: Parting) -> str:
    """How two curves stand, in a sentence."""
    if parting.step is None:
        return _together(parting)
    relative = "" if parting.relative is None else f"{parting.relative:.1e}"
    at = f"step {place(parting)}"
    if parting.how == "value":
        return f"other from {at} on ({relative} apart); a rate is computed, so no rounding explains it"
    if parting.how == "not finite":
        return f"parted at step {parting.step}: {not_finite(parting)}"
    if parting.how == "beginning":
        if parting.state == "parted":
            return f"parted at {at}, the first both have: {relative} apart, more than rounding and noise explain"
        reduced = parting.relative is not None and parting.relative <= REDUCED
        why = "as float16, bfloat16 or TF32 make it" if reduced else "as other batches make it"
        return f"apart from {at} on, the first both have: {relative}, more than float32 rounds; {why}, or a fault"
    if parting.how == "jump":
        sure = "" if parting.state == "parted" else ", yet so little that a kink of an activation may do it"
        return f"parted at {at}: the difference jumps to {relative} in one step and stays{sure}"
    if parting.how == "end":
        return f"the difference jumps to {relative} at {at}, too near the end to tell whether it stays"
    if parting.how == "grew":
        return (
            f"parted at {at}: the difference grew step by step from rounding{_growth(parting)} until it left the noise "
            "of both; rounding alone can do that in unstable training, and so can a small fault: tracer diff judges "
            "each step"
        )
    return f"parted at {at}: the difference left the noise of both ({relative} apart)"


def _together(parting: Parting) -> str:
    if parting.verdict == "unsure":
        return "no step is finite on both sides"
    if parting.state == "equal":
        return "equal but for rounding" if parting.largest else "equal"
    grown = f"; it grew from step {parting.begins} on{_growth(parting)}" if parting.growth else ""
    return f"drifting: at most {parting.largest:.1e} apart (step {parting.largest_at}), within the noise of both{grown}"


def _growth(parting: Parting) -> str:
    return f" (by a factor of {parting.growth:.3g} a step)" if parting.growth else ""


def short(parting: Parting) -> str:
    """How two curves stand, in a word or two."""
    if parting.step is None:
        return "not judged" if parting.verdict == "unsure" else parting.state
    return f"{parting.state} at step {parting.step}"


def not_finite(parting: Parting) -> str:
    """Where the first point stands that is NaN or Inf; empty where there is none."""
    sides = zip(("reference", "candidate"), parting.not_finite, (parting.reference, parting.candidate), strict=True)
    said = []
    for word, step, values in sides:
        if step is not None:
            said.append(f"the {word} is {_odd(values[parting.steps.index(step)])} at step {step}")
    if len(said) == 2 and parting.not_finite[0] == parting.not_finite[1]:
        return f"both are not finite from step {parting.not_finite[0]} on: {', '.join(said)}"
    return ", ".join(said)


def _odd(value: float) -> str:
    return "NaN" if value != value else "Inf" if value > 0 else "-Inf"  # noqa: PLR0124 (NaN alone is not itself)


def alone(parting: Parting) -> str:
    """Steps that only one side has; empty where there are none."""
    said = []
    for word, steps in (("reference", parting.only_reference), ("candidate", parting.only_candidate)):
        if steps:
            said.append(f"{count(len(steps), 'step')} only the {word} has ({ranges(steps)})")
    return "; ".join(said)


def ranges(steps: Sequence[int]) -> str:
    """Steps, short: the first few, and the last."""
    if len(steps) > 4:
        return f"{steps[0]}, {steps[1]}, ... {steps[-1]}"
    return ", ".join(map(str, steps))


def count(number: int, word: str) -> str:
    """One step, two steps."""
    return f"{number} {word}{'s' * (number != 1)}"


def notes(both: Beside) -> list[str]:
    """What is to be known beside the curves: once each."""
    said = [f"{word}: {note}" for word, side in (("reference", both.reference), ("candidate", both.candidate))
            for note in side.notes]  # fmt: skip
    said += both.notes
    said += [f"{label(name)}: only the {side} has it" for name, side in both.alone.items()]
    for parting in both.partings:
        name = label(parting.measure)
        if parting.how != "not finite" and (found := not_finite(parting)):
            said.append(f"{name}: {found}; judged up to there")
    told: dict[str, list[str]] = {}
    for parting in both.partings:
        if found := alone(parting):
            told.setdefault(found, []).append(label(parting.measure))
    for found, names in told.items():
        said.append(found if len(told) == 1 else f"{', '.join(names)}: {found}")
    return said
