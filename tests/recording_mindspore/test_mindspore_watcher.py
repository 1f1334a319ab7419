"""MindSpore nets are watched without changing a bit of them. The checks themselves are in `checks.py`.

Another set of versions: `python -m venv v && v/bin/pip install mindspore==2.7.0 "numpy<2" pytest -e .`, and then
`TRACER_MINDSPORE_PYTHON=v/bin/python pytest tests/recording_mindspore`; likewise mindspore 2.10 with numpy 2.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.mindspore

CHECKS = Path(__file__).parent / "checks.py"
PYTHON = os.environ.get("TRACER_MINDSPORE_PYTHON", sys.executable)
if PYTHON == sys.executable:
    pytest.importorskip("mindspore")

ALONE = {
    "a_net_that_raises",
    "a_keyboard_interrupt_in_a_net",
    "an_interrupt_inside_a_hook",
    "a_failing_listener_harms_nobody",
    "a_backward_that_cannot_run_leaves_the_forward_whole",
    "an_error_that_comes_late_belongs_to_its_layer",
    "a_late_error_of_the_backward_pass_leaves_the_forward_whole",
    "graph_mode",
    "a_trace_in_graph_mode",
    "a_trace_of_a_net_that_raises",
    "a_gradient_compiled_before_is_refused",
    "a_graph_loaded_from_a_file_is_refused",
    "jit_by_bytecode",
    "jit_by_bytecode_wherever_it_is",
    "jit_by_trace_wherever_it_is",
}
"""These leave their process in a state that others must not start from, or would show that they do."""


def _names() -> list[str]:
    text = (CHECKS.parent / "nets.py").read_text(encoding="utf-8").partition("\nNETS = {")[2]
    nets = [f"bitwise: {name}" for name in re.findall(r'^    "([^"]+)": lambda', text, re.MULTILINE)]
    return nets + re.findall(r"^@check\ndef (\w+)", CHECKS.read_text(encoding="utf-8"), re.MULTILINE)


NAMES = _names()


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
    return _run([name for name in NAMES if name not in ALONE], tmp_path_factory.mktemp("together"))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ALONE])
def test_watching(name, together):
    """The check of this name holds; all of these share one process."""
    assert not together[name], together[name]


@pytest.mark.parametrize("name", sorted(ALONE))
def test_watching_alone(name, tmp_path):
    """The check of this name holds, in a process of its own."""
    why = _run([name], tmp_path)[name]
    assert not why, why
