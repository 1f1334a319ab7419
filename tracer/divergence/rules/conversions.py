"""How a recorded setting becomes a setting in torch's words, and how it is written back as constructor arguments.

A conversion is named in a framework's table (`SettingRule.convert`). `READ[name]` brings what was recorded to torch's
value, or to UNKNOWN where it cannot be told; `WRITE[name]` gives the arguments that make a layer have that value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tracer.divergence.rules.calls import GONE, UNKNOWN, Changes, Known
from tracer.frameworks.base import WRAPPERS, LayerRule, SettingRule
from tracer.trace.schema import ROOT, Layer, Parameter, Plain

Form = Literal["attribute", "argument"]
"""Where a raw value comes from: an attribute of the layer, or an argument of its constructor."""


@dataclass(frozen=True)
class Reading:
    """One recorded layer, with its rule and what its constructor call is known to hold."""

    layer: Layer
    layers: Mapping[str, Layer]
    rule: LayerRule
    arguments: Mapping[str, Known]
    """Literal arguments of the call in the source, where it was found (UNKNOWN for one that is an expression)."""
    open_call: bool
    """May the call hold arguments that are not in `arguments`?"""
    defaults: Mapping[str, Known]

    @property
    def rank(self) -> int:
        """Number of spatial axes the op works on; 0 where its name says none."""
        return rank_of(self.rule.op)

    def recorded(self, attribute: str) -> Known:
        """The first of the places in `attribute` ("a|part.b|child/c") that was recorded."""
        for place in attribute.split("|"):
            inner, _, name = place.rpartition("/")
            layer = child(self.layer, inner, self.layers) if inner else self.layer
            value = UNKNOWN if layer is None else _look_up(layer.settings, name)
            if value is not UNKNOWN:
                return value
        return UNKNOWN

    def raw(self, rule: SettingRule) -> tuple[Known, Form]:
        """What was recorded of a setting, else what its call says, else its default."""
        value = self.recorded(rule.attribute) if rule.attribute else UNKNOWN
        if value is not UNKNOWN:
            return value, "attribute"
        fixed: Known = rule.default if rule.default_known else UNKNOWN
        return (self.argument(rule.argument, fixed) if rule.argument else fixed), "argument"

    def argument(self, name: str, otherwise: Known = UNKNOWN) -> Known:
        """An argument of the constructor, as the call has it or by default."""
        if name in self.arguments:
            return self.arguments[name]
        return UNKNOWN if self.open_call else self.defaults.get(name, otherwise)

    def parameter(self, name: str) -> Parameter | None:
        """A parameter by torch's name."""
        own = next((p.attribute for p in self.rule.parameters if p.name == name), name)
        found = find_parameter(self.layer, own, self.layers)
        return found[1] if found else None

    @property
    def has_parameters(self) -> bool:
        """Was any parameter of the rule recorded?"""
        return any(find_parameter(self.layer, p.attribute, self.layers) for p in self.rule.parameters) or bool(
            self.layer.parameters
        )


def rank_of(op: str) -> int:
    """Number of spatial axes in an op's name ("conv2d" has 2)."""
    found = re.search(r"([123])d$", op)
    return int(found.group(1)) if found else {"unfold": 2, "fold": 2}.get(op, 0)


def _look_up(settings: Mapping[str, Plain], name: str) -> Known:
    if name in settings:
        return settings[name]
    part, _, rest = name.partition(".")
    inner = settings.get(part) if rest else None
    return inner.get(rest, UNKNOWN) if isinstance(inner, Mapping) else UNKNOWN


def child(layer: Layer, name: str, layers: Mapping[str, Layer]) -> Layer | None:
    """The layer under an attribute, or the one that a wrapper there wraps."""
    path = name if layer.path == ROOT else f"{layer.path}.{name}"
    found = layers.get(path)
    while found is not None:
        inner = next((layers[f"{path}.{w}"] for w in WRAPPERS if f"{path}.{w}" in layers), None)
        if inner is None:
            return found
        found, path = inner, inner.path
    return None


def find_parameter(layer: Layer, attribute: str, layers: Mapping[str, Layer]) -> tuple[Layer, Parameter] | None:
    """The recorded parameter under an attribute path below a layer, and the layer that holds it."""
    inner, _, name = attribute.rpartition(".")
    holder = child(layer, inner, layers) if inner else layer
    if holder is not None:
        for parameter in holder.parameters:
            if parameter.name == name:
                return holder, parameter
    # a recording without sub-layers may name the parameter by its whole path
    return next(((layer, p) for p in layer.parameters if inner and p.name == attribute), None)


