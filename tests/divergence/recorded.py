"""Real layers, made from their constructor calls, as a trace would hold them."""

from __future__ import annotations

import functools
import os
import warnings
from typing import Any

import numpy as np

from tracer.divergence.rules import Meaning, SettingDifference, meaning, setting_differences
from tracer.frameworks.base import NamedTensor
from tracer.trace.schema import ROOT, Layer, Parameter, Source, Statistics

os.environ.setdefault("GLOG_v", "3")


@functools.cache
def spaces() -> dict[str, dict[str, Any]]:
    """What `nn` and `mint` stand for in a call of each framework."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mindspore
        import torch
    return {"torch": {"nn": torch.nn}, "mindspore": {"nn": mindspore.nn, "mint": mindspore.mint}}


def make(framework: str, call: str) -> Any:
    """The layer that a call makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eval(call, dict(spaces()[framework]))


def trace_of(framework: str, net: Any, text: str | None = None) -> dict[str, Layer]:
    """Every layer of a net by path, as the framework's watcher describes it; `text` is the line that made the root."""
    watcher = watchers()[framework]
    layers = {}
    for path, layer, _ in watcher.layers(net):
        facts = watcher.describe(layer, None, "")
        layers[path] = Layer(
            path=path,
            kind=facts.kind,
            bases=facts.bases,
            settings=facts.settings,
            training=facts.training,
            parameters=tuple(_parameter(watcher, held) for held in watcher.parameters(layer)),
            made_at=Source("net.py", 41, text) if text is not None and path == ROOT else None,
        )
    return layers


@functools.cache
def watchers() -> dict[str, Any]:
    """The two watchers."""
    from tracer.frameworks.mindspore import MindSporeWatcher
    from tracer.frameworks.torch import TorchWatcher

    spaces()
    return {"torch": TorchWatcher(), "mindspore": MindSporeWatcher()}


def recorded(framework: str, call: str, *, text: str | None = "", path: str = ROOT) -> dict[str, Layer]:
    """A layer as recorded; its line of source is the call itself unless another is given (None: not known)."""
    return trace_of(framework, make(framework, call), f"self.layer = {call}" if text == "" else text)


def understood(framework: str, call: str, **options: Any) -> tuple[Layer, Meaning]:
    """A layer as recorded, and what it means."""
    layers = recorded(framework, call, **options)
    return layers[ROOT], meaning(layers[ROOT], framework, layers)


def differences(
    reference: tuple[str, str], candidate: tuple[str, str], **options: Any
) -> tuple[SettingDifference, ...]:
    """The differences of two (framework, call)."""
    (ours, our_meaning), (theirs, their_meaning) = understood(*reference), understood(*candidate)
    return setting_differences(our_meaning, their_meaning, ours, theirs, reference[0], candidate[0], **options)


def _parameter(watcher: Any, held: NamedTensor) -> Parameter:
    array = watcher.array(held.tensor)
    numbers = array.astype(np.float64)
    known = Statistics(numbers.size, minimum=numbers.min(), maximum=numbers.max()) if numbers.size else Statistics(0)
    return Parameter(
        held.name,
        array.shape,
        str(array.dtype),
        trainable=held.trainable,
        buffer=held.buffer,
        alias=held.alias,
        statistics=known,
    )
