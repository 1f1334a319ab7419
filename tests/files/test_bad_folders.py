"""Files that are no arrays, and folders that hold none: each says what, where, and what to do; nothing runs."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tracer
from tests.files.folders import save
from tracer.errors import RuleError, TraceFileError

X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Bomb:
    """Unpickled it would leave a mark."""

    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.fixture
def good(tmp_path) -> Path:
    return save(tmp_path / "good", [("0_fc1", X), ("1_fc2", X + 1)])


def refused(reference: object, candidate: object, kind: type = TraceFileError, **options: object):
    """What the diff says, and that it says all three beats."""
    with pytest.raises(kind) as caught:
        tracer.diff(reference, candidate, **options)
    assert caught.value.where
    assert caught.value.then
    return caught.value


def bad(tmp_path: Path, content: bytes, name: str = "2_bad.npy") -> Path:
    folder = save(tmp_path / "bad", [("0_fc1", X), ("1_fc2", X + 1)])
    (folder / name).write_bytes(content)
    return folder


def npy(tmp_path: Path, array: np.ndarray, **options: object) -> bytes:
    np.save(tmp_path / "one.npy", array, **options)
    return (tmp_path / "one.npy").read_bytes()


def test_an_empty_folder_is_told(good, tmp_path):
    """Nothing lies in it."""
    (tmp_path / "empty").mkdir()
    assert "no .npy" in refused(good, tmp_path / "empty").what


def test_a_folder_without_arrays_is_told(good, tmp_path):
    """Only a text lies in it."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("1")
    assert "no .npy" in refused(tmp_path / "texts", good).what


def test_a_folder_that_is_not_there_is_told(good, tmp_path):
    """As a trace that is not there."""
    refused(good, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"not an array", b"\x93NUMPY", b"\x93NUMPY\x01\x00v\x00{'descr'", b"PK\x03\x04"]
)
def test_a_broken_file_is_named(good, tmp_path, content):
    """The error names the file."""
    assert refused(good, bad(tmp_path, content)).where.endswith("2_bad.npy")


def test_a_header_that_is_code_is_not_run(good, tmp_path):
    """A header is read as a literal."""
    header = b"{'descr': __import__('os').mkdir('exploded'), 'fortran_order': False, 'shape': (1,)}".ljust(118) + b"\n"
    refused(good, bad(tmp_path, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header))
    assert not Path("exploded").exists()


def test_a_file_that_was_cut_off_is_told(good, tmp_path):
    """Its header promises more than is there."""
    content = npy(tmp_path, np.zeros((50, 50), np.float32))
    assert "cut off" in refused(good, bad(tmp_path, content[:-400])).what


def test_a_shape_larger_than_the_file_takes_no_memory(good, tmp_path):
    """A header may say anything."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000, 1000)}".ljust(118) + b"\n"
    refused(good, bad(tmp_path, b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickled_objects_are_refused(good, tmp_path, monkeypatch, suffix):
    """What they would run does not run."""
    monkeypatch.chdir(tmp_path)
    array = np.array([Bomb()], dtype=object)
    if suffix == ".npz":
        np.savez(tmp_path / "one.npz", x=array)
        content = (tmp_path / "one.npz").read_bytes()
    else:
        content = npy(tmp_path, array, allow_pickle=True)
    error = refused(good, bad(tmp_path, content, "2_bad" + suffix))
    assert "pickled" in error.what
    assert not (tmp_path / "exploded").exists()


def test_a_bare_pickle_is_refused(good, tmp_path, monkeypatch):
    """A file that is a pickle throughout."""
    monkeypatch.chdir(tmp_path)
    refused(good, bad(tmp_path, pickle.dumps(Bomb())))
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array(["2020-01-01"], "M8[D]"), np.zeros(2, "f4,i4")])
def test_what_is_no_number_is_refused(good, tmp_path, array):
    """Text, dates and records."""
    assert "not numbers" in refused(good, bad(tmp_path, npy(tmp_path, array))).what


def test_text_in_an_archive_is_refused(good, tmp_path):
    """The error names the array in the archive."""
    np.savez(tmp_path / "labels.npz", a=X, labels=np.array(["cat", "dog"]))
    assert refused(good, tmp_path / "labels.npz").where.endswith("labels.npz:labels")


def test_bfloat16_without_its_name_says_how_to_save_it(good, tmp_path):
    """numpy saves it as bytes."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    error = refused(good, bad(tmp_path, npy(tmp_path, X.astype(ml_dtypes.bfloat16))))
    assert "float32" in error.then


