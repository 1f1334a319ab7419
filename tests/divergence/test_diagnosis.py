"""The verdict: what is blamed, what is not, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.divergence.nets import Twist, gelu_tanh, transformer, weights
from tests.divergence.worlds import World
from tracer.divergence.diagnosis import diagnose
from tracer.divergence.metrics import Tolerance

X = np.random.default_rng(5).normal(size=(2, 4, 8)).astype(np.float32)
RIGHT = Twist(framework="torch")


def diff(theirs: Twist, ours: Twist = RIGHT, x=X, depth: int = 3, **more):
    given = weights(depth=depth)
    r = transformer(ours, given, X, depth).trace()
    c = transformer(theirs, given, x, depth).trace()
    return diagnose(r, c, **more)


def test_a_right_port_agrees():
    """Rounding alone is no divergence."""
    found = diff(Twist())
    assert (found.verdict, found.origins) == ("agree", ())


def test_the_same_trace_twice_agrees_without_reading_an_array():
    """Equal digests are enough."""
    trace = transformer(RIGHT, weights(), X).trace()
    assert diagnose(trace, trace).verdict == "agree"
    assert trace.read == []


@pytest.mark.parametrize("block", [0, 1, 2])
def test_a_wrong_activation_is_found_where_it_is(block):
    """The tanh form of GELU in one block is blamed on that block's activation, with the setting that differs."""
    found = diff(Twist(act=gelu_tanh, only_block=block))
    origin = found.origin
    assert (found.verdict, origin.phase, origin.place) == ("diverged", "forward", "layer")
    assert origin.reference.path == origin.candidate.path == f"blocks.{block}.act"
    assert origin.causes[0].kind == "setting"
    assert origin.causes[0].name == "approximate"


def test_a_fault_in_every_block_is_named_at_the_first():
    """What follows from the first is not called another origin, what repeats it is a note."""
    found = diff(Twist(act=gelu_tanh))
    assert found.origin.reference.path == "blocks.0.act"
    assert any("approximate" in note and "blocks.1.act" in note for note in found.notes)


@pytest.mark.parametrize("theirs", [Twist(act=gelu_tanh, only_block=0), Twist(act=gelu_tanh, functional_act=True)])
def test_the_road_and_the_table_tell_one_truth(theirs):
    """Of the same pair both give the same state, numbers and tolerance, at the origin the origin's."""
    found = diff(theirs, every=True)
    rows = {(row.reference.path, row.reference.call): row for row in found.rows if row.phase == "forward"}
    assert {step.state for step in found.road} >= {"starts here", "carried on"}
    for step in found.road:
        row = rows[step.reference.path, step.reference.call]
        assert (row.state, row.difference) == (step.state, step.difference)
    origin = rows[found.origin.reference.path, found.origin.reference.call]
    assert (origin.difference, origin.fed_by) == (found.origin.difference, found.origin.fed_by)
    for row in rows.values():
        if row.state == "agrees" and row.difference is not None:
            assert row.difference.size <= row.difference.tolerance


def test_the_table_has_what_only_names():
    """What was not to be looked at has no row."""
    found = diff(Twist(), every=True, only=["blocks.0.*"])
    assert {row.reference.path.rpartition(".")[0] for row in found.rows} == {"blocks.0"}


def test_a_functional_fault_is_between_layers_and_named_by_the_container():
    """No layer is blamed for what code between layers did; the lone layer is told."""
    found = diff(Twist(act=gelu_tanh, functional_act=True, only_block=1))
    assert (found.origin.place, found.origin.reference.path) == ("between", "blocks.1")


def test_a_missing_residual_is_code_between_layers():
    """The block that lost its residual is named, and that a summand is missing."""
    found = diff(Twist(residual=False, only_block=1))
    assert (found.origin.phase, found.origin.place) == ("forward", "between")
    assert found.origin.reference.path == "blocks.1"
    assert [c.name for c in found.origin.causes if c.kind == "code"] == ["residual"]


def test_a_wrong_scale_in_attention_is_between_layers():
    """Attention's own arithmetic lies between its projections."""
    found = diff(Twist(scale=0.5, only_block=2))
    assert (found.origin.place, found.origin.reference.path) == ("between", "blocks.2")


