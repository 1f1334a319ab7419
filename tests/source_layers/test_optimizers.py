"""The optimizer and the scheduler that are written update as torch's do: six steps, fifteen epochs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.source_layers.bench import Worker
from tests.source_layers.calls_optimizers import OPTIMIZERS, SCHEDULERS
from tests.source_layers.suggested import naive, suggested
from tests.source_layers.updates import in_torch, rates_in_torch

pytest.importorskip("torch")
pytest.importorskip("mindspore")
pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

CLOSE = 2e-6
ADAM = 2e-4  # with eps as small as it is by default, and gradients of 1e-5 among those of the net


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process that runs MindSpore."""
    with Worker() as process:
        yield process


def apart(wanted: dict[str, np.ndarray], got: dict[str, object]) -> float:
    """The largest relative distance; infinite where MindSpore raised."""
    if "error" in got:
        return float("inf")
    return max(float(np.linalg.norm(wanted[k] - got[k]) / np.linalg.norm(wanted[k])) for k in wanted)


def defects(worker: Worker, name: str, texts: tuple[str, ...], job: str) -> list[str]:
    """What is not as the package says, a line each."""
    lines = []
    for text in (name + text for text in texts):
        told = suggested(text)
        if told.write is None:
            if told.status != "by_hand" or not (told.differences or told.advice):
                lines.append(f"{text}: nothing is said")
            continue
        wanted = in_torch(text) if job == "updates" else rates_in_torch(text)
        answer = worker.ask((job, told.write))
        limit = ADAM if told.mindspore and told.mindspore.endswith(".Adam") else CLOSE
        distance = apart(wanted, answer)
        if distance > limit:
            lines.append(f"{text} -> {told.write}: {distance:.1e} {answer.get('error', '')}")
        same_name = f"mindspore.experimental{name.removeprefix('torch')}"
        careless = apart(
            wanted, worker.ask((job, naive(text, same_name).replace(".parameters()", ".get_parameters()")))
        )
        if told.silent != (limit < careless < float("inf")):
            lines.append(f"{text}: silent is {told.silent}, measured {careless:.1e}")
    return lines


@pytest.mark.parametrize("name", ["torch.optim.SGD", "torch.optim.AdamW"])
def test_the_most_used_optimizers_are_equal(name: str, worker: Worker) -> None:
    """Six steps from the same parameters with the same gradients."""
    assert defects(worker, name, OPTIMIZERS[name][2:6], "updates") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_is_equal(name: str, worker: Worker) -> None:
    """Six steps from the same parameters with the same gradients, each argument in turn."""
    assert defects(worker, name, OPTIMIZERS[name], "updates") == []


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_is_equal(name: str, worker: Worker) -> None:
    """The learning rates of fifteen epochs."""
    assert defects(worker, name, SCHEDULERS[name], "rates") == []


def test_a_net_gives_the_parameters_it_trains() -> None:
    """The parameters of a net become its trainable ones, wherever they stand."""
    told = suggested("torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)")
    assert told.write == "mindspore.experimental.optim.SGD(model.trainable_params(), lr=0.1, momentum=0.9)"
