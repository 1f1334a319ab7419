"""What inputs are asked for, "8x3x224x224:float32" or "ids=2x16:int64<30522", read and checked."""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tracer.errors import StartingPointError

FLOATS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
COMPLEX = ("complex64", "complex128")
DTYPES = (*FLOATS, *INTEGERS, *COMPLEX, "bool")
"""What can be drawn, as numpy and ml_dtypes call it."""

_SHORT = {"fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32", "float": "float32"}
_SHORT |= {"fp64": "float64", "double": "float64", "int": "int64", "long": "int64", "boolean": "bool"}

_FORM = "write SHAPE:DTYPE, as 8x3x224x224:float32, and of whole numbers the bound, as 8:int64<1000"

_NAMED = re.compile(r"\s*(?P<name>[^=<>:\s]+)\s*=(?!=)(?P<rest>.*)", re.DOTALL)
_KIND = re.compile(r"(?:(?P<low>-?\d+)<=)?(?P<dtype>[A-Za-z]\w*(?:\.\w+)*)(?:(?P<sign><=?)(?P<high>-?\d+))?")
_MOST_AXES = 32


@dataclass(frozen=True)
class Wanted:
    """One array to draw: whole numbers lie in low <= number < high, of other dtypes both are None. `name` is the
    keyword argument that it is for, None for a positional one."""

    name: str | None
    shape: tuple[int, ...]
    dtype: str
    low: int | None = None
    high: int | None = None

    def __str__(self) -> str:
        low = f"{self.low}<=" if self.low else ""
        high = "" if self.high is None else f"<{self.high}"
        name = "" if self.name is None else f"{self.name}="
        return f"{name}{'x'.join(map(str, self.shape)) or 'scalar'}:{low}{self.dtype}{high}"


def parse_input(text: Any) -> Wanted:
    """Read "SHAPE:DTYPE", "SHAPE:DTYPE<BOUND" or "SHAPE:LOW<=DTYPE<BOUND", with or without "name=" before it.

    SHAPE is sizes with "x" between them, or "scalar"; spaces do not count.

    Raises:
        StartingPointError: the text says something else.
    """
    if not isinstance(text, str):
        raise _refused("an input is described by a text", text, _FORM)
    named = _NAMED.fullmatch(text) if not re.match(r"[^=]*:", text) else None
    name, rest = (named["name"], named["rest"]) if named else (None, text)
    if name is not None and not name.isidentifier():
        raise _refused(f"{name!r} is no name of an argument", text, "write name=SHAPE:DTYPE, as ids=2x16:int64<30522")
    shape, colon, kind = rest.replace(" ", "").partition(":")
    if not colon:
        then = f"write {shape}:float32, or another dtype" if re.fullmatch(r"[\dx]+", shape) else _FORM
        if text.endswith((".npy", ".npz", ".h5")) or "/" in text:
            raise _refused("there is no such file", text, "check the path, or describe the input: 8x3x224x224:float32")
        raise _refused("no dtype is given", text, then)
    return wanted(shape, kind, name=name, shown=text)


def wanted(shape: Any, kind: Any, *, name: str | None = None, shown: Any = None) -> Wanted:
    """The same from a shape (a text, a number or a sequence of numbers) and a dtype with its bound.

    Raises:
        StartingPointError: one of them is none.
    """
    shown = (shape, kind) if shown is None else shown
    sizes = _shape(shape, shown)
    text = kind if isinstance(kind, str) else str(getattr(kind, "name", None) or getattr(kind, "__name__", kind))
    found = _KIND.fullmatch(text.replace(" ", ""))
    if found is None:
        then = "write a dtype, as float32, and of whole numbers the bound, as int64<1000 or 5<=int64<1000"
        bound = " with a bound" if "<" in text else ""
        raise _refused(f"{text[:40]!r} is no dtype{bound}", shown, then)
    dtype = _dtype(found["dtype"], shown)
    low = None if found["low"] is None else int(found["low"])
    high = None if found["high"] is None else int(found["high"]) + (found["sign"] == "<=")
    if dtype not in INTEGERS:
        if low is not None or high is not None:
            then = f"leave the bound out: {dtype} is drawn {'true or false' if dtype == 'bool' else 'standard normal'}"
            raise _refused(f"a bound is of whole numbers, not of {dtype}", shown, then)
        return Wanted(name, sizes, dtype)
    if high is None:
        then = f"write {dtype}<1000 where the net takes 0 to 999 (an embedding of 1000 rows, labels of 1000 classes)"
        raise _refused(f"no bound is given for {dtype}, and any number could be out of the net's range", shown, then)
    low = 0 if low is None else low
    least, most = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    if low >= high:
        raise _refused(f"no whole number is at least {low} and less than {high}", shown, "give a bound above it")
    if low < least or high - 1 > most:
        raise _refused(f"{dtype} goes from {least} to {most}", shown, "give a bound within it, or a wider dtype")
    return Wanted(name, sizes, dtype, low, high)