def swapped(given):
    a, b = "blocks.1.fc1.weight", "blocks.1.fc2.weight"
    return given | {a: given[b], b: given[a]}


def test_swapped_weights_are_a_wrong_start_at_the_first_layer():
    """The first layer whose weight differs is named; the second is listed too."""
    found = diff(Twist(load=swapped))
    assert (found.origin.phase, found.origin.place) == ("start", "layer")
    assert [o.reference.path for o in found.origins] == ["blocks.1.fc1", "blocks.1.fc2"]
    assert (found.origin.causes[0].kind, found.origin.causes[0].name) == ("parameter", "weight")


def test_weights_that_were_never_loaded_are_a_wrong_start():
    """All weights other: the first layer in call order is the first origin."""
    other = weights(seed=9)
    found = diff(Twist(load=lambda _: other))
    assert (found.origin.phase, found.origin.reference.path) == ("start", "blocks.0.norm1")


def test_other_inputs_are_no_fault_of_the_net():
    """Nets that were given different numbers cannot be compared."""
    found = diff(Twist(), x=X + 1)
    assert (found.verdict, found.origin.phase, found.origin.place) == ("unsure", "start", "input")


def test_nets_with_nothing_in_common_are_unsure():
    """Nothing aligned is never agreement."""
    other = World("mindspore")
    other.call("(root)", "Other", lambda t: other.call("a", "Strange", lambda u: u.array[:1, :1, :3] * 2, t), X)
    found = diagnose(transformer(RIGHT, weights(), X).trace(), other.trace())
    assert found.verdict == "unsure"


def test_a_trace_that_stopped_is_not_agreement():
    """What was recorded agrees, but the net raised: that is said, and nothing more is claimed."""
    whole = transformer(RIGHT, weights(), X)
    broken = transformer(Twist(), weights(), X)
    broken.calls = [
        c if c.path != "(root)" else c.__class__(c.step, c.order, c.path, c.index, None, c.inputs, returned=False)
        for c in broken.calls
    ]
    found = diagnose(whole.trace(), broken.trace(complete=False, stopped="at head: ValueError"))
    assert found.verdict == "unsure"
    assert "ValueError" in found.reason


def test_a_user_tolerance_is_obeyed():
    """With a tolerance above the fault the nets agree."""
    assert diff(Twist(act=gelu_tanh), tolerance=Tolerance(rtol=0.05)).verdict == "agree"


def test_few_arrays_are_read():
    """Finding one fault in twelve blocks reads a small part of what there is."""
    given = weights(depth=12)
    r = transformer(RIGHT, given, X, 12).trace()
    c = transformer(Twist(act=gelu_tanh, only_block=7), given, X, 12).trace()
    found = diagnose(r, c)
    assert found.origin.reference.path == "blocks.7.act"
    values = sum(len(call.outputs) + len(call.inputs) for call in r.skeleton.steps[0].calls)
    assert len(set(r.read)) < 0.15 * values


def test_every_judges_every_pair():
    """With `every` each pair that has numbers is judged and has a row."""
    found = diff(Twist(), every=True)
    assert len(found.rows) == len(found.alignment.pairs)
    assert all(row.state == "agrees" for row in found.rows)


def test_statistics_traces_still_find_the_layer():
    """Without arrays the statistics and samples name the same layer."""
    given = weights()
    r, c = transformer(RIGHT, given, X), transformer(Twist(act=gelu_tanh, only_block=1), given, X)
    for world in (r, c):
        world.keep = "statistics"
        world.calls = [strip(call) for call in world.calls]
    found = diagnose(r.trace(), c.trace())
    assert found.origin.reference.path == "blocks.1.act"
    assert found.coverage.phases["forward"] == "judged from statistics"


def strip(call):
    from dataclasses import replace

    bare = lambda values: tuple(replace(v, stored=None) for v in values)
    return replace(call, inputs=bare(call.inputs), outputs=bare(call.outputs))


