"""Training steps whose numbers are not finite: losses, gradients, steps skipped by loss scaling, poisoned parameters."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tracer


def squared(prediction, target):
    """The mean squared error."""
    return ((prediction - target) ** 2).mean()


def root_at_0(prediction, target):
    """A root mean square that is exactly 0: its gradient is NaN."""
    return squared(prediction, prediction.detach()).sqrt()


@pytest.fixture
def trained(tmp_path):
    """Train a net for some steps and look."""

    def train(loss_of=squared, *, steps=2, scale=1.0, spoil=None, bad=range(9), **options):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        x, y = torch.randn(3, 4), torch.randn(3, 2)
        with tracer.recording(net, out=tmp_path / "t.h5", optimizer=optimizer, **options) as recording:
            for n in range(steps):
                with recording.step():
                    loss = (loss_of if n in bad else squared)(net(x), y)
                    recording.loss(loss)
                    (loss * scale).backward()
                    gradients = [p.grad for p in net.parameters()]
                    if scale == 1 or all(torch.isfinite(g).all() for g in gradients):
                        for gradient in gradients:
                            gradient /= scale
                        if spoil:
                            spoil(net)
                        optimizer.step()
                    optimizer.zero_grad()
        return tracer.find_nan(tmp_path / "t.h5")

    return train


def test_a_clean_training_has_none(trained):
    """Finite losses, gradients, parameters."""
    assert not trained(steps=3)


def test_a_step_skipped_by_loss_scaling_is_named(trained):
    """With its scale, and where the overflow was born."""
    report = trained(lambda p, y: 1e4 * squared(p, y), scale=1e38, steps=1)
    (fate,) = report.fates
    assert (fate.kind, fate.scale) == ("skipped", pytest.approx(1e38))
    assert fate.sentence.startswith("skipped by loss scaling: overflow at scale 1e+38, born in")
    assert report.births[0].phase == "backward"


def test_an_update_with_nan_poisons_the_parameters(trained):
    """Said once, with the first parameter; the steps after it are not told again."""
    report = trained(root_at_0, steps=4, bad=[1])
    (fate,) = report.fates
    assert (fate.step, fate.kind, fate.parameter) == (1, "poisoned", "0.weight")
    assert [(birth.step, birth.phase, birth.where) for birth in report.births] == [(1, "backward", "loss")]
    assert report.births[0].reached == ("gradients", "parameters")


def test_a_loss_of_finite_outputs_is_the_loss_s_own(trained):
    """log of a negative prediction."""
    report = trained(lambda p, y: torch.log(p.abs() * 0 - 1).mean(), steps=1)
    birth = report.births[0]
    assert (birth.phase, birth.where, birth.reached[0]) == ("loss", "loss", "loss")


def test_clipping_that_spoils_gradients_is_of_the_gradients(trained):
    """The backward pass was finite."""
    report = trained(steps=1, spoil=lambda net: nn.utils.clip_grad_norm_(net.parameters(), math.nan))
    assert [(birth.phase, birth.path, birth.leaf) for birth in report.births] == [("gradients", "0", "weight")]
    assert report.fates[0].kind == "poisoned"


def test_one_step_can_be_looked_at(trained, tmp_path):
    """Others are passed over; a step that is not there is refused."""
    trained(root_at_0, steps=3, bad=[2])
    assert not tracer.find_nan(tmp_path / "t.h5", step=0)
    assert tracer.find_nan(tmp_path / "t.h5", step=2)
    with pytest.raises(tracer.TracerError, match="no such step"):
        tracer.find_nan(tmp_path / "t.h5", step=9)
