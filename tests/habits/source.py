"""The package as text: every module, what it imports, and in which room of the house it lives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "tracer"

Import = tuple[str, str]
"""(module imported from, name taken from it; "" where the module itself is imported)."""


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(REPOSITORY).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(name: str) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(modules()[name].read_text(encoding="utf-8"))


@cache
def imports(name: str) -> frozenset[Import]:
    """All imports of a module, those inside functions included."""
    return frozenset(_imports(name))


def _imports(name: str) -> Iterator[Import]:
    package = name if modules()[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            yield from ((base, alias.name) for alias in node.names)


@cache
def within(name: str) -> frozenset[str]:
    """The modules of this package that a module imports; the version, which the face holds for all, is no module."""
    found = set()
    for base, taken in imports(name):
        if base.split(".")[0] != "tracer" or (base, taken) == ("tracer", "__version__"):
            continue
        if (base, taken) == ("tracer", "") and _of_the_face(name) == {"__version__"}:
            continue
        inner = f"{base}.{taken}"
        found.add(inner if inner in modules() else base)
    return frozenset(found)


def _of_the_face(name: str) -> set[str]:
    """What a module takes from the face by `tracer.something`."""
    return {
        node.attr
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tracer"
    }


def foreign(name: str) -> frozenset[str]:
    """The root packages from elsewhere that a module imports."""
    return frozenset(base.split(".")[0] for base, _ in imports(name)) - {"tracer", ""}


def room(name: str) -> str:
    """The room a module lives in: the folder or file just below the package; the package itself is the face."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "face"
