"""Whatever parses is scanned: no source makes the walk fail or hang."""

from __future__ import annotations

import random
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source_names.scanned import told
from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import read_sources

STANDARD = sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))


def scan(files: list[Path]) -> None:
    """Read and scan; what cannot be read is passed over."""
    find_uses(read_sources(files).files, Facts.load())


def test_files_of_the_standard_library_are_scanned() -> None:
    """Some of them, the same in each run."""
    scan(random.Random(0).sample([path for path in STANDARD if "site-packages" not in path.parts], 60))


@pytest.mark.slow
def test_the_whole_standard_library_is_scanned() -> None:
    """With all that is installed beside it."""
    scan(STANDARD)


@pytest.mark.parametrize(
    "text",
    [
        "x = " + " + ".join(["torch.ones(1)"] * 600),
        "x = torch.ones(1)" + ".view(1)" * 120,
        "x = " + "[" * 80 + "torch.ones(1)" + "]" * 80,
        "if a: pass\n" + "".join("elif a: pass\n" for _ in range(900)) + "torch.ones(1)",
        "\n".join("    " * depth + "def f():" for depth in range(60)) + "\n" + "    " * 60 + "torch.ones(1)",
        "\n".join("    " * depth + "if a:" for depth in range(60)) + "\n" + "    " * 60 + "torch.ones(1)",
        "\n".join(" " * depth + "for i in torch.ones(1):" for depth in range(19)) + "\n" + " " * 20 + "i.view(1)",
        "\n".join("x = [x, torch.ones(1)]" for _ in range(300)),
        "\n".join(f"def f{n}(): return f{(n + 1) % 50}()" for n in range(50)) + "\ntorch.ones(1)",
        "\n".join(f"x = torch.ones(1) if x else {{'a': x, 'b': [x, x]}}" for _ in range(200)),
        "f = lambda: f()\nf()\ntorch.ones(1)",
        "class C0(torch.nn.Module): pass\n"
        + "\n".join(f"class C{n}(C{n - 1}): pass" for n in range(1, 1500))
        + "\nC1499().x\ntorch.ones(1)",
        "class C0: pass\nclass D0: pass\n"
        + "\n".join(f"class C{n}(C{n - 1}, D{n - 1}): pass\nclass D{n}(C{n - 1}, D{n - 1}): pass" for n in range(1, 60))
        + "\nC59().x\ntorch.ones(1)",
        "table = {}\n" + "\n".join(f"table['{n}'] = torch.ones({n})" for n in range(3000)),
        "table = {" + ", ".join(f"'{n}': torch.ones({n})" for n in range(3000)) + "}\ntable['7'].view(1)",
    ],
    ids=[
        "sum",
        "chain",
        "lists",
        "elif",
        "functions",
        "branches",
        "loops",
        "growing",
        "circle",
        "choices",
        "lambda",
        "heirs",
        "diamonds",
        "filled",
        "table",
    ],
)
def test_deep_and_long_source_is_scanned(text: str) -> None:
    """Deeper than anybody writes by hand; only what no stack holds is passed over."""
    assert "torch.ones" in str(told("import torch\n" + text + "\n"))


@pytest.fixture
def shallow() -> Iterator[None]:
    """The stack that Python starts with, whatever ran before."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("shallow")
def test_of_a_statement_that_is_too_deep_the_names_are_found_and_the_rest_is_scanned() -> None:
    """A chain of calls that is longer than the walk's stack: the names in it are found all the same."""
    source = "import torch\nx = torch.rand(1)" + ".view(1)" * 400 + "\ntorch.ones(1)\n"
    assert told(source) == ["call torch.rand", "call torch.ones"]
