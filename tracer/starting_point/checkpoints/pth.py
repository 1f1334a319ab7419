"""Torch's files of parameters: a zip with a pickle in it, and the older row of pickles, which is only read."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, Blocks, Checkpoint, Entry, checked_shape, reading
from tracer.starting_point.checkpoints.dtypes import BY_NAME, numpy_dtype
from tracer.starting_point.checkpoints.parts import chosen
from tracer.starting_point.checkpoints.pickled import SAVE_STATE, HeldArray, Storage, TensorView, Unusual
from tracer.starting_point.checkpoints.quantised import refuse_quantised, refused
from tracer.starting_point.checkpoints.stored import (
    Bytes,
    FileBytes,
    HeldBytes,
    OpenFile,
    Stored,
    c_strides,
    in_c_order,
)
from tracer.starting_point.checkpoints.unpickling import unpickle
from tracer.starting_point.checkpoints.zips import Zip

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
ALIGNMENT = 64
_ODD_SIZES = {"complex32": 4, "qint32": 4}
_MOST_32 = 1 << 31  # from here on a zip needs its longer fields


def open_zip(file: OpenFile, archive: Zip, part: str | None) -> Checkpoint:
    """A zip that `torch.save` wrote.

    Raises:
        CheckpointError: it holds code, no tensors by name, or is damaged.
    """
    where = str(file.path)
    top = next(name for name in archive.members if name.endswith("/data.pkl") and name.count("/") == 1)[
        : -len("data.pkl")
    ]
    if any(name.startswith((f"{top}code/", f"{top}constants.pkl")) for name in archive.members):
        raise CheckpointError(
            "the file is a TorchScript program", where=where, then="torch.save(torch.jit.load(file).state_dict(), ...)"
        )
    order = archive.members.get(f"{top}byteorder")
    swap = order is not None and archive.whole(order) == b"big"
    content = archive.whole(archive.members[f"{top}data.pkl"])
    root, _ = unpickle(io.BytesIO(content), len(content), where)
    tensors, notes = chosen(root, part, where)
    sources: dict[str, Bytes] = {}

    def source(storage: Storage) -> Bytes:
        if storage.key not in sources:
            member = archive.members.get(f"{top}data/{storage.key}")
            if member is None:
                raise CheckpointError(f"the storage {storage.key} is missing", where=where, then=DAMAGED)
            sources[storage.key] = archive.content(member)
        return sources[storage.key]

    stored, tied = _placed(tensors, source, swap=swap, where=where)

    def close() -> None:
        archive.close()
        file.close()

    return Checkpoint(file.path, "pth", "torch", stored, tied=tied, notes=notes, close=close)


def open_legacy(file: OpenFile, part: str | None) -> Checkpoint:
    """What `torch.save` wrote before it wrote zips: pickles one behind the other, then the storages.

    Raises:
        CheckpointError: as `open_zip`.
    """
    where = str(file.path)
    source = file.file
    source.seek(0)
    said = [unpickle(source, file.size - source.tell(), where)]
    while said[0][0] == LEGACY_MAGIC and len(said) < 5:
        said.append(unpickle(source, file.size - source.tell(), where))
    system, (root, storages), keys = (said[2][0], said[3], said[4][0]) if len(said) == 5 else (None, (None, {}), None)
    if not isinstance(keys, list) or not isinstance(system, dict):
        raise CheckpointError("the file is a pickle that torch.save did not write", where=where, then=SAVE_STATE)
    swap = system.get("little_endian") is False
    tensors, notes = chosen(root, part, where)
    at, sources = source.tell(), dict[str, FileBytes]()
    for key in map(str, keys):
        with reading(file.path):
            (count,) = struct.unpack(">q" if swap else "<q", file.bytes(at, 8))
        length = count * _item_size(storages[key].dtype) if key in storages else -1
        if length < 0 or at + 8 + length > file.size or key in sources:
            raise CheckpointError("the file ends before its tensors do", where=where, then=DAMAGED)
        sources[key] = FileBytes(file, ((at + 8, length),))
        at += 8 + length

    def lies(storage: Storage) -> Bytes:
        if storage.key not in sources:
            raise CheckpointError(f"the storage {storage.key} is missing", where=where, then=DAMAGED)
        return sources[storage.key]

    stored, tied = _placed(tensors, lies, swap=swap, where=where)
    return Checkpoint(file.path, "pth", "torch", stored, tied=tied, notes=notes, close=file.close)


def _placed(
    tensors: Mapping[str, Any], source: Any, *, swap: bool, where: str
) -> tuple[dict[str, Stored], dict[str, str]]:
    """Where the numbers of each tensor lie, and which tensors are one."""
    refuse_quantised({name: getattr(tensor, "dtype", "") for name, tensor in tensors.items()}, where)
    stored: dict[str, Stored] = {}
    first: dict[TensorView, str] = {}
    tied: dict[str, str] = {}
    for name, tensor in tensors.items():
        here = f"{where}: {name}"
        if isinstance(tensor, Unusual):
            raise refused(f"tensors that are {tensor.kind}", here)
        if isinstance(tensor, HeldArray):
            stored[name] = _held(tensor, here)
            continue
        stored[name] = _lying(tensor, source, swap=swap, where=here)
        if all(tensor.shape):
            earlier = first.setdefault(tensor, name)
            if earlier != name:
                tied[name] = earlier
    return stored, tied


def _lying(tensor: TensorView, source: Any, *, swap: bool, where: str) -> Stored:
    """A view of a storage, if it lies in it."""
    if tensor.dtype not in BY_NAME:
        raise refused(f"tensors of dtype {tensor.dtype or 'unknown'}", where)
    dtype = numpy_dtype(tensor.dtype, where=where)
    shape = checked_shape(tensor.shape, dtype, where)
    steps = tensor.strides
    if not isinstance(steps, tuple) or len(steps) != len(shape) or any(type(n) is not int or n < 0 for n in steps):
        raise CheckpointError("a tensor lies in no order", where=where, then=DAMAGED)
    storage, held = tensor.storage, source(tensor.storage)
    size, claimed = dtype.itemsize, storage.count * _item_size(storage.dtype)
    begin = (tensor.offset + storage.offset) * size
    last = sum((length - 1) * step for length, step in zip(shape, steps, strict=True))
    outside = tensor.offset < 0 or begin + (last + 1) * size > min(held.size, claimed + storage.offset * size)
    if claimed > held.size or (all(shape) and outside):
        raise CheckpointError("a tensor lies outside of its storage", where=where, then=DAMAGED)
    if not all(shape):
        return Stored(shape, dtype, HeldBytes(b""))
    strides = tuple(step * size for step in steps)
    plain = in_c_order(shape, strides, size)
    return Stored(shape, dtype, held, begin, None if plain else strides, swap, tensor.conjugate, tensor.negative)


def _item_size(dtype: str) -> int:
    """How many bytes a number of a storage takes; an untyped storage counts bytes."""
    return numpy_dtype(dtype).itemsize if dtype in BY_NAME else _ODD_SIZES.get(dtype, 1)


def _held(array: HeldArray, where: str) -> Stored:
    """A numpy array that lies in the pickle itself."""
    if array.dtype not in BY_NAME:
        raise CheckpointError(
            f"an array holds no numbers (dtype {array.dtype!r})", where=where, then="save numbers only"
        )
    dtype = numpy_dtype(array.dtype)
    shape = checked_shape(array.shape, dtype, where)
    source = HeldBytes(array.content)
    stored = Stored(shape, dtype, source, swap=array.swap)
    if Entry("", shape, array.dtype).nbytes != source.size:
        raise CheckpointError("an array and its shape do not fit", where=where, then=DAMAGED)
    if not array.fortran or len(shape) < 2:
        return stored
    backwards = tuple(reversed(c_strides(tuple(reversed(shape)), dtype.itemsize)))
    return Stored(shape, dtype, source, strides=backwards, swap=array.swap)


def write(file: BinaryIO, entries: Sequence[Entry], blocks: Blocks, *, tied: Mapping[str, str], framework: str) -> None:
    """Write a zip as `torch.save` does: an ordered mapping of tensors, storages as they are, each on a round address.

    Args:
        file: where to; it can be sought.
        entries: what to write, in order.
        blocks: entry -> the bytes of its numbers, a block at a time.
        tied: name -> an earlier one whose storage it shares.
        framework: of no use here: the file is torch's.
    """
    del framework
    keys: dict[str, int] = {}
    for entry in entries:
        keys[entry.name] = keys[tied[entry.name]] if entry.name in tied else len(keys)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr(_info("archive/data.pkl"), _pickled(entries, keys))
        archive.writestr(_info("archive/byteorder"), b"little")
        archive.writestr(_info("archive/version"), b"3\n")
        for entry in entries:
            if entry.name in tied:
                continue
            info = _aligned(f"archive/data/{keys[entry.name]}", entry.nbytes, file.tell())
            with archive.open(info, "w", force_zip64=entry.nbytes >= _MOST_32) as member:
                for block in blocks(entry):
                    member.write(block)


def _info(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))


def _aligned(name: str, size: int, at: int) -> zipfile.ZipInfo:
    """A member whose bytes begin on a multiple of `ALIGNMENT`: a field of nothing stands before them."""
    info = _info(name)
    info.file_size = size
    begin = at + 30 + len(name) + (20 if size >= _MOST_32 else 0) + 4
    padding = -begin % ALIGNMENT
    info.extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
    return info


def _pickled(entries: Sequence[Entry], keys: Mapping[str, int]) -> bytes:
    """The pickle of an ordered mapping of tensors, in the steps that `torch.load(weights_only=True)` knows."""
    ordered = b"ccollections\nOrderedDict\n)R"
    out = [b"\x80\x02", ordered, b"("]
    for entry in entries:
        row = BY_NAME[entry.dtype]
        count = entry.count
        make, kind = ("_rebuild_tensor_v2", f"torch\n{row.storage}")
        if not row.storage:
            make, kind, count = ("_rebuild_tensor_v3", "torch.storage\nUntypedStorage", entry.nbytes)
        steps = c_strides(entry.shape, 1)
        out += [_text(entry.name), f"ctorch._utils\n{make}\n((".encode(), _text("storage"), f"c{kind}\n".encode()]
        out += [_text(str(keys[entry.name])), _text("cpu"), _integer(count), b"tQ", _integer(0)]
        out += [b"(", *map(_integer, entry.shape), b"t(", *map(_integer, steps), b"t\x89", ordered]
        out += [b"" if row.storage else f"ctorch\n{entry.dtype}\n".encode(), b"tR"]
    return b"".join([*out, b"u."])


def _text(text: str) -> bytes:
    content = text.encode("utf-8")
    return b"X" + struct.pack("<I", len(content)) + content


def _integer(number: int) -> bytes:
    if number < 1 << 31:
        return b"J" + struct.pack("<i", number)
    content = number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(content)]) + content
