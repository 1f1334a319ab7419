"""The diff runs where neither framework is installed, and importing tracer loads neither."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path

import pytest

from tests.habits.source import REPOSITORY, modules, room

BLOCKED = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "mindspore"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""
"""What makes both frameworks as good as not installed."""

TORCH = """
import numpy as np, torch, tracer
from torch import nn
net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3)).eval()
values = np.linspace(-1, 1, 2000, dtype=np.float32)
with torch.no_grad():
    for parameter in net.parameters():
        parameter.copy_(torch.tensor(values[: parameter.numel()].reshape(parameter.shape)))
tracer.record(net, np.linspace(-2, 2, 8, dtype=np.float32).reshape(2, 4), out="pt.h5")
"""

MINDSPORE = """
import mindspore, numpy as np, tracer
from mindspore import nn
net = nn.SequentialCell(nn.Dense(4, 8), nn.GELU(), nn.Dense(8, 3))
values = np.linspace(-1, 1, 2000, dtype=np.float32)
for parameter in net.get_parameters():
    parameter.set_data(mindspore.Tensor(values[: parameter.size].reshape(parameter.shape)))
tracer.record(net, np.linspace(-2, 2, 8, dtype=np.float32).reshape(2, 4), out="ms.h5")
"""


def python(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, with this source tree's package."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY), "GLOG_v": "3", "COLUMNS": "80"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a torch trace and a MindSpore trace of one net, GELU left at each framework's default."""
    folder = tmp_path_factory.mktemp("traces")
    for code in (TORCH, MINDSPORE):
        done = python(code, folder)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_package_depends_on_no_framework() -> None:
    """What is installed without an extra holds neither framework."""
    needed = [line for line in requires("tracer") or () if "extra ==" not in line]
    assert needed
    assert not [line for line in needed if line.startswith(("torch", "mindspore"))]


def test_importing_tracer_loads_no_framework(tmp_path: Path) -> None:
    """After `import tracer`, neither framework is in `sys.modules`, nor what only the terminal needs."""
    done = python("import sys, tracer; print(*sys.modules)", tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"torch", "mindspore", "rich", "click"}


def test_every_module_can_be_imported_without_a_framework(tmp_path: Path) -> None:
    """No module of the package, but the demo's own nets, needs a framework to be imported."""
    names = [n for n in modules() if room(n) not in {"demo", "__main__"}]
    code = f"{BLOCKED}\nimport importlib\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = python(code, tmp_path, *names)
    assert done.returncode == 0, done.stderr


def test_the_face_knows_what_it_lists(tmp_path: Path) -> None:
    """Every name in `__all__` can be had where no framework is installed."""
    done = python(f"{BLOCKED}\nimport tracer\nfor name in tracer.__all__: getattr(tracer, name)", tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_diff_needs_no_framework(traces: Path) -> None:
    """Traces of both frameworks are compared, origin and cause included, where neither can be imported."""
    code = f"{BLOCKED}\nimport json, tracer\nprint(json.dumps(tracer.diff('pt.h5', 'ms.h5').to_dict()))"
    done = python(code, traces)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["verdict"] == "diverged"
    assert report["origin"]["reference"]["path"] == "1"
    assert "approximate" in {cause["name"] for cause in report["origin"]["causes"]}


def test_the_command_line_needs_no_framework(traces: Path) -> None:
    """`tracer diff` and `tracer show` work where neither framework can be imported."""
    code = f"{BLOCKED}\nfrom tracer.cli import main\nmain()"
    assert python(code, traces, "diff", "pt.h5", "ms.h5").returncode == 1
    shown = python(code, traces, "show", "ms.h5")
    assert shown.returncode == 0, shown.stderr
    assert "Dense" in shown.stdout


def test_recording_without_the_framework_says_what_to_install(tmp_path: Path) -> None:
    """A thing that is no net of an installed framework is refused in words, not by a missing module."""
    code = f"{BLOCKED}\nimport tracer\ntry: tracer.record(object(), 1, out='x.h5')\nexcept tracer.TracerError as e: print(e)"
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "next:" in done.stdout
