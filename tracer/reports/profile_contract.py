"""A profile -> the JSON and CSV that other programs read: docs/reference/profile.schema.json.

Keys may be added, none may be renamed or change its type within one version. Enumerations may grow.
"""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np

from tracer import __version__
from tracer.profiling import conditions
from tracer.profiling.beside import Kind, Profile
from tracer.profiling.measured import Spread, spread
from tracer.profiling.rows import Row
from tracer.profiling.sides import Side, Taken
from tracer.reports import contract, profile_words

Json = dict[str, Any]

FORMAT = "tracer-profile"
VERSION = 1


def to_json(profile: Profile) -> Json:
    """A profile as plain values, all of them finite; times are nanoseconds."""
    first = profile.first
    document: Json = {
        "format": FORMAT,
        "version": VERSION,
        "tracer_version": __version__,
        "summary": profile_words.summary(profile),
        "most": profile_words.most(profile),
        "beforehand": profile_words.beforehand(profile),
        "notes": profile_words.notes(profile),
        "reference": _side(profile.reference, profile.steps[0], profile.wholes[0]),
        "candidate": None
        if profile.candidate is None
        else _side(profile.candidate, profile.steps[1], profile.wholes[1]),
        "phases": list(profile.phases),
        "ratio": profile.ratio,
        "alike": None if profile.candidate is None else profile.alike,
        "lost_ns": None if profile.candidate is None else profile.lost,
        "gained_ns": None if profile.candidate is None else profile.gained,
        "aligned": profile.aligned,
        "first": None if first is None else _row(first),
        "shares": [
            {
                "name": part.name,
                "reference": _spread(part.reference),
                "candidate": _spread(part.candidate),
                "lost_ns": part.lost if profile.candidate is not None else None,
                "beyond": part.beyond,
            }
            for part in profile.shares
        ],
        "rows": [_row(row) for row in profile.rows],
        "blocks": [_row(row) for row in profile.blocks],
        "kinds": [_kind(kind) for kind in profile.kinds],
    }
    finite: Json = contract.finite(document)
    return finite


def _side(side: Side, compared: Spread | None, whole: float) -> Json:
    header, found = side.skeleton.header, side.measured
    return {
        "file": side.name,
        "framework": header.framework,
        "framework_version": header.framework_version,
        "net": header.net,
        "complete": side.skeleton.end.complete,
        "device": conditions.device(side),
        "threads": conditions.threads(side),
        "repeats": conditions.repeats(side),
        "bare_repeats": int(np.isfinite(found.bare).sum()),
        "calls": len(found.at),
        "step": _spread(found.step),
        "compared": _spread(compared),
        "whole_ns": whole,
        "watched": _spread(spread(found.watched)),
        "phases": {name: _spread(spread(times)) for name, times in found.phases.items()},
        "watching": {"per_call_ns": found.cost, "left_ns": found.left, "calls_below": found.clipped},
        "rest": side.timing.rest,
    }


def _spread(found: Spread | None) -> Json | None:
    if found is None:
        return None
    return {"median_ns": found.median, "low_ns": found.low, "high_ns": found.high, "repeats": found.repeats}


def _taken(taken: Taken | None) -> Json | None:
    if taken is None:
        return None
    work = taken.work
    counted = work.forward is not None
    return {
        "path": taken.path,
        "paths": list(taken.paths),
        "kind": taken.kind,
        "op": taken.op,
        "calls": taken.calls,
        "forward": _spread(taken.forward),
        "backward": _spread(taken.backward),
        "whole": _spread(taken.whole),
        "multiply_adds": {"forward": work.forward, "backward": work.backward} if counted else None,
        "elements": work.elements if counted else None,
        "formula": work.formula,
        "gflops": taken.rate,
        "peak_bytes": taken.peak,
    }


def _row(row: Row) -> Json:
    return {
        "sort": row.sort,
        "op": row.op,
        "state": row.state,
        "reference": _taken(row.reference),
        "candidate": _taken(row.candidate),
        "lost_ns": row.lost,
        "ratio": row.ratio,
        "share": row.share,
        "depth": row.depth,
        "reason": row.reason,
        "confidence": row.confidence,
    }


def _kind(kind: Kind) -> Json:
    return {
        "op": kind.op,
        "state": kind.state,
        "calls": list(kind.calls),
        "reference": _spread(kind.reference),
        "candidate": _spread(kind.candidate),
        "lost_ns": kind.lost,
        "ratio": kind.ratio,
        "share": kind.share,
    }


# --------------------------------------------------------------------------------------------------------------------
# CSV
# --------------------------------------------------------------------------------------------------------------------

_OF_A_SIDE = ("path", "kind", "calls", "forward_ns", "backward_ns", "whole_ns", "low_ns", "high_ns", "multiply_adds",
              "gflops", "peak_bytes")  # fmt: skip
COLUMNS = (
    "sort",
    "op",
    "state",
    *(f"reference_{name}" for name in _OF_A_SIDE),
    *(f"candidate_{name}" for name in _OF_A_SIDE),
    "ratio",
    "lost_ns",
    "share",
)
"""The columns, in order. What is not there is an empty field."""


def to_csv(profile: Profile) -> str:
    """A line for every layer, piece of code and block, below one line of column names."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in (*profile.rows, *profile.blocks):
        numbers = [_number(value) for value in (row.ratio, row.lost, row.share)]
        writer.writerow([row.sort, row.op, row.state, *_fields(row.reference), *_fields(row.candidate), *numbers])
    return stream.getvalue()


def _fields(taken: Taken | None) -> list[Any]:
    if taken is None:
        return [""] * len(_OF_A_SIDE)
    times = [found.median if found else None for found in (taken.forward, taken.backward, taken.whole)]
    ends = [taken.whole.low, taken.whole.high] if taken.whole else [None, None]
    numbers = [*times, *ends, taken.macs, taken.rate, taken.peak]
    return [taken.path, taken.kind, taken.calls, *(_number(value) for value in numbers)]


def _number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.9g}" if isinstance(value, float) else str(value)
