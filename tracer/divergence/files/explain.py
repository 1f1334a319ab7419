"""Why two files may differ, as far as their numbers alone tell."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tracer.divergence.causes import Cause, simple_cause
from tracer.divergence.files.judging import Judge
from tracer.divergence.files.search import Match
from tracer.divergence.metrics import Difference, layouts, same_values

_MOST = 1 << 24
"""Up to how many elements arrays are read whole for it."""

_TOO_CLOSE = 1e-4
"""Up to which relative L2 anything would fit."""

_OTHERS = 200
"""With how many others a file is held, to see whether it stands in another's place."""


def explain(judge: Judge, match: Match, difference: Difference | None) -> tuple[Cause, ...]:
    """A factor, a shift, another order; nothing where none fits."""
    r, c = judge.value(0, match.reference), judge.value(1, match.candidate)
    count = math.prod(r.shape)
    if difference is None or difference.problem or not 0 < count <= _MOST or count != math.prod(c.shape):
        return ()
    ours, theirs = (
        np.asarray(side.arrays.array(value)).astype(np.complex128 if value.dtype.startswith("complex") else np.float64)
        for side, value in zip(judge.sides, (r, c), strict=True)
    )
    if r.shape != c.shape:
        layout = next((x for x in layouts(r.shape, c.shape) if x.name == difference.layout), None)
        if layout is None:
            return ()
        theirs = layout.apply(theirs, r.shape)
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()) or difference.size <= _TOO_CLOSE:
        return ()
    reordered = count > 4 and same_values(r.statistics, c.statistics, within=1e-5)
    found = simple_cause(ours, theirs, reordered=reordered)
    return () if found is None else (found,)


def exchanged(judge: Judge, match: Match, apart: Sequence[Match]) -> tuple[Cause, ...]:
    """Does another file that differs too hold what this one should, and this one what that one should?"""
    ours, theirs = judge.sides
    for other in apart[:_OTHERS]:
        if other.reference == match.reference:
            continue
        sizes = {ours.names[m.reference].count for m in (match, other)}
        if len(sizes) > 1 or not judge.same(match.reference, other.candidate):
            continue
        if judge.same(other.reference, match.candidate):
            mine, its = theirs.names[match.candidate].name, theirs.names[other.candidate].name
            said = f"{mine} and {its} hold each other's numbers: computed or saved in each other's place?"
            return (Cause("code", "order", sentence=said),)
    return ()
