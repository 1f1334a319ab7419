"""Each step begun like that of another training: parameters and the optimizer's state, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tracer.errors import RuleError, StartingPointError

X = np.random.default_rng(0).standard_normal((12, 8)).astype("float32")
Y = np.random.default_rng(1).integers(0, 4, 12)


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Linear(16, 4))


def train(model, optimizer, recording, steps=3):
    for _ in range(steps):
        with recording.step():
            recording.loss(F.cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(Y))).backward()
            optimizer.step()
            optimizer.zero_grad()


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    out = tmp_path_factory.mktemp("reference") / "r.h5"
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    with tracer.recording(model, out=out, optimizer=optimizer) as recording:
        train(model, optimizer, recording)
    return out


def test_every_step_begins_where_the_reference_stood(reference, tmp_path):
    """Another net, another optimizer's rate: what it makes of a step is its own, what it begins with is not."""
    model = net(seed=7)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    with tracer.recording(model, out=tmp_path / "c.h5", optimizer=optimizer, like=reference, resync=True) as recording:
        train(model, optimizer, recording)
    ours, theirs = tracer.Trace(reference), tracer.Trace(tmp_path / "c.h5")
    for r, c in zip(ours.steps, theirs.steps, strict=True):
        for name in ("0.weight", "2.running_mean", "3.bias"):
            assert np.array_equal(r.parameters_before[name], c.parameters_before[name])
    state = theirs.steps[2].optimizer.state_before["0.weight"]
    assert np.array_equal(state["exp_avg"], ours.steps[2].optimizer.state_before["0.weight"]["exp_avg"])
    assert float(np.asarray(state["step"])) == 2.0


def test_each_step_is_judged_by_itself(reference, tmp_path):
    """A rate that is off is found in every step, and nothing else is."""
    model = net(seed=7)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    with tracer.recording(model, out=tmp_path / "c.h5", optimizer=optimizer, like=reference, resync=True) as recording:
        train(model, optimizer, recording)
    report = tracer.diff(reference, tmp_path / "c.h5").to_dict()
    assert [step["phases"]["forward"]["verdict"] for step in report["steps"]] == ["agree"] * 3
    assert [step["phases"]["update"]["verdict"] for step in report["steps"]] == ["diverged"] * 3
    assert report["origin"]["causes"][0]["name"] == "lr"


def test_a_right_optimizer_agrees(reference, tmp_path):
    """In one call; the net is as it was."""
    model = net(seed=7)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    tracer.record(
        model,
        X,
        out=tmp_path / "c.h5",
        like=reference,
        loss=nn.CrossEntropyLoss(),
        targets=Y,
        optimizer=optimizer,
        steps=3,
        resync=True,
    ).close()
    assert tracer.diff(reference, tmp_path / "c.h5").verdict == "agree"
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert len(optimizer.state) == 0


def test_a_trace_without_steps_is_refused(tmp_path):
    """There is nothing to begin like."""
    tracer.record(net(), X, out=tmp_path / "r.h5").close()
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    with (
        pytest.raises(StartingPointError, match="no training steps"),
        tracer.recording(model, out=tmp_path / "c.h5", optimizer=optimizer, like=tmp_path / "r.h5", resync=True),
    ):
        pass


def test_the_three_options_go_together(tmp_path):
    """Each alone says nothing."""
    with pytest.raises(RuleError, match="go together"):
        tracer.recording(net(), out=tmp_path / "c.h5", resync=True)
