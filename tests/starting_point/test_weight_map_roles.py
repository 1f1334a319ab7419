"""The calls tell what query, key and value, gate and up are, whatever the layers are called."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.starting_point.mapped import (
    Attention,
    Merged,
    by_heads,
    carried,
    drawn,
    in_blocks,
    load,
    map_of_calls,
    read,
    sources,
)
from tracer.starting_point.weights.recomputing import attention_roles, gate_roles

NAMES = ("ask", "offer", "content")
X = torch.randn(3, 7, 16, generator=torch.Generator().manual_seed(1))


def same_after(reference: nn.Module, candidate: nn.Module, folder: Path, x: torch.Tensor = X) -> bool:
    """Does the candidate give what the reference gives once it holds the reference's numbers?"""
    mapping = map_of_calls(reference, candidate, x, folder)
    assert mapping.whole, mapping.choices
    load(candidate, carried(mapping, read(reference)))
    return bool(torch.allclose(reference(x), candidate(x), atol=1e-5))


@pytest.mark.parametrize("order", list(permutations(("fern", "moss", "dune"))))
def test_projections_of_silent_names_are_told(order: tuple[str, str, str], tmp_path: Path) -> None:
    """Query, key and value of any names and any order of definition find their partners."""
    reference = drawn(Attention(NAMES, NAMES), 1)
    assert same_after(reference, drawn(Attention(("dune", "fern", "moss"), order), 2), tmp_path)


def test_calls_win_against_names(tmp_path: Path) -> None:
    """A layer named value that is used as query is the query."""
    reference = drawn(Attention(("query", "key", "value"), ("query", "key", "value")), 1)
    candidate = drawn(Attention(("query", "key", "value"), ("value", "query", "key")), 2)
    assert sources(map_of_calls(reference, candidate, X, tmp_path))["value.weight"] == "query.weight"


@pytest.mark.parametrize("split", [in_blocks, by_heads])
def test_a_merged_layer_is_split_as_its_calls_use_it(split: Callable, tmp_path: Path) -> None:
    """Rows in blocks or head by head go to the layers that play their roles."""
    assert same_after(drawn(Merged(split), 1), drawn(Attention(NAMES, ("content", "ask", "offer")), 2), tmp_path)


@pytest.mark.parametrize("split", [in_blocks, by_heads])
def test_layers_are_merged_as_the_calls_use_the_whole(split: Callable, tmp_path: Path) -> None:
    """Rows of silent layers go where the merged layer uses them."""
    assert same_after(drawn(Attention(NAMES, ("content", "ask", "offer")), 1), drawn(Merged(split), 2), tmp_path)


def test_two_merged_layers_of_other_orders(tmp_path: Path) -> None:
    """Equal shapes hide that rows lie in another order: the calls tell it."""
    assert same_after(drawn(Merged(by_heads), 1), drawn(Merged(in_blocks), 2), tmp_path)


def test_a_causal_mask_is_known(tmp_path: Path) -> None:
    """Attention that looks back only tells its roles."""
    reference = drawn(Attention(NAMES, NAMES, is_causal=True), 1)
    candidate = drawn(Attention(NAMES, ("offer", "content", "ask"), is_causal=True), 2)
    assert same_after(reference, candidate, tmp_path)


class Biased(Attention):
    """Adds a table to the scores, as Swin does, and has its softmax as a layer."""

    def __init__(self, names: tuple[str, ...], order: tuple[str, str, str]):
        super().__init__(names, order)
        self.table = nn.Parameter(torch.zeros(2, 7, 7))
        self.softmax = nn.Softmax(-1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, dim) to the same."""
        q, k, v = (getattr(self, name)(x).view(*x.shape[:2], 2, -1).transpose(1, 2) for name in self.order)
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + self.table
        return self.back((self.softmax(scores) @ v).transpose(1, 2).flatten(2))


def test_an_unknown_bias_is_seen_through_recorded_scores(tmp_path: Path) -> None:
    """Two samples share the bias: what differs between them tells query and key."""
    reference = drawn(Biased(NAMES, NAMES), 1)
    assert same_after(reference, drawn(Biased(NAMES, ("offer", "content", "ask")), 2), tmp_path)


class Pair(nn.Module):
    """Two projections side by side and what is made of them."""

    def __init__(self, names: tuple[str, str], join: Callable):
        super().__init__()
        for name in names:
            setattr(self, name, nn.Linear(16, 24))
        self.down = nn.Linear(24, 16)
        self.names, self.join = names, join

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, positions, dim) to the same."""
        return self.down(self.join(*(getattr(self, name)(x) for name in self.names)))


@pytest.mark.parametrize("act", [F.silu, F.gelu, F.relu, torch.sigmoid])
def test_gate_and_up_are_told(act: Callable, tmp_path: Path) -> None:
    """The one that goes through the activation is the gate."""
    reference = drawn(Pair(("left", "right"), lambda a, b: act(a) * b), 1)
    assert same_after(reference, drawn(Pair(("right", "left"), lambda a, b: act(a) * b), 2), tmp_path)


