"""Recording changes nothing: outputs, gradients and the net itself are bit for bit what they are without it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.recording.nets import HARD, D, Plain, Tied, batch, made
from tests.recording.truth import bits, state, step
from tracer.recorder import cotangent


@pytest.fixture(params=list(HARD), ids=str)
def net(request):
    return made(HARD[request.param])


def test_a_pass_gives_the_same_bits_before_during_and_after(net, tmp_path):
    """Loss, input gradients and parameter gradients do not notice the hooks."""
    x = batch(4, D)
    kept = copy.deepcopy(net.state_dict())

    def fresh():
        net.load_state_dict(kept)
        return step(net, x)

    before = fresh()
    with tracer.recording(net, out=tmp_path / "t.h5"):
        during = fresh()
    after = fresh()
    assert during == before
    assert after == before


def test_record_leaves_the_net_as_it_was(net, tmp_path):
    """Parameters, buffers, gradients, modes, attributes, hooks and random state."""
    step(net, batch(4, D))
    for p in net.parameters():
        p.grad = torch.full_like(p, 0.25)
    before = state(net)
    tracer.record(net, batch(4, D), out=tmp_path / "t.h5")
    assert state(net) == before


def test_recorded_gradients_are_the_returned_ones(net, tmp_path):
    """Every parameter that gets a gradient has it in the trace, bit for bit."""
    x = batch(4, D)
    kept = copy.deepcopy(net.state_dict())
    torch.manual_seed(5)
    trace = tracer.record(net, x.clone().requires_grad_(), out=tmp_path / "t.h5")
    net.load_state_dict(kept)
    _, (of_input,), of_parameters = step(net, x)
    recorded = trace.skeleton.steps[0].parameter_gradients
    inner = next((m for m in (getattr(net, "_orig_mod", None), getattr(net, "module", None)) if m is not None), net)
    prefix = "" if inner is net else "_orig_mod." if hasattr(net, "_orig_mod") else "module."
    expected = {name.removeprefix(prefix): found for name, found in of_parameters.items() if found is not None}
    got = {f"{path}.{name}" if path != "(root)" else name: value for (path, name), value in recorded.items()}
    assert set(got) == set(expected)
    for name, value in got.items():
        assert trace.array(value).tobytes() == expected[name][2], name
    root = trace.skeleton.steps[0].calls[0]
    assert trace.array(root.grad_inputs[0]).tobytes() == of_input[2]


@pytest.mark.parametrize("name", ["plain", "lstm", "named tuple and dataclass", "mapping with attributes"])
def test_the_backward_pass_starts_from_the_fixed_cotangent(name, tmp_path):
    """The gradient of each float output of the root is the cotangent of its rank and size."""
    net = made(HARD[name])
    trace = tracer.record(net, batch(4, D).requires_grad_(), out=tmp_path / "t.h5")
    root = trace.skeleton.steps[0].calls[0]
    got = {value.leaf: trace.array(value) for value in root.grad_outputs}
    floats = [v for v in root.outputs if v.kind == "tensor" and v.dtype == "float32"]
    assert set(got) == {v.leaf for v in floats}
    for rank, value in enumerate(floats):
        wanted = cotangent(rank, value.statistics.count).astype("float32")
        assert got[value.leaf].reshape(-1).tobytes() == wanted.tobytes()


def test_every_output_that_reaches_the_loss_has_its_gradient(net, tmp_path):
    """A call whose output requires a gradient and leads to the loss has one in the trace."""
    trace = tracer.record(net, batch(4, D).requires_grad_(), out=tmp_path / "t.h5")
    calls = trace.skeleton.steps[0].calls
    assert trace.skeleton.end.backward is None
    assert trace.skeleton.end.complete
    for call in calls:
        if call.failed or call.path in {"ignored"}:
            continue
        leaves = {v.leaf for v in call.outputs if v.kind == "tensor"}
        got = {v.leaf for v in call.grad_outputs}
        assert got <= leaves
        assert got or not leaves, call.path


def test_a_net_that_raises_is_as_it_was(tmp_path):
    """What it raised comes through, and the trace says where it stopped."""

    class Raises(nn.Module):
        def __init__(self):
            super().__init__()
            self.bn, self.bad = nn.BatchNorm1d(D), nn.Linear(D + 1, D)

        def forward(self, x):
            return self.bad(self.bn(x))

    net = made(Raises)
    before = state(net)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        tracer.record(net, batch(4, D), out=tmp_path / "t.h5")
    assert state(net) == before
    trace = tracer.Trace(tmp_path / "t.h5")
    assert not trace.complete
    assert trace.skeleton.end.stopped.startswith("bad (call 0): RuntimeError")
    assert [c.path for c in trace.skeleton.steps[0].calls if c.returned] == ["bn"]


def test_an_interrupt_closes_the_trace_and_comes_through(tmp_path):
    """Ctrl-C in a layer: the net is as it was, the trace ends there."""

    class Interrupts(nn.Module):
        def forward(self, x):
            raise KeyboardInterrupt

    net = made(lambda: nn.Sequential(nn.BatchNorm1d(D), Interrupts()))
    before = state(net)
    with pytest.raises(KeyboardInterrupt):
        tracer.record(net, batch(4, D), out=tmp_path / "t.h5")
    assert state(net) == before
    trace = tracer.Trace(tmp_path / "t.h5")
    assert not trace.complete
    assert "KeyboardInterrupt" in trace.skeleton.end.stopped


def test_what_a_forward_pass_changes_is_put_back(tmp_path):
    """Parameters written behind autograd's back, buffers bound anew, counters, generators, modes."""

    class Changes(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(D, D)
            self.register_buffer("mean", torch.zeros(D))
            self.register_buffer("count", torch.zeros((), dtype=torch.int64))
            self.calls, self.cache = 0, None
            self.generator = torch.Generator().manual_seed(1)

        def forward(self, x):
            self.calls += 1
            self.cache = x
            self.mean = self.mean + x.mean(0).detach()
            self.count += 1
            self.fc.weight.data.clamp_(-0.1, 0.1)
            self.fc.bias.data = self.fc.bias.data + 1
            self.fc.eval()
            torch.rand(1, generator=self.generator)
            return self.fc(x)

    net = made(Changes)
    before, generator = state(net), bits(net.generator.get_state())
    tracer.record(net, batch(4, D), out=tmp_path / "t.h5")
    assert state(net) == before
    assert (net.calls, net.cache) == (0, None)
    assert bits(net.generator.get_state()) == generator


def test_gradients_of_the_users_own_tensors_stay(tmp_path):
    """`.grad` of the inputs, and of a leaf that is no parameter of the net."""
    loose = torch.ones(D, requires_grad=True)

    class Uses(nn.Module):
        def forward(self, x):
            return x * loose

    x = batch(4, D).requires_grad_()
    x.grad = torch.ones_like(x)
    held = x.grad
    tracer.record(Uses(), x, out=tmp_path / "t.h5")
    assert x.grad is held and bool((held == 1).all())
    assert loose.grad is None
    assert not x._backward_hooks


def test_the_users_own_hooks_stay_and_are_seen(tmp_path):
    """What a user's hook makes of an output is what is recorded; afterwards the hook is still there."""
    net = made(Plain)
    handle = net.act.register_forward_hook(lambda _, __, out: out * 2)
    trace = tracer.record(net, batch(4, D), out=tmp_path / "t.h5")
    assert list(net.act._forward_hooks) == [handle.id]
    expected = net.act(net.a(batch(4, D)))
    assert np.asarray(trace["act"].calls[0].output).tobytes() == expected.detach().numpy().tobytes()


def test_tied_weights_have_one_gradient_under_their_first_place(tmp_path):
    """The sum over both uses, with the second place pointing to the first."""
    net = made(Tied)
    ids = torch.tensor([[1, 2, 3]])
    trace = tracer.record(net, ids, out=tmp_path / "t.h5")
    assert set(trace.skeleton.steps[0].parameter_gradients) == {("embed", "weight")}
    (tied,) = trace.skeleton.layers["head"].parameters
    assert tied.owner == ("embed", "weight")
    _, _, of_parameters = step(net, ids)
    value = trace.skeleton.steps[0].parameter_gradients["embed", "weight"]
    assert trace.array(value).tobytes() == of_parameters["embed.weight"][2]
