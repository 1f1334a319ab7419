"""MindSpore's side: reads calls from its standard input, answers each with its outcome."""

from __future__ import annotations

import ast
import os
import pickle
import signal
import sys
from typing import Any

import numpy as np

from tests.source_layers.piped import answer_jobs
from tests.source_proof.arrays import ARRAYS
from tests.source_proof.outcome import Leaf, Outcome

SECONDS = 30

NO_KERNEL = (
    "unregistered",
    "unsupported op",
    "not support",
    "does not support",
    "not supported",
    "unsupported data type",
    "unsupported type",
    "unsupported",
    "select cpu operator",
    "kernel select failed",
    "not implemented",
    "only support ascend",
    "only supports ascend",
    "on cpu",
    "not exist in cpu",
    "can not find",
    "on device cpu",
    "not implement exception",
    "create kernelmod for op",
)


def outcome(text: str) -> Outcome:
    """Run `text`, an expression, or statements that leave `result`, on the named arrays."""
    import mindspore

    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    before = {name: array for name, array in ARRAYS.items() if name in named}
    try:
        tensors = {name: mindspore.Tensor(array.copy()) for name, array in before.items()}
        world: dict[str, Any] = {"mindspore": mindspore, "np": np, **tensors}
        if isinstance(tree.body[-1], ast.Expr) and len(tree.body) == 1:
            result = eval(text, world)
        else:
            exec(text, world)
            result = world["result"]
        value = plain(result, mindspore)
        after = {name: np.array(tensor.asnumpy()) for name, tensor in tensors.items()}
    except Exception as error:  # whatever it raises is the outcome
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Outcome(error=said, kernel=not _kernel_missing(str(error).lower()))
    changed = {
        name: array
        for name, array in after.items()
        if array.shape != before[name].shape or array.tobytes() != before[name].tobytes()
    }
    return Outcome(value, changed)


def _kernel_missing(said: str) -> bool:
    return "unsupported operand" not in said and any(words in said for words in NO_KERNEL)


def plain(value: Any, mindspore: Any) -> Any:
    """A result as plain values; tensors are read at once, which brings their errors up here."""
    if isinstance(value, mindspore.Tensor):
        dtype = str(value.dtype).lower()
        readable = value.astype(mindspore.float32) if dtype == "bfloat16" else value
        return Leaf(dtype, np.array(readable.asnumpy()))
    if isinstance(value, tuple | list):
        return [plain(one, mindspore) for one in value]
    if isinstance(value, mindspore.dtype.typing.Type):
        return "dtype " + str(value).lower()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return Leaf(str(value.dtype), value)
    return value if value is None or isinstance(value, bool | int | float | complex | str) else repr(value)


def fit(found: Outcome) -> bool:
    """Is the process fit for more? An error of one call may show up in the next."""
    return not found.error or not outcome("mindspore.ops.add(x, y) * 2").error


if __name__ == "__main__":
    answer_jobs(outcome, fit, lambda how: Outcome(error=f"crash: {how}"), SECONDS)
