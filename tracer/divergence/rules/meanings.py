"""What a recorded layer means: op, settings and parameters in common words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from tracer.divergence.rules.calls import GONE, UNKNOWN, Gone, Signature, SourceCall, find_calls, signature
from tracer.divergence.rules.conversions import Reading, find_parameter, pad_mode_of, rank_of, read, short, write
from tracer.divergence.rules.user_rules import UserRule
from tracer.frameworks import mindspore_layers, torch_layers
from tracer.frameworks.base import LayerRule, SettingRule
from tracer.trace.schema import Layer, Plain

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
    reading = reading_of(layer, others, rule)
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


def reading_of(layer: Layer, layers: Mapping[str, Layer], rule: LayerRule) -> Reading:
    """A layer with its rule and what its call in the source says, ready for the conversions."""
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
    return Setting(row.name, value, own_name, own, argument, default is not UNKNOWN and equal(own, default))


def value_of(means: Meaning, name: str, otherwise: Plain = None) -> Plain:
    """A setting's value in torch's words; `otherwise` where it is not known."""
    found = means.settings.get(name)
    return otherwise if found is None else found.value


def row_of(means: Meaning, name: str) -> SettingRule | None:
    """The row of the layer's rule that a setting comes from."""
    return next((row for row in means.rule.settings if row.name == name), None) if means.rule else None


def equal(a: Any, b: Any) -> bool:
    """Equal as numbers (within rounding of float32), lists of one number as that number."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, list) and not isinstance(b, list):
        return bool(a) and all(equal(x, b) for x in a)
    if isinstance(b, list):
        return equal(b, a)
    if isinstance(a, bool) or isinstance(b, bool) or not (is_number(a) and is_number(b)):
        return type(a) is type(b) and bool(a == b or (a != a and b != b))  # noqa: PLR0124  (nan is nan)
    return bool(a == b) or abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def is_number(value: object) -> bool:
    """A finite number, and no truth value?"""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --------------------------------------------------------------------------------------------------------------------
# The call in the source
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
        value is not UNKNOWN and name in layer.settings and not equal(layer.settings[name], value)
        for name, value in given.items()
    )


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


def mode_matters(means: Meaning) -> bool:
    """Does the training flag change what the layer computes, as it is set?"""
    if means.mode == "statistics":
        return value_of(means, "track_running_stats", True) is True
    return means.mode == "random" and _can_be_random(means)


def random_now(means: Meaning, training: bool | None) -> bool:
    """Does the layer draw random numbers in this mode? An unknown mode counts as evaluation."""
    if means.mode == "always random":
        return True
    return means.mode == "random" and bool(training) and _can_be_random(means)


def _can_be_random(means: Meaning) -> bool:
    if means.family == "dropout":
        return value_of(means, "p", 0.5) != 0
    if "dropout" in means.settings:
        layers = value_of(means, "num_layers", 2)
        return value_of(means, "dropout") != 0 and not (means.family == "recurrent" and layers == 1)
    if means.op == "rrelu":
        return value_of(means, "lower") is None or value_of(means, "lower") != value_of(means, "upper")
    return means.rule is None or not means.rule.settings or means.family not in {"recurrent", "attention"}
