"""How the names in a piece of code are used, noted from its syntax alone."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tracer.source.words import words

LOOKED_INTO = words("zip enumerate list tuple dict isinstance sorted reversed iter next")
"""Builtins that are asked of what may be no tensor."""
MOVING = words("to cuda")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass
class Seen:
    """How one name is used.

    Attributes:
        asked: its attributes that stand in the code.
        methods: those that are called.
        called: is it called itself?
        several: is it looped over, unpacked, or has it keys?
        picked: is one item of it taken?
        origins: how often it is bound, not counting `x = x.to(device)`.
        measured: are the numbers of its shape unpacked?
        back: is `backward` asked of it, or of what a scaler makes of it?
        handed: the names of what it is handed to, with how many arguments.
    """

    asked: set[str] = field(default_factory=set)
    methods: set[str] = field(default_factory=set)
    called: bool = False
    several: bool = False
    picked: bool = False
    origins: int = 0
    measured: bool = False
    back: bool = False
    handed: list[tuple[str, int]] = field(default_factory=list)


def _key(node: ast.AST | None) -> str:
    """A name, or `self.name`; "" of anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return f"self.{node.attr}"
    return ""


def _of(seen: dict[str, Seen], node: ast.AST | None) -> Seen:
    """What is noted of a name; of what is none, noted in vain."""
    name = _key(node)
    return seen.setdefault(name, Seen()) if name else Seen()


def seen_in(body: Sequence[ast.stmt], parameters: Sequence[str]) -> dict[str, Seen]:
    """How the names in some code are used, by the name, or `self.name`.

    Args:
        body: statements; functions and classes that are defined in them are left out.
        parameters: names that are bound before.
    """
    seen = {name: Seen(origins=1) for name in parameters}
    for part in _parts(body):
        handler = NOTES.get(type(part))
        if handler is not None:
            handler(seen, part)
    return seen


def unmoved(node: ast.expr) -> ast.expr:
    """Of `x.to(device)` the `x`."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MOVING:
        node = node.func.value
    return node


def _parts(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """All syntax in it but the bodies of functions and classes within."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        part = waiting.pop()
        if not isinstance(part, DEFINITIONS):
            yield part
            waiting += ast.iter_child_nodes(part)


def _several(seen: dict[str, Seen], node: ast.AST | None) -> None:
    _of(seen, node).several = True


def _attribute(seen: dict[str, Seen], part: ast.Attribute) -> None:
    _of(seen, part.value).asked.add(part.attr)


def _subscript(seen: dict[str, Seen], part: ast.Subscript) -> None:
    index = part.slice.operand if isinstance(part.slice, ast.UnaryOp) else part.slice
    if isinstance(index, ast.JoinedStr) or (isinstance(index, ast.Constant) and isinstance(index.value, str)):
        _several(seen, part.value)
    elif not isinstance(index, (ast.Slice, ast.Tuple, ast.Compare)):
        _of(seen, part.value).picked = True


def _call(seen: dict[str, Seen], part: ast.Call) -> None:
    func = part.func
    last = func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""
    given = [*part.args, *(keyword.value for keyword in part.keywords if keyword.arg)]
    _of(seen, func).called = True
    if isinstance(func, ast.Attribute):
        _of(seen, func.value).methods.add(last)
        if last == "backward":
            if not part.args:
                _of(seen, func.value).back = True
            scaled = func.value.args if isinstance(func.value, ast.Call) else given
            if scaled and "loss" in _key(scaled[0]).lower():
                _of(seen, scaled[0]).back = True
    for argument in map(unmoved, given):
        if isinstance(argument, ast.Name):
            _of(seen, argument).handed.append((_key(func) or last, len(given)))
            if isinstance(func, ast.Name) and last in LOOKED_INTO:
                _several(seen, argument)
    for keyword in part.keywords:
        if keyword.arg is None:
            _several(seen, keyword.value)


def _assign(seen: dict[str, Seen], part: ast.Assign) -> None:
    for target in part.targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            _several(seen, part.value)
            shape = part.value.func if isinstance(part.value, ast.Call) else part.value
            if isinstance(shape, ast.Attribute):
                how = _of(seen, shape.value)
                how.measured |= shape.attr in ("shape", "size") and len(target.elts) > 1
        both = isinstance(target, (ast.Tuple, ast.List)) and isinstance(part.value, (ast.Tuple, ast.List))
        if both and len(target.elts) == len(part.value.elts):  # type: ignore[attr-defined]
            for one_of, value in zip(target.elts, part.value.elts, strict=True):  # type: ignore[attr-defined]
                _bound(seen, one_of, value)
        else:
            _bound(seen, target, part.value)


def _bound(seen: dict[str, Seen], target: ast.AST | None, value: ast.expr | None = None) -> None:
    if isinstance(target, ast.Name):
        while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
            value = value.func.value
        if not (isinstance(value, ast.Name) and value.id == target.id):
            _of(seen, target).origins += 1
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            _bound(seen, part)
    elif isinstance(target, ast.Starred):
        _bound(seen, target.value)


def _looped(seen: dict[str, Seen], part: ast.For | ast.AsyncFor | ast.comprehension) -> None:
    _several(seen, part.iter)
    _bound(seen, part.target)


def _other_binding(seen: dict[str, Seen], part: ast.AnnAssign | ast.NamedExpr) -> None:
    _bound(seen, part.target, part.value)


def _with(seen: dict[str, Seen], part: ast.withitem) -> None:
    _bound(seen, part.optional_vars)


def _starred(seen: dict[str, Seen], part: ast.Starred) -> None:
    _several(seen, part.value)


NOTES: dict[type[ast.AST], Callable[..., None]] = {
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Call: _call,
    ast.Assign: _assign,
    ast.AnnAssign: _other_binding,
    ast.NamedExpr: _other_binding,
    ast.For: _looped,
    ast.AsyncFor: _looped,
    ast.comprehension: _looped,
    ast.Starred: _starred,
    ast.withitem: _with,
}
"""By the kind of syntax."""
