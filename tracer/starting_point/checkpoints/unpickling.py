"""A reader of pickles that runs nothing: it knows what a file of parameters is made of, and refuses all else by name.

A pickle is a program for a small machine. This machine is written out here rather than borrowed, so that nothing of the
file is ever imported or called, and no number in it makes memory grow beyond what the file itself takes.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED
from tracer.starting_point.checkpoints.dtypes import BY_NAME, BY_STORAGE, NUMPY_CODES

SAVE_STATE = "where you trust the file, load it with the framework that wrote it and save net.state_dict() alone"
_LONGEST_LINE = 1 << 16


class Readable(Protocol):
    """What a pickle is read from: the bytes of a member, or a file that goes on behind the pickle."""

    def read(self, size: int, /) -> bytes:
        """So many bytes."""

    def readline(self, size: int, /) -> bytes:
        """The bytes up to the end of a line, so many at most."""


@dataclass(frozen=True)
class Storage:
    """Numbers that tensors are views of: `count` of them, or as many bytes where the dtype is empty.

    Two storages of one key are one; `offset` is where a view of a storage begins in it, in numbers.
    """

    key: str
    dtype: str
    count: int
    offset: int = 0


@dataclass(frozen=True)
class TensorView:
    """A tensor as a pickle describes it: a view of a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str
    conjugate: bool = False
    negative: bool = False


@dataclass(frozen=True)
class Unusual:
    """A tensor whose numbers are no plain array: quantised, sparse, without values."""

    kind: str


@dataclass
class HeldArray:
    """A numpy array inside a pickle; what it holds is filled in by the pickle's next step."""

    shape: tuple[int, ...] = ()
    dtype: str = ""
    content: bytes = b""
    fortran: bool = False
    swap: bool = False


@dataclass
class _Dtype:
    """A numpy dtype inside a pickle."""

    code: str
    swap: bool = False


class _Mark:
    """Where on the stack the parts of something begin."""


@dataclass(frozen=True)
class _Named:
    """Something outside that the pickle names; `make` stands in for calling it, None where it is only named."""

    name: str
    make: Callable[..., Any] | None = None


class Inert:
    """Something without meaning for parameters: a device, a number of numpy, a size."""


INERT = Inert()


def _view(
    storage: Any, offset: Any, shape: Any, strides: Any, *_: Any, dtype: str = "", metadata: Any = None
) -> TensorView:
    if not isinstance(storage, Storage) or type(offset) is not int:
        raise TypeError("a tensor of no storage")
    marks = metadata if isinstance(metadata, dict) else {}
    return TensorView(
        storage, offset, shape, strides, dtype or storage.dtype, marks.get("conj") is True, marks.get("neg") is True
    )


def _rebuild_v2(
    storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, metadata: Any = None
) -> Any:
    return _view(storage, offset, shape, strides, metadata=metadata)


def _rebuild_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, _grad: Any, _hooks: Any, dtype: Any, metadata: Any = None
) -> Any:
    if not isinstance(dtype, _Named):
        raise TypeError("a tensor of no dtype")
    return _view(storage, offset, shape, strides, dtype=dtype.name.removeprefix("torch."), metadata=metadata)


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _rebuild_from_type(make: Any, kind: Any, args: Any, _state: Any = None) -> Any:
    """A tensor with attributes; of a class of its own it would not have been let in by name."""
    if not isinstance(make, _Named) or make.make is None or not isinstance(kind, _Named):
        raise TypeError("a tensor made by nothing")
    return make.make(*args)


def _dtype(code: Any, *_: Any) -> _Dtype:
    if not isinstance(code, str):
        raise TypeError("a dtype without a code")
    return _Dtype(code)


def _plain_dtype(dtype: Any) -> str:
    """The name of a numpy dtype that a pickle gives by its code, such as f4; other kinds keep their code."""
    if not isinstance(dtype, _Dtype):
        raise TypeError("an array of no dtype")
    code = dtype.code.lstrip("<>=|")
    return NUMPY_CODES.get(code, code)


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any) -> HeldArray:
    if not isinstance(content, (bytes, bytearray)):
        raise TypeError("an array of no bytes")
    return HeldArray(shape, _plain_dtype(dtype), bytes(content), order == "F", dtype.swap)


def _encode(text: Any, coding: Any = "latin1") -> bytes:
    if not isinstance(text, str) or coding not in {"latin1", "latin-1"}:
        raise TypeError("bytes of an unknown kind")
    return text.encode("latin-1")


def _mapping(*args: Any) -> dict[Any, Any]:
    pairs = args[-1] if args else ()
    if isinstance(pairs, _Named):  # the factory of a defaultdict
        return {}
    found: dict[Any, Any] = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        found[_key(key)] = value
    return found


def _collection(items: Any = ()) -> list[Any]:
    """A set is kept as a list: nobody asks it anything, and nothing in it needs to be hashed."""
    return list(items)


def _bytes(content: Any = b"", *_: Any) -> bytes:
    return bytes(content) if isinstance(content, (bytes, bytearray, list)) else _encode(content)


def _nothing(*_: Any) -> Inert:
    return INERT


def _unusual(kind: str) -> Callable[..., Unusual]:
    return lambda *_: Unusual(kind)


