"""A scan for a browser or a notebook: one self-contained piece of HTML, every use in it, no script, nothing loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from itertools import groupby

from tracer.reports import scan_words as words
from tracer.source.rewriting.suggestion import STATUSES, Status
from tracer.source.scanned import Finding, Scan

_COLORS: dict[Status, str] = {
    "same": "#388e3c",
    "renamed": "inherit",
    "differs": "#ef6c00",
    "by_hand": "#d32f2f",
    "unknown": "#8e24aa",
}
_SILENT = "#d32f2f"
_OPEN = 4
"""Files beyond which the table of each is closed at first."""
_MOST = 3000
"""Uses beyond which a notebook is shown counts, and a page of its own is offered."""
_LARGE = '<p class="quiet">report.save("scan.html") writes a page with every use</p>'
_STYLE = """
.tracer-scan {font: 14px/1.5 system-ui, sans-serif; max-width: 80em}
.tracer-scan h1 {font-size: 1.3em; margin: 0 0 .2em}
.tracer-scan h2 {font-size: 1em; margin: 1.2em 0 .3em}
.tracer-scan code {font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap}
.tracer-scan table {border-collapse: collapse}
.tracer-scan td, .tracer-scan th {padding: .2em 1em .2em 0; text-align: left; vertical-align: top; background: none}
.tracer-scan .quiet {opacity: .7}
.tracer-scan summary {cursor: pointer; margin: .6em 0 .2em}
"""


def fragment(scan: Scan, shown: Sequence[Finding], most: int = _MOST) -> str:
    """The report as one `<div>` with its style; of more than `most` uses files are only counted."""
    parts = [f"<h1>{escape(words.headline(scan))}</h1>"]
    if scan.findings:
        parts.append(
            f"<p>{'; '.join(filter(None, (_counts(scan), words.silently(scan), words.listed(scan, shown))))}</p>"
        )
    if scan.unread:
        rows = [
            "<tr>" + "".join(f"<td>{escape(said)}</td>" for said in words.unread(one)) + "</tr>" for one in scan.unread
        ]
        parts += ["<h2>Not read</h2>", f"<table>{''.join(rows)}</table>"]
    parts += _silent([finding for finding in shown if finding.silent], coarse=len(shown) > most)
    files = [(file, list(found)) for file, found in groupby(shown, key=lambda finding: finding.file)]
    if len(shown) > most:
        parts += [f"<table>{''.join(_counted(file, found) for file, found in files)}</table>", _LARGE]
    else:
        parts += [_file(file, found, opened=len(files) <= _OPEN) for file, found in files]
    parts += [f'<p class="quiet">{escape(note)}</p>' for note in words.notes(scan)]
    return f'<div class="tracer-scan"><style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</div>"


def _silent(silent: Sequence[Finding], *, coarse: bool) -> list[str]:
    """Those that are alike in one row."""
    if not silent:
        return []
    title = f"{words.many(len(silent), 'use')} would run, and compute something else, if only the name were changed"
    alike = [
        one for group in words.groups(silent, coarse=coarse) for one in words.alike(group)[: 3 if coarse else None]
    ]
    rows = "".join(_row(one.first, words.places(one, 4)) for one in alike)
    return [f'<h2 style="color: {_SILENT}">{title}</h2>', f"<table>{_heads('place')}{rows}</table>"]


def _file(file: str, found: Sequence[Finding], *, opened: bool) -> str:
    head = f"<summary><b>{escape(file)}</b> {escape(_head(found))}</summary>"
    rows = "".join(_row(finding, words.line_words(finding)) for finding in found)
    return f"<details{' open' if opened else ''}>{head}<table>{_heads('line')}{rows}</table></details>"


def _counted(file: str, found: Sequence[Finding]) -> str:
    return f"<tr><td>{escape(file)}</td><td>{escape(_head(found))}</td></tr>"


def _head(found: Sequence[Finding]) -> str:
    counts = Counter(finding.status for finding in found)
    return f"{words.many(len(found), 'use')}: {words.counted({status: counts[status] for status in STATUSES})}"


def page(scan: Scan, shown: Sequence[Finding]) -> str:
    """The report as a page of its own; follows the reader's light or dark colours."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>tracer scan: {escape(words.headline(scan))}</title></head>\n"
        f"<body>\n{fragment(scan, shown, len(shown))}\n</body></html>\n"
    )


def _counts(scan: Scan) -> str:
    said = []
    for status, number in scan.counts.items():
        if number:
            told = f'style="color: {_COLORS[status]}" title="{escape(words.MEANINGS[status])}"'
            said.append(f"<span {told}>{number:,} {words.STATUS_WORDS[status]}</span>")
    return ", ".join(said)


def _heads(first: str) -> str:
    return "<tr>" + "".join(f"<th>{head}</th>" for head in (first, "", "in torch", "write", "")) + "</tr>"


def _row(finding: Finding, where: str) -> str:
    color = _SILENT if finding.silent else _COLORS[finding.status]
    status = words.STATUS_WORDS[finding.status] + (", silently" if finding.silent else "")
    write = words.counterpart(finding)
    shown = f"<code>{escape(write)}</code>" if finding.write is not None else escape(write)
    sentences = "<br>".join(escape(sentence) for sentence in words.sentences(finding))
    guessed = "" if finding.sure else ' <span title="guessed: it may be no tensor">~</span>'
    return (
        f"<tr><td>{escape(where)}</td>"
        f'<td style="color: {color}">{status}{guessed}</td>'
        f'<td title="{escape(finding.torch)}"><code>{escape(words.text(finding))}</code></td>'
        f'<td>{shown}</td><td class="quiet">{sentences}</td></tr>'
    )
