"""The bytes of a trace file: what HDF5 writes is held back here and reaches the disk in whole steps.

HDF5 alters its metadata in place, so a process that is killed while it flushes leaves a file that nobody can open.
Here HDF5 writes into memory (`Disk`), and `commit` brings that to the disk so that the file is whole at any moment:

1. what lies where nothing was before is written; nothing refers to it yet;
2. what replaces something is first written behind the end of the file, with a seal (offset, length, digest) last;
3. it is put in place, and the end of the file is cut off again.

Before the seal is there the old state holds; from then on a reader (`View`) finds the sealed part and sees the new
state, whatever of it is in place. Arrays do not come through here: they go straight to their place in the file
before anything refers to them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

import xxhash

_SEAL = struct.Struct("<8sQQ16s8s")
_OPENS = b"tracer\x01J"
_ENDS = b"J\x01recart"
_PATCH = struct.Struct("<QQ")
FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
_ONE_WRITE = 1 << 20
"""Neighbouring pieces are joined up to this many bytes."""


class Patches:
    """Pieces of bytes at offsets; a later one replaces what it covers of earlier ones. No two overlap."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._pieces: dict[int, bytes | bytearray] = {}
        self.size = 0

    def __iter__(self) -> Iterator[tuple[int, bytes | bytearray]]:
        """(offset, bytes) in the order of offsets."""
        return ((start, self._pieces[start]) for start in self._starts)

    def put(self, offset: int, data: bytes) -> None:
        """Lay `data` over what is there."""
        if not data:
            return
        old = self._pieces.get(offset)
        if old is not None and len(old) == len(data):
            self._pieces[offset] = data
            return
        first, last = self._touched(offset, len(data))
        starts = self._starts[first:last]
        low = min([offset, *starts[:1]])
        high = max([offset + len(data), *(s + len(self._pieces[s]) for s in starts)])
        if starts:
            merged = bytearray(high - low)
            for start in starts:
                piece = self._pieces.pop(start)
                self.size -= len(piece)
                merged[start - low : start - low + len(piece)] = piece
            merged[offset - low : offset - low + len(data)] = data
            self._pieces[low] = merged
        else:
            self._pieces[low] = data
        self._starts[first:last] = [low]
        self.size += high - low

    def over(self, offset: int, buffer: memoryview) -> None:
        """Lay what is held over `buffer`, which holds the bytes from `offset` on."""
        end = offset + len(buffer)
        first, last = self._touched(offset, len(buffer))
        for start in self._starts[first:last]:
            piece = self._pieces[start]
            low, high = max(start, offset), min(start + len(piece), end)
            buffer[low - offset : high - offset] = piece[low - start : high - start]

    def clear(self) -> None:
        """Forget everything."""
        self._starts.clear()
        self._pieces.clear()
        self.size = 0

    def _touched(self, offset: int, length: int) -> tuple[int, int]:
        first = bisect_right(self._starts, offset) - 1
        if first < 0 or self._starts[first] + len(self._pieces[self._starts[first]]) <= offset:
            first += 1
        return first, bisect_left(self._starts, offset + length, first)


class Ranges:
    """A set of byte ranges, joined where they touch."""

    def __init__(self) -> None:
        self._edges: list[int] = []

    def add(self, low: int, high: int) -> None:
        """Add [low, high)."""
        first, last = bisect_left(self._edges, low), bisect_right(self._edges, high)
        self._edges[first:last] = [low] * (first % 2 == 0) + [high] * (last % 2 == 0)

    def touches(self, low: int, high: int) -> bool:
        """Is any byte of [low, high) in the set?"""
        at = bisect_right(self._edges, low)
        return at % 2 == 1 or (at < len(self._edges) and self._edges[at] < high)


