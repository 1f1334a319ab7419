"""Pooling layers: a row each, as `layers.py` says."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import is_int
from tracer.source.rewriting.layer_arguments import is_known, is_zero, single, tupled
from tracer.source.rewriting.rules import Argument, Rule, made, to
from tracer.source.rewriting.writing import NOT_LITERAL

_AS_WIDE = "stride left out is 1 in MindSpore: torch's is kernel_size"
_MODE = "pad_mode left out is 'valid' in MindSpore: padding needs pad_mode='pad'"


_SIZES = ("kernel_size", "stride", "padding")
_IN_MINT = {
    "Max": (*_SIZES, "dilation", "return_indices", "ceil_mode"),
    "Avg": (*_SIZES, "ceil_mode", "count_include_pad", "divisor_override"),
}
"""The arguments of mint's pools, as torch's."""


def _stride(call: Bound) -> str:
    stride, size = call.value("stride"), call.value("kernel_size")
    assert size is not None
    if stride is None or stride.literal is None:
        return tupled(size)
    if stride.literal is not NOT_LITERAL or is_int(stride.node):
        return tupled(stride)
    return f"{stride.atom} or {tupled(size)}"


def _single_stride(call: Bound) -> str:
    stride, size = call.value("stride"), call.value("kernel_size")
    assert size is not None
    if stride is None or stride.literal is None:
        return single(size)
    if stride.literal is not NOT_LITERAL or is_int(stride.node):
        return single(stride)
    return f"{stride.atom} or {single(size)}"


_PLAIN = {"padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}


def _pad_mode(call: Bound) -> str | None:
    """'pad' where anything asks for it that 'valid' refuses or does otherwise."""
    plain = _PLAIN if call.default("dilation") is not None else {"padding": 0}  # an average takes ceil_mode as it is
    asked = any(call.has(name) and not _is(call, name, worth) for name, worth in plain.items())
    return "'pad'" if asked else None


def _is(call: Bound, name: str, worth: object) -> bool:
    if worth == 0 and not isinstance(worth, bool):
        return is_zero(call, name)
    return call.literal(name) == worth


def _is_refused(call: Bound) -> bool:
    """Does MindSpore refuse these arguments without pad_mode='pad'?"""
    if call.default("dilation") is not None:
        return any(is_known(call, name) and not _is(call, name, worth) for name, worth in _PLAIN.items())
    return is_known(call, "padding") and not is_zero(call, "padding")


def _pool(kind: str, dimensions: int, *more: Argument | str, mint: bool = False) -> Rule:
    name = f"{kind}Pool{dimensions}d"
    convert = single if dimensions == 1 else tupled
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        mint=f"mindspore.mint.nn.{name}" if mint else None,
        arguments=(
            to("kernel_size", convert=convert, loud=True),
            made("stride", _single_stride if dimensions == 1 else _stride, _AS_WIDE),
            made("pad_mode", _pad_mode, _MODE),
            to("padding", convert=convert, keyword=True, loud=True),
            *more,
        ),
        mint_arguments=tuple(
            to(name, convert=tupled, loud=True) if name in _SIZES else to(name) for name in _IN_MINT[kind]
        )
        if dimensions > 1
        else None,
        drops=("stride",),
        loud=_is_refused,
    )


def _adaptive(kind: str, dimensions: int, *, indices: bool = False, mint: bool = True) -> Rule:
    name = f"Adaptive{kind}Pool{dimensions}d"
    size = to("output_size", convert=single if dimensions == 1 else tupled, loud=True)
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        mint=f"mindspore.mint.nn.{name}" if mint else None,
        arguments=(size, "return_indices") if indices else (size,),
        advice="In MindSpore the length must be a multiple of output_size." if dimensions == 1 else "",
    )


_MAX = (to("dilation", keyword=True), to("return_indices", keyword=True), to("ceil_mode", keyword=True))
_AVERAGE = (to("ceil_mode", keyword=True), to("count_include_pad", keyword=True))

POOLING: tuple[Rule, ...] = (
    _pool("Max", 1, *_MAX),
    _pool("Max", 2, *_MAX, mint=True),
    _pool("Max", 3, *_MAX),
    _pool("Avg", 1, *_AVERAGE, mint=True),
    _pool("Avg", 2, *_AVERAGE, to("divisor_override", keyword=True), mint=True),
    _pool("Avg", 3, *_AVERAGE, to("divisor_override", keyword=True), mint=True),
    _adaptive("Avg", 1),
    _adaptive("Avg", 2),
    _adaptive("Avg", 3),
    _adaptive("Max", 1),
    _adaptive("Max", 2, indices=True),
    _adaptive("Max", 3, indices=True, mint=False),
    Rule(
        "torch.nn.LPPool1d",
        "mindspore.nn.LPPool1d",
        arguments=("norm_type", "kernel_size", "stride", "ceil_mode"),
    ),
    Rule(
        "torch.nn.LPPool2d",
        "mindspore.nn.LPPool2d",
        arguments=("norm_type", "kernel_size", "stride", "ceil_mode"),
    ),
    Rule("torch.nn.LPPool3d", by_hand="Write mindspore.nn.AvgPool3d of x ** p, times the volume, to the power 1 / p."),
    *(
        Rule(
            f"torch.nn.MaxUnpool{n}d",
            f"mindspore.nn.MaxUnpool{n}d",
            mint="mindspore.mint.nn.MaxUnpool2d" if n == 2 else None,
            arguments=("kernel_size", "stride", "padding"),
        )
        for n in (1, 2, 3)
    ),
    *(
        Rule(
            f"torch.nn.FractionalMaxPool{n}d",
            f"mindspore.nn.FractionalMaxPool{n}d",
            arguments=("kernel_size", "output_size", "output_ratio", "return_indices", "_random_samples"),
        )
        for n in (2, 3)
    ),
)
