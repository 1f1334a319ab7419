"""The MindSpore side, in a process of its own: python -m tests.starting_point.mindspore_side FOLDER JOB ...

Each job records FOLDER/JOB.h5 as its name says, and prints a line of JSON about it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore as ms
import numpy as np

from tests.starting_point import mindspore_nets as nets
from tests.starting_point.again import plan_for, record_again, record_plain, sample
from tests.twins.weights import WORDS
from tracer.recorder.choice import Choice
from tracer.recorder import Options, run_and_record
from tracer.trace.reader import Trace

FLAT, TOKENS, IMAGE = sample(6, 8), sample(4, 5, 16), sample(2, 3, 6, 6)

JOBS: dict[str, tuple[str, Callable[[], Any], np.ndarray]] = {
    "mlp": ("mlp", nets.Mlp, FLAT),
    "vit": ("vit", nets.Vit, TOKENS),
    "cnn": ("cnn", nets.Cnn, IMAGE),
    "rrelu": ("rrelu", nets.Slopes, FLAT),
    "shared": ("shared", nets.Shared, FLAT),
    "recomputed": ("checkpointed", nets.Recomputed, FLAT),
    "keep_prob": ("mlp", lambda: nets.Mlp(keep_prob=0.3), FLAT),
    "scaled": ("mlp", lambda: nets.Mlp(scale=1.01), FLAT),
    "path": ("vit", lambda: nets.Vit(path=0.6), TOKENS),
}
"""By job: the reference it goes beside, the net, the input."""


def weighted(build: Callable[[], Any], reference: Path) -> Any:
    """The net in training mode, with the parameters of the reference."""
    ms.set_seed(0)  # what a rehearsal draws
    net = build().set_train(True)
    with Trace(reference) as trace:
        for path, parameter in net.parameters_and_names():
            owner, _, name = path.rpartition(".")
            wanted = WORDS.get(name, name)
            row = next(p for p in trace.skeleton.layers[owner].parameters if p.name == wanted)
            parameter.set_data(ms.Tensor(trace.array(row).reshape(parameter.shape)))
    return net


def untouched(net: Any, run: Callable[[], Any]) -> dict[str, bool]:
    """Runs, and says whether the net is as it was."""
    before = {path: (set(vars(cell)), cell.training) for path, cell in net.cells_and_names()}
    state = ms.get_rng_state().asnumpy().tobytes()
    weights = {path: p.asnumpy().copy() for path, p in net.parameters_and_names()}
    run()
    return {
        "attributes": all(before[path] == (set(vars(c)), c.training) for path, c in net.cells_and_names()),
        "generator": ms.get_rng_state().asnumpy().tobytes() == state,
        "weights": all(np.array_equal(weights[path], p.asnumpy()) for path, p in net.parameters_and_names()),
    }


def replayed(folder: Path, job: str) -> dict[str, Any]:
    """Record a job's net beside its reference."""
    name, build, x = JOBS[job]
    reference = folder / f"{name}.reference.h5"
    net = weighted(build, reference)
    said: dict[str, Any] = {}

    def run() -> None:
        plan = record_again(net, reference, x, folder / f"{job}.h5")
        said.update(notes=plan.notes)

    return untouched(net, run) | said


def drawn(folder: Path) -> dict[str, Any]:
    """Its dropout draws again after a replay, as a cell that was never replayed would."""
    reference = folder / "mlp.reference.h5"
    net = weighted(nets.Mlp, reference)
    record_again(net, reference, FLAT, folder / "drawn.h5")
    ones = ms.Tensor(np.ones((10, 50), np.float32))
    other = weighted(nets.Mlp, reference)
    return {"same": bool(np.array_equal(net.drop(ones).asnumpy(), other.drop(ones).asnumpy()))}


def reference(folder: Path) -> dict[str, Any]:
    """A MindSpore net as the reference of a replay."""
    record_plain(weighted(nets.Vit, folder / "vit.reference.h5"), TOKENS, folder / "ms_vit.reference.h5")
    return {}


def raising(folder: Path) -> dict[str, Any]:
    """A net that raises while it is replayed."""
    reference = folder / "mlp.reference.h5"
    plan = plan_for(weighted(nets.Mlp, reference), reference, FLAT, folder)
    net = weighted(nets.Raises, reference)
    try:
        out = folder / "raising.h5"
        options = Options("values", Choice())
        run_and_record(net, (FLAT,), {}, out, options, backward=True, replays=plan.replays)
    except ValueError as error:
        return {"raised": str(error), "put back": "construct" not in vars(net.drop)}
    return {}


def graph(folder: Path) -> dict[str, Any]:
    """A net in graph mode, and one under jit."""
    ms.set_context(mode=ms.GRAPH_MODE)
    return replayed(folder, "mlp")


def main(folder: Path, jobs: list[str]) -> None:
    """Do the jobs, one after another."""
    own = {"drawn": drawn, "raising": raising, "graph": graph, "reference": reference}
    for job in jobs:
        said = own[job](folder) if job in own else replayed(folder, job)
        sys.stdout.write(json.dumps({"job": job, **said}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
