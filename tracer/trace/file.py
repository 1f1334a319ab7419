"""GrowingFile: the HDF5 side of a trace that is being written.

Tables that grow, arrays that go straight to their places past HDF5 and the page cache, and commits: what the file
holds is whole after each, and nothing in it refers to bytes that are not there yet. One thread at a time.
"""

from __future__ import annotations

import errno
import mmap
import os
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5o, h5p, h5s, h5t

from tracer.errors import TraceFileError
from tracer.trace import layout
from tracer.trace.disk import Disk, locked, write_all
from tracer.trace.rows import encode_header
from tracer.trace.schema import FORMAT, VERSION, Header, Statistics
from tracer.trace.statistics import Array, digest, raw, statistics

COMMIT_SECONDS = 1.0
COMMIT_BYTES = 32 << 20
"""Metadata held back at most, where it comes faster than once a second."""

_COMMIT_GROWTH = 1 << 18
"""Arrays written since the last commit, from which one is made when they are a fifth of the file: on a disk that runs
full the file keeps at least the rest. As the file grows, the clock comes first."""

ROWS_AT_ONCE = 1024
_BOUNCE = 4 << 20
_REMEMBERED = 256


class Facts(NamedTuple):
    """What is known of an array without reading it again."""

    statistics: Statistics
    digest: str


