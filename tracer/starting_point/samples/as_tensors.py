"""A batch of arrays as tensors of a framework; what had to change on the way is said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tracer.errors import StartingPointError, TracerError
from tracer.frameworks import framework_names, watcher_named
from tracer.frameworks.base import Watcher
from tracer.starting_point.samples.nesting import array_of

Array = np.ndarray[Any, Any]

NUMPY = "numpy"
_INT32 = np.iinfo(np.int32)


def in_framework(
    batch: Any, framework: str, *, int64: str | None = None, float64: str | None = None
) -> tuple[Any, tuple[str, ...]]:
    """The batch with its arrays as tensors of a framework ("numpy" leaves them arrays); and what was changed, in words.

    Args:
        batch: a nest of tuples, lists and dicts.
        framework: "torch", "mindspore" or "numpy".
        int64: the dtype in which int64 arrays come. None: as they are, in MindSpore int32, because its
            CrossEntropyLoss takes no other labels and its embeddings and gathers take both.
        float64: the dtype in which float64 arrays come. None: as they are.

    Raises:
        StartingPointError: an argument that does not hold, a number that int32 cannot hold, a dtype that the framework
            does not have.
        FrameworkMissing: the framework is not installed.
    """
    _check(framework, int64, float64)
    watcher = None if framework == NUMPY else watcher_named(framework)
    notes: list[str] = []
    to = {"int64": int64 or ("int32" if framework == "mindspore" else "int64"), "float64": float64 or "float64"}

    def one(value: Array, where: str) -> Any:
        wanted = to.get(value.dtype.name, value.dtype.name)
        if wanted != value.dtype.name:
            said = wanted == "int32" and int64 is None
            value = _cast(value, wanted, where)
            if said:
                why = "MindSpore's CrossEntropyLoss takes no other"
                notes.append(f'{where or "the batch"} was int64 and is int32: {why} (int64="int64" leaves it)')
        return value if watcher is None else _tensor(watcher, value, where)

    return _each(batch, one, ""), tuple(notes)


def _check(framework: Any, int64: Any, float64: Any) -> None:
    known = (*sorted(framework_names()), NUMPY)
    if framework not in known:
        then = f"write one of {', '.join(known)}"
        raise StartingPointError("this framework is not known", where=f"framework={framework!r}"[:80], then=then)
    for name, value, choices in (("int64", int64, ("int32", "int64")), ("float64", float64, ("float32", "float64"))):
        if value is not None and value not in choices:
            then = f'give {name}="{choices[0]}" or {name}="{choices[1]}"'
            raise StartingPointError(
                f"{name}= says the dtype that {name} arrays become", where=f"{value!r}"[:80], then=then
            )


def _each(tree: Any, one: Callable[[Array, str], Any], where: str) -> Any:
    if isinstance(tree, tuple | list):
        return type(tree)([_each(item, one, f"{where}.{n}" if where else str(n)) for n, item in enumerate(tree)])
    if isinstance(tree, Mapping):
        return {key: _each(item, one, f"{where}.{key}" if where else str(key)) for key, item in tree.items()}
    array = None if isinstance(tree, bool | int | float | complex | str | type(None)) else array_of(tree)
    return tree if array is None else one(array, where)


def _cast(array: Array, dtype: str, where: str) -> Array:
    if dtype == "int32" and array.size and not (_INT32.min <= array.min() and array.max() <= _INT32.max):
        beyond = array.max() if array.max() > _INT32.max else array.min()
        raise StartingPointError(
            f"int64 numbers do not fit into int32: {beyond} is beyond it",
            where=where or "the batch",
            then='give int64="int64" to leave them, or bring the numbers into range',
        )
    return array.astype(dtype)


def _tensor(watcher: Watcher, array: Array, where: str) -> Any:
    if array.dtype.kind in "US":
        return array
    try:
        return watcher.tensor(array)
    except TracerError:
        raise
    except Exception as error:
        why = str(error).strip().partition("\n")[0][:160] or type(error).__name__
        raise StartingPointError(
            f"{watcher.name} makes no tensor of dtype {array.dtype}: {why}",
            where=where or "the batch",
            then="save the array in another dtype",
        ) from None
