"""The tour goes as told, leaves everything to play with, and stumbles over nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import validate_report
from tracer import diff
from tracer.demo import tour
from tracer.demo.weights import torch_name

HERE = Path(__file__).parent


class Walk:
    """One tour: its exit code, its text, and its folder."""

    def __init__(self, folder: Path) -> None:
        lines: list[str] = []
        self.folder = folder
        self.code = tour.run_tour(folder, lines.append)
        self.text = "\n".join(lines)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return Walk(tmp_path_factory.mktemp("tour") / "new folder")


@pytest.mark.torch
@pytest.mark.mindspore
def test_the_tour_ends_well(walk):
    """The slip is found, the mended port agrees, and the exit code says so."""
    assert walk.code == 0, walk.text


@pytest.mark.torch
@pytest.mark.mindspore
def test_the_origin_is_the_line_with_the_slip(walk):
    """The first origin is the first block's activation, at the very line, and the edit is the mend."""
    report = diff(walk.folder / "vit_torch.h5", walk.folder / "vit_mindspore.h5")
    shown = validate_report(report.to_dict())
    origin = shown["origin"]
    assert (origin["phase"], origin["place"]) == ("forward", "layer")
    assert origin["reference"]["path"] == origin["candidate"]["path"] == "blocks.0.mlp.act"
    line = (walk.folder / "vit_mindspore.py").read_text().splitlines().index(f"        {tour.SLIP}") + 1
    assert origin["candidate"]["source"] == f"vit_mindspore.py:{line}"
    assert [cause["name"] for cause in origin["causes"]][:1] == ["approximate"]
    assert origin["causes"][0]["edit"].endswith(tour.MEND.removeprefix("self.act = "))


@pytest.mark.torch
@pytest.mark.mindspore
def test_the_mended_port_differs_by_one_line(walk):
    """The mended port is the port with the slip's line changed and nothing else."""
    port, mended = ((walk.folder / f"{net}.py").read_text().splitlines() for net in (tour.PORT, tour.MENDED))
    changed = [pair for pair in zip(port, mended, strict=True) if pair[0] != pair[1]]
    assert [tuple(line.strip() for line in pair) for pair in changed] == [(tour.SLIP, tour.MEND)]


@pytest.mark.torch
@pytest.mark.mindspore
def test_the_text_says_where_things_are(walk):
    """The folder, the traces and the next commands stand in the text, in lines that fit a terminal."""
    assert str(walk.folder) in walk.text
    for said in ("tracer diff vit_torch.h5 vit_mindspore.h5", "tracer show", "python vit_mindspore.py"):
        assert said in walk.text
    assert all(len(line) <= 100 for line in walk.text.splitlines() if str(walk.folder) not in line)


@pytest.mark.torch
@pytest.mark.mindspore
def test_a_second_tour_keeps_what_was_changed(walk):
    """A folder that holds a tour is refused, untouched."""
    before = (walk.folder / "vit_mindspore.py").stat().st_mtime_ns
    again = Walk(walk.folder)
    assert again.code == 2
    assert "earlier tour" in again.text
    assert (walk.folder / "vit_mindspore.py").stat().st_mtime_ns == before


@pytest.mark.torch
@pytest.mark.mindspore
def test_the_nets_agree_but_for_the_slip(tmp_path):
    """By numbers alone: the port is off by the slip, and by rounding once it is mended."""
    done = subprocess.run(
        [sys.executable, HERE / "outputs.py", tmp_path / "weights.npz"], capture_output=True, text=True, check=True
    )
    measured = json.loads(done.stdout)
    assert measured["slip"] > 5e-5
    assert measured["mended"] < 2e-6


@pytest.mark.parametrize("missing", ["torch", "mindspore"])
def test_without_a_framework_the_install_line_is_said(monkeypatch, tmp_path, missing):
    """A missing framework is said with what to install; nothing is written and nothing is raised."""
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else there(name))
    walk = Walk(tmp_path / "tour")
    assert walk.code == 2
    assert 'pip install ".[demo]"' in walk.text
    assert missing in walk.text
    assert not (tmp_path / "tour").exists()


@pytest.mark.skipif(os.name == "nt", reason="a file where a folder should be is another error there")
def test_a_folder_that_cannot_be_made_is_said(monkeypatch, tmp_path):
    """A path through a file gives an error in three beats."""
    monkeypatch.setattr(tour, "_require", lambda _framework: None)
    (tmp_path / "file").write_text("")
    walk = Walk(tmp_path / "file" / "tour")
    assert walk.code == 2
    assert "cannot be written" in walk.text
    assert "next:" in walk.text


def test_a_net_that_raises_is_said_in_one_line(monkeypatch, tmp_path):
    """When a recording fails, its last line is shown and how to see the rest; no traceback."""
    monkeypatch.setattr(tour, "_require", lambda _framework: None)
    monkeypatch.setattr(tour, "_source", lambda _net: "raise ImportError('libgomp is not there')\n")
    walk = Walk(tmp_path / "tour")
    assert walk.code == 2
    assert "libgomp is not there" in walk.text
    assert "Traceback" not in walk.text


def test_a_net_that_hangs_is_given_up(monkeypatch, tmp_path):
    """A recording that takes too long is ended and said."""
    monkeypatch.setattr(tour, "_require", lambda _framework: None)
    monkeypatch.setattr(tour, "_source", lambda _net: "import time; time.sleep(60)\n")
    monkeypatch.setattr(tour, "PATIENCE", 1.0)
    walk = Walk(tmp_path / "tour")
    assert walk.code == 2
    assert "was not done after 1 s" in walk.text


@pytest.mark.parametrize(
    ("path", "name"),
    [("blocks.0.norm1.gamma", "blocks.0.norm1.weight"), ("norm.beta", "norm.bias"), ("cls_token", "cls_token")],
)
def test_names_are_carried_to_torch_words(path, name):
    """The port's parameter has its counterpart's name in torch."""
    assert torch_name(path) == name
