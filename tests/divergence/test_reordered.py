"""Ports that run, name or define their layers in another order; both sides are PyTorch, and each layer has a tag."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import tracer
from tracer.divergence.alignment import Alignment, align
from tracer.divergence.graph import CallGraph, call_graph


class Part(nn.Module):
    """Layers by their tags under attributes of other names, defined in the order of `names`, run by `body`."""

    def __init__(self, layers: dict[str, nn.Module], names: dict[str, str], body: Callable):
        super().__init__()
        self.attribute_of = names
        self.body = body
        for tag, name in names.items():
            if tag in layers:
                self.add_module(name, layers[tag])

    def forward(self, *given):
        return self.body(lambda tag: getattr(self, self.attribute_of[tag]), *given)


def plain(layers):
    """The tags themselves as names, in order."""
    return {tag: tag for tag in layers}


def graphs_of(ours: nn.Module, theirs: nn.Module, inputs, folder) -> list[CallGraph]:
    """Record both nets."""
    graphs = []
    for name, net in (("ours", ours), ("theirs", theirs)):
        tracer.record(net, inputs, out=folder / f"{name}.h5", backward=False)
        with tracer.Trace(folder / f"{name}.h5") as trace:
            graphs.append(call_graph(trace.skeleton))
    return graphs


def aligned(ours: nn.Module, theirs: nn.Module, inputs, folder) -> Alignment:
    """Record both nets and align them."""
    return align(*graphs_of(ours, theirs, inputs, folder))


def paths(alignment: Alignment, sure: float = 0.0) -> dict[str, str]:
    """The pairs, but for the root's, of at least this confidence."""
    pairs = [p for p in alignment.pairs if p.reference.path != "(root)" and p.confidence >= sure]
    return {str(p.reference): str(p.candidate) for p in pairs}


def towers(order: str, names: dict[str, str]) -> Part:
    """Three alike branches, run in the given order, joined in alphabetical order."""
    layers: dict[str, nn.Module] = {tag: nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8)) for tag in "abc"}
    layers["head"] = nn.Linear(24, 2)

    def body(layer, x):
        made = {tag: layer(tag)(x) for tag in order}
        return layer("head")(torch.cat([made[tag] for tag in "abc"], -1))

    return Part(layers, names, body)


def test_names_tell_branches_that_run_in_another_order(tmp_path):
    """Alike branches with weights of their own: the names of all their layers say which is which, not the order."""
    names = plain(["a", "b", "c", "head"])
    found = paths(aligned(towers("abc", names), towers("cab", names), (torch.randn(2, 8),), tmp_path))
    assert len(found) == 13
    assert all(ours == theirs for ours, theirs in found.items())


def test_what_nothing_but_the_order_tells_apart_is_said_to_be_a_guess(tmp_path):
    """Alike branches under other names with weights of their own: paired in order, the containers too, with little
    confidence; the layer after them is sure."""
    ours, theirs = plain(["a", "b", "c", "head"]), {"a": "p", "b": "r", "c": "q", "head": "x"}
    alignment = aligned(towers("abc", ours), towers("cab", theirs), (torch.randn(2, 8),), tmp_path)
    assert paths(alignment, 0.5) == {"head": "x"}
    assert all(
        "another would fit" in p.reason for p in alignment.pairs if p.confidence < 0.5 and "." in p.reference.path
    )


def test_weights_tell_alike_branches_for_sure(tmp_path):
    """The same two nets with equal weights: no guess is left."""
    ours, theirs = plain(["a", "b", "c", "head"]), {"a": "p", "b": "r", "c": "q", "head": "x"}
    nets = towers("abc", ours), towers("cab", theirs)
    load(*nets)
    found = paths(aligned(*nets, (torch.randn(2, 8),), tmp_path), 0.5)
    assert {path: found[path] for path in ours} == theirs
    assert len(found) == 13


def test_which_of_alike_layers_is_missing_is_a_guess(tmp_path):
    """One layer fewer in a row of alike ones, with other weights and names: nothing says which one it is."""

    def net(count, letter):
        layers: dict[str, nn.Module] = {f"{letter}{chr(97 + n)}": nn.Linear(5, 5) for n in range(count)}
        layers |= {f"{letter}last": nn.Linear(5, 2)}

        def body(layer, x):
            for tag in layers:
                x = layer(tag)(x)
            return x

        return Part(layers, plain(layers), body)

    found = paths(aligned(net(6, "u"), net(5, "w"), (torch.randn(2, 5),), tmp_path), 0.5)
    assert found == {"ulast": "wlast"}


def test_two_poolings_side_by_side_keep_their_names(tmp_path):
    """Layers without weights, run in another order, are paired by op and name."""

    def net(order):
        layers = {"max": nn.MaxPool2d(2), "mean": nn.AvgPool2d(2), "conv": nn.Conv2d(3, 3, 1)}

        def body(layer, x):
            x = layer("conv")(x)
            return torch.cat([layer(tag)(x) for tag in order], 1)

        return Part(layers, plain(layers), body)

    found = paths(aligned(net(["max", "mean"]), net(["mean", "max"]), (torch.randn(2, 3, 4, 4),), tmp_path))
    assert found == {"conv": "conv", "max": "max", "mean": "mean"}


