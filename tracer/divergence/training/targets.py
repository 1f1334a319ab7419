"""Labels of both sides: do they say the same?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tracer.divergence.comparison import ArrayReader
from tracer.divergence.metrics import Array, Difference
from tracer.divergence.training.losses import same_targets
from tracer.trace.schema import LossTaken, Value

_WORDS = ("targets", "target", "labels", "label", "y", "1")


@dataclass(frozen=True)
class Targets:
    """What was found: `equal` that they mean the same, in another form."""

    equal: bool
    sentence: str
    difference: Difference


def targets_of(loss: LossTaken) -> Value | None:
    """What a loss was held against, by its name or as the second argument; None where nobody saw it."""
    tensors = [v for v in loss.inputs if v.kind == "tensor" and v.stored and 0 not in v.shape]
    return next((v for word in _WORDS for v in tensors if v.leaf.partition(".")[0] == word), None)


def differing_targets(ours: LossTaken, theirs: LossTaken, here: ArrayReader, there: ArrayReader) -> Targets | None:
    """How the labels differ; None where they are the same, or nobody saw them."""
    r, c = targets_of(ours), targets_of(theirs)
    if r is None or c is None or (r.digest is not None and r.digest == c.digest and r.shape == c.shape):
        return None
    found = same_targets(here.array(r), there.array(c))
    if found.same:
        said = found.sentence if found.kind in {"one-hot", "shape", "order"} else ""
        return Targets(True, said, Difference(0.0, 0.0)) if said else None
    return Targets(False, found.sentence, _difference(here.array(r), there.array(c)))


def _difference(r: Array, c: Array) -> Difference:
    if r.size != c.size:
        return Difference(None, 0.0, problem="shape", shapes=(r.shape, c.shape))
    a, b = np.ravel(r).astype(np.float64), np.ravel(c).astype(np.float64)
    size = float(np.linalg.norm(b - a)) / max(float(np.linalg.norm(a)), 1e-300)
    return Difference(size, 0.0, float(np.abs(b - a).max()), shapes=(r.shape, c.shape))
