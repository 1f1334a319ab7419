"""The faults are what they say they are: every slip finds its line, and changes the net's text."""

from __future__ import annotations

import pytest

from tests.twins.fault import Fault
from tests.twins.faults import FAULTS
from tests.twins.loading import changed_text
from tests.twins.twin import TWINS


def test_there_are_enough_faults():
    """At least thirty faults, over at least fourteen nets."""
    assert len(FAULTS) >= 30
    assert len({TWINS[fault.twin].reference for fault in FAULTS.values()}) >= 14


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_changes_something(fault: Fault):
    """Each slip stands once where it says, and a fault without a slip alters weights, modes or inputs."""
    twin = TWINS[fault.twin]
    for where, edits in ((twin.candidate, fault.edits), (twin.reference, fault.reference_edits)):
        compile(changed_text(where.partition(":")[0], edits), where, "exec")
    others = (fault.swapped, fault.unloaded, fault.rolled, fault.inputs, fault.reference_edits)
    modes = (fault.training, fault.reference_training)
    assert fault.edits or any(others) or any(mode is not None for mode in modes)
    assert fault.why
