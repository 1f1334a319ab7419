"""Layers of equal sizes find their partners by what stands beside them, by lists, and by what feeds them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tests.starting_point.mapped import drawn, map_of_calls, map_of_nets, sources


class Named(nn.Module):
    """Layers under the names given, run in that order."""

    def __init__(self, **layers: nn.Module):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One layer after the other."""
        for layer in self.children():
            x = layer(x)
        return x


class NormWithActivation(nn.BatchNorm2d):
    """A norm that runs an activation of its own, as timm has them."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.act = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Norm, then activation."""
        return self.act(super().forward(x))


def test_a_norm_goes_with_the_convolution_beside_it() -> None:
    """Norms of equal sizes in blocks of silent names, defined the other way round, follow their blocks' convolutions."""
    ours = Named(
        oak=Named(fern=nn.Conv2d(3, 8, 3), moss=nn.BatchNorm2d(8)),
        elm=Named(fern=nn.Conv2d(8, 8, 5), moss=nn.BatchNorm2d(8)),
    )
    theirs = Named(
        reed=Named(clay=nn.BatchNorm2d(8), silt=nn.Conv2d(8, 8, 5)),
        rush=Named(clay=nn.BatchNorm2d(8), silt=nn.Conv2d(3, 8, 3)),
    )
    found = sources(map_of_nets(ours, theirs))
    assert found["rush.clay.weight"] == "oak.moss.weight"
    assert found["reed.clay.weight"] == "elm.moss.weight"


def test_two_norms_in_one_block_stay_open() -> None:
    """What stands in one block with two alike tells of neither which is which."""
    ours = Named(oak=Named(fern=nn.Conv2d(8, 8, 3), moss=nn.BatchNorm2d(8), pine=nn.BatchNorm2d(8)))
    theirs = Named(reed=Named(clay=nn.Conv2d(8, 8, 3), silt=nn.BatchNorm2d(8), sand=nn.BatchNorm2d(8)))
    found = sources(map_of_nets(ours, theirs))
    assert found == {"reed.clay.weight": "oak.fern.weight", "reed.clay.bias": "oak.fern.bias"}


def test_lists_within_lists_are_one_list() -> None:
    """Three alike, two of them in a list of their own, go in order with three alike in one list."""
    ours = Named(oak=nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)), nn.Linear(4, 4)))
    theirs = Named(reed=nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Linear(4, 4)))
    found = sources(map_of_nets(ours, theirs))
    weights = [found[f"reed.{n}.weight"] for n in (0, 2, 3)]
    assert weights == ["oak.0.0.weight", "oak.0.1.weight", "oak.1.weight"]


def test_lists_that_hold_more_are_not_cut_off() -> None:
    """Three alike against two tell nothing: none is placed by counting."""
    ours = Named(oak=nn.Sequential(*(nn.Linear(4, 4) for _ in range(3))))
    theirs = Named(reed=nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.Linear(4, 4)))
    mapping = map_of_nets(ours, theirs)
    assert not mapping.whole


def test_kernels_of_other_axes_are_no_rivals() -> None:
    """A convolution from 4 to 8 channels is never one from 8 to 4, though a matrix may be kept transposed."""
    ours = Named(fern=nn.Conv2d(4, 8, 1, bias=False), moss=nn.Conv2d(8, 4, 1, bias=False))
    theirs = Named(clay=nn.Conv2d(8, 4, 1, bias=False), silt=nn.Conv2d(4, 8, 1, bias=False))
    assert sources(map_of_nets(ours, theirs)) == {"clay.weight": "moss.weight", "silt.weight": "fern.weight"}


