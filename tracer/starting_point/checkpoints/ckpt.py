"""MindSpore's checkpoints: one protobuf message `Checkpoint` after another, read and written without its library.

The message, as `checkpoint.proto` has it: `Checkpoint {repeated Value value = 1}`, `Value {tag = 1; tensor = 2;
maptensor = 3}`, `TensorProto {repeated int64 dims = 1; tensor_type = 2; tensor_content = 3}`. A large tensor stands in
several values of one tag, one behind the other, each with the whole tensor's dims.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, Blocks, Checkpoint, Entry, checked_shape, reading
from tracer.starting_point.checkpoints.dtypes import BY_MINDSPORE, BY_NAME, numpy_dtype
from tracer.starting_point.checkpoints.parts import without_optimizer
from tracer.starting_point.checkpoints.quantised import refuse_quantised, refused
from tracer.starting_point.checkpoints.stored import FileBytes, OpenFile, Stored

SLICE = 512 * 1024 * 1024  # MindSpore splits what is larger
_CRC = b"crc_num"
_CRC_SIZE = 17
_LONGEST_TEXT = 1 << 20
_MOST_DIMS = 1 << 10
_VARINT, _WIDE, _RUN, _NARROW = 0, 1, 2, 5  # protobuf's ways to store a field
_ENCRYPTED = "if it is an encrypted checkpoint, load it with dec_key and save it again; else " + DAMAGED


@dataclass
class _Value:
    """One value of the message; `begin` and `length` are where its numbers stand in the file."""

    tag: str = ""
    dims: tuple[int, ...] = ()
    kind: str = ""
    begin: int = 0
    length: int = 0
    map: bool = False


def open_ckpt(file: OpenFile) -> Checkpoint:
    """A checkpoint that `mindspore.save_checkpoint` wrote.

    Raises:
        CheckpointError: it is none, damaged, encrypted, or holds what is no plain tensor.
    """
    where = str(file.path)
    with reading(file.path):
        end = _without_crc(file)
        values = list(_values(file, end))
    together: dict[str, list[_Value]] = {}
    last, passed = "", 0
    for value in values:
        if value.tag in together and value.tag != last:
            raise CheckpointError(f"the name {value.tag!r} stands twice in one file", where=where, then=DAMAGED)
        last = value.tag
        together.setdefault(value.tag, []).append(value)
    stored: dict[str, Stored] = {}
    for tag, group in together.items():
        if group[0].kind == "str":
            passed += 1
        else:
            stored[tag] = _stored(file, group, f"{where}: {tag}")
    refuse_quantised({name: each.dtype.name for name, each in stored.items()}, where)
    stored, notes = without_optimizer(stored)
    if passed:
        notes = (*notes, f"{passed} things that are no tensor were passed over")
    return Checkpoint(file.path, "ckpt", "mindspore", stored, notes=notes, close=file.close)


def _without_crc(file: OpenFile) -> int:
    """Where the message ends; a checksum behind it is looked at."""
    at = file.size - _CRC_SIZE
    if at < 0 or file.bytes(at, len(_CRC)) != _CRC:
        return file.size
    found = 0
    for chunk in FileBytes(file, ((0, at),)).chunks(0, at, 1 << 22):
        found = binascii.crc32(chunk.data, found)
    if found != int.from_bytes(file.bytes(at + len(_CRC), 10), "big"):
        raise ValueError("its checksum does not fit")
    return at


def _values(file: OpenFile, end: int) -> Iterator[_Value]:
    """Every value of the message, without its numbers."""
    for number, begin, stop in _fields(file, 0, end):
        if number == 1:
            value = _Value()
            for inner, start, close in _fields(file, begin, stop):
                if inner == 1:
                    value.tag = _text(file, start, close)
                elif inner == 2:
                    _read_tensor(file, start, close, value)
                elif inner == 3:
                    value.map = True
            if not value.tag or not (value.kind or value.map):
                raise ValueError("a value has no name or holds nothing")
            yield value


def _read_tensor(file: OpenFile, begin: int, end: int, value: _Value) -> None:
    """What a tensor's message says of it."""
    dims: list[int] = []
    for number, start, stop in _fields(file, begin, end):
        if number == 1:  # one number, or a run of them
            at = start
            while at < stop:
                dim, at = _number(file, at, stop)
                dims.append(dim)
                if len(dims) > _MOST_DIMS:
                    raise ValueError("a tensor has too many axes")
        elif number == 2:
            value.kind = _text(file, start, stop)
        elif number == 3:
            value.begin, value.length = start, stop - start
    value.dims = tuple(dims)


