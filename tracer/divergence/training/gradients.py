"""What a training loop did to gradients between the backward pass and the optimizer: scaled, summed, clipped, lost.

Each side is looked at by itself first: what the optimizer got is W times what the backward passes gave, the latter
free of the scale that was on the loss. So W holds accumulation, divisors, unscaling and clipping, and is the same on
both sides however far the numbers themselves have drifted apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_FITS = 1e-3
"""Relative L2 that is left when a gradient is W times what the passes gave."""

_SAME = 2e-4
"""Relative difference between two factors that is none (norms by which both are clipped differ by rounding)."""


@dataclass(frozen=True)
class Handed:
    """One parameter's gradient on its way to the optimizer, on one side.

    `factors` are what the gradient of each backward pass was multiplied with, free of the loss's scale; empty where
    there is nothing to compare with. `left` is the relative L2 that they leave unexplained. `norm` and `largest` are of
    what the optimizer got, None where it got nothing; `given` is the L2 of what the passes gave.
    """

    factors: tuple[float, ...]
    left: float
    norm: float | None
    largest: float | None
    given: float | None

    @property
    def factor(self) -> float | None:
        """The one factor of all passes, where they have one."""
        if not self.factors or self.left > _FITS:
            return None
        mean = sum(self.factors) / len(self.factors)
        return mean if all(abs(f - mean) <= _SAME * abs(mean) for f in self.factors) else None


def handed(parts: Sequence[Array], got: Array | None) -> Handed:
    """How a gradient that the optimizer got comes from what the backward passes gave.

    Args:
        parts: the gradient of each backward pass, divided by what was sent back from its loss; any equal shapes.
        got: what the optimizer got; None for nothing.
    """
    flat = [np.ravel(part).astype(np.float64) for part in parts]
    if not all(np.isfinite(part).all() for part in (*flat, *([np.ravel(got)] if got is not None else []))):
        return Handed((), 0.0, None if got is None else math.inf, None, None)
    given = math.sqrt(sum(float(p @ p) for p in flat)) if flat else None
    if got is None:
        return Handed((), 0.0, None, None, given)
    target = np.ravel(got).astype(np.float64)
    norm = float(np.linalg.norm(target))
    largest = float(np.abs(target).max()) if target.size else 0.0
    if not flat or any(p.size != target.size for p in flat) or not given:
        return Handed((), 0.0, norm, largest, given)
    if len(flat) == 1:
        factors = np.array([float(flat[0] @ target) / max(float(flat[0] @ flat[0]), 1e-300)])
    else:
        factors = _fitted(flat, target)
    rest = target - sum(f * p for f, p in zip(factors, flat, strict=True))
    left = float(np.linalg.norm(rest)) / norm if norm else 0.0
    return Handed(tuple(map(float, factors)), left, norm, largest, given)


def _fitted(parts: Sequence[Array], target: Array) -> Array:
    """One factor for all passes where that explains the gradient; else the least squares of one for each."""
    total = np.sum(parts, axis=0)
    one = float(total @ target) / max(float(total @ total), 1e-300)
    if np.linalg.norm(target - one * total) <= _FITS * max(float(np.linalg.norm(target)), 1e-300):
        return np.full(len(parts), one)
    found: Array = np.linalg.lstsq(np.stack(parts, axis=1), target, rcond=1e-9)[0]
    return found


@dataclass(frozen=True)
class GradientCause:
    """Why the optimizers got other gradients. `name` is "clip_grad_norm", "clip_grad_value", "accumulation",
    "loss_scale", "scale" or "lost"."""

    name: str
    reference: float | None
    candidate: float | None
    sentence: str


def same(a: float, b: float, within: float = _SAME) -> bool:
    """Are two factors the same?"""
    return abs(a - b) <= within * max(abs(a), abs(b))


def total_norm(side: Mapping[Any, Handed]) -> float:
    """L2 of all gradients that one side's optimizer got."""
    return math.sqrt(sum((h.norm or 0.0) ** 2 for h in side.values()))


