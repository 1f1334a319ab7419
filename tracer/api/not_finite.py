"""The verb that looks for NaN and Inf in one trace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from tracer.api.arguments import file_of, given_words, refuse_times, rules_of
from tracer.errors import RuleError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.not_finite import NanReport


def find_nan(
    trace: str | os.PathLike[str] | Trace,
    *,
    step: int | None = None,
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
) -> NanReport:
    """Find where the first NaN and Inf of a trace were born: the calls that made them of finite numbers.

    Args:
        trace: a trace's file, or a `Trace`, which stays open.
        step: the number of one step; None looks at all.
        rules: your own layers in common words, or the TOML file that has them.

    Returns:
        A report, true where something was born; `.births`, `.masks`, `.fates` and `.exit_code` are for programs.

    Raises:
        TraceFileError: the file is no trace, or cannot be read.
        RuleError: a step that the trace does not have.
    """
    from tracer.divergence.births import survey
    from tracer.reports.not_finite import NanReport

    own_rules = rules_of(rules)
    with nullcontext(trace) if isinstance(trace, Trace) else Trace(file_of(trace, "trace")) as opened:
        refuse_times(opened, "trace")
        numbers = [one.number for one in opened.skeleton.steps]
        if step is not None and (isinstance(step, bool) or step not in numbers):
            then = f"it has {len(numbers)} steps, {numbers[0]} to {numbers[-1]}" if numbers else "it holds no step"
            raise RuleError("the trace has no such step", where=f"step {given_words(step)}", then=then)
        found = survey(opened.skeleton, step, arrays=opened, rules=own_rules)
        return NanReport(found, opened.skeleton.header, str(opened.path))
