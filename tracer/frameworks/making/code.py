"""Code that is read: an expression, and the function it stands in."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, eq=False)
class Scope:
    """A function that is read: what its names mean, whose method it is, and from where it was called."""

    node: Function | None
    file: str
    names: Mapping[str, Any]
    instance: Any = None
    owner: type | None = None
    calls: tuple[Expr, ...] = ()
    method: bool = False
    outer: Scope | None = None
    depth: int = 0

    @property
    def body(self) -> Sequence[ast.stmt]:
        """The statements."""
        return self.node.body if isinstance(self.node, ast.FunctionDef | ast.AsyncFunctionDef) else ()

    @property
    def self_name(self) -> str | None:
        """What the method calls its own object."""
        node = self.node
        if not self.method or node is None:
            return None
        found = [*node.args.posonlyargs, *node.args.args]
        return found[0].arg if found else None


@dataclass(frozen=True, eq=False)
class Expr:
    """An expression, and the function it stands in."""

    node: ast.expr
    scope: Scope

    def at(self, node: ast.expr) -> Expr:
        """Another one in the same function."""
        return Expr(node, self.scope)
