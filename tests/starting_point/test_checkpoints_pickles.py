"""A pickle in a file is read and never run: what it wants is said, and nothing happens."""

from __future__ import annotations

import argparse
import collections
import io
import os
import pickle
import struct
import time
import zipfile
from pathlib import Path

import pytest

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint


def wrapped(content: bytes, **records: bytes) -> bytes:
    """A pickle in the zip that torch.save would put it in."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x/data.pkl", content)
        for name, record in records.items():
            archive.writestr(f"x/data/{name.removeprefix('n')}", record)
    return file.getvalue()


def refusal(path: Path, content: bytes) -> str:
    """What is said of a file."""
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        open_checkpoint(path)
    assert str(path) in str(caught.value)
    assert "next:" in str(caught.value)
    return str(caught.value)


class Wants:
    """An object whose pickle calls something."""

    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call, self.arguments


def code(target: Path) -> list[Wants]:
    """Calls that would leave a file behind, or worse."""
    return [
        Wants(os.system, f"touch {target}"),
        Wants(eval, f"open({str(target)!r}, 'w')"),
        Wants(exec, f"open({str(target)!r}, 'w')"),
        Wants(open, str(target), "w"),
        Wants(getattr, os, "system") if False else Wants(getattr, "x", "upper"),
        Wants(__import__, "antigravity"),
    ]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("number", range(6))
def test_code_is_named_and_not_run(tmp_path: Path, number: int, protocol: int) -> None:
    """A pickle that wants to call something is refused with the name of it, and it is not called."""
    wants = code(tmp_path / "trace")[number]
    said = refusal(tmp_path / "x.pth", wrapped(pickle.dumps({"a": wants}, protocol)))
    name = {"system": "system", "open": "open"}.get(wants.call.__name__, wants.call.__name__)
    assert "wants to call" in said
    assert f".{name}" in said
    assert not (tmp_path / "trace").exists()


def test_code_in_a_bare_pickle_is_not_run(tmp_path: Path) -> None:
    """A pickle outside of a zip is read by the same machine."""
    said = refusal(tmp_path / "x.pth", pickle.dumps(Wants(os.system, f"touch {tmp_path / 'trace'}"), 2))
    assert "wants to call posix.system" in said or "wants to call os.system" in said
    assert not (tmp_path / "trace").exists()


def test_a_whole_net_is_refused_by_its_class(tmp_path: Path) -> None:
    """A net saved whole wants its classes: the refusal names them and says what to save."""
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "x.pth")
    said = refusal(tmp_path / "x.pth", (tmp_path / "x.pth").read_bytes())
    assert "torch.nn.modules.linear.Linear" in said
    assert "state_dict" in said


def test_paths_beside_weights_are_refused_by_their_class(tmp_path: Path) -> None:
    """What else was pickled beside the weights is named too."""
    assert "pathlib.PosixPath" in refusal(tmp_path / "x.pth", wrapped(pickle.dumps({"args": Path("x")}, 2)))


HARMLESS = [
    collections.OrderedDict(a=1),
    collections.Counter([1, 1, 2]),
    collections.defaultdict(dict, a=1),
    {1, 2},
    frozenset([1]),
    bytearray(b"abc"),
    b"abc",
    1 + 2j,
    (1, (2, (3,))),
    10**50,
    1.5,
    slice(1, 2),
    argparse.Namespace(lr=3),
]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("thing", HARMLESS, ids=lambda each: type(each).__name__)
def test_plain_things_are_passed_over(tmp_path: Path, thing: object, protocol: int) -> None:
    """Containers, numbers and bytes of Python beside weights are no hindrance."""
    said = refusal(tmp_path / "x.pth", wrapped(pickle.dumps({"a": thing}, protocol)))
    assert "no tensors by name" in said


STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"


def view(offset: bytes = b"K\x00", shape: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85") -> bytes:
    """A pickle of one tensor over a storage of four numbers."""
    make = b"ctorch._utils\n_rebuild_tensor_v2\n("
    hooks = b"\x89ccollections\nOrderedDict\n)RtR"
    return b"\x80\x02}X\x01\x00\x00\x00a" + make + STORAGE + offset + shape + stride + hooks + b"s."


HUGE = b"\x8a\x08" + struct.pack("<q", 1 << 62)
BAD_VIEWS = {
    "behind its storage": view(offset=b"K\x01"),
    "before its storage": view(offset=b"J\xff\xff\xff\xff"),
    "larger than its storage": view(shape=b"K\x05\x85"),
    "strides beyond": view(stride=b"K\x02\x85"),
    "backwards": view(stride=b"J\xff\xff\xff\xff\x85"),
    "a giant": view(shape=HUGE + b"\x85", stride=b"K\x00\x85"),
    "a giant stride": view(stride=HUGE + b"\x85"),
    "fewer strides": view(stride=b")"),
    "a negative axis": view(shape=b"J\xff\xff\xff\xff\x85"),
    "a shape of words": view(shape=b"X\x01\x00\x00\x00a\x85"),
    "an offset of words": view(offset=b"X\x01\x00\x00\x00a"),
    "truth as a length": view(shape=b"\x88\x85"),
    "seventy axes": view(shape=b"(" + b"K\x01" * 70 + b"t", stride=b"(" + b"K\x01" * 70 + b"t"),
}


def test_the_tensor_by_hand_is_read(tmp_path: Path) -> None:
    """The pickle that the bad ones are made of is good itself."""
    (tmp_path / "x.pth").write_bytes(wrapped(view(), n0=struct.pack("<4f", 1, 2, 3, 4)))
    with open_checkpoint(tmp_path / "x.pth") as checkpoint:
        assert checkpoint.read("a").tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("case", BAD_VIEWS)
def test_a_view_outside_of_its_storage_is_refused(tmp_path: Path, case: str) -> None:
    """No claimed place, shape or stride leads outside of a storage."""
    refusal(tmp_path / "x.pth", wrapped(BAD_VIEWS[case], n0=bytes(16)))


@pytest.mark.parametrize("records", [{}, {"n0": bytes(15)}], ids=["missing", "short"])
def test_a_storage_that_is_not_whole_is_refused(tmp_path: Path, records: dict) -> None:
    """A storage that is missing or shorter than it claims is an error on opening."""
    refusal(tmp_path / "x.pth", wrapped(view(), **records))


TRAPS = {
    "a huge memo": b"\x80\x02}r\xff\xff\xff\x7f.",
    "a huge text": b"\x80\x02X\xff\xff\xff\x7fabc.",
    "a huge text 8": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 62) + b"abc.",
    "huge bytes": b"\x80\x05\x96" + struct.pack("<Q", 1 << 62) + b"abc.",
    "a huge number": b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
    "deep lists": b"\x80\x02" + b"]" * 200000 + b"a" * 199999 + b".",
    "deep tuples": b"\x80\x02)" + b"\x85" * 200000 + b".",
    "a deep key": b"\x80\x02})" + b"\x85" * 200000 + b"K\x01s.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "a mapping in itself": b"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.",
    "copies of copies": b"\x80\x02X\x40\x42\x0f\x00" + b"a" * 1_000_000 + b"q\x000]"
    + b"c_codecs\nencode\nh\x00\x85Ra" * 20_000 + b".",
    "nothing on the stack": b"\x80\x02R.",
    "no mark": b"\x80\x02t.",
    "an unknown memo": b"\x80\x02h\x07.",
    "an odd number of items": b"\x80\x02}(K\x01u.",
    "no end": b"\x80\x02}",
    "an extension": b"\x80\x02\x82\x01.",
    "an instance": b"\x80\x02(ios\nsystem\n.",
    "an object": b"\x80\x02(cos\nsystem\no.",
    "a newer object": b"\x80\x04cos\nsystem\n)}\x92.",
    "an unknown step": b"\x80\x02\xff.",
    "a reference to nothing": b"\x80\x02K\x01Q.",
    "a call of a number": b"\x80\x02K\x01)R.",
    "a call of a dtype": b"\x80\x02ctorch\nfloat32\n)R.",
    "a name over lines": b"\x80\x02cos\n" + b"x" * 100000,
    "a list as a set's part": b"\x80\x04\x8f(]\x90.",
    "keys of one hash": b"\x80\x02}(" + b"".join(
        b"\x8a\x0c" + (k * (2**61 - 1)).to_bytes(12, "little") + b"N" for k in range(1, 200000)) + b"u.",
    "copies by another way": b"\x80\x02X\x40\x42\x0f\x00" + b"a" * 1_000_000 + b"q\x000]"
    + b"ctorch._tensor\n_rebuild_from_type_v2\n(c_codecs\nencode\nctorch\nTensor\nh\x00\x85NtRa" * 500 + b".",
    "laughs": b"\x80\x02]q\x00" + b"".join(
        b"](" + bytes([0x68, n]) * 10 + b"eq" + bytes([n + 1]) for n in range(30)) + b".",
}  # fmt: skip


@pytest.mark.parametrize("case", TRAPS)
def test_a_trap_is_refused_at_once(tmp_path: Path, case: str) -> None:
    """No pickle hangs, crashes or takes more memory than the file is worth."""
    import tracemalloc

    content = wrapped(TRAPS[case])
    tracemalloc.start()
    begin = time.monotonic()
    refusal(tmp_path / "x.pth", content)
    assert time.monotonic() - begin < 20
    assert tracemalloc.get_traced_memory()[1] < 60e6
    tracemalloc.stop()


def test_a_program_of_torchscript_pretending_is_refused(tmp_path: Path) -> None:
    """A zip with code beside its pickle is a program."""
    content = io.BytesIO(wrapped(view(), n0=bytes(16)))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("x/code/run.py", "import os")
    assert "TorchScript" in refusal(tmp_path / "x.pth", content.getvalue())
