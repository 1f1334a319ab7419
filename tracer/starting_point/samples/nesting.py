"""A nested batch as plain JSON and a list of arrays, and back: tuples, lists, mappings, tensors, plain values."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tracer.errors import StartingPointError
from tracer.frameworks import framework_names, watcher_for
from tracer.frameworks.base import Unreadable

Array = np.ndarray[Any, Any]
Json = Any

NARROW: dict[str, np.dtype[Any]] = {
    name: np.dtype(getattr(ml_dtypes, name))
    for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz")
    if hasattr(ml_dtypes, name)
}
"""Dtypes that an .npy file has no name for: it holds their bytes, the note beside it their name."""

_DEEPEST = 50
_PLAIN = (bool, int, float, str, type(None))


@dataclass
class Flattened:
    """What `flatten` gives: the nest as JSON, arrays by name, and what changes when it is read again."""

    tree: Json = None
    arrays: dict[str, Array] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def flatten(batch: Any) -> Flattened:
    """Take a batch apart. Arrays are named by where they lie: "0", "labels", "1.masks.0"; one alone is "batch".

    Raises:
        StartingPointError: something in it cannot be kept in a file.
    """
    found = Flattened()
    found.tree = _encode(batch, "", found, 0)
    return found


def unflatten(tree: Json, array: Callable[[str], Array]) -> Any:
    """The batch again; `array` gives what has a name.

    Raises:
        ValueError: `tree` is none that `flatten` makes.
    """
    return _decode(tree, array, 0)


def array_of(value: Any) -> Array | None:
    """The numbers of an array or tensor of any framework; None where it is neither.

    Raises:
        StartingPointError: a tensor that cannot be read (quantised, meta, ...).
    """
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if _is_tensor(value):
        found = watcher_for(value).array(value)
        if isinstance(found, Unreadable):
            then = "give a tensor whose numbers can be read"
            raise StartingPointError(f"a tensor cannot be read: {found.reason}", where=_class_of(value), then=then)
        return found
    if hasattr(value, "__array__") and not isinstance(value, type):
        return np.asarray(value)
    return None


def _is_tensor(value: Any) -> bool:
    """A tensor of a framework that is known here; where it is one, its framework is imported."""
    roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__} & framework_names()
    return bool(roots & sys.modules.keys()) and watcher_for(value).is_tensor(value)


def _encode(value: Any, where: str, found: Flattened, depth: int) -> Json:
    if depth > _DEEPEST:
        raise _unkept("it lies in more containers than can be kept, or in itself", value, where)
    array = None if isinstance(value, _PLAIN) else array_of(value)
    if array is not None:
        return _encode_array(array, value, where, found)
    if type(value) in (bool, int, str, type(None)) or (type(value) is float and math.isfinite(value)):
        return {"plain": value}
    if isinstance(value, float | complex):
        number = complex(value)
        return {"complex" if isinstance(value, complex) else "float": [repr(number.real), repr(number.imag)]}
    if isinstance(value, tuple | list):
        kind = "list" if isinstance(value, list) else "tuple"
        if type(value) not in (tuple, list):
            found.notes.append(f"{where or 'the batch'} ({type(value).__name__}) is read again as a {kind}")
        return {kind: [_encode(item, _below(where, n), found, depth + 1) for n, item in enumerate(value)]}
    named = _named_items(value)
    if named is not None:
        if type(value) is not dict:
            found.notes.append(f"{where or 'the batch'} ({type(value).__name__}) is read again as a dict")
        return {
            "dict": [[_key(key, where), _encode(item, _below(where, key), found, depth + 1)] for key, item in named]
        }
    if isinstance(value, bool | int | str):  # enumerations and the like, which would need their class
        raise _unkept("an object of its own class", value, where)
    raise _unkept("no array, tensor, number or text, nor a tuple, list or dict of such", value, where)


def _named_items(value: Any) -> list[tuple[Any, Any]] | None:
    if isinstance(value, Mapping):
        return list(value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return [(f.name, getattr(value, f.name)) for f in fields(value)]
    return None


def _encode_array(array: Array, value: Any, where: str, found: Flattened) -> Json:
    dtype = array.dtype
    if dtype.kind not in "biufcUS" and dtype.name not in NARROW:
        raise _unkept(f"an array of dtype {dtype}", value, where)
    name = base = where or "batch"
    count = 1
    while name in found.arrays:  # {0: a, "0": b}
        count += 1
        name = f"{base}~{count}"
    found.arrays[name] = array
    return {"array": name, "dtype": dtype.name} if dtype.name in NARROW else {"array": name}


def _below(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


def _key(key: Any, where: str) -> Any:
    if type(key) in (str, int, bool, type(None)):
        return key
    raise _unkept("a key that is neither text nor a whole number", key, where)


def _class_of(value: Any) -> str:
    return f"an object of class {type(value).__module__}.{type(value).__qualname__}"


def _unkept(what: str, value: Any, where: str) -> StartingPointError:
    return StartingPointError(
        f"a batch holds what cannot be kept in a file: {what}",
        where=f"{where or 'the batch itself'}, {_class_of(value)}",
        then="leave it out, or give what it holds as arrays, numbers and texts",
    )


def _decode(tree: Json, array: Callable[[str], Array], depth: int) -> Any:
    if not isinstance(tree, dict) or not tree or depth > _DEEPEST:
        raise ValueError("its description of the batch is none")
    kind, inner = next(iter(tree.items()))
    if kind == "plain" and isinstance(inner, _PLAIN):
        return inner
    if kind in ("float", "complex") and isinstance(inner, list) and len(inner) == 2:
        number = complex(float(inner[0]), float(inner[1]))
        return number if kind == "complex" else number.real
    if kind == "array" and isinstance(inner, str):
        return _decode_array(array(inner), tree.get("dtype"))
    if kind in ("tuple", "list") and isinstance(inner, list):
        items = [_decode(item, array, depth + 1) for item in inner]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict" and isinstance(inner, list) and all(isinstance(i, list) and len(i) == 2 for i in inner):
        return {_plain_key(key): _decode(item, array, depth + 1) for key, item in inner}
    raise ValueError("its description of the batch is none")


def _plain_key(key: Any) -> Any:
    if isinstance(key, str | int | bool | type(None)):
        return key
    raise ValueError("its description of the batch is none")


def _decode_array(array: Array, dtype: Any) -> Array:
    if dtype is None:
        return array
    narrow = NARROW.get(dtype) if isinstance(dtype, str) else None
    if narrow is None or array.dtype.itemsize != narrow.itemsize:
        raise ValueError(f"an array is said to be of dtype {str(dtype)[:40]!r}, and is not")
    return array.view(narrow)
