"""Which nets are trained by which recipes: some in every run of the tests, all of them before a release."""

from __future__ import annotations

from tests.training import recipe as by
from tests.training.job import Job
from tests.training.recipe import Recipe
from tests.training.twin import TRAINED

_OFTEN = {
    "mlp": (*by.OPTIMIZERS, *by.OPTIONS),
    "cnn_training": (by.MOMENTUM, by.ADAMW, by.ACCUMULATED),
    "vit": (by.ADAMW, by.ALL_AT_ONCE),
    "gpt": (by.MOMENTUM, by.ALL_AT_ONCE, by.IGNORING),
    "lstm": (by.ADAMW, by.CLIPPED),
}


def _jobs(recipes: dict[str, tuple[Recipe, ...]]) -> list[Job]:
    return [Job(twin, recipe) for twin, some in recipes.items() for recipe in some]


OFTEN = _jobs(_OFTEN)
SELDOM = [job for job in _jobs(dict.fromkeys(TRAINED, (*by.OPTIMIZERS, *by.OPTIONS))) if job not in OFTEN]
