"""The times of a net's calls, as `keep="timing"` records them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

Nanoseconds = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Timing:
    """When each call of a net began and ended, over several repeats of one step.

    All times are nanoseconds since the repeat's step began, on one clock of the process; -1 where there is none. The
    calls are those of the trace's skeleton (step 0), which was recorded before by one run that is not timed.

    Attributes:
        orders: the `order` of each call in the skeleton; what the axis `calls` below stands for.
        forward: (repeats, calls, 2) begin and end of each call.
        backward: (repeats, calls, 2) from when the first operation of the call's backward began to when its last ended;
            other layers' operations may lie between.
        backward_own: (repeats, calls) time within operations of this call that belong to no layer inside it.
        backward_total: (repeats, calls) the same with those of all layers inside it.
        step: (repeats, 4) ends of forward, loss, backward and update; -1 for those that were not there.
        bare: (repeats,) whole steps without anything watched, run in turn with those.
        enter_cost, leave_cost: what watching adds to one call before its begin is read or after its end is, measured:
            it falls into the call around it.
        inside_cost: what it adds between a call's own begin and end.
        peak: (calls,) bytes allocated at most while the call ran, over what was allocated when it began; -1 unknown.
        rest: how the device was brought to rest before a clock was read ("mindspore.runtime.synchronize", or why
            nothing was needed).
        notes: what could not be separated or measured, a sentence each.
        watched: (repeats,) whole steps that were watched; empty where nobody said.
    """

    orders: tuple[int, ...]
    forward: Nanoseconds
    backward: Nanoseconds
    backward_own: Nanoseconds
    backward_total: Nanoseconds
    step: Nanoseconds
    bare: Nanoseconds
    enter_cost: int
    leave_cost: int
    inside_cost: int
    peak: Nanoseconds
    rest: str
    notes: tuple[str, ...] = ()
    watched: Nanoseconds = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class TimingFacts:
    """Of a `Timing` what is no array, as a row of the file."""

    enter_cost: int
    leave_cost: int
    inside_cost: int
    rest: str
    notes: tuple[str, ...] = ()


def facts_of(timing: Timing) -> TimingFacts:
    """What is no array."""
    return TimingFacts(**{f.name: getattr(timing, f.name) for f in fields(TimingFacts)})


def arrays_of(timing: Timing) -> dict[str, Nanoseconds]:
    """The arrays by name, as they lie in the file; `orders` is one of them."""
    orders = np.array(timing.orders, np.int64)
    return {"orders": orders} | {name: getattr(timing, name) for name in SHAPES if name != "orders"}


SHAPES: Mapping[str, tuple[str | int, ...]] = {
    "orders": ("calls",),
    "forward": ("repeats", "calls", 2),
    "backward": ("repeats", "calls", 2),
    "backward_own": ("repeats", "calls"),
    "backward_total": ("repeats", "calls"),
    "step": ("repeats", 4),
    "bare": ("repeats",),
    "peak": ("calls",),
    "watched": ("repeats",),
}
"""The axes of each array."""


def put_together(facts: TimingFacts, arrays: Mapping[str, Nanoseconds], known: Collection[int]) -> Timing:
    """The times as a file has them.

    Args:
        facts: what is no array.
        arrays: int64, of the axes in `SHAPES`.
        known: the orders of the calls that there are.

    Raises:
        ValueError: they contradict each other, the skeleton, or time itself.
    """
    calls, repeats = len(arrays["orders"]), len(arrays["bare"])
    for name, axes in SHAPES.items():
        shape = tuple({"calls": calls, "repeats": repeats}.get(str(axis), axis) for axis in axes)
        if arrays[name].shape != shape and not (name == "watched" and not arrays[name].size):
            raise ValueError(f"{name} has shape {arrays[name].shape}, not {shape}")
        if (arrays[name] < -1).any() or (arrays[name] > LONGEST).any():
            raise ValueError(f"{name} holds what is no time")
    orders = tuple(map(int, arrays["orders"]))
    if len(set(orders)) < calls or not set(orders) <= set(known):
        raise ValueError("times of calls that are not in the trace")
    for name in ("forward", "backward"):
        begin, end = arrays[name][..., 0], arrays[name][..., 1]
        if (((begin < 0) != (end < 0)) | (end < begin)).any():
            raise ValueError(f"{name}: a call ends before it begins")
    if min(facts.enter_cost, facts.leave_cost, facts.inside_cost) < 0:
        raise ValueError("a cost below nothing")
    return Timing(
        orders,
        arrays["forward"],
        arrays["backward"],
        arrays["backward_own"],
        arrays["backward_total"],
        arrays["step"],
        arrays["bare"],
        facts.enter_cost,
        facts.leave_cost,
        facts.inside_cost,
        arrays["peak"],
        facts.rest,
        facts.notes,
        arrays["watched"],
    )


LONGEST = 1 << 62
"""Nanoseconds (and bytes) that are believed."""
