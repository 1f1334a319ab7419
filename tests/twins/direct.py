"""What both sides say of a net without the tracer: its outputs and its parameters' gradients, in numpy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def tensors(result: Any) -> Iterator[Any]:
    """The tensors of a nested result, in order."""
    if isinstance(result, Mapping):
        result = list(result.values())
    if isinstance(result, tuple | list):
        for item in result:
            yield from tensors(item)
    elif result is not None:
        yield result


def cotangent(rank: int, shape: tuple[int, ...]) -> np.ndarray:
    """The fixed numbers that leaf `rank` of the output is multiplied with before it is summed."""
    return np.random.default_rng(100 + rank).standard_normal(shape).astype(np.float32)


def relative(candidate: np.ndarray, reference: np.ndarray, floor: float = 0.0) -> float:
    """Relative L2 in float64; the reference's norm counts as `floor` at least."""
    reference = np.asarray(reference, np.float64)
    norm = max(float(np.linalg.norm(reference)), floor, 1e-30)
    return float(np.linalg.norm(np.asarray(candidate, np.float64) - reference)) / norm
