"""The cells of a notebook as one text that Python reads, line for line."""

from __future__ import annotations

import json

import pytest

from tests.scan.sources import notebook
from tracer.source.notebooks import Cell, cells_of, with_code


def lines(*cells: str) -> list[str]:
    """The text of a notebook with these cells."""
    return cells_of(notebook(*cells).encode())[0].split("\n")[:-1]


def test_cells_are_counted_with_those_of_text() -> None:
    """The number of a cell is the one a reader counts, from 1; its first line is known."""
    _, cells, _ = cells_of(notebook("import torch", "#md words", "x = 1\ny = 2").encode())
    assert cells == (Cell(1, 1, 1), Cell(3, 2, 2))


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        ("%matplotlib inline\nx = 1", ["pass", "x = 1"]),
        ("!pip install torch \\\n  numpy\nx = 1", ["pass", "", "x = 1"]),
        ("files = !ls", ["files = ..."]),
        ("torch.cat?", ["pass"]),
        ("if x:\n    !ls", ["if x:", "    pass"]),
        ("%%bash\nls -l", ["", ""]),
        ("%%time\ny = net(x)", ["", "y = net(x)"]),
        ("await f()", ["await f()"]),
    ],
)
def test_what_only_ipython_reads_is_taken_out(cell: str, plain: list[str]) -> None:
    """Magics and shell lines make room, and every line keeps its number."""
    assert lines(cell) == plain


def test_a_timed_statement_stays_in_its_columns() -> None:
    """What stands behind %time is Python, and is found where it stands."""
    (line,) = lines("%time y = net(x)")
    assert line.index("y = net(x)") == len("%time ")


def test_a_cell_that_is_no_python_takes_nothing_from_the_others() -> None:
    """It is told by its number; its lines are empty."""
    text, _, damaged = cells_of(notebook("x = 1", "y = (", "z = 3").encode())
    assert text == "x = 1\n\nz = 3\n"
    assert [number for number, _ in damaged] == [2]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("{", "its JSON breaks off"),
        ("[1]", "its JSON has no cells"),
        ('{"cells": 3}', "its cells are not as nbformat has them"),
        ('{"cells": [{"cell_type": "code", "source": 7}]}', "its cells are not as nbformat has them"),
        ("[" * 100_000, "nested too deep"),
        (notebook("x <- 1", language="R"), "it is a notebook of R"),
    ],
)
def test_what_is_no_notebook_is_said(data: str, why: str) -> None:
    """Each says the reason."""
    with pytest.raises(ValueError, match=why):
        cells_of(data.encode())


def test_a_notebook_with_other_code_is_else_the_same() -> None:
    """Outputs, metadata and cells of text stay as they were."""
    before = json.loads(notebook("x = 1\ny = 2", "#md words"))
    after = json.loads(with_code(json.dumps(before).encode(), lambda number, code: f"# cell {number}\n{code}"))
    assert after["cells"][0].pop("source") == ["# cell 1\n", "x = 1\n", "y = 2"]
    before["cells"][0].pop("source")
    assert after == before
