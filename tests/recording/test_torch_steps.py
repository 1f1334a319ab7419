"""`tracer.recording` with steps: what of a training loop is in the trace, and what recording does to it (nothing)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tracer.errors import RecordingError, RuleError


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


X = np.random.default_rng(0).standard_normal((12, 8)).astype("float32")
Y = np.random.default_rng(1).integers(0, 4, 12)


def net():
    """A small net with moving statistics."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.BatchNorm1d(16), nn.Linear(16, 4))


def bits(model):
    """Everything that a net holds, to the last bit."""
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def batch(n, parts=1, part=0):
    """The same samples in another order each step, in parts."""
    order = np.random.default_rng(n).permutation(12)[part::parts]
    return torch.from_numpy(X[order]), torch.from_numpy(Y[order])


def train(model, optimizer, steps, recording=None, criterion=None):
    """A loop as users write it; with `recording` each iteration is a step."""
    criterion = criterion or nn.CrossEntropyLoss()
    for n in range(steps):
        if recording is None:
            loss = criterion(model(batch(n)[0]), batch(n)[1])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            continue
        with recording.step():
            loss = recording.loss(criterion(model(batch(n)[0]), batch(n)[1]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()


def recorded(out, steps=3, **options):
    """A trace of such a loop with AdamW."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    with tracer.recording(model, out=out, optimizer=optimizer, **options) as recording:
        train(model, optimizer, steps, recording)
    return tracer.Trace(out)


def test_steps_are_a_sequence(out):
    """As many as there were, each with its calls."""
    trace = recorded(out)
    assert len(trace.steps) == 3
    assert trace.steps.numbers == [0, 1, 2]
    assert np.asarray(trace.steps[2]["(root)"].calls[0].output).shape == (12, 4)


def test_a_step_has_its_loss(out):
    """Its value, what made it, what it was given, and what was sent back from it."""
    loss = recorded(out).steps[0].loss
    model = net()
    assert float(loss) == F.cross_entropy(model(batch(0)[0]), batch(0)[1]).item()
    assert (loss.kind, loss.settings["reduction"]) == ("CrossEntropyLoss", "mean")
    assert np.array_equal(loss.inputs["1"], batch(0)[1].numpy())
    assert float(np.asarray(loss.gradient)) == 1.0


def test_predictions_are_the_nets_output(out):
    """What the loss was given is known as what the net returned: nothing is stored twice."""
    step = recorded(out).steps[1]
    predictions = step.loss.inputs["0"].value
    assert (predictions.maker.order, predictions.maker.side) == (0, "output")
    assert np.array_equal(np.asarray(step.loss.inputs["0"]), np.asarray(step["(root)"].calls[0].output))


def test_a_step_has_parameters_before_and_after(out):
    """Buffers too; what follows is what came before."""
    trace = recorded(out)
    first = trace.steps[0].parameters_before
    assert set(first) == set(net().state_dict())
    assert np.array_equal(first["0.weight"], net()[0].weight.detach().numpy())
    assert np.array_equal(trace.steps[0].parameters_after["0.weight"], trace.steps[1].parameters_before["0.weight"])
    assert not np.array_equal(trace.steps[0].parameters_after["2.running_mean"], first["2.running_mean"])


def test_a_step_has_its_optimizer(out):
    """Class, groups, settings of that very update, state before and after, the gradients that it got."""
    trace = recorded(out)
    optimizer = trace.steps[1].optimizer
    assert optimizer.kind == "AdamW"
    assert optimizer.groups[0].settings["lr"] == 1e-2
    assert optimizer.groups[0].parameters[0] == ("0", "weight")
    assert float(np.asarray(optimizer.state_before["0.weight"]["step"])) == 1.0
    assert np.array_equal(
        optimizer.state_after["0.weight"]["exp_avg"], trace.steps[2].optimizer.state_before["0.weight"]["exp_avg"]
    )
    assert np.array_equal(optimizer.gradients["0.weight"], trace.steps[1].gradients["0.weight"])
    assert trace.steps[0].optimizer.state_before == {}


def test_a_step_is_summed_up(out):
    """Loss, norms and learning rate as numbers."""
    trace = recorded(out)
    measures = trace.steps[1].measures
    gradients = trace.steps[1].optimizer.gradients
    norm = np.sqrt(sum(float(np.sum(np.asarray(g, np.float64) ** 2)) for g in gradients.values()))
    moved = [
        np.asarray(trace.steps[1].parameters_after[n], np.float64) - np.asarray(trace.steps[1].parameters_before[n])
        for n in gradients
    ]
    assert measures.loss == pytest.approx(float(trace.steps[1].loss))
    assert measures.gradient_norm == pytest.approx(norm, rel=1e-5)
    assert measures.update_norm == pytest.approx(np.sqrt(sum(float(np.sum(m**2)) for m in moved)), rel=1e-4)
    assert (measures.learning_rates, measures.scale) == ((1e-2,), 1.0)


def test_the_learning_rate_is_that_of_the_update(out):
    """Not the one that a schedule sets after it."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording:
        for n in range(3):
            with recording.step():
                recording.loss(F.cross_entropy(model(batch(n)[0]), batch(n)[1])).backward()
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
    assert [step.measures.learning_rates for step in tracer.Trace(out).steps] == [(1.0,), (0.5,), (0.25,)]


def test_accumulation_keeps_every_pass(out):
    """Two losses, two gradients of each parameter, and their sum as the optimizer got it."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        for part in range(2):
            x, y = batch(0, 2, part)
            (recording.loss(F.cross_entropy(model(x), y)) / 2).backward()
        optimizer.step()
    step = tracer.Trace(out).skeleton.steps[0]
    assert [float(loss.gradient.statistics.sample[0]) for loss in step.losses] == [0.5, 0.5]
    trace = tracer.Trace(out)
    first = trace.array(step.parameter_gradients["0", "weight"])
    (second,) = (trace.array(value) for value in step.gradient_parts["0", "weight"])
    assert np.array_equal(first + second, trace.array(step.update_gradients["0", "weight"]))


def test_a_scaled_loss_says_by_what(out):
    """What GradScaler puts on the loss is what is sent back from it; the optimizer gets gradients without it."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        loss = recording.loss(F.cross_entropy(model(batch(0)[0]), batch(0)[1]))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    step = tracer.Trace(out).steps[0]
    assert step.measures.scale == 1024.0
    raw, got = np.asarray(step.gradients["0.weight"]), np.asarray(step.optimizer.gradients["0.weight"])
    assert np.array_equal(raw / np.float32(1024), got)


def test_a_skipped_update_is_told(out):
    """Loss scaling that found an overflow updates nothing."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        scaler.scale(recording.loss(F.cross_entropy(100 * model(batch(0)[0]), batch(0)[1]))).backward()
        scaler.step(optimizer)
        scaler.update()
    step = tracer.Trace(out).skeleton.steps[0]
    assert (step.updates, dict(step.update_gradients)) == (0, {})


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"keep_steps": [0, 1, 5]}, [0, 1, 5]),
        ({"every": 3}, [0, 3, 6]),
        ({"first": 2}, [0, 1]),
        ({"first": 1, "every": 4, "keep_steps": [6]}, [0, 4, 6]),
    ],
)
def test_steps_can_be_chosen(out, options, numbers):
    """They keep their numbers."""
    trace = recorded(out, 8, **options)
    assert trace.steps.numbers == numbers
    assert trace.steps.at(numbers[-1]).number == numbers[-1]


def test_the_rest_can_be_a_curve(out):
    """Numbers of every step, arrays of the chosen ones only."""
    trace = recorded(out, 6, every=3, rest="curve")
    assert [step.keep for step in trace.skeleton.steps] == ["values", "curve", "curve", "values", "curve", "curve"]
    assert all(step.measures.loss and step.measures.update_norm for step in trace.steps)
    assert [len(step.calls) for step in trace.steps] == [5, 0, 0, 5, 0, 0]


def test_the_rest_can_be_statistics(out):
    """Everything is known of the others but their arrays."""
    trace = recorded(out, 2, keep_steps=[0], rest="statistics")
    value = trace.steps[1]["0"].calls[0].output.value
    assert (value.stored, value.statistics.count) == (None, 12 * 16)
    assert trace.steps[0]["0"].calls[0].output.value.stored is not None


def test_nothing_is_watched_in_other_steps(out):
    """No hook is on the net, the optimizer or its parameters."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []
    with tracer.recording(model, out=out, optimizer=optimizer, keep_steps=[0]) as recording:
        train(model, optimizer, 1, recording)
        with recording.step():
            hooked = [m for m in model.modules() if m._forward_hooks or m._forward_pre_hooks]
            seen = [*hooked, *optimizer._optimizer_step_pre_hooks, *optimizer._optimizer_step_post_hooks]
            assert all(not p._backward_hooks for p in model.parameters())
    assert seen == []


def closure(model, optimizer, recording):
    """The update asks for the gradients."""

    def loss():
        optimizer.zero_grad()
        found = F.cross_entropy(model(batch(0)[0]), batch(0)[1])
        (recording.loss(found) if recording else found).backward()
        return found

    optimizer.step(loss)


def plain(model, optimizer, recording):
    """Zeroed in place, clipped."""
    found = F.cross_entropy(model(batch(0)[0]), batch(0)[1])
    (recording.loss(found) if recording else found).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)


def accumulated(model, optimizer, recording):
    """Two passes for each update."""
    for part in range(2):
        found = F.cross_entropy(model(batch(0, 2, part)[0]), batch(0, 2, part)[1])
        ((recording.loss(found) if recording else found) / 2).backward()
    optimizer.step()
    optimizer.zero_grad()


SCALER = {}


def scaled(model, optimizer, recording):
    """With GradScaler."""
    scaler = SCALER.setdefault(id(model), torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=3))
    found = F.cross_entropy(model(batch(0)[0]), batch(0)[1])
    scaler.scale(recording.loss(found) if recording else found).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()


