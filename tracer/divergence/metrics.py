"""How far two arrays are apart, in float64, a block at a time; and how far apart rounding alone may put them."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tracer.errors import RuleError
from tracer.trace.schema import Statistics

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Difference:
    """How far a candidate value is from its reference, over the elements that are finite on both sides.

    `relative_l2` is ||c - r|| / ||r|| (for a zero reference ||c - r|| / sqrt(count), so that it stays comparable);
    None when it cannot be had (other shapes). `max_abs` is the largest |c - r|, at index `max_at` of the reference.
    `beyond` is the share of elements further apart than the tolerance times the larger of the element's own size and
    the root mean square; `tolerance` is what relative_l2 was held against.
    `nan_reference`, `nan_candidate`: not finite elements of each side; `mask_differs` that they sit elsewhere.
    `filled`: how many elements are -inf on one side and a mask's huge negative number (`fill`, of the side with the
    index `fill_side`) on the other; they mean one thing and are left out of everything else.
    `layout` says how the candidate had to be turned ("NHWC -> NCHW", "size-1 axes"); `exact` that both are bit-equal;
    `leaf` which leaf of the result this is about; `from_statistics` that no arrays were read.
    """

    relative_l2: float | None
    tolerance: float
    max_abs: float | None = None
    max_at: tuple[int, ...] | None = None
    cosine: float | None = None
    beyond: float | None = None
    rms_error: float | None = None
    """Root mean square of c - r."""
    trimmed: float | None = None
    """`relative_l2` without the 0.1 % of elements that are furthest apart."""
    nan_reference: int = 0
    nan_candidate: int = 0
    mask_differs: bool = False
    filled: int = 0
    fill: float = 0.0
    fill_side: int = 0
    layout: str = ""
    exact: bool = False
    leaf: str = ""
    shapes: tuple[tuple[int, ...], tuple[int, ...]] | None = None
    dtypes: tuple[str, str] = ("", "")
    from_statistics: bool = False
    problem: str = ""
    """Why the two cannot be compared, or what differs besides numbers ("shape", "dtype", "structure", "nan",
    "missing")."""

    @property
    def diverged(self) -> bool:
        """Further apart than the tolerance, or different in a way that no number says."""
        if self.problem in {"shape", "structure", "nan", "dtype"}:
            return True
        return self.relative_l2 is not None and not self.relative_l2 <= self.tolerance

    @property
    def size(self) -> float:
        """The relative L2 as a number that orders: infinite where the two cannot be told apart by a number."""
        if self.problem in {"shape", "structure", "nan"}:
            return math.inf
        return self.relative_l2 or 0.0


# --------------------------------------------------------------------------------------------------------------------
# Tolerance
# --------------------------------------------------------------------------------------------------------------------

_ROUNDING = {
    "float64": 1.1e-16,
    "complex128": 1.1e-16,
    "float32": 6e-8,
    "complex64": 6e-8,
    "float16": 4.9e-4,
    "bfloat16": 3.9e-3,
}
"""Half a unit in the last place, by dtype."""

_NOISE = {
    "relu": 3e-8,
    "conv": 4.6e-7,
    "linear": 4.4e-7,
    "layer_norm": 2e-7,
    "batch_norm": 2e-7,
    "group_norm": 2e-7,
    "softmax": 8e-7,
    "log_softmax": 5e-7,
    "sigmoid": 4e-7,
    "silu": 4e-7,
    "mish": 5e-7,
    "gelu": 2e-7,
    "softplus": 6e-7,
    "logsigmoid": 8e-7,
    "elu": 1.5e-6,
    "celu": 1.5e-6,
    "gru": 8e-7,
    "lstm": 8e-7,
    "rnn": 8e-7,
}
"""Relative L2 between torch and MindSpore on CPU in float32 for one layer, inputs N(0, s) with s from 0.01 to 20
(torch 2.13, mindspore 2.10): the largest seen, rounded up."""

_NOISE_MINDSPORE = {"tanh": 3e-5, "exp": 2e-5, "tanhshrink": 6e-4, "rnn": 3e-5, "lstm": 3e-6, "gru": 3e-6, "mish": 1e-6}
"""The same where MindSpore's kernel is an approximation (tanh and exp; largest where they saturate)."""

_DEFAULT_NOISE = 4.4e-7
_UNKNOWN_CODE_NOISE_MINDSPORE = 6e-6
"""Code between layers may call tanh or exp, which nobody recorded: ten times this is still below 1e-4."""

MARGIN = 10.0
"""A tolerance is this many times the noise, and an origin this many times what fed it."""


