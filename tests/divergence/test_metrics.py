"""Metrics are worked out in float64, block by block, and statistics never claim more distance than there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tracer.divergence.metrics import Tolerance, compare_blocks, layouts, may_be_masks, same_values, screen
from tracer.trace.statistics import statistics


def compare(r, c, tolerance=1e-6, block=None):
    r, c = np.asarray(r), np.asarray(c)
    size = block or max(r.size, 1)
    blocks = [(r.ravel()[i : i + size], c.ravel()[i : i + size]) for i in range(0, r.size, size)]
    finite = r[np.isfinite(r)].astype(float)
    rms = float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0
    return compare_blocks(blocks, r.shape, tolerance=tolerance, rms=rms)


def test_relative_l2_is_the_norm_of_the_error_over_the_norm_of_the_reference():
    """||c - r|| / ||r||."""
    assert compare([3.0, 4.0], [3.0, 4.5]).relative_l2 == pytest.approx(0.1)


def test_a_zero_reference_is_measured_by_the_root_mean_square_of_the_error():
    """Nothing is divided by zero."""
    assert compare([0.0, 0.0], [1e-3, 1e-3]).relative_l2 == pytest.approx(1e-3)


def test_the_largest_difference_is_given_with_its_index():
    """In the reference's shape."""
    r = np.zeros((2, 3))
    c = r.copy()
    c[1, 2] = -5
    found = compare(r, c)
    assert (found.max_abs, found.max_at) == (5.0, (1, 2))


def test_not_a_number_at_the_same_places_is_no_difference():
    """The rest is compared; both counts are given."""
    found = compare([1.0, math.nan, math.inf], [1.0, math.nan, math.inf])
    assert (found.relative_l2, found.mask_differs, found.nan_reference) == (0.0, False, 2)


@pytest.mark.parametrize("other", [[math.nan, 2.0], [math.inf, math.nan], [1.0, -math.inf]])
def test_not_a_number_elsewhere_is_a_finding_of_its_own(other):
    """A differing mask diverges whatever the tolerance."""
    found = compare([1.0, math.nan], other, tolerance=1e9)
    assert found.mask_differs
    assert found.diverged


LEAST = float(np.finfo(np.float32).min)


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize("fill", [-1e9, -1e5, LEAST])
@pytest.mark.parametrize("turned", [False, True])
def test_a_mask_may_be_minus_infinity_or_hugely_negative(block, fill, turned):
    """Both mean one mask: it is left out of all sums, and counted."""
    sides = [np.float32([0.5, x, -0.25, x, 0]) for x in (-math.inf, fill)]
    found = compare(*(sides[::-1] if turned else sides), block=block)
    assert (found.diverged, found.relative_l2, found.filled, found.fill) == (False, 0.0, 2, pytest.approx(fill))
    assert (found.fill_side, found.nan_reference, found.nan_candidate, found.exact) == (int(not turned), 0, 0, False)


@pytest.mark.parametrize(
    "other",
    [
        [1.0, -1e9, 2.0],  # fewer places
        [-1e9, -1e9, -1e9],  # more places
        [1.0, -5e3, -5e3],  # not huge
        [1.0, 1e9, 1e9],  # the other end
        [1.0, math.nan, -1e9],
        [1.0, math.inf, -1e9],
    ],
)
def test_what_is_no_mask_differs(other):
    """Other places, other ends and real NaN stay findings."""
    found = compare([1.0, -math.inf, -math.inf], other)
    assert (found.diverged, found.problem, found.filled) == (True, "nan", 0)


def test_a_mask_lies_far_below_the_rest():
    """-1e5 beside numbers of a thousand is a number like others, unless it is the least that the dtype has."""
    assert compare([1e3, -math.inf], [1e3, -1e5]).diverged
    assert not compare(np.float16([1e3, -math.inf]), np.float16([1e3, -65504])).diverged


def test_numbers_beside_a_mask_are_compared():
    """What is left out does not hide an error, nor does its size."""
    found = compare(np.float32([3, 4, -1e9]), np.float32([3, 4.5, -math.inf]))
    assert found.relative_l2 == pytest.approx(0.1)


def test_where_equal_is_asked_for_a_mask_is_a_number():
    """Weights that are read back must be what was written."""
    assert compare_blocks(
        [(np.float32([-math.inf]), np.float32([-1e9]))], (1,), tolerance=0, rms=1, fills=False
    ).diverged


