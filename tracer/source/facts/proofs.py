"""What has been proven of the suggestions: for each torch name whether what is written for it computes what torch does.

The table beside this file is written by `benchmarks/facts.py`, which runs torch calls of every name and what is
suggested for them in MindSpore, and holds the results against each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

from tracer.source.facts.table import read_rows

State = Literal["proven", "no_kernel", "by_hand", "unequal", "untested"]
"""proven: every call that has a CPU kernel gave torch's numbers, and one at least has; no_kernel: none has one, so the
numbers could not be compared; by_hand: nothing is written for any of its calls; unequal: a call gave other numbers or
did not run; untested: nothing was run."""

STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Proven:
    """What has been proven of one torch name.

    Attributes:
        torch: the full name.
        mindspore: its classic counterpart, None without one.
        mint: its counterpart in mint, None without one.
        state: of what is suggested.
        mint_state: of what is suggested where mint is preferred.
        calls: how many different torch calls were tried.
        equal: how many of them gave torch's numbers.
        mint_equal: the same where mint is preferred.
        versions: of the frameworks that ran, "torch 2.13.0, mindspore 2.10.0"; "" where nothing was run.
    """

    torch: str
    mindspore: str | None
    mint: str | None
    state: State
    mint_state: State
    calls: int
    equal: int
    mint_equal: int
    versions: str


@lru_cache(maxsize=1)
def proofs() -> tuple[Proven, ...]:
    """What has been proven, a row for each torch name, sorted by it."""
    return tuple(
        Proven(
            row["torch"],
            row["mindspore"] or None,
            row["mint"] or None,
            _state(row["state"]),
            _state(row["mint_state"]),
            int(row["calls"]),
            int(row["equal"]),
            int(row["mint_equal"]),
            row["versions"],
        )
        for row in read_rows("proofs.csv")
    )


@lru_cache(maxsize=1)
def _by_name() -> dict[str, Proven]:
    return {row.torch: row for row in proofs()}


def proof_of(torch: str, *, mint: bool = False) -> State | None:
    """What has been proven of a torch name; None of a name that the facts do not speak of."""
    row = _by_name().get(torch)
    return None if row is None else row.mint_state if mint else row.state


def counts(rows: Iterable[Proven], *, mint: bool = False) -> dict[State, int]:
    """How many names are in each state, every state named."""
    found = dict.fromkeys(STATES, 0)
    for row in rows:
        found[row.mint_state if mint else row.state] += 1
    return found


def _state(text: str) -> State:
    for state in STATES:
        if state == text:
            return state
    raise AssertionError(f"proofs.csv: a state {text!r}")
