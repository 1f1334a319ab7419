"""What a loop does to gradients between the backward pass and the optimizer, told from numbers alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.divergence.training.gradients import explain, handed
from tracer.divergence.training.growth import growth
from tracer.divergence.training.steps import ranges

RNG = np.random.default_rng(0)
PARTS = {name: [RNG.standard_normal(shape).astype(np.float32) for _ in range(3)] for name, shape in
         (("a.weight", (8, 4)), ("a.bias", (8,)), ("b.weight", (3, 8)))}  # fmt: skip


def side(loop, parts=1):
    """What one side's optimizer gets when `loop` takes the gradients of its passes, by parameter."""
    got = loop({name: list(passes[:parts]) for name, passes in PARTS.items()})
    return {name: handed(passes[:parts], got[name]) for name, passes in PARTS.items()}


def norm(gradients):
    return np.sqrt(sum(float(np.sum(np.square(g, dtype=np.float64))) for g in gradients.values()))


def plain(passes):
    return {name: sum(parts) for name, parts in passes.items()}


def mean(passes):
    return {name: sum(parts) / len(parts) for name, parts in passes.items()}


def clipped(limit):
    def loop(passes):
        gradients = plain(passes)
        factor = min(1.0, limit / norm(gradients))
        return {name: (g * factor).astype(np.float32) for name, g in gradients.items()}

    return loop


def times(factor):
    return lambda passes: {name: g * np.float32(factor) for name, g in plain(passes).items()}


def each_clipped(limit):
    def loop(passes):
        return {n: (g * min(1.0, limit / np.linalg.norm(g))).astype(np.float32) for n, g in plain(passes).items()}

    return loop


def by_value(limit):
    return lambda passes: {name: np.clip(g, -limit, limit) for name, g in plain(passes).items()}


@pytest.mark.parametrize(
    ("ours", "theirs", "parts", "scales", "name"),
    [
        (plain, clipped(0.5), 1, (1, 1), "clip_grad_norm"),
        (clipped(1.0), clipped(5.0), 1, (1, 1), "clip_grad_norm"),
        (clipped(1.0), each_clipped(1.0), 1, (1, 1), "clip_grad_norm"),
        (plain, by_value(0.1), 1, (1, 1), "clip_grad_value"),
        (mean, plain, 3, (1, 1), "accumulation"),
        (plain, lambda passes: {n: parts[0] + parts[1] for n, parts in passes.items()}, 3, (1, 1), "accumulation"),
        (plain, times(1024), 1, (1, 1024), "loss_scale"),
        (plain, times(0.37), 1, (1, 1), "scale"),
        (plain, times(-1), 1, (1, 1), "scale"),
    ],
)
def test_what_a_loop_did_is_named(ours, theirs, parts, scales, name):
    """Clipping, divisors, passes that are lost, scales that stay on, whatever the numbers are."""
    found = explain(side(ours, parts), side(theirs, parts), scales)
    assert found is not None
    assert found.name == name


def test_both_limits_of_clipping_are_told():
    """The norm that each side clips to, or that it does not clip."""
    found = explain(side(clipped(1.0)), side(clipped(5.0)), (1, 1))
    assert (found.reference, found.candidate) == (1.0, 5.0)


def test_clipping_before_unscaling_is_told_as_such():
    """The limit was held against gradients that bore the loss's scale."""

    def early(passes):
        scaled = {name: g * 8 for name, g in plain(passes).items()}
        factor = 0.5 / norm(scaled)
        return {name: (g * factor / 8).astype(np.float32) for name, g in scaled.items()}

    found = explain(side(clipped(0.5)), side(early), (8, 8))
    assert found.name == "clip_grad_norm"
    assert "while the loss's scale" in found.sentence


@given(st.floats(1e-6, 1e6), st.integers(1, 3))
def test_one_factor_is_found_whatever_it_is(factor, parts):
    """What the optimizer gets is W times what the passes gave."""
    found = handed(PARTS["a.weight"][:parts], sum(PARTS["a.weight"][:parts]) * np.float32(factor))
    assert found.factor == pytest.approx(factor, rel=1e-4)
    assert found.left < 1e-5


@given(st.lists(st.floats(-4, 4).filter(lambda f: abs(f) > 0.01), min_size=2, max_size=3))
def test_each_pass_has_its_factor(factors):
    """Passes that count differently are told apart."""
    passes = PARTS["a.weight"][: len(factors)]
    found = handed(passes, sum(np.float32(f) * p for f, p in zip(factors, passes, strict=True)))
    assert found.factors == pytest.approx(factors, rel=1e-3, abs=1e-3)


def test_a_gradient_that_never_arrives():
    """Nothing for the optimizer is not zero times what was given."""
    found = handed(PARTS["a.bias"][:1], None)
    assert (found.norm, found.factors) == (None, ())
    assert found.given == pytest.approx(np.linalg.norm(PARTS["a.bias"][0]), rel=1e-6)


def test_growth_is_the_slope_of_the_logarithm():
    """Rounding that doubles each step grows by two."""
    assert growth([(0, 0.0), (1, 1e-7), (2, 2e-7), (4, 8e-7)]) == pytest.approx(2.0)
    assert growth([(0, 0.0), (1, 1e-7), (2, 2e-7)]) is None


def test_numbers_of_steps_in_words():
    """Neighbours are joined."""
    assert ranges([0, 3, 4, 5, 9]) == "0, 3 to 5, 9"
