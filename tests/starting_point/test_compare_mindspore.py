"""`tracer.compare` of torch nets and MindSpore ports: all of them in one process, apart from this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import validate_report

pytest.importorskip("torch")
pytest.importorskip("mindspore")
pytestmark = [pytest.mark.torch, pytest.mark.mindspore]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of each check, by its name in `checked_side.py`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.starting_point.checked_side", str(tmp_path_factory.mktemp("checks"))],
        cwd=REPOSITORY, env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_right_port_agrees_in_one_call(said: dict[str, Any]) -> None:
    """Nets with weights of their own agree once these are moved."""
    assert said["agree"]["json"]["verdict"] == "agree"
    assert said["agree"]["code"] == 0


@pytest.mark.parametrize("name", ["agree", "tanh", "rate", "words", "samples", "more", "partial", "other way"])
def test_the_json_keeps_the_contract(said: dict[str, Any], name: str) -> None:
    """Also where nothing was compared."""
    validate_report(said[name]["json"])


@pytest.mark.parametrize(
    ("name", "path", "setting"),
    [("tanh", "act", "approximate"), ("eps", "norm", "eps"), ("rate", "drop", "p")],
)
def test_a_slip_is_found_with_its_layer_and_setting(said: dict[str, Any], name: str, path: str, setting: str) -> None:
    """GELU's formula, LayerNorm's eps; and the rate of a dropout, whose mask was replayed in training mode."""
    report = said[name]["json"]
    assert (report["verdict"], said[name]["code"]) == ("diverged", 1)
    assert report["origin"]["candidate"]["path"] == path
    assert report["origin"]["causes"][0]["name"] == setting


def test_training_mode_agrees_number_for_number(said: dict[str, Any]) -> None:
    """As is: the reference trains, so the candidate does, and drops the same."""
    assert said["training"]["json"]["verdict"] == "agree"
    assert any("replayed" in note for note in said["training"]["json"]["beforehand"])


def test_whole_numbers_and_names_of_arguments(said: dict[str, Any]) -> None:
    """Ids within bounds and a mask by name reach both nets."""
    assert said["words"]["json"]["verdict"] == "agree"


def test_every_sample_has_its_verdict(said: dict[str, Any]) -> None:
    """A row each."""
    assert [row["verdict"] for row in said["samples"]["json"]["samples"]] == ["agree", "agree"]


def test_weights_without_place_stop_the_check(said: dict[str, Any]) -> None:
    """Unsure, no sample compared, the parameters listed, and what to do."""
    report = said["more"]["json"]
    assert (report["verdict"], said["more"]["code"], report["samples"]) == ("unsure", 2, [])
    assert [p["name"] for p in report["weights"]["alone"]["candidate"]] == ["extra.weight", "extra.bias"]
    assert "extra.weight" in said["more"]["text"]
    assert "partial=True" in said["more"]["text"]


def test_partial_goes_on_and_says_so(said: dict[str, Any]) -> None:
    """The check ends in a verdict of the numbers."""
    report = said["partial"]["json"]
    assert report["verdict"] == "diverged"
    assert any("2 parameters of the candidate without partner" in sentence for sentence in report["assumed"])


def test_a_mindspore_net_may_be_the_reference(said: dict[str, Any]) -> None:
    """The road goes both ways."""
    assert said["other way"]["json"]["verdict"] == "agree"


def test_what_the_check_assumed_is_said(said: dict[str, Any]) -> None:
    """Mode, seed, inputs."""
    assert said["agree"]["json"]["assumed"] == ["both nets in evaluation mode", "seed 0", "inputs 4x6 float32"]


def test_no_flag_that_the_check_set_is_noted(said: dict[str, Any]) -> None:
    """On the CPU nothing depends on torch's deterministic algorithms."""
    assert not any("deterministic" in note for note in said["agree"]["json"]["notes"])


@pytest.mark.parametrize(
    "name", ["agree", "tanh", "rate", "training", "samples", "more", "partial", "other way", "raising"]
)
def test_both_nets_are_left_as_they_were(said: dict[str, Any], name: str) -> None:
    """Weights, modes, attributes and random state, bit for bit, whatever came of it."""
    assert said[name]["same"] == [True, True]


def test_weights_are_kept_where_that_is_asked(said: dict[str, Any]) -> None:
    """The candidate has other numbers afterwards, the reference its own."""
    assert said["kept"]["same"] == [True, False]


def test_a_port_that_raises_says_whose_it_was(said: dict[str, Any]) -> None:
    """The net's own exception, with the side and the layer in a note."""
    assert said["raising"]["error"] == "ValueError"
    assert said["raising"]["notes"] == ["the candidate raised in fc2 (call 0)"]


def test_like_takes_samples_weights_and_the_mode_of_each_layer(said: dict[str, Any]) -> None:
    """A frozen BatchNorm stays frozen in a port that does not freeze it; the port is as it was afterwards."""
    assert said["like"]["modes"] == {"(root)": True, "fc": True, "frozen": False, "free": True}
    assert said["like"]["inputs"]
    assert said["like"]["verdict"] == "agree"
    assert said["like"]["same"]


def test_the_page_opens_with_the_weights(said: dict[str, Any]) -> None:
    """In front of the verdict, in one page."""
    page = said["tanh"]["html"]
    assert page.startswith("<!doctype html>")
    page = page.partition("<body>")[2]
    assert page.index("torch Net -&gt; mindspore Net") < page.index("diverged")


@pytest.mark.parametrize("name", ["agree", "tanh", "rate", "more", "partial"])
def test_the_text_fits_a_terminal(said: dict[str, Any], name: str) -> None:
    """80 columns."""
    assert all(len(line) <= 80 for line in said[name]["text"].splitlines())
