"""How a trace reads to a person: layers, calls, parameters and values, with arrays that load when numpy asks."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from tracer.errors import TracerError
from tracer.trace.schema import Call, Layer, Parameter, Skeleton, Source, Statistics, Value
from tracer.trace.statistics import Array

Nest = Any
"""A result as it was nested: lists and dicts of `ValueView`, scalars, None; or one of them alone."""


class UnknownName(TracerError, KeyError):  # noqa: N818 (as KeyError has it)
    """A path, call, step or parameter that the trace does not have."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class Reads(Protocol):
    """What the views need of a trace."""

    path: Path
    skeleton: Skeleton

    def array(self, value: Value | Parameter) -> Array:
        """The array of a value."""


class ValueView:
    """One recorded array: `.shape .dtype .statistics`, and `numpy.asarray(value)` reads it from the file."""

    def __init__(self, trace: Reads, value: Value | Parameter, name: str) -> None:
        self._trace = trace
        self._value = value
        self._name = name

    @property
    def value(self) -> Value | Parameter:
        """The plain facts, as in the skeleton."""
        return self._value

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return self._value.shape

    @property
    def dtype(self) -> str:
        """The dtype as numpy and ml_dtypes call it."""
        return self._value.dtype

    @property
    def device(self) -> str:
        """Where it was, in words."""
        return self._value.device

    @property
    def statistics(self) -> Statistics | None:
        """What is known without reading it; None where nothing was recorded."""
        return self._value.statistics

    @property
    def digest(self) -> str | None:
        """xxh3-128 of its bytes in C order."""
        return self._value.digest

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def stored(self) -> bool:
        """Is its array in the file?"""
        return self._value.stored is not None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False:
            raise ValueError("the array lies in a file, so it cannot be had without a copy")
        array = self._trace.array(self._value)
        return array if dtype is None else array.astype(dtype, copy=False)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a value without axes")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        return self._trace.array(self._value)[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._trace.array(self._value))

    def __repr__(self) -> str:
        return f"<{self._name}: {describe(self._value)}>"


class ParameterView(ValueView):
    """A parameter or buffer as it was when recording started."""

    def __init__(self, trace: Reads, path: str, parameter: Parameter) -> None:
        super().__init__(trace, parameter, f"parameter {full_name(path, parameter.name)}")
        self.path = path
        self.name = parameter.name
        self.trainable = parameter.trainable
        self.buffer = parameter.buffer
        self.owner = parameter.owner

    @property
    def grad(self) -> ValueView | None:
        """Its gradient in step 0; None where there is none. That of a tied parameter is under its owner."""
        return self.gradient(0)

    def gradient(self, step: int) -> ValueView | None:
        """Its gradient in a step; None where there is none."""
        key = self.owner or (self.path, self.name)
        for found in self._trace.skeleton.steps:
            if found.number == step and key in found.parameter_gradients:
                return ValueView(self._trace, found.parameter_gradients[key], f"gradient of {full_name(*key)}")
        return None


