"""What is in one trace: plain rows for `tracer show`, made from the skeleton alone. No array is read."""

from __future__ import annotations

import dataclasses
import difflib
import shlex
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.divergence.training.steps import ranges
from tracer.errors import TracerError
from tracer.reports.contract import finite
from tracer.reports.training_overview import first_step, measures, trains
from tracer.reports.wording import compact, plural, shape
from tracer.trace.schema import ROOT, Call, Layer, Skeleton, Source, Statistics, Step, Value


@dataclass(frozen=True)
class Row:
    """One layer in the tree. Statistics are those of the first tensor of its first call's output; `nan` and `inf`
    count all outputs of all calls, `seconds` is the time of all calls."""

    path: str
    name: str
    depth: int
    kind: str
    calls: int
    output: str = ""
    statistics: Statistics | None = None
    nan: int = 0
    inf: int = 0
    seconds: float | None = None
    remark: str = ""
    hidden: int = 0
    """How many layers below it are not shown."""


@dataclass(frozen=True)
class Head:
    """What a trace says of itself: labelled sentences, and the ones to worry about."""

    title: str
    facts: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]


def step_of(skeleton: Skeleton, number: int | None = None) -> Step:
    """One step of a trace; without a number the first whose calls are kept.

    Raises:
        TracerError: the trace has no such step.
    """
    number = first_step(skeleton) if number is None else number
    for step in skeleton.steps:
        if step.number == number:
            return step
    if not skeleton.steps and number == 0:
        return Step(0)
    numbers = [step.number for step in skeleton.steps]
    then = f"it has the steps {ranges(numbers)}" if numbers else "nothing was recorded before it stopped"
    raise TracerError("the trace has no such step", where=f"step {number}", then=then)


def find_layer(skeleton: Skeleton, path: str) -> Layer:
    """A layer by its path or one of its other names; "" is the net itself.

    Raises:
        TracerError: there is none; the message names the nearest.
    """
    path = path or ROOT
    if path in skeleton.layers:
        return skeleton.layers[path]
    for layer in skeleton.layers.values():
        if path in layer.aliases:
            return layer
    for layer in skeleton.layers.values():
        if any(path == (p.name if layer.path == ROOT else f"{layer.path}.{p.name}") for p in layer.parameters):
            then = f"`tracer show FILE {shlex.quote(layer.path)}` shows it"
            raise TracerError(f"this is a parameter of {layer.path}, no layer", where=path, then=then)
    near = difflib.get_close_matches(path, list(skeleton.layers), n=3, cutoff=0.4)
    ending = [known for known in skeleton.layers if known.endswith("." + path)][:3]
    then = f"did you mean {', '.join(ending or near)}" if ending or near else "`tracer show FILE` lists the layers"
    raise TracerError("the trace has no layer of this path", where=path, then=then)


# --------------------------------------------------------------------------------------------------------------------
# Head and tree
# --------------------------------------------------------------------------------------------------------------------

_VERSIONS = ("python", "numpy", "torch", "mindspore", "platform", "device")


def head(skeleton: Skeleton, file: str, number: int | None = None, *, times: str = "") -> Head:
    """The header in words, and what a reader must not miss; of a training without a `number` of all its steps. `times`
    is said of a trace that holds some."""
    header, end = skeleton.header, skeleton.end
    step = step_of(skeleton, number)
    environment = {key: value for key, value in header.environment.items() if value is not None}
    facts = [("recorded", _joined([header.created, header.tracer_version and f"tracer {header.tracer_version}"]))]
    facts.append(("holds", _holds(skeleton, None if number is None and trains(skeleton) else step)))
    facts.append(("times", times))
    if header.keep != "timing":
        facts.append(("backward", "recorded" if end.backward is None else f"not recorded: {end.backward}"))
    if environment:
        facts.append(("flags", ", ".join(f"{key} {_word(value)}" for key, value in environment.items())))
    if header.filters:
        facts.append(("filters", ", ".join(f"{key} {_word(value)}" for key, value in header.filters.items())))
    if header.note:
        facts.append(("note", header.note))
    facts += [("remark", note) for note in (*header.notes, *end.notes)]
    warnings = []
    if not end.complete:
        warnings.append(f"not complete: {_first_line(end.stopped or 'the recording was cut off')}")
    spoiled = [(call, *_spoiled(call)) for call in step.calls]
    spoiled = [(call, nan, inf) for call, nan, inf in spoiled if nan or inf]
    if spoiled:
        first, nan, inf = spoiled[0]
        count = len({call.path for call, _, _ in spoiled})
        warnings.append(f"NaN or Inf in {plural(count, 'layer')}, first out of {first.path} ({_bad(nan, inf)})")
    warnings += [f"not put back after the run: {name}" for name in end.unrestored]
    warnings += [f"not seen: {name}" for name in end.uncaptured]
    title = f"{file}   {header.framework} {header.framework_version}   {header.net}"
    return Head(title, tuple(fact for fact in facts if fact[1]), tuple(warnings))


