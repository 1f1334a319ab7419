"""How wide the output is and what it can show, and the lines that every page in a terminal is laid out of."""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size
from rich.text import Text

PLAIN_WIDTH = 80
"""Columns where nobody says how wide the output is."""

LABEL = 11
"""Columns of what stands before a paragraph."""

_INSTALLED = re.compile(r"\S*[/\\]site-packages[/\\]")


@dataclass(frozen=True)
class Page:
    """What the output can show: how many columns, and whether more than ASCII."""

    width: int = PLAIN_WIDTH
    encoding: str = "utf-8"
    folder: str = ""
    """Source files below this folder are shown relative to it."""

    @property
    def unicode(self) -> bool:
        """Can it show the bars and dots used here?"""
        try:
            "█…".encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    @property
    def bar(self) -> str:
        """What bars are made of."""
        return "█" if self.unicode else "#"

    @property
    def dots(self) -> str:
        """What stands for letters left out."""
        return "…" if self.unicode else "..."

    def clean(self, text: str) -> str:
        """Text of a user's net made fit to print: no control characters, nothing that the encoding lacks."""
        safe = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        try:
            return safe.encode(self.encoding, "backslashreplace").decode(self.encoding)
        except LookupError:
            return safe.encode("ascii", "backslashreplace").decode()

    def fit(self, text: str, width: int, keep: Literal["ends", "tail", "head"] = "ends") -> str:
        """The text in at most `width` cells; what is too much is left out, of "ends" in the middle."""
        text = self.clean(text)
        if cell_len(text) <= width:
            return text
        room = max(width - len(self.dots), 0)
        if room == 0:
            return set_cell_size(text, max(width, 0))
        tail = {"ends": room - room // 3, "tail": room, "head": 0}[keep]
        head = set_cell_size(text, room - tail).rstrip(" ") if room > tail else ""
        return head + self.dots + _last_cells(text, tail)

    def near(self, text: str | None) -> str:
        """Text with source files named as one names them from here; those of an installed package by the package."""
        text = _INSTALLED.sub("", text or "")
        return text.replace(self.folder + os.sep, "") if self.folder not in {"", os.sep} else text


def _last_cells(text: str, width: int) -> str:
    start = len(text)
    used = 0
    while start and used + cell_len(text[start - 1]) <= width:
        start -= 1
        used += cell_len(text[start])
    return text[start:]


def to_string(lines: Iterable[Text]) -> str:
    """The lines without colour, no line break at the end."""
    return "\n".join(line.plain.rstrip() for line in lines)


def labelled(label: str, style: str = "") -> Text:
    """What stands before a paragraph, in its column."""
    return Text(f"  {label:<{LABEL}}", style or "bold")


def block(label: str, text: str, page: Page, style: str = "", label_style: str = "") -> list[Text]:
    """A labelled paragraph."""
    wrapped = wrap(page.clean(text), page.width - 2 - LABEL)
    first = Text.assemble(labelled(label, label_style), (wrapped[0], style))
    return [first, *(Text.assemble(" " * (2 + LABEL), (more, style)) for more in wrapped[1:])]


def wrap(text: str, width: int) -> list[str]:
    """A text in lines of at most so many letters."""
    return textwrap.wrap(text, max(width, 20), break_on_hyphens=False) or [""]


def cell(text: str, width: int) -> str:
    """The text, filled up to so many cells."""
    return text + " " * max(width - cell_len(text), 0)


def few_lines(begin: str, names: Sequence[str], room: int, page: Page) -> list[str]:
    """A sentence in three lines, or two with as many names as these hold and how many more there are."""
    most = 2 if names else 3
    shown = [page.fit(name, room - 14) for name in names]
    lines: list[str] = []
    for count in range(len(shown), min(len(shown), 1) - 1, -1):
        more = f" and {len(shown) - count} more" if count < len(shown) else ""
        lines = wrap(page.clean(begin + ", ".join(shown[:count]) + more), room)
        if len(lines) <= most:
            return lines
    return [*lines[: most - 1], page.fit(" ".join(lines[most - 1 :]), room, "ends" if names else "head")]


def paragraph(text: str, page: Page, style: str = "") -> list[Text]:
    """Lines of which all but the first are indented."""
    wrapped = wrap(page.clean(text), page.width - 4)
    return [Text(("  " if at == 0 else "    ") + part, style) for at, part in enumerate(wrapped)]


def cut(needs: Sequence[int], room: int, least: Sequence[int]) -> list[int]:
    """Widths that fit: the widest column gives first, and none below its least while another can give."""
    widths = list(needs)
    while sum(widths) > room and any(width > 4 for width in widths):
        giving = [i for i, width in enumerate(widths) if width > least[i]] or [
            i for i, width in enumerate(widths) if width > 4
        ]
        widths[max(giving, key=lambda i: widths[i] - least[i])] -= 1
    return widths


def indented(text: str, page: Page, indent: str) -> list[str]:
    """A text in lines that all begin with the indent."""
    return [indent + part for part in wrap(page.clean(text), page.width - len(indent))]
