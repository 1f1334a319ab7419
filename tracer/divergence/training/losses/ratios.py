"""What two losses alone tell, where it is not known how they were made: settings that were seen, and ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tracer.divergence.training.losses.meanings import LossMeaning, LossSide
from tracer.divergence.training.losses.searching import whole_ratio
from tracer.divergence.training.losses.terms import Array
from tracer.divergence.training.losses.wording import LossCause, kind_cause, scale_cause, setting_cause, weight_cause

TOLERANCE = 1e-5
"""The relative difference that rounding and what rounding does to predictions may leave between two losses."""

WEIGHTS = ("weight", "pos_weight")
UNWORDED = frozenset({"sparse", "blank", "zero_infinity"})
"""Settings that say in which form targets come, or that no formula here knows."""


def setting_causes(means: tuple[LossMeaning, LossMeaning], candidate: LossSide) -> list[LossCause]:
    """Settings that were seen on both sides and differ."""
    ours, theirs = means
    causes = []
    alike = {ours.op, theirs.op} in ({"nll_loss", "cross_entropy"}, {*("binary_cross_entropy",), _LOGITS})
    if ours.op and theirs.op and ours.op != theirs.op and not alike:
        causes.append(replace(kind_cause(ours.op, theirs.op), proven=False))
    for name in ours.settings:
        if name in theirs.settings and name not in UNWORDED and ours.settings[name] != theirs.settings[name]:
            a, b = ours.settings[name], theirs.settings[name]
            causes.append(setting_cause(name, a, b, theirs, candidate.framework, proven=False))
    if ours.arrays and theirs.arrays and ours.op and theirs.op:
        for name in WEIGHTS:
            found = weight_causes(name, ours.arrays.get(name), theirs.arrays.get(name))
            causes += [replace(cause, proven=False) for cause in found]
    return causes


_LOGITS = "binary_cross_entropy_with_logits"


def ratios(
    means: tuple[LossMeaning, LossMeaning], reference: LossSide, candidate: LossSide, counts: Mapping[str, int]
) -> list[LossCause]:
    """What the two numbers alone tell, with the counts that are known of predictions and targets."""
    r, c = (np.asarray(side.value, np.float64) for side in (reference, candidate))
    if r.size != c.size:
        return [_elements(r, c)]
    a, b = (float(np.linalg.norm(side)) for side in (r, c))
    if not (np.isfinite(a) and np.isfinite(b) and min(a, b) > 0):
        return []
    known = {**counts, **_counts(means[1], candidate), **_counts(means[0], reference)}
    found = sorted(whole_ratio(b / a, known, TOLERANCE), key=lambda pair: not pair[1])
    if found:
        return [scale_cause(found[0][0], found[0][1], proven=False, losses=(a, b))]
    if r.size == 1 and abs(b * b - a) <= TOLERANCE * a:
        said = "the candidate's loss is the root of the reference's"
        return [LossCause("kind", "a mean of squares", "its root", said, "do not take the root", proven=False)]
    return []


def _elements(r: Array, c: Array) -> LossCause:
    """One number against many."""
    said = f"the reference's loss has {r.size} element{'s' * (r.size != 1)}, the candidate's {c.size}"
    for one, many in ((r, c), (c, r)):
        if one.size == 1 and many.size > 1:
            word = "mean"
            for made_by, number in (("mean", many.mean()), ("sum", many.sum())):
                if abs(float(number) - float(one.ravel()[0])) <= 1e-4 * abs(float(number)):
                    word = made_by
                    said += f", whose {made_by} is the {'reference' if one is r else 'candidate'}'s"
                    break
            ratio = float(many.mean() / one.ravel()[0]) if one.ravel()[0] else 0.0
            said += f" (the mean of them is {ratio:.6g} times the one number)" if word not in said else ""
            sides = (word, "none") if one is r else ("none", word)
            return LossCause("reduction", *sides, said, f"reduction={sides[0]!r}", proven=False)
    return LossCause("shape", list(r.shape), list(c.shape), said, proven=False)


def _counts(means: LossMeaning, side: LossSide) -> dict[str, int]:
    found: dict[str, int] = {}
    predictions = means.arrays.get("input", side.predictions)
    targets = means.arrays.get("target", side.targets)
    if targets is not None:
        found["labels" if targets.dtype.kind in "iu" else "target elements"] = int(targets.size)
        if targets.dtype.kind in "iu":
            ignored = means.settings.get("ignore_index", -100)
            found["labels that count"] = int(np.count_nonzero(targets != ignored))
    if predictions is not None and predictions.ndim:
        found |= {"elements": int(predictions.size), "samples": int(predictions.shape[0])}
        if predictions.ndim > 1:
            found["positions"] = int(predictions.size // predictions.shape[-1])
            found["positions of each sample"] = int(np.prod(predictions.shape[1:-1]))
            found["elements of each sample"] = int(predictions.size // predictions.shape[0])
            found["pixels"] = int(predictions.size // predictions.shape[1])
    return found


def weight_causes(name: str, ours: Array | None, theirs: Array | None) -> list[LossCause]:
    """Weights that one side has alone, or that have other numbers; none where they change nothing."""
    if ours is None and theirs is None:
        return []
    if ours is None or theirs is None:
        uniform = ours if theirs is None else theirs
        if uniform is not None and np.allclose(uniform, 1):
            return []
        side = "reference" if theirs is None else "candidate"
        what = f"only the {side} weighs {'classes' if name == 'pos_weight' or uniform is not None else 'terms'}"
        return [weight_cause(name, ours is not None, theirs is not None, what)]
    if ours.size == theirs.size and np.allclose(ours.ravel(), theirs.ravel(), rtol=1e-4):
        return []
    return [weight_cause(name, "its own", "other numbers", "the numbers of both sides differ")]