def _joined(words: Sequence[str]) -> str:
    return ", ".join(word for word in words if word)


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_word(item)}" for key, item in value.items()) + ")"
    if isinstance(value, list):
        return "[" + ", ".join(_word(item) for item in value) + "]"
    return str(value)


def _holds(skeleton: Skeleton, step: Step | None) -> str:
    """What is kept, and how much of everything; without a step of all of them."""
    parameters = [p for layer in skeleton.layers.values() for p in layer.parameters if p.owner is None]
    elements = sum(p.statistics.count if p.statistics else _product(p.shape) for p in parameters if not p.buffer)
    count = len(skeleton.steps)
    of = (
        f"{plural(count, 'training step')}" if step is None else f"{plural(count, 'step')} (this is step {step.number})"
    )
    parts = [
        {"values": "values", "timing": "times, no values"}.get(skeleton.header.keep, "statistics only"),
        plural(len(skeleton.layers), "layer"),
        plural(len(step.calls), "call") if step is not None else "",
        f"{elements:,} parameters".replace(",", " "),
        of if count > 1 or trains(skeleton) else "",
    ]
    return _joined(parts)


def _product(dimensions: Sequence[int]) -> int:
    total = 1
    for size in dimensions:
        total *= size
    return total


def tree(skeleton: Skeleton, *, depth: int | None = None, number: int | None = None) -> Iterator[Row]:
    """The layers in the framework's own order, each with its depth below the net.

    Args:
        skeleton: of one trace.
        depth: how many levels below the net to give; None is all.
        number: the step whose calls are meant.
    """
    step = step_of(skeleton, number)
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in step.calls:
        calls[call.path].append(call)
    parents = _parents(skeleton.layers)
    depths = _depths(skeleton.layers, parents)
    below: dict[str, int] = defaultdict(int)
    for path in skeleton.layers:
        for ancestor in _ancestors(path, parents):
            below[ancestor] += 1
    for path, layer in skeleton.layers.items():
        if depth is None or depths[path] <= depth:
            cut = depth is not None and depths[path] == depth
            yield _row(layer, calls[path], depths[path], parents.get(path), skeleton, below[path] if cut else 0)


def _depths(layers: Mapping[str, Layer], parents: Mapping[str, str]) -> dict[str, int]:
    """How many levels below the net each layer lies."""
    depths: dict[str, int] = {}
    for path in layers:
        depths[path] = 0 if path == ROOT else depths.get(parents[path], 0) + 1
    return depths


def _parents(layers: Mapping[str, Layer]) -> dict[str, str]:
    """The path of each layer's parent: who names it as a child, else who its path says."""
    parents = {child: layer.path for layer in layers.values() for child in layer.children if child != ROOT}
    for path in layers:
        if path != ROOT and path not in parents:
            above = path.rpartition(".")[0]
            while above and above not in layers:
                above = above.rpartition(".")[0]
            parents[path] = above or ROOT
    return parents


def _ancestors(path: str, parents: Mapping[str, str]) -> Iterator[str]:
    seen = {path}
    parent = parents.get(path)
    while parent is not None and parent not in seen:
        yield parent
        seen.add(parent)
        parent = parents.get(parent)


def _row(layer: Layer, calls: Sequence[Call], depth: int, parent: str | None, skeleton: Skeleton, hidden: int) -> Row:
    name = layer.path
    if parent is not None and parent != ROOT and layer.path.startswith(parent + "."):
        name = layer.path[len(parent) + 1 :]
    if not calls:
        reason = skeleton.end.silent.get(layer.path, "")
        remark = reason if reason.startswith("never") else f"never ran: {reason}" if reason else "never ran"
        return Row(layer.path, name, depth, layer.kind, 0, remark=remark, hidden=hidden)
    tensors = [value for value in calls[0].outputs if value.kind == "tensor"]
    bad = [_spoiled(call) for call in calls]
    timed = [call.seconds for call in calls if call.seconds is not None]
    remarks = [f"raised: {_first_line(call.failed)}" for call in calls if call.failed]
    if any(not call.returned and not call.failed for call in calls):
        remarks.append("did not return")
    return Row(
        path=layer.path,
        name=name,
        depth=depth,
        kind=layer.kind,
        calls=len(calls),
        output=_output(tensors),
        statistics=tensors[0].statistics if tensors else None,
        nan=sum(nan for nan, _ in bad),
        inf=sum(inf for _, inf in bad),
        seconds=sum(timed) if timed else None,
        remark="; ".join(remarks),
        hidden=hidden,
    )


