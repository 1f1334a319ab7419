"""The verb that watches curves: curve."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import given_words, globs_of
from tracer.errors import RuleError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.reports.curves import CurveReport


def curve(
    reference: Any,
    candidate: Any,
    *,
    pattern: str | None = None,
    pattern_candidate: str | None = None,
    columns: Mapping[str, str] | str | Sequence[str] = (),
    columns_candidate: Mapping[str, str] | str | Sequence[str] | None = None,
    epoch_steps: int | None = None,
    only: str | Sequence[str] = (),
) -> CurveReport:
    """Put the training curves of both sides on one plot, and find the first step where they part beyond their noise.

    Both runs are to see the same batches. Of traces the loss, the norms of gradients and of parameters, the update
    ratio (norm of what a step changed, by the norm of what was there) and the learning rate are compared.

    Args:
        reference: the run that is right: a trace or its file, a log, a CSV with a header, JSON lines, an event file of
            TensorBoard or MindSpore, a folder of such, or a mapping of names to numbers: a sequence, for steps 0, 1,
            ..., or a mapping of steps to numbers.
        candidate: the port's run, likewise; it may be of another kind.
        pattern: a regular expression that is searched in each line of a log; its named groups are measures, and "step",
            "epoch" and "length" (steps of an epoch) count. Without it common lines are recognised.
        pattern_candidate: the candidate's, where its lines look otherwise.
        columns: names of columns, keys or tags by what they are ({"step": "it", "loss": "ce"}, or texts "loss=ce").
        columns_candidate: the candidate's, where they are other ones.
        epoch_steps: how many steps an epoch has, where steps begin anew in each.
        only: globs of measures; without them all are shown, and known ones count.

    Returns:
        A report that prints as a plot; `.verdict`, `.step`, `.measure`, `.partings` and `.exit_code` are for programs.

    Raises:
        CurveError: a side has no curve that can be read, or both have no measure or step in common.
        TraceFileError: a trace that cannot be read.
        RuleError: a pattern, column, count or glob that does not hold.
    """
    from tracer.curves.beside import beside
    from tracer.curves.gathering import Ask
    from tracer.curves.opening import read_curves
    from tracer.reports.curves import CurveReport

    for word, given in (("reference", reference), ("candidate", candidate)):
        if not isinstance(given, str | os.PathLike | Trace | Mapping):
            then = 'give a trace, a file, a folder, or numbers: {"loss": losses}'
            raise RuleError(f"the {word} is nothing that has curves", where=given_words(given), then=then)
    if epoch_steps is not None and (
        isinstance(epoch_steps, bool) or not isinstance(epoch_steps, int) or epoch_steps < 1
    ):
        raise RuleError("epoch_steps= is no count of steps", where=given_words(epoch_steps), then="give 1 or more")
    ours = Ask(_pattern(pattern), _columns(columns), epoch_steps)
    theirs = Ask(
        ours.pattern if pattern_candidate is None else _pattern(pattern_candidate),
        ours.columns if columns_candidate is None else _columns(columns_candidate),
        epoch_steps,
        insists=columns_candidate is not None,
    )
    return CurveReport(beside(read_curves(reference, ours), read_curves(candidate, theirs), globs_of(only)))


def _pattern(pattern: Any) -> str | None:
    if pattern is not None and not isinstance(pattern, str):
        then = r"give a regular expression, as r'step (?P<step>\d+) loss (?P<loss>\S+)'"
        raise RuleError("pattern= is no text", where=given_words(pattern), then=then)
    return pattern


def _columns(columns: Any) -> dict[str, str]:
    """Names by what they are, from a mapping or from texts "loss=ce"."""
    if isinstance(columns, Mapping):
        pairs = list(columns.items())
    else:
        texts = [columns] if isinstance(columns, str) else columns
        if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
            texts = [repr(columns)[:80]]
        pairs = [tuple(text.split("=", 1)) for text in texts]
    for pair in pairs:
        if len(pair) != 2 or not all(isinstance(name, str) and name for name in pair):
            then = 'give columns={"loss": "train/ce"}, or texts "loss=train/ce"'
            raise RuleError("a column does not say what is called how", where=given_words(pair), then=then)
    return dict(pairs)
