"""Two losses held against each other: agree, or differ and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tracer.divergence.training.losses.meanings import LossMeaning, LossSide, loss_meaning, possible_ops
from tracer.divergence.training.losses.ratios import TOLERANCE, UNWORDED, WEIGHTS, ratios, setting_causes, weight_causes
from tracer.divergence.training.losses.recipes import (
    Recipe,
    made,
    near,
    prepared,
    terms_of,
)
from tracer.divergence.training.losses.searching import Found, recipe_for
from tracer.divergence.training.losses.targets import same_targets
from tracer.divergence.training.losses.terms import Array, Arrays
from tracer.divergence.training.losses.wording import (
    LossCause,
    classes_cause,
    kind_cause,
    prepared_cause,
    scale_cause,
    setting_cause,
    shift_cause,
    swapped_cause,
)
from tracer.trace.schema import Plain

__all__ = ["LossCause", "LossFinding", "explain_loss"]


_ALIKE = 1e-3
"""Predictions of both sides that are nearer than this (relative L2) are those of one place in the net."""


@dataclass(frozen=True)
class LossFinding:
    """`relative` is the relative difference of both losses (of their means where they have other shapes), `tolerance`
    what it was held against. A loss that differs only because what it was given differs is `inherited`: it agrees, for
    the reference's rule makes the candidate's number of the candidate's own predictions. `explained` says that it is
    known how both numbers were made."""

    verdict: Literal["agree", "differs"]
    relative: float
    tolerance: float
    causes: tuple[LossCause, ...] = ()
    inherited: bool = False
    explained: bool = False


def explain_loss(
    reference: LossSide,
    candidate: LossSide,
    *,
    counts: Mapping[str, int] | None = None,
    tolerance: float = TOLERANCE,
) -> LossFinding:
    """Do two losses agree, and if not, what makes the candidate's number?

    Args:
        reference: the loss that is right.
        candidate: its port's. What either was given may be missing; then less can be said.
        counts: further numbers by which a loss may have been multiplied or divided, by name ("micro-batches").
        tolerance: relative difference up to which two losses agree.
    """
    means = loss_meaning(reference), loss_meaning(candidate)
    relative = _apart(reference.value, candidate.value)
    squeezed = [tuple(n for n in np.shape(side.value) if n != 1) for side in (reference, candidate)]
    if squeezed[0] == squeezed[1] and relative <= tolerance:
        return LossFinding("agree", relative, tolerance)
    arrays = means[0].arrays, {**_weights(means[0].arrays), **means[1].arrays}
    counted = counts or {}
    ours = recipe_for(reference.value, arrays[0], _starts(means[0], arrays[0], means[1], []), counted)
    ours = ours or recipe_for(
        reference.value, arrays[0], _guesses(means[0], arrays[0], means[1]), counted, guessed=True
    )
    after = [] if ours is None else [ours.recipe]
    theirs = recipe_for(candidate.value, arrays[1], _starts(means[1], arrays[1], means[0], after), counted)
    theirs = theirs or recipe_for(
        candidate.value, arrays[1], _guesses(means[1], arrays[1], means[0]), counted, guessed=True
    )
    if ours is None or theirs is None:
        causes = (
            *setting_causes(means, candidate),
            *_target_causes(means),
            *ratios(means, reference, candidate, counted),
        )
        return LossFinding("differs", relative, tolerance, causes)
    return _held(means, arrays, (ours, theirs), candidate, relative, tolerance)


def _apart(reference: Array, candidate: Array) -> float:
    r, c = (np.asarray(side, np.float64).ravel() for side in (reference, candidate))
    r, c = (r, c) if r.size == c.size else (np.atleast_1d(side.mean()) for side in (r, c))
    with np.errstate(all="ignore"):
        error, size = float(np.linalg.norm(c - r)), float(np.linalg.norm(r))
    if not np.isfinite(error):
        return 0.0 if np.array_equal(r, c, equal_nan=True) else float("inf")
    return error / size if size > 0 else error


def _weights(arrays: Arrays) -> dict[str, Array]:
    return {name: arrays[name] for name in WEIGHTS if name in arrays}


def _starts(own: LossMeaning, arrays: Arrays, other: LossMeaning, after: list[Recipe]) -> list[Recipe]:
    """Where to look from: what was recorded, and what the other side does; where neither is known, what fits the
    shapes."""
    if own.op:
        return [replace(_bare(own), op=own.op, settings=own.settings), *after]
    if after:
        return [replace(recipe, settings={**recipe.settings, **own.settings}) for recipe in after]
    return [] if other.op == "" else _guesses(own, arrays, other)[:1]


def _guesses(own: LossMeaning, arrays: Arrays, other: LossMeaning) -> list[Recipe]:
    """Losses that predictions and targets of these shapes and dtypes may have; none where it is known which it was."""
    if own.op:
        return []
    ops = dict.fromkeys([*([other.op] if other.op else []), *possible_ops(arrays)])
    known = {op: other.settings if op == other.op else {} for op in ops}
    return [replace(_bare(own), op=op, settings={**known[op], **own.settings}) for op in ops]


def _bare(own: LossMeaning) -> Recipe:
    return Recipe("", {}, weighted="weight" in own.arrays, positive="pos_weight" in own.arrays)


# --------------------------------------------------------------------------------------------------------------------
# Both recipes known
# --------------------------------------------------------------------------------------------------------------------


def _held(
    means: tuple[LossMeaning, LossMeaning],
    arrays: tuple[Arrays, Arrays],
    found: tuple[Found, Found],
    candidate: LossSide,
    relative: float,
    tolerance: float,
) -> LossFinding:
    """Hold both recipes against each other, and what went into them."""
    stage = _stage(arrays[0].get("input"), arrays[1].get("input"))
    ours, theirs = _at_stage(found[0].recipe, stage), found[1].recipe
    ours = found[0].recipe if theirs.op == found[0].recipe.op else ours  # then the predictions are what differs
    given = {**{k: v for k, v in arrays[1].items() if k not in WEIGHTS}, **_weights(arrays[0])}
    within = max(found[1].within, tolerance)
    causes = _recipe_causes(ours, theirs, (arrays[0], arrays[1]), given, means[1], candidate.framework, within)
    if ours == found[0].recipe and stage is not None and stage != ("", "") and not _harmless(ours, stage):
        causes = [*causes, prepared_cause(*stage)]
    causes += [cause for cause in _target_causes(means) if not any(c.name == cause.name for c in causes)]
    causes += _broadcast(theirs, arrays) if not causes else []
    if causes:
        return LossFinding("differs", relative, tolerance, tuple(causes), explained=True)
    if near(candidate.value, made(ours, given), within):
        return LossFinding("agree", relative, tolerance, inherited=True, explained=True)
    return LossFinding("differs", relative, tolerance, explained=True)


def _stage(ours: Array | None, theirs: Array | None) -> tuple[str, str] | None:
    """What was done to the predictions on either side only: ("", "softmax") where the candidate's are the softmax of
    the reference's. None where they do not go together."""
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return None
    if near(theirs, ours, _ALIKE):
        return ("", "")
    for how in ("softmax", "log_softmax", "sigmoid", "log"):
        if near(theirs, _or_none(ours, how), _ALIKE):
            return ("", how)
        if near(ours, _or_none(theirs, how), _ALIKE):
            return (how, "")
    return None


