"""Real losses of both frameworks on the same arrays: torch here, MindSpore once in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.training_losses.in_mindspore import CLASSES
from tracer.divergence.training.losses import LossSide

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def arrays() -> dict[str, np.ndarray]:
    """Predictions and targets of every kind, in float32 and int32."""
    rng = np.random.default_rng(3)
    scores = 2 * rng.standard_normal((24, 7))
    numbers, wanted = rng.standard_normal((2, 10, 6)) * 1.5
    labels = rng.integers(0, 7, 24).astype(np.int32)
    other = rng.standard_normal((24, 7))
    softmax = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = {
        "scores": scores,
        "softmax": softmax,
        "log_softmax": np.log(softmax),
        "one_hot": np.eye(7)[labels],
        "weight": rng.random(7) + 0.5,
        "spread": np.exp(other) / np.exp(other).sum(1, keepdims=True),
        "numbers": numbers,
        "wanted": wanted,
        "chances": 1 / (1 + np.exp(-numbers)),
        "binary": wanted > 0,
        "signs": np.sign(wanted),
        "positive": rng.random(6) + 1.5,
        "text": rng.standard_normal((4, 9, 7)),
    }
    words = rng.integers(0, 7, (4, 9)).astype(np.int32)
    return {**{name: value.astype(np.float32) for name, value in found.items()}, "labels": labels, "words": words}


@dataclass(frozen=True)
class MindSpore:
    """What MindSpore made."""

    told: dict[str, dict]
    arrays: dict[str, np.ndarray]

    def loss(self, name: str, *, seen: bool = True) -> LossSide:
        """A loss as a recording holds it: of a layer whose call was seen, or its value, predictions and targets only."""
        told = self.told[name]
        if "failed" in told:
            pytest.skip(told["failed"].splitlines()[0])
        _, arguments, predictions, targets = CLASSES[name]
        given = self.arrays[predictions], self.arrays[targets]
        value = np.array(told["value"], np.float32)
        if not seen:
            return LossSide(value, "mindspore", predictions=given[0], targets=given[1])
        held = {key: self.arrays[word] for key, word in arguments.items() if word in self.arrays}
        inputs = {"0": given[0], "1": given[1], **held}
        return LossSide(value, "mindspore", told["kind"], tuple(told["bases"]), told["settings"], inputs)


@pytest.fixture(scope="session")
def mindspore(arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> MindSpore:
    """Every loss of `in_mindspore.CLASSES`, run by MindSpore."""
    folder = tmp_path_factory.mktemp("losses")
    np.savez(folder / "inputs.npz", **arrays)
    script = Path(__file__).with_name("in_mindspore.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLOG_v": "3"}
    command = [sys.executable, str(script), str(folder / "inputs.npz"), str(folder / "results.json")]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return MindSpore(json.loads((folder / "results.json").read_text(encoding="utf-8")), arrays)
