"""Safetensors files: read as their own library reads them, and as strictly."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tests.starting_point.checkpoint_files import arrays, bits, loaded, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    """The library of the format takes our file, bfloat16 and odd names included."""
    torch_side = pytest.importorskip("safetensors.torch")

    read = torch_side.load_file(save(tmp_path / "x.safetensors", arrays()))
    same({name: bits(read[name]) for name in arrays()}, arrays())


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "bfloat16", "uint16", "uint64", "complex64"])
def test_what_the_library_wrote_is_read(tmp_path: Path, name: str) -> None:
    """Every dtype the library writes is read bit for bit."""
    torch_side = pytest.importorskip("safetensors.torch")
    import torch

    tensors = {"b": torch.tensor([[0, 1, 2]]).to(getattr(torch, name)), "a": torch.ones(())}
    torch_side.save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    found = loaded(tmp_path / "x.safetensors")
    same(dict(sorted(found.items())), {each: bits(tensors[each]) for each in "ab"})


def test_the_framework_is_that_of_the_header(tmp_path: Path) -> None:
    """The header says whose names these are, and is believed."""
    for framework in ("torch", "mindspore"):
        with open_checkpoint(save(tmp_path / "x.safetensors", {"a": np.ones(1)}, framework=framework)) as checkpoint:
            assert checkpoint.framework == framework


@pytest.mark.parametrize(("kinds", "order"), [("e8f1", "0123"), ("e8?f", "1302")])
def test_numbers_lie_on_their_address(tmp_path: Path, kinds: str, order: str) -> None:
    """Each number lies on a multiple of its size; names keep their order where it can be so, else the largest are first."""
    dtypes = {"e": np.float16, "8": np.float64, "f": np.float32, "1": np.int8, "?": np.bool_}
    tensors = {str(n): np.ones(4 if order == "0123" else 3, dtypes[kind]) for n, kind in enumerate(kinds)}
    with open_checkpoint(save(tmp_path / "x.safetensors", tensors)) as checkpoint:
        assert "".join(checkpoint.entries) == order
        for each in checkpoint.stored.values():
            assert each.source.runs[0][0] % each.dtype.itemsize == 0


def header(text: str | dict, content: bytes = b"") -> bytes:
    """A file by hand."""
    said = text.encode() if isinstance(text, str) else json.dumps(text).encode()
    return struct.pack("<Q", len(said)) + said + content


def tensor(begin: int = 0, end: int = 4, shape: object = (1,), dtype: object = "F32") -> dict:
    """A tensor's row in the header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


BAD = {
    "overlap": (header({"a": tensor(), "b": tensor(2, 6)}, bytes(6)), "overlap"),
    "one over the other": (header({"a": tensor(), "b": tensor()}, bytes(4)), "overlap"),
    "a hole": (header({"a": tensor(), "b": tensor(8, 12)}, bytes(12)), "hole"),
    "outside": (header({"a": tensor(0, 400, (100,))}, bytes(4)), "ends before its tensors"),
    "more behind": (header({"a": tensor()}, bytes(5)), "goes on behind"),
    "a name twice": (header('{"a": %s, "a": %s}' % ((json.dumps(tensor()),) * 2), bytes(4)), "'a' stands twice"),
    "backwards": (header({"a": tensor(4, 0)}, bytes(4)), "no place"),
    "a negative place": (header({"a": tensor(-4, 0)}, bytes(4)), "no place"),
    "no place": (header({"a": {"dtype": "F32", "shape": []}}, bytes(4)), "no place"),
    "not a row": (header({"a": 3}, bytes(4)), "no place"),
    "too few bytes": (header({"a": tensor(shape=(2,))}, bytes(4)), "do not fit"),
    "a giant": (header({"a": tensor(shape=(1 << 62, 4))}, bytes(4)), "claims the shape"),
    "a fraction": (header({"a": tensor(shape=(1.0,))}, bytes(4)), "claims the shape"),
    "an unknown dtype": (header({"a": tensor(dtype="F31")}, bytes(4)), "unknown dtype 'F31'"),
    "less than a byte": (header({"a": tensor(dtype="F4")}, bytes(4)), "no plain parameters"),
    "no JSON": (header("{hello", bytes(4)), "JSON"),
    "deep": (header('{"a":' + "[" * 100000, bytes(4)), "JSON"),
    "a cut header": (header({"a": tensor()})[:20], "before its header"),
    "GPTQ": (header({"l.qweight": tensor(), "l.scales": tensor(4, 8)}, bytes(8)), "GPTQ"),
    "bitsandbytes": (header({"l.weight": tensor(), "l.weight.absmax": tensor(4, 8)}, bytes(8)), "bitsandbytes"),
    "bitsandbytes 8": (header({"l.weight": tensor(), "l.SCB": tensor(4, 8)}, bytes(8)), "bitsandbytes"),
    "scaled": (header({"l.weight": tensor(0, 4, (4,), "F8_E4M3"), "l.weight_scale_inv": tensor(4, 8)}, bytes(8)), "float8"),
    "packed": (header({"l.weight_packed": tensor(dtype="I32")}, bytes(4)), "compressed"),
    "a state": (header({"l.weight.quant_state.bitsandbytes__nf4": tensor()}, bytes(4)), "bitsandbytes"),
    "MindSpore": (header({"__metadata__": {"format": "ms", "a": "Int4"}, "a": tensor()}, bytes(4)), "MindSpore's"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(tmp_path: Path, case: str) -> None:
    """What is wrong with a file is said, and where."""
    content, match = BAD[case]
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        open_checkpoint(tmp_path / "x.safetensors")
    assert "x.safetensors" in str(caught.value)
    assert "next:" in str(caught.value)


def test_scales_alone_are_parameters(tmp_path: Path) -> None:
    """Parameters of such names beside plain weights are no sign of packed ones."""
    names = ["norm.scales", "weight_scale", "l.weight", "l.weight_scale", "l.absmax", "l.qzeros"]
    assert list(loaded(save(tmp_path / "x.safetensors", dict.fromkeys(names, np.ones(2))))) == names


def test_float8_without_scales_is_read(tmp_path: Path) -> None:
    """float8 numbers that nothing scales are parameters as they are."""
    array = np.ones(2, ml_dtypes.float8_e4m3fn)
    same(loaded(save(tmp_path / "x.safetensors", {"l.weight": array})), {"l.weight": array})


def test_what_the_format_lacks_is_not_written(tmp_path: Path) -> None:
    """A dtype or name that the format cannot hold is refused before a byte is written."""
    for tensors in ({"a": np.ones(1, np.complex128)}, {"__metadata__": np.ones(1)}):
        with pytest.raises(CheckpointError):
            save(tmp_path / "x.safetensors", tensors)
    assert not list(tmp_path.iterdir())


def test_brain_floats_come_through(tmp_path: Path) -> None:
    """bfloat16 is read as ml_dtypes has it."""
    array = np.array([1.5, -2], ml_dtypes.bfloat16)
    same(loaded(save(tmp_path / "x.safetensors", {"a": array})), {"a": array})
