"""keep="timing" of MindSpore nets. The checks are in `mindspore_checks.py`, which runs in a process of its own: MindSpore
is not the same after an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("mindspore")
pytestmark = pytest.mark.mindspore

CHECKS = Path(__file__).parent / "mindspore_checks.py"
NAMES = [
    *("shared_with_torch", "forward_and_backward", "a_step_of_training", "a_loop_of_ones_own", "model_train"),
    *(
        "backward_false",
        "a_net_in_graph_mode_is_timed_eagerly",
        "ctrl_c_in_a_watched_step",
        "an_error_in_a_watched_step",
    ),
]
"""Run together, those that raise at the end."""


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What went wrong by check ("" for nothing)."""
    names = NAMES if find_spec("torch") else [name for name in NAMES if name != "shared_with_torch"]
    done = subprocess.run(
        [sys.executable, str(CHECKS), *names],
        cwd=tmp_path_factory.mktemp("mindspore"),
        env={**os.environ, "GLOG_v": "3", "PYTHONPATH": str(CHECKS.parents[2])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"check"')]
    assert lines, done.stdout + done.stderr
    return {line["check"]: line.get("why", "") for line in lines}


@pytest.mark.parametrize("name", NAMES)
def test_mindspore_is_timed(name: str, found: dict[str, str]) -> None:
    """The check with that name holds."""
    if name == "shared_with_torch":
        pytest.importorskip("torch")
    assert found.get(name, "it was not run") == ""
