"""How the diff of training steps is shown, and what `tracer show` tells of a training."""

import csv
import io
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.contract import SCHEMA, WORDS, validate_report
from tests.reports import builders, traces, trainings
from tracer.cli import cli, run
from tracer.divergence.training.steps import PHASES
from tracer.reports import overview, step_words, training_overview, wording
from tracer.reports.report import Report
from tracer.reports.terminal import report_text


def states(diagnosis, number):
    """The state of each phase of a step, by name."""
    row = next(row for row in diagnosis.steps if row.step == number)
    return {cell.phase: cell.state for cell in step_words.cells(diagnosis, row)}


# ---- the headline --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (trainings.other_update, "diverged in the update of step 0 at fc1.weight"),
        (trainings.other_group, "diverged in the update of step 0 at group 0"),
        (trainings.other_loss, "diverged in loss 1 of step 10"),
        (trainings.late_fault, "diverged in the forward pass of step 50 at blocks.2.mlp.act"),
        (trainings.changed_outside, "diverged at the start of step 1, in the parameters of fc1"),
        (trainings.drifting, "agree in every phase of 40 steps"),
        (trainings.one_step, "agree in every phase of step 10"),
        (trainings.nothing_updated, "agree over 3 steps in start, forward, loss and backward"),
    ],
)
def test_the_headline_says_phase_step_and_place(make, line):
    """Where a training goes wrong, in the first line."""
    assert wording.headline(make()) == line


# ---- the table -----------------------------------------------------------------------------------------------------


def test_what_comes_after_the_origin_is_carried_on():
    """Phases and steps after the origin were measured, not judged; before it they agree."""
    assert states(trainings.other_update(), 0)["update"] == "starts here"
    assert states(trainings.other_update(), 0)["gradients"] == "agrees"
    assert states(trainings.other_update(), 3) == {
        "start": "carried on", "forward": "carried on", "loss": "carried on", "backward": "not judged",
        "gradients": "carried on", "update": "not judged",
    }  # fmt: skip


def test_labels_that_differ_are_unsure():
    """Nothing starts there."""
    assert states(trainings.other_labels(), 0)["start"] == "unsure"


def test_of_many_steps_the_first_the_origin_and_the_last_are_shown():
    """What is left out between them is counted."""
    shown = step_words.shown_steps(trainings.late_fault(), 5)
    assert [row.words if isinstance(row, step_words.LeftOut) else row.step for row in shown] == [
        0, "48 steps left out: 1 to 48", 49, 50, 51, "47 steps left out: 52 to 98", 99,
    ]  # fmt: skip


def test_a_few_steps_are_shown_whole():
    """No line says that one step is left out."""
    assert [row.step for row in step_words.shown_steps(trainings.other_update(), 4)] == [0, 1, 2, 3, 4]


# ---- what was not judged -------------------------------------------------------------------------------------------


def test_phases_that_were_not_judged_are_said_once():
    """However many steps there are."""
    assert step_words.unjudged(trainings.nothing_updated()) == [
        "gradients and update not judged: no optimizer was watched"
    ]


def test_what_follows_from_the_origin_has_one_sentence():
    """Not one for each phase."""
    assert len(step_words.unjudged(trainings.other_update())) == 1


# ---- growth --------------------------------------------------------------------------------------------------------


def test_growth_of_two_right_ports_is_called_rounding():
    """Every phase of every step was judged and adds nothing."""
    assert step_words.growth_story(trainings.drifting()).startswith("rounding that grew, no fault")


def test_growth_after_an_origin_is_called_a_fault():
    """It is said where it begins."""
    said = step_words.growth_story(trainings.other_update())
    assert said == "not rounding but a fault: it begins in the update of step 0, and what follows carries it on"


def test_growth_before_an_origin_is_told_apart():
    """Fifty steps of rounding come before the fault."""
    assert step_words.growth_story(trainings.late_fault()).startswith("up to step 50 rounding that grew, then not")


def test_growth_is_not_called_rounding_where_no_update_was_judged():
    """Another optimizer would show the same curve."""
    assert "another optimizer may have made it" in step_words.growth_story(trainings.nothing_updated())


def test_equal_steps_have_no_curve():
    """Nothing is drawn of zeros."""
    assert step_words.curves(trainings.equal_steps().steps) == []
    assert "growth" not in report_text(trainings.equal_steps())


