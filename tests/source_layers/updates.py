"""Six updates of a small net, and the learning rates of fifteen epochs, in torch and in MindSpore."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from tests.source_layers.arrays import normal, other

SHAPES = {"weight": (3, 4), "gamma": (5,), "beta": (5,), "bias": (4,)}
"""Parameters by name: MindSpore's optimizers treat some by their name."""

EPOCHS = 15
METRICS = [1.0, 0.9, 0.9, 0.91, 0.8, 0.8, 0.8, 0.85, 0.79, 0.7, 0.7, 0.7, 0.71, 0.7, 0.7]


def start() -> dict[str, np.ndarray]:
    """What the parameters start from."""
    return {name: normal(*shape) for name, shape in SHAPES.items()}


def gradients(step: int) -> list[np.ndarray]:
    """Gradients of very different sizes, some of them zero."""
    found = []
    for place, shape in enumerate(SHAPES.values()):
        gradient = other(*shape, 7)[..., step] * 10.0 ** -(place % 3)
        gradient.reshape(-1)[0] = 0.0 if step % 2 else 1e-3
        found.append(gradient.astype("float32"))
    return found


def in_torch(text: str, steps: int = 6) -> dict[str, np.ndarray]:
    """The parameters after `steps` updates of the optimizer that `text` makes."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, array in start().items():
                setattr(self, name, torch.nn.Parameter(torch.from_numpy(array.copy())))

    net = Net()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = eval(text, {"torch": torch, "net": net})
        mine = {id(p) for group in optimizer.param_groups for p in group["params"]}
        for step in range(steps):
            for parameter, gradient in zip(net.parameters(), gradients(step), strict=True):
                parameter.grad = torch.from_numpy(gradient) if id(parameter) in mine else None
            optimizer.step()
    return {name: p.detach().numpy().copy() for name, p in net.named_parameters()}


def in_mindspore(text: str, steps: int = 6) -> dict[str, np.ndarray]:
    """The same in MindSpore."""
    import mindspore

    net = _net(mindspore)
    optimizer = eval(text, {"mindspore": mindspore, "net": net})
    known = {id(p): gradient_of for p, gradient_of in zip(net.get_parameters(), range(len(SHAPES)), strict=True)}
    for step in range(steps):
        found = gradients(step)
        optimizer(tuple(mindspore.Tensor(found[known[id(p)]]) for p in optimizer.parameters))
    return {p.name: np.array(p.asnumpy()) for p in net.get_parameters()}


def _net(mindspore: Any) -> Any:
    class Net(mindspore.nn.Cell):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            for name, array in start().items():
                setattr(self, name, mindspore.Parameter(mindspore.Tensor(array), name=name))

    return Net()


def rates_in_torch(text: str) -> dict[str, np.ndarray]:
    """The learning rates of the epochs under the scheduler that `text` makes."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parameter = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
        scheduler = eval(text, {"torch": torch, "optimizer": optimizer})
        rates = []
        for epoch in range(EPOCHS):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            _step(scheduler, epoch)
    return {"lr": np.array(rates, "float64")}


def rates_in_mindspore(text: str) -> dict[str, np.ndarray]:
    """The same in MindSpore."""
    import mindspore

    parameter = mindspore.Parameter(mindspore.ops.ones(2, mindspore.float32), name="a")
    optimizer = mindspore.experimental.optim.SGD([parameter], lr=0.1, momentum=0.9)
    scheduler = eval(text, {"mindspore": mindspore, "optimizer": optimizer})
    rates = []
    for epoch in range(EPOCHS):
        rate = optimizer.param_groups[0]["lr"]
        rates.append(float(rate.asnumpy()) if hasattr(rate, "asnumpy") else float(rate))
        _step(scheduler, epoch)
    return {"lr": np.array(rates, "float64")}


def _step(scheduler: Any, epoch: int) -> None:
    if type(scheduler).__name__ == "ReduceLROnPlateau":
        scheduler.step(METRICS[epoch])
    else:
        scheduler.step()