class CallView:
    """One call of a layer. Results are nested as they were: `.output` is one value, or lists and dicts of values."""

    def __init__(self, trace: Reads, call: Call) -> None:
        self._trace = trace
        self.call = call

    @property
    def index(self) -> int:
        """Which call of its layer this is."""
        return self.call.index

    @property
    def order(self) -> int:
        """Which call of the whole step this is."""
        return self.call.order

    @property
    def seconds(self) -> float | None:
        """How long it took by the clock; None when it did not return."""
        return self.call.seconds

    @property
    def training(self) -> bool | None:
        """Was the layer in training mode?"""
        return self.call.training

    @property
    def source(self) -> Source | None:
        """The line that made the call."""
        return self.call.source

    @property
    def inputs(self) -> list[Nest]:
        """The positional arguments; one without a leaf (an empty list) stands as an empty list in its place."""
        groups: dict[str, list[tuple[str, Nest]]] = {}
        for value in self.call.inputs:
            position, _, rest = value.leaf.partition(".")
            groups.setdefault(position, []).append((rest, self._leaf(value, "input")))
        if any(not position.isdigit() for position in groups):
            return [nest(leaves) for leaves in groups.values()]
        count = max((int(position) for position in groups), default=-1) + 1
        return [nest(groups[str(n)]) if str(n) in groups else [] for n in range(count)]

    @property
    def kwargs(self) -> dict[str, Nest]:
        """The keyword arguments."""
        groups: dict[str, list[tuple[str, Nest]]] = {}
        for value in self.call.kwargs:
            name, _, rest = value.leaf.partition(".")
            groups.setdefault(name, []).append((rest, self._leaf(value, "keyword argument")))
        return {name: nest(leaves) for name, leaves in groups.items()}

    @property
    def output(self) -> Nest:
        """What the layer returned; None when it did not return."""
        return self._nest(self.call.outputs, "output")

    @property
    def grad_inputs(self) -> dict[str, ValueView]:
        """Gradients of inputs by leaf: positions of arguments, names of keyword arguments."""
        return {value.leaf: self._view(value, "grad_input") for value in self.call.grad_inputs}

    @property
    def grad_output(self) -> Nest:
        """The gradient of the output, nested like it; leaves without one are left out. None when there is none."""
        if len(self.call.outputs) == 1 or not self.call.grad_outputs:
            return self._nest(self.call.grad_outputs, "grad_output")
        position = {value.leaf: n for n, value in enumerate(self.call.outputs)}
        ordered = sorted(self.call.grad_outputs, key=lambda value: position.get(value.leaf, len(position)))
        given = [(value.leaf, self._view(value, "grad_output")) for value in ordered]
        whole = {value.leaf for value in self.call.outputs} == {leaf for leaf, _ in given}
        return nest(given) if whole else dict(given)

    def _nest(self, values: Sequence[Value], side: str) -> Nest:
        return nest([(value.leaf, self._leaf(value, side)) for value in values])

    def _leaf(self, value: Value, side: str) -> Nest:
        if value.kind == "none":
            return None
        return value.literal if value.kind == "scalar" else self._view(value, side)

    def _view(self, value: Value, side: str) -> ValueView:
        place = f"{self.call.path} call {self.call.index} {side}"
        return ValueView(self._trace, value, f"{place} {value.leaf}" if value.leaf else place)

    def __repr__(self) -> str:
        state = "" if self.call.returned else f", {self.call.failed or 'never returned'}"
        time = f", {self.seconds * 1e3:.3g} ms" if self.seconds is not None else ""
        shown = ", ".join(describe(value) for value in self.call.outputs[:4])
        more = ", ..." if len(self.call.outputs) > 4 else ""
        return f"<call {self.index} of {self.call.path}{time}{state}{': ' + shown + more if shown else ''}>"


class LayerView:
    """One layer in one step: what it is, its parameters, its calls."""

    def __init__(self, trace: Reads, layer: Layer, calls: Sequence[CallView]) -> None:
        self._trace = trace
        self.layer = layer
        self.calls = calls

    @property
    def path(self) -> str:
        """Where it is in the net."""
        return self.layer.path

    @property
    def kind(self) -> str:
        """Its class."""
        return self.layer.kind

    @property
    def bases(self) -> tuple[str, ...]:
        """Qualified names of its class and bases."""
        return self.layer.bases

    @property
    def settings(self) -> Mapping[str, Any]:
        """Its attributes with plain values."""
        return self.layer.settings

    @property
    def training(self) -> bool | None:
        """Was it in training mode when recording started?"""
        return self.layer.training

    @property
    def children(self) -> tuple[str, ...]:
        """Paths of its direct children."""
        return self.layer.children

    @property
    def source(self) -> Source | None:
        """Where its class is defined."""
        return self.layer.source

    @property
    def made_at(self) -> Source | None:
        """The line of its parent that made it."""
        return self.layer.made_at

    @property
    def parameters(self) -> dict[str, ParameterView]:
        """Its own parameters and buffers by name."""
        return {p.name: ParameterView(self._trace, self.path, p) for p in self.layer.parameters}

    def __repr__(self) -> str:
        inside = f", {len(self.children)} inside" if self.children else ""
        names = f", parameters {', '.join(self.parameters)}" if self.layer.parameters else ""
        calls = f"{len(self.calls)} call{'s' * (len(self.calls) != 1)}" if self.calls else "never called"
        return f"<{self.kind or 'layer'} {self.path}: {calls}{names}{inside}>"


