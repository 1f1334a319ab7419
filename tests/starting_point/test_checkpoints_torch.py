"""What torch.save wrote is read bit for bit, in both of its formats, without torch."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.starting_point.checkpoint_files import arrays, bits, loaded, python, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint

pytestmark = pytest.mark.torch

base = torch.arange(24.0).reshape(2, 3, 4)
wave = torch.complex(torch.ones(3), torch.arange(3.0))


def unshared() -> OrderedDict[str, torch.Tensor]:
    """Tensors as they lie in storages: whole, as views, in other orders, of every dtype."""
    return OrderedDict(
        whole=base,
        rows=base[1:],
        column=base[:, :, 2],
        steps=base[:, ::2, 1::2],
        transposed=base.permute(2, 0, 1),
        matrix=torch.arange(6).reshape(2, 3).T,
        channels_last=torch.arange(48.0).reshape(1, 3, 4, 4).to(memory_format=torch.channels_last),
        expanded=torch.arange(3).expand(4, 3),
        parameter=torch.nn.Parameter(torch.ones(2, 2)),
        asks=torch.ones(2, requires_grad=True),
        scalar=torch.tensor(3.5),
        integer=torch.tensor(7),
        empty=torch.empty(0, 3),
        none=torch.empty(0),
        mask=torch.tensor([True, False]),
        half=torch.ones(3).half(),
        brain=torch.tensor([1.5, -2]).bfloat16(),
        double=torch.ones(2).double(),
        i8=torch.tensor([-1, 2]).to(torch.int8),
        u8=torch.tensor([1, 2]).to(torch.uint8),
        i16=torch.tensor([-1, 2]).to(torch.int16),
        i32=torch.tensor([-1, 2]).to(torch.int32),
        wave=wave,
        conjugate=wave.conj(),
        negative=(wave * 2).conj().imag,
    )


NEWER = [
    "uint16",
    "uint32",
    "uint64",
    "float8_e4m3fn",
    "float8_e5m2",
    "float8_e4m3fnuz",
    "float8_e5m2fnuz",
    "complex128",
]


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "legacy"])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tensors saved by torch."""
    path = tmp_path_factory.mktemp("torch") / "net.pth"
    torch.save(unshared(), path, _use_new_zipfile_serialization=request.param)
    return path


@pytest.mark.parametrize("name", list(unshared()))
def test_a_tensor_is_read_as_torch_has_it(saved: Path, name: str) -> None:
    """Whatever view of a storage a tensor is, shape, dtype and bits are torch's own."""
    expected = bits(unshared()[name])
    with open_checkpoint(saved) as checkpoint:
        same({name: checkpoint.read(name)}, {name: expected})


@pytest.mark.parametrize("elements", [1, 3, 5, 1000])
@pytest.mark.parametrize(
    "name", ["whole", "column", "steps", "transposed", "channels_last", "expanded", "scalar", "none"]
)
def test_pieces_are_flat_and_in_order(saved: Path, name: str, elements: int) -> None:
    """Pieces hold at most what was asked for, and one behind the other they are the tensor."""
    with open_checkpoint(saved) as checkpoint:
        pieces = list(checkpoint.pieces(name, elements))
    assert all(piece.ndim == 1 and 0 < piece.size <= elements for piece in pieces)
    whole = np.concatenate([np.empty(0, bits(unshared()[name]).dtype), *pieces])
    assert whole.tobytes() == bits(unshared()[name]).tobytes()


def test_what_is_read_may_be_written_to(saved: Path) -> None:
    """An array that was read is the reader's own: changing it changes nothing else."""
    with open_checkpoint(saved) as checkpoint:
        first = checkpoint.read("transposed")
        first[...] = 0
        assert checkpoint.read("transposed").any()
        assert first.flags.c_contiguous


@pytest.mark.parametrize("name", NEWER)
def test_younger_dtypes_are_read(tmp_path: Path, name: str) -> None:
    """Dtypes that torch keeps in untyped storages come through bit for bit."""
    tensor = torch.tensor([0, 1, 2, 3]).to(getattr(torch, name)).reshape(2, 2)
    torch.save({"x": tensor, "t": tensor.T}, tmp_path / "x.pth")
    same(loaded(tmp_path / "x.pth"), {"x": bits(tensor), "t": bits(tensor.T)})


def test_tied_parameters_are_named(tmp_path: Path) -> None:
    """A name that shows the same storage in the same way is tied to the earlier one; another view of it is not."""
    weight = torch.nn.Parameter(torch.ones(3, 2))
    torch.save({"embed": weight, "head": weight, "view": weight.T, "other": torch.ones(3, 2)}, tmp_path / "x.pth")
    with open_checkpoint(tmp_path / "x.pth") as checkpoint:
        assert dict(checkpoint.tied) == {"head": "embed"}


