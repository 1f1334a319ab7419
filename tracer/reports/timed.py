"""What `tracer show` says of a trace of `keep="timing"`: how long, and where to look further."""

from __future__ import annotations

import shlex
from dataclasses import replace

import numpy as np

from tracer.reports.wording import plural
from tracer.trace.schema import Skeleton
from tracer.trace.timing import Nanoseconds, Timing


def with_times(skeleton: Skeleton, timing: Timing | None) -> Skeleton:
    """The skeleton whose calls took what they took in the median of the timed steps, forward, as watched; without times
    the run that was recorded first is not what anybody wants to know, so they took nothing that is known."""
    if skeleton.header.keep != "timing" or not skeleton.steps:
        return skeleton
    known: dict[int, float] = {}
    if timing is not None:
        for n, order in enumerate(timing.orders):
            found = _known(timing.forward[:, n, 1] - timing.forward[:, n, 0], timing.forward[:, n, 0])
            if found.size:
                known[order] = float(np.median(found)) / 1e9
    first, *rest = skeleton.steps
    calls = tuple(replace(call, seconds=known.get(call.order)) for call in first.calls)
    return replace(skeleton, steps=(replace(first, calls=calls), *rest))


def words(timing: Timing | None, file: str) -> str:
    """The times in a sentence."""
    if timing is None:
        return "none: it was cut off before a step was timed"
    parts = [f"{plural(len(timing.watched) or len(timing.step), 'step')} timed"]
    for name, times in (("a step takes", timing.bare), ("watched", timing.watched)):
        found = _known(times, times)
        if found.size:
            parts.append(f"{name} {float(np.median(found)) / 1e6:.3g} ms")
    if (timing.backward_total >= 0).any():
        parts.append("with the backward pass")
    return f"{', '.join(parts)}; in full: tracer profile {shlex.quote(file)}"


def _known(times: Nanoseconds, marks: Nanoseconds) -> Nanoseconds:
    return times[marks >= 0]