class GrowingFile:
    """`partial`, which takes the place of `out` when it is closed and published.

    Raises:
        TraceFileError: the place cannot be written, or another recording is writing there.
    """

    def __init__(self, out: Path, partial: Path, header: Header) -> None:
        self._out = out
        self._partial = partial
        self._stored: dict[tuple[str, str, tuple[int, ...]], str] = {}
        self._spilled = 0
        self._bounce: Array | None = None
        self._arrays = 0
        self._clean = True
        self._facts: dict[int, tuple[weakref.ref[Array], Facts]] = {}
        self._rows: list[str] = []
        self._written = 0
        self._descriptor = _open_partial(out, partial)
        self._direct = _open_direct(partial)
        try:
            self._disk = Disk(self._descriptor)
            self._id = _create(self._disk)
            self._finalizer = weakref.finalize(self, _close_file, self._id)
            self._attributes(header)
            self._table(layout.HEADER, [encode_header(header)])
            self._calls = self._table(layout.ROWS, [])
            self.commit()
        except Exception as error:
            partial.unlink(missing_ok=True)
            self._release()
            raise write_error(error, partial) from error

    def layers(self, rows: list[str], sums: list[Array]) -> None:
        """Write the table of layers, and the row blocks of their parameters."""
        self._table(layout.LAYERS, rows)
        blocks = np.concatenate(sums) if sums else np.zeros((0, 4))
        self._array(layout.BLOCKS, blocks)
        self.commit()

    def timing(self, facts: str, arrays: Mapping[str, Array]) -> None:
        """Write the times of a net's calls, once."""
        for name, array in arrays.items():
            self._array(f"{layout.TIMING}/{name}", array)
        self._table(layout.TIMING_FACTS, [facts])
        self.commit()

    def append(self, row: str) -> None:
        """Add one row; it is in the file after the next commit."""
        self._rows.append(row)
        self._clean = False
        if len(self._rows) >= ROWS_AT_ONCE:
            self._write_rows()

    def facts(self, array: Array) -> Facts:
        """Statistics and digest; taken once where the same array object comes again."""
        known = self._facts.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        facts = Facts(statistics(array), digest(array))
        if len(self._facts) >= _REMEMBERED:
            del self._facts[next(iter(self._facts))]
        self._facts[id(array)] = (weakref.ref(array), facts)
        return facts

    def store(self, place: str, array: Array, code: str) -> str:
        """Keep an array at `place`, as a second name where an equal one is in the file. Returns its real place.

        Raises:
            OSError: it could not be written.
        """
        key = (code, array.dtype.name, array.shape)
        known = self._stored.get(key)
        if known is not None:
            return self.link(place, known)
        self._stored[key] = found = self._array(place, array)
        return found

    def link(self, place: str, known: str) -> str:
        """Give an array that is in the file a second name, `place`. Returns its real place."""
        old = known.encode()
        return self._place(place, lambda name: self._id.links.create_hard(name, self._id, old, layout.with_parents()))

    def due(self) -> float:
        """Seconds until the next commit should be made."""
        if self._disk.held > COMMIT_BYTES or self._arrays > max(_COMMIT_GROWTH, self._disk.end // 4):
            return 0.0
        if not self._rows and self._clean:
            return COMMIT_SECONDS
        return self._committed + COMMIT_SECONDS - time.monotonic()

    def commit(self) -> None:
        """Bring everything to the disk."""
        self._write_rows()
        h5f.flush(self._id)
        self._disk.commit()
        self._clean = True
        self._arrays = 0
        self._committed = time.monotonic()

    def complete(self, complete: bool) -> None:
        """Say in the file itself that the recording is over."""
        _attribute(self._id, "complete", complete)

    def close(self, *, keep_rows: bool, publish: bool) -> None:
        """Close the file; put it in its place when `publish`. Raises OSError."""
        try:
            if keep_rows:
                self.commit()
            self._stored.clear()
            self._finalizer()
            if keep_rows:
                self._disk.commit()
            if publish:
                os.fsync(self._descriptor)
                self._partial.replace(self._out)
                _sync_folder(self._out.parent)
        finally:
            self._release()

    def _release(self) -> None:
        if hasattr(self, "_finalizer"):
            self._finalizer()
        for descriptor in (self._descriptor, self._direct):
            if descriptor is not None:
                os.close(descriptor)
        self._direct = None

    def _attributes(self, header: Header) -> None:
        words: dict[str, str | bool | int] = {
            "format": FORMAT,
            "version": VERSION,
            "framework": header.framework,
            "framework_version": header.framework_version,
            "net": header.net,
            "keep": header.keep,
            "tracer_version": header.tracer_version,
            "created": header.created,
            "complete": False,
        }
        for name, value in words.items():
            if value != "":
                _attribute(self._id, name, value)

    def _table(self, place: str, rows: list[str]) -> h5d.DatasetID:
        """A growing table of texts."""
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_chunk((ROWS_AT_ONCE,))
        creation.set_obj_track_times(False)
        table = h5d.create(self._id, None, _text(), h5s.create_simple((0,), (h5s.UNLIMITED,)), creation)
        h5o.link(table, self._id, place.encode(), lcpl=layout.with_parents())
        _extend(table, 0, rows)
        return table

    def _write_rows(self) -> None:
        rows, self._rows = self._rows, []
        _extend(self._calls, self._written, rows)
        self._written += len(rows)

    def _array(self, place: str, array: Array) -> str:
        """A new dataset with the array's bytes; its real place. Nothing refers to it before they are written."""
        data = np.asarray(array, array.dtype.newbyteorder("="))
        creation = layout.array_creation()
        dataset = h5d.create(self._id, None, layout.hdf5_type(data.dtype), layout.extent(data.shape), creation)
        try:
            if data.nbytes:
                self._write(dataset.get_offset(), raw(data))
                self._arrays += data.nbytes
        except OSError:
            dataset.close()  # gives its place back, so that the file does not end behind what was written
            raise
        return self._place(place, lambda name: h5o.link(dataset, self._id, name, lcpl=layout.with_parents()))

    def _place(self, place: str, link: Callable[[bytes], None]) -> str:
        """Link at `place`; where that is taken (two values of one name), at a place of its own."""
        try:
            link(place.encode())
        except (RuntimeError, ValueError, OSError, KeyError):
            self._spilled += 1
            place = f"/steps/taken/{self._spilled}"
            link(place.encode())
        return place

    def _write(self, offset: int, data: Array) -> None:
        """Bring bytes to their place: whole pages past the page cache where that is possible, the rest through it."""
        if self._disk.holds(offset, data.size):
            self._disk.seek(offset)
            self._disk.write(data)
            return
        done = 0
        pages = data.size - data.size % layout.PAGE
        if self._direct is not None and pages >= layout.DIRECT_FROM and offset % layout.PAGE == 0:
            try:
                self._write_pages(self._direct, offset, data[:pages])
                done = pages
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
                os.close(self._direct)
                self._direct = None
        write_all(self._descriptor, offset + done, data[done:])

    def _write_pages(self, direct: int, offset: int, data: Array) -> None:
        """Whole pages past the page cache, through an aligned buffer where they do not lie aligned."""
        if data.ctypes.data % layout.PAGE == 0:
            write_all(direct, offset, data)
            return
        if self._bounce is None:
            self._bounce = np.frombuffer(mmap.mmap(-1, _BOUNCE), np.uint8)
        for start in range(0, data.size, _BOUNCE):
            piece = data[start : start + _BOUNCE]
            np.copyto(self._bounce[: piece.size], piece)
            write_all(direct, offset + start, self._bounce[: piece.size])


def _create(disk: Disk) -> h5f.FileID:
    access = layout.file_access()
    access.set_fileobj_driver(h5fd.fileobj_driver, disk)
    try:
        return h5f.create(b"trace", h5f.ACC_TRUNC, fapl=access)
    finally:
        access.close()  # it holds `disk`, which must not outlive the interpreter


def _close_file(file: h5f.FileID) -> None:
    """HDF5 must let go of the file before the interpreter ends."""
    if file:
        file.close()


def _open_partial(out: Path, partial: Path) -> int:
    """The partial file, empty and ours alone. One that a dead run left is emptied."""
    if os.path.isdir(out):  # noqa: PTH112 (Path.is_dir raises for names that are too long)
        raise TraceFileError("The trace would replace a folder", where=str(out), then="name a file in it")
    if os.path.exists(out) and not os.path.isfile(out):  # noqa: PTH110, PTH113
        raise TraceFileError("The trace would replace what is no file", where=str(out), then="name another file")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        try:
            descriptor = os.open(partial, flags, 0o666)
        except OSError as error:
            raise write_error(error, partial) from error
        if not locked(descriptor):
            os.close(descriptor)
            raise TraceFileError(
                "Another recording is writing this trace",
                where=str(partial),
                then="wait for it to end, or record to another file",
            )
        try:
            if os.path.samestat(os.fstat(descriptor), partial.stat()):
                os.ftruncate(descriptor, 0)
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            os.close(descriptor)
            raise write_error(error, partial) from error
        os.close(descriptor)


def _open_direct(partial: Path) -> int | None:
    """The same file past the page cache; None where the system or the file system has no such thing."""
    try:
        return os.open(partial, os.O_WRONLY | os.O_CLOEXEC | os.O_DIRECT)
    except (OSError, AttributeError):
        return None


def _text() -> h5t.TypeID:
    return h5t.py_create(h5py.string_dtype(), logical=True)


def _extend(table: h5d.DatasetID, start: int, rows: list[str]) -> None:
    if not rows:
        return
    table.set_extent((start + len(rows),))
    space = table.get_space()
    space.select_hyperslab((start,), (len(rows),))
    data = np.array(rows, h5py.string_dtype())
    table.write(h5s.create_simple(data.shape), space, data)


def _attribute(file: h5f.FileID, name: str, value: str | bool | int) -> None:
    """Attributes are for people: h5py gives texts as `str` only where they are of variable length. Our own reader looks
    at none of those, since HDF5 takes them from its heap unchecked."""
    root = h5o.open(file, b"/")
    if isinstance(value, str):
        data = np.array(value.encode("utf-8", "replace").replace(b"\0", b"?").decode(), h5py.string_dtype())
        kind = _text()
    else:
        data = np.array(value)
        kind = h5t.py_create(data.dtype, logical=True)
    if h5a.exists(root, name.encode()):
        h5a.open(root, name.encode()).write(data)
    else:
        h5a.create(root, name.encode(), kind, h5s.create(h5s.SCALAR)).write(data)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def write_error(error: BaseException, partial: Path) -> TraceFileError:
    """What went wrong while a trace was written, in three beats."""
    if isinstance(error, TraceFileError):
        return error
    code = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(code) if code else f"{type(error).__name__}: {error}"
    then = {
        errno.ENOSPC: "free space there, or keep less: keep='statistics', only=, skip=",
        errno.EDQUOT: "free space there, or keep less: keep='statistics', only=, skip=",
        errno.EFBIG: "raise the limit on file sizes (ulimit -f), or keep less: keep='statistics', only=, skip=",
        errno.EACCES: "choose a folder that you may write to",
        errno.EPERM: "choose a folder that you may write to",
        errno.EROFS: "choose a folder that you may write to",
        errno.ENOENT: "make the folder first, or choose another",
        errno.ENOTDIR: "choose a file in a folder",
        errno.ELOOP: "remove that link, or choose another name",
        errno.ENAMETOOLONG: "choose a shorter name",
    }.get(code or 0, "look at the reason above, and record to another file")
    return TraceFileError(f"The trace could not be written ({reason})", where=str(partial), then=then)
