"""The verbs that hold one side against the other."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import file_of, given_words
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
    from tracer.divergence.rules import load_rules
    from tracer.reports.report import Report

    tolerance, pairs = _tolerance(tolerance), _pairs(pins)
    own_rules = load_rules(Path(rules)) if isinstance(rules, str | os.PathLike) else _rules(rules)
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


def _pairs(pins: Any) -> tuple[tuple[str, str], ...]:
    """Pins in any form as pairs of paths; the first "=" of a text parts them."""
    if isinstance(pins, Mapping):
        given: list[Any] = list(pins.items())
    else:
        given = list(pins) if isinstance(pins, Iterable) and not isinstance(pins, str) else [pins]
    pairs = []
    for pin in given:
        pair = tuple(pin.split("=", 1)) if isinstance(pin, str) else tuple(pin) if isinstance(pin, Sequence) else ()
        if len(pair) != 2 or not all(isinstance(path, str) and path for path in pair):
            then = 'give pins={"reference.path": "candidate.path"}, or texts "reference.path=candidate.path"'
            raise RuleError("a pin does not name two paths", where=given_words(pin), then=then)
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)


def _globs(only: Any) -> tuple[str, ...]:
    globs = (only,) if isinstance(only, str) else tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise RuleError(
                "only= is no glob of paths", where=given_words(glob), then='give one or several, as "blocks.2.*"'
            )
    return globs


def _rules(rules: Any) -> tuple[UserRule, ...]:
    from tracer.divergence.rules import UserRule

    given = tuple(rules) if isinstance(rules, Iterable) else (rules,)
    for rule in given:
        if not isinstance(rule, UserRule):
            then = "give the path of a TOML file, or a list of tracer.divergence.rules.UserRule"
            raise RuleError("rules= holds what is no rule", where=given_words(rule), then=then)
    return given
