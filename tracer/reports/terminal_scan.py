"""A scan in a terminal: what it comes to, the lines that would go wrong silently, a table for each file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from tracer.reports import facts_words
from tracer.reports import scan_words as words
from tracer.reports.terminal_page import PLAIN_WIDTH, Page, cell, indented, to_string, wrap
from tracer.source.facts.table import Facts
from tracer.source.rewriting.suggestion import STATUSES, Status
from tracer.source.scanned import Finding, Scan

_STYLE: dict[Status, str] = {
    "same": "green",
    "renamed": "",
    "differs": "yellow",
    "by_hand": "red",
    "unknown": "magenta",
}
_MOST_SILENT = 20
"""Groups that go wrong silently beyond which each name is told of once."""
_FEW_SILENT = 12
"""Groups beyond which the largest is the first."""
_MOST_FILES = 6
"""Files beyond which each has a line only."""
_MOST_LINES = 60
"""Files that have a line."""
_MOST_UNREAD = 20
_LINES = 4
"""Places of a group that are told."""
_EACH = 3
"""Calls of a group that are written out."""
_STATUS = 8


def scan_text(
    scan: Scan, shown: Sequence[Finding], *, width: int = PLAIN_WIDTH, encoding: str = "utf-8", every: bool = False
) -> str:
    """What `tracer scan` prints, as plain text."""
    return to_string(scan_lines(scan, shown, Page(width, encoding, str(Path.cwd())), every=every))


def scan_lines(scan: Scan, shown: Sequence[Finding], page: Page, *, every: bool = False) -> list[Text]:
    """The summary, what was not read, what goes wrong silently, and the files."""
    out = [*_summary(scan, shown, page), *_unread(scan, page, every=every)]
    out += _silent([finding for finding in shown if finding.silent], page, every=every)
    files = [(file, list(found)) for file, found in groupby(shown, key=lambda finding: finding.file)]
    if len(files) > _MOST_FILES and not every:
        out += _file_table(files, page)
    else:
        for file, found in files:
            out += _file(file, found, page, every=every)
    for number, note in enumerate(words.notes(scan)):
        out += [*([] if number else [Text()]), *_lines(note, page, "", "dim")]
    return out


def _lines(text: str, page: Page, indent: str, style: str = "") -> list[Text]:
    return [Text(line, style) for line in indented(text, page, indent)]


def _summary(scan: Scan, shown: Sequence[Finding], page: Page) -> list[Text]:
    style = {0: "bold green", 1: "bold yellow", 2: "bold red"}[1 if scan.silent else scan.exit_code]
    out = _lines(words.headline(scan), page, "", style)
    if scan.findings:
        out += _lines(words.counted(scan.counts), page, "  ")
        untold = scan.silent and not any(finding.silent for finding in shown)
        out += _lines(words.silently(scan), page, "  ", "bold red") if untold else []
        out += _lines(words.listed(scan, shown), page, "  ", "dim") if words.listed(scan, shown) else []
    return out


def _unread(scan: Scan, page: Page, *, every: bool) -> list[Text]:
    if not scan.unread:
        return []
    out = [Text(), Text(f"{words.many(len(scan.unread), 'place')} could not be read", "bold red")]
    for one in scan.unread if every else scan.unread[:_MOST_UNREAD]:
        where, why = words.unread(one)
        out += [*_lines(page.near(where), page, "  "), *_lines(why, page, "    ", "dim")]
    left = 0 if every else len(scan.unread) - _MOST_UNREAD
    return [*out, *([Text(f"  and {left} more; --all shows them", "dim")] if left > 0 else [])]


# --------------------------------------------------------------------------------------------------------------------
# Silently
# --------------------------------------------------------------------------------------------------------------------


def _silent(silent: Sequence[Finding], page: Page, *, every: bool) -> list[Text]:
    """The old call and the one to write, as a patch shows them, and why."""
    if not silent:
        return []
    many = words.many(len(silent), "use")
    title = f"{many} would run, and compute something else, if only the name were changed"
    out = [Text(), *_lines(title, page, "", "bold red")]
    groups = words.groups(silent)
    coarse = len(groups) > _MOST_SILENT and not every
    if coarse:
        groups = words.groups(silent, coarse=True)
    if len(groups) > _FEW_SILENT:
        groups.sort(key=lambda group: -len(group.findings))
    for group in groups[:_MOST_SILENT] if coarse else groups:
        if coarse:
            out.append(Text(f"  {group.first.torch} x{len(group.findings):,}", "bold"))
            out += _lines(page.near(words.places(group, 2)), page, "    ", "dim")
        else:
            out += _lines(page.near(words.places(group, 10**6 if every else _LINES)), page, "  ", "bold")
        each = words.alike(group)
        for one in each if every else each[: 2 if coarse else _EACH]:
            out += _patch(one.first, page)
        for sentence in words.sentences(group.first):
            out += _lines(sentence, page, "    ", "dim")
    left = groups[_MOST_SILENT:] if coarse else []
    if left:
        names = [f"{group.first.torch} x{len(group.findings):,}" for group in left]
        out += [Text("  and", "bold"), *(Text(f"    {line}") for line in _packed(names, page.width - 4))]
    return out


def _patch(finding: Finding, page: Page) -> list[Text]:
    out = [Text.assemble(("  - ", "red"), (page.fit(words.text(finding), page.width - 4, "head"), "red"))]
    if finding.write is None:
        return out + _lines(f"by hand; {words.counterpart(finding)}", page, "    ", "yellow")
    wrapped = _code(words.written(finding), page, page.width - 4)
    return out + [
        Text.assemble(("  + " if n == 0 else "    ", "green"), (line, "green")) for n, line in enumerate(wrapped)
    ]


def _code(text: str, page: Page, room: int) -> list[str]:
    """Code to be copied: nothing is left out, and lines break where Python lets them within brackets."""
    lines = [""]
    for piece in re.split(r"(?<=[ (\[{,])", page.clean(text)):
        if lines[-1] and cell_len(lines[-1] + piece.rstrip()) > room:
            lines.append("")
        lines[-1] += piece
    cut = [part for line in lines for part in (wrap(line, room) if cell_len(line.rstrip()) > room else [line])]
    return [line.rstrip() for line in cut]


# --------------------------------------------------------------------------------------------------------------------
# Files
# --------------------------------------------------------------------------------------------------------------------


def _file(file: str, findings: Sequence[Finding], page: Page, *, every: bool) -> list[Text]:
    """The uses of one file: those to be changed with what to write, the others by their names."""
    counts = Counter(finding.status for finding in findings)
    head = f"{words.many(len(findings), 'use')}: {words.counted({s: counts[s] for s in STATUSES})}"
    name = page.fit(page.near(file), page.width, "tail")
    beside = cell_len(name) + 2 + len(head) <= page.width
    out = [Text(), Text.assemble((name, "bold"), f"  {head}" if beside else "")]
    out += [] if beside else _lines(head, page, "  ")
    plain = [] if every else [finding for finding in findings if words.is_plain(finding)]
    left = findings if every else [finding for finding in findings if not words.is_plain(finding)]
    groups = [words.Group((finding,)) for finding in left] if every else words.groups(left)
    told = [one for group in groups for one in words.alike(group)[:_EACH]]
    wide = min(max((len(_where(one, every)) for one in told), default=0), page.width // 3)
    for group in groups:
        out += _group(group, page, wide, every=every)
    if plain:
        label = f"  {'same':<{_STATUS}} "
        packed = _packed([page.clean(name) for name in words.names(plain)], page.width - len(label))
        out += [Text.assemble((label if n == 0 else " " * len(label), "green"), line) for n, line in enumerate(packed)]
    return out


def _packed(items: Sequence[str], room: int) -> list[str]:
    """Items with commas between them, in lines that break between two of them."""
    lines = [""]
    for number, item in enumerate(items):
        said = item if number == len(items) - 1 else f"{item},"
        if lines[-1] and cell_len(lines[-1]) + 1 + cell_len(said) > room:
            lines.append("")
        lines[-1] += f" {said}" if lines[-1] else said
    return lines


def _where(group: words.Group, every: bool) -> str:
    return words.lines(group, 10**6 if every else _LINES) + ("" if all(f.sure for f in group.findings) else " ~")


def _group(group: words.Group, page: Page, wide: int, *, every: bool) -> list[Text]:
    """Status, lines and the use, below it what to write, and why where that was not said above."""
    first, each = group.first, words.alike(group)
    style = "bold red" if first.silent else _STYLE[first.status]
    label = f"{'!' if first.silent else ' '} {words.STATUS_WORDS[first.status]:<{_STATUS}} "
    indent = " " * len(label)
    out: list[Text] = []
    for number, one in enumerate(each[:_EACH]):
        head = Text.assemble((label if number == 0 else indent, style), cell(_where(one, every), wide), "  ")
        out += _used(head, one.first, page, indent)
        if one.first.write is not None:
            out += _arrow(words.counterpart(one.first), page, indent, "green")
    left = [finding for one in each[_EACH:] for finding in one.findings]
    if left:
        where = words.lines(words.Group(tuple(left)), _LINES)
        out += _lines(f"{len(left):,} more like these: {where}", page, indent, "dim")
    if first.status == "by_hand":
        out += _arrow(words.counterpart(first), page, indent, "red")
    if not first.silent:
        for sentence in words.sentences(first) if first.status != "renamed" else filter(None, [first.advice]):
            out += _lines(sentence, page, indent + "   ", "dim")
    return out


def _used(head: Text, finding: Finding, page: Page, indent: str) -> list[Text]:
    """A use behind its lines, or below them where it has no room beside."""
    used = words.text(finding)
    if len(head) + cell_len(used) <= page.width or len(head) < page.width // 2:
        head.append(_shortened(finding, page, page.width - len(head)))
        return [head]
    return [head, Text(indent + _shortened(finding, page, page.width - len(indent)))]


def _shortened(finding: Finding, page: Page, room: int) -> str:
    """A use in so many columns; of a method the tensor gives way to what is called."""
    used = words.text(finding)
    if finding.sort == "method" and cell_len(used) > room:
        call = words.call_alone(finding)
        if call:
            return page.fit(page.dots + call, room, "head")
    return page.fit(used, room, "head")


def _arrow(said: str, page: Page, indent: str, color: str) -> list[Text]:
    """What to write, or what is nearest."""
    arrow = "-> "
    wrapped = _code(said, page, page.width - len(indent) - len(arrow))
    return [Text.assemble(indent, (arrow if n == 0 else "   ", "dim"), (line, color)) for n, line in enumerate(wrapped)]


def _file_table(files: Sequence[tuple[str, list[Finding]]], page: Page) -> list[Text]:
    """A line for each file: how many uses have each status; those with most to look at first."""
    heads = [*(words.STATUS_WORDS[status] for status in STATUSES), "silent"]
    columns = [max(len(head), 5) + 2 for head in heads]
    room = page.width - sum(columns)
    out = [
        Text(),
        Text.assemble(
            (cell("file", room), "bold"), ("".join(f"{h:>{w}}" for h, w in zip(heads, columns, strict=True)), "bold")
        ),
    ]
    ordered = sorted(files, key=lambda one: -sum(f.silent or f.status in ("by_hand", "unknown") for f in one[1]))
    for file, found in ordered[:_MOST_LINES]:
        counts = Counter(finding.status for finding in found)
        numbers = [*(counts[status] for status in STATUSES), sum(finding.silent for finding in found)]
        said = "".join(f"{number or '-':>{width}}" for number, width in zip(numbers, columns, strict=True))
        out.append(Text(cell(page.fit(page.near(file), room - 1, "tail"), room) + said))
    left = len(ordered) - _MOST_LINES
    out += [Text(f"and {left:,} more files, with less to do", "dim")] if left > 0 else []
    return [*out, Text(), *_lines("each use: tracer scan FILE, --all for every file, --csv or --html", page, "", "dim")]


# --------------------------------------------------------------------------------------------------------------------
# What is known
# --------------------------------------------------------------------------------------------------------------------


def facts_lines(page: Page) -> list[Text]:
    """What is known of torch's names, and how it was proven."""
    out = [Text(facts_words.versions(), "bold"), Text()]
    for number, what in facts_words.known(Facts.load()):
        out += _hanging(Text(f"{number:>8,}  "), what, page)
    out += [Text(), *_lines(facts_words.tried(), page, "", "bold"), Text(f"{'':10}{'mindspore':>11}{'mint':>8}", "dim")]
    for state, classic, mint, what in facts_words.states():
        out += _hanging(Text(f"  {state:<10}{classic:>9,}{mint:>8,}  "), what, page)
    unequal = facts_words.unequal()
    if unequal:
        packed = _packed([page.clean(name) for name in unequal], page.width - 2)
        out += [Text(), Text("unequal", "bold red"), *(Text(f"  {line}") for line in packed)]
    return out


def _hanging(head: Text, said: str, page: Page) -> list[Text]:
    """A sentence behind a head; its further lines begin where the first does."""
    wrapped = wrap(said, page.width - len(head))
    return [Text.assemble(head if n == 0 else " " * len(head), line) for n, line in enumerate(wrapped)]
