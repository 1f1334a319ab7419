"""Makers: which expression made which layer of a net."""

from __future__ import annotations

import ast
import builtins
import inspect
import math
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tracer.frameworks.making.code import Expr, Scope
from tracer.frameworks.making.flow import Flow, Part
from tracer.frameworks.making.patterns import NOTHING, Again, Either, Item, Label, Many, Pattern, Row, fit, labels
from tracer.frameworks.making.syntax import (
    CONTAINERS,
    argument_of,
    assignments_in,
    called_name,
    functions_in,
    is_container,
    is_super_init,
    mentions,
    methods_of,
    own_nodes,
    parameter_names,
    parameter_of,
    returned_by,
    run_by_constructor,
    says,
    wrong_arguments,
)
from tracer.frameworks.source import class_node, function_node, source_line
from tracer.trace.schema import Source

_LISTED = (ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.GeneratorExp)
_DEEPEST = 8
"""Functions followed from the line that holds a layer to the line that makes it."""

_MOST_LOOKS = 200_000
"""Expressions looked at for one layer."""

# What an expression costs as the maker of a layer.
_HINTED = 0.5
_NAMED = 1.0
_UNKNOWN = 2.0
_OUTSIDE = 3.0
_WRONG_ARGUMENT = 10.0
_WRONG_CHILDREN = 20.0


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
        if self._is_foreign(kind) and not is_container(kind):
            return self._of(parent)
        if not self._is_foreign(kind):
            ways = [self._cheapest(list(labels(p)), layer, name) for p in self._attribute(parent, name, values=True)]
            if ways or not is_container(kind):
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
        return [Either(tuple(self.sequence(maker) for maker in self._of(container)))]

    def _grown_self(self, scopes: Sequence[Scope], n: int) -> Pattern:
        """What a user's container puts into itself in its constructor number n, and in those that it calls."""
        scope = scopes[n]

        def initialised(call: ast.Call) -> Pattern:
            if n + 1 < len(scopes):
                return self._grown_self(scopes, n + 1)
            return self._call_contents(Expr(call, scope))

        flow = Flow(self, scope, lambda node: getattr(node, "id", None) == scope.self_name, initialised=initialised)
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
                inner = [node for node in own_nodes(scope.node) if is_super_init(node)]
                calls = tuple(Expr(node, scope) for node in inner if isinstance(node, ast.Call))
        self._scopes[id(instance)] = tuple(found)
        return tuple(found)

    def _method(self, kind: type, name: str, instance: Any, calls: tuple[Expr, ...] = ()) -> Scope | None:
        node = methods_of(kind).get(name)
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
        ran = run_by_constructor(tuple(kinds))
        found = []
        for all_ in (False, True):
            whole = Part()
            for kind in reversed(kinds):
                for method in methods_of(kind):
                    scope = next((s for s in constructors if s.owner is kind and method == "__init__"), None)
                    scope = scope or self._method(kind, method, parent)
                    if scope is None or not mentions(scope.node, name):
                        continue
                    if all_ or method in ran:
                        part = self._flow_of(scope, name, values=values).block(scope.body)
                        whole = whole.then(part if method == "__init__" else part.perhaps())
            if whole.touched:
                found.append(whole.pattern)
        return found

    def _flow_of(self, scope: Scope, name: str, *, values: bool) -> Flow:
        def target(node: ast.AST) -> bool:
            return (
                isinstance(node, ast.Attribute)
                and node.attr == name
                and isinstance(node.value, ast.Name)
                and node.value.id == scope.self_name
            )

        return Flow(self, scope, target, attribute=name if values else None)

    # Sequences.

    def sequence(self, expr: Expr) -> Pattern:
        """The layers in what an expression gives: a list, a dict, a container, what a function returns."""
        self._look()
        node = expr.node
        if isinstance(node, ast.List | ast.Tuple):
            return Row(tuple(self.element(expr.at(item)) for item in node.elts))
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            return Row(tuple(self.sequence(expr.at(v)) if k is None else Item(expr.at(v), k) for k, v in pairs))
        if isinstance(node, ast.ListComp | ast.GeneratorExp):
            return Again(self.element(expr.at(node.elt)))
        if isinstance(node, ast.DictComp):
            return Again(Item(expr.at(node.value), node.key))
        if isinstance(node, ast.IfExp):
            return Either((self.sequence(expr.at(node.body)), self.sequence(expr.at(node.orelse))))
        if isinstance(node, ast.BoolOp):
            return Either(tuple(self.sequence(expr.at(value)) for value in node.values))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return Row((self.sequence(expr.at(node.left)), self.sequence(expr.at(node.right))))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            listed = node.left if isinstance(node.left, ast.List | ast.Tuple | ast.Name) else node.right
            return Again(self.sequence(expr.at(listed)))
        if isinstance(node, ast.Starred | ast.NamedExpr):
            return self.sequence(expr.at(node.value))
        if isinstance(node, ast.Name):
            return self._named_sequence(expr, node.id)
        if isinstance(node, ast.Call):
            return self._call_contents(expr)
        return NOTHING if isinstance(node, ast.Constant) else Many(expr)

    def element(self, expr: Expr) -> Pattern:
        """One element of a list; ("name", layer) is a layer with its key."""
        node = expr.node
        if isinstance(node, ast.Starred):
            return self.sequence(expr.at(node.value))
        if isinstance(node, ast.Tuple | ast.List) and len(node.elts) == 2:
            return Item(expr.at(node.elts[1]), node.elts[0])
        return Item(expr)

    def _named_sequence(self, expr: Expr, name: str) -> Pattern:
        scope = expr.scope
        if scope.depth > _DEEPEST:
            return Many(expr)
        flow = Flow(self, scope, lambda node: isinstance(node, ast.Name) and node.id == name)
        part = flow.block(scope.body)
        if part.touched and part.reset:
            return part.pattern
        given = self._values(name, scope, assigned=False)
        if given.exprs:
            return part.after(Either(tuple(self.sequence(value) for value in given.exprs)))
        return part.after(Many(None if given.local else expr))

    def _call_contents(self, expr: Expr) -> Pattern:
        """What lies in the result of a call: of a container's class, of `list`, of a function of the user's."""
        call = expr.node
        assert isinstance(call, ast.Call)
        name = called_name(call)
        callees = self._objects(call.func, expr.scope).found
        known = next((c for c in callees if isinstance(c, type)), None)
        if is_super_init(call) or name in CONTAINERS or (known is not None and is_container(known)):
            return self._constructed(expr)
        if name in {"OrderedDict", "dict", "list", "tuple", "iter"}:
            keys = tuple(Item(expr.at(k.value), ast.Constant(k.arg)) for k in call.keywords if k.arg is not None)
            return Row((*(self.sequence(expr.at(argument)) for argument in call.args[:1]), *keys))
        returned = [self.sequence(value) for callee in callees for value in self._returned(callee, expr)]
        return Either(tuple(returned)) if returned else Many(expr)

    def _constructed(self, expr: Expr) -> Pattern:
        """The arguments of a container's constructor: layers, or one list or dict of them."""
        call = expr.node
        assert isinstance(call, ast.Call)
        parts = [self.element(expr.at(argument)) for argument in call.args]
        if len(call.args) == 1 and not isinstance(call.args[0], ast.Starred):
            only = expr.at(call.args[0])
            parts = [
                self.sequence(only) if isinstance(only.node, _LISTED) else Either((Item(only), self.sequence(only)))
            ]
        return Row(tuple(parts))

    # What an expression costs as the maker of a layer.

    def _price(self, label: Label, name: str, layer: Any) -> float:
        if isinstance(label, Many):
            return _OUTSIDE
        if label.key is not None and not says(label.key, name):
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
        if called_name(call) == name:
            return _HINTED
        inside = (node for node in ast.walk(call) if isinstance(node, ast.Call | ast.Attribute | ast.Name))
        return _NAMED if any(called_name(node) == name for node in inside) else _UNKNOWN

    def _penalty(self, expr: Expr, layer: Any) -> float:
        """What speaks against a call of the right class: other arguments, other layers inside."""
        assert isinstance(expr.node, ast.Call)
        kind = type(layer)
        penalty = _WRONG_ARGUMENT * wrong_arguments(expr.node, kind, layer)
        if is_container(kind) and self._is_foreign(kind):
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
        elif isinstance(node, ast.Call) and called_name(node) == "partial" and node.args:
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
        parameter, default = parameter_of(scope.node, name)
        if parameter:
            found.local = True
            given = [argument_of(call, scope, name) for call in scope.calls]
            found.exprs += [value for value in given if isinstance(value, Expr)]
            if default is not None:
                found.hints.append(Expr(default, scope.outer or Scope(None, scope.file, scope.names)))
            found.open = not given or None in given
        if assigned:
            found.exprs += [Expr(value, scope) for value in assignments_in(scope.node).get(name, ())]
            inner = functions_in(scope.node).get(name)
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
            method = own and parameter_names(node)[:1] in (["self"], ["cls"])
            instance = call.scope.instance if method else None
            owner = call.scope.owner if method else None
            scope = Scope(node, file, callee.__globals__, instance, owner, (call,), method=method, depth=depth)
        else:
            return
        if isinstance(scope.node, ast.Lambda):
            yield Expr(scope.node.body, scope)
            return
        if scope.node is not None:
            yield from (Expr(value, scope) for value in returned_by(scope.node))


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