def _output(tensors: Sequence[Value]) -> str:
    if not tensors:
        return ""
    more = f" +{len(tensors) - 1}" if len(tensors) > 1 else ""
    return f"{shape(tensors[0].shape)}{more}"


def _spoiled(call: Call) -> tuple[int, int]:
    found = [value.statistics for value in call.outputs if value.statistics is not None]
    return sum(s.nan for s in found), sum(s.inf for s in found)


def _bad(nan: int, inf: int) -> str:
    return " ".join(f"{count} {name}" for count, name in ((nan, "NaN"), (inf, "Inf")) if count)


def bad_numbers(row: Row) -> str:
    """How many outputs are not finite ("3 NaN 1 Inf"), "" when all are."""
    return _bad(row.nan, row.inf)


# --------------------------------------------------------------------------------------------------------------------
# One layer
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ValueLine:
    """One parameter, input, output or gradient: what it is, its shape and dtype, its statistics, a remark."""

    label: str
    type: str
    statistics: Statistics | None
    remark: str = ""


@dataclass(frozen=True)
class CallPart:
    """One call of a layer."""

    title: str
    values: tuple[ValueLine, ...]
    source: Source | None = None


@dataclass(frozen=True)
class LayerPart:
    """One layer in full."""

    path: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    parameters: tuple[ValueLine, ...]
    calls: tuple[CallPart, ...]


def layer_part(skeleton: Skeleton, path: str, *, number: int | None = None) -> LayerPart:
    """One layer in full: settings, parameters, every call with what went in and came out.

    Raises:
        TracerError: no such layer or step.
    """
    layer, step = find_layer(skeleton, path), step_of(skeleton, number)
    calls = [call for call in step.calls if call.path == layer.path]
    orders = {call.order: call for call in step.calls}
    facts = [
        ("step", str(step.number) if step.keep else ""),
        ("class", ", ".join(layer.bases[:1]) + (f"   {layer.source}" if layer.source else "")),
        ("made at", _source(layer.made_at)),
        ("other paths", ", ".join(layer.aliases)),
        ("mode", {True: "training", False: "evaluation", None: ""}[layer.training]),
        ("settings", ", ".join(f"{name}={value!r}" for name, value in layer.settings.items())),
        ("children", ", ".join(layer.children)),
    ]
    if not calls:
        facts.append(("never ran", skeleton.end.silent.get(layer.path, "no reason is known")))
    return LayerPart(
        path=layer.path,
        kind=layer.kind,
        facts=tuple((name, text) for name, text in facts if text.strip()),
        parameters=tuple(_parameters(layer, step)),
        calls=tuple(_call(call, orders) for call in calls),
    )


def _source(source: Source | None) -> str:
    return "" if source is None else f"{source}   {source.text or ''}".rstrip()


def _parameters(layer: Layer, step: Step) -> Iterator[ValueLine]:
    for parameter in layer.parameters:
        remarks = ["buffer" if parameter.buffer else "" if parameter.trainable else "frozen"]
        if parameter.owner is not None:
            remarks.append(f"the same tensor as {'.'.join(parameter.owner)}")
        remarks.append(parameter.missing or "")
        kind = f"{shape(parameter.shape)} {parameter.dtype}"
        place = layer.path, parameter.name
        before, after = step.parameters_before.get(place), step.parameters_after.get(place)
        known = before.statistics if before is not None else parameter.statistics
        yield ValueLine(parameter.name, kind, known, _joined(remarks))
        if after is not None:
            yield _value_line(f"{parameter.name} after", after, {})
        gradient = step.parameter_gradients.get((layer.path, parameter.name))
        if gradient is not None:
            yield _value_line(f"{parameter.name} gradient", gradient, {})
        got = step.update_gradients.get((layer.path, parameter.name))
        if got is not None and (gradient is None or got.digest is None or got.digest != gradient.digest):
            yield _value_line(f"{parameter.name} gradient handed on", got, {})


