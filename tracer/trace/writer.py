"""TraceWriter: streams rows and arrays into a trace file while the net runs.

The net's thread only copies (`copy`) and queues (`write`). One thread takes statistics and digest, writes arrays
straight to their place in the file and rows once a second; whatever goes wrong there is kept until `finish`.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from tracer.errors import TracerError
from tracer.trace import layout
from tracer.trace.file import ROWS_AT_ONCE, GrowingFile, write_error
from tracer.trace.rows import OF_ONE_VALUE, encode, values_of
from tracer.trace.schema import (
    End,
    Entered,
    Gradient,
    Header,
    Layer,
    Loss,
    LossGradient,
    OptimizerState,
    Parameter,
    ParameterGradient,
    ParameterState,
    Returned,
    Row,
    Statistics,
    Sums,
    UpdateGradient,
    Value,
)
from tracer.trace.statistics import Array, digest, measure, statistics
from tracer.trace.timing import Timing, arrays_of, facts_of

T = TypeVar("T")
S = TypeVar("S", ParameterState, ParameterGradient, OptimizerState)

QUEUE = 256 << 20
_BYTES_AT_ONCE = 8 << 20
_HUGE = 4 << 20


class Copy(NamedTuple):
    """What is kept of an array that may change: a copy that `write` takes, or, where no values are stored, statistics
    and digest; `problem` says why there is neither, `stored` where the trace has such an array already."""

    array: Array | None = None
    statistics: Statistics | None = None
    digest: str | None = None
    problem: str | None = None
    stored: str | None = None


def measured(array: Array, sums: Sums | None = None) -> Copy:
    """Statistics and digest of an array, of which `sums` are perhaps known."""
    problem = layout.unstorable(array)
    if problem is not None:
        return Copy(problem=problem)
    whole = np.ascontiguousarray(array)
    return Copy(None, statistics(whole, sums), digest(whole))


def uninterrupted(work: Callable[[], T]) -> T:
    """Do it in a thread, which no Ctrl-C reaches: one that falls into HDF5 leaves it in pieces. The interrupt comes
    when the work is done."""
    once, ended = threading.Lock(), threading.Event()
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        if not once.acquire(blocking=False):
            return  # an interrupted start did start
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)
        finally:
            ended.set()

    interrupt: KeyboardInterrupt | None = None
    threads: list[threading.Thread] = []
    while True:
        try:
            while not ended.is_set():
                if not once.locked():
                    threads.append(threading.Thread(target=run, name="trace writer", daemon=True))
                    threads[-1].start()
                ended.wait(1.0)
            for thread in threads:
                if thread.is_alive():
                    thread.join()
            break
        except KeyboardInterrupt as error:
            interrupt = error
    if failed:
        raise failed[0]
    if interrupt is not None:
        raise interrupt
    return done[0]


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
        self._keep = self.keeping = header.keep == "values"
        """`keeping` may be put off for a while: then `copy` measures."""
        self._measuring = header.keep != "timing"
        self._timing: Timing | None = None
        self._closed = False
        self._pool = _Pool()
        self._limit = queue_bytes
        self._queue: deque[tuple[Row, Sequence[Array | None], int]] = deque()
        self._waiting = 0
        self._full = False
        self._asked = False
        self._changed = threading.Condition()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._file = uninterrupted(lambda: GrowingFile(self.out, self.partial, header))
        self._places: dict[tuple[int, int], tuple[str, int]] = {}
        self._newest: dict[tuple[type | str, ...], Row] = {}

    # ---------------------------------------------------------------------------------------------------------------
    # The net's thread
    # ---------------------------------------------------------------------------------------------------------------

    def timing(self, timing: Timing) -> None:
        """Keep the times of the net's calls; `finish` writes them."""
        self._timing = timing

    def copy(self, array: Array, sums: Callable[[], Sums | None] = lambda: None) -> Copy:
        """A private copy in C order; measures, taken here and now, where no values are stored. (A thread that measures
        would take a core from the net, whose own threads then wait for each other.) `sums` asks the framework what it
        can say of the array. Waits while too many bytes wait for the disk."""
        if not self.keeping:
            return measured(array, sums()) if self._measuring else Copy()
        with self._changed:
            while self._waiting and self._waiting + array.nbytes > self._limit and self.failure is None:
                self._full = True
                self._changed.notify_all()
                self._changed.wait(1.0)
            self._full = False
        copy = self._pool.empty(array)
        np.copyto(copy, array)
        return Copy(copy)

    def again(self, array: Array, known: Value) -> Copy | None:
        """What is kept of an array whose bits are those of a value in the trace; None where they are others, or the
        trace lacks something of it."""
        kept = known.digest is not None and known.statistics is not None and (known.stored or not self.keeping)
        if not kept or array.shape != known.shape or array.dtype.name != known.dtype or digest(array) != known.digest:
            return None
        return Copy(None, known.statistics, known.digest, stored=known.stored if self.keeping else None)

    def newest(self, kind: type[S], *names: str) -> S | None:
        """The last row of a parameter's state (`ParameterState, path, name`), its gradient (`ParameterGradient, path,
        name`) or an entry of the optimizer's (`OptimizerState, path, name, key`) of which everything is known; those
        whose copies still wait for the disk do not count."""
        row = self._newest.get((kind, *names))
        return row if isinstance(row, kind) else None

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
        return uninterrupted(lambda: self._layers(layers, arrays))

    def _layers(self, layers: Iterable[Layer], arrays: Iterable[tuple[tuple[str, str], Array]]) -> tuple[Layer, ...]:
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

    def write(self, row: Row, arrays: Sequence[Array | None] = ()) -> None:
        """Queue a row. `arrays` go with `values_of(row)`; None where a value has no array of its own.

        The arrays must not change any more. Never raises: what goes wrong is kept in `failure`.
        """
        size = sum(array.nbytes for array in arrays if array is not None)
        if not size:
            self._note(row)
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

    def write_soon(self) -> None:
        """Bring what is queued to the disk as soon as it can be, without waiting for it."""
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def wait_until_written(self) -> None:
        """Wait for what `write_soon` asked for; returns at once where nothing was asked, or writing has failed."""
        with self._changed:
            while self._asked and self.failure is None and self._thread is not None and not self._ending:
                self._changed.wait(0.1)

    def finish(self, end: End) -> Path:
        """Write what is queued and `end`, and put the trace in its place.

        Returns:
            The path of the trace.

        Raises:
            TraceFileError: something could not be written; what was written is in `partial`, and `out` is as it was.
        """
        uninterrupted(lambda: self._finish(end))
        if self.failure is not None:
            raise self._problem(self.failure) from self.failure
        return self.out

    def _finish(self, end: End) -> None:
        self._drain()
        if self.failure is None and not self._closed:
            try:
                if self._timing is not None:
                    self._file.timing(encode(facts_of(self._timing)), arrays_of(self._timing))
                self._file.append(encode(end))
                self._file.complete(end.complete)
            except Exception as error:
                self.failure = error
        self._close()

    def abandon(self) -> None:
        """Give up: close, remove `partial`, leave `out` as it was. Never raises."""
        with self._changed:
            self._queue.clear()
            self._waiting = 0
        uninterrupted(self._give_up)

    def _give_up(self) -> None:
        self._drain()
        self._close(remove=True)

    # ---------------------------------------------------------------------------------------------------------------
    # The writer's thread
    # ---------------------------------------------------------------------------------------------------------------

    def _plenty(self) -> bool:
        """Is there enough to wake for? (Each time both threads are awake, one waits for Python's lock.)"""
        return (
            self._full
            or self._ending
            or self._asked
            or self._waiting >= _BYTES_AT_ONCE
            or len(self._queue) >= ROWS_AT_ONCE
        )

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
            with self._changed:
                asked = self._asked and not self._queue
            self._try(self._file.commit if asked else self._commit_when_due)
            if asked:
                with self._changed:
                    self._asked = bool(self._queue)
                    self._changed.notify_all()

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

    def _filled(self, row: Row, arrays: Sequence[Array | None]) -> Row:
        """The row with statistics, digests and places of its values; their arrays are in the file."""
        if isinstance(row, Entered):
            self._places[row.step, row.order] = (row.path, row.index)
        if all(array is None for array in arrays):
            return self._linked(row)
        new = [
            value if array is None else self._value(row, value, array)
            for value, array in zip(values_of(row), arrays, strict=True)
        ]
        if isinstance(row, Entered):
            split = len(row.inputs)
            return replace(row, inputs=tuple(new[:split]), kwargs=tuple(new[split:]))
        if isinstance(row, Returned):
            return replace(row, outputs=tuple(new))
        if isinstance(row, Loss):
            return replace(row, value=new[0], inputs=tuple(new[1:]))
        if isinstance(row, OF_ONE_VALUE):
            filled: Row = replace(row, value=new[0])
            self._note(filled)
            return filled
        return row

    def _linked(self, row: Row) -> Row:
        """The row, where its value is in the file already (`again`), with a place of its own for it."""
        if not isinstance(row, OF_ONE_VALUE) or row.value.stored is None:
            return row
        place = self._file.link(self._place(row, row.value), row.value.stored)
        return replace(row, value=replace(row.value, stored=place))

    def _note(self, row: Row) -> None:
        if isinstance(row, ParameterState | ParameterGradient):
            self._newest[type(row), row.path, row.name] = row
        elif isinstance(row, OptimizerState):
            self._newest[type(row), row.path, row.name, row.key] = row

    def _value(self, row: Row, value: Value, array: Array) -> Value:
        problem = layout.unstorable(array)
        if problem is not None:
            return replace(value, missing=problem)
        if not self._measuring:
            return value
        facts = self._file.facts(array)
        if not self._keep:
            return replace(value, statistics=facts.statistics, digest=facts.digest)
        stored = self._file.store(self._place(row, value), array, facts.digest)
        return replace(value, statistics=facts.statistics, digest=facts.digest, stored=stored)

    def _place(self, row: Row, value: Value) -> str:
        if isinstance(row, ParameterGradient):
            return layout.parameter_gradient_place(row.step, row.path, row.name, row.part)
        if isinstance(row, UpdateGradient):
            return layout.update_gradient_place(row.step, row.path, row.name)
        if isinstance(row, ParameterState):
            return layout.parameter_state_place(row.step, row.when, row.path, row.name)
        if isinstance(row, OptimizerState):
            return layout.optimizer_state_place(row.step, row.when, row.path, row.name, row.key)
        if isinstance(row, LossGradient):
            return layout.loss_place(row.step, row.index, "gradient", value.leaf)
        if isinstance(row, Loss):
            part = "value" if value is row.value else "input"
            return layout.loss_place(row.step, row.index, part, value.leaf)
        assert isinstance(row, Entered | Returned | Gradient)
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
        value = Value(key[1], "tensor", array.shape, array.dtype.name, statistics=found, digest=code, stored=stored)
        self._note(ParameterState(-1, "before", *key, value))
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
        return write_error(error, self.partial)


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
