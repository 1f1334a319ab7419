"""The curves of a trace: what each of its training steps measured."""

from __future__ import annotations

from tracer.curves.gathering import with_ratio
from tracer.curves.measures import GRADIENT_NORM, LEARNING_RATE, LOSS, PARAMETER_NORM, UPDATE_NORM
from tracer.curves.series import Curves, Series, no_curves
from tracer.trace.reader import Trace
from tracer.trace.schema import Measures


def read_trace(trace: Trace) -> Curves:
    """Its measures, step by step; steps that did not end are left out, and said.

    Raises:
        CurveError: it holds no training step that was measured.
    """
    steps = [step for step in trace.skeleton.steps if step.keep]
    found: dict[str, list[tuple[int, float]]] = {}
    for step in steps:
        if step.ended:
            for name, value in _numbers(step.measures).items():
                found.setdefault(name, []).append((step.number, value))
    if not found:
        what = "the trace holds no training step" if not steps else "no step of the trace was measured"
        then = (
            "record the training: tracer.recording(net, out=..., optimizer=...), with recording.step() around each step"
        )
        raise no_curves(trace.path, what, then)
    series = {
        name: Series(name, name, tuple(step for step, _ in points), tuple(value for _, value in points))
        for name, points in ((name, sorted(dict(points).items())) for name, points in found.items())
    }
    series = with_ratio(series)
    series.pop(UPDATE_NORM, None)
    cut = [step.number for step in steps if not step.ended]
    raised = [step.number for step in steps if step.failed]
    notes = [f"step {cut[0]} was cut off and is left out"] if cut else []
    notes += [f"step {raised[0]} raised"] if raised else []
    notes += [] if trace.complete else ["the recording was cut off"]
    return Curves(str(trace.path), "trace", series, tuple(notes))


def _numbers(measures: Measures) -> dict[str, float]:
    """What of a step was seen; the learning rates of several groups by the group's number."""
    found: dict[str, float | None] = {
        LOSS: measures.loss,
        GRADIENT_NORM: measures.gradient_norm,
        PARAMETER_NORM: measures.parameter_norm,
        UPDATE_NORM: measures.update_norm,
    }
    rates = measures.learning_rates
    if rates and len(set(rates)) == 1:
        found[LEARNING_RATE] = rates[0]
    else:
        found |= {f"{LEARNING_RATE}.{n}" if n else LEARNING_RATE: rate for n, rate in enumerate(rates)}
    return {name: value for name, value in found.items() if value is not None}
