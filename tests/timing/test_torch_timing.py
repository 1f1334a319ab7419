"""keep="timing" of torch nets: what is in the trace, and that nothing else changes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

import tracer  # noqa: E402
from tests.timing import nets  # noqa: E402
from tracer.errors import RecordingError, RuleError, TraceFileError  # noqa: E402

pytestmark = pytest.mark.torch


def times(net: Any, out: Path, **options: Any) -> tracer.Trace:
    """A trace of few repeats."""
    return tracer.record(
        net, options.pop("inputs", nets.batch()), out=out, keep="timing", **{"repeat": 2, "warmup": 0} | options
    )


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> tracer.Trace:
    """Of the net, forward and backward."""
    return times(nets.ready(nets.Net), tmp_path_factory.mktemp("timing") / "net.h5", repeat=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tracer.Trace:
    """Of its training."""
    net = nets.ready(nets.Net)
    optimizer = torch.optim.Adam(net.parameters())
    labels = np.arange(4) % 3
    out = tmp_path_factory.mktemp("timing") / "step.h5"
    return times(net, out, loss=nn.CrossEntropyLoss(), targets=labels, optimizer=optimizer)


# -------------------------------------------------------------------------------------------------- what is in it


def test_times_are_of_the_calls_of_the_first_run(trace: tracer.Trace) -> None:
    """In their order."""
    assert trace.timing.orders == tuple(call.order for call in trace.skeleton.steps[0].calls)


def test_no_values_and_no_statistics_are_kept(trace: tracer.Trace) -> None:
    """Only shapes and who made what."""
    values = [value for call in trace.skeleton.steps[0].calls for value in (*call.inputs, *call.outputs)]
    assert all(value.statistics is None and value.digest is None for value in values)
    assert all(p.statistics is None for layer in trace.skeleton.layers.values() for p in layer.parameters)


def test_every_repeat_has_a_bare_step(trace: tracer.Trace) -> None:
    """In turn with the watched ones."""
    timing = trace.timing
    assert len(timing.bare) == len(timing.watched) == len(timing.forward) == 3
    assert (timing.bare > 0).all()


def test_calls_lie_inside_the_call_that_makes_them(trace: tracer.Trace) -> None:
    """On one clock, in every repeat."""
    timing = trace.timing
    at = {order: n for n, order in enumerate(timing.orders)}
    inside = [(at[call.order], at[call.parent]) for call in trace.skeleton.steps[0].calls if call.parent is not None]
    for child, parent in inside:
        assert (timing.forward[:, child, 0] >= timing.forward[:, parent, 0]).all()
        assert (timing.forward[:, child, 1] <= timing.forward[:, parent, 1]).all()


def test_calls_begin_in_the_order_of_the_run(trace: tracer.Trace) -> None:
    """Which is that of the skeleton."""
    assert (np.diff(trace.timing.forward[..., 0], axis=1) >= 0).all()


def test_total_backward_is_own_and_that_of_the_layers_inside(trace: tracer.Trace) -> None:
    """Added up the tree, exactly."""
    timing = trace.timing
    at = {order: n for n, order in enumerate(timing.orders)}
    total = np.maximum(timing.backward_own, 0)
    for call in reversed(trace.skeleton.steps[0].calls):
        if call.parent is not None:
            total[:, at[call.parent]] += total[:, at[call.order]]
    assert (total == np.maximum(timing.backward_total, 0)).all()


def test_own_backward_is_no_more_than_the_span(trace: tracer.Trace) -> None:
    """Operations of one call do not overlap on the CPU."""
    timing = trace.timing
    assert (timing.backward_own <= timing.backward[..., 1] - timing.backward[..., 0]).all()


def test_every_layer_that_takes_part_has_a_backward(trace: tracer.Trace) -> None:
    """Both calls of the shared one too."""
    assert (trace.timing.backward_own >= 0).all()


def test_the_backward_pass_goes_through_the_calls_from_behind(trace: tracer.Trace) -> None:
    """The head first, then the second call of the shared layer, then the first."""
    calls = trace.skeleton.steps[0].calls
    at = {(call.path, call.index): n for n, call in enumerate(calls)}
    order = [at["head", 0], at["norm", 0], at["shared", 1], at["shared", 0], at["blocks.1.fc", 0], at["blocks.0.fc", 0]]
    assert (np.diff(trace.timing.backward[:, order, 0], axis=1) > 0).all()


def test_costs_and_rest_are_said(trace: tracer.Trace) -> None:
    """On the CPU nothing has to be waited for, and memory is not known."""
    timing = trace.timing
    assert min(timing.enter_cost, timing.leave_cost, timing.inside_cost) >= 0
    assert timing.inside_cost > 0
    assert "CPU" in timing.rest
    assert (timing.peak == -1).all()
    assert any("memory" in note for note in timing.notes)


def test_a_step_ends_with_its_backward(trace: tracer.Trace) -> None:
    """No loss and no update where none was asked for."""
    step = trace.timing.step
    assert (step[:, [1, 3]] == -1).all()
    assert (step[:, 0] < step[:, 2]).all()


def test_a_step_of_training_has_four_phases(trained: tracer.Trace) -> None:
    """In their order."""
    assert (np.diff(trained.timing.step, axis=1) > 0).all()
    assert (trained.timing.step[:, 3] <= trained.timing.watched).all()


def test_the_first_run_alone_is_in_the_steps(trained: tracer.Trace) -> None:
    """So that nets align, whatever was timed."""
    assert len(trained.skeleton.steps) == 1


def test_profile_reads_it(trace: tracer.Trace, trained: tracer.Trace) -> None:
    """Alone and beside another."""
    assert "a step" in str(tracer.profile(trace))
    assert "loss" in str(tracer.profile(trained))
    assert "compared" in str(tracer.profile(trace, trained))


# ------------------------------------------------------------------------------------------------ nothing changes


@pytest.mark.parametrize("training", [True, False])
def test_the_net_is_as_it_was(tmp_path: Path, training: bool) -> None:
    """Parameters, buffers, gradients, modes, random state and hooks."""
    net = nets.ready(nets.Net).train(training)
    net.head.weight.grad = torch.ones_like(net.head.weight)
    before = nets.state(net)
    times(net, tmp_path / "a.h5")
    assert nets.same(before, nets.state(net))
    assert nets.hooks(net) == []


def test_net_and_optimizer_are_as_they_were_after_training(tmp_path: Path) -> None:
    """Moments too."""
    net = nets.ready(nets.Net)
    optimizer = torch.optim.Adam(net.parameters())
    net(nets.batch()).sum().backward()
    optimizer.step()
    before, remembered = nets.state(net), copy.deepcopy(optimizer.state_dict())
    times(net, tmp_path / "a.h5", loss=nn.CrossEntropyLoss(), targets=np.arange(4) % 3, optimizer=optimizer)
    assert nets.same(before, nets.state(net))
    assert str(optimizer.state_dict()) == str(remembered)


@pytest.mark.parametrize("at", [1, 2, 5])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_no_hook_stays_after_an_error(tmp_path: Path, at: int, error: type[BaseException]) -> None:
    """Nor after Ctrl-C; in the first run or in a timed one."""
    net = nets.ready(nets.Raising, at, error)
    before = nets.state(net)
    with pytest.raises(error, match="told to"):
        times(net, tmp_path / "a.h5")
    assert nets.hooks(net) == []
    assert nets.same(before, nets.state(net))
    assert not tracer.Trace(tmp_path / "a.h5").complete


def trained_steps(steps: int, out: Path | None, **options: Any) -> list[Any]:
    """Losses and parameters of a training, recorded or not."""
    net = nets.ready(nets.Net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    losses = []

    def one(recording: Any = None) -> None:
        loss = net(nets.batch()).square().mean()
        if recording is not None:
            recording.loss(loss)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())

    if out is None:
        for _ in range(steps):
            one()
    else:
        with tracer.recording(net, out=out, optimizer=optimizer, keep="timing", **options) as recording:
            for _ in range(steps):
                with recording.step():
                    one(recording)
    assert nets.hooks(net) == []
    return [*losses, *net.state_dict().values()]


def test_a_loop_of_ones_own_computes_the_same_bits(tmp_path: Path) -> None:
    """Watched, bare and beyond what is timed."""
    recorded = trained_steps(9, tmp_path / "a.h5", repeat=2, warmup=1)
    assert nets.same(recorded, trained_steps(9, None))
    timing = tracer.Trace(tmp_path / "a.h5").timing
    assert (len(timing.bare), len(timing.watched)) == (2, 2)
    assert (np.diff(timing.step, axis=1) > 0).all()


def test_a_loop_that_ends_too_soon_is_said(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.warns(UserWarning, match="the loop had 2 steps"):
        trained_steps(2, tmp_path / "a.h5", repeat=2, warmup=1)
    with pytest.raises(TraceFileError, match="before a step was timed"):
        tracer.profile(tmp_path / "a.h5")


def test_without_a_step_nothing_is_timed(tmp_path: Path) -> None:
    """The loop has to say where its steps are."""
    net = nets.ready(nets.Net)
    with (
        pytest.warns(UserWarning, match="no step was begun"),
        tracer.recording(net, out=tmp_path / "a.h5", keep="timing"),
    ):
        net(nets.batch())


def test_several_passes_in_a_step_have_no_phases(tmp_path: Path) -> None:
    """But each call its time."""
    net = nets.ready(nets.Net)
    with tracer.recording(net, out=tmp_path / "a.h5", keep="timing", repeat=1, warmup=0) as recording:
        for _ in range(3):
            with recording.step():
                for _ in range(2):
                    net(nets.batch()).sum().backward()
    timing = tracer.Trace(tmp_path / "a.h5").timing
    assert (timing.step == -1).all()
    assert (timing.forward >= 0).all()
    assert any("several runs" in note for note in timing.notes)


# ------------------------------------------------------------------------------------------------------- odd nets


@pytest.mark.parametrize("reentrant", [True, False])
def test_recomputing_is_counted_backward(tmp_path: Path, reentrant: bool) -> None:
    """Of the layers that are recomputed, and it is said."""
    trace = times(nets.ready(nets.Checkpointed, reentrant=reentrant), tmp_path / "a.h5")
    at = [call.path for call in trace.skeleton.steps[0].calls].index("block.fc")
    assert (trace.timing.backward_own[:, at] > 0).all()
    assert any("checkpoints" in note for note in trace.timing.notes)


def test_nested_inputs_and_outputs(tmp_path: Path) -> None:
    """Dicts with None and numbers."""
    trace = times(nets.ready(nets.Nested), tmp_path / "a.h5", inputs=({"x": nets.batch()},), kwargs={"scale": 2.0})
    assert (trace.timing.backward_own >= 0).all()


def test_an_optimizer_that_wants_a_closure(tmp_path: Path) -> None:
    """LBFGS runs the net several times in an update; all is put back."""
    net = nets.ready(nets.Net).eval()
    before = nets.state(net)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=2)
    trace = times(net, tmp_path / "a.h5", loss=nn.CrossEntropyLoss(), targets=np.arange(4) % 3, optimizer=optimizer)
    assert (trace.timing.step[:, 3] > trace.timing.step[:, 2]).all()
    assert nets.same(before, nets.state(net))


@pytest.mark.parametrize("off", [torch.no_grad, torch.inference_mode])
def test_without_gradients_only_the_forward_is_timed(tmp_path: Path, off: Any) -> None:
    """And the trace says why."""
    with off():
        trace = times(nets.ready(nets.Net).eval(), tmp_path / "a.h5")
    assert (trace.timing.backward_total == -1).all()
    assert trace.skeleton.end.backward


def test_backward_false_times_the_forward(tmp_path: Path) -> None:
    """As with every record."""
    trace = times(nets.ready(nets.Net), tmp_path / "a.h5", backward=False)
    assert (trace.timing.step[:, 1:] == -1).all()
    assert trace.skeleton.end.backward == "it was not asked for: backward=False"


def test_layers_left_out_are_not_watched(tmp_path: Path) -> None:
    """Their time is that of the layer around them."""
    trace = times(nets.ready(nets.Net), tmp_path / "a.h5", depth=1)
    assert {call.path for call in trace.skeleton.steps[0].calls} == {"(root)", "shared", "norm", "head"}
    assert (trace.timing.backward_own >= 0).all()


def test_a_frozen_layer_has_no_backward(tmp_path: Path) -> None:
    """Nothing of it runs there."""
    net = nets.ready(lambda: nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2)))
    net[0].requires_grad_(requires_grad=False)
    trace = times(net, tmp_path / "a.h5")
    assert (trace.timing.backward_own[:, 1] == -1).all()
    assert (trace.timing.backward_own[:, 2] > 0).all()


# ------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"keep": "timing", "repeat": 0}, "repeat=0"),
        ({"keep": "timing", "repeat": True}, "repeat=True"),
        ({"keep": "timing", "warmup": -1}, "warmup=-1"),
        ({"repeat": 3}, "without keep"),
        ({"keep": "timing", "like": "pt.h5"}, "like="),
        ({"keep": "timing", "steps": 3, "loss": nn.MSELoss(), "optimizer": 3}, "steps="),
    ],
)
def test_options_that_do_not_hold(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    """Refused before anything runs."""
    with pytest.raises(RuleError, match=why):
        tracer.record(nets.ready(nets.Net), nets.batch(), out=tmp_path / "a.h5", **options)
    assert not (tmp_path / "a.h5").exists()


def test_a_loop_refuses_to_choose_steps(tmp_path: Path) -> None:
    """Which steps are watched is not the user's to say."""
    with pytest.raises(RuleError, match="every= does not go together"):
        tracer.recording(nets.ready(nets.Net), out=tmp_path / "a.h5", keep="timing", every=2)


def test_what_is_no_optimizer_is_refused(tmp_path: Path) -> None:
    """As in every training."""
    with pytest.raises(RecordingError):
        times(
            nets.ready(nets.Net), tmp_path / "a.h5", loss=nn.CrossEntropyLoss(), targets=np.arange(4) % 3, optimizer=3
        )


# ----------------------------------------------------------------------------------------- who wants values, and show


def test_the_diff_refuses_it(trace: tracer.Trace) -> None:
    """There is nothing to compare."""
    with pytest.raises(TraceFileError, match="times and no values") as error:
        tracer.diff(trace, trace)
    assert "tracer profile" in str(error.value)


def test_nan_is_not_looked_for_in_it(trace: tracer.Trace) -> None:
    """Nothing would be found, which says nothing."""
    with pytest.raises(TraceFileError, match="times and no values"):
        tracer.find_nan(trace)
