"""What each format calls the kinds of numbers that parameters are made of: one row for each dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tracer.errors import CheckpointError


@dataclass(frozen=True)
class DtypeNames:
    """One dtype in the words of all formats.

    Args:
        name: the name in numpy or ml_dtypes; torch calls it the same, after `torch.`.
        storage: the class of torch storages that hold it; empty where torch keeps it in an untyped storage.
        safetensors: its code in a safetensors header; empty where that format lacks it.
        mindspore: its `tensor_type` in a MindSpore checkpoint; empty where MindSpore cannot load it.
    """

    name: str
    storage: str = ""
    safetensors: str = ""
    mindspore: str = ""


ROWS = (
    DtypeNames("float64", "DoubleStorage", "F64", "Float64"),
    DtypeNames("float32", "FloatStorage", "F32", "Float32"),
    DtypeNames("float16", "HalfStorage", "F16", "Float16"),
    DtypeNames("bfloat16", "BFloat16Storage", "BF16", "BFloat16"),
    DtypeNames("float8_e4m3fn", "", "F8_E4M3"),
    DtypeNames("float8_e5m2", "", "F8_E5M2"),
    DtypeNames("float8_e4m3fnuz", "", "F8_E4M3FNUZ"),
    DtypeNames("float8_e5m2fnuz", "", "F8_E5M2FNUZ"),
    DtypeNames("float8_e8m0fnu", "", "F8_E8M0"),
    DtypeNames("int64", "LongStorage", "I64", "Int64"),
    DtypeNames("int32", "IntStorage", "I32", "Int32"),
    DtypeNames("int16", "ShortStorage", "I16", "Int16"),
    DtypeNames("int8", "CharStorage", "I8", "Int8"),
    DtypeNames("uint64", "", "U64", "UInt64"),
    DtypeNames("uint32", "", "U32", "UInt32"),
    DtypeNames("uint16", "", "U16", "UInt16"),
    DtypeNames("uint8", "ByteStorage", "U8", "UInt8"),
    DtypeNames("bool", "BoolStorage", "BOOL", "Bool"),
    DtypeNames("complex64", "ComplexFloatStorage", "C64"),
    DtypeNames("complex128", "ComplexDoubleStorage"),
)

ALSO_READ = {"Complex64": "complex64", "Complex128": "complex128"}
"""What MindSpore writes into a checkpoint but does not load again."""

BY_NAME = {row.name: row for row in ROWS}
BY_STORAGE = {row.storage: row.name for row in ROWS if row.storage}
BY_SAFETENSORS = {row.safetensors: row.name for row in ROWS if row.safetensors}
BY_MINDSPORE = {row.mindspore: row.name for row in ROWS if row.mindspore} | ALSO_READ


def _dtypes() -> dict[str, np.dtype[Any]]:
    """Every dtype of the table that numpy and the installed ml_dtypes know."""
    found: dict[str, np.dtype[Any]] = {}
    for row in ROWS:
        kind = getattr(ml_dtypes, row.name, None) or getattr(np, "bool_" if row.name == "bool" else row.name, None)
        if kind is not None:
            found[row.name] = np.dtype(kind)
    return found


_DTYPES = _dtypes()
NUMPY_CODES = {dtype.str[1:]: name for name, dtype in _DTYPES.items() if not hasattr(ml_dtypes, name)}
"""What numpy's own files call a dtype, without the order of bytes, and its name: the dtypes numpy itself has."""


def numpy_dtype(name: str, *, where: str = "") -> np.dtype[Any]:
    """The numpy dtype of that name.

    Raises:
        CheckpointError: no checkpoint holds such numbers.
    """
    if name not in _DTYPES:
        raise CheckpointError(
            f"numbers of dtype {name!r} cannot be kept here", where=where, then=f"use one of {', '.join(_DTYPES)}"
        )
    return _DTYPES[name]


def swapped(array: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    """The same array with the bytes of each number in the other order; numbers of ml_dtypes too."""
    single = array.dtype.itemsize // (2 if array.dtype.kind == "c" else 1)
    return array.view(f"u{single}").byteswap().view(array.dtype)
