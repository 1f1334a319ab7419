"""Births in small nets of plain functions: whatever the net, a birth is of finite numbers."""

from __future__ import annotations

import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.divergence.worlds import World
from tracer.divergence.births import births, survey
from tracer.trace.schema import ROOT

warnings.filterwarnings("ignore", category=RuntimeWarning)

OPS = {
    "twice": lambda a: a * 2,
    "log": np.log,
    "root": np.sqrt,
    "inverse": lambda a: 1 / a,
    "zeroed": lambda a: a * 0,
    "exp": lambda a: np.exp(a * 50),
    "healed": np.nan_to_num,
    "clipped": lambda a: np.clip(np.where(np.isnan(a), 0, a), -1, 1),
}


def run(steps, array, weight=None):
    """A net that runs these in order: each is an op, and whether it is code or a layer."""
    world = World("torch")

    def net(x):
        for n, (op, is_code) in enumerate(steps):
            with np.errstate(all="ignore"):
                if is_code:
                    x = OPS[op](np.asarray(getattr(x, "array", x)))
                else:
                    held = {} if weight is None else {"weight": weight}
                    x = world.call(f"{op}{n}", op, lambda t, op=op: OPS[op](t.array), x, parameters=held)
        return x

    world.call(ROOT, "Net", net, array)
    return world.trace()


numbers = st.lists(st.floats(-3, 3, width=32), min_size=4, max_size=4).map(lambda v: np.array(v, np.float32))
nets = st.lists(st.tuples(st.sampled_from(sorted(OPS)), st.booleans()), min_size=1, max_size=7)


@given(nets, numbers)
@settings(max_examples=200, deadline=None)
def test_a_birth_is_of_finite_numbers(steps, array):
    """All that its call (or the code) was given is finite; what it made is not."""
    trace = run(steps, array)
    for birth in births(trace.skeleton):
        assert birth.nan + birth.inf > 0
        assert all(one.nan == one.inf == 0 for one in birth.given)


@given(nets, numbers)
@settings(max_examples=200, deadline=None)
def test_something_is_born_exactly_where_something_is_not_finite(steps, array):
    """No value that is not finite goes unexplained, and no birth is made up."""
    trace = run(steps, array)
    calls = trace.skeleton.steps[0].calls
    values = [v for call in calls for v in (*call.inputs, *call.outputs)]
    odd = any(v.statistics.nan or v.statistics.inf for v in values)
    found = survey(trace.skeleton, arrays=trace)
    assert odd == bool(found.births or found.masks)
    assert not (set(map(id, found.births)) & set(map(id, found.masks)))


@given(nets, numbers)
@settings(max_examples=100, deadline=None)
def test_the_end_is_told(steps, array):
    """Where the net returns numbers that are not finite, one of the births reached its output."""
    trace = run(steps, array)
    output = trace.skeleton.steps[0].calls[0].outputs[0]
    spoilt = bool(output.statistics.nan or output.statistics.inf)
    found = survey(trace.skeleton, arrays=trace)
    reached = any("output" in birth.reached for birth in found.births)
    assert reached == spoilt or found.masks


@given(st.lists(st.sampled_from(["twice", "clipped"]), min_size=1, max_size=6), numbers)
@settings(max_examples=50, deadline=None)
def test_nothing_is_born_of_clean_numbers(ops, array):
    """Finite numbers stay finite, and nothing is told."""
    found = survey(run([(op, False) for op in ops], array).skeleton)
    assert not found
    assert found.masks == ()


def test_what_is_healed_and_born_again_is_two_births():
    """A second birth after the first was swallowed."""
    steps = [("log", False), ("healed", False), ("zeroed", False), ("inverse", False)]
    first, second = births(run(steps, np.full(4, -1, np.float32)).skeleton)
    assert (first.path, first.healed_by, first.healed) == ("log0", ("healed1",), True)
    assert (second.path, second.reached) == ("inverse3", ("output",))


def test_what_code_swallows_is_told_of_the_code():
    """No call shows it any more."""
    (birth,) = births(run([("log", False), ("clipped", True), ("twice", False)], np.full(4, -1, np.float32)).skeleton)
    assert birth.healed_by == ("code of (root)",)


def test_one_step_can_be_asked_for():
    """A step that the trace has not gives none."""
    trace = run([("log", False)], np.full(4, -1, np.float32))
    assert len(births(trace.skeleton, 0)) == 1
    assert births(trace.skeleton, 1) == ()


def test_a_nan_in_a_weight_is_told_once():
    """By the layer that holds it."""
    weight = np.array([1, np.nan], np.float32)
    (birth,) = births(run([("twice", False)], np.ones(4, np.float32), weight).skeleton)
    assert (birth.phase, birth.where, birth.path, birth.leaf) == ("start", "parameter", "twice0", "weight")
