"""Every kind of source gives the curves that are in it, and says what it passed over."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.curves.sources import DATA, event, record, trace
from tracer.curves.gathering import Ask
from tracer.curves.measures import measure_of
from tracer.curves.opening import read_curves
from tracer.errors import CurveError, RuleError, TracerError
from tracer.trace.schema import Measures


def read(tmp_path, text, name="run.log", **ask):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_curves(path, Ask(**ask))


def points(curves, measure="loss"):
    found = curves.series[measure]
    return dict(zip(found.steps, found.values, strict=True))


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("loss", "loss"), ("train/loss", "loss"), ("Loss/train", "loss"), ("train_loss_step", "loss"),
        ("trainLoss", "loss"), ("grad_norm", "gradient_norm"), ("train/global_grad_norm", "gradient_norm"),
        ("global_norm", "gradient_norm"), ("param_norm", "parameter_norm"), ("lr", "learning_rate"),
        ("learning rate", "learning_rate"), ("update_ratio", "update_ratio"),
        ("val/loss", "val/loss"), ("eval_loss", "eval_loss"), ("train_loss_epoch", "train_loss_epoch"),
        ("loss/box", "loss/box"), ("speed", "speed"),
    ],
)  # fmt: skip
def test_names_become_measures(name, measure):
    """Names of the training's own measures are known; anything else keeps its name."""
    assert measure_of(name) == measure


# --- traces ---------------------------------------------------------------------------------------------------------


def test_a_trace_gives_its_measures(tmp_path):
    """By the user's count of steps; the update ratio is worked out."""
    path = trace(
        tmp_path / "a.h5", [Measures(2.0, 3.0, 4.0, 0.5, (0.1, 0.1)), Measures(1.0, 2.0, 4.0, 0.25, (0.1,))], [0, 10]
    )
    found = read_curves(path)
    assert points(found) == {0: 2.0, 10: 1.0}
    assert points(found, "gradient_norm") == {0: 3.0, 10: 2.0}
    assert points(found, "update_ratio") == {0: 0.125, 10: 0.0625}
    assert points(found, "learning_rate") == {0: 0.1, 10: 0.1}
    assert "update_norm" not in found.series


def test_groups_have_learning_rates_of_their_own(tmp_path):
    """The first is the learning rate, the others bear their number."""
    found = read_curves(trace(tmp_path / "a.h5", [Measures(learning_rates=(0.1, 0.01))]))
    assert points(found, "learning_rate") == {0: 0.1}
    assert points(found, "learning_rate.1") == {0: 0.01}


def test_a_trace_without_steps_says_how_to_record_them(tmp_path):
    """In three beats."""
    with pytest.raises(CurveError, match="no training step.*\n.*\n.*recording.step"):
        read_curves(trace(tmp_path / "a.h5", []))


# --- logs -----------------------------------------------------------------------------------------------------------

COMMON = {
    "LossMonitor": ("epoch: 1 step: 1, loss is 2.30\nepoch: 1 step: 2, loss is 2.10\n", {1: 2.3, 2: 2.1}),
    "plain": ("[INFO] step 0 loss: 2.30\n[INFO] step 1 loss: 2.1e0\n", {0: 2.3, 1: 2.1}),
    "pytorch": ("Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.3\nTrain Epoch: 1 [640/60000 (1%)]\tLoss: 2.1\n"
                "Test set: Average loss: 0.05, Accuracy: 9/10\n", {0: 2.3, 640: 2.1}),
    "pytorch epochs": ("Train Epoch: 1 [0/100 (0%)]\tLoss: 2.3\nTrain Epoch: 2 [0/100 (0%)]\tLoss: 2.1\n", {0: 2.3, 100: 2.1}),
    "hugging face": ("{'loss': 2.3, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.01}\n"
                     "{'eval_loss': 9.0, 'epoch': 0.01}\n{'loss': 2.1, 'grad_norm': 1.4, 'learning_rate': 4e-05}\n"
                     "{'train_runtime': 3.2, 'train_loss': 7.0}\n", {0: 2.3, 1: 2.1}),
    "mindformers": ("{ Epoch:[  1/  2], step:[    1/  2], loss: 2.3, per_step_time: 50ms, lr: 1e-05, global_norm: [3.5]}\n"
                    "{ Epoch:[  2/  2], step:[    1/  2], loss: 2.1, per_step_time: 50ms, lr: 1e-05, global_norm: [3.5]}\n",
                    {1: 2.3, 3: 2.1}),
    "progress bar": ("step 1: 10%|# | loss=2.3\rstep 2: 20%|## | loss=2.1\r", {1: 2.3, 2: 2.1}),
    "colour": ("\x1b[32mstep 1\x1b[0m loss \x1b[1m2.3\x1b[0m\nstep 2 loss 2.1\n", {1: 2.3, 2: 2.1}),
    "megatron": (" iteration        1/     100 | consumed samples: 8 | learning rate: 1.000E-04 | lm loss: 2.3E+00 |"
                 " grad norm: 1.5 |\n iteration        2/     100 | lm loss: 2.1E+00 | grad norm: 1.4 |\n", {1: 2.3, 2: 2.1}),
}  # fmt: skip


