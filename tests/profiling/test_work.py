"""Multiply-adds by formula: those that torch itself counts, and those that are published of well-known nets."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import tracer
from tests.profiling.nets import Box, Net, linear
from tests.profiling.published import ResNet50, ViTB16
from tracer.divergence.graph import CallGraph, call_graph
from tracer.profiling.work import work_of
from tracer.trace.schema import ROOT


def recorded(net: nn.Module, args, tmp_path, **more) -> CallGraph:
    with tracer.record(net, args, out=tmp_path / "a.h5", keep="statistics", backward=False, **more) as trace:
        return call_graph(trace.skeleton, 0, ())


def macs(graph: CallGraph, phase: str = "forward") -> int:
    return sum(getattr(work_of(graph, id_), phase) or 0 for id_ in graph.units)


def counted(run) -> int:
    """As torch counts operations; two make a multiply-add."""
    with warnings.catch_warnings(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore")
        run()
    return counter.get_total_flops() // 2


def x(*shape: int) -> torch.Tensor:
    return torch.zeros(shape)


class Cells(nn.Module):
    """A cell that is called for each step of a sequence."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRUCell(4, 6)

    def forward(self, given):
        state = None
        for one in given:
            state = self.cell(one, state)
        return state


LAYERS = {
    "linear": (nn.Linear(8, 16), (x(5, 3, 8),)),
    "conv1d": (nn.Conv1d(4, 6, 5, stride=2, padding=1), (x(2, 4, 31),)),
    "conv2d": (nn.Conv2d(6, 8, (3, 5), stride=2, padding=1, groups=2, dilation=2), (x(2, 6, 19, 23),)),
    "depthwise": (nn.Conv2d(6, 6, 3, groups=6), (x(2, 6, 9, 9),)),
    "conv3d": (nn.Conv3d(2, 4, 3), (x(1, 2, 5, 6, 7),)),
    "conv transposed": (nn.ConvTranspose2d(6, 8, 3, stride=2, groups=2), (x(2, 6, 9, 9),)),
    "gru": (nn.GRU(4, 6, 2, bidirectional=True), (x(5, 2, 4),)),
    "gru, batch first": (nn.GRU(4, 6, batch_first=True), (x(5, 2, 4),)),
    "rnn": (nn.RNN(4, 6), (x(5, 2, 4),)),
    "gru cell, five times": (Cells(), (x(5, 2, 4),)),
    "lstm cell": (nn.LSTMCell(4, 6), (x(5, 4),)),
    "lstm with a projection": (nn.LSTM(4, 6, 2, proj_size=3), (x(5, 2, 4),)),
    "attention": (nn.MultiheadAttention(8, 2), (x(5, 2, 8), x(7, 2, 8), x(7, 2, 8))),
    "attention, other widths": (nn.MultiheadAttention(8, 2, kdim=6, vdim=4), (x(5, 2, 8), x(7, 2, 6), x(7, 2, 4))),
    "attention, batch first": (nn.MultiheadAttention(8, 2, batch_first=True), (x(2, 5, 8), x(2, 5, 8), x(2, 5, 8))),
    "encoder in training": (nn.TransformerEncoderLayer(8, 2, 16), (x(5, 2, 8),)),
    "decoder": (nn.TransformerDecoderLayer(8, 2, 16), (x(5, 2, 8), x(7, 2, 8))),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("name", LAYERS)
def test_torch_counts_the_same(name, tmp_path):
    """Of its own kernels."""
    net, args = LAYERS[name]
    assert macs(recorded(net, args, tmp_path)) == counted(lambda: net(*args))


def test_an_encoder_that_torch_runs_as_one(tmp_path):
    """Layers inside it are not called, or not recorded; it computes what they would."""
    net = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    wanted = counted(lambda: net(x(2, 5, 8)))
    graph = recorded(net.eval().requires_grad_(False), x(2, 5, 8), tmp_path, depth=0)
    assert len(graph.nodes) == 1
    assert macs(graph) == wanted


def test_an_lstm_has_four_gates(tmp_path):
    """torch does not count its kernel; by hand: steps * samples * directions * gates * hidden * (input + hidden)."""
    graph = recorded(nn.LSTM(4, 6, bidirectional=True), x(5, 2, 4), tmp_path)
    assert macs(graph) == 5 * 2 * 2 * 4 * 6 * (4 + 6)


def test_a_bilinear_layer(tmp_path):
    """For each output in1 * in2 products, and as many sums as in1."""
    assert macs(recorded(nn.Bilinear(3, 4, 5), (x(2, 3), x(2, 4)), tmp_path)) == 2 * 5 * 3 * (4 + 1)


@pytest.mark.parametrize(
    "net", [nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(8 * 49, 5))]
)
def test_the_backward_has_twice_as_many(net, tmp_path):
    """For the gradients of inputs and weights, as torch counts them where both are asked for."""
    given = x(2, 3, 9, 9).requires_grad_()
    out = net(given)
    assert macs(recorded(net, x(2, 3, 9, 9), tmp_path), "backward") == counted(lambda: out.sum().backward())


def test_a_frozen_layer_has_the_gradient_of_its_input_only(tmp_path):
    """Its weights are not trained."""
    net = nn.Linear(8, 16).requires_grad_(False)
    assert macs(recorded(net, x(5, 8), tmp_path), "backward") == 5 * 8 * 16


PUBLISHED = {"ResNet-50": (ResNet50, 4.09), "ViT-B/16": (ViTB16, 17.56)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_nets(name, tmp_path):
    """As torchvision's pages give them, in G multiply-adds of one image."""
    made, wanted = PUBLISHED[name]
    with torch.device("meta"):  # shapes say all; nothing is computed
        graph = recorded(made().eval(), x(1, 3, 224, 224), tmp_path)
    assert macs(graph) / 1e9 == pytest.approx(wanted, abs=0.005)


def test_an_unknown_class_is_not_counted():
    """Nobody knows what it does with its weights."""
    side = Net(Box(ROOT, "Net", 1, [Box("own", "MyLinear", 5.0, parameters={"weight": (8, 8)})])).side()
    assert [side.works[one].forward for one in side.graph.units] == [None]


def test_both_frameworks_count_alike():
    """Linear and Dense."""
    nets = [Net(Box(ROOT, "Net", 1, [linear("fc", 5.0, (8, 32), framework=f)]), framework=f)
            for f in ("torch", "mindspore")]  # fmt: skip
    assert [macs(net.side().graph) for net in nets] == [4 * 8 * 32] * 2


def test_what_has_no_products_counts_elements():
    """Activations and norms; nothing for what is looked up."""
    side = Net(Box(ROOT, "Net", 1, [Box("act", "GELU", 5.0, shape=(4, 32), given=(4, 32))])).side()
    (work,) = side.works.values()
    assert (work.forward, work.elements) == (0, 128)
