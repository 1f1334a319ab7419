"""All rows by hand, by their torch name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tracer.source.rewriting.functional import FUNCTIONAL
from tracer.source.rewriting.functions import FUNCTIONS
from tracer.source.rewriting.in_place import IN_PLACE
from tracer.source.rewriting.layer_attributes import LAYER_ATTRIBUTES
from tracer.source.rewriting.layers import LAYERS
from tracer.source.rewriting.losses import LOSSES
from tracer.source.rewriting.mentioned import MENTIONED
from tracer.source.rewriting.methods import METHODS
from tracer.source.rewriting.nets import NETS
from tracer.source.rewriting.optimizers import OPTIMIZERS
from tracer.source.rewriting.rules import Mention, Rule


def _by_name(rows: Iterable[Rule]) -> Mapping[str, tuple[Rule, ...]]:
    table: dict[str, tuple[Rule, ...]] = {}
    for row in rows:
        table[row.torch] = (*table.get(row.torch, ()), row)
    return table


RULES: Mapping[str, tuple[Rule, ...]] = _by_name(
    (*LAYERS, *LOSSES, *OPTIMIZERS, *FUNCTIONS, *FUNCTIONAL, *METHODS, *IN_PLACE, *NETS)
)
"""The rows of each name, in the order in which they are tried."""

MENTIONS: Mapping[str, Mention] = {mention.torch: mention for mention in (*MENTIONED, *LAYER_ATTRIBUTES)}
"""What stands for a name that is not called."""
