"""The JSON contract of a report, for every test that makes one: `validate_report(report.to_dict())`."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = Path(__file__).parents[1] / "docs" / "reference" / "report.schema.json"

WORDS = {
    "verdict": {"agree", "diverged", "unsure"},
    "phase": {"start", "forward", "loss", "backward", "gradients", "update"},
    "place": {"layer", "between", "input", "output", "file", "loss", "parameter", "group"},
    "cause": {
        "setting",
        "parameter",
        "mode",
        "dtype",
        "shape",
        "nan",
        "layout",
        "framework",
        "code",
        "loss",
        "optimizer",
    },  # fmt: skip
    "step": {"agree", "diverged", "unsure", "not judged"},
}
"""The schema leaves lists of words open, because they may grow; this is what version 1 writes today."""


@functools.cache
def _validator() -> jsonschema.protocols.Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validate_report(report: dict[str, Any]) -> dict[str, Any]:
    """Hold a report against the schema and against what the schema cannot say; returns it as JSON brings it back."""
    text = json.dumps(report, allow_nan=False)
    report = json.loads(text)
    errors = sorted(_validator().iter_errors(report), key=lambda error: list(map(str, error.absolute_path)))
    assert not errors, "\n".join(f"{error.json_path}: {error.message}" for error in errors)

    assert report["verdict"] in WORDS["verdict"]
    assert report["origin"] == (report["origins"][0] if report["origins"] else None), "origin is origins[0]"
    for origin in report["origins"]:
        assert origin["phase"] in WORDS["phase"]
        assert origin["place"] in WORDS["place"]
        assert origin["reference"] or origin["candidate"], "an origin has at least one side"
        assert {cause["kind"] for cause in origin["causes"]} <= WORDS["cause"]
        for spot in filter(None, (origin["reference"], origin["candidate"])):
            assert spot["source"] is None or re.fullmatch(r".+:\d+", spot["source"])

    numbers = [row["step"] for row in report.get("steps", [])]
    assert numbers == sorted(set(numbers)), "steps are in order, each once"
    for row in report.get("steps", []):
        assert {phase["verdict"] for phase in row["phases"].values()} <= WORDS["step"]
    for origin in report["origins"] if numbers else []:
        assert origin["step"] in numbers, "an origin of training has its step"

    alignment, coverage = report["alignment"], report["coverage"]
    for side in ("reference", "candidate"):
        calls = [(pair[side]["path"], pair[side]["call"]) for pair in alignment["pairs"]]
        assert len(calls) == len(set(calls)), f"a {side} call stands in two pairs"
        left = {(one["path"], one["call"]) for one in alignment["alone"][side]}
        assert not left & set(calls), f"a {side} call is both paired and alone"
    assert coverage["aligned"] == len(alignment["pairs"]) + len(alignment["groups"])
    assert coverage["alone"] == len(alignment["alone"]["reference"]) + len(alignment["alone"]["candidate"])
    assert coverage["judged"] + coverage["unjudgeable"] <= coverage["aligned"] or coverage["aligned"] == 0
    return report
