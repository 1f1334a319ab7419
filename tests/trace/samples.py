"""A small trace, written row by row, and what tests need to write others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np

from tracer.trace.schema import (
    ROOT,
    End,
    Entered,
    Gradient,
    Header,
    Layer,
    Maker,
    Parameter,
    ParameterGradient,
    Returned,
    Source,
    Value,
)
from tracer.trace.writer import TraceWriter

HEADER = Header("torch", "2.13.0", "Net", created="2026-01-01T00:00:00", tracer_version="0", note="a note")
DTYPES = [
    *map(np.dtype, ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")),
    np.dtype(ml_dtypes.bfloat16),
    np.dtype(ml_dtypes.float8_e5m2),
    np.dtype(ml_dtypes.float8_e4m3fn),
]
X = np.arange(6, dtype=np.float32).reshape(2, 3) - 1
W = np.arange(12, dtype=np.float32).reshape(4, 3) / 7
Y = (X @ W.T).astype(ml_dtypes.bfloat16)


def tensor(leaf: str, array: np.ndarray, **more: object) -> Value:
    """The value of an array."""
    return Value(leaf, "tensor", array.shape, array.dtype.name, "cpu", **more)


def small(path: Path, *, keep: str = "values", end: End | None = None) -> Path:
    """A net with a layer `fc` (called once) and a layer `head` that never fired and shares fc's weight."""
    writer = TraceWriter(path, Header("torch", "2.13.0", "Net", keep=keep))
    weight = Parameter("weight", W.shape, "float32", "cpu")
    layers = [
        Layer(ROOT, "Net", children=("fc", "head")),
        Layer("fc", "Linear", ("torch.nn.Linear",), {"in_features": 3, "eps": float("inf")}, True, (weight,)),
        Layer("head", "Linear", parameters=(Parameter("weight", W.shape, "float32", owner=("fc", "weight")),)),
    ]
    writer.layers(layers, [(("fc", "weight"), W)])
    writer.write(Entered(0, 0, ROOT, 0, None, (tensor("0", X),), (Value("scale", "scalar", literal=2.0),)), [X, None])
    writer.write(
        Entered(0, 1, "fc", 0, 0, (tensor("0", X, maker=Maker(0, "input", "0")),), source=Source("a.py", 3)), [None]
    )
    writer.write(Returned(0, 1, (tensor("", Y),), 0.25), [Y])
    outputs = (tensor("logits", Y, maker=Maker(1, "output", "")), Value("past.0", "none"), tensor("past.1", Y + Y))
    writer.write(Returned(0, 0, outputs, 0.5), [None, None, Y + Y])
    writer.write(Gradient(0, 1, "grad_output", tensor("", Y)), [Y])
    writer.write(Gradient(0, 1, "grad_input", tensor("0", X + 1)), [X + 1])
    writer.write(ParameterGradient(0, "fc", "weight", tensor("", W * 2)), [W * 2])
    return writer.finish(end or End(silent={"head": "never called"}))


def one_value(path: Path, arrays: Sequence[np.ndarray], **options: object) -> Path:
    """A trace of one call whose outputs are `arrays`, by their numbers."""
    writer = TraceWriter(path, HEADER, **options)
    writer.layers([Layer(ROOT, "Net")], [])
    writer.write(Entered(0, 0, ROOT, 0, None))
    copies = [writer.copy(array) for array in arrays]
    values = tuple(
        replace(tensor(str(at), array), statistics=copy.statistics, digest=copy.digest, missing=copy.problem)
        for at, (array, copy) in enumerate(zip(arrays, copies, strict=True))
    )
    writer.write(Returned(0, 0, values), [copy.array for copy in copies])
    return writer.finish(End())


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Bit for bit the same, NaN and signs of zero included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
