"""Arrays for the tables of calls: the same numbers in both frameworks, from the shape alone."""

from __future__ import annotations

import zlib

import numpy as np


def _random(shape: tuple[int, ...], word: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{word}{shape}".encode()))


def normal(*shape: int, dtype: str = "float32", scale: float = 1.0) -> np.ndarray:
    """Numbers round zero."""
    return (scale * _random(shape, "normal").standard_normal(shape)).astype(dtype)


def other(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Numbers round zero that are not those of `normal`."""
    return _random(shape, "other").standard_normal(shape).astype(dtype)


def third(*shape: int, dtype: str = "float32") -> np.ndarray:
    """Numbers round zero that are neither those of `normal` nor of `other`."""
    return _random(shape, "third").standard_normal(shape).astype(dtype)


def uniform(*shape: int, low: float = 0.05, high: float = 0.95) -> np.ndarray:
    """Numbers between 0 and 1."""
    return _random(shape, "uniform").uniform(low, high, shape).astype("float32")


def logs(*shape: int) -> np.ndarray:
    """Logarithms of probabilities along axis 1."""
    x = normal(*shape)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def probabilities(*shape: int) -> np.ndarray:
    """Probabilities along axis 1."""
    x = np.exp(other(*shape))
    return (x / x.sum(1, keepdims=True)).astype("float32")


def numbers(*shape: int, below: int, dtype: str = "int64") -> np.ndarray:
    """Whole numbers from 0."""
    return _random(shape, "numbers").integers(0, below, shape).astype(dtype)


def signs(*shape: int) -> np.ndarray:
    """-1 and 1."""
    return (_random(shape, "signs").integers(0, 2, shape) * 2 - 1).astype("float32")


def bits(*shape: int) -> np.ndarray:
    """0 and 1 as floats."""
    return _random(shape, "bits").integers(0, 2, shape).astype("float32")
