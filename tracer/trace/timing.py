"""The times of a net's calls, as `keep="timing"` records them."""

from __future__ import annotations

from dataclasses import dataclass

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
