"""A trace as a shelf: what its layers gave, or the gradients of its parameters, under their paths."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tracer.divergence.case import TraceLike
from tracer.divergence.files.names import Named, read_name
from tracer.divergence.files.shelf import Shelf
from tracer.divergence.metrics import Array
from tracer.errors import TraceFileError
from tracer.trace.schema import ROOT, Call, Parameter, Statistics, Value
from tracer.trace.statistics import statistics


class _Arrays:
    """The arrays of a trace; statistics are those that were recorded."""

    def __init__(self, trace: TraceLike, values: dict[str, Value]) -> None:
        self._trace, self._values = trace, values

    def array(self, value: Value | Parameter) -> Array:
        """The whole array."""
        return self._trace.array(self._recorded(value))

    def blocks(self, value: Value | Parameter, elements: int = 1 << 20) -> Iterator[Array]:
        """The array as flat C-order pieces."""
        return self._trace.blocks(self._recorded(value), elements)

    def check(self, value: Value | Parameter) -> None:
        """Look whether the file holds the array as it says."""
        self._trace.check(self._recorded(value))

    def row_blocks(self, parameter: Parameter) -> Array:
        """The trace's own."""
        return self._trace.row_blocks(parameter)

    def statistics(self, value: Value) -> Statistics:
        """As recorded, else taken from the array."""
        recorded = self._values[value.leaf].statistics
        return recorded if recorded is not None else statistics(self.array(value))

    def _recorded(self, value: Value | Parameter) -> Value | Parameter:
        return self._values[value.leaf] if isinstance(value, Value) else value


def traced(trace: TraceLike, *, outputs: bool, gradients: bool) -> Shelf:
    """What a trace holds arrays of.

    Args:
        trace: the trace.
        outputs: what calls gave, in the order in which they returned.
        gradients: those of parameters, in the order of the net.

    Raises:
        TraceFileError: no array of that sort was kept.
    """
    found: dict[str, Value] = {}
    named: list[Named] = []
    step = trace.skeleton.steps[0] if trace.skeleton.steps else None
    if step is not None and outputs:
        for call in _as_returned(step.calls):
            for value in call.outputs:
                if value.kind == "tensor" and value.stored:
                    name = _name(call, value)
                    found[name] = value
                    named.append(read_name("output" if call.path == ROOT else _path(call, value), value.shape))
                    named[-1] = replace(named[-1], name=name, gradient=False, front=None)
    if step is not None and gradients:
        places = [(path, p.name) for path, layer in trace.skeleton.layers.items() for p in layer.parameters]
        for path, own in places:
            gradient = step.parameter_gradients.get((path, own))
            if gradient is not None and gradient.kind == "tensor" and gradient.stored:
                name = f"grad {path}.{own}" if path != ROOT else f"grad {own}"
                found[name] = gradient
                words = read_name(f"{path}.{own}" if path != ROOT else own, gradient.shape)
                named.append(replace(words, name=name, gradient=True, front=None))
    if not found:
        kept = trace.skeleton.header.keep
        what = "gradient of a parameter" if gradients and not outputs else "value"
        then = 'record it with keep="values"' + (" and backward=True" if gradients else "")
        raise TraceFileError(f"the trace keeps no {what} (it keeps {kept})", where=str(trace.path), then=then)
    header, end = trace.skeleton.header, trace.skeleton.end
    values = tuple(replace(found[n.name], leaf=n.name) for n in named)
    order = "the order of the calls" if outputs else "the order of the parameters"
    return Shelf(
        str(trace.path), header.framework, header.framework_version, header.net, end.complete,
        _Arrays(trace, found), tuple(named), values, True, order, whole=False, cotangent=header.cotangent,
    )  # fmt: skip


def _as_returned(calls: tuple[Call, ...]) -> list[Call]:
    """Calls by when they came back: a container after all that it calls."""
    last = {call.order: call.order for call in calls}
    depth: dict[int, int] = {}
    for call in sorted(calls, key=lambda c: c.order):
        depth[call.order] = 0 if call.parent is None else depth.get(call.parent, 0) + 1
    for call in sorted(calls, key=lambda c: -c.order):
        if call.parent in last:
            last[call.parent] = max(last[call.parent], last[call.order])
    return sorted(calls, key=lambda c: (last[c.order], -depth[c.order]))


def _name(call: Call, value: Value) -> str:
    """The path, the number of a later call, and of several leaves which one."""
    return call.path + (f"#{call.index}" if call.index else "") + (f"[{value.leaf}]" if value.leaf else "")


def _path(call: Call, value: Value) -> str:
    """What a file of this value may be called: the path, with its leaf as part of it."""
    return call.path + (f".{value.leaf}" if value.leaf else "")
