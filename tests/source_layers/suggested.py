"""What the package suggests for a call of the tables, and the call with only its name replaced."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tracer.source.facts.table import Facts
from tracer.source.rewriting.suggesting import suggest
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.uses import Use

_ROOMS = {"torch": "torch", "nn": "torch.nn", "F": "torch.nn.functional"}


def suggested(text: str, *, mint: bool = False) -> Suggestion:
    """What is suggested for a call, a use of torch as it stands in a source."""
    tree = ast.parse(text, mode="eval").body
    uses = {use.node: use for use in _uses(tree, text)}
    return suggest(uses[tree], Facts.load(), mint=mint, uses_within=uses)


def naive(text: str, name: str) -> str:
    """The call with only its name replaced, and what stands inside it rewritten: what a port does that trusts names."""
    tree = ast.parse(text, mode="eval").body
    assert isinstance(tree, ast.Call)
    uses = {use.node: use for use in _uses(tree, text)}
    changed = _Inside(tree, uses).visit(tree)
    changed.func = ast.parse(name, mode="eval").body
    return ast.unparse(changed)


class _Inside(ast.NodeTransformer):
    def __init__(self, whole: ast.AST, uses: dict[ast.AST, Use]) -> None:
        self._whole, self._uses = whole, uses

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._whole:
            return ast.Call(node.func, [self.visit(a) for a in node.args], [self.visit(k) for k in node.keywords])
        if node in self._uses:
            write = suggest(self._uses[node], Facts.load(), uses_within=self._uses).write
            return ast.parse(write or ast.unparse(node), mode="eval").body
        return self.generic_visit(node)


def _uses(tree: ast.AST, text: str) -> Iterator[Use]:
    """The uses of torch in an expression that names it by `torch`, `nn` and `F`."""
    called: set[int] = set()
    for node in ast.walk(tree):
        where = node.func if isinstance(node, ast.Call) else node
        name = _name(where)
        if not name or id(node) in called:
            continue
        called |= {id(part) for part in ast.walk(where)}
        sort = "call" if isinstance(node, ast.Call) else "name"
        piece = ast.get_source_segment(text, node) or ""
        yield Use("calls.py", node.lineno, node.col_offset, name, sort, piece, node)


def _name(node: ast.AST) -> str:
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in _ROOMS or not parts:
        return ""
    return Facts.load().canonical(".".join((_ROOMS[node.id], *reversed(parts)))) or ""
