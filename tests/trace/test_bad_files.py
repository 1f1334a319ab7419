"""Files that are no traces, or lie: always our error in three beats, never another one, never more memory than a file."""

from __future__ import annotations

import os
import random
import resource
import struct
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from tests.trace.samples import small
from tracer.errors import TraceFileError, TracerError
from tracer.trace.reader import Trace
from tracer.trace.schema import Value

FC = "/steps/0/layers/fc/calls/0/output"


def refused(path, match: str) -> TraceFileError:
    """Opening fails with our error, which has all three beats and names the file."""
    with pytest.raises(TraceFileError, match=match) as caught:
        Trace(path)
    error = caught.value
    assert error.what
    assert str(path) in error.where
    assert error.then
    return error


@pytest.fixture
def path(tmp_path):
    """A good trace, to be spoilt."""
    return small(tmp_path / "a.h5")


def rows(path, place: str, change) -> None:
    """Write the rows at `place` anew as `change(rows)` gives them."""
    with h5py.File(path, "r+") as file:
        texts = change([text.decode() for text in file[place][:]])
        del file[place]
        table = file.create_dataset(place, (len(texts),), h5py.string_dtype(), maxshape=(None,), chunks=(1024,))
        table[:] = texts


def replaced(old: str, new: str):
    """A change of rows: one text for another."""

    def change(texts):
        assert any(old in text for text in texts)
        return [text.replace(old, new) for text in texts]

    return change


def array(path) -> np.ndarray:
    """What the reader gives for the output of fc."""
    with Trace(path) as trace:
        return np.asarray(trace["fc"].calls[0].output)


# Not a trace


def test_a_missing_file(tmp_path):
    """Said as that."""
    refused(tmp_path / "nothing.h5", "There is no such trace")


def test_a_missing_file_with_a_partial_one(tmp_path):
    """A recording that was cut off is pointed at."""
    (tmp_path / "a.h5.partial").write_bytes(b"x")
    assert "a.h5.partial" in refused(tmp_path / "a.h5", "no such trace").then


def test_a_folder(tmp_path):
    """Said as that."""
    refused(tmp_path, "a folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_right_to_read(path):
    """Said as that."""
    path.chmod(0)
    refused(path, "Permission denied")


def test_a_pipe(tmp_path):
    """A pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "no file")


@pytest.mark.parametrize("name", ["a\0b", "n" * 300, ""])
def test_names_that_no_file_has(name):
    """The system's own complaints become ours."""
    with pytest.raises(TraceFileError):
        Trace(name)


@pytest.mark.parametrize(
    "content",
    [b"", b"text\n", b"PK\3\4" + bytes(100), bytes(10_000), b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(1000)],
)
def test_other_contents(tmp_path, content):
    """Empty, text, zip, zeros, and the first bytes of HDF5 alone."""
    (tmp_path / "a.h5").write_bytes(content)
    refused(tmp_path / "a.h5", "Not a trace|cut short|damaged")


def test_another_hdf5_file(tmp_path):
    """HDF5, but not ours."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weights"] = np.arange(10)
        file.attrs["version"] = "seven"
    refused(tmp_path / "a.h5", "an HDF5 file, but no trace")


def test_a_newer_version(path):
    """Named as such, before anything else of it is read."""
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 99
        del file["skeleton"]
    assert "upgrade" in refused(path, "version 99; this tracer reads up to version 1").then


def test_a_newer_version_in_the_header(path):
    """The header says it too."""
    rows(path, "/skeleton/header", replaced('"version":1', '"version":2'))
    refused(path, "version 2")


# Truncated


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_truncated_file(path, share):
    """Cut anywhere."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    refused(path, "cut short|Not a trace|damaged")


# Rows that lie


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("/skeleton/header", replaced('"framework":"torch"', '"framework":5')),
        ("/skeleton/header", replaced('"format":"tracer"', '"format":"other"')),
        ("/skeleton/header", replaced('"version":1', '"version":-1')),
        ("/skeleton/header", lambda texts: []),
        ("/skeleton/layers", replaced('"kind":"Linear"', '"kind":null')),
        ("/skeleton/layers", lambda texts: texts + texts),
        ("/skeleton/calls", lambda texts: ["[" * 200_000]),
        ("/skeleton/calls", lambda texts: ['{"row":' * 50_000]),
        ("/skeleton/calls", lambda texts: [*texts, "{}"]),
        ("/skeleton/calls", lambda texts: [*texts, ""]),
        ("/skeleton/calls", replaced('"order":1', '"order":-1')),
        ("/skeleton/calls", replaced('"shape":[2,3]', '"shape":[2,-3]')),
        ("/skeleton/calls", replaced('"shape":[2,3]', '"shape":[4611686018427387904,4]')),
        ("/skeleton/calls", replaced('"shape":[2,3]', f'"shape":[{"9" * 5000}]')),
    ],
)
def test_malformed_rows(path, place, change):
    """JSON of other types, missing fields, nesting without end, impossible numbers."""
    rows(path, place, change)
    refused(path, "damaged|no trace")


