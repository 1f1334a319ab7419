"""A clean port agrees, a fault is found where it is, its cause is named, and the right layers are held together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.contract import validate_report
from tests.twins.fault import Fault
from tests.twins.faults import FAULTS
from tests.twins.runner import Runner
from tests.twins.twin import TWINS, Twin

pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

CAUSED = {name: fault for name, fault in FAULTS.items() if fault.cause}
_reports: dict[tuple[Path, Path], dict[str, Any]] = {}


def report_of(runner: Runner, twin: Twin, fault: Fault | None = None) -> dict[str, Any]:
    """The report on a twin's two traces as JSON, held against its schema."""
    from tracer import diff

    files = runner.reference(twin, fault), runner.candidate(twin, fault)
    if files not in _reports:
        _reports[files] = validate_report(diff(*files).to_dict())
    return _reports[files]


# --------------------------------------------------------------------------------------------------------------------
# Verdicts
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_a_clean_port_agrees(twin: Twin, runner: Runner):
    """Both phases are judged and nothing is found."""
    report = report_of(runner, twin)
    assert (report["verdict"], report["origins"]) == ("agree", [])
    assert report["coverage"]["phases"] == {"forward": "judged", "backward": "judged"}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found(fault: Fault, runner: Runner):
    """The verdict, and the phase, the place, both paths and calls of the first origin are right."""
    report = report_of(runner, TWINS[fault.twin], fault)
    assert found(report, fault) == expected(fault), f"{fault.why}; the report says: {report['reason']}"


@pytest.mark.parametrize("fault", CAUSED.values(), ids=CAUSED)
def test_the_cause_is_named(fault: Fault, runner: Runner):
    """The cause stands among those of the first origin, by its torch word."""
    assert fault.cause
    kind, name = fault.cause
    origin = report_of(runner, TWINS[fault.twin], fault)["origin"]
    causes = [(cause["kind"], cause["name"]) for cause in origin["causes"]] if origin else []
    assert any(kind == one and name in (None, other) for one, other in causes), causes


def expected(fault: Fault) -> dict[str, Any]:
    """What must stand in the report, by the fault; what the fault does not ask is left out."""
    asked: dict[str, Any] = {"verdict": fault.verdict, "says": list(fault.says)}
    if fault.verdict == "agree":
        return {**asked, "origins": 0}
    asked |= {"phase": fault.phase, "place": fault.place, "also": list(fault.also)}
    if fault.reference:
        asked |= {"reference": fault.reference, "candidate": fault.candidate_path}
        asked |= {"reference call": fault.call, "candidate call": fault.call}
    return {key: value for key, value in asked.items() if value not in (None, "*")}


def found(report: dict[str, Any], fault: Fault) -> dict[str, Any]:
    """The same keys as `expected`, by the report."""
    text = str(report).lower()
    origin = report["origin"] or {}
    spots = {side: origin.get(side) or {} for side in ("reference", "candidate")}
    others = [(one["reference"] or {}).get("path") for one in report["origins"][1:]]
    facts = {
        "verdict": report["verdict"],
        "says": [word for word in fault.says if word in text],
        "origins": len(report["origins"]),
        "phase": origin.get("phase"),
        "place": origin.get("place"),
        "also": [path for path in fault.also if path in others],
        **{side: spot.get("path") for side, spot in spots.items()},
        **{f"{side} call": spot.get("call") for side, spot in spots.items()},
    }
    return {key: facts[key] for key in expected(fault)}


# --------------------------------------------------------------------------------------------------------------------
# Alignment
# --------------------------------------------------------------------------------------------------------------------

Call = tuple[str, int | None]


def calls_of(trace_file: Path) -> Counter[str]:
    """How often each layer of a trace was called; 0 for those that never fired."""
    from tracer.trace.reader import Trace

    with Trace(trace_file) as trace:
        calls = Counter({path: 0 for path in trace.skeleton.layers})
        calls.update(call.path for call in trace.skeleton.steps[0].calls)
    return calls


def true_layers(twin: Twin, reference: Counter[str], candidate: Counter[str]) -> dict[str, str]:
    """Which candidate layer is which reference layer, by the twin."""
    partners = {twin.layer(path): path for path in candidate}
    return {path: partners[path] for path in reference if path in partners and path not in twin.absent}


def pairs_of(report: dict[str, Any]) -> set[tuple[Call, Call]]:
    """The pairs that a report made."""
    return {
        tuple((pair[side]["path"], pair[side]["call"]) for side in ("reference", "candidate"))
        for pair in report["alignment"]["pairs"]
    }


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_every_true_pair_is_made(twin: Twin, runner: Runner):
    """Layers that are the same are held together, call by call; those that never fired too."""
    reference, candidate = calls_of(runner.reference(twin)), calls_of(runner.candidate(twin))
    truth = set()
    for mine, theirs in true_layers(twin, reference, candidate).items():
        if reference[mine] == candidate[theirs] == 0:
            truth.add(((mine, None), (theirs, None)))
        truth |= {((mine, call), (theirs, call)) for call in range(min(reference[mine], candidate[theirs]))}
    assert truth - pairs_of(report_of(runner, twin)) == set()


@pytest.mark.parametrize("twin", TWINS.values(), ids=TWINS)
def test_no_wrong_pair_is_made(twin: Twin, runner: Runner):
    """Nothing is held together that is not the same."""
    reference, candidate = calls_of(runner.reference(twin)), calls_of(runner.candidate(twin))
    truth = true_layers(twin, reference, candidate)
    wrong = [
        (mine, theirs)
        for mine, theirs in pairs_of(report_of(runner, twin))
        if (mine[0], theirs[0]) not in twin.optional and (truth.get(mine[0]) != theirs[0] or mine[1] != theirs[1])
    ]
    assert wrong == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_spoils_no_pair(fault: Fault, runner: Runner):
    """No layer is held to another one because something is wrong with it."""
    twin = TWINS[fault.twin]
    reference, candidate = calls_of(runner.reference(twin, fault)), calls_of(runner.candidate(twin, fault))
    truth = true_layers(twin, reference, candidate)
    made = {(mine[0], theirs[0]) for mine, theirs in pairs_of(report_of(runner, twin, fault))}
    assert {pair for pair in made if truth.get(pair[0]) != pair[1]} - twin.optional == set()
