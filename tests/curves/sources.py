"""Curves of training runs made up in numpy, and the files that hold them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from tracer.curves.event_files import _masked
from tracer.curves.series import Precision, Series
from tracer.trace.schema import ROOT, Began, End, Ended, Header, Layer, Measures
from tracer.trace.writer import TraceWriter

DATA = Path(__file__).parent / "data"


def series(values, steps=None, *, measure: str = "loss", precision: Precision = Precision()) -> Series:
    """A curve of steps 0, 1, ..."""
    numbers = tuple(map(float, values))
    return Series(measure, measure, tuple(steps if steps is not None else range(len(numbers))), numbers, precision)


def training(seed: int, steps: int = 300, spread: float = 0.1) -> np.ndarray:
    """A loss that falls from 2.3 to 0.3, with the noise of batches."""
    random = np.random.default_rng(seed)
    fall = 0.3 + 2 * np.exp(-np.arange(steps) / (steps / 4))
    return fall * (1 + spread * random.standard_normal(steps))


def chaos(loss: np.ndarray, seed: int, *, growth: float = 1.08, most: float = 0.03) -> np.ndarray:
    """The same run where rounding was another: it grows step by step, up to a part of the loss, and wanders there."""
    random = np.random.default_rng(seed)
    size = np.minimum(1e-7 * growth ** np.arange(len(loss)), most)
    return loss * (1 + size * random.standard_normal(len(loss)))


def trace(path: Path, measures: list[Measures], numbers: list[int] | None = None) -> Path:
    """A trace of training steps that knows nothing but what they measured."""
    writer = TraceWriter(path, Header("torch", "2.13.0", "Net"))
    writer.layers([Layer(ROOT, "Net")], [])
    for number, measured in zip(numbers or range(len(measures)), measures, strict=True):
        writer.write(Began(number, "curve"), [])
        writer.write(Ended(number, measured), [])
    return writer.finish(End())


def record(data: bytes) -> bytes:
    """A record of an event file."""
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", _masked(head)) + data + struct.pack("<I", _masked(data))


def event(step: int, tag: str, value: float) -> bytes:
    """A record with one scalar, as TensorBoard writes it."""
    name = tag.encode()
    one = b"\x0a" + bytes([len(name)]) + name + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(one)]) + one
    return record(
        b"\x09" + struct.pack("<d", 1.0) + b"\x10" + _varint(step) + b"\x2a" + bytes([len(summary)]) + summary
    )


def _varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])
