"""Weights go from file to file, tensor by tensor; the target is whole or as it was."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.habits.source import REPOSITORY
from tests.habits.test_frameworks_are_optional import BLOCKED
from tests.starting_point.checkpoint_files import loaded, same
from tests.starting_point.processes import python, run
from tracer import TracerError

pytestmark = pytest.mark.torch

SUFFIXES = [".pth", ".safetensors", ".ckpt", ".npz"]


class Net(nn.Module):
    """A net with moving statistics, a mask that is saved and one that is not."""

    def __init__(self, *, tied: bool = False) -> None:
        super().__init__()
        self.emb, self.norm, self.head = nn.Embedding(7, 4), nn.BatchNorm1d(4), nn.Linear(4, 7, bias=False)
        if tied:
            self.head.weight = self.emb.weight
        self.register_buffer("mask", torch.ones(3, dtype=torch.bool))
        self.register_buffer("table", torch.ones(3), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.emb(x)))


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Net, Path]:
    """A net and the file that torch wrote of it."""
    net = Net()
    torch.save(net.state_dict(), tmp_path / "a.pth")
    return net, tmp_path / "a.pth"


def refused(*arguments: object, **how: object) -> TracerError:
    """The refusal, in three beats."""
    with pytest.raises(TracerError) as caught:
        tracer.convert_weights(*arguments, **how)
    assert caught.value.what
    assert caught.value.where
    assert caught.value.then
    return caught.value


# ---- from format to format -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("source", SUFFIXES)
def test_any_format_becomes_any(saved: tuple[Net, Path], tmp_path: Path, source: str, target: str) -> None:
    """Names, shapes, dtypes and bits stay as they are."""
    tracer.convert_weights(saved[1], tmp_path / f"b{source}")
    tracer.convert_weights(tmp_path / f"b{source}", tmp_path / f"c{target}")
    found, wanted = loaded(tmp_path / f"c{target}"), loaded(saved[1])
    same({name: found[name] for name in sorted(found)}, {name: wanted[name] for name in sorted(wanted)})


def test_round_the_formats(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """`.pth -> .ckpt -> .safetensors -> .pth`, and torch loads it strictly."""
    chain = [saved[1], *(tmp_path / f"b{suffix}" for suffix in (".ckpt", ".safetensors", ".pth"))]
    for source, target in zip(chain, chain[1:], strict=False):
        tracer.convert_weights(source, target)
    net = Net()
    net.load_state_dict(torch.load(chain[-1], weights_only=True), strict=True)
    assert all(
        torch.equal(a, b) for a, b in zip(net.state_dict().values(), saved[0].state_dict().values(), strict=True)
    )


def test_a_folder_of_shards_becomes_one_file(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """Shards with an index are one source."""
    folder = tmp_path / "model"
    folder.mkdir()
    names = list(saved[0].state_dict())
    files = {"a.safetensors": names[:2], "b.safetensors": names[2:]}
    for file, of in files.items():
        tracer.convert_weights({n: saved[0].state_dict()[n] for n in of}, folder / file)
    index = {"weight_map": {n: file for file, of in files.items() for n in of}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    tracer.convert_weights(folder, tmp_path / "c.pth")
    assert {n: a.tobytes() for n, a in loaded(tmp_path / "c.pth").items()} == {
        n: a.tobytes() for n, a in loaded(saved[1]).items()
    }


def test_a_part_of_a_nested_file(tmp_path: Path) -> None:
    """The one that is named."""
    model, ema = Net(), Net()
    torch.save({"model": model.state_dict(), "model_ema": ema.state_dict(), "epoch": 1}, tmp_path / "a.pth")
    tracer.convert_weights(tmp_path / "a.pth", tmp_path / "b.npz", part="model_ema")
    assert np.array_equal(loaded(tmp_path / "b.npz")["emb.weight"], ema.emb.weight.detach().numpy())


def test_a_target_may_be_its_own_source(saved: tuple[Net, Path]) -> None:
    """The old file is read to its end before the new one takes its place."""
    tracer.convert_weights(saved[1], saved[1], dtype="float16")
    assert loaded(saved[1])["emb.weight"].dtype == np.float16


def test_a_net_is_written_too(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """A live net is a source like any other."""
    tracer.convert_weights(saved[0], tmp_path / "b.pth")
    assert set(torch.load(tmp_path / "b.pth", weights_only=True)) >= {n for n, _ in saved[0].named_parameters()}


# ---- for another net -----------------------------------------------------------------------------------------------


class Port(nn.Module):
    """The same net under other names."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.bn, self.out = nn.Embedding(7, 4), nn.BatchNorm1d(4), nn.Linear(4, 7, bias=False)
        self.register_buffer("positions", torch.arange(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.bn(self.words(x)))


def test_names_are_those_of_the_candidate(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """What is written the candidate loads strictly: counters and masks of its own stand in the file too."""
    port = Port()
    report = tracer.convert_weights(saved[1], tmp_path / "b.pth", reference=saved[0], candidate=port)
    port.load_state_dict(torch.load(tmp_path / "b.pth", weights_only=True), strict=True)
    assert torch.equal(port.words.weight, saved[0].emb.weight)
    assert "positions" in str(report)


def test_buffers_that_are_not_saved_are_not_written(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """torch would not know the name."""
    tracer.convert_weights(saved[1], tmp_path / "b.pth", candidate=saved[0])
    assert "table" not in loaded(tmp_path / "b.pth")


@pytest.mark.parametrize("how", ["path", "lines", "report"])
def test_a_map_is_followed(saved: tuple[Net, Path], tmp_path: Path, how: str) -> None:
    """From a file, as a mapping, or as `weight_map` returned it."""
    report = tracer.weight_map(saved[0], Port())
    mapping = {"path": report.save(tmp_path / "map.toml"), "lines": report.to_dict()["parameters"], "report": report}[
        how
    ]
    tracer.convert_weights(saved[1], tmp_path / "b.pth", mapping=mapping)
    assert np.array_equal(loaded(tmp_path / "b.pth")["words.weight"], saved[0].emb.weight.detach().numpy())


def test_tied_names_stand_at_each_place_in_torch_files(tmp_path: Path) -> None:
    """torch lists both; MindSpore knows one."""
    net = Net(tied=True)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    for suffix in (".ckpt", ".pth"):
        tracer.convert_weights(tmp_path / "a.pth", tmp_path / f"b{suffix}", candidate=net)
    assert {"head.weight", "emb.weight"} <= set(loaded(tmp_path / "b.pth"))
    assert "head.weight" not in loaded(tmp_path / "b.ckpt")


def test_a_tied_net_loads_strictly_what_was_written(tmp_path: Path) -> None:
    """Also after the way through a format that knows no ties."""
    net = Net(tied=True)
    torch.save(net.state_dict(), tmp_path / "a.pth")
    tracer.convert_weights(tmp_path / "a.pth", tmp_path / "b.ckpt", candidate=net)
    tracer.convert_weights(tmp_path / "b.ckpt", tmp_path / "c.pth", candidate=net)
    Net(tied=True).load_state_dict(torch.load(tmp_path / "c.pth", weights_only=True), strict=True)


def test_what_has_no_place_is_refused(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """With a list, and no file is written."""
    port = Port()
    port.more = nn.Linear(4, 9)
    assert "more.weight 9x4" in refused(saved[1], tmp_path / "b.pth", candidate=port).where
    assert not (tmp_path / "b.pth").exists()


def test_partial_writes_what_has_a_place(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """And the report says what has none."""
    port = Port()
    port.more = nn.Linear(4, 9)
    report = tracer.convert_weights(saved[1], tmp_path / "b.pth", candidate=port, partial=True)
    assert "more.weight" not in loaded(tmp_path / "b.pth")
    assert (report.whole, report.exit_code) == (False, 2)


# ---- names and dtypes ----------------------------------------------------------------------------------------------


def test_a_prefix_stands_before_every_name(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """As DataParallel wants it."""
    tracer.convert_weights(saved[1], tmp_path / "b.pth", prefix="module.")
    nn.DataParallel(Net()).load_state_dict(torch.load(tmp_path / "b.pth", weights_only=True))


@pytest.mark.parametrize(
    "rename", [{"head.weight": "fc.weight"}, lambda name: name.replace("head.", "fc.")], ids=["mapping", "function"]
)
def test_names_may_be_others(saved: tuple[Net, Path], tmp_path: Path, rename: object) -> None:
    """By a mapping or by a function."""
    tracer.convert_weights(saved[1], tmp_path / "b.npz", rename=rename)
    names = set(loaded(tmp_path / "b.npz"))
    assert "fc.weight" in names
    assert "head.weight" not in names


def test_two_parameters_do_not_get_one_name(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """One would replace the other."""
    error = refused(saved[1], tmp_path / "b.pth", rename={"head.weight": "emb.weight"})
    assert "emb.weight" in error.where
    assert not (tmp_path / "b.pth").exists()


def test_a_name_that_is_not_there_cannot_be_renamed(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """It was misspelt."""
    assert "'head.weight'" in refused(saved[1], tmp_path / "b.pth", rename={"head.weigth": "x"}).then


def test_a_function_that_gives_no_name_is_refused(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """A forgotten return."""
    refused(saved[1], tmp_path / "b.pth", rename=lambda name: None)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_floats_are_written_in_another_dtype(saved: tuple[Net, Path], tmp_path: Path, dtype: str) -> None:
    """Whole numbers keep theirs; rounding is torch's."""
    tracer.convert_weights(saved[1], tmp_path / "b.pth", dtype=dtype)
    read = torch.load(tmp_path / "b.pth", weights_only=True)
    assert torch.equal(read["emb.weight"], saved[0].emb.weight.to(getattr(torch, dtype)))
    assert read["norm.num_batches_tracked"].dtype == torch.int64


@pytest.mark.parametrize("dtype", ["int8", "float", "half", 16, "float32 "])
def test_another_dtype_is_one_of_floats(saved: tuple[Net, Path], tmp_path: Path, dtype: object) -> None:
    """Told which."""
    assert "bfloat16" in refused(saved[1], tmp_path / "b.pth", dtype=dtype).then


def test_a_narrower_candidate_asks_for_cast(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """float32 into a float16 net loses digits: refused, unless asked for."""
    assert "cast=True" in refused(saved[1], tmp_path / "b.pth", candidate=Net().half()).then
    report = tracer.convert_weights(saved[1], tmp_path / "b.pth", candidate=Net().half(), cast=True)
    assert len(report.cast) == len([*Net().parameters()]) + 2
    assert loaded(tmp_path / "b.pth")["emb.weight"].dtype == np.float16


# ---- whole or as it was --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["b.foo", "b", "nowhere/b.pth", "."])
def test_a_target_that_cannot_be(saved: tuple[Net, Path], tmp_path: Path, name: str) -> None:
    """Another suffix, none, a folder that is not there, a folder."""
    refused(saved[1], tmp_path / name)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x80\x02}q\x00.", os.urandom(500)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_source_that_is_none(tmp_path: Path, content: bytes, suffix: str) -> None:
    """Wrong files by any name; the target that was there is as it was."""
    (tmp_path / f"a{suffix}").write_bytes(content)
    (tmp_path / "b.pth").write_bytes(b"precious")
    refused(tmp_path / f"a{suffix}", tmp_path / "b.pth")
    assert (tmp_path / "b.pth").read_bytes() == b"precious"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.3, 0.95])
def test_a_source_that_was_cut_off(saved: tuple[Net, Path], tmp_path: Path, suffix: str, share: float) -> None:
    """Refused, and the target is as it was."""
    tracer.convert_weights(saved[1], tmp_path / f"a{suffix}")
    whole = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(whole[: int(len(whole) * share)])
    (tmp_path / "b.npz").write_bytes(b"precious")
    refused(tmp_path / f"a{suffix}", tmp_path / "b.npz")
    assert (tmp_path / "b.npz").read_bytes() == b"precious"


class Evil:
    """What a pickle can be."""

    def __reduce__(self) -> tuple[object, ...]:
        return (os.system, ("touch hacked",))


def test_no_code_of_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pickle that wants to call something is refused with what it wanted."""
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(2), "x": Evil()}, tmp_path / "a.pth")
    assert "system" in refused(tmp_path / "a.pth", tmp_path / "b.pth").what
    assert not (tmp_path / "hacked").exists()


LARGE = "import numpy as np; np.savez('a.npz', **{f'w{n}': np.ones(1 << 20, np.float32) for n in range(8)})"

FULL = """
import resource, signal, tracer
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10 << 20, 10 << 20))
try: tracer.convert_weights("a.npz", "b.pth")
except tracer.TracerError as error: print(error)
"""


def test_a_full_disk_leaves_the_target(tmp_path: Path) -> None:
    """No room for the new file: told, the old one is there, and nothing else."""
    python(LARGE, tmp_path)
    (tmp_path / "b.pth").write_bytes(b"precious")
    told = python(FULL, tmp_path)
    assert "cannot be written" in told
    assert "next:" in told
    assert (tmp_path / "b.pth").read_bytes() == b"precious"
    assert {file.name for file in tmp_path.iterdir()} == {"a.npz", "b.pth"}


KILLED = """
import os, signal, sys, tracer
from tracer.starting_point import holders
with holders.opened("a.npz") as source:
    def pieces(key, n=[0]):
        n[0] += 1
        if n[0] == 4: os.kill(os.getpid(), int(sys.argv[1]))
        return source.pieces(key)
    import dataclasses
    tracer.convert_weights(dataclasses.replace(source, pieces=pieces), "b.pth")
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_the_middle_the_target_is_as_it_was(tmp_path: Path, number: int) -> None:
    """Whatever ends the process, the old file stays until the new one is whole; and it can be tried again."""
    python(LARGE, tmp_path)
    (tmp_path / "b.pth").write_bytes(b"precious")
    done = run(["-c", KILLED, int(number)], tmp_path)
    assert done.returncode != 0
    assert (tmp_path / "b.pth").read_bytes() == b"precious"
    tracer.convert_weights(tmp_path / "a.npz", tmp_path / "b.pth")
    assert list(loaded(tmp_path / "b.pth")) == [f"w{n}" for n in range(8)]


LEAN = """
import resource, sys, tracer
tracer.convert_weights({"a": __import__("numpy").ones(4, "float32")}, "c.pth")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
tracer.convert_weights(*sys.argv[1:3], dtype=sys.argv[3] or None)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two tensors of 64 MB in every format."""
    folder = tmp_path_factory.mktemp("big")
    tracer.convert_weights({f"w{n}": np.ones((1 << 13, 1 << 11), np.float32) for n in range(2)}, folder / "a.npz")
    for suffix in SUFFIXES[:3]:
        tracer.convert_weights(folder / "a.npz", folder / f"a{suffix}")
    return folder


@pytest.mark.parametrize(
    ("source", "target", "dtype"),
    [(".npz", ".pth", ""), (".pth", ".ckpt", ""), (".ckpt", ".safetensors", "float16"), (".safetensors", ".npz", "")],
)
def test_memory_holds_less_than_one_tensor(big: Path, tmp_path: Path, source: str, target: str, dtype: str) -> None:
    """Where nothing is transformed a block at a time is enough: a constant, far below the tensors of 64 MB."""
    assert float(python(LEAN, tmp_path, big / f"a{source}", f"b{target}", dtype)) < 40


# ---- without frameworks --------------------------------------------------------------------------------------------

ALONE = """
import tracer
tracer.convert_weights("a.pth", "b.ckpt", mapping="map.toml")
tracer.convert_weights("b.ckpt", "c.safetensors")
print(tracer.compare_weights("a.pth", "c.safetensors", mapping="map.toml").verdict)
"""


def test_no_framework_is_needed(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """Files are converted and compared where neither framework can be imported."""
    tracer.weight_map(saved[0], Port()).save(tmp_path / "map.toml")
    assert python(BLOCKED + ALONE, tmp_path).strip() == "agree"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_finite_numbers_never_become_infinite(tmp_path: Path, suffix: str) -> None:
    """Refused with the parameter, how many and the largest; the target is as it was."""
    target = tmp_path / f"a{suffix}"
    target.write_bytes(b"old")
    large = np.array([1e6, 1, -3e6, np.inf], np.float32)
    error = refused({"a": np.ones(2, np.float32), "b": large}, target, dtype="float16")
    assert "2 numbers are too large for float16" in error.what
    assert "3e+06" in error.what
    assert "b 4, float32 -> float16" in error.where
    assert target.read_bytes() == b"old"


def test_what_is_infinite_already_stays_so(tmp_path: Path) -> None:
    """Infinite and NaN are no numbers that a dtype loses."""
    tracer.convert_weights({"a": np.array([np.inf, np.nan, 1], np.float32)}, tmp_path / "a.npz", dtype="float16")
    assert np.isinf(np.load(tmp_path / "a.npz")["a"][0])


def test_a_reference_alone_checks_the_source(saved: tuple[Net, Path], tmp_path: Path) -> None:
    """Without a candidate names stay; what the reference was for is said, and a net of other shapes is refused."""
    net, file = saved
    report = tracer.convert_weights(file, tmp_path / "b.npz", reference=net)
    assert "checked against reference=" in " ".join(repr(report).split())
    assert set(np.load(tmp_path / "b.npz")) == set(net.state_dict())
    refused(file, tmp_path / "c.npz", reference=nn.Linear(2, 2))
