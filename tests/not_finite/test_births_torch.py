"""Births in real torch nets: the call that made them is named, and nothing where nothing was born."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tracer
from tests.not_finite.torch_nets import Attention, Between, Half, Op, causal, own, x


@pytest.fixture
def found(tmp_path):
    """Record a net and look."""

    def look(net, inputs=None, **options):
        torch.manual_seed(1)
        tracer.record(net, x() if inputs is None else inputs, out=tmp_path / "t.h5", **options)
        return tracer.find_nan(tmp_path / "t.h5")

    return look


def named(report):
    """Phase, kind of place and path of each birth."""
    return [(birth.phase, birth.where, birth.path) for birth in report.births]


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        (lambda t: torch.log(t - 9), "log and square root of a negative number"),
        (lambda t: (t * 0) / (t * 0), ""),
        (lambda t: torch.exp(t * 0 + 100), ""),
        (lambda t: torch.log(t.relu()), ""),
    ],
    ids=["log of a negative", "0/0", "exp", "log of 0"],
)
def test_the_call_that_made_it_is_named(found, function, hint):
    """A layer of the user's own, given finite numbers."""
    report = found(own(function))
    assert named(report)[0] == ("forward", "call", "1")
    first = report.births[0]
    assert all(one.nan == one.inf == 0 for one in first.given)
    assert first.passed_on == ("2",)
    assert "output" in first.reached
    assert any(hint in said for said in first.hints) or not hint


def test_code_between_layers_is_told_with_its_neighbours(found):
    """The layer that is handed it is not blamed."""
    birth = found(Between(lambda t: t / (t * 0))).births[0]
    assert (birth.where, birth.path, birth.after, birth.before) == ("code", "(root)", "first", "last")
    assert "torch_nets.py" in birth.source


def test_code_after_the_last_layer(found):
    """What the net returns was made by its own code."""
    birth = found(nn.Sequential(nn.Linear(4, 4), Between(lambda t: t), Op(lambda t: torch.log(t - 99)))).births[0]
    assert (birth.where, birth.path) == ("call", "2")


def test_an_overflow_of_float16_says_the_range(found):
    """And that float32 would have held it, by the norms of its factors."""
    birth = found(Half(), backward=False).births[0]
    assert (birth.path, birth.nan, birth.inf) == ("fc", 0, 24)
    assert birth.hints[0].startswith("overflow: float16 holds nothing beyond 65504; float32 would have held it")


def test_nan_in_the_inputs_is_of_the_start(found):
    """Nobody in the net made it."""
    spoilt = x()
    spoilt[0, 0, 0] = math.nan
    assert named(found(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), spoilt)) == [("start", "input", "(root)")]


def test_nan_in_a_weight_is_of_the_start(found):
    """The parameter is named, and the layer that used it."""
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight.data[0, 0] = math.nan
    birth = found(net).births[0]
    assert (birth.phase, birth.path, birth.leaf, birth.passed_on) == ("start", "1", "weight", ("1",))


def test_a_square_root_at_0_is_born_on_the_way_back(found):
    """Its incoming gradient is finite, and so was the forward pass."""
    report = found(own(lambda t: torch.sqrt(t * 0)))
    assert named(report) == [("backward", "call", "1")]
    birth = report.births[0]
    assert birth.side == "grad_input"
    assert birth.given[0].what == "incoming gradient"
    assert birth.passed_on == ("0",)
    assert birth.reached == ("gradients",)


def test_where_sends_back_the_branch_not_taken(found):
    """Forward finite, backward NaN."""
    report = found(own(lambda t: torch.where(t > 9, torch.sqrt(t - 9), t)))
    assert named(report)[0] == ("backward", "call", "1")


def test_code_is_blamed_for_its_backward(found):
    """A square root at 0 between layers: the layers are not blamed."""
    report = found(Between(lambda t: torch.sqrt(t * 0)))
    assert named(report) == [("backward", "code", "(root)")]
    assert (report.births[0].after, report.births[0].before) == ("first", "last")


def test_a_skip_connection_does_not_blame_its_other_branch(found):
    """Two layers take one tensor; one of them spoils its gradient."""

    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.root = nn.Linear(4, 4), nn.Linear(4, 4), Op(lambda t: torch.sqrt(t * 0))

        def forward(self, x):
            h = self.a(x)
            return self.b(h) + self.root(h)

    assert named(found(Skip())) == [("backward", "call", "root")]


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_a_mask_is_no_birth(found, functional, keep):
    """-inf in a buffer, consumed by a softmax."""
    report = found(Attention(causal(), functional=functional), keep=keep)
    assert not report
    assert report.exit_code == 0


def test_masked_scores_are_told_as_a_mask(found):
    """Said, and by whom it was consumed."""
    report = found(Attention(causal()))
    assert [(one.path, one.side) for one in report.masks] == [("(root)", "buffer"), ("softmax", "input")]
    assert report.masks[1].taker == "softmax"
    assert "6 of 18 Inf" in repr(report)


def test_a_row_that_is_masked_throughout_is_born_in_the_softmax(found):
    """The mask is no birth, what the softmax makes of it is."""
    report = found(Attention(torch.full((3, 3), -torch.inf)))
    assert named(report)[0] == ("forward", "call", "softmax")
    assert "fully masked" in report.births[0].hints[0]


def test_plus_infinity_is_no_mask(found):
    """Code makes it and a softmax takes it: a fault all the same."""
    assert named(found(Attention(-causal())))[0][1] in {"code", "parameter"}


def test_torch_s_own_attention_layers_take_masks(found):
    """A float mask as an argument, and one for padding."""
    net = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    assert not found(net, {"src": x(), "src_mask": causal()})
    padding = torch.tensor([[False, False, True]] * 2)
    assert not found(net, {"src": x(), "src_key_padding_mask": padding})


def test_a_layer_that_swallows_it_is_named(found):
    """Healed before it reached anything."""
    report = found(nn.Sequential(nn.Linear(4, 4), Op(lambda t: torch.log(t - 99)), Op(torch.nan_to_num)))
    birth = report.births[0]
    assert (birth.healed_by[0], birth.healed) == ("2", "output" not in birth.reached and not birth.reached)


def test_a_large_clean_net_has_none(found):
    """Convolutions, norms, attention, forward and backward."""
    net = nn.Sequential(
        nn.Conv1d(3, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.Conv1d(8, 4, 1), nn.LayerNorm(4),
        *[nn.TransformerEncoderLayer(4, 2, 8, batch_first=True) for _ in range(8)],
    )  # fmt: skip
    report = found(net)
    assert (report.births, report.masks, bool(report)) == ((), (), False)
    assert report.summary == "no NaN or Inf was born"
