"""What the tracer says of published ports is what a check by hand says, and no pair of layers is wrong."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import tracer
from tests.contract import validate_report
from tests.published.alignment import fit
from tests.published.pairs import PAIRS

NEEDED = ("torch", "mindspore", "torchvision", "timm", "mindcv")
MISSING = [package for package in NEEDED if importlib.util.find_spec(package) is None]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.torch,
    pytest.mark.mindspore,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} missing; tests/published/README.md says how"),
]

ROUNDING = 2e-5
"""Relative L2 below which the outputs of two nets agree, seen from outside."""


class Recorded:
    """One pair of nets in a folder: the reference's trace, and the port's as published and after each mend."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder, self.pair = name, folder, PAIRS[name]
        for side in ("reference", "candidate"):
            _run("record", name, side, folder)
        self.reports = [
            validate_report(tracer.diff(folder / "reference.h5", folder / f"candidate_{stage}.h5").to_dict())
            for stage in range(len(self.pair.findings) + 1)
        ]


def _run(module: str, *arguments: object) -> str:
    command = [sys.executable, "-m", f"tests.published.{module}", *map(str, arguments)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module", params=PAIRS)
def recorded(request, tmp_path_factory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp(request.param)
    yield Recorded(request.param, folder)
    shutil.rmtree(folder)


def test_the_findings_are_what_a_check_by_hand_finds(recorded):
    """Own hooks and the map say the same first layer for each stage, and that the mended port agrees."""
    stages = json.loads(_run("by_hand", recorded.name).splitlines()[-1])
    firsts = [stage["first"] and stage["first"][:2] for stage in stages]
    assert firsts == [*(list(finding.seen or finding.origin) for finding in recorded.pair.findings), None]
    assert stages[-1]["output"] < ROUNDING


def test_each_finding_is_the_first_origin(recorded):
    """While findings are left, the verdict is `diverged`, and the first origin is the next finding."""
    for finding, report in zip(recorded.pair.findings, recorded.reports, strict=False):
        assert report["verdict"] == "diverged"
        origin = report["origin"]
        assert (origin["phase"], origin["place"]) == ("forward", finding.place)
        assert (origin["reference"]["path"], origin["candidate"]["path"]) == finding.origin


def test_each_finding_has_its_cause(recorded):
    """The cause is the setting that the check by hand named, with the edit to make."""
    for finding, report in zip(recorded.pair.findings, recorded.reports, strict=False):
        causes = report["origin"]["causes"]
        fitting = [cause for cause in causes if finding.cause in (cause["name"], cause["kind"])]
        assert fitting, causes
        assert fitting[0]["edit"] or fitting[0]["kind"] == "code"


def test_the_mended_port_agrees(recorded):
    """With all findings mended the nets agree forward, and backward where the port's framework can run it."""
    report = recorded.reports[-1]
    assert report["verdict"] == "agree", report["reason"]
    assert report["coverage"]["phases"]["forward"] == "judged"


def test_no_pair_of_layers_is_wrong(recorded):
    """Nothing that the map knows is paired with anything else, and nearly all that it knows is paired."""
    with (
        tracer.Trace(recorded.folder / "reference.h5") as right,
        tracer.Trace(recorded.folder / "candidate_0.h5") as port,
    ):
        for report in recorded.reports:
            fits = fit(recorded.pair, report, right.skeleton, port.skeleton)
            assert not fits.wrong
            assert fits.right >= 0.97 * fits.known, fits.missed[:20]
