"""Uses in odd places, through the whole walk: what is written is an expression, and nothing breaks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import tracer
from tests.scan.sources import tree

HEAD = "import torch\nfrom torch import nn\n\n\ndef f(x: torch.Tensor, y: torch.Tensor):\n"


def written(folder: Path, statement: str, torch: str) -> str | None:
    """What is to be written for the use of a name in a statement on tensors x and y."""
    (use,) = [use for use in tracer.scan(tree(folder, {"it.py": f"{HEAD}    {statement}\n"})) if use.torch == torch]
    assert use.write is None or ast.parse(use.write, mode="eval")
    return use.write


@pytest.mark.parametrize(
    ("statement", "torch", "write"),
    [
        ("x += torch.cat((x, y), dim=1)", "torch.Tensor.__iadd__", "x + mindspore.ops.cat((x, y), axis=1)"),
        ("x[0] *= y + 1", "torch.Tensor.__imul__", "x[0] * (y + 1)"),
        ("g = x.view", "torch.Tensor.view", "x.view"),
        ("g = x.cumsum", "torch.Tensor.cumsum", "x.cumsum"),
        ("g = torch.abs(x).view", "torch.Tensor.view", "mindspore.ops.abs(x).view"),
    ],
)
def test_what_is_no_call_is_an_expression_too(tmp_path: Path, statement: str, torch: str, write: str) -> None:
    """An assignment with an operator, a method that is handed on."""
    assert written(tmp_path, statement, torch) == write


@pytest.mark.parametrize(
    "expression",
    ["torch.abs(" * 90 + "x" + ")" * 90, "x" + ".abs()" * 300, " + ".join(["torch.abs(x)"] * 200)],
    ids=["calls", "a chain", "a sum"],
)
def test_uses_that_are_nested_deep_are_all_told(tmp_path: Path, expression: str) -> None:
    """As deep as Python reads."""
    report = tracer.scan(tree(tmp_path, {"it.py": f"{HEAD}    return {expression}\n"}))
    assert sum(use.torch.endswith("abs") for use in report) == expression.count("abs")
    assert not [use for use in report if use.write is None]


def test_an_error_inside_comes_out(tmp_path: Path) -> None:
    """The walk has a thread of its own, and what goes wrong there is told."""
    from tracer.source.deep_syntax import with_deep_stack

    with pytest.raises(KeyError, match="gone"):
        with_deep_stack(lambda: {}["gone"])
    assert with_deep_stack(lambda: 3) == 3
