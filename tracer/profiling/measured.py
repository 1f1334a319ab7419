"""A `Timing` -> what each call took by itself and in all, with what watching it cost taken off."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tracer.trace.schema import Call
from tracer.trace.timing import Timing

Times = NDArray[np.float64]
"""Nanoseconds; NaN where there is no time."""

PHASES = ("forward", "loss", "backward", "update")
FEW = 5
"""Below so many repeats the spread is from the least to the greatest instead of between quartiles."""

SURE = 0.9
"""The part of all pairs of repeats in which the same side has to be slower for it to be no chance."""


@dataclass(frozen=True)
class Spread:
    """A time over the repeats, in nanoseconds: the median, and between which two half of the repeats lie (`low`,
    `high`: the quartiles; of fewer than five repeats the least and the greatest). `times` are those of the repeats."""

    median: float
    low: float
    high: float
    repeats: int
    times: Times = field(repr=False, compare=False)


def spread(times: Times) -> Spread | None:
    """The spread of one time per repeat; None where no repeat has one."""
    found = times[np.isfinite(times)]
    if not found.size:
        return None
    low, median, high = np.percentile(found, (25, 50, 75) if found.size >= FEW else (0, 50, 100))
    return Spread(float(median), float(low), float(high), int(found.size), found)


def apart(ours: Spread, theirs: Spread) -> bool:
    """Do two times differ by more than both vary from repeat to repeat? They do where of all pairs of a repeat here and
    one there `SURE` say the same: of ten repeats each that happens by chance to two equal nets in 2 of 1000 layers."""
    longer = theirs.times[:, None] - ours.times[None, :]
    return bool(max((longer > 0).mean(), (longer < 0).mean()) >= SURE)


@dataclass(frozen=True, eq=False)
class Measured:
    """The times of one side.

    Attributes:
        at: the column of each call, by its order.
        own: by "forward" and "backward" (repeats, calls): within the call and in no call inside it.
        total: the same with all calls inside it.
        phases: (repeats,) each phase of the watched step, without what watching cost as far as it is known.
        bare: (repeats,) whole steps without anything watched.
        watched: (repeats,) whole steps as watched, its known cost taken off.
        cost: what watching one call costs, in nanoseconds.
        clipped: calls that took less than watching them does: of these nothing is left but zero.
    """

    at: Mapping[int, int]
    own: Mapping[str, Times]
    total: Mapping[str, Times]
    phases: Mapping[str, Times]
    bare: Times
    watched: Times
    cost: int
    clipped: int

    @property
    def backward(self) -> bool:
        """Was anything of a backward pass timed?"""
        return bool(np.isfinite(self.total["backward"]).any())

    @property
    def has_bare(self) -> bool:
        """Was any step run without anything watched?"""
        return bool(np.isfinite(self.bare).any())

    @property
    def step(self) -> Spread | None:
        """A whole step: bare where bare ones were run, else watched, with the known cost taken off."""
        return spread(self.bare) or spread(self.watched)

    @property
    def left(self) -> float:
        """What a watched step takes more than a bare one beyond the known cost; NaN where no bare one was run."""
        with_nothing, with_all = spread(self.bare), spread(self.watched)
        return with_all.median - with_nothing.median if with_nothing and with_all else float("nan")

    def sum(self, orders: Iterable[int], what: Literal["own", "total"], phase: str) -> Times:
        """The time of several calls together, repeat by repeat."""
        columns = [self.at[order] for order in orders if order in self.at]
        return added(getattr(self, what)[phase][:, columns])


def added(times: Times) -> Times:
    """The sum along the second axis; NaN where all are."""
    found = np.nansum(times, axis=1)
    return np.where(np.isfinite(times).any(axis=1), found, np.nan)


def together(*parts: Times) -> Times:
    """Times of the same repeats added up; those that are nowhere count nothing."""
    return added(np.stack(parts, axis=1))


def measured(timing: Timing, calls: Sequence[Call]) -> Measured:
    """Take what watching cost off, and tell what each call took by itself.

    Args:
        timing: as recorded.
        calls: the calls of the skeleton.
    """
    at = {order: column for column, order in enumerate(timing.orders)}
    parents = _parents(calls, at)
    raw = _lengths(timing.forward)
    own, clipped = _own(raw, parents, timing)
    forward_total = _summed(own, parents)
    backward_own = _times(timing.backward_own)
    backward_total = _times(timing.backward_total)
    backward_total = np.where(np.isfinite(backward_total), backward_total, _summed(backward_own, parents))
    cost = timing.enter_cost + timing.leave_cost + timing.inside_cost
    watching = np.isfinite(raw).sum(axis=1) * float(cost)
    phases = _phases(_times(timing.step), watching)
    ends = _times(timing.step)
    if timing.watched.size:
        last = _times(timing.watched)
    else:
        last = _quiet(np.nanmax, ends) if ends.size else np.full(len(ends), np.nan)
    return Measured(
        at=at,
        own={"forward": own, "backward": backward_own},
        total={"forward": forward_total, "backward": backward_total},
        phases=phases,
        bare=_times(timing.bare),
        watched=np.maximum(last - watching, 0.0),
        cost=cost,
        clipped=clipped,
    )


def _times(recorded: NDArray[Any]) -> Times:
    found = np.asarray(recorded, dtype=np.float64)
    return np.where(found < 0, np.nan, found)


def _lengths(spans: NDArray[Any]) -> Times:
    """From (..., 2) begin and end to how long it was."""
    found = _times(spans)
    length = found[..., 1] - found[..., 0]
    return np.where(length < 0, np.nan, length)


def _parents(calls: Sequence[Call], at: Mapping[int, int]) -> dict[int, int]:
    """The column of the nearest timed call around each timed call."""
    around = {call.order: call.parent for call in calls}
    found: dict[int, int] = {}
    for order, column in at.items():
        parent = around.get(order)
        while parent is not None and parent not in at:
            parent = around.get(parent)
        if parent is not None:
            found[column] = at[parent]
    return found


def _own(raw: Times, parents: Mapping[int, int], timing: Timing) -> tuple[Times, int]:
    """What is left of each call without the calls inside it, and without what watching all of them cost: what falls
    before a call's begin and after its end lies in the call around it. Never below zero."""
    own = raw - timing.inside_cost
    for column, parent in parents.items():
        inside = raw[:, column] + (timing.enter_cost + timing.leave_cost)
        own[:, parent] -= np.where(np.isfinite(inside), inside, 0.0)
    below = int((_quiet(np.nanmedian, own.T) < 0).sum()) if own.size else 0
    return np.maximum(own, 0.0), below


def _summed(own: Times, parents: Mapping[int, int]) -> Times:
    """Each call with all calls inside it; those inside stand behind the one around them."""
    total = own.copy()
    for column in sorted(parents, reverse=True):
        parent, inside = parents[column], total[:, column]
        both = together(total[:, parent], inside)
        total[:, parent] = both
    return total


def _phases(ends: Times, watching: Times) -> dict[str, Times]:
    """How long each phase took, from the ends of all that were there."""
    begin = np.zeros(len(ends))
    found = {}
    for column, name in enumerate(PHASES):
        end = ends[:, column] if ends.ndim == 2 and ends.shape[1] > column else np.full(len(ends), np.nan)
        found[name] = np.where(end >= begin, end - begin, np.nan)
        begin = np.where(np.isfinite(end), end, begin)
    found["forward"] = np.maximum(found["forward"] - watching, 0.0)
    return {name: times for name, times in found.items() if np.isfinite(times).any()}


def _quiet(of: Any, times: Times) -> Times:
    """A statistic of each row, NaN where all of it is NaN, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(of(times, axis=1), dtype=np.float64)
