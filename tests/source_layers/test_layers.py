"""The call that is written for a layer or a loss computes what torch computes: outputs, gradients, running statistics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.source_layers.bench import Worker
from tests.source_layers.calls import CALLS
from tests.source_layers.measured import Measured, measured

pytest.importorskip("torch")
pytest.importorskip("mindspore")
pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

NAMES = tuple(dict.fromkeys(row.torch for row in CALLS))
MOST_USED = (
    "torch.nn.Linear",
    "torch.nn.Conv2d",
    "torch.nn.BatchNorm2d",
    "torch.nn.LayerNorm",
    "torch.nn.GELU",
    "torch.nn.MaxPool2d",
)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process that runs MindSpore."""
    with Worker() as process:
        yield process


def defects(found: list[Measured]) -> list[str]:
    """What is not as the package says, a line each."""
    lines = []
    for one in found:
        if one.outcome is None:
            if one.told.status != "by_hand" or not (one.told.differences or one.told.advice):
                lines.append(f"{one.text}: nothing is said ({one.told.status})")
        elif one.row.refused:
            if one.outcome.state != "raises" or not one.told.advice:
                lines.append(f"{one.text}: MindSpore takes this input after all, or no advice says that it does not")
        elif one.outcome.state not in ("equal", "no_kernel"):
            lines.append(f"{one.text} -> {one.told.write}: {one.outcome.state} {one.outcome.why}")
    for text in dict.fromkeys(one.text for one in found):
        lines += careless(text, [one for one in found if one.text == text and one.careless and not one.row.refused])
    return lines


def careless(text: str, found: list[Measured]) -> list[str]:
    """Is `silent` what happens when only the name is changed? Whatever it is on any of the inputs."""
    states = {one.careless.state for one in found if one.careless}
    if not states or "no_kernel" in states:
        return []
    told = found[0].told
    lines = []
    if told.silent != ("unequal" in states):
        lines.append(f"{text}: silent is {told.silent}, measured {states}: {found[0].careless}")
    if told.status == "same" and states != {"equal"}:
        lines.append(f"{text}: same, but {states}")
    return lines


@pytest.mark.parametrize("name", MOST_USED)
def test_the_most_used_layers_are_equal(name: str, worker: Worker) -> None:
    """The first calls of each table."""
    assert defects(list(measured(worker, name, first=2))) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_equal(name: str, worker: Worker) -> None:
    """Every call of every table, in classic MindSpore where it has a counterpart."""
    assert defects(list(measured(worker, name))) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_of_mint_is_equal(name: str, worker: Worker) -> None:
    """Every call of every table, in mint where it has a counterpart."""
    assert defects(list(measured(worker, name, mint=True))) == []
