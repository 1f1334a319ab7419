"""What a torch module was told when it was made, read from its attributes. Needs no torch."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from tracer.trace.schema import Plain

_MANY = 256
_LONG = 1000
_DEEP = 6
_NOT_SETTINGS = {"training", "call_super_init", "dump_patches", "T_destination"}


class NotPlain(Exception):  # noqa: N818  (a signal inside this file, never seen by a user)
    """The value has no plain form."""


def settings(module: Any) -> dict[str, Plain]:
    """Constructor arguments found again as attributes, then other public attributes; plain values only.

    A tensor under the name of an argument that takes a flag says True, None says False (`bias`). Never raises.
    """
    found: dict[str, Plain] = {}
    held = _held(module)
    kind: Any = type(module)
    for name, default in _constructor(kind).items():
        try:
            value = held[name] if name in held else getattr(module, name)
            if name not in held and inspect.isroutine(value):
                continue  # a method of that name
            if isinstance(default, bool) and (value is None or _is_tensor(value)):
                found[name] = value is not None
            else:
                found[name] = plain(value)
        except Exception:  # noqa: S112  (an argument that left no plain attribute)
            continue
    for name, value in vars(module).items():
        if name.startswith("_") or name in _NOT_SETTINGS or name in found:
            continue
        try:
            found[name] = plain(value)
        except Exception:  # noqa: S112
            continue
    return found


def bases(kind: type, end: str) -> tuple[str, ...]:
    """Qualified names of the class and its bases, up to the one named `end`, which is left out; at least its own."""
    names = [f"{base.__module__}.{base.__qualname__}" for base in kind.__mro__]
    return tuple(names[: max(1, names.index(end))] if end in names else names)


def _held(module: Any) -> dict[str, Any]:
    held = dict(vars(module))
    for table in ("_parameters", "_buffers"):
        held.update(held.get(table) or {})
    return held


def _is_tensor(value: Any) -> bool:
    return any(base.__name__ == "Tensor" and base.__module__.startswith("torch") for base in type(value).__mro__)


@lru_cache(maxsize=4096)
def _constructor(kind: type) -> Mapping[str, Any]:
    """Names and defaults of the constructor's arguments, of the class and those it hands `**kwargs` on to."""
    found: dict[str, Any] = {}
    for cls in kind.__mro__:
        if "__init__" not in vars(cls):
            continue
        if cls.__module__ == "torch.nn.modules.module":
            break
        try:
            parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        except (TypeError, ValueError):
            break
        for parameter in list(parameters)[1:]:
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                found.setdefault(parameter.name, parameter.default)
        if not any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
            break
    return found


def plain(value: Any, depth: int = 0) -> Plain:
    """The value as JSON can say it: tuples as lists, dtypes, devices and functions by name.

    Raises:
        NotPlain: it cannot be said.
    """
    if value is None or isinstance(value, enum.Enum):
        return None if value is None else str(value.name)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    if isinstance(value, str):
        return str(value[:_LONG])
    if depth < _DEEP and isinstance(value, list | tuple) and len(value) <= _MANY:
        return [plain(item, depth + 1) for item in value]
    if depth < _DEEP and type(value) is dict and len(value) <= _MANY and all(isinstance(k, str) for k in value):
        return {k: plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, slice | range):
        return str(value)
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ in {"dtype", "device", "layout", "memory_format"}:
        return str(value).removeprefix("torch.")
    if isinstance(value, type) or inspect.isroutine(value):
        return str(getattr(value, "__name__", kind.__name__))
    raise NotPlain
