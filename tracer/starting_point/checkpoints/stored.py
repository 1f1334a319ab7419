"""Where the numbers of one tensor lie, and how they are read a block at a time."""

from __future__ import annotations

import math
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from tracer.starting_point.checkpoints.dtypes import swapped

Array: TypeAlias = npt.NDArray[Any]

REPEATED = 1024
"""How often an expanded view may show each number of its storage before it is too large to be read whole."""
SMALL = 1 << 24
"""So many numbers may be read whole in any case."""


class Bytes(Protocol):
    """A run of bytes in some file."""

    @property
    def size(self) -> int:
        """How many there are."""

    def chunks(self, start: int, length: int, most: int) -> Iterator[Array]:
        """`length` bytes from `start` on, at most so many at a time, as fresh arrays of uint8."""

    def all(self) -> Array:
        """All of them as one array of uint8 that is not to be written to."""


class OpenFile:
    """A file open for reading, from which several readers take what they want in turn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file: BinaryIO = path.open("rb")
        self.size = self.file.seek(0, 2)
        self._lock = threading.Lock()

    def fill(self, target: Array, start: int) -> None:
        """Fill an array of uint8 with the bytes from `start` on."""
        view, done = target.data, 0
        with self._lock:
            self.file.seek(start)
            while done < len(view):
                got = self.file.readinto(view[done:])  # type: ignore[attr-defined]
                if not got:
                    raise EOFError("the file ends too early")
                done += got

    def bytes(self, start: int, length: int) -> bytes:
        """So many bytes from `start` on, fewer where the file ends."""
        with self._lock:
            self.file.seek(start)
            return self.file.read(max(0, min(length, self.size - start)))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


@dataclass(frozen=True)
class FileBytes:
    """Bytes that stand as they are in a file: one run or several (start, length), one behind the other."""

    file: OpenFile
    runs: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """How many there are."""
        return sum(length for _, length in self.runs)

    def chunks(self, start: int, length: int, most: int) -> Iterator[Array]:
        """As `Bytes.chunks`."""
        for at in range(start, start + length, most):
            block = np.empty(min(most, start + length - at), np.uint8)
            done = 0
            for begin, size in self._parts(at, block.size):
                self.file.fill(block[done : done + size], begin)
                done += size
            yield block

    def all(self) -> Array:
        """As `Bytes.all`; a single run is mapped, so that it takes no memory of ours."""
        if self.size == 0:
            return np.empty(0, np.uint8)
        if len(self.runs) == 1:
            return np.memmap(self.file.file, np.uint8, mode="r", offset=self.runs[0][0], shape=(self.size,))
        return next(self.chunks(0, self.size, self.size))

    def _parts(self, start: int, length: int) -> Iterator[tuple[int, int]]:
        """Where in the file a stretch of the bytes stands."""
        for begin, size in self.runs:
            taken = min(size - start, length)
            if taken > 0:
                yield begin + start, taken
                length -= taken
                start = 0
            else:
                start -= size


@dataclass(frozen=True)
class ZippedBytes:
    """Bytes of a member of a zip file that must be inflated on the way; the zip's own checksum is looked at."""

    archive: zipfile.ZipFile
    member: zipfile.ZipInfo
    skip: int = 0

    @property
    def size(self) -> int:
        """How many there are."""
        return self.member.file_size - self.skip

    def chunks(self, start: int, length: int, most: int) -> Iterator[Array]:
        """As `Bytes.chunks`."""
        with self.archive.open(self.member) as file:
            left = start + self.skip
            while left:
                left -= len(_some(file.read(min(left, 1 << 20))))
            for at in range(0, length, most):
                block = np.empty(min(most, length - at), np.uint8)
                view, done = block.data, 0
                while done < block.size:
                    some = _some(file.read(min(block.size - done, 1 << 20)))
                    view[done : done + len(some)] = some
                    done += len(some)
                if at + block.size == length:
                    file.read(1)  # at the end of the member the checksum is looked at
                yield block

    def all(self) -> Array:
        """As `Bytes.all`."""
        return next(self.chunks(0, self.size, self.size), np.empty(0, np.uint8))


@dataclass(frozen=True)
class HeldBytes:
    """Bytes that came with the description of the file and are in memory already."""

    content: bytes

    @property
    def size(self) -> int:
        """How many there are."""
        return len(self.content)

    def chunks(self, start: int, length: int, most: int) -> Iterator[Array]:
        """As `Bytes.chunks`."""
        for at in range(start, start + length, most):
            yield np.frombuffer(self.content, np.uint8, min(most, start + length - at), at).copy()

    def all(self) -> Array:
        """As `Bytes.all`."""
        return np.frombuffer(self.content, np.uint8)


@dataclass(frozen=True)
class Stored:
    """One tensor in a file.

    Args:
        shape: its shape.
        dtype: its dtype, in the order of bytes of this machine.
        source: the bytes it lies in; the maker has seen to it that they hold all of it.
        offset: where in them its first number begins, in bytes.
        strides: steps from number to number along each axis, in bytes; None where it lies in C order.
        swap: the bytes of each number are in the other order.
        conjugate: the file shows the conjugate of what is stored.
        negative: the file shows the negative of what is stored.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    source: Bytes
    offset: int = 0
    strides: tuple[int, ...] | None = None
    swap: bool = False
    conjugate: bool = False
    negative: bool = False

    @property
    def inflated(self) -> bool:
        """Is it so much larger than what is stored of it that no file justifies the memory?"""
        count = math.prod(self.shape)
        return count > SMALL and count * self.dtype.itemsize > REPEATED * self.source.size

    def blocks(self, elements: int) -> Iterator[Array]:
        """Its numbers in C order, flat, at most so many at a time, each block a fresh array."""
        for block in self._as_stored(elements):
            told = swapped(block) if self.swap else block
            told = np.conjugate(told) if self.conjugate else told
            yield np.negative(told) if self.negative else told

    def _as_stored(self, elements: int) -> Iterator[Array]:
        size = self.dtype.itemsize
        if self.strides is None:
            for chunk in self.source.chunks(self.offset, math.prod(self.shape) * size, elements * size):
                yield chunk.view(self.dtype)
        elif math.prod(self.shape):
            held = self.source.all()
            view: Array = np.ndarray(self.shape, self.dtype, held.data, self.offset, self.strides)
            yield from _rows(view, elements)


def c_strides(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """The strides of an array in C order whose numbers take so many bytes."""
    strides = [size]
    for length in reversed(shape[1:]):
        strides.append(strides[-1] * length)
    return tuple(reversed(strides)) if shape else ()


def in_c_order(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> bool:
    """Do the numbers lie one behind the other in C order? Axes of one length have no say."""
    expected = size
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True


def _rows(view: Array, elements: int) -> Iterator[Array]:
    """A strided view in blocks: as many rows as fit, or the pieces of each row."""
    if view.size <= elements:
        yield np.array(view, order="C").reshape(-1)
        return
    row = view.size // len(view)
    if row > elements:
        for each in view:
            yield from _rows(each, elements)
        return
    step = elements // row
    for start in range(0, len(view), step):
        yield np.array(view[start : start + step], order="C").reshape(-1)


def _some(got: bytes) -> bytes:
    """What was read, if anything was."""
    if not got:
        raise EOFError("the member ends too early")
    return got
