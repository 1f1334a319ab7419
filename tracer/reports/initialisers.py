"""What `tracer.compare_init` gives back: are two nets initialised alike, and where not."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any, Literal

from tracer.errors import TracerError
from tracer.reports import contract
from tracer.reports.report import EXIT_CODES, write_whole
from tracer.starting_point.initialisers import Drawn, InitComparison, InitRow

_FEW = 0.1
"""A row says that only larger differences would show where they are larger than this."""

_SHOWN = 12
_WIDTH = 80


class InitReport:
    """How the parameters of two nets are initialised, row by row.

    `repr` is the report as text of at most 80 columns; a notebook shows it as HTML.
    """

    def __init__(self, comparison: InitComparison) -> None:
        self.comparison = comparison

    @property
    def rows(self) -> tuple[InitRow, ...]:
        """Every pair of parameters, in the candidate's order."""
        return self.comparison.rows

    @property
    def differs(self) -> tuple[InitRow, ...]:
        """Pairs that are drawn from different distributions."""
        return self.comparison.differs

    @property
    def verdict(self) -> Literal["agree", "diverged", "unsure"]:
        """The verdict: "diverged" where a pair differs, "unsure" where not all could be compared, else "agree"."""
        found = self.comparison
        if found.differs:
            return "diverged"
        lacking = found.alone_reference or found.alone_candidate or not found.rows
        return "unsure" if lacking or any(row.verdict == "unsure" for row in found.rows) else "agree"

    @property
    def exit_code(self) -> int:
        """0 initialised alike, 1 not alike, 2 could not tell."""
        return EXIT_CODES[self.verdict]

    @property
    def reason(self) -> str:
        """The verdict in one sentence."""
        found = self.comparison
        count, of = len(found.differs), len(found.rows)
        if count:
            return f"{count} of {of} parameters {'is' if count == 1 else 'are'} initialised in another way"
        if not found.rows:
            return "no parameter of one net has a partner in the other"
        if self.verdict == "unsure":
            return f"no difference was found among {of} pairs of parameters, and not all could be compared"
        return f"all {of} pairs of parameters are initialised alike"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python values, all of them finite."""
        found = self.comparison
        document: dict[str, Any] = contract.finite(
            {
                "format": "tracer initialisers",
                "version": 1,
                "verdict": self.verdict,
                "reason": self.reason,
                "exit_code": self.exit_code,
                "reference": {"net": found.reference, "framework": found.frameworks[0]},
                "candidate": {"net": found.candidate, "framework": found.frameworks[1]},
                "seeds": found.seeds,
                "rows": [_row(row) for row in found.rows],
                "alone": {"reference": list(found.alone_reference), "candidate": list(found.alone_candidate)},
                "notes": list(found.notes),
            }
        )
        return document

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() != ".json":
            raise TracerError("this report is saved as .json", where=str(path), then="use a name that ends in .json")
        write_whole(path, self.to_json())
        return path

    def __repr__(self) -> str:
        return "\n".join(_lines(self))

    def _repr_html_(self) -> str:
        return _html(self)


def _row(row: InitRow) -> dict[str, Any]:
    return {
        "verdict": row.verdict,
        "sentence": row.sentence,
        "edit": row.edit,
        "apart": row.apart,
        "p": row.p,
        "finest": row.finest,
        "reference": _drawn(row.reference),
        "candidate": _drawn(row.candidate),
    }


def _drawn(side: Drawn) -> dict[str, Any]:
    return {
        "keys": list(side.keys),
        "kind": side.kind,
        "law": side.law.name,
        "numbers": list(side.law.numbers),
        "shape": list(side.shape),
        "count": side.count,
        "mean": side.mean,
        "std": side.std,
        "minimum": side.minimum,
        "maximum": side.maximum,
        "quantiles": list(side.quantiles),
    }


# --------------------------------------------------------------------------------------------------------------------
# Text and HTML
# --------------------------------------------------------------------------------------------------------------------


def _groups(rows: Sequence[InitRow]) -> list[list[InitRow]]:
    """Rows that say the same of the same classes, together: twelve blocks have one mistake, not twelve. What the width
    owes to a shape is not said of the others."""
    found: dict[tuple[str, ...], list[InitRow]] = {}
    for row in rows:
        last = row.candidate.keys[0].rpartition(".")[2]
        laws = (row.reference.law.kind, row.candidate.law.kind)
        found.setdefault((row.reference.kind, row.candidate.kind, last, *laws), []).append(row)
    return list(found.values())


def _names(rows: Sequence[InitRow]) -> str:
    first = rows[0]
    same = first.reference.keys == first.candidate.keys
    name = first.candidate.name if same else f"{first.reference.name} | {first.candidate.name}"
    return name if len(rows) == 1 else f"{name} and {len(rows) - 1} more"


def _kinds(row: InitRow) -> str:
    kinds = dict.fromkeys([row.reference.kind, row.candidate.kind])
    return " | ".join(kinds)


def _lines(report: InitReport) -> Iterator[str]:
    found = report.comparison
    yield from _wrapped(report.reason, "")
    yield f"  {found.reference} | {found.candidate}, {found.seeds} seeds each"
    groups = _groups(report.differs)
    for rows in groups[:_SHOWN]:
        yield ""
        yield from _wrapped(f"{_names(rows)}   {_kinds(rows[0])}", "  ")
        yield from _wrapped(rows[0].sentence, "    ")
        if rows[0].edit:
            yield from _wrapped(f"edit  {rows[0].edit}", "    ", "          ")
    if len(groups) > _SHOWN:
        yield ""
        yield f"  and {len(groups) - _SHOWN} more kinds of difference: see .differs"
    rest = list(_rest(report))
    if rest:
        yield ""
    for sentence in rest:
        yield from _wrapped(sentence, "  ", "    ")


def _rest(report: InitReport) -> Iterator[str]:
    found = report.comparison
    for row in found.rows:
        if row.verdict == "unsure":
            yield f"{_names([row])}: {row.sentence}"
    alike = Counter(_alike(row) for row in found.rows if row.verdict == "alike")
    count = sum(alike.values())
    if count:
        shown = [f"{kind}: {number}" for kind, number in alike.most_common(4)]
        yield f"alike: {count} ({'; '.join(shown)}{'; ...' if len(alike) > 4 else ''})"
    few = [row for row in found.rows if row.verdict == "alike" and row.finest is not None and row.finest > _FEW]
    if few:
        have = "has" if len(few) == 1 else "have"
        yield (
            f"{len(few)} of these {have} so few numbers that only large differences would show, as in "
            f"{_names(few[:1])} ({few[0].reference.count} numbers); more seeds show more"
        )
    for side, keys in (("reference", found.alone_reference), ("candidate", found.alone_candidate)):
        if keys:
            yield f"without a partner in the {side}: {', '.join(keys[:6])}{', ...' if len(keys) > 6 else ''}"
    yield from found.notes


def _alike(row: InitRow) -> str:
    ours, theirs = row.reference.law, row.candidate.law
    return ours.kind if ours.kind == theirs.kind else "not told apart"


def _wrapped(text: str, indent: str, more: str | None = None) -> list[str]:
    clean = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return textwrap.wrap(
        clean, _WIDTH, initial_indent=indent, subsequent_indent=more or indent, break_on_hyphens=False
    ) or [indent]


def _html(report: InitReport) -> str:
    found = report.comparison
    color = {"agree": "#2e7d32", "diverged": "#c62828", "unsure": "#b26a00"}[report.verdict]
    head = ("reference", "candidate", "verdict", "what each side draws", "std", "std", "apart", "level")
    parts = [
        f'<h3 style="color: {color}">{escape(report.reason)}</h3>',
        f"<p>{escape(found.reference)} | {escape(found.candidate)}, {found.seeds} seeds each</p>",
        "<table><tr>" + "".join(f"<th>{title}</th>" for title in head) + "</tr>",
    ]
    for row in sorted(found.rows, key=lambda row: row.verdict != "differs"):
        cells = [
            row.reference.name,
            row.candidate.name,
            row.verdict,
            row.sentence + (f" (edit: {row.edit})" if row.edit else ""),
            f"{row.reference.std:.3g}",
            f"{row.candidate.std:.3g}",
            "-" if row.apart is None else f"{row.apart:.3f}",
            "-" if row.p is None else f"{row.p:.2g}",
        ]
        parts.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    parts.append("</table>")
    parts += [f"<p>{escape(sentence)}</p>" for sentence in _rest(report)]
    return '<div class="tracer-init">' + "\n".join(parts) + "</div>"
