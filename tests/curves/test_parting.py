"""Where two curves part beyond the noise of both, and where they do not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curves.sources import chaos, series, training
from tracer.curves.parting import parting
from tracer.curves.series import Precision

SEEDS = st.integers(0, 10_000)


def judged(a, b, steps=None, **more):
    return parting(series(a, steps, **more), series(b, steps, **more))


def test_equal_curves_are_equal():
    """Not a bit apart."""
    loss = training(0)
    found = judged(loss, loss)
    assert (found.state, found.verdict, found.step, found.largest) == ("equal", "agree", None, 0.0)


def test_rounding_is_equal():
    """A few units in float32's last place are no difference."""
    loss = training(0)
    assert judged(loss, loss * (1 + 3e-7 * np.sin(np.arange(300)))).state == "equal"


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(1.02, 1.6), st.floats(1e-4, 0.05))
def test_chaos_is_no_parting(seed, growth, most):
    """Rounding that grows step by step and stays within the noise drifts, however fast it grows."""
    loss = training(seed)
    found = judged(loss, chaos(loss, seed + 1, growth=growth, most=most))
    assert (found.state in {"equal", "drifting"}, found.verdict) == (True, "agree")


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_the_logistic_map_is_no_parting(seed):
    """Chaos by the book: the difference doubles in each step, and curves that were one have nothing in common."""
    x, y = np.random.default_rng(seed).uniform(0.1, 0.9) + np.array([0, 1e-9]), []
    for _ in range(300):
        x = 3.9 * x * (1 - x)
        y.append(1 + x)
    a, b = np.array(y).T
    found = judged(a, b)
    assert np.abs(a - b).max() > 0.3
    assert found.verdict == "agree"


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.floats(0.02, 0.3))
def test_independent_noise_is_no_alarm(seed, spread):
    """Two runs on batches of their own differ from the first step on: that is said, and is no divergence."""
    found = judged(training(seed, spread=spread), training(seed + 77_777, spread=spread))
    assert (found.verdict, found.state, found.how) == ("unsure", "apart", "beginning")


@settings(max_examples=80, deadline=None)
@given(SEEDS, st.integers(10, 280), st.floats(0.02, 5), st.sampled_from([1, -1]))
def test_a_jump_is_found_at_its_step(seed, at, size, sign):
    """Out of rounding: at the very step, however small it is beside the noise."""
    loss = training(seed)
    other = loss * (1 + 1e-7 * np.random.default_rng(seed).standard_normal(300))
    other[at:] += sign * size * loss[at:] * 0.2
    found = judged(loss, other)
    assert (found.state, found.verdict, found.how, found.step, found.about) == ("parted", "diverged", "jump", at, 0)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(60, 250))
def test_a_jump_after_drift_is_found_near_its_step(seed, at):
    """Out of a difference that had grown already: within what the report says of its step."""
    loss = training(seed)
    other = chaos(loss, seed, growth=1.5, most=0.02)
    other[at:] *= 2.5
    found = judged(loss, other)
    assert found.state == "parted"
    assert abs(found.step - at) <= max(found.about, 1)


def test_a_difference_that_leaves_the_noise_step_by_step_is_unsure():
    """Rounding in unstable training looks as a small fault does; the step is named all the same."""
    loss = training(0)
    found = judged(loss, loss * (1 + np.minimum(1e-7 * 1.08 ** np.arange(300), 3)))
    assert (found.state, found.how, found.verdict) == ("parted", "grew", "unsure")
    assert 1.05 < found.growth < 1.1
    assert 150 < found.step < 230


def test_apart_from_the_first_step_on():
    """Equal batches, another loss: nothing has grown yet."""
    loss = training(0)
    found = judged(loss, loss * 1.1)
    assert (found.state, found.how, found.step, found.verdict) == ("parted", "beginning", 0, "diverged")


