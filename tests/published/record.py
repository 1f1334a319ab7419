"""`python -m tests.published.record NAME SIDE FOLDER`: one side of a pair, recorded in a process of its own.

The reference's side writes its weights, the images and `reference.h5`; the candidate's side reads them and writes
`candidate_0.h5`, the port as published, then `candidate_1.h5` with the first finding mended, and so on.
"""

from __future__ import annotations

import os

os.environ["GLOG_v"] = "3"

import sys
from pathlib import Path

import numpy as np

from tests.published.pairs import PAIRS, Pair


def images(pair: Pair) -> np.ndarray:
    """Two images, the same wherever they are asked for."""
    return np.random.default_rng(7).standard_normal((2, 3, pair.size, pair.size), dtype=np.float32)


def record_reference(pair: Pair, folder: Path) -> None:
    import tracer
    from tests.published import reference

    net = reference.build(pair.reference)
    reference.condition(net, images(pair))
    np.savez(folder / "weights.npz", **reference.arrays(net))
    tracer.record(net, images(pair), out=folder / "reference.h5")


def record_candidates(pair: Pair, folder: Path) -> None:
    import tracer
    from tests.published import candidate

    with np.load(folder / "weights.npz") as archive:
        arrays = dict(archive)
    net = candidate.build(pair.candidate)
    assert candidate.carry(net, arrays, pair.rename) == len(arrays)
    tracer.record(net, images(pair), out=folder / "candidate_0.h5")
    for number, finding in enumerate(pair.findings, 1):
        finding.mend(net)
        tracer.record(net, images(pair), out=folder / f"candidate_{number}.h5")


if __name__ == "__main__":
    name, side, folder = sys.argv[1:]
    (record_reference if side == "reference" else record_candidates)(PAIRS[name], Path(folder))
