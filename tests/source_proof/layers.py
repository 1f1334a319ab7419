"""What came of the calls of layers and losses, which `tests/source_layers` runs, as rows of proofs.csv."""

from __future__ import annotations

from collections.abc import Sequence

from tests.source_layers.bench import Worker
from tests.source_layers.calls import CALLS
from tests.source_layers.measured import Measured, measured
from tests.source_proof.proving import Came
from tests.source_proof.states import row
from tracer.source.facts.proofs import Proven

NAMES = tuple(sorted({row.torch for row in CALLS}))


def rows_of_layers(names: Sequence[str], versions: str) -> list[Proven]:
    """A row of each of these layers or losses."""
    rows = []
    with Worker() as worker:
        for name in names:
            classic, mint = (list(measured(worker, name, mint=mint)) for mint in (False, True))
            told = classic[0].told
            came = [came_of(one) for one in classic], [came_of(one) for one in mint]
            rows.append(row(name, *came, (told.mindspore, told.mint), versions))
    return rows


def came_of(one: Measured) -> Came:
    """In the words of `proving`: what MindSpore refuses for the shape of an input has no kernel for it."""
    if one.outcome is None:
        return "by_hand"
    if one.outcome.state == "raises" and one.row.refused:
        return "no_kernel"
    return one.outcome.state