def test_two_arrays_of_one_name_in_an_archive_are_refused(good, tmp_path):
    """Nobody knows which is meant."""
    (tmp_path / "twice").mkdir()
    with zipfile.ZipFile(tmp_path / "twice" / "x.npz", "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            archive.writestr("fc1.npy", npy(tmp_path, X))
    assert "one name" in refused(good, tmp_path / "twice").what


def test_a_broken_archive_is_named(good, tmp_path):
    """The error names it."""
    assert refused(good, bad(tmp_path, b"PK\x03\x04broken", "x.npz")).where.endswith("x.npz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_named(good, tmp_path):
    """Without the right to read it."""
    folder = bad(tmp_path, npy(tmp_path, X))
    (folder / "2_bad.npy").chmod(0)
    assert "cannot be read" in refused(good, folder).what


def test_a_file_that_only_does_not_name_may_be_broken(good, tmp_path):
    """It is passed over and said."""
    report = tracer.diff(good, bad(tmp_path, b"broken"), only="*fc*")
    assert report.verdict == "agree"
    assert any("2_bad.npy" in note for note in report.diagnosis.notes)


def test_one_array_and_a_folder_are_told(good):
    """The folder of the array is to be given."""
    assert "one array" in refused(good / "0_fc1.npy", good, RuleError).what


def test_two_single_arrays_are_told(good):
    """Neither is a trace."""
    refused(good / "0_fc1.npy", good / "1_fc2.npy", TraceFileError)


def test_a_folder_and_what_is_no_trace_are_told(good, tmp_path):
    """A text is no trace."""
    (tmp_path / "a.h5").write_text("text")
    refused(good, tmp_path / "a.h5")


def test_rules_are_refused(good, tmp_path):
    """They say what layers mean."""
    (tmp_path / "rules.toml").write_text('[[layer]]\nkind = "Mine"\nop = "linear"\n')
    assert "files have no layers" in refused(good, good, RuleError, rules=tmp_path / "rules.toml").what


def test_a_glob_that_names_no_file_is_refused(good):
    """And the nearest names are said."""
    assert "no file" in refused(good, good, RuleError, only="0_fc9").what


@pytest.mark.parametrize("pin", ["0_fc1=nothing", "nothing=0_fc1", "fc=1_fc2"])
def test_a_pin_that_names_no_file_is_refused(good, pin):
    """And the nearest names are said."""
    assert "has not" in refused(good, good, RuleError, pins=pin).what


def test_two_pins_of_one_file_are_refused(good):
    """A file has one partner."""
    assert "the same file" in refused(good, good, RuleError, pins=["0_fc1=0_fc1", "1_fc2=0_fc1"]).what


def test_a_pin_that_names_two_files_is_refused(tmp_path):
    """It says which there are."""
    folder = save(tmp_path, [("a/fc1", X), ("b/fc1", X)])
    assert "a/fc1.npy" in refused(folder, folder, RuleError, pins="fc1=a/fc1").then


def test_a_damaged_array_in_an_archive_is_told(tmp_path, good):
    """Its checksum does not fit; that shows when it is read."""
    np.savez(tmp_path / "x.npz", fc1=X, fc2=X + 1)
    content = bytearray((tmp_path / "x.npz").read_bytes())
    at = content.index((X + 1).tobytes())
    content[at : at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "x.npz").write_bytes(content)
    assert "x.npz:fc2" in refused(good, tmp_path / "x.npz").where
