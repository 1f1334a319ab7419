"""A file of parameters is written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.habits.source import REPOSITORY
from tests.starting_point.checkpoint_files import arrays, loaded, same, save
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import Entry, open_checkpoint, write_checkpoint

SUFFIXES = [".pth", ".safetensors", ".ckpt", ".npz"]
TWO = {"a": np.arange(5, dtype=np.float32), "b": np.arange(6.0).reshape(2, 3)}
ENTRIES = [Entry(name, each.shape, each.dtype.name) for name, each in TWO.items()]


def convert(source: Path, target: Path) -> Path:
    """From one file to another, a piece at a time."""
    with open_checkpoint(source) as checkpoint:
        write_checkpoint(
            target, list(checkpoint.entries.values()), checkpoint.pieces, tied=checkpoint.tied,
            framework=checkpoint.framework,
        )  # fmt: skip
    return target


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".pt", ".bin"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    """Every format gives back what it was given."""
    read = loaded(save(tmp_path / f"x{suffix}", TWO))
    same({name: read[name] for name in TWO}, TWO)


@pytest.mark.parametrize("first", SUFFIXES)
def test_a_round_through_all_formats_changes_nothing(tmp_path: Path, first: str) -> None:
    """From any format through all others and back, every bit, shape and dtype stays."""
    tensors = arrays(brain=False, complexes=False)
    path = save(tmp_path / f"0{first}", tensors)
    for number, suffix in enumerate([".pth", ".ckpt", ".safetensors", ".npz", ".pth"], 1):
        path = convert(path, tmp_path / f"{number}{suffix}")
        read = loaded(path)
        same({name: read[name] for name in tensors}, tensors)
        assert len(read) == len(tensors)


DTYPES = [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_, np.int16]
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0.")  # with dots, names may mean an optimizer
NAMES = st.text(LETTERS, min_size=1, max_size=20).filter(lambda name: name != "__metadata__")


@pytest.mark.parametrize("suffix", SUFFIXES)
@given(
    kinds=st.dictionaries(
        NAMES, st.tuples(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=4)), min_size=1
    )
)
@settings(max_examples=60, deadline=None)
def test_any_tensors_come_back(suffix: str, kinds: dict) -> None:
    """Whatever names, shapes and dtypes, every format gives back what it was given."""
    random = np.random.default_rng(0)
    tensors = {}
    for name, (dtype, shape) in kinds.items():
        shape = (1,) if suffix == ".ckpt" and shape == [0] else tuple(shape)
        tensors[name] = np.frombuffer(random.bytes(int(np.prod(shape)) * 8), dtype)[: int(np.prod(shape))].reshape(
            shape
        )
    with tempfile.TemporaryDirectory() as folder:
        read = loaded(save(Path(folder) / f"x{suffix}", tensors))
    assert len(read) == len(tensors)
    same({name: read[name] for name in tensors}, tensors)


def test_brain_floats_go_round_where_numpy_is_not_asked(tmp_path: Path) -> None:
    """bfloat16 survives every format that has it."""
    tensors = arrays(complexes=False)
    path = save(tmp_path / "0.pth", tensors)
    for number, suffix in enumerate([".ckpt", ".safetensors", ".pth"], 1):
        path = convert(path, tmp_path / f"{number}{suffix}")
    read = loaded(path)
    same({name: read[name] for name in tensors}, tensors)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_at_all_can_be_written(tmp_path: Path, suffix: str) -> None:
    """A checkpoint without tensors: a file that reads as one, or an error that says so."""
    path = save(tmp_path / f"x{suffix}", {})
    try:
        assert loaded(path) == {}
    except CheckpointError as error:
        assert "no tensors" in str(error) or "empty" in str(error)


class Broken(Exception):
    """What a source of numbers may raise."""


def failing(error: BaseException) -> object:
    """Pieces that break off in the second tensor."""

    def pieces(name: str) -> Iterator[np.ndarray]:
        if name == "b":
            yield TWO["b"].reshape(-1)[:2]
            raise error
        yield TWO[name].reshape(-1)

    return pieces


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("error", [Broken(), KeyboardInterrupt(), OSError(5, "read"), CheckpointError("cut off")])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_source_that_breaks_off_leaves_the_old_file(
    tmp_path: Path, suffix: str, error: BaseException, there: bool
) -> None:
    """Whatever a source raises comes out as it is, and only what was there before is there."""
    path = tmp_path / f"x{suffix}"
    if there:
        path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught:
        write_checkpoint(path, ENTRIES, failing(error))
    assert caught.value is error
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == ([(path.name, b"old")] if there else [])


WRONG = {
    "too few": [TWO["b"].reshape(-1)[:5]],
    "too many": [TWO["b"].reshape(-1), np.ones(1)],
    "another dtype": [TWO["b"].reshape(-1).astype(np.float32)],
    "none": [],
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pieces_that_are_not_what_was_announced_are_refused(tmp_path: Path, suffix: str, case: str) -> None:
    """Numbers that do not add up to the announced shape and dtype are no file."""
    with pytest.raises(CheckpointError, match="announced"):
        write_checkpoint(
            tmp_path / f"x{suffix}", ENTRIES, lambda name: iter(WRONG[case] if name == "b" else [TWO["a"]])
        )
    assert not list(tmp_path.iterdir())


BAD_ENTRIES = {
    "a name twice": ([ENTRIES[0], ENTRIES[0]], {}, "twice"),
    "an unknown dtype": ([Entry("a", (1,), "float31")], {}, "float31"),
    "a negative axis": ([Entry("a", (-1,), "float32")], {}, "claims the shape"),
    "no name": ([Entry("", (1,), "float32")], {}, "empty"),
    "too long a name": ([Entry("a" * 70000, (1,), "float32")], {}, "too long"),
    "no text": ([Entry("\ud800", (1,), "float32")], {}, "no text"),
    "tied to nothing": (ENTRIES, {"b": "z"}, "tied to 'z'"),
    "tied to a later one": (ENTRIES, {"a": "b"}, "tied to 'b'"),
    "tied to itself": (ENTRIES, {"a": "a"}, "tied to 'a'"),
    "tied to another shape": (ENTRIES, {"b": "a"}, "tied to 'a'"),
}


@pytest.mark.parametrize("case", BAD_ENTRIES)
def test_entries_that_cannot_be_are_refused(tmp_path: Path, case: str) -> None:
    """What no file can hold is refused before one is begun."""
    entries, tied, match = BAD_ENTRIES[case]
    with pytest.raises(CheckpointError, match=match):
        write_checkpoint(tmp_path / "x.pth", entries, lambda name: iter([]), tied=tied)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x", "x.txt", "x.h5", ".pth"])
def test_an_ending_of_no_format_is_refused(tmp_path: Path, name: str) -> None:
    """The ending says the format: without one the endings are listed."""
    with pytest.raises(CheckpointError, match=r"\.safetensors"):
        save(tmp_path / name, TWO)


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    """A target in a folder that is not there."""
    with pytest.raises(CheckpointError, match=r"cannot be written(.|\n)*folder exists"):
        save(tmp_path / "no" / "x.pth", TWO)


def test_a_folder_in_the_way_is_said(tmp_path: Path) -> None:
    """A target that is a folder."""
    (tmp_path / "x.pth").mkdir()
    with pytest.raises(CheckpointError, match="folder is in the way"):
        save(tmp_path / "x.pth", TWO)


FULL = """
import resource, signal, sys, numpy as np
from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import Entry, write_checkpoint
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_checkpoint(sys.argv[1], [Entry("a", (100, 1000), "float32")], lambda n: (np.ones(1000, "f4") for _ in range(100)))
except CheckpointError as error:
    print(error)