def test_shapes_and_places_tell_layers_that_run_in_another_order(tmp_path):
    """A pyramid run from its other end, without a name or a weight in common."""

    def net(order, names):
        layers: dict[str, nn.Module] = {f"stage{n}": nn.Conv2d(4 * n + 3, 4 * n + 7, 3, 2, 1) for n in range(3)}
        layers |= {f"lateral{n}": nn.Conv2d(4 * n + 7, 8, 1) for n in range(3)}
        layers |= {f"out{n}": nn.Conv2d(8, 8, 3, padding=1) for n in range(3)}

        def body(layer, x):
            levels = []
            for n in range(3):
                x = torch.relu(layer(f"stage{n}")(x))
                levels.append(x)
            sides = {n: layer(f"lateral{n}")(levels[n]) for n in order}
            for n in (1, 0):
                sides[n] = sides[n] + nn.functional.interpolate(sides[n + 1], scale_factor=2)
            made = {n: layer(f"out{n}")(sides[n]) for n in order}
            return tuple(made[n] for n in range(3))

        return Part(layers, {tag: f"l{n}" for n, tag in enumerate(layers)} if names else plain(layers), body)

    ours, theirs = net((0, 1, 2), False), net((2, 1, 0), True)
    found = paths(aligned(ours, theirs, (torch.randn(1, 3, 32, 32),), tmp_path))
    assert found == theirs.attribute_of


@pytest.mark.parametrize("widths", [(8, 8, 8), (8, 16, 4)], ids=["alike", "unlike"])
def test_what_a_layer_was_given_tells_its_calls(widths, tmp_path):
    """One encoder for both inputs of the net: a port that encodes the second first has its calls in the other order."""

    def net(names, order):
        one, two, three = widths
        layers = {"up": nn.Linear(one, two), "down": nn.Linear(two, three), "head": nn.Linear(2 * three, 2)}

        def body(layer, *given):
            made = {n: layer("down")(torch.relu(layer("up")(given[n]))) for n in order}
            return layer("head")(torch.cat([made[0], made[1]], -1))

        return Part(layers, names, body)

    ours = net({"up": "up", "down": "down", "head": "head"}, (0, 1))
    theirs = net({"head": "x", "down": "y", "up": "z"}, (1, 0))
    found = paths(aligned(ours, theirs, (torch.randn(2, widths[0]), torch.randn(2, widths[0])), tmp_path))
    assert found == {"up": "z#1", "up#1": "z", "down": "y#1", "down#1": "y", "head": "x"}


def test_a_loop_is_paired_step_by_step(tmp_path):
    """A recurrent net by hand whose port calls its two layers in the other order, with a function for the layer Tanh."""

    def net(names, order, act):
        layers: dict[str, nn.Module] = {"i": nn.Linear(5, 9), "h": nn.Linear(9, 9), "out": nn.Linear(9, 2)}
        layers |= {"act": nn.Tanh()} if act else {}

        def body(layer, x):
            state = torch.zeros(x.shape[1], 9)
            for now in x:
                made = {tag: layer(tag)(now if tag == "i" else state) for tag in order}
                state = layer("act")(made["i"] + made["h"]) if act else torch.tanh(made["i"] + made["h"])
            return layer("out")(state)

        return Part(layers, names, body)

    ours = net({"i": "i", "h": "h", "act": "act", "out": "out"}, "ih", True)
    theirs = net({"out": "a", "h": "b", "i": "c"}, "hi", False)
    found = paths(aligned(ours, theirs, (torch.randn(7, 2, 5),), tmp_path))
    steps = ["", *(f"#{n}" for n in range(1, 7))]
    assert found == {f"i{n}": f"c{n}" for n in steps} | {f"h{n}": f"b{n}" for n in steps} | {"out": "a"}


@dataclass
class Plan:
    """A random net of one width: what it runs one after another; of branches each runs what it lists."""

    stages: list[tuple[str, list[list[str]]]]
    layers: dict[str, str] = field(default_factory=dict)
    rows: list[tuple[str, list[list[str]]]] = field(default_factory=list)

    def __post_init__(self):
        for kind, branches in self.stages:
            self.rows.append((kind, [[self._tag(layer) for layer in branch] for branch in branches]))

    def _tag(self, kind: str) -> str:
        tag = f"{kind}{len(self.layers)}"
        self.layers[tag] = kind
        return tag

    def build(self, names: dict[str, str], shuffle: random.Random | None = None) -> Part:
        """The net under these names; branches run in another order where one is given to shuffle by."""
        makers = {"linear": lambda: nn.Linear(6, 6), "norm": lambda: nn.LayerNorm(6), "tanh": nn.Tanh}
        layers = {tag: makers[kind]() for tag, kind in self.layers.items()}

        def body(layer, x):
            for kind, branches in self.rows:
                order = list(range(len(branches)))
                if shuffle is not None:
                    shuffle.shuffle(order)
                made = {}
                for n in order:
                    y = x
                    for tag in branches[n]:
                        y = layer(tag)(y)
                    made[n] = y
                total = sum((n + 1) * made[n] for n in range(len(branches)))
                x = x + total if kind == "residual" else total
            return x

        return Part(layers, names, body)


