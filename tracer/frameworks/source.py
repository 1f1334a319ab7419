"""Which line of the user's code called a layer or defines its class. Knows no framework; code is read, never run."""

from __future__ import annotations

import ast
import inspect
import linecache
import os
import sys
import textwrap
from collections.abc import Sequence
from functools import lru_cache
from types import CodeType, FrameType, FunctionType

from tracer.trace.schema import Source

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep  # noqa: PTH100, PTH120
_DEMO = os.path.join(_OURS, "demo") + os.sep  # noqa: PTH118
_COMMANDS = os.path.join(_OURS, "cli") + os.sep  # noqa: PTH118

# --------------------------------------------------------------------------------------------------------------------
# The calling line
# --------------------------------------------------------------------------------------------------------------------


class Callers:
    """Finds the innermost line that is neither the framework's nor ours. `packages` are folders to pass over."""

    def __init__(self, packages: Sequence[str]) -> None:
        self._skipped = tuple(os.path.join(folder, "") for folder in packages)  # noqa: PTH118
        self._foreign: dict[int, bool] = {}
        self._sources: dict[tuple[int, int], Source] = {}
        self._held: list[CodeType] = []  # so that no id comes again; their own hash reads all of their bytecode

    def line(self) -> Source | None:
        """The line of the user's code that is being executed; None where there is none: what calls a command of the
        command line is not the user's."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
        while frame is not None:
            code = frame.f_code
            foreign = self._foreign.get(id(code))
            if foreign is None:
                self._held.append(code)
                foreign = self._foreign[id(code)] = self._is_foreign(code.co_filename)
            if foreign and code.co_filename.startswith(_COMMANDS):
                return None
            if not foreign:
                key = (id(code), frame.f_lineno)
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
    node, file = class_node(cls)
    return source_line(file, node.lineno) if node is not None else None


@lru_cache(maxsize=4096)
def class_node(cls: type) -> tuple[ast.ClassDef | None, str]:
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


@lru_cache(maxsize=4096)
def function_node(function: FunctionType) -> tuple[ast.AST | None, str]:
    """The syntax tree of a function with the line numbers of its file; None where its code cannot be read."""
    try:
        file = inspect.getsourcefile(function) or ""
        lines, start = inspect.getsourcelines(function)
        tree = ast.parse(textwrap.dedent("".join(lines)))
    except (OSError, TypeError, SyntaxError, ValueError):
        return None, ""
    ast.increment_lineno(tree, max(start, 1) - 1)
    return (tree.body[0] if tree.body else None), file
