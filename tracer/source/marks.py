"""From what the walk has marked in one file to uses: places, text, and each place once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracer.source.asked import only_asked
from tracer.source.modules import File
from tracer.source.uses import Sort, Use


@dataclass(frozen=True)
class Mark:
    """A use before its place was looked up; `at` is where it stands when its own syntax does not say (in text)."""

    node: ast.AST
    torch: str
    sort: Sort
    sure: bool
    within: str
    at: ast.AST | None
    spread: tuple[tuple[ast.expr, tuple[str, ...]], ...] = ()


@dataclass
class Marks:
    """What was marked in one file, one mark for each piece of syntax."""

    file: File
    found: dict[ast.AST, Mark] = field(default_factory=dict)

    def add(self, mark: Mark) -> None:
        """Mark a place; what was marked there before stays."""
        self.found.setdefault(mark.node, mark)

    def uses(self) -> Iterator[Use]:
        """The uses, in the order of their places."""
        lines, asked = self.file.text.split("\n"), only_asked(self.file.tree)
        places = []
        for mark in self.found.values():
            node = mark.at or mark.node
            line, column = node.lineno, _characters(lines, node.lineno, node.col_offset)  # type: ignore[attr-defined]
            places.append((line, column, getattr(mark.node, "end_col_offset", 0), mark))
        for line, column, _, mark in sorted(places, key=lambda place: place[:3]):
            cell, row = self.file.place(line)
            text = ast.unparse(mark.node) if mark.at else _text(lines, mark.node)
            yield Use(
                self.file.path,
                row,
                column,
                mark.torch,
                mark.sort,
                text,
                mark.node,
                mark.sure,
                cell,
                mark.within,
                mark.spread,
                mark.node in asked,
            )


def _characters(lines: list[str], line: int, offset: int) -> int:
    """Python counts bytes; people count characters."""
    text = lines[line - 1] if line <= len(lines) else ""
    return offset if text.isascii() else len(text.encode()[:offset].decode(errors="replace"))


def _text(lines: list[str], node: ast.AST) -> str:
    """The source of a piece of syntax; of a definition, its head."""
    first, last = node.lineno, node.end_lineno  # type: ignore[attr-defined]
    left, right = node.col_offset, node.end_col_offset  # type: ignore[attr-defined]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return _head(lines, node)
    left, right = _characters(lines, first, left), _characters(lines, last, right)
    if first == last:
        return str(lines[first - 1][left:right])
    return "\n".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _head(lines: list[str], node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    last = max(node.lineno, node.body[0].lineno - 1)
    head = "\n".join(lines[node.lineno - 1 : last]).strip()
    whole = f"{'async ' if isinstance(node, ast.AsyncFunctionDef) else ''}def {node.name}({ast.unparse(node.args)})"
    first = head.split("\n", 1)[0].rstrip()
    return first.removesuffix(":") if first.endswith(":") else whole
