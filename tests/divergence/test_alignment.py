"""Alignment pairs what means the same, whatever it is called and wherever it is nested; a wrong pair is worse than none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.divergence.nets import Twist, transformer, weights
from tests.divergence.worlds import Tensor, World
from tracer.divergence.alignment import align
from tracer.divergence.graph import call_graph
from tracer.errors import RuleError

X = np.random.default_rng(5).normal(size=(2, 4, 8)).astype(np.float32)


def renamed(path: str) -> str:
    """Other words for everything."""
    words = {
        "blocks": "stack",
        "q": "w_a",
        "k": "w_b",
        "v": "w_c",
        "proj": "mix",
        "fc1": "up",
        "fc2": "down",
        "norm1": "pre",
        "norm2": "post",
        "act": "nonlin",
        "head": "classifier",
    }
    return ".".join(words.get(part, part) for part in path.split("."))


def aligned(ours: Twist, theirs: Twist, depth: int = 3, **more):
    """Align two runs; gives the pairs of paths of units that hold parameters, and the alignment."""
    given_weights = weights(depth=depth)
    r = call_graph(transformer(ours, given_weights, X, depth).trace().skeleton)
    c = call_graph(transformer(theirs, given_weights, X, depth).trace().skeleton)
    found = align(r, c, **more)
    return {p.reference.path: p.candidate.path for p in found.pairs}, found


def truth(rename, depth: int = 3) -> dict[str, str]:
    names = ["norm1", "q", "k", "v", "proj", "norm2", "fc1", "fc2"]
    paths = [f"blocks.{n}.{name}" for n in range(depth) for name in names] + ["head"]
    return {path: rename(path) for path in paths}


def assert_all_right(pairs, rename, depth: int = 3):
    for path, other in truth(rename, depth).items():
        assert pairs.get(path) == other


TWISTS = {
    "same": Twist(),
    "renamed": Twist(rename=renamed),
    "wrapped": Twist(wrap="outer"),
    "functional activation": Twist(functional_act=True),
    "extra identity": Twist(identity=True),
    "projections in another order": Twist(projections=("v", "k", "q")),
    "renamed and in another order": Twist(rename=renamed, projections=("k", "v", "q")),
    "everything at once": Twist(
        rename=renamed, projections=("k", "v", "q"), functional_act=True, wrap="outer", identity=True
    ),
}


@pytest.mark.parametrize("twist", TWISTS.values(), ids=TWISTS)
def test_a_twisted_port_is_aligned_without_a_wrong_pair(twist):
    """Renaming, nesting, another order, functions for layers, extra layers: every layer with weights finds its own."""
    pairs, _ = aligned(Twist(framework="torch"), twist)
    assert_all_right(pairs, twist.rename)


def test_a_port_with_other_weights_is_aligned_by_structure_alone():
    """When no weight was loaded, names are other and fingerprints say nothing, structure still pairs all but q, k, v."""
    other = weights(seed=9)
    pairs, _ = aligned(Twist(framework="torch"), Twist(rename=renamed, load=lambda _: other))
    assert_all_right(pairs, renamed)


def test_swapped_weights_do_not_swap_the_layers():
    """Two layers in sequence stay paired by their place when their weights were exchanged."""

    def swapped(given):
        a, b = "blocks.1.fc1.weight", "blocks.1.fc2.weight"
        return given | {a: given[b], b: given[a]}

    pairs, _ = aligned(Twist(framework="torch"), Twist(load=swapped))
    assert_all_right(pairs, lambda path: path)


def test_swapped_weights_of_parallel_layers_keep_their_names():
    """Query and key stay paired by name and order when their weights were exchanged."""

    def swapped(given):
        a, b = "blocks.1.q.weight", "blocks.1.k.weight"
        return given | {a: given[b], b: given[a]}

    pairs, _ = aligned(Twist(framework="torch"), Twist(load=swapped))
    assert_all_right(pairs, lambda path: path)


def test_containers_follow_what_lies_inside_them():
    """A block is paired with the block that holds the partners of its layers."""
    pairs, _ = aligned(Twist(framework="torch"), Twist(rename=renamed, wrap="outer"))
    assert pairs["(root)"] == "(root)"
    for n in range(3):
        assert pairs[f"blocks.{n}"] in {f"stack.{n}", f"outer.{n}"}


def test_what_has_no_partner_stands_alone():
    """A layer that only one net has is listed, not forced upon another."""
    _, found = aligned(Twist(framework="torch"), Twist(functional_act=True))
    assert {a.id.path for a in found.alone_reference} == {f"blocks.{n}.act" for n in range(3)}


def test_a_missing_block_leaves_one_block_alone():
    """With one block fewer in the port, equal weights say which block is missing."""
    given_weights = weights(depth=3)
    without = {k.replace("blocks.2.", "blocks.1."): v for k, v in given_weights.items() if "blocks.1." not in k}
    r = call_graph(transformer(Twist(framework="torch"), given_weights, X, 3).trace().skeleton)
    c = call_graph(transformer(Twist(), without, X, 2).trace().skeleton)
    pairs = {p.reference.path: p.candidate.path for p in align(r, c).pairs}
    assert pairs["blocks.2.fc1"] == "blocks.1.fc1"
    assert "blocks.1.fc1" not in pairs


def test_a_pin_overrules_everything_else():
    """A pair the user insists on is made, and said to be pinned."""
    _, found = aligned(Twist(framework="torch"), Twist(), pins=[("blocks.0.q", "blocks.0.k")])
    pinned = next(p for p in found.pairs if p.reference.path == "blocks.0.q")
    assert (pinned.candidate.path, pinned.reason, pinned.confidence) == ("blocks.0.k", "pinned", 1.0)


@pytest.mark.parametrize(
    ("pins", "said"),
    [
        ([("blocks.0.q", "blocks.0.k"), ("blocks.0.q", "blocks.0.v")], "same reference call"),
        ([("blocks.0.q", "blocks.0.k"), ("blocks.0.v", "blocks.0.k")], "same candidate call"),
        ([("(root)", "blocks.0.k")], "whole net"),
        ([("blocks.0.k", "(root)")], "whole net"),
        ([("blocks.0.q#x", "blocks.0.q")], "no number of a call"),
        ([("blocks.0.q#", "blocks.0.q")], "no number of a call"),
    ],
)
def test_pins_that_cannot_be_are_refused(pins, said):
    """A call has one partner, a net is no layer of the other, and a call's number is one; each says what to do."""
    with pytest.raises(RuleError, match=said) as told:
        aligned(Twist(framework="torch"), Twist(), pins=pins)
    assert told.value.where
    assert told.value.then


