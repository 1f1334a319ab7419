"""Which line of the user's code called a layer, defines its class, or made it. Knows no framework.

Code is read, never run: the line that made a layer is found in the syntax tree of the class that holds it.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FrameType, FunctionType
from typing import Any

from tracer.trace.schema import Source

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120
_DEMO = os.path.join(_OURS, "demo") + os.sep  # noqa: PTH118
_DEEPEST = 6
"""Functions followed from the line that makes a container to the line that makes one of its layers."""


# --------------------------------------------------------------------------------------------------------------------
# The calling line
# --------------------------------------------------------------------------------------------------------------------


class Callers:
    """Finds the innermost line that is neither the framework's nor ours. `packages` are folders to pass over."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._skipped = tuple(os.path.join(folder, "") for folder in packages)  # noqa: PTH118
        self._foreign: dict[CodeType, bool] = {}
        self._sources: dict[tuple[CodeType, int], Source] = {}

    def line(self) -> Source | None:
        """The line of the user's code that is being executed; None where there is none."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
        while frame is not None:
            code = frame.f_code
            foreign = self._foreign.get(code)
            if foreign is None:
                foreign = self._foreign[code] = self._is_foreign(code.co_filename)
            if not foreign:
                key = (code, frame.f_lineno)
                source = self._sources.get(key)
                if source is None:
                    source = self._sources[key] = source_line(code.co_filename, frame.f_lineno)
                return source
            frame = frame.f_back
        return None

    def _is_foreign(self, file: str) -> bool:
        if file.startswith("<") and not file.startswith("<ipython"):
            return file not in {"<stdin>", "<string>"}
        return file.startswith(self._skipped) or (file.startswith(_OURS) and not file.startswith(_DEMO))


def source_line(file: str, line: int) -> Source:
    """A line with its text; the file relative to the working directory where it lies below."""
    text = linecache.getline(file, line).strip()
    return Source(shown(file), line, text or None)


def shown(file: str) -> str:
    """The file as it is kept in a trace."""
    below = os.path.join(os.getcwd(), "")  # noqa: PTH109, PTH118
    return file.removeprefix(below)


# --------------------------------------------------------------------------------------------------------------------
# The class
# --------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def class_source(cls: type) -> Source | None:
    """Where a class is defined; None for a class without a readable file."""
    node, file = _class_node(cls)
    return source_line(file, node.lineno) if node is not None else None


@lru_cache(maxsize=4096)
def _class_node(cls: type) -> tuple[ast.ClassDef | None, str]:
    """The syntax tree of a class with the line numbers of its file."""
    try:
        file = inspect.getsourcefile(cls) or ""
        lines, start = inspect.getsourcelines(cls)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, IndentationError, ValueError):
        return None, ""
    ast.increment_lineno(tree, max(start, 1) - 1)
    node = next((n for n in tree.body if isinstance(n, ast.ClassDef)), None)
    return node, file


# --------------------------------------------------------------------------------------------------------------------
# The line that made a layer
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Made:
    """An expression that makes something, with the file it is in and what its names mean there."""

    node: ast.expr
    file: str
    scope: ast.AST
    owner: type | None
    names: dict[str, Any]


def made_at(owner: type, names: Sequence[str], kind: str) -> Source | None:
    """The line of class `owner` (or of what it calls) that made the layer at `self.NAME.NAME...`.

    Args:
        owner: the innermost class of the user's code that holds the layer.
        names: attributes and indices from there to the layer ("blocks", "2", "act").
        kind: the layer's class name, which decides between several assignments.

    Returns:
        The line; of a layer deeper than its assignment shows, the nearest line on the way. None where none is found.
    """
    try:
        return _made_at(owner, tuple(names), kind)
    except (RecursionError, ValueError, AttributeError, TypeError, re.error):
        return None


@lru_cache(maxsize=8192)
def _made_at(owner: type, names: tuple[str, ...], kind: str) -> Source | None:
    for cls in owner.__mro__:
        node, file = _class_node(cls)
        if node is None:
            continue
        module = sys.modules.get(cls.__module__)
        found = [
            _Made(value, file, scope, owner, vars(module) if module else {})
            for scope in node.body
            if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef)
            for value in _assigned(scope, names[0])
        ]
        if found:
            best = max(found, key=lambda made: _fits(made.node, kind))  # of equals the first
            inner = _descend(best, names[1:], kind, 0)
            if inner is best and len(names) > 1:
                inner = _grown(node, best, names, kind)
            return source_line(inner.file, inner.node.lineno)
    return None


def _grown(cls: ast.ClassDef, made: _Made, names: tuple[str, ...], kind: str) -> _Made:
    """Through `self.blocks.append(...)` and its kin, somewhere in the class."""
    items = [item for node in ast.walk(cls) for item in _grows(node, names[0], attribute=True)]
    if not items:
        return made
    return _descend(_at(made, max(items, key=lambda item: _fits(item, kind))), names[2:], kind, 1)


def _assigned(scope: ast.AST, name: str) -> Iterator[ast.expr]:
    """Expressions that `scope` puts under `self.<name>`."""
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from _to_attribute(target, node.value, name)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from _to_attribute(node.target, node.value, name)
        elif isinstance(node, ast.Call):
            yield from _by_name(node, name)


def _to_attribute(target: ast.expr, value: ast.expr, name: str) -> Iterator[ast.expr]:
    if isinstance(target, ast.Attribute) and target.attr == name and isinstance(target.value, ast.Name):
        yield value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for one, its in zip(target.elts, value.elts, strict=True):
            yield from _to_attribute(one, its, name)
    elif isinstance(target, ast.Tuple):
        for one in target.elts:
            if isinstance(one, ast.Attribute) and one.attr == name:
                yield value


_SETTERS = {"add_module": 0, "register_module": 0, "insert_child_to_cell": 0, "setattr": 1, "__setattr__": 0}


def _by_name(call: ast.Call, name: str) -> Iterator[ast.expr]:
    """`self.add_module(name, layer)` and its kin, also where the name is put together."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    at = _SETTERS.get(function)
    if at is not None and len(call.args) > at + 1 and _says(call.args[at], name):
        yield call.args[at + 1]


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
        left, right = node.left, node.right
        if isinstance(left, ast.Constant):
            return name.startswith(str(left.value))
        if isinstance(right, ast.Constant):
            return name.endswith(str(right.value))
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "str" and name.isdigit()


