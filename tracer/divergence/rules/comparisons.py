"""Whether a setting means the same on two sides, and can change numbers at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.divergence.rules.calls import UNKNOWN, Known
from tracer.divergence.rules.conversions import Pads, padding_pairs, rank_of, read, same_pads, short, whole_numbers
from tracer.divergence.rules.meanings import TABLES, Meaning, Setting, equal, is_number, reading_of, row_of, value_of
from tracer.trace.schema import Layer, Plain


@dataclass(frozen=True)
class Pair:
    """Two meanings with what is known of the input they get."""

    reference: Meaning
    candidate: Meaning
    rank: int | None
    shape: tuple[int, ...] | None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """Lengths of the spatial axes."""
        spatial = rank_of(self.reference.op)
        return self.shape[-spatial:] if self.shape and spatial and len(self.shape) > spatial else None

    @property
    def sides(self) -> tuple[Meaning, Meaning]:
        return self.reference, self.candidate

    def both(self, name: str) -> tuple[Plain, Plain]:
        return value_of(self.reference, name), value_of(self.candidate, name)


def both_sides(pair: Pair, name: str) -> tuple[Setting | None, Setting | None]:
    """A setting on both sides. A side whose framework has no such setting behaves as torch does by default."""
    ours, theirs = (side.settings.get(name) or _absent(side, name) for side in pair.sides)
    return ours, theirs


def _absent(means: Meaning, name: str) -> Setting | None:
    if means.rule is None or any(row.name == name for row in means.rule.settings):
        return None  # the framework has the setting; the recording does not tell it
    for rule in TABLES["torch"]:
        row = next((r for r in rule.settings if r.name == name), None) if rule.op == means.op else None
        if row is not None:
            value = read(reading_of(Layer("", ""), {}, rule), row)
            return None if value is UNKNOWN else Setting(name, value, "", short(value), "")
    neutral = _NEUTRAL.get((means.op, name), UNKNOWN)
    return None if neutral is UNKNOWN else Setting(name, neutral, "", neutral, "")


_NEUTRAL: Mapping[tuple[str, str], Known] = {
    ("linear", "activation"): None,
    ("conv2d", "data_format"): "NCHW",
    ("conv3d", "data_format"): "NCDHW",
    ("cross_entropy", "sparse"): True,
}
"""What a layer without such a setting does, for settings that torch has not."""


def agree(pair: Pair, name: str, ours: Setting, theirs: Setting) -> bool:
    """Do two settings of one name mean the same, or is it one that cannot change numbers here?"""
    rule = _COMPARE.get(name)
    if rule is not None:
        verdict = rule(pair, ours.value, theirs.value)
        if verdict is not None:
            return verdict
    return equal(ours.value, theirs.value)


# --------------------------------------------------------------------------------------------------------------------
# Padding
# --------------------------------------------------------------------------------------------------------------------


def steps_of(means: Meaning, name: str) -> list[int] | None:
    """Kernel, stride or dilation: a number above zero for each spatial axis."""
    found = whole_numbers(value_of(means, name))
    return found if found and len(found) == rank_of(means.op) and min(found) > 0 else None


def pads_of(means: Meaning, sizes: tuple[int, ...] | None) -> Pads | None:
    """Padding per axis and end; "same" becomes numbers where the size of the input is known. Of a transposed
    convolution, what is cropped: output_padding is less cropping at the end."""
    value = value_of(means, "padding")
    found = padding_pairs(value)
    kernel, stride = steps_of(means, "kernel_size"), steps_of(means, "stride")
    if value == "same" and sizes is not None and kernel is not None and stride is not None:
        dilation = steps_of(means, "dilation") or [1] * len(kernel)
        found = [same_pads(n, k, s, d) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=False)]
    if found is not None and "transpose" in means.op:
        extra = whole_numbers(value_of(means, "output_padding")) or [0] * len(found)
        found = [(before, after - more) for (before, after), more in zip(found, extra, strict=False)]
    return found


def appends_zeros(means: Meaning) -> bool:
    """MindSpore's Conv2dTranspose crops as its padding says and appends `output_padding` rows of zeros, bias left out;
    torch computes those rows. The two are one where the rows lie beyond all that the kernel reaches and there is no
    bias."""
    row = row_of(means, "output_padding")
    mine = means.op == "conv_transpose2d" and row is not None and says_pad_mode(means)
    if not mine or not any(whole_numbers(value_of(means, "output_padding")) or []):
        return False
    cropped = padding_pairs(value_of(means, "padding")) or []
    return value_of(means, "bias") is not False or any(after > 0 for _, after in cropped)


def says_pad_mode(means: Meaning) -> bool:
    """Is the layer's padding said by MindSpore's pad_mode?"""
    row = row_of(means, "padding")
    return row is not None and row.convert == "pad_mode"


def _unseen(pair: Pair, left: Pads, right: Pads) -> bool:
    """Do the paddings differ only where no window tells them apart?"""
    ours, theirs = _taps(pair.reference, pair.sizes, left), _taps(pair.candidate, pair.sizes, right)
    if ours is None or theirs is None:
        return False
    return all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def _taps(means: Meaning, sizes: tuple[int, ...] | None, padding: Pads) -> list[np.ndarray[Any, Any]] | None:
    """For each axis (windows, taps): the position that a tap of the kernel reads, -1 in the padding."""
    axes = _axes(means, sizes, padding)
    if axes is None:
        return None
    result = []
    for n, k, s, d, before, windows in axes:
        at = np.arange(max(windows, 0))[:, None] * s - before + np.arange(k)[None, :] * d
        result.append(np.where((at >= 0) & (at < n), at, -1))
    return result


def _reach(means: Meaning, sizes: tuple[int, ...] | None, padding: Pads) -> list[tuple[int, int]] | None:
    """(number of windows, how far the last one reaches into the padding) for each axis."""
    axes = _axes(means, sizes, padding)
    if axes is None:
        return None
    return [(w, max((w - 1) * s + d * (k - 1) + 1 - before - n, 0)) for n, k, s, d, before, w in axes]


def _axes(
    means: Meaning, sizes: tuple[int, ...] | None, padding: Pads
) -> list[tuple[int, int, int, int, int, int]] | None:
    """(size, kernel, stride, dilation, padding before, number of windows) for each axis."""
    kernel, stride = steps_of(means, "kernel_size"), steps_of(means, "stride")
    if sizes is None or kernel is None or stride is None:
        return None
    dilation = steps_of(means, "dilation") or [1] * len(kernel)
    result = []
    for n, k, s, d, (before, after) in zip(sizes, kernel, stride, dilation, padding, strict=False):
        spare = n + before + after - d * (k - 1) - 1
        windows = (-(-spare // s) if value_of(means, "ceil_mode") else spare // s) + 1
        if value_of(means, "ceil_mode") and (windows - 1) * s >= n + before:
            windows -= 1  # torch drops a last window that would start in the padding
        result.append((n, k, s, d, before, windows))
    return result


# --------------------------------------------------------------------------------------------------------------------
# Comparisons: True (means the same), False (does not), None (compare the values as they are)
# --------------------------------------------------------------------------------------------------------------------


_Comparison = Callable[[Pair, Plain, Plain], bool | None]


def _compare_padding(pair: Pair, ours: Plain, theirs: Plain) -> bool | None:
    if ours == theirs == "same":
        return True
    if "transpose" in pair.reference.op and padding_pairs(ours) is not None and ours == theirs:
        return True  # what is left is said of output_padding
    if "pad" in pair.reference.op:
        return None
    left, right = (pads_of(side, pair.sizes) for side in pair.sides)
    if left is None or right is None:
        return False if "same" in (ours, theirs) else None
    if left == right:
        return True
    return pair.sizes is not None and "transpose" not in pair.reference.op and _unseen(pair, left, right)


def _compare_output_padding(pair: Pair, _: Plain, __: Plain) -> bool | None:
    left, right = (pads_of(side, pair.sizes) for side in pair.sides)
    if left is None or right is None:
        return None
    if appends_zeros(pair.reference) != appends_zeros(pair.candidate):
        return False
    # judged together with the padding: the difference is then said there, unless the padding is alike
    return left == right or padding_pairs(pair.both("padding")[0]) != padding_pairs(pair.both("padding")[1])


def _compare_ceil_mode(pair: Pair, _: Plain, __: Plain) -> bool | None:
    reach = []
    for side in pair.sides:
        padding = pads_of(side, pair.sizes) or ([(0, 0)] * rank_of(side.op) if "lp_pool" in side.op else None)
        reach.append(_reach(side, pair.sizes, padding) if padding else None)
    return True if reach[0] is not None and reach[0] == reach[1] else None


def _compare_count_include_pad(pair: Pair, _: Plain, __: Plain) -> bool | None:
    for side in pair.sides:
        found = pads_of(side, pair.sizes)
        if found is None or any(p != (0, 0) for p in found):
            return None
    return True


def _compare_padding_mode(pair: Pair, _: Plain, __: Plain) -> bool | None:
    """What the padding is filled with, where there is any."""
    return _compare_count_include_pad(pair, None, None)


def _compare_dilation(pair: Pair, _: Plain, __: Plain) -> bool | None:
    kernels = [whole_numbers(k) for k in pair.both("kernel_size")]
    return True if all(k is not None and all(v == 1 for v in k) for k in kernels) else None


def _compare_dim(pair: Pair, ours: Plain, theirs: Plain) -> bool | None:
    left, right = (axis_of(side, value, pair.rank) for side, value in zip(pair.sides, (ours, theirs), strict=True))
    if left == right:
        return True
    unclear = isinstance(left, int) and isinstance(right, int) and (left < 0) != (right < 0) and pair.rank is None
    return True if unclear else None if pair.rank is None else False


def axis_of(means: Meaning, value: Plain, rank: int | None) -> Plain:
    """An axis counted from the front where the number of axes is known; torch's silent choice said."""
    if value is None and rank is not None and means.family == "softmax":
        return 0 if rank in (0, 1, 3) else 1  # what torch takes when nobody says
    if isinstance(value, int) and value < 0 and rank is not None:
        return value + max(rank, 1)
    return value


