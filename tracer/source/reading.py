"""Source files as text and syntax: read, never run, and whatever cannot be read is said with its reason."""

from __future__ import annotations

import ast
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath

from tracer.source.files import Found, Missed, files_of
from tracer.source.notebooks import Cell, cells_of
from tracer.source.python_2 import sign_of_python_2

LARGEST = 8 << 20
LARGEST_NOTEBOOK = 256 << 20
"""Bytes. A notebook may hold pictures; a module beyond the first is data that someone has written as Python."""


@dataclass(frozen=True)
class SourceFile:
    """A file of Python source, or the code cells of a notebook as one text.

    Attributes:
        path: as the user will recognise it, with `/` between folders.
        text: the source; lines end in a line feed, and only a line feed ends a line.
        tree: its syntax.
        cells: of a notebook, its code cells; None of a module.
        root: the dotted name it has in the tree ("timm.models.vit"; a package has its folder's name).
        also: other dotted names it can be imported by, depending on where Python is started.
        location: where it lies.
        below: its path from what was asked for on, that one's own name first: "models/vit.py" of "src/models".
    """

    path: str
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False, compare=False)
    cells: tuple[Cell, ...] | None = field(repr=False)
    root: str
    also: tuple[str, ...]
    location: Path
    below: PurePosixPath

    @property
    def package(self) -> bool:
        """Is it a package's own module, `__init__.py`? Its relative imports begin in itself."""
        return self.location.name == "__init__.py"

    def place(self, line: int) -> tuple[int | None, int]:
        """The cell and the line in it of a line of the text, both from 1; the cell is None in a module."""
        for cell in reversed(self.cells or ()):
            if cell.start <= line:
                return cell.number, line - cell.start + 1
        return None, line


@dataclass(frozen=True)
class Unread:
    """What could not be read: the file, or one cell of a notebook.

    Attributes:
        path: as the user will recognise it.
        line: where reading stopped, from 1; None where no line is to blame.
        why: what is the matter, without a full stop.
        then: what to do next, without a full stop.
        cell: the notebook's cell; the line is one of it.
    """

    path: str
    line: int | None
    why: str
    then: str
    cell: int | None = None


@dataclass(frozen=True)
class Sources:
    """What a scan looks at: files that were read, and those that could not be."""

    files: tuple[SourceFile, ...]
    unread: tuple[Unread, ...]


class CannotBeRead(Exception):  # noqa: N818 (it carries a reason from where it is found to where it is told)
    """Why a file cannot be read, what to do, and the line."""

    def __init__(self, why: str, then: str, line: int | None = None) -> None:
        self.why, self.then, self.line = why, then, line


def read_sources(paths: Sequence[str | os.PathLike[str]], *, progress: Callable[[int], None] | None = None) -> Sources:
    """Read every file that the paths mean: files, folders to their end, installed packages by their dotted name.

    Args:
        paths: what is to be read.
        progress: is told how many files were read.

    Returns:
        The files in order, each once, and what could not be read. Nothing is imported or run.
    """
    files: list[SourceFile] = []
    unread: list[Unread] = []
    for number, found in enumerate(files_of(paths)):
        if isinstance(found, Missed):
            unread.append(Unread(found.path, None, found.why, found.then))
            continue
        if progress:
            progress(number)
        try:
            file, cells = _read(found)
        except CannotBeRead as reason:
            unread.append(Unread(found.shown, reason.line, reason.why, reason.then))
        else:
            files.append(file)
            unread += cells
    return Sources(tuple(files), tuple(unread))


def _read(found: Found) -> tuple[SourceFile, list[Unread]]:
    """One file, and those of its cells that cannot be read."""
    root, *also = _dotted(found)
    notebook = found.location.suffix == ".ipynb"
    data = _bytes(found.location, LARGEST_NOTEBOOK if notebook else LARGEST)
    unread: list[Unread] = []
    if not notebook:
        text = with_line_feeds(decoded(data))
        tree, cells = _parsed(text), None
    else:
        try:
            text, cells, damaged = cells_of(data)
        except ValueError as error:
            raise CannotBeRead(str(error), "open it in Jupyter and save it there, or leave it out") from None
        for number, refused in damaged:
            reason = _syntax(refused)
            unread.append(Unread(found.shown, reason.line, reason.why, reason.then, number))
        if len(text) > LARGEST:
            raise CannotBeRead(*_too_large(len(text), LARGEST))
        tree = _parsed(text)
    file = SourceFile(found.shown, text, tree, cells, root, tuple(also), found.location, found.below)
    return file, unread


