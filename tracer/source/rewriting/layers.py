"""The layers of torch.nn: a row each.

To add one, copy a row that is like it. The arguments stand in MindSpore's order:

- `"stride"`: the same name and meaning; `to("eps", "epsilon")`: renamed;
- `to(..., always=True)`: MindSpore's default is another, so torch's is written out where the call leaves it out;
- `to(..., keyword=True)`: MindSpore has it at another place, so it and all after it are given by keyword;
- `to(..., convert=one_minus)`: MindSpore's value is made of torch's (conversions.py); `loud=True`: torch's own raises;
- `to(..., only=(...))`: MindSpore knows these values only; `constant("pad_mode", "'pad'")`: always written.

What a row does not name may only be torch's default, else the use is by hand. Without `mint_arguments` mint is given
what both signatures say. A special case is a row of its own before the general one, with `when=` (and `by_hand=` where
no call keeps the meaning). What arguments alone cannot say, a writer says (`write=`).
"""

from __future__ import annotations

from tracer.source.rewriting.conversions import as_tuple, one_minus, one_of
from tracer.source.rewriting.rules import Rule, constant, to

LAYERS: tuple[Rule, ...] = (
    Rule(
        "torch.nn.Linear",
        "mindspore.nn.Dense",
        mint="mindspore.mint.nn.Linear",
        arguments=(
            to("in_features", "in_channels"),
            to("out_features", "out_channels"),
            to("bias", "has_bias", keyword=True),
            "dtype",
        ),
    ),
    Rule(
        "torch.nn.Conv2d",
        "mindspore.nn.Conv2d",
        mint="mindspore.mint.nn.Conv2d",
        arguments=(
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            constant("pad_mode", "'pad'", "pad_mode left out is 'same' in MindSpore: torch pads by padding alone"),
            to("padding", keyword=True),
            "dilation",
            to("groups", "group"),
            to("bias", "has_bias", always=True),
            "dtype",
        ),
        when=lambda call: not isinstance(call.literal("padding"), str),
    ),
    Rule(
        "torch.nn.LayerNorm",
        "mindspore.nn.LayerNorm",
        mint="mindspore.mint.nn.LayerNorm",
        arguments=(
            to("normalized_shape", convert=as_tuple, loud=True, why="normalized_shape is a tuple in MindSpore"),
            to("eps", "epsilon", always=True, keyword=True),
            "dtype",
        ),
    ),
    Rule(
        "torch.nn.GELU",
        "mindspore.nn.GELU",
        mint="mindspore.mint.nn.GELU",
        arguments=(to("approximate", convert=one_of({"none": "False", "tanh": "True"}), always=True, keyword=True),),
    ),
    Rule(
        "torch.nn.BatchNorm2d",
        "mindspore.nn.BatchNorm2d",
        mint="mindspore.mint.nn.BatchNorm2d",
        arguments=(
            "num_features",
            "eps",
            to("momentum", convert=one_minus, why="momentum counts the other way: 1 - momentum"),
            "affine",
            to("dtype", keyword=True),
        ),
    ),
    Rule(
        "torch.nn.Dropout",
        "mindspore.nn.Dropout",
        mint="mindspore.mint.nn.Dropout",
        arguments=(to("p", always=True, keyword=True, why="what stands first is the probability to keep"),),
    ),
)
