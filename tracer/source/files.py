"""Which source files are meant by a file, a folder or the name of an installed package."""

from __future__ import annotations

import importlib.util
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

SUFFIXES = (".py", ".ipynb")
_SPECIAL = ("it is neither a file nor a folder", "give a .py file, a notebook or a folder")
_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Found:
    """A file to be read.

    Attributes:
        shown: the path as the user will recognise it, with `/` between folders.
        location: where it lies.
        above: the folder that was asked for, or that holds the package; module names are counted from there.
        below: its path from what was asked for on, that one's own name first.
    """

    shown: str
    location: Path
    above: Path
    below: PurePosixPath


@dataclass(frozen=True)
class Missed:
    """A path that gave no file, and why."""

    path: str
    why: str
    then: str


def files_of(paths: Sequence[str | os.PathLike[str]]) -> Iterator[Found | Missed]:
    """Every source file that the paths mean, each once, in the order of the paths and sorted within a folder.

    Folders are looked through to the end; hidden ones, `__pycache__` and virtual environments are passed over. A link
    to a folder that was seen, or that holds the one asked for, is not followed. What is no path is looked for as the
    dotted name of a package or module, which is not imported.
    """
    seen: set[tuple[int, int]] = set()
    for path in paths:
        shown = str(path)
        try:
            location = Path(path)
            mode = location.stat().st_mode
        except (OSError, ValueError) as error:
            found = None if "\0" in shown or os.path.lexists(path) else _module(shown)
            if found is None:
                yield _no_path(shown, error)
                continue
            location, above = found
            mode = location.stat().st_mode
            shown = location.relative_to(above).as_posix()
        else:
            above = location if stat.S_ISDIR(mode) else location.parent
        if stat.S_ISDIR(mode):
            yield from _in_folder(_Asked(shown, location, above), seen)
        elif stat.S_ISREG(mode):
            if _first_time(location, seen):
                name = _text(location.as_posix()) if shown == str(path) else shown
                yield Found(name, location, above, PurePosixPath(location.name))
        else:
            yield Missed(shown, *_SPECIAL)


def _no_path(shown: str, error: Exception) -> Missed:
    if isinstance(error, FileNotFoundError | ValueError):
        named = _DOTTED.fullmatch(shown) is not None
        why = "there is no such file or folder" + (", and no such package on the path" if named else "")
        return Missed(shown, why, "look for a slip of the pen; relative paths begin in the current folder")
    return Missed(shown, f"it cannot be looked at: {_said(error)}", "look at its permissions, or at where it links to")


def _said(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _first_time(location: Path, seen: set[tuple[int, int]]) -> bool:
    """Is this file or folder new? What cannot be looked at counts as new, so that reading it says why."""
    try:
        known = location.stat()
    except OSError:
        return True
    identity = known.st_dev, known.st_ino
    if identity in seen:
        return False
    seen.add(identity)
    return True


@dataclass(frozen=True)
class _Asked:
    """A folder to look through: as it is shown, where it lies, and where module names are counted from."""

    shown: str
    folder: Path
    above: Path


def _in_folder(asked: _Asked, seen: set[tuple[int, int]]) -> Iterator[Found | Missed]:
    """The files of a folder; links to folders come last, so that what they lead to is shown under its own name."""
    whole = asked.folder.resolve()
    name, around = PurePosixPath(whole.name), set(whole.parents)
    none = True
    waiting = [asked.folder]
    linked: list[Path] = []
    while waiting or linked:
        location = waiting.pop() if waiting else linked.pop(0)
        if not _first_time(location, seen):
            none = False
            continue
        try:
            inside = sorted(os.scandir(location), key=lambda entry: entry.name)
        except OSError as error:
            none = False
            why = f"the folder cannot be opened: {_said(error)}"
            yield Missed(_shown(asked, location), why, "look at its permissions")
            continue
        folders: list[Path] = []
        for entry in inside:
            place = location / entry.name
            if _is_folder(entry):
                if entry.is_symlink():
                    linked += [] if _passed_over(entry) or place.resolve() in around else [place]
                elif not _passed_over(entry):
                    folders.append(place)
            elif entry.name.endswith(SUFFIXES) and not entry.name.startswith("."):
                none = False
                if _is_special(entry):
                    yield Missed(_shown(asked, place), *_SPECIAL)
                elif _first_time(place, seen):
                    below = name / place.relative_to(asked.folder).as_posix()
                    yield Found(_shown(asked, place), place, asked.above, below)
        waiting += reversed(folders)
    if none:
        why = "the folder holds no .py file and no notebook"
        yield Missed(asked.shown, why, "give the folder that holds the source")


def _shown(asked: _Asked, location: Path) -> str:
    return _text((Path(asked.shown) / location.relative_to(asked.folder)).as_posix())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A pipe or a device, which would be waited for; what cannot be looked at is none, so that reading says why."""
    try:
        return not stat.S_ISREG(entry.stat().st_mode)
    except OSError:
        return False


def _passed_over(entry: os.DirEntry[str]) -> bool:
    hidden = entry.name.startswith(".") or entry.name == "__pycache__"
    return hidden or Path(entry.path, "pyvenv.cfg").exists()


def _text(name: str) -> str:
    """A file's name as text that can be written anywhere."""
    return os.fsencode(name).decode("utf-8", "replace")


def _module(name: str) -> tuple[Path, Path] | None:
    """Where a module or package lies and the folder that holds its topmost package; nothing is imported."""
    if not _DOTTED.fullmatch(name):
        return None
    first, *rest = name.split(".")
    for above in _above(first):
        place = above.joinpath(first, *rest)
        if place.is_dir():
            return place, above
        if place.with_name(f"{place.name}.py").is_file():
            return place.with_name(f"{place.name}.py"), above
    return None


def _above(first: str) -> Iterator[Path]:
    """Folders in which a topmost module may lie; last where an editable install says that it does."""
    yield from (Path(entry or ".") for entry in sys.path)
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError, AttributeError):
        return
    for folder in (spec and spec.submodule_search_locations) or ():
        if Path(folder).name == first:
            yield Path(folder).parent
