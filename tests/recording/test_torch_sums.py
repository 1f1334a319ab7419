"""What torch's own threads say of a tensor is what numpy says of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tracer.frameworks.torch import TorchWatcher
from tracer.trace.statistics import statistics


@pytest.mark.parametrize("scale", [1e-38, 1e-15, 1e-3, 1, 1e10, 1e37])
@pytest.mark.parametrize("kind", ["normal", "constant", "positive", "one large"])
def test_sums_of_torch_are_as_good_as_float64(scale, kind):
    """What torch's own threads say of a float32 tensor gives the norm and the mean to 2e-7 at every scale."""
    array = np.random.default_rng(0).normal(size=200_003)
    array = {"normal": array, "constant": array * 0 + 0.1, "positive": abs(array), "one large": array * 1e-4}[kind]
    array[77] = 9
    array = (array * scale).astype(np.float32)
    found, values = statistics(array, TorchWatcher().sums(torch.from_numpy(array))), array.astype(np.float64)
    assert found.l2 == pytest.approx(np.linalg.norm(values / scale) * scale, rel=2e-7)
    assert found.mean == pytest.approx(values.mean(), rel=2e-7, abs=2e-7 * np.abs(values).mean())
    assert (found.minimum, found.maximum) == (values.min(), values.max())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_sums_of_what_is_not_finite_are_not_taken(bad):
    """Where an element is not finite, all is counted as for other arrays."""
    array = np.ones(100_000, np.float32)
    array[5] = bad
    assert statistics(array, TorchWatcher().sums(torch.from_numpy(array))) == statistics(array)
    assert statistics(array).nan + statistics(array).inf == 1
