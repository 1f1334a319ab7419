"""Names and dotted names where they stand, what annotations say, and what a test tells of a name: without a use."""

from __future__ import annotations

import ast
import builtins
from functools import cache, lru_cache

from tracer.source.attributes import attribute
from tracer.source.modules import Class, Instance, Names, Scope
from tracer.source.program import Program
from tracer.source.values import (
    LAYER,
    NOTHING,
    NUMBER,
    NUMPY,
    OTHER,
    TENSOR,
    TEXT,
    UNKNOWN,
    Made,
    Outside,
    Plain,
    Row,
    Several,
    Table,
    Thing,
    Torch,
    Value,
    join,
    joined,
    one,
)
from tracer.source.words import words


@cache
def builtin(name: str) -> Value:
    """What Python itself gives a name."""
    if name == "__name__":
        return TEXT
    return one(Outside(f"builtins.{name}")) if hasattr(builtins, name) else UNKNOWN


def look_up(scope: Scope, name: str) -> Value:
    """What a name stands for at this moment."""
    found = scope.look_up(name)
    if found is not None:
        return found
    return UNKNOWN if scope.module.stars else builtin(name)


def named(program: Program, scope: Scope, node: ast.expr) -> Value:
    """What a name or a dotted name stands for; anything else is unknown."""
    if isinstance(node, ast.Name):
        return look_up(scope, node.id)
    if isinstance(node, ast.Attribute):
        base = named(program, scope, node.value)
        return attribute(program, base, node.attr).value if base.things else UNKNOWN
    return UNKNOWN


# ------------------------------------------------------------------------------------------------------- annotations

SEQUENCES = words(
    """
    List list Sequence Iterable Iterator Collection Set set FrozenSet frozenset Generator
    """
)
TABLES = words("Dict dict Mapping MutableMapping OrderedDict DefaultDict defaultdict")
PLAIN = {"int": NUMBER, "float": NUMBER, "bool": NUMBER, "complex": NUMBER, "str": TEXT, "bytes": OTHER}


def instance_of(program: Program, thing: Thing) -> Value:
    """What a value is that a class is the annotation of, or `isinstance` says it of."""
    if isinstance(thing, Torch):
        if program.torch.sort(thing.name) == "class":
            return program.torch.make(thing.name)
        return UNKNOWN
    if isinstance(thing, Class):
        return one(Instance(thing))
    if isinstance(thing, Outside):
        last = thing.name.rpartition(".")[2]
        if thing.name.startswith("builtins."):
            if last in PLAIN:
                return PLAIN[last]
            return one(Table((), UNKNOWN)) if last == "dict" else _bare(last)
        if thing.name.startswith("numpy."):
            return NUMPY
        if thing.name.startswith(("typing.", "collections.", "typing_extensions.")):
            return one(Table((), UNKNOWN)) if last in TABLES else _bare(last)
        return UNKNOWN
    return UNKNOWN


def _bare(name: str) -> Value:
    if name in SEQUENCES or name in ("tuple", "Tuple"):
        return one(Several(UNKNOWN))
    return UNKNOWN


def meaning(program: Program, scope: Scope, node: ast.expr | None, depth: int = 0) -> Value:
    """What a value is by its annotation; unknown where that says nothing of use."""
    if node is None or depth > 8:
        return UNKNOWN
    if isinstance(node, ast.Constant):
        if node.value is None:
            return NOTHING
        if isinstance(node.value, str):
            inner = parsed(node.value)
            return UNKNOWN if inner is None else meaning(program, scope, inner, depth + 1)
        return UNKNOWN
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return join(meaning(program, scope, node.left, depth + 1), meaning(program, scope, node.right, depth + 1))
    if isinstance(node, ast.Subscript):
        return _subscripted(program, scope, node, depth)
    value = named(program, scope, node)
    return joined([instance_of(program, thing) for thing in value.things]) if value.things else UNKNOWN


