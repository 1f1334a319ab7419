"""The recipe that makes a given loss: what is known of it, then what ports get wrong, then the numbers between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tracer.divergence.training.losses.classification import with_logs
from tracer.divergence.training.losses.recipes import Recipe, coarsest, finish, made, near, rounding, terms_of
from tracer.divergence.training.losses.terms import Array, Arrays, Terms

_REDUCTIONS = ("mean", "sum", "batchmean", "mean of all", "mean of valid", "none")
_MOST_LABELS = 512
_TELLING = 10
"""How many times the rounding a difference must be, so that what makes it can be told."""
_LARGE = 1 << 24
"""More predictions than this are not gone through for each thing that might be: a second and 400 MB for each."""
_MOST_WHOLE = 64


@dataclass(frozen=True)
class Found:
    """A recipe that makes the number, how many changes of the one it was looked for from it takes, and the relative
    tolerance within which it makes it; `close` that it makes it ten times nearer than that."""

    recipe: Recipe
    changes: int
    within: float
    close: bool


def recipe_for(
    value: Array,
    arrays: Arrays,
    starts: Sequence[Recipe],
    counts: Mapping[str, int] | None = None,
    *,
    guessed: bool = False,
) -> Found | None:
    """The recipe that makes a loss out of what it was given, with the fewest changes of one of `starts`; of equally
    many one that comes `close`, else the first. None where none of those that are known does. Of starts that
    are `guessed` no two things are changed besides: among so many numbers one fits by chance."""
    eps = coarsest(value, *(arrays[name] for name in ("input", "input1", "anchor") if name in arrays))
    wide = with_logs(arrays)
    for look in (_plain, _once, _scaled) if guessed else (_plain, _once, _scaled, _twice):
        fair = None
        for found in (f for start in starts for f in look(start, value, wide, eps, counts or {})):
            if found.close:
                return found
            fair = fair or found
        if fair is not None:
            return fair
    return None


def _fits(recipe: Recipe, terms: Terms | None, value: Array, eps: float, changes: int) -> Iterator[Found]:
    if terms is not None:
        within, number = rounding(terms, eps), finish(recipe, terms)
        if near(value, number, within):
            yield Found(recipe, changes, within, near(value, number, within / 10))


def _plain(start: Recipe, value: Array, arrays: Arrays, eps: float, _: Mapping[str, int]) -> Iterator[Found]:
    yield from _fits(start, terms_of(start, arrays), value, eps, 0)


def _too_near(start: Recipe, terms: Terms | None, value: Array, eps: float) -> bool:
    """Is the value so near to what the start makes that many a small change would do within rounding?"""
    return terms is not None and near(value, finish(start, terms), _TELLING * rounding(terms, eps))


def _once(start: Recipe, value: Array, arrays: Arrays, eps: float, _: Mapping[str, int]) -> Iterator[Found]:
    terms = terms_of(start, arrays)
    if _too_near(start, terms, value, eps):
        return
    for reduction in _REDUCTIONS:
        yield from _fits(start.having(reduction=reduction), terms, value, eps, 1)
    for recipe in variants(start, value, arrays, eps):
        yield from _fits(recipe, terms_of(recipe, arrays), value, eps, 1)


def _twice(start: Recipe, value: Array, arrays: Arrays, eps: float, _: Mapping[str, int]) -> Iterator[Found]:
    """Another reduction, and one more thing. Terms are made once for all reductions: predictions may be large."""
    if _too_near(start, terms_of(start, arrays), value, eps):
        return
    known: dict[str, Terms | None] = {}
    for reduction in _REDUCTIONS:
        if reduction != start.reduction:
            for recipe in variants(start.having(reduction=reduction), value, arrays, eps):
                key = repr(recipe.having(reduction=""))
                if key not in known:
                    known[key] = terms_of(recipe, arrays)
                yield from _fits(recipe, known[key], value, eps, 2)


def _scaled(start: Recipe, value: Array, arrays: Arrays, eps: float, counts: Mapping[str, int]) -> Iterator[Found]:
    """A whole number of times, or a whole part of, what the recipe makes."""
    terms = terms_of(start, arrays)
    number = None if terms is None else finish(start, terms)
    if terms is None or number is None or number.size != value.size:
        return
    a, b = float(np.linalg.norm(value)), float(np.linalg.norm(number))
    if not (np.isfinite(a) and np.isfinite(b) and min(a, b) > 0):
        return
    known = {**counts, "samples": terms.batch, "elements": terms.each.size}
    for scale, word in whole_ratio(a / b, known, rounding(terms, eps)):
        recipe = replace(start, scale=start.scale * scale, scaled_by=word)
        yield from _fits(recipe, terms, value, eps, 1)


def whole_ratio(ratio: float, counts: Mapping[str, int], within: float) -> Iterator[tuple[float, str]]:
    """The counts (by name) and small whole numbers that a ratio or its inverse is within a relative tolerance, as
    (the exact ratio, what it counts)."""
    named = {count: word for word, count in reversed(list(counts.items())) if count > 1}
    small = dict.fromkeys((*range(2, _MOST_WHOLE + 1), *(2**n for n in range(7, 25))), "")
    for count, word in {**named, **{n: w for n, w in small.items() if n not in named}}.items():
        for exact in (float(count), 1 / count):
            if abs(ratio - exact) <= within * exact:
                yield exact, word


def variants(start: Recipe, value: Array, arrays: Arrays, eps: float) -> Iterator[Recipe]:
    """Recipes with one thing made otherwise, as ports get it wrong; the likeliest first."""
    yield from _other_weights(start, arrays)
    if start.op in ("cross_entropy", "nll_loss"):
        yield from _other_classification(start, value, arrays, eps)
    if max(array.size for array in arrays.values()) <= _LARGE:
        yield from _other_numbers(start, value, arrays, eps)
        yield from _other_ops(start)


def _other_weights(start: Recipe, arrays: Arrays) -> Iterator[Recipe]:
    if "weight" in arrays:
        yield replace(start, weighted=not start.weighted)
    if "pos_weight" in arrays:
        yield replace(start, positive=not start.positive)


def _other_classification(start: Recipe, value: Array, arrays: Arrays, eps: float) -> Iterator[Recipe]:
    if start.settings.get("label_smoothing"):
        yield start.having(label_smoothing=0.0)
    given = arrays.get("input")
    if given is None:
        return
    if given.size <= _LARGE:
        yield from (replace(start, prepared=how) for how in ("softmax", "log_softmax"))
    yield from (replace(start, shift=shift) for shift in (1, -1) if start.shift == 0)
    yield from (replace(start, classes=by) for by in (1, -1))
    yield start.having(ignore_index=None)
    target = arrays.get("target")
    if target is not None and target.dtype.kind in "iu":
        labels = np.unique(target)
        if labels.size <= _MOST_LABELS:
            yield from (start.having(ignore_index=int(k)) for k in _left_out(start, value, arrays, labels))
    if start.op == "cross_entropy":
        yield from _smoothings(start, value, arrays, eps)


def _left_out(start: Recipe, value: Array, arrays: Arrays, labels: Array) -> Iterator[int]:
    """Labels without which a mean or sum comes near the value; which do is found in one pass over the terms."""
    terms = terms_of(start.having(ignore_index=None), arrays)
    terms = terms_of(start, arrays) if terms is None else terms
    if terms is None or value.size != 1:
        yield from (int(k) for k in labels[:32])
        return
    target = arrays["target"].ravel()
    if target.size != terms.each.size:
        return
    weight = arrays.get("weight") if start.weighted else None
    for label in labels:
        there = target == label
        total = terms.total - float(terms.each[there].sum())
        lost = float(there.sum()) * (float(weight.ravel()[label]) if weight is not None and label >= 0 else 1.0)
        sizes = (1.0, terms.divisor - lost, terms.each.size - float(there.sum()), float(terms.batch))
        if any(size > 0 and abs(total / size - float(value.ravel()[0])) <= 1e-3 * abs(total / size) for size in sizes):
            yield int(label)


def _smoothings(start: Recipe, value: Array, arrays: Arrays, eps: float) -> Iterator[Recipe]:
    """The loss is a straight line in the smoothing, so one value says which it was; offered where it is a round one
    among numbers so far apart that rounding does not make one of any value."""
    if value.size != 1:
        yield from (start.having(label_smoothing=s) for s in (0.1, 0.05, 0.2, 0.01))
        return
    none, full = (made(start.having(label_smoothing=s), arrays) for s in (0.0, 1.0))
    if none is None or full is None or none.size != 1 or float(full) == float(none):
        return
    solved = (float(value.ravel()[0]) - float(none)) / (float(full) - float(none))
    terms = terms_of(start, arrays)
    if terms is None or not 0 < solved < 1:
        return
    unsure = rounding(terms, eps) * abs(float(none)) / abs(float(full) - float(none))
    for step in (0.1, 0.05, 0.01):
        if unsure <= 0.05 * step and 0 < round(solved / step) < 1 / step:
            yield start.having(label_smoothing=round(round(solved / step) * step, 2))


def _other_numbers(start: Recipe, value: Array, arrays: Arrays, eps: float) -> Iterator[Recipe]:
    if start.op == "kl_div":
        yield start.having(log_target=not start.settings.get("log_target"))
        yield from (replace(start, prepared=how) for how in ("log", "log_softmax", "softmax"))
        yield replace(start, swapped=not start.swapped)
    name = {"smooth_l1_loss": "beta", "huber_loss": "delta"}.get(start.op)
    if name:
        yield from _thresholds(start, name, value, arrays, eps)
    if "margin" in start.op or "margin" in start.settings:
        yield from (start.having(margin=m) for m in (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0))
    if start.op.startswith("binary_cross_entropy"):
        yield replace(start, prepared="sigmoid")
    if start.op == "poisson_nll_loss":
        yield start.having(log_input=not start.settings.get("log_input", True))
    if start.op in ("poisson_nll_loss", "gaussian_nll_loss"):
        yield start.having(full=not start.settings.get("full"))


def _thresholds(start: Recipe, name: str, value: Array, arrays: Arrays, eps: float) -> Iterator[Recipe]:
    """The loss falls as beta grows and grows with delta: the threshold is found by halving; a round one is offered."""
    yield from (start.having(**{name: t}) for t in (1.0, 0.5, 0.1, 1 / 9, 2.0, 0.0))
    if value.size != 1 or "input" not in arrays or "target" not in arrays:
        return
    low, high = 0.0, 64.0
    wanted, falls = float(value.ravel()[0]), name == "beta"
    for _ in range(40):
        middle = (low + high) / 2
        number = made(start.having(**{name: middle}), arrays)
        if number is None or number.size != 1:
            return
        larger = (float(number) > wanted) if falls else (float(number) < wanted)
        low, high = (middle, high) if larger else (low, middle)
    terms, beside = terms_of(start, arrays), made(start.having(**{name: low * 1.01 + 1e-9}), arrays)
    if terms is None or beside is None or float(beside) == wanted:
        return
    unsure = rounding(terms, eps) * abs(wanted) * 0.01 * low / abs(float(beside) - wanted)
    yield from (
        start.having(**{name: round(low, n)}) for n in (0, 1, 2) if unsure <= 0.02 * 10**-n and round(low, n) > 0
    )


_SAME_SHAPE = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "rmse_loss")
_BINARY = ("binary_cross_entropy_with_logits", "binary_cross_entropy")


def _other_ops(start: Recipe) -> Iterator[Recipe]:
    plain = {name: value for name, value in start.settings.items() if name in ("reduction", "ignore_index")}
    for family in (_SAME_SHAPE, _BINARY, ("cross_entropy", "nll_loss")):
        if start.op in family:
            yield from (replace(start, op=op, settings=plain) for op in family if op != start.op)
    if start.op in _BINARY:
        yield from (replace(start, op=op, settings=plain, prepared="sigmoid") for op in ("mse_loss", "l1_loss"))
    if start.op in ("cross_entropy", "nll_loss"):
        yield replace(start, op="multi_margin_loss", settings=plain)
