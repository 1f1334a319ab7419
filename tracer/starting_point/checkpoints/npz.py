"""Numpy's .npz: a zip of arrays, each with a header of its own; arrays of Python objects are never read."""

from __future__ import annotations

import ast
import re
import struct
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, Blocks, Checkpoint, Entry, checked_shape, reading
from tracer.starting_point.checkpoints.dtypes import NUMPY_CODES, numpy_dtype
from tracer.starting_point.checkpoints.quantised import refuse_quantised
from tracer.starting_point.checkpoints.stored import OpenFile, Stored, c_strides
from tracer.starting_point.checkpoints.zips import Zip

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 10_000  # numpy's own bound
_LENGTH = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
_CODE = re.compile(r"([<>|=]?)([A-Za-z]\d+)")
_NO_NUMBERS = re.compile(r"[<>|=]?[USMm]")


def open_npz(file: OpenFile, archive: Zip) -> Checkpoint:
    """A .npz, compressed or not.

    Raises:
        CheckpointError: it holds Python objects, raw bytes, or is damaged.
    """
    where = str(file.path)
    stored: dict[str, Stored] = {}
    passed = 0
    for member in archive.members.values():
        if member.filename.endswith("/"):
            continue
        found = _stored(archive, member, where) if member.filename.endswith(".npy") else None
        if found is None:
            passed += 1
        else:
            stored[member.filename[: -len(".npy")]] = found
    refuse_quantised({name: each.dtype.name for name, each in stored.items()}, where)
    notes = (f"{passed} members that hold no numbers were passed over",) if passed else ()

    def close() -> None:
        archive.close()
        file.close()

    return Checkpoint(file.path, "npz", "", stored, notes=notes, close=close)


def _stored(archive: Zip, member: zipfile.ZipInfo, path: str) -> Stored | None:
    """Where a member's numbers lie; None where it holds text or dates."""
    where = f"{path}: {member.filename}"
    content = archive.content(member)
    with reading(path, member.filename):
        head = b"".join(c.tobytes() for c in content.chunks(0, min(content.size, 12), 12))
        if head[:6] != _MAGIC or len(head) < 10 or head[6] not in _LENGTH:
            raise ValueError("a member is no array")
        kind = _LENGTH[head[6]]
        (length,) = kind.unpack_from(head, 8)
        begin = 8 + kind.size + length
        if length > _LONGEST_HEADER or begin > content.size:
            raise ValueError("a header is too long")
        text = b"".join(c.tobytes() for c in content.chunks(8 + kind.size, length, length or 1))
        said = _header(text.decode("utf-8" if head[6] == 3 else "latin-1"))
    code = said["descr"]
    if isinstance(code, str) and _NO_NUMBERS.match(code):
        return None
    known = _CODE.fullmatch(code) if isinstance(code, str) else None
    if known is None or known[2] not in NUMPY_CODES:
        raise CheckpointError(
            f"an array holds no plain numbers (numpy calls them {str(code)[:40]!r})",
            where=where,
            then="save it again: objects as numbers, bfloat16 as float32, and fields apart",
        )
    dtype = numpy_dtype(NUMPY_CODES[known[2]])
    shape = checked_shape(said["shape"], dtype, where)
    if Entry("", shape, dtype.name).nbytes != content.size - begin:
        raise CheckpointError(f"an array's shape {shape} and its bytes do not fit", where=where, then=DAMAGED)
    backwards = said["fortran_order"] is True and len(shape) > 1
    strides = tuple(reversed(c_strides(tuple(reversed(shape)), dtype.itemsize))) if backwards else None
    return Stored(shape, dtype, archive.content(member, begin), strides=strides, swap=known[1] == ">")


def _header(text: str) -> dict[str, Any]:
    """What an array's header says, read as a literal."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            said = ast.literal_eval(text.strip())
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("a header is no literal") from error
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        raise ValueError("a header lacks what it should say")
    return said


def refuse_writing(entry: Entry, where: str) -> None:
    """See that the format can hold an entry.

    Raises:
        CheckpointError: numpy itself has no such dtype, or a zip no such name.
    """
    if entry.dtype not in NUMPY_CODES.values():
        raise CheckpointError(
            f"numpy's own files have no {entry.dtype}",
            where=f"{where}: {entry.name}",
            then="write .safetensors, .pth or .ckpt, or cast it to float32",
        )
    if "\0" in entry.name:
        raise CheckpointError("a zip cannot hold this name", where=f"{where}: {entry.name!r:.80}", then="rename it")


def write(file: BinaryIO, entries: Sequence[Entry], blocks: Blocks, *, tied: Mapping[str, str], framework: str) -> None:
    """Write a .npz as `numpy.savez` does, without compression.

    Args:
        file: where to; it can be sought.
        entries: what to write, in order.
        blocks: entry -> the bytes of its numbers, a block at a time.
        tied: of no use here: the format has no shared arrays, and each name gets its numbers.
        framework: of no use here: the format does not say.
    """
    del tied, framework
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(f"{entry.name}.npy", (1980, 1, 1, 0, 0, 0))
            with archive.open(info, "w", force_zip64=True) as member:
                said = {"descr": numpy_dtype(entry.dtype).str, "fortran_order": False, "shape": entry.shape}
                np.lib.format.write_array_header_1_0(member, said)  # type: ignore[no-untyped-call]
                for block in blocks(entry):
                    member.write(block)
