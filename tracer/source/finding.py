"""The door: which names of torch the files of a tree use, and where."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tracer.source.definitions import walked
from tracer.source.marks import Marks
from tracer.source.modules import File, Module, Scope
from tracer.source.program import Program
from tracer.source.statements import Walk
from tracer.source.torch_names import Facts, TorchNames
from tracer.source.uses import Use

ROUNDS = 3
"""Walks through the whole tree: the first two learn what attributes, parameters and functions are, the last marks."""


def find_uses(files: Sequence[File], facts: Facts) -> list[Use]:
    """Every use of torch in these files, in the order of the files and of their places in them.

    Args:
        files: what was read; they may import each other, in circles too.
        facts: what is known of torch.
    """
    program = Program(files, TorchNames(facts))
    order = list(in_order(program))
    found: dict[int, Marks] = {}
    with few_collections():
        for number in range(ROUNDS):
            program.begin_round()
            for module in order:
                marks = Marks(module.file) if number == ROUNDS - 1 else None
                module.scope = Scope(module, None, "module")
                walked(Walk(program, module.scope, marks), module)
                if marks is not None:
                    found[id(module)] = marks
    return [use for module in program.modules for use in found[id(module)].uses()]


@contextmanager
def few_collections() -> Iterator[None]:
    """Python looks for garbage less often: syntax trees are many small objects, none of them garbage."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], 200_000) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def in_order(program: Program) -> Iterator[Module]:
    """Modules such that what one imports comes before it, as far as circles let it."""
    done: set[int] = set()
    for first in program.modules:
        waiting: list[tuple[Module, Iterator[Module]]] = []
        if id(first) not in done:
            done.add(id(first))
            waiting.append((first, imports(program, first)))
        while waiting:
            module, needed = waiting[-1]
            for other in needed:
                if id(other) not in done:
                    done.add(id(other))
                    waiting.append((other, imports(program, other)))
                    break
            else:
                waiting.pop()
                yield module


def imports(program: Program, module: Module) -> Iterator[Module]:
    """The modules of the tree that a module imports, as its statements say."""
    waiting: list[ast.stmt] = list(reversed(module.file.tree.body))
    while waiting:
        statement = waiting.pop()
        names: list[str] = []
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom):
            room = program.absolute(module, statement.level, statement.module)
            if room is not None:
                names = [room, *(f"{room}.{alias.name}" for alias in statement.names)]
        elif isinstance(statement, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody"):
                waiting += reversed(getattr(statement, part, []))
            for handler in getattr(statement, "handlers", []):
                waiting += reversed(handler.body)
        for name in names:
            other, _ = program.module_of(name, module)
            if other is not None:
                yield other
