"""The reference side: torch nets with the tests' weights, run plainly or under the tracer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.twins import direct, weights
from tests.twins.fault import Fault
from tests.twins.loading import build
from tests.twins.twin import Arrays, Twin


def net_of(twin: Twin, fault: Fault | None, folder: Path) -> Any:
    """The twin's torch net with its weights, in its mode, spoiled where the fault spoils the reference."""
    import torch

    torch.manual_seed(0)
    net = build(twin.reference, fault.reference_edits if fault else (), folder)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.copy_(torch.from_numpy(weights.of_reference(twin, name, tuple(parameter.shape))))
        for name, buffer in net.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.from_numpy(weights.of_reference(twin, name, tuple(buffer.shape))))
    mode = fault.reference_training if fault else None
    return net.train(twin.training if mode is None else mode)


def plain(twin: Twin, folder: Path) -> tuple[list[np.ndarray], Arrays]:
    """Outputs, and gradients by parameter name, without the tracer."""
    import torch

    net = net_of(twin, None, folder)
    inputs = twin.inputs()
    result = net(*map(torch.from_numpy, inputs.args), **{k: torch.from_numpy(v) for k, v in inputs.kwargs.items()})
    outputs = list(direct.tensors(result))
    sum((o * torch.from_numpy(direct.cotangent(i, tuple(o.shape)))).sum() for i, o in enumerate(outputs)).backward()
    gradients = {n: p.grad.numpy().copy() for n, p in net.named_parameters() if p.grad is not None}
    return [output.detach().numpy().copy() for output in outputs], gradients


def record(twin: Twin, fault: Fault | None, out: Path) -> None:
    """The twin's reference trace."""
    import tracer

    inputs = twin.inputs()
    net = net_of(twin, fault, out.parent / f"{out.stem}_source")
    with tracer.record(net, inputs.args, kwargs=dict(inputs.kwargs), out=str(out)):
        pass
