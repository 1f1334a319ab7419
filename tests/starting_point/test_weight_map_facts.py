"""How weights find their place, one fact a test: nets that never ran, and layers that frameworks hold otherwise."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.starting_point.mapped import carried, drawn, map_of_calls, map_of_nets, read, sources
from tracer.starting_point.holders import of_mapping, of_net
from tracer.starting_point.weights.placing import map_weights
from tracer.starting_point.weights.steps import Reshape, Rows, Turn
from tracer.starting_point.weights.weight_map import ParameterFacts, Piece, Placement, WeightMap


class Named(nn.Module):
    """Layers under the names given, run in the order of `run`."""

    def __init__(self, layers: dict[str, nn.Module], run: list[str] | None = None):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.run = run or list(layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One layer after the other."""
        for name in self.run:
            x = torch.tanh(getattr(self, name)(x))
        return x


def linears(*names: str) -> dict[str, nn.Module]:
    """Linear layers of equal shapes."""
    return {name: nn.Linear(8, 8) for name in names}


def test_the_order_of_attributes_proves_nothing() -> None:
    """Equal layers of silent names that never ran stay open."""
    mapping = map_of_nets(Named(linears("fern", "moss", "pine")), Named(linears("oak", "elm", "sage")))
    assert not mapping.placements


def test_names_tell_layers_that_never_ran() -> None:
    """Equal layers of equal names find one another, whatever the order in which they were defined."""
    mapping = map_of_nets(Named(linears("fern", "moss", "pine")), Named(linears("pine", "fern", "moss")))
    assert all(target == source for target, source in sources(mapping).items())
    assert mapping.whole


def test_members_of_lists_are_told_by_their_rank() -> None:
    """The second of a list is the second of the other, though functions stand between as layers."""
    reference = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
    candidate = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    assert sources(map_of_nets(reference, candidate))["1.weight"] == "2.weight"


def test_calls_tell_layers_of_swapped_names(tmp_path: Path) -> None:
    """Two equal layers that exchanged their names are told by the order in which one feeds the other."""
    reference = Named(linears("fc1", "fc2"))
    candidate = Named(linears("fc1", "fc2"), run=["fc2", "fc1"])
    mapping = map_of_calls(reference, candidate, torch.randn(2, 8), tmp_path)
    assert sources(mapping)["fc2.weight"] == "fc1.weight"


def test_layers_of_one_op_and_other_sizes_are_no_pair() -> None:
    """A linear layer of 8 to 16 is not one of 16 to 8 transposed."""
    mapping = map_of_nets(Named({"a": nn.Linear(8, 16)}), Named({"b": nn.Linear(16, 8)}))
    assert not mapping.placements


def test_what_is_left_over_of_many_proves_nothing() -> None:
    """One of three equal norms that is left on either side is not placed for that."""
    norms = {name: nn.LayerNorm(8) for name in ("fern", "moss")}
    others = {name: nn.LayerNorm(8) for name in ("oak", "elm")}
    mapping = map_of_nets(
        Named({**norms, "norm": nn.LayerNorm(8)}), Named({**others, "inside": Named({"norm": nn.LayerNorm(8)})})
    )
    assert sources(mapping).keys() <= {"inside.norm.weight", "inside.norm.bias"}


def test_equal_numbers_are_interchangeable() -> None:
    """Fresh norms that all hold ones and zeros may go anywhere, and the map says so."""
    nets = [Named({name: nn.LayerNorm(8) for name in names}) for names in (("fern", "moss"), ("oak", "elm"))]
    mapping = map_of_nets(*nets, read_reference=of_net(nets[0]).read)
    assert {p.reason for p in mapping.placements} == {"interchangeable: all hold the same numbers"}


class Turned(nn.Module):
    """A linear layer of a class of its own that keeps its matrix as inputs x outputs."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs to outputs."""
        return x @ self.weight + self.bias


def test_a_square_matrix_of_an_unknown_class_is_a_choice() -> None:
    """Whether it is transposed nobody can know of a net that never ran."""
    mapping = map_of_nets(Named({"fc": Turned(8, 8)}), Named({"fc": nn.Linear(8, 8)}))
    assert "fc.weight" not in mapping.by_target


def test_a_square_matrix_follows_others_of_its_class() -> None:
    """Where another layer of the class shows that it is transposed, the square one is as well."""
    layers = ({"up": Turned(8, 12), "mid": Turned(12, 12)}, {"up": nn.Linear(8, 12), "mid": nn.Linear(12, 12)})
    mapping = map_of_nets(nn.Sequential(*layers[0].values()), nn.Sequential(*layers[1].values()))
    assert sources(mapping)["1.weight"] == "1.weight | T"


