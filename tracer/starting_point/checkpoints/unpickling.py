"""A reader of pickles that runs nothing: it knows what a file of parameters is made of, and refuses all else by name.

A pickle is a program for a small machine. This machine is written out here rather than borrowed, so that nothing of the
file is ever imported or called, and no number in it makes memory grow beyond what the file itself takes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import Any, Protocol

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED
from tracer.starting_point.checkpoints.pickled import (
    SAVE_STATE,
    Named,
    Storage,
    fill,
    named,
    plain_key,
    printable,
    storage_said,
)

_LONGEST_LINE = 1 << 16


class Readable(Protocol):
    """What a pickle is read from: the bytes of a member, or a file that goes on behind the pickle."""

    def read(self, size: int, /) -> bytes:
        """So many bytes."""

    def readline(self, size: int, /) -> bytes:
        """The bytes up to the end of a line, so many at most."""


class _Mark:
    """Where on the stack the parts of something begin."""


class _Machine:
    """A pickle being read."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0
        self.storages: dict[str, Storage] = {}

    def since_mark(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[at], _Mark):
                found = self.stack[at + 1 :]
                del self.stack[at:]
                return found
        raise IndexError("no mark")

    def step(self, op: str, arg: Any) -> None:
        """One opcode: the argument is read already."""
        stack = self.stack
        if op in _CONSTANTS:
            stack.append(_CONSTANTS[op])
        elif op in _LITERALS:
            stack.append(arg)
        elif op in _EMPTY:
            stack.append(_EMPTY[op]())
        elif op in {"BINGET", "LONG_BINGET"}:
            stack.append(self.memo[arg])
        elif op in {"BINPUT", "LONG_BINPUT", "MEMOIZE"}:
            self.memo[len(self.memo) if op == "MEMOIZE" else arg] = stack[-1]
        elif op in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            size = int(op[-1])
            stack[-size:] = [tuple(_taken(stack, size))]
        elif op == "TUPLE":
            stack.append(tuple(self.since_mark()))
        elif op in {"LIST", "FROZENSET"}:
            stack.append(self.since_mark())
        elif op in {"APPEND", "APPENDS", "ADDITEMS"}:
            items = [stack.pop()] if op == "APPEND" else self.since_mark()
            _list(stack[-1]).extend(items)
        elif op in {"SETITEM", "SETITEMS", "DICT"}:
            pairs = [stack.pop(-2), stack.pop()] if op == "SETITEM" else self.since_mark()
            if op == "DICT":
                stack.append({})
            target = _dict(stack[-1])
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                target[plain_key(key)] = value
        elif op == "GLOBAL":
            module, _, name = arg.partition(" ")
            stack.append(named(module, name, self.where))
        elif op == "STACK_GLOBAL":
            module, name = stack.pop(-2), stack.pop()
            stack.append(named(str(module), str(name), self.where))
        elif op in {"REDUCE", "NEWOBJ"}:
            arguments = stack.pop()
            stack.append(self.made(stack.pop(), arguments))
        elif op == "BUILD":
            state = stack.pop()
            self.copied += sum(len(each) for each in state if isinstance(each, (str, bytearray))) if state else 0
            fill(stack[-1], state)
        elif op == "BINPERSID":
            storage = storage_said(stack.pop())
            self.storages.setdefault(storage.key, storage)
            stack.append(storage)
        elif op in {"POP", "POP_MARK", "DUP"}:
            self.dropped(op)
        elif op not in {"PROTO", "FRAME"}:
            raise CheckpointError(
                f"the file wants to make objects by the pickle step {op}", where=self.where, then=SAVE_STATE
            )

    def dropped(self, op: str) -> None:
        if op == "POP":
            self.stack.pop()
        elif op == "DUP":
            self.stack.append(self.stack[-1])
        else:
            self.since_mark()

    def made(self, what: Any, arguments: Any) -> Any:
        if not isinstance(what, Named) or what.make is None:
            name = what.name if isinstance(what, Named) else type(what).__name__
            raise CheckpointError(
                f"the file wants to call {printable(name)}, and no code from a file is run",
                where=self.where,
                then=SAVE_STATE,
            )
        # A copy of something large, asked for again and again, must not take more than the pickle could.
        self.copied += sum(len(each) for each in arguments if isinstance(each, (str, bytes, bytearray, list, dict)))
        return what.make(*arguments)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_EMPTY: dict[str, Callable[[], Any]] = {
    "MARK": _Mark,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
    "EMPTY_TUPLE": tuple,
}
_SLIPS = (
    IndexError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
)


def unpickle(source: Readable, size: int, where: str) -> tuple[Any, dict[str, Storage]]:
    """Read one pickle; `source` stands behind it afterwards.

    Args:
        source: where it begins.
        size: how many bytes are left there: what a claim in the pickle is held against.
        where: the file, for messages.

    Returns:
        Plain containers, numbers and text, with `TensorView`, `HeldArray`, `Unusual` and `Inert` among them; and every
        storage it speaks of, by key.

    Raises:
        CheckpointError: it wants to call something, or it is damaged.
    """
    machine = _Machine(where)
    try:
        for opcode, arg, _ in pickletools.genops(_Bounded(source, size)):  # type: ignore[arg-type]
            if opcode.name == "STOP":
                break
            machine.step(opcode.name, arg)
            if machine.copied > 4 * size + _LONGEST_LINE:
                raise ValueError("it copies one thing again and again")
        return machine.stack.pop(), machine.storages
    except _SLIPS as error:
        raise CheckpointError(f"the names in a file cannot be read ({error})", where=where, then=DAMAGED) from error


class _Bounded:
    """The source of a pickle that is never asked for more than is there."""

    def __init__(self, source: Readable, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int) -> bytes:
        if size > self._left:
            raise EOFError("it ends too early")
        self._left -= size
        return self._source.read(size)

    def readline(self) -> bytes:
        line = self._source.readline(_LONGEST_LINE)
        self._left -= len(line)
        if b"\\" in line:
            raise ValueError("a name with escapes")
        return line


def _list(thing: Any) -> list[Any]:
    if not isinstance(thing, list):
        raise TypeError("something is put into what is no list")
    return thing


def _dict(thing: Any) -> dict[Any, Any]:
    if not isinstance(thing, dict):
        raise TypeError("something is put into what is no mapping")
    return thing


def _taken(stack: list[Any], size: int) -> list[Any]:
    if len(stack) < size:
        raise IndexError("the stack is empty")
    return stack[-size:]
