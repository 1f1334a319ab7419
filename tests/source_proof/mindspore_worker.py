"""MindSpore's side: reads calls from its standard input, answers each with its outcome.

MindSpore cannot be forked once it has run something, and an error may stick to later calls. So this process imports it
and runs nothing: a child, forked before anything ran, answers calls until one of them leaves it unfit for more, or ends
it; then comes the next child.
"""

from __future__ import annotations

import ast
import os
import pickle
import signal
import sys
from typing import Any

import numpy as np

from tests.source_proof.arrays import ARRAYS
from tests.source_proof.outcome import Leaf, Outcome

SECONDS = 30
DONE, FAILED = 0, 3

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


def read(source: int) -> Any:
    """The next pickled object from a file descriptor, None at its end; takes not a byte more."""
    size = _bytes(source, 8)
    return pickle.loads(_bytes(source, int.from_bytes(size, "big"))) if size else None


def write(target: int, value: Any) -> None:
    """Write an object so that `read` reads it."""
    data = pickle.dumps(value)
    data = len(data).to_bytes(8, "big") + data
    while data:
        data = data[os.write(target, data) :]


def _bytes(source: int, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = os.read(source, count - len(data))
        if not more:
            return b""
        data += more
    return data


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


def serve(source: int, target: int) -> int:
    """Answer calls until there are no more, or an error of one shows up in the next."""
    import mindspore

    mindspore.runtime.launch_blocking()  # without it an error may come up in any later call
    while (job := read(source)) is not None:
        signal.alarm(SECONDS)
        answer = outcome(job)
        signal.alarm(0)
        write(target, answer)
        if answer.error and outcome("mindspore.ops.add(x, y) * 2").error:
            return FAILED
    return DONE


def main() -> None:
    """Fork one child after another; a child that dies is an outcome too."""
    target = os.dup(1)
    os.dup2(2, 1)
    os.environ["GLOG_v"] = "4"
    import mindspore  # noqa: F401

    while True:
        child = os.fork()
        if child == 0:
            os._exit(serve(0, target))
        status = os.waitpid(child, 0)[1]
        code = os.waitstatus_to_exitcode(status)
        if code == DONE:
            return
        if code != FAILED:
            how = "it took too long" if code == -signal.SIGALRM else f"the process ended with {code}"
            write(target, Outcome(error=f"crash: {how}"))


if __name__ == "__main__":
    sys.exit(main())
