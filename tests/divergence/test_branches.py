"""Branches that run in another order, layers that were merged, containers that are drawn otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from tests.divergence.worlds import Tensor, World
from tracer.divergence.alignment import align
from tracer.divergence.diagnosis import diagnose
from tracer.divergence.graph import call_graph
from tracer.reports.wording import coverage, headline

RNG = np.random.default_rng(3)
WIDTH = 6
W = {
    name: (RNG.normal(size=(WIDTH, WIDTH)) / 2).astype(np.float32)
    for name in [f"{tower}.{n}" for tower in ("image", "text") for n in range(3)] + ["gate", "up", "down", "q", "k"]
}
X = RNG.normal(size=(4, WIDTH)).astype(np.float32)
Y = RNG.normal(size=(4, WIDTH)).astype(np.float32)
LINEAR = {"torch": "Linear", "mindspore": "Dense"}


def linear(world, path, weight, tensor):
    return world.call(
        path, LINEAR[world.framework], lambda t: t.array @ weight.T, tensor, parameters={"weight": weight}
    )


def relu(world, path, tensor):
    return world.call(path, "ReLU", lambda t: np.maximum(t.array, 0), tensor)


def two_towers(framework, order, names, weights=W):
    """Two towers of equal shapes over two inputs; `names` says what the port calls them."""
    world = World(framework)

    def tower(which, tensor):
        for n in range(3):
            tensor = linear(world, f"{names[which]}.{n}", weights[f"{which}.{n}"], tensor)
            tensor = relu(world, f"{names[which]}.act{n}", tensor)
        return tensor

    def net(image, text):
        done = {which: tower(which, {"image": image, "text": text}[which]) for which in order}
        return Tensor(done["image"].array - done["text"].array)

    world.call("(root)", "Net", net, X, Y)
    return world.trace()


SAME = {"image": "image", "text": "text"}
OTHER = {"image": "first", "text": "second"}


@pytest.mark.parametrize("names", [SAME, OTHER], ids=["same names", "renamed"])
def test_towers_that_run_in_another_order_are_told_apart_by_their_weights(names):
    """Equal shapes and another order: each layer finds the one that holds its numbers, and the port agrees."""
    ours = two_towers("torch", ("image", "text"), SAME)
    theirs = two_towers("mindspore", ("text", "image"), names)
    pairs = {
        p.reference.path: p.candidate.path for p in align(call_graph(ours.skeleton), call_graph(theirs.skeleton)).pairs
    }
    for which in ("image", "text"):
        for n in range(3):
            assert pairs[f"{which}.{n}"] == f"{names[which]}.{n}"
            assert pairs[f"{which}.act{n}"] == f"{names[which]}.act{n}"
    assert diagnose(ours, theirs).verdict == "agree"


def test_weights_loaded_into_the_wrong_tower_are_a_wrong_start():
    """With equal names the towers stay where they are, and their weights are blamed."""
    crossed = {f"{a}.{n}": W[f"{b}.{n}"] for a, b in (("image", "text"), ("text", "image")) for n in range(3)}
    ours = two_towers("torch", ("image", "text"), SAME)
    theirs = two_towers("mindspore", ("image", "text"), SAME, crossed)
    found = diagnose(ours, theirs)
    assert (found.origin.phase, found.origin.reference.path) == ("start", "image.0")
    assert "text.0.weight" in found.origin.causes[0].sentence


def gated(framework, merged):
    """gate and up as two layers, or as one whose output is split."""
    world = World(framework)

    def net(x):
        if merged:
            both = linear(world, "gate_up", np.concatenate([W["gate"], W["up"]]), x).array
            gate, up = both[:, :WIDTH], both[:, WIDTH:]
        else:
            gate, up = linear(world, "gate", W["gate"], x).array, linear(world, "up", W["up"], x).array
        return linear(world, "down", W["down"], Tensor((np.maximum(gate, 0) * up).astype(np.float32)))

    world.call("(root)", "Net", net, X)
    return world.trace()


def test_a_merged_projection_is_not_forced_upon_one_of_its_parts():
    """Two layers that became one stand alone on both sides, and the clean port agrees."""
    found = diagnose(gated("torch", merged=False), gated("mindspore", merged=True))
    assert found.verdict == "agree"
    assert {a.id.path for a in found.alignment.alone_reference} == {"gate", "up"}
    assert {a.id.path for a in found.alignment.alone_candidate} == {"gate_up"}


def bordered(framework, inside, factor=1.0):
    """A scaling that the container does itself, or that its caller does."""
    world = World(framework)

    def branch(x):
        tensor = Tensor(x.array * 2) if inside else x
        return Tensor(linear(world, "branch.fc", W["q"], tensor).array * factor)

    def net(x):
        given = x if inside else Tensor(x.array * 2)
        return linear(world, "head", W["k"], world.call("branch", "Branch", branch, given))

    world.call("(root)", "Net", net, X)
    return world.trace()


def test_a_container_that_begins_elsewhere_is_no_fault():
    """What a container is given may differ when what lies inside it is given the same."""
    assert diagnose(bordered("torch", inside=True), bordered("mindspore", inside=False)).verdict == "agree"


def test_a_fault_inside_such_a_container_is_still_found():
    """The border is not blamed for it."""
    found = diagnose(bordered("torch", inside=True), bordered("mindspore", inside=False, factor=1.5))
    assert [(o.place, o.reference.path) for o in found.origins] == [("between", "branch")]


def parallel(framework, swapped):
    """Two projections of one input whose names differ in a number only."""
    world = World(framework)
    names = ("layer.1.q", "layer.1.k")
    weights = (W["k"], W["q"]) if swapped else (W["q"], W["k"])

    def net(x):
        q, k = (linear(world, name, weight, x) for name, weight in zip(names, weights, strict=True))
        return Tensor(q.array @ k.array.T)

    world.call("(root)", "Net", net, X)
    return world.trace()


def test_swapped_weights_of_parallel_layers_are_blamed_on_the_weights():
    """Name and order together outweigh the numbers, also where the names share most of their words."""
    found = diagnose(parallel("torch", swapped=False), parallel("mindspore", swapped=True))
    assert (found.origin.phase, found.origin.place, found.origin.causes[0].name) == ("start", "layer", "weight")
    assert found.origin.reference.path == found.origin.candidate.path == "layer.1.q"


def test_a_result_with_another_key_is_an_output_of_another_structure():
    """Every number agrees, but the caller will not find one of them."""

    def named(framework, key):
        world = World(framework)
        world.call("(root)", "Net", lambda x: linear(world, "fc", W["q"], x), X)
        trace = world.trace()
        from dataclasses import replace

        calls = [
            replace(c, outputs=tuple(replace(v, leaf=key) for v in c.outputs)) if c.path == "(root)" else c
            for c in trace.skeleton.steps[0].calls
        ]
        trace.skeleton = replace(trace.skeleton, steps=(replace(trace.skeleton.steps[0], calls=tuple(calls)),))
        return trace

    found = diagnose(named("torch", "logits"), named("mindspore", "scores"))
    assert (found.verdict, found.origin.place, found.origin.reference.path) == ("diverged", "output", "(root)")
    assert diagnose(named("torch", "logits"), named("mindspore", "0")).verdict == "agree"


def masked(framework, threshold):
    """The caller makes a mask that only the container's own code uses."""
    world = World(framework)

    def pool(x, mask):
        score = linear(world, "pool.score", W["q"], x)
        return Tensor(score.array * mask.array)

    def net(x):
        mask = Tensor((x.array > threshold).astype(np.float32))
        return linear(world, "head", W["k"], world.call("pool", "Pool", pool, x, mask))

    world.call("(root)", "Net", net, X)
    return world.trace()