def test_the_rate_is_that_of_the_growth():
    """Losses that drift apart by a factor of 1.2 a step."""
    losses = step_words.told_curves(trainings.drifting())[1]
    assert losses[1].endswith("times 1.2 a step")


def test_the_rate_after_an_origin_is_that_of_what_follows():
    """The jump that a fault makes is no rate."""
    steps = (
        trainings.row(0, 0.0, 1e-7, 1e-7, 1e-7, 1e-7, 1e-2, update="diverged"),
        *(trainings.later(n, 1e-2 * 2**n, None, 1e-2 * 2**n) for n in range(1, 5)),
    )
    told = step_words.told_curves(trainings.training(steps, trainings.other_update().origins[0]))
    assert [words.rpartition("; ")[2] for _, words in told] == ["times 2 a step", "times 2 a step"]


def test_curves_are_drawn_on_one_scale():
    """The largest difference is the top of both; equal is the bottom; more steps than columns share them."""
    drawn = step_words.curves(trainings.drifting().steps)
    parameters, losses = step_words.levels(drawn, 20, 7)
    assert (len(parameters), parameters[-1], max(losses)) == (20, 7, 5)
    assert step_words.levels(drawn, 100, 7)[0][0] == 0


def test_notes_do_not_repeat_the_curve():
    """What the curve shows stands in the JSON as a note, and once in the report."""
    assert step_words.notes_after(trainings.drifting()) == ["key.bias gets gradients that are rounding in both nets"]
    assert any("apart by" in note for note in Report(trainings.drifting()).to_dict()["notes"])


# ---- places without layers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["steps_update", "steps_group", "steps_loss", "steps_changed_outside"])
def test_a_place_without_layers_shows_nothing_empty(name):
    """No road, no side that is not there, no line with a label only."""
    text = report_text(trainings.EVERY[name]())
    assert "the road" not in text
    assert "nothing" not in text
    assert not [line for line in text.splitlines() if line.strip() in {"reference", "candidate", "measured", "likely"}]


def test_a_sentence_is_said_once():
    """A cause that says what happened is not said before as well."""
    assert report_text(trainings.changed_outside()).count("outside of") == 1


# ---- other forms ---------------------------------------------------------------------------------------------------


def test_the_csv_has_a_line_for_every_phase_of_every_step():
    """Each with its step; without training there is no such column."""
    lines = list(csv.DictReader(io.StringIO(Report(trainings.other_update()).to_csv())))
    assert [(line["step"], line["phase"], line["state"]) for line in lines[5:7]] == [
        ("0", "update", "starts here"), ("1", "start", "carried on"),
    ]  # fmt: skip
    assert len(lines) == 5 * len(PHASES)
    assert "step" not in next(csv.reader(io.StringIO(Report(builders.with_rows()).to_csv())))


def test_the_page_has_the_table_and_the_curve():
    """In a notebook too."""
    page = Report(trainings.late_fault())._repr_html_()
    assert page.count("<polyline") == 2
    assert "starts here" in page


def test_the_json_has_every_step():
    """By number, with a verdict for each phase."""
    report = validate_report(Report(trainings.other_update()).to_dict())
    assert (report["origin"]["phase"], report["origin"]["step"]) == ("update", 0)
    assert report["steps"][0]["phases"]["update"] == {"verdict": "diverged", "relative_l2": 3.1e-2}
    assert set(report["steps"][0]["phases"]) == set(PHASES)


def test_a_difference_without_end_is_null():
    """JSON knows no infinity."""
    steps = (trainings.row(0, 0.0, math.inf, forward="diverged"),)
    report = Report(trainings.training(steps)).to_dict()
    assert report["steps"][0]["phases"]["forward"]["relative_l2"] is None


