"""`tracer diff`: what it prints, writes and returns."""

import json

import pytest

from tests.contract import validate_report


def test_a_slip_is_found_and_told(tracer, pair):
    """The verdict stands first, the exit code says the same."""
    done = tracer("diff", pair.reference, pair.slip)
    assert done.stdout.startswith("diverged in forward at act")
    assert "nn.GELU(approximate=False)" in done.stdout
    assert (done.code, done.stderr) == (1, "")


def test_a_clean_port_agrees(tracer, pair):
    """Exit 0 is for agree alone."""
    done = tracer("diff", pair.reference, pair.clean)
    assert done.stdout.startswith("agree in forward")
    assert done.code == 0


def test_the_same_file_twice_agrees(tracer, pair):
    """A trace has no quarrel with itself."""
    assert tracer("diff", pair.reference, pair.reference).code == 0


def test_other_inputs_are_unsure(tracer, pair):
    """The net is not blamed for what it was given."""
    done = tracer("diff", pair.reference, pair.other_inputs)
    assert done.stdout.startswith("unsure")
    assert done.code == 2


def test_the_other_command_is_the_same_thing(tracer, pair):
    """`tracer.diff A B` prints what `tracer diff A B` prints."""
    assert tracer(pair.reference, pair.slip, command="diff") == tracer("diff", pair.reference, pair.slip)


def test_python_calls_it_too(pair):
    """`tracer.api.diff` is the same verdict."""
    from tracer import api

    assert api.diff(pair.reference, pair.slip).verdict == "diverged"


def test_python_takes_open_traces_and_leaves_them_open(pair):
    """A `Trace` belongs to who opened it."""
    from tracer import api
    from tracer.trace.reader import Trace

    with Trace(pair.reference) as reference, Trace(pair.clean) as candidate:
        assert api.diff(reference, candidate).verdict == "agree"
        assert reference["act"].calls[0].output.statistics.count == 32
        assert api.diff(reference, candidate, pins={"act": "act"}, only="act").coverage.aligned == 4


# ---- options -------------------------------------------------------------------------------------------------------


def test_quiet_prints_nothing(tracer, pair):
    """Only the exit code speaks."""
    assert tracer("diff", pair.reference, pair.slip, "--quiet") == (1, "", "")


def test_every_prints_the_table_of_pairs(tracer, pair):
    """The report, then a line for every pair with both paths and a verdict."""
    lines = tracer("diff", pair.reference, pair.slip, "--every").stdout.splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("reference "))) :]
    assert [line.split()[:2] for line in table[2:]] == [[path, path] for path in ("(root)", "fc1", "act", "fc2")]


def test_json_to_a_file_keeps_the_contract_and_the_report(tracer, pair, tmp_path):
    """The file is for a program, the terminal still for a person."""
    done = tracer("diff", pair.reference, pair.slip, "--json", tmp_path / "r.json")
    report = validate_report(json.loads((tmp_path / "r.json").read_text()))
    assert report["origin"]["reference"]["path"] == "act"
    assert report["reference"]["file"] == str(pair.reference)
    assert done.stdout.startswith("diverged")


def test_one_file_does_not_take_two_forms(tracer, pair, tmp_path):
    """The second would replace the first without a word."""
    done = tracer("diff", pair.reference, pair.slip, "--json", tmp_path / "r", "--csv", tmp_path / "r")
    assert done.code == 2
    assert "a file each" in done.stderr


def test_json_on_the_standard_output_is_json_alone(tracer, pair):
    """Nothing else is printed."""
    done = tracer("diff", pair.reference, pair.slip, "--json", "-")
    validate_report(json.loads(done.stdout))
    assert done.code == 1


def test_csv_has_a_line_for_every_pair(tracer, pair):
    """All pairs are judged for it."""
    lines = tracer("diff", pair.reference, pair.slip, "--csv", "-").stdout.splitlines()
    assert lines[0].startswith("phase,reference,")
    assert len(lines) == 5


