"""Two sides beside each other: what counts, how steps are brought to one count, and what cannot be compared."""

from __future__ import annotations

import numpy as np
import pytest

from tests.curves.sources import trace, training
from tracer import TracerError, curve
from tracer.errors import CurveError, RuleError
from tracer.trace.schema import Measures


def text(tmp_path, name, lines):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_traces_of_both_sides(tmp_path):
    """The gradients' norm parts first; the loss of that step was still equal."""
    measures = [Measures(2 - 0.1 * n, 1.0, 5.0, 0.05, (0.1,)) for n in range(12)]
    doubled = [
        Measures(m.loss * (1.2 if n > 6 else 1), 2.0 if n > 5 else 1.0, 5.0, 0.05, (0.1,))
        for n, m in enumerate(measures)
    ]
    report = curve(trace(tmp_path / "a.h5", measures), trace(tmp_path / "b.h5", doubled))
    assert (report.verdict, report.measure, report.step, report.exit_code) == ("diverged", "gradient_norm", 6, 1)
    assert report["loss"].step == 7
    assert {p.measure for p in report.partings if p.state == "equal"} == {
        "parameter_norm",
        "update_ratio",
        "learning_rate",
    }


def test_measures_that_nobody_knows_do_not_count():
    """They are shown."""
    report = curve({"loss": training(0), "speed": range(300)}, {"loss": training(0), "speed": range(1000, 1300)})
    assert report.verdict == "agree"
    assert report["speed"].state == "parted"


def test_measures_that_are_named_count():
    """Those and no others."""
    report = curve(
        {"loss": training(0), "speed": range(300)}, {"loss": training(1), "speed": range(1000, 1300)}, only="speed"
    )
    assert (report.verdict, report.measure) == ("diverged", "speed")
    assert [p.measure for p in report.partings] == ["speed"]


def test_only_unknown_measures_are_unsure():
    """And it is said what to do."""
    report = curve({"a": [1.0, 2.0]}, {"a": [1.0, 2.0]})
    assert report.verdict == "unsure"
    assert "only=" in report.notes[0]


def test_counts_from_0_and_from_1_are_brought_together():
    """As PyTorch's loops and MindSpore's callbacks count."""
    loss = training(0)
    report = curve({"loss": loss}, {"loss": {n + 1: x for n, x in enumerate(loss)}})
    assert report.verdict == "agree"
    assert len(report["loss"].steps) == 300
    assert "from 0" in report.notes[0]


def test_points_without_steps_stand_beside_those_with(tmp_path):
    """In order."""
    left = text(tmp_path, "a.log", [f"step {100 * n} loss {3 - n / 10}" for n in range(10)])
    right = text(tmp_path, "b.log", [f"loss {3 - n / 10}" for n in range(12)])
    report = curve(left, right)
    assert report.verdict == "agree"
    assert report["loss"].steps == tuple(range(0, 1000, 100))
    assert len(report["loss"].only_candidate) == 2


def test_the_length_of_an_epoch_that_cannot_be_told_is_asked_for(tmp_path):
    """One side counts through, the other anew in each epoch and not every step."""
    left = text(tmp_path, "a.log", [f"step {n} loss {3 - n / 1000}" for n in range(20, 200, 20)])
    right = text(
        tmp_path,
        "b.log",
        [f"epoch: {e} step: {s}, loss is {3 - (50 * e - 50 + s) / 1000}" for e in (1, 2, 3) for s in (20, 40)],
    )
    with pytest.raises(CurveError, match="--epoch-steps"):
        curve(left, right)
    assert curve(left, right, epoch_steps=50).verdict == "agree"


def test_a_measure_of_one_side_only_is_said():
    """By its side."""
    report = curve({"loss": [2.0, 1.0], "lr": [0.1, 0.1]}, {"loss": [2.0, 1.0]})
    assert report.both.alone == {"learning_rate": "reference"}
    assert "learning rate: only the reference has it" in report.notes


def test_steps_of_one_side_only_are_said():
    """How many, and which."""
    report = curve({"loss": training(0)}, {"loss": training(0)[:200]})
    assert "100 steps only the reference has (200, 201, ... 299)" in report.notes


def test_no_common_measure_is_refused():
    """With what each side has."""
    with pytest.raises(CurveError, match=r"(?s)no measure is common.*loss \| learning_rate.*--column"):
        curve({"loss": [1.0]}, {"lr": [1.0]})


def test_no_common_step_is_refused():
    """With the steps of each side."""
    with pytest.raises(CurveError, match="(?s)no step in common.*steps 0 to 1.*steps 5 to 9"):
        curve({"loss": [1.0, 2.0]}, {"loss": {5: 1.0, 9: 1.0}})


def test_a_glob_that_fits_nothing_is_refused():
    """With the names that are there."""
    with pytest.raises(RuleError, match="(?s)no measure is called so.*los.*loss"):
        curve({"loss": [1.0]}, {"loss": [1.0]}, only="los")


def test_a_measure_that_is_asked_for_and_stands_on_one_side_is_refused():
    """The side is named."""
    with pytest.raises(CurveError, match="only the reference has learning_rate"):
        curve({"loss": [1.0], "lr": [1.0]}, {"loss": [1.0]}, only="learning_rate")


def test_columns_of_one_side_are_no_demand_on_the_other(tmp_path):
    """Each may be another kind of file."""
    left = text(tmp_path, "a.csv", ["n,ce", "0,2.5", "1,2.0"])
    right = text(tmp_path, "b.log", ["step 0 loss 2.5", "step 1 loss 2.0"])
    assert curve(left, right, columns=["step=n", "loss=ce"]).verdict == "agree"
    assert curve(right, left, columns_candidate={"step": "n", "loss": "ce"}).verdict == "agree"


@pytest.mark.parametrize(
    "more",
    [{"pattern": 3}, {"columns": 3}, {"columns": "loss"}, {"columns": {"loss": 3}}, {"epoch_steps": 0}, {"epoch_steps": True},
     {"epoch_steps": 1.5}, {"only": 3}],
)  # fmt: skip
def test_arguments_that_do_not_hold_are_refused(more):
    """In three beats."""
    with pytest.raises(RuleError, match="next: "):
        curve({"loss": [1.0]}, {"loss": [1.0]}, **more)


@pytest.mark.parametrize("given", [None, 3, [1.0, 2.0], b"a", object()])
def test_what_has_no_curves_is_refused(given):
    """A list has no name of what it measures."""
    with pytest.raises(TracerError, match="nothing that has curves"):
        curve(given, {"loss": [1.0]})


def test_numpy_steps_are_steps():
    """As loops collect them."""
    report = curve({"loss": dict(zip(np.arange(3), np.ones(3)))}, {"loss": [1.0, 1.0, 1.0]})
    assert report.verdict == "agree"
