"""The reference's weights, carried to the port: what has another name in MindSpore, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TORCH_WORDS = {"gamma": "weight", "beta": "bias"}
"""MindSpore's words for the scale and the shift of a LayerNorm, and torch's. All other names are equal here."""


def torch_name(path: str) -> str:
    """The name in torch of the parameter at MindSpore's `path`: "blocks.0.norm1.gamma" is "blocks.0.norm1.weight"."""
    layer, dot, word = path.rpartition(".")
    return layer + dot + TORCH_WORDS.get(word, word)


def save_weights(net: Any, file: Path) -> None:
    """Write every parameter of the torch net `net` to the numpy archive `file`, under its own name."""
    arrays = {name: parameter.detach().numpy() for name, parameter in net.named_parameters()}
    np.savez(file, **arrays)


def load_weights(net: Any, file: Path) -> None:
    """Set every parameter of the MindSpore net `net` from `file`.

    Raises:
        ValueError: a parameter has no counterpart or another shape, or one in the file was not used.
    """
    import mindspore

    with np.load(file) as archive:
        arrays = dict(archive)
    for path, parameter in net.parameters_and_names():
        array = arrays.pop(torch_name(path), None)
        if array is None or array.shape != tuple(parameter.shape):
            raise ValueError(f"{path} {tuple(parameter.shape)} has no counterpart of its shape in {file}")
        parameter.set_data(mindspore.Tensor(array))
    if arrays:
        raise ValueError(f"not placed: {', '.join(arrays)}")
