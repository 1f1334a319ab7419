"""Clean ports agree through every phase of every step, whatever trains them."""

from __future__ import annotations

import pytest

from tests.training.job import Job
from tests.training.runner import Runner
from tests.training.trainings import OFTEN, SELDOM
from tests.training.verdicts import report_of

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]


def assert_agrees(job: Job, runner: Runner) -> None:
    """No origin, and all phases of all steps agree, with no step left out."""
    report = report_of(runner, job)
    assert (report["verdict"], report["origins"]) == ("agree", []), report["reason"]
    assert [step["step"] for step in report["steps"]] == list(range(job.count))
    phases = {"forward", "loss", "backward", "gradients", "update"}
    for step in report["steps"]:
        assert phases <= step["phases"].keys()
        assert {phase["verdict"] for phase in step["phases"].values()} == {"agree"}, step


@pytest.mark.parametrize("job", OFTEN, ids=lambda job: job.name)
def test_a_clean_port_agrees(job: Job, runner: Runner) -> None:
    """Some nets by some recipes, one net by all."""
    assert_agrees(job, runner)


@pytest.mark.slow
@pytest.mark.parametrize("job", SELDOM, ids=lambda job: job.name)
def test_every_clean_port_agrees(job: Job, runner: Runner) -> None:
    """Every net by every recipe."""
    assert_agrees(job, runner)
