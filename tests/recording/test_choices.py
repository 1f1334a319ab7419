"""`only=` and `skip=`: patterns that match nothing are refused before the net runs."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tracer
from tests.recording import nets
from tests.recording.nets import D, batch, made
from tracer.errors import RuleError


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(D, D), nn.GELU())
        self.head = self.tied = nn.Linear(D, D)
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return self.head(self.blocks(x))


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        ("block.*", "blocks.0"),
        ("haed", "did you mean 'head'"),
        ("Gelu", "did you mean 'GELU'"),
        ("linear", "did you mean 'Linear'"),
        (nn.LayerNorm, "the net has Counts, Sequential, Linear, GELU"),
        (nn.Linear, None),
        ("tied", "another name of 'head'"),
        ("zzz", "the net has Counts, Sequential, Linear, GELU"),
    ],
)
@pytest.mark.parametrize("option", ["only", "skip"])
def test_a_pattern_that_matches_nothing_is_refused(option, pattern, near, out):
    """Before the net runs, with what is nearest to it; one that matches is not."""
    net = made(Counts)
    if near is None:
        tracer.record(net, batch(1, D), out=out, **{option: pattern})
        return
    with pytest.raises(RuleError) as error:
        tracer.record(net, batch(1, D), out=out, **{option: [pattern, "head"]})
    assert f"{option}=" in error.value.what
    assert "Counts of 5 layers" in error.value.where
    assert near in error.value.then
    assert net.runs == 0
    assert list(out.parent.iterdir()) == []


def test_recording_refuses_it_too(out):
    """Before the body of the block."""
    with pytest.raises(RuleError, match="matches no layer"), tracer.recording(made(nets.Plain), out=out, only="zzz"):
        pytest.fail("the body ran")


def test_a_predicate_may_match_nothing(out):
    """It was asked and said so."""
    trace = tracer.record(made(nets.Plain), batch(1, D), out=out, only=lambda *_: False)
    assert [path for path in trace if trace[path].calls] == ["(root)"]


def test_leaving_out_everything_is_refused(out):
    """There would be nothing in the trace."""
    with pytest.raises(RuleError, match="no layer to record"):
        tracer.record(made(nets.Plain), batch(1, D), out=out, skip="*")


def test_parameter_gradients_of_layers_left_out_are_not_stored(out):
    """Neither by `record` nor by `recording`."""
    net = nn.Sequential(nn.Linear(D, D), nn.GELU(), nn.Linear(D, D))
    tracer.record(net, batch(1, D), out=out, skip="0")
    assert set(tracer.Trace(out).skeleton.steps[0].parameter_gradients) == {("2", "weight"), ("2", "bias")}
    with tracer.recording(net, out=out, only="0"):
        net(torch.ones(1, D)).sum().backward()
    assert set(tracer.Trace(out).skeleton.steps[0].parameter_gradients) == {("0", "weight"), ("0", "bias")}
