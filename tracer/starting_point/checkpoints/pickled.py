"""What a pickle of parameters may name, and what each name becomes here: nothing of the outside is ever called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.dtypes import BY_NAME, BY_STORAGE, NUMPY_CODES

SAVE_STATE = "where you trust the file, load it with the framework that wrote it and save net.state_dict() alone"


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


@dataclass(frozen=True)
class Named:
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
    if not isinstance(dtype, Named):
        raise TypeError("a tensor of no dtype")
    return _view(storage, offset, shape, strides, dtype=dtype.name.removeprefix("torch."), metadata=metadata)


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _rebuild_from_type(make: Any, kind: Any, args: Any, _state: Any = None) -> Any:
    """A tensor with attributes; of a class of its own it would not have been let in by name."""
    rebuilds = isinstance(make, Named) and make.name.startswith("torch._utils._rebuild_")
    if not rebuilds or make.make is None or not isinstance(kind, Named):
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
    if isinstance(pairs, Named):  # the factory of a defaultdict
        return {}
    found: dict[Any, Any] = {}
    for key, value in pairs.items() if isinstance(pairs, dict) else pairs:
        found[plain_key(key)] = value
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
    "argparse.Namespace": _nothing,  # the settings of a script, beside the weights of many training runs
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

_LONGEST_KEY = 100
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


def named(module: str, name: str, where: str) -> Named:
    """What the pickle may name.

    Raises:
        CheckpointError: it wants something else.
    """
    full = f"{module.replace('__builtin__', 'builtins')}.{name}"
    if full in _MAKERS:
        return Named(full, _MAKERS[full])
    if module in {"torch", "torch.cuda", "torch.storage"} and name in _STORAGES:
        return Named(name)
    if module == "torch" and name in _TORCH_DTYPES:
        return Named(full)
    raise CheckpointError(
        f"the file wants to call {printable(full)}, and no code from a file is run", where=where, then=SAVE_STATE
    )


def storage_said(said: Any) -> Storage:
    """What a pickle says of a storage that stands elsewhere in the file."""
    if not isinstance(said, tuple) or len(said) not in {5, 6} or said[0] != "storage":
        raise TypeError("a reference to something that is no storage")
    _, kind, key, _, count, *more = said
    if not isinstance(kind, Named) or kind.name not in _STORAGES or type(count) is not int or count < 0:
        raise TypeError("a storage of no kind")
    if type(key) not in {str, int}:
        raise TypeError("a storage without a key")
    view = more[0] if more else None
    offset = view[1] if isinstance(view, tuple) and len(view) == 3 else 0
    if type(offset) is not int or offset < 0:
        raise TypeError("a view of a storage from nowhere")
    return Storage(str(key), _STORAGES[kind.name], count, offset)


def fill(target: Any, state: Any) -> None:
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


def plain_key(key: Any) -> Any:
    """A key of a mapping: something plain and small, so that hashing it is harmless and quick.

    Raises:
        TypeError: it is anything else.
    """
    if isinstance(key, tuple) and len(key) < _LONGEST_KEY and all(_plain(each) for each in key):
        return key
    if isinstance(key, (Named, Inert, TensorView)):
        return id(key)
    if not _plain(key):
        raise TypeError("a key that is nothing plain")
    return key


def _plain(key: Any) -> bool:
    if isinstance(key, int):
        return -(1 << 63) <= key < 1 << 63
    return isinstance(key, (str, bytes, float, type(None)))


def printable(name: str) -> str:
    """A name from a file, fit for a message."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:200])
