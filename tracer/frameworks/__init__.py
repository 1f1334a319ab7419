"""Frameworks: one file each, named after its package. It has a table `LAYERS` and its watcher class as `WATCHER`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from tracer.errors import FrameworkMissing, RecordingError
from tracer.frameworks.base import Watcher

_TABLE = "_layers"


def framework_names() -> frozenset[str]:
    """Root packages that have a file here, and their table beside it."""
    return frozenset(path.stem.removesuffix(_TABLE) for path in Path(__file__).parent.glob(f"*{_TABLE}.py"))


def watcher_for(net: Any) -> Watcher:
    """The watcher of the framework that `net` is made of; nothing foreign is imported to find out.

    The first class of `type(net).__mro__` whose root package has a file here decides; of a bound method (a jitted
    net) its owner is asked.

    Raises:
        RecordingError: no class of the net belongs to a framework known here.
    """
    names = framework_names()
    for thing in (net, getattr(net, "__self__", None), getattr(net, "__wrapped__", None)):
        for cls in type(thing).__mro__:
            root = cls.__module__.partition(".")[0]
            if root in names:
                watcher: Watcher = importlib.import_module(f"tracer.frameworks.{root}").WATCHER()
                return watcher
    raise RecordingError(
        "This is not a net that tracer knows how to watch",
        where=f"an object of class {type(net).__module__}.{type(net).__qualname__}",
        then="give a torch.nn.Module or a mindspore.nn.Cell",
    )


def watcher_named(name: str) -> Watcher:
    """The watcher of the framework of this name, which is imported.

    Raises:
        FrameworkMissing: it is not installed.
        KeyError: it has no file here.
    """
    if name not in framework_names():
        raise KeyError(name)
    if importlib.util.find_spec(name) is None:
        then = f'install it, as pip install "tracer[{name}]", or go where it is installed'
        raise FrameworkMissing(f"{name} is not installed", then=then)
    watcher: Watcher = importlib.import_module(f"tracer.frameworks.{name}").WATCHER()
    return watcher
