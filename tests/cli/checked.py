"""Small nets of either framework, and scripts that record, for commands that run nets."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

TORCH = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, approximate="none"):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.act = nn.GELU(approximate=approximate)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 3)
    def forward(self, x):
        return self.head(self.drop(self.act(self.fc(x))))

def plain(): return Net()
def tanh(): return Net("tanh")
def raises(): raise ValueError("no such width")
def number(): return 3
def several(): return [Net()]
class More(Net):
    def __init__(self):
        super().__init__()
        self.extra = nn.Linear(3, 3)
    def forward(self, x):
        return self.extra(super().forward(x))
nothing = 3
made = Net()
"""

MINDSPORE = """
from mindspore import nn

class Net(nn.Cell):
    def __init__(self, approximate=False):
        super().__init__()
        self.fc = nn.Dense(6, 8)
        self.act = nn.GELU(approximate=approximate)
        self.drop = nn.Dropout(p=0.5)
        self.head = nn.Dense(8, 3)
    def construct(self, x):
        return self.head(self.drop(self.act(self.fc(x))))

def plain(): return Net()
def tanh(): return Net(True)
"""

SCRIPT = """
import os, numpy as np, tracer
from nets_torch import Net, tanh
samples = os.environ.get("TRACER_SAMPLES")
x = tracer.load_samples(samples, "torch") if samples else np.ones((4, 6), "float32") * FACTOR
like = os.environ.get("TRACER_LIKE")
tracer.record(MAKE(), x, out=os.environ["TRACER_OUT"], like=like)
"""

BLOCKED = """
import importlib.abc, sys
class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mindspore":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""


def write(folder: Path) -> Path:
    """The nets and scripts as files of a folder, which is given back."""
    files = {
        "nets_torch.py": TORCH,
        "nets_mindspore.py": MINDSPORE,
        "record_net.py": SCRIPT.replace("MAKE", "Net").replace("FACTOR", "1"),
        "record_tanh.py": SCRIPT.replace("MAKE", "tanh").replace("FACTOR", "1"),
        "record_other.py": SCRIPT.replace("MAKE", "Net").replace("FACTOR", "2"),
        "record_nothing.py": "print('nothing')\n",
        "record_elsewhere.py": SCRIPT.replace("MAKE", "Net").replace('os.environ["TRACER_OUT"]', '"elsewhere.h5"'),
        "asks.py": "input('which net? ')\n",
        "dies.py": "import os\nos.kill(os.getpid(), 9)\n",
        "hangs.py": "import pathlib, time\npathlib.Path('hangs').touch()\ntime.sleep(120)\n",
        "broken.py": "def plain(:\n",
        "late.py": "def plain():\n    from nets_torch import Net\n    return Net()\n",
        "wants.py": "import not_there\n",
        "blocked.py": BLOCKED + "import mindspore\n",
    }
    files["record_elsewhere.py"] = files["record_elsewhere.py"].replace("FACTOR", "1")
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "temporary").mkdir()
    return folder


def environment(folder: Path, **more: str) -> dict[str, str]:
    """This source tree's package, and a temporary folder that can be looked into."""
    kept = {key: value for key, value in os.environ.items() if key not in {"COLUMNS", "NO_COLOR"}}
    return kept | {"PYTHONPATH": str(REPOSITORY), "TMPDIR": str(folder / "temporary"), "GLOG_v": "3"} | more


def run(
    folder: Path, *arguments: object, code: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """`tracer` in that folder, or code."""
    command = ["-c", code] if code else ["-m", "tracer"]
    return subprocess.run(
        [sys.executable, *command, *map(str, arguments)], cwd=folder, env=environment(folder, **(env or {})),
        capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def left_over(folder: Path) -> list[str]:
    """What is in the temporary folder, but what torch puts there."""
    return [file.name for file in (folder / "temporary").iterdir() if "inductor" not in file.name]
