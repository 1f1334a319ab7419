"""The candidate side: MindSpore nets trained, plainly or under the tracer. Run as a program of its own:

python -m tests.training.mindspore_side FOLDER ERRORS.json JOBS.json
"""

from __future__ import annotations

import json
import sys
import traceback
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.fault import Fault
from tests.training.faults import FAULTS
from tests.training.job import Job, Left, Unwatched
from tests.training.loading import load
from tests.training.recipe import Recipe
from tests.training.twin import TRAINED, Trained
from tests.twins import weights


def net_of(trained: Trained, fault: Fault | None, folder: Path) -> Any:
    """The twin's MindSpore net with its weights, spoiled as the fault says."""
    import mindspore as ms

    ms.set_seed(0)
    module, _, name = trained.twin.candidate.partition(":")
    net = getattr(load(module, (*trained.evened[1], *(fault.net if fault else ())), folder), name)()
    unloaded = fault.unloaded if fault else ()
    for path, parameter in net.parameters_and_names():
        if not any(path.startswith(begin) for begin in unloaded):
            parameter.set_data(ms.Tensor(weights.of_candidate(trained.twin, path, tuple(parameter.shape))))
    return net


def run(job: Job, folder: Path) -> None:
    """Train; the trace, if the job is watched, and what the training left lie in `folder` afterwards."""
    import tracer

    trained, fault = TRAINED[job.twin], FAULTS.get(job.fault)
    sources = folder / f"{job.name}.candidate_source"
    net = net_of(trained, fault, sources)
    loop = load("train_mindspore", fault.loop if fault else (), sources)
    optimizer = loop.make_optimizer(net, job.recipe)
    unwatched = Unwatched()
    out = str(job.trace(folder, "candidate"))
    with tracer.recording(net, out=out, optimizer=optimizer) if job.watched else nullcontext(unwatched) as recording:
        loop.train(net, optimizer, trained.steps(job.recipe, job.count), job.recipe, trained.classes, recording)
    kept = {
        weights.reference_name(trained.twin, path): np.array(parameter.asnumpy())
        for path, parameter in net.parameters_and_names()
    }
    Left(np.array(unwatched.losses), kept).save(job.result(folder, "candidate"))


def main(folder: Path, report: Path, jobs: list[Job]) -> None:
    """Do every job; what one raised is written to `report`, the others go on."""
    errors: dict[str, str] = {}
    for job in jobs:
        try:
            run(job, folder)
        except Exception:
            errors[job.name] = traceback.format_exc()
        report.write_text(json.dumps(errors), encoding="utf-8")


def read(text: str) -> list[Job]:
    """Jobs as `runner` writes them."""
    return [Job(**{**row, "recipe": Recipe(**row["recipe"])}) for row in json.loads(text)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), read(Path(sys.argv[3]).read_text(encoding="utf-8")))