def test_twins_that_are_only_added_are_interchangeable(tmp_path: Path) -> None:
    """Which of two summands is which cannot matter, and that is said."""
    twins = [drawn(Pair(names, torch.add), n) for n, names in enumerate((("fern", "moss"), ("pine", "oak")))]
    reasons = {p.reason for p in map_of_calls(*twins, X, tmp_path).placements if "down" not in p.target}
    assert reasons == {"interchangeable: their outputs are only added or multiplied"}


def test_twins_whose_use_nothing_tells_stay_open(tmp_path: Path) -> None:
    """What no known computation tells is a choice for the user."""
    twins = [
        drawn(Pair(names, lambda a, b: torch.sin(a) + torch.cos(b)), n)
        for n, names in enumerate((("fern", "moss"), ("pine", "oak")))
    ]
    assert [len(choice.references) for choice in map_of_calls(*twins, X, tmp_path).choices] == [2, 2]


class Heads(nn.Module):
    """Two heads of equal shapes whose outputs the net gives."""

    def __init__(self, names: tuple[str, str]):
        super().__init__()
        for name in sorted(names):
            setattr(self, name, nn.Linear(16, 4))
        self.names = names

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(batch, positions, dim) to what each head says."""
        return tuple(getattr(self, name)(x) for name in self.names)


def test_twin_heads_are_told_by_what_the_net_gives(tmp_path: Path) -> None:
    """The head of the first output is that of the first output, whatever the names say."""
    mapping = map_of_calls(drawn(Heads(("a", "b")), 1), drawn(Heads(("b", "a")), 2), X, tmp_path)
    assert sources(mapping)["b.weight"] == "a.weight"


class Turned(nn.Module):
    """A linear layer of a class of its own that keeps its matrix as inputs x outputs."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs to outputs."""
        return x @ self.weight + self.bias


def test_a_square_transposed_matrix_is_told_by_what_it_gives(tmp_path: Path) -> None:
    """Of a square matrix of an unknown class the recorded output says how it is stored."""
    reference = drawn(nn.Sequential(Turned(16, 16), nn.Tanh(), Turned(16, 16)), 1)
    candidate = drawn(nn.Sequential(nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 16)), 2)
    assert same_after(reference, candidate, tmp_path)


def test_attention_of_zeros_tells_nothing() -> None:
    """Where everything fits, nothing is told."""
    assert attention_roles([np.zeros((2, 5, 8))] * 3, np.zeros((2, 5, 8))) is None


def test_equal_projections_tell_nothing() -> None:
    """Query and key that give the same numbers cannot be told apart."""
    x, v = (torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    out = F.scaled_dot_product_attention(x, x, v)
    assert attention_roles([x.numpy(), x.numpy(), v.numpy()], out.numpy()) is None


def test_another_computation_is_no_gate() -> None:
    """A product with something else in it tells no roles."""
    a, b = (np.random.default_rng(n).standard_normal((4, 8)) for n in (1, 2))
    assert gate_roles([a, b], np.sin(a) * b) is None


class Branches(nn.Module):
    """Equal branches whose outputs are joined in the order of `order`."""

    def __init__(self, names: tuple[str, ...], order: tuple[str, ...]):
        super().__init__()
        for name in names:
            setattr(self, name, nn.Conv2d(3, 4, 3, padding=1))
            setattr(self, f"{name}_norm", nn.BatchNorm2d(4))
        self.last = nn.Conv2d(4 * len(names), 4, 1)
        self.order = order

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(batch, 3, height, width) to (batch, 4, height, width)."""
        made = [F.relu(getattr(self, f"{name}_norm")(getattr(self, name)(x))) for name in self.order]
        return self.last(torch.cat(made, 1))


def test_branches_are_told_by_where_their_outputs_lie(tmp_path: Path) -> None:
    """Of equal branches the one that comes first in the joined array is the first, and what feeds it follows."""
    reference = drawn(Branches(("one", "two", "three"), ("one", "two", "three")), 1)
    candidate = drawn(Branches(("one", "two", "three"), ("three", "one", "two")), 2)
    assert same_after(reference, candidate, tmp_path, torch.randn(2, 3, 5, 5))


def test_what_goes_past_its_name_is_said(tmp_path: Path) -> None:
    """Equal layers that the port runs in the other order are placed by the calls, and a note asks whether they are
    swapped in its code."""

    class Two(nn.Module):
        def __init__(self, *order: str):
            super().__init__()
            self.order, self.one, self.two = order, nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for name in self.order:
                x = torch.tanh(getattr(self, name)(x))
            return x

    mapping = map_of_calls(drawn(Two("one", "two")), drawn(Two("two", "one"), 1), torch.ones(2, 8), tmp_path)
    assert sources(mapping)["two.weight"] == "one.weight"
    assert any("across the names" in note and "one -> two" in note for note in mapping.notes)
