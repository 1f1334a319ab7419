"""The twins side by side: what was built alike is the same, what was built otherwise is found, before any number."""

from __future__ import annotations

from pathlib import Path

import pytest

import tracer
from tests.twins import torch_side
from tests.twins.fault import Fault
from tests.twins.faults import FAULTS
from tests.twins.runner import Runner
from tests.twins.twin import TWINS, Twin

ALIKE = [twin for twin in TWINS.values() if twin.name != "cnn_functional" and not twin.training]
"""In `cnn_functional` the port calls functions where the reference has layers."""

BUILT_OTHERWISE = [
    fault
    for fault in FAULTS.values()
    if fault.cause is not None
    and fault.cause[0] == "setting"
    and fault.reference
    and fault.twin in {"mlp", "cnn", "vit"}
]
BUILT_ALIKE = [
    FAULTS[name] for name in ("weights_swapped", "residual_lost_in_vit", "activation_not_called", "dropout_active")
]


@pytest.mark.parametrize("twin", ALIKE, ids=lambda twin: twin.name)
def test_twins_are_built_alike(runner: Runner, twin: Twin) -> None:
    """Whatever frameworks, names, orders and nesting make of it."""
    report = tracer.structure(runner.reference(twin), runner.candidate(twin))
    assert (report.verdict, report.exit_code) == ("same", 0), report


@pytest.mark.parametrize("twin", ALIKE, ids=lambda twin: twin.name)
def test_a_net_that_never_ran_is_built_like_its_recorded_twin(runner: Runner, twin: Twin, tmp_path: Path) -> None:
    """A live net on one side, a trace on the other: neither side's calls are used."""
    report = tracer.structure(torch_side.net_of(twin, None, tmp_path), runner.candidate(twin))
    assert report.verdict == "same", report


@pytest.mark.parametrize("twin", [TWINS["cnn_functional"]], ids=lambda twin: twin.name)
def test_functions_in_place_of_layers_are_shown(runner: Runner, twin: Twin) -> None:
    """They are layers of the reference only, and a note says what they may be."""
    report = tracer.structure(runner.reference(twin), runner.candidate(twin))
    assert {row.reference.path for row in report.differing} == twin.absent
    assert any("as functions" in note for note in report.notes)


@pytest.mark.parametrize("fault", BUILT_OTHERWISE, ids=lambda fault: fault.name)
def test_a_layer_built_otherwise_is_named_with_its_setting(runner: Runner, fault: Fault) -> None:
    """The layer that the diff would blame, and the same setting, without a number."""
    twin = TWINS[fault.twin]
    report = tracer.structure(runner.reference(twin, fault), runner.candidate(twin, fault))
    found = {row.reference.path: [d.name for d in row.differences] for row in report.differing}
    assert fault.cause[1] in found.get(fault.reference, []), report
    assert report.exit_code == 1


@pytest.mark.parametrize("fault", BUILT_ALIKE, ids=lambda fault: fault.name)
def test_faults_of_code_and_weights_are_none_of_structure(runner: Runner, fault: Fault) -> None:
    """What is wrong in weights, modes or code between layers is left to the diff."""
    twin = TWINS[fault.twin]
    report = tracer.structure(runner.reference(twin, fault), runner.candidate(twin, fault))
    assert report.verdict == "same", report
