"""Statistics, digests and row blocks say the same as plain numpy in float64."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tracer.trace.statistics import PIECE, digest, measure, row_blocks, statistics

REAL = ["?", "i1", "i8", "u8", "f2", "f4", "f8", ml_dtypes.bfloat16]


def wide(array: np.ndarray) -> np.ndarray:
    """The array as float64, magnitudes of complex numbers, without what is not finite."""
    values = np.abs(array.astype(np.complex128)) if array.dtype.kind == "c" else array.astype(np.float64)
    return values[np.isfinite(values)]


@pytest.mark.parametrize("dtype", REAL)
@pytest.mark.parametrize("size", [1, 17, 8192, PIECE, PIECE + 1, 3 * PIECE + 77])
def test_statistics_are_those_of_float64(dtype, size):
    """Mean, norm and extremes of every real dtype are numpy's in float64, across the borders of pieces."""
    array = (np.random.default_rng(0).normal(size=size) * 9).astype("f4").astype(dtype)
    found, values = statistics(array), wide(array)
    assert found.count == size
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    near = 5e-8 if array.dtype.itemsize <= 4 and array.dtype.kind not in "biu" else 1e-12
    assert found.mean == pytest.approx(values.mean(), rel=near, abs=near * np.abs(values).mean())
    assert found.l2 == pytest.approx(np.linalg.norm(values), rel=near)


@pytest.mark.parametrize("scale", [1e-38, 1e-22, 1e-15, 1e-12, 1e-3, 1, 1e10, 1e19, 1e37])
@pytest.mark.parametrize("kind", ["normal", "constant", "positive", "one large"])
def test_float32_is_as_good_at_every_scale(scale, kind):
    """Norm and mean to 1e-7, also where float32's own squares would overflow or vanish."""
    array = np.random.default_rng(0).normal(size=200_003)
    array = {"normal": array, "constant": array * 0 + 0.1, "positive": abs(array), "one large": array * 1e-4}[kind]
    array[77] = 9
    array = (array * scale).astype(np.float32)
    found, values = statistics(array), array.astype(np.float64)
    assert found.l2 == pytest.approx(np.linalg.norm(values / scale) * scale, rel=1e-7)
    assert found.mean == pytest.approx(values.mean(), rel=1e-7, abs=1e-7 * np.abs(values).mean())
    assert (found.minimum, found.maximum) == (values.min(), values.max())


def test_complex_statistics_are_those_of_magnitudes():
    """Of a complex array the magnitudes are meant."""
    array = np.array([3 + 4j, 0, -1j], np.complex64)
    found = statistics(array)
    assert (found.minimum, found.maximum, found.mean, found.l2) == (0, 5, 2, pytest.approx(26**0.5))
    assert found.sample == (5, 0, 1)


def test_not_finite_elements_are_counted_and_left_out():
    """NaN and infinities are counted; the rest is over what is finite."""
    array = np.full(PIECE * 2 + 5, 2.0, np.float32)
    array[[0, PIECE, -1]] = np.nan, np.inf, -np.inf
    found = statistics(array)
    assert (found.nan, found.inf, found.minimum, found.maximum, found.mean) == (1, 2, 2, 2, 2)
    assert found.l2 == pytest.approx(2 * (array.size - 3) ** 0.5)


def test_nothing_finite_leaves_none():
    """Without a finite element there are counts only."""
    found = statistics(np.array([np.nan, np.inf]))
    assert (found.count, found.nan, found.inf, found.mean, found.l2) == (2, 1, 1, None, None)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 2, 5)])
def test_empty_arrays(shape):
    """An empty array has count 0 and nothing else."""
    found = statistics(np.zeros(shape, np.float16))
    assert (found.count, found.minimum, found.sample) == (0, None, ())


@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-30, 1e200, 1e300])
def test_the_norm_neither_overflows_nor_vanishes(scale):
    """Squares beyond float64's range do not spoil the norm."""
    array = np.full(1000, scale)
    assert statistics(array).l2 == pytest.approx(scale * 1000**0.5, rel=1e-12)
    assert statistics(array).mean == pytest.approx(scale, rel=1e-12)


