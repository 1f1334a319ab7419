"""Runs what the tests look at, once: torch in this process, MindSpore in one process for each twin.

MindSpore cannot be forked and can be left in disorder by an error, so faults that raise or go through NaN have a
process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.twins import torch_side
from tests.twins.fault import Fault
from tests.twins.faults import FAULTS
from tests.twins.twin import TWINS, Twin

ROOT = Path(__file__).parents[2]


class MindSporeFailed(AssertionError):
    """The candidate's process raised where it should not have."""


class Runner:
    """Recorded traces by twin and fault; `folder` holds them."""

    def __init__(self, folder: Path, twins: Iterable[str]) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._main = {name: self._pool.submit(self._run, name, self._jobs(name)) for name in dict.fromkeys(twins)}
        self._alone: dict[str, Future[dict[str, str]]] = {
            fault.name: self._pool.submit(self._run, fault.twin, [fault.name])
            for fault in FAULTS.values()
            if fault.twin in self._main and _is_alone(fault)
        }
        self._torch = threading.Lock()

    def close(self) -> None:
        """Wait for what still runs, start nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def plain(self, twin: Twin) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
        """The candidate's outputs and gradients without the tracer."""
        self._check(self._main[twin.name], "plain")
        with np.load(self.folder / f"{twin.name}.plain.npz") as file:
            outputs = [file[name] for name in file.files if name.startswith("output.")]
            gradients = {name[5:]: file[name] for name in file.files if name.startswith("grad.")}
        return outputs, gradients

    def reference(self, twin: Twin, fault: Fault | None = None) -> Path:
        """The reference's trace; shared by all faults that leave the reference as it is."""
        spoiled = fault is not None and (fault.reference_edits or fault.reference_training is not None)
        out = self.folder / f"{twin.name}.{fault.name if spoiled and fault else 'clean'}.reference.h5"
        with self._torch:
            if not out.exists():
                torch_side.record(twin, fault if spoiled else None, out)
        return out

    def candidate(self, twin: Twin, fault: Fault | None = None) -> Path:
        """The candidate's trace."""
        job = fault.name if fault else "clean"
        future = self._alone[job] if job in self._alone else self._main[twin.name]
        if fault and fault.raises:
            assert job in future.result(), f"{job}: the net was to raise"
        else:
            self._check(future, job)
        return self.folder / f"{twin.name}.{job}.candidate.h5"

    @staticmethod
    def _jobs(twin: str) -> list[str]:
        return ["plain", "clean", *(f.name for f in FAULTS.values() if f.twin == twin and not _is_alone(f))]

    def _run(self, twin: str, jobs: list[str]) -> dict[str, str]:
        """One MindSpore process; what its jobs raised, by job."""
        errors = self.folder / f"{twin}.{len(jobs)}.{jobs[-1]}.errors.json"
        command = [sys.executable, "-m", "tests.twins.mindspore_side", str(self.folder), str(errors), twin, *jobs]
        # The nets are small: threads would only wait for each other.
        environment = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        found: dict[str, str] = json.loads(errors.read_text(encoding="utf-8")) if errors.exists() else {}
        if done.returncode != 0:
            found[""] = f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return found

    @staticmethod
    def _check(future: Future[dict[str, str]], job: str) -> None:
        errors = future.result()
        for name in (job, ""):
            if name in errors:
                raise MindSporeFailed(errors[name])


def _is_alone(fault: Fault) -> bool:
    return fault.alone or fault.raises


def wanted(names: Iterable[object]) -> list[str]:
    """The names of the twins behind a list of twins and faults."""
    return [
        name
        for item in names
        for name in [item.twin if isinstance(item, Fault) else getattr(item, "name", "")]
        if name in TWINS
    ]
