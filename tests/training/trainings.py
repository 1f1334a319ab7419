"""What is trained in every run of the tests, and what only before a release, because MindSpore takes its time."""

from __future__ import annotations

import pytest

from tests.training import recipe as by
from tests.training.fault import Fault
from tests.training.faults import FAULTS
from tests.training.job import Job
from tests.training.recipe import Recipe
from tests.training.twin import TRAINED

_OFTEN = {
    "mlp": (
        *by.OPTIMIZERS,
        by.NESTEROV,
        by.RMSPROP,
        by.CLIPPED,
        by.ACCUMULATED,
        by.SCALED_OTHERWISE,
        by.ALL_AT_ONCE,
        by.CLOSURE,
        by.ONE_STEP,
        by.MODEL_TRAIN,
    ),
    "cnn_training": (by.ADAMW,),
    "lstm": (by.ADAMW,),
}


def _jobs(recipes: dict[str, tuple[Recipe, ...]]) -> list[Job]:
    return [Job(twin, recipe) for twin, some in recipes.items() for recipe in some]


OFTEN = _jobs(_OFTEN)
SELDOM = [job for job in _jobs(dict.fromkeys(TRAINED, (*by.OPTIMIZERS, *by.OPTIONS))) if job not in OFTEN]


_OF_BATCH_NORM = {"not_in_training_mode", "batch_norm_momentum_copied"}


def parameters(*faults: Fault) -> list[object]:
    """Faults for a test: those in the larger nets are slow, but for what no other net can show."""
    slow = {fault.name for fault in faults if fault.twin != "mlp"} - _OF_BATCH_NORM
    return [
        pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] if fault.name in slow else []) for fault in faults
    ]


ALL_FAULTS = parameters(*FAULTS.values())
