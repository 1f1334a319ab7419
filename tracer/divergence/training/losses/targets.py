"""Do the targets of both sides say the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.divergence.training.losses.terms import Array


@dataclass(frozen=True)
class TargetFinding:
    """`same` says that both mean the same numbers; `sentence` how that is, or what differs. `kind` is "equal", "dtype",
    "one-hot", "shape", "smoothed", "shifted", "classes", "order" or "values"; `by` is by how many positions or classes
    the candidate's are further on than the reference's. `differing` is how many samples have another label."""

    same: bool
    kind: str = "equal"
    sentence: str = ""
    by: int = 0
    differing: int = 0


def same_targets(reference: Array, candidate: Array) -> TargetFinding:
    """Hold the targets (labels of any integer dtype, one-hot or soft labels, numbers) of one batch against each other.

    int64 says the same as int32, one-hot labels the same as indices; labels that lie one position or one class further
    are said with the direction.
    """
    r, c = (np.asarray(side) for side in (reference, candidate))
    if r.shape == c.shape and _equal(r, c):
        return _alike(r, c)
    if r.size == c.size and _squeezed(r) == _squeezed(c) and _equal(r.ravel(), c.ravel()):
        return TargetFinding(True, "shape", f"the targets say the same in the shapes {r.shape} and {c.shape}")
    found = _as_classes(r, c, "reference", "candidate") or _as_classes(c, r, "candidate", "reference")
    if found is not None:
        return found
    return _moved(r, c) or _unlike(r, c)


def _equal(r: Array, c: Array) -> bool:
    if r.dtype.kind in "iub" and c.dtype.kind in "iub":
        return bool(np.array_equal(r.astype(np.int64), c.astype(np.int64)))
    return bool(np.allclose(r.astype(np.float64), c.astype(np.float64), rtol=1e-6, atol=1e-7, equal_nan=True))


def _squeezed(array: Array) -> tuple[int, ...]:
    return tuple(n for n in array.shape if n != 1)


def _alike(r: Array, c: Array) -> TargetFinding:
    if r.dtype == c.dtype:
        return TargetFinding(True)
    return TargetFinding(True, "dtype", f"the targets are {r.dtype} in the reference and {c.dtype} in the candidate")


# --------------------------------------------------------------------------------------------------------------------
# Indices and one-hot labels
# --------------------------------------------------------------------------------------------------------------------


def _as_classes(indices: Array, hot: Array, one: str, other: str) -> TargetFinding | None:
    """Indices on one side, a number for each class on the other."""
    if indices.dtype.kind == "b" or not _whole(indices):
        return None
    for axis in sorted({hot.ndim - 1, 1} if hot.ndim > 1 else set(), reverse=True):
        rows = np.moveaxis(hot, axis, -1).astype(np.float64)
        if rows.shape[:-1] != indices.shape or rows.shape[-1] < 2:
            continue
        picked, labels = rows.argmax(-1), indices.astype(np.int64)
        low, high = rows.min(-1), rows.max(-1)
        flat = np.allclose(np.sort(rows, -1)[..., :-1], low[..., None], atol=1e-6)
        if not flat or not np.allclose(rows.sum(-1), 1, atol=1e-4):
            return None
        if not np.array_equal(picked, labels):
            n = int(np.count_nonzero(picked != labels))
            said = f"the {other}'s one-hot labels mean another class than the {one}'s indices in {n} of {labels.size}"
            return TargetFinding(False, "values", said, differing=n)
        if np.allclose(high, 1, atol=1e-6):
            return TargetFinding(True, "one-hot", f"the targets are indices in the {one} and one-hot in the {other}")
        smoothing = round(float(low.mean()) * rows.shape[-1], 6)
        said = f"the {other}'s targets are smoothed by {smoothing:g}, the {one}'s are indices"
        return TargetFinding(False, "smoothed", said)
    return None


def _whole(array: Array) -> bool:
    return array.dtype.kind in "iu" or bool(np.array_equal(array, np.round(array)))


# --------------------------------------------------------------------------------------------------------------------
# Moved
# --------------------------------------------------------------------------------------------------------------------


def _moved(r: Array, c: Array) -> TargetFinding | None:
    rows = abs(r.size - c.size)
    if r.ndim == c.ndim == 1 and rows and not r.size % rows and not c.size % rows:
        r, c = r.reshape(rows, -1), c.reshape(rows, -1)  # each sample lost one position before all became one row
    if r.ndim != c.ndim or not r.ndim or r.shape[:-1] != c.shape[:-1]:
        return None
    r, c = r.astype(np.float64), c.astype(np.float64)
    if r.shape == c.shape and _whole(r):
        for by in (1, -1):
            counted = (r >= 0) & (c >= 0)  # those that are left out (-100) do not move
            if np.array_equal(np.where(counted, r + by, r), c) and counted.any():
                word = "one more" if by > 0 else "one less"
                return TargetFinding(False, "classes", f"the candidate's labels are {word} than the reference's", by)
    length = min(r.shape[-1], c.shape[-1])
    for by in (1, -1):
        n = length - 1
        first, second = (r[..., 1 : n + 1], c[..., :n]) if by > 0 else (r[..., :n], c[..., 1 : n + 1])
        if n >= 3 and _equal(first, second) and np.unique(first).size > 1:
            word = "later" if by > 0 else "earlier"
            said = f"the candidate's targets are the reference's one position {word}"
            return TargetFinding(False, "shifted", said, by)
    return None


def _unlike(r: Array, c: Array) -> TargetFinding:
    if r.shape != c.shape:
        return TargetFinding(False, "shape", f"the targets have the shapes {r.shape} and {c.shape}")
    if r.ndim and r.size > 1 and _equal(np.sort(r, axis=None), np.sort(c, axis=None)):
        return TargetFinding(
            False, "order", "the targets are the same in another order: other samples, or another layout"
        )
    near = np.isclose(r.astype(np.float64), c.astype(np.float64), rtol=1e-6, atol=1e-7, equal_nan=True)
    n = int(near.size - np.count_nonzero(near))
    return TargetFinding(False, "values", f"{n} of {near.size} targets differ", differing=n)
