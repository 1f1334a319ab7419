"""The verbs, each a short recipe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tracer.divergence.metrics import Progress, Tolerance
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.report import Report

PathLike = str | os.PathLike[str]


def diff(
    reference: PathLike | Trace,
    candidate: PathLike | Trace,
    *,
    tolerance: Tolerance | None = None,
    pins: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    only: str | Sequence[str] = (),
    every: bool = False,
    rules: PathLike | Sequence[UserRule] = (),
    progress: Progress | None = None,
) -> Report:
    """Find the first layer where the candidate goes another way than the reference, and why.

    Args:
        reference: the trace of the net that is right: a file, or a `Trace`, which stays open.
        candidate: the trace of its port.
        tolerance: what counts as equal; without it what rounding explains, by op and dtype.
        pins: pairs of layers that belong together, reference to candidate; "path", or "path#1" for one call.
        only: globs of paths; other layers are not judged.
        every: judge every pair and keep a row for each, instead of as few as the verdict needs.
        rules: your own layers in common words, or the TOML file that has them.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        TraceFileError: a file is no trace, or cannot be read.
        RuleError: a pin or rule that does not hold.
    """
    from tracer.divergence.diagnosis import diagnose
    from tracer.divergence.rules import load_rules
    from tracer.reports.report import Report

    own_rules = load_rules(rules) if isinstance(rules, str | os.PathLike) else tuple(rules)
    with contextlib.ExitStack() as opened:
        traces = [
            trace if isinstance(trace, Trace) else opened.enter_context(Trace(trace))
            for trace in (reference, candidate)
        ]
        diagnosis = diagnose(
            *traces,
            tolerance=tolerance,
            pins=tuple(pins.items()) if isinstance(pins, Mapping) else tuple(pins),
            only=(only,) if isinstance(only, str) else tuple(only),
            every=every,
            rules=own_rules,
            progress=progress,
        )
    return Report(diagnosis)
