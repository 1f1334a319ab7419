"""From real nets to the answer: recorded in torch, profiled, and where the time goes is where it was put."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

import tracer
from tests.profiling import chrome
from tracer.divergence.graph import call_graph
from tracer.profiling.work import work_of


class Sleepy(nn.Module):
    """Takes its time, and passes on what it is given."""

    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds

    def forward(self, x):
        time.sleep(self.seconds)
        return x * 1.0


class Attention(nn.Module):
    """One projection, or three."""

    def __init__(self, merged: bool):
        super().__init__()
        self.merged = merged
        if merged:
            self.qkv = nn.Linear(16, 48)
        else:
            self.q, self.k, self.v = (nn.Linear(16, 16) for _ in range(3))
        self.proj = nn.Linear(16, 16)

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1) if self.merged else (self.q(x), self.k(x), self.v(x))
        return self.proj(torch.softmax(q @ k.transpose(-1, -2) / 4, -1) @ v)


class Net(nn.Module):
    def __init__(self, merged: bool, seconds: float):
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.attention = Attention(merged)
        self.rest = Sleepy(seconds)
        self.head = nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.rest(x + self.attention(self.norm(x))))


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> tuple[Path, Path]:
    """A net, and one that is built otherwise and has a slow layer. On one thread: where other programs run too, several
    wait for each other, and their waiting is what is found."""
    folder, threads = tmp_path_factory.mktemp("recorded"), torch.get_num_threads()
    torch.set_num_threads(1)
    for name, net in (("a.h5", Net(merged=True, seconds=0.001)), ("b.h5", Net(merged=False, seconds=0.02))):
        tracer.record(net, torch.zeros(2, 5, 16), out=folder / name, keep="timing", repeat=5, warmup=1).close()
    torch.set_num_threads(threads)
    return folder / "a.h5", folder / "b.h5"


def test_the_slow_layer_is_found(pair):
    """It loses about as much as it sleeps longer."""
    report = tracer.profile(*pair)
    assert report.first.candidate.path == "rest"
    assert report.first.lost > 10e6


def test_the_merged_projection_is_beside_the_three(pair):
    """Nothing is alone."""
    report = tracer.profile(*pair)
    assert report["attention.qkv"].candidate.paths == ("attention.q", "attention.k", "attention.v")
    assert report.alone == ()


def test_the_layers_explain_the_step(pair):
    """Most of it is in the layer that sleeps."""
    report = tracer.profile(pair[1])
    layers = next(part for part in report.profile.shares if part.name == "layers")
    assert layers.reference.median > 0.7 * report.steps[0].median
    assert report.first.share > 0.5


def test_the_time_line_is_valid(pair):
    """Chrome's trace format, by the letter."""
    events = chrome.read(tracer.profile(*pair).to_perfetto())
    assert {event["pid"] for event in events} == {1, 2}


COUNTS = {"Dense": 1920, "Conv2d": 5292, "Conv2dTranspose": 34992, "GRU": 3960, "LSTMCell": 1200,
          "MultiheadAttention": 4192}  # fmt: skip
"""Multiply-adds of the layers below, as torch counts its own."""

MINDSPORE = """
import sys
import numpy as np
import mindspore as ms
from mindspore import nn
import tracer

class Net(nn.Cell):
    def __init__(self):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Dense(16, 64), nn.GELU(approximate=False), nn.Dense(64, 4)

    def construct(self, x):
        return self.fc2(self.act(self.fc1(x)))

folder = sys.argv[1]
tracer.record(Net(), np.zeros((2, 16), np.float32), out=f"{folder}/ms.h5", keep="timing", repeat=2, warmup=1).close()

def zeros(*shape):
    return np.zeros(shape, np.float32)

for net, inputs in (
    (nn.Dense(8, 16), (zeros(5, 3, 8),)),
    (nn.Conv2d(6, 6, 3, group=6, pad_mode="valid"), (zeros(2, 6, 9, 9),)),
    (nn.Conv2dTranspose(6, 8, 3, stride=2, pad_mode="valid", group=2), (zeros(2, 6, 9, 9),)),
    (nn.GRU(4, 6, 2), (zeros(5, 2, 4),)),
    (nn.LSTMCell(4, 6), (zeros(5, 4), (zeros(5, 6), zeros(5, 6)))),
    (nn.MultiheadAttention(8, 2), (zeros(5, 2, 8), zeros(7, 2, 8), zeros(7, 2, 8))),
):
    out = f"{folder}/{type(net).__name__}.h5"
    tracer.record(net, inputs, out=out, keep="statistics", backward=False).close()
"""


@pytest.fixture(scope="module")
def ported(tmp_path_factory) -> Path:
    """A folder of traces that MindSpore left, in a process of its own."""
    folder = tmp_path_factory.mktemp("ported")
    subprocess.run([sys.executable, "-c", MINDSPORE, str(folder)], check=True, timeout=240)
    return folder


@pytest.mark.parametrize("kind", COUNTS)
def test_mindspore_layers_count_as_torch_counts(kind, ported):
    """The same formulas, by the rules' common words."""
    with tracer.Trace(ported / f"{kind}.h5") as trace:
        graph = call_graph(trace.skeleton, 0, ())
    assert sum(work_of(graph, id_).forward or 0 for id_ in graph.units) == COUNTS[kind]


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.act, self.fc2 = nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 4)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


def test_a_port_stands_beside_its_reference(tmp_path, ported):
    """The document holds numbers of both."""
    tracer.record(Mlp(), torch.zeros(2, 16), out=tmp_path / "pt.h5", keep="timing", repeat=2, warmup=1).close()
    document = json.loads(tracer.profile(tmp_path / "pt.h5", ported / "ms.h5").to_json())
    assert (document["reference"]["framework"], document["candidate"]["framework"]) == ("torch", "mindspore")
    rows = {row["reference"]["path"]: row for row in document["rows"] if row["sort"] == "layer"}
    assert set(rows) == {"fc1", "act", "fc2"}
    works = [rows["fc1"][side]["multiply_adds"] for side in ("reference", "candidate")]
    assert works == [{"forward": 2 * 16 * 64, "backward": 2 * 2 * 16 * 64}] * 2
    assert all(row["candidate"]["whole"]["median_ns"] > 0 for row in rows.values())
