"""The safetensors format: a JSON header that says where each tensor stands, then the numbers."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, Blocks, Checkpoint, Entry, checked_shape, json_object
from tracer.starting_point.checkpoints.dtypes import BY_NAME, BY_SAFETENSORS, numpy_dtype
from tracer.starting_point.checkpoints.parts import without_optimizer
from tracer.starting_point.checkpoints.quantised import refuse_quantised, refused
from tracer.starting_point.checkpoints.stored import FileBytes, OpenFile, Stored

LONGEST_HEADER = 100_000_000  # the library's own bound
_FRAMEWORKS = {"pt": "torch", "ms": "mindspore"}
_SHORT_OF_A_BYTE = ("F4", "F6_E2M3", "F6_E3M2", "I4", "U4")


def looks_like(head: bytes, size: int) -> bool:
    """Do the first bytes of a file look like a safetensors header?"""
    return len(head) > 8 and head[8:9] == b"{" and struct.unpack("<Q", head[:8])[0] <= max(size, LONGEST_HEADER)


def open_safetensors(file: OpenFile) -> Checkpoint:
    """A single safetensors file.

    Raises:
        CheckpointError: its header is no header, tensors overlap, leave holes or lie outside of the file.
    """
    where = str(file.path)
    (length,) = struct.unpack("<Q", file.bytes(0, 8))
    if length > LONGEST_HEADER or 8 + length > file.size:
        raise CheckpointError("the file ends before its header does", where=where, then=DAMAGED)
    header = json_object(file.bytes(8, length), where)
    metadata = header.pop("__metadata__", {})
    framework = _FRAMEWORKS.get(str(metadata.get("format")), "") if isinstance(metadata, dict) else ""
    dtypes = {
        name: BY_SAFETENSORS.get(str(said.get("dtype")), "") if isinstance(said, dict) else ""
        for name, said in header.items()
    }
    refuse_quantised(dtypes, where)
    packed = [
        name for name in header if isinstance(metadata, dict) and str(metadata.get(name)).startswith(("Int4", "QInt"))
    ]
    if packed:
        raise refused("MindSpore's quantised tensors", f"{where}: {packed[0]}")
    ranges = {name: _range(said, 8 + length, f"{where}: {name}") for name, said in header.items()}
    _side_by_side(ranges, 8 + length, file.size, where)
    stored = {
        name: _stored(file, header[name], begin, end, f"{where}: {name}") for name, (begin, end) in ranges.items()
    }
    notes: tuple[str, ...] = ()
    if framework == "mindspore":
        stored, notes = without_optimizer(stored)
    return Checkpoint(file.path, "safetensors", framework, stored, notes=notes, close=file.close)


def _range(said: Any, base: int, where: str) -> tuple[int, int]:
    """Where in the file a tensor stands, as its header says."""
    offsets = said.get("data_offsets") if isinstance(said, dict) else None
    plain = isinstance(offsets, list) and len(offsets) == 2 and all(type(each) is int and each >= 0 for each in offsets)
    if not isinstance(offsets, list) or not plain or offsets[0] > offsets[1]:
        raise CheckpointError("a tensor has no place in the file", where=where, then=DAMAGED)
    return base + offsets[0], base + offsets[1]


def _side_by_side(ranges: Mapping[str, tuple[int, int]], base: int, size: int, where: str) -> None:
    """See that the tensors follow each other without overlap or hole up to the end of the file."""
    at = base
    for name, (begin, end) in sorted(ranges.items(), key=lambda each: each[1]):
        if begin < at:
            raise CheckpointError("two tensors overlap", where=f"{where}: {name}", then=DAMAGED)
        if begin > at:
            raise CheckpointError("there is a hole between two tensors", where=f"{where}: {name}", then=DAMAGED)
        at = end
    if at > size:
        raise CheckpointError("the file ends before its tensors do", where=where, then=DAMAGED)
    if at < size:
        raise CheckpointError("the file goes on behind its last tensor", where=where, then=DAMAGED)


def _stored(file: OpenFile, said: Any, begin: int, end: int, where: str) -> Stored:
    code = said.get("dtype")
    if code in _SHORT_OF_A_BYTE:
        raise refused(f"tensors of dtype {code}", where)
    if not isinstance(code, str) or code not in BY_SAFETENSORS:
        raise CheckpointError(f"a tensor has the unknown dtype {str(code)[:40]!r}", where=where, then=DAMAGED)
    dtype = numpy_dtype(BY_SAFETENSORS[code], where=where)
    shape = checked_shape(said.get("shape"), dtype, where)
    if Entry("", shape, dtype.name).nbytes != end - begin:
        raise CheckpointError(
            f"a tensor's shape {shape} and its {end - begin} bytes do not fit", where=where, then=DAMAGED
        )
    return Stored(shape, dtype, FileBytes(file, ((begin, end - begin),)))


def refuse_writing(entry: Entry, where: str) -> None:
    """See that the format can hold an entry.

    Raises:
        CheckpointError: it has no such dtype, or the name is the header's own.
    """
    if not BY_NAME[entry.dtype].safetensors:
        raise CheckpointError(
            f"safetensors has no {entry.dtype}", where=f"{where}: {entry.name}", then="write .pth or .npz, or cast it"
        )
    if entry.name == "__metadata__":
        raise CheckpointError(
            "safetensors keeps this name for itself", where=f"{where}: {entry.name}", then="rename it"
        )


def write(file: BinaryIO, entries: Sequence[Entry], blocks: Blocks, *, tied: Mapping[str, str], framework: str) -> None:
    """Write a safetensors file.

    Tensors keep the given order where each number then lies on a multiple of its size; else the widest are first.

    Args:
        file: where to.
        entries: what to write.
        blocks: entry -> the bytes of its numbers, a block at a time.
        tied: of no use here: the format has no shared storages, and each name gets its numbers.
        framework: whose names these are, for the header; torch's where it is empty.
    """
    del tied
    sizes = {entry.name: numpy_dtype(entry.dtype).itemsize for entry in entries}
    begins = _begins(entries)
    laid = list(entries)
    if any(begins[name] % size for name, size in sizes.items()):
        laid.sort(key=lambda entry: -sizes[entry.name])
        begins = _begins(laid)
    # MindSpore's own reader wants the names in the order of the numbers.
    header: dict[str, Any] = {"__metadata__": {"format": "ms" if framework == "mindspore" else "pt"}}
    for entry in laid:
        offsets = [begins[entry.name], begins[entry.name] + entry.nbytes]
        code = BY_NAME[entry.dtype].safetensors
        header[entry.name] = {"dtype": code, "shape": list(entry.shape), "data_offsets": offsets}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)))
    file.write(text)
    for entry in laid:
        file.writelines(blocks(entry))


def _begins(laid: Sequence[Entry]) -> dict[str, int]:
    """Where each tensor begins when they lie in this order."""
    begins: dict[str, int] = {}
    at = 0
    for entry in laid:
        begins[entry.name] = at
        at += entry.nbytes
    return begins