@pytest.mark.parametrize("style", [plain, closure, accumulated, scaled])
@pytest.mark.parametrize("options", [{}, {"every": 3}, {"every": 4, "rest": "curve"}], ids=["all", "some", "curve"])
def test_training_is_bit_equal(out, style, options):
    """Twenty steps with and without the recorder end in the same bits."""
    ends = []
    for recording_too in (False, True):
        model = net()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        if recording_too:
            with tracer.recording(model, out=out, optimizer=optimizer, **options) as recording:
                for _ in range(20):
                    with recording.step():
                        style(model, optimizer, recording)
        else:
            for _ in range(20):
                style(model, optimizer, None)
        ends.append(bits(model))
    assert ends[0] == ends[1]


def test_record_trains_on_one_batch(out):
    """The same in one call; net and optimizer are as they were."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    trace = tracer.record(model, X, out=out, loss=nn.CrossEntropyLoss(), targets=Y, optimizer=optimizer, steps=3)
    assert trace.steps.numbers == [0, 1, 2]
    assert trace.steps[2].measures.loss < trace.steps[0].measures.loss
    assert bits(model) == bits(net())
    assert (len(optimizer.state), [p.grad for p in model.parameters()]) == (0, [None] * 6)


def test_record_with_a_loss_alone(out):
    """Without an optimizer: one forward and backward pass from the loss."""
    trace = tracer.record(net(), X, out=out, loss=lambda output, y: F.cross_entropy(output, y), targets=Y)
    step = trace.steps[0]
    assert step.optimizer is None
    assert np.array_equal(step.loss.inputs["1"], Y)
    assert set(step.gradients) == {n for n, _ in net().named_parameters()}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"targets": Y}, "targets= says nothing without loss="),
        ({"loss": 3}, "loss= cannot be called"),
        ({"loss": nn.MSELoss(), "steps": 0}, "steps= counts no steps"),
        ({"loss": nn.MSELoss(), "steps": 2}, "without an optimizer"),
        ({"loss": nn.MSELoss(), "backward": False}, "training goes backward"),
    ],
)
def test_bad_options_of_record(out, options, said):
    """Are refused before anything runs."""
    with pytest.raises(RuleError, match=said):
        tracer.record(net(), X, out=out, **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every=0 counts no steps"),
        ({"first": -1}, "first=-1 counts no steps"),
        ({"keep_steps": "01"}, "names no steps"),
        ({"rest": "some"}, "is not known"),
        ({"rest": "curve"}, "all steps are kept"),
    ],
)
def test_bad_options_of_recording(out, options, said):
    """Likewise."""
    with pytest.raises(RuleError, match=said):
        tracer.recording(net(), out=out, **options)


def test_what_is_no_optimizer(out):
    """Is refused, and nothing is left at the place of the trace."""
    with pytest.raises(RecordingError, match="optimizer"), tracer.recording(net(), out=out, optimizer=3):
        pass
    assert not out.exists()


def test_a_step_in_a_step(out):
    """Is refused; the training can go on."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording:
        with recording.step(), pytest.raises(RecordingError, match="inside another one"):
            recording.step().__enter__()
        train(model, optimizer, 1, recording)
    assert tracer.Trace(out).steps.numbers == [0, 1]


