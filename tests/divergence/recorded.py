"""Real layers, made from their constructor calls, as a trace would hold them."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from tracer.divergence.rules import Meaning, SettingDifference, meaning, setting_differences
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
    """Every layer of a net by path; `text` is the line that made the root."""
    return _torch_layers(net, text) if framework == "torch" else _mindspore_layers(net, text)


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


def _statistics(array: np.ndarray) -> Statistics:
    numbers = array.astype(np.float64)
    if not numbers.size:
        return Statistics(0)
    return Statistics(numbers.size, minimum=numbers.min(), maximum=numbers.max(), mean=numbers.mean())


def _parameter(
    name: str, array: np.ndarray, trainable: bool, *, buffer: bool = False, alias: str | None = None
) -> Parameter:
    return Parameter(
        name,
        array.shape,
        str(array.dtype),
        trainable=trainable,
        buffer=buffer,
        alias=alias,
        statistics=_statistics(array),
    )


def _torch_layers(net: Any, text: str | None) -> dict[str, Layer]:
    layers = {}
    for path, module in net.named_modules():
        own = [_parameter(n, p.detach().numpy(), p.requires_grad) for n, p in module.named_parameters(recurse=False)]
        own += [_parameter(n, b.numpy(), False, buffer=True) for n, b in module.named_buffers(recurse=False)]
        layers[path or ROOT] = Layer(
            path=path or ROOT,
            kind=type(module).__name__,
            bases=_bases(type(module), "Module"),
            settings=_plain_attributes(module, ("training", "call_super_init", "dump_patches")),
            training=module.training,
            parameters=tuple(own),
            made_at=Source("net.py", 41, text) if text is not None and not path else None,
        )
    return layers


def _mindspore_layers(net: Any, text: str | None) -> dict[str, Layer]:
    from mindspore import nn

    from tracer.frameworks.mindspore_settings import settings

    layers = {}
    ignored = frozenset(vars(nn.Cell()))
    for path, cell in net.cells_and_names():
        own = [
            _parameter(n, p.asnumpy(), p.requires_grad, alias=p.name) for n, p in cell._params.items() if p is not None
        ]
        layers[path or ROOT] = Layer(
            path=path or ROOT,
            kind=type(cell).__name__,
            bases=_bases(type(cell), "Cell"),
            settings=settings(cell, ignored),
            training=cell.training,
            parameters=tuple(own),
            made_at=Source("net.py", 41, text) if text is not None and not path else None,
        )
    return layers


def _bases(kind: type, end: str) -> tuple[str, ...]:
    names = [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__]
    return tuple(names[: next(i for i, n in enumerate(names) if n.rpartition(".")[2] == end) + 1])


def _plain_attributes(module: Any, skipped: tuple[str, ...]) -> Mapping[str, Any]:
    def plain(value: Any) -> bool:
        return value is None or isinstance(value, bool | int | float | str)

    found = {}
    for name, value in vars(module).items():
        if name.startswith("_") or name in skipped:
            continue
        if plain(value):
            found[name] = value
        elif isinstance(value, tuple | list) and all(plain(v) for v in value):
            found[name] = list(value)
    return found