@pytest.mark.parametrize("kind", COMMON)
def test_common_lines_are_recognised(tmp_path, kind):
    """Steps, losses; lines of evaluation and summaries are no steps."""
    text, expected = COMMON[kind]
    assert points(read(tmp_path, text)) == expected


def test_other_measures_of_common_lines(tmp_path):
    """The norm of the gradients and the learning rate stand beside the loss."""
    found = read(tmp_path, COMMON["hugging face"][0])
    assert points(found, "gradient_norm") == {0: 1.5, 1: 1.4}
    assert points(found, "learning_rate") == {0: 5e-5, 1: 4e-5}
    assert found.counted


def test_a_pattern_names_measures(tmp_path):
    """Its groups are measures; step, epoch and length count."""
    found = read(
        tmp_path,
        "it 3 ce 2.5 g 1e-3 x\nelse\nit 4 ce nan g 2e-3\n",
        pattern=r"it (?P<step>\d+) ce (?P<loss>\S+) g (?P<grad_norm>\S+)",
    )
    assert points(found)[3] == 2.5
    assert math.isnan(points(found)[4])
    assert points(found, "gradient_norm") == {3: 1e-3, 4: 2e-3}


def test_text_that_is_no_number_is_said(tmp_path):
    """A line that matches without a number is passed over."""
    found = read(tmp_path, "s 1 loss 2\ns 2 loss oops\n", pattern=r"s (?P<step>\d+) loss (?P<loss>\S+)")
    assert points(found) == {1: 2.0}
    assert "without a number" in found.notes[0]


@pytest.mark.parametrize("pattern", ["(", "no groups", r"step (?P<step>\d+)", "(?P<1>x)", "*"])
def test_a_bad_pattern_is_refused(tmp_path, pattern):
    """With one that would do."""
    with pytest.raises(RuleError, match=r"\(\?P<loss>"):
        read(tmp_path, "step 1 loss 2", pattern=pattern)


def test_no_line_matches_shows_the_first_and_the_pattern(tmp_path):
    """So that one sees why."""
    with pytest.raises(CurveError, match="(?s)ce=.*hello there.*run.log"):
        read(tmp_path, "\nhello there\n", pattern="ce=(?P<loss>.*)")


def test_an_empty_file_is_said(tmp_path):
    """Whatever it was to be."""
    for name in ("a.log", "a.csv", "a.jsonl", "a.json"):
        with pytest.raises(CurveError, match="is empty"):
            read(tmp_path, " \n\n", name)


def test_no_file_is_said(tmp_path):
    """With its path."""
    with pytest.raises(CurveError, match="no such file"):
        read_curves(tmp_path / "none.log")


def test_epochs_are_counted_through(tmp_path):
    """Steps that begin anew in each epoch; where every step was printed the length of an epoch is known."""
    found = read(tmp_path, "".join(f"epoch: {e} step: {s}, loss is {e}.{s}\n" for e in (1, 2) for s in (1, 2, 3)))
    assert points(found) == {1: 1.1, 2: 1.2, 3: 1.3, 4: 2.1, 5: 2.2, 6: 2.3}
    assert found.epoch_length is None