@pytest.mark.parametrize(
    ("where", "key", "words"),
    [("origin", "phase", "phase"), ("origin", "place", "place"), ("cause", "kind", "cause"), ("step_phase", "verdict", "step")],
)  # fmt: skip
def test_the_schema_has_the_words_of_today(where, key, words):
    """The lists in the schema are those that reports are held against."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert set(schema["$defs"][where]["properties"][key]["examples"]) == WORDS[words]
    if key == "phase":
        assert WORDS["phase"] == set(PHASES)


# ---- one trace -----------------------------------------------------------------------------------------------------


def test_the_first_step_that_has_calls_is_shown():
    """Where no step is named."""
    assert training_overview.first_step(traces.trained()) == 0
    assert overview.step_of(traces.skeleton()).number == 0


def test_a_skipped_step_is_marked():
    """Loss scaling found an overflow, or nobody called the optimizer."""
    line = training_overview.training(traces.trained()).lines[7]
    assert line.remarks == ("no update: the optimizer was not called, or the step was skipped",)


def test_the_json_of_a_trace_has_every_step_in_numbers():
    """With optimizer, groups, losses."""
    document = overview.to_json(traces.trained(), "pt.h5", number=1)
    assert (document["step"], len(document["steps"])) == (1, 40)
    assert document["steps"][0]["optimizer"]["groups"][1]["parameters"] == ["patch.bias"]
    assert "steps" not in overview.to_json(traces.skeleton(), "pt.h5")


def test_a_layer_in_a_step_shows_its_parameters_before_and_after(recorded):
    """Numbers of that step, not those of the net when recording began."""
    with tracer.Trace(recorded / "clipped.h5") as trace:
        part = overview.layer_part(trace.skeleton, "0", number=1)
        before = trace.steps[1].parameters_before["0.weight"].statistics
    found = {line.label: line.statistics for line in part.parameters}
    assert found["weight"] == before
    assert "weight after" in found
    assert found["weight gradient handed on"].l2 < found["weight gradient"].l2
    assert ("step", "1") in part.facts


# ---- real recordings -----------------------------------------------------------------------------------------------

X = np.random.default_rng(0).standard_normal((12, 8)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 12)


def train(out, *, clip=None, reduction="mean"):
    """Three steps of a small net."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 4))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    criterion = nn.CrossEntropyLoss(reduction=reduction)
    with tracer.recording(net, out=out, optimizer=optimizer) as recording:
        for _ in range(3):
            with recording.step():
                loss = recording.loss(criterion(net(torch.from_numpy(X)), torch.from_numpy(Y)))
                loss.backward()
                if clip:
                    nn.utils.clip_grad_norm_(net.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three trainings: the reference, one that clips, one that sums its loss."""
    folder = tmp_path_factory.mktemp("trained")
    train(folder / "pt.h5")
    train(folder / "clipped.h5", clip=0.1)
    train(folder / "summed.h5", reduction="sum")
    return folder


def test_clipping_is_shown_in_the_gradients(recorded):
    """The headline, the table and the words of the growth."""
    text = repr(tracer.diff(recorded / "pt.h5", recorded / "clipped.h5"))
    assert text.startswith("diverged in the gradients of step 0 at ")
    assert "not rounding but a fault: it begins in the gradients of step 0" in " ".join(text.split())


def test_a_summed_loss_is_shown_in_the_loss(recorded):
    """A loss is no layer: it has no road."""
    text = repr(tracer.diff(recorded / "pt.h5", recorded / "summed.h5"))
    assert text.startswith("diverged in the loss of step 0")
    assert "  reference  the loss  CrossEntropyLoss" in text.splitlines()
    assert "road" not in text


@pytest.mark.parametrize("name", ["clipped.h5", "summed.h5"])
def test_real_reports_keep_the_contract(recorded, name):
    """JSON as the schema says, lines of at most 80 columns."""
    report = tracer.diff(recorded / "pt.h5", recorded / name)
    validate_report(report.to_dict())
    assert max(map(len, repr(report).splitlines())) <= 80


def shown(capsys, *arguments):
    """What `tracer show` prints."""
    assert run(cli, ["show", *map(str, arguments)], "tracer") == 0
    return capsys.readouterr().out


def test_show_lists_the_steps_of_a_training(recorded, capsys):
    """The optimizer with its settings, the loss, a line for each step, how to see one."""
    text = shown(capsys, recorded / "pt.h5")
    assert "SGD: lr 0.1" in text
    assert "CrossEntropyLoss" in text
    assert [line.split()[0] for line in text.splitlines()[-4:]] == ["step", "0", "1", "2"]


def test_show_of_one_step_has_its_layers(recorded, capsys):
    """With the loss of that step before them."""
    text = shown(capsys, recorded / "pt.h5", "--step", "2")
    assert "(this is step 2)" in text
    assert "sent back 1" in text
    assert text.splitlines()[-1].split()[:2] == ["2", "Linear"]
