"""What a recorded layer means: op, settings and parameters in common words; and where two layers mean other things."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from tracer.divergence.calls import (
    GONE,
    UNKNOWN,
    Changes,
    Gone,
    Known,
    Signature,
    SourceCall,
    compose,
    find_calls,
    rewrite,
    signature,
    written,
)
from tracer.divergence.conversions import (
    Pads,
    Reading,
    find_parameter,
    pad_mode_of,
    padding_pairs,
    rank_of,
    read,
    same_pads,
    short,
    whole_numbers,
    write,
)
from tracer.divergence.facts import known_differences
from tracer.divergence.user_rules import UserRule, load_rules
from tracer.frameworks import mindspore_layers, torch_layers
from tracer.frameworks.base import LayerRule, SettingRule
from tracer.trace.schema import Layer, Plain

__all__ = [
    "CommonParameter",
    "Meaning",
    "Setting",
    "SettingDifference",
    "UserRule",
    "edit_line",
    "known_differences",
    "load_rules",
    "meaning",
    "mode_matters",
    "random_now",
    "setting_differences",
]

TABLES: Mapping[str, tuple[LayerRule, ...]] = {"torch": torch_layers.LAYERS, "mindspore": mindspore_layers.LAYERS}
FRAMEWORK_NAMES = {"torch": "PyTorch", "mindspore": "MindSpore"}


@dataclass(frozen=True)
class Setting:
    """One setting in torch's word and value, with the framework's own beside it. `argument` is what to write in the
    framework's constructor, `default` whether the value is the framework's default."""

    name: str
    value: Plain
    own_name: str
    own_value: Plain
    argument: str
    default: bool = False


@dataclass(frozen=True)
class CommonParameter:
    """One parameter: torch's name, the (layer path, own name) it is recorded under, its shape in torch's layout."""

    name: str
    path: str
    own_name: str
    shape: tuple[int, ...]
    layout: str = "same"


@dataclass(frozen=True)
class Meaning:
    """A layer in common words. `op` is "" for a class that no rule knows; `family` groups ops that stand for each
    other in a wrong port ("activation", "norm", "pool", "conv", ...). The flags are those of `LayerRule`. `rule` is the
    row that said so."""

    op: str
    family: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    parameters: Mapping[str, CommonParameter] = field(default_factory=dict)
    mode: str = ""
    transparent: bool = False
    atomic: bool = False
    notes: tuple[str, ...] = ()
    rule: LayerRule | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class SettingDifference:
    """A setting that means something else on the two sides. `sentence` says it; `edit` is the call to write in the
    candidate's code ("nn.GELU(approximate=False)"), with every difference of the layer mended; "" where no argument of
    the candidate can say it."""

    name: str
    reference: Plain
    candidate: Plain
    sentence: str
    edit: str


# --------------------------------------------------------------------------------------------------------------------
# Families
# --------------------------------------------------------------------------------------------------------------------

_FAMILIES = {
    "activation": "relu relu6 selu silu mish hardswish hardsigmoid sigmoid tanh tanhshrink logsigmoid softsign gelu "
    "fast_gelu leaky_relu elu celu prelu rrelu hardtanh hardshrink softshrink softplus threshold glu",
    "softmax": "softmax log_softmax softmin softmax2d",
    "norm": "batch_norm instance_norm layer_norm rms_norm group_norm local_response_norm",
    "linear": "linear bilinear",
    "embedding": "embedding embedding_bag",
    "recurrent": "lstm gru rnn lstm_cell gru_cell rnn_cell",
    "attention": "multi_head_attention transformer_encoder_layer transformer_decoder_layer transformer_encoder "
    "transformer_decoder transformer",
    "dropout": "dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout",
    "shape": "identity flatten unflatten pixel_shuffle pixel_unshuffle channel_shuffle upsample unfold fold",
}
_FAMILY_OF = {op: family for family, ops in _FAMILIES.items() for op in ops.split()}


def family_of(op: str) -> str:
    """The family of an op; "" where there is none."""
    if op in _FAMILY_OF:
        return _FAMILY_OF[op]
    if rank_of(op):
        if op.startswith("conv"):
            return "conv"
        return "pool" if "pool" in op else "shape"
    known = any(rule.op == op for table in TABLES.values() for rule in table)
    return "loss" if known else ""


# --------------------------------------------------------------------------------------------------------------------
# Meaning
# --------------------------------------------------------------------------------------------------------------------


def meaning(
    layer: Layer,
    framework: str,
    layers: Mapping[str, Layer] | None = None,
    user_rules: Sequence[UserRule] = (),
) -> Meaning:
    """What a layer means, by the first of its bases that a rule knows; a user's rule goes before the framework's.

    Args:
        layer: the layer as recorded.
        framework: "torch" or "mindspore"; of another framework only user rules are known.
        layers: all layers of the trace by path, for rules that look at layers inside (MultiheadAttention's out_proj).
        user_rules: rules that the user added.
    """
    others = layers or {}
    rule = _rule_of(layer, framework, tuple(user_rules))
    if rule is None:
        return Meaning("", parameters=_own_parameters(layer, {}))
    reading = _reading(layer, others, rule)
    settings = {s.name: s for s in (_setting(reading, row) for row in rule.settings) if s is not None}
    return Meaning(
        op=rule.op,
        family=family_of(rule.op),
        settings=settings,
        parameters=_parameters(layer, others, rule),
        mode=rule.mode,
        transparent=rule.transparent,
        atomic=rule.atomic,
        notes=rule.notes,
        rule=rule,
    )


@lru_cache(maxsize=8)
def _index(framework: str) -> Mapping[str, LayerRule]:
    return {kind: rule for rule in TABLES.get(framework, ()) for kind in rule.kinds}


def public_name(base: str) -> str:
    """A recorded module path as a user imports it: "torch.nn.modules.linear.Linear" -> "torch.nn.Linear"."""
    module, _, name = base.rpartition(".")
    for package, inside in (
        ("torch.nn", ("torch.nn.modules",)),
        ("mindspore.mint.nn", ("mindspore.mint.nn",)),
        ("mindspore.nn", ("mindspore.nn.layer", "mindspore.nn.loss")),
    ):
        if any(module == prefix or module.startswith(f"{prefix}.") for prefix in inside):
            return f"{package}.{name}"
    return base


def _rule_of(layer: Layer, framework: str, user_rules: tuple[UserRule, ...]) -> LayerRule | None:
    table = _index(framework)
    for base in layer.bases or (layer.kind,):
        for user in user_rules:
            if base in user.kinds or base.rpartition(".")[2] in user.kinds:
                return user.as_layer_rule()
        found = table.get(base) or table.get(public_name(base))
        if found is not None:
            return found
    return None


def _reading(layer: Layer, layers: Mapping[str, Layer], rule: LayerRule) -> Reading:
    names = signature(rule.signature)
    call = source_call(layer, rule)
    return Reading(
        layer=layer,
        layers=layers,
        rule=rule,
        arguments=call.values(names) if call else {},
        open_call=call.open if call else False,
        defaults=names.defaults,
    )


def _setting(reading: Reading, row: SettingRule) -> Setting | None:
    value = read(reading, row)
    if value is UNKNOWN:
        return None
    argument, own = row.argument or row.attribute or row.name, value
    changes = write(row, value, reading.rank) if row.argument else None
    if row.convert == "pad_mode" and pad_mode_of(reading) != "pad":
        own_name, own = "pad_mode", pad_mode_of(reading)
    elif changes is not None:
        own_name, written_value = next(
            ((k, v) for k, v in changes.items() if v is not GONE and k != "pad_mode"), (argument, value)
        )
        own = None if isinstance(written_value, Gone) else written_value
    else:
        own_name, own = argument, short(value)
    default = reading.defaults.get(own_name, row.default if row.default_known else UNKNOWN)
    return Setting(row.name, value, own_name, own, argument, default is not UNKNOWN and _equal(own, default))


# --------------------------------------------------------------------------------------------------------------------
# Parameters
# --------------------------------------------------------------------------------------------------------------------

_COMMON_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "embedding_table": "weight",
}


def _parameters(layer: Layer, layers: Mapping[str, Layer], rule: LayerRule) -> Mapping[str, CommonParameter]:
    named: dict[str, CommonParameter] = {}
    for row in rule.parameters:
        found = find_parameter(layer, row.attribute, layers)
        if found is not None:
            holder, parameter = found
            shape = layout_shape(parameter.shape, row.layout)
            named[row.name] = CommonParameter(row.name, holder.path, parameter.name, shape, row.layout)
    return _own_parameters(layer, named)


def _own_parameters(layer: Layer, named: Mapping[str, CommonParameter]) -> Mapping[str, CommonParameter]:
    """The layer's parameters that no row named, beside those that one did."""
    result = dict(named)
    taken = {(p.path, p.own_name) for p in named.values()}
    own_names = {p.name for p in layer.parameters}
    for parameter in layer.parameters:
        if (layer.path, parameter.name) in taken:
            continue
        common = _COMMON_NAMES.get(parameter.name, parameter.name)
        name = parameter.name if common in result or common in own_names else common
        result.setdefault(name, CommonParameter(name, layer.path, parameter.name, parameter.shape))
    return result


def layout_shape(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """A shape in torch's layout; one that does not fit the layout stays as it is."""
    kind, _, axis = layout.partition(":")
    if kind == "drop_axis" and int(axis) < len(shape) and shape[int(axis)] == 1:
        return (*shape[: int(axis)], *shape[int(axis) + 1 :])
    return shape


# --------------------------------------------------------------------------------------------------------------------
# Modes
# --------------------------------------------------------------------------------------------------------------------


def _value(means: Meaning, name: str, otherwise: Plain = None) -> Plain:
    found = means.settings.get(name)
    return otherwise if found is None else found.value


def mode_matters(means: Meaning) -> bool:
    """Does the training flag change what the layer computes, as it is set?"""
    if means.mode == "statistics":
        return _value(means, "track_running_stats", True) is True
    return means.mode == "random" and _can_be_random(means)


def random_now(means: Meaning, training: bool | None) -> bool:
    """Does the layer draw random numbers in this mode? An unknown mode counts as evaluation."""
    if means.mode == "always random":
        return True
    return means.mode == "random" and bool(training) and _can_be_random(means)


def _can_be_random(means: Meaning) -> bool:
    if means.family == "dropout":
        return _value(means, "p", 0.5) != 0
    if "dropout" in means.settings:
        layers = _value(means, "num_layers", 2)
        return _value(means, "dropout") != 0 and not (means.family == "recurrent" and layers == 1)
    if means.op == "rrelu":
        return _value(means, "lower") is None or _value(means, "lower") != _value(means, "upper")
    return means.rule is None or not means.rule.settings or means.family not in {"recurrent", "attention"}


# --------------------------------------------------------------------------------------------------------------------
# Differences
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pair:
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
        return _value(self.reference, name), _value(self.candidate, name)


def setting_differences(
    reference: Meaning,
    candidate: Meaning,
    reference_layer: Layer,
    candidate_layer: Layer,
    reference_framework: str,
    candidate_framework: str,
    *,
    rank: int | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> tuple[SettingDifference, ...]:
    """Settings that mean something else on the two sides and can change numbers, in the order of the reference's rule.

    Args:
        reference: meaning of the layer that is right.
        candidate: meaning of its port.
        reference_layer: the layer as recorded.
        candidate_layer: the layer as recorded; its line of source gives the text of the edit.
        reference_framework: "torch" or "mindspore".
        candidate_framework: "torch" or "mindspore".
        rank: number of axes of the first input, where known: tells a negative axis from a positive one.
        input_shape: shape of the first input, channels before spatial axes, where known: tells whether pad_mode
            "same" pads like explicit padding.
    """
    if not reference.op or not candidate.op:
        return ()
    if input_shape is not None:
        rank = len(input_shape)
    pair = _Pair(reference, candidate, rank, input_shape)
    sides = (reference_framework, candidate_framework)
    if reference.op != candidate.op:
        return _other_op(pair, reference_layer, candidate_layer, sides)
    found = [
        (name, ours, theirs)
        for name in dict.fromkeys([*reference.settings, *candidate.settings])
        for ours, theirs in [_two(pair, name)]
        if ours is not None and theirs is not None and not _agree(pair, name, ours, theirs)
    ]
    edit = _edit(candidate, candidate_layer, [(name, ours) for name, ours, _ in found], pair)
    return tuple(
        SettingDifference(
            name=name,
            reference=ours.own_value,
            candidate=theirs.own_value,
            sentence=_sentence(name, ours, theirs, sides),
            edit=edit if _writable(candidate, name, ours, pair) else "",
        )
        for name, ours, theirs in found
    )


def _two(pair: _Pair, name: str) -> tuple[Setting | None, Setting | None]:
    """A setting on both sides. A side whose framework has no such setting behaves as torch does by default."""
    ours, theirs = (side.settings.get(name) or _absent(side, name) for side in pair.sides)
    return ours, theirs


def _absent(means: Meaning, name: str) -> Setting | None:
    if means.rule is None or any(row.name == name for row in means.rule.settings):
        return None  # the framework has the setting; the recording does not tell it
    for rule in TABLES["torch"]:
        row = next((r for r in rule.settings if r.name == name), None) if rule.op == means.op else None
        if row is not None:
            value = read(_reading(Layer("", ""), {}, rule), row)
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


def _agree(pair: _Pair, name: str, ours: Setting, theirs: Setting) -> bool:
    rule = _COMPARE.get(name)
    if rule is not None:
        verdict = rule(pair, ours.value, theirs.value)
        if verdict is not None:
            return verdict
    return _equal(ours.value, theirs.value)


def _equal(a: Any, b: Any) -> bool:
    """Equal as numbers (within rounding of float32), lists of one number as that number."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, list) and not isinstance(b, list):
        return bool(a) and all(_equal(x, b) for x in a)
    if isinstance(b, list):
        return _equal(b, a)
    if isinstance(a, bool) or isinstance(b, bool) or not (_number(a) and _number(b)):
        return type(a) is type(b) and bool(a == b or (a != a and b != b))  # noqa: PLR0124  (nan is nan)
    return bool(a == b) or abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# Each comparison gives True (means the same), False (does not), or None (compare the values as they are).
_Comparison = Callable[[_Pair, Plain, Plain], bool | None]


def _pads_of(means: Meaning, sizes: tuple[int, ...] | None) -> Pads | None:
    """Padding per axis and end; "same" becomes numbers where the size of the input is known. Of a transposed
    convolution, what is cropped: output_padding is less cropping at the end."""
    value = _value(means, "padding")
    found = padding_pairs(value)
    kernel, stride = whole_numbers(_value(means, "kernel_size")), whole_numbers(_value(means, "stride"))
    if value == "same" and sizes is not None and kernel is not None and stride is not None:
        dilation = whole_numbers(_value(means, "dilation")) or [1] * len(kernel)
        found = [same_pads(n, k, s, d) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=False)]
    if found is not None and "transpose" in means.op:
        extra = whole_numbers(_value(means, "output_padding")) or [0] * len(found)
        found = [(before, after - more) for (before, after), more in zip(found, extra, strict=False)]
    return found


def _appends_zeros(means: Meaning) -> bool:
    """MindSpore's Conv2dTranspose crops as its padding says and appends `output_padding` rows of zeros, bias left out;
    torch computes those rows. The two are one where the rows lie beyond all that the kernel reaches and there is no
    bias."""
    row = _row(means, "output_padding")
    mine = means.op == "conv_transpose2d" and row is not None and _says_pad_mode(means)
    if not mine or not any(whole_numbers(_value(means, "output_padding")) or []):
        return False
    cropped = padding_pairs(_value(means, "padding")) or []
    return _value(means, "bias") is not False or any(after > 0 for _, after in cropped)


def _says_pad_mode(means: Meaning) -> bool:
    row = _row(means, "padding")
    return row is not None and row.convert == "pad_mode"


def _compare_padding(pair: _Pair, ours: Plain, theirs: Plain) -> bool | None:
    if ours == theirs == "same":
        return True
    if "transpose" in pair.reference.op and padding_pairs(ours) is not None and ours == theirs:
        return True  # what is left is said of output_padding
    if "pad" in pair.reference.op:
        return None
    left, right = (_pads_of(side, pair.sizes) for side in pair.sides)
    if left is None or right is None:
        return False if "same" in (ours, theirs) else None
    if left == right:
        return True
    return pair.sizes is not None and "transpose" not in pair.reference.op and _unseen_end(pair, left, right)


def _unseen_end(pair: _Pair, left: Pads, right: Pads) -> bool:
    """Do the paddings differ at the end only, where no window reaches?"""
    if any(a[0] != b[0] for a, b in zip(left, right, strict=True)):
        return False
    return _reach(pair.reference, pair.sizes, left) == _reach(pair.candidate, pair.sizes, right)


def _reach(means: Meaning, sizes: tuple[int, ...] | None, padding: Pads) -> list[tuple[int, int]] | None:
    """(number of windows, how far the last one reaches into the padding) for each axis."""
    kernel, stride = whole_numbers(_value(means, "kernel_size")), whole_numbers(_value(means, "stride"))
    if sizes is None or kernel is None or stride is None:
        return None
    dilation = whole_numbers(_value(means, "dilation")) or [1] * len(kernel)
    result = []
    for n, k, s, d, (before, after) in zip(sizes, kernel, stride, dilation, padding, strict=False):
        extent = d * (k - 1) + 1
        spare = n + before + after - extent
        windows = (-(-spare // s) if _value(means, "ceil_mode") else spare // s) + 1
        if _value(means, "ceil_mode") and (windows - 1) * s >= n + before:
            windows -= 1  # torch drops a last window that would start in the padding
        result.append((windows, max((windows - 1) * s + extent - before - n, 0)))
    return result


def _compare_output_padding(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    left, right = (_pads_of(side, pair.sizes) for side in pair.sides)
    if left is None or right is None:
        return None
    if _appends_zeros(pair.reference) != _appends_zeros(pair.candidate):
        return False
    # judged together with the padding: the difference is then said there, unless the padding is alike
    return left == right or padding_pairs(pair.both("padding")[0]) != padding_pairs(pair.both("padding")[1])


def _compare_ceil_mode(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    reach = []
    for side in pair.sides:
        padding = _pads_of(side, pair.sizes) or ([(0, 0)] * rank_of(side.op) if "lp_pool" in side.op else None)
        reach.append(_reach(side, pair.sizes, padding) if padding else None)
    return True if reach[0] is not None and reach[0] == reach[1] else None


def _compare_count_include_pad(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    for side in pair.sides:
        found = _pads_of(side, pair.sizes)
        if found is None or any(p != (0, 0) for p in found):
            return None
    return True


def _compare_padding_mode(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    """What the padding is filled with, where there is any."""
    return _compare_count_include_pad(pair, None, None)


def _compare_dilation(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    kernels = [whole_numbers(k) for k in pair.both("kernel_size")]
    return True if all(k is not None and all(v == 1 for v in k) for k in kernels) else None


def _compare_dim(pair: _Pair, ours: Plain, theirs: Plain) -> bool | None:
    left, right = (_axis(side, value, pair.rank) for side, value in zip(pair.sides, (ours, theirs), strict=True))
    if left == right:
        return True
    unclear = isinstance(left, int) and isinstance(right, int) and (left < 0) != (right < 0) and pair.rank is None
    return True if unclear else None if pair.rank is None else False


def _axis(means: Meaning, value: Plain, rank: int | None) -> Plain:
    if value is None and rank is not None and means.family == "softmax":
        return 0 if rank in (0, 1, 3) else 1  # what torch takes when nobody says
    if isinstance(value, int) and value < 0 and rank is not None:
        return value + max(rank, 1)
    return value


def _compare_normalized_shape(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    """Equal shapes, and normalised over as many axes."""
    axes = {_normalized_axes(side, pair.rank) for side in pair.sides} - {None}
    return False if len(axes) > 1 else None


def _normalized_axes(means: Meaning, rank: int | None) -> int | None:
    first, shape = _value(means, "begin_norm_axis"), _value(means, "normalized_shape")
    if not isinstance(first, int):
        return len(shape) if isinstance(shape, list) else None
    return -first if first < 0 else None if rank is None else rank - first


def _compare_momentum(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    """Without running statistics there is nothing that it moves."""
    kept = [side.op != "instance_norm" or _value(side, "track_running_stats", False) is True for side in pair.sides]
    return None if all(kept) and False not in pair.both("track_running_stats") else True


def _compare_dropout(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    return True if pair.reference.family == "recurrent" and pair.both("num_layers") == (1, 1) else None


def _compare_bias(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    """A norm without weight has no bias either: said once, as affine."""
    off = [False in (_value(s, "affine", True), _value(s, "elementwise_affine", True)) for s in pair.sides]
    return True if any(off) else None


def _compare_align_corners(pair: _Pair, ours: Plain, theirs: Plain) -> bool | None:
    modes = pair.both("mode")
    return True if bool(ours) == bool(theirs) or all(m in ("nearest", "nearest-exact", "area") for m in modes) else None


def _compare_recompute(pair: _Pair, ours: Plain, theirs: Plain) -> bool | None:
    """Recomputing changes nothing where the size times the factor is whole."""
    if bool(ours) == bool(theirs) or any(value is not None for value in pair.both("size")):
        return True
    factor = pair.both("scale_factor")[0]
    factors = factor if isinstance(factor, list) else [factor]
    return True if all(_number(f) and float(f) == int(f) for f in factors) else None  # type: ignore[arg-type]


def _compare_upsampling(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    """A size and a factor mean the same where they give the same number of elements."""
    left, right = (_upsampled(side, pair.shape) for side in pair.sides)
    return True if left is not None and left == right else None


def _upsampled(means: Meaning, shape: tuple[int, ...] | None) -> list[int] | None:
    size, factor = _value(means, "size"), _value(means, "scale_factor")
    spatial = shape[2:] if shape is not None else ()
    if not spatial:
        return None
    sizes = size if isinstance(size, list) else [size] * len(spatial)
    factors = factor if isinstance(factor, list) else [factor] * len(spatial)
    if all(_number(n) for n in sizes):
        return [int(n) for n in sizes]  # type: ignore[arg-type]
    if not all(_number(f) for f in factors) or len(factors) != len(spatial):
        return None
    return [int(n * float(f)) for n, f in zip(spatial, factors, strict=True)]  # type: ignore[arg-type]


def _compare_norm_type(pair: _Pair, _: Plain, __: Plain) -> bool | None:
    return True if "embedding" in pair.reference.op and pair.both("max_norm") == (None, None) else None


def _compare_data_format(_: _Pair, ours: Plain, theirs: Plain) -> bool | None:
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


# --------------------------------------------------------------------------------------------------------------------
# Sentences
# --------------------------------------------------------------------------------------------------------------------


def _sentence(name: str, ours: Setting, theirs: Setting, sides: tuple[str, str]) -> str:
    said = _told(ours, sides[0], "reference", hint=not theirs.default), _told(theirs, sides[1], "candidate", hint=True)
    sentence = f"{name} is {said[0]} and {said[1]}"
    if name == "padding" and "same" in (ours.value, theirs.value):
        sentence += "; the two differ wherever 'same' pads more at the end than at the start"
    if name == "normalized_shape" and _equal(ours.value, theirs.value):
        sentence += "; MindSpore's begin_norm_axis says from which axis on, and says otherwise here"
    if name == "output_padding" and _equal(ours.value, theirs.value):
        sentence += "; MindSpore's Conv2dTranspose appends zeros there, where PyTorch computes"
    return sentence + _converted(ours, theirs, sides)


def _told(setting: Setting, framework: str, side: str, *, hint: bool) -> str:
    value = _shown(setting.own_value)
    if not setting.own_name:
        return f"{value} in the {side}, which has no such argument"
    asides = [setting.own_name] if setting.own_name != setting.name and not (setting.default and hint) else []
    if setting.default and hint:
        asides.append(f"{FRAMEWORK_NAMES.get(framework, framework)}'s default")
        if setting.own_name == "pad_mode":
            asides[-1] += " pad_mode"
    return f"{value} in the {side}" + (f" ({', '.join(asides)})" if asides else "")


def _shown(value: Plain) -> str:
    return written(short(value) if isinstance(value, list) and len(value) > 1 else value)


def _converted(ours: Setting, theirs: Setting, sides: tuple[str, str]) -> str:
    """What a value means in torch's words, where a word is shared and its meaning is not."""
    for setting, framework in ((ours, sides[0]), (theirs, sides[1])):
        if setting.own_name == setting.name and _number(setting.value) and not _equal(setting.own_value, setting.value):
            own, common = _shown(setting.own_value), _shown(setting.value)
            return f"; {FRAMEWORK_NAMES.get(framework, framework)}'s {setting.name} {own} means {common} in PyTorch"
    return ""


# --------------------------------------------------------------------------------------------------------------------
# Edits
# --------------------------------------------------------------------------------------------------------------------

_ALSO_CALLED = {
    "HShrink": "Hardshrink",
    "HSwish": "Hardswish",
    "HSigmoid": "Hardsigmoid",
    "SoftShrink": "Softshrink",
}
"""Names under which `mindspore.mint.nn` hands out cells of `mindspore.nn`."""


def _call_names(kind: str) -> tuple[str, ...]:
    return kind, kind.removesuffix("Ext"), _ALSO_CALLED.get(kind, kind)


def source_call(layer: Layer, rule: LayerRule | None = None) -> SourceCall | None:
    """The call that made the layer, in the text of its line; of several of one name the one whose literal arguments
    are those that were recorded."""
    if layer.made_at is None or not layer.made_at.text:
        return None
    calls = find_calls(layer.made_at.text, _call_names(layer.kind))
    if rule is None or len(calls) < 2:
        return calls[0] if calls else None
    names = signature(rule.signature)
    return min(calls, key=lambda call: _conflicts(call, names, layer))


def _conflicts(call: SourceCall, names: Signature, layer: Layer) -> int:
    given = call.values(names)
    return sum(
        value is not UNKNOWN and name in layer.settings and not _equal(layer.settings[name], value)
        for name, value in given.items()
    )


def _row(means: Meaning, name: str) -> SettingRule | None:
    return next((row for row in means.rule.settings if row.name == name), None) if means.rule else None


def _changes(candidate: Meaning, name: str, value: Plain, pair: _Pair) -> Changes | None:
    """The candidate's arguments that give it this value."""
    row = _row(candidate, name)
    if name in ("alpha", "size") and candidate.op == "local_response_norm":
        return _lrn_changes(candidate, pair)
    if row is None or not row.argument:
        return None
    if name in ("padding", "output_padding") and "transpose" in candidate.op:
        return _transposed_changes(candidate, pair)
    if name == "padding":
        return _padding_changes(candidate, row, value, pair)
    if name == "count_include_pad" and value is True and _value(candidate, name) is False:
        padding = (
            _changes(candidate, "padding", _value(pair.reference, "padding"), pair) if _is_same_mode(candidate) else {}
        )
        return None if padding is None else {**padding, "count_include_pad": True}
    if name == "dim" and value is None:
        value = _axis(pair.reference, value, pair.rank)  # say what torch takes silently, where it is known
        if value is None and row.argument == "axis":
            return None  # MindSpore wants a number
    if name == "normalized_shape" and _row(candidate, "begin_norm_axis") is not None:
        return _normalized_changes(row, value, pair.rank)
    if name == "normalized_shape" and _normalized_axes(pair.reference, pair.rank) != len(value):  # type: ignore[arg-type]
        return None  # PyTorch normalises over as many axes as the weight has
    return write(row, value, rank_of(candidate.op))


def _normalized_changes(row: SettingRule, shape: Plain, rank: int | None) -> Changes | None:
    """MindSpore's LayerNorm takes -1 or a positive axis as the first one it normalises."""
    axes = len(shape) if isinstance(shape, list) else 1
    if axes == 1:
        return {row.argument or "": shape, "begin_norm_axis": GONE, "begin_params_axis": GONE}
    if rank is None:
        return None
    return {row.argument or "": shape, "begin_norm_axis": rank - axes, "begin_params_axis": rank - axes}


def _transposed_changes(candidate: Meaning, pair: _Pair) -> Changes | None:
    """Padding and output_padding of a transposed convolution, which together say what is cropped at each end."""
    crop = _pads_of(pair.reference, pair.sizes)
    stride, kernel = (whole_numbers(_value(pair.reference, name)) for name in ("stride", "kernel_size"))
    if crop is None or stride is None or kernel is None or _appends_zeros(pair.reference):
        return None
    more = [before - after for before, after in crop]
    if not _says_pad_mode(candidate):
        if any(before < 0 for before, _ in crop) or not all(0 <= m < s for m, s in zip(more, stride, strict=True)):
            return None
        padding: dict[str, Plain | Gone] = {"padding": short([before for before, _ in crop])}
        return {**padding, "output_padding": short(list(more)) if any(more) else GONE}
    dilation = whole_numbers(_value(pair.reference, "dilation")) or [1] * len(kernel)
    spare = [d * (k - 1) + 1 - s for k, d, s in zip(kernel, dilation, stride, strict=True)]
    whole = rank_of(candidate.op) == 1  # Conv1dTranspose takes one number as padding, and no output_padding
    gone: dict[str, Plain | Gone] = {} if whole else {"output_padding": GONE}
    if all(pair_ == (t // 2, t - t // 2) for pair_, t in zip(crop, spare, strict=True)) and any(more):
        return {"pad_mode": "same", "padding": GONE, **gone}
    if all(pair_ == (0, 0) for pair_ in crop) and all(t >= 0 for t in spare):
        return {"pad_mode": "valid", "padding": GONE, **gone}
    flat: list[Plain] = [v for pair_ in crop for v in pair_]
    if any(after < 0 for _, after in crop):
        appended = rank_of(candidate.op) == 2 and _value(pair.reference, "bias") is False
        if not appended or any(before or after > 0 for before, after in crop):
            return None
        return {"pad_mode": "pad", "padding": 0, "output_padding": short([-after for _, after in crop])}
    if whole and any(more):
        return None
    return {"pad_mode": "pad", "padding": short(flat), **gone}


def _is_same_mode(means: Meaning) -> bool:
    found = means.settings.get("padding")
    return found is not None and found.own_value == "same"


def _max_pool_mode(candidate: Meaning, changes: Changes, pair: _Pair) -> Changes:
    """MindSpore's MaxPool takes ceil_mode, dilation and return_indices with pad_mode "pad" only."""
    row = _row(candidate, "padding")
    needs = {"ceil_mode", "dilation", "return_indices"} & set(changes)
    if not candidate.op.startswith("max_pool") or row is None or row.convert != "pad_mode" or not needs:
        return changes
    padding = padding_pairs(pair.both("padding")[0])
    if padding is None:
        return changes
    flat: Plain = [v for both in padding for v in both]
    symmetric: Plain = [a for a, _ in padding] if all(a == b for a, b in padding) else flat
    return {**changes, "pad_mode": "pad", "padding": short(symmetric)}


def _padding_changes(candidate: Meaning, row: SettingRule, value: Plain, pair: _Pair) -> Changes | None:
    if value == "same" and row.convert != "pad_mode":
        pads = _pads_of(pair.reference, pair.sizes)
        if pads is None or any(a != b for a, b in pads):
            return None
        value = [a for a, _ in pads]
    changes = write(row, value, rank_of(candidate.op))
    if changes is None and row.convert == "torch_padding" and candidate.op.startswith("conv"):
        strides = whole_numbers(_value(pair.reference, "stride")) or [0]
        if "transpose" not in candidate.op and all(s == 1 for s in strides) and _is_same(pair.reference, value):
            return {"padding": "same"}
    return changes


def _is_same(means: Meaning, value: Plain) -> bool:
    """Is this what padding "same" adds at stride 1?"""
    kernel = whole_numbers(_value(means, "kernel_size")) or []
    dilation = whole_numbers(_value(means, "dilation")) or [1] * len(kernel)
    return padding_pairs(value) == [same_pads(10**6, k, 1, d) for k, d in zip(kernel, dilation, strict=False)]


def _lrn_changes(candidate: Meaning, pair: _Pair) -> Changes | None:
    size, alpha = pair.both("size")[0], pair.both("alpha")[0]
    if not isinstance(size, int) or not _number(alpha):
        return None
    if _row(candidate, "size").convert != "radius":  # type: ignore[union-attr]
        return {"size": size, "alpha": alpha}
    return {"depth_radius": (size - 1) // 2, "alpha": alpha / size} if size % 2 else None  # type: ignore[operator]


def _writable(candidate: Meaning, name: str, ours: Setting, pair: _Pair) -> bool:
    return _changes(candidate, name, ours.value, pair) is not None


def _edit(candidate: Meaning, layer: Layer, wanted: Sequence[tuple[str, Setting]], pair: _Pair) -> str:
    """The candidate's call with every setting in `wanted` as the reference has it; "" where none can be written."""
    changes: dict[str, Plain | Gone] = {}
    for name, ours in wanted:
        changes |= _changes(candidate, name, ours.value, pair) or {}
    if not changes or candidate.rule is None:
        return ""
    changes = dict(_max_pool_mode(candidate, changes, pair))
    names = signature(candidate.rule.signature)
    call = source_call(layer, candidate.rule)
    if call is not None and (_is_own_class(layer, candidate.rule) and not set(changes) <= set(call.values(names))):
        # a class of the user's own may not take the argument: its call of the class above does
        return f"{compose('super().__init__', changes, unseen=True)}  # in {layer.kind}"
    if call is not None:
        return rewrite(call, names, changes)
    unseen = bool(set(names.required) - set(changes)) or not candidate.rule.signature
    return compose(_canonical(layer), changes, unseen=unseen)


def _is_own_class(layer: Layer, rule: LayerRule) -> bool:
    """Is the layer's class one that the table does not name itself?"""
    first = layer.bases[0] if layer.bases else layer.kind
    named = {first, public_name(first), first.rpartition(".")[2]} & set(rule.kinds)
    return not named and not any(kind.rpartition(".")[2] == layer.kind for kind in rule.kinds)


def _canonical(layer: Layer) -> str:
    """How a user calls a class of the framework."""
    base = public_name(layer.bases[0]) if layer.bases else layer.kind
    if base.startswith("mindspore.mint.nn.") or layer.kind.endswith("Ext"):
        return f"mint.nn.{layer.kind.removesuffix('Ext')}"
    return f"nn.{layer.kind}" if base.startswith(("torch.nn.", "mindspore.nn.")) else layer.kind


def edit_line(candidate_layer: Layer, new_call: str) -> str:
    """The edit with its place and what stands there: "vit.py:41  nn.GELU()  ->  nn.GELU(approximate=False)"; "" where
    there is nothing to write."""
    if not new_call:
        return ""
    source = candidate_layer.made_at
    if source is None:
        return f"{candidate_layer.path}  {new_call}"
    place = PurePath(source.file)
    where = f"{place.name if place.is_absolute() else place}:{source.line}"
    call = source_call(candidate_layer)
    return f"{where}  {call.text}  ->  {new_call}" if call is not None else f"{where}  {new_call}"


# --------------------------------------------------------------------------------------------------------------------
# Other ops
# --------------------------------------------------------------------------------------------------------------------

_STAND_IN = ("activation", "softmax", "norm", "pool", "loss", "recurrent")
"""Families in which one op put for another is a slip that a reader wants to be told."""


def _other_op(pair: _Pair, ours: Layer, theirs: Layer, sides: tuple[str, str]) -> tuple[SettingDifference, ...]:
    reference, candidate = pair.sides
    if (
        reference.family != candidate.family
        or reference.family not in _STAND_IN
        or _same_function(reference, candidate)
    ):
        return ()
    if {reference.op, candidate.op} == {"softmax", "softmax2d"}:
        plain = reference if reference.op == "softmax" else candidate
        if _axis(plain, _value(plain, "dim"), pair.rank) in (-3, (pair.rank or 4) - 3):
            return ()
    sentence = f"the layer is {ours.kind} in the reference and {theirs.kind} in the candidate"
    return (SettingDifference("op", reference.op, candidate.op, sentence, _other_call(pair, theirs, sides[1])),)


def _same_function(a: Meaning, b: Meaning) -> bool:
    """ReLU6 is Hardtanh between 0 and 6."""
    if {a.op, b.op} != {"relu6", "hardtanh"}:
        return False
    clamp = a if a.op == "hardtanh" else b
    return _equal(_value(clamp, "min_val"), 0) and _equal(_value(clamp, "max_val"), 6)


def _other_call(pair: _Pair, layer: Layer, framework: str) -> str:
    """A call of the candidate framework's class for the reference's op, with the settings the reference has."""
    mint = bool(layer.bases) and public_name(layer.bases[0]).startswith("mindspore.mint.")
    rules = [rule for rule in TABLES.get(framework, ()) if rule.op == pair.reference.op]
    rules.sort(key=lambda rule: rule.kinds[0].startswith("mindspore.mint.") != mint)
    if not rules:
        return ""
    rule = rules[0]
    kind = rule.kinds[0].rpartition(".")[2]
    base = Layer("", kind, (rule.kinds[0],))
    means = meaning(base, framework)
    new = replace(pair, candidate=means)
    changes: dict[str, Plain | Gone] = {}
    for name, ours in pair.reference.settings.items():
        theirs = means.settings.get(name)
        if theirs is None or not _agree(new, name, ours, theirs):
            changes |= {k: v for k, v in (_changes(means, name, ours.value, new) or {}).items() if v is not GONE}
    unseen = bool(set(signature(rule.signature).required) - set(changes))
    return compose(_canonical(base), changes, unseen=unseen)
