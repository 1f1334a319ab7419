"""Trace: a file as a skeleton that is read at once, and arrays that are read when asked for.

The file may come from anywhere, so nothing in it is believed: only plain links are followed, only arrays in one
uncompressed piece inside the file are read, sizes are held against the file before memory is taken, and texts are
taken out of HDF5's heap here, because the library trusts their lengths.
"""

from __future__ import annotations

import errno
import gc
import os
import stat
import struct
import threading
import weakref
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5g, h5l, h5o, h5t

from tracer.errors import TraceFileError, TracerError
from tracer.trace import layout
from tracer.trace.assembly import assemble
from tracer.trace.disk import View
from tracer.trace.rows import Malformed, decode, decode_header, decode_row
from tracer.trace.schema import VERSION, Layer, Parameter, Skeleton, Value
from tracer.trace.statistics import Array
from tracer.trace.step_views import Steps
from tracer.trace.timing import SHAPES, Timing, TimingFacts, put_together
from tracer.trace.views import Layers, LayerView, Parameters, ParameterView

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_REFERENCE = np.dtype([("length", "<u4"), ("collection", "<u8"), ("index", "<u4")])
_AGAIN = "record it again; of a recording that was cut off, open the .partial file as it was left"


class Trace(Mapping[str, LayerView]):
    """A recorded run. Reads like a mapping from paths to layers of step 0: `trace["blocks.2.mlp.act"].calls[0].output`.

    `skeleton` is everything but the arrays; it is read when the trace is opened. `layers`, `parameters` and `steps`
    are the same for a person. Close it, or use it in a `with` statement; it may be used by several threads.

    Args:
        path: a file that `tracer.record` wrote, or the `.partial` file of a recording that was cut off.

    Raises:
        TraceFileError: the file is missing, unreadable, damaged, of a newer version, or no trace.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = _File(self.path)
        try:
            self.skeleton: Skeleton = self._file.skeleton()
        except BaseException:
            self._file.close()
            raise
        self._timing: Timing | None = None
        self.steps = Steps(self)
        self.layers: Mapping[str, LayerView] = Layers(self, 0)
        self.parameters: Mapping[str, ParameterView] = Parameters(self)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Trace:
        """The same as `Trace(path)`."""
        return cls(path)

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the file so far."""
        return self._file.view.bytes_read

    @property
    def complete(self) -> bool:
        """Did the recording run to its end?"""
        return self.skeleton.end.complete

    def array(self, value: Value | Parameter) -> Array:
        """The whole array of a value or parameter, in C order, of the recorded shape and dtype.

        Raises:
            TraceFileError: no array is kept of it, or the file does not hold what it says.
        """
        place = self._file.array(value)
        try:
            array = np.empty(value.shape, place.dtype)
        except (ValueError, MemoryError) as error:
            raise _damaged(self.path, f"an array of shape {str(value.shape)[:80]}: {_words(error)}") from None
        self._file.read(place.offset, array.reshape(-1).view(np.uint8))
        return array

    def blocks(self, value: Value | Parameter, elements: int = 1 << 20) -> Iterator[Array]:
        """The array as flat pieces in C order of at most `elements` elements; only one is in memory at a time.

        Raises:
            TraceFileError: as `array`, before the first piece.
        """
        place = self._file.array(value)

        def pieces() -> Iterator[Array]:
            for start in range(0, place.count, max(1, elements)):
                piece = np.empty(min(max(1, elements), place.count - start), place.dtype)
                self._file.read(place.offset + start * place.dtype.itemsize, piece.view(np.uint8))
                yield piece

        return pieces()

    def check(self, value: Value | Parameter) -> None:
        """Look whether the file holds the array of a value as it says; reads none of it.

        Raises:
            TraceFileError: as `array`.
        """
        self._file.array(value)

    def row_blocks(self, parameter: Parameter) -> Array:
        """The sums of the parameter's blocks of rows, float64 (blocks, 4); see `tracer.trace.statistics.row_blocks`.

        Raises:
            TraceFileError: the trace has none of it.
        """
        if parameter.blocks is None:
            raise _no_array(self.path, parameter.name, parameter.missing or "no sums of its rows were recorded")
        first, count = parameter.blocks
        table = self._file.sums()
        if not 0 <= first <= first + count <= len(table):
            raise _damaged(self.path, f"the row blocks of {parameter.name!r} are not in the file")
        return table[first : first + count]

    @property
    def timing(self) -> Timing | None:
        """The times of the calls of step 0; None where the trace has none (it was not recorded with `keep="timing"`, or
        was cut off before the end).

        Raises:
            TraceFileError: the trace is closed, or its times contradict it.
        """
        if self.skeleton.header.keep != "timing":
            return None
        if self._timing is None:
            steps = self.skeleton.steps
            self._timing = self._file.timing({call.order for call in steps[0].calls} if steps else set())
        return self._timing

    def close(self) -> None:
        """Close the file. What was read stays; more cannot be read."""
        self._file.close()

    def __enter__(self) -> Trace:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, path: str) -> LayerView:
        return self.layers[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.skeleton.layers)

    def __len__(self) -> int:
        return len(self.skeleton.layers)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        header, steps = self.skeleton.header, self.skeleton.steps
        calls = sum(len(step.calls) for step in steps)
        state = "complete" if self.complete else "incomplete"
        return (
            f"<Trace {self.path.name}: {header.net} in {header.framework} {header.framework_version}, "
            f"{len(self)} layers, {calls} calls in {len(steps)} step{'s' * (len(steps) != 1)}, {header.keep}, {state}>"
        )


