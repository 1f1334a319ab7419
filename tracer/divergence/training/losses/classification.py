"""Losses of classes by the textbook, in float64."""

from __future__ import annotations

import numpy as np

from tracer.divergence.training.losses.terms import (
    Array,
    Arrays,
    Settings,
    Terms,
    alike,
    batch_of,
    in_wide,
    number,
    softplus,
)


def by_class(scores: Array, target: Array) -> tuple[Array, Array]:
    """Scores as (rows, classes), targets as (rows,) indices or (rows, classes) of numbers.

    Raises:
        ValueError: they do not fit each other.
    """
    if target.shape == scores.shape and target.ndim:
        axis = 1 if scores.ndim > 2 and _sums_to_one(target, 1) and not _sums_to_one(target, -1) else -1
        axis = 0 if scores.ndim == 1 else axis
        axis = 1 if scores.ndim > 2 and not _sums_to_one(target, -1) else axis
        return _rows(scores, axis), _rows(target, axis)
    target = target.reshape(target.shape[:-1]) if target.ndim == scores.ndim and target.shape[-1] == 1 else target
    if scores.ndim == 1 and target.size == 1:
        return scores[None], target.reshape(1)
    if scores.ndim >= 2 and (scores.shape[0], *scores.shape[2:]) == target.shape:
        return _rows(scores, 1), target.ravel()
    if scores.ndim >= 2 and scores.size // scores.shape[-1] == target.size:
        return _rows(scores, -1), target.ravel()
    raise ValueError


def _sums_to_one(target: Array, axis: int) -> bool:
    return bool(np.allclose(target.sum(axis), 1, atol=1e-3))


def _rows(array: Array, axis: int) -> Array:
    last = np.moveaxis(array, axis, -1)
    return last.reshape(-1, last.shape[-1])


def log_softmax(scores: Array, axis: int = -1) -> Array:
    """The logarithm of softmax, of any shape."""
    top = scores.max(axis, keepdims=True)
    shifted = scores - top
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis, keepdims=True)))


def cross_entropy(a: Arrays, s: Settings) -> Terms | None:
    """The negative logarithm of softmax at the target."""
    scores, target = by_class(np.asarray(a["input"], np.float64), a["target"])
    logs = a[LOGS] if LOGS in a else log_softmax(scores)
    return _likelihood(logs, target, a, s, float(max(scores.max(initial=0.0), -scores.min(initial=0.0))))


LOGS = "log_softmax"
"""Under this name the rows of log-softmax may be given beside the predictions, so that they are made once only."""


def with_logs(arrays: Arrays) -> Arrays:
    """All in float64 and int64, with the log-softmax of what is a classification."""
    wide = in_wide(arrays)
    try:
        scores, _ = by_class(wide["input"], wide["target"])
        return {**wide, LOGS: log_softmax(scores)} if scores.dtype.kind == "f" else wide
    except (KeyError, ValueError):
        return wide


def nll(a: Arrays, s: Settings) -> Terms | None:
    """Minus the logarithm at the target."""
    scores, target = by_class(np.asarray(a["input"], np.float64), a["target"])
    return _likelihood(scores, target, a, s, 0.0)


def _likelihood(logs: Array, target: Array, a: Arrays, s: Settings, largest: float) -> Terms | None:
    """Minus the logarithms that the targets pick, `largest` the size of the scores they were made of."""
    rows, classes = logs.shape
    weight = np.asarray(a["weight"], np.float64).ravel() if "weight" in a else np.ones(classes)
    smoothing = number(s, "label_smoothing", 0.0)
    if weight.size != classes:
        return None
    if target.ndim == 2:
        mixed = target * (1 - smoothing) + smoothing / classes
        each = -(np.where(mixed == 0, 0, mixed * logs) * weight).sum(1)
        size = float(np.abs(each).sum()) + largest * float(np.abs(mixed * weight).sum())
        return Terms(each, rows, batch_of(a), rows, size)
    if target.dtype.kind == "f":
        if not np.array_equal(target, np.round(target)):
            return None
        target = target.astype(np.int64)
    valid = target != number(s, "ignore_index", -100)
    at = np.where(valid, target, 0).astype(np.int64)
    if at.size and (at.min() < 0 or at.max() >= classes):
        return None
    weights = np.where(valid, weight[at], 0.0)
    picked = np.where(valid, -weight[at] * logs[np.arange(rows), at], 0.0)
    spread = np.where(valid, -(weight * logs).sum(1), 0.0) if smoothing else 0.0
    each = (1 - smoothing) * picked + smoothing / classes * spread
    size = float(np.abs(each).sum()) + largest * float(np.abs(weights).sum())
    return Terms(each, float(weights.sum()), batch_of(a), int(valid.sum()), size)


def multi_margin(a: Arrays, s: Settings) -> Terms:
    """By how much other classes come within a margin of the right one."""
    scores, target = by_class(np.asarray(a["input"], np.float64), a["target"])
    rows = np.arange(len(scores))
    own = scores[rows, target][:, None]
    over = np.maximum(0, number(s, "margin", 1.0) - own + scores) ** number(s, "p", 1)
    over[rows, target] = 0
    weight = np.asarray(a["weight"], np.float64)[target] if "weight" in a else 1.0
    return alike(over.sum(1) * weight / scores.shape[1], a)


def multilabel_margin(a: Arrays, _: Settings) -> Terms:
    """The same of several right classes."""
    scores, labels = (np.atleast_2d(a[name]) for name in ("input", "target"))
    each = np.zeros(len(scores))
    for row, (values, targets) in enumerate(zip(scores, labels, strict=True)):
        ends = np.flatnonzero(targets < 0)
        wanted = targets[: ends[0]] if ends.size else targets
        others = np.setdiff1d(np.arange(values.size), wanted)
        each[row] = np.maximum(0, 1 - (values[wanted][:, None] - values[others][None])).sum() / values.size
    return alike(each, a)


def multilabel_soft_margin(a: Arrays, _: Settings) -> Terms:
    """A binary cross entropy for each class."""
    x, y = a["input"], a["target"]
    each = y * softplus(-x) + (1 - y) * softplus(x)
    return alike((each * a.get("weight", np.ones(1))).mean(-1), a)
