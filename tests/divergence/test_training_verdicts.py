"""The diff of training steps on torch nets: what is a fault, what is drift, and what cannot be said."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer

X = np.random.default_rng(0).standard_normal((12, 8)).astype("float32")
Y = np.random.default_rng(1).integers(0, 4, 12)


class Net(nn.Module):
    """A key with a bias under softmax, and a norm: two places where gradients are zero in theory."""

    def __init__(self, momentum=0.1):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 16) for _ in range(3))
        self.middle = nn.Linear(16, 16)
        self.norm = nn.BatchNorm1d(16, momentum=momentum)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).T
        mixed = torch.softmax(scores / 4, dim=-1) @ self.value(x)
        return self.head(torch.relu(self.norm(self.middle(mixed))))


def net(noise=0.0, **options):
    """The same weights each time, but for rounding where it is asked for."""
    torch.manual_seed(0)
    made = Net(**options)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(1 + noise * torch.randn(parameter.shape, generator=generator))
    return made


def record(out, model=None, steps=3, make=None, criterion=None, between=None, targets=Y, before_update=None):
    """Train and record."""
    model = model if model is not None else net()
    optimizer = (make or (lambda p: torch.optim.AdamW(p, lr=1e-2)))(model.parameters())
    criterion = criterion or nn.CrossEntropyLoss()
    with tracer.recording(model, out=out, optimizer=optimizer) as recording:
        for number in range(steps):
            with recording.step():
                loss = recording.loss(criterion(model(torch.from_numpy(X)), torch.from_numpy(targets)))
                loss.backward()
                if before_update:
                    before_update(model)
                optimizer.step()
                optimizer.zero_grad()
            if between:
                between(model, number)
    return out


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return record(tmp_path_factory.mktemp("reference") / "r.h5")


def verdict(reference, tmp_path, **options):
    return tracer.diff(reference, record(tmp_path / "c.h5", **options)).to_dict()


def test_a_right_port_agrees_in_every_phase(reference, tmp_path):
    """Weights that rounding separates, step after step."""
    report = verdict(reference, tmp_path, model=net(noise=1e-7))
    assert (report["verdict"], report["origins"]) == ("agree", [])
    for step in report["steps"]:
        assert {phase["verdict"] for phase in step["phases"].values()} == {"agree"}


@pytest.mark.parametrize("rate", [1e-3, 1e-1])
def test_drift_is_no_fault(tmp_path, rate):
    """Forty steps of two right trainings that rounding has set apart."""
    options = {"steps": 40, "make": lambda p: torch.optim.Adam(p, lr=rate)}
    ours = record(tmp_path / "r.h5", **options)
    report = tracer.diff(ours, record(tmp_path / "c.h5", model=net(noise=1e-7), **options)).to_dict()
    assert (report["verdict"], report["origins"]) == ("agree", []), report["reason"]
    assert len(report["steps"]) == 40


def test_parameters_free_of_information_are_named(reference, tmp_path):
    """The key's bias and the bias before the norm: their gradients are rounding, their updates full steps."""
    report = verdict(reference, tmp_path, model=net(noise=1e-7))
    (said,) = [note for note in report["notes"] if "free of information" in note]
    assert "key.bias" in said
    assert "middle.bias" in said


def test_a_real_fault_in_such_a_parameter_is_found(reference, tmp_path):
    """A gradient where there should be none."""

    def spoil(model):
        model.key.bias.grad.add_(1e-3)

    origin = verdict(reference, tmp_path, before_update=spoil)["origin"]
    assert (origin["phase"], origin["step"], origin["reference"]["path"]) == ("gradients", 0, "key.bias")


def test_weights_that_change_between_steps(reference, tmp_path):
    """Something outside of the steps writes parameters of one side."""

    def clamp(model, number):
        if number == 1:
            with torch.no_grad():
                model.head.weight.clamp_(-0.01, 0.01)

    origin = verdict(reference, tmp_path, between=clamp)["origin"]
    assert (origin["phase"], origin["step"], origin["candidate"]["path"]) == ("start", 2, "head.weight")
    assert "between step 1 and step 2" in origin["sentence"]


def test_labels_that_differ_leave_it_unsure(reference, tmp_path):
    """Nothing can be said of nets that learn other things."""
    report = verdict(reference, tmp_path, targets=(Y + 1) % 4)
    assert (report["verdict"], report["origin"]["phase"]) == ("unsure", "start")


