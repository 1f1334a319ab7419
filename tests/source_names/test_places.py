"""Where a use stands: line, column, text, the class or function around it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.source_names.scanned import uses
from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import read_sources


def test_a_place_is_line_from_one_and_column_from_zero_in_characters() -> None:
    """An umlaut before it counts as one."""
    (use,) = uses("import torch\n\nä = 'ö', torch.zeros(1)\n")
    assert (use.line, use.column, use.text) == (3, 9, "torch.zeros(1)")


def test_the_text_is_the_source_as_it_stands() -> None:
    """Over several lines too, with its spaces."""
    (use,) = uses("import torch\ntorch.zeros(  1,\n    2)\n")
    assert use.text == "torch.zeros(  1,\n    2)"


def test_within_is_the_dotted_name_around() -> None:
    """Of the class and the function."""
    source = (
        "import torch\nclass A:\n    def f(self):\n        torch.ones(1)\n        def g():\n            torch.ones(2)\n"
    )
    assert [use.within for use in uses(source)] == ["A.f", "A.f.g"]


def test_the_node_of_a_call_is_the_call() -> None:
    """So that its arguments can be read."""
    (use,) = uses("import torch\ntorch.zeros(1, 2)")
    assert isinstance(use.node, ast.Call)
    assert len(use.node.args) == 2


def test_of_a_definition_the_text_is_its_head() -> None:
    """Not the whole method."""
    found = uses("from torch import nn\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n")
    assert [use.text for use in found] == ["nn.Module", "def forward(self, x)"]


def test_an_annotation_in_quotes_has_the_place_of_the_quotes() -> None:
    """And the text that is in them."""
    (use,) = uses('import torch\ndef f(x: "torch.Tensor"): ...\n')
    assert (use.line, use.column, use.text) == (2, 9, "torch.Tensor")


def test_what_stands_in_a_text_with_values_has_the_place_of_the_text() -> None:
    """Python 3.11 does not know better."""
    (use,) = uses('import torch\nprint(f"{torch.zeros(1)}")\n')
    assert (use.line, use.column, use.text) == (2, 6, "torch.zeros(1)")


def test_each_place_is_told_once() -> None:
    """Though the source is walked several times, and loops and branches more than one way."""
    source = "import torch\nfor i in range(3):\n    while True:\n        torch.zeros(i)\n"
    assert [use.torch for use in uses(source)] == ["torch.zeros"]


def test_of_a_notebook_the_cell_is_told_and_the_line_within_it(tmp_path: Path) -> None:
    """As the user sees it."""
    cells = [
        {"cell_type": "code", "source": ["import torch\n"]},
        {"cell_type": "code", "source": ["x = 1\n", "torch.ones(x)"]},
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "a.ipynb").write_text(json.dumps(notebook))
    (use,) = find_uses(read_sources([tmp_path / "a.ipynb"]).files, Facts.load())
    assert (use.cell, use.line, use.column) == (2, 2, 0)


def spread(source: str) -> list[tuple[str, ...]]:
    """The keys behind each `**` of the last use."""
    return [keys for _, keys in uses(source)[-1].spread]


def test_the_keys_behind_two_stars_are_told_where_they_are_certain() -> None:
    """A dict that is written out in the same function, or given back by another of the tree."""
    head = "from torch import nn\ndef f(device, dtype):\n    "
    assert spread(head + "dd = {'device': device, 'dtype': dtype}\n    nn.Linear(1, 2, **dd)") == [("device", "dtype")]
    assert spread(head + "dd = dict(device=device, dtype=dtype)\n    nn.Linear(1, 2, **dd)") == [("device", "dtype")]
    assert spread("def g(d):\n    return {'device': d}\n" + head + "dd = g(1)\n    nn.Linear(1, 2, **dd)") == [
        ("device",)
    ]


def test_the_keys_of_a_dict_that_may_have_changed_are_not_told() -> None:
    """It was handed on, updated, or has other keys on another way."""
    head = "from torch import nn\ndef f(device, more):\n    dd = {'device': device}\n    "
    for change in (
        "more(dd)",
        "dd.update(more)",
        "dd[more] = 1",
        "dd = dd or more",
        "if more:\n        dd = {'bias': 1}",
    ):
        assert spread(head + change + "\n    nn.Linear(1, 2, **dd)") == []
    assert spread("from torch import nn\ndef f(**kwargs):\n    nn.Linear(1, 2, **kwargs)") == []


@pytest.mark.parametrize(
    ("source", "asked"),
    [
        ("isinstance(m, nn.GELU)", True),
        ("isinstance(m, (nn.GELU, str))", True),
        ("type(m) is nn.GELU", True),
        ("def f(m: nn.GELU | None): ...", True),
        ("layers = {'gelu': nn.GELU}", False),
        ("build(nn.GELU)", False),
    ],
)
def test_a_class_that_is_only_asked_after_is_told_apart(source: str, asked: bool) -> None:
    """Nothing is made there, so what a call would default to does not matter."""
    (use,) = uses(f"from torch import nn\n{source}")
    assert use.only_asked is asked
