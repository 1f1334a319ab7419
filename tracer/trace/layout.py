"""Where things lie in the file, and as what: names of groups and datasets, HDF5 types, the file's own settings."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import xxhash
from h5py import h5d, h5p, h5s, h5t

from tracer.trace.schema import ROOT, Side, When

Array = np.ndarray[Any, Any]

PAGE = 4096
DIRECT_FROM = 1 << 16
"""Arrays of at least so many bytes begin on a page of their own, so that they can be written past the page cache."""

HEADER = "/skeleton/header"
LAYERS = "/skeleton/layers"
ROWS = "/skeleton/calls"
BLOCKS = "/skeleton/blocks"
TIMING = "/timing"
TIMING_FACTS = "/timing/facts"

_LONGEST_NAME = 1000
_MOST_AXES = 32
"""HDF5's own limit."""

_FLOATS: dict[np.dtype[Any], tuple[int, int, int]] = {
    np.dtype(ml_dtypes.bfloat16): (8, 7, 127),
    np.dtype(ml_dtypes.float8_e5m2): (5, 2, 15),
    np.dtype(ml_dtypes.float8_e4m3fn): (4, 3, 7),
}
"""Floats that HDF5 has no name for, but a description: bits of the exponent, of the mantissa, the exponent's bias."""

_NUMPY = [
    np.dtype(code) for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16")
]
_NAMES: dict[str, np.dtype[Any]] = {dtype.name: dtype for dtype in [*_NUMPY, *_FLOATS]}
_DTYPES = frozenset(_NAMES.values())


def named_dtype(name: str) -> np.dtype[Any] | None:
    """The dtype that `numpy.dtype.name` calls so, if a trace can hold it."""
    return _NAMES.get(name)


def unstorable(array: Array) -> str | None:
    """Why an array cannot be kept in a trace; None when it can."""
    if array.dtype not in _DTYPES and array.dtype.newbyteorder("=").name not in _NAMES:
        return f"arrays of {array.dtype} have no place in a trace"
    if array.ndim > _MOST_AXES:
        return f"{array.ndim} axes are more than HDF5's {_MOST_AXES}"
    return None


@cache
def hdf5_type(dtype: np.dtype[Any]) -> h5t.TypeID:
    """The HDF5 type that holds this dtype bit for bit; bool and complex in the way h5py has them."""
    if dtype not in _FLOATS:
        return h5t.py_create(dtype, logical=True)
    exponent, mantissa, bias = _FLOATS[dtype]
    kind = h5t.IEEE_F32LE.copy()
    kind.set_fields(exponent + mantissa, mantissa, exponent, 0, mantissa)
    kind.set_precision(1 + exponent + mantissa)
    kind.set_size(dtype.itemsize)
    kind.set_ebias(bias)
    return kind


@lru_cache(maxsize=1024)
def layer_group(step: int, path: str) -> str:
    """The group of one layer in one step."""
    return f"/steps/{step}/layers/{escape(path)}"


def parameter_place(path: str, name: str) -> str:
    """Where a parameter lies: with step 0, where recording starts."""
    return f"{layer_group(0, path)}/params/{escape(name)}"


def parameter_gradient_place(step: int, path: str, name: str, part: int = 0) -> str:
    """Where a parameter's gradient lies."""
    return f"{layer_group(step, path)}/param_grads{f'_{part}' if part else ''}/{escape(name)}"


def update_gradient_place(step: int, path: str, name: str) -> str:
    """Where the gradient that the optimizer got lies."""
    return f"{layer_group(step, path)}/update_grads/{escape(name)}"


def parameter_state_place(step: int, when: When, path: str, name: str) -> str:
    """Where a parameter lies as it was before or after a step."""
    return f"{layer_group(step, path)}/params_{when}/{escape(name)}"


def optimizer_state_place(step: int, when: When, path: str, name: str, key: str) -> str:
    """Where a state of the optimizer lies; one of no parameter at the net itself, whose parameters have names."""
    return f"{layer_group(step, path or ROOT)}/state_{when}/{escape(name)}/{escape(key)}"


def loss_place(step: int, index: int, side: str, leaf: str) -> str:
    """Where a loss ("value"), what was sent back from it ("gradient"), or what it was made of ("input") lies."""
    place = f"/steps/{step}/losses/{index}/{side}"
    return f"{place}/{escape(leaf)}" if leaf else place


def value_place(step: int, path: str, index: int, side: Side, leaf: str) -> str:
    """Where a leaf of a call's result lies; the result itself, when it is one array, takes the place of its leaves."""
    place = f"{layer_group(step, path)}/calls/{index}/{side}"
    return f"{place}/{escape(leaf)}" if leaf else place


@lru_cache(maxsize=1024)
def escape(name: str) -> str:
    """A name as one link of HDF5, which splits at `/`, ends at NUL and takes `.` for the group itself.

    What is no Unicode is escaped too. A name beyond HDF5's lengths keeps its beginning, and a digest for the rest.
    """
    if name in ("", ".", ".."):
        return name.replace(".", "%2E") or "%"
    text = name.replace("%", "%25").replace("/", "%2F").replace("\0", "%00")
    text = "".join(f"%{ord(c):04X}" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)
    if len(text) > _LONGEST_NAME:
        text = f"{text[:_LONGEST_NAME]}~{xxhash.xxh3_64_hexdigest(text.encode())}"
    return text


def file_access() -> h5p.PropFAID:
    """How the file is opened: the formats of HDF5 1.8, which every reader knows and whose metadata has checksums."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    access.set_alignment(DIRECT_FROM, PAGE)
    access.set_meta_block_size(1 << 14)
    return access


@cache
def array_creation() -> h5p.PropDCID:
    """An array lies in one piece, has its place at once, and is never filled with zeros first."""
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_layout(h5d.CONTIGUOUS)
    creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    creation.set_fill_time(h5d.FILL_TIME_NEVER)
    creation.set_obj_track_times(False)
    return creation


@cache
def with_parents() -> h5p.PropLCID:
    """Links whose groups are made on the way, with names in UTF-8."""
    links = h5p.create(h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    links.set_char_encoding(h5t.CSET_UTF8)
    return links


def extent(shape: tuple[int, ...]) -> h5s.SpaceID:
    """The dataspace of an array."""
    return h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