def test_a_matrix_and_a_kernel_of_one_pixel_find_each_other() -> None:
    """Inside paired blocks the only matrix of its size is that kernel, and its bias goes with it."""

    def block(gate: nn.Module) -> nn.Module:
        return Named(conv=nn.Conv2d(3, 16, 3), gate=gate, last=nn.Conv2d(16, 16, 3))

    ours = Named(one=block(Named(fern=nn.Conv2d(16, 4, 1), moss=nn.Conv2d(4, 16, 1))), two=nn.Conv2d(16, 16, 5))
    theirs = Named(one=block(Named(clay=nn.Linear(16, 4), silt=nn.Linear(4, 16))), two=nn.Conv2d(16, 16, 5))
    found = sources(map_of_nets(ours, theirs))
    assert found["one.gate.clay.bias"] == "one.gate.fern.bias"
    assert found["one.gate.silt.weight"] == "one.gate.moss.weight | reshape 16x4"


def test_a_norm_with_its_activation_inside_is_told_by_what_feeds_it(tmp_path: Path) -> None:
    """Of nets that ran: its parameters go to the norm that the partner of the convolution before it feeds."""
    ours = Named(
        fern=nn.Conv2d(3, 8, 3), moss=NormWithActivation(8), pine=nn.Conv2d(8, 8, 3), sage=NormWithActivation(8)
    )
    theirs = Named(
        clay=nn.Conv2d(3, 8, 3), silt=nn.BatchNorm2d(8), sand=nn.ReLU(),
        loam=nn.Conv2d(8, 8, 3), peat=nn.BatchNorm2d(8), marl=nn.ReLU(),
    )  # fmt: skip
    found = sources(map_of_calls(drawn(ours), drawn(theirs), torch.randn(2, 3, 8, 8), tmp_path))
    assert found["silt.running_var"] == "moss.running_var"
    assert found["peat.weight"] == "sage.weight"


class Turned(nn.Module):
    """A linear layer that keeps its matrix inputs first."""

    def __init__(self, given: int, made: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(given, made)), nn.Parameter(torch.zeros(made))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As a linear layer."""
        return x @ self.weight + self.bias


def test_the_only_matrix_of_a_size_may_be_another_one_transposed() -> None:
    """Of a class that nobody knows the sizes of a matrix do not tell which it is."""
    reference = nn.Sequential(Named(grow=nn.Linear(8, 32), shrink=nn.Linear(32, 8)), nn.LayerNorm(8))
    candidate = nn.Sequential(Named(fern=Turned(8, 32), moss=Turned(32, 8)), nn.LayerNorm(8))
    wrong = {"0.fern.weight": "0.shrink.weight", "0.moss.weight": "0.grow.weight"}
    assert not wrong.items() & sources(map_of_nets(reference, candidate)).items()


def test_lists_tell_the_order_of_what_attributes_hold() -> None:
    """Equal convolutions in blocks of a list go in the order of the blocks, though the other net's list is flat."""
    block = lambda: Named(wide=nn.Conv2d(4, 4, 1), deep=nn.Conv2d(4, 4, 3))  # noqa: E731
    reference = nn.Sequential(block(), block(), block())
    candidate = nn.Sequential(*(nn.Sequential(nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3)) for _ in range(3)))
    found = sources(map_of_nets(reference, candidate))
    assert {k: v for k, v in found.items() if k.endswith("weight")} == {
        f"{n}.{at}.weight": f"{n}.{name}.weight" for n in range(3) for at, name in ((0, "wide"), (2, "deep"))
    }


class WithSpare(nn.Module):
    """A net with a part that runs in training only, under a name of its own."""

    def __init__(self, spare: str, main: str):
        super().__init__()
        self.spare, self.main = spare, main
        self.add_module(main, nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)))
        self.add_module(spare, nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Without the spare part in evaluation."""
        y = getattr(self, self.main)(x)
        return torch.cat([y, getattr(self, self.spare)(x)], -1) if self.training else y


def test_layers_that_did_not_run_are_placed_by_structure(tmp_path: Path) -> None:
    """What calls do not reach finds its place around what they settled."""
    reference, candidate = drawn(WithSpare("aux", "head")), drawn(WithSpare("extra", "top"), 1)
    mapping = map_of_calls(reference, candidate, torch.ones(2, 8), tmp_path)
    assert mapping.whole
    assert sources(mapping)["extra.2.weight"] == "aux.2.weight"
