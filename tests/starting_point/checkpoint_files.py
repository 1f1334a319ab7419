"""Files of parameters as the frameworks themselves write them, and the bits that are in them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import ml_dtypes
import numpy as np

from tests.habits.source import REPOSITORY
from tracer.starting_point.checkpoints import Checkpoint, Entry, open_checkpoint, write_checkpoint


def arrays(*, brain: bool = True, complexes: bool = True) -> dict[str, np.ndarray]:
    """An array of every kind that parameters come in, odd names among them."""
    random = np.random.default_rng(0)
    found = {
        "conv.weight": random.standard_normal((4, 3, 2, 5)).astype(np.float32),
        "double": random.standard_normal(7),
        "half": random.standard_normal((3, 3)).astype(np.float16),
        "bn.num_batches_tracked": np.array(41),
        "scalar": np.array(2.5, np.float32),
        "one": np.array([2.5], np.float32),
        "mask": np.array([[True, False], [False, True]]),
        "i32": np.arange(5, dtype=np.int32),
        "i16": np.arange(5, dtype=np.int16),
        "i8": np.arange(-2, 3, dtype=np.int8),
        "u8": np.arange(5, dtype=np.uint8),
        "empty": np.zeros((0, 3), np.float32),
        "../../x": np.ones(2, np.float32),
        "größe \n \"'": np.ones(3, np.float32),
    }
    if brain:
        found["brain"] = random.standard_normal((2, 3)).astype(ml_dtypes.bfloat16)
    if complexes:
        found["wave"] = np.array([1 + 2j, -3j], np.complex64)
    return found


def save(path: Path, tensors: Mapping[str, np.ndarray], **how: object) -> Path:
    """Write arrays with the writer under test."""
    entries = [Entry(name, each.shape, each.dtype.name) for name, each in tensors.items()]
    write_checkpoint(path, entries, lambda name: iter([tensors[name].reshape(-1)]), **how)
    return path


def everything(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """All tensors of a checkpoint, in its order."""
    return {name: checkpoint.read(name) for name in checkpoint.entries}


def loaded(path: Path, **how: object) -> dict[str, np.ndarray]:
    """All tensors of a file."""
    with open_checkpoint(path, **how) as checkpoint:
        return everything(checkpoint)


def same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> None:
    """Both hold the same names in the same order, with the same shapes, dtypes and bits."""
    assert list(one) == list(other)
    for name in one:
        assert (one[name].shape, one[name].dtype) == (other[name].shape, other[name].dtype), name
        assert one[name].tobytes() == other[name].tobytes(), name


def bits(tensor: object) -> np.ndarray:
    """A torch tensor's numbers as an array, bfloat16 and float8 too."""
    import torch

    whole = tensor.detach().resolve_conj().resolve_neg().contiguous()
    name = str(whole.dtype).removeprefix("torch.")
    if hasattr(ml_dtypes, name):
        raw = whole.reshape(-1).view(torch.uint8).numpy()
        return raw.view(getattr(ml_dtypes, name)).reshape(tuple(whole.shape))
    return whole.numpy()


def python(code: str, folder: Path, *arguments: str) -> str:
    """What code prints in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY), "GLOG_v": "3"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout
