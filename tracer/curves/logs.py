"""Logs: lines of any form, by the user's pattern or by what training loops commonly print."""

from __future__ import annotations

import re
from pathlib import Path

from tracer.curves.gathering import Ask, Gathered
from tracer.curves.series import NUMBER, Curves, no_curves
from tracer.curves.text_lines import first_line, lines_of
from tracer.errors import RuleError

_HAS = r"""["']?\s*(?:\bis\b|[:=\[(])?\s*[\[(]?\s*"""
"""What stands between a name and its number: `loss is 2.3`, `loss: 2.3`, `'loss': 2.3`, `loss=2.3`, `Loss 2.3`."""

_STEP = re.compile(
    rf"(?<![\w/])(?:global[ _]?step|step|iteration|iters?|it|batch)s?{_HAS}(?P<step>\d+)(?![\d.]*\d*e)"
    r"(?:\s*/\s*(?P<length>\d+))?", re.IGNORECASE
)  # fmt: skip
_EPOCH = re.compile(rf"(?<![\w/])epochs?{_HAS}(?P<epoch>\d+)(?![.\d])", re.IGNORECASE)
_SAMPLES = re.compile(r"epoch:?\s*\d+\s*\[\s*(?P<step>\d+)\s*/\s*(?P<length>\d+)", re.IGNORECASE)
_MEASURE = re.compile(
    r"(?<![\w/])(?P<name>(?:train(?:ing)?[ _/-])?loss|(?:global[ _-]?)?grad(?:ient)?s?[ _-]?norm|global[ _-]norm|"
    r"param(?:eter)?s?[ _-]norm|weights?[ _-]norm|update[ _-](?:ratio|norm)|learning[ _-]?rate|lr)"
    rf"{_HAS}(?P<number>{NUMBER})",
    re.IGNORECASE,
)
_OF_EVALUATION = re.compile(
    r"\b(?:eval\w*|test|valid\w*|val|dev)\b|['\"]?(?:eval|test|val|valid)_|train_runtime", re.IGNORECASE
)

_SPECIAL = {"step", "epoch", "length"}
_COMMON = "'step (?P<step>\\d+).*loss[:=] *(?P<loss>[-+.\\deE]+)'"
EXAMPLE = f"name the numbers with a pattern, as --pattern {_COMMON}"


def compiled(pattern: str) -> re.Pattern[str]:
    """The user's pattern.

    Raises:
        RuleError: it is no regular expression, or names nothing.
    """
    try:
        found = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise RuleError(f"the pattern is no regular expression ({error})", where=pattern, then=EXAMPLE) from error
    if not found.groupindex.keys() - _SPECIAL:
        raise RuleError("the pattern names no measure", where=pattern, then=f"{EXAMPLE}: (?P<name>...) names a number")
    return found


def read_log(path: Path, ask: Ask) -> Curves:
    """The curves of a log.

    Groups of the pattern are named after measures; "step" counts, "epoch" too, and "length" is how many steps an epoch
    has. Without a pattern the lines that training loops commonly print are recognised.

    Raises:
        CurveError: it cannot be read, is empty, or no line matches.
        RuleError: the pattern does not hold.
    """
    gathered = Gathered()
    if ask.pattern is not None:
        unread = _by_pattern(path, compiled(ask.pattern), gathered)
    else:
        unread = _by_habit(path, gathered)
    if not gathered.names:
        _raise_nothing(path, ask.pattern)
    notes = [f"{unread} matching line{'s' * (unread > 1)} without a number that can be read"] if unread else []
    return gathered.curves(str(path), "log", ask, notes)


def _by_pattern(path: Path, pattern: re.Pattern[str], gathered: Gathered) -> int:
    unread = 0
    for line in lines_of(path):
        for found in pattern.finditer(line):
            groups = {name: text for name, text in found.groupdict().items() if text is not None}
            special = {name: _whole(groups.pop(name, None)) for name in _SPECIAL}
            missing = "step" in pattern.groupindex and special["step"] is None
            if missing or not gathered.row(groups, special["step"], special["epoch"], special["length"]):
                unread += 1
    return unread


def _by_habit(path: Path, gathered: Gathered) -> int:
    """Lines that name a measure; where some of them have a step, those without are no steps of training."""
    rows = []
    for line in lines_of(path):
        measures: dict[str, str] = {}
        for one in _MEASURE.finditer(line):
            measures.setdefault(re.sub(r"[\s-]", "_", one["name"].lower()), one["number"])
        if not measures or _OF_EVALUATION.search(line):
            continue
        at, epoch = _SAMPLES.search(line) or _STEP.search(line), _EPOCH.search(line)
        length = at["length"] if at and epoch else None
        rows.append((measures, at["step"] if at else None, epoch["epoch"] if epoch else None, length))
    stepped = any(step for _, step, _, _ in rows)
    for named, step, of_epoch, length in rows:
        if step or not stepped:
            gathered.row(named, _whole(step), _whole(of_epoch), _whole(length))
    return 0


def _whole(text: str | None) -> int | None:
    """A count: 1200, 1,200 or 1200.0."""
    try:
        number = float(text.replace(",", "").replace("_", "")) if text is not None else None
        return int(number) if number is not None and abs(number) < 2**53 else None
    except ValueError:
        return None


def _raise_nothing(path: Path, pattern: str | None) -> None:
    first = first_line(path)
    if first is None:
        raise no_curves(path, "the file is empty", "check that the run wrote it")
    by = f"the pattern {pattern}" if pattern is not None else "what training loops commonly print"
    shown = first.strip()[:160]
    raise no_curves(path, f"no line matches {by}; the first line is: {shown}", EXAMPLE)
