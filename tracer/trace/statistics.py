"""One array -> what is known of it without reading it again: statistics, digest, sums of its row blocks.

Every array is walked in pieces that stay in a core's cache and are widened to float64 there, so the results do not
depend on the dtype's own precision and memory does not grow with the array.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import xxhash

from tracer.trace.schema import SAMPLE, Statistics, Sums

Array = np.ndarray[Any, Any]

PIECE = 1 << 17
"""Elements walked at a time: half a MiB of float32, which a core's second cache holds."""

_ROW = 1 << 13
"""Elements of one inner product: short enough that no BLAS starts threads for it (the cores belong to the net)."""

_TINY = 1e-280
"""A sum of squares below this has lost digits to underflow, and is taken again after scaling."""

_SINGLE_ROW = 1 << 9
_ONES = np.ones((1, _SINGLE_ROW, 1), np.float32)
_SINGLE_TINY = 1e-24
"""The same for products in float32: what vanishes in them (1e-38 each) is nothing beside this."""

_SMALL = 1 << 13
_FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})

_sum, _least, _most = np.add.reduce, np.minimum.reduce, np.maximum.reduce

MAX_BLOCKS = 256
MIN_BLOCK_ROWS = 16


class Moments(NamedTuple):
    """Sums over the finite elements of a stretch of an array; magnitudes when it is complex.

    `mean` and `l2` hold where `total` and `squares` leave the range of float64.
    """

    size: int
    nan: int
    inf: int
    total: float
    squares: float
    minimum: float
    maximum: float
    mean: float
    l2: float

    @property
    def finite(self) -> int:
        """How many elements are finite."""
        return self.size - self.nan - self.inf


def statistics(array: Array, sums: Sums | None = None) -> Statistics:
    """Statistics of all elements of `array`, of any shape and of any boolean, integer, float or complex dtype. What is
    known already in `sums` is not taken again, where it is all of it finite and no square overflowed or vanished."""
    flat = flatten(array)
    if sums is None and 0 < flat.size <= _SMALL and flat.dtype in _FLOATS:
        sums = _small(flat)
    if sums is not None and flat.size and _SINGLE_TINY < sums.squares < math.inf and math.isfinite(sums.total):
        low, high, total, squares = sums
        mean, l2 = total / flat.size, math.sqrt(squares)
        return Statistics(flat.size, 0, 0, low, high, mean, l2, tuple(flat.take(_sample_at(flat.size)).tolist()))
    with np.errstate(all="ignore"):
        return _statistics(flat, [_moments(flat)])


def _small(flat: Array) -> Sums | None:
    """Of so few elements that what the calls cost is all that counts; None where it must be done with more care."""
    wide = flat.astype(np.float64)
    squares = float(np.dot(wide, wide))  # of finite elements it says whether anything below can overflow
    if not _SINGLE_TINY < squares < math.inf:
        return None
    return Sums(float(_least(flat)), float(_most(flat)), float(_sum(wide)), squares)


def digest(array: Array) -> str:
    """xxh3-128 of the array's bytes in C order, in hexadecimal. Shape and dtype are not part of it."""
    return xxhash.xxh3_128_hexdigest(raw(array).data)


def row_blocks(array: Array) -> tuple[int, Array]:
    """Sum, sum of squares, minimum and maximum of each block of rows of axis 0.

    Returns:
        The rows in a block, a power of two from 16 up so that there are at most 256 blocks (blocks of two sizes can
        be compared by adding neighbours), and a float64 array (blocks, 4). Elements that are not finite are left
        out; a block without a finite element has NaN as minimum and maximum. The rows of a vector are its elements;
        a scalar is one row.
    """
    return measure(array)[1:]