def _bytes(location: Path, most: int) -> bytes:
    try:
        with location.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > most:
                raise CannotBeRead(*_too_large(size, most))
            return file.read(most + 1)
    except OSError as error:
        then = "look at its permissions, or at where it links to"
        raise CannotBeRead(f"it cannot be opened: {error.strerror or error}", then) from None


def _too_large(size: int, most: int) -> tuple[str, str]:
    why = f"it has {size / 1e6:.0f} MB, and nobody writes more than {most >> 20} MB of source by hand"
    return why, "move the data that it holds into a file of its own"


def decoded(data: bytes) -> str:
    """Source as text, by its byte order mark or its PEP 263 line, else as UTF-8; line ends as they are."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise CannotBeRead("it is UTF-16 or UTF-32, which Python does not read", "save it as UTF-8")
    try:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(data, error) from None
    except (SyntaxError, LookupError, ValueError) as error:
        if b"\0" in data:
            raise CannotBeRead(*_BINARY) from None
        named = getattr(error, "msg", None) or str(error)
        raise CannotBeRead(f"its encoding cannot be read: {named}", _SAVE) from None
    if "\0" in text:
        binary = "\0" in text[:4096]
        line = text.count("\n", 0, text.index("\0")) + 1
        raise CannotBeRead(*_BINARY) if binary else CannotBeRead(_NUL, "save it as UTF-8", line)
    return text


def encoding_of(data: bytes) -> str:
    """The encoding of source that can be decoded, with its byte order mark if it has one."""
    return tokenize.detect_encoding(BytesIO(data).readline)[0]


_BINARY = ("it is no text: it holds NUL bytes", "give Python source; compiled and binary files cannot be scanned")
_NUL = "it holds a NUL byte, which Python source must not"
_SAVE = "save it as UTF-8, or name its encoding in the first line: # -*- coding: latin-1 -*-"


def _not_text(data: bytes, error: UnicodeDecodeError) -> CannotBeRead:
    if b"\0" in data:
        return CannotBeRead(*_BINARY)
    line = data.count(b"\n", 0, error.start) + 1
    byte = data[error.start] if error.start < len(data) else 0
    return CannotBeRead(f"it is not {error.encoding.upper()}: byte 0x{byte:02x} is none of its letters", _SAVE, line)


def with_line_feeds(text: str) -> str:
    """Lines that all end as Python counts them: carriage returns become line feeds."""
    return re.sub("\r\n?", "\n", text)


def _parsed(text: str) -> ast.Module:
    try:
        return parse(text)
    except SyntaxError as error:
        raise _syntax(error, text) from None
    except (RecursionError, MemoryError):
        then = "split the long expression in it, or leave the file out"
        raise CannotBeRead("its expressions are nested too deep for Python to read", then) from None
    except ValueError as error:
        raise CannotBeRead(f"Python cannot read it: {error}", "save it as UTF-8") from None


def parse(text: str) -> ast.Module:
    """The syntax of a text, with `await` allowed anywhere as in notebooks; Python's warnings about it stay silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = compile(text, "<source>", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def _syntax(error: SyntaxError, text: str | None = None) -> CannotBeRead:
    lines, number = (text or "").split("\n"), error.lineno or 0
    sign = sign_of_python_2(error.msg, lines[number - 1] if 0 < number <= len(lines) and text else error.text or "")
    if sign:
        return CannotBeRead(f"it is Python 2: {sign}", "convert it to Python 3 first, as 2to3 does", error.lineno)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    then = f"mend the line; if it is newer syntax, run tracer with a Python newer than {version}"
    return CannotBeRead(f"it is no valid Python {version}: {error.msg}", then, error.lineno)


def _dotted(found: Found) -> list[str]:
    """The names a module can be imported by, the likeliest first: counted from the folder above its topmost package.

    A folder without `__init__.py` may be a package too; then the name is counted from the folder asked for.
    """
    folder = found.location.parent.resolve()
    above = found.above.resolve()
    top = folder
    while (top / "__init__.py").is_file() and top != top.parent:
        top = top.parent
    packaged = top != folder or found.location.name == "__init__.py"
    starts = [top]
    if above in top.parents:
        starts = [top, above] if packaged else [above, top]
    names = []
    for start in starts:
        parts = [*folder.relative_to(start).parts, found.location.stem]
        if parts[-1] == "__init__" and len(parts) > 1:
            parts.pop()
        names.append(".".join(parts))
    return names
