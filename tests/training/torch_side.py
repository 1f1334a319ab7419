"""The reference side: a torch net trained, plainly or under the tracer."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.faults import FAULTS
from tests.training.job import Job, Left, Unwatched
from tests.training.loading import load
from tests.training.twin import TRAINED, Trained
from tests.twins import weights
from tests.twins.fault import Edit


def net_of(trained: Trained, edits: tuple[Edit, ...], folder: Path) -> Any:
    """The twin's torch net with its weights."""
    import torch

    torch.manual_seed(0)
    module, _, name = trained.twin.reference.partition(":")
    net = getattr(load(module, (*trained.evened[0], *edits), folder), name)()
    with torch.no_grad():
        for path, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(weights.of_reference(trained.twin, path, tuple(parameter.shape))))
        for path, buffer in net.named_buffers():
            if path.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.from_numpy(weights.of_reference(trained.twin, path, tuple(buffer.shape))))
    return net


def run(job: Job, folder: Path) -> None:
    """Train; the trace, if the job is watched, and what the training left lie in `folder` afterwards."""
    import tracer

    trained, fault = TRAINED[job.twin], FAULTS.get(job.fault)
    sources = folder / f"{job.name}.reference_source"
    net = net_of(trained, fault.reference_net if fault else (), sources)
    loop = load("train_torch", fault.reference_loop if fault else (), sources)
    optimizer = loop.make_optimizer(net, job.recipe)
    unwatched = Unwatched()
    out = str(job.trace(folder, "reference"))
    with tracer.recording(net, out=out, optimizer=optimizer) if job.watched else nullcontext(unwatched) as recording:
        loop.train(net, optimizer, trained.steps(job.recipe, job.count), job.recipe, trained.classes, recording)
    tensors = {**dict(net.named_parameters()), **{n: b for n, b in net.named_buffers() if "running" in n}}
    kept = {name: tensor.detach().numpy().copy() for name, tensor in tensors.items()}
    Left(np.array(unwatched.losses), kept).save(job.result(folder, "reference"))
