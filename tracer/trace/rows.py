"""Rows of a skeleton <-> JSON, one object per row; a field that has its default is left out.

JSON has no infinities: a float that is not finite becomes `{"$float": "nan"}`, and a user's key that begins with `$`
gets a second one. Unknown fields are passed over, so that later versions may add some; a field of the wrong type is
an error, so that nothing past this file has to doubt what it is given.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, cast

import numpy as np
import orjson

from tracer.trace import schema
from tracer.trace.schema import (
    FORMAT,
    VERSION,
    Began,
    End,
    Ended,
    Entered,
    Gradient,
    Header,
    Layer,
    Loss,
    LossGradient,
    OptimizerState,
    ParameterGradient,
    ParameterState,
    Returned,
    Row,
    UpdateGradient,
    Updates,
    Value,
)
from tracer.trace.timing import TimingFacts

T = TypeVar("T")

_NAMES: dict[type, str] = {
    Entered: "entered",
    Returned: "returned",
    Gradient: "gradient",
    ParameterGradient: "parameter_gradient",
    Began: "step",
    Loss: "loss",
    LossGradient: "loss_gradient",
    ParameterState: "parameter",
    UpdateGradient: "update_gradient",
    Updates: "optimizer",
    OptimizerState: "state",
    Ended: "step_end",
    End: "end",
}
OF_ONE_VALUE = (Gradient, ParameterGradient, LossGradient, ParameterState, UpdateGradient, OptimizerState)
_ROWS: dict[str, type] = {name: kind for kind, name in _NAMES.items()}

_DEEPEST = 100
"""Nesting of settings that is kept; JSON readers of other languages stop not far above."""

_LONGEST = 1 << 62
"""Sizes, orders and indices are below this; so is their arithmetic in any reader."""


class Malformed(ValueError):  # noqa: N818 (what it says of a row)
    """A row that does not say what the schema asks for."""


def encode(thing: Row | Layer | Header | TimingFacts) -> str:
    """One row as JSON. Characters stay readable, except where the text is no valid Unicode."""
    name = _NAMES.get(type(thing))
    return _json(({"row": name} if name else {}) | _plain(thing, 0))


def encode_header(header: Header) -> str:
    """The header with format and version, which the reader looks at before anything else."""
    return _json({"format": FORMAT, "version": VERSION, **_plain(header, 0)})


def decode_header(text: str | bytes) -> Header | int | None:
    """The header; the version alone where it is newer than ours; None when this is no trace."""
    item = _load(text)
    if item.get("format") != FORMAT:
        return None
    version = _int(item.get("version"))
    if version < 1:
        raise Malformed(f"there is no version {version}")
    if version > VERSION:
        return version
    header: Header = _decoder(Header)(item)
    return header


def _json(plain: dict[str, Any]) -> str:
    try:
        return orjson.dumps(plain).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates
        pass
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(plain, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text


def decode_row(text: str | bytes) -> Row:
    """The row that `encode` wrote. Raises Malformed for anything else."""
    item = _load(text)
    kind = _ROWS.get(item.get("row", "")) if isinstance(item.get("row"), str) else None
    if kind is None:
        raise Malformed(f"no such row: {str(item.get('row'))[:40]!r}")
    row: Row = _decoder(kind)(item)
    return row


def decode(kind: type[T], text: str | bytes) -> T:
    """A `Layer`, `Header` or `TimingFacts` that `encode` wrote. Raises Malformed for anything else."""
    read: Callable[[Any], T] = _decoder(cast("Any", kind))
    return read(_load(text))


def values_of(row: Row) -> tuple[Value, ...]:
    """The values of a row, in the order in which the writer takes their arrays."""
    if isinstance(row, Entered):
        return row.inputs + row.kwargs
    if isinstance(row, Returned):
        return row.outputs
    if isinstance(row, Loss):
        return (row.value, *row.inputs)
    if isinstance(row, OF_ONE_VALUE):
        return (row.value,)
    return ()


# --------------------------------------------------------------------------------------------------------------------
# Writing
# --------------------------------------------------------------------------------------------------------------------


@cache
def _written(kind: type) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[tuple[str, Any], ...]] | None:
    """How the fields of a dataclass are read, all at once, and what they are; None for another type."""
    if not is_dataclass(kind):
        return None
    known = tuple((f.name, _default(f)) for f in fields(kind))
    names = [name for name, _ in known]
    if len(names) < 2:  # `attrgetter` gives no tuple of one
        return lambda thing: tuple(getattr(thing, name) for name in names), known
    return attrgetter(*names), known


def _default(f: Field[Any]) -> Any:
    if f.default is not MISSING:
        return f.default
    return f.default_factory() if f.default_factory is not MISSING else MISSING


def _plain(thing: Any, depth: int) -> Any:
    kind = type(thing)
    if kind in _THEMSELVES:
        return thing
    if kind is int:
        return thing if thing.bit_length() < 4096 else hex(thing)
    if kind is float:
        return thing if math.isfinite(thing) else {"$float": repr(thing)}
    if depth > _DEEPEST:
        return "..."
    written = _written(cast("Any", kind))
    if written is not None:
        plain = {}
        for (name, default), value in zip(written[1], written[0](thing), strict=True):
            # 1 == True and 1.0 == 1, but they are not the same in JSON.
            if value is default or (type(value) is type(default) and value == default):
                continue
            plain[name] = value if type(value) in _THEMSELVES else _plain(value, depth + 1)
        return plain
    if isinstance(thing, Mapping):
        return {_key(key): _plain(value, depth + 1) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        if set(map(type, thing)) == {float} and math.isfinite(sum(thing)):
            return thing
        return [_plain(value, depth + 1) for value in thing]
    if isinstance(thing, np.generic):
        return _plain(thing.item(), depth + 1)
    for base in (int, float, str):
        if isinstance(thing, base):
            return _plain(base(thing), depth + 1)
    return type(thing).__name__


_THEMSELVES = frozenset({str, bool, type(None)})


def _key(key: Any) -> str:
    text = key if type(key) is str else str(key)
    return f"${text}" if text.startswith("$") else text


# --------------------------------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------------------------------


def _load(text: str | bytes) -> dict[str, Any]:
    try:
        item = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON ({type(error).__name__})") from None
    if not isinstance(item, dict):
        raise Malformed("not a JSON object")
    return item


@cache
def _decoder(kind: Any) -> Callable[[Any], Any]:
    """How a value of this type is read from JSON; made once per type."""
    if kind is schema.Plain or kind is Any:
        return lambda item: _restored(item, 0)
    simple = _SIMPLE.get(kind)
    if simple is not None:
        return simple
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return _choice(arguments)
    if origin in (typing.Union, types.UnionType):
        return _either(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin in (Mapping, dict):
        return lambda item: _restored_object(_object(item))
    return _dataclass(kind)


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers = {f.name: _decoder(hints[f.name]) for f in fields(kind)}
    needed = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}

    def read(item: Any) -> Any:
        given = {}
        try:
            for name, value in _object(item).items():
                reader = readers.get(name)
                if reader is not None:
                    given[name] = reader(value)
        except Malformed as error:
            raise Malformed(f"{kind.__name__}: {error}") from None
        if not needed <= given.keys():
            raise Malformed(f"{kind.__name__} without {', '.join(sorted(needed - given.keys()))}")
        return kind(**given)

    return read


def _object(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise Malformed(f"an object is expected, not {type(item).__name__}")
    return item


def _choice(allowed: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(item: Any) -> Any:
        if not isinstance(item, str) or item not in allowed:
            raise Malformed(f"one of {', '.join(map(str, allowed))} is expected, not {str(item)[:40]!r}")
        return item

    return read


def _either(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    readers = [_decoder(kind) for kind in kinds if kind is not type(None)]
    if len(readers) > 1 and all(kind in _SIMPLE or kind is type(None) for kind in kinds):
        return _scalar
    assert len(readers) == 1, "the schema has no other unions"
    (reader,) = readers
    return lambda item: None if item is None else reader(item)


def _tuple(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    many = len(kinds) == 2 and kinds[1] is Ellipsis
    readers = [_decoder(kind) for kind in kinds if kind is not Ellipsis]
    read_one = readers[0]
    plain = {kinds[0]} if kinds[0] in (float, str) else None  # of these, the right type is all that is asked

    def read(item: Any) -> Any:
        if not isinstance(item, list):
            raise Malformed(f"a list is expected, not {type(item).__name__}")
        if many:
            if set(map(type, item)) == plain:
                return tuple(item)
            return tuple([read_one(value) for value in item])
        if len(item) != len(readers):
            raise Malformed(f"{len(readers)} items are expected, not {len(item)}")
        return tuple(reader(value) for reader, value in zip(readers, item, strict=True))

    return read


def _scalar(item: Any) -> Any:
    """A literal: whatever scalar JSON has, kept as it is."""
    if isinstance(item, list):
        raise Malformed("a scalar is expected, not a list")
    return _float(item) if isinstance(item, dict) else item


def _int(item: Any) -> int:
    if type(item) is not int or not -_LONGEST < item < _LONGEST:
        raise Malformed(f"an integer is expected, not {str(item)[:40]!r}")
    return item


def _bool(item: Any) -> bool:
    if type(item) is not bool:
        raise Malformed(f"true or false is expected, not {type(item).__name__}")
    return item


def _float(item: Any) -> float:
    if type(item) is dict:
        item = _restored(item, 0)
    if type(item) is int:
        try:
            return float(item)
        except OverflowError:
            raise Malformed("a number beyond float64") from None
    if type(item) is not float:
        raise Malformed(f"a number is expected, not {type(item).__name__}")
    return item


def _str(item: Any) -> str:
    if type(item) is not str:
        raise Malformed(f"a text is expected, not {type(item).__name__}")
    return item


_SIMPLE: dict[Any, Callable[[Any], Any]] = {int: _int, bool: _bool, float: _float, str: _str}


def _restored_object(item: dict[str, Any]) -> dict[str, Any]:
    restored = _restored(item, 0)
    if not isinstance(restored, dict):
        raise Malformed("an object is expected, not a number")
    return restored


def _restored(item: Any, depth: int) -> Any:
    """A plain value as it was before `_plain`."""
    if depth > 2 * _DEEPEST:
        raise Malformed("nested too deep")
    if isinstance(item, list):
        return [_restored(value, depth + 1) for value in item]
    if not isinstance(item, dict):
        return item
    if len(item) == 1 and "$float" in item:
        if item["$float"] not in ("nan", "inf", "-inf"):
            raise Malformed("no such float")
        return float(item["$float"])
    return {key[1:] if key.startswith("$$") else key: _restored(value, depth + 1) for key, value in item.items()}
