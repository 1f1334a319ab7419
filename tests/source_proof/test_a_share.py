"""Every suggestion computes what torch computes: a share of them here, all of them with `-m slow`."""

from __future__ import annotations

import pytest

from tests.source_proof.every_call import Call, every_call
from tests.source_proof.proving import Proof
from tests.source_proof.whole import prove, prove_in_processes
from tracer.source.facts.proofs import proofs
from tracer.source.facts.table import Facts

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

EVERY = 9


def a_share() -> list[Call]:
    """Two calls, the plainest and one with more arguments, of every ninth name that the table calls proven."""
    facts, proven = (
        Facts.load(),
        {row.torch for row in proofs() if row.state == "proven" and row.mint_state != "unequal"},
    )
    found: dict[str, list[Call]] = {}
    for call in every_call():
        if (facts.canonical(call.torch) or call.torch) in proven:
            found.setdefault(call.torch, []).append(call)
    return [call for calls in list(found.values())[::EVERY] for call in {calls[0]: 0, calls[len(calls) // 2]: 0}]


@pytest.fixture(scope="module")
def share() -> list[Proof]:
    """The proofs of that share."""
    return prove(a_share())


def test_what_is_written_computes_what_torch_computes(share: list[Proof]) -> None:
    """No call that is written gives other numbers than torch or does not run."""
    assert not [(p.call.text, p.text, p.defect) for p in share if p.came in ("unequal", "raises")]


def test_most_of_the_share_is_compared(share: list[Proof]) -> None:
    """A share without kernels would prove nothing."""
    compared = [p for p in share if p.came in ("equal", "dtype")]
    assert len(compared) >= len(share) // 2


@pytest.mark.slow
def test_every_call_that_is_written_computes_what_torch_computes() -> None:
    """No call of all tables gives other numbers than torch or does not run."""
    wrong = [p for p in prove_in_processes(every_call()) if p.came in ("unequal", "raises")]
    assert not [(p.call.text, p.text, p.defect) for p in wrong]
