"""Samples kept in a file, found in files of others and in traces, and given to either framework."""

from __future__ import annotations

import collections
import dataclasses
import enum
import pickle
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy

import tracer
from tracer.errors import FrameworkMissing, RuleError, StartingPointError, TracerError
from tracer.starting_point.samples.sources import Samples, samples_from

torch = pytest.importorskip("torch")
mindspore = pytest.importorskip("mindspore")

X = np.arange(6, dtype=np.float32).reshape(2, 3)
LABELS = np.array([3, 1], dtype=np.int64)


def same(one: Any, other: Any) -> bool:
    """Equal containers, kinds of containers and values, arrays bit for bit with their dtypes."""
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


def kept(batch: Any, folder: Path) -> Any:
    """The batch through a file."""
    return tracer.load_samples(tracer.save_samples(batch, folder / "samples.npz"))


# --------------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize(
    "batch",
    [
        X,
        (X, LABELS),
        [X, [LABELS, (X,)], ()],
        {"images": X, "labels": LABELS, "empty": {}, "none": None},
        {0: X, "0": LABELS, True: X, None: X},
        {"0": X, "0.a": LABELS, "a/b": X, "../c": LABELS, "": X, "é": X, "\ud800": X},
        (1, 2.5, -0.0, float("nan"), float("-inf"), 1 + 2j, complex("nan"), "text", True, None, 10**30),
        np.zeros((0, 3), np.int8),
        np.array(3.5),
        np.asfortranarray(X),
        X[:, ::2],
        {"tracer.json": X},
        (),
        None,
        np.array(["a", "bc"]),
    ],
    ids=range(15),
)
def test_a_batch_comes_back_as_it_was(batch: Any, tmp_path: Path) -> None:
    """Containers, their order, plain values and arrays are what they were."""
    assert same(kept(batch, tmp_path), batch)


_ARRAYS = hypothesis_numpy.arrays(
    st.sampled_from(["f4", "i8", "?", "u1", "c8"]), hypothesis_numpy.array_shapes(min_dims=0, min_side=0, max_side=3)
)
_BATCHES = st.recursive(
    _ARRAYS | st.none() | st.booleans() | st.integers() | st.floats() | st.complex_numbers() | st.text(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=12,
)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_BATCHES)
def test_any_batch_comes_back_as_it_was(tmp_path: Path, batch: Any) -> None:
    """Whatever is nested in whatever, under whatever names."""
    assert same(kept(batch, tmp_path), batch)


@pytest.mark.parametrize(
    "dtype",
    ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64",
     "complex64", "complex128", "bfloat16", "float8_e5m2", "float8_e4m3fn", ">f4"],
)  # fmt: skip
def test_every_dtype_is_kept(dtype: str, tmp_path: Path) -> None:
    """Also those that numpy has no name for, and the other byte order."""
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype) if dtype.startswith(("bf", "float8")) else dtype)
    assert same(kept(np.array([[0, 1], [1, 0]]).astype(kind), tmp_path), np.array([[0, 1], [1, 0]]).astype(kind))


def test_tensors_of_both_frameworks_are_kept(tmp_path: Path) -> None:
    """As arrays of the same numbers, also those that take gradients or are bfloat16."""
    batch = {
        "torch": torch.from_numpy(X).requires_grad_(),
        "narrow": torch.tensor([1.5], dtype=torch.bfloat16),
        "mindspore": mindspore.Tensor(X),
        "also narrow": mindspore.Tensor([1.5], mindspore.bfloat16),
    }
    narrow = np.array([1.5], ml_dtypes.bfloat16)
    expected = {"torch": X, "narrow": narrow, "mindspore": X, "also narrow": narrow}
    assert same(kept(batch, tmp_path), expected)