def test_modes_are_the_start(reference, tmp_path):
    """Evaluation mode for training mode."""
    report = verdict(reference, tmp_path, model=net().eval())
    assert (report["verdict"], report["origin"]["phase"], report["origin"]["reference"]["path"]) == (
        "diverged",
        "start",
        "norm",
    )


def test_moving_statistics_are_the_update(reference, tmp_path):
    """No output of the step shows the momentum of a norm."""
    origin = verdict(reference, tmp_path, model=net(momentum=0.9))["origin"]
    assert (origin["phase"], origin["reference"]["path"], origin["causes"][0]["name"]) == ("update", "norm", "momentum")


def test_a_learning_rate_is_found_at_its_group(reference, tmp_path):
    """In the update of the first step."""
    origin = verdict(reference, tmp_path, make=lambda p: torch.optim.AdamW(p, lr=1e-3))["origin"]
    assert (origin["phase"], origin["step"], origin["place"]) == ("update", 0, "group")
    assert origin["causes"][0]["name"] == "lr"


def test_a_loss_that_is_summed(reference, tmp_path):
    """In the loss, with both words."""
    origin = verdict(reference, tmp_path, criterion=nn.CrossEntropyLoss(reduction="sum"))["origin"]
    assert (origin["phase"], origin["place"], origin["causes"][0]["name"]) == ("loss", "loss", "reduction")


def test_a_loss_by_a_function_that_nobody_sees(reference, tmp_path):
    """From values alone: what makes the candidate's number of its own predictions."""
    origin = verdict(reference, tmp_path, criterion=lambda z, y: F.cross_entropy(z, y) * 1.0 * len(y))["origin"]
    assert origin["phase"] == "loss"
    assert "12" in origin["causes"][0]["sentence"]


def test_steps_of_different_count(reference, tmp_path):
    """Those that both have agree, and the verdict claims no more."""
    report = verdict(reference, tmp_path, steps=2)
    assert report["verdict"] == "unsure"
    assert "3 steps" in report["reason"]
    assert [step["step"] for step in report["steps"]] == [0, 1]


def test_no_step_in_common(reference, tmp_path):
    """Is said."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with tracer.recording(model, out=tmp_path / "c.h5", optimizer=optimizer, keep_steps=[5]) as recording:
        for _ in range(6):
            with recording.step():
                recording.loss(F.cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(Y))).backward()
                optimizer.step()
    report = tracer.diff(reference, tmp_path / "c.h5").to_dict()
    assert (report["verdict"], "no step in common" in report["reason"]) == ("unsure", True)


def test_a_training_against_a_single_run(reference, tmp_path):
    """The first step is held against it, and that is said."""
    with tracer.record(net(), X, out=tmp_path / "c.h5") as trace:
        report = tracer.diff(reference, trace).to_dict()
    assert any("training steps" in note for note in report["notes"])


class Own(torch.optim.Optimizer):
    """An optimizer that no table knows."""

    def __init__(self, parameters, rate):
        super().__init__(parameters, {"rate": rate})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.sub_(group["rate"] * p.grad.sign() * p.grad.abs().sqrt())


def test_an_optimizer_of_unknown_kind(tmp_path):
    """Updates are compared, and a note says that no rule is known."""
    ours = record(tmp_path / "r.h5", make=lambda p: Own(p, 0.01))
    same = tracer.diff(ours, record(tmp_path / "c.h5", make=lambda p: Own(p, 0.01))).to_dict()
    assert same["verdict"] == "agree"
    assert any("no rule is known" in note for note in same["notes"])
    other = tracer.diff(ours, record(tmp_path / "d.h5", make=lambda p: Own(p, 0.02))).to_dict()
    assert (other["verdict"], other["origin"]["phase"]) == ("diverged", "update")


def test_a_trace_of_statistics(tmp_path):
    """What statistics can say is said; the update cannot be recomputed."""
    sides = []
    for name in ("r", "c"):
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with tracer.recording(model, out=tmp_path / f"{name}.h5", optimizer=optimizer, keep="statistics") as recording:
            for _ in range(2):
                with recording.step():
                    recording.loss(F.cross_entropy(model(torch.from_numpy(X)), torch.from_numpy(Y))).backward()
                    optimizer.step()
        sides.append(tmp_path / f"{name}.h5")
    report = tracer.diff(*sides).to_dict()
    assert report["verdict"] == "agree"
    assert report["coverage"]["phases"]["forward"] == "judged from statistics"
