"""Assignments: what a name, an attribute, an item is bound to."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tracer.source.definitions import Definitions
from tracer.source.modules import Instance
from tracer.source.names import look_up, meaning
from tracer.source.operators import AUGMENTED, ambiguous
from tracer.source.outside import items
from tracer.source.values import (
    NOTHING,
    UNKNOWN,
    Row,
    Several,
    Table,
    Value,
    join,
    joined,
    one,
    table_of,
)


class Assigning(Definitions):
    """The walk through assignments."""

    def assigned(self, node: ast.Assign) -> None:
        """`a = b = value`."""
        value = self.value(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id == "__all__":
                self.exports(node.value)
            self.assign(target, value)

    def annotated(self, node: ast.AnnAssign) -> None:
        """`x: torch.Tensor = value`."""
        self.annotation(node.annotation)
        told = meaning(self.program, self.scope, node.annotation)
        value = self.value(node.value) if node.value is not None else None
        if value is None or (told.things and not value.things):
            value = told if value is not NOTHING else told.unsure()
        if node.value is not None or self.scope.sort == "class":
            self.assign(node.target, value)

    def augmented(self, node: ast.AugAssign) -> None:
        """`x += y`."""
        target = node.target
        if isinstance(target, ast.Name):
            if target.id == "__all__":
                self.exports(node.value)
            left = look_up(self.scope, target.id)
        else:
            left = self.value(target)
        right = self.value(node.value)
        result = self.operation(node, left, right, AUGMENTED[type(node.op)])
        if isinstance(target, ast.Name):
            self.scope.set(target.id, result)

    def exports(self, node: ast.expr) -> None:
        """`__all__ = [...]`, where it is written out."""
        module = self.scope.module
        if isinstance(node, (ast.List, ast.Tuple)) and all(isinstance(part, ast.Constant) for part in node.elts):
            names = [part.value for part in node.elts if isinstance(part, ast.Constant)]
            module.exports = [*(module.exports or []), *(name for name in names if isinstance(name, str))]
        else:
            module.exports, module.open = None, True

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target."""
        if isinstance(target, ast.Name):
            self.scope.set(target.id, self.evidence.settled(target.id, value.handed()))
        elif isinstance(target, (ast.Tuple, ast.List)):
            self.unpack(target.elts, value)
        elif isinstance(target, ast.Attribute):
            self.assign_attribute(target, value)
        elif isinstance(target, ast.Subscript):
            self.assign_item(target, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, one(Several(value)))

    def unpack(self, targets: Sequence[ast.expr], value: Value) -> None:
        """`a, *b, c = value`."""
        rows = [thing for thing in value.things if isinstance(thing, Row) and len(thing.items) == len(targets)]
        plain = not any(isinstance(target, ast.Starred) for target in targets)
        if plain and rows and len(rows) == len(value.things):
            for place, target in enumerate(targets):
                item = joined([row.items[place] for row in rows])
                self.assign(target, item if value.sure else item.unsure())
            return
        item = items(value)
        for target in targets:
            self.assign(target, item)

    def assign_attribute(self, target: ast.Attribute, value: Value) -> None:
        """`self.conv = nn.Conv2d(...)`; of what is torch's it is a use."""
        reached, base = self.reach(target)
        own = [thing.of for thing in base.things if isinstance(thing, Instance)]
        if own and not (reached.names and target.attr in KEPT):
            for of in own:
                role = UNKNOWN if value.things or value.sure else (of.roles or {}).get(target.attr, UNKNOWN)
                of.assign(target.attr, role if role.things else value)
        elif reached.names:
            self.mention(target, reached)

    def assign_item(self, target: ast.Subscript, value: Value) -> None:
        """`x[0] = value`, `table["key"] = value`."""
        base = self.value(target.value)
        self.value(target.slice)
        if self.torch.tensor(base) and not ambiguous(self.torch, base):
            self.mark(target, "torch.Tensor.__setitem__", "operator", base.sure and len(base.things) == 1)
        if len(base.things) == 1 and isinstance(base.things[0], Table) and base.depth < 4 and value.depth < 4:
            table = base.things[0]
            key = target.slice.value if isinstance(target.slice, ast.Constant) else None
            if isinstance(key, str):
                entries = {**dict(table.entries), key: value.handed()}
                self.rebind(target.value, table_of(entries, table.others, closed=table.closed))
            else:
                others = join(table.others, value.handed()) if table.others.things else value.handed()
                self.rebind(target.value, one(Table(table.entries, others)))

    def deleted(self, node: ast.Delete) -> None:
        """`del x`."""
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scope.names.pop(target.id, None)
            elif isinstance(target, (ast.Attribute, ast.Subscript)):
                self.value(target.value)


KEPT = frozenset({"training"})
"""Attributes that stay torch's own when a class of the tree gives them a value."""
