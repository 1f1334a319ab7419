"""What must never pass for agreement, and what must not pass for a fault of the net: loops of all sorts, in torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer

X = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 12, 8)).astype("float32"))
Y = torch.from_numpy(np.random.default_rng(1).integers(0, 4, (3, 12)))


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


def record(out, loop, *, optimizer=None, steps=3, watch=True, **options):
    """Train by a loop of the user's: `loop(model, optimizer, recording, number)` is the body of a step."""
    model = net()
    optimizer = (optimizer or (lambda p: torch.optim.SGD(p, lr=0.1)))(model.parameters())
    watched = {"optimizer": optimizer} if watch else {}
    with tracer.recording(model, out=out, **watched, **options) as recording:
        for number in range(steps):
            with recording.step():
                loop(model, optimizer, recording, number)
                optimizer.zero_grad()
    return out


def plain(model, optimizer, recording, number):
    recording.loss(F.cross_entropy(model(X[number]), Y[number])).backward()
    optimizer.step()


def report(tmp_path, ours, theirs, **options):
    sides = [record(tmp_path / f"{n}.h5", loop, **options) for n, loop in enumerate((ours, theirs))]
    return tracer.diff(*sides).to_dict()


def penalised(weight, sign=1):
    """A loss with a penalty on parameters, and perhaps a gradient that a hook turns round."""

    def loop(model, optimizer, recording, number):
        handle = model[2].weight.register_hook(lambda g: sign * g)
        penalty = sum(p.pow(2).sum() for p in model.parameters())
        recording.loss(F.cross_entropy(model(X[number]), Y[number]) + weight * penalty).backward()
        optimizer.step()
        handle.remove()

    return loop


def test_a_penalty_on_parameters_keeps_their_gradients(tmp_path):
    """They are there, and a fault in one of them is found."""
    found = report(tmp_path, penalised(1e-2), penalised(1e-2, sign=-1))
    assert set(tracer.Trace(tmp_path / "0.h5").steps[0].gradients) == {n for n, _ in net().named_parameters()}
    assert (found["verdict"], found["origin"]["step"]) == ("diverged", 0)
    assert found["origin"]["phase"] in {"backward", "gradients"}
    assert found["origin"]["reference"]["path"].startswith("2")


def twice(model, optimizer, recording, number):
    loss = recording.loss(F.cross_entropy(model(X[number]), Y[number]))
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()


def test_going_backward_twice(tmp_path):
    """Doubled gradients, though each pass agrees."""
    found = report(tmp_path, plain, twice)
    assert (found["verdict"], found["origin"]["phase"], found["origin"]["step"]) == ("diverged", "gradients", 0)


def penalty_on_slopes(weight):
    def loop(model, optimizer, recording, number):
        x = X[number].clone().requires_grad_()
        loss = recording.loss(F.cross_entropy(model(x), Y[number]))
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        (loss + weight * slope.pow(2).sum()).backward()
        optimizer.step()

    return loop


def test_a_gradient_penalty_of_another_weight(tmp_path):
    """What was sent back besides the loss is a finding."""
    assert report(tmp_path, penalty_on_slopes(0.5), penalty_on_slopes(5.0))["verdict"] == "diverged"
    assert report(tmp_path, penalty_on_slopes(0.5), penalty_on_slopes(0.5))["verdict"] == "agree"


def with_a_second_optimizer(rate):
    """Only the first one is watched, and holds the first layer alone."""

    def loop(model, optimizer, recording, number):
        second = torch.optim.SGD(model[2].parameters(), lr=rate)
        plain(model, optimizer, recording, number)
        second.step()

    return loop


def test_parameters_of_an_optimizer_that_nobody_watches(tmp_path):
    """They moved otherwise."""
    first = {"optimizer": lambda parameters: torch.optim.SGD(list(parameters)[:2], lr=0.1)}
    found = report(tmp_path, with_a_second_optimizer(0.01), with_a_second_optimizer(0.1), **first)
    assert (found["verdict"], found["origin"]["phase"]) == ("diverged", "update")
    assert found["origin"]["reference"]["path"].startswith("2.")


def test_an_optimizer_that_was_not_watched_on_one_side(tmp_path):
    """Equal trainings: what cannot be compared is not judged, and nobody is blamed."""
    ours = record(tmp_path / "r.h5", plain)
    found = tracer.diff(ours, record(tmp_path / "c.h5", plain, watch=False)).to_dict()
    assert (found["verdict"], found["origins"]) == ("agree", [])
    assert found["coverage"]["phases"]["gradients"].startswith("not judged: no optimizer was watched")


def other_samples(model, optimizer, recording, number):
    plain(model, optimizer, recording, 0 if number == 2 else number)


def test_samples_that_differ_in_a_later_step(tmp_path):
    """A loader that shuffles: nothing can be said of the nets from there on."""
    found = report(tmp_path, plain, other_samples)
    assert (found["verdict"], found["origin"]["phase"], found["origin"]["step"]) == ("unsure", "start", 2)


def other_labels(model, optimizer, recording, number):
    targets = Y[number] if number < 2 else (Y[number] + 1) % 4
    recording.loss(nn.CrossEntropyLoss()(model(X[number]), targets)).backward()
    optimizer.step()


