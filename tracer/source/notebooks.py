"""A notebook as one text: its code cells in order, without what only IPython understands, line for line."""

from __future__ import annotations

import ast
import json
import re
import warnings
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
    for number, code in _code_cells(_notebook(data)):
        source = re.sub("\r\n?", "\n", code).split("\n")
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


def _code_cells(notebook: dict[str, Any]) -> list[tuple[int, str]]:
    """Number and source of each code cell; cells are counted with those of text, as they are seen."""
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    wrong = ValueError("it is no notebook: its cells are not as nbformat has them")
    if not isinstance(sheets, list) or not all(isinstance(sheet, dict) for sheet in sheets):
        raise wrong
    cells = [sheet.get("cells", []) for sheet in sheets]
    if not all(isinstance(held, list) for held in cells):
        raise wrong
    out = []
    for number, cell in enumerate((cell for held in cells for cell in held), 1):
        if not isinstance(cell, dict):
            raise wrong
        if cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if not isinstance(source, str):
            raise wrong
        out.append((number, source.replace("\0", "")))
    return out


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
