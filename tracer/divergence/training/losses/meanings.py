"""What a recorded loss means: torch's name of its function, its settings in torch's words, and what it was given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tracer.divergence.rules import meaning, public_name
from tracer.divergence.rules.calls import signature
from tracer.divergence.training.losses.formulas import FORMULAS
from tracer.divergence.training.losses.terms import Array
from tracer.frameworks import mindspore_loss_functions, torch_loss_functions
from tracer.frameworks.loss_functions import INPUTS, PREDICTIONS, TARGETS, LossRule
from tracer.trace.schema import Layer, LossTaken, Plain, Source, Value

_TABLES: Mapping[str, tuple[LossRule, ...]] = {
    "torch": torch_loss_functions.LOSSES,
    "mindspore": mindspore_loss_functions.LOSSES,
}
_REDUCTIONS = {"torch": torch_loss_functions.REDUCTIONS, "mindspore": mindspore_loss_functions.REDUCTIONS}
_TENSORS = frozenset({"weight", "pos_weight"})


@dataclass(frozen=True)
class LossSide:
    """A loss of one net as plain values: `value` of any shape, and what `tracer.trace.schema.Loss` says of what made
    it; `inputs` are its recorded leaves, arrays or plain values. `predictions` are what the net returned and `targets`
    what its step was given, where that is known besides."""

    value: Array
    framework: str = "torch"
    kind: str = ""
    bases: tuple[str, ...] = ()
    settings: Mapping[str, Plain] = field(default_factory=dict)
    inputs: Mapping[str, Array | Plain] = field(default_factory=dict)
    predictions: Array | None = None
    targets: Array | None = None
    source: Source | None = None


def side_of(loss: LossTaken, framework: str, read: Callable[[Value], Array | None]) -> LossSide | None:
    """A recorded loss with the arrays that `read` has of it; None where not even its value is there."""
    value = read(loss.value) if loss.value.kind == "tensor" else _scalar(loss.value)
    if value is None:
        return None
    inputs: dict[str, Array | Plain] = {}
    for leaf in loss.inputs:
        found = read(leaf) if leaf.kind == "tensor" else leaf.literal
        if leaf.kind == "scalar" or (leaf.kind == "tensor" and found is not None):
            inputs[leaf.leaf] = found
    return LossSide(value, framework, loss.kind, loss.bases, loss.settings, inputs, source=loss.source)


def _scalar(value: Value) -> Array | None:
    return np.asarray(float(value.literal)) if isinstance(value.literal, int | float) else None


@dataclass(frozen=True)
class LossMeaning:
    """A loss in common words. `op` is "" where nothing known made it. `settings` are those that were seen, by default
    ones included where a call was seen whole; `arrays` what it was given, by torch's names. `called` is how it is
    written, `arguments` what its settings are called there."""

    op: str = ""
    settings: Mapping[str, Plain] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)
    called: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def loss_meaning(side: LossSide) -> LossMeaning:
    """Read a loss by the tables of its framework; decides by dtype and shape where names tell nothing."""
    layer = Layer("(loss)", side.kind, side.bases, side.settings)
    means = meaning(layer, side.framework) if side.bases else None
    function = function_rule(side.kind, side.framework)
    if means is not None and means.family == "loss":
        settings = {name: s.value for name, s in means.settings.items()}
        words = {s.name: s.argument for s in means.settings.values()}
        public = next((public_name(base) for base in side.bases), side.kind)
        called = f"mint.nn.{side.kind}" if ".mint." in public else f"nn.{side.kind.removesuffix('Ext')}"
        arrays = _arrays(means.op, None, side)
        notes = next((r.notes for r in _TABLES.get(side.framework, ()) if r.op == means.op), ())
        return LossMeaning(means.op, settings, arrays, called, words, notes)
    if function is not None:
        settings = _settings(function, side)
        words = {name: name for name in signature(function.signature).names}
        return LossMeaning(
            function.op, settings, _arrays(function.op, function, side), function.called, words, function.notes
        )
    return LossMeaning("", _known(side), _arrays("", None, side), "")


def function_rule(kind: str, framework: str) -> LossRule | None:
    """The row of a function, a primitive or a node of an autograd graph ("NllLossBackward0")."""
    plain = re.sub(r"(2d|2D|Nd)?(Backward\d*)?$", "", kind.rpartition(".")[2].rpartition("::")[2])
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain).lower()
    rows = _rows(framework)
    return rows.get(kind) or rows.get(plain) or rows.get(snake)


@lru_cache(maxsize=8)
def _rows(framework: str) -> Mapping[str, LossRule]:
    return {kind: rule for rule in reversed(_TABLES.get(framework, ())) for kind in rule.kinds}


def _known(side: LossSide) -> dict[str, Plain]:
    """Settings of a class that no table knows, as far as their words are torch's."""
    words = ("reduction", "label_smoothing", "ignore_index", "beta", "delta", "log_target", "margin")
    return {name: side.settings[name] for name in words if name in side.settings}


