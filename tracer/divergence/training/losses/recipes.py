"""How a loss was made of predictions and targets: a recipe, and what it makes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import ml_dtypes
import numpy as np

from tracer.divergence.training.losses.classification import LOGS, log_softmax
from tracer.divergence.training.losses.formulas import loss_terms
from tracer.divergence.training.losses.terms import Array, Arrays, Terms, reduced
from tracer.trace.schema import Plain


@dataclass(frozen=True)
class Recipe:
    """A loss as it may have been made. `settings` are torch's, where `reduction` may also be one of the wider words of
    `formulas.reduced`. `prepared` is what was done to the predictions first ("softmax", "log_softmax", "sigmoid",
    "log"). Without `weighted` the weights of classes are left out. `shift` is how many positions later the target lies
    that a prediction is held against, `classes` what was added to labels. `swapped`: predictions and targets changed
    places. `scale` multiplies the result; `scaled_by` says what that number counts."""

    op: str
    settings: Mapping[str, Plain] = field(default_factory=dict)
    weighted: bool = True
    positive: bool = True
    prepared: str = ""
    shift: int = 0
    classes: int = 0
    swapped: bool = False
    scale: float = 1.0
    scaled_by: str = ""

    @property
    def reduction(self) -> str:
        """How terms become one number."""
        return str(self.settings.get("reduction", "mean"))

    def having(self, **settings: Plain) -> Recipe:
        """The same with other settings."""
        return replace(self, settings={**self.settings, **settings})


def terms_of(recipe: Recipe, arrays: Arrays) -> Terms | None:
    """The terms that a recipe makes of what a loss was given."""
    given = dict(arrays)
    if recipe.swapped or recipe.shift or recipe.prepared:
        given.pop(LOGS, None)
    for name, kept in (("weight", recipe.weighted), ("pos_weight", recipe.positive)):
        if not kept:
            given.pop(name, None)
    try:
        if recipe.swapped:
            given["input"], given["target"] = given["target"], given["input"]
        if recipe.classes:
            given["target"] = _other_classes(given["target"], recipe)
        if recipe.shift:
            given["input"], given["target"] = _shifted(given["input"], given["target"], recipe.shift)
        if recipe.prepared:
            given["input"] = prepared(given["input"], recipe.prepared, given.get("target"))
    except (KeyError, ValueError, IndexError):
        return None
    return loss_terms(recipe.op, given, recipe.settings)


def made(recipe: Recipe, arrays: Arrays) -> Array | None:
    """The loss that a recipe makes; None where it does not fit what is given."""
    terms = terms_of(recipe, arrays)
    return None if terms is None else finish(recipe, terms)


def finish(recipe: Recipe, terms: Terms) -> Array | None:
    """Terms reduced as a recipe says."""
    value = reduced(terms, recipe.reduction)
    if value is not None and recipe.op == "rmse_loss":
        value = np.asarray(np.sqrt(value))
    return None if value is None else np.asarray(value * recipe.scale)


def rounding(terms: Terms, eps: float) -> float:
    """The relative error that rounding may leave in the sum of the terms: some dozen roundings of the dtype in each
    term (measured: exp and log of MindSpore's kernels), and those of adding them up."""
    size = abs(terms.total)
    lost = terms.size / size if size > 0 else 1.0
    return eps * (32 * max(lost, 1.0) + 0.5 * math.sqrt(terms.each.size))


def coarsest(*arrays: Array) -> float:
    """The step of the coarsest dtype among floats. What is float64 may hold numbers of a float32 net, so nothing finer
    than that is believed."""
    floats = [array.dtype for array in arrays if array.dtype.kind not in "iub"]
    return max([2.0**-23, *(float(ml_dtypes.finfo(dtype).eps) for dtype in floats)])


def near(value: Array, other: Array | None, within: float) -> bool:
    """Is one loss the other within a relative tolerance? Losses of several elements are taken by their L2 norm."""
    if other is None:
        return False
    a, b = (np.asarray(side, np.float64).ravel() for side in (value, other))
    if a.size != b.size or not np.isfinite(a).all() or not np.isfinite(b).all():
        return False
    return bool(np.linalg.norm(a - b) <= within * max(float(np.linalg.norm(b)), 1e-30))


# --------------------------------------------------------------------------------------------------------------------
# What is done before the formula
# --------------------------------------------------------------------------------------------------------------------


def prepared(scores: Array, how: str, target: Array | None = None) -> Array:
    """Predictions after softmax and its kin; the class axis is the one that fits the targets."""
    wide = np.asarray(scores, np.float64)
    axis = -1
    if wide.ndim > 2 and target is not None and target.shape == (wide.shape[0], *wide.shape[2:]):
        axis = 1
    with np.errstate(all="ignore"):
        if how == "softmax":
            return np.asarray(np.exp(log_softmax(wide, axis)))
        if how == "log_softmax":
            return log_softmax(wide, axis)
        if how == "sigmoid":
            return np.asarray(np.exp(-np.logaddexp(0.0, -wide)))
        if how == "log":
            return np.asarray(np.log(np.where(wide > 0, wide, np.nan)))
    raise ValueError


def _other_classes(target: Array, recipe: Recipe) -> Array:
    if target.dtype.kind not in "iu":
        raise ValueError
    ignored = recipe.settings.get("ignore_index", -100)
    return np.where(target == ignored, target, target.astype(np.int64) + recipe.classes)


def _shifted(scores: Array, target: Array, shift: int) -> tuple[Array, Array]:
    """Predictions at n against targets at n + shift, along the axis of positions."""
    if target.ndim < 1 or target.dtype.kind not in "iu":
        raise ValueError
    n = target.shape[-1] - abs(shift)
    axis = (
        scores.ndim - 1 if scores.shape[-1] == target.shape[-1] and scores.ndim == target.ndim + 1 else target.ndim - 1
    )
    if scores.ndim == target.ndim + 1 and scores.shape[:-1] == target.shape:
        axis = target.ndim - 1
    if n < 1 or scores.shape[axis] != target.shape[-1]:
        raise ValueError
    ours = slice(0, n) if shift > 0 else slice(-shift, None)
    theirs = slice(shift, None) if shift > 0 else slice(0, n)
    return np.take(scores, np.arange(scores.shape[axis])[ours], axis), target[..., theirs]
