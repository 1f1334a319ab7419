"""Trace files without a framework: a small net in numpy, and its port with or without a slip."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tests.divergence.worlds import MemoryTrace, Tensor, World
from tracer.trace.schema import Entered, Returned, Value
from tracer.trace.writer import TraceWriter

_RANDOM = np.random.default_rng(7)
X = _RANDOM.standard_normal((4, 8)).astype(np.float32)
W1, W2 = (_RANDOM.standard_normal((8, 8)).astype(np.float32) for _ in range(2))


def exact_gelu(x: np.ndarray) -> np.ndarray:
    from math import erf

    return (x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))).astype(np.float32)


def tanh_gelu(x: np.ndarray) -> np.ndarray:
    return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))).astype(np.float32)


def reference(inputs: np.ndarray = X) -> MemoryTrace:
    """An MLP in torch."""
    return _mlp(World("torch"), "Linear", exact_gelu, {"approximate": "none"}, inputs)


def port(*, slip: bool) -> MemoryTrace:
    """Its port to MindSpore; the slip is the GELU of MindSpore's default."""
    gelu = tanh_gelu if slip else exact_gelu
    return _mlp(World("mindspore"), "Dense", gelu, {"approximate": slip}, X)


def _mlp(world: World, linear: str, gelu, settings: dict, inputs: np.ndarray) -> MemoryTrace:
    def body(x: Tensor) -> Tensor:
        h = world.call("fc1", linear, lambda t: t.array @ W1.T, x, parameters={"weight": W1}, line=10)
        h = world.call("act", "GELU", lambda t: gelu(t.array), h, settings=settings, line=11)
        return world.call("fc2", linear, lambda t: t.array @ W2.T, h, parameters={"weight": W2}, line=12)

    world.call("(root)", "MLP", body, inputs)
    return world.trace()


def write(path: Path, trace: MemoryTrace) -> Path:
    """The trace as a file."""
    writer = TraceWriter(path, trace.skeleton.header)
    parameters = [
        ((layer.path, p.name), trace.array(p)) for layer in trace.skeleton.layers.values() for p in layer.parameters
    ]
    writer.layers([_bare(layer) for layer in trace.skeleton.layers.values()], parameters)
    for step in trace.skeleton.steps:
        for call in step.calls:
            entered = Entered(0, call.order, call.path, call.index, call.parent, tuple(map(_bare, call.inputs)),
                              training=call.training, source=call.source)  # fmt: skip
            writer.write(entered, [_array(trace, value) for value in call.inputs])
        for call in reversed(step.calls):
            returned = Returned(0, call.order, tuple(map(_bare, call.outputs)), seconds=0.001)
            writer.write(returned, [_array(trace, value) for value in call.outputs])
    return writer.finish(trace.skeleton.end)


def _array(trace: MemoryTrace, value: Value) -> np.ndarray | None:
    return None if value.maker is not None else trace.array(value)


def _bare(item):
    """Without what the writer works out."""
    if isinstance(item, Value):
        return dataclasses.replace(item, statistics=None, digest=None, stored=None)
    parameters = tuple(dataclasses.replace(p, statistics=None, digest=None, stored=None) for p in item.parameters)
    return dataclasses.replace(item, parameters=parameters)
