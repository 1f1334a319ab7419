"""Sums of squares for the curves of a training: to six digits, in one walk over what may be a gigabyte."""

from __future__ import annotations

from typing import Any

import numpy as np

from tracer.trace.schema import Statistics

Array = np.ndarray[Any, Any]

_ROW = 1 << 12
"""Elements of one inner product: short enough that float32 adds them well, and that no BLAS starts threads for it."""

_PIECE = 1 << 17
"""Elements walked at a time, which a core's cache holds."""


def squares(array: Array, known: Statistics | None = None) -> float:
    """The sum of squares of all elements; NaN or infinite where one of them is. `known` is what was found of them."""
    if known is not None and known.l2 is not None and not known.nan and not known.inf:
        return known.l2**2
    flat = np.ravel(array)
    return sum(_squares(_wide(flat[at : at + _PIECE])) for at in range(0, flat.size, _PIECE))


def moved(before: Array, after: Array) -> tuple[float, float]:
    """Sums of squares of `before`, and of what was added to it to give `after` (of its shape)."""
    old, new = np.ravel(before), np.ravel(after)
    was = added = 0.0
    for at in range(0, old.size, _PIECE):
        piece = _wide(old[at : at + _PIECE])
        was += _squares(piece)
        added += _squares(_wide(new[at : at + _PIECE]) - piece)
    return was, added


def _wide(piece: Array) -> Array:
    """In a dtype that squares can be taken in."""
    return piece if piece.dtype.kind in "fc" and piece.dtype.itemsize >= 4 else piece.astype(np.float32)


def _squares(piece: Array) -> float:
    if piece.dtype.kind == "c":
        return float(np.vdot(piece, piece).real)
    whole = piece.size - piece.size % _ROW
    rows, tail = piece[:whole].reshape(-1, 1, _ROW), piece[whole:]
    return float(np.add.reduce(np.matmul(rows, rows.transpose(0, 2, 1)), None, np.float64)) + float(np.dot(tail, tail))