def test_the_length_of_an_epoch_can_be_said(tmp_path):
    """Where only some steps were printed it is a guess without."""
    text = "".join(f"epoch: {e} step: {s}, loss is {e}.{s}\n" for e in (1, 2) for s in (20, 40))
    assert read(tmp_path, text).epoch_length == 40
    assert list(points(read(tmp_path, text, epoch_steps=50))) == [20, 40, 70, 90]


def test_the_last_of_a_step_counts(tmp_path):
    """A run that was taken up again."""
    found = read(tmp_path, "step 1 loss 3\nstep 2 loss 9\nstep 2 loss 2\n")
    assert points(found) == {1: 3.0, 2: 2.0}
    assert "more than once" in found.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_windows_are_read(tmp_path, encoding):
    """As its shells write what is sent into a file."""
    path = tmp_path / "a.log"
    path.write_bytes("step 1 loss 2.5\r\nstep 2 loss 2.0\r\n".encode(encoding))
    assert points(read_curves(path)) == {1: 2.5, 2: 2.0}


def test_written_digits_are_counted(tmp_path):
    """The most decimals and the most digits say how finely numbers were written."""
    assert read(tmp_path, "step 1 loss 2.25\nstep 2 loss 12.5\n").series["loss"].precision.unit(1.0) == 0.01
    assert read(tmp_path, "step 1 loss 0.001234\nstep 2 loss 12.34\n").series["loss"].precision.unit(12.0) == 0.01


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["a.log", "a.csv", "a.json", "a.jsonl", "a.tfevents", "a"]))
def test_any_bytes_are_read_or_refused(tmp_path, data, name):
    """Nothing but our own error comes out."""
    path = tmp_path / name
    path.write_bytes(data)
    try:
        read_curves(path)
    except TracerError as error:
        assert error.then


# --- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_csv_is_read_by_its_header(tmp_path, mark):
    """Whatever stands between; empty fields are no points; a column of words is none."""
    rows = [["step", "train/loss", "speed", "mode"], ["1", "2.5", "", "a"], ["2", "2.0", "9", "b"]]
    path = tmp_path / "a.txt"
    with path.open("w", newline="") as stream:
        csv.writer(stream, delimiter=mark).writerows(rows)
    found = read_curves(path)
    assert points(found) == {1: 2.5, 2: 2.0}
    assert points(found, "speed") == {2: 9.0}
    assert set(found.series) == {"loss", "speed"}


def test_columns_can_be_named(tmp_path):
    """What counts the steps, and what is measured."""
    found = read(tmp_path, "n,a,b\n5,1,2\n6,3,4\n", "a.csv", columns={"step": "n", "loss": "b"})
    assert points(found) == {5: 2.0, 6: 4.0}
    assert points(found, "a") == {5: 1.0, 6: 3.0}


def test_a_column_that_is_not_there_is_refused(tmp_path):
    """With those that are."""
    with pytest.raises(CurveError, match="(?s)'x'.*'n', 'a'"):
        read(tmp_path, "n,a\n5,1\n", "a.csv", columns={"loss": "x"})


def test_two_columns_of_one_measure(tmp_path):
    """The one that is called so is it, else the one with more points; the other keeps its name."""
    found = read(tmp_path, "step,loss,train_loss\n1,,2\n2,3,4\n", "a.csv")
    assert points(found) == {2: 3.0}
    assert points(found, "train_loss") == {1: 2.0, 2: 4.0}
    found = read(tmp_path, "step,train/loss,Loss\n1,,2\n2,3,4\n", "b.csv")
    assert points(found) == {1: 2.0, 2: 4.0}


def test_a_named_column_goes_before_one_that_is_called_so(tmp_path):
    """Nothing is lost by it."""
    found = read(tmp_path, "step,loss,ce\n1,2,3\n", "a.csv", columns={"loss": "ce"})
    assert points(found) == {1: 3.0}
    assert points(found, "loss (other)") == {1: 2.0}


def test_a_table_without_numbers_is_refused(tmp_path):
    """With its columns."""
    with pytest.raises(CurveError, match="no column beside the step"):
        read(tmp_path, "step,a\n1,x\n", "a.csv")


def test_json_lines_are_read(tmp_path):
    """Numbers by key; a torn last line is said."""
    text = "".join(json.dumps({"step": s, "loss": 1 / s, "mode": "train"}) + "\n" for s in (1, 2, 3)) + '{"step": 4, "l'
    found = read(tmp_path, text)
    assert points(found) == {1: 1.0, 2: 0.5, 3: 1 / 3}
    assert "no JSON" in found.notes[0]


