"""Takes steps with MindSpore's optimizers, and writes what a recording of them would hold.

Run as a program of its own: `python -m tests.training_rules.mindspore_steps JOBS.json GIVEN.npz OUT.npz`.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(jobs_file: str, given_file: str, out_file: str) -> None:
    """Do every job; a job that raises leaves its message under "name|error"."""
    jobs = json.loads(Path(jobs_file).read_text(encoding="utf-8"))
    given = dict(np.load(given_file))
    out: dict[str, Any] = {}
    for job in jobs:
        try:
            out.update({f"{job['name']}|{key}": value for key, value in _steps(job, given).items()})
        except Exception as error:  # a kernel that is missing is what the caller wants to know of
            out[f"{job['name']}|error"] = np.array(f"{type(error).__name__}: {error}"[:300])
    np.savez(out_file, **out)


def _steps(job: dict[str, Any], given: dict[str, np.ndarray]) -> dict[str, Any]:
    import mindspore
    from mindspore import Parameter, Tensor

    begin = job.get("given", "")
    given = {key[len(begin) :]: value for key, value in given.items() if key.startswith(begin)}
    names = [key[6:] for key in given if key.startswith("start.")]
    parameters = [Parameter(Tensor(given[f"start.{name}"]), name=name) for name in names]
    made = mindspore
    for part in job["kind"].split("."):
        made = getattr(made, part)
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in job["arguments"].items()}
    chosen: Any = parameters
    if job.get("groups"):
        chosen = [
            {"params": [parameters[names.index(name)] for name in group["names"]], **group["arguments"]}
            for group in job["groups"]
        ]
    optimizer: Any = made(chosen, **arguments)
    bound = inspect.signature(_unwrapped(type(optimizer).__init__)).bind(optimizer, chosen, **arguments)
    bound.apply_defaults()
    settings = {key: value for key, value in bound.arguments.items() if key not in ("self", "params")}
    out: dict[str, Any] = {"facts": np.array(json.dumps(_facts(optimizer, job, names, settings)))}
    for step in range(job.get("steps", 5)):
        gradients = [given[f"gradient.{step}.{name}"] * job.get("scale", 1) for name in names]
        _state(out, optimizer, parameters, f"{step}.before")
        optimizer(tuple(Tensor(gradient.astype(np.float32)) for gradient in gradients))
        for name, gradient in zip(names, gradients, strict=True):
            out[f"{step}.gradient.{name}"] = gradient.astype(np.float32)
        _state(out, optimizer, parameters, f"{step}.after")
    return out


def _facts(optimizer: Any, job: dict[str, Any], names: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    """Class, settings and groups; optimizers of nn have a group without weight decay for gamma and beta."""
    kind = type(optimizer)
    groups = job.get("groups") or [{"names": names, "arguments": {}}]
    if not job.get("groups") and job["kind"].startswith("nn."):
        skipped = [name for name in names if "gamma" in name or "beta" in name]
        rest = [name for name in names if name not in skipped]
        groups = [{"names": rest, "arguments": {}}, {"names": skipped, "arguments": {"weight_decay": 0.0}}]
    return {
        "kind": kind.__name__,
        "bases": [f"{cls.__module__}.{cls.__qualname__}" for cls in kind.__mro__],
        "settings": {k: v for k, v in settings.items() if isinstance(v, int | float | bool | list | tuple)},
        "groups": groups,
    }


def _unwrapped(init: Any) -> Any:
    """The constructor itself; some are decorated by functions that take anything."""
    for cell in init.__closure__ or ():
        if inspect.isfunction(cell.cell_contents) and cell.cell_contents.__name__ in ("__init__", "deco", "wrapper"):
            return _unwrapped(cell.cell_contents)
    return init


def _state(out: dict[str, Any], optimizer: Any, parameters: list[Any], when: str) -> None:
    """Parameters, what is kept of each, and what is kept of none, under the optimizer's own names."""
    from mindspore import Parameter

    for parameter in parameters:
        out[f"{when}.parameter.{parameter.name}"] = np.array(parameter.asnumpy())
    for key, value in {**vars(optimizer), **optimizer._params}.items():
        if key in ("parameters", "_parameters", "params", "learning_rate") or any(p.name in key for p in parameters):
            continue
        if isinstance(value, Parameter):
            out[f"{when}.state..{key}"] = np.array(value.asnumpy())
        elif isinstance(value, list | tuple) and len(value) == len(parameters) and isinstance(value[0], Parameter):
            for parameter, kept in zip(optimizer.parameters, value, strict=True):
                out[f"{when}.state.{parameter.name}.{key}"] = np.array(kept.asnumpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
