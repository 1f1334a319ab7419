"""A small stand-in for the facts: a few names with the signatures that the tests need."""

from __future__ import annotations

import ast

from tracer.source.facts.table import Pair, Signature, TorchName
from tracer.source.rewriting.binding import read_signature
from tracer.source.rewriting.suggesting import suggest
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.uses import Use

TORCH = {
    "torch.cat": "tensors, dim=0, *, out=None",
    "torch.zeros": "*size, out=None, dtype=None, layout=torch.strided, device=None, requires_grad=False",
    "torch.abs": "input, *, out=None",
    "torch.float32": "",
    "torch.nn.Linear": "in_features, out_features, bias=True, device=None, dtype=None",
    "torch.nn.Conv2d": "in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, "
    "padding_mode='zeros', device=None, dtype=None",
    "torch.nn.LayerNorm": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, device=None, dtype=None",
    "torch.nn.GELU": "approximate='none'",
    "torch.nn.BatchNorm2d": "num_features, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True, "
    "device=None, dtype=None",
    "torch.nn.Dropout": "p=0.5, inplace=False",
}
MINDSPORE = {
    "mindspore.ops.cat": "tensors, axis=0",
    "mindspore.mint.cat": "tensors, dim=0",
    "mindspore.ops.abs": "input",
    "mindspore.nn.Dense": "in_channels, out_channels, weight_init=None, bias_init=None, has_bias=True, activation=None, "
    "dtype=mindspore.float32",
    "mindspore.nn.Conv2d": "in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, dilation=1, "
    "group=1, has_bias=False, weight_init=None, bias_init=None, data_format='NCHW', dtype=mindspore.float32",
    "mindspore.nn.LayerNorm": "normalized_shape, begin_norm_axis=-1, begin_params_axis=-1, gamma_init='ones', "
    "beta_init='zeros', epsilon=1e-07, dtype=mindspore.float32",
    "mindspore.mint.nn.LayerNorm": "normalized_shape, eps=1e-05, elementwise_affine=True, bias=True, dtype=None",
    "mindspore.nn.GELU": "approximate=True",
    "mindspore.nn.BatchNorm2d": "num_features, eps=1e-05, momentum=0.9, affine=True, gamma_init='ones', "
    "beta_init='zeros', moving_mean_init='zeros', moving_var_init='ones', use_batch_statistics=None, "
    "data_format='NCHW', dtype=mindspore.float32",
    "mindspore.nn.Dropout": "keep_prob=0.5, p=None, dtype=mindspore.float32",
}
PAIRS = {"torch.abs": Pair("torch.abs", "mindspore.ops.abs")}


class Known:
    """The stand-in."""

    def name(self, name: str) -> TorchName | None:
        """Of the few."""
        return TorchName(name, "function", (read_signature(TORCH[name]),)) if name in TORCH else None

    def pair(self, name: str) -> Pair | None:
        """Of the few."""
        return PAIRS.get(name)

    def signature_of(self, name: str) -> tuple[Signature, ...]:
        """Of the few."""
        return (read_signature(MINDSPORE[name]),) if name in MINDSPORE else ()


def told(text: str, torch: str, *, mint: bool = False) -> Suggestion:
    """What is suggested for one expression that uses one torch name."""
    node = ast.parse(text, mode="eval").body
    sort = "call" if isinstance(node, ast.Call) else "name"
    use = Use("a.py", 1, 0, torch, sort, text, node)  # type: ignore[arg-type]
    return suggest(use, Known(), mint=mint)
