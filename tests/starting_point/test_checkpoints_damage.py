"""Whatever happens to the bytes of a file, a `CheckpointError` is all that comes out of it."""

from __future__ import annotations

import tempfile
import tracemalloc
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.starting_point.checkpoint_files import save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint

TENSORS = {
    "a.weight": np.arange(40, dtype=np.float32).reshape(5, 8),
    "b": np.array(3),
    "c": np.ones((0, 2)),
    "d": np.ones(3, bool),
}
KINDS = ["pth", "safetensors", "ckpt", "npz", "deflated", "legacy", "checked"]


@cache
def good(kind: str) -> bytes:
    """The bytes of a good file of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{kind}"
        if kind == "deflated":
            path = path.with_suffix(".npz")
            np.savez_compressed(path, **TENSORS)
        elif kind == "legacy":
            import torch

            content = {name: torch.tensor(each) for name, each in TENSORS.items()} | {"t": torch.ones(3, 4).T}
            torch.save({"model": content, "epoch": 3}, path, _use_new_zipfile_serialization=False)
        elif kind == "checked":
            import binascii

            content = good("ckpt")
            return content + b"crc_num" + binascii.crc32(content).to_bytes(10, "big")
        else:
            save(path, TENSORS)
        return path.read_bytes()


def read(content: bytes, kind: str) -> bool:
    """Open and read all of it: True where it is a checkpoint; nothing but `CheckpointError` may say that it is not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x.{kind}"
        path.write_bytes(content)
        try:
            with open_checkpoint(path) as checkpoint:
                for name, entry in checkpoint.entries.items():
                    assert checkpoint.read(name).shape == entry.shape
                    assert sum(piece.size for piece in checkpoint.pieces(name, 7)) == entry.count
        except CheckpointError as error:
            assert "where:" in str(error) and "next:" in str(error)
            return False
        return True


PROPERTY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.parametrize("kind", KINDS)
def test_the_good_file_is_good(kind: str) -> None:
    """What the damage is done to is readable itself."""
    assert read(good(kind), kind)


@pytest.mark.parametrize("kind", ["pth", "safetensors", "npz", "deflated", "legacy"])
@given(data=st.data())
@PROPERTY
def test_a_cut_file_is_refused(kind: str, data: st.DataObject) -> None:
    """A file that ends anywhere before its end is refused."""
    content = good(kind)
    assert not read(content[: data.draw(st.integers(0, len(content) - 1))], kind)


@given(data=st.data())
@PROPERTY
def test_a_cut_checkpoint_of_mindspore_lacks_tensors(data: st.DataObject) -> None:
    """A MindSpore checkpoint that ends between two tensors cannot be told from a shorter one; elsewhere it is refused."""
    content = good("ckpt")
    cut = data.draw(st.integers(1, len(content) - 1))
    ends = [content.index(b"\x0a" + tag) for tag in (b"\x01b\x12", b"\x01c\x12", b"\x01d\x12")]
    assert not read(content[:cut], "ckpt") or cut in {end - 2 for end in ends} | {end - 3 for end in ends}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@PROPERTY
def test_flipped_bytes_do_no_harm(kind: str, data: st.DataObject) -> None:
    """Bytes that are not what they were give another checkpoint or a `CheckpointError`, in little memory."""
    content = bytearray(good(kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    tracemalloc.start()
    read(bytes(content), kind)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@PROPERTY
def test_stretches_of_other_bytes_do_no_harm(kind: str, data: st.DataObject) -> None:
    """Bytes put in, taken out or repeated do no harm either."""
    content = good(kind)
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 2)))
    middle = data.draw(st.one_of(st.binary(max_size=40), st.just(content[begin:end] * 2)))
    read(content[:begin] + middle + content[end:], kind)


@pytest.mark.parametrize("head", [b"\x80\x02", b"PK\x03\x04", b"\x0a", b"\x10\0\0\0\0\0\0\0{", b"{", b""])
@given(tail=st.binary(max_size=300))
@PROPERTY
def test_any_bytes_do_no_harm(head: bytes, tail: bytes) -> None:
    """Bytes that only begin like a checkpoint do no harm."""
    read(head + tail, "pth")
