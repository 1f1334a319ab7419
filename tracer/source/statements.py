"""The walk through statements: what names stand for as the code goes on, in branches and loops."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from tracer.source.assigning import Assigning
from tracer.source.modules import Names
from tracer.source.names import told_by
from tracer.source.outside import items
from tracer.source.program import merged
from tracer.source.values import (
    NOTHING,
    UNKNOWN,
    join,
)


class Walk(Assigning):
    """The walk through a module, a class or a function."""

    # ------------------------------------------------------------------------------------------------------ the door

    def block(self, body: Sequence[ast.stmt]) -> bool:
        """Statements in order; True when nothing that follows them is reached."""
        gone, scope, owner = False, self.scope, self.owner
        for statement in body:
            handler = STATEMENTS.get(type(statement))
            try:
                if handler is not None and handler(self, statement):
                    gone = True
            except RecursionError:  # nested deeper than anybody writes
                self.scope, self.owner, self.at = scope, owner, None
                self.names_only(statement)
        return gone

    # ------------------------------------------------------------------------------------------------------- imports

    def imported(self, node: ast.Import) -> None:
        """`import torch.nn as nn`."""
        for alias in node.names:
            if alias.asname:
                self.scope.set(alias.asname, self.program.thing(alias.name, self.scope.module))
            else:
                first = alias.name.partition(".")[0]
                self.scope.set(first, self.program.thing(first, self.scope.module))

    def imported_from(self, node: ast.ImportFrom) -> None:
        """`from torch import nn`."""
        for alias in node.names:
            if alias.name == "*":
                self.program.star(self.scope, node.level, node.module)
            else:
                value = self.program.imported(self.scope.module, node.level, node.module, alias.name)
                self.scope.set(alias.asname or alias.name, value)

    def elsewhere(self, node: ast.Global | ast.Nonlocal) -> None:
        """`global x`."""
        around = self.scope.parent
        while around is not None and around.parent is not None:
            if isinstance(node, ast.Nonlocal) and around.sort == "function":
                break
            around = around.parent
        if around is not None:
            for name in node.names:
                self.scope.elsewhere[name] = around
                self.scope.names.pop(name, None)

    # ----------------------------------------------------------------------------------------------- branches and loops

    def branched(self, node: ast.If) -> bool:
        """`if`, with as many `elif` as there are."""
        after: list[Names] = []
        while True:
            self.value(node.test)
            yes, no = told_by(self.program, self.scope, node.test)
            now = self.scope.names
            self.scope.names = {**now, **yes}
            if not self.block(node.body):
                after.append(self.scope.names)
            self.scope.names = {**now, **no}
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node = node.orelse[0]
                continue
            if not self.block(node.orelse):
                after.append(self.scope.names)
            return self.go_on(after)

    def go_on(self, after: Sequence[Names]) -> bool:
        """After branches: names are what any of them left; True when none goes on."""
        if not after:
            return True
        names = after[0]
        for other in after[1:]:
            names = merged(names, other)
        self.scope.names = names
        return False

    def looped(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        """A loop: what the last round through it leaves was learned in the walk before."""
        several = NOTHING if isinstance(node, ast.While) else items(self.value(node.iter))
        before = self.scope.names
        changed = self.program.loops.get(node, {})
        self.scope.names = {
            **before,
            **{name: join(before[name], value) if name in before else value for name, value in changed.items()},
        }
        entry = dict(self.scope.names)
        if isinstance(node, ast.While):
            self.value(node.test)
            self.scope.names.update(told_by(self.program, self.scope, node.test)[0])
        else:
            self.assign(node.target, several)
        self.block(node.body)
        self.program.loops[node] = {
            name: value for name, value in self.scope.names.items() if before.get(name) is not value
        }
        self.scope.names = merged(entry, self.scope.names)
        self.block(node.orelse)

    def tried(self, node: ast.Try) -> bool:
        """`try`: its handlers begin with what its body may have bound by then."""
        before = dict(self.scope.names)
        gone = self.block(node.body)
        body = self.scope.names
        start = merged(before, body)
        after: list[Names] = []
        for handler in node.handlers:
            self.scope.names = dict(start)
            self.value(handler.type)
            if handler.name:
                self.scope.set(handler.name, UNKNOWN)
            if not self.block(handler.body):
                after.append(self.scope.names)
        self.scope.names = body
        gone = self.block(node.orelse) or gone
        if not gone:
            after.insert(0, self.scope.names)
        ended = self.go_on(after)
        return self.block(node.finalbody) or ended

    def with_block(self, node: ast.With | ast.AsyncWith) -> bool:
        """`with torch.no_grad():`."""
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        return self.block(node.body)

    def matched(self, node: ast.Match) -> None:
        """`match`."""
        self.value(node.subject)
        before = self.scope.names
        after = [before]
        for case in node.cases:
            self.scope.names = dict(before)
            for part in ast.walk(case.pattern):
                if isinstance(part, (ast.MatchValue, ast.MatchClass)):
                    self.value(part.value if isinstance(part, ast.MatchValue) else part.cls)
                elif isinstance(part, (ast.MatchAs, ast.MatchStar)) and part.name:
                    self.scope.set(part.name, UNKNOWN)
                elif isinstance(part, ast.MatchMapping) and part.rest:
                    self.scope.set(part.rest, UNKNOWN)
            self.value(case.guard)
            if not self.block(case.body):
                after.append(self.scope.names)
        self.go_on(after)

    # ------------------------------------------------------------------------------------------------------- the rest

    def expression(self, node: ast.Expr) -> None:
        """An expression for its effect."""
        self.value(node.value)

    def returned(self, node: ast.Return) -> bool:
        """`return x`."""
        self.results.append(self.value(node.value).handed() if node.value is not None else NOTHING)
        return True

    def raised(self, node: ast.Raise) -> bool:
        """`raise`."""
        self.value(node.exc)
        self.value(node.cause)
        return True

    def asserted(self, node: ast.Assert) -> None:
        """`assert isinstance(x, torch.Tensor)`."""
        self.value(node.test)
        self.value(node.msg)
        self.scope.names.update(told_by(self.program, self.scope, node.test)[0])

    def left(self, _node: ast.stmt) -> bool:
        """`break` and `continue`."""
        return True


STATEMENTS: dict[type[ast.stmt], Callable[..., bool | None]] = {
    ast.Assign: Walk.assigned,
    ast.AnnAssign: Walk.annotated,
    ast.AugAssign: Walk.augmented,
    ast.Delete: Walk.deleted,
    ast.Import: Walk.imported,
    ast.ImportFrom: Walk.imported_from,
    ast.Global: Walk.elsewhere,
    ast.Nonlocal: Walk.elsewhere,
    ast.If: Walk.branched,
    ast.For: Walk.looped,
    ast.AsyncFor: Walk.looped,
    ast.While: Walk.looped,
    ast.Try: Walk.tried,
    ast.With: Walk.with_block,
    ast.AsyncWith: Walk.with_block,
    ast.Match: Walk.matched,
    ast.Expr: Walk.expression,
    ast.Return: Walk.returned,
    ast.Raise: Walk.raised,
    ast.Assert: Walk.asserted,
    ast.Break: Walk.left,
    ast.Continue: Walk.left,
    ast.ClassDef: Walk.class_defined,
    ast.FunctionDef: Walk.function_defined,
    ast.AsyncFunctionDef: Walk.function_defined,
}
"""By the kind of statement."""
if hasattr(ast, "TryStar"):
    STATEMENTS[ast.TryStar] = Walk.tried
