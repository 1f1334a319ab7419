"""The slips are what they say they are, and the clean twins are twins: found out without the tracer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training import recipe as by
from tests.training.fault import PHASES, Fault
from tests.training.faults import FAULTS
from tests.training.job import Job
from tests.training.loading import changed_text
from tests.training.recipe import RECIPES
from tests.training.runner import Runner
from tests.training.trainings import OFTEN, SELDOM
from tests.training.twin import TRAINED
from tests.twins.direct import relative

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

PLAIN = [replace(job, watched=False) for job in OFTEN if job.recipe == by.ADAMW or job.twin == "gpt"]
PLAIN_SELDOM = [job for job in (replace(job, watched=False) for job in (*OFTEN, *SELDOM)) if job not in PLAIN]


def test_there_are_enough_faults() -> None:
    """At least forty-four, over all nets and all phases."""
    assert len(FAULTS) >= 44
    assert {fault.twin for fault in FAULTS.values()} == set(TRAINED)
    assert {fault.phase for fault in FAULTS.values()} == set(PHASES)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_changes_something(fault: Fault) -> None:
    """Each slip stands where it says; a fault without a slip is a recipe of its own, or weights that are not loaded."""
    trained = TRAINED[fault.twin]
    texts = (
        (trained.twin.candidate.partition(":")[0], (*trained.evened[1], *fault.net)),
        (trained.twin.reference.partition(":")[0], (*trained.evened[0], *fault.reference_net)),
        ("train_mindspore", fault.loop),
        ("train_torch", fault.reference_loop),
    )
    for module, edits in texts:
        compile(changed_text(module, edits), module, "exec")
    edited = (fault.net, fault.loop, fault.reference_net, fault.reference_loop, fault.unloaded)
    assert any(edited) or fault.recipe.name not in RECIPES
    assert fault.why


def unlike(job: Job, runner: Runner) -> tuple[float, dict[str, float]]:
    """How far the losses are from each other at most, and every parameter that says something."""
    reference, candidate = (runner.left(job, side) for side in ("reference", "candidate"))
    assert reference.parameters.keys() == candidate.parameters.keys()
    assert reference.losses.shape == candidate.losses.shape
    apart = {}
    for name, array in reference.parameters.items():
        other = candidate.parameters[name].copy()
        free = TRAINED[job.twin].free.get(name)
        if free is not None:
            other[free] = array[free]
        apart[name] = relative(other, array)
    return float(np.max(np.abs(candidate.losses / reference.losses - 1))), apart


def assert_trained_alike(job: Job, runner: Runner) -> None:
    """Within rounding; Adam's eps stands elsewhere in MindSpore, which the smallest gradients show."""
    losses, parameters = unlike(job, runner)
    adam = job.recipe.optimizer == "adam"
    assert losses < (5e-5 if adam else 3e-6)
    assert max(parameters.values()) < (1e-3 if adam else 1e-4 if job.recipe.optimizer == "rmsprop" else 1e-5), (
        parameters
    )


@pytest.mark.parametrize("job", PLAIN, ids=lambda job: job.name)
def test_clean_twins_train_alike(job: Job, runner: Runner) -> None:
    """Losses of five steps and parameters after them, once for every net."""
    assert_trained_alike(job, runner)


@pytest.mark.slow
@pytest.mark.parametrize("job", PLAIN_SELDOM, ids=lambda job: job.name)
def test_all_clean_twins_train_alike(job: Job, runner: Runner) -> None:
    """The same for every net by every recipe."""
    assert_trained_alike(job, runner)
