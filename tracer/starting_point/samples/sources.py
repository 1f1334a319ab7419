"""Samples: what both nets are given, from wherever they are kept, and as tensors of either framework."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tracer.errors import StartingPointError
from tracer.starting_point.samples.nesting import array_of
from tracer.starting_point.samples.sample_file import number_of, read_array, read_batch, read_folder
from tracer.trace.reader import Trace, is_hdf5
from tracer.trace.schema import ROOT
from tracer.trace.views import ValueView

Array = np.ndarray[Any, Any]

_ZIP, _NPY = b"PK", b"\x93NUMPY"


@dataclass(frozen=True)
class Samples:
    """What a net is called with: nests of arrays and plain values; what was done to have them, in words; and where one
    batch was saved, that batch, in a tuple of its own."""

    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    saved: tuple[Any] | None = None

    @staticmethod
    def of_batch(batch: Any) -> Samples:
        """As `tracer.record` takes its `inputs`: a tuple is several arguments, a mapping with names keyword arguments,
        anything else one argument."""
        if isinstance(batch, Samples):
            return batch
        if isinstance(batch, tuple) and not hasattr(batch, "_fields"):
            return Samples(batch, {}, (), (batch,))
        if isinstance(batch, Mapping) and all(isinstance(key, str) for key in batch):
            return Samples((), dict(batch), (), (batch,))
        return Samples((batch,), {}, (), (batch,))

    def copied(self) -> Samples:
        """The same for one run, which may then do to it what it likes: other containers, tensors as arrays, of which
        every run makes tensors of its own."""
        return replace(
            self, args=tuple(map(_copied, self.args)), kwargs={k: _copied(v) for k, v in self.kwargs.items()}
        )

    @property
    def batch(self) -> Any:
        """The saved batch; otherwise one argument is itself, several are a tuple, keyword arguments a dict.

        Raises:
            StartingPointError: there are arguments of both kinds.
        """
        if self.saved is not None:
            return self.saved[0]
        if self.args and self.kwargs:
            raise StartingPointError(
                "the samples are positional and keyword arguments, which no one batch says",
                where=f"{len(self.args)} positional, and {', '.join(self.kwargs)}",
                then='read the trace yourself: tracer.Trace(file)["(root)"].calls[0] has .inputs and .kwargs',
            )
        if self.kwargs:
            return dict(self.kwargs)
        return self.args[0] if len(self.args) == 1 else self.args


def _copied(nest: Any) -> Any:
    if isinstance(nest, tuple):
        items = [_copied(item) for item in nest]
        return type(nest)(*items) if hasattr(nest, "_fields") else tuple(items)
    if isinstance(nest, list):
        return [_copied(item) for item in nest]
    if isinstance(nest, dict):
        found = copy(nest)
        found.update((key, _copied(value)) for key, value in nest.items())
        return found
    if isinstance(nest, np.ndarray | np.generic):  # copied where it becomes a tensor
        return nest
    try:
        array = array_of(nest)
    except StartingPointError:  # quantised, say: the tensor itself has to do
        return nest
    return nest if array is None else np.array(array)


def samples_from(source: Any) -> Samples:
    """The samples in a file, a folder, a trace or a batch that is at hand.

    A saved batch is what it was; of another .npz and of a folder of .npy files, names that begin with a number are
    positional arguments in its order and others the names of keyword arguments; an .npy file is one argument; a trace
    gives what its net was first called with.

    Raises:
        StartingPointError: there are no samples in it.
        TraceFileError: it is a trace that cannot be read.
    """
    if isinstance(source, Trace):
        return _of_trace(source)
    if not isinstance(source, str | os.PathLike):
        return Samples.of_batch(source)
    return _read(Path(source))


def _read(path: Path) -> Samples:
    if path.is_dir():
        found = read_folder(path)
        if len(found) == 1:
            return Samples(tuple(found.values()))
        return _by_names(found, path)
    if not path.exists():
        then = "check the path, or save samples there with tracer.save_samples"
        raise StartingPointError("there are no samples of this name", where=str(path), then=then)
    if is_hdf5(path):
        with Trace(path) as trace:
            return _of_trace(trace)
    if _begins(path, _NPY):
        return Samples((read_array(path),))
    if not _begins(path, _ZIP):
        raise StartingPointError(
            "samples are not read from a file of this type",
            where=str(path),
            then="save them with tracer.save_samples or numpy.savez (a pickle can run code, so none is read)",
        )
    batch, saved = read_batch(path)
    return Samples.of_batch(batch) if saved else _by_names(batch, path)


def _begins(path: Path, signature: bytes) -> bool:
    try:
        with path.open("rb") as stream:
            return path.is_file() and stream.read(len(signature)) == signature
    except OSError:
        return False


def _by_names(arrays: Mapping[str, Array], path: Path) -> Samples:
    """Arrays of which only names are known."""
    numbers = {name: number_of(name) for name in arrays}
    with_number = [name for name, number in numbers.items() if number is not None]
    if not with_number:
        return Samples((), dict(arrays))
    if len(with_number) < len(arrays):
        rest = [name for name in arrays if name not in with_number]
        raise StartingPointError(
            "some names begin with the number of an argument and some do not",
            where=f"{path}: {with_number[0]!r}, {rest[0]!r}",
            then="number all of them (0_images, 1_labels), or name all of them by the net's arguments",
        )
    if len(set(numbers.values())) < len(numbers):
        ordered = sorted(arrays, key=lambda name: numbers[name] or 0)
        twice = next((a, b) for a, b in pairwise(ordered) if numbers[a] == numbers[b])
        where = f"{path}: {twice[0]!r}, {twice[1]!r}"
        raise StartingPointError("two arrays have one number", where=where, then="give each its own")
    return Samples(tuple(arrays[name] for name in sorted(arrays, key=lambda name: numbers[name] or 0)))


def _of_trace(trace: Trace) -> Samples:
    """What the net was first called with. Lists and tuples are not told apart in a trace: all are tuples."""
    calls = trace.layers[ROOT].calls if ROOT in trace.skeleton.layers else []
    if not calls:
        raise StartingPointError(
            "the trace has no call of the net itself, so it has no samples",
            where=str(trace.path),
            then="record the net without only= and skip= that leave it out",
        )
    call = calls[0]
    notes: list[str] = []
    args = tuple(_loaded(nest, notes) for nest in call.inputs)
    return Samples(
        args, {name: _loaded(nest, notes) for name, nest in call.kwargs.items()}, tuple(dict.fromkeys(notes))
    )


def _loaded(nest: Any, notes: list[str]) -> Any:
    if isinstance(nest, list):
        notes.append("a trace does not tell lists from tuples: what was either is a tuple")
        return tuple(_loaded(item, notes) for item in nest)
    if isinstance(nest, dict):
        return {key: _loaded(item, notes) for key, item in nest.items()}
    if not isinstance(nest, ValueView):
        return nest
    if getattr(nest.value, "kind", "tensor") == "other":
        raise StartingPointError(
            f"the net was given an object that no trace keeps, {getattr(nest.value, 'literal', '')}",
            where=repr(nest)[:120],
            then="give the inputs yourself, with such an object of your own",
        )
    return np.asarray(nest)