class _Place:
    """Where the bytes of an array lie in the file."""

    def __init__(self, offset: int, dtype: np.dtype[Any], count: int) -> None:
        self.offset = offset
        self.dtype = dtype
        self.count = count


class _File:
    """The HDF5 side of a trace that is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        descriptor = _open(path)
        self._finalizer = weakref.finalize(self, _close, None, descriptor)
        try:
            self.view = View(descriptor)
            _check_superblock(path, self.view)
            self._id = _open_hdf5(self.view)
            self._finalizer.detach()
            self._finalizer = weakref.finalize(self, _close, self._id, descriptor)
        except TracerError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise _damaged(path, _words(error)) from None
        self._sums: Array | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        self._finalizer()

    def skeleton(self) -> Skeleton:
        try:
            self._check_version()
            with _no_collection():
                return self._skeleton()
        except TracerError:
            raise
        except Malformed as error:
            raise _damaged(self.path, str(error)) from None
        except Exception as error:
            raise _damaged(self.path, _words(error)) from None

    def _check_version(self) -> None:
        """A newer version may look different everywhere else, so the attribute is looked at first."""
        root = h5o.open(self._id, b"/")
        if not h5a.exists(root, b"version"):
            return
        attribute = h5a.open(root, b"version")
        if attribute.get_type().get_class() != h5t.INTEGER or attribute.shape != ():
            return  # the header says it too
        number = np.zeros((), np.int64)
        attribute.read(number)
        if int(number) > VERSION:
            raise _newer(self.path, int(number))

    def _skeleton(self) -> Skeleton:
        try:
            texts = list(self._table(layout.HEADER))
        except KeyError:
            raise _no_trace(self.path, "an HDF5 file, but no trace") from None
        self._refuse_links()
        header = decode_header(texts[0]) if texts else None
        if header is None:
            raise _no_trace(self.path, "an HDF5 file, but no trace")
        if isinstance(header, int):
            raise _newer(self.path, header)
        try:
            layers = [decode(Layer, text) for text in self._table(layout.LAYERS)]
        except KeyError:
            layers = []  # cut off before the table was written
        return assemble(header, layers, map(decode_row, self._table(layout.ROWS)))

    def _refuse_links(self) -> None:
        """A trace has plain links only: one that points elsewhere is refused, whether or not it is asked for."""

        def look(name: bytes, info: Any) -> bytes | None:
            return None if info.type == h5l.TYPE_HARD else name

        root = h5g.open(self._id, b"/")  # named, since its links do not keep it open
        found = root.links.visit(look, info=True)
        if found is not None:
            shown = bytes(found).decode("utf-8", "replace")[:80]
            raise _hostile(self.path, f"{shown!r} leads through a link to somewhere else")

    def sums(self) -> Array:
        with self._lock:
            if self._sums is None:
                self._sums = self._read_sums()
            return self._sums

    def _read_sums(self) -> Array:
        try:
            dataset = self._dataset(layout.BLOCKS)
            shape = dataset.shape
            if shape is None or len(shape) != 2 or shape[1] != 4:
                raise _damaged(self.path, "the table of row blocks has another shape")  # noqa: TRY301
            place = self._contiguous(dataset, layout.BLOCKS, shape, np.dtype(np.float64))
        except TracerError:
            raise
        except Exception as error:
            raise _damaged(self.path, _words(error)) from None
        table = np.empty(shape)
        self.read(place.offset, table.reshape(-1).view(np.uint8))
        return table

    def timing(self, known: Collection[int]) -> Timing | None:
        if not self._finalizer.alive:
            raise _closed(self.path)
        try:
            rows = list(self._table(layout.TIMING_FACTS))
        except KeyError:
            return None
        try:
            if len(rows) != 1:
                raise _damaged(self.path, "the times are said more than once, or never")  # noqa: TRY301
            arrays = {name: self._times(f"{layout.TIMING}/{name}", len(axes)) for name, axes in SHAPES.items()}
            return put_together(decode(TimingFacts, rows[0]), arrays, known)
        except TracerError:
            raise
        except Exception as error:
            raise _damaged(self.path, f"its times: {_words(error)}") from None

    def _times(self, place: str, axes: int) -> Array:
        """An int64 array of so many axes."""
        dataset = self._dataset(place)
        shape = dataset.shape
        if shape is None or len(shape) != axes:
            raise _damaged(self.path, f"{place} has other axes")
        found = self._contiguous(dataset, place, shape, np.dtype(np.int64))
        table = np.empty(shape, np.int64)
        self.read(found.offset, table.reshape(-1).view(np.uint8))
        return table

    def read(self, offset: int, buffer: Array) -> None:
        if not self._finalizer.alive:
            raise _closed(self.path)
        try:
            self.view.read(offset, buffer.data)
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def array(self, value: Value | Parameter) -> _Place:
        name = value.leaf if isinstance(value, Value) else value.name
        if value.stored is None:
            kept = isinstance(value, Parameter) or value.kind == "tensor"
            why = "the trace keeps statistics, not values" if kept else "it is no tensor"
            raise _no_array(self.path, name, value.missing or why)
        if not self._finalizer.alive:
            raise _closed(self.path)
        parts = value.stored.split("/")
        if parts[:2] != ["", "steps"] or any(part in ("", ".", "..") for part in parts[1:]):
            raise _hostile(self.path, f"an array is said to lie at {value.stored[:80]!r}, where no array may lie")
        dtype = layout.named_dtype(value.dtype)
        if dtype is None:
            raise _damaged(self.path, f"an array of dtype {value.dtype[:40]!r}, which no trace has")
        try:
            return self._contiguous(self._dataset(value.stored), value.stored, value.shape, dtype)
        except TracerError:
            raise
        except KeyError:
            raise _damaged(self.path, f"nothing lies at {value.stored[:80]!r}") from None
        except Exception as error:
            raise _damaged(self.path, _words(error)) from None

    def _dataset(self, place: str) -> h5d.DatasetID:
        """The dataset at a place, by plain links only. Raises KeyError where nothing is."""
        at: Any = h5g.open(self._id, b"/")
        for part in place.encode("utf-8", "surrogatepass").strip(b"/").split(b"/"):
            if not isinstance(at, h5g.GroupID) or not at.links.exists(part):
                raise KeyError(place)
            if at.links.get_info(part).type != h5l.TYPE_HARD:
                raise _hostile(self.path, f"{place[:80]!r} leads through a link to somewhere else")
            at = h5o.open(at, part)
        if not isinstance(at, h5d.DatasetID):
            raise KeyError(place)
        creation = at.get_create_plist()
        if creation.get_layout() == h5d.VIRTUAL or creation.get_external_count():
            raise _hostile(self.path, f"the data of {place[:80]!r} is said to lie in another file")
        if creation.get_nfilters():
            raise _hostile(self.path, f"{place[:80]!r} is packed by a filter, which no trace is")
        return at

    def _contiguous(self, dataset: h5d.DatasetID, place: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> _Place:
        if dataset.get_create_plist().get_layout() != h5d.CONTIGUOUS:
            raise _hostile(self.path, f"{place[:80]!r} does not lie in one piece, as every array of a trace does")
        if not dataset.get_type().equal(layout.hdf5_type(dtype)):
            raise _damaged(self.path, f"{place[:80]!r} is not of dtype {dtype.name}, as it is said to be")
        found = dataset.shape
        if found != shape:
            raise _damaged(self.path, f"{place[:80]!r} has shape {str(found)[:80]}, but is said to have {shape}")
        count = 1
        for size in shape:
            count *= size
        size = count * dtype.itemsize
        offset = dataset.get_offset() if size else 0
        if size and (offset is None or offset < 0 or offset + size > self.view.size):
            raise _damaged(self.path, f"{place[:80]!r} would lie beyond the end of the file")
        return _Place(offset or 0, dtype, count)

    # Texts: HDF5 keeps them in "global heap collections"; a table holds (length, collection, index) of each.

    def _table(self, place: str) -> Iterator[bytes]:
        dataset = self._dataset(place)
        kind = dataset.get_type()
        shape, creation = dataset.shape, dataset.get_create_plist()
        if not isinstance(kind, h5t.TypeStringID) or not kind.is_variable_str() or shape is None or len(shape) != 1:
            raise _damaged(self.path, f"{place} is no table of texts")
        if creation.get_layout() != h5d.CHUNKED:
            raise _damaged(self.path, f"{place} is no growing table")
        count, (chunk,) = shape[0], creation.get_chunk()
        if count * _REFERENCE.itemsize > self.view.size or chunk * _REFERENCE.itemsize > self.view.size:
            raise _damaged(self.path, f"{place} is said to be larger than the file")
        heap = _Heap(self.path, self.view)
        for start in range(0, count, chunk):
            info = dataset.get_chunk_info_by_coord((start,))
            if info.byte_offset is None or info.size != chunk * _REFERENCE.itemsize:
                raise _damaged(self.path, f"a part of {place} is not in the file")
            for reference in self._references(info.byte_offset, min(chunk, count - start)):
                yield heap.text(*reference)

    def _references(self, offset: int, count: int) -> list[tuple[int, int, int]]:
        size = count * _REFERENCE.itemsize
        if offset + size > self.view.size:
            raise _damaged(self.path, "a table would lie beyond the end of the file")
        buffer = bytearray(size)
        self.view.read(offset, memoryview(buffer))
        references: list[tuple[int, int, int]] = np.frombuffer(buffer, _REFERENCE).tolist()
        return references


class _Heap:
    """Reads HDF5's global heap collections, each of them once, and no more of them than the file can hold."""

    _KEPT = 64

    def __init__(self, path: Path, view: View) -> None:
        self._path = path
        self._view = view
        self._kept: dict[int, dict[int, bytes]] = {}
        self._budget = 4 * view.size
        self._texts = view.size

    def text(self, length: int, collection: int, index: int) -> bytes:
        if not length:
            return b""
        objects = self._kept.get(collection)
        if objects is None:
            if len(self._kept) >= self._KEPT:
                self._kept.pop(next(iter(self._kept)))
            objects = self._kept[collection] = self._collection(collection)
        text = objects.get(index)
        self._texts -= length
        if text is None or len(text) != length or self._texts < 0:
            raise _damaged(self._path, "a row is not where it is said to be")
        return text

    def _collection(self, offset: int) -> dict[int, bytes]:
        head = bytearray(16)
        if offset + len(head) > self._view.size:
            raise _damaged(self._path, "a row would lie beyond the end of the file")
        self._view.read(offset, memoryview(head))
        magic, version, size = struct.unpack("<4sB3xQ", head)
        self._budget -= size
        if magic != b"GCOL" or version != 1 or offset + size > self._view.size or self._budget < 0:
            raise _damaged(self._path, "rows are not where they are said to be")
        body = bytearray(size)
        self._view.read(offset, memoryview(body))
        objects: dict[int, bytes] = {}
        at = 16
        while at + 16 <= size:
            index, _, length = struct.unpack_from("<HHxxxxQ", body, at)
            if not index or at + 16 + length > size:
                break
            objects[index] = bytes(body[at + 16 : at + 16 + length])
            at += 16 + length + -length % 8
        return objects


