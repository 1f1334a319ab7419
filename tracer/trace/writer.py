"""TraceWriter: streams rows and arrays into a trace file while the net runs.

The net's thread only copies (`copy`) and queues (`write`). One thread takes statistics and digest, writes arrays
straight to their place in the file and rows once a second; whatever goes wrong there is kept until `finish`.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5o, h5p, h5s, h5t

from tracer.errors import TraceFileError, TracerError
from tracer.trace import layout
from tracer.trace.disk import Disk, locked, write_all
from tracer.trace.rows import encode, encode_header, values_of
from tracer.trace.schema import (
    FORMAT,
    VERSION,
    End,
    Entered,
    Gradient,
    Header,
    Layer,
    Parameter,
    ParameterGradient,
    Returned,
    Row,
    Statistics,
    Sums,
    Value,
)
from tracer.trace.statistics import Array, digest, measure, raw, statistics

QUEUE = 256 << 20
COMMIT_SECONDS = 1.0
COMMIT_BYTES = 32 << 20
"""Metadata held back at most, where it comes faster than once a second."""

_COMMIT_GROWTH = 1 << 18
"""Arrays written since the last commit, from which one is made when they are a fifth of the file: on a disk that runs
full the file keeps at least the rest. As the file grows, the clock comes first."""

_ROWS_AT_ONCE = 1024
_BYTES_AT_ONCE = 8 << 20
_BOUNCE = 4 << 20
_REMEMBERED = 256
_HUGE = 4 << 20


class Measured(NamedTuple):
    """What is kept of an array where its values are not; `problem` why nothing is."""

    statistics: Statistics | None
    digest: str | None
    problem: str | None = None

    @property
    def nbytes(self) -> int:
        """It does not count in the queue."""
        return 0


def measured(array: Array, sums: Sums | None = None) -> Measured:
    """Statistics and digest of an array, of which `sums` are perhaps known."""
    problem = layout.unstorable(array)
    if problem is not None:
        return Measured(None, None, problem)
    whole = np.ascontiguousarray(array)
    return Measured(statistics(whole, sums), digest(whole))


class TraceWriter:
    """One trace, growing. `out` is replaced when `finish` is called; until then all is in `out` + ".partial".

    Args:
        out: where the trace will be.
        header: what is known before the net runs; `header.keep` says whether arrays are stored.
        queue_bytes: how many bytes of copies may wait for the disk before `copy` waits for room.

    Raises:
        TraceFileError: the place cannot be written, or another recording is writing there.
    """

    def __init__(self, out: str | Path, header: Header, *, queue_bytes: int = QUEUE) -> None:
        self.out = Path(os.path.realpath(out))
        self.partial = self.out.with_name(self.out.name + ".partial")
        self.failure: BaseException | None = None
        self._keep = header.keep == "values"
        self._closed = False
        self._pool = _Pool()
        self._limit = queue_bytes
        self._queue: deque[tuple[Row, Sequence[Array | Measured | None], int]] = deque()
        self._waiting = 0
        self._full = False
        self._changed = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._file = _File(self.out, self.partial, header)
        self._places: dict[tuple[int, int], tuple[str, int]] = {}

    # ---------------------------------------------------------------------------------------------------------------
    # The net's thread
    # ---------------------------------------------------------------------------------------------------------------

    def copy(self, array: Array, sums: Callable[[], Sums | None] = lambda: None) -> Array | Measured:
        """What `write` takes of an array that may change: a private copy in C order; its measures, taken here and now,
        where no values are kept. (A thread that measures would take a core from the net, whose own threads then wait
        for each other.) `sums` asks the framework what it can say of the array. Waits while too many bytes wait for
        the disk."""
        if not self._keep:
            return measured(array, sums())
        with self._changed:
            while self._waiting and self._waiting + array.nbytes > self._limit and self.failure is None:
                self._full = True
                self._changed.notify_all()
                self._changed.wait(1.0)
            self._full = False
        copy = self._pool.empty(array)
        np.copyto(copy, array)
        return copy

    def layers(self, layers: Iterable[Layer], arrays: Iterable[tuple[tuple[str, str], Array]]) -> tuple[Layer, ...]:
        """Write the table of layers, once, before the first row.

        Args:
            layers: every layer, the net first.
            arrays: ((path, name), array) of every parameter that has data of its own; they are read, not kept.

        Returns:
            The layers as they are in the file, with statistics, digests and places of their parameters.

        Raises:
            TraceFileError: the disk is full or gone.
        """
        table = list(layers)
        try:
            known = {(layer.path, p.name): p for layer in table for p in layer.parameters}
            sums: list[Array] = []
            for key, array in arrays:
                if key in known:
                    known[key] = self._parameter(key, known[key], array, sums)
            filled = tuple(
                replace(layer, parameters=tuple(known[layer.path, p.name] for p in layer.parameters)) for layer in table
            )
            self._file.layers([encode(layer) for layer in filled], sums)
        except Exception as error:
            self.failure = error
            raise self._problem(error) from error
        return filled

    def write(self, row: Row, arrays: Sequence[Array | Measured | None] = ()) -> None:
        """Queue a row. `arrays` go with `values_of(row)`; None where a value has no array of its own.

        The arrays must not change any more. Never raises: what goes wrong is kept in `failure`.
        """
        size = sum(array.nbytes for array in arrays if array is not None)
        with self._changed:
            if self.failure is not None or self._ending:
                return
            self._queue.append((row, arrays, size))
            self._waiting += size
            if self._plenty():
                self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="trace writer", daemon=True)
                self._thread.start()

    def finish(self, end: End) -> Path:
        """Write what is queued and `end`, and put the trace in its place.

        Returns:
            The path of the trace.

        Raises:
            TraceFileError: something could not be written; what was written is in `partial`, and `out` is as it was.
        """
        self._drain()
        if self.failure is None and not self._closed:
            try:
                self._file.append(encode(end))
                self._file.complete(end.complete)
            except Exception as error:
                self.failure = error
        self._close()
        if self.failure is not None:
            raise self._problem(self.failure) from self.failure
        return self.out

    def abandon(self) -> None:
        """Give up: close, remove `partial`, leave `out` as it was. Never raises."""
        with self._changed:
            self._queue.clear()
            self._waiting = 0
        self._drain()
        self._close(remove=True)

    # ---------------------------------------------------------------------------------------------------------------
    # The writer's thread
    # ---------------------------------------------------------------------------------------------------------------

    def _plenty(self) -> bool:
        """Is there enough to wake for? (Each time both threads are awake, one waits for Python's lock.)"""
        return self._full or self._ending or self._waiting >= _BYTES_AT_ONCE or len(self._queue) >= _ROWS_AT_ONCE

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._plenty():
                    self._changed.wait(max(0.0, self._file.due()))
                if not self._queue and self._ending:
                    return
            while (size := self._take()) is not None:
                with self._changed:  # the copies are gone: there is room for the next
                    self._waiting -= size
                    if self._full:
                        self._changed.notify_all()
            self._try(self._commit_when_due)

    def _take(self) -> int | None:
        """Write the next row; the bytes of its copies, None where there is no row."""
        with self._changed:
            if not self._queue:
                return None
            row, arrays, size = self._queue.popleft()
        self._try(lambda: self._file.append(encode(self._filled(row, arrays))))
        self._try(self._commit_when_due)
        return size

    def _commit_when_due(self) -> None:
        if self._file.due() <= 0:
            self._file.commit()

    def _try(self, work: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            work()
        except BaseException as error:
            self.failure = error

    def _filled(self, row: Row, arrays: Sequence[Array | Measured | None]) -> Row:
        """The row with statistics, digests and places of its values; their arrays are in the file."""
        if isinstance(row, Entered):
            self._places[row.step, row.order] = (row.path, row.index)
        values = values_of(row)
        new = (
            [
                value if array is None else self._value(row, value, array)
                for value, array in zip(values, arrays, strict=True)
            ]
            if arrays
            else list(values)
        )
        if isinstance(row, Entered):
            split = len(row.inputs)
            return replace(row, inputs=tuple(new[:split]), kwargs=tuple(new[split:]))
        if isinstance(row, Returned):
            return replace(row, outputs=tuple(new))
        if isinstance(row, Gradient | ParameterGradient):
            return replace(row, value=new[0])
        return row

    def _value(self, row: Row, value: Value, array: Array | Measured) -> Value:
        if isinstance(array, Measured):
            return replace(
                value, statistics=array.statistics, digest=array.digest, missing=array.problem or value.missing
            )
        problem = layout.unstorable(array)
        if problem is not None:
            return replace(value, missing=problem)
        facts = self._file.facts(array)
        if not self._keep:
            return replace(value, statistics=facts.statistics, digest=facts.digest)
        stored = self._file.store(self._place(row, value), array, facts.digest)
        return replace(value, statistics=facts.statistics, digest=facts.digest, stored=stored)

    def _place(self, row: Row, value: Value) -> str:
        if isinstance(row, ParameterGradient):
            return layout.parameter_gradient_place(row.step, row.path, row.name)
        assert not isinstance(row, End)
        path, index = self._places.get((row.step, row.order), (f"call {row.order}", 0))
        side = "input" if isinstance(row, Entered) else "output" if isinstance(row, Returned) else row.side
        return layout.value_place(row.step, path, index, side, value.leaf)

    def _parameter(self, key: tuple[str, str], parameter: Parameter, array: Array, sums: list[Array]) -> Parameter:
        problem = layout.unstorable(array)
        if problem is not None:
            return replace(parameter, missing=problem)
        found, block_rows, blocks = measure(array)
        code = digest(array)
        first = sum(len(block) for block in sums)
        sums.append(blocks)
        stored = None
        if self._keep:
            stored = self._file.store(layout.parameter_place(*key), array, code)
        return replace(
            parameter,
            statistics=found,
            digest=code,
            stored=stored,
            blocks=(first, len(blocks)),
            block_rows=block_rows,
        )

    # ---------------------------------------------------------------------------------------------------------------
    # The end
    # ---------------------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _close(self, *, remove: bool = False) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            self._file.close(keep_rows=not remove, publish=not remove and self.failure is None)
        except Exception as error:
            self.failure = self.failure or error
        if remove:
            self.partial.unlink(missing_ok=True)

    def _problem(self, error: BaseException) -> TracerError:
        if isinstance(error, TracerError):
            return error
        return _write_error(error, self.partial)


# --------------------------------------------------------------------------------------------------------------------
# Copies
# --------------------------------------------------------------------------------------------------------------------


class _Pool:
    """Page-aligned buffers that are used again: touching new pages costs more than the copy into them."""

    def __init__(self, spare: int = 128 << 20) -> None:
        self._free: dict[int, list[mmap.mmap]] = {}
        self._spare = spare
        self._size = 0
        self._lock = threading.Lock()
        self._lent: dict[int, tuple[weakref.ref[Array], mmap.mmap]] = {}
        self._returned: deque[weakref.ref[Array]] = deque()

    def empty(self, like: Array) -> Array:
        """An array in C order, of the same shape and dtype; its buffer comes back when nobody holds it any more."""
        if like.nbytes < layout.DIRECT_FROM or like.dtype.hasobject:
            return np.empty(like.shape, like.dtype)
        size = _rounded(like.nbytes)
        with self._lock:
            self._collect()
            free = self._free.get(size, [])
            self._size -= size if free else 0
            buffer = free.pop() if free else _pages(size)
        lease = np.frombuffer(buffer, np.uint8)
        # What is called at the lease's end is no code of ours: an interrupt that fell into it would be lost.
        end = weakref.ref(lease, self._returned.append)
        with self._lock:
            self._lent[id(end)] = end, buffer
        array: Array = lease[: like.nbytes].view(like.dtype).reshape(like.shape)
        return array

    def _collect(self) -> None:
        while self._returned:
            _, buffer = self._lent.pop(id(self._returned.popleft()), (None, None))
            if buffer is not None and self._size + len(buffer) <= self._spare:
                self._size += len(buffer)
                self._free.setdefault(len(buffer), []).append(buffer)


def _pages(size: int) -> mmap.mmap:
    pages = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE") and size >= _HUGE:
        with contextlib.suppress(OSError):
            pages.madvise(mmap.MADV_HUGEPAGE)
    return pages


def _rounded(size: int) -> int:
    """Sizes in steps of an eighth of their power of two, so that buffers of near sizes serve each other."""
    step = max(layout.PAGE, 1 << max(0, size.bit_length() - 4))
    return -(-size // step) * step


# --------------------------------------------------------------------------------------------------------------------
# The file
# --------------------------------------------------------------------------------------------------------------------


class _Facts(NamedTuple):
    statistics: Statistics
    digest: str


class _File:
    """The HDF5 side: tables that grow, arrays at their places, commits. One thread at a time."""

    def __init__(self, out: Path, partial: Path, header: Header) -> None:
        self._out = out
        self._partial = partial
        self._stored: dict[tuple[str, str, tuple[int, ...]], str] = {}
        self._spilled = 0
        self._bounce: Array | None = None
        self._arrays = 0
        self._clean = True
        self._facts: dict[int, tuple[weakref.ref[Array], _Facts]] = {}
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
            raise _write_error(error, partial) from error

    def layers(self, rows: list[str], sums: list[Array]) -> None:
        self._table(layout.LAYERS, rows)
        blocks = np.concatenate(sums) if sums else np.zeros((0, 4))
        self._array(layout.BLOCKS, blocks)
        self.commit()

    def append(self, row: str) -> None:
        """Add one row; it is in the file after the next commit."""
        self._rows.append(row)
        self._clean = False
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._write_rows()

    def facts(self, array: Array) -> _Facts:
        """Statistics and digest; taken once where the same array object comes again."""
        known = self._facts.get(id(array))
        if known is not None and known[0]() is array:
            return known[1]
        facts = _Facts(statistics(array), digest(array))
        if len(self._facts) >= _REMEMBERED:
            del self._facts[next(iter(self._facts))]
        self._facts[id(array)] = (weakref.ref(array), facts)
        return facts

    def store(self, place: str, array: Array, code: str) -> str:
        """Keep an array at `place`, as a second name where an equal one is in the file. Returns its real place."""
        key = (code, array.dtype.name, array.shape)
        known = self._stored.get(key)
        if known is not None:
            old = known.encode()
            return self._place(
                place, lambda name: self._id.links.create_hard(name, self._id, old, layout.with_parents())
            )
        self._stored[key] = found = self._array(place, array)
        return found

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
        creation.set_chunk((_ROWS_AT_ONCE,))
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
                self._put(dataset.get_offset(), raw(data))
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

    def _put(self, offset: int, data: Array) -> None:
        """Write bytes to their place: whole pages past the page cache where that is possible, the rest through it."""
        if self._disk.holds(offset, data.size):
            self._disk.seek(offset)
            self._disk.write(data)
            return
        done = 0
        pages = data.size - data.size % layout.PAGE
        if self._direct is not None and pages >= layout.DIRECT_FROM and offset % layout.PAGE == 0:
            try:
                self._put_direct(self._direct, offset, data[:pages])
                done = pages
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise
                os.close(self._direct)
                self._direct = None
        write_all(self._descriptor, offset + done, data[done:])

    def _put_direct(self, descriptor: int, offset: int, data: Array) -> None:
        """Whole pages past the page cache, through an aligned buffer where they do not lie aligned."""
        if data.ctypes.data % layout.PAGE == 0:
            write_all(descriptor, offset, data)
            return
        if self._bounce is None:
            self._bounce = np.frombuffer(mmap.mmap(-1, _BOUNCE), np.uint8)
        for start in range(0, data.size, _BOUNCE):
            piece = data[start : start + _BOUNCE]
            np.copyto(self._bounce[: piece.size], piece)
            write_all(descriptor, offset + start, self._bounce[: piece.size])


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
            raise _write_error(error, partial) from error
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
            raise _write_error(error, partial) from error
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


def _write_error(error: BaseException, partial: Path) -> TraceFileError:
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
