"""The weights of published nets go into published ports by the tracer alone, and the outputs say that they are right."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.published.families import FAMILIES

NEEDED = ("torch", "mindspore", "torchvision", "timm", "mindcv")
MISSING = [package for package in NEEDED if importlib.util.find_spec(package) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.mindspore,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing; tests/published/README.md says how"),
]

ROUNDING = 2e-5
"""Relative L2 below which the outputs of two nets agree, seen from outside."""


class MovedFamily:
    """One family in a process of its own, and what came of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.family = name, FAMILIES[name]
        command = [sys.executable, "-m", "tests.published.weights", name, str(folder)]
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        self.found = json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=FAMILIES)
def moved(request, tmp_path_factory) -> MovedFamily:
    return MovedFamily(request.param, tmp_path_factory.mktemp(request.param))


def test_every_parameter_is_placed(moved):
    """Nothing is ambiguous, nothing that matters is alone, and what was filled reads back equal bit for bit."""
    assert (moved.found["ambiguous"], moved.found["alone"]) == (0, 0)
    assert moved.found["equal"]


def test_structure_is_enough_where_it_tells(moved):
    """No net is run, except for those families of which the structure alone is known to leave choices."""
    assert moved.found["how"] == ("calls" if moved.family.needs_calls else "structure")


def test_no_placement_contradicts_the_map_by_hand(moved):
    """Where somebody wrote down which layer is which, every placement is that."""
    if moved.family.rename is None:
        pytest.skip("nobody wrote a map of this family")
    assert moved.found["wrong"] == []


def test_the_weights_of_both_nets_agree(moved):
    """`compare_weights` finds each parameter equal."""
    assert moved.found["compared"] == "agree"


def test_the_same_bits_come_back(moved):
    """The map turned round brings the port's weights into another torch net: those of the first, bit for bit."""
    assert moved.found["back"]


def test_mindspore_loads_the_converted_checkpoint(moved):
    """.pth to .ckpt, and MindSpore's own functions miss no parameter in it."""
    assert moved.found["checkpoint"]


def test_the_outputs_agree(moved):
    """With the port's known faults mended both nets put out the same numbers."""
    if moved.family.left:
        pytest.skip(f"the port has other faults: {moved.family.left}")
    assert moved.found["mended"] < ROUNDING
