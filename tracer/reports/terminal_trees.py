"""Two trees side by side in a terminal: the reference left, the candidate right."""

from __future__ import annotations

from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from tracer.reports import tree_words as words
from tracer.reports.terminal_page import PLAIN_WIDTH, Page, to_string
from tracer.starting_point.trees.folding import Line, folded
from tracer.starting_point.trees.rows import Part, Trees

_STYLES = {"!": "bold red", "<": "bold red", ">": "bold red", "-": "dim", "+": "cyan", "?": "yellow", "": ""}
_BETWEEN = " | "
_WIDEST = 66
"""Columns of a side beyond which nothing is gained."""


def trees_text(
    trees: Trees,
    *,
    width: int = PLAIN_WIDTH,
    encoding: str = "utf-8",
    depth: int | None = None,
    every: bool = False,
) -> str:
    """What `tracer structure` prints, as plain text."""
    return to_string(trees_lines(trees, Page(width, encoding, str(Path.cwd())), depth=depth, every=every))


def trees_lines(trees: Trees, page: Page, *, depth: int | None = None, every: bool = False) -> list[Text]:
    """Both trees, what differs below each line that it concerns, and the summary last."""
    lines = folded(trees, depth=depth, every=every)
    halves = _halves(lines, trees, page)
    out: list[Text | str] = [*_titles(trees, page, halves), Text()]
    used: set[str] = set()
    said: set[tuple[str, str]] = set()
    for line in lines:
        out += [_line(line, page, halves), *_said(line, page, said)]
        used.add(words.mark(line.row))
    out += ["", *_legend(used, page), *_summary(trees, page)]
    return [Text(line) if isinstance(line, str) else line for line in out]


# --------------------------------------------------------------------------------------------------------------------
# Lines
# --------------------------------------------------------------------------------------------------------------------


def _halves(lines: tuple[Line, ...], trees: Trees, page: Page) -> tuple[int, int]:
    """The widths of both columns: what they need, and where that is too much, room for both alike."""
    room = page.width - 2 - len(_BETWEEN)
    need = []
    for side in ("reference", "candidate"):
        said = [*words.side(getattr(trees, side)), *(_half(line, side) for line in lines)]
        need.append(min(max(map(cell_len, said)), _WIDEST))
    if sum(need) <= room:
        return need[0], need[1]
    left = min(need[0], max(room - need[1], room // 2))
    return left, room - left


def _half(line: Line, side: str) -> str:
    """One side of a line; where the side has no such layer, what is said of that."""
    indent = "  " * line.depth
    part: Part | None = getattr(line.row, side)
    if part is None:
        return f"{indent}({line.row.note})" if line.row.note else ""
    more = words.inside_words(line)
    many, _, closed = more.partition(" ") if more.startswith("x") else ("", "", more)
    head = " ".join(word for word in (words.label(line, side), many) if word)
    said = words.layer_words(part, [d.name for d in line.row.differences])
    return indent + "  ".join(word for word in (head, said, closed) if word)


def _line(line: Line, page: Page, halves: tuple[int, int]) -> Text:
    row, mark = line.row, words.mark(line.row)
    style = "red" if mark in {"!", "<", ">"} else "" if row.paired or mark == "+" else "dim"
    left, right = (
        page.fit(_half(line, side), width, "head")
        for side, width in zip(("reference", "candidate"), halves, strict=True)
    )
    gap = " " * (halves[0] - cell_len(left))
    text = Text.assemble((f"{mark:<2}", _STYLES[mark]), (left, style), gap, (_BETWEEN, "dim"), (right, style))
    text.rstrip()
    return text


def _said(line: Line, page: Page, known: set[tuple[str, str]]) -> list[Text]:
    """What differs, and the call to write; in short where a layer above differs alike."""
    row = line.row
    indent = "  " + "  " * (line.depth + 1)
    out = []
    if row.paired and row.note:
        out += _once([row.note], "note", known, indent, "yellow", page)
    sentences = [d.sentence for d in row.differences]
    at = page.near(row.candidate.source) if row.candidate and row.candidate.source else ""
    edits = list(dict.fromkeys(d.edit for d in row.differences if d.edit))
    if sentences and all(("difference", sentence) in known for sentence in sentences):
        short = f"{', '.join(dict.fromkeys(d.name for d in row.differences))} as above"
        return [*out, *_wrapped(f"{short}   {at}" if edits and at else short, indent, "red", page)]
    out += _once(sentences, "difference", known, indent, "red", page)
    for edit in edits:
        out += _wrapped(f"write {edit}   {at}".rstrip(), indent, "green", page)
    return out


def _once(
    sentences: list[str], what: str, known: set[tuple[str, str]], indent: str, style: str, page: Page
) -> list[Text]:
    """Sentences, notes only where they were not said yet."""
    out: list[Text] = []
    for sentence in sentences:
        if what != "note" or (what, sentence) not in known:
            out += _wrapped(sentence, indent, style, page)
        known.add((what, sentence))
    return out


def _wrapped(text: str, indent: str, style: str, page: Page) -> list[Text]:
    from textwrap import wrap

    lines = wrap(page.clean(text), max(page.width - len(indent) - 2, 20), break_on_hyphens=False) or [""]
    return [Text.assemble(indent, "  " if n else "", (line, style)) for n, line in enumerate(lines)]


# --------------------------------------------------------------------------------------------------------------------
# Around them
# --------------------------------------------------------------------------------------------------------------------


def _titles(trees: Trees, page: Page, halves: tuple[int, int]) -> list[Text]:
    """What both sides are, in as many lines as it takes."""
    out = []
    for names in zip(words.side(trees.reference), words.side(trees.candidate), strict=True):
        if any(names):
            left, right = (page.fit(name, width) for name, width in zip(names, halves, strict=True))
            gap = " " * (halves[0] - cell_len(left))
            out.append(Text.assemble("  ", (left, "bold"), gap, (_BETWEEN, "dim"), (right, "bold")))
    return out


def _legend(used: set[str], page: Page) -> list[Text]:
    """The signs that were used, in words."""
    said = [f"{sign} {words.LEGEND[sign]}" for sign in words.LEGEND if sign in used]
    return [*_wrapped("   ".join(said), "", "dim", page), Text()] if said else []


def _summary(trees: Trees, page: Page) -> list[Text]:
    style = {"same": "bold green", "differ": "bold red"}.get(trees.verdict, "bold yellow")
    first, second = words.summary_parts(trees)
    if cell_len(first) + 3 + cell_len(second) <= page.width:
        lines = [Text.assemble((first, style), "   ", second)]
    else:
        lines = [*_wrapped(first, "", style, page), Text(second)]
    for said in words.asides(trees):
        lines += _wrapped(said, "", "dim", page)
    return lines