def common_factor(side: Mapping[Any, Handed]) -> float | None:
    """The factor that all parameters of a side share, weighted by their sizes; None where they have none."""
    known = [(h.factor, h.given or 0.0) for h in side.values() if h.factors]
    if not known or any(f is None for f, _ in known):
        return None
    size = sum(w for _, w in known)
    mean = sum((f or 0.0) * w for f, w in known) / size if size else 0.0
    return mean if all(same(f or 0.0, mean, 5 * _SAME) for f, _ in known) else None


def pass_factors(side: Mapping[Any, Handed]) -> tuple[float, ...] | None:
    """The factors of each pass, where all parameters share them."""
    known = [h for h in side.values() if h.factors]
    if not known or any(h.left > _FITS or len(h.factors) != len(known[0].factors) for h in known):
        return None
    best = max(known, key=lambda h: h.norm or 0.0)
    scale = max(map(abs, best.factors))
    for h in known:
        if any(abs(f - g) > 0.02 * scale for f, g in zip(h.factors, best.factors, strict=True)):
            return None
    return best.factors


def explain(
    ours: Mapping[Any, Handed], theirs: Mapping[Any, Handed], scales: tuple[float, float]
) -> GradientCause | None:
    """Why the optimizers got other gradients, over all parameters of both sides.

    Args:
        ours, theirs: each parameter's, by anything; pairs share a key.
        scales: what was sent back from the first loss of each side.

    Returns:
        None where nothing common explains it.
    """
    passes = [pass_factors(side) for side in (ours, theirs)]
    lost = _lost(*passes)
    if lost is not None:
        return lost
    factors = common_factor(ours), common_factor(theirs)
    norms = total_norm(ours), total_norm(theirs)
    clipped = [_clipped(factor, norm) for factor, norm in zip(factors, norms, strict=True)]
    counts = [max((len(h.factors) for h in side.values()), default=1) for side in (ours, theirs)]
    if factors[0] is not None and factors[1] is not None:
        return _uniform(factors[0], factors[1], norms, clipped, counts, scales)
    for n, (side, word) in enumerate(((ours, "reference"), (theirs, "candidate"))):
        if factors[n] is None and passes[n] is None:
            found = _each(side)
            if found is not None:
                name, limit, said = found
                own, others = (limit, None) if n == 0 else (None, limit)
                other = "candidate" if n == 0 else "reference"
                how = f", those of the {other} are clipped to {clipped[1 - n]:.3g} together" if clipped[1 - n] else ""
                return GradientCause(name, own, others, f"the {word}'s gradients are {said}{how}")
    return None


def _uniform(
    ours: float,
    theirs: float,
    norms: tuple[float, float],
    clipped: Sequence[float | None],
    counts: Sequence[int],
    scales: tuple[float, float],
) -> GradientCause:
    ratio = theirs / ours if ours else math.inf
    if ratio < 0 and same(abs(ratio), 1.0, 2e-3):
        return GradientCause("scale", ours, theirs, "the candidate's optimizer gets its gradients negated")
    words = [
        f"clipped to the norm {limit:.4g}"
        if limit
        else f"not clipped (norm {norm:.4g})"
        if _plain(abs(factor))
        else f"multiplied with {factor:.4g} (norm {norm:.4g})"
        for limit, norm, factor in zip(clipped, norms, (ours, theirs), strict=True)
    ]
    for count in dict.fromkeys(counts):
        if count > 1 and any(same(ratio, r, 2e-3) for r in (count, 1 / count)):
            by = [f"{1 / f:.4g}" if f else "0" for f in (ours, theirs)]
            said = f"of {count} backward passes the reference divides the sum by {by[0]}, the candidate by {by[1]}"
            return GradientCause("accumulation", ours, theirs, said)
    early = _clipped_too_early(norms, clipped, scales)
    if early is not None:
        return early
    for side, (factor, scale) in enumerate(zip((ours, theirs), scales, strict=True)):
        other = (ours, theirs)[1 - side]
        if abs(scale) not in (0.0, 1.0) and not clipped[side] and same(factor / other, scale, 2e-3):
            word = ("reference", "candidate")[side]
            said = f"the loss of the {word} was scaled by {scale:.6g}, and its gradients were never divided by that"
            return GradientCause("loss_scale", ours, theirs, said)
    if any(clipped):
        said = f"the gradients of the reference are {words[0]}, those of the candidate {words[1]}"
        return GradientCause("clip_grad_norm", clipped[0], clipped[1], said)
    if max(counts) > 1 and ratio not in (0.0, math.inf):
        by = [f"{1 / f:.4g}" if f else "0" for f in (ours, theirs)]
        said = (
            f"the reference divides the sum of {counts[0]} backward passes by {by[0]}, "
            f"the candidate that of {counts[1]} by {by[1]}"
        )
        return GradientCause("accumulation", ours, theirs, said)
    if ratio == 0.0 or ours == 0.0:
        word = "candidate" if ratio == 0.0 else "reference"
        return GradientCause("lost", ours, theirs, f"the optimizer of the {word} gets zeros")
    said = f"the candidate's optimizer gets its gradients times {theirs:.6g}, the reference's times {ours:.6g}"
    return GradientCause("scale", ours, theirs, said)


