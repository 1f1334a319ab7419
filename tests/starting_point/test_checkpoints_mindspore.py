"""What mindspore.save_checkpoint wrote is read bit for bit, and MindSpore loads what is written here."""

from __future__ import annotations

import binascii
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tests.starting_point.checkpoint_files import arrays, loaded, python, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import ckpt, open_checkpoint

pytestmark = pytest.mark.mindspore

WRITE = """
import mindspore as ms, numpy as np
from mindspore import nn, Tensor
kinds = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool_"]
rows = [{"name": kind, "data": Tensor(np.arange(6).reshape(2, 3), ms.int32).astype(getattr(ms, kind))} for kind in kinds]
rows += [{"name": "zero_d", "data": Tensor(2.5, ms.float32)}, {"name": "one", "data": Tensor([2.5], ms.float32)}]
ms.save_checkpoint(rows, "kinds.ckpt")
ms.save_checkpoint(rows, "checked.ckpt", crc_check=True)
ms.save_checkpoint(rows, "appended.ckpt", append_dict={"epoch": 3, "text": "with words"})
ms.save_checkpoint(rows, "kinds.safetensors", format="safetensors")
ms.save_checkpoint([{"name": "wave", "data": Tensor(np.array([1j, 2]), ms.complex64)}], "wave.ckpt")
net = nn.SequentialCell(nn.Dense(3, 4), nn.BatchNorm1d(4))
ms.save_checkpoint(net, "net.ckpt")
train = nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), nn.Adam(net.trainable_params()))
ms.save_checkpoint(train, "train.ckpt")
np.savez("net.npz", **{name: each.asnumpy() for name, each in net.parameters_and_names()})
import mindspore.train.serialization as s
s.SLICE_SIZE = 1
large = np.random.default_rng(0).standard_normal((37, 41)).astype(np.float32)
np.save("large.npy", large)
ms.save_checkpoint([{"name": "a", "data": Tensor(large)}, {"name": "b", "data": Tensor(large)}], "sliced.ckpt")
s._exec_save("rows.ckpt", {"a": [[37, 41], "Float32", large]})
"""

READ = """
import mindspore as ms, numpy as np, sys
found = ms.load_checkpoint(sys.argv[1], format=sys.argv[1].rpartition(".")[2])
for name, each in found.items():
    numbers = each.astype(ms.float32) if each.dtype == ms.bfloat16 else each
    print(repr(name), tuple(each.shape), str(each.dtype), numbers.asnumpy().tobytes().hex(), sep="|")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of checkpoints written by MindSpore in a process of its own."""
    folder = tmp_path_factory.mktemp("mindspore")
    python(WRITE, folder)
    return folder


KINDS = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "uint16", "bool"]