def test_a_state_dict_is_read(tmp_path: Path) -> None:
    """The state dict of a net, with its metadata, has torch's names in torch's order."""
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.LSTM(4, 5))
    torch.save(net.state_dict(), tmp_path / "net.bin")
    same(loaded(tmp_path / "net.bin"), {name: bits(each) for name, each in net.state_dict().items()})


def test_attributes_of_parameters_do_no_harm(tmp_path: Path) -> None:
    """A parameter or tensor that carries attributes of its own is read without them."""
    parameter, tensor = torch.nn.Parameter(torch.ones(2)), torch.zeros(3)
    parameter.kind = tensor.kind = "router"
    torch.save({"a": parameter, "b": tensor}, tmp_path / "x.pth")
    assert {name: each.shape for name, each in loaded(tmp_path / "x.pth").items()} == {"a": (2,), "b": (3,)}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_any_pickle_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    """torch.save lets its user choose the protocol of the pickle."""
    torch.save({"a": torch.ones(2), "n": np.float64(3)}, tmp_path / "x.pth", pickle_protocol=protocol)
    assert list(loaded(tmp_path / "x.pth")) == ["a"]


def test_arrays_of_numpy_beside_tensors_are_read(tmp_path: Path) -> None:
    """Numpy arrays in a state dict are parameters too, in whatever order they lie."""
    content = {
        "a": torch.ones(2),
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
    }
    content["big"] = np.arange(3, dtype=">i4")
    torch.save(content, tmp_path / "x.pth")
    read = loaded(tmp_path / "x.pth")
    for name in ("c", "f", "big"):
        np.testing.assert_array_equal(read[name], content[name])


def test_a_file_of_a_big_endian_machine_is_read(tmp_path: Path) -> None:
    """The order of bytes that the file states is heeded, for brain floats and complex numbers too."""
    tensors = {"a": torch.tensor([1.0, 2]), "b": torch.tensor([1.5]).bfloat16(), "c": torch.tensor([1 + 2j])}
    torch.save(tensors, tmp_path / "x.pth")
    import zipfile

    with zipfile.ZipFile(tmp_path / "x.pth") as old, zipfile.ZipFile(tmp_path / "big.pth", "w") as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("byteorder"):
                content = b"big"
            if "/data/" in info.filename:
                size = {8: 4, 2: 2}[len(content)]
                content = b"".join(content[n : n + size][::-1] for n in range(0, len(content), size))
            new.writestr(info.filename, content)
    same(loaded(tmp_path / "big.pth"), {name: bits(each) for name, each in tensors.items()})


