"""Nets that are named by text: where they are looked for, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tracer.errors import StartingPointError
from tracer.starting_point.checks.targets import make_net, read_target

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

CODE = """
import torch
from torch import nn

class Net(nn.Linear):
    def __init__(self):
        super().__init__(2, 2)

class Family:
    @staticmethod
    def small():
        return Net()

ready = Net()
times = []

def counted():
    times.append(1)
    return Net()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a module of nets, where the test works; what is imported there is forgotten."""
    (tmp_path / "nets_of_targets.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if "targets" in name:
            del sys.modules[name]


@pytest.mark.parametrize(
    "text", ["nets_of_targets:Net", "nets_of_targets.py:Net", "nets_of_targets:Family.small", "nets_of_targets:ready"]
)
def test_a_class_a_function_and_a_net_are_found(folder: Path, text: str) -> None:
    """In a module of the working folder or a file, also below another name."""
    assert type(make_net(read_target(text), 0)).__name__ == "Net"


def test_a_file_elsewhere_may_import_its_neighbours(folder: Path) -> None:
    """Its own folder is on the path while it is imported, and no longer."""
    (folder / "below").mkdir()
    (folder / "below" / "neighbour_of_targets.py").write_text(CODE)
    (folder / "below" / "main_targets.py").write_text("from neighbour_of_targets import Net\n")
    path = list(sys.path)
    assert type(make_net(read_target("below/main_targets.py:Net"), 0)).__name__ == "Net"
    assert sys.path == path


def test_the_seed_says_the_weights(folder: Path) -> None:
    """The same seed, the same numbers; the generators go on as if nothing had been."""
    make_net(read_target("nets_of_targets:Net"), 0)  # importing the module makes a net of its own
    state = torch.get_rng_state()
    made = [make_net(read_target("nets_of_targets:Net"), seed).weight.detach().numpy() for seed in (1, 1, 2)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_factory_is_called_once(folder: Path) -> None:
    """Where its framework is imported already."""
    make_net(read_target("nets_of_targets:counted"), 0)
    assert len(sys.modules["nets_of_targets"].times) == 1


def test_a_script_is_a_file_without_a_factory(folder: Path) -> None:
    """It records itself."""
    assert read_target("nets_of_targets.py").is_script
    assert not read_target("nets_of_targets.py:Net").is_script


@pytest.mark.parametrize("text", ["", ":", "nets", "a b:Net", "nets:", "none.py", "none.py:Net", "nets:1", "x.py:a-b"])
def test_a_text_that_names_no_net_is_refused(folder: Path, text: str) -> None:
    """In three beats, and nothing is imported."""
    before = set(sys.modules)
    with pytest.raises(StartingPointError) as caught:
        read_target(text)
    assert caught.value.then
    assert set(sys.modules) == before