@dataclass(frozen=True)
class Tolerance:
    """What counts as equal. Without arguments: from the noise of the op and its dtype, times ten.

    Args:
        rtol: a relative L2 that is used for every value instead.
        atol: a largest absolute difference that is always accepted.

    Raises:
        RuleError: one of them is no number from 0 on.
    """

    rtol: float | None = None
    atol: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("rtol", self.rtol), ("atol", self.atol)):
            real = isinstance(value, float | int | np.integer | np.floating) and not isinstance(value, bool)
            if value is not None and not (real and value >= 0):
                raise RuleError(f"{name} is no number from 0 on", where=f"{name}={value!r}", then="give one, as 1e-3")

    def noise(self, op: str, dtype: str, frameworks: tuple[str, str]) -> float:
        """Relative L2 that rounding alone gives one call of `op` ("" is code that no rule knows)."""
        mixed = frameworks[0] != frameworks[1]
        single = _NOISE.get(op, _NOISE.get("conv" if op.startswith("conv") else "", _DEFAULT_NOISE))
        if mixed:
            single = max(single, _NOISE_MINDSPORE.get(op, 0.0))
            if op == "":
                single = max(single, _UNKNOWN_CODE_NOISE_MINDSPORE)
        rounding = _ROUNDING.get(dtype)
        if rounding is None:  # integers, booleans: equal or not
            return 0.0
        if dtype in {"float16", "bfloat16"}:
            return max(single, rounding)
        return single * rounding / _ROUNDING["float32"]

    def limit(self, op: str, dtype: str, frameworks: tuple[str, str]) -> float:
        """The relative L2 up to which one call with equal inputs counts as equal."""
        return self.rtol if self.rtol is not None else MARGIN * self.noise(op, dtype, frameworks)

    def accepts(self, max_abs: float | None) -> bool:
        """Is every element within `atol`?"""
        return self.atol is not None and max_abs is not None and max_abs <= self.atol


def coarser(a: str, b: str) -> str:
    """Of two dtypes the one with the larger rounding; integers and booleans give way to floats."""
    return max((a, b), key=lambda dtype: _ROUNDING.get(dtype, 0.0))


def rounding(dtype: str) -> float:
    """Half a unit in the last place relative to 1; 0 for integers and booleans."""
    return _ROUNDING.get(dtype, 0.0)


# --------------------------------------------------------------------------------------------------------------------
# Arrays
# --------------------------------------------------------------------------------------------------------------------


_LEAST_FILL = 1e4
"""How large a negative number is at least, and how many times the root mean square of the rest, to be a mask's: what
softmax makes of it is nothing, as of -inf."""


class _Sums:
    """Running sums over blocks; everything `Difference` needs. `fills`: may a huge negative number stand for -inf?"""

    def __init__(self, tolerance: float, rms: float, *, fills: bool) -> None:
        self.tolerance, self.rms, self.fills = tolerance, rms, fills
        self.filled = [0, 0]
        self.fill = -math.inf
        self.lowest = True
        self.count = self.finite = self.beyond = 0
        self.reference = self.candidate = self.error = self.trimmed = self.dot = 0.0
        self.max_abs, self.max_at = -1.0, 0
        self.nan_reference = self.nan_candidate = 0
        self.mask_differs = False

    def add(self, reference: Array, candidate: Array) -> None:
        r, c = _as_float(reference), _as_float(candidate)
        finite_r, finite_c = np.isfinite(r), np.isfinite(c)
        if not (finite_r.all() and finite_c.all()):
            if self.fills and not np.array_equal(finite_r, finite_c):
                self._leave_out_fills((reference, r, finite_r), (candidate, c, finite_c))
            self.nan_reference += int(r.size - np.count_nonzero(finite_r))
            self.nan_candidate += int(c.size - np.count_nonzero(finite_c))
            self.mask_differs |= not _same_mask(r, c, finite_r, finite_c)
            both = finite_r & finite_c
            r, c = np.where(both, r, 0), np.where(both, c, 0)
            self.finite += int(np.count_nonzero(both))
        else:
            self.finite += r.size
        error = np.abs(c - r)
        self.reference += _squares(r)
        self.candidate += _squares(c)
        self.error += _squares(error)
        self.trimmed += _squares(np.partition(error, -_few(error))[: -_few(error)]) if error.size else 0.0
        self.dot += float(np.real(np.vdot(r, c)))
        self.beyond += int(np.count_nonzero(error > self.tolerance * np.maximum(np.abs(r), self.rms)))
        if error.size:
            at = int(error.argmax())
            if error[at] > self.max_abs:
                self.max_abs, self.max_at = float(error[at]), self.count + at
        self.count += r.size

    def _leave_out_fills(self, *sides: tuple[Array, Array, Array]) -> None:
        """Where one side is -inf and the other hugely negative, take it for -inf on both."""
        if any(numbers.dtype.kind == "c" for _, numbers, _ in sides):
            return
        for at, other in ((0, 1), (1, 0)):
            block, numbers, finite = sides[at]
            there = finite & np.isneginf(sides[other][1]) & (numbers <= -_LEAST_FILL)
            if there.any():
                self.filled[at] += int(np.count_nonzero(there))
                self.fill = max(self.fill, float(numbers[there].max()))
                self.lowest &= bool((numbers[there] == _lowest(block.dtype)).all())
                numbers[there], finite[there] = -math.inf, False

    @property
    def mask(self) -> bool:
        """Is what was left out a mask on both sides: all of it on one side, and far below the rest?"""
        rest = math.sqrt(max(self.reference, self.candidate) / max(self.finite, 1))
        return sum(self.filled) == 0 or (min(self.filled) == 0 and (self.lowest or -self.fill >= _LEAST_FILL * rest))


