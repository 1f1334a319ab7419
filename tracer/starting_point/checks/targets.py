"""Nets that are named by text: "module:factory", "file.py:factory", or a script that records itself."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from tracer.errors import FrameworkMissing, StartingPointError
from tracer.starting_point.randomness import fixed

_HERE = str(Path(__file__).parents[1]) + os.sep
_FORM = "write module:factory, file.py:factory, or the path of a script that records to $TRACER_OUT"


@dataclass(frozen=True)
class Target:
    """Where a net comes from. `factory` is what makes it ("" for a script); `file` or `module` says where it stands."""

    text: str
    file: Path | None = None
    module: str = ""
    factory: str = ""

    @property
    def is_script(self) -> bool:
        """Does it record itself?"""
        return not self.factory


def read_target(text: str) -> Target:
    """A text as the place of a net; nothing is imported.

    Raises:
        StartingPointError: the text names no place, or a file that is not there.
    """
    place, colon, factory = text.rpartition(":")
    if not colon:
        place, factory = text, ""
    elif not all(part.isidentifier() for part in factory.split(".")):
        raise StartingPointError(f"{factory!r} is no name of a function or class", where=text, then=_FORM)
    if place.endswith(".py"):
        file = Path(place)
        if not file.is_file():
            raise StartingPointError("there is no such file", where=place, then="check the path")
        return Target(text, file=file, factory=factory)
    if not factory or not all(part.isidentifier() for part in place.split(".")):
        raise StartingPointError("this names no net", where=text, then=_FORM)
    return Target(text, module=place, factory=factory)


def make_net(target: Target, seed: int) -> Any:
    """Import the module, and call the factory with all random generators at `seed`.

    The module is looked for in the working folder first, a file's own folder is on the path while it is imported.
    A factory that is a net already is taken as it is.

    Raises:
        StartingPointError: the module, or the factory, cannot be found, or raises.
        FrameworkMissing: what it imports is not installed.
    """
    with _found_here(target):
        with _told(target, "cannot be imported"):
            module = _imported(target)
        found = _named(target, module)
        made = found if _is_a_net(found) else _made(target, found, seed)
    if not _is_a_net(made):
        raise StartingPointError(
            f"what the factory made is no net, but of class {type(made).__name__}",
            where=target.text,
            then="return a torch.nn.Module or a mindspore.nn.Cell",
        )
    return made


def _named(target: Target, module: ModuleType) -> Any:
    found: Any = module
    for part in target.factory.split("."):
        if not hasattr(found, part):
            public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
            raise StartingPointError(
                f"{target.factory!r} is not there",
                where=target.text,
                then=f"it has {', '.join(public[:8])}" if public else _FORM,
            )
        found = getattr(found, part)
    if not callable(found):
        raise StartingPointError(
            f"{target.factory!r} makes no net: it is of class {type(found).__name__}",
            where=target.text,
            then="name a class, or a function without arguments that returns the net",
        )
    return found


def _made(target: Target, factory: Any, seed: int) -> Any:
    """What the factory makes at the seed: once more where a framework came only while it ran, which no seed reached."""
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*was imported after the seed was fixed.*")
            with fixed(seed) as random, _told(target, "raised while it made the net"):
                made = factory()
        if random.whole:
            break
    return made


def _is_a_net(value: Any) -> bool:
    names = {(cls.__module__.partition(".")[0], cls.__name__) for cls in type(value).__mro__}
    return bool(names & {("torch", "Module"), ("mindspore", "Cell")})


def _imported(target: Target) -> ModuleType:
    if target.file is None:
        return importlib.import_module(target.module)
    spec = importlib.util.spec_from_file_location(target.file.stem, target.file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(target.file.stem, module)
    spec.loader.exec_module(module)
    return module


@contextmanager
def _found_here(target: Target) -> Iterator[None]:
    folders = [str(target.file.resolve().parent)] if target.file else []
    folders.append(str(Path.cwd()))
    added = [folder for folder in folders if folder not in sys.path]
    sys.path[:0] = added
    try:
        yield
    finally:
        for folder in added:
            if folder in sys.path:
                sys.path.remove(folder)


@contextmanager
def _told(target: Target, what: str) -> Iterator[None]:
    """What the user's own code raises, in three beats, with the line of that code."""
    try:
        yield
    except ModuleNotFoundError as error:
        root = (error.name or "").partition(".")[0]
        if root in {"torch", "mindspore"}:
            then = f"pip install {root}"
            raise FrameworkMissing(f"{root} is not installed", where=target.text, then=then) from error
        then = (
            "install it"
            if root != target.module.partition(".")[0]
            else "run where the module lies, or give file.py:factory"
        )
        raise StartingPointError(f"there is no module {error.name!r}", where=target.text, then=then) from error
    except Exception as error:
        alone = f"import {target.module or 'it'}" + (f"; {target.module}.{target.factory}()" if target.module else "")
        run = f"python {target.file}" if target.file else f"python -c '{alone}'"
        raise StartingPointError(
            f"{target.text} {what}: {error_line(error)}",
            where=own_line(error) or target.text,
            then=f"make it work by itself first: {run}",
        ) from error


def error_line(error: BaseException) -> str:
    """An error in one line."""
    words = str(error).strip()
    return f"{type(error).__name__}: {words.splitlines()[0]}" if words else type(error).__name__


def own_line(error: BaseException) -> str:
    """The last line of the user's own code that an error came through, as file:line; "" where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if not f.filename.startswith((_HERE, "<")) and "site-packages" not in f.filename]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else ""
