"""What the tables of calls are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Calls:
    """Calls of one layer that take the same inputs.

    Attributes:
        torch: the layer's full name.
        calls: the calls as they stand in a source with `import torch` and `from torch import nn`, by hand.
        inputs: what the layer is called with; a tuple of arrays is one argument.
        named: arrays that the calls name, tensors when they are run.
        random: does training draw numbers?
        drawn: are numbers drawn in evaluation too, so that shapes alone can be held against each other?
        narrow: are whole numbers int32 in MindSpore, which refuses others?
        refused: does MindSpore refuse such an input (without a batch, or of another size), and the advice says so?
        loose: the relative distance up to which numbers are equal.
    """

    torch: str
    calls: tuple[str, ...]
    inputs: tuple[object, ...]
    named: Mapping[str, np.ndarray] = field(default_factory=dict)
    random: bool = False
    drawn: bool = False
    narrow: bool = False
    refused: bool = False
    loose: float = 2e-5

    @property
    def loss(self) -> bool:
        """Is it a loss, of whose inputs only the first is differentiated?"""
        return self.torch.endswith("Loss")


def calls(torch: str, *texts: str, inputs: object, **more: object) -> Calls:
    """A row of a table: `texts` may be arguments only, "(3, bias=False)"."""
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    short = torch.removeprefix("torch.")
    return Calls(torch, tuple(short + t if t.startswith("(") else t for t in texts), given, **more)
