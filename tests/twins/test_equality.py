"""The twins are twins, found out without the tracer: equal outputs and gradients from equal weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.twins import torch_side
from tests.twins.direct import relative
from tests.twins.runner import Runner
from tests.twins.twin import TWINS, Twin

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_outputs_are_equal(twin: Twin, runner: Runner, tmp_path: Path):
    """Every tensor of the result has the same shape and agrees to the twin's tolerance."""
    reference, _ = torch_side.plain(twin, tmp_path)
    candidate, _ = runner.plain(twin)
    assert [array.shape for array in candidate] == [array.shape for array in reference]
    assert max(relative(mine, theirs) for mine, theirs in zip(candidate, reference, strict=True)) < twin.tolerance


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_gradients_are_equal(twin: Twin, runner: Runner, tmp_path: Path):
    """Every parameter's gradient agrees; one far smaller than the largest (zero in theory) is measured against that."""
    _, reference = torch_side.plain(twin, tmp_path)
    _, candidate = runner.plain(twin)
    assert candidate.keys() == reference.keys()
    floor = 1e-2 * max(float(np.linalg.norm(gradient)) for gradient in reference.values())
    worst = max(relative(candidate[name], gradient, floor) for name, gradient in reference.items())
    assert worst < 2e-5


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_outputs_say_something(twin: Twin, tmp_path: Path):
    """The result differs from row to row: a net whose output hardly depends on its input would hide faults."""
    reference, _ = torch_side.plain(twin, tmp_path)
    assert all(np.abs(array[0] - array[1]).max() > 1e-2 for array in reference)
