"""Activations: a row each, as `layers.py` says."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import expression
from tracer.source.rewriting.layer_arguments import FUNCTION, function
from tracer.source.rewriting.rules import Argument, Rule, Written, to
from tracer.source.rewriting.writing import Value

_NO_DIM = "Say dim: without it torch goes by the number of dimensions, MindSpore by the last."


def _alone(torch: str, mindspore: str, mint: str = "") -> Rule:
    """An activation without arguments of its own (but inplace, which MindSpore has not)."""
    return Rule(
        f"torch.nn.{torch}",
        f"mindspore.nn.{mindspore}",
        mint=f"mindspore.mint.nn.{mint}" if mint else None,
        arguments=(),
        mint_arguments=(),
    )


def _with(torch: str, mindspore: str, *arguments: Argument | str, mint: str = "", takes: str = "") -> Rule:
    return Rule(
        f"torch.nn.{torch}",
        f"mindspore.nn.{mindspore}",
        mint=f"mindspore.mint.nn.{mint}" if mint else None,
        arguments=arguments,
        takes=takes,
    )


def _along(torch: str, mindspore: str, mint: str = "") -> tuple[Rule, ...]:
    """A softmax along a dimension that is said; without one torch and mint look at the input, classic does not."""
    name, target = f"torch.nn.{torch}", f"mindspore.nn.{mindspore}"
    in_mint = f"mindspore.mint.nn.{mint}" if mint else None
    looks = Rule(name, mint=in_mint, when=_has_no_dim)
    return (
        *((looks,) if mint else ()),
        Rule(name, target, when=_has_no_dim, by_hand=_NO_DIM, silent=_has_not_even_none),
        Rule(name, target, mint=in_mint, arguments=(to("dim", "axis"),)),
    )


def _has_not_even_none(call: Bound) -> bool:
    return not call.has("dim")


def _has_no_dim(call: Bound) -> bool:
    return call.literal("dim") is None


def _tanh_or_not(value: Value) -> str:
    return f"{value.atom} == 'tanh'"


def _softplus(call: Bound) -> Written:
    return function(call, "mindspore.ops.softplus", "x", "beta", "threshold")


def _selu(call: Bound) -> Written:
    """By its formula: the gradient of MindSpore's is wrong."""
    below = "mindspore.ops.exp(mindspore.ops.minimum(x, 0)) - 1"
    return Written(
        f"lambda x: 1.0507009873554805 * (mindspore.ops.relu(x) + 1.6732632423543772 * ({below}))",
        ("the gradient of mindspore.nn.SeLU is wrong below zero (2.10, CPU)", FUNCTION),
        silent=not call.has("inplace"),
    )


ACTIVATION: tuple[Rule, ...] = (
    _alone("ReLU", "ReLU", "ReLU"),
    Rule("torch.nn.ReLU6", "mindspore.nn.ReLU6", mint="mindspore.mint.nn.ReLU6", arguments=()),
    Rule("torch.nn.SELU", mint="mindspore.mint.nn.SELU", mint_arguments=()),
    Rule("torch.nn.SELU", "mindspore.nn.SeLU", write=_selu),
    Rule("torch.nn.SiLU", "mindspore.nn.SiLU", mint="mindspore.mint.nn.SiLU", arguments=()),
    _alone("Mish", "Mish", "Mish"),
    _alone("Hardswish", "HSwish", "Hardswish"),
    _alone("Hardsigmoid", "HSigmoid", "Hardsigmoid"),
    _alone("Sigmoid", "Sigmoid", "Sigmoid"),
    _alone("Tanh", "Tanh", "Tanh"),
    _alone("Tanhshrink", "Tanhshrink"),
    _alone("LogSigmoid", "LogSigmoid", "LogSigmoid"),
    _alone("Softsign", "Softsign"),
    _alone("Softmax2d", "Softmax2d"),
    Rule("torch.nn.Softplus", "mindspore.ops.softplus", write=_softplus),
    _with(
        "GELU",
        "GELU",
        to(
            "approximate",
            convert=expression({"none": "False", "tanh": "True"}, _tanh_or_not),
            always=True,
            keyword=True,
        ),
        mint="GELU",
    ),
    _with("LeakyReLU", "LeakyReLU", to("negative_slope", "alpha", always=True)),
    _with("ELU", "ELU", to("alpha", only=(1.0,)), mint="ELU"),
    _with("CELU", "CELU", "alpha"),
    _with("PReLU", "PReLU", to("num_parameters", "channel"), to("init", "w"), mint="PReLU"),
    Rule(
        "torch.nn.RReLU",
        "mindspore.nn.RReLU",
        by_hand="Its slope is drawn in evaluation too: there write LeakyReLU with alpha=(lower + upper) / 2.",
        silent=lambda call: not call.has("inplace") and call.literal("lower") != call.literal("upper"),
    ),
    Rule(
        "torch.nn.Hardtanh",
        "mindspore.nn.Hardtanh",
        takes="min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None",
        when=lambda call: call.has("min_value") or call.has("max_value"),
        arguments=(to("min_value", "min_val"), to("max_value", "max_val")),
    ),
    _with("Hardtanh", "Hardtanh", "min_val", "max_val", mint="Hardtanh"),
    _with("Hardshrink", "HShrink", "lambd", mint="Hardshrink"),
    _with("Softshrink", "SoftShrink", "lambd", mint="Softshrink"),
    _with("Threshold", "Threshold", "threshold", "value", mint="Threshold"),
    _with("GLU", "GLU", to("dim", "axis"), mint="GLU"),
    *_along("Softmax", "Softmax", "Softmax"),
    *_along("LogSoftmax", "LogSoftmax", "LogSoftmax"),
    *_along("Softmin", "Softmin"),
)
