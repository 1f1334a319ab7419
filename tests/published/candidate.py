"""The MindSpore side: nets of mindcv, and the reference's weights carried over by a map of the tests' own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

WORDS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
OTHER_WORDS = {"layer_scale": "gamma_"}
"""Words that no norm uses."""

"""What torch calls a norm's parameters, and what MindSpore calls them."""


def build(name: str) -> Any:
    """The net called `name` in evaluation mode, with the weights of its own initialisation."""
    import mindcv

    return mindcv.create_model(name, pretrained=False).set_train(False)


def carry(net: Any, arrays: Mapping[str, np.ndarray], rename: Callable[[str], str]) -> int:
    """Set every parameter of the port from the reference's `arrays`; returns how many were set.

    `rename` maps a reference's layer path to the port's. An array that finds no place of its shape (axes of size 1
    apart), and a parameter that gets no value, are mistakes of the map.
    """
    import mindspore

    places = dict(net.parameters_and_names())
    norms = {path for path, cell in net.cells_and_names() if hasattr(cell, "gamma") and hasattr(cell, "beta")}
    for name, array in arrays.items():
        layer, _, word = name.rpartition(".")
        target = rename(layer)
        place = ".".join(
            filter(None, (target, WORDS.get(word, word) if target in norms else OTHER_WORDS.get(word, word)))
        )
        assert place in places, f"{name} should go to {place}, which the port does not have"
        parameter = places.pop(place)
        shape = tuple(parameter.shape)
        assert [n for n in shape if n > 1] == [n for n in array.shape if n > 1], (
            f"{name} {array.shape}, {place} {shape}"
        )
        parameter.set_data(mindspore.Tensor(array.reshape(shape)))
    assert not places, f"not set: {sorted(places)}"
    return len(arrays)