@pytest.mark.parametrize(("fill", "told"), [(-1e9, True), (-3.0, False)])
def test_statistics_say_whether_other_counts_of_inf_may_be_a_mask(fill, told):
    """They cannot tell whether it is the same one, so nothing is claimed."""
    sides = [statistics(np.float32([1, 2, x, x])) for x in (-math.inf, fill)]
    assert may_be_masks(*sides) is may_be_masks(*sides[::-1]) is told


def test_half_precision_is_compared_in_double():
    """Squares of float16 do not overflow."""
    r = np.full(1000, 300, np.float16)
    assert compare(r, r + np.float16(0.25)).relative_l2 == pytest.approx(0.25 / 300, rel=1e-3)


@given(
    hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(-1e3, 1e3, width=32)),
    st.integers(1, 17),
)
def test_blocks_give_the_same_as_the_whole(r, block):
    """The size of a block is of no account."""
    c = r * np.float32(1.001) + np.float32(0.01)
    whole, parts = compare(r, c), compare(r, c, block=block)
    assert parts.relative_l2 == pytest.approx(whole.relative_l2, rel=1e-9)
    assert (parts.max_abs, parts.max_at) == (whole.max_abs, whole.max_at)


@given(
    hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(-1e3, 1e3).map(lambda x: round(x, 6))),
    st.floats(1e-6, 10),
    st.integers(0, 2**31),
)
def test_order_free_statistics_never_overstate_the_distance(r, scale, seed):
    """What the statistics say is a lower bound: |norms|, means and extremes are at most the true distance apart."""
    c = r + scale * np.random.default_rng(seed).normal(size=r.size)
    said = screen(statistics(r), statistics(c), same_shape=False)
    true = np.linalg.norm(c - r) / (np.linalg.norm(r) or math.sqrt(r.size))
    assert said <= true * (1 + 1e-6) + 1e-9


def test_statistics_with_other_counts_of_nan_are_infinitely_apart():
    """A NaN that only one side has is seen without reading."""
    assert math.isinf(screen(statistics(np.array([1.0, np.nan])), statistics(np.array([1.0, 2.0])), same_shape=True))


def test_the_sample_sees_an_exchange_that_order_free_statistics_do_not():
    """Two halves exchanged keep norm, mean and extremes; the evenly spaced sample tells."""
    r = np.random.default_rng(0).normal(size=4096)
    c = np.roll(r, 2048)
    assert screen(statistics(r), statistics(c), same_shape=False) < 1e-9
    assert screen(statistics(r), statistics(c), same_shape=True) > 0.5


def test_the_same_numbers_in_another_order_are_known_as_such():
    """Fingerprints are free of order."""
    r = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    assert same_values(statistics(r), statistics(r.T.copy()))
    assert not same_values(statistics(r), statistics(r * 1.001))


@pytest.mark.parametrize(
    ("reference", "candidate", "name"),
    [
        ((2, 3, 4, 5), (2, 4, 5, 3), "NHWC -> NCHW"),
        ((2, 3, 1), (2, 3), "size-1 axes"),
        ((6, 4), (2, 3, 4), "reshaped"),
    ],
)
def test_layouts_are_named(reference, candidate, name):
    """The likeliest way to turn the candidate comes first and has a name."""
    assert next(layouts(reference, candidate)).name == name


def test_a_turned_layout_gives_back_the_reference():
    """Applying NHWC -> NCHW undoes the transposition."""
    r = np.arange(120.0).reshape(2, 3, 4, 5)
    layout = next(layouts(r.shape, (2, 4, 5, 3)))
    assert np.array_equal(layout.apply(np.transpose(r, (0, 2, 3, 1)), r.shape), r)


def test_shapes_of_other_counts_have_no_layout():
    """Nothing can be turned into what has more elements."""
    assert list(layouts((2, 3), (2, 4))) == []


def test_the_tolerance_of_an_approximate_kernel_is_wider_across_frameworks_only():
    """MindSpore's tanh is approximate on CPU; two torch traces are held to rounding."""
    across = Tolerance().limit("tanh", "float32", ("torch", "mindspore"))
    within = Tolerance().limit("tanh", "float32", ("torch", "torch"))
    assert across > 10 * within


def test_the_tolerance_follows_the_dtype():
    """Half precision may round more, double less; integers not at all."""
    both = ("torch", "mindspore")
    limits = [
        Tolerance().limit("linear", dtype, both) for dtype in ("bfloat16", "float16", "float32", "float64", "int64")
    ]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 0.0


def test_a_relative_tolerance_of_the_user_replaces_the_table():
    """--rtol holds for every op."""
    assert Tolerance(rtol=0.5).limit("tanh", "float32", ("torch", "mindspore")) == 0.5