def _subscripted(program: Program, scope: Scope, node: ast.Subscript, depth: int) -> Value:
    of = named(program, scope, node.value)
    outside = [thing.name for thing in of.things if isinstance(thing, Outside)]
    name = outside[0].rpartition(".")[2] if outside else ""
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if not parts:
        return UNKNOWN
    if name in ("Literal", "Callable", "Type", "type", "Callable"):
        return UNKNOWN
    if name in ("Annotated", "Final", "ClassVar", "Optional", "Required", "NotRequired", "InitVar"):
        return meaning(program, scope, parts[0], depth + 1)
    if name == "Union":
        return joined([meaning(program, scope, part, depth + 1) for part in parts])
    if name in SEQUENCES:
        return one(Several(meaning(program, scope, parts[0], depth + 1)))
    if name in ("Tuple", "tuple"):
        if len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is Ellipsis:
            return one(Several(meaning(program, scope, parts[0], depth + 1)))
        return one(Row(tuple(meaning(program, scope, part, depth + 1) for part in parts)))
    if name in TABLES:
        return one(Table((), meaning(program, scope, parts[-1], depth + 1)))
    return joined([instance_of(program, thing) for thing in of.things]) if of.things else UNKNOWN


@lru_cache(maxsize=4096)
def parsed(text: str) -> ast.expr | None:
    """The syntax of an annotation that is written as text; None if it is none."""
    if len(text) > 1000 or not text.strip() or "\0" in text:
        return None
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# ---------------------------------------------------------------------------------------------------------- narrowing


def told_by(program: Program, scope: Scope, test: ast.expr) -> tuple[Names, Names]:
    """What names stand for where a test holds, and where it does not: `isinstance(x, torch.Tensor)` and its kin."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        yes, no = told_by(program, scope, test.operand)
        return no, yes
    if isinstance(test, ast.BoolOp):
        both = [told_by(program, scope, part) for part in test.values]
        if isinstance(test.op, ast.And):
            return {name: value for yes, _ in both for name, value in yes.items()}, {}
        return {}, {name: value for _, no in both for name, value in no.items()}
    if not isinstance(test, ast.Call) or not test.args or not isinstance(test.args[0], ast.Name):
        return {}, {}
    asked = test.args[0].id
    now = look_up(scope, asked)
    function = named(program, scope, test.func)
    if function.things == (Torch("torch.is_tensor"),):
        return _told(program, asked, now, TENSOR)
    if function.things == (Outside("builtins.isinstance"),) and len(test.args) == 2:
        kinds = test.args[1].elts if isinstance(test.args[1], ast.Tuple) else [test.args[1]]
        known = [_meant(program, scope, kind) for kind in kinds]
        if all(value.things for value in known):
            return _told(program, asked, now, joined(known))
        other = Value((Plain("other"),))  # of a class that nothing is known of: no tensor, if that is all it is
        return {asked: joined([*known, other]) if any(value.things for value in known) else UNKNOWN}, {}
    return {}, {}


def _meant(program: Program, scope: Scope, kind: ast.expr) -> Value:
    value = named(program, scope, kind)
    return joined([instance_of(program, thing) for thing in value.things]) if value.things else UNKNOWN


def _told(program: Program, asked: str, now: Value, kind: Value) -> tuple[Names, Names]:
    agreeing = tuple(thing for thing in now.things if any(_alike(program, thing, other) for other in kind.things))
    yes = Value(agreeing, True, depth=now.depth) if agreeing else kind
    left = tuple(thing for thing in now.things if thing not in agreeing)
    if left == now.things:
        return {asked: yes}, {}
    return {asked: yes}, {asked: Value(left, now.sure, depth=now.depth) if left else UNKNOWN}


def _alike(program: Program, thing: Thing, other: Thing) -> bool:
    """Is a thing, as far as is known, one of what `isinstance` asked for?"""
    if isinstance(thing, Made) and isinstance(other, Made):
        return bool(program.torch.derives(thing.name, other.name))
    if isinstance(thing, Instance) and isinstance(other, Instance):
        return thing.of is other.of
    if isinstance(other, Several):
        return isinstance(thing, (Several, Row))
    if isinstance(other, Table):
        return isinstance(thing, Table)
    return isinstance(thing, Plain) and thing == other


__all__ = ["LAYER", "builtin", "instance_of", "look_up", "meaning", "named", "parsed", "told_by"]
