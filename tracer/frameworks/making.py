"""Which line of the user's code made a layer. Knows no framework; code is read, never run.

What can have put layers where they are is gathered from the classes and functions on the way, in the order in which it
runs, as a pattern: this one, then one of these two, then any number of that. The pattern is laid over the layers that
are really there, and of all ways in which it fits the best tells which expression made which layer: by classes, by
arguments written out, by how many there are. Where two lines fit equally well, none is named.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import re
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from tracer.frameworks.source import class_node, function_node, source_line
from tracer.trace.schema import Source

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "SequentialCell", "CellList", "CellDict"})
_LISTED = (ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp)
_DEEPEST = 8
"""Functions followed from the line that holds a layer to the line that makes it."""

_MOST_STEPS = 200_000
"""Transitions looked at when a pattern is laid over layers."""

_MOST_LOOKS = 200_000
"""Expressions looked at for one layer."""

# What an expression costs as the maker of a layer.
_HINTED = 0.5
_NAMED = 1.0
_UNKNOWN = 2.0
_OUTSIDE = 3.0
_WRONG_ARGUMENT = 10.0
_WRONG_CHILDREN = 20.0


# --------------------------------------------------------------------------------------------------------------------
# Code
# --------------------------------------------------------------------------------------------------------------------


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


# --------------------------------------------------------------------------------------------------------------------
# Patterns
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Item:
    """One layer, made by this expression; under this key, where one is written."""

    expr: Expr
    key: ast.expr | None = None


@dataclass(frozen=True, eq=False)
class Many:
    """Any number of layers that this expression brings from where nobody can look; None: that were made elsewhere."""

    expr: Expr | None


@dataclass(frozen=True, eq=False)
class Row:
    """These parts one after the other."""

    parts: tuple[Pattern, ...] = ()


@dataclass(frozen=True, eq=False)
class Either:
    """One of these parts."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, eq=False)
class Again:
    """One part any number of times."""

    part: Pattern


Pattern = Item | Many | Row | Either | Again
Label = Item | Many
NOTHING = Row()


def labels(pattern: Pattern) -> Iterator[Label]:
    """All expressions in a pattern."""
    if isinstance(pattern, Item | Many):
        yield pattern
    elif isinstance(pattern, Again):
        yield from labels(pattern.part)
    else:
        for part in pattern.parts:
            yield from labels(part)


@dataclass
class _Machine:
    """A pattern as states: `steps` consume a layer, `free` do not."""

    steps: list[tuple[int, int, Label]] = field(default_factory=list)
    free: list[tuple[int, int]] = field(default_factory=list)
    size: int = 1

    def new(self, before: int) -> int:
        self.size += 1
        self.free.append((before, self.size - 1))
        return self.size - 1

    def add(self, pattern: Pattern, start: int) -> int:
        """Put a pattern behind a state; the state after it."""
        if isinstance(pattern, Item):
            self.size += 1
            self.steps.append((start, self.size - 1, pattern))
            return self.size - 1
        if isinstance(pattern, Many):
            here = self.new(start)
            self.steps.append((here, here, pattern))
            return here
        if isinstance(pattern, Row):
            for part in pattern.parts:
                start = self.add(part, start)
            return start
        if isinstance(pattern, Again):
            here = self.new(start)
            self.free.append((self.add(pattern.part, here), here))
            return self.new(here)
        ends = [self.add(part, self.new(start)) for part in pattern.parts]
        end = self.new(ends[0]) if ends else start
        self.free += [(other, end) for other in ends[1:]]
        return end


def fit(pattern: Pattern, count: int, cost: Callable[[Label, int], float]) -> tuple[float, list[list[Label]]]:
    """Lay a pattern over `count` layers: the least cost (infinite where it does not fit), and for each layer the
    expressions that make it in some way of that cost. `cost(label, n)` is that of layer n."""
    machine = _Machine()
    end = machine.add(pattern, 0)
    if len(machine.steps) * count > _MOST_STEPS:
        return math.inf, [[] for _ in range(count)]
    table = [[cost(label, n) for _, _, label in machine.steps] for n in range(count)]
    ahead = [_spread({0: 0.0}, machine.free)]
    for costs in table:
        ahead.append(_spread(_step(ahead[-1], [(a, b) for a, b, _ in machine.steps], costs), machine.free))
    best = ahead[-1].get(end, math.inf)
    if math.isinf(best):
        return best, [[] for _ in range(count)]
    backward = [(b, a) for a, b in machine.free]
    behind = [_spread({end: 0.0}, backward)]
    for costs in reversed(table):
        behind.append(_spread(_step(behind[-1], [(b, a) for a, b, _ in machine.steps], costs), backward))
    behind.reverse()
    nowhere = math.inf
    chosen = [
        [
            label
            for (a, b, label), price in zip(machine.steps, costs, strict=True)
            if ahead[n].get(a, nowhere) + price + behind[n + 1].get(b, nowhere) <= best + 1e-6
        ]
        for n, costs in enumerate(table)
    ]
    return best, chosen


