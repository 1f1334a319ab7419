"""The verbs that hold one side against the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import file_of, given_words, pairs_of, rules_of
from tracer.divergence.metrics import Progress, Tolerance
from tracer.errors import RuleError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.report import Report


def diff(
    reference: str | os.PathLike[str] | Trace,
    candidate: str | os.PathLike[str] | Trace,
    *,
    tolerance: Tolerance | None = None,
    pins: Mapping[str, str] | str | Sequence[str | tuple[str, str]] = (),
    only: str | Sequence[str] = (),
    every: bool = False,
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    progress: Progress | None = None,
) -> Report:
    """Find the first layer where the candidate goes another way than the reference, and why.

    Args:
        reference: the trace of the net that is right: a file, or a `Trace`, which stays open.
        candidate: the trace of its port.
        tolerance: what counts as equal; without it what rounding explains, by op and dtype.
        pins: pairs of layers that belong together, the reference's first: a mapping, pairs, or texts "A=B"; a side is
            "path", or "path#1" for one call.
        only: globs of paths; other layers are not judged.
        every: judge every pair and keep a row for each, instead of as few as the verdict needs.
        rules: your own layers in common words, or the TOML file that has them.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        TraceFileError: a file is no trace, or cannot be read.
        RuleError: a tolerance, pin, filter or rule that does not hold.
    """
    from tracer.divergence.diagnosis import diagnose
    from tracer.reports.report import Report

    tolerance, pairs = _tolerance(tolerance), pairs_of(pins)
    own_rules = rules_of(rules)
    globs = _globs(only)
    with ExitStack() as opened:
        ours, theirs = (
            trace if isinstance(trace, Trace) else opened.enter_context(Trace(file_of(trace, name)))
            for trace, name in ((reference, "reference"), (candidate, "candidate"))
        )
        diagnosis = diagnose(
            ours,
            theirs,
            tolerance=tolerance,
            pins=pairs,
            only=globs,
            every=every,
            rules=own_rules,
            progress=progress,
        )
    return Report(diagnosis)


def _tolerance(value: Any) -> Tolerance | None:
    if value is None or isinstance(value, Tolerance):
        return value
    raise RuleError(
        "tolerance= does not say of what it is the tolerance",
        where=given_words(value),
        then="give tracer.Tolerance(rtol=1e-3), a relative L2, or tracer.Tolerance(atol=1e-5), a largest difference",
    )


def _globs(only: Any) -> tuple[str, ...]:
    globs = (only,) if isinstance(only, str) else tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise RuleError(
                "only= is no glob of paths", where=given_words(glob), then='give one or several, as "blocks.2.*"'
            )
    return globs
