"""The package finds by reading alone the uses of torch that running the calls of the tables tells."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.source_proof.arrays import ARRAYS
from tests.source_proof.every_call import Call, every_call
from tests.source_proof.uses_by_running import BUILTINS, uses_in
from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import read_sources

pytestmark = pytest.mark.torch

BY_PYTHON = {f"torch.Tensor.__{name}__" for name in (*BUILTINS.values(), "contains")}
"""What Python's own functions call: those are no uses of torch in a source."""


def by_reading(calls: list[Call], folder: Path) -> list[Counter[str]]:
    """The names of torch in each call, that stands in a method whose arguments are tensors."""
    lines = ["import torch", "from torch import nn", "import torch.nn.functional as F", "class Net(nn.Module):"]
    for number, call in enumerate(calls):
        named = {node.id for node in ast.walk(ast.parse(call.text)) if isinstance(node, ast.Name)} & set(ARRAYS)
        arguments = "".join(f", {name}: torch.Tensor" for name in sorted(named))
        lines += [f"    def f{number}(self{arguments}):", f"        return {call.text}"]
    file = folder / "calls.py"
    file.write_text("\n".join(lines), encoding="utf-8")
    found: dict[int, Counter[str]] = {}
    for use in find_uses(read_sources([file]).files, Facts.load()):
        found.setdefault(use.line, Counter())[use.torch] += 1
    return [found.get(6 + 2 * number, Counter()) for number in range(len(calls))]


def test_reading_finds_what_running_finds(tmp_path: Path) -> None:
    """Of every eleventh call, every name with its number."""
    calls = every_call()[::11]
    by_running = [Counter(use.torch for use in uses_in(call.text)[1].values()) for call in calls]
    pairs = zip(calls, by_reading(calls, tmp_path), by_running, strict=True)
    assert not [(call.text, read, run) for call, read, run in pairs if read != run and not set(run - read) <= BY_PYTHON]
