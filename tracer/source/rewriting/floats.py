"""Where MindSpore takes a float and refuses the whole number that torch takes: measured on the CPU, name by name."""

from __future__ import annotations

from tracer.source.rewriting.conversions import as_float
from tracer.source.rewriting.writing import Value, value_of

_WANTED = {
    "mindspore.ops": "cdist.p celu.alpha cross_entropy.label_smoothing dropout.p dropout1d.p elu.alpha fftfreq.d "
    "gaussian_nll_loss.eps group_norm.eps gumbel_softmax.tau hamming_window.alpha hamming_window.beta logit.eps "
    "nanquantile.q pdist.p quantile.q rfftfreq.d triplet_margin_loss.eps",
    "mindspore.Tensor": "logit.eps nanquantile.q quantile.q",
    "mindspore.mint": "cdist.p",
    "mindspore.mint.nn.functional": "batch_norm.eps batch_norm.momentum elu.alpha embedding.max_norm "
    "embedding.norm_type group_norm.eps layer_norm.eps",
    "mindspore.nn": "BatchNorm1d.eps BatchNorm2d.eps BatchNorm3d.eps CELU.alpha Dropout1d.p Dropout2d.p Dropout3d.p "
    "ELU.alpha GroupNorm.eps InstanceNorm1d.eps InstanceNorm2d.eps InstanceNorm3d.eps "
    "LayerNorm.epsilon LRN.beta PReLU.w SyncBatchNorm.eps "
    "TransformerEncoderLayer.layer_norm_eps TransformerDecoderLayer.layer_norm_eps",
    "mindspore.mint.nn": "BatchNorm1d.eps BatchNorm1d.momentum BatchNorm2d.eps BatchNorm2d.momentum BatchNorm3d.eps "
    "BatchNorm3d.momentum ELU.alpha Embedding.max_norm Embedding.norm_type GroupNorm.eps LayerNorm.eps "
    "SyncBatchNorm.eps SyncBatchNorm.momentum",
}
"""By room, the parameters of its functions and layers."""

FLOATS = frozenset(f"{room}.{name}" for room, names in _WANTED.items() for name in names.split())
"""MindSpore's parameters by their full names: `mindspore.ops.celu.alpha`."""


def refused(target: str, parameter: str, value: Value) -> bool:
    """Is the value a whole number that MindSpore does not take for this parameter?"""
    worth = value.literal
    return isinstance(worth, int) and not isinstance(worth, bool) and f"{target}.{parameter}" in FLOATS


def floated(target: str, parameter: str, text: str) -> str:
    """The source of the argument as MindSpore takes it: `1` becomes `1.0` where it takes floats alone."""
    if f"{target}.{parameter}" not in FLOATS or text.startswith("*"):
        return text
    value = value_of(text)
    return as_float(value) if refused(target, parameter, value) else text
