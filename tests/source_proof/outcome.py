"""What a call came to, on either side, as plain values; and whether two of them are equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Leaf:
    """A tensor's numbers and what its framework calls their dtype."""

    dtype: str
    array: Array


class Named(list[Any]):
    """Results that torch gives names too: `.values`, `.indices`."""

    names: str = ""


@dataclass(frozen=True)
class Outcome:
    """What one call came to.

    Attributes:
        value: the result: a `Leaf`, a number, a text, None, or a list of such.
        changed: of the named arrays, those that hold other numbers afterwards.
        error: why there is no result; "" with one.
        kernel: False where the framework says that it has no kernel for this device or dtype.
    """

    value: Any = None
    changed: dict[str, Array] = field(default_factory=dict)
    error: str = ""
    kernel: bool = True


ROUGH = {"tanh", "tanhshrink", "mish", "gelu"}
"""Functions that MindSpore's CPU kernels compute by an approximation, to 1e-4: a tolerance of their own."""

TOLERANCES = {"float64": 1e-9, "complex128": 1e-9, "float16": 2e-3, "bfloat16": 2e-2}
"""Relative L2 by dtype; all others 1e-5."""


def differences(wanted: Outcome, got: Outcome, rough: bool = False) -> list[str]:
    """How `got` is not `wanted`, a sentence each: first what changes numbers, then dtypes and kinds of result."""
    found = list(_apart(wanted.value, got.value, rough))
    for name in sorted(wanted.changed.keys() | got.changed.keys()):
        if name not in got.changed:
            found.append(f"place: `{name}` is not changed in place")
        elif name not in wanted.changed:
            found.append(f"values: `{name}` is changed in place")
        elif not _close(wanted.changed[name], got.changed[name], rough):
            found.append(f"values: `{name}` is changed to other numbers")
    return sorted(found, key=lambda one: not changes_numbers(one))


def changes_numbers(difference: str) -> bool:
    """Is it more than another dtype, kind of container, or less exact numbers, and more than a new tensor for a changed one?"""
    return not difference.startswith(("dtype", "kind", "precision", "place"))


def _apart(wanted: Any, got: Any, rough: bool) -> Iterator[str]:
    if isinstance(wanted, list) or isinstance(got, list):
        if not (isinstance(wanted, list) and isinstance(got, list)) or len(wanted) != len(got):
            yield f"structure: {_short(wanted)} against {_short(got)}"
            return
        if isinstance(wanted, Named):
            yield f"kind: a tuple with {wanted.names} against a plain one"
        for one, other in zip(wanted, got, strict=True):
            yield from _apart(one, other, rough)
        return
    if isinstance(wanted, Leaf) != isinstance(got, Leaf):
        sides = [one.array if isinstance(one, Leaf) else one for one in (wanted, got)]
        if not all(isinstance(one, bool | int | float | complex | np.ndarray | np.generic) for one in sides):
            yield f"structure: {_short(wanted)} against {_short(got)}"
            return
        yield f"kind: {_kind(wanted)} against {_kind(got)}"
    elif not isinstance(wanted, Leaf) and not isinstance(wanted, bool | int | float | complex):
        if wanted != got:
            yield f"values: {_short(wanted)} against {_short(got)}"
        return
    one, other = (np.asarray(side.array if isinstance(side, Leaf) else side) for side in (wanted, got))
    if isinstance(wanted, Leaf) and isinstance(got, Leaf) and wanted.dtype != got.dtype:
        yield f"dtype: {wanted.dtype} against {got.dtype}"
    if one.shape != other.shape:
        yield f"shape: {one.shape} against {other.shape}"
    elif not _close(one, other, rough):
        as_float32 = {str(one.dtype), str(other.dtype)} & {"float64", "complex128"} and _close(one, other, rough, 1e-5)
        yield f"{'precision' if as_float32 else 'values'}: {_short(wanted)} against {_short(got)}"


def _close(wanted: Array, got: Array, rough: bool, at_least: float = 0.0) -> bool:
    if wanted.shape != got.shape:
        return False
    if wanted.dtype.kind not in "fciub" or got.dtype.kind not in "fciub":
        return bool(np.all(wanted == got))
    limit = max((TOLERANCES.get(str(one.dtype), 1e-5) for one in (wanted, got) if one.dtype.kind in "fc"), default=0.0)
    if limit == 1e-9 and {str(wanted.dtype), str(got.dtype)} & {"float32", "complex64"}:
        limit = 1e-5
    limit = max(limit, at_least, 3e-4 if rough else 0.0)
    kind = np.complex128 if "c" in (wanted.dtype.kind, got.dtype.kind) else np.float64
    if limit == 0.0:
        return bool(np.array_equal(wanted.astype(np.int64), got.astype(np.int64)))
    left, right = wanted.astype(kind), got.astype(kind)
    odd = ~np.isfinite(left) | ~np.isfinite(right)
    if not np.array_equal(left[odd], right[odd], equal_nan=True):
        return False
    left, right = left[~odd], right[~odd]
    return bool(np.linalg.norm(left - right) <= limit * np.linalg.norm(left) + 1e-30)


def _kind(value: Any) -> str:
    return "a tensor" if isinstance(value, Leaf) else f"a number ({type(value).__name__})"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_short(one) for one in value[:4]) + (", ..." if len(value) > 4 else "") + ")"
    if isinstance(value, Leaf):
        flat = value.array.reshape(-1)
        numbers = ", ".join(f"{one:.5g}" if flat.dtype.kind in "fiu" else str(one) for one in flat[:4])
        return f"{value.dtype}{list(value.array.shape)}[{numbers}{', ...' if flat.size > 4 else ''}]"
    return repr(value)[:60]
