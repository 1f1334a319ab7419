"""What is shown of curves: text in 80 columns, a picture, JSON; and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from tests.cli.conftest import tracer  # noqa: F401 (the command, as its entry point runs it)
from tests.curves.sources import trace, training
from tracer import TracerError, curve
from tracer.trace.schema import Measures

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "docs" / "reference" / "curve.schema.json").read_text(encoding="utf-8")
)
LOSS = training(0)


def parted(at: int = 150) -> dict:
    other = LOSS.copy()
    other[at:] *= 1.5
    return {"loss": other}


@pytest.fixture
def logs(tmp_path):
    """Three logs: the reference, a port that agrees, one that parts at step 150."""

    def log(name, losses):
        path = tmp_path / name
        path.write_text("".join(f"step {n} loss: {x:.6f}\n" for n, x in enumerate(losses)), encoding="utf-8")
        return path

    return log("pt.log", LOSS), log("ms.log", LOSS * (1 + 1e-7)), log("off.log", parted()["loss"])


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_plot_keeps_to_the_page(width, encoding):
    """In any width, and in letters that the terminal has."""
    from tracer.reports.terminal_curves import curves_text

    report = curve({"loss": LOSS, "grad_norm": LOSS}, parted() | {"grad_norm": LOSS, "ümlaut": LOSS})
    shown = curves_text(report.both, width=width, encoding=encoding, every=True)
    assert max(map(len, shown.splitlines())) <= width
    shown.encode(encoding)


def test_the_report_tells_where_they_part():
    """Verdict first; the step stands below the plot, too."""
    shown = repr(curve({"loss": LOSS}, parted()))
    assert shown.startswith("diverged: the loss parts at step 150, over 300 common steps")
    assert "^ 150" in shown or "150 ^" in shown
    assert "the difference jumps to" in shown


def test_one_point_and_points_that_are_not_finite_can_be_plotted():
    """Nothing to draw is no error."""
    for values in ([2.0], [float("nan")] * 3, [0.0, 0.0], [float("inf"), 1.0], [1e-300, 1e300]):
        report = curve({"loss": values}, {"loss": values})
        assert repr(report)
        assert report.to_png()[:4] == b"\x89PNG"


def test_the_picture_is_a_png_and_leaves_matplotlib_as_it_was(tmp_path):
    """No figure stays open, no setting changed, no display is asked for."""
    import matplotlib

    before = dict(matplotlib.rcParams)
    path = curve({"loss": LOSS, "$x_1$": LOSS}, parted() | {"$x_1$": LOSS}, only="*").save(tmp_path / "a.png")
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert dict(matplotlib.rcParams) == before
    code = "import sys, tracer; tracer.curve({'loss': [1, 2]}, {'loss': [1, 2]}).to_png(); assert 'matplotlib.pyplot' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_it_is_said_what_to_install(monkeypatch):
    """In three beats."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(TracerError, match=r"(?s)needs matplotlib.*pip install"):
        curve({"loss": [1.0]}, {"loss": [1.0]}).to_png()


@pytest.mark.parametrize(
    "candidate",
    [{"loss": LOSS}, parted(), {"loss": LOSS[:5], "lr": [0.1]}, {"loss": np.where(np.arange(300) > 9, np.nan, LOSS)}],
)
def test_the_json_holds_its_contract(candidate):
    """Against the schema, and with finite numbers only."""
    document = json.loads(curve({"loss": LOSS}, candidate).to_json(), parse_constant=pytest.fail)
    jsonschema.validate(document, SCHEMA)


def test_the_json_says_where_they_part():
    """Step, measure and both curves."""
    document = curve({"loss": LOSS}, parted()).to_dict()
    assert (document["verdict"], document["step"], document["measure"]) == ("diverged", 150, "loss")
    assert document["measures"][0]["reference"] == LOSS.tolist()
    assert document["measures"][0]["how"] == "jump"


def test_other_endings_are_refused(tmp_path):
    """With those that would do."""
    with pytest.raises(TracerError, match=r"\.json, \.png, \.txt"):
        curve({"loss": [1.0]}, {"loss": [1.0]}).save(tmp_path / "a.svg")


def test_exit_codes_say_the_verdict(tracer, logs):
    """0 agree, 1 diverged, 2 could not tell."""
    reference, port, off = logs
    assert tracer("curve", reference, port).code == 0
    assert tracer("curve", reference, off).code == 1
    assert tracer("curve", reference, reference.with_name("none.log")).code == 2


def test_the_command_writes_what_is_asked_for(tracer, logs, tmp_path):
    """JSON, picture, and nothing on the terminal with --quiet."""
    done = tracer("curve", *logs[::2], "--json", tmp_path / "a.json", "--png", tmp_path / "a.png", "-q")
    assert (done.code, done.stdout, done.stderr) == (1, "", "")
    assert json.loads((tmp_path / "a.json").read_text())["step"] == 150
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"


def test_json_can_be_printed(tracer, logs):
    """And then nothing else is."""
    assert json.loads(tracer("curve", *logs[:2], "--json", "-").stdout)["verdict"] == "agree"


def test_the_picture_does_not_replace_what_it_shows(tracer, logs):
    """A slip of the hand."""
    done = tracer("curve", *logs[:2], "--png", logs[0])
    assert done.code == 2
    assert "would replace" in done.stderr


def test_options_reach_the_reader(tracer, tmp_path):
    """Patterns of each side, columns, the length of an epoch."""
    left, right = tmp_path / "a.log", tmp_path / "b.csv"
    left.write_text("E1 S1 ce=2.5\nE1 S2 ce=2.4\nE2 S1 ce=2.3\n")
    right.write_text("n,x\n1,2.5\n2,2.4\n11,2.3\n")
    done = tracer("curve", left, right, "--pattern", r"E(?P<epoch>\d+) S(?P<step>\d+) ce=(?P<loss>\S+)", "--epoch-steps", 10,
                  "--column-candidate", "step=n", "--column-candidate", "loss=x")  # fmt: skip
    assert (done.code, done.stderr) == (0, "")


def test_a_trace_and_a_log_can_be_compared(tracer, tmp_path):
    """Each side may be another kind."""
    path = trace(tmp_path / "a.h5", [Measures(2.5), Measures(2.0)])
    log = tmp_path / "b.log"
    log.write_text("step 0 loss 2.5\nstep 1 loss 2.0\n")
    assert tracer("curve", path, log).code == 0