def _or_none(scores: Array, how: str) -> Array | None:
    found = prepared(scores, how)
    return found if np.isfinite(found).all() else None


def _at_stage(recipe: Recipe, stage: tuple[str, str] | None) -> Recipe:
    """The same loss of predictions that are further on, or not yet so far."""
    turned = {
        ("binary_cross_entropy_with_logits", "", "sigmoid"): "binary_cross_entropy",
        ("binary_cross_entropy", "sigmoid", ""): "binary_cross_entropy_with_logits",
        ("nll_loss", "log_softmax", ""): "cross_entropy",
        ("cross_entropy", "", "log_softmax"): "nll_loss",
    }
    op = turned.get((recipe.op, *stage)) if stage is not None else None
    smoothed = recipe.op == "cross_entropy" and bool(recipe.settings.get("label_smoothing"))
    return recipe if op is None or smoothed else replace(recipe, op=op)


def _harmless(recipe: Recipe, stage: tuple[str, str]) -> bool:
    """Log-softmax of log-softmax is itself."""
    return recipe.op == "cross_entropy" and "log_softmax" in stage


def _recipe_causes(
    ours: Recipe,
    theirs: Recipe,
    arrays: tuple[Arrays, Arrays],
    given: Arrays,
    means: LossMeaning,
    framework: str,
    within: float,
) -> list[LossCause]:
    """Each thing that both recipes do otherwise, and that changes the number made of what the candidate was given."""
    base = made(ours, given)

    def tells(changed: Recipe, inputs: Arrays = given) -> bool:
        number = made(changed, inputs)
        return base is None or number is None or not near(number, base, min(within, 1e-9))

    causes: list[LossCause] = []
    if ours.op != theirs.op and tells(replace(ours, op=theirs.op)):
        causes.append(kind_cause(ours.op, theirs.op))
    names = dict.fromkeys([*ours.settings, *theirs.settings])
    for name in (n for n in names if n not in UNWORDED):
        a, b = (_setting(recipe, name) for recipe in (ours, theirs))
        if a != b and tells(ours.having(**{name: b})):
            causes.append(setting_cause(name, a, b, means, framework))
    for name, used in (("weight", "weighted"), ("pos_weight", "positive")):
        both = [side.get(name) if getattr(r, used) else None for r, side in zip((ours, theirs), arrays, strict=True)]
        causes += weight_causes(name, both[0], both[1])
    if ours.prepared != theirs.prepared and tells(replace(ours, prepared=theirs.prepared)):
        causes.append(prepared_cause(ours.prepared, theirs.prepared))
    if ours.shift != theirs.shift:
        causes.append(shift_cause(ours.shift, theirs.shift))
    if ours.classes != theirs.classes:
        causes.append(classes_cause(ours.classes, theirs.classes))
    if ours.swapped != theirs.swapped:
        causes.append(swapped_cause(ours, theirs))
    if abs(theirs.scale / ours.scale - 1) > 1e-9:
        ratio = theirs.scale / ours.scale
        causes.append(scale_cause(ratio, theirs.scaled_by or ours.scaled_by))
    return causes