def _call(call: Call, orders: Mapping[int, Call]) -> CallPart:
    parent = orders.get(call.parent) if call.parent is not None else None
    words = [
        f"call {call.index}",
        f"number {call.order} of the run",
        f"inside {parent.path}" if parent else "",
        f"{1000 * call.seconds:.3g} ms" if call.seconds is not None else "",
        f"autocast {call.autocast}" if call.autocast else "",
        {True: "training", False: "evaluation", None: ""}[call.training],
        f"raised: {call.failed}" if call.failed else "" if call.returned else "did not return",
    ]
    values = [
        _value_line(f"{side} {value.leaf}".rstrip(), value, orders)
        for side, values in (
            ("input", call.inputs),
            ("input", call.kwargs),
            ("output", call.outputs),
            ("output gradient", _in_order(call.grad_outputs, call.outputs)),
            ("input gradient", _in_order(call.grad_inputs, (*call.inputs, *call.kwargs))),
        )
        for value in values
    ]
    return CallPart(_joined(words), tuple(values), call.source)


def _in_order(gradients: Sequence[Value], values: Sequence[Value]) -> list[Value]:
    """Gradients in the order of the values that they are of; they arrived in any."""
    place = {value.leaf: n for n, value in enumerate(values)}
    return sorted(gradients, key=lambda gradient: place.get(gradient.leaf, len(place)))


def _value_line(label: str, value: Value, orders: Mapping[int, Call]) -> ValueLine:
    if value.kind == "none":
        return ValueLine(label, "None", None)
    if value.kind != "tensor":
        return ValueLine(label, repr(value.literal) if value.kind == "scalar" else f"a {value.literal}", None)
    remarks = []
    if value.maker is not None and value.maker.order in orders:
        maker = orders[value.maker.order]
        of = maker.path if maker.index == 0 else f"{maker.path}#{maker.index}"
        remarks.append(f"{value.maker.side} {value.maker.leaf}".rstrip() + f" of {of}")
    if value.changed:
        remarks.append("changed in place since")
    if value.missing:
        remarks.append(value.missing)
    return ValueLine(label, f"{shape(value.shape)} {value.dtype}", value.statistics, _joined(remarks))


def statistics_words(statistics: Statistics | None) -> str:
    """The four numbers ("mean 0.1  l2 4.2  min -1  max 2"), "" when nothing is known."""
    if statistics is None or not statistics.count:
        return ""
    words = [
        f"{name} {compact(value)}"
        for name, value in (
            ("mean", statistics.mean),
            ("l2", statistics.l2),
            ("min", statistics.minimum),
            ("max", statistics.maximum),
        )
        if value is not None
    ]
    return "  ".join(words)


def bad_of(statistics: Statistics | None) -> str:
    """How many are not finite ("3 NaN 1 Inf"), "" when all are or nothing is known."""
    return "" if statistics is None else _bad(statistics.nan, statistics.inf)


# --------------------------------------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------------------------------------


def to_json(
    skeleton: Skeleton, file: str, *, path: str | None = None, depth: int | None = None, number: int | None = None
) -> dict[str, Any]:
    """The skeleton of one step as what `json` can write: the header and every layer with its calls, those at most
    `depth` levels below the net, or one layer.

    Raises:
        TracerError: no such layer or step.
    """
    step = step_of(skeleton, number)
    if path is not None:
        layers = [find_layer(skeleton, path)]
    else:
        depths = _depths(skeleton.layers, _parents(skeleton.layers))
        layers = [layer for where, layer in skeleton.layers.items() if depth is None or depths[where] <= depth]
    calls: dict[str, list[Call]] = defaultdict(list)
    for call in step.calls:
        calls[call.path].append(call)
    document: dict[str, Any] = finite(
        {
            "format": "tracer-show",
            "version": 1,
            "file": file,
            "header": _fields(skeleton.header),
            "end": _fields(skeleton.end),
            "step": step.number,
            **({"steps": [measures(each) for each in skeleton.steps]} if trains(skeleton) else {}),
            "layers": [
                {
                    **_fields(layer),
                    "calls": [_fields(call) for call in calls[layer.path]],
                    "parameter_gradients": {
                        name: _fields(value)
                        for (owner, name), value in step.parameter_gradients.items()
                        if owner == layer.path
                    },
                    "silent": skeleton.end.silent.get(layer.path),
                }
                for layer in layers
            ],
        }
    )
    return document


def _fields(item: Any) -> Any:
    """A dataclass as a dict, without the samples, which are for machines that compare."""
    if dataclasses.is_dataclass(item):
        return {f.name: _fields(getattr(item, f.name)) for f in dataclasses.fields(item) if f.name != "sample"}
    if isinstance(item, Mapping):
        return {str(key): _fields(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_fields(value) for value in item]
    return item


def _first_line(text: str) -> str:
    """Of a message over many lines (MindSpore adds its C++ stack) the first that says something."""
    return next((line.strip() for line in text.splitlines() if line.strip()), text)
