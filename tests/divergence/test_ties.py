"""Parameters that one net ties and the other does not: the gradients tell, and the tie is the cause."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tracer

IDS = np.array([[1, 2, 3]])


class Tied(torch.nn.Module):
    """An embedding and a head of the same numbers, in one parameter or in two."""

    def __init__(self, tie: bool):
        super().__init__()
        torch.manual_seed(0)
        self.embed = torch.nn.Embedding(10, 8)
        self.body = torch.nn.Linear(8, 8)
        self.head = torch.nn.Linear(8, 10, bias=False)
        if tie:
            self.head.weight = self.embed.weight
        else:
            self.head.weight.data.copy_(self.embed.weight.data)

    def forward(self, ids):
        return self.head(self.body(self.embed(ids)))


def origin(folder, reference, candidate):
    """The origin of two such nets, as a report has it."""
    traces = [
        tracer.record(Tied(tie), IDS, out=folder / f"{name}.h5")
        for name, tie in (("left", reference), ("right", candidate))
    ]
    return tracer.diff(*traces).to_dict()["origin"]


@pytest.mark.parametrize("tied", [True, False])
def test_nets_that_tie_alike_agree(tmp_path, tied):
    """Tied on both sides, or on none."""
    assert origin(tmp_path, tied, tied) is None


@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_a_tie_of_one_net_only_is_the_cause(tmp_path, side):
    """Which net ties which parameters, what to do, and no line of the framework to look at."""
    found = origin(tmp_path, side == "reference", side == "candidate")
    assert found["phase"] == "backward"
    cause = found["causes"][0]
    assert (cause["kind"], cause["name"]) == ("parameter", "weight")
    assert f"the {side} ties embed.weight and head.weight" in cause["sentence"]
    assert cause["edit"]
    assert not any("-packages" in each["edit"] for each in found["causes"])
