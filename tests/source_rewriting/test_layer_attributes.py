"""What a layer keeps under a name is written as the cell calls it."""

from __future__ import annotations

import ast

import pytest

from tracer.source.facts.table import Facts
from tracer.source.rewriting.layer_attributes import LAYER_ATTRIBUTES
from tracer.source.rewriting.suggesting import suggest
from tracer.source.uses import Use

FACTS = Facts.load()


def attribute(torch: str, text: str) -> Use:
    return Use("net.py", 1, 0, torch, "name", text, ast.parse(text, mode="eval").body)


@pytest.mark.parametrize(
    ("torch", "text", "write", "status"),
    [
        ("torch.nn.Linear.weight", "self.fc.weight", "self.fc.weight", "same"),
        ("torch.nn.Linear.in_features", "self.fc.in_features", "self.fc.in_channels", "renamed"),
        ("torch.nn.modules.batchnorm._NormBase.running_var", "bn.running_var", "bn.moving_variance", "renamed"),
        ("torch.nn.LayerNorm.eps", "self.norms[0].eps", "self.norms[0].epsilon", "renamed"),
        ("torch.nn.Embedding.weight", "self.embed.weight", "self.embed.embedding_table", "renamed"),
    ],
)
def test_an_attribute_is_taken_of_the_same_layer(torch: str, text: str, write: str, status: str) -> None:
    """The receiver stays, the name becomes the cell's."""
    found = suggest(attribute(torch, text), FACTS)
    assert (found.write, found.status) == (write, status)


def test_each_attribute_is_torchs_and_has_a_counterpart_that_exists() -> None:
    """No row is about a name that one of the two does not have."""
    assert [row.torch for row in LAYER_ATTRIBUTES if FACTS.canonical(row.torch) != row.torch] == []
    assert [row.mindspore for row in LAYER_ATTRIBUTES if not FACTS.exists(row.mindspore or "")] == []
