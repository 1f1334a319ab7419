"""All modules of a scan, and what an import of one of them, of torch or of another package gives."""

from __future__ import annotations

import ast
import sys
import typing
from collections.abc import Sequence

from tracer.source.modules import Class, File, Function, Module, Names, Scope
from tracer.source.torch_names import TorchNames
from tracer.source.values import UNKNOWN, Outside, Torch, Value, is_vague, join, one

ROOTS = ("torch", "torchvision", "torchaudio")
"""Packages whose names the facts hold."""


class Program:
    """What is scanned, as Python's imports see it."""

    def __init__(self, files: Sequence[File], torch: TorchNames) -> None:
        """Modules by the dotted names they can be imported by, the likelier name first."""
        self.torch = torch
        self.modules = [Module(file) for file in files]
        self.named: dict[str, list[Module]] = {}
        importable = [module for module in self.modules if module.file.cells is None]
        for module in importable:
            self.named.setdefault(module.file.root, []).append(module)
        for module in importable:
            for name in module.file.also:
                self.named.setdefault(name, []).append(module)
        self.loops: dict[ast.AST, Names] = {}  # what a loop's body leaves, by the walk before
        self.methods: set[str] = set()  # names of the methods of the tree's own classes

    def begin_round(self) -> None:
        """Before each walk through all modules: their names of the walk before are kept for circles."""
        for module in self.modules:
            module.before, module.exports = module.scope.names, None
            for made in module.declared.values():
                if isinstance(made, Class):
                    made.line = None
                else:
                    made.begin_round()

    @staticmethod
    def result_of(function: Function) -> Value:
        """What a function of the tree gives: by its annotation, else as it was seen."""
        told, seen = function.returns, function.result
        if told is None:
            return seen
        return seen if is_vague(told) and seen.things else told

    def module_of(self, name: str, asking: Module) -> tuple[Module | None, str]:
        """The module that an absolute name means in another one, and the name it goes by; None if not of the tree."""
        found = self.nearest(name, asking)
        if found is not None:
            return found, name
        folder = asking.file.root.rpartition(".")[0]
        if folder and name.partition(".")[0] not in ROOTS and folder not in self.named:
            beside = f"{folder}.{name}"  # a script's own folder is where Python looks first
            if beside in self.named:
                return self.nearest(beside, asking), beside
        return None, name

    def nearest(self, name: str, asking: Module) -> Module | None:
        """Of the modules that a name may mean the one that lies nearest; torch and Python's own are not of the tree.

        Unless the tree holds torch as a package, or a script's own folder has a file that hides Python's.
        """
        found = self.named.get(name, [])
        first, here = name.partition(".")[0], asking.file.location.parent
        if first in ROOTS:
            found = [module for module in found if any(one.file.package for one in self.named.get(first, []))]
        elif first in sys.stdlib_module_names:
            found = [module for module in found if module.file.location.parent == here and module is not asking]
        if len(found) < 2:
            return found[0] if found else None
        return max(found, key=lambda module: shared(module.file.location.absolute().parts, here.absolute().parts))

    def absolute(self, module: Module, level: int, name: str | None) -> str | None:
        """The dotted name of what `from ..name` means; None where it leaves the tree."""
        if level == 0:
            return name or ""
        parts = module.file.root.split(".")
        up = level - 1 if module.file.package else level
        if up >= len(parts):
            # A file that was given alone may have its package around it, which is not scanned.
            return name if up == len(parts) and name and name in self.named else None
        return ".".join([*parts[: len(parts) - up], *([name] if name else [])])

    def thing(self, name: str, asking: Module) -> Value:
        """What `import name` makes of the last part of a dotted name."""
        module, _ = self.module_of(name, asking)
        if module is not None:
            return one(module, spelled=True)
        if name.partition(".")[0] in ROOTS:
            return one(Torch(self.torch.canonical(name) or name), spelled=True)
        return one(Outside(name))

    def member(self, module: Module, name: str) -> Value | None:
        """What a module of the tree gives under a name: what it binds, else a module below it."""
        found = module.scope.names.get(name)
        if found is None:
            found = module.before.get(name)
        if found is not None:
            return found if found.spelled else Value(found.things, found.sure, True, found.depth, found.open)
        below = self.nearest(f"{module.file.root}.{name}", module) if module.file.package else None
        if below is not None:
            return one(below, spelled=True)
        return UNKNOWN if module.stars else None

    def imported(self, asking: Module, level: int, room: str | None, name: str) -> Value:
        """What `from ..room import name` gives."""
        full = self.absolute(asking, level, room)
        if full is None:
            return UNKNOWN
        module, full = self.module_of(full, asking)
        if module is not None:
            found = self.member(module, name)
            return UNKNOWN if found is None else found
        below, _ = self.module_of(f"{full}.{name}", asking)
        if below is not None:
            return one(below, spelled=True)
        if level:
            return UNKNOWN
        return self.thing(f"{full}.{name}", asking)

    def star(self, scope: Scope, level: int, room: str | None) -> None:
        """Bind what `from ..room import *` brings."""
        name = self.absolute(scope.module, level, room)
        if name is None:
            scope.module.stars = True
            return
        module, _ = self.module_of(name, scope.module)
        if module is not None:
            names = {**module.before, **module.scope.names}
            for key in self.exported(module, names):
                found = self.member(module, key)
                if found is not None:
                    scope.set(key, found)
            scope.module.stars |= module.stars
        elif name.partition(".")[0] in ROOTS:
            for key in self.torch.members(name):
                full = f"{name}.{key}"
                scope.set(key, one(Torch(self.torch.canonical(full) or full), spelled=True))
        elif name == "typing":
            for key in typing.__all__:
                scope.set(key, one(Outside(f"typing.{key}")))
        else:
            scope.module.stars = True

    @staticmethod
    def exported(module: Module, names: dict[str, Value]) -> list[str]:
        """The names that a star brings: those of `__all__` where it is written out, else the public ones."""
        listed = module.exports
        if listed is not None:
            return listed
        return [name for name in names if not name.startswith("_")]


def shared(first: Sequence[str], second: Sequence[str]) -> int:
    """How many parts two paths have in common from the start."""
    return next((place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), len(second))


def merged(first: dict[str, Value], second: dict[str, Value]) -> dict[str, Value]:
    """Names after one of two branches: a name that only one of them binds is what that one says."""
    if first is second:
        return first
    small, large = (first, second) if len(first) <= len(second) else (second, first)
    names = dict(large)
    for name, value in small.items():
        other = names.get(name)
        if other is None:
            names[name] = value
        elif other is not value:
            names[name] = join(first[name], second[name])
    return names
