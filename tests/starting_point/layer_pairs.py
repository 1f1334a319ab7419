"""Each layer type as torch and MindSpore write it, with inputs it takes: what the round trips go over.

A call is evaluated with `nn` (and `mint`) of its framework. An input is a shape, or `ints(...)` for indices.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LayerPair(NamedTuple):
    """One layer in both frameworks; `runs` is False where MindSpore has no kernel for it on a CPU."""

    torch: str
    mindspore: str
    inputs: tuple
    runs: bool = True


def ints(*shape: int) -> np.ndarray:
    """Indices below 5."""
    return np.random.default_rng(3).integers(0, 5, shape).astype(np.int32)


_PAD = "pad_mode='valid'"


def _convolutions() -> dict[str, LayerPair]:
    found = {}
    for n in (1, 2, 3):
        size = (9, 8, 7)[:n]
        for kind, torch_kind, cell in (("conv", f"Conv{n}d", f"Conv{n}d"),
                                       ("transposed conv", f"ConvTranspose{n}d", f"Conv{n}dTranspose")):  # fmt: skip
            found[f"{kind}{n}d"] = LayerPair(
                f"nn.{torch_kind}(4, 6, 3)", f"nn.{cell}(4, 6, 3, {_PAD}, has_bias=True)", ((2, 4, *size),)
            )
            found[f"{kind}{n}d without bias"] = LayerPair(
                f"nn.{torch_kind}(4, 6, 3, bias=False)", f"nn.{cell}(4, 6, 3, {_PAD})", ((2, 4, *size),)
            )
            groups = n < 3
            if groups:
                found[f"{kind}{n}d in groups"] = LayerPair(
                    f"nn.{torch_kind}(4, 6, 3, groups=2)",
                    f"nn.{cell}(4, 6, 3, {_PAD}, has_bias=True, group=2)",
                    ((2, 4, *size),),
                    runs=not (n == 2 and kind.startswith("trans")),
                )
    found["square conv2d"] = LayerPair(
        "nn.Conv2d(4, 4, 3)", f"nn.Conv2d(4, 4, 3, {_PAD}, has_bias=True)", ((2, 4, 8, 8),)
    )
    found["depthwise conv2d"] = LayerPair(
        "nn.Conv2d(4, 4, 3, groups=4)", f"nn.Conv2d(4, 4, 3, {_PAD}, has_bias=True, group=4)", ((2, 4, 8, 8),)
    )
    return found


def _norms() -> dict[str, LayerPair]:
    found = {}
    for n in (1, 2, 3):
        size = ((5,), (5, 6), (3, 4, 5))[n - 1]
        flat = () if n == 1 else size
        found[f"batch norm{n}d"] = LayerPair(f"nn.BatchNorm{n}d(4)", f"nn.BatchNorm{n}d(4)", ((3, 4, *flat),))
        found[f"batch norm{n}d without affine"] = LayerPair(
            f"nn.BatchNorm{n}d(4, affine=False)", f"nn.BatchNorm{n}d(4, affine=False)", ((3, 4, *flat),)
        )
        found[f"instance norm{n}d"] = LayerPair(
            f"nn.InstanceNorm{n}d(4, affine=True)", f"nn.InstanceNorm{n}d(4)", ((3, 4, *size),), runs=False
        )
    found["layer norm"] = LayerPair("nn.LayerNorm(4)", "nn.LayerNorm((4,), epsilon=1e-5)", ((3, 5, 4),))
    found["layer norm of two axes"] = LayerPair(
        "nn.LayerNorm((5, 4))", "nn.LayerNorm((5, 4), 1, 1, epsilon=1e-5)", ((3, 5, 4),)
    )
    found["group norm"] = LayerPair("nn.GroupNorm(2, 4)", "nn.GroupNorm(2, 4)", ((3, 4, 5, 6),))
    return found


def _recurrent() -> dict[str, LayerPair]:
    found = {}
    options = {
        "": "", " of two layers": ", num_layers=2", " bidirectional": ", bidirectional=True",
        " of two layers, bidirectional": ", num_layers=2, bidirectional=True", " square": "",
    }  # fmt: skip
    for kind in ("LSTM", "GRU", "RNN"):
        for words, more in options.items():
            size = "5, 5" if words == " square" else "3, 5"
            found[f"{kind}{words}"] = LayerPair(
                f"nn.{kind}({size}{more})", f"nn.{kind}({size}{more})", ((4, 2, int(size[0])),)
            )
        found[f"{kind} without bias"] = LayerPair(
            f"nn.{kind}(3, 5, bias=False)", f"nn.{kind}(3, 5, has_bias=False)", ((4, 2, 3),)
        )
        hidden = ((2, 5), (2, 5)) if kind == "LSTM" else ((2, 5),)
        found[f"{kind} cell"] = LayerPair(f"nn.{kind}Cell(3, 5)", f"nn.{kind}Cell(3, 5)", ((2, 3), hidden))
        found[f"{kind} cell without bias"] = LayerPair(
            f"nn.{kind}Cell(3, 5, bias=False)", f"nn.{kind}Cell(3, 5, has_bias=False)", ((2, 3), hidden)
        )
    return found


def _attention() -> dict[str, LayerPair]:
    x = (5, 2, 8)
    found = {
        "attention": ("nn.MultiheadAttention(8, 2)", "nn.MultiheadAttention(8, 2)", (x, x, x)),
        "attention without bias": (
            "nn.MultiheadAttention(8, 2, bias=False)", "nn.MultiheadAttention(8, 2, has_bias=False)", (x, x, x)),
        "attention with kdim and vdim": (
            "nn.MultiheadAttention(8, 2, kdim=6, vdim=4)", "nn.MultiheadAttention(8, 2, kdim=6, vdim=4)",
            (x, (5, 2, 6), (5, 2, 4))),
        "attention with kdim alone": (
            "nn.MultiheadAttention(8, 2, kdim=6)", "nn.MultiheadAttention(8, 2, kdim=6)", (x, (5, 2, 6), x)),
        "attention with bias_kv": (
            "nn.MultiheadAttention(8, 2, add_bias_kv=True)", "nn.MultiheadAttention(8, 2, add_bias_kv=True)", (x, x, x)),
        "encoder layer": (
            "nn.TransformerEncoderLayer(8, 2, 16)", "nn.TransformerEncoderLayer(8, 2, 16)", (x,)),
        "encoder layer as wide as its insides": (
            "nn.TransformerEncoderLayer(8, 2, 8)", "nn.TransformerEncoderLayer(8, 2, 8)", (x,)),
        "encoder layer, norm first": (
            "nn.TransformerEncoderLayer(8, 2, 16, norm_first=True)", "nn.TransformerEncoderLayer(8, 2, 16, norm_first=True)",
            (x,)),
        "decoder layer": (
            "nn.TransformerDecoderLayer(8, 2, 16)", "nn.TransformerDecoderLayer(8, 2, 16)", (x, x)),
        "encoder": (
            "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3, enable_nested_tensor=False)",
            "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 3)", (x,)),
        "decoder": (
            "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2, norm=nn.LayerNorm(8))",
            "nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2, norm=nn.LayerNorm((8,), epsilon=1e-5))", (x, x)),
        "transformer": (
            "nn.Transformer(8, 2, 2, 2, 16)", "nn.Transformer(8, 2, 2, 2, 16)", (x, x)),
    }  # fmt: skip
    return {name: LayerPair(*row) for name, row in found.items()}


PAIRS: dict[str, LayerPair] = {
    "linear": LayerPair("nn.Linear(3, 4)", "nn.Dense(3, 4)", ((2, 3),)),
    "square linear": LayerPair("nn.Linear(4, 4)", "nn.Dense(4, 4)", ((2, 4),)),
    "linear without bias": LayerPair("nn.Linear(3, 4, bias=False)", "nn.Dense(3, 4, has_bias=False)", ((2, 3),)),
    "bilinear": LayerPair("nn.Bilinear(3, 4, 5)", "nn.BiDense(3, 4, 5)", ((2, 3), (2, 4))),
    **_convolutions(),
    **_norms(),
    "embedding": LayerPair("nn.Embedding(5, 4)", "nn.Embedding(5, 4)", (ints(2, 3),)),
    "square embedding": LayerPair("nn.Embedding(5, 5)", "nn.Embedding(5, 5)", (ints(2, 3),)),
    "prelu": LayerPair("nn.PReLU()", "nn.PReLU()", ((2, 3),)),
    "prelu of channels": LayerPair("nn.PReLU(4)", "nn.PReLU(4)", ((2, 4, 5, 6),)),
    **_recurrent(),
    **_attention(),
    "mint linear": LayerPair("nn.Linear(3, 4)", "mint.nn.Linear(3, 4)", ((2, 3),)),
    "mint conv2d": LayerPair("nn.Conv2d(4, 6, 3)", "mint.nn.Conv2d(4, 6, 3)", ((2, 4, 8, 8),), runs=False),
    "mint conv3d": LayerPair("nn.Conv3d(4, 6, 3)", "mint.nn.Conv3d(4, 6, 3)", ((2, 4, 5, 5, 5),), runs=False),
    "mint transposed conv2d": LayerPair(
        "nn.ConvTranspose2d(4, 6, 3)", "mint.nn.ConvTranspose2d(4, 6, 3)", ((2, 4, 8, 8),), runs=False
    ),
    "mint batch norm1d": LayerPair("nn.BatchNorm1d(4)", "mint.nn.BatchNorm1d(4)", ((3, 4),), runs=False),
    "mint batch norm2d": LayerPair("nn.BatchNorm2d(4)", "mint.nn.BatchNorm2d(4)", ((3, 4, 5, 6),), runs=False),
    "mint batch norm3d": LayerPair("nn.BatchNorm3d(4)", "mint.nn.BatchNorm3d(4)", ((3, 4, 3, 4, 5),), runs=False),
    "mint layer norm": LayerPair("nn.LayerNorm(4)", "mint.nn.LayerNorm(4)", ((3, 5, 4),), runs=False),
    "mint group norm": LayerPair("nn.GroupNorm(2, 4)", "mint.nn.GroupNorm(2, 4)", ((3, 4, 5, 6),), runs=False),
    "mint embedding": LayerPair("nn.Embedding(5, 4)", "mint.nn.Embedding(5, 4)", (ints(2, 3),), runs=False),
    "mint prelu": LayerPair("nn.PReLU(4)", "mint.nn.PReLU(4)", ((2, 4, 5, 6),), runs=False),
}
