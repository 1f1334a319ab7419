"""What holds parameters: a live net, a trace, a file of parameters, a mapping. All of them as a skeleton and arrays.

Nothing is read before it is asked for, and no more of it than that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tracer.errors import RecordingError, StartingPointError
from tracer.frameworks import watcher_for
from tracer.frameworks.base import WRAPPERS, Unreadable
from tracer.recorder.description import describe
from tracer.starting_point.checkpoints import Checkpoint, open_checkpoint
from tracer.starting_point.weights.weight_map import (
    STATISTICS,
    ParameterFacts,
    key_of,
    parameters_of,
    some,
    state_of_training,
)
from tracer.trace.reader import Trace, is_hdf5
from tracer.trace.schema import ROOT, End, Header, Layer, Parameter, Skeleton, Value

Array = np.ndarray[Any, Any]

BLOCK = 1 << 20
"""Elements in a block of an array that is read piece by piece."""


@dataclass(frozen=True)
class Holder:
    """One side: what it is called in sentences, its layers, and how its arrays are had.

    `read(key)` gives a whole array in C order, which may share the holder's memory and is not to be written to;
    `pieces(key)` gives it as flat blocks. Keys are structural names ("blocks.0.attn.qkv.weight"). `has` are the keys
    that can be read; None for all. `net` is the live net, `value` gives the array of a value that was recorded,
    `notes` what was assumed when it was opened. `unsaved` are keys that no file of the net's weights holds: buffers
    that are not persistent, what trains the net.
    """

    name: str
    skeleton: Skeleton
    read: Callable[[str], Array] = field(repr=False)
    pieces: Callable[[str], Iterator[Array]] = field(repr=False)
    notes: tuple[str, ...] = ()
    net: Any = field(default=None, repr=False)
    value: Callable[[Value], Array] | None = field(default=None, repr=False)
    has: frozenset[str] | None = field(default=None, repr=False)
    unsaved: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def framework(self) -> str:
        """Whose net it is: "torch", "mindspore", or "" for a file that does not tell."""
        return self.skeleton.header.framework

    def holds(self, key: str) -> bool:
        """Can the array of this key be read?"""
        return self.has is None or key in self.has

    def parameters(self) -> dict[str, ParameterFacts]:
        """Every parameter and buffer by key."""
        return parameters_of(self.skeleton)


def is_net(value: Any) -> bool:
    """Is it a net of a framework, and no path, trace or mapping?"""
    return not isinstance(value, str | os.PathLike | Trace | Mapping | Holder | list | tuple)


@contextmanager
def opened(source: Any, *, part: str | None = None) -> Iterator[Holder]:
    """Whatever holds parameters, open as long as the body runs.

    Args:
        source: a live net, a `Trace`, the path of a trace or of a file of parameters, a mapping of names to arrays or
            tensors, or a `Holder`, which is handed on.
        part: which part of a nested file.

    Raises:
        TracerError: it cannot be opened, or holds no parameters.
    """
    if isinstance(source, Holder):  # opened already
        yield source
    elif isinstance(source, Trace):
        yield of_trace(source)
    elif isinstance(source, Mapping):
        yield of_mapping(source)
    elif isinstance(source, str | os.PathLike | list | tuple):
        paths = source if isinstance(source, list | tuple) else [source]
        if len(paths) == 1 and _is_trace(Path(paths[0])):
            with Trace(paths[0]) as trace:
                yield of_trace(trace)
        else:
            with open_checkpoint(source, part=part) as checkpoint:
                yield of_checkpoint(checkpoint)
    else:
        try:
            net = of_net(source)
        except RecordingError as error:
            raise StartingPointError(
                "there is nothing here that holds parameters",
                where=error.where,
                then="give a net, a trace, a file (.pth, .safetensors, .ckpt, .npz), or a mapping of names to arrays",
            ) from None
        yield net


def _is_trace(path: Path) -> bool:
    """Is it one, or meant to be? No file of parameters begins as a trace does."""
    return is_hdf5(path) or path.suffix in {".h5", ".hdf5"} or (path.suffix == ".partial" and path.is_file())


def of_net(net: Any) -> Holder:
    """A live net, which need not have run.

    Raises:
        RecordingError: it is no net of a framework known here.
    """
    watcher = watcher_for(net)
    table = watcher.layers(net)
    layers, named = describe(watcher, table)
    tensors = {key_of(*key): held.tensor for key, held in named.items()}
    fleeting = frozenset(key_of(*key) for key, held in named.items() if not held.saved)
    kind = type(table[0][1]).__name__
    header = Header(watcher.name, watcher.version(), kind)
    skeleton = Skeleton(header, {layer.path: layer for layer in layers}, (), End())
    owners = _owners(skeleton)

    def read(key: str) -> Array:
        array = watcher.array(tensors[owners.get(key, key)])
        if isinstance(array, Unreadable):
            raise StartingPointError(
                f"a parameter cannot be read: {array.reason}",
                where=f"{key} of the {watcher.name} net {kind}",
                then="bring it to ordinary memory first (load it, dequantise it), or leave the layer out",
            )
        return np.ascontiguousarray(array).reshape(array.shape)

    unsaved = fleeting | state_of_training(skeleton)
    return Holder(f"{watcher.name} {kind}", skeleton, read, _in_blocks(read), net=net, unsaved=unsaved)


def of_trace(trace: Trace) -> Holder:
    """A recorded net: layers, calls and parameters."""
    skeleton = trace.skeleton
    kept: dict[str, Parameter] = {
        key_of(path, p.name): p for path, layer in skeleton.layers.items() for p in layer.parameters
    }
    owners = _owners(skeleton)

    def held(key: str) -> Parameter:
        return kept[owners.get(key, key)]

    has = frozenset(key for key in kept if held(key).stored is not None)
    known = STATISTICS | {"num_batches_tracked"}  # a trace does not tell which other buffers stand in files
    unsaved = frozenset(key for key, p in kept.items() if p.buffer and p.name not in known)
    return Holder(
        trace.path.name,
        skeleton,
        lambda key: trace.array(held(key)),
        lambda key: trace.blocks(held(key), BLOCK),
        has=has,
        unsaved=unsaved | state_of_training(skeleton),
        value=trace.array if skeleton.header.keep == "values" else None,
    )


def of_mapping(values: Mapping[Any, Any]) -> Holder:
    """Names and arrays, or tensors of any framework: what `state_dict()` and `parameters_dict()` give.

    Raises:
        StartingPointError: a name that is no text, or a value that is no array.
    """
    arrays: dict[str, Array] = {}
    framework = ""
    for name, value in values.items():
        if not isinstance(name, str):
            raise StartingPointError(
                "a mapping of parameters has a name that is no text",
                where=repr(name)[:80],
                then="give names and arrays, as net.state_dict() does",
            )
        if isinstance(value, np.ndarray | np.generic):
            arrays[name] = np.asarray(value)
            continue
        try:
            watcher = watcher_for(value)
            array = watcher.array(value) if watcher.is_tensor(value) else Unreadable("it is no tensor")
        except Exception:
            array = Unreadable(f"it is a {type(value).__name__}")
        else:
            framework = watcher.name
        if isinstance(array, Unreadable):
            raise StartingPointError(
                f"a mapping of parameters holds what is no array: {array.reason}",
                where=name,
                then="give names and arrays, as net.state_dict() does",
            )
        arrays[name] = array
    if not arrays:
        raise StartingPointError("a mapping of parameters is empty", where="{}", then="give names and arrays")
    facts = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    skeleton = Skeleton(Header(framework, "", ""), layers_of_names(facts, {}, framework), (), End())

    def read(key: str) -> Array:
        array = arrays[key]
        return np.ascontiguousarray(array).reshape(array.shape)

    return Holder("the mapping", skeleton, read, _in_blocks(read))


def of_checkpoint(checkpoint: Checkpoint) -> Holder:
    """A file of parameters: its names make the tree, and no layer has a class."""
    facts = {name: (entry.shape, entry.dtype) for name, entry in checkpoint.entries.items()}
    layers = layers_of_names(facts, checkpoint.tied, checkpoint.framework)
    skeleton = Skeleton(Header(checkpoint.framework, "", ""), layers, (), End())
    return Holder(
        checkpoint.path.name,
        skeleton,
        checkpoint.read,
        lambda key: checkpoint.pieces(key, BLOCK),
        notes=checkpoint.notes,
    )


def of_its_net(values: Holder, net: Holder) -> Holder:
    """The numbers of a file under the structure of the net that it belongs to.

    Raises:
        StartingPointError: the file has not all parameters of the net that matter, or one of another shape.
    """
    own, theirs = net.parameters(), values.parameters()
    known = {_bare(key): key for key in theirs}
    names: dict[str, str] = {}
    for key, facts in own.items():
        wanted = (key, facts.alias, facts.tied)
        found = next((known[bare] for w in wanted if w and (bare := _bare(w)) in known), None)
        if found is not None:
            names[key] = found
    for key, name in names.items():
        if own[key].shape != theirs[name].shape:
            raise StartingPointError(
                f"{values.name} and {net.name} have other shapes of one parameter",
                where=f"{key}: {theirs[name].shape} in {values.name}, {own[key].shape} in {net.name}",
                then="give the net that the file was saved from",
            )
    lost = [p for p in own.values() if p.key not in names and p.needed and not p.tied]
    if lost:
        raise StartingPointError(
            f"{values.name} lacks {len(lost)} of the {len(own)} parameters of {net.name}",
            where=some(map(str, lost)),
            then="give the net that the file was saved from, or name the part of the file: part='model_ema'",
        )
    layers = {
        path: replace(
            layer,
            parameters=tuple(
                replace(p, dtype=theirs[names[key]].dtype) if (key := key_of(path, p.name)) in names else p
                for p in layer.parameters
            ),
        )
        for path, layer in net.skeleton.layers.items()
    }
    surplus = set(theirs) - set(names.values())
    notes = (*values.notes, *([f"{len(surplus)} parameters of {values.name} are not in {net.name}"] if surplus else []))
    return Holder(
        values.name,
        replace(net.skeleton, layers=layers),
        lambda key: values.read(names[key]),
        lambda key: values.pieces(names[key]),
        notes=notes,
        has=frozenset(names),
    )


def _bare(name: str) -> str:
    """A name without what wrappers put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def _owners(skeleton: Skeleton) -> dict[str, str]:
    return {
        key_of(path, p.name): key_of(*p.owner)
        for path, layer in skeleton.layers.items()
        for p in layer.parameters
        if p.owner
    }