def test_an_argument_that_only_the_containers_code_uses_is_judged():
    """The caller that made the wrong mask is blamed, not the container it was given to."""
    found = diagnose(masked("torch", 0.0), masked("mindspore", 0.5))
    assert (found.origin.place, found.origin.reference.path) == ("between", "(root)")
    assert "what pool is given differs" in found.origin.sentence


@pytest.mark.parametrize("pattern", ["pool*", "head", "pool.score"])
def test_a_part_of_a_clean_pair_agrees(pattern):
    """What is left out still feeds what is looked at."""
    assert diagnose(masked("torch", 0.0), masked("mindspore", 0.0), only=[pattern]).verdict == "agree"


def test_agreement_of_a_part_is_not_said_of_the_whole():
    """The first line says that only a part was looked at, and the counts are of that part."""
    found = diagnose(masked("torch", 0.0), masked("mindspore", 0.0), only=["pool*"])
    assert headline(found) == "agree in what --only names, forward"
    assert found.coverage.judged <= found.coverage.named < found.coverage.aligned
    assert f"of the {found.coverage.named} aligned pairs that --only pool* names" in coverage(found)


def test_a_part_after_the_fault_is_unsure():
    """Nothing is blamed for what comes in from what was left out."""
    found = diagnose(masked("torch", 0.0), masked("mindspore", 0.5), only=["head"])
    assert (found.verdict, found.origins) == ("unsure", ())
    assert "--only" in found.reason


def test_a_layer_that_raised_for_its_weight_is_an_origin():
    """A port that raised at a layer whose weight has another shape: the weight is the cause."""
    from dataclasses import replace

    def net(framework, weight):
        world = World(framework)

        def body(x):
            return linear(world, "fc", weight, x) if weight.shape[1] == WIDTH else raising(world, weight, x)

        world.call("(root)", "Net", body, X)
        return world

    def raising(world, weight, x):
        return world.call("fc", "Dense", lambda t: t.array[:, :1], x, parameters={"weight": weight})

    ours, theirs = net("torch", W["q"]), net("mindspore", W["q"][:, :4])
    theirs.calls = [replace(c, outputs=(), returned=False, failed="ValueError: shapes") for c in theirs.calls]
    found = diagnose(ours.trace(), theirs.trace(complete=False, stopped="fc (call 0): ValueError: shapes"))
    assert (found.verdict, found.origin.place, found.origin.reference.path) == ("diverged", "layer", "fc")
    assert "weight" in {c.name for c in found.origin.causes}


def test_not_a_number_has_one_origin():
    """What a NaN goes on into is not another origin."""

    def net(framework, spoil):
        world = World(framework)

        def body(x):
            one = world.call(
                "one", "ReLU", lambda t: np.where(spoil & (t.array > 1), np.nan, t.array).astype(np.float32), x
            )
            two = linear(world, "two", W["q"], Tensor(one.array + 1))
            return linear(world, "three", W["k"], Tensor(two.array * 2))

        world.call("(root)", "Net", body, X)
        return world.trace()

    found = diagnose(net("torch", spoil=False), net("mindspore", spoil=True))
    assert [o.reference.path for o in found.origins] == ["one"]
