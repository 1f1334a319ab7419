"""Twins: one net in both frameworks, its inputs, and which layer of one is which of the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
ROOT = "(root)"


@dataclass(frozen=True)
class Inputs:
    """What both nets are called with, in numpy."""

    args: tuple[np.ndarray, ...] = ()
    kwargs: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Twin:
    """A net in both frameworks.

    `reference` and `candidate` are "module:Class" below `tests.twins.nets`. `layer` says which candidate layer is which
    reference layer (None: the reference has none like it); `parameters` names candidate parameters (whole paths) that
    are called otherwise than their layer and the framework's own words say. `extra_axis` are candidate parameters
    with an axis 2 of size 1 that the reference lacks. `values` may give some weights other values than the usual ones.

    `tolerance` is the relative L2 that separates the two outputs at most (tanh is an approximation in MindSpore).
    `optional` are pairs of (reference, candidate) layers that an alignment may make or leave: containers that have no
    true partner. `absent` are reference layers that have no partner.
    """

    name: str
    reference: str
    candidate: str
    inputs: Callable[[], Inputs]
    training: bool = False
    layer: Callable[[str], str | None] = lambda path: path
    parameters: Mapping[str, str] = field(default_factory=dict)
    extra_axis: frozenset[str] = frozenset()
    values: Callable[[str, tuple[int, ...]], np.ndarray | None] = lambda name, shape: None
    tolerance: float = 1e-6
    optional: frozenset[tuple[str, str]] = frozenset()
    absent: frozenset[str] = frozenset()


# --------------------------------------------------------------------------------------------------------------------
# Inputs
# --------------------------------------------------------------------------------------------------------------------


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Inputs:
    """One float32 array of standard normal numbers."""
    return Inputs((np.random.default_rng(seed).standard_normal(shape).astype(np.float32) * np.float32(scale),))


def tokens(batch: int, length: int, vocabulary: int) -> Inputs:
    """One int64 array of token numbers."""
    return Inputs((np.random.default_rng(1).integers(0, vocabulary, (batch, length)),))


def masked_tokens() -> Inputs:
    """Token numbers and, as a keyword, a mask that hides the end of the second row."""
    mask = np.ones((2, 7), np.int64)
    mask[1, 4:] = 0
    return Inputs(tokens(2, 7, 30).args, {"attention_mask": mask})


# --------------------------------------------------------------------------------------------------------------------
# Which layer of the candidate is which of the reference
# --------------------------------------------------------------------------------------------------------------------


def translate(words: Mapping[str, str | None], path: str) -> str | None:
    """Rename a candidate's path: the whole of it, or its longest known end, put behind its renamed beginning."""
    if path in words:
        return words[path]
    head, _, last = path.rpartition(".")
    while head:
        if last in words and words[last] is not None:
            above = translate(words, head)
            return None if above is None else f"{above}.{words[last]}"
        head, _, more = head.rpartition(".")
        last = f"{more}.{last}"
    return path


RENAMED_VIT = {
    "patches": "patch_embed",
    "patches.cut": "patch_embed.proj",
    "stages": "blocks",
    "before": "norm1",
    "mixing": "attn",
    "ask": "q",
    "offer": "k",
    "content": "v",
    "leave": "proj",
    "middle": "norm2",
    "wide": "mlp",
    "grow": "fc1",
    "bend": "act",
    "shrink": "fc2",
    "forget": "drop",
    "final": "norm",
    "decide": "head",
    "0": "0",
    "1": "1",
    "2": "2",
}

NESTED_CNN = {
    "stem": None,
    "stem.0": None,
    "stem.0.body": None,
    "stem.0.body.0": "conv1",
    "stem.0.body.1": "bn1",
    "stem.1": "relu",
    "stem.2": "maxpool",
    "stages": None,
    "stages.0": "layer1.0",
    "stages.1": "layer1.1",
    "stages.2": "layer2.0",
    "stages.3": "layer2.1",
    "first.body.0": "conv1",
    "first.body.1": "bn1",
    "relu": "relu",
    "second.body.0": "conv2",
    "second.body.1": "bn2",
    "short": "downsample",
    "short.body.0": "downsample.0",
    "short.body.1": "downsample.1",
    "head": None,
    "head.0": "avgpool",
    "head.1": None,
    "head.2": "fc",
}

SEQUENTIAL_MLP = {
    "layers": None,
    "layers.0": None,
    "layers.1": None,
    "layers.2": None,
    "layers.0.0": "fc1",
    "layers.0.1": "relu",
    "layers.0.2": "norm",
    "layers.1.0": "fc2",
    "layers.1.1": "leaky",
    "layers.1.2": "drop",
    "layers.2.0": "fc3",
    "layers.2.1": "gelu",
    "layers.3": "fc4",
    "layers.4": "softmax",
}


def nested_cnn(path: str) -> str | None:
    """The nested net has containers that the flat one lacks."""
    if re.fullmatch(r"stages\.\d\.(first|second|first\.body|second\.body|short\.body)", path):
        return None
    return translate(NESTED_CNN, path)


def none_for(*absent: str) -> Callable[[str], str | None]:
    """Equal paths, but for candidate layers that the reference lacks."""
    return lambda path: None if path in absent else path


# --------------------------------------------------------------------------------------------------------------------
# Weights that must not be the usual ones
# --------------------------------------------------------------------------------------------------------------------


