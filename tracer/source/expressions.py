"""What each kind of expression is, and which uses of torch stand in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tracer.source.guesses import other_than_tensors
from tracer.source.modules import Class, Scope
from tracer.source.names import told_by
from tracer.source.operating import Operating
from tracer.source.operators import ambiguous
from tracer.source.outside import entry, items
from tracer.source.values import (
    NOTHING,
    NUMBER,
    OTHER,
    TENSOR,
    TEXT,
    UNKNOWN,
    Bundle,
    Code,
    Made,
    Plain,
    Row,
    Several,
    Table,
    Value,
    bundled,
    joined,
    listed,
    one,
    table_of,
)


class Expressions(Operating):
    """The walk through expressions."""

    # ------------------------------------------------------------------------------------------------------- the door

    def value(self, node: ast.expr | None) -> Value:
        """What an expression is; uses in it are marked."""
        if node is None:
            return UNKNOWN
        return KINDS.get(type(node), Expressions.other)(self, node)

    def other(self, node: ast.expr) -> Value:
        """Whatever has no rule of its own."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
        return UNKNOWN

    # ------------------------------------------------------------------------------------------- holders and functions

    def subscript(self, node: ast.Subscript) -> Value:
        """`x[0]`."""
        base = self.value(node.value)
        if not isinstance(node.slice, (ast.Slice, ast.Tuple, ast.Compare)):
            base = bundled(base)
        if isinstance(node.slice, ast.Constant):
            key: object = node.slice.value
        else:
            self.value(node.slice)
            key = None
            if isinstance(node.slice, ast.UnaryOp) and isinstance(node.slice.op, ast.USub):
                inner = node.slice.operand
                key = -inner.value if isinstance(inner, ast.Constant) and isinstance(inner.value, int) else None
        if not base.things:
            return UNKNOWN
        if isinstance(key, str) and self.torch.tensor(base):
            return UNKNOWN  # no tensor has keys
        if isinstance(node.ctx, ast.Load) and self.torch.tensor(base) and not ambiguous(self.torch, base):
            self.mark(node, "torch.Tensor.__getitem__", "operator", base.sure and len(base.things) == 1)
        found = joined([self.item(one(thing), key, node.slice) for thing in base.things])
        return found if base.sure else found.unsure()

    def item(self, base: Value, key: object, index: ast.expr) -> Value:
        """What one thing has at an index."""
        thing = base.things[0]
        if isinstance(thing, Made) and self.torch.is_tensor(thing.name):
            return TENSOR
        if isinstance(thing, Bundle):
            if isinstance(key, str):
                return UNKNOWN if other_than_tensors(key) else thing.part
            return TENSOR.unsure() if isinstance(index, ast.Tuple) else thing.part
        if isinstance(index, ast.Slice):
            if isinstance(thing, Row):
                return one(Several(items(base)))
            return base if isinstance(thing, (Several, Made, Plain)) else UNKNOWN
        if isinstance(thing, Row) and isinstance(key, int) and -len(thing.items) <= key < len(thing.items):
            return thing.items[key]
        if isinstance(thing, Table) or (isinstance(key, str) and isinstance(thing, Made)):
            return entry(base, key)
        if isinstance(thing, (Row, Several, Made)):
            return items(base)
        if isinstance(thing, Class):
            return base
        if isinstance(thing, Plain):
            return base if thing.kind in ("text", "numpy") else UNKNOWN
        return UNKNOWN

    def sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        """A list, tuple or set that is written out."""
        if any(isinstance(part, ast.Starred) for part in node.elts):
            return one(Several(joined([self.value(part).handed() for part in node.elts])))
        return listed([self.value(part).handed() for part in node.elts])

    def starred(self, node: ast.Starred) -> Value:
        """`*rest`: what it holds."""
        return items(self.value(node.value))

    def table(self, node: ast.Dict) -> Value:
        """A dict that is written out."""
        entries: dict[str, Value] = {}
        others: list[Value] = []
        for key, item in zip(node.keys, node.values, strict=True):
            value = self.value(item).handed()
            if key is None:
                for thing in value.things:
                    if isinstance(thing, Table):
                        entries.update(thing.entries)
                        others.append(thing.others)
                others.append(UNKNOWN)
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                entries[key.value] = value
            else:
                self.value(key)
                others.append(value)
        return table_of(entries, joined(others), closed=not others)

    def constant(self, node: ast.Constant) -> Value:
        """A number, a text, None."""
        kind = type(node.value)
        if kind is str:
            return TEXT
        if kind in (int, float, bool, complex):
            return NUMBER
        return NOTHING if node.value is None else OTHER

    def text(self, node: ast.JoinedStr) -> Value:
        """f"...": Python up to 3.11 does not know where in it an expression stands."""
        before, self.at = self.at, self.at or node
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                self.value(part.value)
                if part.format_spec is not None:
                    self.value(part.format_spec)
        self.at = before
        return TEXT

    def function_value(self, node: ast.Lambda, given: Sequence[Value] = ()) -> Value:
        """A lambda; one that is called where it stands is given values."""
        for default in (*node.args.defaults, *node.args.kw_defaults):
            self.value(default)
        with self.inner(self.scope.within):
            for argument in every_argument(node.args):
                self.scope.set(argument.arg, UNKNOWN)
            for argument, value in zip((*node.args.posonlyargs, *node.args.args), given, strict=False):
                self.scope.set(argument.arg, value.handed())
            return one(Code(self.value(node.body).handed()))

    def comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Value:
        """`[f(x) for x in xs]` and its kin."""
        first = self.value(node.generators[0].iter)
        with self.inner(self.scope.within):
            for place, generator in enumerate(node.generators):
                several = first if place == 0 else self.value(generator.iter)
                self.assign(generator.target, items(several))
                for test in generator.ifs:
                    self.value(test)
                    self.scope.names.update(told_by(self.program, self.scope, test)[0])
            if isinstance(node, ast.DictComp):
                self.value(node.key)
                return one(Table((), self.value(node.value).handed()))
            return one(Several(self.value(node.elt).handed()))

    @contextmanager
    def inner(self, within: str) -> Iterator[None]:
        """A scope of its own, for a while."""
        before = self.scope
        self.scope = Scope(before.module, before, "function", within)
        try:
            yield
        finally:
            self.scope = before

    def named_value(self, node: ast.NamedExpr) -> Value:
        """`(n := x.shape[0])`."""
        value = self.value(node.value)
        self.assign(node.target, value)
        return value

    def yields(self, node: ast.Yield) -> Value:
        """`yield x`."""
        self.yielded.append(self.value(node.value) if node.value else NOTHING)
        return UNKNOWN

    def yields_from(self, node: ast.YieldFrom) -> Value:
        """`yield from xs`."""
        self.yielded.append(items(self.value(node.value)))
        return UNKNOWN

    def awaited(self, node: ast.Await) -> Value:
        """`await x`."""
        return self.value(node.value)

    def slice(self, node: ast.Slice) -> Value:
        """`a:b` between brackets."""
        for part in (node.lower, node.upper, node.step):
            self.value(part)
        return OTHER


