"""A notebook as one text: its code cells in order, without what only IPython understands, line for line."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PYTHON_BODY = {"time", "timeit", "capture", "prun", "debug", "py", "python", "python3", "pypy"}
"""Cell magics below whose first line stands Python of this notebook; all others are something else."""

_MAGIC = re.compile(r"(\s*)(?:[%!]|\?{1,2}\w|[\w.]+\?{1,2}\s*$)")
_ASSIGNED = re.compile(r"(\s*[\w., \[\]'\"]+?\s*=\s*)(?:!|%\w)")
_TIMED = re.compile(r"(\s*)%(?:time|timeit) +(?!-)(?=\S)")


@dataclass(frozen=True)
class Cell:
    """A code cell in the text of its notebook: its number among all cells, from 1, its first line there, its lines."""

    number: int
    start: int
    lines: int


Damaged = tuple[int, SyntaxError]
"""The number of a cell and what Python says of it."""


def cells_of(data: bytes) -> tuple[str, tuple[Cell, ...], list[Damaged]]:
    """The code of a notebook.

    Args:
        data: the file, JSON of nbformat 3, 4 or 5.

    Returns:
        The text of all code cells, where each lies in it, and the cells that are no Python: their lines are empty.
        Magics and shell lines are empty too, so that every line has its number.

    Raises:
        ValueError: it is no notebook, or none of Python.
    """
    lines: list[str] = []
    cells: list[Cell] = []
    damaged: list[Damaged] = []
    for number, cell in _code_cells(_notebook(data)):
        source = re.sub("\r\n?", "\n", _code(cell).replace("\0", "")).split("\n")
        found = _python(source)
        if isinstance(found, SyntaxError):
            damaged.append((number, found))
            found = [""] * len(source)
        cells.append(Cell(number, len(lines) + 1, len(found)))
        lines += found
    return "\n".join([*lines, ""]), tuple(cells), damaged


def _notebook(data: bytes) -> dict[str, Any]:
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError("it is no notebook: it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no notebook: its JSON breaks off in line {error.lineno} ({error.msg})") from None
    except RecursionError:
        raise ValueError("it is no notebook: its JSON is nested too deep") from None
    if not isinstance(notebook, dict) or not ("cells" in notebook or "worksheets" in notebook):
        raise ValueError("it is no notebook: its JSON has no cells")
    metadata = notebook.get("metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        told = metadata.get(part) if isinstance(metadata, dict) else None
        language = told.get(key) if isinstance(told, dict) else None
        if isinstance(language, str) and language.lower() not in ("python", "ipython", "python3"):
            raise ValueError(f"it is a notebook of {language}, and only Python is scanned")
    return notebook


def with_code(data: bytes, change: Callable[[int, str], str]) -> bytes:
    """The notebook with the code of its cells changed, and everything else as it was.

    Args:
        data: the file.
        change: gives the new code of a cell, from its number and its code.
    """
    notebook = _notebook(data)
    for number, cell in _code_cells(notebook):
        key = "source" if "source" in cell else "input"
        code = _code(cell)
        changed = change(number, code)
        if changed != code:
            cell[key] = changed.splitlines(keepends=True) if isinstance(cell[key], list) else changed
    try:
        return (json.dumps(notebook, ensure_ascii=False, indent=1) + "\n").encode()
    except UnicodeEncodeError:  # half a letter, which only an escape can say
        return (json.dumps(notebook, indent=1) + "\n").encode()


def _code_cells(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The code cells with their numbers; cells are counted with those of text, as they are seen."""
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        raise ValueError(_ODD)
    held = [sheet.get("cells", []) for sheet in sheets]
    if not all(isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells) for cells in held):
        raise ValueError(_ODD)
    numbered = enumerate((cell for cells in held for cell in cells), 1)
    return [(number, cell) for number, cell in numbered if cell.get("cell_type") == "code"]


def _code(cell: dict[str, Any]) -> str:
    """The source of a code cell, which nbformat 3 calls its input."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    if isinstance(source, str):
        return source
    raise ValueError(_ODD)


_ODD = "it is no notebook: its cells are not as nbformat has them"


def _python(source: list[str]) -> list[str] | SyntaxError:
    """The lines of a cell that Python reads; what the cell is no Python by, if it is none."""
    first = next((n for n, line in enumerate(source) if line.strip()), 0)
    magic = re.match(r"\s*%%(\w*)", source[first])
    if magic:
        if magic[1] not in _PYTHON_BODY:
            return [""] * len(source)
        source = [*[""] * (first + 1), *source[first + 1 :]]
    refused = _refused(source)
    if refused is None:
        return source
    plain = _without_magics(source)
    if plain == source:
        return refused
    return _refused(plain) or plain


def _refused(lines: list[str]) -> SyntaxError | None:
    """What Python has against these lines, None if nothing."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile("\n".join([*lines, ""]), "<cell>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return error
    except (RecursionError, MemoryError, ValueError):
        return SyntaxError("it is nested too deep")
    return None


def _without_magics(source: list[str]) -> list[str]:
    """Lines of IPython alone become `pass`, what is assigned from one becomes `...`; their further lines are empty."""
    out: list[str] = []
    continued = False
    for line in source:
        if continued:
            continued = line.endswith("\\")
            out.append("")
            continue
        assigned, timed, magic = _ASSIGNED.match(line), _TIMED.match(line), _MAGIC.match(line)
        if timed:  # the statement behind %time stays where it is
            plain = timed[1] + "if 1:".ljust(timed.end() - timed.end(1)) + line[timed.end() :]
        elif magic:
            plain = f"{magic[1]}pass"
        elif assigned:
            plain = f"{assigned[1]}..."
        else:
            plain = line
        continued = plain != line and not timed and line.endswith("\\")
        out.append(plain)
    return out
