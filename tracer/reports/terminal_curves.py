"""Curves in a terminal: both on one plot, the difference below, and a line for each measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from rich.text import Text

from tracer.curves.beside import Beside
from tracer.curves.parting import Parting
from tracer.reports import curve_words as words
from tracer.reports.terminal_page import PLAIN_WIDTH, Page, to_string

_VERDICT = {"agree": "bold green", "diverged": "bold red", "unsure": "bold yellow"}
_STATE = {"equal": "green", "drifting": "green", "apart": "yellow", "parted": "red"}
_AXIS = 10
_HEIGHT = 11
_BELOW = 5
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_ASCII_HALVES = " _-#"
_REFERENCE, _CANDIDATE, _BOTH = "o", "x", "8"
_STYLES = {_REFERENCE: "blue", _CANDIDATE: "red", _BOTH: "magenta"}


def curves_text(both: Beside, *, width: int = PLAIN_WIDTH, encoding: str = "utf-8", every: bool = False) -> str:
    """What `tracer curve` prints, as plain text."""
    return to_string(curves_lines(both, Page(width, encoding, str(Path.cwd())), every=every))


def curves_lines(both: Beside, page: Page, *, every: bool = False) -> list[Text]:
    """The verdict, the plot of the measure that tells most (of every one), a line for each measure, notes."""
    out = _wrapped(words.summary(both), page, "", _VERDICT[both.verdict])
    for word, side in (("reference", both.reference), ("candidate", both.candidate)):
        out.append(Text.assemble((f"  {word}  ", "dim"), page.fit(page.near(side.source), page.width - 26, "tail"),
                                 (f"  {side.kind}", "dim")))  # fmt: skip
    told = both.partings if every else (both.first or both.partings[0],)
    for parting in told:
        out += [Text(), *_plot(parting, page)]
    out += [Text(), *_table(both, page)]
    said = words.notes(both)
    out += [Text()] * bool(said)
    for note in said:
        out += _wrapped(page.near(note), page, "  ", "dim")
    return out


def _table(both: Beside, page: Page) -> list[Text]:
    out: list[Text] = []
    wide = max(len(page.fit(words.label(p.measure), 24)) for p in both.partings)
    for parting in both.partings:
        name = page.fit(words.label(parting.measure), 24)
        beside = wide + 4 <= page.width // 2
        indent = " " * (wide + 4 if beside else 4)
        counts = parting.measure in both.counting
        said = words.sentence(parting) + ("" if counts else " (shown only: --only counts it)")
        lines = _wrapped(said, page, indent, _STATE[parting.state] if counts else "dim")
        if beside:
            lines[0] = Text.assemble(f"  {name:<{wide}}  ", lines[0][len(indent) :])
        out += lines if beside else [Text(f"  {name}"), *lines]
    return out


def _wrapped(text: str, page: Page, indent: str, style: str = "") -> list[Text]:
    lines = wrap(page.clean(text), max(page.width - len(indent), 20), break_on_hyphens=False) or [""]
    return [Text.assemble(indent, (line, style)) for line in lines]


# --------------------------------------------------------------------------------------------------------------------
# Plots
# --------------------------------------------------------------------------------------------------------------------


def _plot(parting: Parting, page: Page) -> list[Text]:
    """Both curves, and the difference below on a log scale, step for step in the same columns."""
    columns = page.width - _AXIS - 2
    place = _columns(parting.steps, columns)
    ours, theirs = (_by_column(place, side, columns, _middle) for side in (parting.reference, parting.candidate))
    apart = [abs(a - b) for a, b in zip(parting.reference, parting.candidate, strict=True)]
    below = _by_column(place, apart, columns, max)
    line = "│" if page.unicode else "|"
    part = None if parting.step is None else place[parting.steps.index(parting.step)]
    out = [_title(parting, page)]
    out += _curves(ours, theirs, line, part)
    out += _difference(below, line, page)
    return [*out, *_steps(parting, columns, part)]


def _title(parting: Parting, page: Page) -> Text:
    title = Text.assemble(" " * (_AXIS + 2), (page.fit(words.label(parting.measure), 30), "bold"), "   ")
    for sign, word in ((_REFERENCE, "reference"), (_CANDIDATE, "candidate"), (_BOTH, "both")):
        title.append(sign, _STYLES[sign])
        title.append(f" {word}   ")
    title.rstrip()
    if len(title) > page.width:
        title = Text(page.fit(words.label(parting.measure), page.width), "bold")
    return title


def _columns(steps: Sequence[int], columns: int) -> list[int]:
    first, span = steps[0], max(steps[-1] - steps[0], 1)
    return [(step - first) * (columns - 1) // span for step in steps]


def _by_column(
    place: Sequence[int], values: Sequence[float], columns: int, of: Callable[[list[float]], float]
) -> list[float | None]:
    """One number for each column, None where it has no finite one."""
    held: list[list[float]] = [[] for _ in range(columns)]
    for column, value in zip(place, values, strict=True):
        if math.isfinite(value):
            held[column].append(value)
    return [of(found) if found else None for found in held]


def _middle(values: list[float]) -> float:
    return float(np.median(values))


def _curves(ours: list[float | None], theirs: list[float | None], line: str, part: int | None) -> list[Text]:
    found = [value for value in (*ours, *theirs) if value is not None]
    if not found:
        return [Text(" " * _AXIS + f" {line} no point is finite")]
    low, high = min(found), max(found)
    logarithmic = low > 0 and high > 300 * low
    scale: Callable[[float], float] = math.log if logarithmic else float
    bottom, height = scale(low), scale(high) - scale(low)

    def row_of(value: float | None) -> int | None:
        return None if value is None else round((scale(value) - bottom) / (height or 1) * (_HEIGHT - 1))

    rows = [(row_of(a), row_of(b)) for a, b in zip(ours, theirs, strict=True)]
    middle = math.exp(bottom + height / 2) if logarithmic else bottom + height / 2
    ticks = {_HEIGHT - 1: high, 0: low, (_HEIGHT - 1) // 2: middle} if height else {0: low}
    out = []
    for row in reversed(range(_HEIGHT if height else 1)):
        text = Text.assemble((f"{_number(ticks[row]) if row in ticks else '':>{_AXIS}}", "dim"), (f" {line}", "dim"))
        for column, (a, b) in enumerate(rows):
            sign = _BOTH if a == row == b else _REFERENCE if a == row else _CANDIDATE if b == row else ""
            text.append(sign or (":" if column == part else " "), _STYLES.get(sign, "dim"))
        text.rstrip()
        out.append(text)
    return out


def _difference(below: list[float | None], line: str, page: Page) -> list[Text]:
    """Bars on a log scale; equal points have none."""
    found = [value for value in below if value]
    head = Text(f"{'':>{_AXIS}} {line} difference, on a log scale", "dim")
    if not found:
        return [head, Text(f"{'0':>{_AXIS}} {line} none", "dim")]
    low, high = math.floor(math.log10(min(found))), math.ceil(math.log10(max(found)))
    high = max(high, low + 1)
    levels = _EIGHTHS if page.unicode else _ASCII_HALVES
    full = len(levels) - 1
    out = [head]
    for row in reversed(range(_BELOW)):
        tick = f"1e{high:+03d}" if row == _BELOW - 1 else f"1e{low:+03d}" if row == 0 else ""
        text = Text.assemble((f"{tick:>{_AXIS}}", "dim"), (f" {line}", "dim"))
        for value in below:
            share = (math.log10(value) - low) / (high - low) * _BELOW - row if value else 0.0
            text.append(levels[min(max(round(share * full), 1 if value and row == 0 else 0), full)])
        text.rstrip()
        out.append(text)
    return out


def _steps(parting: Parting, columns: int, part: int | None) -> list[Text]:
    """The step at both ends, and the one where they part."""
    first, last = str(parting.steps[0]), str(parting.steps[-1])
    row = [" "] * columns
    row[: len(first)] = first
    if parting.steps[-1] != parting.steps[0]:
        row[columns - len(last) :] = last
    if part is not None and parting.step is not None:
        sign = f"^ {parting.step}" if part < columns // 2 else f"{parting.step} ^"
        start = part if part < columns // 2 else part - len(sign) + 1
        if start > len(first) and start + len(sign) < columns - len(last):
            row[start : start + len(sign)] = sign
    return [Text(f"{'step':>{_AXIS}}  {''.join(row)}".rstrip(), "dim")]


def _number(value: float) -> str:
    return f"{value:.4g}"