def _called(node: ast.AST) -> str:
    """The last name of what a call calls ("GELU" of nn.GELU())."""
    function = node.func if isinstance(node, ast.Call) else node
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _fits(node: ast.expr, kind: str) -> int:
    """2: the expression is a call of this class; 1: the class is named in it; 0: neither."""
    if _called(node) == kind:
        return 2
    return int(any(_called(inner) == kind for inner in ast.walk(node) if isinstance(inner, ast.Call | ast.Attribute)))


def _descend(made: _Made, names: tuple[str, ...], kind: str, depth: int) -> _Made:
    """From the expression that made a container to the one that made what lies at `names` in it."""
    node = made.node
    if depth > _DEEPEST:
        return made
    if isinstance(node, ast.IfExp):
        chosen = max((node.body, node.orelse), key=lambda branch: _fits(branch, kind))
        return _descend(_at(made, chosen), names, kind, depth + 1)
    if isinstance(node, ast.Name):
        value = _local(made, node.id)
        return _descend(_at(made, value), names, kind, depth + 1) if value is not None else made
    if not names:
        return _innermost(made, kind, depth)
    step = _element(made, names[0], kind)
    if step is not None:
        return _descend(step, names[1:], kind, depth + 1)
    through = _returned(made, kind)
    return _descend(through, names, kind, depth + 1) if through is not None else made


def _innermost(made: _Made, kind: str, depth: int) -> _Made:
    """Through a function that makes and returns the layer (`self.act = make_act()`), where the class is named there."""
    if isinstance(made.node, ast.Call) and _called(made.node) != kind:
        inner = _returned(made, kind)
        if inner is not None and _fits(inner.node, kind):
            return _descend(inner, (), kind, depth + 1)
    return made


def _at(made: _Made, node: ast.expr) -> _Made:
    return _Made(node, made.file, made.scope, made.owner, made.names)


def _element(made: _Made, key: str, kind: str) -> _Made | None:
    """The expression of one element of a container's constructor, list, dict or comprehension."""
    node = made.node
    if isinstance(node, ast.Call):
        for argument in _arguments(node):
            if isinstance(argument, ast.List | ast.Tuple | ast.Dict | ast.ListComp | ast.GeneratorExp | ast.DictComp):
                found = _element(_at(made, argument), key, kind)
                if found is not None:
                    return found
            if isinstance(argument, ast.Call) and _called(argument) in {"OrderedDict", "dict"}:
                return _element(_at(made, argument), key, kind)
        if _is_container(node, made):
            return _pick(made, node.args, key, kind)
        if _called(node) in {"OrderedDict", "dict"}:
            return next((_at(made, k.value) for k in node.keywords if k.arg == key), None)
        return None
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return next((_at(made, v) for k, v in pairs if k is not None and _says(k, key)), None)
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return _at(made, node.elt)
    if isinstance(node, ast.DictComp):
        return _at(made, node.value)
    if isinstance(node, ast.List | ast.Tuple):
        for item in node.elts:
            if isinstance(item, ast.Tuple | ast.List) and len(item.elts) == 2 and _says(item.elts[0], key):
                return _at(made, item.elts[1])
        return _pick(made, node.elts, key, kind)
    if isinstance(node, ast.BinOp):
        sides = [_element(_at(made, side), key, kind) for side in (node.left, node.right)]
        return max((s for s in sides if s is not None), key=lambda s: _fits(s.node, kind), default=None)
    return None


