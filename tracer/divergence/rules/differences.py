"""Where two layers that are paired mean other things, said for a reader, with the edit to make."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.divergence.rules.calls import written
from tracer.divergence.rules.comparisons import Pair, agree, axis_of, both_sides
from tracer.divergence.rules.conversions import short
from tracer.divergence.rules.edits import edit_call, other_call, writable
from tracer.divergence.rules.meanings import FRAMEWORK_NAMES, Meaning, Setting, equal, is_number, value_of
from tracer.trace.schema import Layer, Plain


@dataclass(frozen=True)
class SettingDifference:
    """A setting that means something else on the two sides. `sentence` says it; `edit` is the call to write in the
    candidate's code ("nn.GELU(approximate=False)"), with every difference of the layer mended; "" where no argument of
    the candidate can say it."""

    name: str
    reference: Plain
    candidate: Plain
    sentence: str
    edit: str


def setting_differences(
    reference: Meaning,
    candidate: Meaning,
    reference_layer: Layer,
    candidate_layer: Layer,
    reference_framework: str,
    candidate_framework: str,
    *,
    rank: int | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> tuple[SettingDifference, ...]:
    """Settings that mean something else on the two sides and can change numbers, in the order of the reference's rule.

    Args:
        reference: meaning of the layer that is right.
        candidate: meaning of its port.
        reference_layer: the layer as recorded.
        candidate_layer: the layer as recorded; its line of source gives the text of the edit.
        reference_framework: "torch" or "mindspore".
        candidate_framework: "torch" or "mindspore".
        rank: number of axes of the first input, where known: tells a negative axis from a positive one.
        input_shape: shape of the first input, channels before spatial axes, where known: tells whether pad_mode
            "same" pads like explicit padding.
    """
    if not reference.op or not candidate.op:
        return ()
    if input_shape is not None:
        rank = len(input_shape)
    pair = Pair(reference, candidate, rank, input_shape)
    sides = (reference_framework, candidate_framework)
    if reference.op != candidate.op:
        return _other_op(pair, reference_layer, candidate_layer, sides)
    found = [
        (name, ours, theirs)
        for name in dict.fromkeys([*reference.settings, *candidate.settings])
        for ours, theirs in [both_sides(pair, name)]
        if ours is not None and theirs is not None and not agree(pair, name, ours, theirs)
    ]
    edit = edit_call(candidate, candidate_layer, [(name, ours) for name, ours, _ in found], pair)
    return tuple(
        SettingDifference(
            name=name,
            reference=ours.own_value,
            candidate=theirs.own_value,
            sentence=_sentence(name, ours, theirs, sides),
            edit=edit if writable(candidate, name, ours, pair) else "",
        )
        for name, ours, theirs in found
    )


# --------------------------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------------------------


def _sentence(name: str, ours: Setting, theirs: Setting, sides: tuple[str, str]) -> str:
    if _converted(ours) != _converted(theirs):
        return _in_one_convention(name, ours, theirs, sides)
    said = _told(ours, sides[0], "reference", hint=not theirs.default), _told(theirs, sides[1], "candidate", hint=True)
    sentence = f"{name} is {said[0]} and {said[1]}"
    if name == "padding" and "same" in (ours.value, theirs.value):
        sentence += "; the two differ wherever 'same' pads more at the end than at the start"
    if name == "normalized_shape" and equal(ours.value, theirs.value):
        sentence += "; MindSpore's begin_norm_axis says from which axis on, and says otherwise here"
    if name == "output_padding" and equal(ours.value, theirs.value):
        sentence += "; MindSpore's Conv2dTranspose appends zeros there, where PyTorch computes"
    return sentence


def _told(setting: Setting, framework: str, side: str, *, hint: bool) -> str:
    value = _shown(setting.own_value)
    if not setting.own_name:
        return f"{value} in the {side}, which has no such argument"
    asides = [setting.own_name] if setting.own_name != setting.name and not (setting.default and hint) else []
    if setting.default and hint:
        asides.append(f"{FRAMEWORK_NAMES.get(framework, framework)}'s default")
        if setting.own_name == "pad_mode":
            asides[-1] += " pad_mode"
    return f"{value} in the {side}" + (f" ({', '.join(asides)})" if asides else "")


def _shown(value: Plain) -> str:
    return written(short(value) if isinstance(value, list) and len(value) > 1 else value)


def _converted(setting: Setting) -> bool:
    """Is the word torch's and its meaning not?"""
    return setting.own_name == setting.name and is_number(setting.value) and not equal(setting.own_value, setting.value)


def _in_one_convention(name: str, ours: Setting, theirs: Setting, sides: tuple[str, str]) -> str:
    """A value in torch's words, and what one in the other framework's means in them."""
    other = 0 if _converted(ours) else 1
    plain, turned = (theirs, ours) if other == 0 else (ours, theirs)
    words = ("reference", "candidate")
    framework = FRAMEWORK_NAMES.get(sides[other], sides[other])
    own = f"{_shown(turned.own_value)}" + (f", {framework}'s default," if turned.default else "")
    means = f"the {words[other]}'s {own} means {_shown(turned.value)} in PyTorch's convention"
    return f"{name} is {_shown(plain.own_value)} in the {words[1 - other]}; {means}"


# --------------------------------------------------------------------------------------------------------------------
# Other ops
# --------------------------------------------------------------------------------------------------------------------


_STAND_IN = ("activation", "softmax", "norm", "pool", "loss", "recurrent")
"""Families in which one op put for another is a slip that a reader wants to be told."""


def _other_op(pair: Pair, ours: Layer, theirs: Layer, sides: tuple[str, str]) -> tuple[SettingDifference, ...]:
    reference, candidate = pair.sides
    if (
        reference.family != candidate.family
        or reference.family not in _STAND_IN
        or _same_function(reference, candidate)
    ):
        return ()
    if {reference.op, candidate.op} == {"softmax", "softmax2d"}:
        plain = reference if reference.op == "softmax" else candidate
        if axis_of(plain, value_of(plain, "dim"), pair.rank) in (-3, (pair.rank or 4) - 3):
            return ()
    sentence = f"the layer is {ours.kind} in the reference and {theirs.kind} in the candidate"
    return (SettingDifference("op", reference.op, candidate.op, sentence, other_call(pair, theirs, sides[1])),)


def _same_function(a: Meaning, b: Meaning) -> bool:
    """ReLU6 is Hardtanh between 0 and 6."""
    if {a.op, b.op} != {"relu6", "hardtanh"}:
        return False
    clamp = a if a.op == "hardtanh" else b
    return equal(value_of(clamp, "min_val"), 0) and equal(value_of(clamp, "max_val"), 6)
