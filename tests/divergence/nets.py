"""Nets for worlds: a small transformer and a branching net, written so that a port can be twisted or broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.divergence.worlds import Tensor, World
from tracer.trace.schema import ROOT

KINDS = {
    "torch": {"linear": "Linear", "norm": "LayerNorm", "act": "GELU", "relu": "ReLU", "seq": "Sequential"},
    "mindspore": {"linear": "Dense", "norm": "LayerNorm", "act": "GELU", "relu": "ReLU", "seq": "SequentialCell"},
}


def weights(seed: int = 0, depth: int = 3, width: int = 8) -> dict[str, np.ndarray]:
    """The same numbers for both sides, by the names of the reference."""
    rng = np.random.default_rng(seed)
    found = {"head.weight": rng.normal(size=(5, width)) / np.sqrt(width), "head.bias": rng.normal(size=5)}
    for n in range(depth):
        for name in ("q", "k", "v", "proj", "fc1", "fc2"):
            found[f"blocks.{n}.{name}.weight"] = rng.normal(size=(width, width)) / np.sqrt(width)
            found[f"blocks.{n}.{name}.bias"] = rng.normal(size=width) * 0.1
        for name in ("norm1", "norm2"):
            found[f"blocks.{n}.{name}.weight"] = 1 + 0.2 * rng.normal(size=width)
            found[f"blocks.{n}.{name}.bias"] = 0.1 * rng.normal(size=width)
    return {name: array.astype(np.float32) for name, array in found.items()}


@dataclass
class Twist:
    """How a port is written otherwise without being wrong, or what is wrong in it."""

    framework: str = "mindspore"
    rename: Callable[[str], str] = lambda path: path
    projections: tuple[str, ...] = ("q", "k", "v")
    functional_act: bool = False
    wrap: str = ""
    identity: bool = False
    load: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] = lambda given: given
    act: Callable[[np.ndarray], np.ndarray] | None = None
    residual: bool = True
    scale: float = 1.0
    only_block: int | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def here(self, block: int) -> bool:
        return self.only_block is None or self.only_block == block


def gelu(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return (0.5 * x * (1 + erf(x / np.sqrt(2)))).astype(np.float32)


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))).astype(np.float32)


def transformer(
    twist: Twist, given: dict[str, np.ndarray], x: np.ndarray, depth: int = 3, noise: float = 3e-8
) -> World:
    """Run the net in a new world. `noise` is the relative rounding every linear layer adds, another one for each seed."""
    world = World(twist.framework)
    kinds = KINDS[twist.framework]
    loaded = twist.load(dict(given))
    rng = np.random.default_rng(1 if twist.framework == "torch" else 2)
    own = {"weight": "gamma", "bias": "beta"} if twist.framework == "mindspore" else {}

    def jitter(array):
        return (array * (1 + noise * rng.normal(size=array.shape))).astype(np.float32)

    def linear(path, tensor):
        w, b = loaded[f"{path}.weight"], loaded[f"{path}.bias"]
        return world.call(
            twist.rename(path),
            kinds["linear"],
            lambda t: jitter(t.array @ w.T + b),
            tensor,
            parameters={"weight": w, "bias": b},
            settings=twist.settings.get(path, {}),
        )

    def norm(path, tensor):
        w, b = loaded[f"{path}.weight"], loaded[f"{path}.bias"]

        def body(t):
            mean, var = t.array.mean(-1, keepdims=True), t.array.var(-1, keepdims=True)
            return jitter((t.array - mean) / np.sqrt(var + 1e-5) * w + b)

        return world.call(
            twist.rename(path),
            kinds["norm"],
            body,
            tensor,
            parameters={own.get("weight", "weight"): w, own.get("bias", "bias"): b},
            settings={"eps": 1e-5} if twist.framework == "torch" else {"epsilon": 1e-5},
        )

    def attention(n, tensor):
        by = {}
        for name in twist.projections:
            by[name] = linear(f"blocks.{n}.{name}", tensor)
        logits = by["q"].array @ by["k"].array.swapaxes(-1, -2) / np.sqrt(8.0)
        if twist.here(n):
            logits = logits * twist.scale
        weights_ = np.exp(logits - logits.max(-1, keepdims=True))
        weights_ /= weights_.sum(-1, keepdims=True)
        return linear(f"blocks.{n}.proj", Tensor((weights_ @ by["v"].array).astype(np.float32)))

    def mlp(n, tensor):
        hidden = linear(f"blocks.{n}.fc1", tensor)
        act = twist.act if twist.act is not None and twist.here(n) else gelu
        if twist.functional_act:
            hidden = Tensor(jitter(act(hidden.array)))
        else:
            hidden = world.call(
                twist.rename(f"blocks.{n}.act"),
                kinds["act"],
                lambda t: jitter(act(t.array)),
                hidden,
                settings={"approximate": "none" if twist.framework == "torch" else act is gelu_tanh},
            )
        if twist.identity:
            hidden = world.call(f"extra.{n}", "Identity", lambda t: t, hidden)
        return linear(f"blocks.{n}.fc2", hidden)

    def block(n):
        def body(tensor):
            tensor = Tensor(tensor.array + attention(n, norm(f"blocks.{n}.norm1", tensor)).array)
            out = mlp(n, norm(f"blocks.{n}.norm2", tensor)).array
            keep = twist.residual or not twist.here(n)
            return Tensor(tensor.array + out) if keep else Tensor(out)

        return body

    def net(tensor):
        for n in range(depth):
            path = twist.rename(f"blocks.{n}")
            if twist.wrap:
                outer = f"{twist.wrap}.{n}"
                tensor = world.call(
                    outer, kinds["seq"], lambda t, n=n, p=path: world.call(p, "Block", block(n), t), tensor
                )
            else:
                tensor = world.call(path, "Block", block(n), tensor)
        return linear("head", tensor)

    world.call(ROOT, "Net", net, x)
    return world