@contextmanager
def _no_collection() -> Iterator[None]:
    """A large skeleton is a million small objects, none of them garbage; looking for some takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def is_hdf5(path: Path) -> bool:
    """Does a file begin as every trace does? False where it cannot be read."""
    try:
        with path.open("rb") as file:
            return path.is_file() and file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


def _open_hdf5(view: View) -> h5f.FileID:
    access = layout.file_access()
    access.set_fileobj_driver(h5fd.fileobj_driver, view)
    try:
        return h5f.open(b"trace", h5f.ACC_RDONLY, fapl=access)
    finally:
        access.close()  # it holds `view`, which must not outlive the interpreter


def _open(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        partial = path.with_name(path.name + ".partial")
        then = f"a recording that was cut off is in {partial.name}" if partial.exists() else "check the path"
        raise TraceFileError("There is no such trace", where=str(path), then=then) from None
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    try:
        mode, size = os.fstat(descriptor).st_mode, os.fstat(descriptor).st_size
    except OSError as error:
        os.close(descriptor)
        raise _unreadable(path, error) from None
    what = _not_a_file(mode, size)
    if what:
        os.close(descriptor)
        raise _no_trace(path, what)
    return descriptor


def _not_a_file(mode: int, size: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if not stat.S_ISREG(mode):
        return "no file"
    return "" if size else "an empty file"


def _close(file: Any, descriptor: int) -> None:
    """HDF5 must let go of the file before its bytes go away, and before the interpreter ends."""
    try:
        if file is not None:
            file.close()
    finally:
        os.close(descriptor)


def _check_superblock(path: Path, view: View) -> None:
    head = bytearray(48)
    view.read(0, memoryview(head))
    if not head.startswith(_SIGNATURE):
        if _SIGNATURE.startswith(bytes(head[: view.size])):
            raise _truncated(path)
        raise _no_trace(path, "no HDF5 file")
    if head[8] in (2, 3) and struct.unpack_from("<Q", head, 28)[0] > view.size:
        raise _truncated(path)


def _words(error: BaseException) -> str:
    text = str(error).split("\n")[0].strip("'\"")
    return text[:160] if text else type(error).__name__


def _no_trace(path: Path, what: str) -> TraceFileError:
    return TraceFileError(f"Not a trace ({what})", where=str(path), then="give a file that tracer.record wrote")


def _truncated(path: Path) -> TraceFileError:
    return TraceFileError("The trace is cut short: the file ends before it is whole", where=str(path), then=_AGAIN)


def _damaged(path: Path, what: str) -> TraceFileError:
    return TraceFileError(f"The trace is damaged ({what})", where=str(path), then=_AGAIN)


def _hostile(path: Path, what: str) -> TraceFileError:
    then = "do not trust this file; record it again with tracer.record"
    return TraceFileError(f"The trace is refused ({what})", where=str(path), then=then)


def _newer(path: Path, version: int) -> TraceFileError:
    return TraceFileError(
        f"The trace is of version {version}; this tracer reads up to version {VERSION}",
        where=str(path),
        then="upgrade tracer, or read the file with the one that wrote it",
    )


def _unreadable(path: Path, error: BaseException) -> TraceFileError:
    code = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(code) if code else _words(error)
    then = "ask for the right to read it" if code in (errno.EACCES, errno.EPERM) else "check the path and the disk"
    return TraceFileError(f"The trace cannot be read ({reason})", where=str(path), then=then)


def _no_array(path: Path, name: str, why: str) -> TraceFileError:
    return TraceFileError(
        f"No array is kept of {name!r} ({why})" if name else f"No array is kept of this value ({why})",
        where=str(path),
        then="record with keep='values' and without the filter that left it out",
    )


def _closed(path: Path) -> TraceFileError:
    return TraceFileError("The trace is closed", where=str(path), then="open it again: Trace(path)")
