"""What is known to differ between both frameworks' optimizers is found by name, from steps of the real ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.training_rules.taken import Taken, pairs
from tracer.divergence.training.update_causes import explain
from tracer.divergence.training.updates import judge

Torch = Callable[..., Taken]
MindSpore = Callable[[str], Taken]
_E = "experimental.optim."


def _names(reference: Taken, candidate: Taken, step: int = 0) -> list[str]:
    return [cause.name for cause in explain(pairs(reference, candidate, step)).causes]


def test_sgd_with_the_default_rate_of_mindspore_is_its_learning_rate(torch: Torch, mindspore: MindSpore) -> None:
    """nn.SGD takes 0.1 where torch's takes 0.001, and the sentence says that it is the default."""
    (cause,) = explain(pairs(torch("SGD"), mindspore("nn.SGD()"), 0)).causes
    assert (cause.name, cause.reference, cause.candidate) == ("lr", "0.001", "0.1")
    assert "the default of mindspore.nn.SGD" in cause.sentence
    assert cause.edit_hint == "mindspore.nn.SGD(..., learning_rate=0.001)"


def test_nesterov_of_momentum_is_ignored(torch: Torch, mindspore: MindSpore) -> None:
    """nn.Momentum(use_nesterov=True) steps on CPU without it."""
    candidate = mindspore("nn.Momentum(learning_rate=0.1,momentum=0.9,use_nesterov=True)")
    reference = torch("SGD", lr=0.1, momentum=0.9, nesterov=True)
    assert _names(reference, candidate) == ["nesterov"]
    assert _names(reference, candidate, 3) == ["nesterov"]


@pytest.mark.parametrize("candidate", ["nn.Adam", "experimental"])
def test_adam_with_a_large_eps_is_where_eps_stands(candidate: str, torch: Torch, mindspore: MindSpore) -> None:
    """Neither nn.Adam nor the experimental one scales eps by the bias correction."""
    name = {
        "nn.Adam": "nn.AdamOffload(learning_rate=0.01,eps=0.001)",
        "experimental": f"port {_E}Adam(lr=0.01,eps=0.001)",
    }[candidate]
    reference = torch("Adam", lr=0.01, eps=1e-3)
    assert _names(reference, mindspore(name)) == ["eps_placement"]
    assert _names(reference, mindspore(name), 4) == ["eps_placement"]


def test_adam_weight_decay_makes_no_bias_correction(torch: Torch, mindspore: MindSpore) -> None:
    """It explains most, before the decay that norm layers miss; the aligned class is the hint."""
    candidate = mindspore("port nn.AdamWeightDecay(learning_rate=0.001,eps=1e-08,weight_decay=0.01)")
    causes = explain(pairs(torch("AdamW"), candidate, 0)).causes
    assert [cause.name for cause in causes] == ["bias_correction", "groups"]
    assert causes[0].edit_hint == "mindspore.experimental.optim.AdamW(params, lr=0.001, weight_decay=0.01)"


def test_adam_weight_decay_as_it_is_made_differs_in_three_words(torch: Torch, mindspore: MindSpore) -> None:
    """No bias correction first, then eps and weight decay, whose defaults are others."""
    names = _names(torch("AdamW"), mindspore("nn.AdamWeightDecay()"))
    assert names[0] == "bias_correction"
    assert set(names) == {"bias_correction", "eps", "weight_decay"}


def test_rmsprop_starts_its_accumulator_at_one(torch: Torch, mindspore: MindSpore) -> None:
    """Even with aligned settings."""
    candidate = mindspore("port nn.RMSProp(learning_rate=0.01,decay=0.99,epsilon=1e-08)")
    (cause,) = explain(pairs(torch("RMSprop"), candidate, 0)).causes
    assert (cause.name, cause.reference, cause.candidate) == ("accumulator", "0", "1")


def test_a_later_step_of_rmsprop_inherits_its_start_and_says_so(torch: Torch, mindspore: MindSpore) -> None:
    """The update follows from the state, so it agrees; the start is a note."""
    candidate = mindspore("port nn.RMSProp(learning_rate=0.01,decay=0.99,epsilon=1e-08)")
    explanation = explain(pairs(torch("RMSprop"), candidate, 3))
    assert not explanation.causes
    assert any("start at 0 in the reference and 1 in the candidate" in note for note in explanation.notes)


def test_rmsprop_as_it_is_made_differs_in_its_defaults_too(torch: Torch, mindspore: MindSpore) -> None:
    """lr, alpha and the start are named; eps has no effect and is a note."""
    explanation = explain(pairs(torch("RMSprop"), mindspore("nn.RMSProp()"), 0))
    assert {cause.name for cause in explanation.causes} == {"lr", "alpha", "accumulator"}
    assert any(note.startswith("eps differs") for note in explanation.notes)


def test_adagrad_as_it_is_made_differs_in_rate_and_start(torch: Torch, mindspore: MindSpore) -> None:
    """nn.Adagrad: 0.001 and 0.1."""
    assert set(_names(torch("Adagrad"), mindspore("nn.Adagrad()"))) == {"lr", "accumulator"}


def test_adagrad_from_zero_has_an_eps_of_its_own(torch: Torch, mindspore: MindSpore) -> None:
    """1e-8 inside the root shows where squared gradients are as small."""
    assert _names(torch("Adagrad"), mindspore("port nn.Adagrad(learning_rate=0.01,accum=0.0)")) == ["eps_placement"]


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_mint_never_changes_a_parameter(kind: str, torch: Torch, mindspore: MindSpore) -> None:
    """Its in-place calls are none on CPU."""
    (cause,) = explain(pairs(torch(kind, lr=0.01), mindspore(f"mint.optim.{kind}(lr=0.01)"), 0)).causes
    assert cause.name == "in_place"
    assert "no parameter ever changes" in cause.sentence
    assert cause.edit_hint.startswith("mindspore.experimental.optim.")