def test_html_is_written(tracer, pair, tmp_path):
    """A page with the verdict."""
    tracer("diff", pair.reference, pair.slip, "--html", tmp_path / "r.html")
    assert "diverged in forward at act" in (tmp_path / "r.html").read_text()


def test_only_restricts_what_is_judged(tracer, pair):
    """A slip outside the glob is not looked for."""
    assert tracer("diff", pair.reference, pair.slip, "--only", "fc1").stdout.startswith(("agree", "unsure"))


def test_a_tolerance_may_be_given(tracer, pair):
    """What is within it counts as equal."""
    assert tracer("diff", pair.reference, pair.slip, "--rtol", "0.01").code == 0
    assert tracer("diff", pair.reference, pair.slip, "--atol", "1").code == 0


def test_a_pin_of_what_is_not_there_names_the_nearest(tracer, pair):
    """An error in three beats, exit 2."""
    done = tracer("diff", pair.reference, pair.slip, "--pin", "fc=fc1")
    assert done.stderr.startswith("error: ")
    assert "fc1" in done.stderr
    assert done.code == 2


# ---- errors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff",),
        ("diff", "A"),
        ("diff", "A", "B", "C"),
        ("diff", "A", "B", "--no-such-option"),
        ("diff", "A", "B", "--rtol", "much"),
        ("diff", "A", "B", "--rtol", "-1"),
        ("diff", "A", "B", "--rtol", "nan"),
        ("diff", "A", "B", "--pin", "a"),
        ("diff", "A", "B", "--json", "-", "--csv", "-"),
        ("no-such-command",),
        ("show",),
        ("show", "A", "--depth", "-1"),
    ],
    ids=" ".join,
)
def test_bad_usage_is_three_beats_and_exit_2(tracer, arguments):
    """What is wrong, which command, and where to read more."""
    done = tracer(*arguments)
    what, where, then = done.stderr.splitlines()[0], done.stderr, done.stderr.splitlines()[-1]
    assert what.startswith("error: ")
    assert "\n  where: tracer" in where
    assert then.endswith("--help")
    assert (done.code, done.stdout) == (2, "")


def test_a_missing_file_is_three_beats_and_exit_2(tracer, tmp_path):
    """No traceback for a slip of the keyboard."""
    done = tracer("diff", tmp_path / "a.h5", tmp_path / "b.h5")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.code == 2


def test_what_is_no_trace_is_said(tracer, tmp_path, pair):
    """A text file is not a trace."""
    (tmp_path / "a.h5").write_text("hello")
    done = tracer("diff", tmp_path / "a.h5", pair.clean)
    assert done.stderr.startswith("error: ")
    assert done.code == 2


def test_a_report_that_cannot_be_written_is_exit_2(tracer, pair, tmp_path):
    """Never 1: that would read as diverged."""
    done = tracer("diff", pair.reference, pair.clean, "--json", tmp_path / "nowhere" / "r.json")
    assert done.stderr.startswith("error: the report cannot be written")
    assert done.code == 2


def test_a_failure_of_our_own_is_one_line_and_says_where_to_turn(tracer, pair, monkeypatch):
    """An unexpected exception shows no traceback, unless --debug asks for it."""

    def fails(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr("tracer.api.diff", fails)
    done = tracer("diff", pair.reference, pair.clean)
    assert done.stderr.startswith("error: tracer failed where it should not have: ZeroDivisionError: oh")
    assert "Traceback" not in done.stderr
    assert "Traceback" in tracer("diff", pair.reference, pair.clean, "--debug").stderr
    assert done.code == 2


def test_an_interrupt_is_exit_130(tracer, pair, monkeypatch):
    """As every shell expects."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tracer.api.diff", interrupted)
    assert tracer("diff", pair.reference, pair.clean).code == 130


def test_a_report_never_replaces_a_trace(tracer, pair):
    """A slip in the order of words must not cost a recording."""
    before = pair.clean.read_bytes()
    done = tracer("diff", pair.reference, pair.clean, "--json", pair.clean)
    assert done.stderr.startswith("error: the report would replace the trace")
    assert done.code == 2
    assert pair.clean.read_bytes() == before