def _arguments(call: ast.Call) -> Iterator[ast.expr]:
    for argument in call.args:
        yield argument.value if isinstance(argument, ast.Starred) else argument


def _is_container(call: ast.Call, made: _Made) -> bool:
    name = _called(call)
    known = made.names.get(name)
    bases = {base.__name__ for base in known.__mro__} if isinstance(known, type) else {name}
    return bool(bases & {"Sequential", "ModuleList", "ModuleDict", "SequentialCell", "CellList", "CellDict"})


def _pick(made: _Made, items: Sequence[ast.expr], key: str, kind: str) -> _Made | None:
    """Element `key` of what is written out; from a starred one on positions are unknown and the class decides."""
    index = int(key) if key.isdigit() else None
    starred = next((i for i, item in enumerate(items) if isinstance(item, ast.Starred)), None)
    if index is not None and index < len(items) and (starred is None or index < starred):
        single = items[index]
        if isinstance(single, ast.Name) and len(items) == 1:
            return _appended(made, single.id, index, kind)
        return _at(made, single)
    if starred is not None:
        item = items[starred]
        assert isinstance(item, ast.Starred)
        if isinstance(item.value, ast.Name):
            return _appended(made, item.value.id, index, kind)
        return _element(_at(made, item.value), key, kind)
    if len(items) == 1 and isinstance(items[0], ast.Name):
        return _appended(made, items[0].id, index, kind)
    return None


def _appended(made: _Made, name: str, index: int | None, kind: str) -> _Made | None:
    """The line that put an element into a local list: the one whose class fits, the written-out one by position."""
    listed = _local(made, name)
    written = listed.elts if isinstance(listed, ast.List | ast.Tuple) else []
    if index is not None and index < len(written):
        return _at(made, written[index])
    grown = [item for node in ast.walk(made.scope) for item in _grows(node, name)]
    fitting = [item for item in grown if _fits(item, kind)] or grown
    if fitting:
        return _at(made, fitting[0])
    if isinstance(listed, ast.ListComp):
        return _at(made, listed.elt)
    return _at(made, listed) if listed is not None else None


def _grows(node: ast.AST, name: str, *, attribute: bool = False) -> Iterator[ast.expr]:
    """What `name.append(...)`, `name.extend([...])`, `name += [...]` and `name[key] = ...` add; with `attribute` the
    same of `self.name`."""

    def named(target: ast.AST) -> bool:
        return getattr(target, "attr" if attribute else "id", "") == name

    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and named(node.func.value):
        added: Sequence[ast.expr] = node.args[-1:]
        if node.func.attr not in {"append", "extend", "insert", "add_module"}:
            return
    elif isinstance(node, ast.AugAssign | ast.Assign) and _into(node, named):
        added = [node.value]
    else:
        return
    for item in added:
        yield from item.elts if isinstance(item, ast.List | ast.Tuple) else [item]


def _into(node: ast.AugAssign | ast.Assign, named: Callable[[ast.AST], bool]) -> bool:
    """`name += ...` or `name[key] = ...`"""
    if isinstance(node, ast.AugAssign):
        return named(node.target)
    target = node.targets[0]
    return isinstance(target, ast.Subscript) and named(target.value)


def _local(made: _Made, name: str) -> ast.expr | None:
    """What a local name was first set to."""
    for node in ast.walk(made.scope):
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == name for t in node.targets):
            return node.value
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name:
            return node.value
    return None


def _returned(made: _Made, kind: str) -> _Made | None:
    """What a called function or method of the user's returns, where its code can be read."""
    node = made.node
    if not isinstance(node, ast.Call):
        return None
    function: Any = None
    if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in {"self", "cls"} and made.owner:
        function = inspect.getattr_static(made.owner, node.func.attr, None)
        function = getattr(function, "__func__", function)
    elif isinstance(node.func, ast.Name):
        function = made.names.get(node.func.id)
    if not isinstance(function, FunctionType):
        return None
    scope, file = _function_node(function)
    if scope is None:
        return None
    values = [n.value for n in ast.walk(scope) if isinstance(n, ast.Return) and n.value is not None]
    if not values:
        return None
    best = max(values, key=lambda value: _fits(value, kind))
    return _Made(best, file, scope, made.owner, function.__globals__)


@lru_cache(maxsize=4096)
def _function_node(function: FunctionType) -> tuple[ast.AST | None, str]:
    try:
        file = inspect.getsourcefile(function) or ""
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None, ""
    ast.increment_lineno(tree, max(start, 1) - 1)
    return (tree.body[0] if tree.body else None), file