def test_a_zip_that_was_packed_again_is_read(tmp_path: Path) -> None:
    """A file whose zip was deflated on the way is read all the same, views too."""
    import zipfile

    torch.save(unshared(), tmp_path / "x.pth")
    with (
        zipfile.ZipFile(tmp_path / "x.pth") as old,
        zipfile.ZipFile(tmp_path / "y.pth", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
    same(loaded(tmp_path / "y.pth"), {name: bits(each) for name, each in unshared().items()})


def test_the_name_of_the_file_has_no_say(saved: Path, tmp_path: Path) -> None:
    """A torch file is known by its content: Lightning calls its own .ckpt."""
    (tmp_path / "last.ckpt").write_bytes(saved.read_bytes())
    with open_checkpoint(tmp_path / "last.ckpt") as checkpoint:
        assert (checkpoint.format, checkpoint.framework) == ("pth", "torch")


@pytest.mark.parametrize(
    ("name", "weights_only"), [("arrays", True), ("arrays", False)], ids=["weights_only", "mapped"]
)
def test_torch_loads_what_is_written(tmp_path: Path, name: str, weights_only: bool) -> None:
    """torch.load takes our file with weights_only, and mapped into memory, bit for bit."""
    path = save(tmp_path / "x.pth", arrays())
    read = torch.load(path, weights_only=True) if weights_only else torch.load(path, weights_only=True, mmap=True)
    assert isinstance(read, OrderedDict)
    same({name: bits(each) for name, each in read.items()}, arrays())


@pytest.mark.parametrize("name", NEWER)
def test_torch_loads_younger_dtypes(tmp_path: Path, name: str) -> None:
    """Dtypes without a storage class of their own are written as torch writes them."""
    tensor = torch.tensor([0, 1, 2, 3]).to(getattr(torch, name)).reshape(2, 2)
    path = save(tmp_path / "x.pth", {"x": bits(tensor), "y": np.ones(1, np.float32)})
    same({"x": bits(torch.load(path, weights_only=True)["x"])}, {"x": bits(tensor)})


def test_tied_names_share_a_storage(tmp_path: Path) -> None:
    """Names that are said to be tied are one storage in torch again, written once."""
    weight = np.arange(60000, dtype=np.float32)
    path = save(tmp_path / "x.pth", {"a": weight, "b": weight, "c": weight[:1]}, tied={"b": "a"})
    read = torch.load(path, weights_only=True)
    assert read["a"].data_ptr() == read["b"].data_ptr() != read["c"].data_ptr()
    assert path.stat().st_size < 1.5 * weight.nbytes


def test_each_storage_lies_on_a_round_address(tmp_path: Path) -> None:
    """Storages begin on multiples of 64 bytes, so that a mapped file is as good as memory."""
    path = save(tmp_path / "x.pth", arrays())
    with open_checkpoint(path) as checkpoint:
        begins = [each.source.runs[0][0] for each in checkpoint.stored.values() if each.source.size]
    assert begins
    assert not any(begin % 64 for begin in begins)


def test_the_longer_fields_of_a_zip_keep_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Storages that need a zip's longer fields are aligned too, and torch loads them."""
    from tracer.starting_point.checkpoints import pth

    monkeypatch.setattr(pth, "_MOST_32", 8)
    path = save(tmp_path / "x.pth", arrays())
    same({name: bits(each) for name, each in torch.load(path, weights_only=True, mmap=True).items()}, arrays())
    with open_checkpoint(path) as checkpoint:
        assert not any(each.source.runs[0][0] % 64 for each in checkpoint.stored.values() if each.source.size > 8)


def test_no_framework_is_imported(saved: Path, tmp_path: Path) -> None:
    """Reading and writing load neither torch, nor MindSpore, nor the libraries of the formats."""
    code = (
        "import sys; from tracer.starting_point.checkpoints import *; c = open_checkpoint(sys.argv[1])\n"
        "[write_checkpoint('x' + s, [e for e in c.entries.values() if e.dtype == 'float32' and e.count], c.pieces)"
        " for s in ('.pth', '.safetensors', '.ckpt', '.npz')]\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert not {"torch", "mindspore", "safetensors", "google"} & set(python(code, tmp_path, str(saved)).split())


QUANTISED = """
import torch, warnings
warnings.simplefilter("ignore")
torch.save({"x": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, "q.pth")
torch.save({"x": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, "l.pth", _use_new_zipfile_serialization=False)
"""


@pytest.mark.parametrize("name", ["q.pth", "l.pth"])
def test_quantised_tensors_are_refused_by_name(tmp_path: Path, name: str) -> None:
    """A quantised tensor is no plain parameter: the refusal says so and names it."""
    python(QUANTISED, tmp_path)
    with pytest.raises(CheckpointError, match=r"quantised(.|\n)*pth: x"):
        open_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "tensor"),
    [
        ("sparse", torch.eye(3).to_sparse()),
        ("meta", torch.empty(3, device="meta")),
        ("complex32", torch.ones(2, dtype=torch.complex64)),
    ],
)
def test_tensors_without_plain_numbers_are_refused(tmp_path: Path, kind: str, tensor: torch.Tensor) -> None:
    """Sparse tensors, tensors without values and half complex ones are refused by what they are."""
    if kind == "complex32":
        python(
            "import torch, warnings; warnings.simplefilter('ignore'); torch.save({'x': torch.ones(2, dtype=torch.complex32)}, 'x.pth')",
            tmp_path,
        )
    else:
        torch.save({"x": tensor}, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=kind):
        open_checkpoint(tmp_path / "x.pth")


def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    """A TorchScript file holds code: the refusal says how to get its parameters."""
    python(
        "import torch, warnings; warnings.simplefilter('ignore'); torch.jit.script(torch.nn.Linear(2, 2)).save('x.pt')",
        tmp_path,
    )
    with pytest.raises(CheckpointError, match=r"TorchScript(.|\n)*state_dict"):
        open_checkpoint(tmp_path / "x.pt")


def test_one_number_repeated_without_end_is_not_read_whole(tmp_path: Path) -> None:
    """An expanded view may claim more numbers than memory holds; it is still read in pieces."""
    torch.save({"x": torch.zeros(1).expand(1 << 40)}, tmp_path / "x.pth")
    with open_checkpoint(tmp_path / "x.pth") as checkpoint:
        with pytest.raises(CheckpointError, match="repeats"):
            checkpoint.read("x")
        assert not next(checkpoint.pieces("x", 100)).any()
