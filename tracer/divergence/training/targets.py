"""Labels of both sides: do they say the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.divergence.comparison import ArrayReader
from tracer.divergence.metrics import Difference, rounding
from tracer.trace.schema import LossTaken, Value


@dataclass(frozen=True)
class Targets:
    """What was found: `equal` that they mean the same, in another form."""

    equal: bool
    sentence: str
    difference: Difference


def targets_of(loss: LossTaken) -> Value | None:
    """What the loss was held against: the tensor that is no output of the net."""
    tensors = [v for v in loss.inputs if v.kind == "tensor" and 0 not in v.shape]
    named = [v for v in tensors if v.leaf.split(".")[0] in ("targets", "target", "labels", "label", "1")]
    return next(iter(named), None)


def differing_targets(ours: LossTaken, theirs: LossTaken, here: ArrayReader, there: ArrayReader) -> Targets | None:
    """How the labels differ; None where they are the same, or nobody saw them."""
    r, c = targets_of(ours), targets_of(theirs)
    if r is None or c is None or not (r.stored and c.stored) or r.digest == c.digest:
        return None
    a, b = here.array(r), there.array(c)
    if a.shape != b.shape:
        if a.size != b.size:
            said = f"the labels have shapes {a.shape} and {b.shape}"
            return Targets(False, said, Difference(None, 0.0, problem="shape", shapes=(a.shape, b.shape)))
        b = b.reshape(a.shape)
    wide = a.astype(np.float64), b.astype(np.float64)
    size = float(np.linalg.norm(wide[1] - wide[0])) / max(float(np.linalg.norm(wide[0])), 1e-300)
    if size <= 4 * max(rounding(r.dtype), rounding(c.dtype)):
        return None
    said = f"the labels differ in {np.count_nonzero(wide[0] != wide[1])} of {a.size} places"
    step = wide[1] - wide[0]
    if rounding(r.dtype) == 0 and np.all(step == step.flat[0]):
        sign = "plus" if step.flat[0] > 0 else "minus"
        said = f"the candidate's labels are the reference's {sign} {abs(step.flat[0]):g}"
    else:
        for axis in range(a.ndim):
            for by in (1, -1):
                if np.array_equal(np.roll(wide[0], by, axis), wide[1]):
                    said = f"the candidate's labels are the reference's, shifted by one along axis {axis}"
    return Targets(False, said, Difference(size, 0.0, float(np.abs(step).max())))