def _compare_normalized_shape(pair: Pair, _: Plain, __: Plain) -> bool | None:
    """Equal shapes, and normalised over as many axes."""
    axes = {normalized_axes(side, pair.rank) for side in pair.sides} - {None}
    return False if len(axes) > 1 else None


def normalized_axes(means: Meaning, rank: int | None) -> int | None:
    """How many of the last axes a LayerNorm normalises over; None where it cannot be told."""
    first, shape = value_of(means, "begin_norm_axis"), value_of(means, "normalized_shape")
    if not isinstance(first, int):
        return len(shape) if isinstance(shape, list) else None
    return -first if first < 0 else None if rank is None else rank - first


def _compare_momentum(pair: Pair, _: Plain, __: Plain) -> bool | None:
    """Without running statistics there is nothing that it moves."""
    kept = [side.op != "instance_norm" or value_of(side, "track_running_stats", False) is True for side in pair.sides]
    return None if all(kept) and False not in pair.both("track_running_stats") else True


def _compare_dropout(pair: Pair, _: Plain, __: Plain) -> bool | None:
    return True if pair.reference.family == "recurrent" and pair.both("num_layers") == (1, 1) else None


def _compare_bias(pair: Pair, _: Plain, __: Plain) -> bool | None:
    """A norm without weight has no bias either: said once, as affine."""
    off = [False in (value_of(s, "affine", True), value_of(s, "elementwise_affine", True)) for s in pair.sides]
    return True if any(off) else None


