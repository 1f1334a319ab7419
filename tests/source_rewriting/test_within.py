"""Uses within uses are rewritten where they stand, and what is taken of them too."""

from __future__ import annotations

import pytest

from tests.source_names.scanned import uses
from tracer.source.facts.table import Facts
from tracer.source.rewriting.suggesting import suggest_all


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("x.max(1).values.float()", "x.max(1)[0].float()"),
        ("torch.sort(x, dim=0).indices.float()", "mindspore.ops.sort(x, axis=0)[1].float()"),
        ("torch.cat((torch.zeros(2, 3), x), dim=1)", "mindspore.ops.cat((mindspore.ops.zeros((2, 3)), x), axis=1)"),
        ("torch.bernoulli(torch.sigmoid(x))", "(lambda it: mindspore.ops.bernoulli(it, it))(mindspore.ops.sigmoid(x))"),
        ("x.bernoulli_(1)", "x.copy_(mindspore.ops.bernoulli(x, 1.0))"),
    ],
)
def test_the_whole_expression_runs_in_mindspore(text: str, write: str) -> None:
    """Of a tuple that has no names in MindSpore an element is taken by its number."""
    found = uses(f"import torch\ndef f(x: torch.Tensor):\n    return {text}")
    told = {use.text: suggestion for use, suggestion in zip(found, suggest_all(found, Facts.load()), strict=True)}
    assert told[text].write == write
