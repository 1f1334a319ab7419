"""What `tracer.find_nan` gives back: where NaN and Inf were born in one trace, to read, print and keep."""

from __future__ import annotations

import dataclasses
import os
import textwrap
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

from tracer.divergence.births import Birth, Fate, Mask, NotFinite
from tracer.divergence.births import words as born_words
from tracer.reports import contract
from tracer.reports.report import saved
from tracer.trace.schema import Header

Json = dict[str, Any]

FORMAT = "tracer-nan"
VERSION = 1

_SHOWN = 8
_GIVEN = 6
_LABEL = 10


class NanReport:
    """Where the first NaN and Inf of a trace were born, from what, and what became of them.

    True where any was. `repr` is the report in 80 columns; a notebook shows the same.
    """

    def __init__(self, found: NotFinite, header: Header, file: str) -> None:
        self.found = found
        self.file = file
        self.net = f"{header.framework} {header.framework_version}   {header.net}"

    @property
    def births(self) -> tuple[Birth, ...]:
        """Each value that is not finite where all that it was made of was; the first is first."""
        return self.found.births

    @property
    def masks(self) -> tuple[Mask, ...]:
        """Infinities that are masks and no fault."""
        return self.found.masks

    @property
    def fates(self) -> tuple[Fate, ...]:
        """Training steps that were skipped for it, or whose parameters it poisoned."""
        return self.found.fates

    @property
    def exit_code(self) -> int:
        """0 nothing was born, 1 something was: what `tracer show --nan` returns."""
        return 1 if self.found else 0

    @property
    def summary(self) -> str:
        """All of it in one line."""
        if not self.found:
            return "no NaN or Inf was born" + (", masks apart" if self.masks else "")
        if not self.births:
            return self.fates[0].sentence
        first = self.births[0]
        more = f", and {len(self.births) - 1} more" if len(self.births) > 1 else ""
        return f"{born_words.kind_of(first)} is born {born_words.place(first)}{more}"

    def to_text(self, *, width: int = 80) -> str:
        """The report as text, at most `width` columns wide."""
        return "\n".join(_lines(self, width))

    def to_dict(self) -> Json:
        """The report as plain Python values, all of them finite."""
        document: Json = {
            "format": FORMAT,
            "version": VERSION,
            "file": self.file,
            "net": self.net,
            "summary": self.summary,
            "births": [contract.birth(one) for one in self.births],
            "masks": [dataclasses.asdict(one) for one in self.masks],
            "steps": [dataclasses.asdict(one) for one in self.fates],
        }
        finite: Json = contract.finite(document)
        return finite

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json or .txt file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        return saved(path, "the report", {".json": self.to_json, ".txt": lambda: f"{self.to_text()}\n"})

    def __bool__(self) -> bool:
        return bool(self.found)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def _lines(report: NanReport, width: int) -> Iterator[str]:
    yield from _wrapped(report.summary[:1].upper() + report.summary[1:], "", width)
    yield from _wrapped(f"{report.file}   {report.net}", "  ", width)
    for birth in report.births[:_SHOWN]:
        yield ""
        yield from _birth_lines(birth, width)
    if len(report.births) > _SHOWN:
        yield ""
        yield f"  and {len(report.births) - _SHOWN} more: see --json, or .births"
    if report.fates:
        yield ""
    for fate in report.fates[:_SHOWN]:
        yield from _labelled(f"step {fate.step}", fate.sentence, width)
    if len(report.fates) > _SHOWN:
        yield f"  and {len(report.fates) - _SHOWN} more steps: see --json, or .fates"
    masks = list(dict.fromkeys(born_words.mask(one) for one in report.masks))
    if masks:
        yield ""
    for said in masks[:3]:
        yield from _labelled("mask", said, width)
    if len(masks) > 3:
        yield from _labelled("", f"and {len(masks) - 3} more masks", width)


def _birth_lines(birth: Birth, width: int) -> Iterator[str]:
    step = f"step {birth.step}, " if birth.step else ""
    seen = "born" if birth.sure else "first seen"
    yield from _labelled(seen, f"{step}{birth.phase}, {born_words.place(birth)}", width)
    if birth.source:
        yield from _labelled("", f"{birth.source}" + (f"   {birth.text}" if birth.text else ""), width)
    yield from _labelled("", born_words.value(birth), width)
    given = list(birth.given)
    for n, one in enumerate(given[:_GIVEN]):
        yield from _labelled("" if n else "made of", born_words.given(one), width)
    if len(given) > _GIVEN:
        yield from _labelled("", f"and {len(given) - _GIVEN} more, all finite", width)
    yield from _labelled("became", "; ".join(born_words.became(birth)), width)
    for n, hint in enumerate(birth.hints):
        yield from _labelled("" if n else "why", hint, width)


def _labelled(label: str, text: str, width: int) -> Iterable[str]:
    return _wrapped(text, f"  {label:<{_LABEL}} ", width, " " * (_LABEL + 3))


def _wrapped(text: str, indent: str, width: int, more: str | None = None) -> list[str]:
    clean = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    lines = textwrap.wrap(
        clean, width, initial_indent=indent, subsequent_indent=indent if more is None else more, break_on_hyphens=False
    )
    return lines or [indent.rstrip()]
