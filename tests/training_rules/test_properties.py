"""What must hold of the rules whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tracer.divergence.training.rule_meanings import RuleMeaning, meanings
from tracer.divergence.training.update_rules import RULES, Array, updated
from tracer.trace.schema import Optimizer

_NUMBERS = st.floats(-10, 10, allow_nan=False).map(lambda x: round(x, 6))
_VECTOR = arrays(np.float64, 4, elements=_NUMBERS)
_KINDS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop"]


def _rule(kind: str, **words: float) -> RuleMeaning:
    (means,) = meanings(Optimizer(kind, (f"torch.optim.{kind}",), {}), "torch")
    return means.with_words(**words)


def _two(rule: RuleMeaning, p: Array, first: Array, second: Array) -> Array:
    one = updated(rule, p, first, {})
    return updated(rule, one.parameter, second, one.state).parameter


@pytest.mark.parametrize("kind", _KINDS)
@given(p=_VECTOR, g=_VECTOR, h=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_maximize_is_a_negated_gradient(kind: str, p: Array, g: Array, h: Array) -> None:
    """Of every rule, over two steps."""
    np.testing.assert_array_equal(_two(_rule(kind, maximize=1.0), p, g, h), _two(_rule(kind), p, -g, -h))


@pytest.mark.parametrize("kind", ["Adam", "NAdam", "RAdam"])
@given(p=_VECTOR, g=_VECTOR, h=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_decoupled_without_decay_is_coupled(kind: str, p: Array, g: Array, h: Array) -> None:
    """Where there is no decay it cannot matter where it goes."""
    np.testing.assert_array_equal(_two(_rule(kind, decoupled=True), p, g, h), _two(_rule(kind), p, g, h))


@given(p=_VECTOR, g=_VECTOR, h=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_no_eps_stands_nowhere(p: Array, g: Array, h: Array) -> None:
    """With eps zero both places give one number."""
    one = _two(_rule("Adam", eps=0.0), p, g, h)
    np.testing.assert_allclose(one, _two(_rule("Adam", eps=0.0, eps_placement="plain"), p, g, h), rtol=1e-9)


@pytest.mark.parametrize("kind", _KINDS)
@given(p=_VECTOR, scale=st.floats(1, 1024), g=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_a_loss_scale_is_divided_out(kind: str, p: Array, scale: float, g: Array) -> None:
    """A scaled gradient and an optimizer that knows it."""
    one = updated(_rule(kind, loss_scale=scale), p, g * scale, {}).parameter
    np.testing.assert_allclose(one, updated(_rule(kind), p, g, {}).parameter, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in _KINDS if kind not in ("Rprop", "ASGD")])
@given(p=_VECTOR, g=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_a_rate_of_zero_moves_nothing(kind: str, p: Array, g: Array) -> None:
    """Nor does weight decay."""
    np.testing.assert_array_equal(updated(_rule(kind, lr=0.0, weight_decay=0.1), p, g, {}).parameter, p)


@pytest.mark.parametrize("kind", _KINDS)
@given(p=_VECTOR, g=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_a_step_is_not_larger_than_its_terms(kind: str, p: Array, g: Array) -> None:
    """The size that rounding is measured by bounds the step."""
    got = updated(_rule(kind, weight_decay=0.1), p, g, {})
    finite = np.isfinite(got.parameter)
    assert np.all(np.abs(got.parameter - p)[finite] <= got.size[finite] * (1 + 1e-9) + 1e-12)


@given(p=_VECTOR, g=_VECTOR, h=_VECTOR)
@settings(max_examples=25, deadline=None)
def test_what_is_not_in_place_changes_nothing(p: Array, g: Array, h: Array) -> None:
    """As mint.optim on CPU."""
    np.testing.assert_array_equal(_two(_rule("Adam", in_place=False), p, g, h), p)


def test_every_rule_is_a_row_of_some_table() -> None:
    """No rule is without a class, no class without a rule."""
    from tracer.divergence.training.rule_meanings import TABLES

    assert {row.rule for table in TABLES.values() for row in table} == set(RULES)
