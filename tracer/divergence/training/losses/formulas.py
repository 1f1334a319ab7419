"""Losses by the textbook, in float64: from predictions, targets, class weights and settings.

Names, settings and shapes are those of `torch.nn.functional`, but that the class axis of a cross entropy may also be
the last one, as nets of text give it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from tracer.divergence.training.losses import classification
from tracer.divergence.training.losses.terms import Array, Arrays, Settings, Terms, alike, in_wide, number, softplus


def loss_terms(op: str, arrays: Arrays, settings: Settings) -> Terms | None:
    """The terms of a loss; None where no formula is known, or what is given does not fit it (shapes, labels that are
    no class, probabilities below zero).

    Args:
        op: torch's name of the function ("cross_entropy").
        arrays: by torch's names: "input" (N, C, ...) or (..., C), "target", "weight", "pos_weight" and others.
        settings: by torch's names; those that are missing have torch's defaults.
    """
    formula = FORMULAS.get(op)
    if formula is None:
        return None
    wide = in_wide(arrays)
    try:
        with np.errstate(all="ignore"):
            terms = formula(wide, settings)
    except (KeyError, ValueError, IndexError, TypeError):
        return None
    return terms if terms is not None and terms.each.size else None


def _apart(a: Arrays) -> Array:
    return np.asarray(np.abs(a["input"] - a["target"]), np.float64)


def _weighted(each: Array, a: Arrays) -> Array:
    return each * a["weight"] if "weight" in a else each


def _mse(a: Arrays, _: Settings) -> Terms:
    return alike(_weighted(_apart(a) ** 2, a), a)


def _l1(a: Arrays, _: Settings) -> Terms:
    return alike(_weighted(_apart(a), a), a)


def _smooth_l1(a: Arrays, s: Settings) -> Terms:
    d, beta = _apart(a), number(s, "beta", 1.0)
    return alike(np.where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta) if beta > 0 else d, a)


def _huber(a: Arrays, s: Settings) -> Terms:
    d, delta = _apart(a), number(s, "delta", 1.0)
    return alike(_weighted(np.where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), a), a)


def _bce(a: Arrays, _: Settings) -> Terms | None:
    p, y = np.asarray(a["input"], np.float64), a["target"]
    if p.min() < 0 or p.max() > 1:
        return None
    each = -(y * np.maximum(np.log(p), -100) + (1 - y) * np.maximum(np.log1p(-p), -100))
    return alike(_weighted(each, a), a)


def _bce_with_logits(a: Arrays, _: Settings) -> Terms:
    x, y = np.asarray(a["input"], np.float64), a["target"]
    positive = y * a.get("pos_weight", np.ones(1))
    each = positive * softplus(-x) + (1 - y) * softplus(x)
    return alike(_weighted(each, a), a)


def _kl_div(a: Arrays, s: Settings) -> Terms | None:
    x, y = a["input"], np.asarray(a["target"], np.float64)
    if s.get("log_target"):
        each = np.exp(y) * (y - x)
        return alike(each, a, float((np.exp(y) * (np.abs(y) + np.abs(x))).sum()))
    if y.min() < 0:
        return None
    logs = np.where(y > 0, np.log(np.where(y > 0, y, 1)), 0)
    return alike(y * (logs - x), a, float((y * (np.abs(logs) + np.abs(x))).sum()))


def _soft_margin(a: Arrays, _: Settings) -> Terms:
    return alike(softplus(-a["target"] * a["input"]), a)


def _hinge_embedding(a: Arrays, s: Settings) -> Terms:
    x, y = np.asarray(a["input"], np.float64), a["target"]
    apart = np.maximum(0, number(s, "margin", 1.0) - x)
    return alike(np.where(y == 1, x, 0) + np.where(y == -1, apart, 0), a)


def _poisson_nll(a: Arrays, s: Settings) -> Terms:
    x, y = np.asarray(a["input"], np.float64), np.asarray(a["target"], np.float64)
    each = np.exp(x) - y * x if s.get("log_input", True) else x - y * np.log(x + number(s, "eps", 1e-8))
    if s.get("full"):
        large = np.where(y > 1, y, 1)
        stirling = large * np.log(large) - large + 0.5 * np.log(2 * math.pi * large)
        each = each + np.where(y > 1, stirling, 0)
    return alike(each, a, float((np.abs(each) + np.abs(y * x)).sum()))


def _gaussian_nll(a: Arrays, s: Settings) -> Terms:
    x, y = a["input"], a["target"]
    var = np.maximum(np.asarray(a["var"], np.float64), number(s, "eps", 1e-6))
    var = var[..., None] if var.shape == x.shape[:-1] and var.shape != x.shape else var
    logs, squares = np.log(var) + 0 * x, (x - y) ** 2 / var
    each = 0.5 * (logs + squares) + (0.5 * math.log(2 * math.pi) if s.get("full") else 0)
    return alike(each, a, float((np.abs(logs) + squares).sum()))


def _margin_ranking(a: Arrays, s: Settings) -> Terms:
    d = a["input1"] - a["input2"]
    return alike(np.maximum(0, -a["target"] * d + number(s, "margin", 0.0)), a)


def _cosine_embedding(a: Arrays, s: Settings) -> Terms:
    u, v, y = np.asarray(a["input1"], np.float64), np.asarray(a["input2"], np.float64), a["target"]
    cosine = (u * v).sum(-1) / np.sqrt(((u * u).sum(-1) + 1e-12) * ((v * v).sum(-1) + 1e-12))
    each = np.where(y == 1, 1 - cosine, np.maximum(0, cosine - number(s, "margin", 0.0)))
    return alike(each, a, float(each.size))


def _triplet_margin(a: Arrays, s: Settings) -> Terms:
    p, eps = number(s, "p", 2.0), number(s, "eps", 1e-6)

    def distance(x: str, y: str) -> Array:
        return np.asarray((np.abs(a[x] - a[y] + eps) ** p).sum(-1) ** (1 / p))

    near, far = distance("anchor", "positive"), distance("anchor", "negative")
    far = np.minimum(far, distance("positive", "negative")) if s.get("swap") else far
    each = np.maximum(0, near - far + number(s, "margin", 1.0))
    return alike(each, a, float((near + far).sum()))


FORMULAS: Mapping[str, Callable[[Arrays, Settings], Terms | None]] = {
    "cross_entropy": classification.cross_entropy,
    "nll_loss": classification.nll,
    "mse_loss": _mse,
    "rmse_loss": _mse,
    "l1_loss": _l1,
    "smooth_l1_loss": _smooth_l1,
    "huber_loss": _huber,
    "binary_cross_entropy": _bce,
    "binary_cross_entropy_with_logits": _bce_with_logits,
    "kl_div": _kl_div,
    "poisson_nll_loss": _poisson_nll,
    "gaussian_nll_loss": _gaussian_nll,
    "soft_margin_loss": _soft_margin,
    "hinge_embedding_loss": _hinge_embedding,
    "margin_ranking_loss": _margin_ranking,
    "cosine_embedding_loss": _cosine_embedding,
    "triplet_margin_loss": _triplet_margin,
    "multi_margin_loss": classification.multi_margin,
    "multilabel_margin_loss": classification.multilabel_margin,
    "multilabel_soft_margin_loss": classification.multilabel_soft_margin,
}
"""Every loss with a formula. "rmse_loss" is the root of what "mse_loss" gives: see `recipes`."""
