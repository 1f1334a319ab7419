"""All calls of all tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.source_proof import (
    calls_activations,
    calls_elementwise,
    calls_indexing,
    calls_layer_functions,
    calls_linear_algebra,
    calls_losses,
    calls_making,
    calls_methods,
    calls_nets,
    calls_operators,
    calls_others,
    calls_own_names,
    calls_reductions,
    calls_shaping,
    calls_whole_numbers,
)
from tests.source_proof.writing_calls import together

EXACT = together(
    calls_activations.CALLS,
    calls_elementwise.CALLS,
    calls_indexing.CALLS,
    calls_layer_functions.CALLS,
    calls_linear_algebra.CALLS,
    calls_losses.CALLS,
    calls_making.CALLS,
    calls_methods.CALLS,
    calls_nets.CALLS,
    calls_operators.CALLS,
    calls_others.CALLS,
    calls_own_names.CALLS,
    calls_reductions.CALLS,
    calls_shaping.CALLS,
    calls_whole_numbers.CALLS,
)
DRAWN = together(
    calls_activations.RANDOM,
    calls_making.RANDOM,
    calls_methods.RANDOM,
    calls_others.RANDOM,
    calls_whole_numbers.RANDOM,
)


@dataclass(frozen=True)
class Call:
    """A torch call of a table.

    Attributes:
        torch: the name it is a call of.
        text: as it is written.
        numbers: equal ones are wanted, those of one distribution, or any of the same shape.
    """

    torch: str
    text: str
    numbers: Literal["equal", "drawn", "any"] = "equal"


def every_call() -> list[Call]:
    """In the order of the names."""
    calls = [
        Call(name, text, "any" if name in calls_making.SHAPES_ONLY else "equal")
        for name, texts in EXACT.items()
        for text in texts
    ]
    calls += [Call(name, text, "drawn") for name, texts in DRAWN.items() for text in texts]
    return sorted(calls, key=lambda call: call.torch)