def labelled(model, optimizer, recording, number):
    recording.loss(nn.CrossEntropyLoss()(model(X[number]), Y[number])).backward()
    optimizer.step()


def test_labels_that_differ_in_a_later_step(tmp_path):
    """Likewise."""
    found = report(tmp_path, labelled, other_labels)
    assert (found["verdict"], found["origin"]["phase"], found["origin"]["step"]) == ("unsure", "start", 2)


def test_a_rate_that_differs_in_statistics(tmp_path):
    """Found in the update of the step, not as weights of the next one."""
    ours = record(tmp_path / "r.h5", plain, keep="statistics")
    theirs = record(tmp_path / "c.h5", plain, keep="statistics", optimizer=lambda p: torch.optim.SGD(p, lr=0.2))
    found = tracer.diff(ours, theirs).to_dict()
    assert (found["verdict"], found["origin"]["phase"], found["origin"]["step"]) == ("diverged", "update", 0)


def test_a_step_that_raised_is_no_fault_of_the_net(tmp_path):
    """What ran agrees; the error is named."""

    def raising(model, optimizer, recording, number):
        recording.loss(F.cross_entropy(model(X[number]), Y[number])).backward()
        if number == 1:
            raise ValueError("no more data")
        optimizer.step()

    ours = record(tmp_path / "r.h5", plain)
    with pytest.raises(ValueError, match="no more data"):
        record(tmp_path / "c.h5", raising)
    found = tracer.diff(ours, tmp_path / "c.h5").to_dict()
    assert (found["verdict"], found["origins"]) == ("unsure", [])
    assert "no more data" in found["reason"]


def test_backward_that_is_never_called(tmp_path):
    """Said once, of the loss, not of every parameter."""

    def forward_only(model, optimizer, recording, number):
        recording.loss(F.cross_entropy(model(X[number]), Y[number]))
        optimizer.step()

    origins = report(tmp_path, plain, forward_only)["origins"]
    assert [(o["phase"], o["place"]) for o in origins] == [("backward", "loss")]
    assert "was backward called" in origins[0]["causes"][0]["sentence"]


def test_none_against_zeros_is_equal_and_said(tmp_path):
    """A layer that is used times nothing, and one that is not used."""

    class Branched(nn.Module):
        def __init__(self, used):
            super().__init__()
            self.main, self.side, self.used = nn.Linear(8, 4), nn.Linear(8, 4), used

        def forward(self, x):
            return self.main(x) + 0.0 * self.side(x) if self.used else self.main(x)

    sides = []
    for used in (True, False):
        torch.manual_seed(0)
        model = Branched(used)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with tracer.recording(model, out=tmp_path / f"{used}.h5", optimizer=optimizer) as recording, recording.step():
            plain(model, optimizer, recording, 0)
        sides.append(tmp_path / f"{used}.h5")
    found = tracer.diff(*sides).to_dict()
    assert found["origins"] == []
    assert any("is None in the candidate and zeros in the reference: equal" in note for note in found["notes"])


def test_code_between_the_net_and_the_loss(tmp_path):
    """A temperature on one side: the outputs agree, what the loss is given does not."""

    def warm(model, optimizer, recording, number):
        recording.loss(nn.CrossEntropyLoss()(model(X[number]) / 2, Y[number])).backward()
        optimizer.step()

    origin = report(tmp_path, labelled, warm)["origin"]
    assert (origin["phase"], origin["place"]) == ("loss", "loss")
    assert "between the net and the loss" in origin["causes"][0]["sentence"]


def test_two_updates_in_a_step(tmp_path):
    """The count is the cause."""

    def updating_twice(model, optimizer, recording, number):
        plain(model, optimizer, recording, number)
        optimizer.step()

    origin = report(tmp_path, plain, updating_twice)["origin"]
    assert (origin["phase"], origin["causes"][0]["name"]) == ("update", "updates")


def test_an_optimizer_of_another_net(tmp_path):
    """The trace says so."""
    record(tmp_path / "c.h5", plain, optimizer=lambda _: torch.optim.SGD(net().parameters(), lr=0.1))
    notes = tracer.Trace(tmp_path / "c.h5").skeleton.end.notes
    assert any("holds no parameter of the net" in note for note in notes)


@pytest.mark.parametrize("limit", [0.05, 0.5])
def test_clipping_to_one_norm_agrees_however_far_the_nets_have_drifted(tmp_path, limit):
    """The factor is other where the norm is, and is no finding."""

    def clipped(model, optimizer, recording, number):
        recording.loss(F.cross_entropy(model(X[number % 3]), Y[number % 3])).backward()
        nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()

    ours = record(tmp_path / "r.h5", clipped, steps=12)
    nudged = net()
    with torch.no_grad():
        for p in nudged.parameters():
            p.mul_(1 + 1e-7)
    optimizer = torch.optim.SGD(nudged.parameters(), lr=0.1)
    with tracer.recording(nudged, out=tmp_path / "c.h5", optimizer=optimizer) as recording:
        for number in range(12):
            with recording.step():
                clipped(nudged, optimizer, recording, number)
                optimizer.zero_grad()
    assert tracer.diff(ours, tmp_path / "c.h5").verdict == "agree"
