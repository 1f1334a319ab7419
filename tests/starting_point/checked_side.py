"""Whole checks of torch nets against MindSpore ports, in a process of their own: prints what came of each as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
import torch

import tracer
from tests.starting_point import checked_mindspore as ms
from tests.starting_point import checked_torch as pt

X = tracer.inputs((4, 6), "float32")


def state_of(net: Any) -> list[Any]:
    """Weights, modes, attributes and random state of a net of either framework."""
    if isinstance(net, torch.nn.Module):
        arrays = {name: value.numpy().copy() for name, value in net.state_dict().items()}
        layers, state = dict(net.named_modules()), torch.get_rng_state().numpy().copy()
    else:
        arrays = {name: value.asnumpy().copy() for name, value in net.parameters_and_names()}
        layers, state = dict(net.cells_and_names()), mindspore.get_rng_state().asnumpy().copy()
    modes = {name: layer.training for name, layer in layers.items()}
    attributes = {name: sorted(vars(layer)) for name, layer in layers.items()}
    return [arrays, modes, attributes, state]


def same(before: list[Any], after: list[Any]) -> bool:
    """Is everything as it was, bit for bit?"""
    arrays = all(np.array_equal(before[0][name], after[0][name]) for name in before[0])
    return arrays and before[1:3] == after[1:3] and bool(np.array_equal(before[3], after[3]))


def check(reference: Any, candidate: Any, inputs: Any = X, **options: Any) -> dict[str, Any]:
    """What one check says, and whether it left both nets as they were."""
    before = [state_of(net) for net in (reference, candidate)]
    said: dict[str, Any] = {}
    try:
        report = tracer.compare(reference, candidate, inputs, **options)
        said = {"text": repr(report), "json": report.to_dict(), "html": report.to_html(), "code": report.exit_code}
    except Exception as error:
        said = {"error": type(error).__name__, "notes": getattr(error, "__notes__", []), "text": str(error)}
    states = [state_of(net) for net in (reference, candidate)]
    return {**said, "same": [same(b, s) for b, s in zip(before, states, strict=True)]}


def like(folder: Path) -> dict[str, Any]:
    """`tracer.record(like=)` in training mode, of a net with a layer that stays in evaluation mode."""
    tracer.record(pt.Frozen().train(), X, out=folder / "frozen.h5").close()
    net = ms.Frozen()
    before = state_of(net)
    with tracer.record(net, like=folder / "frozen.h5", out=folder / "like.h5") as trace:
        modes = {path: layer.calls[0].training for path, layer in trace.layers.items()}
        inputs = np.asarray(trace["(root)"].calls[0].inputs[0])
    report = tracer.diff(folder / "frozen.h5", folder / "like.h5")
    return {
        "modes": modes,
        "inputs": bool(np.array_equal(inputs, X[0])),
        "verdict": report.verdict,
        "same": same(before, state_of(net)),
    }


JOBS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "agree": lambda _: check(pt.Net(), ms.Net()),
    "tanh": lambda _: check(pt.Net(), ms.tanh()),
    "eps": lambda _: check(pt.Net(), ms.eps()),
    "rate": lambda _: check(pt.Net(), ms.other_rate(), mode="train"),
    "training": lambda _: check(pt.Net().train(), ms.Net(), mode="as is"),
    "words": lambda _: check(pt.Words(), ms.Words(), tracer.inputs("ids=2x5:int64<20", "mask=2x5:float32")),
    "samples": lambda _: check(pt.Net(), ms.Net(), tracer.inputs((4, 6), "float32", samples=2)),
    "more": lambda _: check(pt.Net(), ms.More()),
    "partial": lambda _: check(pt.Net(), ms.More(), partial=True),
    "other way": lambda _: check(ms.Net(), pt.Net()),
    "kept": lambda _: check(pt.Net(), ms.Net(), keep_weights=True),
    "like": like,
    "raising": lambda _: check(pt.Net(), ms.Raising()),
}

if __name__ == "__main__":
    print(json.dumps({name: JOBS[name](Path(sys.argv[1])) for name in sys.argv[2:] or JOBS}))  # noqa: T201
