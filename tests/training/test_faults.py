"""A slip of training is found in its phase and step, at its place, with its cause, and nothing else is blamed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.fault import Fault
from tests.training.faults import FAULTS
from tests.training.runner import Runner, job_of
from tests.training.trainings import ALL_FAULTS, parameters
from tests.training.verdicts import report_of

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

WORDED = parameters(*(fault for fault in FAULTS.values() if fault.words))
PLACED = parameters(*(fault for fault in FAULTS.values() if fault.place or fault.path is not None))


def origin_of(runner: Runner, fault: Fault) -> dict[str, Any]:
    """The first origin that the report names; empty where it names none."""
    return report_of(runner, job_of(fault), fault)["origin"] or {}


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_the_verdict_is_right(fault: Fault, runner: Runner) -> None:
    """Diverged, or unsure where both sides were given something else."""
    assert report_of(runner, job_of(fault), fault)["verdict"] == fault.verdict, fault.why


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_the_phase_is_right(fault: Fault, runner: Runner) -> None:
    """The first phase in which something differs though all that it was made of agrees."""
    assert origin_of(runner, fault).get("phase") in {fault.phase, fault.or_phase or fault.phase}, fault.why


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_the_step_is_right(fault: Fault, runner: Runner) -> None:
    """The first step that shows it."""
    assert origin_of(runner, fault).get("step") in fault.steps, fault.why


@pytest.mark.parametrize("fault", PLACED)
def test_the_place_is_right(fault: Fault, runner: Runner) -> None:
    """The layer, the code between layers, the loss, the group of the optimizer, or the first parameter."""
    origin = origin_of(runner, fault)
    path = (origin.get("reference") or {}).get("path")
    assert fault.place in {None, origin.get("place")}, fault.why
    assert fault.path is None or is_at(path, fault.path), (path, fault.why)


@pytest.mark.parametrize("fault", WORDED)
def test_the_cause_is_named(fault: Fault, runner: Runner) -> None:
    """Its words stand in the origin."""
    text = str(origin_of(runner, fault)).lower()
    assert [word for word in fault.words if word not in text] == [], text


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_one_phase_is_blamed(fault: Fault, runner: Runner) -> None:
    """What follows from a slip, in later phases and steps, is no further origin."""
    origins = report_of(runner, job_of(fault), fault)["origins"]
    assert len({(origin["phase"], origin["step"]) for origin in origins}) == 1, fault.why


@pytest.mark.parametrize("fault", ALL_FAULTS)
def test_every_step_is_listed(fault: Fault, runner: Runner) -> None:
    """With the phases that were judged, whether before or behind the origin."""
    job = job_of(fault)
    assert [step["step"] for step in report_of(runner, job, fault)["steps"]] == list(range(job.count))


def is_at(path: str | None, wanted: str) -> bool:
    """Is it the layer or parameter that was wanted, or a parameter of that layer?"""
    return path is not None and (path == wanted or path.startswith(f"{wanted}."))
