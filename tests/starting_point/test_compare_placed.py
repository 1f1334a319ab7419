"""`tracer.compare` judges by the pairs and the order in which the weights were placed, and still finds what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tracer
from tracer.trace.schema import Placed

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

pytestmark = pytest.mark.torch

X = tracer.inputs((4, 8), "float32")
SEQUENCE = tracer.inputs((2, 5, 8), "float32")


class Branches(nn.Module):
    """Two branches; the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.a1, self.a2, self.b1, self.b2 = nn.Linear(8, 8), nn.Linear(8, 4), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return self.a2(torch.relu(self.a1(x))), self.b2(torch.tanh(self.b1(x)))


class Swapped(Branches):
    """The same, each branch under the other's names."""

    act = staticmethod(torch.relu)

    def forward(self, x: Any) -> Any:
        y = self.a2(torch.tanh(self.a1(x)))
        return self.b2(self.act(self.b1(x))), y


class SwappedWrong(Swapped):
    """One activation is another."""

    act = staticmethod(F.gelu)


class Heads(nn.Module):
    """Attention whose fused projection has its rows head by head; the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.o = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        q, k, v = self.qkv(x).view(2, 5, 2, 3, 4).permute(3, 0, 2, 1, 4)
        return self.o(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Blocks(Heads):
    """The same with all rows of the queries first."""

    scale = 0.5

    def forward(self, x: Any) -> Any:
        q, k, v = self.qkv(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.transpose(-1, -2) * self.scale, -1)
        return self.o((a @ v).transpose(1, 2).flatten(2))


class BlocksWrong(Blocks):
    """The scores are scaled otherwise."""

    scale = 0.25


class BlocksDetached(Blocks):
    """No gradient reaches the keys."""

    def forward(self, x: Any) -> Any:
        q, k, v = self.qkv(x).view(2, 5, 3, 2, 4).permute(2, 0, 3, 1, 4)
        a = torch.softmax(q @ k.detach().transpose(-1, -2) * self.scale, -1)
        return self.o((a @ v).transpose(1, 2).flatten(2))


class Two(nn.Module):
    """Two layers; the reference."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.fc(x))


class Columns(nn.Module):
    """A layer that keeps its matrix transposed."""

    factor = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, 8)), nn.Parameter(torch.zeros(8))

    def forward(self, x: Any) -> Any:
        return x @ self.weight + self.factor * self.bias


class ColumnsWrong(Columns):
    """It adds the bias twice."""

    factor = 2.0


class Turned(Two):
    """The same with a transposed first matrix."""

    kind: type[Columns] = Columns

    def __init__(self) -> None:
        super().__init__()
        self.fc = self.kind()


class TurnedWrong(Turned):
    """Its first layer is wrong."""

    kind = ColumnsWrong


RIGHT = [(Branches, Swapped, X), (Heads, Blocks, SEQUENCE), (Two, Turned, X)]


@pytest.mark.parametrize(("ours", "theirs", "samples"), RIGHT)
def test_a_right_port_agrees_forward_and_backward(ours: type, theirs: type, samples: Any) -> None:
    """Under swapped names, with rows in another order, with a square matrix transposed."""
    said = tracer.compare(ours(), theirs(), samples).to_dict()
    assert (said["verdict"], said["coverage"]["phases"]["backward"]) == ("agree", "judged")


FAULTS = [
    (Branches, SwappedWrong, X, "forward", "(root)", "what a2 is given differs"),
    (Heads, BlocksWrong, SEQUENCE, "forward", "(root)", "what o is given differs"),
    (Two, TurnedWrong, X, "forward", "fc", ""),
    (Heads, BlocksDetached, SEQUENCE, "backward", "(root)", "what qkv gets back as gradient differs"),
]


@pytest.mark.parametrize(("ours", "theirs", "samples", "phase", "path", "words"), FAULTS)
def test_a_fault_is_found_where_it_is(
    ours: type, theirs: type, samples: Any, phase: str, path: str, words: str
) -> None:
    """What the weights' order explains is not told; the fault is, alone."""
    origins = tracer.compare(ours(), theirs(), samples).to_dict()["origins"]
    assert [(o["phase"], o["reference"]["path"], o["sentence"]) for o in origins] == [(phase, path, words)]


def record_both(folder: Path, ours: Any, theirs: Any) -> tuple[Path, Path]:
    """Traces of a net and of one that is recorded like it."""
    tracer.record(ours.eval(), X, out=folder / "pt.h5").close()
    tracer.record(theirs, like=folder / "pt.h5", out=folder / "like.h5").close()
    return folder / "pt.h5", folder / "like.h5"


def test_the_trace_says_what_was_placed(tmp_path: Path) -> None:
    """With the digest of what it was made of."""
    ours, theirs = record_both(tmp_path, Two(), Turned())
    with tracer.Trace(ours) as a, tracer.Trace(theirs) as b:
        digest = a.skeleton.layers["fc"].parameters[0].digest
        assert Placed("fc", "weight", (("fc", "weight", digest),), turned=True) in b.skeleton.end.placed


def test_beside_another_trace_it_says_nothing(tmp_path: Path) -> None:
    """There the weights differ, and that is told."""
    _, theirs = record_both(tmp_path, Two(), Turned())
    tracer.record(Two().eval(), X, out=tmp_path / "other.h5").close()
    assert tracer.diff(tmp_path / "other.h5", theirs).to_dict()["origin"]["phase"] == "start"


def test_the_users_pins_come_first(tmp_path: Path) -> None:
    """A layer that is pinned is compared with what it is pinned to."""
    ours, theirs = record_both(tmp_path, Branches(), Swapped())
    pairs = tracer.diff(ours, theirs, pins=[("a1", "a1")]).to_dict()["alignment"]["pairs"]
    assert {p["reference"]["path"]: p["candidate"]["path"] for p in pairs}["a1"] == "a1"


def test_a_matrix_that_was_turned_wrongly_is_told_as_such(tmp_path: Path) -> None:
    """Two Linear layers keep their matrices in one way, whatever a map says."""
    text = tracer.weight_map(Two(), Two()).to_toml()
    file = tmp_path / "map.toml"
    file.write_text(text.replace('= "fc.weight"', '= "fc.weight | T"'))
    said = tracer.compare(Two(), Two(), X, mapping=file).to_dict()
    assert (said["origin"]["phase"], said["origin"]["candidate"]["path"]) == ("start", "fc")