def test_gamma_and_beta_miss_their_weight_decay(torch: Torch, mindspore: MindSpore) -> None:
    """Only they are named, with the reason."""
    candidate = mindspore("port nn.Adam(learning_rate=0.01,weight_decay=0.1)")
    (cause,) = explain(pairs(torch("Adam", lr=0.01, weight_decay=0.1), candidate, 3)).causes
    assert (cause.name, cause.parameters) == ("groups", ("norm.gamma", "norm.beta"))
    assert "'gamma' or 'beta'" in cause.sentence


def test_decoupled_decay_is_told_from_l2(torch: Torch, mindspore: MindSpore) -> None:
    """AdamW ported as Adam with weight decay."""
    candidate = mindspore(f"port {_E}Adam(lr=0.01,weight_decay=0.1)")
    (cause,) = explain(pairs(torch("AdamW", lr=0.01, weight_decay=0.1), candidate, 0)).causes
    assert cause.name == "decoupled"


def test_amsgrad_of_the_experimental_adam_is_ignored(torch: Torch, mindspore: MindSpore) -> None:
    """It takes the argument and keeps no maximum."""
    candidate = mindspore(f"{_E}Adam(lr=0.01,eps=0.001,amsgrad=True)")
    assert set(_names(torch("Adam", lr=0.01, eps=1e-3, amsgrad=True), candidate)) == {"eps_placement", "amsgrad"}


def test_another_optimizer_is_another_kind(torch: Torch, mindspore: MindSpore) -> None:
    """Adam ported as SGD."""
    assert _names(torch("Adam"), mindspore("nn.SGD()")) == ["kind"]


def test_missing_momentum_is_found_before_it_shows(torch: Torch, mindspore: MindSpore) -> None:
    """In the first step only the buffer tells."""
    names = _names(torch("SGD", lr=0.1, momentum=0.9), mindspore("nn.SGD()"), 0)
    assert names == ["momentum"]


@pytest.mark.parametrize(
    ("reference", "candidate"),
    [
        ({"kind": "AdamW", "arguments": {}}, f"port {_E}AdamW(lr=0.001,weight_decay=0.01)"),
        (
            {"kind": "Adam", "arguments": {"lr": 0.01, "weight_decay": 0.1}},
            f"port {_E}Adam(lr=0.01,weight_decay=0.1)",
        ),
        (
            {"kind": "SGD", "arguments": {"lr": 0.1, "momentum": 0.9, "nesterov": True}},
            f"port {_E}SGD(lr=0.1,momentum=0.9,nesterov=True)",
        ),
        (
            {"kind": "SGD", "arguments": {"lr": 0.1, "momentum": 0.9, "nesterov": True}},
            "port nn.SGD(learning_rate=0.1,momentum=0.9,nesterov=True)",
        ),
        ({"kind": "SGD", "arguments": {}}, "port nn.SGD(learning_rate=0.001)"),
        ({"kind": "RMSprop", "arguments": {}}, f"{_E}RMSprop()"),
        ({"kind": "Adagrad", "arguments": {}}, f"{_E}Adagrad()"),
        ({"kind": "Adadelta", "arguments": {}}, "nn.Adadelta()"),
        ({"kind": "Adamax", "arguments": {"lr": 0.001}}, "nn.AdaMax()"),
        ({"kind": "NAdam", "arguments": {}}, f"{_E}NAdam()"),
        ({"kind": "RAdam", "arguments": {}}, f"{_E}RAdam()"),
        ({"kind": "ASGD", "arguments": {"lr": 0.1}}, "nn.ASGD()"),
        ({"kind": "Rprop", "arguments": {"lr": 0.1}}, "nn.Rprop()"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["kind"],
)
def test_a_right_port_agrees(reference: dict[str, object], candidate: str, torch: Torch, mindspore: MindSpore) -> None:
    """In five steps whose gradients differ by rounding, states included."""
    one, other = torch(reference), mindspore(candidate)
    for step in range(5):
        for pair in pairs(one, other, step):
            found = judge(pair)
            assert (found.verdict, found.by) == ("agree", "rule"), (step, pair.name, found)
        assert not explain(pairs(one, other, step)).causes


def test_a_gradient_of_rounding_makes_no_difference(torch: Torch) -> None:
    """AdamW takes full-size steps of unrelated rounding: the parameters part, the updates are still right ones."""
    from tests.training_rules import torch_steps
    from tests.training_rules.taken import drawn

    given, other = drawn(), drawn()
    rng = np.random.default_rng(5)
    for step in range(5):
        for arrays in (given, other):
            arrays[f"gradient.{step}.fc.bias"] = (1e-11 * rng.normal(size=6)).astype(np.float32)
    job = {"kind": "AdamW", "arguments": {"eps": 1e-12}}
    one, two = (Taken("torch", torch_steps.take(job, arrays)) for arrays in (given, other))
    apart = np.abs(one.arrays["4.after.parameter.fc.bias"] - two.arrays["4.after.parameter.fc.bias"]).max()
    assert apart > 1e-4
    for step in range(5):
        assert all(judge(pair).verdict == "agree" for pair in pairs(one, two, step))
