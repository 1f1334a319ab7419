"""Runs what the tests look at, once: torch in this process, MindSpore in processes of some jobs each.

MindSpore's processes start with the first test and go on beside the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

from tests.training import torch_side
from tests.training.fault import Fault
from tests.training.job import Job, Left

ROOT = Path(__file__).parents[2]
AT_ONCE = 16
"""Jobs of one MindSpore process: enough to make up for its start, few enough to keep two cores busy."""
STEPS_OF_A_FAULT = 3
"""The latest slip shows in the third step."""


class MindSporeFailed(AssertionError):
    """A job of the candidate raised where it should not have."""


def job_of(fault: Fault) -> Job:
    """The training that a fault is planted in."""
    return Job(fault.twin, fault.recipe, fault.name, count=STEPS_OF_A_FAULT)


def reference_of(job: Job, fault: Fault | None = None) -> Job:
    """The training that a job is held against; shared by all faults that leave the reference as it is."""
    return job if fault is None or fault.spoils_reference else replace(job, fault="")


class Runner:
    """Traces, losses and parameters by job; `folder` holds them."""

    def __init__(self, folder: Path, jobs: Iterable[Job]) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(max_workers=2)
        self._torch = threading.Lock()
        self._ran: dict[str, Future[dict[str, str]]] = {}
        # Jobs of one twin are run together: MindSpore compiles some things once for each shape.
        ordered = sorted(dict.fromkeys(jobs), key=lambda job: job.twin)
        for first in range(0, len(ordered), AT_ONCE):
            members = ordered[first : first + AT_ONCE]
            ran = self._pool.submit(self._run, str(first), members)
            self._ran.update((job.name, ran) for job in members)

    def close(self) -> None:
        """Wait for what still runs, start nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def reference(self, job: Job) -> Path:
        """The reference's trace."""
        self._train_torch(job)
        return job.trace(self.folder, "reference")

    def candidate(self, job: Job) -> Path:
        """The candidate's trace."""
        self._wait(job)
        return job.trace(self.folder, "candidate")

    def left(self, job: Job, side: str) -> Left:
        """What a training left."""
        if side == "reference":
            self._train_torch(job)
        else:
            self._wait(job)
        return Left.load(job.result(self.folder, side))

    def _train_torch(self, job: Job) -> None:
        with self._torch:
            if not job.result(self.folder, "reference").exists():
                torch_side.run(job, self.folder)

    def _wait(self, job: Job) -> None:
        errors = self._ran[job.name].result()
        for name in (job.name, ""):
            if name in errors:
                raise MindSporeFailed(errors[name])

    def _run(self, name: str, jobs: list[Job]) -> dict[str, str]:
        """One MindSpore process; what its jobs raised, by job."""
        errors, order = self.folder / f"{name}.errors.json", self.folder / f"{name}.jobs.json"
        order.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
        command = [sys.executable, "-m", "tests.training.mindspore_side", str(self.folder), str(errors), str(order)]
        # The nets are small: threads would only wait for each other.
        environment = {**os.environ, "GLOG_v": "3", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1800, check=False
        )
        found: dict[str, str] = json.loads(errors.read_text(encoding="utf-8")) if errors.exists() else {}
        if done.returncode != 0:
            found[""] = f"exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return found
