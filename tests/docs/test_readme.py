"""The two commands at the top of the README."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.loosely import matches
from tests.docs.pages import REPOSITORY, parse

DEMO, TEST = (block.text.strip() for block in parse(REPOSITORY / "README.md").blocks[:2])


@pytest.mark.parametrize("command", [DEMO, TEST])
def test_commands_are_one_line_and_make_their_own_environment(command: str) -> None:
    """Each is one line that starts with nothing but Python and installs into a virtual environment it makes."""
    first, *rest = command.split(" && ")
    words = shlex.split(first)
    assert "\n" not in command
    assert words[:3] == ["python3", "-m", "venv"]
    assert len(rest) == 2
    assert all(step.startswith(f"{words[3]}/bin/") for step in rest)


def test_the_demo_command_ends_in_the_demo(demo: tuple[Path, str]) -> None:
    """What the first command runs at its end says `diverged` of the port and `agree` of the mended one."""
    _, printed = demo
    assert DEMO.endswith("/bin/tracer demo")
    assert matches("... diverged ... agree ...", printed)


def test_the_test_command_runs_these_tests() -> None:
    """What the second command runs at its end finds this very test."""
    words = shlex.split(TEST.split(" && ")[-1])
    assert words[1:] == ["-m", "pytest"]
    done = subprocess.run(
        [sys.executable, *words[1:], "--collect-only", "-q", "tests/docs/test_readme.py"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "test_the_test_command_runs_these_tests" in done.stdout, done.stdout + done.stderr
