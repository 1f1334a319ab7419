"""What the scanned tree holds: its modules, their classes and functions, and what is learned of each."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from tracer.source.evidence import Evidence
from tracer.source.values import UNKNOWN, Thing, Value, join

Names = dict[str, Value]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class File(Protocol):
    """What is asked of a file: `tracer.source.reading.SourceFile` is one."""

    @property
    def path(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def tree(self) -> ast.Module: ...
    @property
    def root(self) -> str: ...
    @property
    def also(self) -> tuple[str, ...]: ...
    @property
    def location(self) -> Path: ...
    @property
    def package(self) -> bool: ...
    @property
    def cells(self) -> object: ...
    def place(self, line: int) -> tuple[int | None, int]: ...


class Scope:
    """Names where code stands: of a module, a class or a function, each within another.

    Attributes:
        names: what they stand for at this moment of the walk.
        parent: the scope around it; None of a module.
        around: the names of `parent` when this scope began, which a branch may have replaced since.
        within: the dotted name of the class or function, "" of a module.
    """

    def __init__(
        self, module: Module, parent: Scope | None, sort: Literal["module", "class", "function"], within: str = ""
    ) -> None:
        """A scope without names."""
        self.module, self.parent, self.sort, self.within = module, parent, sort, within
        self.names: Names = {}
        self.around: Names | None = parent.names if parent else None
        self.elsewhere: dict[str, Scope] = {}  # what `global` and `nonlocal` declared

    def look_up(self, name: str) -> Value | None:
        """What a name stands for, as Python looks: here, in the functions around, in the module; None if nowhere."""
        found = self.names.get(name)
        scope = self
        while found is None and scope.parent is not None:
            around, scope = scope.around, scope.parent
            if scope.sort == "class":
                continue
            found = scope.names.get(name)
            earlier = around.get(name) if around is not None and around is not scope.names else None
            if earlier is not None:
                found = earlier if found is None else join(earlier, found)
        return self.module.before.get(name) if found is None else found

    def set(self, name: str, value: Value) -> None:
        """Bind a name here, or where `global` or `nonlocal` says."""
        if name in self.elsewhere:
            names = self.elsewhere[name].names
            names[name] = join(names[name], value) if name in names else value
        else:
            self.names[name] = value


@dataclass(eq=False)
class Module(Thing):
    """One file of the tree.

    Attributes:
        file: what was read.
        scope: its names.
        before: its names at the end of the round before, for what imports each other in a circle.
        declared: its classes and functions by their syntax, the same ones in each round.
        exports: its `__all__`, where that is written out.
        stars: does it hold `from ... import *` of something that is not scanned?
        open: does it have an `__all__` that is worked out?
        evidence: what its code says of its names by using them, once that was looked for.
    """

    file: File
    scope: Scope = field(init=False)
    before: Names = field(default_factory=dict)
    declared: dict[ast.AST, Class | Function] = field(default_factory=dict)
    exports: list[str] | None = None
    stars: bool = False
    open: bool = False
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        """It begins without names."""
        self.scope = Scope(self, None, "module")


@dataclass(eq=False)
class Class(Thing):
    """A class of the tree.

    Attributes:
        node: its syntax.
        module: where it stands.
        within: its dotted name.
        bases: what it is derived from.
        names: what its body binds.
        assigned: what methods assign to attributes of its instances, in this round.
        before: the same of the round before.
        heirs: the tree's classes that are derived from it.
        line: the order in which attributes are looked up, once it was asked for (`tracer.source.classes.line`).
        roles: what attributes of its instances most likely are by the way they are used, once that was looked for.
    """

    node: ast.ClassDef
    module: Module
    within: str
    bases: list[Value] = field(default_factory=list)
    names: Names = field(default_factory=dict)
    assigned: Names = field(default_factory=dict)
    before: Names = field(default_factory=dict)
    heirs: list[Class] = field(default_factory=list)
    line: list[Class | str | None] | None = None
    roles: Names | None = None

    def assign(self, name: str, value: Value) -> None:
        """Learn what an attribute of its instances is given."""
        value = value.handed()
        self.assigned[name] = join(self.assigned[name], value) if name in self.assigned else value


@dataclass(eq=False)
class Function(Thing):
    """A function or method of the tree.

    Attributes:
        node: its syntax.
        module: where it stands.
        within: its dotted name.
        scope: the names around it.
        owner: the class whose method it is.
        sort: how the first argument is given.
        annotated: what annotations say of its parameters.
        defaults: the values of its defaults.
        handed: what calls in the tree hand to its parameters, in this round.
        before: the same of the round before.
        open: the parameters to which a call hands what is not known, in this round or the one before.
        returns: what its annotation says it gives; None without one that says something.
        result: what it was seen to give.
        lists: the names that its body treats as lists, once that was looked for.
        evidence: what its body says of its names by using them, once that was looked for.
        exposed: is it handed on, to be called by nobody knows whom?
    """

    node: FunctionNode
    module: Module
    within: str
    scope: Scope
    owner: Class | None = None
    sort: Literal["plain", "static", "class", "property", "context"] = "plain"
    annotated: Names = field(default_factory=dict)
    defaults: Names = field(default_factory=dict)
    handed: Names = field(default_factory=dict)
    before: Names = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)
    returns: Value | None = None
    result: Value = UNKNOWN
    lists: frozenset[str] | None = None
    evidence: Evidence | None = None
    exposed: bool = False

    def parameters(self) -> set[str]:
        """The names of its parameters."""
        arguments = self.node.args
        return {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}

    def begin_round(self) -> None:
        """What is handed is learned anew in each round."""
        self.before, self.handed = self.handed, {}
        self.open = {name: rounds - 1 for name, rounds in self.open.items() if rounds > 1}

    def given(self, name: str) -> Value:
        """What calls are known to hand to a parameter; a class or function of torch only if they all are known."""
        first, second = self.before.get(name, UNKNOWN), self.handed.get(name, UNKNOWN)
        found = join(first, second) if first.things and second.things else first if first.things else second
        return found.without_callables().opened() if name in self.open else found

    def hand(self, name: str, value: Value) -> None:
        """Learn what a call gives to a parameter."""
        if not value.sure:
            self.open[name] = 2
        if value.things:
            value = value.handed()
            self.handed[name] = join(self.handed[name], value) if name in self.handed else value


@dataclass(frozen=True)
class Instance(Thing):
    """An instance of a class of the tree."""

    of: Class


@dataclass(frozen=True)
class Method(Thing):
    """A method of the tree with its receiver; `of` is the class of the receiver."""

    function: Function
    of: Class


@dataclass(frozen=True)
class Super(Thing):
    """`super()`: an instance of `of`, looked at from `above` upwards."""

    above: Class
    of: Class
