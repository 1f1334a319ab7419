"""MindSpore's training loops are watched without changing a bit of them. The checks themselves are in
`training_checks.py`, the loops in `training_loops.py`; other versions as in `test_mindspore_watcher.py`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.mindspore

CHECKS = Path(__file__).parent / "training_checks.py"
PYTHON = os.environ.get("TRACER_MINDSPORE_PYTHON", sys.executable)
if PYTHON == sys.executable:
    pytest.importorskip("mindspore")

ALONE = {
    "a_step_that_raises_is_closed_with_its_error",
    "a_loss_that_cannot_be_trained_is_refused_and_later_gradients_are_right",
    "a_listener_that_raises_harms_nobody",
    "bitwise: a compiled step",
}
"""These leave their process in a state that others must not start from, or would show that they do."""

LOOPS = ["value_and_grad", "clipping", "accumulation", "GradOperation", "TrainOneStepCell"]
LOOPS += ["TrainOneStepWithLossScaleCell", "a compiled step", "Model.train"]
NETS = ["value_and_grad, conv", "TrainOneStepCell, conv", "Model.train, conv"]
NETS += ["value_and_grad, lstm", "TrainOneStepCell, lstm", "Model.train, lstm"]
OPTIMIZERS = ["SGD", "Momentum", "Adam", "AdamWeightDecay", "RMSProp", "Adagrad"]
OPTIMIZERS += ["experimental.AdamW", "experimental.RMSprop"]

NAMES = [f"bitwise: {name}" for name in LOOPS + NETS + OPTIMIZERS]
NAMES += re.findall(r"^@check\ndef (\w+)", CHECKS.read_text(encoding="utf-8"), re.MULTILINE)


def _run(names: list[str], folder: Path) -> dict[str, str]:
    """What went wrong by check ("" for nothing), from one process in `folder`."""
    done = subprocess.run(
        [PYTHON, str(CHECKS), *names], cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"')]
    found = {line["check"]: line.get("why", "") for line in lines}
    return {
        name: found.get(name, f"the process ended before it (code {done.returncode}):\n{done.stderr[-2000:]}")
        for name in names
    }


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> dict[str, str]:
    shared = [name for name in NAMES if name not in ALONE]
    loops = [name for name in shared if name.startswith("bitwise")]
    others = [name for name in shared if name not in loops]
    return _run(loops, tmp_path_factory.mktemp("loops")) | _run(others, tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALONE])
def test_training(name, together):
    """The check of this name holds; all of these share two processes."""
    assert not together[name], together[name]


@pytest.mark.parametrize("name", sorted(ALONE))
def test_training_alone(name, tmp_path):
    """The check of this name holds, in a process of its own."""
    why = _run([name], tmp_path)[name]
    assert not why, why
