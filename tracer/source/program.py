"""All modules of a scan, and what an import of one of them, of torch or of another package gives."""

from __future__ import annotations

import ast
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
        """Modules by the dotted names they can be imported by; the first of two with one name counts."""
        self.torch = torch
        self.modules = [Module(file) for file in files]
        self.named: dict[str, Module] = {}
        for module in self.modules:
            if module.file.cells is None:
                self.named.setdefault(module.file.root, module)
        for module in self.modules:
            if module.file.cells is None:
                for name in module.file.also:
                    self.named.setdefault(name, module)
        self.folders = {
            name.rsplit(".", depth)[0] for name in self.named for depth in range(1, name.count(".") + 1)
        }  # packages without a file of their own
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
        found = self.named.get(name)
        if found is not None:
            return found, name
        folder = asking.file.root.rpartition(".")[0]
        if folder and name.partition(".")[0] not in ROOTS and folder not in self.named:
            beside = f"{folder}.{name}"  # a script's own folder is where Python looks first
            if beside in self.named:
                return self.named[beside], beside
        return None, name

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
            return found if found.spelled else Value(found.things, found.sure, True, found.depth)
        below = self.named.get(f"{module.file.root}.{name}") if module.file.package else None
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