def test_the_mean_of_the_largest_numbers_is_finite():
    """A sum beyond float64's range does not spoil the mean."""
    assert statistics(np.full(PIECE * 3, 1.7e308)).mean == pytest.approx(1.7e308)


@pytest.mark.parametrize("size", [1, 2, 63, 64, 65, 1000, 12345])
def test_the_sample_is_evenly_spaced(size):
    """The sample holds the elements at the positions that the schema names."""
    array = np.arange(size, dtype=np.float64)
    at = np.round(np.linspace(0, size - 1, min(size, 64)))
    assert statistics(array).sample == tuple(at)


def test_the_order_of_memory_does_not_matter():
    """A transposed view is walked in its own C order."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T
    assert statistics(array) == statistics(np.ascontiguousarray(array))
    assert digest(array) == digest(np.ascontiguousarray(array))


def test_the_digest_is_of_the_bytes_alone():
    """xxh3-128 of the bytes in C order; neither shape nor dtype is part of it."""
    array = np.arange(6, dtype=np.int32)
    assert digest(array) == xxhash.xxh3_128_hexdigest(array.tobytes())
    assert digest(array) == digest(array.reshape(2, 3)) == digest(array.view(np.float32))


@pytest.mark.parametrize("rows", [1, 15, 16, 17, 4096, 4097, 100_000])
def test_row_blocks_are_sums_of_rows(rows):
    """Each block sums a power of two of rows, and there are at most 256 of them."""
    array = np.random.default_rng(1).normal(size=(rows, 3)).astype(np.float32)
    size, blocks = row_blocks(array)
    assert size >= 16
    assert size & (size - 1) == 0
    assert len(blocks) == -(-rows // size) <= 256
    for at, block in enumerate(blocks):
        part = array[at * size : (at + 1) * size].astype(np.float64)
        assert block[0] == pytest.approx(part.sum(), abs=1e-7 * np.abs(part).sum())
        assert block[1] == pytest.approx((part**2).sum(), rel=1e-7)
        assert block[2:].tolist() == [part.min(), part.max()]


def test_row_blocks_of_two_sizes_can_be_compared():
    """Adding neighbouring blocks gives the blocks of twice the size."""
    array = np.random.default_rng(2).normal(size=(16 * 300, 2))
    coarse, fine = row_blocks(array), row_blocks(array[: 16 * 256])
    assert (coarse[0], fine[0]) == (32, 16)
    merged = fine[1].reshape(-1, 2, 4)
    assert merged[:, :, :2].sum(1) == pytest.approx(coarse[1][:128, :2])


def test_row_blocks_of_scalars_vectors_and_nothing():
    """A scalar is one row, the rows of a vector are its elements, no rows give no block."""
    assert row_blocks(np.float32(3) * np.ones(()))[1].tolist() == [[3, 9, 3, 3]]
    assert row_blocks(np.arange(4.0))[1].tolist() == [[6, 14, 0, 3]]
    assert row_blocks(np.zeros((0, 3)))[1].shape == (0, 4)
    assert np.isnan(row_blocks(np.zeros((3, 0)))[1][0, 2])


@settings(max_examples=200, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.dtype(d) for d in ("f2", "f4", "f8", "i2", "?", "c8")]), hnp.array_shapes(max_side=40)
    )
)
def test_any_array(array):
    """For arrays of any dtype and shape, infinities and NaN included."""
    with np.errstate(all="ignore"):
        values = wide(array)
        everything = np.abs(array.astype(np.complex128)) if array.dtype.kind == "c" else array.astype(np.float64)
    found = statistics(array)
    assert measure(array)[0].count == found.count
    assert found.count - found.nan - found.inf == values.size
    assert found.nan == np.isnan(everything).sum()
    if values.size:
        assert (found.minimum, found.maximum) == (values.min(), values.max())
        peak = np.abs(values).max()
        norm = float(np.linalg.norm(values / peak)) * float(peak) if peak else 0.0
        assert found.l2 == pytest.approx(norm, rel=1e-7)
        assert found.mean == pytest.approx(float((values / values.size).sum()), rel=1e-7, abs=1e-7 * float(peak))
