"""What of a net waits until it is put back, in whatever framework: arrays in bounded memory, then in a temporary
file; attributes; what containers contain; where random generators stand."""

from __future__ import annotations

import array
import copy
import itertools
import operator
import random
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any

import numpy as np

from tracer.trace.schema import ROOT

Array = np.ndarray[Any, Any]

IN_MEMORY = 256 << 20
"""Bytes of a net that are kept in memory to be put back; the rest goes to a temporary file."""


class Store:
    """Bytes of many arrays: in memory as long as they are few, then in a temporary file."""

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._left = limit
        self._file: IO[bytes] | None = None
        self._end = 0

    def keep(self, values: Array) -> Callable[[], Array]:
        """Keep a copy; returns how to get it back, in C order and not to be written to."""
        if values.nbytes <= self._left:
            self._left -= values.nbytes
            kept = np.array(values, order="C")
            return lambda: kept
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="tracer-")  # noqa: SIM115 (closed by `close`)
        file, start, size, dtype, shape = self._file, self._end, values.nbytes, values.dtype, values.shape
        file.seek(start)
        file.write(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
        self._end += size

        def read() -> Array:
            file.seek(start)
            found: Array = np.frombuffer(file.read(size), np.uint8).view(dtype).reshape(shape)
            return found

        return read

    def close(self) -> None:
        """Give the temporary file back; what it held cannot be had any more."""
        if self._file is not None:
            self._file.close()


def same_bits(one: Array, other: Array) -> bool:
    """Are shape, dtype and every bit the same?"""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    left, right = (np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in (one, other))
    words = left.size // 8 * 8  # eight bytes at a time, then the rest
    return bool(
        np.array_equal(left[:words].view(np.uint64), right[:words].view(np.uint64))
        and np.array_equal(left[words:], right[words:])
    )


PutBack = Callable[[], object]
"""Puts one thing back; raises where that cannot be done."""


@dataclass(frozen=True)
class Part:
    """One thing that a net holds: how to put it back (None: it cannot change), and what it holds itself, by name."""

    put_back: PutBack | None
    items: Iterable[tuple[str, Any]] = ()


class NotKept(Exception):  # noqa: N818  (a signal to `Contents`, never seen by a user)
    """The thing may change and cannot be put back; says why."""


class Contents:
    """All that a net holds and how to put it back: what containers contain (lists, dicts, sets, deques, numpy arrays,
    those inside them too), where random generators stand, attributes of plain objects; and what `of_framework` knows.

    `of_framework` gives the `Part` of a layer, tensor or generator of the framework, and None for anything else. It
    may raise what it likes: the thing is then named as one that could not be put back. `layers` are known under their
    paths, the net itself under "".
    """

    def __init__(
        self, store: Store, of_framework: Callable[[Any], Part | None], layers: Iterable[tuple[str, Any]] = ()
    ) -> None:
        self._store, self._of_framework = store, of_framework
        self._paths = {id(layer): path for path, layer in layers}
        self._seen: dict[int, Any] = {}  # held, so that no id comes again
        self._put_back: list[tuple[str, PutBack]] = []
        self._problems: list[str] = []

    def keep(self, place: str, value: Any) -> None:
        """Keep `value`, known as `place`, and all it holds."""
        waiting = [(place, value, 0)]
        while waiting:
            where, one, depth = waiting.pop()
            if isinstance(one, _PLAIN) or id(one) in self._seen:
                continue
            self._seen[id(one)] = one
            where = self._paths.get(id(one), where)
            try:
                part, deeper = self._part(one, depth)
            except Exception as error:  # a class of the user's may refuse anything
                reason = str(error) if isinstance(error, NotKept) else f"it cannot be copied, {type(error).__name__}"
                self._problems.append(f"{where} ({type(one).__name__}): {reason}")
                continue
            if part.put_back is not None:
                self._put_back.append((where, part.put_back))
            waiting += [
                (f"{where}.{name}" if where else name, item, deeper)
                for name, item in part.items
                if not isinstance(item, _PLAIN)
            ]

    def keep_class(self, kind: type) -> None:
        """Keep the data that all layers of a class share."""
        held = _data_of_class(kind)
        self.add(kind.__name__, partial(_put_back_class, kind, held))
        for name, value in held.items():
            self.keep(f"{kind.__name__}.{name}", value)

    def add(self, place: str, put_back: PutBack) -> None:
        """Something that is not held by the net."""
        self._put_back.append((place, put_back))

    def missing(self, problem: str) -> None:
        """Something that is known not to be put back."""
        self._problems.append(problem)

    def restore(self) -> tuple[str, ...]:
        """Put all of it back, once; names what could not be. An interrupt comes when all of it is."""
        waiting, problems = deque(self._put_back), list(self._problems)
        interrupt: KeyboardInterrupt | None = None
        while waiting:
            try:
                _put_back_all(waiting, problems)
            except KeyboardInterrupt as error:
                interrupt = error
        self._store.close()
        if interrupt is not None:
            raise interrupt
        return tuple(problems)

    def _part(self, value: Any, depth: int) -> tuple[Part, int]:
        """The part, and how many plain objects lie above what it holds."""
        found = self._of_framework(value)
        if found is not None:
            return found, depth
        if isinstance(value, np.ndarray):
            return self._of_array(value), depth
        for kind, read, put in _KINDS:
            if isinstance(value, kind):
                return Part(partial(put, value, read(value)), _items(value)), depth
        if isinstance(value, tuple | frozenset):
            return Part(None, _items(value)), depth
        if _is_plain_object(value):
            fields = vars(value)
            return Part(
                partial(_refill_dict, fields, dict(fields)), list(fields.items()) if depth < _OBJECTS else ()
            ), depth + 1
        return Part(_check_iterator(value) if isinstance(value, Iterator) else None), depth

    def _of_array(self, value: Array) -> Part:
        if not value.flags.writeable:
            return Part(None)
        if isinstance(value, np.memmap):
            raise NotKept("an array in a file, which is not copied; what the net wrote into it stays")
        if value.dtype.hasobject:
            return Part(partial(np.copyto, value, value.copy()), ((str(n), item) for n, item in enumerate(value.flat)))
        read = self._store.keep(value)
        return Part(partial(_refill_array, value, read))


def _put_back_all(waiting: deque[tuple[str, PutBack]], problems: list[str]) -> None:
    """What is interrupted stays the first that waits."""
    while waiting:
        where, put_back = waiting[0]
        try:
            put_back()
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            problems.append(f"{where or 'the net'}: {reason}")
        waiting.popleft()


@dataclass(frozen=True)
class Attributes:
    """The attributes of one layer, each the very object, and what the tables among them hold; `ignored` are those
    that the framework keeps for itself."""

    live: dict[str, Any]
    values: Mapping[str, Any]
    tables: Mapping[str, Mapping[str, Any]]
    ignored: frozenset[str]

    @staticmethod
    def of(layer: Any, tables: Iterable[str], ignored: frozenset[str] = frozenset()) -> Attributes:
        """As they are now. Of `tables` only what is a dict counts; the rest are values."""
        live = vars(layer)
        found = {name: dict(live[name]) for name in tables if isinstance(live.get(name), dict)}
        values = {name: value for name, value in live.items() if name not in ignored or name in found}
        return Attributes(live, values, found, ignored)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Name and object of all there is, what lies in the tables under its own name."""
        for table in self.tables.values():
            yield from ((str(name), item) for name, item in table.items())
        yield from ((name, value) for name, value in self.values.items() if name not in self.tables)

    def put_back(self) -> None:
        """Every attribute the object it was, every table with the entries it had, in their order."""
        for name in [name for name in self.live if name not in self.values and name not in self.ignored]:
            del self.live[name]
        for name, value in self.values.items():
            if self.live.get(name, _NOTHING) is not value:
                self.live[name] = value
        for name, kept in self.tables.items():
            _refill_dict(self.live[name], kept)


_NOTHING = object()

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
"""What cannot change."""

_OBJECTS = 2
"""How many plain objects one inside the other are kept: deeper ones lead out of the net, into the rest of a program."""

_NO_STATE_OF_A_NET = frozenset(sys.stdlib_module_names) - {"types", "collections", "argparse"} | {
    *("torch", "mindspore", "numpy", "tracer")
}
"""Packages whose objects are left alone: threads, queues, loggers, modules, functions, and what the frameworks make."""


def _is_plain_object(value: Any) -> bool:
    """An object with attributes, of a class that someone wrote to hold state (a cache, a counter, a namespace)."""
    package = type(value).__module__.partition(".")[0]
    return package not in _NO_STATE_OF_A_NET and type(getattr(value, "__dict__", None)) is dict


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, dict):
        return [(str(key), item) for key, item in value.items() if not isinstance(item, _PLAIN)]
    if isinstance(value, list | tuple | set | frozenset | deque):
        return [(str(index), item) for index, item in enumerate(value) if not isinstance(item, _PLAIN)]
    return ()


def _check_iterator(value: Any) -> PutBack:
    """What has been taken from an iterator (or a file) does not go back into it. Most cannot even be asked how far
    they are."""

    def place() -> Any:
        return repr(value) if isinstance(value, itertools.count) else operator.length_hint(value, -1)

    before = place()
    if before == -1:
        raise NotKept(_TAKEN)

    def check() -> None:
        if place() != before:
            raise NotKept(_TAKEN)

    return check


_TAKEN = "what the net took from it cannot be put back"


def _data_of_class(kind: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(kind).items()
        if not name.startswith("__") and not callable(value) and not hasattr(type(value), "__get__")
    }


def _put_back_class(kind: type, kept: Mapping[str, Any]) -> None:
    now = _data_of_class(kind)
    for name in now.keys() - kept.keys():
        delattr(kind, name)
    for name, value in kept.items():
        if now.get(name, _NOTHING) is not value:
            setattr(kind, name, value)


def _refill_array(value: Array, read: Callable[[], Array]) -> None:
    kept = read()
    if not same_bits(value, kept):
        np.copyto(value, kept)


def _refill_list(value: Any, kept: Sequence[Any]) -> None:
    if not _same(value, kept):
        value[:] = kept


def _refill_deque(value: Any, kept: Sequence[Any]) -> None:
    if not _same(value, kept):
        value.clear()
        value.extend(kept)


def _refill_set(value: Any, kept: Sequence[Any]) -> None:
    if not _same(list(value), kept):
        value.clear()
        value.update(kept)


def _refill_dict(value: Any, kept: Mapping[Any, Any]) -> None:
    if not (_same(list(value), list(kept)) and _same(list(value.values()), list(kept.values()))):
        value.clear()
        for key, item in kept.items():
            value[key] = item


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """The very same objects: tensors cannot be asked whether they are equal."""
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _of_bits(value: Any) -> Any:
    return copy.deepcopy(value.state)


def _set_bits(value: Any, kept: Any) -> None:
    value.state = kept


def _set_all(value: Any, kept: Any) -> None:
    value[:] = kept


_KINDS: tuple[tuple[type, Callable[[Any], Any], Callable[[Any, Any], None]], ...] = (
    (dict, dict, _refill_dict),
    (list, list, _refill_list),
    (set, list, _refill_set),
    (deque, list, _refill_deque),
    (bytearray, bytes, _set_all),
    (array.array, lambda value: value[:], _set_all),
    (random.Random, lambda value: value.getstate(), lambda value, kept: value.setstate(kept)),
    (np.random.RandomState, lambda value: value.get_state(), lambda value, kept: value.set_state(kept)),
    (np.random.BitGenerator, _of_bits, _set_bits),
    (
        np.random.Generator,
        lambda value: _of_bits(value.bit_generator),
        lambda value, kept: _set_bits(value.bit_generator, kept),
    ),
)
"""What has a state, how it is read, and how it is put back."""


def keep_net(store: Store, of_framework: Callable[[Any], Part | None], layers: Sequence[tuple[str, Any]]) -> Contents:
    """All that the layers of a net (paths and layers, the net first) and their classes hold, and the random state of
    Python and numpy."""
    named = [("" if path == ROOT else path, layer) for path, layer in layers]
    contents = Contents(store, of_framework, named)
    for path, layer in named:
        contents.keep(path, layer)
    for kind in {kind for _, layer in named for kind in type(layer).__mro__ if is_users(kind)}:
        contents.keep_class(kind)
    keep_random_state(contents)
    return contents


def is_users(kind: type) -> bool:
    """Is it a class that someone wrote, not a framework or Python?"""
    return kind.__module__.partition(".")[0] not in _NOT_THE_USERS


_NOT_THE_USERS = frozenset({"torch", "mindspore", "pybind11_builtins", "builtins", "abc", "typing"})


def keep_random_state(contents: Contents) -> None:
    """Where the generators of Python and numpy stand."""
    contents.add("Python's random state", partial(random.setstate, random.getstate()))
    contents.add("numpy's random state", partial(np.random.set_state, np.random.get_state()))  # noqa: NPY002