def wanted_all(given: Sequence[Any]) -> tuple[Wanted, ...]:
    """All inputs of a net, from what `tracer.inputs` takes: a shape and a dtype; texts; pairs of shape and dtype; or
    one mapping from names of arguments to texts or pairs.

    Raises:
        StartingPointError: one of them is none, or some have names and some have not.
    """
    if len(given) == 1 and isinstance(given[0], Mapping):
        return tuple(_named(name, one) for name, one in given[0].items())
    if len(given) == 2 and _is_shape(given[0]) and not _is_shape(given[1]) and _is_kind(given[1]):
        return (wanted(given[0], given[1]),)
    if not given:
        raise StartingPointError("no input is described", then=_FORM)
    found = tuple(_one(one) for one in given)
    names = [want.name for want in found]
    if any(name is None for name in names) and any(names):
        then = "give a name to all of them or to none"
        raise StartingPointError(
            "some inputs have a name and some have not", where=", ".join(map(str, found)), then=then
        )
    twice = [name for name in names if name is not None and names.count(name) > 1]
    if twice:
        raise StartingPointError(f"the input {twice[0]!r} is described twice", then="describe each argument once")
    return found


def _one(given: Any) -> Wanted:
    if isinstance(given, Sequence) and not isinstance(given, str) and len(given) == 2 and _is_kind(given[1]):
        return wanted(given[0], given[1])
    if _is_shape(given):
        raise _refused("no dtype is given", given, 'write tracer.inputs((8, 3), "float32"), or texts as "8x3:float32"')
    return parse_input(given)


def _named(name: Any, given: Any) -> Wanted:
    if not isinstance(name, str) or not name.isidentifier():
        raise _refused(f"{str(name)[:40]!r} is no name of an argument", name, 'write {"ids": "2x16:int64<30522"}')
    found = _one(given)
    if found.name not in (None, name):
        raise _refused(f"the input {name!r} is called {found.name!r} as well", given, "leave the name in the text out")
    return replace(found, name=name)


def _is_shape(given: Any) -> bool:
    """Whole numbers, or one."""
    try:
        tuple(map(operator.index, given if isinstance(given, Sequence) and not isinstance(given, str) else [given]))
    except TypeError:
        return False
    return True


def _is_kind(given: Any) -> bool:
    """A dtype of any framework, or a text that is to be one: it has no shape before it."""
    return ":" not in given if isinstance(given, str) else not isinstance(given, Sequence | Mapping)


def _refused(what: str, given: Any, then: str) -> StartingPointError:
    shown = given if isinstance(given, str) else repr(given)
    return StartingPointError(what, where=f"the input {shown[:80]!r}" if shown else "an empty text", then=then)


def _shape(shape: Any, shown: Any) -> tuple[int, ...]:
    then = "write whole sizes with x between them, as 8x3x224x224 (or as a tuple, (8, 3, 224, 224))"
    if isinstance(shape, str):
        text = shape.replace(" ", "").strip("()[]")
        parts: Sequence[Any] = [] if text in ("", "scalar") and shape else re.split(r"[x*,X×]", text.rstrip(","))
        if not shape or not all(part.isascii() and part.isdecimal() for part in parts):
            raise _refused(f"{shape[:40]!r} is no shape", shown, then)
        sizes = tuple(map(int, parts))
    else:
        try:
            sizes = tuple(map(operator.index, shape if isinstance(shape, Sequence) else [shape]))
        except TypeError:
            raise _refused(f"{str(shape)[:40]} is no shape", shown, then) from None
    if any(size < 0 for size in sizes):
        raise _refused("a size is negative", shown, then)
    if len(sizes) > _MOST_AXES:
        raise _refused(f"{len(sizes)} axes are more than the {_MOST_AXES} that an array has", shown, then)
    return sizes


def _dtype(text: str, shown: Any) -> str:
    name = text.rpartition(".")[2].lower()  # torch.float32, np.int64
    name = _SHORT.get(name, name.rstrip("_"))
    if name in DTYPES:
        return name
    near = difflib.get_close_matches(name, [*DTYPES, *_SHORT], n=2, cutoff=0.5)
    then = f"did you mean {' or '.join(near)}?" if near else f"write one of {', '.join(DTYPES)}"
    raise _refused(f"{text[:40]!r} is no dtype", shown, then)
