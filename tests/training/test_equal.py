"""A recorder changes nothing: a training ends in the same bits with it and without it, in every style of loop."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training import recipe as by
from tests.training.job import Job
from tests.training.runner import Runner

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

STEPS = 20
STYLES = {
    "plain loop": Job("mlp", by.ADAMW, count=STEPS),
    "accumulated": Job("mlp", by.ACCUMULATED, count=STEPS),
    "scaled and clipped": Job("mlp", by.ALL_AT_ONCE, count=STEPS),
    "closure": Job("mlp", by.CLOSURE, count=STEPS),
    "TrainOneStepCell": Job("mlp", by.ONE_STEP, count=STEPS),
    "Model.train": Job("mlp", by.MODEL_TRAIN, count=STEPS),
    "batch norm": Job("cnn_training", by.MOMENTUM, count=STEPS),
}
SLOW = {"accumulated", "batch norm"}
PAIRS = [
    pytest.param(job, replace(job, watched=False), id=style, marks=[pytest.mark.slow] if style in SLOW else [])
    for style, job in STYLES.items()
]


def differing(runner: Runner, watched: Job, plain: Job, side: str) -> list[str]:
    """The parameters that did not end in the same bits."""
    one, other = runner.left(watched, side).parameters, runner.left(plain, side).parameters
    assert one.keys() == other.keys()
    return [name for name, array in one.items() if not np.array_equal(array, other[name])]


@pytest.mark.parametrize(("watched", "plain"), PAIRS)
def test_torch_ends_in_the_same_bits(watched: Job, plain: Job, runner: Runner) -> None:
    """Twenty steps, recorded and not."""
    assert differing(runner, watched, plain, "reference") == []


@pytest.mark.parametrize(("watched", "plain"), PAIRS)
def test_mindspore_ends_in_the_same_bits(watched: Job, plain: Job, runner: Runner) -> None:
    """Twenty steps, recorded and not."""
    assert differing(runner, watched, plain, "candidate") == []
