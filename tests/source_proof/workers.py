"""Runs calls: torch's in this process, MindSpore's in a process of its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

import numpy as np

from tests.source_proof.arrays import ARRAYS
from tests.source_proof.mindspore_worker import read, write
from tests.source_proof.outcome import Leaf, Named, Outcome

ROOT = Path(__file__).parents[2]
RESULTS = set("values indices eigenvalues eigenvectors U S V Vh Q R L P LU pivots sign logabsdet min max hist".split())
"""What torch calls the parts of its results."""


class MindSpore:
    """A process that runs MindSpore calls; use it in a `with` statement."""

    def __enter__(self) -> MindSpore:
        environment = {**os.environ, "GLOG_v": "4", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.source_proof.mindspore_worker"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def run(self, text: str) -> Outcome:
        """What `text` comes to: an expression, or statements that leave `result`.

        `mindspore`, `np` and the named arrays (`ARRAYS`) as tensors are what it may use.
        """
        return next(self.run_all([text]))

    def run_all(self, texts: Sequence[str]) -> Iterator[Outcome]:
        """What each comes to; all are sent at once, so that neither process waits for the other."""
        assert self._process.stdin and self._process.stdout
        target, source = self._process.stdin.fileno(), self._process.stdout.fileno()
        sending = Thread(target=lambda: [write(target, text) for text in texts], daemon=True)
        sending.start()
        for text in texts:
            answer = read(source)
            assert answer is not None, f"MindSpore's process is gone; it was to run: {text}"
            yield answer
        sending.join()


def run_torch(text: str) -> Outcome:
    """What `text` comes to in torch; as `MindSpore.run`, with `torch`, `nn` and `F` in place of `mindspore`."""
    import torch

    torch.set_num_threads(1)
    tree = ast.parse(text)
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    before = {name: array for name, array in ARRAYS.items() if name in named}
    tensors = {name: torch.from_numpy(array.copy()) for name, array in before.items()}
    world = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": np, **tensors}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if isinstance(tree.body[-1], ast.Expr) and len(tree.body) == 1:
                result = eval(text, dict(world))
            else:
                exec(text, world)
                result = world["result"]
        value = _plain(result, torch)
    except Exception as error:  # whatever it raises is the outcome
        return Outcome(error=f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    changed = {
        name: tensor.detach().numpy()
        for name, tensor in tensors.items()
        if tuple(tensor.shape) != before[name].shape or tensor.detach().numpy().tobytes() != before[name].tobytes()
    }
    return Outcome(value, changed)


def _plain(value: Any, torch: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().resolve_conj().resolve_neg()
        readable = value.float() if value.dtype == torch.bfloat16 else value
        return Leaf(str(value.dtype).removeprefix("torch."), np.array(readable.numpy()))
    if isinstance(value, tuple | list):
        parts = [_plain(one, torch) for one in value]
        if type(value).__module__ == "torch.return_types":
            parts = Named(parts)
            parts.names = ", ".join(name for name in dir(value) if name in RESULTS)
        return parts
    if isinstance(value, torch.dtype):
        return "dtype " + str(value).removeprefix("torch.")
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return Leaf(str(value.dtype), value)
    return value if value is None or isinstance(value, bool | int | float | complex | str) else repr(value)
