"""A diagnosis -> the JSON that other programs read. Names and types are a contract: docs/reference/report.schema.json.

Keys may be added, none may be renamed or change its type within one version. Enumerations may grow.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracer import __version__

if TYPE_CHECKING:
    from tracer.divergence.alignment import Alignment, Alone, CallId, Group, Pair
    from tracer.divergence.births import Birth
    from tracer.divergence.diagnosis import Cause, Coverage, Diagnosis, Origin, PairRow, RoadStep, Spot, TraceSide
    from tracer.divergence.metrics import Difference
    from tracer.divergence.training.steps import StepRow

FORMAT = "tracer-diff"
VERSION = 1

Json = dict[str, Any]


def to_json(diagnosis: Diagnosis) -> Json:
    """The whole report as what `json` can write; numbers that are not finite are None."""
    roads = dict(enumerate((diagnosis.road, *diagnosis.other_roads)))
    origins = [_origin(origin, roads.get(n, ())) for n, origin in enumerate(diagnosis.origins)]
    report: Json = {
        "format": FORMAT,
        "version": VERSION,
        "verdict": diagnosis.verdict,
        "reason": diagnosis.reason,
        "reference": _trace(diagnosis.reference),
        "candidate": _trace(diagnosis.candidate),
        "origin": origins[0] if origins else None,
        "origins": origins,
        "alignment": _alignment(diagnosis.alignment),
        "coverage": _coverage(diagnosis.coverage),
        "road": [_road_step(step) for step in diagnosis.road],
        "notes": list(diagnosis.notes),
        "beforehand": list(diagnosis.beforehand),
        "tracer_version": __version__,
    }
    if diagnosis.steps:
        report["steps"] = [_step(step) for step in diagnosis.steps]
    if any(diagnosis.not_finite):
        report["not_finite"] = {
            side: [birth(one) for one in found.births]
            for side, found in zip(("reference", "candidate"), diagnosis.not_finite, strict=True)
        }
    if diagnosis.rows:
        report["rows"] = [_row(row) for row in diagnosis.rows]
    clean: Json = finite(report)
    return clean


def birth(one: Birth) -> Json:
    """Where NaN or Inf was born, with its sentence."""
    from tracer.divergence.births.words import sentence

    return {**dataclasses.asdict(one), "healed": one.healed, "sentence": sentence(one)}


def to_text(document: Json) -> str:
    """JSON text, indented, with a line break at the end."""
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """The same with every number that JSON cannot say replaced by None, and of the types that JSON has."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if hasattr(value, "item"):  # a numpy scalar
        return finite(value.item())
    return str(value)


def _trace(trace: TraceSide) -> Json:
    return {
        "file": trace.file,
        "framework": trace.framework,
        "framework_version": trace.framework_version,
        "net": trace.net,
        "complete": trace.complete,
        "keep": trace.keep,
    }


def _origin(origin: Origin, road: Sequence[RoadStep]) -> Json:
    return {
        "phase": origin.phase,
        **({"step": origin.step} if origin.step is not None else {}),
        "place": origin.place,
        "reference": _spot(origin.reference),
        "candidate": _spot(origin.candidate),
        "difference": {**_difference(origin.difference), "fed_by": origin.fed_by},
        "causes": [_cause(cause) for cause in origin.causes],
        "faded": origin.faded,
        "sentence": origin.sentence,
        "road": [_road_step(step) for step in road],
    }


def _spot(spot: Spot | None) -> Json | None:
    if spot is None:
        return None
    return {
        "path": spot.path,
        "call": _call(spot.call),
        "kind": spot.kind,
        "source": spot.source,
        "text": spot.text,
        "called_at": spot.called_at,
        "called_text": spot.called_text,
    }


def _call(call: int | None) -> int | None:
    """The index of a call; None for a layer that never fired."""
    return None if call is None or call < 0 else call


def _difference(difference: Difference | None) -> Json:
    """The fixed keys are there also when nothing was measured."""
    if difference is None:
        return {"relative_l2": None, "max_abs": None, "tolerance": None}
    return {
        "relative_l2": difference.relative_l2,
        "max_abs": difference.max_abs,
        "tolerance": difference.tolerance,
        "max_at": difference.max_at,
        "cosine": difference.cosine,
        "beyond": difference.beyond,
        "rms_error": difference.rms_error,
        "nan_reference": difference.nan_reference,
        "nan_candidate": difference.nan_candidate,
        "layout": difference.layout,
        "leaf": difference.leaf,
        "shapes": difference.shapes,
        "dtypes": difference.dtypes,
        "exact": difference.exact,
        "from_statistics": difference.from_statistics,
        "problem": difference.problem,
    }


def _cause(cause: Cause) -> Json:
    return {
        "kind": cause.kind,
        "name": cause.name,
        "reference": cause.reference,
        "candidate": cause.candidate,
        "proven": cause.proven,
        "edit": cause.edit,
        "sentence": cause.sentence,
    }


def _alignment(alignment: Alignment) -> Json:
    return {
        "pairs": [_pair(pair) for pair in alignment.pairs],
        "groups": [_group(group) for group in alignment.groups],
        "alone": {
            "reference": [_alone(one) for one in alignment.alone_reference],
            "candidate": [_alone(one) for one in alignment.alone_candidate],
        },
    }


def _id(call: CallId) -> Json:
    return {"path": call.path, "call": _call(call.call)}


def _pair(pair: Pair) -> Json:
    return {
        "reference": _id(pair.reference),
        "candidate": _id(pair.candidate),
        "reason": pair.reason,
        "confidence": pair.confidence,
    }


def _group(group: Group) -> Json:
    return {
        "reference": [_id(call) for call in group.reference],
        "candidate": [_id(call) for call in group.candidate],
        "reason": group.reason,
        "confidence": group.confidence,
    }


def _alone(one: Alone) -> Json:
    return {**_id(one.id), "kind": one.kind}


def _coverage(coverage: Coverage) -> Json:
    return {
        "judged": coverage.judged,
        "aligned": coverage.aligned,
        "alone": coverage.alone,
        "unjudgeable": coverage.unjudgeable,
        "phases": dict(coverage.phases),
        "screened": coverage.screened,
        **({"only": list(coverage.only), "named": coverage.named} if coverage.only else {}),
    }


_NO_PHASES = dict.fromkeys(("forward", "backward"), "nothing was compared")


def no_coverage() -> Json:
    """The coverage of a diff that was not made."""
    return {"judged": 0, "aligned": 0, "alone": 0, "unjudgeable": 0, "phases": dict(_NO_PHASES), "screened": 0}


def _step(step: StepRow) -> Json:
    phases = {
        name: {"verdict": row.verdict, "relative_l2": row.relative_l2, **({"said": row.said} if row.said else {})}
        for name, row in step.phases.items()
    }
    return {"step": step.step, "phases": phases}


def _road_step(step: RoadStep) -> Json:
    return {
        "reference": _spot(step.reference),
        "candidate": _spot(step.candidate),
        "difference": _difference(step.difference),
        "state": step.state,
    }


def _row(row: PairRow) -> Json:
    return {
        "reference": _spot(row.reference),
        "candidate": _spot(row.candidate),
        "op": row.op,
        "phase": row.phase,
        "difference": {**_difference(row.difference), "fed_by": row.fed_by},
        "state": row.state,
        "reason": row.reason,
        "confidence": row.confidence,
    }
