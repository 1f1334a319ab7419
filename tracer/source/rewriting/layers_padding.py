"""Layers that pad and resize: a row each, as `layers.py` says."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float
from tracer.source.rewriting.layer_arguments import FUNCTION, tupled
from tracer.source.rewriting.rules import Argument, Rule, Written, constant, made, to
from tracer.source.rewriting.writing import NOT_LITERAL, ByHand, Value, value_of

_CUT = "A negative padding cuts: take a slice instead (MindSpore's layer computes other numbers)."
_RECOMPUTED = "a scale_factor is refused in MindSpore unless recompute_scale_factor=True"


def _pad(kind: str, dimensions: int, *, mint: bool = True) -> Rule:
    name = f"{kind}Pad{dimensions}d"
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.{name}",
        mint=f"mindspore.mint.nn.{name}" if mint else None,
        arguments=(to("padding", convert=tupled),),
    )


def _zero(dimensions: int) -> Rule:
    name = f"ZeroPad{dimensions}d"
    return Rule(
        f"torch.nn.{name}",
        f"mindspore.nn.ConstantPad{dimensions}d",
        mint=f"mindspore.mint.nn.{name}",
        arguments=(to("padding", convert=tupled), constant("value", "0.0", "a constant pad is told that it is 0")),
    )


def _circular(dimensions: int) -> Rule:
    def write(call: Bound) -> Written:
        padding = call.value("padding")
        assert padding is not None
        sides = tupled(padding)
        if isinstance(padding.literal, int):
            sides = f"({', '.join([str(padding.literal)] * (2 * dimensions))})"
        elif padding.literal is NOT_LITERAL:
            sides = f"({padding.text},) * {2 * dimensions} if isinstance({padding.text}, int) else {padding.text}"
        return Written(f"lambda x: mindspore.ops.pad(x, {sides}, mode='circular')", (FUNCTION,))

    return Rule(f"torch.nn.CircularPad{dimensions}d", "mindspore.ops.pad", write=write)


def _recomputes(call: Bound) -> str | None:
    """MindSpore knows scale_factor only with recompute_scale_factor=True."""
    factor = call.value("scale_factor")
    return "True" if factor is not None and factor.literal is not None else None


def _cuts(call: Bound) -> bool:
    padding = call.literal("padding")
    return any(isinstance(n, int) and n < 0 for n in (padding if isinstance(padding, (tuple, list)) else (padding,)))


def _keeps_factor(call: Bound) -> bool:
    """Does torch go by the factor itself where MindSpore goes by the sizes, and are these not the same?"""
    if call.literal("scale_factor") is None or call.literal("recompute_scale_factor") is True:
        return False
    factor, mode = call.literal("scale_factor"), call.literal("mode")
    if mode == "nearest":
        return False
    factors = factor if isinstance(factor, (tuple, list)) else (factor,)
    return not all(isinstance(n, (int, float)) and float(n).is_integer() for n in factors)


def _by_cubes(call: Bound) -> bool:
    return call.literal("mode") not in ("nearest", "linear", "bilinear", "trilinear")


def _floats(value: Value) -> str:
    """A factor, or several, as the floats that MindSpore takes nothing else for."""
    known = value.literal
    if isinstance(known, (tuple, list)):
        return f"({', '.join(as_float(value_of(repr(n))) for n in known)},)".replace(",,", ",")
    return as_float(value)


def _both(value: Value) -> str:
    """A size for both directions as a pair, which mint takes nothing else for."""
    if isinstance(value.literal, int):
        return f"({value.text}, {value.text})"
    if value.literal is NOT_LITERAL and not isinstance(value.node, (ast.Tuple, ast.List)):
        return f"({value.text}, {value.text}) if isinstance({value.text}, int) else {value.text}"
    return tupled(value)


def _both_floats(value: Value) -> str:
    if isinstance(value.literal, (int, float)):
        return f"({float(value.literal)}, {float(value.literal)})"
    if value.literal is NOT_LITERAL and not isinstance(value.node, (ast.Tuple, ast.List)):
        raise ByHand(f"whether {value.text} is one factor or two cannot be read off the source: mint takes two floats")
    return _floats(value)


_FOR_BOTH = (to("size", convert=_both, loud=True), to("scale_factor", convert=_both_floats, loud=True))
_UPSAMPLED: tuple[Argument | str, ...] = (
    to("size", convert=tupled),
    to("scale_factor", convert=_floats, loud=True),
    "mode",
    "align_corners",
    "recompute_scale_factor",
)

_NOT_IN_CLASSIC = ("Circular1", "Circular2", "Circular3", "Zero1", "Zero3")

PADDING: tuple[Rule, ...] = (
    *(
        Rule(
            f"torch.nn.{kind}Pad{n}d",
            f"mindspore.nn.{kind}Pad{n}d" if f"{kind}{n}" not in _NOT_IN_CLASSIC else None,
            by_hand=_CUT,
            when=_cuts,
            silent=kind in ("Zero", "Constant"),
        )
        for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
        for n in (1, 2, 3)
    ),
    *(_pad("Reflection", n) for n in (1, 2, 3)),
    *(_pad("Replication", n) for n in (1, 2, 3)),
    _zero(1),
    Rule(
        "torch.nn.ZeroPad2d",
        "mindspore.nn.ZeroPad2d",
        mint="mindspore.mint.nn.ZeroPad2d",
        arguments=(to("padding", convert=tupled),),
    ),
    _zero(3),
    *(_circular(n) for n in (1, 2, 3)),
    *(
        Rule(
            f"torch.nn.ConstantPad{n}d",
            f"mindspore.nn.ConstantPad{n}d",
            mint=f"mindspore.mint.nn.ConstantPad{n}d",
            arguments=(to("padding", convert=tupled), "value"),
        )
        for n in (1, 2, 3)
    ),
    Rule(
        "torch.nn.Upsample",
        mint="mindspore.mint.nn.Upsample",
        mint_arguments=_UPSAMPLED,
        when=lambda call: call.literal("mode") != "nearest-exact",
    ),
    Rule(
        "torch.nn.Upsample",
        "mindspore.nn.Upsample",
        when=_by_cubes,
        by_hand="MindSpore's bicubic computes other numbers, and it has no nearest-exact.",
        silent=lambda call: call.literal("mode") == "bicubic" and call.literal("scale_factor") is None,
    ),
    Rule(
        "torch.nn.Upsample",
        "mindspore.nn.Upsample",
        when=_keeps_factor,
        by_hand="MindSpore goes by the sizes where torch goes by the factor: give size= instead.",
    ),
    Rule(
        "torch.nn.Upsample",
        "mindspore.nn.Upsample",
        arguments=(
            to("size", convert=tupled),
            to("scale_factor", convert=_floats, loud=True),
            "mode",
            "align_corners",
            made("recompute_scale_factor", _recomputes, _RECOMPUTED, loud=True),
        ),
        drops=("recompute_scale_factor",),
    ),
    Rule(
        "torch.nn.UpsamplingNearest2d",
        "mindspore.nn.Upsample",
        mint="mindspore.mint.nn.UpsamplingNearest2d",
        mint_arguments=_FOR_BOTH,
        arguments=(
            to("size", convert=tupled),
            to("scale_factor", convert=_floats, loud=True),
            constant("mode", "'nearest'"),
            made("recompute_scale_factor", _recomputes, _RECOMPUTED, loud=True),
        ),
    ),
    Rule(
        "torch.nn.UpsamplingBilinear2d",
        "mindspore.nn.Upsample",
        mint="mindspore.mint.nn.UpsamplingBilinear2d",
        mint_arguments=_FOR_BOTH,
        arguments=(
            to("size", convert=tupled),
            to("scale_factor", convert=_floats, loud=True),
            constant("mode", "'bilinear'"),
            constant("align_corners", "True"),
            made("recompute_scale_factor", _recomputes, _RECOMPUTED, loud=True),
        ),
    ),
)
