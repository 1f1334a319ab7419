"""All calls of one layer, run in torch and as they are rewritten, and with only their name replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.source_layers import torch_side
from tests.source_layers.bench import Outcome, Worker, tried
from tests.source_layers.calls import CALLS
from tests.source_layers.case import Calls
from tests.source_layers.suggested import naive, suggested
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.tables import RULES


@dataclass(frozen=True)
class Measured:
    """One call on one input.

    Attributes:
        row: the row of the table it is from.
        text: the call.
        told: what is suggested.
        outcome: what came of the call to write; None where there is none.
        careless: what came of the call with only its name replaced; None where that was not run.
    """

    row: Calls
    text: str
    told: Suggestion
    outcome: Outcome | None = None
    careless: Outcome | None = None


def measured(worker: Worker, torch: str, *, mint: bool = False, first: int | None = None) -> Iterator[Measured]:
    """All calls of the tables of that name, or the first few of each row."""
    for row in (row for row in CALLS if row.torch == torch):
        for text in row.calls[:first]:
            told = suggested(text, mint=mint)
            expected = torch_side.run(row, text)
            outcome = tried(worker, row, expected, told.write) if told.write is not None else None
            careless = None
            name = _changed_to(told, torch, mint)
            if name is not None:
                careless = tried(worker, replace(row, narrow=False), expected, naive(text, name))
            yield Measured(row, text, told, outcome, careless)


def _changed_to(told: Suggestion, torch: str, mint: bool) -> str | None:
    """The name that a port would write in the place of torch's; None where it is no layer of that kind."""
    if mint and told.write is not None and "mindspore.mint." in told.write:
        return told.mint
    return told.mindspore if any(rule.mindspore == told.mindspore for rule in RULES[torch]) else None