def test_numpy_reads_the_file_too(tmp_path: Path) -> None:
    """Arrays lie under the names of their places in the batch."""
    file = tracer.save_samples((X, {"labels": LABELS}), tmp_path / "samples.npz")
    with np.load(file, allow_pickle=False) as found:
        assert np.array_equal(found["0"], X)
        assert np.array_equal(found["1.labels"], LABELS)


def test_equal_batches_are_equal_files(tmp_path: Path) -> None:
    """No date and nothing of the process is in it."""
    files = [tracer.save_samples((X, LABELS), tmp_path / name) for name in ("a.npz", "b.npz")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_named_tuple_becomes_a_tuple_and_it_is_said(tmp_path: Path) -> None:
    """Its class is not in the file."""
    batch = collections.namedtuple("Batch", "images labels")(X, LABELS)
    with pytest.warns(UserWarning, match="Batch.*tuple"):
        tracer.save_samples(batch, tmp_path / "samples.npz")
    assert same(tracer.load_samples(tmp_path / "samples.npz"), (X, LABELS))


def test_a_dataclass_and_other_mappings_become_dicts(tmp_path: Path) -> None:
    """And it is said."""

    @dataclasses.dataclass
    class Batch:
        images: Any

    with pytest.warns(UserWarning, match="dict"):
        tracer.save_samples([Batch(X), collections.OrderedDict(a=X)], tmp_path / "samples.npz")
    assert same(tracer.load_samples(tmp_path / "samples.npz"), [{"images": X}, {"a": X}])


class _Colour(enum.IntEnum):
    RED = 1


_CYCLE: list[Any] = []
_CYCLE.append(_CYCLE)


@pytest.mark.parametrize(
    "batch",
    [object(), {1, 2}, b"bytes", np.array([object()]), np.array(["2020-01-01"], "M8[D]"), {(1, 2): X}, {1.5: X},
     _Colour.RED, _CYCLE, np.zeros(2, [("a", "f4")]), len, torch.nn.ReLU(), torch.empty(2, device="meta"), X.dtype],
    ids=range(14),
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_and_no_file_is_there(batch: Any, tmp_path: Path) -> None:
    """The error says where in the batch it lies."""
    with pytest.raises(TracerError) as refused:
        tracer.save_samples({"ok": X, "bad": [batch]}, tmp_path / "samples.npz")
    assert refused.value.then
    assert not list(tmp_path.iterdir())


def test_the_place_of_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    """By keys and positions."""
    with pytest.raises(StartingPointError, match=r"bad\.1"):
        tracer.save_samples({"bad": [X, object()]}, tmp_path / "samples.npz")


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    """What was there is there still, and nothing beside it."""
    file = tracer.save_samples(X, tmp_path / "samples.npz")
    before = file.read_bytes()
    with pytest.raises(StartingPointError):
        tracer.save_samples((X, object()), file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["samples", "samples.pt", "samples.npy"])
def test_another_suffix_is_refused_with_the_name_to_use(name: str, tmp_path: Path) -> None:
    """For a file of that name would be taken for something else."""
    with pytest.raises(StartingPointError, match=r"samples\.npz"):
        tracer.save_samples(X, tmp_path / name)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """In three beats, without a traceback of the system's."""
    with pytest.raises(StartingPointError, match="cannot be written"):
        tracer.save_samples(X, tmp_path / "no" / "samples.npz")


# ---------------------------------------------------------------------------------------------------- frameworks


def test_tensors_come_in_torch(tmp_path: Path) -> None:
    """Nested as they were, labels as int64."""
    file = tracer.save_samples({"x": X, "y": [LABELS], "n": 3}, tmp_path / "samples.npz")
    found = tracer.load_samples(file, "torch")
    assert torch.equal(found["x"], torch.from_numpy(X))
    assert found["y"][0].dtype == torch.int64
    assert found["n"] == 3


def test_int64_comes_as_int32_in_mindspore_and_is_said(tmp_path: Path) -> None:
    """So that CrossEntropyLoss takes the labels; the warning says which array, and how to leave it."""
    file = tracer.save_samples((X, LABELS), tmp_path / "samples.npz")
    with pytest.warns(UserWarning, match="1 was int64 and is int32.*int64=") as said:
        x, labels = tracer.load_samples(file, "mindspore")
    assert len(said) == 1
    assert labels.dtype == mindspore.int32
    mindspore.nn.CrossEntropyLoss()(mindspore.Tensor(np.zeros((2, 4), np.float32)), labels)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_who_says_the_dtype_is_not_warned(dtype: str, tmp_path: Path) -> None:
    """int64= decides, in every framework."""
    file = tracer.save_samples(LABELS, tmp_path / "samples.npz")
    assert tracer.load_samples(file, "mindspore", int64=dtype).dtype == getattr(mindspore, dtype)
    assert tracer.load_samples(file, "torch", int64=dtype).dtype == getattr(torch, dtype)
    assert tracer.load_samples(file, int64=dtype).dtype == dtype


@pytest.mark.parametrize("number", [1 << 31, -(1 << 31) - 1, (1 << 63) - 1])
def test_a_number_beyond_int32_is_refused(number: int, tmp_path: Path) -> None:
    """Never cut off; the number and its place are said, and int64= goes on."""
    file = tracer.save_samples((X, np.array([1, number])), tmp_path / "samples.npz")
    with pytest.raises(StartingPointError, match=str(number)) as refused:
        tracer.load_samples(file, "mindspore")
    assert refused.value.where == "1"
    assert tracer.load_samples(file, "mindspore", int64="int64")[1].asnumpy()[1] == number


def test_float64_stays_unless_asked(tmp_path: Path) -> None:
    """And becomes float32 where float64= says so."""
    file = tracer.save_samples(X.astype(np.float64), tmp_path / "samples.npz")
    assert tracer.load_samples(file, "torch").dtype == torch.float64
    assert tracer.load_samples(file, "torch", float64="float32").dtype == torch.float32
    assert tracer.load_samples(file, "mindspore", float64="float32").dtype == mindspore.float32


def test_bfloat16_comes_as_bfloat16(tmp_path: Path) -> None:
    """In either framework, the same numbers."""
    file = tracer.save_samples(torch.tensor([1.5, -3], dtype=torch.bfloat16), tmp_path / "samples.npz")
    assert tracer.load_samples(file, "torch").tolist() == [1.5, -3]
    found = tracer.load_samples(file, "mindspore")
    assert found.dtype == mindspore.bfloat16
    assert found.float().asnumpy().tolist() == [1.5, -3]


def test_tensors_have_memory_of_their_own(tmp_path: Path) -> None:
    """Writing into one changes no other."""
    batch = {"a": X}
    file = tracer.save_samples(batch, tmp_path / "samples.npz")
    tracer.load_samples(file, "torch")["a"].zero_()
    assert X.any()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"framework": "jax"}, StartingPointError),
        ({"framework": None}, StartingPointError),
        ({"int64": "int16"}, StartingPointError),
        ({"float64": "float16"}, StartingPointError),
    ],
)
def test_arguments_that_do_not_hold_are_refused(arguments: Any, error: type[TracerError], tmp_path: Path) -> None:
    """With what to write instead."""
    file = tracer.save_samples(X, tmp_path / "samples.npz")
    with pytest.raises(error) as refused:
        tracer.load_samples(file, **arguments)
    assert refused.value.then