BRANCH = st.lists(st.sampled_from(["linear", "norm", "tanh"]), min_size=1, max_size=3)
PLANS = st.lists(
    st.tuples(st.sampled_from(["plain", "residual"]), st.lists(BRANCH, min_size=1, max_size=3)), min_size=1, max_size=4
).map(Plan)


def word(n: int) -> str:
    """A name that tells nothing: a number in it would."""
    return "x" + "".join(chr(97 + int(digit)) for digit in str(n))


def load(net: Part, other: Part) -> None:
    """Give both the same random numbers, layer by layer."""
    with torch.no_grad():
        for tag, name in net.attribute_of.items():
            ours, theirs = getattr(net, name), getattr(other, other.attribute_of[tag])
            for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
                a.copy_(torch.randn(a.shape) + (a.dim() == 1))
                b.copy_(a)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS, seed=st.integers(0, 1000))
def test_with_equal_weights_no_new_name_or_order_makes_a_wrong_pair(plan, seed, tmp_path):
    """Attributes with other names, defined and run in another order: each layer with weights finds its own."""
    draw = random.Random(seed)
    tags = list(plan.layers)
    defined = draw.sample(tags, len(tags))
    ours = plan.build(plain(tags))
    theirs = plan.build({tag: word(n) for n, tag in enumerate(defined)}, draw)
    load(ours, theirs)
    found = paths(aligned(ours, theirs, (torch.randn(3, 6),), tmp_path))
    weighty = {tag: theirs.attribute_of[tag] for tag, kind in plan.layers.items() if kind != "tanh"}
    assert {tag: found.get(tag) for tag in weighty} == weighty


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=PLANS, other=PLANS, seed=st.integers(0, 1000), same=st.booleans(), loaded=st.booleans())
def test_pairs_do_not_depend_on_which_net_is_the_reference(plan, other, seed, same, loaded, tmp_path):
    """Two nets, alike or not, with equal weights or without: aligned either way round the pairs are the same."""
    draw = random.Random(seed)
    ours = plan.build(plain(plan.layers))
    other = plan if same else other
    theirs = other.build(
        {tag: word(n) for n, tag in enumerate(draw.sample(list(other.layers), len(other.layers)))}, draw
    )
    if same and loaded:
        load(ours, theirs)
    graphs = graphs_of(ours, theirs, (torch.randn(3, 6),), tmp_path)
    there, back = align(*graphs), align(*reversed(graphs))
    assert {(p.reference, p.candidate, p.confidence) for p in there.pairs} == {
        (p.candidate, p.reference, p.confidence) for p in back.pairs
    }


class Scale(nn.Module):
    """The last piece of a norm written by hand; holds its parameters."""

    def __init__(self):
        super().__init__()
        self.gain, self.shift = nn.Parameter(1 + torch.randn(6)), nn.Parameter(torch.randn(6))

    def forward(self, x):
        return x * self.gain + self.shift


class NormOfPieces(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = Scale()

    def forward(self, x):
        return self.scale((x - x.mean(-1, keepdim=True)) / (x.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt())


def test_a_layer_is_paired_with_its_pieces_and_not_with_the_one_that_holds_the_weights(tmp_path):
    """A LayerNorm against a container whose inner layer scales by the same numbers, also where what it feeds is merged."""
    norm, pieces = nn.LayerNorm(6), NormOfPieces()
    with torch.no_grad():
        norm.weight.copy_(pieces.scale.gain)
        norm.bias.copy_(pieces.scale.shift)

    def merged(layer, x):
        return sum(layer("both")(layer("norm")(x)).chunk(2, -1))

    def apart(layer, x):
        y = layer("norm")(x)
        return layer("one")(y) + layer("two")(y)

    ours = Part({"norm": norm, "both": nn.Linear(6, 12)}, {"norm": "norm", "both": "both"}, merged)
    layers = {"norm": pieces, "one": nn.Linear(6, 6), "two": nn.Linear(6, 6)}
    theirs = Part(layers, {"two": "a", "norm": "b", "one": "c"}, apart)
    for pair in (ours, theirs), (theirs, ours):
        found = paths(aligned(*pair, (torch.randn(2, 6),), tmp_path))
        assert found == ({"norm": "b"} if pair[0] is ours else {"b": "norm"})
