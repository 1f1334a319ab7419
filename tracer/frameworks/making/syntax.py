"""Small questions on syntax trees."""

from __future__ import annotations

import ast
import inspect
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tracer.frameworks.making.code import Expr, Function, Scope
from tracer.frameworks.source import class_node

CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "SequentialCell", "CellList", "CellDict"})

SETTERS = {"add_module": 0, "register_module": 0, "insert_child_to_cell": 0, "setattr": 1, "__setattr__": 0}
"""Calls that put a layer under a name: where among their arguments the name stands."""


def by_name(call: ast.Call, name: str, own: str | None) -> ast.expr | None:
    """The layer in `self.add_module(name, layer)` and its kin, also where the name is put together; the call itself
    where its arguments come from elsewhere."""
    at = SETTERS.get(called_name(call))
    if at is None or not call.args:
        return None
    holder = call.args[0] if at else getattr(call.func, "value", None)
    if getattr(holder, "id", None) != own:
        return None
    if any(isinstance(argument, ast.Starred) for argument in call.args[: at + 2]):
        return call
    return call.args[at + 1] if len(call.args) > at + 1 and says(call.args[at], name) else None


def says(node: ast.expr, name: str) -> bool:
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
    if isinstance(node, ast.Call) and called_name(node) == "str":
        return name.isdigit()
    return not isinstance(node, ast.Tuple | ast.List | ast.Dict)


def called_name(node: ast.AST) -> str:
    """The last name of what a call calls ("GELU" of nn.GELU())."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def is_super_init(node: ast.AST) -> bool:
    """`super().__init__(...)` or `Base.__init__(self, ...)`."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"


def is_container(kind: type) -> bool:
    """Is it one of the frameworks' containers, or made of one?"""
    return any(base.__name__ in CONTAINERS for base in kind.__mro__)


def gives_up(statements: Sequence[ast.stmt]) -> bool:
    """Do these statements end in an error?"""
    return bool(statements) and isinstance(statements[-1], ast.Raise)


def refers(value: ast.expr, target: Callable[[ast.AST], bool]) -> bool:
    """Does an expression name the target?"""
    return any(target(node) for node in ast.walk(value))


def own_nodes(function: ast.AST | None) -> Iterator[ast.AST]:
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
def assignments_in(function: Function) -> Mapping[str, tuple[ast.expr, ...]]:
    """What a function sets each of its names to; a name of a loop to the elements, where they are written out."""
    found: dict[str, list[ast.expr]] = {}
    for node in own_nodes(function):
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
        if (
            isinstance(over, ast.Call)
            and called_name(over) == "enumerate"
            and over.args
            and isinstance(target, ast.Tuple)
        ):
            target, over = target.elts[-1], over.args[0]
        for item in over.elts if isinstance(over, ast.List | ast.Tuple) else [over]:
            yield from _unpacked(target, item)


@lru_cache(maxsize=4096)
def functions_in(function: Function) -> Mapping[str, ast.FunctionDef]:
    """The functions that are defined inside a function, by name."""
    return {node.name: node for node in own_nodes(function) if isinstance(node, ast.FunctionDef)}


@lru_cache(maxsize=4096)
def returned_by(function: Function) -> tuple[ast.expr, ...]:
    """The expressions that a function returns."""
    return tuple(node.value for node in own_nodes(function) if isinstance(node, ast.Return) and node.value is not None)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) else None
        for n, one in enumerate(target.elts):
            yield from _unpacked(one, parts[n] if parts is not None else value)


def parameter_names(function: Function) -> list[str]:
    """The positional parameters of a function."""
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args)]


def parameter_of(function: Function, name: str) -> tuple[bool, ast.expr | None]:
    """Has the function a parameter of this name, and what is its default?"""
    positional = parameter_names(function)
    if name in positional:
        at = positional.index(name) - len(positional) + len(function.args.defaults)
        return True, function.args.defaults[at] if at >= 0 else None
    for parameter, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        if parameter.arg == name:
            return True, default
    others = (function.args.vararg, function.args.kwarg)
    return any(other is not None and other.arg == name for other in others), None


def argument_of(call: Expr, scope: Scope, name: str) -> Expr | None:
    """What a call gives for a parameter of the function it calls; None where that is not written there."""
    node = call.node
    assert isinstance(node, ast.Call)
    assert scope.node is not None
    for keyword in node.keywords:
        if keyword.arg == name:
            return call.at(keyword.value)
    positional = parameter_names(scope.node)
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
def methods_of(kind: type) -> Mapping[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """A class's own functions, its constructor first."""
    node, _ = class_node(kind)
    found = [n for n in (node.body if node else ()) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {n.name: n for n in sorted(found, key=lambda n: n.name != "__init__")}


@lru_cache(maxsize=4096)
def run_by_constructor(kinds: tuple[type, ...]) -> frozenset[str]:
    """The names of the methods that run when an object is made, as far as their names are written there."""
    found, waiting = {"__init__"}, ["__init__"]
    while waiting:
        name = waiting.pop()
        words = {word for kind in kinds if name in methods_of(kind) for word in _words(methods_of(kind)[name])}
        new = {word for word in words if any(word in methods_of(kind) for kind in kinds)} - found
        found |= new
        waiting += new
    return frozenset(found)


@lru_cache(maxsize=65536)
def _words(function: Function) -> frozenset[str]:
    """The attributes that a function names, and the functions that set attributes by name."""
    found = (getattr(node, "attr", None) or getattr(node, "id", None) for node in ast.walk(function))
    return frozenset(name for name in found if name)


def mentions(function: Function | None, name: str) -> bool:
    """Can a function set an attribute of this name?"""
    return function is not None and (name in _words(function) or bool(_words(function) & SETTERS.keys()))


def wrong_arguments(call: ast.Call, kind: type, layer: Any) -> int:
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