class Layers(Mapping[str, LayerView]):
    """All layers of one step by path, in the framework's own order."""

    def __init__(self, trace: Reads, step: int) -> None:
        self._trace = trace
        self._step = step

    @cached_property
    def _calls(self) -> dict[str, list[CallView]]:
        found: dict[str, list[CallView]] = {}
        for step in self._trace.skeleton.steps:
            for call in step.calls if step.number == self._step else ():
                found.setdefault(call.path, []).append(CallView(self._trace, call))
        for calls in found.values():
            calls.sort(key=lambda view: view.index)
        return found

    def __getitem__(self, path: str) -> LayerView:
        layer = self._trace.skeleton.layers.get(path) if isinstance(path, str) else None
        if layer is None:
            raise self._unknown(path)
        return LayerView(self._trace, layer, self._calls.get(path, []))

    def _unknown(self, path: object) -> UnknownName:
        """The error for what is no layer's path; it may be something else's."""
        then = ""
        for layer in self._trace.skeleton.layers.values():
            if path in layer.aliases:
                then = f"this is another name of {layer.path!r}"
            if any(path == full_name(layer.path, p.name) for p in layer.parameters):
                then = f"this is a parameter: trace.parameters[{path!r}]"
        if then:
            return UnknownName(f"There is no layer {path!r}", where=str(self._trace.path), then=then)
        return unknown("layer", path, self._trace.skeleton.layers, self._trace.path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._trace.skeleton.layers)

    def __len__(self) -> int:
        return len(self._trace.skeleton.layers)

    def __contains__(self, path: object) -> bool:
        return path in self._trace.skeleton.layers

    def __repr__(self) -> str:
        return f"<{len(self)} layers of {self._trace.path.name}>"


class Parameters(Mapping[str, ParameterView]):
    """All parameters and buffers by their full name ("blocks.0.fc1.weight"); tied ones at every place."""

    def __init__(self, trace: Reads) -> None:
        self._trace = trace

    @cached_property
    def _known(self) -> dict[str, ParameterView]:
        return {
            full_name(layer.path, p.name): ParameterView(self._trace, layer.path, p)
            for layer in self._trace.skeleton.layers.values()
            for p in layer.parameters
        }

    def __getitem__(self, name: str) -> ParameterView:
        found = self._known.get(name) if isinstance(name, str) else None
        if found is None:
            raise unknown("parameter", name, self._known, self._trace.path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __repr__(self) -> str:
        return f"<{len(self)} parameters of {self._trace.path.name}>"


def full_name(path: str, name: str) -> str:
    """A parameter's name in the whole net; those of the net itself have no path before them."""
    return name if path == "(root)" else f"{path}.{name}"


def unknown(what: str, name: object, known: Mapping[str, Any] | Sequence[str], where: Path) -> UnknownName:
    """The error for a name that is not there, with the nearest that are."""
    near = difflib.get_close_matches(str(name), [str(k) for k in known][:20000], n=3, cutoff=0.5)
    if near:
        then = f"did you mean {' or '.join(map(repr, near))}?"
    else:
        then = f"there are: {', '.join(list(map(str, known))[:6]) or 'none'}{', ...' if len(known) > 6 else ''}"
    return UnknownName(f"There is no {what} {name!r}", where=str(where), then=then)


def nest(leaves: Sequence[tuple[str, Nest]]) -> Nest:
    """Leaves by their names ("past.1.0") -> lists and dicts; the leaf itself when its name is empty.

    Keys 0, 1, 2, ... without a gap make a list. Where names contradict each other the result is one flat dict.
    """
    if not leaves:
        return None
    if len(leaves) == 1 and leaves[0][0] == "":
        return leaves[0][1]
    groups: dict[str, list[tuple[str, Nest]]] = {}
    for name, leaf in leaves:
        key, _, rest = name.partition(".")
        groups.setdefault(key, []).append((rest, leaf))
    for group in groups.values():
        if len(group) > 1 and any(rest == "" for rest, _ in group):
            return dict(leaves)
    tree = {key: nest(group) for key, group in groups.items()}
    if list(tree) == [str(n) for n in range(len(tree))]:
        return list(tree.values())
    return tree


def describe(value: Value | Parameter) -> str:
    """A value in a line: dtype, shape, mean and range."""
    if isinstance(value, Value) and value.kind != "tensor":
        return {"none": "None", "scalar": repr(value.literal)}.get(value.kind, str(value.literal))
    text = f"{value.dtype} {list(value.shape)}"
    found = value.statistics
    if found is None:
        return f"{text}, {value.missing or 'no statistics'}"
    if found.minimum is not None and found.maximum is not None and found.mean is not None:
        text += f", mean {found.mean:.4g}, {found.minimum:.4g} .. {found.maximum:.4g}"
    return text + (f", {found.nan} NaN" if found.nan else "") + (f", {found.inf} Inf" if found.inf else "")