@pytest.mark.parametrize("pins", [[("(root)", "(root)")], [("blocks.0.q", "blocks.0.k")] * 2])
def test_pins_that_say_nothing_new_are_taken(pins):
    """The two nets, or the same pin again."""
    _, found = aligned(Twist(framework="torch"), Twist(), pins=pins)
    assert any(p.reference.path == pins[0][0] and p.candidate.path == pins[0][1] for p in found.pairs)


def test_a_pin_that_names_nothing_is_refused_with_the_nearest_name():
    """The error says which side, what was asked, and what comes near."""
    with pytest.raises(RuleError, match=r"blocks\.0\.fc1"):
        aligned(Twist(framework="torch"), Twist(), pins=[("blocks.0.fc11", "blocks.0.fc1")])


@pytest.mark.parametrize("path", ["foo", "encoder.fc1", "fc11"])
def test_a_pin_far_from_any_path_says_how_to_find_them(path):
    """Whatever was typed, the error leads to the list of paths; a known or nearly known last part leads to its paths."""
    with pytest.raises(RuleError) as caught:
        aligned(Twist(framework="torch"), Twist(), pins=[(path, "blocks.0.fc1")])
    assert "tracer show FILE" in caught.value.then
    assert ("blocks.0.fc1" in caught.value.then) == (path != "foo")


def test_confidence_is_between_zero_and_one_and_reasons_are_given():
    """Each pair says why, and how sure it is."""
    _, found = aligned(Twist(framework="torch"), Twist(rename=renamed))
    assert all(0 <= p.confidence <= 1 and p.reason for p in found.pairs)


def test_no_call_is_paired_twice():
    """A call has at most one partner."""
    _, found = aligned(Twist(framework="torch"), TWISTS["everything at once"])
    assert len({p.candidate for p in found.pairs}) == len(found.pairs)
    assert len({p.reference for p in found.pairs}) == len(found.pairs)


@settings(max_examples=25, deadline=None)
@given(
    order=st.permutations(["q", "k", "v"]),
    functional=st.booleans(),
    identity=st.booleans(),
    wrap=st.sampled_from(["", "outer"]),
    rename=st.sampled_from([renamed, lambda path: path]),
    depth=st.integers(1, 4),
)
def test_any_mixture_of_twists_is_aligned_right(order, functional, identity, wrap, rename, depth):
    """Twists do not get in each other's way."""
    twist = Twist(projections=tuple(order), functional_act=functional, identity=identity, wrap=wrap, rename=rename)
    pairs, _ = aligned(Twist(framework="torch"), twist, depth)
    assert_all_right(pairs, rename, depth)


W1, W2 = (np.random.default_rng(n).normal(size=(8, 8)).astype(np.float32) for n in (1, 2))


def linear(world, path, weight):
    kind = "Linear" if world.framework == "torch" else "Dense"
    return lambda x: world.call(path, kind, lambda t: t.array @ weight.T, x, parameters={"weight": weight})


def activation(world, path, kind="ReLU"):
    return lambda x: world.call(path, kind, lambda t: np.tanh(t.array), x)


def in_a_row(world, path, *inside, kind="Stage"):
    def body(x):
        for layer in inside:
            x = layer(x)
        return x

    return lambda x: world.call(path, kind, body, x)


