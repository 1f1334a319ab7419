"""`python -m tests.published.by_hand NAME`: what a pair of nets says without the tracer.

Own hooks on both nets, the layers paired by the map: for the port as published and after each mend, the first layer
in the order of calls whose output is another one, and how far the nets' outputs are apart. Prints JSON.
"""

from __future__ import annotations

import os

os.environ["GLOG_v"] = "3"

import json
import sys
from collections import defaultdict
from typing import Any

import numpy as np

from tests.published import candidate, reference
from tests.published.pairs import PAIRS, Pair
from tests.published.record import images

APART = 1e-4
"""Relative L2 from which two outputs are called different: rounding stays below 2e-5 here, faults above 1.5e-4."""

Outputs = dict[str, list[np.ndarray]]


def reference_outputs(net: Any, inputs: np.ndarray) -> Outputs:
    import torch

    found: Outputs = defaultdict(list)

    def keep(path: str) -> Any:
        return lambda _net, _inputs, output: found[path].append(output.detach().numpy().copy())

    for path, layer in net.named_modules():
        layer.register_forward_hook(keep(path))
    with torch.no_grad():
        net(torch.from_numpy(inputs))
    return found


def candidate_outputs(net: Any, inputs: np.ndarray) -> Outputs:
    import mindspore

    found: Outputs = defaultdict(list)

    def keep(path: str) -> Any:
        def hook(_cell: Any, _inputs: Any, output: Any) -> None:
            found[path].append(np.array(output.asnumpy()))

        return hook

    handles = [cell.register_forward_hook(keep(path)) for path, cell in net.cells_and_names()]
    net(mindspore.Tensor(inputs))
    for handle in handles:
        handle.remove()
    return found


def distance(right: np.ndarray, other: np.ndarray) -> float:
    if right.size != other.size:
        return float("inf")
    gap = np.linalg.norm(right.ravel().astype(np.float64) - other.ravel())
    return float(gap / max(np.linalg.norm(right.astype(np.float64)), 1e-30))


def first_apart(pair: Pair, right: Outputs, other: Outputs, leaves: set[str]) -> tuple[str, str, float] | None:
    """The first leaf layer whose output is another one; a container's may be cut elsewhere in the port."""
    for path, outputs in right.items():
        place = pair.rename(path)
        if path in leaves and place and place in other:
            apart = max(map(distance, outputs, other[place]))
            if apart > APART:
                return path, place, apart
    return None


def look(pair: Pair) -> list[dict[str, Any]]:
    """One entry for the port as published, and one after each mend."""
    net, inputs = reference.build(pair.reference), images(pair)
    reference.condition(net, inputs)
    leaves = {path for path, layer in net.named_modules() if not list(layer.children())}
    right = reference_outputs(net, inputs)
    port = candidate.build(pair.candidate)
    candidate.carry(port, reference.arrays(net), pair.rename)
    seen = []
    for mend in (None, *(finding.mend for finding in pair.findings)):
        if mend is not None:
            mend(port)
        other = candidate_outputs(port, inputs)
        seen.append({"first": first_apart(pair, right, other, leaves), "output": distance(right[""][0], other[""][0])})
    return seen


if __name__ == "__main__":
    print(json.dumps(look(PAIRS[sys.argv[1]])))
