"""Births in real MindSpore nets, recorded in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tracer

pytest.importorskip("mindspore")
pytestmark = pytest.mark.mindspore
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The traces of all nets."""
    made = tmp_path_factory.mktemp("mindspore")
    done = subprocess.run(
        [sys.executable, "-m", "tests.not_finite.mindspore_nets", str(made)],
        cwd=REPOSITORY, env={**os.environ, "GLOG_v": "3"}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return made


@pytest.fixture
def found(folder):
    """What is found in a net's trace."""
    return lambda name: tracer.find_nan(folder / f"{name}.h5")


@pytest.mark.parametrize(
    ("name", "phase", "where", "path"),
    [
        ("log", "forward", "call", "1"),
        ("healed", "forward", "call", "1"),
        ("division", "forward", "code", "(root)"),
        ("exp", "forward", "call", "1"),
        ("half", "forward", "call", "0"),
        ("weight", "start", "parameter", "1"),
        ("norm", "backward", "call", "1"),
        ("root", "backward", "code", "(root)"),
    ],
)
def test_the_first_birth_is_named(found, name, phase, where, path):
    """Its phase and its place; all that it was made of is finite."""
    birth = found(name).births[0]
    assert (birth.phase, birth.where, birth.path) == (phase, where, path)
    assert all(one.nan == one.inf == 0 for one in birth.given)


def test_relu_swallows_nan(found):
    """Healed, by whom, and that this is MindSpore's way."""
    birth = found("healed").births[0]
    assert (birth.healed, birth.healed_by) == (True, ("2",))
    assert "where the input is NaN, MindSpore on CPU gives 0 and PyTorch NaN" in birth.hints[-1]


def test_an_overflow_of_float16_says_the_range(found):
    """Dense computes in float16."""
    birth = found("half").births[0]
    assert (birth.dtype, birth.nan) == ("float16", 0)
    assert "float16 holds nothing beyond 65504" in birth.hints[0]


@pytest.mark.parametrize("name", ["mask", "clean"])
def test_nothing_is_born_in_a_right_net(found, name):
    """A mask, and a deep net of finite numbers."""
    assert not found(name)


def test_the_diff_tells_what_one_side_swallows(folder, tmp_path):
    """The same fault in both nets: PyTorch passes on what MindSpore's relu swallows."""
    import torch
    from torch import nn

    from tests.not_finite.mindspore_nets import INPUT
    from tests.not_finite.torch_nets import Op

    net = nn.Sequential(nn.Linear(4, 4), Op(lambda t: torch.log(t - 99)), nn.ReLU(), nn.Linear(4, 4))
    tracer.record(net, torch.from_numpy(INPUT), out=tmp_path / "pt.h5")
    report = tracer.diff(tmp_path / "pt.h5", folder / "healed.h5")
    notes = " ".join(report.diagnosis.notes)
    assert "NaN is born in both nets at the same place, forward: in 1 (Op)" in notes
    assert "2 of the candidate swallows the NaN that the reference passes on" in notes
    sides = report.to_dict()["not_finite"]
    assert [[birth["path"] for birth in sides[side]] for side in ("reference", "candidate")] == [["1"], ["1"]]