def _step(states: Mapping[int, float], steps: Sequence[tuple[int, int]], costs: Sequence[float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for (a, b), price in zip(steps, costs, strict=True):
        total = states.get(a, math.inf) + price
        if total < found.get(b, math.inf):
            found[b] = total
    return found


def _spread(states: dict[int, float], free: Sequence[tuple[int, int]]) -> dict[int, float]:
    changed = True
    while changed:
        changed = False
        for a, b in free:
            if states.get(a, math.inf) < states.get(b, math.inf):
                states[b] = states[a]
                changed = True
    return states


# --------------------------------------------------------------------------------------------------------------------
# Makers
# --------------------------------------------------------------------------------------------------------------------


class Makers:
    """The lines that made the layers of one net.

    Args:
        foreign: says of a module's name whether it is the framework's own: its code is not looked into.
    """

    def __init__(self, foreign: Callable[[str], bool]) -> None:
        self._foreign = foreign
        self._left = _MOST_LOOKS
        self._holder: dict[int, tuple[Any, str]] = {}
        self._inside: dict[int, list[tuple[str, Any]]] = {}
        self._makers: dict[int, tuple[Expr, ...]] = {}
        self._matches: dict[int, dict[str, list[Label]]] = {}
        self._scopes: dict[int, tuple[Scope, ...]] = {}
        self._prices: dict[tuple[int, int], tuple[float, Expr | None, list[Expr]]] = {}

    def holds(self, parent: Any, name: str, layer: Any) -> None:
        """Tell that `parent` has `layer` under `name`. To be told of all layers in order, from the net down."""
        self._holder.setdefault(id(layer), (parent, name))
        self._inside.setdefault(id(parent), []).append((name, layer))

    def line(self, layer: Any) -> Source | None:
        """The line of the user's code that made the layer; that of the framework's layer around it, where that made it.
        None where none is found, or several that fit equally well."""
        self._left = _MOST_LOOKS
        try:
            places = {(found.scope.file, found.node.lineno) for found in self._of(layer)}
        except Exception:  # code may be written in any way, and a line is never a reason to fail
            return None
        return source_line(*places.pop()) if len(places) == 1 else None

    def _of(self, layer: Any) -> tuple[Expr, ...]:
        """The expressions that fit best as makers of a layer."""
        known = self._makers.get(id(layer))
        if known is None:
            self._makers[id(layer)] = ()  # for those who ask in a circle
            known = self._makers[id(layer)] = tuple(self._find(layer))
        return known

    def _find(self, layer: Any) -> Iterable[Expr]:
        if id(layer) not in self._holder:
            return ()
        parent, name = self._holder[id(layer)]
        kind = type(parent)
        if self._is_foreign(kind) and not _is_container(kind):
            return self._of(parent)
        if not self._is_foreign(kind):
            ways = [self._cheapest(list(labels(p)), layer, name) for p in self._attribute(parent, name, values=True)]
            if ways or not _is_container(kind):
                likely = (exprs for price, exprs in ways if price < _WRONG_ARGUMENT)
                return next(likely, min(ways, key=lambda way: way[0], default=(math.inf, []))[1])
        return self._cheapest(self._match(parent).get(name, []), layer, name)[1]

    def _cheapest(self, found: Sequence[Label], layer: Any, name: str) -> tuple[float, list[Expr]]:
        prices = [(self._price(label, name, layer), label) for label in found]
        least = min((price for price, _ in prices), default=math.inf)
        if math.isinf(least):
            return least, []
        return least, [expr for price, label in prices if price <= least + 1e-6 for expr in self._exprs(label, layer)]

    def _look(self) -> None:
        """Once more an expression is looked at. Names that lead to each other in many ways must come to an end."""
        self._left -= 1
        if self._left < 0:
            raise RecursionError

    def _is_foreign(self, kind: Any) -> bool:
        return self._foreign(getattr(kind, "__module__", None) or "")

    # What lies in a container.

    def _match(self, container: Any) -> dict[str, list[Label]]:
        """For each layer in a container the expressions that can have made it."""
        known = self._matches.get(id(container))
        if known is None:
            known = self._matches[id(container)] = self._lay(self._contents(container), container)
        return known

    def _lay(self, patterns: Sequence[Pattern], container: Any) -> dict[str, list[Label]]:
        inside = self._inside.get(id(container), [])
        for pattern in patterns:
            best, chosen = self._fit(pattern, inside)
            if not math.isinf(best):
                return {name: found for (name, _), found in zip(inside, chosen, strict=True)}
        # made otherwise than can be read: each layer for itself
        return {name: list(labels(patterns[-1])) for name, _ in inside}

    def _fit(self, pattern: Pattern, inside: Sequence[tuple[str, Any]]) -> tuple[float, list[list[Label]]]:
        return fit(pattern, len(inside), lambda label, n: self._price(label, *inside[n]))

    def _contents(self, container: Any) -> list[Pattern]:
        """What can have been put into a container, in order; where there are several readings, the likeliest first."""
        kind = type(container)
        if not self._is_foreign(kind):
            scopes = self._constructors(container)
            return [self._grown_self(scopes, 0) if scopes else NOTHING]
        holder = self._holder.get(id(container))
        if holder is not None and not self._is_foreign(type(holder[0])):
            patterns = self._attribute(*holder, values=False)
            if patterns:
                return patterns
        return [Either(tuple(self._sequence(maker) for maker in self._of(container)))]

    def _grown_self(self, scopes: Sequence[Scope], n: int) -> Pattern:
        """What a user's container puts into itself in its constructor number n, and in those that it calls."""
        scope = scopes[n]

        def initialised(call: ast.Call) -> Pattern:
            if n + 1 < len(scopes):
                return self._grown_self(scopes, n + 1)
            return self._call_contents(Expr(call, scope))

        flow = _Flow(self, scope, lambda node: getattr(node, "id", None) == scope.self_name, initialised=initialised)
        return flow.block(scope.body).pattern

    def _constructors(self, instance: Any) -> tuple[Scope, ...]:
        """The constructors that ran, from the class itself to its bases, each with the call that called it."""
        known = self._scopes.get(id(instance))
        if known is not None:
            return known
        self._scopes[id(instance)] = ()
        calls = tuple(maker for maker in self._of(instance) if isinstance(maker.node, ast.Call))
        found: list[Scope] = []
        for kind in type(instance).__mro__:
            if self._is_foreign(kind) or kind is object:
                break
            scope = self._method(kind, "__init__", instance, calls)
            if scope is not None:
                found.append(scope)
                inner = [node for node in _walk(scope.node) if _is_super_init(node)]
                calls = tuple(Expr(node, scope) for node in inner if isinstance(node, ast.Call))
        self._scopes[id(instance)] = tuple(found)
        return tuple(found)

    def _method(self, kind: type, name: str, instance: Any, calls: tuple[Expr, ...] = ()) -> Scope | None:
        node = _methods(kind).get(name)
        if node is None:
            return None
        module = sys.modules.get(kind.__module__)
        return Scope(node, class_node(kind)[1], vars(module) if module else {}, instance, kind, calls, method=True)

    # Attributes.

    def _attribute(self, parent: Any, name: str, *, values: bool) -> list[Pattern]:
        """What the classes of `parent` put under an attribute (`values`), or into the container that they put there: by
        their constructors and what those call, which have run, and then by any method. Empty where they do not."""
        constructors = self._constructors(parent)
        kinds = [kind for kind in type(parent).__mro__ if kind is not object and not self._is_foreign(kind)]
        ran = _run_by_constructor(tuple(kinds))
        found = []
        for all_ in (False, True):
            whole = _Part()
            for kind in reversed(kinds):
                for method in _methods(kind):
                    scope = next((s for s in constructors if s.owner is kind and method == "__init__"), None)
                    scope = scope or self._method(kind, method, parent)
                    if scope is None or not _mentions(scope.node, name):
                        continue
                    if all_ or method in ran:
                        part = self._flow_of(scope, name, values=values).block(scope.body)
                        whole = whole.then(part if method == "__init__" else part.perhaps())
            if whole.touched:
                found.append(whole.pattern)
        return found

    def _flow_of(self, scope: Scope, name: str, *, values: bool) -> _Flow:
        def target(node: ast.AST) -> bool:
            return (
                isinstance(node, ast.Attribute)
                and node.attr == name
                and isinstance(node.value, ast.Name)
                and node.value.id == scope.self_name
            )

        return _Flow(self, scope, target, attribute=name if values else None)

    # Sequences.

    def _sequence(self, expr: Expr) -> Pattern:
        """The layers in what an expression gives: a list, a dict, a container, what a function returns."""
        self._look()
        node = expr.node
        if isinstance(node, ast.List | ast.Tuple):
            return Row(tuple(self._element(expr.at(item)) for item in node.elts))
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return Row(tuple(self._sequence(expr.at(v)) if k is None else Item(expr.at(v), k) for k, v in pairs))
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return Again(self._element(expr.at(node.elt)))
        if isinstance(node, ast.DictComp):
            return Again(Item(expr.at(node.value), node.key))
        if isinstance(node, ast.IfExp):
            return Either((self._sequence(expr.at(node.body)), self._sequence(expr.at(node.orelse))))
        if isinstance(node, ast.BoolOp):
            return Either(tuple(self._sequence(expr.at(value)) for value in node.values))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return Row((self._sequence(expr.at(node.left)), self._sequence(expr.at(node.right))))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            listed = node.left if isinstance(node.left, ast.List | ast.Tuple | ast.Name) else node.right
            return Again(self._sequence(expr.at(listed)))
        if isinstance(node, ast.Starred | ast.NamedExpr):
            return self._sequence(expr.at(node.value))
        if isinstance(node, ast.Name):
            return self._named_sequence(expr, node.id)
        if isinstance(node, ast.Call):
            return self._call_contents(expr)
        return NOTHING if isinstance(node, ast.Constant) else Many(expr)

    def _element(self, expr: Expr) -> Pattern:
        """One element of a list; ("name", layer) is a layer with its key."""
        node = expr.node
        if isinstance(node, ast.Starred):
            return self._sequence(expr.at(node.value))
        if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
            return Item(expr.at(node.elts[1]), node.elts[0])
        return Item(expr)

    def _named_sequence(self, expr: Expr, name: str) -> Pattern:
        scope = expr.scope
        if scope.depth > _DEEPEST:
            return Many(expr)
        flow = _Flow(self, scope, lambda node: isinstance(node, ast.Name) and node.id == name)
        part = flow.block(scope.body)
        if part.touched and part.reset:
            return part.pattern
        given = self._values(name, scope, assigned=False)
        if given.exprs:
            return part.after(Either(tuple(self._sequence(value) for value in given.exprs)))
        return part.after(Many(None if given.local else expr))

    def _call_contents(self, expr: Expr) -> Pattern:
        """What lies in the result of a call: of a container's class, of `list`, of a function of the user's."""
        call = expr.node
        assert isinstance(call, ast.Call)
        name = _called(call)
        callees = self._objects(call.func, expr.scope).found
        known = next((c for c in callees if isinstance(c, type)), None)
        if _is_super_init(call) or name in _CONTAINERS or (known is not None and _is_container(known)):
            return self._constructed(expr)
        if name in {"OrderedDict", "dict", "list", "tuple", "iter"}:
            keys = tuple(Item(expr.at(k.value), ast.Constant(k.arg)) for k in call.keywords if k.arg is not None)
            return Row((*(self._sequence(expr.at(argument)) for argument in call.args[:1]), *keys))
        returned = [self._sequence(value) for callee in callees for value in self._returned(callee, expr)]
        return Either(tuple(returned)) if returned else Many(expr)

    def _constructed(self, expr: Expr) -> Pattern:
        """The arguments of a container's constructor: layers, or one list or dict of them."""
        call = expr.node
        assert isinstance(call, ast.Call)
        parts = [self._element(expr.at(argument)) for argument in call.args]
        if len(call.args) == 1 and not isinstance(call.args[0], ast.Starred):
            only = expr.at(call.args[0])
            parts = [
                self._sequence(only) if isinstance(only.node, _LISTED) else Either((Item(only), self._sequence(only)))
            ]
        return Row(tuple(parts))

    # What an expression costs as the maker of a layer.

    def _price(self, label: Label, name: str, layer: Any) -> float:
        if isinstance(label, Many):
            return _OUTSIDE
        if label.key is not None and not _says(label.key, name):
            return math.inf
        return self._priced(label, layer)[0]

    def _exprs(self, label: Label, layer: Any) -> list[Expr]:
        if isinstance(label, Item):
            return self._priced(label, layer)[2]
        return [label.expr] if label.expr is not None else []

    def _priced(self, label: Item, layer: Any) -> tuple[float, Expr | None, list[Expr]]:
        """The least cost of what an expression can mean, and what has it."""
        key = (id(label), id(layer))
        known = self._prices.get(key)
        if known is None or known[1] is not label.expr:
            found = list(self._meanings(label.expr, layer, 0))
            least = min((meaning.price for meaning in found), default=math.inf)
            best = [meaning.expr for meaning in found if meaning.price <= least + 1e-6]
            known = self._prices[key] = (least, label.expr, best)
        return known

    def _meanings(self, expr: Expr, layer: Any, depth: int) -> Iterator[_Meaning]:
        """What an expression that should be a layer can be: calls, through names, branches and functions."""
        self._look()
        node = expr.node
        if depth > _DEEPEST or expr.scope.depth > _DEEPEST:
            return
        if isinstance(node, ast.IfExp):
            inner = [expr.at(node.body), expr.at(node.orelse)]
        elif isinstance(node, ast.BoolOp):
            inner = [expr.at(value) for value in node.values]
        elif isinstance(node, ast.NamedExpr | ast.Starred | ast.Await):
            inner = [expr.at(node.value)]
        elif isinstance(node, ast.Name):
            inner = self._values(node.id, expr.scope).exprs
        elif isinstance(node, ast.Call):
            yield from self._call_meanings(expr, layer, depth)
            return
        elif isinstance(node, ast.Attribute | ast.Subscript):
            yield _Meaning(_UNKNOWN, expr)
            return
        else:
            return
        for one in inner:
            yield from self._meanings(one, layer, depth + 1)

    def _call_meanings(self, expr: Expr, layer: Any, depth: int) -> Iterator[_Meaning]:
        call = expr.node
        assert isinstance(call, ast.Call)
        callees = self._objects(call.func, expr.scope)
        returned = [value for callee in callees.found for value in self._returned(callee, expr)]
        sure = [m for value in returned for m in self._meanings(value, layer, depth + 1) if m.fit < _UNKNOWN]
        if sure:
            yield from sure
            return
        fit_ = self._call_fit(call, callees, layer)
        if not math.isinf(fit_):
            yield _Meaning(fit_, expr, self._penalty(expr, layer) if fit_ < _NAMED else 0.0)

    def _call_fit(self, call: ast.Call, callees: _Values, layer: Any) -> float:
        """How well what is called goes with the class of the layer."""
        name = type(layer).__name__
        classes = [found for found in callees.found if isinstance(found, type)]
        if any(isinstance(layer, getattr(found, "cls_to_become", None) or found) for found in classes):
            return _HINTED if callees.open else 0.0
        if classes and len(classes) == len(callees.found) and not callees.open:
            return math.inf
        if _called(call) == name:
            return _HINTED
        inside = (node for node in ast.walk(call) if isinstance(node, ast.Call | ast.Attribute | ast.Name))
        return _NAMED if any(_called(node) == name for node in inside) else _UNKNOWN

    def _penalty(self, expr: Expr, layer: Any) -> float:
        """What speaks against a call of the right class: other arguments, other layers inside."""
        assert isinstance(expr.node, ast.Call)
        kind = type(layer)
        penalty = _WRONG_ARGUMENT * _wrong_arguments(expr.node, kind, layer)
        if _is_container(kind) and self._is_foreign(kind):
            inside = self._inside.get(id(layer), [])
            best, _ = self._fit(self._constructed(expr), inside)
            penalty += _WRONG_CHILDREN if math.isinf(best) else best / (len(inside) + 1)
        return penalty

    # What names mean.

    def _objects(self, node: ast.expr, scope: Scope, depth: int = 0) -> _Values:
        """The classes and functions that an expression can mean."""
        self._look()
        found = _Values()
        if depth > _DEEPEST or scope.depth > _DEEPEST:
            return _Values(open=True)
        if isinstance(node, ast.Name):
            values = self._values(node.id, scope)
            for meant in (*values.exprs, *values.hints):
                found.join(self._objects(meant.node, meant.scope, depth + 1))
            found.found += values.found
            found.open = found.open or values.open
            if not values.local:
                known = scope.names.get(node.id, getattr(builtins, node.id, None))
                found.found += [known] if known is not None else []
                found.open = known is None
        elif isinstance(node, ast.Lambda):
            found.found.append(Scope(node, scope.file, scope.names, scope.instance, scope.owner, outer=scope))
        elif isinstance(node, ast.IfExp | ast.BoolOp):
            for value in node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse):
                found.join(self._objects(value, scope, depth + 1))
        elif isinstance(node, ast.Call) and _called(node) == "partial" and node.args:
            found = self._objects(node.args[0], scope, depth + 1)
        elif isinstance(node, ast.Attribute):
            found = self._attribute_objects(node, scope, depth)
        elif not isinstance(node, ast.Constant):
            found.open = True
        return found

    def _attribute_objects(self, node: ast.Attribute, scope: Scope, depth: int) -> _Values:
        found = _Values()
        own = isinstance(node.value, ast.Name) and node.value.id in {scope.self_name, "cls"}
        if own and scope.instance is not None:
            known = inspect.getattr_static(type(scope.instance), node.attr, None)
            if known is not None:
                return _Values(found=[getattr(known, "__func__", known)])
            patterns = self._attribute(scope.instance, node.attr, values=True)
            for label in labels(patterns[0]) if patterns else ():
                if label.expr is not None:
                    found.join(self._objects(label.expr.node, label.expr.scope, depth + 1))
            return found if found.found else _Values(open=True)
        for base in self._objects(node.value, scope, depth + 1).found:
            if isinstance(base, types.ModuleType):
                known = vars(base).get(node.attr)
            elif isinstance(base, type):
                known = inspect.getattr_static(base, node.attr, None)
                known = getattr(known, "__func__", known)
            else:
                known = None
            found.found += [known] if known is not None else []
        return found if found.found else _Values(open=True)

    def _values(self, name: str, scope: Scope, *, assigned: bool = True) -> _Values:
        """What a name of a function was set to: by its assignments (`assigned`), its loops, its caller."""
        found = _Values()
        if scope.node is None:
            return found
        parameter, default = _parameter(scope.node, name)
        if parameter:
            found.local = True
            given = [_argument(call, scope, name) for call in scope.calls]
            found.exprs += [value for value in given if isinstance(value, Expr)]
            if default is not None:
                found.hints.append(Expr(default, scope.outer or Scope(None, scope.file, scope.names)))
            found.open = not given or None in given
        if assigned:
            found.exprs += [Expr(value, scope) for value in _assignments(scope.node).get(name, ())]
            inner = _functions_in(scope.node).get(name)
            if inner is not None:
                found.found.append(Scope(inner, scope.file, scope.names, scope.instance, scope.owner, outer=scope))
            found.local = found.local or bool(found.exprs or found.found)
        if not found.local and scope.outer is not None:
            return self._values(name, scope.outer)
        return found

    def _returned(self, callee: Any, call: Expr) -> Iterator[Expr]:
        """What a function of the user's returns, where its code can be read."""
        depth = call.scope.depth + 1
        if isinstance(callee, Scope):
            scope = replace(callee, calls=(call,), depth=depth)
        elif isinstance(callee, types.FunctionType) and not self._is_foreign(callee):
            node, file = function_node(callee)
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                return
            own = isinstance(call.node, ast.Call) and isinstance(call.node.func, ast.Attribute)
            method = own and _parameter_names(node)[:1] in (["self"], ["cls"])
            instance = call.scope.instance if method else None
            owner = call.scope.owner if method else None
            scope = Scope(node, file, callee.__globals__, instance, owner, (call,), method=method, depth=depth)
        else:
            return
        if isinstance(scope.node, ast.Lambda):
            yield Expr(scope.node.body, scope)
            return
        if scope.node is not None:
            yield from (Expr(value, scope) for value in _returns(scope.node))


@dataclass(frozen=True)
class _Meaning:
    """What an expression can mean as the maker of a layer: how well it goes with its class, and what speaks against."""

    fit: float
    expr: Expr
    penalty: float = 0.0

    @property
    def price(self) -> float:
        return self.fit + self.penalty


@dataclass
class _Values:
    """What a name or expression can be. `hints` are defaults that may not hold, `open` says that it may be something
    else, `local` that the function itself sets it."""

    exprs: list[Expr] = field(default_factory=list)
    hints: list[Expr] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    open: bool = False
    local: bool = False

    def join(self, other: _Values) -> None:
        self.found += other.found
        self.open = self.open or other.open


# --------------------------------------------------------------------------------------------------------------------
# The order in which statements run
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """What some statements do to a target: put `pattern` there instead of what was (`reset`), or behind it."""

    pattern: Pattern = NOTHING
    reset: bool = False
    touched: bool = False

    def then(self, other: _Part) -> _Part:
        """What both do, one after the other."""
        if other.reset or not other.touched:
            return other if other.touched else self
        return _Part(Row((self.pattern, other.pattern)), self.reset, touched=True)

    def after(self, before: Pattern) -> Pattern:
        """The whole, when `before` was there."""
        return self.pattern if self.reset else Row((before, self.pattern))

    def perhaps(self) -> _Part:
        """The same, if it runs at all."""
        return _choice([self, _Part()]) if self.touched else self


def _choice(parts: Sequence[_Part]) -> _Part:
    """One of several ways. Where only some put a new thing there, what was before may be gone or not."""
    if not any(part.touched for part in parts):
        return _Part()
    return _Part(Either(tuple(part.pattern for part in parts)), all(part.reset for part in parts), touched=True)


class _Flow:
    """Reads statements in order and gathers what they put into a target: a list, a container, or an attribute."""

    def __init__(
        self,
        makers: Makers,
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

    def block(self, statements: Iterable[ast.stmt]) -> _Part:
        """All that some statements do."""
        whole = _Part()
        for statement in statements:
            whole = whole.then(self._statement(statement))
        return whole

    def _statement(self, node: ast.stmt) -> _Part:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            whole = _Part()
            for target in targets if node.value is not None else ():
                whole = whole.then(self._assign(target, node.value))  # type: ignore[arg-type]
            return whole
        if isinstance(node, ast.AugAssign):
            return self._grow(self._makers._sequence(self._expr(node.value))) if self._is(node.target) else _Part()  # noqa: SLF001
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            return self._call(node.value)
        if isinstance(node, ast.If):
            ways = [self.block(way) for way in (node.body, node.orelse) if not _gives_up(way)]
            return _choice(ways) if ways else _Part()
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            return self._loop(self.block([*node.body, *node.orelse]))
        if isinstance(node, ast.With | ast.AsyncWith):
            return self.block(node.body)
        if isinstance(node, ast.Try):
            ways = [self.block([*node.body, *node.orelse])]
            ways += [self.block(handler.body) for handler in node.handlers if not _gives_up(handler.body)]
            return _choice(ways).then(self.block(node.finalbody))
        if isinstance(node, ast.Match):
            return _choice([self.block(case.body) for case in node.cases if not _gives_up(case.body)] or [_Part()])
        return _Part()

    def _loop(self, part: _Part) -> _Part:
        if not part.touched or part.reset:
            return part
        return _Part(part.pattern if self._attribute is not None else Again(part.pattern), touched=True)

    def _is(self, node: ast.AST) -> bool:
        return self._target(node)

    def _expr(self, node: ast.expr) -> Expr:
        return Expr(node, self._scope)

    def _assign(self, target: ast.expr, value: ast.expr) -> _Part:
        if self._is(target):
            expr = self._expr(value)
            if self._attribute is None and _refers(value, self._is):  # layers = layers[:-1]
                return _Part(Many(expr), reset=True, touched=True)
            pattern = Item(expr) if self._attribute is not None else self._makers._sequence(expr)  # noqa: SLF001
            return _Part(pattern, reset=True, touched=True)
        if isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                whole = _Part()
                for one, its in zip(target.elts, value.elts, strict=True):
                    whole = whole.then(self._assign(one, its))
                return whole
            if any(self._is(one) for one in target.elts):
                return _Part(Many(self._expr(value)), reset=True, touched=True)
        if isinstance(target, ast.Subscript) and self._is(target.value) and self._attribute is None:
            item = Item(self._expr(value), target.slice)
            known = isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, int)
            return self._grow(Either((item, NOTHING)) if known else item)  # a number may be one that was there
        return _Part()

    def _call(self, call: ast.Call) -> _Part:
        if self._attribute is not None:
            named = _by_name(call, self._attribute, self._scope.self_name)
            if named is None:
                return _Part()
            label = Many(self._expr(call)) if named is call else Item(self._expr(named))
            return _choice([_Part(label, touched=True), _Part()])
        if self._initialised is not None and _is_super_init(call):
            return _Part(self._initialised(call), reset=True, touched=True)
        if not (isinstance(call.func, ast.Attribute) and self._is(call.func.value) and call.args):
            return _Part()
        does, last = call.func.attr, call.args[-1]
        if does == "append":
            return self._grow(self._makers._element(self._expr(last)))  # noqa: SLF001
        if does in {"extend", "update"}:
            return self._grow(self._makers._sequence(self._expr(last)))  # noqa: SLF001
        if does in _SETTERS and len(call.args) == 2:
            return self._grow(Item(self._expr(last), call.args[0]))
        if does == "insert":  # somewhere: nobody knows the order any more
            return self._grow(Either((Item(self._expr(last)), NOTHING)))
        return _Part()

    def _grow(self, pattern: Pattern) -> _Part:
        return _Part(pattern, touched=True)


# --------------------------------------------------------------------------------------------------------------------
# Small questions on syntax trees
# --------------------------------------------------------------------------------------------------------------------

_SETTERS = {"add_module": 0, "register_module": 0, "insert_child_to_cell": 0, "setattr": 1, "__setattr__": 0}
"""Calls that put a layer under a name: where among their arguments the name stands."""


def _by_name(call: ast.Call, name: str, own: str | None) -> ast.expr | None:
    """The layer in `self.add_module(name, layer)` and its kin, also where the name is put together; the call itself
    where its arguments come from elsewhere."""
    at = _SETTERS.get(_called(call))
    if at is None or not call.args:
        return None
    holder = call.args[0] if at else getattr(call.func, "value", None)
    if getattr(holder, "id", None) != own:
        return None
    if any(isinstance(argument, ast.Starred) for argument in call.args[: at + 2]):
        return call
    return call.args[at + 1] if len(call.args) > at + 1 and _says(call.args[at], name) else None


def _says(node: ast.expr, name: str) -> bool:
    """Can this expression be that text?"""
    if isinstance(node, ast.Constant):
        return str(node.value) == name
    if isinstance(node, ast.JoinedStr):
        parts = [re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".+" for p in node.values]
        return re.fullmatch("".join(parts), name) is not None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        return re.fullmatch(re.sub(r"%[a-z]", ".+", re.escape(str(node.left.value))), name) is not None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        if isinstance(node.left, ast.Constant):
            return name.startswith(str(node.left.value))
        if isinstance(node.right, ast.Constant):
            return name.endswith(str(node.right.value))
    if isinstance(node, ast.Call) and _called(node) == "str":
        return name.isdigit()
    return not isinstance(node, ast.Tuple | ast.List | ast.Dict)


def _called(node: ast.AST) -> str:
    """The last name of what a call calls ("GELU" of nn.GELU())."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_super_init(node: ast.AST) -> bool:
    """`super().__init__(...)` or `Base.__init__(self, ...)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"


def _is_container(kind: type) -> bool:
    return any(base.__name__ in _CONTAINERS for base in kind.__mro__)


def _gives_up(statements: Sequence[ast.stmt]) -> bool:
    return bool(statements) and isinstance(statements[-1], ast.Raise)


def _refers(value: ast.expr, target: Callable[[ast.AST], bool]) -> bool:
    return any(target(node) for node in ast.walk(value))


def _walk(function: ast.AST | None) -> Iterator[ast.AST]:
    """All nodes of a function, without the bodies of functions in it."""
    if function is None:
        return
    waiting = deque(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.popleft()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(node))


@lru_cache(maxsize=4096)
def _assignments(function: Function) -> Mapping[str, tuple[ast.expr, ...]]:
    """What a function sets each of its names to; a name of a loop to the elements, where they are written out."""
    found: dict[str, list[ast.expr]] = {}
    for node in _walk(function):
        for name, value in _set_by(node):
            found.setdefault(name, []).append(value)
    return {name: tuple(values) for name, values in found.items()}


def _set_by(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield from _unpacked(node.target, node.value)
    elif isinstance(node, ast.For):
        target, over = node.target, node.iter
        if isinstance(over, ast.Call) and _called(over) == "enumerate" and over.args and isinstance(target, ast.Tuple):
            target, over = target.elts[-1], over.args[0]
        for item in over.elts if isinstance(over, ast.List | ast.Tuple) else [over]:
            yield from _unpacked(target, item)


@lru_cache(maxsize=4096)
def _functions_in(function: Function) -> Mapping[str, ast.FunctionDef]:
    return {node.name: node for node in _walk(function) if isinstance(node, ast.FunctionDef)}


@lru_cache(maxsize=4096)
def _returns(function: Function) -> tuple[ast.expr, ...]:
    return tuple(node.value for node in _walk(function) if isinstance(node, ast.Return) and node.value is not None)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else None
        for n, one in enumerate(target.elts):
            yield from _unpacked(one, parts[n] if parts is not None else value)


def _parameter_names(function: Function) -> list[str]:
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args)]


def _parameter(function: Function, name: str) -> tuple[bool, ast.expr | None]:
    """Has the function a parameter of this name, and what is its default?"""
    positional = _parameter_names(function)
    if name in positional:
        at = positional.index(name) - len(positional) + len(function.args.defaults)
        return True, function.args.defaults[at] if at >= 0 else None
    for parameter, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if parameter.arg == name:
            return True, default
    others = (function.args.vararg, function.args.kwarg)
    return any(other is not None and other.arg == name for other in others), None


def _argument(call: Expr, scope: Scope, name: str) -> Expr | None:
    """What a call gives for a parameter of the function it calls; None where that is not written there."""
    node = call.node
    assert isinstance(node, ast.Call)
    assert scope.node is not None
    for keyword in node.keywords:
        if keyword.arg == name:
            return call.at(keyword.value)
    positional = _parameter_names(scope.node)
    if name in positional:
        at = positional.index(name) - int(scope.method)
        given = node.args[: at + 1] if at >= 0 else []
        if any(isinstance(argument, ast.Starred) for argument in given):
            return None
        if 0 <= at < len(node.args):
            return call.at(node.args[at])
    variable = scope.node.args.vararg
    if variable is not None and variable.arg == name:
        rest = node.args[len(positional) - int(scope.method) :]
        return call.at(ast.copy_location(ast.List(list(rest), ast.Load()), node))
    return None


@lru_cache(maxsize=4096)
def _methods(kind: type) -> Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """A class's own functions, its constructor first."""
    node, _ = class_node(kind)
    found = [n for n in (node.body if node else ()) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {n.name: n for n in sorted(found, key=lambda n: n.name != "__init__")}


@lru_cache(maxsize=4096)
def _run_by_constructor(kinds: tuple[type, ...]) -> frozenset[str]:
    """The names of the methods that run when an object is made, as far as their names are written there."""
    found, waiting = {"__init__"}, ["__init__"]
    while waiting:
        name = waiting.pop()
        words = {word for kind in kinds if name in _methods(kind) for word in _words(_methods(kind)[name])}
        new = {word for word in words if any(word in _methods(kind) for kind in kinds)} - found
        found |= new
        waiting += new
    return frozenset(found)


@lru_cache(maxsize=65536)
def _words(function: Function) -> frozenset[str]:
    """The attributes that a function names, and the functions that set attributes by name."""
    found = (getattr(node, "attr", None) or getattr(node, "id", None) for node in ast.walk(function))
    return frozenset(name for name in found if name)


def _mentions(function: Function | None, name: str) -> bool:
    return function is not None and (name in _words(function) or bool(_words(function) & _SETTERS.keys()))


def _wrong_arguments(call: ast.Call, kind: type, layer: Any) -> int:
    """How many of the arguments that are written out say something else than the layer's attributes."""
    wrong = 0
    names = _argument_names(kind)
    for at, argument in enumerate(call.args):
        if isinstance(argument, ast.Starred):
            break
        if at < len(names):
            wrong += _contradicts(argument, names[at], layer)
    return wrong + sum(_contradicts(k.value, k.arg, layer) for k in call.keywords if k.arg is not None)


@lru_cache(maxsize=4096)
def _argument_names(kind: type) -> tuple[str, ...]:
    try:
        parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]  # type: ignore[misc]
    except (TypeError, ValueError):
        return ()
    ordered = []
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        ordered.append(parameter.name)
    return tuple(ordered)


def _contradicts(argument: ast.expr, name: str, layer: Any) -> bool:
    try:
        said = ast.literal_eval(argument)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    is_ = vars(layer).get(name)
    if isinstance(said, bool) or isinstance(is_, bool):
        return isinstance(said, bool) and isinstance(is_, bool) and said != is_
    if isinstance(said, str) and isinstance(is_, str):
        return said != is_
    numbers = (int, float)
    if isinstance(said, numbers) and isinstance(is_, tuple | list):
        return all(isinstance(item, numbers) for item in is_) and any(item != said for item in is_)
    if isinstance(said, tuple | list) and isinstance(is_, tuple | list):
        return list(said) != list(is_) and len(said) == len(is_)
    return isinstance(said, numbers) and isinstance(is_, numbers) and said != is_
