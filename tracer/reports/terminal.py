"""What is drawn in a terminal: a diagnosis, a trace, progress, errors. `rich` is used in terminal*.py and cli/ only.

Lines are laid out here, to a width counted in terminal cells, and `rich` colours and prints them: so a file, a pipe
and a terminal get the same lines, and so does `repr`.
"""

from __future__ import annotations

import math
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, final

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from tracer.errors import TracerError
from tracer.reports import step_words, wording
from tracer.reports.overview import Head, LayerPart, Row, ValueLine, bad_numbers, bad_of, statistics_words
from tracer.reports.terminal_page import (
    LABEL,
    PLAIN_WIDTH,
    Page,
    block,
    cell,
    cut,
    few_lines,
    indented,
    labelled,
    paragraph,
    to_string,
    wrap,
)
from tracer.reports.terminal_steps import growth_lines, step_lines, unjudged_lines

if TYPE_CHECKING:  # what is shown; `tracer show` needs none of it
    from tracer.divergence.diagnosis import Diagnosis, Origin, PairRow, RoadStep, Spot
    from tracer.divergence.metrics import Difference

_LEAST_WIDTH = 40
_SCREEN = 40
_ROAD_BESIDE_LABEL = 64
_APART = 8
"""Columns between two sentences on one line, so that they are not read as one."""

_VERDICT_STYLE = {"agree": "bold green", "diverged": "bold red", "unsure": "bold yellow"}
_STATE_STYLE = {"agrees": "green", "starts here": "bold red", "carried on": "red", "grew": "yellow", "diverged": "red"}
_STATE_STYLE |= {"first in order": "bold red", "differs": "red", "unsure": "yellow"}

# --------------------------------------------------------------------------------------------------------------------
# Printing
# --------------------------------------------------------------------------------------------------------------------


def page_for(stream: IO[str], width: int | None = None) -> Page:
    """What a stream can show. Not a terminal: 80 columns, or COLUMNS, or `width`."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        width = int(columns)
    elif _is_terminal(stream):
        width = Console(file=stream).width
    return Page(max(width or PLAIN_WIDTH, _LEAST_WIDTH), encoding, str(Path.cwd()))


def is_narrow(stream: IO[str]) -> bool:
    """Must a long table keep to the page? On a terminal, or where COLUMNS says so; a file or a pipe takes any line."""
    return _is_terminal(stream) or os.environ.get("COLUMNS", "").isdigit()


def print_lines(lines: Iterable[Text], stream: IO[str], *, color: bool = True) -> None:
    """Print laid out lines, in colour on a terminal where the user does not object."""
    console = _console(stream, color=color)
    for line in lines:
        console.print(line, soft_wrap=True)
    stream.flush()


class _Console(Console):
    """Where nobody reads any more, rich ends the program with 1, which here means that the nets differ."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command."""
        raise BrokenPipeError