@np.errstate(all="ignore")
def measure(array: Array) -> tuple[Statistics, int, Array]:
    """`statistics` and `row_blocks` in one walk over the array."""
    flat = flatten(array)
    rows = array.shape[0] if array.ndim else 1
    block_rows = _block_rows(rows)
    stride = block_rows * (flat.size // rows if rows else 1)
    stretches = [_moments(flat[start : start + stride]) for start in range(0, flat.size, stride)] if stride else []
    blocks = np.full((-(-rows // block_rows), 4), np.nan)
    blocks[:, :2] = 0.0
    for block, m in zip(blocks, stretches, strict=False):
        block[:] = m.total, m.squares, m.minimum, m.maximum
    return _statistics(flat, stretches), block_rows, blocks


def flatten(array: Array) -> Array:
    """The elements of `array` in C order as a vector; a copy only where it is not contiguous."""
    return np.ascontiguousarray(array).reshape(-1)


def raw(array: Array) -> Array:
    """The bytes of `array` in C order as a uint8 vector; a copy only where it is not contiguous."""
    return flatten(array).view(np.uint8)


def _block_rows(rows: int) -> int:
    size = MIN_BLOCK_ROWS
    while size * MAX_BLOCKS < rows:
        size *= 2
    return size


def _statistics(flat: Array, stretches: list[Moments]) -> Statistics:
    nan = sum(m.nan for m in stretches)
    inf = sum(m.inf for m in stretches)
    finite = flat.size - nan - inf
    sample = _sample(flat)
    if not finite:
        return Statistics(flat.size, nan, inf, sample=sample)
    some = [m for m in stretches if m.finite]
    return Statistics(
        count=flat.size,
        nan=nan,
        inf=inf,
        minimum=min(m.minimum for m in some),
        maximum=max(m.maximum for m in some),
        mean=float(sum(m.mean * (m.finite / finite) for m in some)),
        l2=math.hypot(*(m.l2 for m in some)),
        sample=sample,
    )


def _sample(flat: Array) -> tuple[float, ...]:
    chosen = _widen(flat[_sample_at(flat.size)])
    chosen[~np.isfinite(chosen)] = np.nan
    return tuple(chosen.tolist())


@lru_cache(maxsize=1024)
def _sample_at(size: int) -> Array:
    at: Array = np.round(np.linspace(0, size - 1, min(size, SAMPLE))).astype(np.int64)
    return at


def _widen(piece: Array) -> Array:
    """A piece as float64; magnitudes of complex numbers."""
    if piece.dtype.kind == "c":
        return np.abs(piece.astype(np.complex128))
    return piece.astype(np.float64)


def _moments(flat: Array) -> Moments:
    parts = list(_pieces(flat))
    if len(parts) == 1:
        return parts[0]
    some = [m for m in parts if m.finite] or parts[:1]
    finite = sum(m.finite for m in parts)
    return Moments(
        size=flat.size,
        nan=sum(m.nan for m in parts),
        inf=sum(m.inf for m in parts),
        total=sum(m.total for m in some),
        squares=sum(m.squares for m in some),
        minimum=min(m.minimum for m in some),
        maximum=max(m.maximum for m in some),
        mean=float(sum(m.mean * (m.finite / finite) for m in some)) if finite else math.nan,
        l2=math.hypot(*(m.l2 for m in some)),
    )


def _pieces(flat: Array) -> Iterator[Moments]:
    for start in range(0, max(flat.size, 1), PIECE):
        piece = flat[start : start + PIECE]
        single = _as_single(piece)
        easy = None if single is None else _single(single)
        yield _piece(_widen(piece)) if easy is None else easy


def _as_single(piece: Array) -> Array | None:
    """A piece of a float dtype that float32 holds exactly; None of others."""
    if piece.dtype == np.float32:
        return piece
    if piece.dtype == np.float16:
        return np.take(_halves(), piece.view(np.uint16), mode="clip")
    if piece.dtype.itemsize <= 2 and piece.dtype.kind in "Vf":
        return piece.astype(np.float32)
    return None


@cache
def _halves() -> Array:
    """Every float16 as float32: looking them up is quicker than numpy's cast."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


def _single(piece: Array) -> Moments | None:
    """Moments of float32, whose partial sums stay in float32 over rows so short that float64 is hardly better; None
    where they overflow, vanish or are not finite."""
    whole = piece.size - piece.size % _SINGLE_ROW
    rows = piece[:whole].reshape(-1, 1, _SINGLE_ROW)
    squares = float(_sum(np.matmul(rows, rows.transpose(0, 2, 1)), None, np.float64))
    total = float(_sum(np.matmul(rows, _ONES), None, np.float64))
    if whole < piece.size:
        tail = piece[whole:].astype(np.float64)
        squares += float(np.dot(tail, tail))
        total += float(_sum(tail))
    if not _SINGLE_TINY < squares < math.inf:
        return None
    low, high = float(np.minimum.reduce(piece)), float(np.maximum.reduce(piece))
    return Moments(piece.size, 0, 0, total, squares, low, high, total / piece.size, math.sqrt(squares))


def _piece(wide: Array) -> Moments:
    """Moments of one piece in float64."""
    if not wide.size:
        return Moments(0, 0, 0, 0.0, 0.0, math.nan, math.nan, math.nan, 0.0)
    squares = _squares(wide)
    low, high = float(np.minimum.reduce(wide)), float(np.maximum.reduce(wide))
    if _TINY < squares < math.inf or low == high == 0:
        total = float(np.add.reduce(wide))
        return Moments(wide.size, 0, 0, total, squares, low, high, total / wide.size, math.sqrt(squares))
    return _hard_piece(wide)


def _squares(wide: Array) -> float:
    """The inner product with itself, row by row: BLAS adds in many lanes, which keeps rounding apart."""
    whole = wide.size - wide.size % _ROW
    rows = wide[:whole].reshape(-1, 1, _ROW)
    tail = wide[whole:]
    return float(_sum(np.matmul(rows, rows.transpose(0, 2, 1)), None)) + float(np.dot(tail, tail))


def _hard_piece(wide: Array) -> Moments:
    """As `_piece`, for what is not finite, or whose squares are too large or too small for float64."""
    nan = int(np.count_nonzero(np.isnan(wide)))
    inf = int(np.count_nonzero(np.isinf(wide)))
    finite = wide[np.isfinite(wide)] if nan or inf else wide
    if not finite.size:
        return Moments(wide.size, nan, inf, 0.0, 0.0, math.nan, math.nan, math.nan, 0.0)
    low, high = float(np.minimum.reduce(finite)), float(np.maximum.reduce(finite))
    peak = max(abs(low), abs(high))
    scaled = finite / peak if peak else finite
    mean = float(np.add.reduce(scaled)) / finite.size * (peak or 1.0)
    l2 = math.sqrt(_squares(scaled)) * (peak or 1.0)
    return Moments(wide.size, nan, inf, float(np.add.reduce(finite)), _squares(finite), low, high, mean, l2)
