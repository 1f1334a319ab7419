"""A diagnosis -> a table of every pair, as CSV."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from tracer.divergence.diagnosis import PairRow, Spot

COLUMNS = (
    "phase",
    "reference",
    "reference_call",
    "candidate",
    "candidate_call",
    "reference_kind",
    "candidate_kind",
    "op",
    "state",
    "relative_l2",
    "tolerance",
    "fed_by",
    "max_abs",
    "cosine",
    "beyond",
    "nan_reference",
    "nan_candidate",
    "problem",
    "layout",
    "reference_source",
    "candidate_source",
    "confidence",
    "reason",
)
"""The columns, in order. A number that is not there or not finite is an empty field."""


def to_csv(rows: tuple[PairRow, ...]) -> str:
    """The rows below one line of column names."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_fields(row) for row in rows)
    return stream.getvalue()


def _fields(row: PairRow) -> list[Any]:
    found = row.difference
    numbers = (
        (found.relative_l2, found.tolerance, row.fed_by, found.max_abs, found.cosine, found.beyond)
        if found is not None
        else (None, None, row.fed_by, None, None, None)
    )
    return [
        row.phase,
        *_spot(row.reference),
        *_spot(row.candidate),
        row.reference.kind if row.reference else "",
        row.candidate.kind if row.candidate else "",
        row.op,
        row.state,
        *(_number(value) for value in numbers),
        found.nan_reference if found else "",
        found.nan_candidate if found else "",
        found.problem if found else "",
        found.layout if found else "",
        (row.reference and row.reference.source) or "",
        (row.candidate and row.candidate.source) or "",
        _number(row.confidence),
        row.reason,
    ]


def _spot(spot: Spot | None) -> tuple[str, Any]:
    if spot is None:
        return "", ""
    return spot.path, "" if spot.call is None or spot.call < 0 else spot.call


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.9g}"