def test_nan_in_json_is_a_point(tmp_path):
    """As Python writes it."""
    assert math.isnan(points(read(tmp_path, '{"step": 1, "loss": NaN}\n{"step": 2, "loss": 1}\n'))[1])


def test_a_trainer_state_is_read(tmp_path):
    """The history in Hugging Face's trainer_state.json, over many lines."""
    state = {
        "global_step": 2,
        "log_history": [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0}, {"step": 2, "eval_loss": 9}],
    }
    found = read(tmp_path, json.dumps(state, indent=2), "trainer_state.json")
    assert points(found) == {1: 2.5, 2: 2.0}


# --- event files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["simple.tfevents", "tensor.tfevents", "events.summary.0_MS"])
def test_event_files_of_both_frameworks_are_read(name):
    """As TensorBoard's writers made them, by value and as tensors, and MindSpore's SummaryRecord."""
    found = points(read_curves(DATA / name))
    assert list(found) == list(range(12))
    assert found[1] == pytest.approx(2.3 * 0.9, rel=1e-6)


def test_a_folder_of_event_files_is_one_run(tmp_path):
    """A run that was taken up again; the later file counts."""
    (tmp_path / "events.out.tfevents.1").write_bytes(event(0, "loss", 3) + event(1, "loss", 9))
    (tmp_path / "events.out.tfevents.2").write_bytes(event(1, "loss", 2) + event(300, "loss", 1))
    found = read_curves(tmp_path)
    assert points(found) == {0: 3.0, 1: 2.0, 300: 1.0}
    assert "2 event files" in found.notes[0]


def test_a_folder_without_event_files_is_refused(tmp_path):
    """With what would do."""
    with pytest.raises(CurveError, match="no event file"):
        read_curves(tmp_path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 100_000))
def test_a_torn_event_file_gives_what_is_whole(tmp_path, cut):
    """Wherever it was cut: the records before are read, and it is said."""
    one = event(0, "loss", 2.5)
    whole = b"".join(event(step, "loss", 2.5) for step in range(5))
    end = len(one) + cut % (len(whole) - len(one))
    path = tmp_path / "a.tfevents"
    path.write_bytes(whole[:end])
    found = read_curves(path)
    assert len(points(found)) == end // len(one)
    assert bool(found.notes) == (end % len(one) > 0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 100_000), st.integers(1, 255))
def test_a_flipped_bit_is_found(tmp_path, at, bits):
    """The checksums tell: no wrong number is read."""
    one = event(0, "loss", 2.5)
    data = bytearray(one + event(1, "loss", 2.5) + event(2, "loss", 2.5))
    place = len(one) + at % (len(data) - len(one))
    data[place] ^= bits
    path = tmp_path / "a.tfevents"
    path.write_bytes(bytes(data))
    found = read_curves(path)
    assert set(points(found).values()) == {2.5}
    assert "damaged" in found.notes[0] or "cut off" in found.notes[0]


def test_records_of_anything_are_refused_or_passed_over(tmp_path):
    """A record with the right checksum and no message in it ends the reading."""
    path = tmp_path / "a.tfevents"
    path.write_bytes(event(0, "loss", 2.5) + record(b"\xff" * 30) + event(1, "loss", 2.0))
    found = read_curves(path)
    assert points(found) == {0: 2.5}
    assert "damaged" in found.notes[0]


# --- numbers --------------------------------------------------------------------------------------------------------


def test_numbers_in_memory_are_curves():
    """A sequence is of steps 0, 1, ...; a mapping says its steps."""
    found = read_curves({"loss": np.array([2.0, 1.0], np.float32), "grad_norm": {5: 3.0}})
    assert points(found) == {0: 2.0, 1: 1.0}
    assert points(found, "gradient_norm") == {5: 3.0}


@pytest.mark.parametrize("given", [{"loss": "abc"}, {"loss": 3}, {"loss": [object()]}, {3: [1.0]}, {}, {"loss": []}])
def test_what_is_no_row_of_numbers_is_refused(given):
    """In three beats."""
    with pytest.raises(TracerError, match="next: "):
        read_curves(given)
