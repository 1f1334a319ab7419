"""tracer: the first layer where a port goes wrong, and why.

The names below are looked up when they are used, so that importing tracer imports no framework and costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracer.api import (
        compare,
        compare_init,
        compare_weights,
        convert_weights,
        curve,
        diff,
        find_nan,
        fix_random,
        inputs,
        load_samples,
        load_weights,
        profile,
        record,
        recording,
        save_samples,
        scan,
        structure,
        weight_map,
    )
    from tracer.divergence.metrics import Tolerance
    from tracer.errors import TracerError
    from tracer.trace.reader import Trace

__version__ = "0.1.0"

__all__ = [
    "Tolerance",
    "Trace",
    "TracerError",
    "__version__",
    "compare",
    "compare_init",
    "compare_weights",
    "convert_weights",
    "curve",
    "diff",
    "find_nan",
    "fix_random",
    "inputs",
    "load_samples",
    "load_weights",
    "profile",
    "record",
    "recording",
    "save_samples",
    "scan",
    "structure",
    "weight_map",
]

_HOMES = {
    "Tolerance": "tracer.divergence.metrics",
    "Trace": "tracer.trace.reader",
    "TracerError": "tracer.errors",
}
"""What is no verb; the verbs are at home in `tracer.api`."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name, "tracer.api")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
