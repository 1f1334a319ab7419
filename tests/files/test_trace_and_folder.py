"""A trace against a folder: what its layers gave, or the gradients of its parameters, are the named arrays."""

from __future__ import annotations

import numpy as np
import pytest

import tracer
from tests.contract import validate_report
from tests.files.folders import counted_in_front, port_path, save

torch = pytest.importorskip("torch")
nn = torch.nn

X = np.random.default_rng(0).standard_normal((2, 5, 8)).astype(np.float32)


class Block(nn.Module):
    """Norm, two linear layers, an activation."""

    def __init__(self):
        super().__init__()
        self.norm1 = nn.LayerNorm(8)
        self.fc1 = nn.Linear(8, 16)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(16, 8)

    def forward(self, x):
        return x + self.fc2(self.act(self.fc1(self.norm1(x))))


class Net(nn.Module):
    """Blocks, and a head."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.Sequential(*[Block() for _ in range(4)])
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.blocks(x))


@pytest.fixture(scope="module")
def net():
    return Net().eval()


@pytest.fixture(scope="module")
def trace(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "pt.h5"
    tracer.record(net, X, out=path).close()
    return path


def saved(net, only=("norm1", "fc1", "act", "fc2", "head")):
    """What a user's hooks keep of the layers of these names."""
    kept, hooks = [], []
    for path, layer in net.named_modules():
        if path.rpartition(".")[2] in only:
            keep = lambda _, __, out, path=path: kept.append((path, out.detach().numpy().copy()))  # noqa: E731
            hooks.append(layer.register_forward_hook(keep))
    net(torch.tensor(X))
    for hook in hooks:
        hook.remove()
    return kept


def check(report):
    """Held against the contract; the candidate's files with the paths they were paired with."""
    validate_report(report.to_dict())
    return {p.candidate.path: p.reference.path for p in report.alignment.pairs}


@pytest.mark.parametrize("call", [None, str, port_path])
def test_every_file_finds_its_layer(net, trace, tmp_path, call):
    """By the last word, by the path, by the path that a port has."""
    known = saved(net)
    named = counted_in_front(known) if call is None else [(call(path), array) for path, array in known]
    report = tracer.diff(trace, save(tmp_path / "ms", named))
    assert check(report) == {f"{name}.npy": path for (name, _), (path, _) in zip(named, known, strict=True)}
    assert report.verdict == "agree"
    assert any("values of the reference's trace have no file" in note for note in report.diagnosis.notes)
    assert report.coverage.alone == 0


def test_a_fault_in_a_file_is_found(net, trace, tmp_path):
    """The path of the layer stands beside the file's name."""
    named = counted_in_front([(path, array * (2 if path == "blocks.1.act" else 1)) for path, array in saved(net)])
    origin = tracer.diff(trace, save(tmp_path / "ms", named)).to_dict()["origin"]
    assert (origin["place"], origin["reference"]["path"], origin["candidate"]["path"]) == (
        "file",
        "blocks.1.act",
        "6_act.npy",
    )


def test_the_folder_may_be_the_reference(net, trace, tmp_path):
    """Either way round."""
    report = tracer.diff(save(tmp_path / "pt", counted_in_front(saved(net))), trace)
    assert report.verdict == "agree"
    assert report.alignment.pairs[0].candidate.path == "blocks.0.norm1"


def test_a_call_more_is_counted(tmp_path):
    """A layer that is called twice has two values, in the order of the calls."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x):
            return self.fc(torch.relu(self.fc(x)))

    net = Twice().eval()
    tracer.record(net, X, out=tmp_path / "pt.h5").close()
    report = tracer.diff(tmp_path / "pt.h5", save(tmp_path / "ms", counted_in_front(saved(net, ("fc",)))))
    assert check(report) == {"0_fc.npy": "fc", "1_fc.npy": "fc#1"}


def trained(net, path):
    """A trace of one's own loop, and the gradients of the loss."""
    with tracer.recording(net, out=path):
        net.zero_grad()
        net(torch.tensor(X)).pow(2).sum().backward()
    return [(name, parameter.grad.numpy().copy()) for name, parameter in net.named_parameters()]


@pytest.mark.parametrize("listed", [True, False])
def test_gradients_of_ones_own_loop(tmp_path, listed):
    """A list, or files by the names of the parameters."""
    found = trained(Net(), tmp_path / "pt.h5")
    named = [(f"0_grads_{n}", g) for n, (_, g) in enumerate(found)] if listed else [(f"grads/{p}", g) for p, g in found]
    report = tracer.diff(tmp_path / "pt.h5", save(tmp_path / "ms", named))
    assert check(report) == {f"{name}.npy": f"grad {path}" for (name, _), (path, _) in zip(named, found, strict=True)}
    assert report.verdict == "agree"


def test_gradients_of_other_numbers_are_unsure(net, trace, tmp_path):
    """What record sends back is no loss."""
    named = [(f"grads/{path}", 3 * g) for path, g in trained(Net(), tmp_path / "other.h5")]
    report = tracer.diff(trace, save(tmp_path / "ms", named))
    assert report.verdict == "unsure"
    assert "tracer.recording" in report.reason


def test_a_trace_of_statistics_is_told(net, tmp_path):
    """It has no arrays."""
    tracer.record(net, X, out=tmp_path / "small.h5", keep="statistics").close()
    folder = save(tmp_path / "ms", counted_in_front(saved(net)))
    with pytest.raises(tracer.TracerError, match="keeps no value"):
        tracer.diff(tmp_path / "small.h5", folder)
