"""What came of the calls in `tests/source_layers`, as rows of proofs.csv: layers, losses, optimizers, schedulers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tests.source_layers import torch_side
from tests.source_layers.bench import Worker, tried
from tests.source_layers.calls import CALLS
from tests.source_layers.calls_optimizers import OPTIMIZERS, SCHEDULERS
from tests.source_layers.case import Calls
from tests.source_layers.suggested import suggested
from tests.source_layers.test_optimizers import ADAM, CLOSE, apart
from tests.source_layers.updates import in_torch, rates_in_torch
from tests.source_proof.proving import Came
from tests.source_proof.states import row
from tracer.source.facts.proofs import Proven
from tracer.source.rewriting.suggestion import Suggestion

NAMES = tuple(sorted({row.torch for row in CALLS} | set(OPTIMIZERS) | set(SCHEDULERS)))


def calls_of(name: str) -> int:
    """How many calls of it are run."""
    return sum(1 for _ in _layer_calls(name)) + len(OPTIMIZERS.get(name, ())) + len(SCHEDULERS.get(name, ()))


def rows_of_layers(names: Sequence[str], versions: str) -> list[Proven]:
    """A row of each of these names."""
    with Worker() as worker:
        return [_row(worker, name, versions) for name in names]


def _row(worker: Worker, name: str, versions: str) -> Proven:
    classic: list[Came] = []
    mint: list[Came] = []
    told: list[Suggestion] = []

    def both(text: str, run: Callable[[Suggestion], Came]) -> None:
        """What is suggested without mint and with it; run once where that is the same."""
        ways = suggested(text), suggested(text, mint=True)
        told.extend(ways)
        classic.append("by_hand" if ways[0].write is None else run(ways[0]))
        same = ways[0].write == ways[1].write
        mint.append(classic[-1] if same else "by_hand" if ways[1].write is None else run(ways[1]))

    for of, text in _layer_calls(name):
        both(text, partial(_came, worker, of, text))
    for table, job in ((OPTIMIZERS, "updates"), (SCHEDULERS, "rates")):
        for text in table.get(name, ()):
            both(name + text, partial(_updated, worker, job, name + text))
    return row(name, classic, mint, (told[0].mindspore, told[0].mint), versions)


def _layer_calls(name: str) -> list[tuple[Calls, str]]:
    return [(of, text) for of in CALLS if of.torch == name for text in of.calls]


def _came(worker: Worker, of: Calls, text: str, way: Suggestion) -> Came:
    """What MindSpore refuses for the shape of an input has no kernel for it."""
    state = tried(worker, of, torch_side.run(of, text), way.write).state
    return "no_kernel" if state == "raises" and of.refused else state


def _updated(worker: Worker, job: str, text: str, way: Suggestion) -> Came:
    wanted = (in_torch if job == "updates" else rates_in_torch)(text)
    answer = worker.ask((job, way.write))
    if "error" in answer:
        return "raises"
    limit = ADAM if way.mindspore and way.mindspore.endswith(".Adam") else CLOSE
    return "equal" if apart(wanted, answer) <= limit else "unequal"