def _console(stream: IO[str], *, color: bool) -> Console:
    wanted = color and not os.environ.get("NO_COLOR") and _is_terminal(stream)
    return _Console(
        file=stream,
        color_system="auto" if wanted else None,
        force_terminal=None if wanted else False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def report_text(
    diagnosis: Diagnosis, *, width: int = PLAIN_WIDTH, encoding: str = "utf-8", command: str = "tracer diff"
) -> str:
    """What a command prints, as plain text; of files with the table of all pairs."""
    page = Page(width, encoding, str(Path.cwd()))
    lines = report_lines(diagnosis, page, command)
    if diagnosis.alignment.unit == "file" and diagnosis.rows:
        lines += [Text(), *table_lines(diagnosis.rows, page, narrow=True, files=True)]
    return to_string(lines)


def print_error(error: TracerError, stream: IO[str], *, color: bool = True) -> None:
    """The three beats of an error: what, where, what to do next."""
    page = page_for(stream)
    lines = [Text.assemble(("error: ", "bold red"), page.clean(error.what))]
    for label, beat in (("where", error.where), ("next", error.then)):
        if beat:
            wrapped = wrap(page.clean(beat), page.width - 9)
            lines.append(Text.assemble((f"  {label + ':':<6} ", "bold"), wrapped[0]))
            lines += [Text(" " * 9 + more) for more in wrapped[1:]]
    print_lines(lines, stream, color=color)


# --------------------------------------------------------------------------------------------------------------------
# The report
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Most:
    """How much of everything is shown."""

    before: int
    after: int
    causes: int
    origins: int
    notes: int
    roads: int = 0
    """Of how many further origins the road is drawn, in short."""
    steps: int = 7
    growth: bool = True


_GENEROUS_TO_SPARE = (
    _Most(3, 4, 4, 5, 4, roads=2),
    _Most(2, 3, 3, 5, 3, roads=1),
    _Most(2, 3, 3, 4, 3),
    _Most(2, 2, 2, 3, 2, steps=4),
    _Most(1, 1, 1, 2, 1, steps=3, growth=False),
)


def report_lines(diagnosis: Diagnosis, page: Page, command: str = "tracer diff") -> list[Text]:
    """The report of a command, at most a screen: the more there is, the less is shown of each."""
    lines: list[Text] = []
    for most in _GENEROUS_TO_SPARE:
        lines = _report_lines(diagnosis, page, most, command)
        if len(lines) <= _SCREEN:
            break
    return lines


def _report_lines(diagnosis: Diagnosis, page: Page, most: _Most, command: str) -> list[Text]:
    parts = [_head(diagnosis, page), _beforehand(diagnosis, page)]
    origin = diagnosis.origin
    if origin is not None:
        parts += [
            [*_spots(origin, page), *_numbers(diagnosis, origin, page)],
            _road(diagnosis.road, origin, page, most),
            _causes(origin, diagnosis, page, most),
            _more_origins(diagnosis, page, most),
        ]
    parts += [step_lines(diagnosis, page, most.steps), growth_lines(diagnosis, page) if most.growth else []]
    parts.append(_coverage(diagnosis, page, most, command))
    lines: list[Text] = []
    for part in parts:
        lines += [Text(), *part] if part and lines else part
    explained = wording.repeated_calls(line.plain for line in lines)
    return [*lines, *(paragraph(explained, page, "dim") if explained else [])]


def _beforehand(diagnosis: Diagnosis, page: Page) -> list[Text]:
    """What must be known before any number is read."""
    blocks = [block("note", said, page, label_style="bold yellow") for said in diagnosis.beforehand]
    return [line for block in blocks for line in block]


def _head(diagnosis: Diagnosis, page: Page) -> list[Text]:
    style = _VERDICT_STYLE.get(diagnosis.verdict, "bold")
    before, path = wording.headline_parts(diagnosis)
    before = page.clean(before)
    first = before + page.fit(path, max(page.width - cell_len(before), 20))
    nets = page.clean(f"{wording.side(diagnosis.reference)} | {wording.side(diagnosis.candidate)}")
    gap = page.width - cell_len(first) - cell_len(nets)
    if gap >= 2:
        lines = [Text.assemble((first, style), " " * gap, (nets, "dim"))]
    else:
        lines = [Text(part, style) for part in wrap(first, page.width)] + [Text(page.fit(nets, page.width), "dim")]
    return lines


def _spots(origin: Origin, page: Page) -> list[Text]:
    """Both sides of an origin: path, kind and source line in columns, or below one another where they are long; then
    the code of that line, or of the line next to wrong code between layers."""
    room = page.width - 2 - LABEL
    sides = wording.sides_of(origin)
    columns = [[page.clean(text) for text in _spot_columns(spot, origin, page)] for _, spot in sides]
    path_width, kind_width = (max(cell_len(row[i]) for row in columns) for i in range(2))
    source_room = room - path_width - kind_width - 4
    beside = max(cell_len(_shortest_source(source)) for _, _, source in columns) <= source_room
    lines = []
    for (label, spot), (path, kind, source) in zip(sides, columns, strict=True):
        line = Text.assemble(labelled(label), (page.fit(path, room), "bold cyan" if spot else "dim"))
        if beside and spot:
            line.append(" " * (path_width - cell_len(path) + 2) + cell(kind, kind_width) + "  ")
            line.append(_fit_source(source, source_room, page), "blue")
        line.rstrip()
        lines.append(line)
        indent = " " * (2 + LABEL)
        if spot and not beside:
            short = page.fit(kind, max(room - cell_len(source) - 2, room // 2 - 2))
            line = Text.assemble(indent, short, "  ", (_fit_source(source, room - cell_len(short) - 2, page), "blue"))
            line.rstrip()
            lines.append(line)
        if spot and spot.called_at:
            near = page.fit(f"code around {wording.file_name(spot.called_at)}", room)
            lines.append(Text.assemble(indent, (near, "blue")))
            left = room - cell_len(near) - 2
            if left > 0:
                lines[-1].append("  " + page.fit(spot.called_text or "", left, "head"), "dim")
                lines[-1].rstrip()
        elif spot and spot.text:
            lines.append(Text.assemble(indent, (page.fit(spot.text, room, "head"), "dim")))
    return lines


def _fit_source(source: str, width: int, page: Page) -> str:
    """A source line without as many of its first folders as need be."""
    if cell_len(source) <= width:
        return source
    if source.startswith(wording.CALLED_AT):
        return wording.CALLED_AT + _fit_source(
            source.removeprefix(wording.CALLED_AT), width - len(wording.CALLED_AT), page
        )
    parts = re.split(r"[/\\]", source)
    for start in range(1, len(parts)):
        shorter = f"{page.dots}/{'/'.join(parts[start:])}"
        if cell_len(shorter) <= width:
            return shorter
    return page.fit(source, width, "tail")


def _shortest_source(source: str) -> str:
    """What must be seen of a source line: the file and the line, behind dots where folders are left out."""
    before = wording.CALLED_AT if source.startswith(wording.CALLED_AT) else ""
    file = re.split(r"[/\\]", source.removeprefix(before))[-1]
    return source if before + file == source else f"{before}.../{file}"


def _spot_columns(spot: Spot | None, origin: Origin, page: Page) -> tuple[str, str, str]:
    return *wording.spot_words(spot, origin), page.near(wording.source_of(spot)) if spot else ""


def _numbers(diagnosis: Diagnosis, origin: Origin, page: Page) -> list[Text]:
    lines = []
    for at, said in enumerate(wording.measured(origin)):
        lines += block("" if at else "measured", said, page)
    story = wording.what_happened(diagnosis, origin)
    if story:
        lines += block("", story, page)
    return lines


# ---- the road ------------------------------------------------------------------------------------------------------


def _road(road: Sequence[RoadStep], origin: Origin, page: Page, most: _Most, label: str | None = None) -> list[Text]:
    """The last steps that agree, the origin, how it grows; the bars are logarithmic."""
    if not road:
        return []
    if label is None:
        label = "road back" if origin.phase == "backward" else "the road"
    steps = _shorter(road, most) if label else [step for step in _shorter(road, most) if step is not None]
    number_width, state_width = 9, 11
    beside = page.width >= _ROAD_BESIDE_LABEL
    room = page.width - 2 - (LABEL if beside else 0) - 2 - 2 - number_width - 2 - state_width
    names = ["" if step is None else wording.step_name(step, origin) for step in steps]
    need = max(cell_len(page.clean(name)) for name in names)
    bar_room = 0 if room < 22 else min(max(room - need - 2, room // 4), 24)
    name_width = min(need, room - (bar_room + 2 if bar_room else 0))
    scale = _scale([step.difference for step in steps if step is not None], bar_room)
    lines = [] if beside or not label else [labelled(label)]
    for at, (step, name) in enumerate(zip(steps, names, strict=True)):
        margin = labelled(label if at == 0 else "") if beside else Text("  ")
        if step is None:
            lines.append(Text.assemble(margin, ("  " + page.dots, "dim")))
            continue
        style = _STATE_STYLE.get(step.state, "dim")
        here = step.state == "starts here"
        bar = cell(page.bar * scale(step.difference), bar_room) + "  " if bar_room else ""
        lines.append(
            Text.assemble(
                margin,
                ("> " if here else "  ", style),
                (cell(page.fit(name, name_width), name_width) + "  ", "bold" if here else ""),
                (bar, style),
                f"{_step_number(step.difference):>{number_width}}  ",
                (step.state, style),
            )
        )
    return lines


def _shorter(road: Sequence[RoadStep], most: _Most) -> list[RoadStep | None]:
    """The road around its origin; None stands for steps left out. The last step, the net's output, always stays."""
    start = next((i for i, step in enumerate(road) if step.state == "starts here"), len(road) - 1)
    first = max(start - most.before, 0)
    after = list(road[start + 1 :])
    steps: list[RoadStep | None] = [*([None] if first else []), *road[first : start + 1]]
    if len(after) <= most.after + 1:
        return [*steps, *after]
    return [*steps, *after[: most.after - 1], None, after[-1]]


def _step_number(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    if difference.problem in {"shape", "structure", "nan", "missing"}:
        return "NaN" if difference.problem == "nan" else difference.problem
    return wording.number(difference.relative_l2)


def _scale(differences: Sequence[Difference | None], width: int) -> Callable[[Difference | None], int]:
    """Lengths of bars: logarithms, from the smallest difference or tolerance, one cell, to the largest difference."""
    known = [d for d in differences if d is not None]
    finite = [math.log10(d.size) for d in known if 0 < d.size < math.inf]
    low = min([*finite, *(math.log10(d.tolerance) for d in known if d.tolerance > 0)], default=0.0)
    high = max([*finite, *(0.0 for d in known if math.isinf(d.size))], default=0.0)

    def length(difference: Difference | None) -> int:
        if difference is None or difference.size <= 0 or width <= 0:
            return 0
        if math.isinf(difference.size):
            return width
        share = (math.log10(difference.size) - low) / (high - low) if high > low else 0.0
        return 1 + round(share * (width - 1))

    return length


# ---- causes, other origins, coverage ---------------------------------------------------------------------------------


def _causes(origin: Origin, diagnosis: Diagnosis, page: Page, most: _Most) -> list[Text]:
    if not origin.causes:
        if diagnosis.verdict != "diverged":
            return []
        if origin.place == "file":
            return block("next", wording.RECORD_INSTEAD, page)
        return block("cause", "none that the rules know; compare the code at the two lines above", page)
    lines = []
    causes = wording.causes_to_tell(origin)
    edits = set()
    for cause in causes[: most.causes]:
        sentence = wording.cause_sentence(cause)
        if sentence not in diagnosis.reason:
            lines += block(wording.cause_label(cause, origin), sentence, page, label_style="bold magenta")
        if cause.edit and cause.edit not in edits:
            lines += _edit("next" if origin.place == "input" else "edit", page.near(cause.edit), page)
        edits.add(cause.edit)
    return [*lines, *_left_out(len(causes) - most.causes, page)]


def _edit(label: str, edit: str, page: Page) -> list[Text]:
    """What to write: on one line, or the place, the old code and the new one below each other."""
    style = ("green", "bold green")
    room = page.width - 2 - LABEL
    place, _, change = edit.partition("  ")
    old, arrow, new = change.partition("  ->  ")
    if not arrow or cell_len(page.clean(edit)) <= room:
        return block(label, edit, page, *style)
    lines = [*block(label, place, page, *style), *block("", old, page, style[0])]
    return [*lines, *block(f"{'->':>{LABEL - 2}}", new, page, *style)]


def _left_out(count: int, page: Page) -> list[Text]:
    return block("", f"and {count} more: --json has all", page, style="dim") if count > 0 else []


def _more_origins(diagnosis: Diagnosis, page: Page, most: _Most) -> list[Text]:
    """The other independent origins, those with the same cause together; of some the road, in short."""
    groups = wording.further(diagnosis)
    roads = {id(o): road for o, road in zip(diagnosis.origins[1:], diagnosis.other_roads, strict=False) if road}
    lines: list[Text] = []
    for group in groups[: most.origins]:
        said = few_lines(*wording.also(diagnosis, group), page.width - 2 - LABEL, page)
        lines += [Text.assemble(labelled("" if at or lines else "also"), part) for at, part in enumerate(said)]
        road = roads.get(id(group.origins[0]), ())
        if road and most.roads and not group.like_first:
            most = replace(most, roads=most.roads - 1)
            lines += _road(road, group.origins[0], page, _Most(1, 1, 0, 0, 0), "")
    return [*lines, *_left_out(len(groups) - most.origins, page)]


def _coverage(diagnosis: Diagnosis, page: Page, most: _Most, command: str) -> list[Text]:
    said = wording.coverage(diagnosis)
    lines = paragraph(said, page)
    hint = f"all of them: {command} --every"
    if wording.every_judges_more(diagnosis):
        gap = page.width - 2 - cell_len(said) - cell_len(hint)
        beside = gap >= _APART
        lines = [Text.assemble(f"  {said}{' ' * gap}", (hint, "dim"))] if beside else lines
        lines += [] if beside else paragraph(hint, page, "dim")
    for begin, names in wording.alone(diagnosis.alignment):
        listed = few_lines(begin, names, page.width - 4, page)
        lines += [Text(("    " if at else "  ") + part) for at, part in enumerate(listed)]
    for phase in [] if diagnosis.steps else wording.unjudged_phases(diagnosis.coverage):
        lines += paragraph(phase, page, "yellow")
    lines += unjudged_lines(diagnosis, page)
    notes = step_words.notes_after(diagnosis)
    for note in notes[: most.notes]:
        lines += paragraph(f"note: {note}", page)
    left = len(notes) - most.notes
    if left > 0:
        lines += paragraph(f"and {left} more notes: --json has all", page, "dim")
    return lines


# --------------------------------------------------------------------------------------------------------------------
# The table of every pair
# --------------------------------------------------------------------------------------------------------------------

_ROW_HEAD = {"reference": 14, "candidate": 14, "op": 8, "paired": 12, "rel. L2": 9, "tolerance": 9, "verdict": 11}
"""Columns of the table of every pair, and how narrow each may get."""


def table_lines(rows: Sequence[PairRow], page: Page, *, narrow: bool, files: bool = False) -> Iterator[Text]:
    """Every pair, a line each; the columns are as wide as they need to be, or as a `narrow` page allows. Of files it
    says why they are paired instead of what op it is."""
    cells = [_row_cells(row, page) for row in rows]
    columns = [name for name in _ROW_HEAD if name != ("op" if files else "paired")]
    need = {name: max(cell_len(name), *(cell_len(row[name]) for row in cells)) for name in columns}
    if narrow:
        for name in ("tolerance", "op"):  # what a narrow page does without
            too_wide = sum(min(need[c], max(_ROW_HEAD[c], 24)) + 2 for c in columns) - 2 > page.width
            if too_wide and name in columns:
                columns.remove(name)
        room = page.width - 2 * (len(columns) - 1)
        widths = cut([need[c] for c in columns], room, [_ROW_HEAD[c] for c in columns])
        need = dict(zip(columns, widths, strict=True))
    yield _table_line({name: name for name in columns}, columns, need, page, dict.fromkeys(columns, "bold"))
    phase = ""
    for row, texts in zip(rows, cells, strict=True):
        if row.phase != phase:
            phase = row.phase
            yield Text(phase, "bold")
        yield _table_line(texts, columns, need, page, {"verdict": _STATE_STYLE.get(row.state, "dim")})


def _table_line(
    texts: Mapping[str, str], columns: Sequence[str], widths: Mapping[str, int], page: Page, styles: Mapping[str, str]
) -> Text:
    line = Text()
    for name in columns:
        text = page.fit(texts[name], widths[name])
        padding = " " * (widths[name] - cell_len(text))
        right = name in {"rel. L2", "tolerance"}
        line.append(padding + text if right else text + padding, styles.get(name, ""))
        line.append("  ")
    line.rstrip()
    return line


def _row_cells(row: PairRow, page: Page) -> dict[str, str]:
    return {
        "reference": page.clean(_name_or_nothing(row.reference)),
        "candidate": page.clean(_name_or_nothing(row.candidate)),
        "op": page.clean(row.op or next((spot.kind for spot in (row.reference, row.candidate) if spot), "")),
        "paired": page.clean(wording.paired(row)),
        "rel. L2": _step_number(row.difference),
        "tolerance": wording.number(row.difference.tolerance) if row.difference else "-",
        "verdict": row.state,
    }


def _name_or_nothing(spot: Spot | None) -> str:
    return "-" if spot is None else wording.spot_name(spot)


# --------------------------------------------------------------------------------------------------------------------
# Progress
# --------------------------------------------------------------------------------------------------------------------


@final
class LateProgress:
    """Progress on a terminal for what takes longer than two seconds; silent otherwise.

    Used as a context and called as `progress(what, done, total)`; `total` 0 means that nobody knows. `redirect` False
    leaves `sys.stdout` and `sys.stderr` alone: where code of the user's runs meanwhile, they are the user's.
    """

    def __init__(
        self,
        stream: IO[str] | None = None,
        *,
        color: bool = True,
        quiet: bool = False,
        after: float = 2.0,
        redirect: bool = True,
    ) -> None:
        self._stream = stream or sys.stderr
        self._shown = not quiet and _is_terminal(self._stream)
        self._lock = threading.Lock()
        self._timer = threading.Timer(after, self._start)
        self._timer.daemon = True
        self._state: tuple[str, int, int] = ("working", 0, 0)
        self._color = color
        self._redirect = redirect
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> LateProgress:
        if self._shown:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._shown = False
            if self._bars is not None:
                self._bars.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Say what is being done, how much of it is done and how much there is."""
        with self._lock:
            self._state = (what, done, total)
            if self._bars is not None and self._task is not None:
                self._bars.update(self._task, description=what, completed=done)
                self._bars.tasks[0].total = total or None

    def _start(self) -> None:
        with self._lock:
            if not self._shown:
                return
            what, done, total = self._state
            self._bars = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=_console(self._stream, color=self._color),
                transient=True,
                redirect_stdout=self._redirect,
                redirect_stderr=self._redirect,
            )
            self._task = self._bars.add_task(what, completed=done, total=total or None)
            self._bars.start()


# --------------------------------------------------------------------------------------------------------------------
# One trace
# --------------------------------------------------------------------------------------------------------------------

_STATISTICS = (("mean", "mean"), ("l2", "l2"), ("min", "minimum"), ("max", "maximum"))
_NUMBER = 7


def head_lines(head: Head, page: Page) -> list[Text]:
    """What a trace says of itself."""
    lines = [Text(page.fit(head.title, page.width), "bold")]
    for label, text in head.facts:
        lines += block(label, text, page)
    for warning in head.warnings:
        lines += block("!!", warning, page, "bold red", "bold red")
    return lines


def tree_lines(rows: Iterable[Row], page: Page, *, narrow: bool) -> Iterator[Text]:
    """The layers, a line each; the columns are as wide as they need to be, or as a `narrow` page allows."""
    room = page.width if narrow else None
    listed = list(rows)
    names = [page.clean("  " * row.depth + row.name) for row in listed]
    kinds = [page.clean(row.kind + (f" x{row.calls}" if row.calls > 1 else "")) for row in listed]
    name, kind, output = (
        max([cell_len(header), *map(cell_len, texts)])
        for header, texts in (("layer", names), ("kind", kinds), ("output", [row.output for row in listed]))
    )
    statistics = list(_STATISTICS)
    if room is not None:
        while statistics and min(name, 22) + min(kind, 12) + min(output, 14) > _tree_room(room, statistics):
            statistics = statistics[:-2]
        name, kind, output = cut([name, kind, output], _tree_room(room, statistics), [20, 10, 10])
    head = f"{cell('layer', name)}  {cell('kind', kind)}  {cell('output', output)}"
    yield Text(head + "".join(f" {label:>{_NUMBER}}" for label, _ in statistics) + f" {'ms':>7}", "bold")
    for row, name_text, kind_text in zip(listed, names, kinds, strict=True):
        yield from _tree_row(row, (name_text, kind_text), (name, kind, output), [key for _, key in statistics], page)
    if any(" +" in row.output for row in listed):
        yield Text("+1: the output holds one tensor more", "dim")


def _tree_room(room: int, statistics: Sequence[object]) -> int:
    """What is left of a line for name, kind and output."""
    return room - 2 - 2 - (_NUMBER + 1) * len(statistics) - 8


def _tree_row(
    row: Row, texts: tuple[str, str], widths: tuple[int, int, int], statistics: Sequence[str], page: Page
) -> Iterator[Text]:
    bad = bad_numbers(row)
    line = Text.assemble(
        (cell(page.fit(texts[0], widths[0]), widths[0]), "bold red" if bad else "" if row.calls else "dim"),
        "  ",
        (cell(page.fit(texts[1], widths[1]), widths[1]), "cyan" if row.calls else "dim"),
        "  ",
    )
    if row.calls:
        line.append(cell(page.fit(row.output, widths[2]), widths[2]))
        for key in statistics:
            line.append(f" {wording.compact(getattr(row.statistics, key)) if row.statistics else '':>{_NUMBER}}")
        line.append(f" {wording.compact(1000 * row.seconds) if row.seconds is not None else '':>7}", "dim")
    if row.remark and not row.calls:
        line.append(page.clean(row.remark), "dim")
    line.rstrip()
    yield line
    indent = "  " * (row.depth + 1)
    if bad:
        yield Text(f"{indent}!! {bad} out of {page.clean(row.path)}", "bold red")
    if row.remark and row.calls:
        yield Text(f"{indent}!! {page.clean(row.remark)}", "bold red")
    if row.hidden:
        yield Text(f"{indent}{page.dots} {row.hidden} more below", "dim")


def layer_lines(part: LayerPart, page: Page) -> Iterator[Text]:
    """One layer in full."""
    yield Text.assemble((page.clean(part.path), "bold cyan"), "  ", page.clean(part.kind))
    for label, text in part.facts:
        yield from block(label, page.near(text), page)
    if part.parameters:
        yield Text()
        yield Text("  parameters", "bold")
        yield from _value_lines(part.parameters, page)
    for call in part.calls:
        yield Text()
        yield from (Text(line, "bold") for line in indented(call.title, page, "  "))
        if call.source:
            yield Text(
                page.fit(
                    f"    at {page.near(str(call.source))}   {call.source.text or ''}".rstrip(), page.width, "head"
                ),
                "blue",
            )
        yield from _value_lines(call.values, page)


def _value_lines(values: Sequence[ValueLine], page: Page) -> Iterator[Text]:
    """Two columns, then the statistics: on the same line where they fit, else below."""
    if not values:
        return
    labels = [page.clean(value.label) for value in values]
    label_width = min(max(map(cell_len, labels)), max(page.width // 3, 12))
    type_width = max(cell_len(page.clean(value.type)) for value in values)
    for value, label in zip(values, labels, strict=True):
        statistics, bad = statistics_words(value.statistics), bad_of(value.statistics)
        line = Text("    " + cell(page.fit(label, label_width), label_width) + "  ")
        line.append(cell(page.clean(value.type), type_width))
        fits = 4 + label_width + 2 + type_width + 2 + cell_len(statistics) <= page.width
        if statistics and fits:
            line.append("  " + statistics, "dim")
        line.rstrip()
        yield line
        indent = " " * (4 + label_width + 2)
        if statistics and not fits:
            yield Text(page.fit(indent + statistics, page.width, "head"), "dim")
        if bad:
            yield Text(f"{indent}!! {bad}", "bold red")
        if value.remark:
            yield from (Text(text, "dim") for text in indented(value.remark, page, indent))
