"""`tracer.recording`: the user runs the net, once or in a loop, and trains it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tests.recording import nets
from tests.recording.nets import D, batch, made
from tests.recording.truth import bits


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


def train(net, steps=3):
    """Losses of a few steps."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    losses = []
    for n in range(steps):
        optimizer.zero_grad()
        loss = F.mse_loss(net(batch(4, D, seed=n)), batch(4, D, seed=n + 100))
        loss.backward()
        optimizer.step()
        losses.append(bits(loss))
    return losses


def test_training_goes_on_as_without_it(out):
    """Losses and trained parameters are the same bits."""
    alone, watched = made(nets.Residual), made(nets.Residual)
    expected = train(alone)
    with tracer.recording(watched, out=out):
        assert train(watched) == expected
    assert [bits(p) for p in watched.parameters()] == [bits(p) for p in alone.parameters()]


class Twice(nn.Module):
    """Reads its input, or both of them, more than once."""

    def forward(self, a, b):
        return a * b + a.exp()


class ManyUses(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.twice, self.b, self.idle = nn.Linear(64, 64), Twice(), nn.Linear(64, 64), nn.Identity()
        self.row = nn.Sequential(nn.Sequential(nn.Linear(64, 64), nn.GELU()), nn.Dropout(0.0))
        self.attention = nn.MultiheadAttention(64, 4)
        self.overwrites = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(64, 64))

    def forward(self, x):
        h = self.a(x) + 1
        x = self.overwrites(h) * h
        same = self.idle(h)
        return self.b(self.twice(h, h) + h).tanh() + self.row(h) + self.attention(h, h, h)[0] + h * same + same + x


@pytest.mark.parametrize("seed", range(3))
def test_sums_of_gradients_are_not_regrouped(seed, out):
    """A tensor that several layers read, some more than once: every bit of the user's gradients stays."""
    net, x = made(ManyUses, seed), batch(32, 64, seed=seed)

    def gradients():
        net.zero_grad()
        net(x).square().sum().backward()
        return [bits(p.grad) for p in net.parameters()]

    expected = gradients()
    with tracer.recording(net, out=out):
        assert gradients() == expected
    trace = tracer.Trace(out)
    assert [p for p in ("b", "row", "row.0.0", "row.0.1") if not trace[p].calls[0].grad_inputs] == []
    assert [p for p in ("twice", "idle") if trace[p].calls[0].grad_inputs] == []


def test_every_pass_is_a_further_call_of_the_root(out):
    """With gradients each; parameters keep the gradient of the first backward pass, and the trace says so."""
    net = made(nets.Plain)
    with tracer.recording(net, out=out):
        train(net)
    trace = tracer.Trace(out)
    roots = [c for c in trace.skeleton.steps[0].calls if c.path == "(root)"]
    assert [(c.index, len(c.grad_outputs)) for c in roots] == [(0, 1), (1, 1), (2, 1)]
    again = made(nets.Plain)
    F.mse_loss(again(batch(4, D)), batch(4, D, seed=100)).backward()
    first = trace.array(trace.skeleton.steps[0].parameter_gradients["a", "weight"])
    assert np.array_equal(first, again.a.weight.grad.numpy())
    assert "the first is kept" in " ".join(trace.skeleton.end.notes)


def test_a_block_in_which_the_net_never_runs_says_so(out):
    """A warning, a trace that is not complete, and a diff that is unsure for that reason."""
    net, why = made(nets.Plain), "no layer of the net was called while it was recorded"
    with pytest.warns(UserWarning, match=why), tracer.recording(net, out=out):
        made(nets.Plain)(batch(2, D))
    trace = tracer.Trace(out)
    assert not trace.complete
    assert trace.skeleton.end.stopped == why
    report = tracer.diff(out, tracer.record(net, batch(2, D), out=out.with_name("other.h5")))
    assert report.verdict == "unsure"
    assert why in report.to_dict()["reason"]


def test_a_loop_is_one_step_with_numbered_calls(out):
    """`trace.steps` has step 0 alone; every layer's calls are in the order of the loop, and the first is compared."""
    net = made(nets.Plain)
    with tracer.recording(net, out=out):
        train(net)
    trace = tracer.Trace(out)
    assert trace.steps.numbers == [0]
    assert [call.index for call in trace.steps[0]["a"].calls] == [0, 1, 2]
    assert [np.array_equal(trace["a"].calls[n].inputs[0], batch(4, D, seed=n)) for n in range(3)] == [True] * 3
    assert tracer.diff(out, out).verdict == "agree"


def test_forward_alone_says_why_there_is_no_backward(out):
    """Nobody went backward."""
    net = made(nets.Plain)
    with tracer.recording(net, out=out):
        net(batch(2, D))
    assert tracer.Trace(out).skeleton.end.backward == "no gradient reached the net while it was recorded"


def test_a_backward_pass_after_the_recording_is_not_recorded(out):
    """No hook is left on tensors that the user still holds."""
    net = made(nets.Plain)
    with tracer.recording(net, out=out):
        result = net(batch(2, D))
    assert not result._backward_hooks
    result.sum().backward()
    assert not any(p._backward_hooks for p in net.parameters())


def test_a_loss_outside_the_net_is_no_layer_of_it(out):
    """Calls of other modules between the passes are nobody's business."""
    net, loss = made(nets.Plain), nn.MSELoss()
    with tracer.recording(net, out=out):
        loss(net(batch(2, D)), batch(2, D)).backward()
    end = tracer.Trace(out).skeleton.end
    assert end.uncaptured == ()
    assert end.backward is None


def test_an_error_in_the_body_comes_through_and_the_trace_is_kept(out):
    """Incomplete, with what ran before."""
    net = made(nets.Plain)
    with pytest.raises(ZeroDivisionError), tracer.recording(net, out=out):
        net(batch(2, D))
        1 / 0  # noqa: B018
    trace = tracer.Trace(out)
    assert not trace.complete
    assert trace.skeleton.end.stopped == "outside the net: ZeroDivisionError: division by zero"
    assert len(trace.skeleton.steps[0].calls) == 4


def test_notes_of_the_user_are_kept(out):
    """From inside the body."""
    net = nn.Identity()
    with tracer.recording(net, out=out, note="warm") as recording:
        recording.note("first pass was skipped")
        net(batch(1))
    trace = tracer.Trace(out)
    assert trace.skeleton.header.note == "warm"
    assert trace.skeleton.end.notes == ("first pass was skipped",)


def test_a_recording_inside_another_of_another_net(tmp_path):
    """Two nets at once, two files."""
    one, two = made(nets.Plain), made(nets.Residual)
    with tracer.recording(one, out=tmp_path / "1.h5"), tracer.recording(two, out=tmp_path / "2.h5"):
        one(two(batch(2, D))).sum().backward()
    assert len(tracer.Trace(tmp_path / "1.h5").skeleton.steps[0].calls) == 4
    assert len(tracer.Trace(tmp_path / "2.h5").skeleton.steps[0].calls) == 9


def test_gradients_of_parts_are_put_together_where_torch_gives_parts(out):
    """A layer shared by two reentrant checkpoints gets its gradient in two parts; `record` keeps the sum."""
    net = made(lambda: nets.Checkpointed(reentrant=True, repeat=2))
    trace = tracer.record(net, batch(4, D), out=out)
    result = net(batch(4, D))
    weights = torch.from_numpy(tracer.recorder.cotangent(0, result.numel())).reshape(result.shape).float()
    result.backward(weights)
    found = trace.array(trace.skeleton.steps[0].parameter_gradients["block.0", "weight"])
    assert np.array_equal(found, net.block[0].weight.grad.numpy())
