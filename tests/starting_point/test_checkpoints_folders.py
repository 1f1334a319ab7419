"""Parameters over several files: shards, Hugging Face folders, and folders that leave a choice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.starting_point.checkpoint_files import loaded, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import open_checkpoint

A, B = {"a": np.ones(2, np.float32)}, {"b": np.zeros((2, 2), np.float32)}


def index(folder: Path, places: dict[str, object], name: str = "model.safetensors.index.json") -> Path:
    """Write an index of shards."""
    (folder / name).write_text(json.dumps({"metadata": {"total_size": 24}, "weight_map": places}))
    return folder / name


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize("by", ["folder", "index"])
def test_shards_are_one_checkpoint(tmp_path: Path, suffix: str, by: str) -> None:
    """Shards with an index are read together, by the folder or by the index."""
    save(tmp_path / f"model-1-of-2.{suffix}", A)
    save(tmp_path / f"model-2-of-2.{suffix}", B)
    path = index(tmp_path, {"a": f"model-1-of-2.{suffix}", "b": f"model-2-of-2.{suffix}"}, f"model.{suffix}.index.json")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    same(loaded(tmp_path if by == "folder" else path), A | B)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin", "x.pth", "x.ckpt", "x.npz", "other.bin"])
def test_a_folder_of_one_file_is_that_file(tmp_path: Path, name: str) -> None:
    """A folder stands for the file of parameters in it."""
    save(tmp_path / name, A)
    (tmp_path / "README.md").write_text("hello")
    same(loaded(tmp_path), A)


def test_safetensors_go_before_pickles(tmp_path: Path) -> None:
    """Where both are there the safetensors are taken, and the other is named."""
    save(tmp_path / "model.safetensors", A)
    save(tmp_path / "pytorch_model.bin", B)
    with open_checkpoint(tmp_path) as checkpoint:
        assert list(checkpoint.entries) == ["a"]
        assert checkpoint.notes == ("took model.safetensors; the folder also holds pytorch_model.bin",)


def test_a_folder_with_a_choice_is_not_chosen_from(tmp_path: Path) -> None:
    """Several files of which none is the usual one are listed."""
    save(tmp_path / "best.pth", A)
    save(tmp_path / "last.pth", A)
    with pytest.raises(CheckpointError, match=r"best.pth, last.pth(.|\n)*name one"):
        open_checkpoint(tmp_path)


def test_a_folder_of_nothing_is_refused(tmp_path: Path) -> None:
    """A folder without parameters is refused."""
    with pytest.raises(CheckpointError, match="holds no parameters"):
        open_checkpoint(tmp_path)


def test_tied_names_of_a_shard_stay_tied(tmp_path: Path) -> None:
    """What is tied within a shard is tied in the whole."""
    save(tmp_path / "x.bin", A | {"c": A["a"]}, tied={"c": "a"})
    save(tmp_path / "y.bin", B)
    path = index(tmp_path, {"a": "x.bin", "c": "x.bin", "b": "y.bin"}, "m.bin.index.json")
    with open_checkpoint(path) as checkpoint:
        assert dict(checkpoint.tied) == {"c": "a"}


def test_what_the_index_does_not_name_is_passed_over(tmp_path: Path) -> None:
    """Tensors of a shard that the index does not place there are passed over, and counted."""
    save(tmp_path / "x.safetensors", A | B)
    with open_checkpoint(index(tmp_path, {"a": "x.safetensors"})) as checkpoint:
        assert list(checkpoint.entries) == ["a"]
        assert any(note.startswith("1 tensors") for note in checkpoint.notes)


def test_a_quantised_folder_is_refused(tmp_path: Path) -> None:
    """The folder's configuration says that its weights are packed: refused by the method's name."""
    save(tmp_path / "model.safetensors", A)
    (tmp_path / "config.json").write_text('{"quantization_config": {"quant_method": "awq"}}')
    with pytest.raises(CheckpointError, match="awq"):
        open_checkpoint(tmp_path)


BAD = {
    "a missing shard": ({"a": "y.safetensors"}, "shard y.safetensors is missing"),
    "a missing name": ({"a": "x.safetensors", "z": "x.safetensors"}, "1 names of the index(.|\n)*'z'"),
    "a shard above": ({"a": "../x.safetensors"}, "elsewhere"),
    "a shard anywhere": ({"a": "/etc/passwd"}, "elsewhere"),
    "itself": ({"a": "model.safetensors.index.json"}, "elsewhere"),
    "no name": ({"a": ""}, "elsewhere"),
    "a number": ({"a": 3}, "no index"),
    "nothing": ({}, "names nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_index_is_refused(tmp_path: Path, case: str) -> None:
    """What is wrong with an index is said; no file elsewhere is opened."""
    save(tmp_path / "x.safetensors", A)
    places, match = BAD[case]
    with pytest.raises(CheckpointError, match=match):
        open_checkpoint(index(tmp_path, places))


@pytest.mark.parametrize(
    "text", ["{", '{"weight_map": {"a": "x", "a": "y"}}', "{}", '{"weight_map": []}', "[" * 99999, "\xff"]
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """JSON that is no index, or none at all, gives a clear error."""
    (tmp_path / "model.safetensors.index.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path)


STRANGERS = {
    "empty": (b"", "empty"),
    "words": (b"hello, this is a text of some length", "no checkpoint"),
    "GGUF": (b"GGUF\x03" + bytes(40), "GGUF"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "an array": (b"\x93NUMPY\x01\x00" + bytes(40), "one array"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "a page": (b"<!doctype html><html>404", "web page"),
    "a tar": (bytes(257) + b"ustar" + bytes(300), "tar"),
    "an old zip": (b"PK\x03\x04" + bytes(40), "zip"),
}


@pytest.mark.parametrize("suffix", ["pth", "safetensors", "ckpt", "npz"])
@pytest.mark.parametrize("case", STRANGERS)
def test_a_file_of_another_kind_is_named(tmp_path: Path, case: str, suffix: str) -> None:
    """Whatever its name says, a file of another kind is called what it is."""
    content, match = STRANGERS[case]
    (tmp_path / f"x.{suffix}").write_bytes(content)
    with pytest.raises(CheckpointError, match=match) as caught:
        open_checkpoint(tmp_path / f"x.{suffix}")
    assert "next:" in str(caught.value)


@pytest.mark.parametrize("first", ["pth", "safetensors", "ckpt", "npz"])
@pytest.mark.parametrize("second", ["pth", "safetensors", "ckpt", "npz", "txt"])
def test_the_content_says_the_format(tmp_path: Path, first: str, second: str) -> None:
    """A file under another ending is read as what it is."""
    save(tmp_path / f"x.{first}", A).rename(tmp_path / f"y.{second}")
    with open_checkpoint(tmp_path / f"y.{second}") as checkpoint:
        assert checkpoint.format == first


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    """A path that leads nowhere, or an empty list of paths, is refused."""
    for path in (tmp_path / "x.pth", []):
        with pytest.raises(CheckpointError):
            open_checkpoint(path)


def test_a_closed_checkpoint_says_so(tmp_path: Path) -> None:
    """Reading after closing, or a name that is not there, gives a clear error; closing twice does not."""
    checkpoint = open_checkpoint(save(tmp_path / "x.pth", A))
    with pytest.raises(CheckpointError, match="no parameter 'z'"):
        checkpoint.read("z")
    checkpoint.close()
    checkpoint.close()
    with pytest.raises(CheckpointError, match="closed"):
        checkpoint.read("a")


def test_a_folder_of_ranks_is_told_from_an_empty_one(tmp_path: Path) -> None:
    """Every device saved into a folder of its own; the error says what to give."""
    for rank in ("rank_0", "rank_1"):
        (tmp_path / rank).mkdir()
        (tmp_path / rank / "net.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"a folder of ranks: rank_0, rank_1") as caught:
        open_checkpoint(tmp_path)
    assert "rank_0" in caught.value.then
