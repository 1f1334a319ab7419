"""Faults in layers that a recording left out: nobody innocent is blamed, and it is said that they were left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tracer

X = np.random.default_rng(3).normal(size=(4, 8)).astype(np.float32)


class Block(torch.nn.Module):
    """An activation and a factor between two layers, and a residual."""

    def __init__(self, approximate: str, scale: float):
        super().__init__()
        self.first = torch.nn.Linear(8, 16)
        self.act = torch.nn.GELU(approximate=approximate)
        self.second = torch.nn.Linear(16, 8)
        self.scale = (scale,)

    def forward(self, x):
        return x + self.second(self.act(self.first(x)) * self.scale[0])


class Net(torch.nn.Module):
    """Three blocks and a head; one block may have a fault."""

    def __init__(self, approximate: str = "none", scale: float = 1.0):
        super().__init__()
        torch.manual_seed(0)
        faults = [("none", 1.0), (approximate, scale), ("none", 1.0)]
        self.blocks = torch.nn.ModuleList([Block(*fault) for fault in faults])
        self.head = torch.nn.Linear(8, 3)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x)


def compared(folder, reference, candidate, left=None, right=None):
    """The report on two nets, each recorded with its filters."""
    traces = [
        tracer.record(net, X, out=folder / f"{name}.h5", **(filters or {}))
        for net, name, filters in ((reference, "left", left), (candidate, "right", right))
    ]
    return tracer.diff(*traces)


FILTERS = [
    {"skip": "blocks.1.act"},
    {"skip": "GELU"},
    {"skip": "blocks.1*"},
    {"depth": 1},
    {"depth": 2},
    {"only": "head"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("sides", ["both", "reference", "candidate"])
def test_a_setting_of_a_layer_left_out_is_offered(tmp_path, filters, sides):
    """The layer that was left out on one side or both is told, and the setting that differs there is the cause."""
    left = filters if sides != "candidate" else None
    right = filters if sides != "reference" else None
    report = compared(tmp_path, Net(), Net("tanh"), left, right)
    said = report.to_dict()
    assert said["verdict"] == "diverged"
    assert ("setting", "approximate") in {(c["kind"], c["name"]) for c in said["origin"]["causes"]}
    assert f"by {next(iter(filters))}=" in str(report)
    assert any("when" in note and "recorded" in note and "left" in note for note in said["notes"])


def test_where_nothing_differs_in_what_was_left_out_it_is_to_be_recorded(tmp_path):
    """Code inside a block that was left out: the cause names what was left out, and the edit is to record it."""
    said = compared(tmp_path, Net(), Net(scale=1.5), {"skip": "blocks.1*"}, {"skip": "blocks.1*"}).to_dict()
    (cause,) = said["origin"]["causes"]
    assert cause["kind"] == "code"
    assert "blocks.1" in cause["sentence"]
    assert cause["edit"] == "record both nets again without skip="


def test_a_clean_pair_says_what_was_left_out(tmp_path):
    """Agreement too rests on what was recorded only."""
    said = compared(tmp_path, Net(), Net(), {"depth": 1}, {"depth": 1}).to_dict()
    assert said["verdict"] == "agree"
    assert any("depth=1 left" in note for note in said["notes"])


def test_a_fault_beside_what_was_left_out_is_found_where_it_is(tmp_path):
    """A filter elsewhere changes nothing of the place and its causes."""
    said = compared(tmp_path, Net(), Net("tanh"), {"skip": "blocks.0.act"}, {"skip": "blocks.0.act"}).to_dict()
    assert (said["origin"]["place"], said["origin"]["reference"]["path"]) == ("layer", "blocks.1.act")
    assert "left out" not in said["origin"]["sentence"]