def closed_gate(name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """A gate that lets next to nothing through, as ReZero and LayerScale nets start."""
    return np.full(shape, 1e-12, np.float32) if name == "gate" else None


def small_embedding(name: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """A first layer whose output hardly varies, so that the epsilon of the norm behind it counts."""
    if name not in ("fc1.weight", "fc1.bias"):
        return None
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32) * np.float32(2e-3)


# --------------------------------------------------------------------------------------------------------------------
# The twins
# --------------------------------------------------------------------------------------------------------------------

_image = partial(normal, 2, 3, 16, 16)
_picture = partial(normal, 2, 3, 32, 32)

_MLP = Twin("mlp", "mlp_torch:Mlp", "mlp_mindspore:Mlp", partial(normal, 4, 16))
_CNN = Twin("cnn", "cnn_torch:ResNet", "cnn_mindspore:ResNet", _picture)
_VIT = Twin("vit", "vit_torch:ViT", "vit_mindspore:ViT", _image)

PLAIN: tuple[Twin, ...] = (
    _MLP,
    Twin("mlp_small", "mlp_torch:Mlp", "mlp_mindspore:Mlp", partial(normal, 4, 16), values=small_embedding),
    _CNN,
    Twin("cnn_training", "cnn_torch:ResNet", "cnn_mindspore:ResNet", _picture, training=True),
    _VIT,
    Twin(
        "gpt",
        "gpt_torch:Gpt",
        "gpt_mindspore:Gpt",
        partial(tokens, 2, 10, 50),
        # MindSpore's net runs the dictionary of layers as one cell, torch's only holds it.
        layer=none_for("transformer"),
        absent=frozenset({"transformer"}),
        optional=frozenset({("transformer", "transformer")}),
        tolerance=1e-4,
    ),
    Twin("lstm", "lstm_torch:Tagger", "lstm_mindspore:Tagger", partial(tokens, 2, 6, 40), tolerance=1e-4),
    Twin("unet", "unet_torch:UNet", "unet_mindspore:UNet", _image),
    Twin("shared", "shared_torch:Shared", "shared_mindspore:Shared", partial(normal, 3, 16)),
    Twin("nested", "nested_torch:Detector", "nested_mindspore:Detector", partial(normal, 3, 16)),
    Twin("masked", "masked_torch:Encoder", "masked_mindspore:Encoder", masked_tokens),
    Twin("grouped", "grouped_torch:Grouped", "grouped_mindspore:Grouped", _image),
    Twin(
        "conv1d",
        "conv1d_torch:Wave",
        "conv1d_mindspore:Wave",
        partial(normal, 3, 4, 32),
        extra_axis=frozenset({"conv1.weight", "conv2.weight", "up.weight"}),
    ),
    Twin(
        "conv1d_training",
        "conv1d_torch:Wave",
        "conv1d_mindspore:Wave",
        partial(normal, 6, 4, 32),
        training=True,
        extra_axis=frozenset({"conv1.weight", "conv2.weight", "up.weight"}),
    ),
    Twin("functional", "functional_torch:Functional", "functional_mindspore:Functional", _image),
    Twin("loop", "loop_torch:Loop", "loop_mindspore:Loop", partial(normal, 3, 12), tolerance=1e-4),
    Twin(
        "encoder",
        "encoder_torch:Encoder",
        "encoder_mindspore:Encoder",
        partial(normal, 2, 6, 10),
        layer=partial(translate, {"layer.dense1": "layer.linear1", "layer.dense2": "layer.linear2"}),
    ),
    Twin("custom", "custom_torch:Custom", "custom_mindspore:Custom", partial(normal, 4, 12), values=closed_gate),
)

TWISTED: tuple[Twin, ...] = (
    Twin(
        "vit_renamed",
        "vit_torch:ViT",
        "vit_renamed_mindspore:VisionNet",
        _image,
        layer=partial(translate, RENAMED_VIT),
        parameters={"summary": "cls_token", "places": "pos_embed"},
    ),
    Twin("vit_branches", "vit_torch:ViT", "vit_branches_mindspore:ViT", _image),
    Twin(
        "cnn_nested",
        "cnn_torch:ResNet",
        "cnn_nested_mindspore:ResNet",
        _picture,
        layer=nested_cnn,
        absent=frozenset({"layer1", "layer2"}),
        optional=frozenset({("layer2.0.downsample", "stages.2.short.body")}),
    ),
    Twin("cnn_reordered", "cnn_torch:ResNet", "cnn_reordered_mindspore:ResNet", _picture),
    Twin(
        "cnn_functional",
        "cnn_torch:ResNet",
        "cnn_functional_mindspore:ResNet",
        _picture,
        absent=frozenset({"relu", "maxpool", "avgpool", *(f"layer{n}.{i}.relu" for n in (1, 2) for i in (0, 1))}),
    ),
    Twin(
        "mlp_extras",
        "mlp_torch:Mlp",
        "mlp_extras_mindspore:Mlp",
        partial(normal, 4, 16),
        layer=none_for("start", "flat", "drop1", "same", "drop2", "end"),
        absent=frozenset({"drop"}),
        # A Dropout and an Identity at the same place both hand on what they get.
        optional=frozenset({("drop", "same")}),
    ),
    Twin(
        "mlp_sequential",
        "mlp_torch:Mlp",
        "mlp_sequential_mindspore:Mlp",
        partial(normal, 4, 16),
        layer=partial(translate, SEQUENTIAL_MLP),
        optional=frozenset({(ROOT, "layers")}),
    ),
)

TWINS: Mapping[str, Twin] = {twin.name: twin for twin in PLAIN + TWISTED}


def wrong(inputs: Inputs, change: Callable[[np.ndarray], Any]) -> Inputs:
    """The same inputs, the first of them changed."""
    return Inputs((change(inputs.args[0]), *inputs.args[1:]), inputs.kwargs)