def every_argument(arguments: ast.arguments) -> list[ast.arg]:
    """All parameters, whatever their sort."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return found + [one for one in (arguments.vararg, arguments.kwarg) if one is not None]


KINDS: dict[type[ast.expr], Callable[..., Value]] = {
    ast.Name: Expressions.name,
    ast.Attribute: Expressions.attribute,
    ast.Call: Expressions.call,
    ast.Constant: Expressions.constant,
    ast.BinOp: Expressions.binary,
    ast.UnaryOp: Expressions.unary,
    ast.Compare: Expressions.compared,
    ast.BoolOp: Expressions.both,
    ast.IfExp: Expressions.choice,
    ast.Subscript: Expressions.subscript,
    ast.List: Expressions.sequence,
    ast.Tuple: Expressions.sequence,
    ast.Set: Expressions.sequence,
    ast.Starred: Expressions.starred,
    ast.Dict: Expressions.table,
    ast.JoinedStr: Expressions.text,
    ast.Lambda: Expressions.function_value,
    ast.ListComp: Expressions.comprehension,
    ast.SetComp: Expressions.comprehension,
    ast.GeneratorExp: Expressions.comprehension,
    ast.DictComp: Expressions.comprehension,
    ast.NamedExpr: Expressions.named_value,
    ast.Yield: Expressions.yields,
    ast.YieldFrom: Expressions.yields_from,
    ast.Await: Expressions.awaited,
    ast.Slice: Expressions.slice,
}
"""By the kind of expression."""