def _settings(rule: LossRule, side: LossSide) -> dict[str, Plain]:
    names, renamed = signature(rule.signature), dict(rule.renamed)
    given = dict(side.settings)
    for leaf, value in side.inputs.items():
        if not isinstance(value, np.ndarray):
            at = int(leaf) if leaf.isdigit() else None
            given[names.names[at] if at is not None and at < len(names.names) else leaf] = value
    called = any(leaf.isdigit() for leaf in side.inputs)  # a call that was seen, so that what is not there was not said
    found: dict[str, Plain] = dict(rule.fixed)
    for name, default in names.defaults.items():
        if name in given:
            found[renamed.get(name, name)] = given[name]
        elif called and name not in _TENSORS and not isinstance(default, type(Ellipsis)):
            found.setdefault(renamed.get(name, name), default)  # type: ignore[arg-type]
    return _in_words(found, side.framework)


def _in_words(settings: dict[str, Plain], framework: str) -> dict[str, Plain]:
    """Numbers of reductions as words, torch's old flags as the reduction that they mean."""
    average, reduce = settings.pop("size_average", None), settings.pop("reduce", None)
    if reduce is False:
        settings["reduction"] = "none"
    elif average is False:
        settings["reduction"] = "sum"
    reduction = settings.get("reduction")
    if isinstance(reduction, int) and not isinstance(reduction, bool):
        settings["reduction"] = _REDUCTIONS.get(framework, {}).get(reduction, "mean")
    return {name: value for name, value in settings.items() if not isinstance(value, np.ndarray)}


# --------------------------------------------------------------------------------------------------------------------
# What it was given
# --------------------------------------------------------------------------------------------------------------------


def _arrays(op: str, rule: LossRule | None, side: LossSide) -> dict[str, Array]:
    """By torch's names: what names say first, then positions, then dtype and shape; last what the net returned."""
    wanted = INPUTS.get(op, ("input", "target"))
    names = signature(rule.signature).names if rule is not None else wanted
    renamed = dict(rule.renamed) if rule is not None else {}
    found: dict[str, Array] = {}
    rest: list[Array] = []
    for leaf, value in side.inputs.items():
        if not isinstance(value, np.ndarray):
            continue
        name = names[int(leaf)] if leaf.isdigit() and int(leaf) < len(names) else leaf.rpartition(".")[2]
        name = renamed.get(name, name)
        name = "input" if name in PREDICTIONS else "target" if name in TARGETS else name
        if name in {*wanted, *_TENSORS} and name not in found:
            found[name] = value
        else:
            rest.append(value)
    for name, value in (("input", side.predictions), ("target", side.targets)):
        if name in wanted and name not in found and value is not None and not rest:
            found[name] = value
    missing = [name for name in wanted if name not in found]
    found |= dict(zip(missing, sorted(rest, key=lambda v: v.dtype.kind in "iub"), strict=False))
    return _in_order(found) if wanted == ("input", "target") else found


def _in_order(found: dict[str, Array]) -> dict[str, Array]:
    """Predictions are of floats; what was handed over the other way round is turned."""
    predictions, targets = found.get("input"), found.get("target")
    if predictions is not None and targets is not None:
        whole, floats = predictions.dtype.kind in "iub", targets.dtype.kind not in "iub"
        if whole and floats:
            found["input"], found["target"] = targets, predictions
    return found


def possible_ops(arrays: Mapping[str, Array]) -> tuple[str, ...]:
    """Losses that may be made of these predictions and targets, the likeliest first, where nothing says which."""
    predictions, targets = arrays.get("input"), arrays.get("target")
    if predictions is None or targets is None:
        return ()
    if targets.dtype.kind in "iu" and targets.ndim < max(predictions.ndim, 2) and targets.shape != predictions.shape:
        return ("cross_entropy", "nll_loss", "multi_margin_loss")
    simple = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")
    between = targets.size and float(targets.min()) >= 0 and float(targets.max()) <= 1
    binary = ("binary_cross_entropy_with_logits", "binary_cross_entropy", "cross_entropy", "kl_div") if between else ()
    return tuple(op for op in (*binary, *simple, "rmse_loss", "soft_margin_loss") if op in FORMULAS)
