"""The text of what is written: pieces of the source as they stand there, and calls put together from pieces.

An argument keeps its text (`1e-5` stays `1e-5`) unless it spans lines or holds a use that is rewritten itself.
"""

from __future__ import annotations

import ast
import decimal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

NOT_LITERAL = object()
"""What `literal` answers for an expression whose value cannot be read off the source."""

_ATOMS = (ast.Name, ast.Attribute, ast.Call, ast.Subscript, ast.List, ast.Dict, ast.Set, ast.ListComp, ast.SetComp)


class ByHand(Exception):  # noqa: N818 (it says what is the matter; it never leaves this room)
    """No rewriting keeps the meaning of this call; its words say why, or what to do.

    Attributes:
        silent: would the call with only its name changed run and compute something else?
    """

    def __init__(self, why: str = "", *, silent: bool = False) -> None:
        super().__init__(why)
        self.silent = silent


@dataclass(frozen=True)
class Value:
    """One argument: its syntax and source, rewritten inside where it uses torch, or why that cannot be."""

    node: ast.expr
    source: str
    trouble: str = ""

    @property
    def text(self) -> str:
        """What is to be written; raises `ByHand` where it cannot be."""
        if self.trouble:
            raise ByHand(self.trouble)
        return self.source

    @property
    def literal(self) -> object:
        """The value, where the source says it: a number, text, None, tuples and lists of such; else `NOT_LITERAL`."""
        return literal(self.node)

    @property
    def atom(self) -> str:
        """The text with brackets round it where it could not stand before a dot or beside a sign."""
        return self.text if stands_alone(self.node) else f"({self.text})"


def value_of(text: str) -> Value:
    """The value of a piece of source, such as a default."""
    return Value(ast.parse(text, mode="eval").body, text)


def literal(node: ast.expr) -> object:
    """What the expression is worth where its source says so, else `NOT_LITERAL`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NOT_LITERAL


def stands_alone(node: ast.expr) -> bool:
    """May the expression stand before a dot or beside a sign without brackets?"""
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, (int, float, complex)) or isinstance(node.value, bool)
    return isinstance(node, _ATOMS)


def source_of(node: ast.expr, whole: ast.AST, text: str) -> str:
    """The text of `node` as it stands in `text`, the source of `whole`; written anew where it spans lines."""
    piece = _piece(node, whole, text)
    if piece and "\n" not in piece and _means(piece, node):
        return piece
    return ast.unparse(node)


def _piece(node: ast.expr, whole: ast.AST, text: str) -> str:
    first: int | None = getattr(whole, "lineno", None)
    left: int | None = getattr(whole, "col_offset", None)
    if first is None or left is None or node.end_lineno is None or node.end_col_offset is None:
        return ""
    row = node.lineno - first
    lines = text.split("\n")
    if row != node.end_lineno - first or not 0 <= row < len(lines):
        return ""
    before = left if row == 0 else 0
    if node.col_offset < before:
        return ""
    raw = lines[row].encode()[node.col_offset - before : node.end_col_offset - before]
    return raw.decode(errors="replace")


def _means(piece: str, node: ast.expr) -> bool:
    try:
        if isinstance(node, ast.Starred):
            listed: ast.expr = ast.parse(f"[{piece}]", mode="eval").body
            return isinstance(listed, ast.List) and bool(ast.dump(listed.elts[0]) == ast.dump(node))
        return bool(ast.dump(ast.parse(piece, mode="eval").body) == ast.dump(node))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def with_pieces(node: ast.expr, instead: Mapping[ast.AST, ast.expr]) -> ast.expr:
    """The expression with some of its parts replaced; the parts that stay are shared, nothing is changed in place."""
    new = _Replacing(instead).visit(node)
    assert isinstance(new, ast.expr)
    return new


class _Replacing(ast.NodeTransformer):
    def __init__(self, instead: Mapping[ast.AST, ast.expr]) -> None:
        self.instead = instead

    def visit(self, node: ast.AST) -> ast.AST:
        if node in self.instead:
            return self.instead[node]
        fields: dict[str, object] = {}
        for name, old in ast.iter_fields(node):
            if isinstance(old, list):
                fields[name] = [self.visit(part) if isinstance(part, ast.AST) else part for part in old]
            elif isinstance(old, ast.AST):
                fields[name] = self.visit(old)
        return with_fields(node, fields)


Syntax = TypeVar("Syntax", bound=ast.AST)


def with_fields(node: Syntax, fields: Mapping[str, object]) -> Syntax:
    """The same syntax with some of its fields replaced: a new one, or itself where nothing is new."""
    if all(_same(getattr(node, name), new) for name, new in fields.items()):
        return node
    return type(node)(**{**dict(ast.iter_fields(node)), **fields})


def _same(old: object, new: object) -> bool:
    if isinstance(old, list) and isinstance(new, list):
        return all(a is b for a, b in zip(old, new, strict=True))
    return old is new


def call(name: str, positional: Iterable[str] = (), keywords: Iterable[tuple[str, str]] = ()) -> str:
    """The source of a call: `call("f", ["x"], [("axis", "1")])` is `f(x, axis=1)`; a keyword "**" spreads its value."""
    arguments = [*positional]
    arguments += [f"**{text}" if key == "**" else f"{key}={text}" for key, text in keywords]
    return f"{name}({', '.join(arguments)})"


def number(text: str) -> str:
    """A default as a person writes it: `1e-05` is `1e-5`."""
    head, mark, tail = text.partition("e")
    if not mark or literal_number(text) is None:
        return text
    return f"{head}e{int(tail)}"


def literal_number(text: str) -> decimal.Decimal | None:
    """The exact value of a number's source, None for anything else."""
    try:
        value = decimal.Decimal(text.strip().replace("_", ""))
    except decimal.InvalidOperation:
        return None
    return value if value.is_finite() else None


def plain(value: decimal.Decimal) -> str:
    """The source of an exact number, without needless zeros: 0.90 is `0.9`, 1E+1 is `10`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text