def _compare_align_corners(pair: Pair, ours: Plain, theirs: Plain) -> bool | None:
    modes = pair.both("mode")
    return True if bool(ours) == bool(theirs) or all(m in ("nearest", "nearest-exact", "area") for m in modes) else None


def _compare_recompute(pair: Pair, ours: Plain, theirs: Plain) -> bool | None:
    """Recomputing changes nothing where the size times the factor is whole."""
    if bool(ours) == bool(theirs) or any(value is not None for value in pair.both("size")):
        return True
    factor = pair.both("scale_factor")[0]
    factors = factor if isinstance(factor, list) else [factor]
    return True if all(is_number(f) and float(f) == int(f) for f in factors) else None  # type: ignore[arg-type]


def _compare_upsampling(pair: Pair, _: Plain, __: Plain) -> bool | None:
    """A size and a factor mean the same where they give the same number of elements."""
    left, right = (_upsampled(side, pair.shape) for side in pair.sides)
    return True if left is not None and left == right else None


def _upsampled(means: Meaning, shape: tuple[int, ...] | None) -> list[int] | None:
    size, factor = value_of(means, "size"), value_of(means, "scale_factor")
    spatial = shape[2:] if shape is not None else ()
    if not spatial:
        return None
    sizes = size if isinstance(size, list) else [size] * len(spatial)
    factors = factor if isinstance(factor, list) else [factor] * len(spatial)
    if all(is_number(n) for n in sizes):
        return [int(n) for n in sizes]  # type: ignore[arg-type]
    if not all(is_number(f) for f in factors) or len(factors) != len(spatial):
        return None
    return [int(n * float(f)) for n, f in zip(spatial, factors, strict=True)]  # type: ignore[arg-type]


def _compare_norm_type(pair: Pair, _: Plain, __: Plain) -> bool | None:
    return True if "embedding" in pair.reference.op and pair.both("max_norm") == (None, None) else None


def _compare_data_format(_: Pair, ours: Plain, theirs: Plain) -> bool | None:
    return str(ours).startswith("NC") == str(theirs).startswith("NC")


_COMPARE: Mapping[str, _Comparison] = {
    "normalized_shape": _compare_normalized_shape,
    "begin_norm_axis": lambda *_: True,  # said of normalized_shape
    "padding": _compare_padding,
    "output_padding": _compare_output_padding,
    "ceil_mode": _compare_ceil_mode,
    "count_include_pad": _compare_count_include_pad,
    "padding_mode": _compare_padding_mode,
    "dilation": _compare_dilation,
    "dim": _compare_dim,
    "start_dim": _compare_dim,
    "end_dim": _compare_dim,
    "momentum": _compare_momentum,
    "dropout": _compare_dropout,
    "bias": _compare_bias,
    "align_corners": _compare_align_corners,
    "recompute_scale_factor": _compare_recompute,
    "size": _compare_upsampling,
    "scale_factor": _compare_upsampling,
    "norm_type": _compare_norm_type,
    "data_format": _compare_data_format,
}