def test_a_framework_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And how to install it."""
    file = tracer.save_samples(X, tmp_path / "samples.npz")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FrameworkMissing, match="pip install"):
        tracer.load_samples(file, "torch")


# ------------------------------------------------------------------------------------------- files made by others


def test_a_folder_of_npy_files_is_read_in_numeric_order(tmp_path: Path) -> None:
    """10 comes after 2; the rest of the name is for people."""
    for number, name in ((10, "labels"), (2, "mask"), (0, "images")):
        np.save(tmp_path / f"{number}_{name}.npy", np.array([number]))
    (tmp_path / "readme.txt").write_text("not one of them")
    assert [int(array[0]) for array in tracer.load_samples(tmp_path)] == [0, 2, 10]
    assert len(samples_from(tmp_path).args) == 3


def test_a_folder_of_names_gives_keyword_arguments(tmp_path: Path) -> None:
    """The file's name is the argument's."""
    np.save(tmp_path / "ids.npy", LABELS)
    np.save(tmp_path / "mask.npy", X)
    assert samples_from(tmp_path).kwargs.keys() == {"ids", "mask"}


def test_one_file_is_one_argument(tmp_path: Path) -> None:
    """Whatever it is called."""
    np.save(tmp_path / "x.npy", X)
    assert same(samples_from(tmp_path / "x.npy").args, (X,))
    assert same(tracer.load_samples(tmp_path), X)


def test_a_plain_npz_is_read_by_its_names(tmp_path: Path) -> None:
    """arr_0, arr_1 as numpy counts them are positional, names keyword arguments."""
    np.savez(tmp_path / "numbers.npz", *[np.array([n]) for n in range(12)])
    np.savez_compressed(tmp_path / "names.npz", ids=LABELS, mask=X)
    assert [int(array[0]) for array in samples_from(tmp_path / "numbers.npz").args] == list(range(12))
    assert same(tracer.load_samples(tmp_path / "names.npz"), {"ids": LABELS, "mask": X})


@pytest.mark.parametrize("names", [("0_a", "b"), ("0_a", "0_b"), ("1", "01")])
def test_names_that_say_no_order_are_refused(names: tuple[str, ...], tmp_path: Path) -> None:
    """Some with a number and some without, or one number twice."""
    for name in names:
        np.save(tmp_path / f"{name}.npy", X)
    with pytest.raises(StartingPointError) as refused:
        tracer.load_samples(tmp_path)
    assert names[0] in str(refused.value)


def _npz(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)


def _damaged(folder: Path) -> dict[str, Path]:
    """Files that are not what they say."""
    good = tracer.save_samples((X, LABELS), folder / "good.npz").read_bytes()
    np.save(folder / "whole.npy", X)
    npy = (folder / "whole.npy").read_bytes()
    files = {
        "missing.npz": None, "empty.npz": b"", "text.npz": b"hello", "cut.npz": good[: len(good) // 2],
        "cut.npy": npy[:-4], "longer.npy": npy + b"1234", "header.npy": npy[:30], "magic.npy": b"\x93NUMPY\x09\x00" + npy[8:],
        "huge.npy": npy.replace(b"(2, 3)", b"(2000000, 30000000)"[:6].ljust(6)).replace(b"(2, 3)", b"(9, 9)"),
        "pickle.pt": pickle.dumps({"x": 1}), "flipped.npz": good.replace(X.tobytes(), X[::-1].tobytes()),
    }  # fmt: skip
    for name, data in files.items():
        if data is not None:
            (folder / name).write_bytes(data)
    np.savez(folder / "objects.npz", x=np.array([{"a": 1}], dtype=object))
    np.save(folder / "object.npy", np.array([{"a": 1}], dtype=object))
    np.save(folder / "fields.npy", np.zeros(2, [("a", "f4")]))
    np.save(folder / "void.npy", np.zeros(2, ml_dtypes.bfloat16))
    _npz(folder / "other.npz", readme__txt=b"hello")
    _npz(folder / "note.npz", tracer__json=b"{}")
    _npz(folder / "nonsense.npz", tracer__json=b"not json")
    _npz(folder / "newer.npz", tracer__json=b'{"version": 9, "members": {}}')
    _npz(folder / "absent.npz", tracer__json=b'{"version": 1, "members": {}, "batch": {"array": "0"}}')
    _npz(folder / "strange.npz", tracer__json=b'{"version": 1, "members": {}, "batch": {"import": "os"}}')
    _npz(
        folder / "deep.npz",
        tracer__json=b'{"version": 1, "members": {}, "batch": ' + b'{"list": [' * 900 + b"]}" * 900 + b"}",
    )
    (folder / "none").mkdir()
    return {path.name: path for path in [*folder.iterdir(), folder / "missing.npz"]}


BAD = ["missing.npz", "empty.npz", "text.npz", "cut.npz", "cut.npy", "longer.npy", "header.npy", "magic.npy", "huge.npy",
       "pickle.pt", "flipped.npz", "objects.npz", "object.npy", "fields.npy", "void.npy", "other.npz", "note.npz",
       "nonsense.npz", "newer.npz", "absent.npz", "strange.npz", "deep.npz", "none"]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_holds_no_samples_is_refused(name: str, tmp_path: Path) -> None:
    """Missing, cut off, damaged, of objects that only a pickle could make, or of another kind: in three beats."""
    with pytest.raises(StartingPointError) as refused:
        tracer.load_samples(_damaged(tmp_path)[name])
    assert name in refused.value.where
    assert refused.value.then


@pytest.mark.parametrize("source", [None, 3, b"samples.npz", [X]])
def test_what_is_no_path_is_refused(source: Any) -> None:
    """With an example of one."""
    with pytest.raises(RuleError, match="samples"):
        tracer.load_samples(source)


# -------------------------------------------------------------------------------------------------------- traces


class Net(torch.nn.Module):
    """Takes arguments of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)

    def forward(self, x: Any, pair: Any = (), *, mask: Any = None, scale: float = 1.0, nested: Any = None) -> Any:
        """A sum of all."""
        y = self.fc(x) * scale
        return y + pair[0] + pair[1]["b"] if pair else y


