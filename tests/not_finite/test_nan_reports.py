"""What is shown of births: text, JSON, the command, the diff."""

from __future__ import annotations

import json

import numpy as np
import pytest

import tracer as face
from tests.cli.conftest import tracer  # noqa: F401 (the command as a fixture)
from tests.contract import validate_report
from tests.divergence.worlds import World
from tests.not_finite.test_births_worlds import OPS, run
from tracer.divergence.diagnosis import diagnose
from tracer.reports import contract
from tracer.reports.not_finite import NanReport
from tracer.divergence.births import survey
from tracer.trace.schema import ROOT

NEGATIVE = np.full(4, -1, np.float32)


def report(steps, array=NEGATIVE):
    """The report on a net of plain functions."""
    trace = run(steps, array)
    return NanReport(survey(trace.skeleton, arrays=trace), trace.skeleton.header, "pt.h5")


def test_the_report_reads_from_the_birth_to_its_end():
    """Born, made of, became, why."""
    text = repr(report([("log", False), ("twice", False)]))
    assert text.startswith("NaN is born in log0 (log)\n")
    labels = [line.split()[0] for line in text.splitlines() if line[:3].strip() and line.startswith("  ")]
    assert [label for label in labels if label in {"born", "made", "became", "why"}] == [
        "born",
        "made",
        "became",
        "why",
    ]
    assert "input 0: float32 (4,), -1 to -1" in text
    assert "passed on to twice1; reached the output of the net" in text


def test_the_report_keeps_to_80_columns():
    """Long names and many births too."""
    steps = [(op, code) for op in OPS for code in (False, True)] * 2
    assert max(map(len, repr(report(steps)).splitlines())) <= 80


def test_a_clean_net_is_said_in_a_line():
    """False, and exit code 0."""
    found = report([("twice", False)])
    assert (bool(found), found.exit_code, found.summary) == (False, 0, "no NaN or Inf was born")


def test_the_document_is_plain_and_finite(tmp_path):
    """Every birth with its sentence; saved as text and JSON."""
    found = report([("log", False), ("healed", False)])
    document = json.loads(found.to_json())
    assert document["births"][0]["healed"] is True
    assert document["births"][0]["sentence"].startswith("NaN is born in log0 (log), forward: 4 NaN of 4 elements")
    assert found.save(tmp_path / "nan.txt").read_text().startswith("NaN is born")
    assert "<pre>" in found._repr_html_()


def test_the_diff_tells_the_sides_apart():
    """In the candidate only; the key is there in the JSON, and the schema holds."""
    clean, spoilt = run([("twice", False)] * 3, NEGATIVE), run([("twice", False), ("log", False)], NEGATIVE)
    diagnosis = diagnose(clean, spoilt)
    assert any(note.startswith("in the candidate only, NaN is born in log1") for note in diagnosis.notes)
    document = validate_report(contract.to_json(diagnosis))
    assert document["not_finite"]["reference"] == []
    assert document["not_finite"]["candidate"][0]["path"] == "log1"


def test_the_diff_of_clean_nets_has_no_such_key():
    """Nothing is said where nothing was born."""
    diagnosis = diagnose(run([("twice", False)], NEGATIVE), run([("twice", False)], NEGATIVE))
    assert "not_finite" not in contract.to_json(diagnosis)


@pytest.fixture
def file(tmp_path):
    """A trace with a NaN, as a file."""
    torch = pytest.importorskip("torch")
    from tests.not_finite.torch_nets import own, x

    face.record(own(lambda t: torch.log(t - 99)), x(), out=tmp_path / "pt.h5")
    return tmp_path / "pt.h5"


def test_the_command_prints_it_and_exits_with_1(tracer, file):  # noqa: F811
    """`tracer show FILE --nan`."""
    done = tracer("show", file, "--nan")
    assert done.stdout.startswith("NaN is born in 1 (Op)")
    assert done.code == 1


def test_the_command_writes_json(tracer, file):  # noqa: F811
    """To the standard output with -."""
    assert json.loads(tracer("show", file, "--nan", "--json", "-").stdout)["format"] == "tracer-nan"


def test_the_command_refuses_a_path(tracer, file):  # noqa: F811
    """The whole trace is looked at."""
    done = tracer("show", file, "1", "--nan")
    assert "leave out PATH" in done.stderr
    assert done.code == 2


def test_what_is_no_trace_is_refused_in_three_beats():
    """A number is no file."""
    with pytest.raises(face.TracerError, match="no trace"):
        face.find_nan(3)


def test_a_world_without_calls_has_none():
    """A net that only hands its input on."""
    world = World("torch")
    world.call(ROOT, "Net", lambda t: t, NEGATIVE)
    assert not survey(world.trace().skeleton)