def _in_blocks(read: Callable[[str], Array]) -> Callable[[str], Iterator[Array]]:
    def pieces(key: str) -> Iterator[Array]:
        flat = read(key).reshape(-1)
        for start in range(0, flat.size, BLOCK):
            yield flat[start : start + BLOCK]

    return pieces


# --------------------------------------------------------------------------------------------------------------------
# Names -> layers
# --------------------------------------------------------------------------------------------------------------------


def layers_of_names(
    facts: Mapping[str, tuple[tuple[int, ...], str]], tied: Mapping[str, str], framework: str
) -> dict[str, Layer]:
    """The tree that names of parameters tell of; classes only where the names of a layer's parameters leave no doubt.

    Args:
        facts: shape and dtype of each parameter by its dotted name.
        tied: names and the earlier name of the same tensor.
        framework: whose words the names are, "" where nobody knows.
    """
    own: dict[str, list[Parameter]] = {ROOT: []}
    for name, (shape, dtype) in facts.items():
        path, _, last = name.rpartition(".")
        parts = path.split(".") if path else []
        for depth in range(1, len(parts) + 1):
            own.setdefault(".".join(parts[:depth]), [])
        owner = tied.get(name)
        at = None if owner is None else (owner.rpartition(".")[0] or ROOT, owner.rpartition(".")[2])
        own[path or ROOT].append(Parameter(last, shape, dtype, owner=at))
    children: dict[str, list[str]] = {}
    for path in own:
        if path != ROOT:
            children.setdefault(path.rpartition(".")[0] or ROOT, []).append(path)
    layers = {}
    for path, parameters in own.items():
        kind = _telling_kind({p.name: p.shape for p in parameters}, children.get(path, ()))
        base = f"{'mindspore' if framework == 'mindspore' else 'torch'}.nn.{kind}"
        layers[path] = Layer(
            path,
            kind,
            bases=(base,) if kind else (),
            parameters=tuple(parameters),
            children=tuple(children.get(path, ())),
        )
    return layers


_GATES = {4: "LSTM", 3: "GRU", 1: "RNN"}
"""Rows of a recurrent layer's weights over its hidden size."""


def _telling_kind(shapes: Mapping[str, tuple[int, ...]], children: Iterable[str]) -> str:
    """The class of layers whose parameters no other layer has, and that the rules must know as a whole; else ""."""
    below = {path.rpartition(".")[2] for path in children}
    if ("in_proj_weight" in shapes or "q_proj_weight" in shapes) and "out_proj" in below:
        return "MultiheadAttention"
    hidden = shapes.get("weight_hh_l0") or shapes.get("weight_hh")
    if hidden and len(hidden) == 2 and hidden[1] and hidden[0] % hidden[1] == 0:
        kind = _GATES.get(hidden[0] // hidden[1], "")
        return kind if not kind or "weight_hh_l0" in shapes else f"{kind}Cell"
    return ""
