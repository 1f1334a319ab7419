"""The report on a training's two traces, once for all tests that ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.contract import validate_report
from tests.training.fault import Fault
from tests.training.job import Job
from tests.training.runner import Runner, reference_of

_reports: dict[tuple[Path, Path], dict[str, Any]] = {}


def report_of(runner: Runner, job: Job, fault: Fault | None = None) -> dict[str, Any]:
    """The diff of both sides as JSON, held against its schema."""
    from tracer import diff

    files = runner.reference(reference_of(job, fault)), runner.candidate(job)
    if files not in _reports:
        _reports[files] = validate_report(diff(*files).to_dict())
    return _reports[files]
