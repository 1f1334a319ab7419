"""What the pages of the documentation start from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """A terminal of 80 columns without colour, with this Python's commands first and this source tree's package."""
    commands = Path(sys.executable).parent
    wanted = {
        "PATH": f"{commands}{os.pathsep}{os.environ.get('PATH', '')}",
        "PYTHONPATH": str(REPOSITORY),
        "COLUMNS": "80",
        "GLOG_v": "3",
        "PYTHONWARNINGS": "ignore",
    }
    dropped = {"FORCE_COLOR", "CLICOLOR_FORCE", "PYTEST_CURRENT_TEST"}
    return {key: value for key, value in os.environ.items() if key not in dropped} | wanted


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> tuple[Path, str]:
    """The folder that `tracer demo` leaves, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "tracer", "demo", "--folder", str(folder)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout
