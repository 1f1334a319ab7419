"""Operators as they stand in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager

from tracer.source.calling import Calling
from tracer.source.modules import Names
from tracer.source.names import told_by
from tracer.source.operators import COMPARED, REFLECTED, UNARY, WORKED, ambiguous, number, operated
from tracer.source.values import (
    NUMBER,
    TENSOR,
    UNKNOWN,
    Plain,
    Value,
    join,
    joined,
)


class Operating(Calling):
    """The walk through operators, and through expressions with two ways."""

    # ------------------------------------------------------------------------------------------------------ operators

    def binary(self, node: ast.BinOp) -> Value:
        """`x @ y` and its kin; long chains are not walked by recursion."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        left = self.value(chain[-1].left)
        for link in reversed(chain):
            right = self.value(link.right)
            left = self.operation(link, left, right, WORKED[type(link.op)])
        return left

    def operation(self, node: ast.AST, left: Value, right: Value, name: str, reflected: str | None = None) -> Value:
        """An operator with two sides."""
        which, sure, result = operated(self.torch, left, right, name, reflected or REFLECTED.get(name, name))
        if which is not None:
            self.mark(node, f"torch.Tensor.{which}", "operator", sure)
        return result

    def unary(self, node: ast.UnaryOp) -> Value:
        """`-x`, `~x`, `not x`."""
        value = self.value(node.operand)
        name = UNARY.get(type(node.op))
        if name is None:
            return NUMBER
        if self.torch.tensor(value) and not ambiguous(self.torch, value):
            if not number(value):
                self.mark(node, f"torch.Tensor.{name}", "operator", value.sure)
            return TENSOR if value.sure else TENSOR.unsure()
        return value if value.things and all(isinstance(thing, Plain) for thing in value.things) else UNKNOWN

    def compared(self, node: ast.Compare) -> Value:
        """`x > 0`, `a is b`, `a in b`."""
        sides = [self.value(node.left), *self.values(node.comparators)]
        result = NUMBER
        for place, op in enumerate(node.ops):
            name = COMPARED.get(type(op))
            if name is None:
                continue
            if len(node.ops) == 1:
                result = self.operation(node, sides[0], sides[1], name[0], name[1])
                result = NUMBER if not result.things else result
            elif any(self.torch.tensor(side) for side in sides[place : place + 2]):
                result = TENSOR.unsure()
        return result

    def both(self, node: ast.BoolOp) -> Value:
        """`a or b`."""
        values = []
        with self.narrowed():
            for part in node.values:
                values.append(self.value(part))
                yes, no = told_by(self.program, self.scope, part)
                self.scope.names.update(yes if isinstance(node.op, ast.And) else no)
        return joined(values)

    def choice(self, node: ast.IfExp) -> Value:
        """`a if test else b`."""
        self.value(node.test)
        yes, no = told_by(self.program, self.scope, node.test)
        with self.narrowed(yes):
            first = self.value(node.body)
        with self.narrowed(no):
            second = self.value(node.orelse)
        return join(first, second)

    @contextmanager
    def narrowed(self, told: Names | None = None) -> Iterator[None]:
        """Names as a test has told of them, for a while."""
        before = self.scope.names
        self.scope.names = {**before, **(told or {})}
        try:
            yield
        finally:
            bound = self.scope.names
            self.scope.names = before
            for name in bound.keys() - before.keys():  # `:=` binds for good
                before[name] = bound[name]