def test_a_loss_outside_of_a_step(out):
    """Says where it belongs."""
    model = net()
    with (
        pytest.warns(UserWarning, match="no step was begun"),
        tracer.recording(model, out=out, optimizer=torch.optim.SGD(model.parameters(), lr=0.1)) as recording,
        pytest.raises(RecordingError, match="outside of a step"),
    ):
        recording.loss(model(batch(0)[0]).mean())


def test_steps_without_an_optimizer(out):
    """`step()` alone is enough: calls, loss, gradients, parameters."""
    model = net()
    with tracer.recording(model, out=out) as recording:
        for n in range(2):
            with recording.step():
                recording.loss(F.cross_entropy(model(batch(n)[0]), batch(n)[1])).backward()
    trace = tracer.Trace(out)
    assert [len(step.calls) for step in trace.steps] == [5, 5]
    assert trace.steps[1].optimizer is None


def test_calls_before_the_first_step(out):
    """What ran before is in the trace already, so steps are refused with what to do."""
    model = net()
    with tracer.recording(model, out=out) as recording:
        model(batch(0)[0])
        with pytest.raises(RecordingError, match="ran before the first step"):
            recording.step()


def test_a_step_that_raised(out):
    """The steps before it are whole, it says what it raised, and the error is the user's own."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="mine"), tracer.recording(model, out=out, optimizer=optimizer) as recording:
        train(model, optimizer, 2, recording)
        with recording.step():
            model(batch(0)[0])
            raise ValueError("mine")
    trace = tracer.Trace(out)
    assert not trace.complete
    assert [step.failed for step in trace.skeleton.steps] == [None, None, "ValueError: mine"]
    assert len(trace.steps[1].parameters_after) == 9


def test_a_step_that_raised_and_was_caught(out):
    """Training goes on, and so does the recording."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording:
        try:
            with recording.step():
                raise ValueError("mine")
        except ValueError:
            optimizer.zero_grad()
        train(model, optimizer, 2, recording)
    trace = tracer.Trace(out)
    assert trace.complete
    assert [step.failed for step in trace.skeleton.steps] == ["ValueError: mine", None, None]


