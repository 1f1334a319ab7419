"""What an optimizer does otherwise than it says, or than the other one, is found from its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.training_rules.taken import SHAPES, Taken, drawn, pairs
from tracer.divergence.training.update_causes import Schedule, explain
from tracer.divergence.training.updates import ParameterUpdate, judge

Torch = Callable[..., Taken]

_ADAM = {"lr": 0.01, "weight_decay": 0.1}
_SGD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}


def _names(given: list[ParameterUpdate], **schedules: Any) -> list[str]:
    return [cause.name for cause in explain(given, **schedules).causes]


def _take(kind: str, arguments: dict[str, Any], given: dict[str, np.ndarray] | None = None, **others: Any) -> Taken:
    pytest.importorskip("torch")
    from tests.training_rules import torch_steps

    return Taken("torch", torch_steps.take({"kind": kind, "arguments": arguments, **others}, given or drawn()))


def test_what_both_do_alike_has_no_cause(torch: Torch) -> None:
    """Equal optimizers, equal gradients."""
    assert _names(pairs(torch("Adam", **_ADAM), torch("Adam", **_ADAM), 2)) == []


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_a_rate_that_is_said_otherwise_is_measured(kind: str) -> None:
    """The candidate says lr 0.01 and steps with 0.013."""
    reference = _take(kind, {"lr": 0.01})
    candidate = _take(kind, {"lr": 0.013}).saying(lr=0.01)
    (cause,) = explain(pairs(reference, candidate, 2)).causes
    assert cause.name == "lr"
    assert "1.3 times" in cause.sentence


@pytest.mark.parametrize(("step", "other"), [(2, 1), (2, 3)])
def test_a_schedule_that_is_a_step_off_is_one(step: int, other: int) -> None:
    """The rate of the step before, or of the next one."""
    rates = {0: 0.1, 1: 0.08, 2: 0.05, 3: 0.02, 4: 0.01}
    reference = _take("SGD", {"lr": 0.1}, rates=rates).saying(lr=rates[step])
    candidate = _take("SGD", {"lr": 0.1}, rates={n: rates[min(max(n + other - step, 0), 4)] for n in rates})
    known = {"reference_schedule": Schedule(rates[step - 1], rates[step + 1])}
    assert _names(pairs(reference, candidate.saying(lr=rates[other]), step), **known) == ["schedule"]
    assert _names(pairs(reference, candidate.saying(lr=rates[step]), step), **known) == ["schedule"]


def test_a_decay_that_is_said_and_not_done() -> None:
    """weight_decay 0.1 is in the settings; the numbers are without."""
    candidate = _take("Adam", {"lr": 0.01}).saying(weight_decay=0.1)
    assert _names(pairs(_take("Adam", _ADAM), candidate, 1)) == ["weight_decay"]


def test_a_decay_that_one_group_misses() -> None:
    """Only the parameters of that group are named."""
    group = [
        {"names": ["fc.weight", "norm.gamma", "norm.beta"], "arguments": {}},
        {"names": ["fc.bias"], "arguments": {"weight_decay": 0.0}},
    ]
    (cause,) = explain(pairs(_take("AdamW", _ADAM), _take("AdamW", _ADAM, groups=group), 1)).causes
    assert (cause.name, cause.parameters) == ("weight_decay", ("fc.bias",))


def test_a_decay_that_is_coupled_though_it_says_otherwise() -> None:
    """The numbers are Adam's, the facts AdamW's."""
    reference = _take("AdamW", _ADAM)
    candidate = Taken("torch", {**_take("Adam", _ADAM).arrays, "facts": reference.arrays["facts"]})
    assert _names(pairs(reference, candidate, 1)) == ["decoupled"]


def test_momentum_that_is_another_one() -> None:
    """In the second step; the first is alike in the parameter."""
    assert _names(pairs(_take("SGD", _SGD), _take("SGD", {**_SGD, "momentum": 0.8}), 1)) == ["momentum"]


def test_betas_that_are_others() -> None:
    """Named as torch names them."""
    assert _names(pairs(_take("Adam", {}), _take("Adam", {"betas": (0.8, 0.999)}), 1)) == ["betas"]


def test_dampening_that_only_one_has() -> None:
    """It begins with the second step."""
    assert _names(pairs(_take("SGD", _SGD), _take("SGD", {**_SGD, "dampening": 0.5}), 2)) == ["dampening"]


def test_maximize_is_a_gradient_that_is_negated() -> None:
    """Said by the settings, or done by a sign that nobody says."""
    assert _names(pairs(_take("Adam", {}), _take("Adam", {"maximize": True}), 0)) == ["maximize"]
    silent = _take("Adam", {"maximize": True}).saying(maximize=False)
    assert _names(pairs(_take("Adam", {}), silent, 0)) == ["maximize"]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_an_optimizer_that_forgets_is_one(kind: str) -> None:
    """Made anew in every step: its state is lost."""
    arguments = {"lr": 0.01, "momentum": 0.9} if kind == "SGD" else {"lr": 0.01}
    given = pairs(_take(kind, arguments), _take(kind, arguments, forgets=2), 2)
    assert {judge(pair).verdict for pair in given} == {"differ"}
    assert _names(given) == ["state"]


def test_a_parameter_that_the_optimizer_does_not_hold() -> None:
    """It is not changed, and has no gradient there."""
    reference, candidate = _take("Adam", {}), _take("Adam", {})
    given = pairs(reference, candidate, 1)
    still = replace(given[0].candidate, after=given[0].candidate.before, gradient=None)
    given[0] = replace(given[0], candidate=still, candidate_rule=None)
    (cause,) = explain(given).causes
    assert (cause.name, cause.parameters) == ("groups", ("fc.weight",))


def test_a_parameter_without_a_gradient_is_frozen() -> None:
    """It is in the optimizer, but nothing comes."""
    given = pairs(_take("Adam", {}), _take("Adam", {}), 1)
    given[1] = replace(given[1], candidate=replace(given[1].candidate, after=given[1].candidate.before, gradient=None))
    (cause,) = explain(given).causes
    assert (cause.name, cause.parameters) == ("frozen", ("fc.bias",))


def test_an_update_that_never_happens() -> None:
    """There are gradients, and nothing is changed."""
    given = [
        replace(pair, candidate=replace(pair.candidate, after=pair.candidate.before))
        for pair in pairs(_take("Adam", {}), _take("Adam", {}), 1)
    ]
    assert _names(given) == ["in_place"]


def test_zeros_that_move_a_parameter_where_torch_passes_over_it() -> None:
    """Weight decay works on a gradient of zeros, not on one that is none."""
    given = drawn()
    given["gradient.1.fc.bias"] = np.zeros(SHAPES["fc.bias"], np.float32)
    (pair,) = pairs(_take("SGD", _SGD, given), _take("SGD", _SGD, given), 1, ["fc.bias"])
    skipped = replace(pair, reference=replace(pair.reference, gradient=None, after=pair.reference.before))
    assert judge(skipped).verdict == "differ"
    assert _names([skipped]) == ["frozen"]


def test_what_no_effect_has_is_a_note() -> None:
    """eps 1e-8 or 1e-9 beside gradients of 1e-2 and more."""
    given = {key: np.sign(value) * (np.abs(value) + 0.01) if "grad" in key else value for key, value in drawn().items()}
    given = {key: value.astype(np.float32) for key, value in given.items()}
    explanation = explain(pairs(_take("Adam", {}, given), _take("Adam", {"eps": 1e-9}, given), 0))
    assert explanation.causes == ()
    assert explanation.notes == (
        "eps differs (1e-08 in the reference, 1e-09 in the candidate), with no effect beyond rounding in this step",
    )


def test_two_differences_are_both_named() -> None:
    """lr and weight decay, and no third."""
    names = _names(pairs(_take("AdamW", _ADAM), _take("AdamW", {"lr": 0.02, "weight_decay": 0.2}), 1))
    assert set(names) == {"lr", "weight_decay"}


def test_an_update_that_nothing_explains_is_said_to_be_so() -> None:
    """Noise on the new parameter."""
    rng = np.random.default_rng(3)
    given = []
    for pair in pairs(_take("Adam", {}), _take("Adam", {}), 1):
        after = pair.candidate.after
        assert after is not None
        spoiled = (after + 1e-3 * rng.normal(size=after.shape)).astype(np.float32)
        given.append(replace(pair, candidate=replace(pair.candidate, after=spoiled)))
    explanation = explain(given)
    assert explanation.causes == ()
    assert "nor any that was tried" in explanation.notes[0]
