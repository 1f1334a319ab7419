"""What a call took by itself: calls inside it and the cost of watching taken off, over repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.profiling.nets import US, Box, Net, linear, mlp
from tracer.profiling.measured import apart, measured, spread
from tracer.profiling.step import shares, step_times
from tracer.trace.schema import ROOT


def times(net: Net, **more):
    return measured(replace(net.timing(), **more), net.skeleton().steps[0].calls)


def medians(net: Net, what: str, phase: str = "forward") -> dict[str, float]:
    """By path, in microseconds."""
    found = getattr(times(net), what)[phase]
    return {call.path: float(np.median(found[:, n])) / US for n, call in enumerate(net.skeleton().steps[0].calls)}


QUIET = Net(mlp(), noise=0.0)
OWN = {ROOT: 10, "blocks.0": 5, "blocks.0.fc1": 100, "blocks.0.act": 20, "head": 50}


@pytest.mark.parametrize("path", OWN)
def test_own_time_is_what_the_call_did_itself(path):
    """Neither what calls inside it took nor what watching any of them cost."""
    assert medians(QUIET, "own")[path] == pytest.approx(OWN[path], abs=0.02)


@pytest.mark.parametrize(("path", "wanted"), [("blocks.1", 225), (ROOT, 10 + 3 * 225 + 50), ("head", 50)])
def test_total_has_all_calls_inside(path, wanted):
    """A layer without layers has one time."""
    assert medians(QUIET, "total")[path] == pytest.approx(wanted, abs=0.05)


@pytest.mark.parametrize("cost", [0, 900, 20_000])
def test_what_watching_costs_is_no_part_of_any_time(cost):
    """However much it is, as long as it was measured."""
    net = replace(QUIET, enter=cost, leave=2 * cost, within=cost // 2)
    assert medians(net, "total")[ROOT] == pytest.approx(735, abs=0.1)


def test_backward_is_told_apart():
    """Own and total, as forward."""
    assert medians(QUIET, "own", "backward")["blocks.0.fc1"] == pytest.approx(200, abs=0.02)
    assert medians(QUIET, "total", "backward")[ROOT] == pytest.approx(1470, abs=0.1)


def test_a_recorder_that_gives_no_totals_of_the_backward_has_them_summed():
    """From the own times of all calls inside."""
    found = times(QUIET, backward_total=np.full_like(QUIET.timing().backward_total, -1))
    assert np.median(found.total["backward"][:, 0]) / US == pytest.approx(1470, abs=0.1)


def test_less_than_watching_costs_is_nothing_and_is_counted():
    """Never below zero."""
    net = Net(Box(ROOT, "Net", 10.0, [Box("quick", "GELU", 0.0)]), noise=0.0)
    found = times(net, inside_cost=net.within + 400)
    assert found.own["forward"].min() == 0
    assert found.clipped == 1


def test_a_call_that_did_not_run_in_a_repeat_counts_there_as_nothing():
    """The others say how long it takes."""
    timing = QUIET.timing()
    timing.forward[3, 2] = -1
    found = measured(timing, QUIET.skeleton().steps[0].calls)
    assert np.isnan(found.own["forward"][3, 2])
    assert spread(found.own["forward"][:, 2]).repeats == 9


def test_the_spread_is_between_quartiles():
    """Half of the repeats lie inside."""
    found = spread(np.arange(1.0, 10.0))
    assert (found.low, found.median, found.high) == (3, 5, 7)


def test_of_few_repeats_the_spread_is_all_of_them():
    """Quartiles of three say nothing."""
    found = spread(np.array([1.0, 2.0, 9.0]))
    assert (found.low, found.median, found.high) == (1, 2, 9)


def test_an_outlier_moves_nothing():
    """One repeat that was interrupted."""
    net = replace(QUIET, noise=0.01)
    timing = net.timing()
    timing.forward[4, :, 1] += 10_000_000
    found = measured(timing, net.skeleton().steps[0].calls)
    assert np.nanmedian(found.own["forward"][:, 2]) / US == pytest.approx(100, rel=0.03)


def test_times_that_overlap_are_not_apart():
    """The difference is within what both vary by."""
    assert not apart(spread(np.arange(10.0)), spread(np.arange(4.0, 14.0)))
    assert apart(spread(np.arange(10.0)), spread(np.arange(8.0, 18.0)))


def test_equal_times_are_rarely_apart():
    """Two of a thousand by chance, of ten repeats each."""
    chance = np.random.default_rng(0)
    found = [apart(spread(chance.normal(size=10)), spread(chance.normal(size=10))) for _ in range(2000)]
    assert sum(found) < 12


def test_an_interrupted_repeat_hides_no_difference():
    """One of ten that took a hundred times as long."""
    assert apart(spread(np.array([*np.full(9, 10.0), 1000.0])), spread(np.full(10, 20.0)))


def test_no_time_has_no_spread():
    """A phase that never ran."""
    assert spread(np.full(3, np.nan)) is None


def test_the_step_is_the_bare_one():
    """Nothing is watched in it."""
    found = times(QUIET)
    assert found.step.median / US == pytest.approx(735 + 1470 + 40, abs=1)
    assert found.left / US == pytest.approx(0, abs=1)


def test_without_bare_steps_the_cost_of_watching_is_taken_off():
    """Which is what is known."""
    found = times(replace(QUIET, bare=False))
    assert found.step.median / US == pytest.approx(735 + 1470 + 40, abs=1)


def test_the_parts_make_the_step():
    """Layers, the code between them, loss, update, and the rest, nothing twice."""
    net = replace(QUIET, update=33.0)
    side = net.side()
    parts = {part.name: part.reference.median / US for part in shares(side, None, ("forward", "backward", "update"))}
    assert parts == pytest.approx({"layers": 710 * 3, "code": 25 * 3, "update": 33, "rest": 40}, abs=2)
    assert sum(parts.values()) == pytest.approx(np.median(step_times(side, ("forward", "backward", "update"))) / US)


def test_the_parts_of_an_unsteady_step_add_up():
    """Their medians make the median of the step, though each varies by itself."""
    side = replace(QUIET, noise=0.4).side()
    parts = shares(side, None, ("forward", "backward"))
    step = np.median(step_times(side, ("forward", "backward")))
    assert sum(part.reference.median for part in parts) == pytest.approx(step)


def test_a_layer_called_often_is_the_sum_of_its_calls():
    """Of each repeat."""
    root = Box(ROOT, "Net", 10.0, [linear("cell", 30.0) for _ in range(5)])
    side = Net(root, noise=0.0).side()
    taken = side.taken("layer", [one for one in side.graph.units if one.path == "cell"])
    assert taken.calls == 5
    assert taken.forward.median / US == pytest.approx(150, abs=0.1)
