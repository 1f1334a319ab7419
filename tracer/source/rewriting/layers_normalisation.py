"""Normalisations and dropouts: a row each, as `layers.py` says."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import as_float, as_tuple, one_minus
from tracer.source.rewriting.floats import refused
from tracer.source.rewriting.layer_arguments import DTYPE
from tracer.source.rewriting.rules import Argument, Rule, Written, constant, made, to
from tracer.source.rewriting.writing import ByHand, Value, literal_number, plain

_MOMENTUM = "momentum counts the other way: 1 - momentum"


def _batch_norm(name: str, *, processes: str = "") -> tuple[Rule, ...]:
    arguments: tuple[Argument | str, ...] = (
        "num_features",
        "eps",
        to("momentum", convert=one_minus, why=_MOMENTUM),
        "affine",
    )
    after: tuple[Argument, ...] = (DTYPE,)
    if processes:
        after = (to("process_group", processes, keyword=True), DTYPE)
    torch, target, mint = f"torch.nn.{name}", f"mindspore.nn.{name}", f"mindspore.mint.nn.{name}"
    return (
        Rule(
            torch,
            target,
            mint=mint,
            when=lambda call: call.has("momentum") and call.literal("momentum") is None,
            by_hand="Without momentum it is the mean of all batches so far: MindSpore keeps a moving mean only.",
        ),
        Rule(
            torch,
            target,
            arguments=(
                *arguments,
                constant(
                    "use_batch_statistics",
                    "True",
                    "without running statistics MindSpore is told to go by the batch in evaluation too",
                ),
                *after,
            ),
            drops=("track_running_stats",),
            when=lambda call: call.literal("track_running_stats") is False,
        ),
        Rule(torch, target, mint=mint, arguments=(*arguments, *after)),
    )


def _instance_norm(dimensions: int) -> tuple[Rule, Rule]:
    name = f"InstanceNorm{dimensions}d"
    return (
        Rule(
            f"torch.nn.{name}",
            f"mindspore.nn.{name}",
            write=_as_groups,
            loud=lambda call: call.has("eps") and refused(f"mindspore.nn.{name}", "eps", call.given["eps"]),
            when=lambda call: call.literal("track_running_stats") is False,
            advice="A group norm with one channel in each group is the same, and has a kernel on every device.",
        ),
        Rule(
            f"torch.nn.{name}",
            f"mindspore.nn.{name}",
            by_hand="With running statistics it is a batch norm in evaluation: write a cell of your own.",
        ),
    )


def _as_groups(call: Bound) -> Written:
    channels, eps, affine = call.text("num_features"), call.value("eps"), call.text("affine")
    said = ["a group norm with one channel in each group takes its place", f"affine={affine} is to be said"]
    more = f", eps={as_float(eps)}" if eps is not None and call.has("eps") else ""
    return Written(f"mindspore.nn.GroupNorm({channels}, {channels}{more}, affine={affine})", tuple(said), silent=True)


def _over_several(call: Bound) -> bool:
    """Is it a norm over several dimensions, or may it be?"""
    shape = call.value("normalized_shape")
    if shape is None:
        return False
    inside = _made_tuple(shape.node)
    if isinstance(inside, (ast.Tuple, ast.List)):
        return len(inside.elts) != 1 or isinstance(inside.elts[0], ast.Starred)
    return isinstance(shape.node, ast.Subscript) and isinstance(shape.node.slice, ast.Slice)


def _made_tuple(node: ast.expr) -> ast.expr:
    """What is inside of `tuple(...)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tuple" and node.args:
        return node.args[0]
    return node


def _in_tuple(value: Value) -> str:
    """An int becomes a tuple of one; tuples and lists stay as they are."""
    if isinstance(_made_tuple(value.node), (ast.Tuple, ast.List)):
        return value.text
    return as_tuple(value)


def _share(call: Bound) -> str:
    """Torch's alpha is shared by the window, MindSpore's counts for each of its channels."""
    alpha, size = call.value("alpha"), call.value("size")
    assert alpha is not None
    assert size is not None
    return f"{_factor(alpha)} / {_factor(size)}"


def _factor(value: Value) -> str:
    return value.text if literal_number(value.text) is not None else value.atom


def _radius(call: Bound) -> str:
    size = call.literal("size")
    if not isinstance(size, int) or isinstance(size, bool):
        raise ByHand(
            "whether size is odd cannot be read off the source: MindSpore's window is always odd",
            silent="size" in call.positional,
        )
    if size % 2 == 0:
        raise ByHand(
            "MindSpore's window reaches as far to both sides: size must be odd", silent="size" in call.positional
        )
    return str(size // 2)


def _is_loud(call: Bound) -> bool:
    """Is what is kept as likely as what is dropped, or does MindSpore refuse what is given?"""
    if call.has("inplace"):
        return True
    exact = literal_number(call.text("p"))
    return exact is not None and plain(exact) in ("0", "0.5")


NORMALISATION: tuple[Rule, ...] = (
    *_batch_norm("BatchNorm1d"),
    *_batch_norm("BatchNorm2d"),
    *_batch_norm("BatchNorm3d"),
    *_batch_norm("SyncBatchNorm", processes="process_groups"),
    *(row for dimensions in (1, 2, 3) for row in _instance_norm(dimensions)),
    Rule("torch.nn.LayerNorm", mint="mindspore.mint.nn.LayerNorm", when=_over_several),
    Rule(
        "torch.nn.LayerNorm",
        "mindspore.nn.LayerNorm",
        when=_over_several,
        by_hand="Say begin_norm_axis and begin_params_axis, which count the input's dimensions from the front.",
    ),
    Rule(
        "torch.nn.LayerNorm",
        "mindspore.nn.LayerNorm",
        mint="mindspore.mint.nn.LayerNorm",
        arguments=(
            to("normalized_shape", convert=_in_tuple, loud=True, why="normalized_shape is a tuple in MindSpore"),
            to("eps", "epsilon", always=True, keyword=True),
            DTYPE,
        ),
    ),
    Rule(
        "torch.nn.GroupNorm",
        "mindspore.nn.GroupNorm",
        mint="mindspore.mint.nn.GroupNorm",
        arguments=("num_groups", "num_channels", "eps", "affine", DTYPE),
    ),
    Rule(
        "torch.nn.RMSNorm",
        by_hand="Write a cell with a parameter weight: x * rsqrt(mean(x * x, -1, keep_dims=True) + eps) * weight.",
    ),
    Rule(
        "torch.nn.LocalResponseNorm",
        "mindspore.nn.LRN",
        arguments=(
            made("depth_radius", _radius, "the window is given by how far it reaches to both sides"),
            to("k", "bias", convert=as_float, keyword=True, always=True),
            made("alpha", _share, "alpha is not shared by the window in MindSpore: alpha / size"),
            to("beta", keyword=True, always=True),
        ),
        drops=("size", "alpha"),
    ),
    Rule(
        "torch.nn.Dropout",
        "mindspore.nn.Dropout",
        mint="mindspore.mint.nn.Dropout",
        arguments=(to("p", always=True, keyword=True, why="what stands first is the probability to keep"),),
        loud=_is_loud,
    ),
    Rule("torch.nn.Dropout1d", "mindspore.nn.Dropout1d", arguments=("p",)),
    Rule("torch.nn.Dropout2d", "mindspore.nn.Dropout2d", mint="mindspore.mint.nn.Dropout2d", arguments=("p",)),
    Rule("torch.nn.Dropout3d", "mindspore.nn.Dropout3d", arguments=("p",)),
    Rule("torch.nn.AlphaDropout", by_hand="MindSpore has none: a cell that draws a mask, as the paper of SELU says."),
    Rule("torch.nn.FeatureAlphaDropout", by_hand="MindSpore has none: a cell that draws a mask for each channel."),
)
