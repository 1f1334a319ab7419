"""Linear layers, convolutions and embeddings: a row each, as `layers.py` says."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.layer_arguments import (
    BY_PADDING,
    DTYPE,
    doubled,
    function,
    is_known,
    is_zero,
    single,
    tupled,
)
from tracer.source.rewriting.rules import Argument, Rule, Written, constant, to
from tracer.source.rewriting.writing import NOT_LITERAL, ByHand, Value

_LAZY = "Say how many inputs it has: MindSpore's layers do not find it out at the first call."
_UNBATCHED = "MindSpore takes a batch only: an input without one needs a dimension of 1 before it."


_OUTPUT = "mindspore.nn.Conv2dTranspose computes other numbers where output_padding is given (2.10, CPU)."
_ENDS = "a padding for each direction becomes one for each end in MindSpore"


def _pads_by_name(call: Bound) -> bool:
    return isinstance(call.literal("padding"), str)


def _pads(call: Bound) -> bool:
    """Is padding given so that MindSpore refuses it unless told pad_mode, or for its form?"""
    padding = call.literal("padding")
    return isinstance(padding, (tuple, list)) or (is_known(call, "padding") and not is_zero(call, "padding"))


def _named_padding(value: Value) -> str:
    return repr(value.literal)


def _dilation_in_depth(value: Value) -> str:
    worth = value.literal
    if worth is not NOT_LITERAL and (worth[0] if isinstance(worth, (tuple, list)) else worth) != 1:
        raise ByHand("MindSpore's transposed convolution knows no dilation in depth")
    return tupled(value)


def _size(name: str, dimensions: int) -> Argument:
    return to(name, convert=single if dimensions == 1 else tupled, loud=True)


def _has_padding_row(call: Bound) -> bool:
    return call.has("padding_idx") and call.literal("padding_idx") is not None


def _is_padded_by_name(call: Bound) -> bool:
    """Does MindSpore take padding_idx as it stands: by keyword, counted from the front?"""
    row = call.literal("padding_idx")
    known = {"num_embeddings", "embedding_dim"} & set(call.given) <= set(call.positional)
    return known and "padding_idx" not in call.positional and not (isinstance(row, int) and row < 0)


def _unfold(call: Bound) -> Written:
    return function(call, "mindspore.ops.unfold", "x", "kernel_size", "dilation", "padding", "stride")


def _fold(call: Bound) -> Written:
    size = call.value("output_size")
    assert size is not None
    if isinstance(size.literal, int):
        sizes = f"({size.text}, {size.text})"
    elif isinstance(size.node, (ast.Tuple, ast.List)):
        sizes = size.text
    else:
        raise ByHand(f"whether {size.text} is one size or two cannot be read off the source")
    output = f"output_size=mindspore.Tensor({sizes}, mindspore.int32)"
    return function(call, "mindspore.ops.fold", "x", "kernel_size", "dilation", "padding", "stride", made=output)


def _convolution(dimensions: int) -> tuple[Rule, Rule]:
    torch = f"torch.nn.Conv{dimensions}d"
    target = f"mindspore.nn.Conv{dimensions}d"
    sizes = tuple(_size(name, dimensions) for name in ("kernel_size", "stride"))
    after = (
        _size("dilation", dimensions),
        to("groups", "group"),
        to("bias", "has_bias", always=True),
        DTYPE,
    )
    by_name = Rule(
        torch,
        target,
        arguments=(
            "in_channels",
            "out_channels",
            *sizes,
            to("padding", "pad_mode", convert=_named_padding, keyword=True),
            *after,
        ),
        when=_pads_by_name,
        advice=_UNBATCHED,
    )
    padding = to("padding", convert=single if dimensions == 1 else doubled, keyword=True, why=_ENDS)
    general = Rule(
        torch,
        target,
        mint=f"mindspore.mint.nn.Conv{dimensions}d",
        arguments=(
            "in_channels",
            "out_channels",
            *sizes,
            constant("pad_mode", "'pad'", BY_PADDING),
            padding,
            *after,
        ),
        loud=_pads,
        advice=_UNBATCHED,
    )
    return by_name, general


def _pads_output(call: Bound) -> bool:
    return call.has("output_padding") and not is_zero(call, "output_padding")


def _transposed(dimensions: int) -> tuple[Rule, ...]:
    padding = single if dimensions == 1 else doubled
    convert = single if dimensions == 1 else tupled
    sizes = tuple(_size(name, dimensions) for name in ("kernel_size", "stride"))
    output_padding = (to("output_padding", convert=tupled, keyword=True),) if dimensions == 3 else ()
    general = Rule(
        f"torch.nn.ConvTranspose{dimensions}d",
        f"mindspore.nn.Conv{dimensions}dTranspose",
        mint="mindspore.mint.nn.ConvTranspose2d" if dimensions == 2 else None,
        arguments=(
            "in_channels",
            "out_channels",
            *sizes,
            constant("pad_mode", "'pad'", BY_PADDING),
            to("padding", convert=padding, keyword=True, why=_ENDS),
            to("dilation", convert=_dilation_in_depth if dimensions == 3 else convert, keyword=True),
            to("groups", "group", keyword=True),
            *output_padding,
            to("bias", "has_bias", always=True, keyword=True),
            DTYPE,
        ),
        loud=_pads,
        advice=_UNBATCHED,
    )
    if dimensions != 2:
        return (general,)
    in_mint = Rule(general.torch, mint=general.mint, when=_pads_output)
    return in_mint, Rule(general.torch, general.mindspore, when=_pads_output, by_hand=_OUTPUT), general


CONVOLUTION: tuple[Rule, ...] = (
    Rule(
        "torch.nn.Linear",
        "mindspore.nn.Dense",
        mint="mindspore.mint.nn.Linear",
        arguments=(
            to("in_features", "in_channels"),
            to("out_features", "out_channels"),
            to("bias", "has_bias", keyword=True),
            DTYPE,
        ),
    ),
    Rule(
        "torch.nn.Bilinear",
        "mindspore.nn.BiDense",
        arguments=(
            to("in1_features", "in1_channels"),
            to("in2_features", "in2_channels"),
            to("out_features", "out_channels"),
            to("bias", "has_bias", keyword=True),
            DTYPE,
        ),
    ),
    *(row for dimensions in (1, 2, 3) for row in _convolution(dimensions)),
    *(row for dimensions in (1, 2, 3) for row in _transposed(dimensions)),
    *(
        Rule(f"torch.nn.Lazy{name}", by_hand=_LAZY)
        for name in (
            "Linear",
            *(f"{kind}{n}d" for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm") for n in (1, 2, 3)),
        )
    ),
    Rule("torch.nn.Embedding", mint="mindspore.mint.nn.Embedding", when=_has_padding_row),
    Rule(
        "torch.nn.Embedding",
        "mindspore.nn.Embedding",
        when=_has_padding_row,
        by_hand="The row of padding_idx is trained in MindSpore, torch's is not: set its gradient to zero.",
        silent=_is_padded_by_name,
    ),
    Rule(
        "torch.nn.Embedding",
        "mindspore.nn.Embedding",
        mint="mindspore.mint.nn.Embedding",
        arguments=(
            to("num_embeddings", "vocab_size"),
            to("embedding_dim", "embedding_size"),
            constant(
                "embedding_table",
                "mindspore.common.initializer.Normal(1.0)",
                "the numbers it starts from have a spread of 0.01 in MindSpore: torch's is 1",
            ),
            DTYPE,
        ),
        drops=("norm_type", "sparse"),
    ),
    Rule(
        "torch.nn.EmbeddingBag",
        by_hand="Write a cell that calls mindspore.nn.Embedding and takes the mean (or sum, or max) over axis 1.",
    ),
    Rule(
        "torch.nn.Flatten", "mindspore.nn.Flatten", mint="mindspore.mint.nn.Flatten", arguments=("start_dim", "end_dim")
    ),
    Rule(
        "torch.nn.Unflatten",
        "mindspore.nn.Unflatten",
        arguments=(to("dim", "axis"), "unflattened_size"),
    ),
    Rule(
        "torch.nn.PixelShuffle",
        "mindspore.nn.PixelShuffle",
        mint="mindspore.mint.nn.PixelShuffle",
        arguments=("upscale_factor",),
    ),
    Rule("torch.nn.PixelUnshuffle", "mindspore.nn.PixelUnshuffle", arguments=("downscale_factor",)),
    Rule("torch.nn.ChannelShuffle", "mindspore.nn.ChannelShuffle", arguments=("groups",)),
    Rule("torch.nn.Unfold", mint="mindspore.mint.nn.Unfold"),
    Rule("torch.nn.Unfold", "mindspore.ops.unfold", write=_unfold),
    Rule("torch.nn.Fold", mint="mindspore.mint.nn.Fold"),
    Rule("torch.nn.Fold", "mindspore.ops.fold", write=_fold),
)