def test_an_absurd_shape_takes_no_memory(path):
    """A shape larger than the file is refused when the array is asked for, before memory is taken."""
    rows(path, "/skeleton/calls", replaced('"shape":[2,4]', '"shape":[2000000000,400000]'))
    with pytest.raises(TraceFileError, match="has shape"):
        array(path)


@pytest.mark.parametrize(
    "place",
    [
        "/skeleton/blocks",
        "/steps/../skeleton/blocks",
        "/steps/./0",
        "steps/0",
        "/steps//0",
        "/",
        "",
        "/steps",
        "/steps/0",
        "/steps/9",
        "x" * 10_000,
        "\\ud800",
    ],
)
def test_places_where_no_array_may_lie(path, place):
    """An array lies below /steps, and nothing else is opened as one."""
    rows(path, "/skeleton/calls", replaced(f'"stored":"{FC}"', f'"stored":"{place}"'))
    with pytest.raises(TraceFileError):
        array(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"shape":[2,4]', '"shape":[4,2]'),
        ('"dtype":"bfloat16"', '"dtype":"float16"'),
        ('"dtype":"bfloat16"', '"dtype":"object"'),
        ('"dtype":"bfloat16"', '"dtype":"O8,(1000000,)f8"'),
    ],
)
def test_rows_and_arrays_that_disagree(path, old, new):
    """Shape and dtype of a row are those of its array, or it is not read."""
    rows(path, "/skeleton/calls", replaced(old, new))
    with pytest.raises(TraceFileError, match="shape|dtype"):
        array(path)


def test_blocks_beyond_their_table(path):
    """A parameter that claims row blocks that are not there."""
    rows(path, "/skeleton/layers", replaced('"blocks":[0,1]', '"blocks":[5,1000]'))
    with Trace(path) as trace, pytest.raises(TraceFileError, match="row blocks"):
        trace.row_blocks(trace.skeleton.layers["fc"].parameters[0])


# Links and storage that lead elsewhere


def relinked(path, make) -> None:
    """Replace the output of fc by what `make(group, name)` puts there."""
    with h5py.File(path, "r+") as file:
        group, name = FC.rsplit("/", 1)
        del file[FC]
        make(file[group], name)


def elsewhere(tmp_path) -> str:
    """Another file with an array of the right shape, which must not be touched."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["x"] = np.ones((2, 4), np.float32)
    return str(tmp_path / "secret.h5")


def external_link(group, name):
    """A link into another file."""
    group[name] = h5py.ExternalLink(elsewhere(_folder(group)), "/x")


def soft_link(group, name):
    """A link by name."""
    group[name] = h5py.SoftLink("/skeleton/blocks")


def external_storage(group, name):
    """An array whose bytes are another file's."""
    group.create_dataset(name, (2, 4), "f4", external=[(elsewhere(_folder(group)), 0, 32)])


