"""A scan -> the JSON and CSV that other programs read: docs/reference/scan.schema.json.

Keys may be added, none may be renamed or change its type within one version. Enumerations may grow.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from tracer import __version__
from tracer.reports import contract, scan_words
from tracer.source.scanned import Finding, Scan

Json = dict[str, Any]

FORMAT = "tracer-scan"
VERSION = 1

COLUMNS = (
    "file",
    "cell",
    "line",
    "column",
    "within",
    "text",
    "sort",
    "sure",
    "torch",
    "mindspore",
    "mint",
    "status",
    "silent",
    "write",
    "differences",
    "advice",
    "proof",
)
"""The columns of the CSV, in order. What is not there is an empty field; differences are parted by "; "."""


def to_json(scan: Scan, shown: tuple[Finding, ...]) -> Json:
    """A scan as plain values.

    Args:
        scan: all of it, which the summary counts.
        shown: the uses that are listed.
    """
    document: Json = {
        "format": FORMAT,
        "version": VERSION,
        "tracer_version": __version__,
        "summary": {
            "sentence": scan_words.summary(scan),
            "uses": len(scan.findings),
            "files": len(scan.files),
            **scan.counts,
            "silent": len(scan.silent),
            "guessed": sum(not finding.sure for finding in scan.findings),
            "unread": len(scan.unread),
            "listed": len(shown),
            "mint": scan.mint,
        },
        "files": [file.path for file in scan.files],
        "unread": [
            {"file": one.path, "cell": one.cell, "line": one.line, "why": one.why, "then": one.then}
            for one in scan.unread
        ],
        "uses": [_use(finding) for finding in shown],
    }
    finite: Json = contract.finite(document)
    return finite


def _use(finding: Finding) -> Json:
    return {
        "file": finding.file,
        "cell": finding.cell,
        "line": finding.line,
        "column": finding.column,
        "within": finding.within,
        "text": finding.text,
        "sort": finding.sort,
        "sure": finding.sure,
        "torch": finding.torch,
        "mindspore": finding.mindspore,
        "mint": finding.mint,
        "status": finding.status,
        "silent": finding.silent,
        "differences": list(finding.differences),
        "write": finding.write,
        "advice": finding.advice,
        "proof": finding.proof,
    }


def to_csv(shown: tuple[Finding, ...]) -> str:
    """A line for each use, below one line of column names."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for finding in shown:
        fields = {**_use(finding), "differences": "; ".join(finding.differences)}
        writer.writerow(["" if fields[name] is None else _word(fields[name]) for name in COLUMNS])
    return stream.getvalue()


def _word(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