class Disk:
    """A file as HDF5 wants one to write to; nothing reaches `descriptor` before `commit`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self._end = 0
        self._held = Patches()
        self._known = Ranges()

    @property
    def end(self) -> int:
        """Where the file ends, as HDF5 knows it."""
        return self._end

    @property
    def held(self) -> int:
        """Bytes that wait for `commit`."""
        return self._held.size

    def holds(self, offset: int, length: int) -> bool:
        """Does the last committed state use any byte of this stretch? Then nothing may be written there directly."""
        return self._known.touches(offset, offset + length)

    def commit(self) -> None:
        """Bring what HDF5 wrote to the disk, all of it or (killed, disk full) nothing that a reader can see.

        Raises OSError; the file then holds the state of the last commit.
        """
        fresh = [p for p in self._held if not self._known.touches(p[0], p[0] + len(p[1]))]
        replaced = [p for p in self._held if self._known.touches(p[0], p[0] + len(p[1]))]
        size = self._end
        os.ftruncate(self._descriptor, size)
        for offset, data in _joined(fresh):
            write_all(self._descriptor, offset, data)
        if replaced:
            self._seal(size, replaced)
            for offset, data in _joined(replaced):
                write_all(self._descriptor, offset, data)
            os.ftruncate(self._descriptor, size)
        for offset, data in self._held:
            self._known.add(offset, offset + len(data))
        self._held.clear()

    def _seal(self, size: int, replaced: list[tuple[int, bytes | bytearray]]) -> None:
        """A disk without room for the seal has room for what is replaced; then it is done without."""
        try:
            write_all(self._descriptor, size, sealed(size, replaced))
        except OSError as error:
            if error.errno not in FULL:
                raise

    # What HDF5 asks for.

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._end}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        read_zeros(self._descriptor, self._position, view)
        self._held.over(self._position, view)
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._held.put(self._position, piece)
        self._position += len(piece)
        self._end = max(self._end, self._position)
        return len(piece)

    def truncate(self, size: int) -> int:
        self._end = size
        return size

    def flush(self) -> None:
        """HDF5 flushes when it likes; the disk is reached by `commit` only."""


class View:
    """A file as HDF5 wants one to read from. Counts what it reads, and heals a commit that was cut off."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0
        self.size = os.fstat(descriptor).st_size
        self.bytes_read = 0
        self._patches = Patches()
        self._heal()

    def read(self, offset: int, buffer: memoryview) -> None:
        """Fill `buffer` with the bytes from `offset` on, zeros past the end of the file."""
        self.bytes_read += read_zeros(self._descriptor, offset, buffer)
        self._patches.over(offset, buffer)

    def _heal(self) -> None:
        seal = bytearray(_SEAL.size)
        if self.size < len(seal):
            return
        self.read(self.size - len(seal), memoryview(seal))
        opens, offset, length, digest, ends = _SEAL.unpack(seal)
        if opens != _OPENS or ends != _ENDS or offset + length + len(seal) != self.size:
            return
        body = bytearray(length)
        self.read(offset, memoryview(body))
        if xxhash.xxh3_128_digest(body) != digest:
            return
        at = 0
        while at + _PATCH.size <= length:
            where, size = _PATCH.unpack_from(body, at)
            at += _PATCH.size
            self._patches.put(where, bytes(body[at : at + size]))
            at += size
        self.size = offset

    # What HDF5 asks for.

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        self.read(self._position, view)
        self._position += len(view)
        return len(view)

    def write(self, data: Any) -> int:  # noqa: ARG002 (HDF5's call)
        raise OSError("opened for reading only")

    def truncate(self, size: int) -> int:
        return size

    def flush(self) -> None:
        """Nothing was written."""


def sealed(offset: int, patches: list[tuple[int, bytes | bytearray]]) -> bytes:
    """What `View` takes for a part of the file that still has to be put in place, when it lies at `offset`."""
    body = b"".join(_PATCH.pack(where, len(data)) + data for where, data in patches)
    return body + _SEAL.pack(_OPENS, offset, len(body), xxhash.xxh3_128_digest(body), _ENDS)


def write_all(descriptor: int, offset: int, data: Any) -> None:
    """Write every byte, or raise OSError."""
    view = memoryview(data).cast("B")
    while len(view):
        done = os.pwrite(descriptor, view, offset)
        offset += done
        view = view[done:]


def read_zeros(descriptor: int, offset: int, buffer: memoryview) -> int:
    """Fill `buffer` from the file, with zeros past its end; returns how many bytes the file gave."""
    done = 0
    while done < len(buffer):
        got = os.preadv(descriptor, [buffer[done:]], offset + done)
        if not got:
            buffer[done:] = bytes(len(buffer) - done)
            break
        done += got
    return done


def locked(descriptor: int) -> bool:
    """Take the file for this open description alone, until it is closed; False where somebody else has it.

    The lock is Linux's per open file, which readers with HDF5's own locks do not notice.
    """
    command = getattr(fcntl, "F_OFD_SETLK", None)
    try:
        if command is None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            fcntl.fcntl(descriptor, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except BlockingIOError:
        return False
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def _joined(pieces: list[tuple[int, bytes | bytearray]]) -> Iterator[tuple[int, bytes | bytearray]]:
    """Neighbours written in one go."""
    start, size = 0, 0
    parts: list[bytes | bytearray] = []
    for offset, data in pieces:
        if parts and (offset != start + size or size > _ONE_WRITE):
            yield start, b"".join(parts)
            parts = []
        if not parts:
            start, size = offset, 0
        parts.append(data)
        size += len(data)
    if parts:
        yield start, b"".join(parts)