"""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_disk_without_room_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    """Where the file may not grow further the old one stays, the new one is gone, and the error has three beats."""
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "cannot be written (File too large)" in done.stdout, done.stderr
    assert "next:" in done.stdout
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(path.name, b"old")]


def test_a_file_can_be_written_over_itself(tmp_path: Path) -> None:
    """The source is open while the target takes its place."""
    path = save(tmp_path / "x.pth", TWO)
    same(loaded(convert(path, path)), TWO)


MEMORY = """
import resource, sys, numpy as np
from tracer.starting_point.checkpoints import open_checkpoint, write_checkpoint
with open_checkpoint(sys.argv[1]) as c:
    list(c.pieces("small"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write_checkpoint(sys.argv[2], list(c.entries.values()), c.pieces)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of 200 MB in each format: one large tensor, some smaller ones."""
    folder = tmp_path_factory.mktemp("large")
    tensors = {"small": np.ones(1000, np.float32)}
    tensors |= {f"t{n}": np.full((1000, 5000), n, np.float32) for n in range(4)}
    tensors["large"] = np.arange(30_000_000, dtype=np.float32).reshape(5000, 6000)
    return {suffix: save(folder / f"x{suffix}", tensors) for suffix in SUFFIXES}


@pytest.mark.parametrize("target", SUFFIXES)
@pytest.mark.parametrize("source", SUFFIXES)
def test_conversion_takes_little_memory(large: dict[str, Path], tmp_path: Path, source: str, target: str) -> None:
    """From any format to any, a file of 200 MB takes less than 40 MB, whatever its largest tensor."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(large[source]), str(tmp_path / f"y{target}")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 40_000
    assert (tmp_path / f"y{target}").stat().st_size > 199e6
    (tmp_path / f"y{target}").unlink()


def test_a_transposed_tensor_takes_no_more_than_itself(tmp_path: Path) -> None:
    """A tensor that lies in another order is gathered: less than one and a half of it in memory."""
    torch = pytest.importorskip("torch")
    torch.save({"small": torch.ones(3), "t": torch.arange(25_000_000.0).reshape(5000, 5000).T}, tmp_path / "x.pth")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "x.pth"), str(tmp_path / "y.safetensors")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(done.stdout) < 150_000
    with open_checkpoint(tmp_path / "y.safetensors") as checkpoint:
        assert next(checkpoint.pieces("t", 3)).tolist() == [0, 5000, 10000]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What a link leads to is replaced, not the link."""
    target, link = tmp_path / "real.npz", tmp_path / "link.npz"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_checkpoint(link, ENTRIES, lambda name: iter([TWO[name].reshape(-1)]))
    assert link.is_symlink()
    with open_checkpoint(target) as found:
        assert set(found.entries) == {entry.name for entry in ENTRIES}
