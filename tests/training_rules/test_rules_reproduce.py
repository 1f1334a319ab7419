"""The rules by the textbook make the numbers of the real classes, step by step, to float32 rounding."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.training_rules import jobs
from tests.training_rules.taken import SHAPES, Taken, pairs
from tracer.divergence.training.updates import judge, makes_own_numbers


def _check(taken: Taken) -> None:
    for step in range(5):
        for name in SHAPES:
            assert taken.rule(name).known
            assert makes_own_numbers(taken.side(name, step), taken.rule(name)), (step, name)
        if taken.rule("fc.weight").quirks["in_place"]:
            for pair in pairs(taken, taken, step):
                assert judge(pair).verdict == "agree", (step, pair.name, judge(pair))


@pytest.mark.parametrize("job", jobs.TORCH, ids=lambda job: job["name"])
def test_the_rule_makes_five_steps_of_torch(job: jobs.Job, torch: Callable[..., Taken]) -> None:
    """Parameters and states of every class of torch.optim that has a rule."""
    _check(torch(job))


@pytest.mark.parametrize("job", jobs.MINDSPORE, ids=lambda job: job["name"])
def test_the_rule_makes_five_steps_of_mindspore(job: jobs.Job, mindspore: Callable[[str], Taken]) -> None:
    """Parameters and states of every class of nn, experimental.optim and mint.optim that has a kernel on CPU."""
    _check(mindspore(job["name"]))