# --------------------------------------------------------------------------------------------------------------------
# Padding
# --------------------------------------------------------------------------------------------------------------------

Pads = list[tuple[int, int]]
"""Padding before and after, for each spatial axis."""


def pads(raw: Known, rank: int) -> Pads | None:
    """Numbers as a framework writes them -> padding per axis: one for all, one per axis, or two per axis; leading ones
    of axes that the op does not work on are dropped. None where it is not numbers."""
    numbers = whole_numbers([raw] if not isinstance(raw, list) and raw is not UNKNOWN else raw)
    if not numbers:
        return None
    if len(numbers) == 1:
        return [(numbers[0], numbers[0])] * rank
    if len(numbers) % 2 == 0 and len(numbers) >= 2 * rank:
        return list(zip(numbers[::2], numbers[1::2], strict=True))[-rank:]
    return [(v, v) for v in numbers[-rank:]] if len(numbers) >= rank else None


def whole_numbers(value: Known) -> list[int] | None:
    """A list of whole numbers as such; None for anything else."""
    if not isinstance(value, list) or not all(_number(v) and v == v // 1 for v in value):  # type: ignore[operator]
        return None
    return [int(v) for v in value]  # type: ignore[arg-type]


def padding_value(per_axis: Pads) -> Plain:
    """Padding as torch writes it where both ends are alike ([1, 1]), else a pair for each axis ([[0, 1], [0, 1]])."""
    if all(before == after for before, after in per_axis):
        return [before for before, _ in per_axis]
    return [[before, after] for before, after in per_axis]


def padding_pairs(value: Plain) -> Pads | None:
    """The inverse of `padding_value`; None for "same" and what is no padding."""
    if not isinstance(value, list):
        return None
    pairs: Pads = []
    for item in value:
        both = whole_numbers(item if isinstance(item, list) else [item, item])
        if both is None or len(both) != 2:
            return None
        pairs.append((both[0], both[1]))
    return pairs


def same_pads(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """What pad_mode "same" adds before and after an axis of `size`: just enough for ceil(size / stride) outputs."""
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _same(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], *, transposed: bool) -> Plain:
    """Numbers for "same" where the size of the input does not matter, else "same" itself."""
    extents = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if transposed:
        spare = [e - s for e, s in zip(extents, stride, strict=True)]
        return padding_value([(t // 2, t - t // 2) if t >= 0 else (0, t) for t in spare])
    if all(s == 1 for s in stride):
        return padding_value([((e - 1) // 2, e - 1 - (e - 1) // 2) for e in extents])
    if all(e == 1 for e in extents):
        return padding_value([(0, 0)] * len(extents))
    return "same"


def _geometry(r: Reading) -> tuple[list[int], list[int], list[int]] | None:
    """Kernel, stride and dilation of a layer, each one number per axis."""
    found: list[list[int]] = []
    for name in ("kernel_size", "stride", "dilation"):
        rule = next((s for s in r.rule.settings if s.name == name), None)
        if rule is None:
            found.append([1] * r.rank)
            continue
        value = read(r, rule)
        if value is UNKNOWN and name == "dilation":
            value = [1] * r.rank
        numbers = None if value is UNKNOWN else whole_numbers(value)
        if not numbers or len(numbers) != r.rank or min(numbers) < 1:
            return None
        found.append(numbers)
    return found[0], found[1], found[2]


def _torch_padding(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    if isinstance(raw, str):
        if raw == "valid":
            return padding_value([(0, 0)] * r.rank)
        geometry = _geometry(r)
        return raw if geometry is None else _same(*geometry, transposed=False)
    found = pads(raw, r.rank)
    return UNKNOWN if found is None else padding_value(found)


_PADS = "padding|avg_pool.pad|max_pool.pad_list|max_pool.pads|conv2d.pad|conv3d.pad"


def pad_mode_of(r: Reading) -> str | None:
    """What a MindSpore layer says of padding: "same", "valid" or "pad"; None where it is not known."""
    raw, _ = r.raw(SettingRule("pad_mode", "padding", argument="pad_mode"))
    return raw.lower() if isinstance(raw, str) else None


def _pad_mode(r: Reading, _: SettingRule, __: Known, ___: Form) -> Known:
    mode = pad_mode_of(r)
    transposed = "transpose" in r.rule.op
    if mode == "valid":
        return _valid(r, transposed=transposed)
    if mode == "same":
        geometry = _geometry(r)
        return "same" if geometry is None else _same(*geometry, transposed=transposed)
    if mode != "pad":
        return UNKNOWN
    raw = r.recorded(_PADS)
    found = pads(r.argument("padding") if raw is UNKNOWN else raw, r.rank)
    return UNKNOWN if found is None else padding_value(found)


def _valid(r: Reading, *, transposed: bool) -> Plain:
    """No padding. Where a transposed convolution steps farther than its kernel reaches, MindSpore's output ends
    `stride - extent` later than torch's: written as negative cropping at the end."""
    geometry = _geometry(r) if transposed else None
    if geometry is None:
        return padding_value([(0, 0)] * r.rank)
    extents = [d * (k - 1) + 1 for k, d in zip(geometry[0], geometry[2], strict=True)]
    return padding_value([(0, -max(s - e, 0)) for e, s in zip(extents, geometry[1], strict=True)])


def _counts_padding(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    return False if pad_mode_of(r) == "same" else raw  # pad_mode "same" divides by what lies inside, whatever is said


# --------------------------------------------------------------------------------------------------------------------
# The other conversions
# --------------------------------------------------------------------------------------------------------------------


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same_value(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return raw


def _sizes(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    if raw is UNKNOWN:
        return UNKNOWN
    if not isinstance(raw, list):
        return [raw] * r.rank
    values = [None if v == -1 else v for v in raw]
    if len(values) == 1:
        return values * r.rank
    return values[-r.rank :] if len(values) >= r.rank else UNKNOWN


def _pool_stride(r: Reading, rule: SettingRule, raw: Known, form: Form) -> Known:
    if raw is not None and raw != []:
        return _sizes(r, rule, raw, form)
    kernel = next(s for s in r.rule.settings if s.name == "kernel_size")
    return read(r, kernel)


def _inverse_argument(_: Reading, __: SettingRule, raw: Known, form: Form) -> Known:
    """The attribute holds torch's value already; the argument is one minus it."""
    return round(1 - raw, 12) if form == "argument" and _number(raw) else _rounded(raw)  # type: ignore[operator]


def _inverse_attribute(_: Reading, __: SettingRule, raw: Known, form: Form) -> Known:
    """The argument is torch's value; the attribute holds one minus it."""
    return round(1 - raw, 12) if form == "attribute" and _number(raw) else _rounded(raw)  # type: ignore[operator]


def _one_minus(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return round(1 - raw, 12) if _number(raw) else raw  # type: ignore[operator]


def _rounded(raw: Known) -> Known:
    return round(raw, 12) if isinstance(raw, float) else raw


def _negate(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return not raw if isinstance(raw, bool) else -raw if _number(raw) else raw  # type: ignore[operator]


def _p_or_keep_prob(r: Reading, _: SettingRule, raw: Known, form: Form) -> Known:
    if _number(raw):
        return _rounded(raw)
    keep = r.recorded("keep_prob") if form == "attribute" else r.argument("keep_prob")
    return round(1 - keep, 12) if _number(keep) else UNKNOWN  # type: ignore[operator]


def _approximate(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return {True: "tanh", False: "none"}.get(raw, raw) if isinstance(raw, bool) else raw


def _bias(r: Reading, rule: SettingRule, raw: Known, _: Form) -> Known:
    names = {p.name for p in r.layer.parameters}
    if any(n == "bias" or n.startswith(("bias_ih", "bias_hh", "in_proj_bias")) for n in names) or r.parameter("bias"):
        return True
    if r.parameter("weight") or any(n.startswith(("weight", "in_proj_weight", "q_proj_weight")) for n in names):
        return False
    if r.recorded("affine|elementwise_affine") is False:
        return UNKNOWN
    if raw is None:
        return False  # an attribute that says "no bias"
    return raw if isinstance(raw, bool) else r.argument(rule.argument or rule.name)


def _affine(r: Reading, rule: SettingRule, raw: Known, form: Form) -> Known:
    if form == "attribute" or rule.argument in r.arguments:
        return raw
    weight = r.parameter("weight")
    if weight is None:
        return False if r.has_parameters else raw
    # a cell may keep a frozen weight of ones where it was told to have none
    return True if weight.trainable or _differs(weight, 1.0) else UNKNOWN


def _always_affine(r: Reading, _: SettingRule, __: Known, ___: Form) -> Known:
    weight, bias = r.parameter("weight"), r.parameter("bias")
    return True if _differs(weight, 1.0) or _differs(bias, 0.0) else UNKNOWN


def _always_bias(r: Reading, _: SettingRule, __: Known, ___: Form) -> Known:
    return True if _differs(r.parameter("bias"), 0.0) else UNKNOWN


def _differs(parameter: Parameter | None, constant: float) -> bool:
    """Is some element known to be another number than this?"""
    known = None if parameter is None else parameter.statistics
    return known is not None and not (known.minimum == known.maximum == constant)


def _bias_kv(r: Reading, _: SettingRule, raw: Known, form: Form) -> Known:
    return True if r.parameter("bias_k") else raw if form == "argument" and raw is not UNKNOWN else False


def _inner_activation(r: Reading, _: SettingRule, raw: Known, form: Form) -> Known:
    inner = child(r.layer, "activation", r.layers)
    if inner is not None:
        return inner.kind.lower()
    if isinstance(raw, str):
        return raw.lower()
    flag = r.recorded("activation_flag")
    if flag is False:
        return None
    said = form == "attribute" and raw is None
    return raw if said or (form == "argument" and flag is UNKNOWN) else UNKNOWN


def _inner_nonlinearity(r: Reading, _: SettingRule, raw: Known, form: Form) -> Known:
    inner = child(r.layer, "rnn", r.layers)
    if inner is not None:
        return "relu" if inner.kind.lower().endswith("relu") else "tanh"
    return raw if form == "attribute" or "nonlinearity" in r.arguments or not r.open_call else UNKNOWN


def _relu_or_gelu(_: Reading, __: SettingRule, raw: Known, form: Form) -> Known:
    if form == "argument":
        return raw
    return "relu" if raw == 1 else "gelu" if raw == 2 else UNKNOWN


def _batch_statistics(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    if raw is None:
        return True
    return raw if not isinstance(raw, bool) else False if raw else "frozen"


def _shape(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return raw if raw is UNKNOWN or isinstance(raw, list) else [raw]


def _shape_or_none(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return raw[0] if isinstance(raw, list) and raw and all(v == raw[0] for v in raw) else raw


def _scale(r: Reading, rule: SettingRule, raw: Known, form: Form) -> Known:
    value = _shape_or_none(r, rule, raw, form)
    return float(value) if _number(value) else value  # type: ignore[arg-type]


def _flag(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return raw if raw is UNKNOWN else bool(raw)


def _zero_is_none(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return None if raw == 0 and not isinstance(raw, bool) else raw


def _axis(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return raw[0] if isinstance(raw, list) and len(raw) == 1 else raw


def _columns_of_weight_ih(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    weight = next((p for p in r.layer.parameters if p.name == "weight_ih_l0"), None)
    return weight.shape[1] if weight is not None and len(weight.shape) == 2 else raw


def _rows_of_weight(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    weight = r.parameter("weight")
    return weight.shape[0] if weight is not None and weight.shape else raw


def _patch_sizes(_: Reading, __: SettingRule, raw: Known, form: Form) -> Known:
    """The argument is [1, rows, columns, 1]; the attribute has channels first, or the two sizes alone."""
    if not isinstance(raw, list):
        return raw
    return raw[1:3] if form == "argument" and len(raw) == 4 else raw[-2:]


def _patch_padding(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    name = raw.lower() if isinstance(raw, str) else raw
    return [0, 0] if name in ("valid", 2) else "same" if name in ("same", 1) else UNKNOWN


def _radius(_: Reading, __: SettingRule, raw: Known, ___: Form) -> Known:
    return 2 * raw + 1 if _number(raw) else raw  # type: ignore[operator]


def _radius_alpha(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    """PyTorch divides alpha by the number of channels it sums; MindSpore does not."""
    radius = r.recorded("lrn_op.depth_radius|depth_radius")
    radius = r.argument("depth_radius") if radius is UNKNOWN else radius
    return raw * (2 * radius + 1) if _number(raw) and _number(radius) else UNKNOWN  # type: ignore[operator]


def _reduction(r: Reading, _: SettingRule, raw: Known, form: Form) -> Known:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return {0: "sum", 1: "mean", 2: "none"}.get(raw, UNKNOWN)
    if form == "argument":
        average, reduce = r.recorded("average"), r.recorded("reduce")
        if isinstance(average, bool) and isinstance(reduce, bool):
            return "none" if not reduce else "mean" if average else "sum"
    return raw


def _pad_list(r: Reading, _: SettingRule, raw: Known, __: Form) -> Known:
    if _number(raw):
        return [raw] * (2 * r.rank)  # type: ignore[list-item]
    if isinstance(raw, list) and raw and all(isinstance(v, list) for v in raw):
        return [number for pair in reversed(raw) for number in pair]  # type: ignore[union-attr]
    return raw


READ: Mapping[str, Callable[[Reading, SettingRule, Known, Form], Known]] = {
    "same": _same_value,
    "fixed": _same_value,
    "one_minus": _one_minus,
    "negate": _negate,
    "inverse_argument": _inverse_argument,
    "inverse_attribute": _inverse_attribute,
    "p_or_keep_prob": _p_or_keep_prob,
    "sizes": _sizes,
    "pool_stride": _pool_stride,
    "torch_padding": _torch_padding,
    "pad_mode": _pad_mode,
    "counts_padding": _counts_padding,
    "approximate": _approximate,
    "approximate_flag": _approximate,
    "bias": _bias,
    "affine": _affine,
    "always_affine": _always_affine,
    "always_bias": _always_bias,
    "bias_kv": _bias_kv,
    "inner_activation": _inner_activation,
    "inner_nonlinearity": _inner_nonlinearity,
    "relu_or_gelu": _relu_or_gelu,
    "batch_statistics": _batch_statistics,
    "shape": _shape,
    "shape_or_none": _shape_or_none,
    "scale": _scale,
    "flag": _flag,
    "zero_is_none": _zero_is_none,
    "axis": _axis,
    "columns_of_weight_ih": _columns_of_weight_ih,
    "rows_of_weight": _rows_of_weight,
    "patch_sizes": _patch_sizes,
    "patch_padding": _patch_padding,
    "radius": _radius,
    "radius_alpha": _radius_alpha,
    "reduction": _reduction,
    "pad_list": _pad_list,
}


def read(r: Reading, rule: SettingRule) -> Known:
    """One setting of a layer in torch's words; UNKNOWN where the recording does not tell."""
    raw, form = r.raw(rule)
    return READ[rule.convert](r, rule, raw, form)


# --------------------------------------------------------------------------------------------------------------------
# Writing back
# --------------------------------------------------------------------------------------------------------------------


def short(value: Plain) -> Plain:
    """A list of equal numbers as one number."""
    return value[0] if isinstance(value, list) and value and all(v == value[0] for v in value) else value


def _write_pad_mode(value: Plain, rank: int) -> Changes | None:
    pairs = padding_pairs(value)
    if value == "same":
        return {"pad_mode": "same", "padding": GONE}
    if pairs is None or any(min(pair) < 0 for pair in pairs):
        return None
    if all(pair == (0, 0) for pair in pairs):
        return {"pad_mode": "valid", "padding": GONE}
    flat: Plain = [v for pair in pairs for v in pair]
    return {"pad_mode": "pad", "padding": short(flat) if rank else flat}


def _write_torch_padding(value: Plain, _: int) -> Changes | None:
    pairs = padding_pairs(value)
    return None if pairs is None or any(a != b or a < 0 for a, b in pairs) else {"padding": short(value)}


def write(rule: SettingRule, value: Plain, rank: int) -> Changes | None:
    """The constructor arguments that give a setting this value; None where the constructor cannot say it."""
    if rule.convert == "pad_mode":
        return _write_pad_mode(value, rank)
    if rule.convert == "torch_padding":
        return _write_torch_padding(value, rank)
    if not rule.argument or rule.convert == "fixed":
        return None  # a "fixed" argument exists, and takes one value only
    one: Plain = value
    if rule.convert in {"sizes", "pool_stride", "pad_list", "shape"}:
        one = short(value)
        if rule.convert == "shape" and isinstance(value, list) and len(value) > 1:
            one = value
    elif rule.convert in {"inverse_argument", "one_minus"} and _number(value):
        one = round(1 - value, 12)  # type: ignore[operator]
    elif rule.convert == "negate":
        one = not value if isinstance(value, bool) else -value if _number(value) else value  # type: ignore[operator]
    elif rule.convert == "approximate_flag":
        one = value == "tanh"
    elif rule.convert == "batch_statistics":
        one = None if value is True else value is False
    elif rule.convert == "patch_sizes" and isinstance(value, list):
        one = [1, *value, 1]
    elif rule.convert == "patch_padding":
        if value not in ([0, 0], "same"):
            return None
        one = "same" if value == "same" else "valid"
    elif rule.convert == "radius" and isinstance(value, int):
        one = (value - 1) // 2
    elif rule.convert == "radius_alpha":
        return None  # written together with the size, by the caller
    elif rule.convert == "p_or_keep_prob":
        return {rule.argument: value, "keep_prob": GONE}
    elif rule.convert == "inner_activation" and value is None:
        return {rule.argument: GONE}
    return {rule.argument: one}