def virtual(group, name):
    """An array put together from other files."""
    source = h5py.VirtualSource(elsewhere(_folder(group)), "x", (2, 4), "f4")
    plan = h5py.VirtualLayout((2, 4), "f4")
    plan[:] = source
    group.create_virtual_dataset(name, plan)


def chunked(group, name):
    """An array in pieces."""
    group.create_dataset(name, (2, 4), "f4", chunks=(1, 2))


def packed(group, name):
    """A huge array that is packed into nothing."""
    group.create_dataset(name, (2, 4), "f4", chunks=(1, 2), compression="gzip")


def plugin(group, name):
    """An array packed by a filter that would have to be loaded."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 2))
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)
    space = h5py.h5s.create_simple((2, 4))
    h5py.h5d.create(group.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def empty(group, name):
    """A dataset without a dataspace."""
    group[name] = h5py.Empty("f4")


def a_group(group, name):
    """A group where an array should be."""
    group.create_group(name)


def texts(group, name):
    """Texts where numbers should be."""
    group[name] = np.array([["a"] * 4] * 2, h5py.string_dtype())


def _folder(group):
    from pathlib import Path

    return Path(group.file.filename).parent


@pytest.mark.parametrize("make", [external_storage, virtual, chunked, packed, plugin, empty, a_group, texts])
def test_arrays_that_are_not_where_they_should_be(path, make):
    """Storage outside the file, packing and other shapes are refused, and nothing is followed."""
    relinked(path, make)
    with Trace(path) as trace, pytest.raises(TraceFileError) as caught:
        np.asarray(trace["fc"].calls[0].output)
    assert caught.value.then


@pytest.mark.parametrize("make", [external_link, soft_link])
def test_a_link_to_elsewhere_is_refused_when_the_trace_is_opened(path, make):
    """Even one that nobody asks for."""
    relinked(path, make)
    refused(path, "link to somewhere else")


@pytest.mark.parametrize("place", ["/skeleton", "/skeleton/calls", "/skeleton/header", "/skeleton/layers"])
def test_a_skeleton_behind_an_external_link(path, tmp_path, place):
    """The skeleton too must be in this file."""
    other = small(tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        del file[place]
        file[place] = h5py.ExternalLink(str(other), place)
    refused(path, "link to somewhere else")


@pytest.mark.parametrize("options", [{"compression": "gzip"}, {"shuffle": True}])
def test_a_skeleton_that_is_packed(path, options):
    """Rows are never packed."""
    with h5py.File(path, "r+") as file:
        texts = file["skeleton/calls"][:]
        del file["skeleton/calls"]
        file.create_dataset(
            "skeleton/calls", data=texts, dtype=h5py.string_dtype(), chunks=(10,), maxshape=(None,), **options
        )
    refused(path, "packed by a filter")


@pytest.mark.parametrize("data", [np.arange(4), np.ones((2, 2)), np.array([b"fixed"]), h5py.Empty("f4")])
def test_a_skeleton_of_other_things(path, data):
    """Rows are texts in one growing table."""
    with h5py.File(path, "r+") as file:
        del file["skeleton/calls"]
        file["skeleton/calls"] = data
    refused(path, "no table of texts|no growing table")


def test_more_rows_than_the_file_can_hold(path):
    """A table that claims a billion rows is refused before one is read."""
    with h5py.File(path, "r+") as file:
        file["skeleton/calls"].resize((10**9,))
    refused(path, "larger than the file")


def test_one_text_told_a_thousand_times(path):
    """Rows that all point to one large text do not multiply it."""
    with h5py.File(path, "r+") as file:
        del file["skeleton/calls"]
        table = file.create_dataset("skeleton/calls", (1000,), h5py.string_dtype(), maxshape=(None,), chunks=(1000,))
        table[0] = '{"row":"end","notes":["' + "x" * 1_000_000 + '"]}'
        offset = table.id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 16_000] = content[offset : offset + 16] * 1000
    path.write_bytes(content)
    refused(path, "not where it is said to be")


def test_lengths_that_hdf5_would_believe(path):
    """A length in the table that is not the text's: HDF5 itself would write beyond its buffer."""
    with h5py.File(path) as file:
        offset = file["skeleton/calls"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    for length in (0xFFFFFFFF, 3):
        struct.pack_into("<I", content, offset, length)
        path.write_bytes(content)
        refused(path, "damaged")


# Anything


def spoilt(content: bytes, seed: int) -> bytes:
    """Some bytes other, perhaps a part cut off or doubled."""
    chance = random.Random(seed)
    bytes_ = bytearray(content)
    for _ in range(1 if chance.random() < 0.6 else chance.randint(2, 30)):
        at = chance.randrange(len(bytes_))
        bytes_[at] = chance.choice([bytes_[at] ^ (1 << chance.randrange(8)), chance.randrange(256), 0, 255])
    if chance.random() < 0.15:
        del bytes_[chance.randrange(len(bytes_)) :]
    if chance.random() < 0.1:
        at, to, size = (chance.randrange(len(bytes_) or 1) for _ in range(3))
        bytes_[to : to + size] = bytes_[at : at + size]
    return bytes(bytes_)


def try_everything(path) -> None:
    """Read all there is; only our errors may come."""
    try:
        with Trace(path) as trace:
            repr(trace)
            for layer in trace.skeleton.layers.values():
                for parameter in layer.parameters:
                    for read in (trace.array, trace.row_blocks):
                        try:
                            read(parameter)
                        except TracerError:
                            pass
            for step in trace.skeleton.steps:
                for call in step.calls:
                    for value in (*call.inputs, *call.outputs, *call.grad_inputs, *call.grad_outputs):
                        try:
                            trace.array(value)
                        except TracerError:
                            pass
    except TracerError as error:
        assert error.what
        assert error.where
        assert error.then


def fuzz(content: bytes, folder, first: int, last: int) -> None:
    """In a process of its own, so that a crash inside HDF5 would be seen as one."""
    (folder / "good.h5").write_bytes(content)
    program = f"""
import resource, pathlib
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
from tests.trace.test_bad_files import spoilt, try_everything
folder = pathlib.Path({str(folder)!r})
content = (folder / "good.h5").read_bytes()
for seed in range({first}, {last}):
    (folder / "bad.h5").write_bytes(spoilt(content, seed))
    (folder / "seed").write_text(str(seed))
    try_everything(folder / "bad.h5")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"seed {(folder / 'seed').read_text()}: {done.returncode} {done.stderr[-2000:]}"


def test_spoilt_files(path, tmp_path):
    """Some hundred ways to spoil a trace: a trace or our error, no crash, no hang, no lack of memory."""
    fuzz(path.read_bytes(), tmp_path, 0, 400)


@pytest.mark.slow
def test_spoilt_files_for_long(path, tmp_path):
    """The same for many more."""
    fuzz(path.read_bytes(), tmp_path, 1000, 40_000)


def test_refusing_is_quick_and_small(path):
    """A file that claims everything is refused in no time and in little memory."""
    rows(path, "/skeleton/calls", replaced('"shape":[2,4]', '"shape":[1000000000000]'))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.monotonic()
    with Trace(path) as trace, pytest.raises(TraceFileError):
        trace.array(trace.skeleton.steps[0].calls[1].outputs[0])
    assert time.monotonic() - start < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_value_of_another_trace(path):
    """A value that this trace does not have is asked for."""
    with Trace(path) as trace, pytest.raises(TraceFileError, match="nothing lies"):
        trace.array(Value("", "tensor", (2, 4), "bfloat16", stored="/steps/0/layers/other/calls/0/output"))
