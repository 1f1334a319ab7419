"""Rows -> Skeleton. Pure: the rows are what the file says, in any order; what does not fit together is an error."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tracer.trace.rows import Malformed
from tracer.trace.schema import (
    Began,
    Call,
    End,
    Ended,
    Entered,
    Gradient,
    Header,
    Layer,
    Loss,
    LossGradient,
    LossTaken,
    Maker,
    Measures,
    OptimizerState,
    Parameter,
    ParameterGradient,
    ParameterState,
    Place,
    Returned,
    Row,
    Skeleton,
    Step,
    StepRow,
    UpdateGradient,
    Updates,
    Value,
)

T = TypeVar("T", Value, Parameter)

_MOST_ELEMENTS = 1 << 62


@dataclass
class _Open:
    """A call while its rows are gathered."""

    entered: Entered | None = None
    returned: Returned | None = None
    gradients: dict[tuple[str, str], Value] = field(default_factory=dict)


@dataclass
class _OpenStep:
    """A step while its rows are gathered."""

    calls: dict[int, _Open] = field(default_factory=dict)
    gradients: dict[int, dict[Place, Value]] = field(default_factory=dict)
    began: Began | None = None
    ended: Ended | None = None
    updates: Updates | None = None
    losses: dict[int, Loss] = field(default_factory=dict)
    loss_gradients: dict[int, Value] = field(default_factory=dict)
    parameters: dict[str, dict[Place, Value]] = field(default_factory=dict)
    update_gradients: dict[Place, Value] = field(default_factory=dict)
    state: dict[str, dict[tuple[str, str, str], Value]] = field(default_factory=dict)

    def add(self, row: StepRow) -> None:
        """Take a row.

        Raises:
            Malformed: it says what an earlier one has said, or a shape is impossible.
        """
        if isinstance(row, Entered | Returned | Gradient):
            _add(self.calls.setdefault(row.order, _Open()), row)
        elif isinstance(row, ParameterGradient):
            self.gradients.setdefault(row.part, {})[row.path, row.name] = _checked(row.value)
        elif isinstance(row, ParameterState):
            self.parameters.setdefault(row.when, {})[row.path, row.name] = _checked(row.value)
        elif isinstance(row, UpdateGradient):
            self.update_gradients[row.path, row.name] = _checked(row.value)
        elif isinstance(row, OptimizerState):
            self.state.setdefault(row.when, {})[row.path, row.name, row.key] = _checked(row.value)
        elif isinstance(row, Loss):
            for value in (row.value, *row.inputs):
                _checked(value)
            self.losses[row.index] = row
        elif isinstance(row, LossGradient):
            self.loss_gradients[row.index] = _checked(row.value)
        elif isinstance(row, Updates):
            self.updates = row
        elif isinstance(row, Began):
            self.began = row
        else:
            self.ended = row


def assemble(header: Header, layers: Iterable[Layer], rows: Iterable[Row]) -> Skeleton:
    """Put a trace together.

    Values with a maker that were not changed get the statistics, digest and place of what they are; so do tied
    parameters of their owner. A trace without an end gets one that says that it was cut off.

    Raises:
        Malformed: the rows contradict each other, or a shape is impossible.
    """
    table = _table(layers)
    steps: dict[int, _OpenStep] = {}
    end: End | None = None
    for row in rows:
        if isinstance(row, End):
            end = row
        else:
            steps.setdefault(row.step, _OpenStep()).add(row)
    for step in steps.values():
        for call in step.calls.values():
            if call.entered is not None and call.entered.path not in table:
                table[call.entered.path] = Layer(call.entered.path, "")
    return Skeleton(
        header=header,
        layers=table,
        steps=tuple(_step(number, steps[number]) for number in sorted(steps)),
        end=end if end is not None else End(complete=False, stopped="the recording was cut off before it ended"),
    )


def _table(layers: Iterable[Layer]) -> dict[str, Layer]:
    table: dict[str, Layer] = {}
    for layer in layers:
        if layer.path in table:
            raise Malformed(f"two layers at {layer.path!r}")
        table[layer.path] = layer
    parameters = {(layer.path, p.name): _checked(p) for layer in table.values() for p in layer.parameters}

    def tied(parameter: Parameter) -> Parameter:
        owner = parameters.get(parameter.owner) if parameter.owner is not None else None
        if owner is None or parameter.statistics is not None or _facts(owner) != _facts(parameter):
            return parameter
        return replace(
            parameter,
            statistics=owner.statistics,
            digest=owner.digest,
            stored=owner.stored,
            missing=owner.missing,
            blocks=owner.blocks,
            block_rows=owner.block_rows,
        )

    return {
        path: replace(layer, parameters=tuple(tied(p) for p in layer.parameters)) if layer.parameters else layer
        for path, layer in table.items()
    }


def _facts(thing: Value | Parameter) -> tuple[tuple[int, ...], str]:
    return thing.shape, thing.dtype


def _checked(thing: T) -> T:
    if any(size < 0 for size in thing.shape) or math.prod(thing.shape) > _MOST_ELEMENTS:
        raise Malformed(f"an impossible shape: {str(thing.shape)[:80]}")
    return thing


def _add(call: _Open, row: Entered | Returned | Gradient) -> None:
    if isinstance(row, Entered):
        if call.entered is not None:
            raise Malformed(f"call {row.order} of step {row.step} begins twice")
        call.entered = row
        for value in (*row.inputs, *row.kwargs):
            _checked(value)
    elif isinstance(row, Returned):
        call.returned = row
        for value in row.outputs:
            _checked(value)
    else:
        call.gradients[row.side, row.value.leaf] = _checked(row.value)


def _step(number: int, step: _OpenStep) -> Step:
    calls = step.calls
    known: dict[tuple[int, str, str], Value] = {}
    for order, call in calls.items():
        if call.entered is None:
            raise Malformed(f"call {order} of step {number} has no beginning")
        parent = call.entered.parent
        if parent is not None and (parent >= order or parent not in calls):
            raise Malformed(f"call {order} of step {number} has no parent {parent}")
        known.update({(order, "input", value.leaf): value for value in (*call.entered.inputs, *call.entered.kwargs)})
        if call.returned is not None:
            known.update({(order, "output", value.leaf): value for value in call.returned.outputs})
    resolve = _Resolver(known)
    began, ended = step.began, step.ended
    first: dict[Place, Value] = {}
    parts: dict[Place, tuple[Value, ...]] = {}
    for part in sorted(step.gradients):
        for place, value in step.gradients[part].items():
            if place in first:
                parts[place] = (*parts.get(place, ()), value)
            else:
                first[place] = value
    return Step(
        number=number,
        calls=tuple(_call(calls[order], resolve) for order in sorted(calls)),
        parameter_gradients=first,
        keep=began.keep if began is not None else "",
        gradient_parts=parts,
        losses=tuple(_loss(step.losses[n], step.loss_gradients.get(n), resolve) for n in sorted(step.losses)),
        parameters_before=step.parameters.get("before", {}),
        parameters_after=step.parameters.get("after", {}),
        update_gradients=step.update_gradients,
        optimizer=step.updates.optimizer if step.updates is not None else None,
        state_before=step.state.get("before", {}),
        state_after=step.state.get("after", {}),
        measures=ended.measures if ended is not None else Measures(),
        updates=ended.updates if ended is not None else 0,
        failed=ended.failed if ended is not None else None,
        ended=began is None or ended is not None,
    )


def _loss(loss: Loss, gradient: Value | None, resolve: _Resolver) -> LossTaken:
    return LossTaken(
        index=loss.index,
        value=loss.value,
        gradient=gradient,
        kind=loss.kind,
        bases=loss.bases,
        settings=loss.settings,
        inputs=resolve.all(loss.inputs),
        source=loss.source,
    )


def _call(call: _Open, resolve: _Resolver) -> Call:
    entered, returned = call.entered, call.returned
    assert entered is not None
    return Call(
        step=entered.step,
        order=entered.order,
        path=entered.path,
        index=entered.index,
        parent=entered.parent,
        inputs=resolve.all(entered.inputs),
        kwargs=resolve.all(entered.kwargs),
        outputs=resolve.all(returned.outputs) if returned is not None else (),
        grad_inputs=tuple(value for (side, _), value in call.gradients.items() if side == "grad_input"),
        grad_outputs=tuple(value for (side, _), value in call.gradients.items() if side == "grad_output"),
        training=entered.training,
        source=entered.source,
        autocast=entered.autocast,
        seconds=returned.seconds if returned is not None else None,
        returned=returned is not None and returned.failed is None,
        failed=returned.failed if returned is not None else None,
    )


class _Resolver:
    """Finds for a value with a maker the value that has the array, along chains of makers."""

    def __init__(self, known: Mapping[tuple[int, str, str], Value]) -> None:
        self._known = known
        self._done: dict[Maker, Value | None] = {}

    def all(self, values: tuple[Value, ...]) -> tuple[Value, ...]:
        if not any(value.maker is not None for value in values):
            return values
        return tuple(self._filled(value) for value in values)

    def _filled(self, value: Value) -> Value:
        if value.maker is None or value.changed or value.statistics is not None or value.kind != "tensor":
            return value
        found = self._origin(value.maker)
        if found is None or _facts(found) != _facts(value):
            return replace(value, missing=value.missing or "what made it is not in the trace")
        return replace(
            value, statistics=found.statistics, digest=found.digest, stored=found.stored, missing=found.missing
        )

    def _origin(self, maker: Maker) -> Value | None:
        road: list[Maker] = []
        found: Value | None = None
        at: Maker | None = maker
        while at is not None:
            if at in self._done:
                found = self._done[at]
                break
            road.append(at)
            self._done[at] = None  # a circle of makers ends here
            found = self._known.get((at.order, at.side, at.leaf))
            onward = found is not None and found.maker is not None and not found.changed and found.statistics is None
            at = found.maker if found is not None and onward else None
        for passed in road:
            self._done[passed] = found
        return found
