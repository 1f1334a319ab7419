"""The table of proofs that comes with the package is the one that the tables of calls make."""

from __future__ import annotations

from collections import Counter

from tests.source_proof.every_call import every_call
from tests.source_proof.layers import NAMES, calls_of
from tests.source_proof.states import names_with_facts
from tracer.source.facts.proofs import STATES, counts, proofs
from tracer.source.facts.table import Facts


def test_every_name_of_the_facts_has_a_row() -> None:
    """What the facts or the rewritings speak of stands in the table, proven or not."""
    assert not names_with_facts() - {row.torch for row in proofs()}


def test_a_row_counts_the_calls_of_the_tables() -> None:
    """A call that is added is run before the table is written anew."""
    facts = Facts.load()
    calls = Counter(facts.canonical(call.torch) or call.torch for call in every_call())
    calls.update({name: calls_of(name) for name in NAMES})
    counted = {row.torch: row.calls for row in proofs()}
    assert {name: counted.get(name) for name in calls} == dict(calls)


def test_rows_are_sorted_and_each_name_stands_once() -> None:
    """Written again, the table is the same."""
    names = [row.torch for row in proofs()]
    assert names == sorted(set(names))


def test_a_name_that_is_proven_has_an_equal_call() -> None:
    """A state is never better than what was measured."""
    assert not [row for row in proofs() if row.state == "proven" and not 0 < row.equal <= row.calls]
    assert not [row for row in proofs() if row.mint_state == "proven" and not 0 < row.mint_equal <= row.calls]


def test_the_counts_name_every_state() -> None:
    """Also those that no row is in."""
    found = counts(proofs())
    assert tuple(found) == STATES
    assert sum(found.values()) == len(proofs())


def test_no_suggestion_that_is_unequal_ships() -> None:
    """What computes something else is mended, or made by hand."""
    assert not [row.torch for row in proofs() if "unequal" in (row.state, row.mint_state)]
