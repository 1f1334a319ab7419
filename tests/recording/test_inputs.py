"""What may be given as inputs."""

from __future__ import annotations

import collections
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from torch import nn

import tracer
from tests.recording.nets import D, made
from tracer.errors import RuleError

X = np.linspace(-1, 1, D, dtype=np.float32).reshape(1, D)


class Adds(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(D, D)

    def forward(self, x, y):
        return self.inner(x) + y


class Takes(nn.Module):
    """One argument with two parts; `get` says how they are taken out."""

    def __init__(self, get):
        super().__init__()
        self.inner, self.get = nn.Linear(D, D), get

    def forward(self, batch):
        return self.inner(self.get(batch, "x")) + self.get(batch, "y")


@dataclass
class Pair:
    x: Any
    y: Any


class Named(NamedTuple):
    x: Any
    y: Any


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


@pytest.fixture
def archive(tmp_path):
    np.savez(tmp_path / "inputs.npz", x=X, y=X * 2)
    with np.load(tmp_path / "inputs.npz") as opened:
        yield opened


def test_an_npz_gives_the_keyword_arguments(archive, out):
    """And stays open and as it was."""
    call = tracer.record(made(Adds), archive, out=out)["(root)"].calls[0]
    assert np.array_equal(call.kwargs["x"], X)
    assert np.array_equal(call.kwargs["y"], X * 2)
    assert archive.zip is not None
    assert np.array_equal(archive["x"], X)


def test_an_npz_inside_a_tuple_is_one_argument(archive, out):
    """A mapping of tensors for the net."""
    net = made(lambda: Takes(lambda batch, key: batch[key]))
    call = tracer.record(net, (archive,), out=out)["(root)"].calls[0]
    assert np.array_equal(call.inputs[0]["y"], X * 2)


def test_a_mapping_of_any_class_gives_the_keyword_arguments(out):
    """UserDict, as tokenizers hand out."""
    given = collections.UserDict(x=X, y=X)
    call = tracer.record(made(Adds), given, out=out)["(root)"].calls[0]
    assert set(call.kwargs) == {"x", "y"}
    assert given["x"] is X


@pytest.mark.parametrize("kind", [Pair, Named])
def test_a_dataclass_or_named_tuple_is_one_argument(kind, out):
    """Its arrays become tensors; the caller's own object keeps its arrays."""
    given = kind(X, X * 2)
    call = tracer.record(made(lambda: Takes(getattr)), given, out=out)["(root)"].calls[0]
    assert np.array_equal(call.inputs[0]["y"], X * 2)
    assert given.x is X


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"kwargs": [1]}, "no mapping of names"),
        ({"kwargs": {1: X}}, "no mapping of names"),
        ({"kwargs": {"x": X}}, "'x' is in inputs= and in kwargs="),
        ({"backward": "no"}, "neither True nor False"),
    ],
)
def test_options_that_say_nothing_are_refused(options, match, out):
    """Before the net runs, with what to write instead."""
    with pytest.raises(RuleError, match=match) as caught:
        tracer.record(made(Adds), {"x": X, "y": X}, out=out, **options)
    assert caught.value.then
    assert not out.exists()


class Answers(nn.Module):
    """A result with two leaves of one path."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(D, D)

    def forward(self, x):
        y = self.inner(x)
        return {0: y, "0": y * 2, "a.b": y * 3, "a": {"b": y * 4}}


def test_leaves_of_one_path_are_told_apart(out):
    """By a number behind the path; none is lost, nor its gradient."""
    trace = tracer.record(made(Answers), X, out=out)
    (call,) = trace.skeleton.steps[0].calls[:1]
    assert [value.leaf for value in call.outputs] == ["0", "0~2", "a.b", "a.b~2"]
    arrays = [trace.array(value) for value in call.outputs]
    assert all(np.allclose(array, arrays[0] * factor) for array, factor in zip(arrays, (1, 2, 3, 4), strict=True))
    assert {value.leaf for value in call.grad_outputs} == {"0", "0~2", "a.b", "a.b~2"}


class Counts(nn.Module):
    """Gives a number beside its tensor."""

    def __init__(self, number):
        super().__init__()
        self.inner, self.held = nn.Linear(D, D), [number]

    def forward(self, x):
        return self.inner(x), self.held[0]


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        (2.0, np.float32(2.0), "agree"),
        (np.float64(2.0), np.float64(3.0), "diverged"),
        (1 + 1j, 1 + 1j, "agree"),
        (1 + 1j, 1 - 1j, "diverged"),
        (np.True_, False, "diverged"),
    ],
)
def test_numbers_of_numpy_and_complex_ones_are_judged(ours, theirs, verdict, tmp_path):
    """A number beside the tensors of a result counts, whatever class it has."""
    for name, number in (("a.h5", ours), ("b.h5", theirs)):
        tracer.record(made(lambda n=number: Counts(n)), X, out=tmp_path / name).close()
    assert tracer.diff(tmp_path / "a.h5", tmp_path / "b.h5").verdict == verdict