def _fields(file: OpenFile, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of a message: number, and where its content begins and ends."""
    at = begin
    while at < end:
        key, at = _number(file, at, end)
        way = key & 7
        if way == _RUN:
            length, at = _number(file, at, end)
            stop = at + length
        elif way == _VARINT:
            _, stop = _number(file, at, end)
        elif way in {_WIDE, _NARROW}:
            stop = at + (8 if way == _WIDE else 4)
        else:
            raise ValueError("it is no message of protobuf")
        if stop > end or not key >> 3:
            raise ValueError("a field goes on behind its message")
        yield key >> 3, at, stop
        at = stop


def _number(file: OpenFile, at: int, end: int) -> tuple[int, int]:
    """A number of protobuf's, and where the next thing begins."""
    content = file.bytes(at, min(10, end - at))
    found = 0
    for step, byte in enumerate(content):
        found |= (byte & 0x7F) << (7 * step)
        if byte < 0x80:
            return found, at + step + 1
    raise ValueError("it ends within a number")


def _text(file: OpenFile, begin: int, end: int) -> str:
    if end - begin > _LONGEST_TEXT:
        raise ValueError("a name is too long")
    return file.bytes(begin, end - begin).decode("utf-8")


def _stored(file: OpenFile, group: list[_Value], where: str) -> Stored:
    """A tensor of one or more values of one tag."""
    first = group[0]
    if first.map:
        raise CheckpointError(
            "a MapParameter is a table and no tensor", where=where, then="export it as keys and values of its own"
        )
    if first.kind.startswith(("Int4", "QInt", "QUInt")):
        raise refused(f"tensors of dtype {first.kind}", where)
    if first.kind not in BY_MINDSPORE:
        raise CheckpointError(f"a tensor has the unknown dtype {first.kind[:40]!r}", where=where, then=_ENCRYPTED)
    if any((each.dims, each.kind) != (first.dims, first.kind) for each in group):
        raise CheckpointError("the slices of a tensor do not fit each other", where=where, then=DAMAGED)
    dtype = numpy_dtype(BY_MINDSPORE[first.kind])
    source = FileBytes(file, tuple((each.begin, each.length) for each in group if each.length))
    # Older MindSpore says [0] of a single number, newer says nothing.
    dims = () if first.dims == (0,) and source.size == dtype.itemsize else first.dims
    shape = checked_shape(dims, dtype, where)
    if Entry("", shape, dtype.name).nbytes != source.size:
        raise CheckpointError(
            f"a tensor's shape {shape} and its {source.size} bytes do not fit", where=where, then=DAMAGED
        )
    return Stored(shape, dtype, source)


def refuse_writing(entry: Entry, where: str) -> None:
    """See that MindSpore can load an entry again.

    Raises:
        CheckpointError: it has no such dtype, or takes a tensor without numbers for a number.
    """
    if not BY_NAME[entry.dtype].mindspore:
        raise CheckpointError(
            f"MindSpore's checkpoints have no {entry.dtype}",
            where=f"{where}: {entry.name}",
            then="write .safetensors or .pth, or cast it",
        )
    if entry.shape == (0,):
        raise CheckpointError(
            "MindSpore would load a tensor of no numbers as a single one",
            where=f"{where}: {entry.name}, shape (0,)",
            then="leave it out, or write another format",
        )


def write(file: BinaryIO, entries: Sequence[Entry], blocks: Blocks, *, tied: Mapping[str, str], framework: str) -> None:
    """Write a checkpoint as `mindspore.save_checkpoint` does, large tensors in slices.

    Args:
        file: where to.
        entries: what to write, in order.
        blocks: entry -> the bytes of its numbers, a block at a time.
        tied: of no use here: the format has no shared tensors, and each name gets its numbers.
        framework: of no use here: the format does not say.
    """
    del tied, framework
    for entry in entries:
        left, room = entry.nbytes, min(entry.nbytes, SLICE)
        file.write(_head(entry, room))
        for block in blocks(entry):
            rest = block
            while len(rest):
                if not room:
                    room = min(left, SLICE)
                    file.write(_head(entry, room))
                part, rest = rest[:room], rest[room:]
                file.write(part)
                left -= len(part)
                room -= len(part)


def _head(entry: Entry, length: int) -> bytes:
    """All of a value that stands before its numbers."""
    kind = BY_NAME[entry.dtype].mindspore.encode()
    tensor = b"".join(b"\x08" + _varint(dim) for dim in entry.shape) + b"\x12" + _varint(len(kind)) + kind
    tensor += b"\x1a" + _varint(length)
    tag = entry.name.encode("utf-8")
    value = b"\x0a" + _varint(len(tag)) + tag + b"\x12" + _varint(len(tensor) + length) + tensor
    return b"\x0a" + _varint(len(value) + length) + value


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
