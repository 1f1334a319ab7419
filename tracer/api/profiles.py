"""The verb that says where the time goes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tracer.api.arguments import file_of, pairs_of, rules_of
from tracer.errors import RuleError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.profiles import ProfileReport


def profile(
    reference: str | os.PathLike[str] | Trace,
    candidate: str | os.PathLike[str] | Trace | None = None,
    *,
    pins: Mapping[str, str] | str | Sequence[str | tuple[str, str]] = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
) -> ProfileReport:
    """Say where the time of a step goes, layer by layer, and where the candidate loses it.

    Both traces were recorded with `keep="timing"`. Layers are aligned as `diff` aligns them. One trace alone works too.

    Args:
        reference: the trace of the net that is right: a file, or a `Trace`, which stays open.
        candidate: the trace of its port; None to look at one net.
        pins: pairs of layers that belong together, the reference's first: a mapping, pairs, or texts "A=B".
        rules: your own layers in common words, or the TOML file that has them.

    Returns:
        A report that prints the answer and tables; `.ratio`, `.first`, `.rows`, `.blocks`, `.kinds` are for programs.

    Raises:
        TraceFileError: a file is no trace, cannot be read, or holds no times.
        RuleError: a pin or rule that does not hold.
    """
    from tracer.profiling.beside import alone, beside
    from tracer.profiling.sides import side
    from tracer.reports.profiles import ProfileReport

    pairs, own_rules = pairs_of(pins), rules_of(rules)
    if candidate is None and pairs:
        then = "leave pins= out, or give the trace of the candidate too"
        told = ", ".join(f"{ours}={theirs}" for ours, theirs in pairs)
        raise RuleError("pins say which layers of two nets belong together", where=told, then=then)
    with ExitStack() as opened:
        sides = []
        for given, name in ((reference, "reference"), (candidate, "candidate")):
            if given is None and name == "candidate":
                continue
            trace = given if isinstance(given, Trace) else opened.enter_context(Trace(file_of(given, name)))
            sides.append(side(str(trace.path), trace.skeleton, trace.timing, own_rules))
    return ProfileReport(alone(sides[0]) if len(sides) == 1 else beside(sides[0], sides[1], pairs))
