"""Two nets beside each other: where the candidate loses time, what is noise, what one side has alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.profiling.nets import US, Box, Net, linear, mlp
from tracer.errors import RuleError
from tracer.profiling.beside import alone, beside
from tracer.profiling.flame import flames
from tracer.reports.profile_words import most
from tracer.trace.schema import ROOT

TORCH = Net(mlp(), seed=1)


def port(root: Box | None = None, **more) -> Net:
    return Net(root or mlp("mindspore"), framework="mindspore", seed=2, **more)


def profile(candidate: Net, reference: Net = TORCH, pins=()):
    return beside(reference.side(), candidate.side(), pins)


SLOW = profile(port(mlp("mindspore", slow=8.0)))


def row(found, path, sort="layer"):
    rows = (*found.rows, *found.blocks)
    return next(r for r in rows if r.sort == sort and path in {t.path for t in (r.reference, r.candidate) if t})


def test_where_most_is_lost_stands_first():
    """The layer that was made slow."""
    assert SLOW.first.reference.path == SLOW.first.candidate.path == "blocks.1.act"
    assert SLOW.rows[0] is SLOW.first
    assert SLOW.first.ratio == pytest.approx(8, rel=0.05)


def test_what_is_lost_is_forward_and_backward():
    """Both together, in nanoseconds."""
    assert SLOW.first.lost / US == pytest.approx(3 * 140, rel=0.03)


def test_the_loss_is_all_in_one_place():
    """Nothing else is slower than what both vary by."""
    assert SLOW.first.lost == pytest.approx(SLOW.lost, rel=0.02)


def test_a_share_is_of_the_candidates_step():
    """What would be won there."""
    assert SLOW.first.share == pytest.approx(SLOW.first.lost / SLOW.steps[1].median)
    assert next(r for r in SLOW.rows if r.state == "alike").share is None


def test_a_difference_within_what_both_vary_by_is_none():
    """And loses nothing."""
    found = profile(port(noise=0.1), replace(TORCH, noise=0.1))
    assert {r.state for r in found.rows} == {"alike"}
    assert found.first is None
    assert found.lost == 0


def test_a_difference_below_the_cost_of_watching_is_none():
    """The measured cost is no more exact than that."""
    ours = Net(Box(ROOT, "Net", 10, [Box("act", "GELU", 1.0)]), noise=0.0)
    theirs = Net(Box(ROOT, "Net", 10, [Box("act", "GELU", 1.2)]), framework="mindspore", noise=0.0)
    assert row(profile(theirs, ours), "act").state == "alike"


def test_a_faster_candidate_gains():
    """What it wins is told apart from what it loses."""
    found = profile(port(mlp("mindspore", slow=0.25)))
    assert row(found, "blocks.1.act").state == "faster"
    assert found.gained / US == pytest.approx(45, rel=0.1)
    assert found.first is None


def test_blocks_stand_in_their_order_with_all_inside():
    """The block of the slow layer is slower by as much."""
    assert [r.reference.path for r in SLOW.blocks] == [ROOT, "blocks.0", "blocks.1", "blocks.2"]
    assert row(SLOW, "blocks.1", "block").lost == pytest.approx(SLOW.first.lost, rel=0.05)


def test_code_between_layers_is_a_place_of_its_own():
    """A reshape, an addition: not the layers' loss."""
    root = mlp("mindspore")
    root.inside[2].own = 400.0
    found = profile(port(root))
    assert (found.first.sort, found.first.reference.path) == ("code", "blocks.2")
    assert row(found, "blocks.2.fc1").state == "alike"


def test_an_op_is_told_as_a_whole():
    """All GELUs together."""
    kind = next(k for k in SLOW.kinds if k.op == "gelu")
    assert kind.calls == (3, 3)
    assert kind.ratio == pytest.approx(600 / 180, rel=0.05)


def test_a_layer_on_one_side_only_is_said():
    """With what it takes; it counts as lost where only the candidate has it."""
    root = mlp("mindspore")
    root.inside[0].inside.insert(1, Box("blocks.0.extra", "LayerNorm", 90.0, shape=(4, 32), given=(4, 32)))
    found = profile(port(root))
    assert [r.candidate.path for r in found.alone] == ["blocks.0.extra"]
    assert found.first.state == "candidate only"
    assert found.first.lost / US == pytest.approx(270, rel=0.03)


def test_what_only_the_reference_has_is_a_gain():
    """The candidate does without."""
    root = mlp()
    root.inside[0].inside.append(Box("blocks.0.extra", "LayerNorm", 90.0))
    found = profile(port(), Net(root, seed=1))
    assert [r.reference.path for r in found.alone] == ["blocks.0.extra"]
    assert found.gained / US == pytest.approx(270, rel=0.1)


def merged(path: str = "qkv", framework: str = "torch") -> Net:
    """A projection of 8 features to 24 and one back."""
    inside = [linear(path, 90.0, (8, 24), framework=framework), linear("out", 30.0, (24, 8), framework=framework)]
    return Net(Box(ROOT, "Net", 5.0, inside), framework, seed=3)


def in_three(framework: str = "mindspore") -> Net:
    """The same in three layers, all of which take the net's input."""
    three = [linear(name, 30.0, (8, 8), framework=framework, given_to="net") for name in ("q", "k", "v")]
    return Net(Box(ROOT, "Net", 5.0, [*three, linear("out", 30.0, (24, 8), framework=framework)]), framework, seed=2)


