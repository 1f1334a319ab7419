"""A diagnosis -> a table of every pair, and of training of every step and phase, as CSV."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from tracer.divergence.diagnosis import Diagnosis, PairRow, Spot
from tracer.reports.step_words import cells

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


STEP = "step"
"""The column that training has before the others."""


def to_csv(diagnosis: Diagnosis) -> str:
    """The pairs below one line of column names. Of training each line has its step, and a line without a pair stands
    for a phase of a step: its state, its difference, and as the reason what is said of it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    if not diagnosis.steps:
        writer.writerow(COLUMNS)
        writer.writerows(_fields(row) for row in diagnosis.rows)
        return stream.getvalue()
    writer.writerow((STEP, *COLUMNS))
    for row in diagnosis.steps:
        for cell in cells(diagnosis, row):
            known = {"phase": cell.phase, "state": cell.state, "relative_l2": _number(cell.relative_l2)}
            known["reason"] = cell.said
            writer.writerow([row.step, *(known.get(name, "") for name in COLUMNS)])
    origin = diagnosis.origin
    judged = origin.step if origin is not None and origin.step is not None else diagnosis.steps[-1].step
    writer.writerows([judged, *_fields(pair)] for pair in diagnosis.rows)
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
