"""Calls as they stand in the code: which are torch's, and what is learned from them."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from tracer.source.attributes import Reached, attribute
from tracer.source.calls import call_gives
from tracer.source.classes import torch_bases
from tracer.source.evidence import GUESSED_TENSOR, of_loss
from tracer.source.guesses import guessed
from tracer.source.modules import Class, Function, Instance, Super
from tracer.source.names import look_up, meaning, named
from tracer.source.naming import CALLED, Naming, last_name, spelled
from tracer.source.outside import Given, items
from tracer.source.seen import unmoved
from tracer.source.values import (
    LIKELY,
    RESULT,
    UNKNOWN,
    Bound,
    Made,
    Outside,
    Partial,
    Row,
    Several,
    Table,
    Torch,
    Value,
    join,
    joined,
    one,
)


class Calling(Naming):
    """The walk through calls."""

    # ---------------------------------------------------------------------------------------------------------- calls

    def call(self, node: ast.Call) -> Value:
        """A call, of whatever."""
        func = node.func
        base = UNKNOWN
        if isinstance(func, ast.Attribute):
            reached, base = self.reach(func)
        elif isinstance(func, ast.Name):
            reached = spelled(look_up(self.scope, func.id))
        elif isinstance(func, ast.Lambda):
            reached = Reached(self.function_value(func, self.values(node.args)))
        else:
            reached = Reached(self.value(func))
        callee = reached.value
        special = self.special(node, callee)
        if special is not None:
            return special
        given = self.given(node, base)
        gone = self.marked_call(node, func, reached, base)
        if gone is not None:
            callee = one(Bound(gone), sure=False)
        result = call_gives(self.program, callee, given)
        if gone is not None:
            return result.unsure()
        self.learn(func, given)
        return self.concluded(node, callee, given, result)

    def function_value(self, node: ast.Lambda, given: Sequence[Value] = ()) -> Value:
        """A lambda; the walk through expressions knows how."""
        raise NotImplementedError

    def concluded(self, node: ast.Call, callee: Value, given: Given, result: Value) -> Value:
        """What a net is handed is a tensor, if it was brought to a device; what a loss makes of one most likely too."""
        net = any(
            (isinstance(thing, Made) and self.torch.is_layer(thing.name))
            or (isinstance(thing, Instance) and any(map(self.torch.is_layer, torch_bases(thing.of))))
            for thing in callee.things
        )
        loss = not callee.things and self.guessing and of_loss(last_name(node.func))
        beside = loss and any(self.torch.tensor(value) for value in given.arguments)
        if net or beside:
            for argument in map(unmoved, node.args):
                if isinstance(argument, ast.Name) and argument.id in self.evidence.moved:
                    self.conclude(argument.id)
        unknown = not result.things and not result.sure
        if unknown and isinstance(node.func, ast.Attribute) and node.func.attr == "prepare" and not callee.things:
            known = any(isinstance(thing, Made) for value in given.arguments for thing in value.things)
            several = [value.handed().unsure() for value in given.arguments]
            return result if not known else several[0] if len(several) == 1 else one(Row(tuple(several)), sure=False)
        return RESULT if unknown and self.guessing and (net or (beside and len(given.all()) > 1)) else result

    def conclude(self, name: str) -> None:
        """A name stands for a tensor wherever nothing else is known of it, in the next walk from the start."""
        self.evidence.roles.setdefault(name, GUESSED_TENSOR)
        self.scope.set(name, self.evidence.settled(name, look_up(self.scope, name)))

    def given(self, node: ast.Call, base: Value) -> Given:
        """What a call hands over."""
        arguments: list[Value] = []
        rest: Value | None = None
        for argument in node.args:
            if isinstance(argument, ast.Starred):
                several = items(self.value(argument.value))
                rest = several if rest is None else join(rest, several)
            elif rest is None:
                arguments.append(self.value(argument))
            else:
                rest = join(rest, self.value(argument))
        keywords = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            else:
                keywords.update(entry for thing in value.things if isinstance(thing, Table) for entry in thing.entries)
        return Given(node, arguments, keywords, rest, base)

    def marked_call(self, node: ast.Call, func: ast.expr, reached: Reached, base: Value) -> str | None:
        """Mark the call if it is one of torch; gives the method's name if that was guessed by its name alone."""
        callee = reached.value
        names = tuple(dict.fromkeys(thing.name for thing in callee.things if isinstance(thing, (Torch, Bound))))
        if names:
            name = self.torch.chosen(names, spelled=callee.spelled)
            if name is None:
                return None
            known = self.torch.sort(name)
            sure = reached.sure and callee.sure and len(callee.things) == 1
            if not sure and reached.instance and _of_text(node, name):
                return None
            if node.args and self.torch.takes_tensor(name, bound=isinstance(callee.things[0], Bound)):
                self.is_tensor(node.args[0])
            if known is None or known in CALLED:
                bound = any(isinstance(thing, Bound) for thing in callee.things)
                self.mark(node, name, "method" if bound else "call", sure)
            elif isinstance(func, ast.Attribute) and known != "module":
                self.mark(func, name, "name", sure)
            return None
        if reached.names and isinstance(func, ast.Attribute):
            self.mention(func, reached)
        if isinstance(func, ast.Attribute) and not callee.things and self.guessing and _open(base):
            name = guessed(func.attr, node)
            if name is not None and func.attr not in self.program.methods and self.may_be(base, name):
                self.mark(node, name, "method", False)
                if name.startswith("torch.Tensor."):
                    self.is_tensor(func.value)
                return name
        return None

    def may_be(self, base: Value, name: str) -> bool:
        """May a receiver have this method of torch? An object of the tree is no tensor, a module is neither."""
        if any(isinstance(thing, Outside) for thing in base.things):
            return False
        return not (name.startswith("torch.Tensor.") and _of_tree(base))

    def is_tensor(self, node: ast.expr) -> None:
        """A name of which nothing was known must be a tensor, as it is used like one."""
        if not isinstance(node, ast.Name):
            return
        value = look_up(self.scope, node.id)
        if (value.things or value.sure) and value != LIKELY:
            return
        if node.id in self.evidence.measured:
            self.conclude(node.id)
            return
        if value.things:
            return
        self.scope.set(node.id, LIKELY)
        function = self.function
        if function is not None and self.scope.within == function.within and node.id in function.parameters():
            function.hand(node.id, LIKELY)

    def special(self, node: ast.Call, callee: Value) -> Value | None:
        """`super()`, `getattr(torch, "float32")`, `functools.partial(...)`: calls whose arguments say what they are."""
        if len(callee.things) != 1 or not isinstance(callee.things[0], Outside):
            return None
        name = callee.things[0].name
        if name == "builtins.super":
            return self.super_of(node)
        if name == "builtins.getattr" and len(node.args) >= 2 and _text_of(node.args[1]):
            return self.getattr_of(node)
        if name == "functools.partial" and node.args and not isinstance(node.args[0], ast.Starred):
            return self.partial_of(node)
        if name == "typing.cast" and len(node.args) == 2:
            self.annotation(node.args[0])
            value = self.value(node.args[1])
            told = meaning(self.program, self.scope, node.args[0])
            return told if told.things else value
        return None

    def super_of(self, node: ast.Call) -> Value:
        """`super()` and `super(Net, self)`."""
        above = self.owner
        if node.args:
            given = self.values(node.args)
            above = next((thing for thing in given[0].things if isinstance(thing, Class)), None)
        if above is None:
            return UNKNOWN
        return one(Super(above, self.owner or above))

    def getattr_of(self, node: ast.Call) -> Value:
        """`getattr` with a name that is written out."""
        base = named(self.program, self.scope, node.args[0])
        of_torch = bool(base.things) and all(isinstance(thing, Torch) for thing in base.things)
        if not of_torch:
            base = self.value(node.args[0])
        default = self.values(node.args[2:])
        reached = attribute(self.program, base, _text_of(node.args[1]))
        if of_torch:
            self.mention(node, reached)
        return join(reached.value, default[0]) if default else reached.value.handed()

    def partial_of(self, node: ast.Call) -> Value:
        """`partial(nn.LayerNorm, eps=1e-6)`: a use of the layer with these arguments."""
        first = node.args[0]
        of = named(self.program, self.scope, first)
        names = tuple(dict.fromkeys(thing.name for thing in of.things if isinstance(thing, (Torch, Bound))))
        name = self.torch.chosen(names, spelled=of.spelled) if names else None
        spelled_so = isinstance(node.func, (ast.Name, ast.Attribute)) and last_name(node.func) == "partial"
        if name is not None and self.torch.sort(name) in ("class", "function"):
            self.mark(node, name, "call", of.sure and len(of.things) == 1)
            if not spelled_so:
                of = self.value(first)
            elif isinstance(first, ast.Attribute):
                self.reach(first)
        else:
            of = self.value(first)
        self.values(argument for argument in node.args[1:])
        for keyword in node.keywords:
            self.value(keyword.value)
        return one(Partial(of.handed(), node)) if of.things else UNKNOWN

    def learn(self, func: ast.expr, given: Given) -> None:
        """Lists grow: `layers.append(nn.ReLU())`; what becomes of a dict that is handed on, nobody knows."""
        for handed in (thing for value in given.all() for thing in value.things if isinstance(thing, Function)):
            handed.exposed = True
        for part in [*given.node.args, *(keyword.value for keyword in given.node.keywords if keyword.arg)]:
            self.open_table(part)
        if isinstance(func, ast.Attribute) and func.attr in CHANGING:
            self.open_table(func.value)
        if not isinstance(func, ast.Attribute) or func.attr not in GROWING or not (given.arguments or given.rest):
            return
        more = given.arguments[-1] if given.arguments else UNKNOWN
        if func.attr in ("extend", "update"):
            more = items(more)
        if given.receiver.depth >= 4 or more.depth >= 4:
            return
        grown = []
        for thing in given.receiver.things:
            if isinstance(thing, (Row, Several)):
                filled = not (isinstance(thing, Row) and not thing.items)
                grown.append(one(Several(join(items(one(thing)), more.handed()) if filled else more.handed())))
            elif isinstance(thing, Made) and thing.items is not None and func.attr != "update":
                filled = bool(items(thing.items).things)
                held = join(items(thing.items), more.handed()) if filled else more.handed()
                grown.append(one(Made(thing.name, one(Several(held)))))
            else:
                return
        if grown:
            self.rebind(func.value, joined(grown) if given.receiver.sure else joined(grown).unsure())

    def open_table(self, node: ast.expr) -> None:
        """A dict under this name may get other keys."""
        if isinstance(node, ast.Name):
            value = look_up(self.scope, node.id)
            table = value.things[0] if len(value.things) == 1 else None
            if isinstance(table, Table) and table.closed:
                self.scope.set(node.id, one(Table(table.entries, UNKNOWN), sure=value.sure))

    def rebind(self, node: ast.expr, value: Value) -> None:
        """What a name, or an attribute of `self`, holds has changed."""
        if isinstance(node, ast.Name):
            self.scope.set(node.id, value)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            for thing in look_up(self.scope, node.value.id).things:
                if isinstance(thing, Instance) and thing.of is self.owner:
                    thing.of.assigned[node.attr] = value.handed()


CHANGING = frozenset({"update", "setdefault", "pop", "popitem", "clear"})
"""Methods by which a dict gets other keys."""

GROWING = frozenset({"append", "extend", "insert", "add", "update", "appendleft"})
"""Methods by which a list or a container of torch gets longer."""


def _open(base: Value) -> bool:
    """May the receiver be anything, or an object of the tree of which not everything is known?"""
    return not base.things or not base.sure or all(isinstance(thing, (Instance, Super)) for thing in base.things)


def _of_text(node: ast.Call, name: str) -> bool:
    """Is it `x.split(",")`? A tensor is not split at a comma."""
    return bool(node.args and _text_of(node.args[0])) and name == "torch.Tensor.split"


def _of_tree(base: Value) -> bool:
    return any(isinstance(thing, (Instance, Super, Outside)) for thing in base.things)


def _text_of(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
