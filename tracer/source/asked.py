"""Where a class is only asked after: in an annotation, `isinstance`, a comparison. Nothing is made there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_ASKS = {"isinstance", "issubclass"}


def only_asked(tree: ast.AST) -> set[ast.AST]:
    """The names and attributes that stand where the class itself counts, not what a call of it would default to."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        for place in _places(node):
            found.update(_names(place))
    return found


def _places(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in _ASKS:
            yield from node.args[1:2]
    elif isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, (ast.arg, ast.AnnAssign)):
        if node.annotation is not None:
            yield node.annotation
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if node.returns is not None:
            yield node.returns
    elif isinstance(node, ast.MatchClass):
        yield node.cls


def _names(node: ast.expr) -> Iterator[ast.AST]:
    """`nn.Linear`, also among others in a tuple, a list, `A | B` or `Optional[A]`; not what is called in between."""
    if isinstance(node, (ast.Name, ast.Attribute)):
        yield node
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for part in node.elts:
            yield from _names(part)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.Add)):
        yield from _names(node.left)
        yield from _names(node.right)
    elif isinstance(node, ast.Subscript):
        yield from _names(node.slice)