_DEFAULTS: Mapping[str, Plain] = {
    "reduction": "mean",
    "label_smoothing": 0.0,
    "ignore_index": -100,
    "beta": 1.0,
    "delta": 1.0,
    "log_target": False,
}


def _setting(recipe: Recipe, name: str) -> Plain:
    return recipe.settings.get(name, _DEFAULTS.get(name))


def _target_causes(means: tuple[LossMeaning, LossMeaning]) -> list[LossCause]:
    ours, theirs = (side.arrays.get("target") for side in means)
    if ours is None or theirs is None:
        return []
    found = same_targets(ours, theirs)
    if found.same:
        return []
    edit = {"shifted": "shift the labels as the reference does", "classes": "count the classes from the same number"}
    name = "label_smoothing" if found.kind == "smoothed" else "targets"
    return [LossCause(name, None, found.by or None, found.sentence, edit.get(found.kind, ""))]


def _broadcast(theirs: Recipe, arrays: tuple[Arrays, Arrays]) -> list[LossCause]:
    """(N, 1) against (N,) makes N * N terms, in either framework without an error."""
    a, b = (side.get("input") for side in arrays), (side.get("target") for side in arrays)
    shapes = [(x.shape, y.shape) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    terms = terms_of(theirs, arrays[1])
    if len(shapes) < 2 or shapes[0] == shapes[1] or terms is None:
        return []
    largest = max(int(np.prod(shape)) for shape in shapes[1])
    if terms.each.size <= largest:
        return []
    predictions, targets = shapes[1]
    said = (
        f"predictions {predictions} against targets {targets} make {terms.each.size} terms in the candidate; "
        f"in the reference they are {shapes[0][0]} and {shapes[0][1]}"
    )
    return [LossCause("shape", list(shapes[0][1]), list(targets), said, f"bring the targets to {predictions}")]
