"""`Report`: what it says of itself, its JSON, CSV and HTML, and how it is kept."""

import csv
import io
import json
import os
import stat
from html.parser import HTMLParser

import pytest

from tests.contract import SCHEMA, validate_report
from tests.reports import builders, trainings
from tracer.errors import TracerError
from tracer.reports.report import Report
from tracer.reports.table import COLUMNS


@pytest.fixture
def report():
    return Report(builders.diagnosis())


@pytest.mark.parametrize("name", trainings.EVERY)
def test_every_kind_of_report_keeps_the_contract(name):
    """Whatever a report holds, NaN and absent sides included, its JSON is what the schema says."""
    validate_report(Report(trainings.EVERY[name]()).to_dict())


def test_the_json_of_an_origin_has_the_words_of_the_contract(report):
    """The fixed keys of an origin and their values, one by one."""
    origin = report.to_dict()["origin"]
    assert origin["phase"] == "forward"
    assert origin["place"] == "layer"
    assert {key: origin["reference"][key] for key in ("path", "call", "kind", "source")} == {
        "path": "blocks.2.mlp.act",
        "call": 0,
        "kind": "GELU",
        "source": "vit_torch.py:41",
    }
    assert origin["difference"]["relative_l2"] == 4.7e-4
    assert origin["difference"]["fed_by"] == 3.1e-7
    cause = origin["causes"][0]
    assert (cause["kind"], cause["name"], cause["reference"], cause["candidate"]) == (
        "setting",
        "approximate",
        "none",
        True,
    )


def test_a_layer_that_never_fired_has_no_call():
    """The call of a silent layer is null, alone and in pairs."""
    alone = Report(builders.unsure()).to_dict()["alignment"]["alone"]["candidate"]
    assert [one["call"] for one in alone] == [0, None]


def test_numbers_that_are_not_finite_are_null():
    """JSON knows no NaN."""
    difference = Report(builders.not_a_number()).to_dict()["origin"]["difference"]
    assert [difference[key] for key in ("relative_l2", "max_abs", "fed_by", "cosine")] == [None] * 4


def test_an_absent_side_is_null():
    """An origin that only the candidate has."""
    assert Report(builders.candidate_only()).to_dict()["origin"]["reference"] is None


def test_an_agreeing_report_has_no_origin():
    """`origin` is null and `origins` empty."""
    report = Report(builders.agreeing()).to_dict()
    assert (report["origin"], report["origins"]) == (None, [])


def test_the_schema_refuses_a_renamed_key(report):
    """The schema is strict about the fixed names."""
    document = report.to_dict()
    document["origin"]["cause"] = document["origin"].pop("causes")
    document["origins"] = [document["origin"]]
    with pytest.raises(AssertionError, match="causes"):
        validate_report(document)


def test_the_schema_refuses_another_type(report):
    """The schema is strict about the fixed types."""
    document = report.to_dict()
    document["coverage"]["judged"] = "9"
    with pytest.raises(AssertionError, match="judged"):
        validate_report(document)


def test_the_schema_requires_every_key_of_the_contract():
    """What the contract promises is required, not only described."""
    schema = json.loads(SCHEMA.read_text())
    definitions = schema["$defs"]
    assert set(schema["required"]) == {
        "format", "version", "verdict", "reason", "reference", "candidate", "origin", "origins", "alignment",
        "coverage",
    }  # fmt: skip
    assert set(definitions["origin"]["required"]) == {
        "phase", "place", "reference", "candidate", "difference", "causes",
    }  # fmt: skip
    assert set(definitions["difference"]["required"]) == {"relative_l2", "max_abs", "tolerance", "fed_by"}
    assert set(definitions["cause"]["required"]) == {"kind", "name", "reference", "candidate", "proven", "edit"}
    assert set(definitions["coverage"]["required"]) == {"judged", "aligned", "alone", "unjudgeable", "phases"}


def test_the_attributes_are_those_of_the_diagnosis(report):
    """The short names lead to the diagnosis."""
    diagnosis = report.diagnosis
    assert (report.verdict, report.reason, report.origins) == ("diverged", diagnosis.reason, diagnosis.origins)
    assert report.origin is diagnosis.origins[0]
    assert report.alignment is diagnosis.alignment
    assert report.coverage is diagnosis.coverage


@pytest.mark.parametrize(("make", "code"), [(builders.agreeing, 0), (builders.diagnosis, 1), (builders.unsure, 2)])
def test_the_exit_code_is_the_verdict(make, code):
    """0 agree, 1 diverged, 2 could not tell."""
    assert Report(make()).exit_code == code


def test_repr_is_the_printed_report(report):
    """`print(report)` reads like the terminal, without colour, in 80 columns."""
    lines = repr(report).splitlines()
    assert lines[0].startswith("diverged in forward at blocks.2.mlp.act")
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in repr(report)


# ---- files ---------------------------------------------------------------------------------------------------------


def test_saves_json_that_reads_back_as_the_dict(report, tmp_path):
    """The file is `to_dict()`."""
    path = report.save(tmp_path / "r.json")
    assert json.loads(path.read_text(encoding="utf-8")) == json.loads(json.dumps(report.to_dict()))


def test_saves_csv_with_a_line_for_every_pair(tmp_path):
    """One line of names, then one for each row."""
    path = Report(builders.with_rows()).save(tmp_path / "r.csv")
    lines = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    assert [line["reference"] for line in lines] == ["patch", "blocks.2.mlp.act", "head"]
    assert lines[1]["relative_l2"] == "0.00047"
    assert lines[2]["candidate"] == ""
    assert tuple(lines[0]) == COLUMNS


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", trainings.EVERY)
def test_html_is_well_formed_and_stands_alone(name, tmp_path):
    """Every tag is closed, nothing is loaded from elsewhere, nothing runs."""
    text = Report(trainings.EVERY[name]()).save(tmp_path / "r.html").read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe"}


def test_html_shows_a_name_and_does_not_obey_it():
    """A layer whose name is markup stays text."""
    page = Report(builders.odd_names())._repr_html_()
    assert "&lt;i&gt;Kind&lt;/i&gt;" in page
    assert "<i>Kind" not in page


def test_another_suffix_is_refused(report, tmp_path):
    """The error names the suffixes there are."""
    with pytest.raises(TracerError, match=r"\.json, \.csv, \.html"):
        report.save(tmp_path / "r.txt")


def test_a_folder_that_is_not_there_is_said(report, tmp_path):
    """The error names the file, in three beats."""
    with pytest.raises(TracerError, match=r"(?s)No such file.*where: .*r\.json.*next: ") as caught:
        report.save(tmp_path / "nowhere" / "r.json")
    assert caught.value.then


def test_a_failed_save_leaves_the_old_file(report, tmp_path, monkeypatch):
    """The new report takes the old one's place only when it is whole."""
    path = report.save(tmp_path / "r.json")
    before = path.read_bytes()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(path), "replace", full)
    with pytest.raises(TracerError, match="No space left"):
        report.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_saved_file_may_be_read_by_others(report, tmp_path):
    """It has the permissions of any new file."""
    path = report.save(tmp_path / "r.json")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_what_is_no_ordinary_file_is_written_to(report, tmp_path):
    """A pipe is not replaced by a file."""
    pipe = tmp_path / "r.json"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        report.save(pipe)
        assert os.read(reader, 20).startswith(b"{")
        assert stat.S_ISFIFO(pipe.stat().st_mode)
    finally:
        os.close(reader)