def _clipped_too_early(
    norms: tuple[float, float], clipped: Sequence[float | None], scales: tuple[float, float]
) -> GradientCause | None:
    """Gradients that were clipped while the loss's scale was still on them: their norm is the limit over the scale."""
    for side, word in enumerate(("reference", "candidate")):
        limit = norms[side] * abs(scales[side])
        other = clipped[1 - side]
        if abs(scales[side]) in (0.0, 1.0) or not other:
            continue
        if not same(limit, other, 2e-3) and (clipped[side] or not _plain(limit)):
            continue
        said = (
            f"the {word}'s gradients were clipped to the norm {limit:.4g} while the loss's scale {scales[side]:g} was "
            f"still on them, and divided by it afterwards: their norm is {norms[side]:.4g}, that of the other side "
            f"{norms[1 - side]:.4g}"
        )
        own, others = (limit, clipped[1]) if side == 0 else (clipped[0], limit)
        return GradientCause("clip_grad_norm", own, others, said)
    return None


def _lost(ours: tuple[float, ...] | None, theirs: tuple[float, ...] | None) -> GradientCause | None:
    """Backward passes that one side leaves out."""
    missing = [
        [n for n, f in enumerate(side or ()) if abs(f) < 1e-3 * max(map(abs, side or (1,)))] for side in (ours, theirs)
    ]
    for n, word in enumerate(("reference", "candidate")):
        if missing[n] and not missing[1 - n]:
            side = (ours, theirs)[n] or ()
            which = ", ".join(str(k + 1) for k in missing[n])
            said = f"of {len(side)} backward passes the {word}'s optimizer gets nothing of number {which}"
            return GradientCause("accumulation", None, None, said)
    return None


def _clipped(factor: float | None, norm: float) -> float | None:
    """The norm that all gradients of a side were clipped to, if that is what was done: a factor that is no plain one,
    and a norm that is a plain number."""
    if factor is None or not norm or _plain(factor) or not _plain(norm):
        return None
    return float(f"{norm:.3g}")


def _each(side: Mapping[Any, Handed]) -> tuple[str, float, str] | None:
    """Were gradients clipped one by one, by norm or by value? Name, limit, words."""
    norms = [h.norm for h in side.values() if h.norm]
    top = max(norms, default=0.0)
    at = [n for n in norms if same(n, top, 2e-3)]
    if len(at) > 1 and _plain(top):
        return "clip_grad_norm", float(f"{top:.3g}"), f"clipped to the norm {top:.4g} each by itself"
    largest = [h.largest for h in side.values() if h.largest]
    peak = max(largest, default=0.0)
    if _plain(peak) and any(h.left > _FITS for h in side.values()):
        return "clip_grad_value", float(f"{peak:.3g}"), f"clipped to values up to {peak:.4g}"
    return None


def _plain(number: float) -> bool:
    """Is it a number that people write: of at most two digits, or one over such?"""
    if number <= 0 or not math.isfinite(number):
        return False
    return any(same(number, float(f"{n:.2g}") if k == 0 else 1 / float(f"{n:.2g}"), 1e-4)
               for k, n in enumerate((number, 1 / number)))  # fmt: skip