def paired(reference, candidate) -> dict[str, str]:
    found = align(call_graph(reference.trace().skeleton), call_graph(candidate.trace().skeleton))
    return {p.reference.path: p.candidate.path for p in found.pairs}


@pytest.mark.parametrize("at_end", [False, True], ids=["before it", "inside it"])
def test_a_container_is_paired_with_the_one_that_has_the_same_ends(at_end):
    """What the reference does by a function before its branch the port does by a layer inside: then the branch is
    what lies behind that layer. Done inside the branch, at its end, it is the whole."""
    ours, theirs = World("torch"), World("mindspore")
    layers = [linear(ours, "branch.fc", W1), linear(ours, "branch.mix", W2)]
    function = (lambda x: Tensor(np.tanh(x.array))) if at_end else (lambda x: x)
    branch = in_a_row(ours, "branch", *layers, function)
    before = (lambda x: x) if at_end else (lambda x: Tensor(np.tanh(x.array)))
    in_a_row(ours, "(root)", linear(ours, "stem", W1 + 1), before, branch, linear(ours, "head", W2 + 1))(X)
    inner = in_a_row(theirs, "branch.m", linear(theirs, "branch.m.fc", W1), linear(theirs, "branch.m.mix", W2))
    pool = activation(theirs, "branch.pool", "Squash")
    whole = in_a_row(theirs, "branch", *((inner, pool) if at_end else (pool, inner)), kind="SequentialCell")
    in_a_row(theirs, "(root)", linear(theirs, "stem", W1 + 1), whole, linear(theirs, "head", W2 + 1))(X)
    assert paired(ours, theirs)["branch"] == ("branch" if at_end else "branch.m")


def test_one_path_of_both_nets_need_not_be_one_layer():
    """`part` is a stage here and an activation made of pieces there: what lies in the stage is paired all the same."""
    ours, theirs = World("torch"), World("mindspore")
    part = in_a_row(ours, "part", activation(ours, "part.squash", "Squash"), linear(ours, "part.fc", W2))
    stem, act, head = linear(ours, "stem", W1), activation(ours, "act"), linear(ours, "head", W1 + 1)
    in_a_row(ours, "(root)", stem, part, act, head)(X)
    rest = in_a_row(theirs, "rest", activation(theirs, "rest.squeeze", "Squeeze"), linear(theirs, "rest.fc", W2))
    halves = (lambda x: Tensor(x.array[..., :4])), (lambda x: Tensor(np.tile(x.array, 2)))
    pieces = in_a_row(theirs, "part", halves[0], activation(theirs, "part.inner", "Piece"), halves[1])
    in_a_row(theirs, "(root)", linear(theirs, "stem", W1), rest, pieces, linear(theirs, "head", W1 + 1))(X)
    pairs = paired(ours, theirs)
    assert (pairs["part"], pairs["part.squash"], pairs["act"]) == ("rest", "rest.squeeze", "part")


def test_inputs_of_the_net_are_no_layers():
    """A layer that takes both inputs against one that takes the first twice: nothing is paired with an input."""
    ours, theirs = World("torch"), World("torch")
    for world, second in ((ours, 1), (theirs, 0)):

        def both(*given, world=world, second=second):
            return world.call("mix", "Mix", lambda a, b: a.array * b.array, given[0], given[second])

        world.call("(root)", "Net", both, X, X + 1)
    assert paired(ours, theirs)["mix"] == "mix"


@pytest.mark.parametrize("count", [2, 3])
def test_blocks_whose_insides_one_side_left_out_keep_their_places(count):
    """Each block of a trace that ends at the blocks is held to its own block, not to another of their like."""
    ours, theirs = World("torch"), World("torch")
    weights_ = [W1 + n for n in range(count)]
    whole = [in_a_row(ours, f"blocks.{n}", linear(ours, f"blocks.{n}.fc", w)) for n, w in enumerate(weights_)]
    in_a_row(ours, "(root)", *whole, linear(ours, "head", W2))(X)
    flat = [
        lambda x, n=n, w=w: theirs.call(f"blocks.{n}", "Stage", lambda t: t.array @ w.T, x)
        for n, w in enumerate(weights_)
    ]
    in_a_row(theirs, "(root)", *flat, linear(theirs, "head", W2))(X)
    pairs = paired(ours, theirs)
    assert [pairs.get(f"blocks.{n}") for n in range(count)] == [f"blocks.{n}" for n in range(count)]


def test_a_net_of_one_layer_is_one_pair():
    """The net itself, once."""
    ours, theirs = World("torch"), World("mindspore")
    for world in (ours, theirs):
        linear(world, "(root)", W1)(X)
    found = align(call_graph(ours.trace().skeleton), call_graph(theirs.trace().skeleton))
    assert [(p.reference.path, p.candidate.path) for p in found.pairs] == [("(root)", "(root)")]
