"""What judging one update says where rules are not known, gradients say nothing, or things are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.training_rules.taken import Taken, pairs
from tracer.divergence.training.optimizer_groups import groups_apart
from tracer.divergence.training.rule_meanings import meanings
from tracer.divergence.training.update_causes import explain
from tracer.divergence.training.updates import (
    ParameterUpdate,
    SideUpdate,
    free_of_information,
    judge,
    makes_own_numbers,
)
from tracer.trace.schema import Group, Optimizer

Torch = Callable[..., Taken]


@pytest.fixture
def pair(torch: Torch) -> ParameterUpdate:
    """A weight in the second step of Adam on both sides."""
    return pairs(torch("Adam", lr=0.01), torch("Adam", lr=0.01), 1)[0]


def test_a_single_element_is_found(pair: ParameterUpdate) -> None:
    """One of thirty that did not move."""
    after = np.array(pair.candidate.after)
    after[0, 0] = np.array(pair.candidate.before)[0, 0]
    assert judge(replace(pair, candidate=replace(pair.candidate, after=after))).verdict == "differ"


def test_what_was_not_recorded_cannot_be_told(pair: ParameterUpdate) -> None:
    """The new parameter is missing."""
    found = judge(replace(pair, candidate=replace(pair.candidate, after=None)))
    assert (found.verdict, found.by) == ("cannot tell", "nothing")
    assert "not recorded" in found.reason


def test_other_gradients_are_inherited(pair: ParameterUpdate) -> None:
    """A candidate that steps rightly by a wrong gradient is no fault of the update."""
    candidate = pair.candidate
    assert candidate.before is not None
    assert candidate.gradient is not None
    wrong = Taken("torch", {})  # only to say: built by the rule itself, below
    assert wrong.framework == "torch"
    from tracer.divergence.training.updates import applied, expected_state

    assert pair.reference_rule is not None
    other = replace(candidate, gradient=(candidate.gradient * -3).astype(np.float32))
    got = applied(pair.reference_rule, other, expected_state(pair))
    assert got is not None
    state = {key: got.state[key].astype(np.float32) for key in candidate.state_after}
    moved = replace(other, after=got.parameter.astype(np.float32), state_after=state)
    assert judge(replace(pair, candidate=moved)).verdict == "agree"


def test_an_unknown_kind_is_judged_by_updates(pair: ParameterUpdate) -> None:
    """And said to be unknown."""
    optimizer = Optimizer("Mine", ("user.Mine",), {"lr": 0.01}, (Group({}, (("fc", "weight"),)),))
    (mine,) = meanings(optimizer, "torch")
    assert not mine.known
    found = judge(replace(pair, reference_rule=mine, candidate_rule=mine))
    assert (found.verdict, found.by) == ("agree", "updates")
    assert "no rule is known" in found.reason
    after = 2 * np.array(pair.candidate.after) - np.array(pair.candidate.before)
    other = replace(pair, reference_rule=mine, candidate_rule=mine, candidate=replace(pair.candidate, after=after))
    assert judge(other).verdict == "differ"
    assert "by name and shape" in explain([other]).notes[0]


def test_a_reference_that_keeps_no_rule_is_said_to(pair: ParameterUpdate) -> None:
    """Its own numbers are not those of its class: both updates are held against each other."""
    before, after = np.array(pair.reference.before), np.array(pair.reference.after)
    strange = (before + (after - before) * 1.5).astype(np.float32)
    both = replace(
        pair, reference=replace(pair.reference, after=strange), candidate=replace(pair.candidate, after=strange)
    )
    found = judge(both)
    assert (found.verdict, found.by) == ("agree", "updates")
    assert "not by the rule of Adam" in found.reason


def test_a_subclass_of_a_known_class_has_its_rule() -> None:
    """Bases are walked; "torch.optim.adamw.AdamW" is torch.optim.AdamW, and goes before Adam."""
    bases = ("user.Mine", "torch.optim.adamw.AdamW", "torch.optim.adam.Adam")
    (means,) = meanings(Optimizer("Mine", bases, {}), "torch")
    assert (means.rule, means.quirks["decoupled"], means.hyper["weight_decay"]) == ("adam", True, 0.01)


def test_settings_of_a_group_go_before_those_of_all() -> None:
    """lr of the second group is its own."""
    optimizer = Optimizer(
        "SGD", ("torch.optim.sgd.SGD",), {"lr": 0.1}, (Group({}, (("", "a"),)), Group({"lr": 0.2}, (("", "b"),)))
    )
    assert [means.hyper["lr"] for means in meanings(optimizer, "torch")] == [0.1, 0.2]


def test_a_setting_without_a_default_that_is_missing_is_said() -> None:
    """nn.Momentum needs a learning rate and a momentum."""
    (means,) = meanings(Optimizer("Momentum", ("mindspore.nn.optim.momentum.Momentum",), {}), "mindspore")
    assert set(means.missing) == {"lr", "momentum"}
    assert not means.known


def test_elements_below_their_rounding_are_not_judged(pair: ParameterUpdate) -> None:
    """A floor above all gradients leaves nothing to say; one above a single element forgives that one."""
    gradient, after = np.array(pair.candidate.gradient), np.array(pair.candidate.after)
    found = judge(replace(pair, floor=1e9))
    assert found.verdict == "cannot tell"
    assert "says nothing" in found.reason
    after[0, 0] = np.array(pair.candidate.before)[0, 0]
    floor = np.zeros_like(gradient)
    spoiled = replace(pair, candidate=replace(pair.candidate, after=after))
    assert judge(replace(spoiled, floor=floor)).verdict == "differ"
    floor[0, 0] = abs(gradient[0, 0])
    state = {key: value for key, value in pair.candidate.state_after.items()}
    assert (
        judge(replace(spoiled, floor=floor, candidate=replace(spoiled.candidate, state_after=state))).verdict == "agree"
    )


def test_gradients_of_rounding_are_free_of_information() -> None:
    """On both sides; on one side only it is a fault."""
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=20) * 1e-10, rng.normal(size=20) * 1e-10
    assert free_of_information(one, other, 1e-10).nothing
    assert not free_of_information(one, other + 1e-6, 1e-10).nothing
    half = np.where(np.arange(20) < 10, 1.0, other)
    assert free_of_information(half, half, 1e-10).share == pytest.approx(0.5)
    assert not free_of_information(half, half, 1e-10).nothing


def test_a_low_resolution_allows_its_rounding(pair: ParameterUpdate) -> None:
    """A bfloat16 parameter that is held in float32."""

    def rounded(side: SideUpdate) -> SideUpdate:
        raw = np.array(side.after, np.float32).view(np.uint32)
        after = ((raw + 0x8000) & np.uint32(0xFFFF0000)).view(np.float32)
        return replace(side, after=after, resolution=2.0**-8)

    coarse = replace(pair, reference=rounded(pair.reference), candidate=rounded(pair.candidate))
    assert judge(coarse).verdict == "agree"
    assert judge(replace(coarse, candidate=replace(coarse.candidate, resolution=None))).verdict == "differ"


def test_not_finite_gradients_give_what_the_rule_gives(torch: Torch) -> None:
    """NaN where the rule gives NaN agrees; a number there does not."""
    taken = torch("SGD", lr=0.1)
    side = taken.side("fc.bias", 0)
    gradient = np.array(side.gradient)
    gradient[0] = np.nan
    after = np.array(side.after)
    assert not makes_own_numbers(replace(side, gradient=gradient), taken.rule("fc.bias"))
    after[0] = np.nan
    assert makes_own_numbers(replace(side, gradient=gradient, after=after), taken.rule("fc.bias"))


def test_groups_are_held_against_each_other() -> None:
    """Parameters of one side only, and settings that some have otherwise."""
    a, b, c, d = (("net", name) for name in "abcd")
    reference = Optimizer("AdamW", ("torch.optim.AdamW",), {"lr": 0.1}, (Group({}, (a, b, c)),))
    candidate = Optimizer(
        "AdamW",
        ("mindspore.experimental.optim.adamw.AdamW",),
        {"lr": 0.1, "weight_decay": 0.01},
        (Group({}, (a, d)), Group({"weight_decay": 0.0}, (b,))),
    )
    found = groups_apart(
        meanings(reference, "torch"), meanings(candidate, "mindspore"), {place: place for place in (a, b, c, d)}
    )
    assert (found.only_reference, found.only_candidate, found.split) == ((c,), (d,), (0,))
    assert [(one.word, one.parameters) for one in found.differences] == [("weight_decay", (b,))]
