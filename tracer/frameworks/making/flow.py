"""The order in which statements run, and what they put into a list, a container or an attribute."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tracer.frameworks.making.code import Expr, Scope
from tracer.frameworks.making.patterns import NOTHING, Again, Either, Item, Many, Pattern, Row
from tracer.frameworks.making.syntax import SETTERS, by_name, gives_up, is_super_init, refers


class Reads(Protocol):
    """Who can say which layers an expression brings."""

    def sequence(self, expr: Expr) -> Pattern:
        """Of an expression that stands for several."""

    def element(self, expr: Expr) -> Pattern:
        """Of one that stands for one of several."""


@dataclass(frozen=True)
class Part:
    """What some statements do to a target: put `pattern` there instead of what was (`reset`), or behind it."""

    pattern: Pattern = NOTHING
    reset: bool = False
    touched: bool = False

    def then(self, other: Part) -> Part:
        """What both do, one after the other."""
        if other.reset or not other.touched:
            return other if other.touched else self
        return Part(Row((self.pattern, other.pattern)), self.reset, touched=True)

    def after(self, before: Pattern) -> Pattern:
        """The whole, when `before` was there."""
        return self.pattern if self.reset else Row((before, self.pattern))

    def perhaps(self) -> Part:
        """The same, if it runs at all."""
        return one_of([self, Part()]) if self.touched else self


def one_of(parts: Sequence[Part]) -> Part:
    """One of several ways. Where only some put a new thing there, what was before may be gone or not."""
    if not any(part.touched for part in parts):
        return Part()
    return Part(Either(tuple(part.pattern for part in parts)), all(part.reset for part in parts), touched=True)


class Flow:
    """Reads statements in order and gathers what they put into a target: a list, a container, or an attribute."""

    def __init__(
        self,
        makers: Reads,
        scope: Scope,
        target: Callable[[ast.AST], bool],
        *,
        attribute: str | None = None,
        initialised: Callable[[ast.Call], Pattern] | None = None,
    ) -> None:
        self._makers = makers
        self._scope = scope
        self._target = target
        self._attribute = attribute
        self._initialised = initialised

    def block(self, statements: Iterable[ast.stmt]) -> Part:
        """All that some statements do."""
        whole = Part()
        for statement in statements:
            whole = whole.then(self._statement(statement))
        return whole

    def _statement(self, node: ast.stmt) -> Part:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            whole = Part()
            for target in targets if node.value is not None else ():
                whole = whole.then(self._assign(target, node.value))  # type: ignore[arg-type]
            return whole
        if isinstance(node, ast.AugAssign):
            return self._grow(self._makers.sequence(self._expr(node.value))) if self._is(node.target) else Part()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return self._call(node.value)
        if isinstance(node, ast.If):
            ways = [self.block(way) for way in (node.body, node.orelse) if not gives_up(way)]
            return one_of(ways) if ways else Part()
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            return self._loop(self.block([*node.body, *node.orelse]))
        if isinstance(node, ast.With | ast.AsyncWith):
            return self.block(node.body)
        if isinstance(node, ast.Try):
            ways = [self.block([*node.body, *node.orelse])]
            ways += [self.block(handler.body) for handler in node.handlers if not gives_up(handler.body)]
            return one_of(ways).then(self.block(node.finalbody))
        if isinstance(node, ast.Match):
            return one_of([self.block(case.body) for case in node.cases if not gives_up(case.body)] or [Part()])
        return Part()

    def _loop(self, part: Part) -> Part:
        if not part.touched or part.reset:
            return part
        return Part(part.pattern if self._attribute is not None else Again(part.pattern), touched=True)

    def _is(self, node: ast.AST) -> bool:
        return self._target(node)

    def _expr(self, node: ast.expr) -> Expr:
        return Expr(node, self._scope)

    def _assign(self, target: ast.expr, value: ast.expr) -> Part:
        if self._is(target):
            expr = self._expr(value)
            if self._attribute is None and refers(value, self._is):  # layers = layers[:-1]
                return Part(Many(expr), reset=True, touched=True)
            pattern = Item(expr) if self._attribute is not None else self._makers.sequence(expr)
            return Part(pattern, reset=True, touched=True)
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                whole = Part()
                for one, its in zip(target.elts, value.elts, strict=True):
                    whole = whole.then(self._assign(one, its))
                return whole
            if any(self._is(one) for one in target.elts):
                return Part(Many(self._expr(value)), reset=True, touched=True)
        if isinstance(target, ast.Subscript) and self._is(target.value) and self._attribute is None:
            item = Item(self._expr(value), target.slice)
            known = isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, int)
            return self._grow(Either((item, NOTHING)) if known else item)  # a number may be one that was there
        return Part()

    def _call(self, call: ast.Call) -> Part:
        if self._attribute is not None:
            named = by_name(call, self._attribute, self._scope.self_name)
            if named is None:
                return Part()
            label = Many(self._expr(call)) if named is call else Item(self._expr(named))
            return one_of([Part(label, touched=True), Part()])
        if self._initialised is not None and is_super_init(call):
            return Part(self._initialised(call), reset=True, touched=True)
        if not (isinstance(call.func, ast.Attribute) and self._is(call.func.value) and call.args):
            return Part()
        does, last = call.func.attr, call.args[-1]
        if does == "append":
            return self._grow(self._makers.element(self._expr(last)))
        if does in {"extend", "update"}:
            return self._grow(self._makers.sequence(self._expr(last)))
        if does in SETTERS and len(call.args) == 2:
            return self._grow(Item(self._expr(last), call.args[0]))
        if does == "insert":  # somewhere: nobody knows the order any more
            return self._grow(Either((Item(self._expr(last)), NOTHING)))
        return Part()

    def _grow(self, pattern: Pattern) -> Part:
        return Part(pattern, touched=True)
