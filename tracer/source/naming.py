"""Names and attributes as they stand in the code: what they are, and the marks of those that are torch's."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from tracer.source.attributes import Reached, attribute
from tracer.source.evidence import Evidence, evidence
from tracer.source.marks import Mark, Marks
from tracer.source.modules import Class, Function, Module, Scope
from tracer.source.names import look_up, named, parsed
from tracer.source.program import Program
from tracer.source.uses import Sort
from tracer.source.values import (
    Table,
    Torch,
    Value,
)

CALLED = ("class", "function", "method", "value")
"""Sorts of names that can be called; of parts of torch that are not listed every name is a value."""


class Naming:
    """The walk through names: values are looked up and, in the last round, uses are marked."""

    def __init__(self, program: Program, scope: Scope, marks: Marks | None) -> None:
        """Walk in this scope; without `marks` nothing is marked."""
        self.program, self.torch, self.scope, self.marks = program, program.torch, scope, marks
        self.function: Function | None = None
        self.owner: Class | None = None
        self.yielded: list[Value] = []
        self.at: ast.AST | None = None
        self.evidence = Evidence()
        self.guessing = "torch" in scope.module.file.text

    def value(self, node: ast.expr | None) -> Value:
        """What an expression is; uses in it are marked."""
        raise NotImplementedError

    def values(self, nodes: Iterable[ast.expr]) -> list[Value]:
        """What several expressions are."""
        return [self.value(node) for node in nodes]

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target; the walk through statements knows how."""
        raise NotImplementedError

    def read(self, of: Function | Module, body: Sequence[ast.stmt]) -> None:
        """Before code is walked: what it says of its names, worked out once."""
        if not self.guessing:
            self.evidence = Evidence()
            return
        if of.evidence is None:
            parameters = sorted(of.parameters()) if isinstance(of, Function) else []
            of.evidence = evidence(body, parameters, self.torch.tensor_has, self.program.methods)
        self.evidence = of.evidence

    # ------------------------------------------------------------------------------------------------------ marking

    def mark(self, node: ast.AST, torch: str, sort: Sort, sure: bool) -> None:
        """Mark a use."""
        if self.marks is not None and self.torch.worth_telling(torch):
            spread = self.spread(node) if isinstance(node, ast.Call) else ()
            self.marks.add(Mark(node, torch, sort, sure, self.scope.within, self.at, spread))

    def spread(self, node: ast.Call) -> tuple[tuple[ast.expr, tuple[str, ...]], ...]:
        """Of a call the names behind `**` that are dicts of known keys."""
        behind = [keyword.value for keyword in node.keywords if keyword.arg is None]
        found = [(one, keys_of(look_up(self.scope, one.id))) for one in behind if isinstance(one, ast.Name)]
        return tuple((one, keys) for one, keys in found if keys)

    def mention(self, node: ast.AST, reached: Reached) -> None:
        """Mark what is mentioned and not called, unless it is a module."""
        if self.marks is None or not reached.names:
            return
        name = self.torch.chosen(reached.names, spelled=reached.value.spelled or not reached.instance)
        if name == "torch.Tensor.size" and reached.instance:
            return  # not called, so it is an array's or a picture's
        if name is not None and self.torch.sort(name) != "module":
            self.mark(node, name, "name", reached.sure and len(reached.names) == 1)

    # --------------------------------------------------------------------------------------------- names and attributes

    def name(self, node: ast.Name) -> Value:
        """A name."""
        value = look_up(self.scope, node.id)
        if value.spelled and self.marks is not None:
            self.mention(node, spelled(value))
        return value

    def attribute(self, node: ast.Attribute) -> Value:
        """A dotted name, or an attribute of anything."""
        reached, _ = self.reach(node)
        self.mention(node, reached)
        return reached.value

    def reach(self, node: ast.Attribute) -> tuple[Reached, Value]:
        """What an attribute is and what it is taken of; what stands before the dot is marked, itself not."""
        inner, before = node.value, None
        if isinstance(inner, ast.Attribute):
            before, _ = self.reach(inner)
            base = before.value
        elif isinstance(inner, ast.Name):
            base = look_up(self.scope, inner.id)
            before = spelled(base) if base.spelled else None
        else:
            base = self.value(inner)
        found = attribute(self.program, base, node.attr)
        if before is not None and before.names and not (found.names and not found.instance):
            self.mention(inner, before)
        return found, base

    def names_only(self, statement: ast.stmt) -> None:
        """Mark the dotted names in a statement that is too deep to be worked out."""
        inside: set[ast.AST] = set()
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                reached = spelled(named(self.program, self.scope, node.func))
                if len(reached.names) == 1 and self.torch.sort(reached.names[0]) in CALLED:
                    self.mark(node, reached.names[0], "call", reached.sure)
                    inside.add(node.func)
            elif isinstance(node, (ast.Name, ast.Attribute)):
                reached = spelled(named(self.program, self.scope, node))
                if node not in inside and reached.names and reached.value.spelled:
                    self.mention(node, reached)
                if isinstance(node, ast.Attribute) and (node in inside or reached.names):
                    inside.add(node.value)

    # --------------------------------------------------------------------------------------------------- annotations

    def annotation(self, node: ast.expr | None) -> None:
        """Mark what an annotation mentions, also where it is written as text."""
        if node is None or self.marks is None:
            return
        if isinstance(node, ast.Constant):
            inner = parsed(node.value) if isinstance(node.value, str) else None
            if inner is not None and not isinstance(inner, ast.Constant):
                before, self.at = self.at, self.at or node
                self.annotation(inner)
                self.at = before
        elif isinstance(node, ast.Subscript):
            self.value(node.value)
            last = last_name(node.value)
            if last == "Literal":
                return
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            for part in parts[:1] if last == "Annotated" else parts:
                self.annotation(part)
        elif isinstance(node, (ast.List, ast.Tuple)):
            for part in node.elts:
                self.annotation(part)
        elif isinstance(node, ast.BinOp):
            self.annotation(node.left)
            self.annotation(node.right)
        else:
            self.value(node)


def keys_of(value: Value) -> tuple[str, ...]:
    """The keys of a dict that has these and no others; none if that is not certain."""
    if value.sure and len(value.things) == 1 and isinstance(value.things[0], Table):
        table = value.things[0]
        return tuple(key for key, _ in table.entries) if table.closed else ()
    return ()


def spelled(value: Value) -> Reached:
    """A bare name as what it reaches."""
    names = tuple(dict.fromkeys(thing.name for thing in value.things if isinstance(thing, Torch)))
    return Reached(value, names, value.sure)


def last_name(node: ast.expr) -> str:
    """The last part of a dotted name, "" of what is none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
