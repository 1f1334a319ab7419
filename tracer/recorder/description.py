"""The net before it runs: the rows of its layers, and its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tracer.frameworks.base import Unreadable, Watcher
from tracer.trace.schema import ROOT, Layer, Parameter

Array = np.ndarray[Any, Any]


def describe(
    watcher: Watcher, table: Sequence[tuple[str, Any, tuple[str, ...]]]
) -> tuple[list[Layer], dict[tuple[str, str], Any]]:
    """The rows of all layers, and the first place of each parameter and buffer."""
    by_path = {path: layer for path, layer, _ in table}
    for _, layer, others in table:
        by_path.update(dict.fromkeys(others, layer))
    children: dict[str, list[str]] = {}
    for path, _, _ in table:
        if path != ROOT:
            children.setdefault(_above(path), []).append(path)
    first: dict[int, tuple[str, str]] = {}
    parameters: dict[tuple[str, str], Any] = {}
    rows = []
    for path, layer, others in table:
        parent = by_path.get(_above(path)) if path != ROOT else None
        facts = watcher.describe(layer, parent, path.rpartition(".")[2] if path != ROOT else "")
        own = []
        for named in watcher.parameters(layer):
            key = (path, named.name)
            owner = first.setdefault(id(named.tensor), key)
            if owner == key:
                parameters[key] = named
            seen = watcher.facts(named.tensor)
            own.append(
                Parameter(
                    name=named.name,
                    shape=seen.shape,
                    dtype=seen.dtype,
                    device=seen.device,
                    trainable=named.trainable,
                    buffer=named.buffer,
                    alias=named.alias,
                    owner=owner if owner != key else None,
                    missing=_why_unreadable(watcher, named.tensor) if owner == key else None,
                )
            )
        rows.append(
            Layer(
                path=path,
                kind=facts.kind,
                bases=facts.bases,
                settings=facts.settings,
                training=facts.training,
                parameters=tuple(own),
                source=facts.source,
                made_at=facts.made_at,
                aliases=others,
                children=tuple(children.get(path, ())),
            )
        )
    return rows, parameters


def _why_unreadable(watcher: Watcher, tensor: Any) -> str | None:
    """Asks for the array, which on a CPU is no copy, to learn whether there is one."""
    if watcher.facts(tensor).device not in {"cpu", "CPU", "meta"}:
        return None
    found = watcher.array(tensor)
    return found.reason if isinstance(found, Unreadable) else None


def parameter_arrays(
    watcher: Watcher, parameters: Mapping[tuple[str, str], Any]
) -> Iterator[tuple[tuple[str, str], Array]]:
    """The arrays of all parameters that have one, which may share the net's memory."""
    for key, named in parameters.items():
        array = watcher.array(named.tensor)
        if not isinstance(array, Unreadable):
            yield key, array


def _above(path: str) -> str:
    return path.rpartition(".")[0] or ROOT