@pytest.mark.parametrize("file", ["kinds.ckpt", "checked.ckpt", "appended.ckpt", "kinds.safetensors"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_dtype_is_read(folder: Path, file: str, kind: str) -> None:
    """Each dtype MindSpore saves is read with its shape and bits."""
    dtype = np.dtype(getattr(ml_dtypes, kind, None) or kind)
    with open_checkpoint(folder / file) as checkpoint:
        name = kind if kind != "bool" else "bool_"
        same({name: checkpoint.read(name)}, {name: np.arange(6).reshape(2, 3).astype(dtype)})
        assert checkpoint.framework == "mindspore"


@pytest.mark.parametrize(("name", "shape"), [("zero_d", ()), ("one", (1,))])
def test_single_numbers_keep_their_axes(folder: Path, name: str, shape: tuple[int, ...]) -> None:
    """A number without an axis and a number on one axis are told apart."""
    assert loaded(folder / "kinds.ckpt")[name].shape == shape


def test_a_net_is_read(folder: Path) -> None:
    """The parameters of a cell are those that numpy saw."""
    same(loaded(folder / "net.ckpt"), dict(np.load(folder / "net.npz")))


@pytest.mark.parametrize("file", ["sliced.ckpt", "rows.ckpt"])
def test_slices_become_one_tensor(folder: Path, file: str) -> None:
    """What MindSpore split into several values of one name is one tensor, in pieces of any size too."""
    large = np.load(folder / "large.npy")
    with open_checkpoint(folder / file) as checkpoint:
        assert len(checkpoint.stored["a"].source.runs) > 1
        same({"a": checkpoint.read("a")}, {"a": large})
        assert b"".join(piece.tobytes() for piece in checkpoint.pieces("a", 100)) == large.tobytes()


def test_an_optimizer_is_passed_over(folder: Path) -> None:
    """Of a training cell only the net's own parameters are taken, and the note says what was left."""
    with open_checkpoint(folder / "train.ckpt") as checkpoint:
        assert set(checkpoint.entries) == set(np.load(folder / "net.npz"))
        assert any("optimizer" in note and "moment1" in note for note in checkpoint.notes)


def test_words_are_passed_over(folder: Path) -> None:
    """What was appended and is no tensor is passed over, and said."""
    with open_checkpoint(folder / "appended.ckpt") as checkpoint:
        assert "text" not in checkpoint.entries
        assert checkpoint.notes == ("1 things that are no tensor were passed over",)


def test_complex_numbers_are_read(folder: Path) -> None:
    """Complex numbers that MindSpore writes and cannot load are read."""
    np.testing.assert_array_equal(loaded(folder / "wave.ckpt")["wave"], np.array([1j, 2], np.complex64))


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
def test_mindspore_loads_what_is_written(tmp_path: Path, suffix: str) -> None:
    """mindspore.load_checkpoint takes our file: names, shapes, dtypes and bits."""
    tensors = {name: each for name, each in arrays(complexes=False).items() if each.dtype != np.float64}
    path = save(tmp_path / f"x{suffix}", tensors, framework="mindspore")
    found = {}
    for line in python(READ, tmp_path, str(path)).splitlines():
        name, shape, dtype, numbers = line.split("|")
        found[eval(name)] = (shape, dtype.lower(), numbers)
    for name, each in tensors.items():
        wide = each.astype(np.float32) if each.dtype == ml_dtypes.bfloat16 else each
        assert found[name] == (str(each.shape), each.dtype.name, wide.tobytes().hex())


def test_mindspore_loads_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tensor that is written in slices is one tensor to MindSpore, and to us."""
    monkeypatch.setattr(ckpt, "SLICE", 1000)
    tensors = {"a": np.arange(1000, dtype=np.float32).reshape(10, 100), "b": np.ones(250, np.float32), "c": np.ones(1)}
    path = save(tmp_path / "x.ckpt", tensors)
    with open_checkpoint(path) as checkpoint:
        assert [len(each.source.runs) for each in checkpoint.stored.values()] == [4, 1, 1]
    same(loaded(path), tensors)
    lines = python(READ, tmp_path, str(path)).splitlines()
    assert [line.split("|")[3] for line in lines] == [each.tobytes().hex() for each in tensors.values()]


def test_several_files_are_one_checkpoint(tmp_path: Path) -> None:
    """A list of checkpoints, or a folder of them, holds what they hold together."""
    one = save(tmp_path / "a.ckpt", {"a": np.ones(2)})
    two = save(tmp_path / "b.ckpt", {"b": np.zeros(2)})
    for path in ([two, one], tmp_path):
        with open_checkpoint(path) as checkpoint:
            assert set(checkpoint.entries) == {"a", "b"}
            assert checkpoint.read("b").sum() == 0


def test_a_name_in_two_files_is_refused(tmp_path: Path) -> None:
    """Two files that hold one name do not belong together: both are named."""
    save(tmp_path / "net-1.ckpt", {"a": np.ones(2)})
    save(tmp_path / "net-2.ckpt", {"a": np.ones(2)})
    with pytest.raises(CheckpointError, match=r"'a' stands in two files(.|\n)*net-1.ckpt, net-2.ckpt"):
        open_checkpoint(tmp_path)


def value(tag: bytes, kind: bytes, dims: bytes, content: bytes) -> bytes:
    """A value of the message by hand; lengths below 128."""
    tensor = dims + b"\x12" + bytes([len(kind)]) + kind + b"\x1a" + bytes([len(content)]) + content
    inner = b"\x0a" + bytes([len(tag)]) + tag + b"\x12" + bytes([len(tensor)]) + tensor
    return b"\x0a" + bytes([len(inner)]) + inner


ONE = value(b"a", b"Float32", b"\x08\x01", bytes(4))
TWO = value(b"b", b"Float32", b"\x08\x01", bytes(4))

BAD = {
    "a name again": (ONE + TWO + ONE, "twice"),
    "slices of two shapes": (ONE + value(b"a", b"Float32", b"\x08\x02", bytes(8)), "slices"),
    "too few bytes": (value(b"a", b"Float32", b"\x08\x02", bytes(4)), "do not fit"),
    "too many bytes": (value(b"a", b"Float32", b"\x08\x02", bytes(9)), "do not fit"),
    "a giant": (value(b"a", b"Float32", b"\x08" + b"\xff" * 8 + b"\x7f", bytes(4)), "claims the shape"),
    "a negative axis": (value(b"a", b"Float32", b"\x08" + b"\xff" * 9 + b"\x01", bytes(4)), "claims the shape"),
    "an endless number": (b"\x0a" + b"\xff" * 20, "within a number"),
    "quantised": (value(b"a", b"Int4", b"\x08\x02", bytes(1)), "no plain parameters"),
    "quantised too": (value(b"a", b"QInt8", b"\x08\x02", bytes(2)), "no plain parameters"),
    "an unknown dtype": (value(b"a", b"Float3", b"\x08\x02", bytes(4)), "unknown dtype 'Float3'"),
    "no utf-8": (value(b"\xff\xfe", b"Float32", b"\x08\x01", bytes(4)), "utf-8"),
    "a wrong checksum": (ONE + b"crc_num" + bytes(10), "checksum"),
    "a table": (b"\x0a\x05\x0a\x01a\x1a\x00", "MapParameter"),
    "cut in a value": (ONE + TWO[:-3], "behind its message"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_checkpoint_is_refused(tmp_path: Path, case: str) -> None:
    """What is wrong with a checkpoint is said, and where."""
    content, match = BAD[case]
    (tmp_path / "x.ckpt").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        open_checkpoint(tmp_path / "x.ckpt")
    assert "x.ckpt" in str(caught.value)
    assert "next:" in str(caught.value)


def test_a_right_checksum_is_accepted(tmp_path: Path) -> None:
    """The checksum behind the message is held against the bytes before it."""
    (tmp_path / "x.ckpt").write_bytes(ONE + b"crc_num" + binascii.crc32(ONE).to_bytes(10, "big"))
    assert loaded(tmp_path / "x.ckpt")["a"].shape == (1,)


def test_packed_dims_and_unknown_fields_are_read(tmp_path: Path) -> None:
    """Dims may stand packed, and fields of later versions are passed over, as protobuf has it."""
    packed = value(b"a", b"Float32", b"\x0a\x02\x01\x02", bytes(8))
    (tmp_path / "x.ckpt").write_bytes(packed + b"\x78\x05" + b"\x7a\x02xx" + b"\x79" + bytes(8) + b"\x7d" + bytes(4))
    assert loaded(tmp_path / "x.ckpt")["a"].shape == (1, 2)


def test_older_numbers_without_axes_are_read(tmp_path: Path) -> None:
    """Older MindSpore says the shape [0] of a single number."""
    (tmp_path / "x.ckpt").write_bytes(value(b"a", b"Float32", b"\x08\x00", bytes(4)))
    assert loaded(tmp_path / "x.ckpt")["a"].shape == ()


@pytest.mark.parametrize(
    ("tensor", "match"),
    [(np.ones(2, np.complex64), "no complex64"), (np.zeros(0, np.float32), "no numbers"),
     (np.ones(2, ml_dtypes.float8_e5m2), "no float8_e5m2")],
)  # fmt: skip
def test_what_mindspore_would_not_load_is_not_written(tmp_path: Path, tensor: np.ndarray, match: str) -> None:
    """What mindspore.load_checkpoint cannot take, or takes for something else, is refused before a byte is written."""
    with pytest.raises(CheckpointError, match=match):
        save(tmp_path / "x.ckpt", {"a": tensor})
    assert not list(tmp_path.iterdir())