def test_a_loss_that_is_no_scalar(out):
    """In a loop it is kept as it is; what is sent back from it too."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        loss = recording.loss(F.cross_entropy(model(batch(0)[0]), batch(0)[1], reduction="none"))
        loss.mean().backward()
        optimizer.step()
    step = tracer.Trace(out).steps[0]
    assert step.loss.value.shape == (12,)
    assert step.measures.loss == pytest.approx(float(np.mean(np.asarray(step.loss))))


def test_record_refuses_a_loss_that_is_no_scalar(out):
    """Nobody can say what to send back from it."""
    with pytest.raises(RecordingError, match="reduction"):
        tracer.record(net(), X, out=out, loss=nn.CrossEntropyLoss(reduction="none"), targets=Y)


def test_backward_that_is_never_called(out):
    """Is said, not guessed."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        recording.loss(F.cross_entropy(model(batch(0)[0]), batch(0)[1]))
        optimizer.step()
    trace = tracer.Trace(out)
    assert "no gradient" in trace.skeleton.end.backward
    assert trace.steps[0].measures.gradient_norm == 0.0


def test_double_backward(out):
    """A gradient penalty: the gradients that the update uses are those that the optimizer got."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording, recording.step():
        x = batch(0)[0].requires_grad_()
        loss = F.cross_entropy(model(x), batch(0)[1])
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        recording.loss(loss + slope.pow(2).sum()).backward()
        wanted = model[0].weight.grad.clone()
        optimizer.step()
    step = tracer.Trace(out).steps[0]
    assert np.array_equal(step.optimizer.gradients["0.weight"], wanted.numpy())


def test_killed_in_the_middle_of_a_step(tmp_path):
    """Steps 0 to 6 of a training that was killed in step 7 can be read."""
    script = tmp_path / "train.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys, tracer
            from tests.recording.test_torch_steps import *
            model = net()
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
            with tracer.recording(model, out=sys.argv[1], optimizer=optimizer) as recording:
                train(model, optimizer, 7, recording)
                with recording.step():
                    model(batch(7)[0])
                    os.kill(os.getpid(), signal.SIGKILL)
            """
        ),
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "t.h5")],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    with tracer.Trace(tmp_path / "t.h5.partial") as trace:
        whole = [step for step in trace.skeleton.steps if step.ended]
        assert [step.number for step in whole] == list(range(7))
        assert np.asarray(trace.steps[6].parameters_after["0.weight"]).shape == (16, 8)


def test_a_thousand_steps_stay_small(out):
    """A curve of a thousand steps is a few hundred bytes a step."""
    trace = recorded(out, 1000, keep_steps=[0], rest="curve")
    assert len(trace.steps) == 1000
    assert out.stat().st_size < 1_000_000
