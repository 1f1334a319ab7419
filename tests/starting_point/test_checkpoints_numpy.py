"""Numpy's .npz is read as numpy reads it, without ever making an object of a file."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tests.starting_point.checkpoint_files import arrays, loaded, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint


@pytest.mark.parametrize("how", [np.savez, np.savez_compressed])
def test_what_numpy_wrote_is_read(tmp_path: Path, how: object) -> None:
    """Arrays of every kind numpy has, compressed or not, come back bit for bit."""
    tensors = {name: each for name, each in arrays(brain=False).items()}
    how(tmp_path / "x.npz", **tensors)
    same(loaded(tmp_path / "x.npz"), tensors)


@pytest.mark.parametrize("how", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("elements", [1, 7, 1000])
def test_other_orders_are_read_in_c_order(tmp_path: Path, how: object, elements: int) -> None:
    """Arrays in Fortran order or with bytes the other way round become plain ones."""
    array = np.arange(60, dtype=">f4").reshape(3, 4, 5)
    how(tmp_path / "x.npz", a=np.asfortranarray(array), b=array)
    same(loaded(tmp_path / "x.npz"), dict.fromkeys("ab", array.astype("<f4")))
    with open_checkpoint(tmp_path / "x.npz") as checkpoint:
        pieces = [piece.tobytes() for piece in checkpoint.pieces("a", elements)]
    assert b"".join(pieces) == array.astype("<f4").tobytes()
    assert max(map(len, pieces)) <= 4 * elements


def test_numpy_loads_what_is_written(tmp_path: Path) -> None:
    """numpy.load takes our file, odd names included."""
    tensors = arrays(brain=False)
    with np.load(save(tmp_path / "x.npz", tensors), allow_pickle=False) as read:
        same(dict(read), tensors)


def test_text_is_passed_over(tmp_path: Path) -> None:
    """Arrays of words or dates are no parameters: they are passed over, and counted."""
    np.savez(tmp_path / "x.npz", a=np.ones(2), words=np.array(["a", "b"]), day=np.array(["2020-01-01"], "M8[D]"))
    with open_checkpoint(tmp_path / "x.npz") as checkpoint:
        assert list(checkpoint.entries) == ["a"]
        assert checkpoint.notes == ("2 members that hold no numbers were passed over",)


@pytest.mark.parametrize(
    "array",
    [np.array([{}], object), np.zeros(2, [("a", "f4")]), np.ones(2, ml_dtypes.bfloat16)],
    ids=["objects", "fields", "bfloat16"],
)
def test_what_is_no_plain_number_is_refused(tmp_path: Path, array: np.ndarray) -> None:
    """Objects, fields and raw bytes are refused by name, and nothing of them is unpickled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.savez(tmp_path / "x.npz", odd=array)
    with pytest.raises(CheckpointError, match=r"no plain numbers(.|\n)*odd"):
        open_checkpoint(tmp_path / "x.npz")


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_what_numpy_lacks_is_not_written(tmp_path: Path, dtype: type) -> None:
    """numpy has no bfloat16: the refusal says which format has, and leaves no file."""
    with pytest.raises(CheckpointError, match=r"numpy's own files have no (.|\n)*safetensors"):
        save(tmp_path / "x.npz", {"a": np.ones(2, dtype)})
    assert not list(tmp_path.iterdir())


def member(descr: str = "<f4", shape: object = (2,), content: bytes = bytes(8), order: object = False) -> bytes:
    """An array's bytes by hand."""
    text = repr({"descr": descr, "fortran_order": order, "shape": shape}).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip by hand; a name may stand in it twice."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


BAD = {
    "a name twice": (packed(("a.npy", member()), ("a.npy", member())), "stands twice"),
    "too few bytes": (packed(("a.npy", member(content=bytes(7)))), "do not fit"),
    "too many bytes": (packed(("a.npy", member(content=bytes(9)))), "do not fit"),
    "a giant": (packed(("a.npy", member(shape=(1 << 62,)))), "claims the shape"),
    "a negative axis": (packed(("a.npy", member(shape=(-1,)))), "claims the shape"),
    "no shape": (packed(("a.npy", member(shape="x"))), "claims the shape"),
    "truth as a length": (packed(("a.npy", member(shape=(True,), content=bytes(4)))), "claims the shape"),
    "too many axes": (packed(("a.npy", member(shape=(1,) * 70, content=bytes(4)))), "70 axes"),
    "a member without a name": (packed(("n.npy", member())).replace(b"n.npy", b"\0.npy"), "no parameters"),
    "no array": (packed(("a.npy", b"hello, this is text")), "no array"),
    "code in a header": (packed(("a.npy", member().replace(b"False", b"exit("))), "cannot be read"),
    "a bomb": (
        packed(("a.npy", member(shape=(1 << 23,), content=bytes(1 << 25)).ljust(1)), method=zipfile.ZIP_BZIP2),
        "unusual way",
    ),
    "a zip of nothing known": (packed(("readme.txt", b"hello")), "no parameters"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path: Path, case: str) -> None:
    """What is wrong with a file is said, and where."""
    content, match = BAD[case]
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        open_checkpoint(tmp_path / "x.npz")
    assert "x.npz" in str(caught.value)


def test_a_claim_that_no_deflated_bytes_can_hold_is_refused(tmp_path: Path) -> None:
    """A member that claims to inflate to more than deflate can make is refused before memory is taken."""
    content = packed(("a.npy", member(shape=(1 << 10,), content=bytes(1 << 12))), method=zipfile.ZIP_DEFLATED)
    true = len(member(shape=(1 << 10,), content=bytes(1 << 12)))
    forged = content.replace(struct.pack("<I", true), struct.pack("<I", 3_000_000_000))
    (tmp_path / "x.npz").write_bytes(forged)
    with pytest.raises(CheckpointError, match="more bytes than it can hold"):
        open_checkpoint(tmp_path / "x.npz")


def test_a_member_that_ends_early_is_refused_when_read(tmp_path: Path) -> None:
    """Deflated bytes that do not hold what they claim give an error, not a tensor of leftovers."""
    true = len(member(shape=(100,), content=bytes(400)))
    content = packed(("a.npy", member(shape=(200,), content=bytes(400))), method=zipfile.ZIP_DEFLATED)
    (tmp_path / "x.npz").write_bytes(content.replace(struct.pack("<I", true), struct.pack("<I", true + 400)))
    with open_checkpoint(tmp_path / "x.npz") as checkpoint, pytest.raises(CheckpointError):
        checkpoint.read("a")


def test_a_wrong_checksum_is_found(tmp_path: Path) -> None:
    """A flipped bit in deflated numbers does not pass for a number."""
    np.savez_compressed(tmp_path / "x.npz", a=np.random.default_rng(0).standard_normal(1000))
    content = bytearray((tmp_path / "x.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "x.npz").write_bytes(content)
    with open_checkpoint(tmp_path / "x.npz") as checkpoint, pytest.raises(CheckpointError):
        checkpoint.read("a")