_MAKERS: dict[str, Callable[..., Any] | None] = {
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "collections.defaultdict": _mapping,
    "builtins.dict": _mapping,
    "builtins.list": _collection,
    "builtins.set": _collection,
    "builtins.frozenset": _collection,
    "builtins.complex": _nothing,
    "builtins.slice": _nothing,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.int": None,
    "builtins.float": None,
    "builtins.bool": None,
    "builtins.str": None,
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _rebuild_v2,
    "torch._utils._rebuild_tensor_v3": _rebuild_v3,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch._tensor._rebuild_from_type_v2": _rebuild_from_type,
    "torch._utils._rebuild_qtensor": _unusual("quantised"),
    "torch._utils._rebuild_sparse_tensor": _unusual("sparse"),
    "torch._utils._rebuild_nested_tensor": _unusual("nested"),
    "torch._utils._rebuild_meta_tensor_no_storage": _unusual("without values (on the meta device)"),
    "torch.serialization._get_layout": _nothing,
    "torch.Size": _nothing,
    "torch.device": _nothing,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": None,
    "torch.nn.parameter.Buffer": None,
    "numpy.dtype": _dtype,
    "numpy.ndarray": None,
}
for _core in ("numpy.core", "numpy._core"):
    _MAKERS[f"{_core}.multiarray.scalar"] = _nothing
    _MAKERS[f"{_core}.multiarray._reconstruct"] = lambda *_: HeldArray()
    _MAKERS[f"{_core}.numeric._frombuffer"] = _frombuffer
for _scheme in ("per_tensor_affine", "per_tensor_symmetric", "per_channel_affine", "per_channel_symmetric"):
    _MAKERS[f"torch.{_scheme}"] = None
_MAKERS["torch.per_channel_affine_float_qparams"] = None

_UNKEPT = {
    "ComplexHalfStorage": "complex32",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
}
_STORAGES = BY_STORAGE | _UNKEPT | {"UntypedStorage": "", "TypedStorage": ""}
_TORCH_DTYPES = {*BY_NAME, *_UNKEPT.values(), "float4_e2m1fn_x2"}


def _named(module: str, name: str, where: str) -> _Named:
    """What the pickle may name.

    Raises:
        CheckpointError: it wants something else.
    """
    full = f"{module.replace('__builtin__', 'builtins')}.{name}"
    if full in _MAKERS:
        return _Named(full, _MAKERS[full])
    if module in {"torch", "torch.cuda", "torch.storage"} and name in _STORAGES:
        return _Named(name)
    if module == "torch" and name in _TORCH_DTYPES:
        return _Named(full)
    raise CheckpointError(
        f"the file wants to call {_printable(full)}, and no code from a file is run", where=where, then=SAVE_STATE
    )


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
        elif op in {"BINGET", "LONG_BINGET", "GET"}:
            stack.append(self.memo[int(arg)])
        elif op in {"BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"}:
            self.memo[len(self.memo) if op == "MEMOIZE" else int(arg)] = stack[-1]
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
                target[_key(key)] = value
        elif op == "GLOBAL":
            module, _, name = arg.partition(" ")
            stack.append(_named(module, name, self.where))
        elif op == "STACK_GLOBAL":
            module, name = stack.pop(-2), stack.pop()
            stack.append(_named(str(module), str(name), self.where))
        elif op in {"REDUCE", "NEWOBJ"}:
            arguments = stack.pop()
            stack.append(self.made(stack.pop(), arguments))
        elif op == "BUILD":
            state = stack.pop()
            self.copied += sum(len(each) for each in state if isinstance(each, (str, bytearray))) if state else 0
            _build(stack[-1], state)
        elif op == "BINPERSID":
            storage = _storage(stack.pop())
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
        if not isinstance(what, _Named) or what.make is None:
            name = what.name if isinstance(what, _Named) else type(what).__name__
            raise CheckpointError(
                f"the file wants to call {_printable(name)}, and no code from a file is run",
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


def _storage(said: Any) -> Storage:
    """What a pickle says of a storage that stands elsewhere in the file."""
    if not isinstance(said, tuple) or len(said) not in {5, 6} or said[0] != "storage":
        raise TypeError("a reference to something that is no storage")
    _, kind, key, _, count, *more = said
    if not isinstance(kind, _Named) or kind.name not in _STORAGES or type(count) is not int or count < 0:
        raise TypeError("a storage of no kind")
    if type(key) not in {str, int}:
        raise TypeError("a storage without a key")
    view = more[0] if more else None
    offset = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
    if type(offset) is not int or offset < 0:
        raise TypeError("a view of a storage from nowhere")
    return Storage(str(key), _STORAGES[kind.name], count, offset)


def _build(target: Any, state: Any) -> None:
    """Fill numpy's arrays and dtypes; what others keep beside their content is passed over."""
    if isinstance(target, HeldArray):
        _, shape, dtype, fortran, content = state
        if not isinstance(content, (bytes, bytearray, str)):
            raise TypeError("an array of Python objects")
        target.shape, target.dtype, target.swap = shape, _plain_dtype(dtype), dtype.swap
        target.content = content.encode("latin-1") if isinstance(content, str) else bytes(content)
        target.fortran = fortran is True or fortran == 1
    elif isinstance(target, _Dtype):
        target.swap = isinstance(state, tuple) and len(state) > 1 and state[1] == ">"


def _key(key: Any) -> Any:
    """A key of a mapping: something plain, so that hashing it is harmless."""
    if isinstance(key, (str, bytes, int, float, type(None))):
        return key
    if isinstance(key, tuple) and len(key) < 100 and all(isinstance(each, (str, int, float)) for each in key):
        return key
    if isinstance(key, (_Named, Inert, TensorView)):
        return id(key)
    raise TypeError("a key that is nothing plain")


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


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name[:200])
