"""Weights carried to both nets by a map of the tests' own, independent of the rules that are under test."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from tests.twins.twin import Twin

WORDS = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "embedding_table": "weight",
    "w": "weight",
}
"""What MindSpore calls a parameter, and what torch calls it."""


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A well-conditioned float32 value for the reference's parameter `name`: the same wherever it is asked for."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    noise = rng.standard_normal(shape)
    last = name.rpartition(".")[2]
    if last == "running_var":
        made = 0.6 + 0.8 * rng.random(shape)
    elif last == "running_mean" or "bias" in last:
        made = 0.15 * noise
    elif len(shape) <= 1:  # the scale of a norm, the slope of a PReLU
        made = 1.0 + 0.2 * np.clip(noise, -2, 2)
    else:
        made = 1.3 * noise / np.sqrt(np.prod(shape[1:]))
    return np.asarray(made, np.float32)


def of_reference(twin: Twin, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of the reference's parameter `name`."""
    special = twin.values(name, shape)
    return value(name, shape) if special is None else special


def reference_name(twin: Twin, path: str) -> str:
    """The reference's name of the candidate's parameter at `path`."""
    if path in twin.parameters:
        return twin.parameters[path]
    owner, _, last = path.rpartition(".")
    last = WORDS.get(last, last)
    if not owner:
        return last
    layer = twin.layer(owner)
    assert layer is not None, f"{twin.name}: {path} belongs to a layer that the reference lacks"
    return f"{layer}.{last}"


def of_candidate(twin: Twin, path: str, shape: tuple[int, ...]) -> np.ndarray:
    """The value of the candidate's parameter at `path`, in the candidate's layout."""
    name = reference_name(twin, path)
    if path not in twin.extra_axis:
        return of_reference(twin, name, shape)
    assert shape[2] == 1, f"{path} should have an axis 2 of size 1, has shape {shape}"
    return np.expand_dims(of_reference(twin, name, shape[:2] + shape[3:]), 2)


Loader = Callable[[str, tuple[int, ...]], "np.ndarray | None"]
"""(path, shape) -> the value to load; None leaves what the framework's own initialisation gave."""
