"""Training steps in a terminal: of a diagnosis the table of phases and how the difference grows; of one trace what was
recorded of its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from tracer.divergence.training.steps import PHASES
from tracer.reports import step_words as words
from tracer.reports.terminal_page import LABEL, Page, block, cell, labelled, paragraph
from tracer.reports.training_overview import StepLine, Training

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tracer.divergence.diagnosis import Diagnosis
    from tracer.divergence.training.steps import StepRow

_STYLES = {"agrees": "green", "starts here": "bold red", "carried on": "red", "unsure": "yellow", "not judged": "dim"}
_CELL = 10
"""Columns of a phase: a mark, a blank, a number of seven, a gap."""

_DOTS = "▁▂▃▄▅▆▇█"
_ASCII_DOTS = "_.-:=+*#"
_SHORTEST_CURVE, _LONGEST_CURVE = 6, 24
"""Columns of a curve beside its words, and at most."""


def step_lines(diagnosis: Diagnosis, page: Page, most: int) -> list[Text]:
    """The phases of at most about `most` steps; nothing where there is no training."""
    if not diagnosis.steps:
        return []
    shown = words.shown_steps(diagnosis, most)
    wide = max(len(str(row.step)) for row in diagnosis.steps)
    room = page.width - 2 - wide - _CELL * len(PHASES)
    if room < 0:
        return _in_words(diagnosis, page)
    beside = room >= LABEL
    margin = "" if beside else "  "
    head = Text.assemble(labelled("steps") if beside else margin, " " * wide)
    for name in PHASES:
        head.append(f"  {cell(name, _CELL - 2)}", "bold")
    head.rstrip()
    lines = [head]
    seen: dict[str, None] = {}
    for row in shown:
        line = labelled("" if len(lines) > 1 else "rel. L2", "dim") if beside else Text(margin)
        if isinstance(row, words.LeftOut):
            line.append(page.fit(f"{page.dots:>{wide}}  {row.words}", page.width - cell_len(line.plain)), "dim")
            lines.append(line)
            continue
        line.append(f"{row.step:>{wide}}")
        for one in words.cells(diagnosis, row):
            seen[one.state] = None
            line.append(f"{words.MARKS[one.state]:>2} {one.number:<{_CELL - 3}}", _STYLES[one.state])
        line.rstrip()
        lines.append(line)
    marks = "   ".join([f"{mark} {state}" for state, mark in words.MARKS.items() if state in seen])
    return [*lines, Text.assemble(labelled("") if beside else margin, (f"{'':<{wide}} {marks}", "dim"))]


def _in_words(diagnosis: Diagnosis, page: Page) -> list[Text]:
    """The first step that diverged, or the last, for a page that has no room for a table."""
    origin = diagnosis.origin
    told: StepRow = next(
        (row for row in diagnosis.steps if origin is not None and row.step == origin.step), diagnosis.steps[-1]
    )
    return paragraph(words.step_sentence(diagnosis, told), page)


def growth_lines(diagnosis: Diagnosis, page: Page) -> list[Text]:
    """How far apart both sides are from step to step, drawn small, and whether that is rounding or a fault."""
    told = words.told_curves(diagnosis)
    if not told:
        return []
    dots = _DOTS if page.unicode else _ASCII_DOTS
    drawn = [curve for curve, _ in told]
    name_width = max(len(curve.name) for curve in drawn)
    room = page.width - 2 - LABEL - name_width - 2
    beside = room - 2 - max(len(said) for _, said in told)
    width = min(beside if beside >= _SHORTEST_CURVE else room, _LONGEST_CURVE)
    lines: list[Text] = []
    for (curve, said), heights in zip(told, words.levels(drawn, width, len(dots) - 1), strict=True):
        picture = "".join(" " if height is None else dots[height] for height in heights)
        line = Text.assemble(labelled("" if lines else "growth"), f"{curve.name:<{name_width}}  ", (picture, "cyan"))
        lines.append(Text.assemble(line, "  ", said) if beside >= _SHORTEST_CURVE else line)
        lines += [] if beside >= _SHORTEST_CURVE else block("", said, page)
    story = words.growth_story(diagnosis)
    return [*lines, *(block("", story, page) if story else [])]


def unjudged_lines(diagnosis: Diagnosis, page: Page) -> list[Text]:
    """Phases that were not judged, each reason once."""
    return [line for said in words.unjudged(diagnosis) for line in paragraph(said, page, "yellow")]


# --------------------------------------------------------------------------------------------------------------------
# One trace
# --------------------------------------------------------------------------------------------------------------------

_COLUMN = 10
_SHOWN = 30
"""How many steps of a trace are listed; of more the first and the last ones."""


def training_lines(training: Training, page: Page) -> Iterator[Text]:
    """What a trace holds of a training: the optimizer, the losses, every step in numbers."""
    for label, text in training.facts:
        yield from block(label, page.near(text), page)
    if training.lines:
        yield Text()
        yield from _measures(training, page)


def _measures(training: Training, page: Page) -> Iterator[Text]:
    columns = training.columns
    wide = max(4, *(len(str(line.step)) for line in training.lines))
    kept = max((len(line.kept) for line in training.lines), default=0) if training.kept_differs else 0
    head = f"{'step':>{wide}}" + (f"  {'kept':<{kept}}" if kept else "")
    fitting = columns[: max((page.width - len(head)) // _COLUMN, 1)]
    yield Text(head + "".join(f"{name:>{_COLUMN}}" for name in fitting), "bold")
    lines = training.lines
    short = len(lines) > _SHOWN
    begin, end = (lines[: _SHOWN - 5], lines[-5:]) if short else (lines, ())
    for line in begin:
        yield from _measure_line(line, fitting, wide, kept, page)
    if short:
        left = len(lines) - _SHOWN
        yield Text(page.fit(f"{page.dots:>{wide}}  {left} steps left out: --json has all", page.width), "dim")
    for line in end:
        yield from _measure_line(line, fitting, wide, kept, page)


def _measure_line(line: StepLine, columns: Sequence[str], wide: int, kept: int, page: Page) -> Iterator[Text]:
    numbers = "".join(f"{line.numbers.get(name, '-'):>{_COLUMN}}" for name in columns)
    yield Text(f"{line.step:>{wide}}" + (f"  {line.kept:<{kept}}" if kept else "") + numbers)
    for remark in line.remarks:
        yield Text(page.fit(f"{'':>{wide}}  !! {remark}", page.width, "head"), "bold red")
