"""The candidate side: MindSpore nets with the tests' weights. Run as a program of its own, one twin at a time:

python -m tests.twins.mindspore_side FOLDER ERRORS.json TWIN plain|clean|FAULT ...
"""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from tests.twins import direct, weights
from tests.twins.fault import Fault
from tests.twins.loading import build
from tests.twins.twin import TWINS, Arrays, Twin


def net_of(twin: Twin, fault: Fault | None, folder: Path) -> Any:
    """The twin's MindSpore net with its weights, in its mode, spoiled as the fault says."""
    import mindspore as ms

    ms.set_seed(0)
    net = build(twin.candidate, fault.edits if fault else (), folder)
    for path, parameter in net.parameters_and_names():
        array = loaded(twin, fault, path, tuple(parameter.shape))
        if array is not None:
            parameter.set_data(ms.Tensor(array))
    mode = fault.training if fault else None
    net.set_train(twin.training if mode is None else mode)
    return net


def loaded(twin: Twin, fault: Fault | None, path: str, shape: tuple[int, ...]) -> np.ndarray | None:
    """What is loaded into the parameter at `path`, None where it is left alone."""
    if fault is None:
        return weights.of_candidate(twin, path, shape)
    if any(path.startswith(name) for name in fault.unloaded):
        return None
    exchange = {**dict(fault.swapped), **{b: a for a, b in fault.swapped}}
    owner, _, last = path.rpartition(".")
    array = weights.of_candidate(twin, f"{exchange.get(owner, owner)}.{last}" if owner else path, shape)
    return np.roll(array, 1, axis=0) if path in fault.rolled else array


def plain(twin: Twin, folder: Path) -> tuple[list[np.ndarray], Arrays]:
    """Outputs, and gradients by the reference's parameter names, in the reference's layout, without the tracer."""
    import mindspore as ms

    net = net_of(twin, None, folder)
    inputs = twin.inputs()
    args = [ms.Tensor(array) for array in inputs.args]
    kwargs = {name: ms.Tensor(array) for name, array in inputs.kwargs.items()}
    kept: list[np.ndarray] = []

    def loss(*args: Any) -> Any:
        outputs = list(direct.tensors(net(*args, **kwargs)))
        kept[:] = [np.array(output.asnumpy()) for output in outputs]
        return sum((o * ms.Tensor(direct.cotangent(i, tuple(o.shape)))).sum() for i, o in enumerate(outputs))

    trained = [(path, parameter) for path, parameter in net.parameters_and_names() if parameter.requires_grad]
    _, gradients = ms.value_and_grad(loss, None, [parameter for _, parameter in trained])(*args)
    named = {}
    for (path, _), gradient in zip(trained, gradients, strict=True):
        array = np.array(gradient.asnumpy())
        named[weights.reference_name(twin, path)] = array.squeeze(2) if path in twin.extra_axis else array
    return list(kept), named


def record(twin: Twin, fault: Fault | None, out: Path) -> None:
    """The twin's candidate trace."""
    import tracer

    inputs = twin.inputs()
    if fault and fault.inputs:
        inputs = fault.inputs(inputs)
    net = net_of(twin, fault, out.parent / f"{out.stem}_source")
    with tracer.record(net, inputs.args, kwargs=dict(inputs.kwargs), out=str(out)):
        pass


def main(folder: Path, report: Path, twin: Twin, jobs: list[str]) -> None:
    """Do every job; what one raised is written to `report`, the others go on."""
    from tests.twins.faults import FAULTS

    errors: dict[str, str] = {}
    for job in jobs:
        try:
            if job == "plain":
                outputs, gradients = plain(twin, folder / "plain_source")
                arrays = {f"output.{i}": output for i, output in enumerate(outputs)}
                np.savez(folder / f"{twin.name}.plain.npz", **arrays, **{f"grad.{n}": g for n, g in gradients.items()})
            else:
                record(twin, FAULTS.get(job), folder / f"{twin.name}.{job}.candidate.h5")
        except Exception:
            errors[job] = traceback.format_exc()
        report.write_text(json.dumps(errors), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), TWINS[sys.argv[3]], sys.argv[4:])
