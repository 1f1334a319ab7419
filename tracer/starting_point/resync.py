"""Each step of a training begins as that of another one began: its parameters, and what its optimizer remembered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer.errors import StartingPointError
from tracer.frameworks import watcher_for
from tracer.frameworks.training import trainer_of
from tracer.recorder import Options, Session, record_while
from tracer.starting_point.holders import Holder, of_trace
from tracer.starting_point.weights.loading import fill
from tracer.starting_point.weights.weight_map import WeightMap, key_of
from tracer.trace.reader import Trace
from tracer.trace.schema import Step


def resynchronised(net: Any, optimizer: Any, reference: Trace, weights: WeightMap) -> Callable[[int], None]:
    """What puts net and optimizer to where the reference stood before a step, called with the step's number. Steps that
    the reference did not keep begin as they are.

    Raises:
        StartingPointError: the reference has no steps, or keeps no values.
    """
    steps = {step.number: step for step in reference.skeleton.steps if step.keep == "values" and step.parameters_before}
    if not steps:
        raise StartingPointError(
            "the trace to train like holds no training steps with values",
            where=str(reference.path),
            then="record it with optimizer= and steps, and keep='values'",
        )
    holder = of_trace(reference)

    def before(number: int) -> None:
        step = steps.get(number)
        if step is not None:
            fill(net, _at(holder, reference, step), weights, partial=True)
            trainer_of(watcher_for(net)).state(optimizer)

    return before


def _at(holder: Holder, trace: Trace, step: Step) -> Holder:
    """The reference's parameters as they were before a step."""
    values = {key_of(*place): value for place, value in step.parameters_before.items()}
    owners = {
        key_of(path, p.name): key_of(*p.owner)
        for path, layer in trace.skeleton.layers.items()
        for p in layer.parameters
        if p.owner is not None
    }

    def read(key: str) -> Any:
        value = values.get(owners.get(key, key))
        return holder.read(key) if value is None or value.stored is None else trace.array(value)

    def pieces(key: str) -> Iterator[Any]:
        yield read(key).reshape(-1)

    return replace(holder, read=read, pieces=pieces)


@contextlib.contextmanager
def record_resynced(net: Any, out: Path, options: Options, optimizer: Any, like: Trace | Path) -> Iterator[Session]:
    """`tracer.recording` with each step begun where the reference's began."""
    del like
    with record_while(net, out, options, optimizer) as session:
        yield session