class Block(nn.Module):
    """Self-attention by torch's own layer, or by linear layers of telling names."""

    def __init__(self, *, whole: bool):
        super().__init__()
        if whole:
            self.attn = nn.MultiheadAttention(8, 2, batch_first=True)
        else:
            self.attn = Named({name: nn.Linear(8, 8) for name in ("q_proj", "k_proj", "v_proj", "out_proj")})
        self.norm = nn.LayerNorm(8)


def test_multihead_attention_is_split_into_linear_layers() -> None:
    """Rows of in_proj_weight go to q, k and v."""
    assert sources(map_of_nets(Block(whole=True), Block(whole=False)))["attn.k_proj.weight"] == (
        "attn.in_proj_weight | rows 8:16"
    )


def test_linear_layers_are_merged_into_multihead_attention() -> None:
    """q, k and v lie one behind the other in in_proj_weight."""
    assert sources(map_of_nets(Block(whole=False), Block(whole=True)))["attn.in_proj_weight"] == (
        "attn.q_proj.weight + attn.k_proj.weight + attn.v_proj.weight"
    )


def test_a_name_that_the_field_uses_for_two_orders_tells_none() -> None:
    """query_key_value is head by head in some nets and in blocks in others."""
    reference = Named({"query_key_value": nn.Linear(8, 24), "dense": nn.Linear(8, 8)})
    candidate = Named({**{n: nn.Linear(8, 8) for n in ("query", "key", "value")}, "dense": nn.Linear(8, 8)})
    assert "query.weight" not in map_of_nets(reference, candidate).by_target


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_backbone.", "network."])
def test_wrappers_in_names_do_not_matter(prefix: str) -> None:
    """A file of a wrapped net fits the bare one."""
    net = drawn(Named(linears("fern", "moss")))
    file = of_mapping({prefix + name: array for name, array in read(net).items()})
    mapping = map_weights(file.skeleton, of_net(net).skeleton)
    assert {target: source.removeprefix(prefix) for target, source in sources(mapping).items()} == {
        name: name for name in read(net)
    }


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(4, 6, 2, bidirectional=True),
        nn.GRU(4, 6, 2),
        nn.RNN(4, 6, bias=False),
        nn.LSTMCell(4, 6),
        nn.GRUCell(4, 6),
        nn.RNNCell(4, 6),
        nn.TransformerEncoderLayer(8, 2, 16),
        nn.BatchNorm3d(4),
        nn.PReLU(4),
        nn.Conv1d(3, 4, 3),
        nn.ConvTranspose2d(3, 4, 2),
        nn.InstanceNorm2d(4, affine=True),
        nn.Embedding(7, 4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_is_mapped_whole_under_another_name(layer: nn.Module) -> None:
    """All parameters of a layer find their own."""
    mapping = map_of_nets(Named({"fern": layer}), Named({"oak": layer}))
    assert mapping.whole
    assert {t.removeprefix("oak."): s.removeprefix("fern.") for t, s in sources(mapping).items()} == {
        name: name for name in read(layer) if name != "num_batches_tracked"
    } | ({"num_batches_tracked": "num_batches_tracked"} if "oak.num_batches_tracked" in sources(mapping) else {})


class Ported(nn.Module):
    """A small net whose layers and parameters have the names of `words`, defined in the order of `order`."""

    KINDS = ("token", "stem", "first", "second", "norm", "head")

    def __init__(self, words: list[str], order: list[int]):
        super().__init__()
        made = {
            "token": nn.Parameter(torch.zeros(1, 1, 8)),
            "stem": nn.Linear(5, 8),
            "first": nn.Linear(8, 8),
            "second": nn.Linear(8, 8),
            "norm": nn.LayerNorm(8),
            "head": nn.Linear(8, 3),
        }
        self.names = dict(zip(self.KINDS, words, strict=True))
        for n in order:
            setattr(self, self.names[self.KINDS[n]], made[self.KINDS[n]])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, 5) to (batch, positions, 3)."""
        token, *layers = (getattr(self, self.names[kind]) for kind in self.KINDS)
        stem, first, second, norm, head = layers
        return head(norm(second(torch.tanh(first(stem(x) + token)))))


@pytest.mark.parametrize("seed", range(6))
def test_ports_of_random_names_and_orders_are_never_wrong(seed: int, tmp_path: Path) -> None:
    """Whatever is called how and defined when: nets that ran are mapped whole and right."""
    rng = random.Random(seed)
    words = rng.sample("fern moss pine oak elm sage dune gale heath iris".split(), 6)
    reference = Ported(list(Ported.KINDS), list(range(6)))
    candidate = Ported(words, rng.sample(range(6), 6))
    mapping = map_of_calls(drawn(reference, 1), drawn(candidate, 2), torch.randn(2, 4, 5), tmp_path)
    back = {word: kind for kind, word in candidate.names.items()}
    assert mapping.whole
    for target, source in sources(mapping).items():
        own, _, rest = target.partition(".")
        assert source == ".".join([back[own], *([rest] if rest else [])])


@st.composite
def maps(draw: st.DrawFn) -> tuple[WeightMap, dict[str, np.ndarray]]:
    """A map that copies, turns, reshapes, splits and merges, and arrays of its reference."""
    rows = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    width, turn = draw(st.integers(1, 4)), draw(st.booleans())
    total = sum(rows)
    starts = np.cumsum([0, *rows]).tolist()
    shape = (width, total) if turn else (total, width)
    head = (Turn(),) if turn else ()
    reference = {
        "whole": shape,
        **{f"part{n}": (size, width) for n, size in enumerate(rows)},
        "flat": (total, width, 1),
    }
    placements = [
        *(
            Placement(f"cut{n}", (Piece("whole", (*head, Rows(((starts[n], starts[n + 1]),)))),), "")
            for n in range(len(rows))
        ),
        Placement("joined", tuple(Piece(f"part{n}") for n in range(len(rows))), "", then=head),
        Placement("flat", (Piece("flat", (Reshape((total, 1, width)),)),), ""),
    ]
    facts = {key: ParameterFacts(key, own, "float32") for key, own in reference.items()}
    made = {p.target: ParameterFacts(p.target, p.shape(facts), "float32") for p in placements}
    rng = np.random.default_rng(0)
    return WeightMap(facts, made, tuple(placements)), {key: rng.standard_normal(own) for key, own in reference.items()}


@settings(deadline=None, max_examples=60)
@given(maps())
def test_the_inverse_of_a_map_brings_every_array_back(case: tuple[WeightMap, dict[str, np.ndarray]]) -> None:
    """There and back again every number is where it was."""
    mapping, arrays = case
    back = carried(mapping.inverse(), carried(mapping, arrays))
    assert back.keys() == arrays.keys()
    assert all(np.array_equal(back[key], array) for key, array in arrays.items())


def test_a_pin_is_obeyed_where_others_would_fit_as_well() -> None:
    """Of equal layers that never ran the user says which is which, and the rest stays open."""
    reference, candidate = Named(linears("fern", "moss", "pine")), Named(linears("oak", "elm", "sage"))
    found = sources(map_of_nets(reference, candidate, pins=[("moss", "sage")]))
    assert {target: source for target, source in found.items() if "weight" in target} == {"sage.weight": "moss.weight"}


def test_names_do_not_overrule_shapes() -> None:
    """Layers that bear each other's names are told by their sizes; a known layer is never transposed to fit a name."""
    reference = Named({"one": nn.Linear(8, 16, bias=False), "two": nn.Linear(16, 8, bias=False)})
    candidate = Named({"two": nn.Linear(8, 16, bias=False), "one": nn.Linear(16, 8, bias=False)})
    assert sources(map_of_nets(reference, candidate)) == {"two.weight": "one.weight", "one.weight": "two.weight"}


def test_layers_of_sizes_of_their_own_are_found_in_any_order() -> None:
    """What is there once on either side needs neither name nor order."""
    reference = Named({"fern": nn.Linear(8, 6), "moss": nn.Linear(6, 5), "pine": nn.Linear(5, 8)})
    candidate = Named({"oak": nn.Linear(5, 8), "elm": nn.Linear(8, 6), "sage": nn.Linear(6, 5)}, ["elm", "sage", "oak"])
    mapping = map_of_nets(reference, candidate)
    assert mapping.whole
    assert sources(mapping)["oak.weight"] == "pine.weight"


def test_a_pin_across_the_order_keeps_nothing_else_from_its_place() -> None:
    """The last of one net is the first of the other, says the user; all others go on as they were."""
    names = ["fern", "moss", "pine", "oak"]
    reference = Named({name: nn.Linear(8, 8 + n) for n, name in enumerate([*names, "out"])} | {"out": nn.Linear(8, 8)})
    candidate = Named({"final": nn.Linear(8, 8)} | {name: nn.Linear(8, 8 + n) for n, name in enumerate(names)})
    assert len(map_of_nets(reference, candidate, pins=[("out", "final")]).placements) == 10