@pytest.mark.parametrize("swapped", [False, True])
def test_one_layer_stands_for_several(swapped):
    """A merged projection against three: one row, whichever side has the three."""
    one, three = (in_three("torch"), merged("qkv", "mindspore")) if swapped else (merged(), in_three())
    found = beside(one.side(), three.side())
    both = next(r for r in found.rows if r.sort == "layer" and len(r.reference.paths) + len(r.candidate.paths) == 4)
    assert {both.reference.path, both.candidate.path} == {"qkv", "q + k + v"}
    assert found.alone == ()
    assert both.reference.work.forward == both.candidate.work.forward


def test_layers_that_compute_more_do_not_stand_for_one():
    """They are another net's."""
    net = in_three()
    net.root.inside[2] = linear("v", 30.0, (8, 32), framework="mindspore", given_to="net")
    found = profile(net, merged())
    assert all(len(t.paths) == 1 for r in found.rows for t in (r.reference, r.candidate) if t)


def test_every_layer_stands_in_one_row():
    """Whatever is paired with what, no time is counted twice or lost."""
    for found in (SLOW, profile(in_three(), merged())):
        for name in ("reference", "candidate"):
            side = getattr(found, name)
            rows = [t for r in found.rows if r.sort == "layer" and (t := getattr(r, name)) is not None]
            assert sorted(o for t in rows for o in t.orders) == sorted(
                side.graph.nodes[one].call.order for one in side.graph.units
            )


def test_calls_of_a_shared_layer_are_one_row():
    """As many as there are on each side."""

    def net(framework, count):
        inside = [linear("cell", 40.0, framework=framework) for _ in range(count)]
        return Net(Box(ROOT, "Net", 5.0, inside), framework=framework)

    found = profile(net("mindspore", 6), net("torch", 6))
    assert [(r.reference.calls, r.candidate.calls) for r in found.rows if r.sort == "layer"] == [(6, 6)]


def test_pins_hold():
    """Two layers that the user says belong together do."""
    found = profile(port(), pins=[("blocks.0.fc1", "blocks.2.fc1")])
    pinned = next(r for r in found.rows if r.sort == "layer" and r.reference and r.reference.path == "blocks.0.fc1")
    assert pinned.candidate.path == "blocks.2.fc1"


def test_a_pin_that_names_nothing_is_refused():
    """It says what is not there."""
    with pytest.raises(RuleError, match="nowhere"):
        profile(port(), pins=[("nowhere", "head")])


def test_only_common_phases_are_compared():
    """A step with an update against one without."""
    found = profile(port(update=500.0))
    assert found.phases == ("forward", "backward")
    assert found.alike


def test_a_forward_only_side_is_compared_in_the_forward():
    """The backward of the other is left out everywhere."""
    found = profile(port(backward=False))
    assert found.phases == ("forward",)
    assert row(found, "head").reference.whole.median / US == pytest.approx(50, rel=0.05)


def test_an_update_that_takes_longer_is_lost_time():
    """It is no layer's."""
    found = profile(port(update=500.0), replace(TORCH, update=100.0))
    assert next(s for s in found.shares if s.name == "update").lost / US == pytest.approx(400, rel=0.05)
    assert found.lost / US == pytest.approx(400, rel=0.05)


def test_an_update_that_loses_most_is_said_first():
    """Where no layer loses as much, `first_around` is the update, and the words begin with it."""
    found = profile(port(update=500.0), replace(TORCH, update=100.0))
    assert found.first_around.name == "update"
    assert most(found).startswith("the update: ")


def test_a_layer_that_loses_more_than_the_update_is_first():
    """The update is told among the parts of the step."""
    slow = replace(port(update=110.0), root=mlp("mindspore", slow=8.0))
    assert profile(slow, replace(TORCH, update=100.0)).first_around is None


def test_one_net_alone_shows_what_takes_most():
    """Its shares are of its step."""
    found = alone(TORCH.side())
    whole = found.steps[0].median
    assert found.candidate is None
    assert found.ratio is None
    assert [r.share for r in found.rows] == sorted((r.share for r in found.rows), reverse=True)
    assert found.rows[0].share == pytest.approx(found.rows[0].reference.whole.median / whole)


def test_the_work_of_a_block_with_a_layer_that_nobody_knows_is_not_known():
    """A sum of the others would say that the block is slow."""
    root = mlp()
    root.inside[0].inside.append(Box("blocks.0.own", "MyAttention", 90.0, parameters={"weight": (8, 8)}))
    found = alone(Net(root).side())
    assert row(found, "blocks.0", "block").reference.macs is None
    assert row(found, ROOT, "block").reference.rate is None
    assert row(found, "blocks.1", "block").reference.macs


def test_a_net_without_layers_has_its_code():
    """The net itself is the only call."""
    found = alone(Net(Box(ROOT, "Net", 10.0)).side())
    assert [r.reference.path for r in found.rows] == [ROOT]


def test_boxes_of_the_flame_view_lie_inside_those_around():
    """And no two of one row cover each other."""
    found = flames(TORCH.side())
    spans = {one.chain: (one.begin, one.begin + one.length) for one in found}
    for chain, (begin, end) in spans.items():
        if len(chain) > 1:
            around = spans[chain[:-1]]
            assert around[0] - 1e-6 <= begin <= end <= around[1] + 1e-6
    for depth in range(3):
        row = sorted((spans[one.chain] for one in found if one.depth == depth))
        assert all(left[1] <= right[0] + 1e-6 for left, right in zip(row, row[1:]))
