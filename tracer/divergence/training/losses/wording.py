"""What explains two losses, said for a reader, with what to write in the candidate."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.divergence.rules import FRAMEWORK_NAMES
from tracer.divergence.rules.calls import written
from tracer.divergence.training.losses.meanings import LossMeaning
from tracer.divergence.training.losses.recipes import Recipe
from tracer.trace.schema import Plain


@dataclass(frozen=True)
class LossCause:
    """What may explain two losses. `name` is torch's word ("reduction", "label_smoothing", "weight", "ignore_index",
    "beta", "log_target", ...) or one of "kind", "scale", "targets", "shape"; the values are as each side had them.
    `edit_hint` is what to write or do in the candidate. `proven` says that the candidate's number was made with it."""

    name: str
    reference: Plain
    candidate: Plain
    sentence: str
    edit_hint: str = ""
    proven: bool = True


_PREPARED = {
    "softmax": "softmax is applied to the {side}'s predictions before a loss that applies its own",
    "log_softmax": "log_softmax is applied to the {side}'s predictions before the loss",
    "sigmoid": "sigmoid is applied to the {side}'s predictions before the loss",
    "log": "the logarithm of the {side}'s predictions is taken before the loss",
}

_DIVIDED = {
    "mean": "the sum of the terms divided by what they weigh",
    "batchmean": "the sum divided by the number of samples",
    "mean of all": "the sum divided by the number of all terms, those that are left out included",
    "mean of valid": "the sum divided by the number of terms that count, whatever they weigh",
}


def setting_cause(
    name: str, ours: Plain, theirs: Plain, means: LossMeaning, framework: str, *, proven: bool = True
) -> LossCause:
    """A setting that has another value in the candidate."""
    sentence = f"{name} is {written(ours)} in the reference and {written(theirs)} in the candidate"
    if name == "reduction":
        told = [_DIVIDED[str(v)] for v in (ours, theirs) if str(v) in _DIVIDED and (" " in str(v) or v == "batchmean")]
        sentence += f" ({'; '.join(told)})" if told else ""
    elif name == "ignore_index":
        sentence = _ignored(ours, theirs)
    note = next((n for n in means.notes if name in n), "")
    sentence += f"; {FRAMEWORK_NAMES.get(framework, framework)}: {note}" if note and proven else ""
    return LossCause(name, ours, theirs, sentence, _hint(name, ours, means), proven)


def _ignored(ours: Plain, theirs: Plain) -> str:
    said = ["no label is left out" if v is None else f"labels of {v} are left out" for v in (ours, theirs)]
    return f"{said[0]} in the reference, {said[1]} in the candidate"


def _hint(name: str, wanted: Plain, means: LossMeaning) -> str:
    argument = means.arguments.get(name)
    if name == "reduction" and wanted not in ("none", "mean", "sum"):
        return f"reduce the loss to {_DIVIDED.get(str(wanted), str(wanted))}"
    if name == "log_target" and argument is None:
        return "give it the exponential of the targets" if wanted else "give it the targets themselves"
    if wanted is None:
        return f"leave {name} out"
    if argument is None or not means.called:
        return f"set {name} to {written(wanted)}"
    return f"{means.called}(..., {argument}={written(wanted)})"


def kind_cause(ours: str, theirs: str) -> LossCause:
    """Another loss."""
    return LossCause(
        "kind", ours, theirs, f"the loss is {ours} in the reference and {theirs} in the candidate", _use(ours)
    )


def _use(op: str) -> str:
    return f"compute {op}"


def prepared_cause(ours: str, theirs: str) -> LossCause:
    """Something is done to the predictions on one side only."""
    side, other, how = ("candidate", "reference", theirs) if theirs else ("reference", "candidate", ours)
    sentence = f"{_PREPARED[how].format(side=side)}, and not to the {other}'s"
    edit = f"take {how} out" if side == "candidate" else f"apply {how} to the predictions"
    return LossCause("kind", ours or "predictions as they are", theirs or "predictions as they are", sentence, edit)


def swapped_cause(ours: Recipe, theirs: Recipe) -> LossCause:
    """Predictions and targets changed places."""
    said = ["targets, predictions" if r.swapped else "predictions, targets" for r in (ours, theirs)]
    sentence = f"the loss is given ({said[0]}) in the reference and ({said[1]}) in the candidate"
    return LossCause("kind", said[0], said[1], sentence, f"give it ({said[0]})")


def shift_cause(ours: int, theirs: int) -> LossCause:
    """Predictions are held against labels of another position."""
    said = [_position(n) for n in (ours, theirs)]
    sentence = f"a prediction is held against {said[0]} in the reference and against {said[1]} in the candidate"
    edit = {0: "give the labels of the same positions", 1: "logits[:, :-1] against labels[:, 1:]"}
    return LossCause("targets", ours, theirs, sentence, edit.get(ours, "logits[:, 1:] against labels[:, :-1]"))


def _position(n: int) -> str:
    return "the label of its own position" if n == 0 else f"that of the position {'after' if n > 0 else 'before'} it"


def classes_cause(ours: int, theirs: int) -> LossCause:
    """Labels that count from another number."""
    by = theirs - ours
    sentence = f"the candidate's labels are {'one more' if by > 0 else 'one less'} than the reference's"
    return LossCause("targets", ours, theirs, sentence, f"{'subtract' if by > 0 else 'add'} one")


def weight_cause(name: str, ours: Plain, theirs: Plain, what: str) -> LossCause:
    """Weights of classes or elements that only one side has, or that have other numbers."""
    return LossCause(
        name, ours, theirs, f"{name}: {what}", f"give {name} as the reference does" if ours else f"leave {name} out"
    )


def scale_cause(
    ratio: float, counted: str, *, proven: bool = True, losses: tuple[float, float] | None = None
) -> LossCause:
    """The candidate's loss is a whole number of times the reference's, or a whole part of it."""
    number = ratio if ratio > 1 else 1 / ratio
    times = f"{number:.0f} times" if ratio > 1 else f"1/{number:.0f} of"
    what = f", the number of {counted}" if counted else ""
    numbers = f" ({losses[0]:.6g} and {losses[1]:.6g})" if losses else ""
    missing = ""
    if counted:
        missing = ": a mean is missing" if ratio > 1 else ": a mean is taken that the reference does not take"
    sentence = f"the candidate's loss is {times} what it should be{numbers}{what}{missing}"
    edit = f"divide it by {number:.0f}" if ratio > 1 else f"multiply it by {number:.0f}"
    name = "reduction" if counted and not counted.startswith("micro") else "scale"
    return LossCause(name, 1, ratio, sentence, edit, proven)
