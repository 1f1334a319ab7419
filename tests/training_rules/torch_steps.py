"""Takes steps with torch's optimizers, and gives what a recording of them would hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def take(job: dict[str, Any], given: dict[str, np.ndarray]) -> dict[str, Any]:
    """Steps of one job; the layout is that of `mindspore_steps`."""
    names = [key[6:] for key in given if key.startswith("start.")]
    parameters = {name: torch.nn.Parameter(torch.from_numpy(given[f"start.{name}"].copy())) for name in names}
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in job["arguments"].items()}
    groups = job.get("groups") or [{"names": names, "arguments": {}}]
    chosen = [{"params": [parameters[name] for name in group["names"]], **group["arguments"]} for group in groups]
    optimizer: Any = getattr(torch.optim, job["kind"])(chosen, **arguments)
    out: dict[str, Any] = {
        "facts": {
            "kind": type(optimizer).__name__,
            "bases": [f"{cls.__module__}.{cls.__qualname__}" for cls in type(optimizer).__mro__],
            "settings": dict(optimizer.defaults),
            "groups": [
                {"names": group["names"], "arguments": {k: v for k, v in made.items() if k != "params"}}
                for group, made in zip(groups, optimizer.param_groups, strict=True)
            ],
        }
    }
    for step in range(job.get("steps", 5)):
        for group in optimizer.param_groups:
            group["lr"] = job.get("rates", {}).get(step, group["lr"])
        if step == job.get("forgets"):
            optimizer.state.clear()
        _state(out, optimizer, parameters, f"{step}.before")
        for name, parameter in parameters.items():
            gradient = (given[f"gradient.{step}.{name}"] * job.get("scale", 1)).astype(np.float32)
            parameter.grad = torch.from_numpy(gradient)
            out[f"{step}.gradient.{name}"] = gradient.copy()
        optimizer.step()
        _state(out, optimizer, parameters, f"{step}.after")
    return out


def _state(out: dict[str, Any], optimizer: Any, parameters: dict[str, Any], when: str) -> None:
    for name, parameter in parameters.items():
        out[f"{when}.parameter.{name}"] = parameter.detach().numpy().copy()
        for key, value in optimizer.state.get(parameter, {}).items():
            if isinstance(value, torch.Tensor):
                out[f"{when}.state.{name}.{key}"] = value.detach().numpy().copy()
            elif value is not None:
                out[f"{when}.state.{name}.{key}"] = np.array(value)
