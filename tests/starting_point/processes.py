"""Python in a process of its own: for MindSpore, and for what kills or starves a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.habits.source import REPOSITORY


def run(words: list[object], folder: Path) -> subprocess.CompletedProcess[str]:
    """Python with this source tree's package; what it printed and how it ended."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY), "GLOG_v": "3", "COLUMNS": "80"},
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def python(code: str, folder: Path, *arguments: object) -> str:
    """What code prints."""
    done = run(["-c", code, *arguments], folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def python_module(name: str, folder: Path, *arguments: object) -> str:
    """What a module prints."""
    done = run(["-m", name, *arguments], folder)
    assert done.returncode == 0, done.stderr
    return done.stdout