def test_a_fault_that_fades_is_found_and_said_to_fade():
    """A branch that the output hardly sees is judged by its statistics all the same."""

    def net(framework, act):
        world = World(framework)
        w = np.eye(8, dtype=np.float32)

        def body(x):
            side = world.call("side", "GELU", lambda t: act(t.array), x)
            main = world.call(
                "main",
                "Linear" if framework == "torch" else "Dense",
                lambda t: t.array @ w,
                x,
                parameters={"weight": w},
            )
            return main.array + 1e-9 * side.array

        world.call("(root)", "Net", body, X)
        return world.trace()

    from tests.divergence.nets import gelu

    found = diagnose(net("torch", gelu), net("mindspore", gelu_tanh))
    assert (found.verdict, found.origin.reference.path, found.origin.faded) == ("diverged", "side", True)


def test_not_a_number_is_blamed_on_the_layer_that_made_it():
    """A layer whose result is not finite on one side is an origin, with the count."""

    def nan_in(array):
        out = gelu_tanh(array)
        out[0, 0, 0] = np.nan
        return out

    found = diff(Twist(act=nan_in, only_block=1))
    assert found.origin.reference.path == "blocks.1.act"
    assert "nan" in {c.kind for c in found.origin.causes}


SKIPS = {
    "sum": lambda a, b: a + b,
    "product": lambda a, b: a * np.tanh(b),
    "both": lambda a, b: np.concatenate([a, b], -1),
}


def skipping(join, factor=1.0, root="(root)"):
    """A net whose code joins what `f` gave with what the norm after it gave, which hides every factor."""
    world = World("torch")

    def body(x):
        a = world.call("f", "Scaled", lambda t: t.array * np.float32(factor), x)
        b = world.call("g", "LayerNorm", lambda t: t.array / t.array.std(-1, keepdims=True), a)
        return world.call("h", "Head", lambda t: np.tanh(t.array), join(a.array, b.array))

    if root is None:
        body(X)
    else:
        world.call(root, "Net", body, X)
    return world.trace()


@pytest.mark.parametrize("join", SKIPS.values(), ids=SKIPS)
@pytest.mark.parametrize("only", [(), ("h",)], ids=["all", "only h"])
def test_code_is_not_blamed_for_what_a_skip_connection_brings(join, only):
    """The code may have used what another layer took too; there is one origin, and none where it is not looked at."""
    found = diagnose(skipping(join), skipping(join, factor=1.7), only=only)
    assert [origin.reference.path for origin in found.origins] == ([] if only else ["f"])
    assert found.verdict == ("unsure" if only else "diverged")


def test_layers_alone_do_not_make_a_net_agree():
    """Where no call of the net itself was recorded, nobody knows what its code made of what they gave."""
    traces = [skipping(SKIPS["sum"], root=None) for _ in range(2)]
    found = diagnose(*traces)
    assert found.verdict == "unsure"
    assert "no call of the net itself" in found.reason


def test_a_forgotten_argument_is_the_callers_fault():
    """A layer of the framework's that is given one tensor fewer is not to blame: the code that calls it is."""

    def net(count):
        world = World("torch")

        def body(x, h):
            a = world.call("first", "ReLU", lambda t: np.maximum(t.array, 0), x)
            given = (a, h)[:count]
            return world.call("act", "GELU", lambda *t: sum(np.tanh(one.array) for one in t), *given, line=7)

        world.call("(root)", "Net", body, X, X * 2)
        return world.trace()

    origin = diagnose(net(2), net(1)).origin
    assert (origin.place, origin.reference.path) == ("between", "(root)")
    (cause,) = [c for c in origin.causes if c.name == "arguments"]
    assert (cause.reference, cause.candidate) == (2, 1)
    assert "torch_net.py:7" in cause.edit


@pytest.mark.parametrize("run", [0, 1])
def test_parameters_are_known_as_they_were_before_the_first_run(run):
    """In a later run an update may have made the difference: then nobody says that the parameters are the same."""

    def net(factor):
        world = World("torch")
        for at in range(2):
            by = np.float32(factor if at == run else 1.0)
            body = lambda x, by=by: world.call("own", "Own", lambda t: t.array * by, x)  # noqa: E731
            world.call("(root)", "Net", body, X)
        return world.trace()

    (cause,) = diagnose(net(1.0), net(1.5)).origin.causes
    assert ("before the first run" in cause.sentence) == (run == 1)
