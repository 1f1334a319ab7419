"""The arrays that the calls name: the same numbers on both sides, each small and with a shape that shows a wrong axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_draw = np.random.default_rng(20)


def _normal(*shape: int) -> NDArray[np.float32]:
    return _draw.standard_normal(shape).astype(np.float32)


def _uniform(low: float, high: float, *shape: int) -> NDArray[np.float32]:
    return _draw.uniform(low, high, shape).astype(np.float32)


def _ints(low: int, high: int, *shape: int) -> NDArray[np.int64]:
    return _draw.integers(low, high, shape).astype(np.int64)


_half_way = np.array([[-2.5, -1.5, -0.5, 0.5], [1.5, 2.5, 0.25, -0.25], [0.0, -0.0, 7.0, -3.75]], np.float32)
_square = _normal(3, 3)
_spd = _square @ _square.T + 3 * np.eye(3, dtype=np.float32)

ARRAYS: dict[str, NDArray[np.generic]] = {
    # float32 of both signs
    "x": _normal(3, 4),
    "y": _normal(3, 4),
    "z": _normal(4, 5),
    "v": _normal(4),
    "w": _normal(4),
    "u": _normal(3),
    "col": _normal(3, 1),
    "row": _normal(1, 4),
    "t": _normal(2, 3, 4),
    "t4": _normal(2, 3, 4, 5),
    "one": _normal(1, 3, 1, 4),
    "s": _normal(),
    "e": _normal(0, 4),
    "big": _normal(40, 50) * 100,
    # float32 of a certain range
    "p": _uniform(0.05, 0.95, 3, 4),
    "p2": _uniform(0.05, 0.95, 3, 4),
    "pos": _uniform(0.5, 4.0, 3, 4),
    "pos2": _uniform(1.1, 3.0, 3, 4),
    "halves": _half_way,
    "ties": np.array([[1, 2, 2, 0], [3, 1, 1, 3], [0, 0, 0, 0]], np.float32),
    "xn": np.array([[np.nan, 1.0, -2.0, 0.5], [np.inf, -np.inf, 3.0, -0.0], [0.0, 2.0, np.nan, -1.0]], np.float32),
    "sorted_v": np.array([-1.0, 0.0, 0.0, 1.5, 2.0], np.float32),
    "steps": np.array([0.0, 1.0, 1.5, 4.0], np.float32),
    # matrices
    "q": _square,
    "q2": _normal(3, 3),
    "spd": _spd.astype(np.float32),
    "low": np.linalg.cholesky(_spd).astype(np.float32),
    "ba": _normal(2, 3, 4),
    "bb": _normal(2, 4, 5),
    "bq": _normal(2, 3, 3) + 3 * np.eye(3, dtype=np.float32),
    "tall": _normal(5, 3),
    "m35": _normal(3, 5),
    "m45": _normal(4, 5),
    "b35": _normal(2, 3, 5),
    # whole numbers, truth values, other floats, complex
    "i": _ints(-5, 6, 3, 4),
    "j": _ints(1, 7, 3, 4),
    "i32": _ints(-5, 6, 3, 4).astype(np.int32),
    "u8": _ints(0, 200, 3, 4).astype(np.uint8),
    "i8": _ints(-100, 100, 3, 4).astype(np.int8),
    "i16": _ints(-100, 100, 3, 4).astype(np.int16),
    "n": _ints(0, 6, 8),
    "k": _draw.random((3, 4)) > 0.4,
    "k2": _draw.random((3, 4)) > 0.5,
    "kv": np.array([True, False, True, True]),
    "d": _draw.standard_normal((3, 4)),
    "d2": _draw.standard_normal((3, 4)),
    "dpos": _draw.uniform(0.5, 4.0, (3, 4)),
    "h": _normal(3, 4).astype(np.float16),
    "h2": _normal(3, 4).astype(np.float16),
    "c": (_normal(3, 4) + 1j * _normal(3, 4)).astype(np.complex64),
    "c2": (_normal(3, 4) + 1j * _normal(3, 4)).astype(np.complex64),
    "si": np.array(3, np.int64),
    "sd": np.array(0.7, np.float64),
    # indices
    "pick": np.array([2, 0], np.int64),
    "pick32": np.array([2, 0], np.int32),
    "g34": _ints(0, 3, 3, 4),
    "g32": _ints(0, 4, 3, 2),
    "perm": np.array([[2, 0, 3, 1], [0, 1, 2, 3], [3, 2, 1, 0]], np.int64),
    "labels": np.array([1, 0, 3], np.int64),
    "labels32": np.array([1, 0, 3], np.int32),
    "signs": np.array([1, -1, 1], np.int64),
    "onehot": np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 1]], np.float32),
    # what layers are fed
    "seq": _normal(2, 3, 10),
    "img": _normal(2, 3, 8, 8),
    "img7": _normal(2, 3, 7, 9),
    "vol": _normal(2, 3, 4, 6, 5),
    "k1": _normal(6, 3, 3),
    "kernel": _normal(6, 3, 3, 3),
    "kernel_g": _normal(6, 1, 3, 3),
    "kernel_t": _normal(3, 6, 3, 3),
    "k3": _normal(6, 3, 2, 3, 3),
    "bias6": _normal(6),
    "lin": _normal(5, 4),
    "bias5": _normal(5),
    "c3": _normal(3),
    "c3b": _normal(3),
    "var3": _uniform(0.5, 2.0, 3),
    "theta": _normal(2, 2, 3),
    "grid": _uniform(-1.2, 1.2, 2, 5, 6, 2),
    "table": _normal(10, 4),
    "tokens": _ints(0, 10, 2, 5),
}
"""By name, as the calls write it."""