def test_the_samples_of_a_trace_are_what_the_net_was_called_with(tmp_path: Path) -> None:
    """Positional and keyword arguments, nested; what was a list is a tuple, and that is noted."""
    inputs = (X, [np.float32(1).reshape(1), {"b": np.ones(2, np.float32)}])
    kwargs = {"mask": None, "scale": 0.5, "nested": {"ids": LABELS}}
    tracer.record(Net(), inputs, kwargs=kwargs, out=tmp_path / "pt.h5", backward=False).close()
    found = samples_from(tmp_path / "pt.h5")
    assert same(found.args, (X, (np.ones(1, np.float32), {"b": np.ones(2, np.float32)})))
    assert same(dict(found.kwargs), kwargs)
    assert found.notes


def test_load_samples_takes_a_trace(tmp_path: Path) -> None:
    """Open or by its name; one argument is itself."""
    with tracer.record(Net(), X, out=tmp_path / "pt.h5", backward=False) as trace:
        assert same(tracer.load_samples(trace), X)
    assert torch.equal(tracer.load_samples(tmp_path / "pt.h5", "torch"), torch.from_numpy(X))


def test_a_trace_without_arrays_has_no_samples(tmp_path: Path) -> None:
    """The error says that it keeps statistics only."""
    tracer.record(Net(), X, out=tmp_path / "pt.h5", backward=False, keep="statistics").close()
    with pytest.raises(TracerError, match="statistics"):
        tracer.load_samples(tmp_path / "pt.h5")


def test_a_trace_without_the_net_itself_has_no_samples(tmp_path: Path) -> None:
    """It was recorded, and never called."""
    with pytest.warns(UserWarning), tracer.recording(Net(), out=tmp_path / "pt.h5"):
        pass
    with pytest.raises(StartingPointError, match="no call of the net itself"):
        tracer.load_samples(tmp_path / "pt.h5")


def test_samples_of_a_batch_are_what_record_takes() -> None:
    """A tuple is several arguments, a mapping keyword arguments, anything else one."""
    assert Samples.of_batch((X, LABELS)).args == (X, LABELS)
    assert Samples.of_batch({"x": X}).kwargs == {"x": X}
    assert Samples.of_batch([X]).args == ([X],)
