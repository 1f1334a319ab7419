"""Recurrent layers, attention and transformers: a row each, as `layers.py` says."""

from __future__ import annotations

from tracer.source.rewriting.conversions import as_float
from tracer.source.rewriting.layer_arguments import DTYPE
from tracer.source.rewriting.rules import Argument, Rule, to
from tracer.source.rewriting.writing import ByHand, Value

_BIAS = to("bias", "has_bias")
_TAKES = (
    "input_size, hidden_size, num_layers=1, {}bias=True, batch_first=False, dropout=0.0, bidirectional=False, "
    "{}device=None, dtype=None"
)


_UNBATCHED = "MindSpore takes a batch only: an input without one needs a dimension of 1."
_ACTIVATIONS = {
    "mindspore.nn.ReLU()": "'relu'",
    "mindspore.nn.GELU(approximate=False)": "'gelu'",
    "mindspore.nn.GELU": "'gelu'",
    "mindspore.nn.ReLU": "'relu'",
    "mindspore.mint.nn.ReLU()": "'relu'",
    "mindspore.mint.nn.GELU()": "'gelu'",
    "mindspore.mint.nn.functional.relu": "'relu'",
    "mindspore.mint.nn.functional.gelu": "'gelu'",
}


def _activation(value: Value) -> str:
    """MindSpore takes the names and the functions, not a layer."""
    if value.text in _ACTIVATIONS:
        return _ACTIVATIONS[value.text]
    if value.text.startswith(("mindspore.nn.", "mindspore.mint.")):
        raise ByHand("MindSpore knows activation as 'relu' and 'gelu', and as ops.relu and ops.gelu")
    return value.text


def _recurrent(name: str, takes: str, *more: Argument) -> Rule:
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        takes=takes,
        arguments=(
            "input_size",
            "hidden_size",
            "num_layers",
            _BIAS,
            "batch_first",
            to("dropout", convert=as_float),
            "bidirectional",
            *more,
            DTYPE,
        ),
        advice=_UNBATCHED,
    )


def _cell(name: str, *more: Argument | str) -> Rule:
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        arguments=("input_size", "hidden_size", _BIAS, *more, DTYPE),
    )


def _transformer_layer(name: str) -> Rule:
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        arguments=(
            "d_model",
            "nhead",
            "dim_feedforward",
            "dropout",
            to("activation", convert=_activation, loud=True),
            "layer_norm_eps",
            "batch_first",
            "norm_first",
            DTYPE,
        ),
    )


RECURRENT: tuple[Rule, ...] = (
    _recurrent("LSTM", _TAKES.format("", "proj_size=0, ")),
    _recurrent("GRU", _TAKES.format("", "")),
    _recurrent("RNN", _TAKES.format("nonlinearity='tanh', ", ""), to("nonlinearity", keyword=True)),
    _cell("LSTMCell"),
    _cell("GRUCell"),
    _cell("RNNCell", "nonlinearity"),
    Rule(
        "torch.nn.MultiheadAttention",
        "mindspore.nn.MultiheadAttention",
        arguments=(
            "embed_dim",
            "num_heads",
            to("dropout", convert=as_float),
            _BIAS,
            "add_bias_kv",
            "add_zero_attn",
            "kdim",
            "vdim",
            "batch_first",
            DTYPE,
        ),
    ),
    _transformer_layer("TransformerEncoderLayer"),
    _transformer_layer("TransformerDecoderLayer"),
    Rule(
        "torch.nn.TransformerEncoder",
        "mindspore.nn.TransformerEncoder",
        arguments=("encoder_layer", "num_layers", "norm"),
        drops=("enable_nested_tensor", "mask_check"),
    ),
    Rule(
        "torch.nn.TransformerDecoder",
        "mindspore.nn.TransformerDecoder",
        arguments=("decoder_layer", "num_layers", "norm"),
    ),
    Rule(
        "torch.nn.Transformer",
        "mindspore.nn.Transformer",
        arguments=(
            "d_model",
            "nhead",
            "num_encoder_layers",
            "num_decoder_layers",
            "dim_feedforward",
            "dropout",
            to("activation", convert=_activation, loud=True),
            "custom_encoder",
            "custom_decoder",
            "layer_norm_eps",
            "batch_first",
            "norm_first",
            DTYPE,
        ),
    ),
)