def test_as_far_apart_as_reduced_precision_makes_it():
    """Three thousandths from the first step on: bfloat16 or a fault."""
    loss = training(0)
    found = judged(loss, loss * (1 + 3e-3 * np.random.default_rng(1).standard_normal(300)))
    assert (found.state, found.how, found.verdict) == ("apart", "beginning", "unsure")


def test_a_first_point_late_in_training_may_have_drifted():
    """The log begins at step 100: what is apart there within the noise may have grown."""
    loss = training(0, 30)
    other = loss * (1 + 0.01 * np.random.default_rng(1).standard_normal(30))
    assert judged(loss, other, range(100, 3100, 100)).verdict == "agree"


def test_a_few_steps_suffice_for_what_is_plain():
    """Three points, and the first a tenth apart."""
    assert judged([2.3, 2.2, 2.1], [2.5, 2.4, 2.3]).verdict == "diverged"


def test_one_step_that_is_equal_agrees():
    """A single point is judged, too."""
    assert judged([2.3], [2.3]).verdict == "agree"


def test_the_last_points_do_not_tell_whether_it_stays():
    """A jump two points before the end."""
    loss = training(0)
    other = loss.copy()
    other[298:] *= 1.5
    found = judged(loss, other)
    assert (found.how, found.step, found.verdict) == ("end", 298, "unsure")


def test_a_spike_of_one_point_is_no_parting():
    """It does not stay."""
    loss = training(0)
    other = loss.copy()
    other[150] *= 1.5
    assert judged(loss, other).verdict == "agree"


def test_digits_that_were_not_written_are_no_difference():
    """A log of two decimals says nothing of the third."""
    loss = training(0)
    rounded = series(np.round(loss, 2), precision=Precision(2, 3))
    found = parting(series(loss), rounded)
    assert (found.state, found.begins) == ("equal", None)


def test_a_learning_rate_is_exact():
    """A schedule that is one step late is found where the schedule moves."""
    rate = [0.1] * 50 + [0.01] * 50
    late = [0.1] * 51 + [0.01] * 49
    found = judged(rate, late, measure="learning_rate")
    assert (found.state, found.how, found.step, found.verdict) == ("parted", "value", 50, "diverged")


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_the_first_point_that_is_not_finite_is_named(odd):
    """On one side only: there they part."""
    loss = training(0)
    other = loss.copy()
    other[120:] = odd
    found = judged(loss, other)
    assert (found.how, found.step, found.verdict) == ("not finite", 120, "diverged")
    assert found.not_finite == (None, 120)


def test_not_finite_at_one_step_on_both_sides_is_no_parting():
    """Judged up to there."""
    loss = training(0)
    loss[120:] = math.nan
    found = judged(loss, loss)
    assert (found.verdict, found.not_finite) == ("agree", (120, 120))


def test_not_finite_at_other_steps_is_a_parting():
    """At the earlier one."""
    a, b = training(0), training(0)
    a[130:], b[120:] = math.nan, math.nan
    assert judged(a, b).step == 120


def test_nothing_finite_is_unsure():
    """There is nothing to judge."""
    found = judged([math.nan] * 3, [math.nan] * 3)
    assert (found.verdict, found.step) == ("unsure", None)


def test_other_lengths_are_told():
    """What only one side has is named, and the rest is judged."""
    loss = training(0)
    found = parting(series(loss), series(loss[:200]))
    assert (found.only_reference, found.only_candidate) == (tuple(range(200, 300)), ())
    assert found.verdict == "agree"


def test_no_common_step_is_no_judgement():
    """The caller says so."""
    assert parting(series([1.0, 2.0], [0, 1]), series([1.0, 2.0], [5, 6])) is None


def test_curves_of_the_greatest_numbers_warn_of_nothing():
    """A run that runs away is judged without an overflow being told."""
    runaway = [10.0**n for n in range(300)]
    assert judged(runaway, runaway).verdict == "agree"


def test_zeros_are_judged():
    """A loss of nothing but zeros has no size."""
    assert judged([0.0] * 20, [0.0] * 20).state == "equal"
    assert judged([0.0] * 20, [0.0] * 10 + [1.0] * 10).step == 10
