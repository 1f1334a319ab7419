"""Steps of real optimizers, taken once: torch's here, MindSpore's in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training_rules import jobs
from tests.training_rules.taken import Taken, drawn, nearly

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def mindspore(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Taken]:
    """Steps by the name of a job; those that begin with "port " got gradients that differ by rounding."""
    pytest.importorskip("mindspore")
    folder = tmp_path_factory.mktemp("rules")
    named = [*jobs.MINDSPORE, *({**job, "name": f"port {job['name']}", "given": "port "} for job in jobs.PORTS)]
    (folder / "jobs.json").write_text(json.dumps(named), encoding="utf-8")
    ports = {f"port {key}": value for key, value in nearly(drawn()).items()}
    np.savez(folder / "given.npz", **drawn(), **ports)
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.training_rules.mindspore_steps",
            *(str(folder / name) for name in ("jobs.json", "given.npz", "out.npz")),
        ],
        cwd=ROOT,
        env={**os.environ, "GLOG_v": "3", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    with np.load(folder / "out.npz") as file:
        arrays = {name: file[name] for name in file.files}

    def taken(name: str) -> Taken:
        assert f"{name}|error" not in arrays, str(arrays.get(f"{name}|error"))
        start = f"{name}|"
        return Taken("mindspore", {key[len(start) :]: value for key, value in arrays.items() if key.startswith(start)})

    return taken


@pytest.fixture
def torch() -> Callable[..., Taken]:
    """Steps of a torch optimizer."""
    pytest.importorskip("torch")
    from tests.training_rules import torch_steps

    def taken(job: str | jobs.Job, **arguments: object) -> Taken:
        wanted = {"kind": job, "arguments": arguments} if isinstance(job, str) else job
        return Taken("torch", torch_steps.take(wanted, drawn()))

    return taken
