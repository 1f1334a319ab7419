"""One step of a trace as a trace of its own: its parameters are those before the step, its gradients without the scale
that the loop put on the loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tracer.divergence.case import TraceLike
from tracer.divergence.metrics import Array
from tracer.trace.schema import ROOT, Call, Layer, LossTaken, Parameter, Skeleton, Statistics, Step, Value


class StepTrace:
    """What the diff sees of one step.

    Args:
        trace: the trace.
        step: one of its steps.
    """

    def __init__(self, trace: TraceLike, step: Step) -> None:
        self.step = step
        self.optimized = any(other.optimizer is not None for other in trace.skeleton.steps)
        """Was an optimizer seen to update in any of the steps?"""
        self._trace = trace
        self._scales: dict[str, float] = {}
        self.skeleton = self._skeleton(trace.skeleton)

    @property
    def path(self) -> object:
        """The file."""
        return self._trace.path

    def array(self, value: Value | Parameter) -> Array:
        """The whole array; a gradient without the loss's scale."""
        found = self._trace.array(value)
        scale = self._scales.get(value.stored or "")
        return found if scale is None else _divided(found, scale)

    def blocks(self, value: Value | Parameter, elements: int = 1 << 20) -> Iterator[Array]:
        """The array as flat C-order blocks, likewise."""
        scale = self._scales.get(value.stored or "")
        found = self._trace.blocks(value, elements)
        return found if scale is None else (_divided(block, scale) for block in found)

    def check(self, value: Value | Parameter) -> None:
        """Raise where the file does not hold the array as it says."""
        self._trace.check(value)

    def row_blocks(self, parameter: Parameter) -> Array:
        """Sums over blocks of rows, as they were when recording started."""
        return self._trace.row_blocks(parameter)

    def recorded(self, value: Value) -> Array:
        """The array of a value as it was recorded."""
        return self._trace.array(value)

    # -- the skeleton ----------------------------------------------------------------------------------------------

    def _skeleton(self, whole: Skeleton) -> Skeleton:
        step = self.step
        calls = self._calls()
        first = scale_of(step.losses[0]) if step.losses else 1.0
        gradients = {place: self._unscaled(value, first) for place, value in step.parameter_gradients.items()}
        none = not gradients and not any(call.grad_inputs or call.grad_outputs for call in calls)
        end = replace(
            whole.end,
            complete=step.ended and step.failed is None,
            stopped=step.failed or (None if step.ended else whole.end.stopped or "the step was cut off"),
            backward="no gradient reached the net in this step" if none else None,
        )
        layers = {path: _layer(layer, step) for path, layer in whole.layers.items()}
        return replace(
            whole,
            layers=layers,
            steps=(replace(step, calls=calls, parameter_gradients=gradients),),
            end=end,
        )

    def _calls(self) -> tuple[Call, ...]:
        scales = scales_of(self.step)
        if all(scale == 1.0 for scale in scales):
            return self.step.calls
        root = -1
        found = []
        for call in self.step.calls:
            root += call.parent is None and call.path == ROOT
            scale = scales[min(max(root, 0), len(scales) - 1)]
            found.append(
                replace(
                    call,
                    grad_inputs=tuple(self._unscaled(value, scale) for value in call.grad_inputs),
                    grad_outputs=tuple(self._unscaled(value, scale) for value in call.grad_outputs),
                )
            )
        return tuple(found)

    def _unscaled(self, value: Value, scale: float) -> Value:
        if scale == 1.0 or value.kind != "tensor":
            return value
        if value.stored is not None:
            self._scales[value.stored] = scale
        return replace(value, digest=None, statistics=value.statistics and scaled(value.statistics, 1 / scale))


def scales_of(step: Step) -> list[float]:
    """By what the gradients of each forward pass of a step were multiplied: one number for each loss, at least one."""
    return [scale_of(loss) for loss in step.losses] or [1.0]


def scale_of(loss: LossTaken) -> float:
    """By what the gradients behind a loss were multiplied; 1 where it is not known. Of a loss of many elements, whose
    mean was taken later, what was sent back sums to it."""
    found = loss.gradient.statistics if loss.gradient is not None else None
    if found is None or found.mean is None or found.nan or found.inf:
        return 1.0
    total = found.mean * found.count
    return total or 1.0


def scaled(found: Statistics, factor: float) -> Statistics:
    """Statistics of the same array times a positive or negative factor."""
    ends = [None if end is None else end * factor for end in (found.minimum, found.maximum)]
    low, high = ends if factor > 0 else reversed(ends)
    return replace(
        found,
        minimum=low,
        maximum=high,
        mean=None if found.mean is None else found.mean * factor,
        l2=None if found.l2 is None else found.l2 * abs(factor),
        sample=tuple(one * factor for one in found.sample),
    )


def _layer(layer: Layer, step: Step) -> Layer:
    if not step.parameters_before or not layer.parameters:
        return layer
    return replace(
        layer,
        training=_mode(layer, step),
        parameters=tuple(_before(layer.path, p, step.parameters_before) for p in layer.parameters),
    )


def _mode(layer: Layer, step: Step) -> bool | None:
    return next((call.training for call in step.calls if call.path == layer.path), layer.training)


def _before(path: str, parameter: Parameter, before: Mapping[tuple[str, str], Value]) -> Parameter:
    value = before.get(parameter.owner or (path, parameter.name))
    if value is None or (value.digest is not None and value.digest == parameter.digest):
        return parameter
    return replace(
        parameter,
        shape=value.shape,
        dtype=value.dtype,
        statistics=value.statistics,
        digest=value.digest,
        stored=value.stored,
        missing=value.missing,
        blocks=None,
    )


def _divided(array: Array, scale: float) -> Array:
    with np.errstate(all="ignore"):  # what overflows is told by those who judge it
        divided: Array = array / array.dtype.type(scale)
    return divided
