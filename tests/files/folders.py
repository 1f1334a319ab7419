"""A Vision Transformer in numpy whose layers' outputs are kept, and folders of them as users have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Saved = list[tuple[str, Array]]
"""Paths with what came out there, in the order of execution."""

DEPTH, WIDTH, TOKENS = 6, 16, 5
LAYERS = ("norm1", "attn.q", "attn.k", "attn.v", "attn.proj", "norm2", "mlp.fc1", "mlp.act", "mlp.fc2")


def vit(fault: Mapping[str, Callable[[Array], Array]] | None = None, *, noise: float = 0.0, seed: int = 0) -> Saved:
    """What a small net gives, layer by layer, on fixed weights. A fault alters what one layer gives, and all behind
    it follow; `noise` is the rounding of another framework."""
    random, rounding = np.random.default_rng(seed), np.random.default_rng(99)
    saved: Saved = []

    def give(path: str, value: Array) -> Array:
        value = (fault or {}).get(path, lambda v: v)(value)
        value = (value * (1 + noise * rounding.standard_normal(value.shape))).astype(np.float32)
        saved.append((path, value))
        return value

    def linear(x: Array, to: int) -> Array:
        weight = random.standard_normal((x.shape[-1], to)) / np.sqrt(x.shape[-1])
        return x @ weight + 0.1 * random.standard_normal(to)

    def norm(x: Array) -> Array:
        scale, shift = 1 + 0.1 * random.standard_normal(WIDTH), 0.1 * random.standard_normal(WIDTH)
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * scale + shift

    images = np.random.default_rng(1).standard_normal((2, TOKENS, 12))
    x = give("patch_embed", linear(images, WIDTH))
    for n in range(DEPTH):
        at = f"blocks.{n}."
        y = give(at + "norm1", norm(x))
        q, k, v = (give(at + f"attn.{p}", linear(y, WIDTH)) for p in "qkv")
        scores = q @ k.transpose(0, 2, 1) / 4
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        x = x + give(at + "attn.proj", linear(shares / shares.sum(-1, keepdims=True) @ v, WIDTH))
        y = give(at + "norm2", norm(x))
        y = give(at + "mlp.fc1", linear(y, 2 * WIDTH))
        y = give(at + "mlp.act", y / (1 + np.exp(-1.7 * y)))
        x = x + give(at + "mlp.fc2", linear(y, WIDTH))
    x = give("norm", norm(x))
    give("head", linear(x[:, 0], 7))
    return saved


def last_word(path: str) -> str:
    """What a user calls the output of a layer: "fc1"."""
    return path.rpartition(".")[2]


def save(folder: Path, named: Sequence[tuple[str, Array]]) -> Path:
    """Write each array under its name, ".npy" added."""
    for name, array in named:
        file = folder / f"{name}.npy"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, array)
    return folder


def counted_in_front(saved: Saved, start: int = 0, call: Callable[[str], str] = last_word) -> Saved:
    """`0_fc1`, as TroubleShooter's `ts.save` names them."""
    return [(f"{start + n}_{call(path)}", array) for n, (path, array) in enumerate(saved)]


def counted_behind(saved: Saved, start: int = 0, call: Callable[[str], str] = last_word) -> Saved:
    """`fc1_float32_0`, as MindSpore's TensorDump names them."""
    return [(f"{call(path)}_{array.dtype}_{start + n}", array) for n, (path, array) in enumerate(saved)]


MINDSPORE = {"fc1": "dense1", "fc2": "dense2", "norm1": "ln1", "norm2": "ln2", "norm": "ln", "act": "activation"}


def port_word(path: str) -> str:
    """The same as somebody else calls it who wrote the port."""
    return MINDSPORE.get(last_word(path), last_word(path))


def port_path(path: str) -> str:
    """The path in a port with other names for its containers."""
    parts = [MINDSPORE.get(part, part) for part in path.split(".")]
    renamed = {"blocks": "encoder.layers", "attn": "attention", "mlp": "ffn"}
    return "network." + ".".join(renamed.get(part, part) for part in parts)
