"""From parameters to a file: the format by the name's ending, and the old file stays until the new one is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import ckpt, npz, pth, safetensors
from tracer.starting_point.checkpoints.base import Entry, Pieces, checked_shape
from tracer.starting_point.checkpoints.dtypes import numpy_dtype

_LONGEST_NAME = 60_000  # a zip has no room for more
_MOST = 1 << 25  # bytes handed to a format at once


@dataclass(frozen=True)
class _Writer:
    """How a format is written."""

    write: Callable[..., None]
    refuse: Callable[[Entry, str], None] = lambda _entry, _where: None


_PTH = _Writer(pth.write)
WRITERS = {
    ".pth": _PTH,
    ".pt": _PTH,
    ".bin": _PTH,
    ".safetensors": _Writer(safetensors.write, safetensors.refuse_writing),
    ".ckpt": _Writer(ckpt.write, ckpt.refuse_writing),
    ".npz": _Writer(npz.write, npz.refuse_writing),
}
NO_TIES: Mapping[str, str] = {}


def write_checkpoint(
    path: str | os.PathLike[str],
    entries: Sequence[Entry],
    pieces: Pieces,
    *,
    tied: Mapping[str, str] = NO_TIES,
    framework: str = "",
) -> None:
    """Write a file of parameters, a block at a time; a file that is there is replaced only when the new one is whole.

    Args:
        path: where to; its ending says the format: .pth, .pt, .bin, .safetensors, .ckpt or .npz.
        entries: the tensors, in order.
        pieces: name -> its numbers, flat, in C order, of the entry's dtype, in pieces of any size.
        tied: name -> an earlier name with the same numbers; torch's format then keeps them once.
        framework: whose names these are, "torch" or "mindspore", for formats that do not tell otherwise (safetensors).

    Raises:
        CheckpointError: the format cannot hold them, they are not what was announced, or the file cannot be written.
    """
    here = Path(path)
    writer = WRITERS.get(here.suffix.lower())
    if writer is None:
        raise CheckpointError(
            f"no format of parameters ends in {here.suffix!r}", where=str(here), then=f"use one of {', '.join(WRITERS)}"
        )
    _check(entries, tied, writer, str(here))

    def blocks(entry: Entry) -> Iterator[memoryview]:
        return _blocks(entry, pieces, str(here))

    here = Path(os.path.realpath(here))  # a link stays a link
    if here.is_dir():
        raise CheckpointError("a folder is in the way", where=str(here), then="give the name of a file")
    partial = here.with_name(f"{here.name}.partial")
    try:
        file = partial.open("w+b")
    except (OSError, ValueError) as error:
        raise _unwritable(error, here) from error
    try:
        watched = _Watched(file, here)
        writer.write(watched, entries, blocks, tied=tied, framework=framework)
        watched.close()
        _replaced(partial, here)
    except BaseException:
        with suppress(OSError):
            file.close()
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


class _Watched:
    """The file being written: what the disk refuses is told from what the source of the numbers cannot give."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path

    def write(self, content: bytes | memoryview) -> int:
        try:
            return self._file.write(content)
        except OSError as error:
            raise _unwritable(error, self._path) from error

    def writelines(self, contents: Iterable[memoryview]) -> None:
        for content in contents:
            self.write(content)

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError as error:
            raise _unwritable(error, self._path) from error

    def close(self) -> None:
        self.flush()
        try:
            self._file.close()
        except OSError as error:
            raise _unwritable(error, self._path) from error

    def seek(self, offset: int, whence: int = 0) -> int:
        try:
            return self._file.seek(offset, whence)
        except OSError as error:  # what is buffered is written first
            raise _unwritable(error, self._path) from error

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seekable(self) -> bool:
        return True


def _replaced(partial: Path, path: Path) -> None:
    try:
        partial.replace(path)
    except OSError as error:
        raise _unwritable(error, path) from error


def _unwritable(error: OSError | ValueError, path: Path) -> CheckpointError:
    return CheckpointError(
        f"the parameters cannot be written ({getattr(error, 'strerror', None) or error})",
        where=str(path),
        then="see that the folder exists, that you may write to it, and that the disk has room",
    )


def _check(entries: Sequence[Entry], tied: Mapping[str, str], writer: _Writer, where: str) -> None:
    """See that the format can hold all of it before anything is written."""
    known: dict[str, Entry] = {}
    for entry in entries:
        here = f"{where}: {entry.name!r:.80}"
        try:
            length = len(entry.name.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise CheckpointError("a name is no text that a file can hold", where=here, then="rename it") from error
        if not 0 < length <= _LONGEST_NAME:
            raise CheckpointError("a name is empty or too long for a file", where=here, then="rename it")
        if entry.name in known:
            raise CheckpointError(
                "a name is to be written twice", where=here, then="give each tensor a name of its own"
            )
        checked_shape(entry.shape, numpy_dtype(entry.dtype, where=here), here)
        writer.refuse(entry, where)
        to = known.get(tied.get(entry.name, ""))
        if entry.name in tied and (to is None or (to.shape, to.dtype) != (entry.shape, entry.dtype)):
            raise CheckpointError(
                f"it is said to be tied to {tied[entry.name]!r}, which does not come before it or is of another shape",
                where=here,
                then="tie names of equal shape and dtype to an earlier one",
            )
        known[entry.name] = entry


def _blocks(entry: Entry, pieces: Pieces, where: str) -> Iterator[memoryview]:
    """The bytes of an entry, as its format may write them, and all of them."""
    dtype, count = numpy_dtype(entry.dtype), 0
    most = _MOST // dtype.itemsize
    for piece in pieces(entry.name):
        flat = np.ascontiguousarray(piece).reshape(-1)
        if flat.dtype != dtype:
            break
        count += flat.size
        if count > entry.count:
            break
        for start in range(0, flat.size, most):
            yield flat[start : start + most].view(np.uint8).data
    if count != entry.count:
        raise CheckpointError(
            f"the numbers of a tensor are not what was announced: {entry.count} of {entry.dtype}",
            where=f"{where}: {entry.name}, shape {entry.shape}",
            then="give pieces that add up to the entry's shape, in its dtype",
        )
