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

from tests.source_layers.piped import Piped
from tests.source_proof.arrays import ARRAYS
from tests.source_proof.outcome import Leaf, Named, Outcome

RESULTS = set("values indices eigenvalues eigenvectors U S V Vh Q R L P LU pivots sign logabsdet min max hist".split())
"""What torch calls the parts of its results."""


class MindSpore(Piped[str, Outcome]):
    """A process that runs MindSpore calls; use it in a `with` statement.

    A job is text, an expression or statements that leave `result`: `mindspore`, `np` and the named arrays (`ARRAYS`) as
    tensors are what it may use.
    """

    def __init__(self) -> None:
        super().__init__("tests.source_proof.mindspore_worker", threads=1)

    def __enter__(self) -> MindSpore:
        return self


def run_torch(text: str) -> Outcome:
    """What `text` comes to in torch; as `MindSpore.ask`, with `torch`, `nn` and `F` in place of `mindspore`."""
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
