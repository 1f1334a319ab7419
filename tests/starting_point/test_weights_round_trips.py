"""torch -> MindSpore -> torch is bit for bit the same for every layer type, live and through files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.habits.source import REPOSITORY
from tests.starting_point.layer_pairs import PAIRS
from tests.starting_point.processes import python_module

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

ROUNDING = 2e-6
"""Relative L2 that float32 kernels of two frameworks may be apart, as the diff has it."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    """What came of every pair, of one process."""
    folder = tmp_path_factory.mktemp("pairs")
    return json.loads(python_module("tests.starting_point.run_layer_pairs", REPOSITORY, folder).splitlines()[-1])


@pytest.mark.parametrize("name", PAIRS)
def test_every_parameter_finds_its_place(found: dict[str, dict], name: str) -> None:
    """By alignment alone, there and back, and what was written is read back."""
    assert "error" not in found[name], found[name]["error"]
    assert (found[name]["whole"], found[name]["read back"]) == (True, True)


@pytest.mark.parametrize("name", PAIRS)
def test_live_nets_there_and_back(found: dict[str, dict], name: str) -> None:
    """A torch net filled from a MindSpore net that was filled from a torch net is the first one, bit for bit."""
    assert found[name]["live"]


@pytest.mark.parametrize("name", PAIRS)
def test_files_there_and_back(found: dict[str, dict], name: str) -> None:
    """So is what torch loads after `.pth -> .ckpt -> .safetensors -> .pth`."""
    assert found[name]["files"]


@pytest.mark.parametrize("name", PAIRS)
def test_mindspore_loads_the_checkpoint(found: dict[str, dict], name: str) -> None:
    """`load_param_into_net` takes every parameter of the file, lacks none, and the net holds the same numbers."""
    assert (found[name]["MindSpore loads it"], found[name]["MindSpore has the same"]) == (True, True)


@pytest.mark.parametrize("name", [name for name, pair in PAIRS.items() if pair.runs])
def test_both_nets_compute_the_same(found: dict[str, dict], name: str) -> None:
    """After loading, outputs differ by no more than rounding."""
    assert found[name]["outputs"] < ROUNDING