def _lowest(dtype: Any) -> float:
    facts = ml_dtypes.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.finfo(dtype)
    return float(facts.min)


def _few(errors: Array) -> int:
    """How many elements of a block are left out of `trimmed`: one in a thousand, at least one."""
    return max(1, errors.size // 1000)


def _as_float(block: Array) -> Array:
    flat = np.ravel(block)
    return flat.astype(np.complex128 if flat.dtype.kind == "c" else np.float64)


def _squares(block: Array) -> float:
    return float(np.real(np.vdot(block, block)))


def _same_mask(r: Array, c: Array, finite_r: Array, finite_c: Array) -> bool:
    if not np.array_equal(finite_r, finite_c):
        return False
    odd_r, odd_c = r[~finite_r], c[~finite_c]
    nan = np.isnan(odd_r)
    return bool(np.array_equal(nan, np.isnan(odd_c)) and np.array_equal(odd_r[~nan], odd_c[~nan]))


def compare_blocks(
    blocks: Iterable[tuple[Array, Array]],
    shape: Shape,
    *,
    tolerance: float,
    rms: float,
    fills: bool = True,
    **more: Any,
) -> Difference:
    """Compare two arrays given as parallel flat C-order blocks (reference, candidate).

    Args:
        blocks: pairs of flat blocks of equal length; any numeric dtype.
        shape: shape of the reference, for `max_at`.
        tolerance: relative L2 up to which they count as equal.
        rms: root mean square of the reference, the scale of `beyond`.
        fills: may a mask be -inf on one side and a huge negative number (-1e9, the dtype's least) on the other?
        more: further fields of the `Difference`.
    """
    sums = _Sums(tolerance, rms, fills=fills)
    for reference, candidate in blocks:
        sums.add(reference, candidate)
    differs = sums.mask_differs or not sums.mask
    filled = 0 if differs else sum(sums.filled)
    count = max(sums.finite, 1)
    error = math.sqrt(sums.error)
    size = math.sqrt(sums.reference)
    relative = error / size if size > 0 else error / math.sqrt(count)
    sizes = size * math.sqrt(sums.candidate)
    return Difference(
        relative_l2=relative,
        tolerance=tolerance,
        max_abs=max(sums.max_abs, 0.0),
        max_at=tuple(int(i) for i in np.unravel_index(sums.max_at, shape)) if sums.count and shape else (),
        cosine=min(1.0, sums.dot / sizes) if sizes > 0 else None,
        beyond=sums.beyond / count,
        rms_error=error / math.sqrt(count),
        trimmed=math.sqrt(sums.trimmed) / size if size > 0 else None,
        nan_reference=sums.nan_reference - (filled or sums.filled[0]),
        nan_candidate=sums.nan_candidate - (filled or sums.filled[1]),
        mask_differs=differs,
        filled=filled,
        fill=sums.fill if filled else 0.0,
        fill_side=int(sums.filled[1] > 0),
        problem="nan" if differs else "",
        exact=error == 0.0 and not differs and not filled,
        **more,
    )


@dataclass(frozen=True)
class Layout:
    """How a candidate is brought to the reference's shape: seen as `split` (None: as it is), its axes permuted, and
    the result reshaped."""

    name: str
    permutation: tuple[int, ...] | None = None
    split: Shape | None = None

    def apply(self, candidate: Array, shape: Shape) -> Array:
        """The candidate in the reference's shape, C order."""
        return np.ascontiguousarray(self._turned(candidate)).reshape(shape)

    def at(self, candidate: Array, places: Array) -> Array:
        """The candidate's elements that stand at flat C-order places of the reference; nothing is copied for it."""
        turned = self._turned(candidate)
        return turned[np.unravel_index(places, turned.shape)] if turned.shape else np.resize(turned, places.shape)

    def _turned(self, candidate: Array) -> Array:
        seen = candidate if self.split is None else candidate.reshape(self.split)
        return seen if self.permutation is None else np.transpose(seen, self.permutation)


SQUEEZED = "size-1 axes"
REORDERED = "another order"

_KNOWN_TURNS = {
    (0, 3, 1, 2): "NHWC -> NCHW",
    (0, 2, 3, 1): "NCHW -> NHWC",
    (0, 4, 1, 2, 3): "NDHWC -> NCDHW",
    (0, 2, 3, 4, 1): "NCDHW -> NDHWC",
}
_MOST_TURNS = 48


def layouts(reference: Shape, candidate: Shape) -> Iterator[Layout]:
    """Ways in which a candidate of another shape may hold the same numbers, the likeliest first; none when the counts
    differ. Axes of size 1 mean nothing; else axes are permuted, and neighbours joined to one or one taken apart. The
    caller tries which of them fits."""
    if math.prod(reference) != math.prod(candidate):
        return
    ours, theirs = (tuple(n for n in shape if n != 1) for shape in (reference, candidate))
    if ours == theirs:
        yield Layout(SQUEEZED)
        return
    plain = Layout("reshaped")
    in_order = _joins(theirs, ours) or _joins(ours, theirs)
    if in_order:
        yield plain
    turns = _turns(candidate, reference) if len(reference) == len(candidate) else []
    if turns:
        yield from (Layout(_KNOWN_TURNS.get(turn, f"axes {turn}"), turn) for turn in turns)
    elif len(theirs) >= len(ours):
        yield from (Layout(f"axes {turn}, reshaped", turn, theirs) for turn in _turns(theirs, ours))
    else:
        for turn in _turns(ours, theirs):
            back = tuple(int(n) for n in np.argsort(turn))
            yield Layout(f"axes {back}, reshaped", back, tuple(ours[n] for n in turn))
    if not in_order:
        yield plain


def _turns(fine: Shape, coarse: Shape) -> list[tuple[int, ...]]:
    """The permutations, but for none at all, of a shape's axes after which joining neighbours gives another shape;
    those that keep most neighbours together come first."""
    if len(fine) > 5:
        return []
    found = [p for p in itertools.permutations(range(len(fine))) if _joins([fine[n] for n in p], coarse)]
    found.sort(key=lambda p: (p not in _KNOWN_TURNS, sum(b != a + 1 for a, b in itertools.pairwise(p))))
    return [p for p in found if p != tuple(range(len(fine)))][:_MOST_TURNS]


def _joins(fine: Sequence[int], coarse: Shape) -> bool:
    """Is each axis of one shape the product of neighbouring axes of the other, in order? Of two with equally many
    axes, each is one axis."""
    if len(fine) == len(coarse):
        return tuple(fine) == coarse
    ends = set(itertools.accumulate(fine, operator.mul))
    return all(end in ends for end in itertools.accumulate(coarse, operator.mul))


_SAMPLED = 4096


def _telling(sampled: int) -> float:
    """The share of the spread that samples of two arrays have in common from which their layout is sure: five times
    what chance gives."""
    return min(0.5, max(0.02, 25 / max(sampled, 1)))


def fitting(ours: Array, theirs: Array) -> list[tuple[Layout, bool]]:
    """The layouts in which a candidate may hold what a reference of another shape does, the best first; and is it sure
    that this is the one, however far apart the numbers are? Told by how elements at some thousand places go together,
    which a wrong factor or an error does not hide and another order does."""
    possible = list(layouts(ours.shape, theirs.shape))
    if len(possible) == 1 and possible[0].name == SQUEEZED:
        return [(possible[0], True)]
    places = np.random.default_rng(0).integers(0, max(ours.size, 1), min(ours.size, _SAMPLED))
    here = _as_float(np.ravel(ours)[places])
    shared = [_shared(here, _as_float(layout.at(theirs, places))) for layout in possible]
    ranked = sorted(range(len(possible)), key=lambda n: -round(shared[n], 6))
    return [(possible[n], shared[n] >= _telling(here.size)) for n in ranked]


def _shared(a: Array, b: Array) -> float:
    """The square of the correlation of two samples; 0 where one is constant."""
    finite = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(finite) < 2:
        return 0.0
    a, b = (side[finite] - side[finite].mean() for side in (a, b))
    sizes = _squares(a) * _squares(b)
    return float(abs(np.vdot(a, b)) ** 2 / sizes) if sizes > 0 else 0.0


# --------------------------------------------------------------------------------------------------------------------
# Statistics
# --------------------------------------------------------------------------------------------------------------------


def screen(reference: Statistics, candidate: Statistics, *, same_shape: bool) -> float | None:
    """How far apart two arrays are at least, or are likely to be, from their statistics alone; None where the counts
    differ and so nothing can be said.

    By the triangle and Cauchy-Schwarz inequalities |‖c‖ - ‖r‖|, |mean c - mean r| * sqrt(n), and the distance of the
    extremes are each at most ‖c - r‖; the samples, for equal shapes, estimate it. Infinite where the not finite
    elements differ in number.
    """
    if reference.count != candidate.count:
        return None
    if (reference.nan, reference.inf) != (candidate.nan, candidate.inf):
        return math.inf
    n = reference.count - reference.nan - reference.inf
    if n == 0 or reference.l2 is None or candidate.l2 is None:
        return 0.0
    apart = [abs(candidate.l2 - reference.l2)]
    for r, c, weight in (
        (reference.mean, candidate.mean, math.sqrt(n)),
        (reference.minimum, candidate.minimum, 1.0),
        (reference.maximum, candidate.maximum, 1.0),
    ):
        if r is not None and c is not None:
            apart.append(abs(c - r) * weight)
    if same_shape and len(reference.sample) == len(candidate.sample) > 0:
        errors = [c - r for r, c in zip(reference.sample, candidate.sample, strict=True)]
        finite = [e for e in errors if math.isfinite(e)]
        if finite:
            apart.append(math.sqrt(sum(e * e for e in finite) / len(finite) * n))
    return max(apart) / (reference.l2 if reference.l2 > 0 else math.sqrt(n))


def may_be_masks(a: Statistics, b: Statistics) -> bool:
    """Is it only that one side may have -inf where the other has a mask's huge negative number? Statistics cannot tell
    where those sit, but at the sampled elements."""
    if a.nan != b.nan or a.inf == b.inf or len(a.sample) != len(b.sample):
        return False
    finite = min(a, b, key=lambda side: side.inf)
    if finite.inf or finite.minimum is None or finite.minimum > -_LEAST_FILL:
        return False
    apart = [pair for pair in zip(a.sample, b.sample, strict=True) if math.isnan(pair[0]) != math.isnan(pair[1])]
    return all(x <= -_LEAST_FILL or y <= -_LEAST_FILL for x, y in apart)


def same_values(a: Statistics | None, b: Statistics | None, *, within: float = 1e-6) -> bool:
    """Do both hold the same numbers in whatever order, as far as order-free statistics tell?"""
    if a is None or b is None or a.count != b.count or a.count == 0 or (a.nan, a.inf) != (b.nan, b.inf):
        return False
    scale = max(abs(a.maximum or 0.0), abs(a.minimum or 0.0))
    return (
        _near(a.l2, b.l2, within * (a.l2 or 0.0))
        and _near(a.mean, b.mean, within * scale)
        and _near(a.minimum, b.minimum, within * scale)
        and _near(a.maximum, b.maximum, within * scale)
    )


def one_by_one(a: Statistics | None, b: Statistics | None) -> bool:
    """Is `b` most likely `a` after a function of each number by itself, one that rises or first falls and then rises
    (an activation, a factor, a shift)? Told by the sampled elements."""
    if a is None or b is None or a.count != b.count or len(a.sample) < 16 or len(a.sample) != len(b.sample):
        return False
    if not np.isfinite((*a.sample, *b.sample)).all() or 2 * len(set(a.sample)) < len(a.sample):
        return False
    made = np.array(b.sample)[np.argsort(a.sample, kind="stable")]
    steps = np.diff(made)
    turn = int(np.argmin(made))
    rounding = 1e-6 * float(np.abs(made).max())
    rises = bool((steps[:turn] <= rounding).all() and (steps[turn:] >= -rounding).all())
    return rises and bool(made[-1] - made[0] > rounding)


def is_constant(a: Statistics | None) -> bool:
    """Do all elements have one value (so that equality says nothing)?"""
    return a is None or a.count == 0 or (a.minimum == a.maximum)


def _near(a: float | None, b: float | None, within: float) -> bool:
    return a == b if a is None or b is None else abs(a - b) <= within + 1e-30


Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""
