"""What a reader is shown: text, JSON, CSV, HTML, and the command line."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import tracer as package
from tests.profiling import chrome
from tests.profiling.nets import Box, Net, linear, mlp
from tracer.errors import RuleError, TracerError
from tracer.profiling.beside import alone, beside
from tracer.profiling.sides import side
from tracer.reports.profile_contract import COLUMNS
from tracer.reports.profiles import ProfileReport
from tracer.trace.schema import ROOT

DOCS = Path(__file__).parents[2] / "docs" / "reference"
SCHEMA = json.loads((DOCS / "profile.schema.json").read_text(encoding="utf-8"))
TORCH = Net(mlp(), seed=1)
PORT = Net(mlp("mindspore", slow=8.0), framework="mindspore", seed=2)


def report(candidate: Net | None = PORT, reference: Net = TORCH) -> ProfileReport:
    return ProfileReport(alone(reference.side()) if candidate is None else beside(reference.side(), candidate.side()))


def extra() -> Box:
    root = mlp("mindspore")
    root.inside[0].inside.insert(1, Box("blocks.0.extra", "LayerNorm", 90.0, shape=(4, 32), given=(4, 32)))
    return root


CASES = {
    "slow": report(),
    "one net": report(None),
    "alike": report(Net(mlp("mindspore"), framework="mindspore", noise=0.2)),
    "faster": report(Net(mlp("mindspore", slow=0.1), framework="mindspore")),
    "a layer more": report(Net(extra(), framework="mindspore")),
    "forward only": report(Net(mlp("mindspore"), framework="mindspore", backward=False)),
    "other update": report(Net(mlp("mindspore"), framework="mindspore", update=100.0)),
    "one repeat": report(Net(mlp("mindspore"), framework="mindspore", repeats=1), Net(mlp(), repeats=1)),
    "never bare": report(Net(mlp("mindspore"), framework="mindspore", bare=False)),
    "a net without layers": report(None, Net(Box(ROOT, "Net", 10.0))),
    "nothing in common": report(
        Net(Box(ROOT, "Net", 1.0, [Box("act", "GELU", 5.0)]), framework="mindspore"),
        Net(Box(ROOT, "Net", 1.0, [linear("fc", 5.0)])),
    ),
    "odd names": report(None, Net(Box(ROOT, "N<b>et", 1.0, [linear("слой/'\"<i>.0", 5.0)]))),
}


def test_the_answer_stands_first():
    """How much longer, in one line."""
    assert re.match(r"the candidate takes 1\.1[89]x as long: 2\.6\d ms a step against 2\.2\d ms$", report().summary)
    assert str(report()).startswith(report().summary)


def test_where_most_is_lost_is_named():
    """With its share and ratio."""
    text = str(report())
    assert "loses most blocks.1.act (GELU): " in text
    assert "100 % of all that it loses" in " ".join(text.split())


def test_slow_is_told_from_heavy():
    """The same work at another rate."""
    root = mlp("mindspore")
    root.inside[3].own = 500.0
    said = json.loads(report(Net(root, framework="mindspore")).to_json())["most"]
    assert "the same 768 multiply-adds, at " in said


def test_what_the_layers_explain_is_said():
    """And what is left."""
    text = " ".join(str(report()).split())
    assert "layers explain 95 % of the reference's step and 96 % of the candidate's" in text


def test_other_batch_sizes_are_said_first():
    """Times of other work."""
    other = Box(ROOT, "Net", 1.0, [linear("fc", 5.0, batch=8)], given=(8, 8))
    lines = str(report(Net(other), Net(Box(ROOT, "Net", 1.0, [linear("fc", 5.0)])))).splitlines()
    assert any("other batch sizes" in line for line in lines[:6])


def test_unsteady_steps_are_said_first():
    """What varies by half tells no small difference."""
    timing = PORT.timing()
    busy = side("ms.h5", PORT.skeleton(), replace(timing, bare=timing.bare * np.arange(1, 11)))
    found = ProfileReport(beside(TORCH.side(), busy))
    assert found.notes[0].startswith("the candidate's step varies much")
    assert not any("varies much" in note for note in report().notes)


def test_what_is_not_counted_is_said():
    """Products in code, and classes that no formula knows."""
    root = mlp()
    root.inside.append(Box("own", "MyAttention", 90.0, parameters={"weight": (8, 8)}))
    said = report(None, Net(root)).notes
    assert any(note.startswith("work not counted of MyAttention, nor of blocks around it") for note in said)
    assert any(note.startswith("products in code between layers") for note in said)


def overlapped() -> ProfileReport:
    """A candidate whose bare steps take half of what its calls take one by one."""
    timing = PORT.timing()
    half = side("ms.h5", PORT.skeleton(), replace(timing, bare=timing.bare // 2))
    return ProfileReport(beside(TORCH.side(), half))


def test_calls_that_a_bare_step_overlaps_are_said():
    """Parts are of what they take one by one, and never more than all."""
    found = overlapped()
    assert "the candidate's calls take 2.6" in " ".join(str(found).split())
    assert found["(root)"].share is None or found["(root)"].share <= 1
    assert max(part.candidate.median for part in found.profile.shares) <= found.profile.wholes[1]


def test_nothing_is_gained_by_overlapping():
    """A rest below nothing is no place where the candidate is faster."""
    assert overlapped().profile.gained == 0


def test_a_note_on_both_sides_stands_once():
    """With both named."""
    noted = [replace(net, notes=("Memory is not told",)) for net in (PORT, TORCH)]
    assert report(*noted).notes.count("both: Memory is not told") == 1


def test_memory_is_shown_where_it_is_told():
    """Of the net in a line, of layers in a column."""
    timing = replace(TORCH.timing(), peak=np.full_like(TORCH.timing().peak, 5_000_000))
    found = ProfileReport(alone(side("a.h5", TORCH.skeleton(), timing)))
    assert "at most 5.00 MB for the forward" in str(found)
    assert "peak MB" in str(found)
    assert "peak MB" not in str(report(None))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_every_case_fits_its_page(name, width):
    """No line is longer than the page, none ends in spaces."""
    lines = CASES[name].to_text(width=width, by=("layer", "kind", "block")).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("name", CASES)
def test_the_json_holds_its_contract(name):
    """Against the schema, and with finite numbers only."""
    document = json.loads(CASES[name].to_json(), parse_constant=pytest.fail)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)


@pytest.mark.parametrize("name", CASES)
def test_the_time_line_is_valid(name):
    """Chrome's trace format, by the letter."""
    assert chrome.read(CASES[name].to_perfetto())


def test_every_key_of_the_json_stands_in_the_schema():
    """At every level that has names of its own."""

    def walk(found, schema):
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        for option in schema.get("anyOf", schema.get("oneOf", [])):
            if "$ref" in option and isinstance(found, dict):
                walk(found, option)
        for key, value in found.items() if isinstance(found, dict) and "properties" in schema else ():
            assert key in schema["properties"], key
            walk(value, schema["properties"][key])
        for item in found if isinstance(found, list) and "items" in schema else ():
            walk(item, schema["items"])

    walk(report().to_dict(), SCHEMA)


@pytest.mark.parametrize("name", CASES)
def test_the_csv_has_a_line_for_every_place(name):
    """Below one line of names, which the reference lists."""
    lines = list(csv.reader(io.StringIO(CASES[name].to_csv())))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 1 + len(CASES[name].rows) + len(CASES[name].blocks)
    assert {len(line) for line in lines} == {len(COLUMNS)}


class Page(HTMLParser):
    """Tags that are open, and what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.titles: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href"}]
        self.titles += [value for name, value in attrs if name == "title"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("name", CASES)
def test_the_page_is_whole_and_needs_nothing(name):
    """Every tag is closed, nothing is loaded."""
    page = Page()
    page.feed(CASES[name].to_html())
    assert page.open == []
    assert page.loads == []


def test_the_flame_view_has_every_layer():
    """With its path and times."""
    page = Page()
    page.feed(report().to_html())
    assert sum(title.startswith("blocks.1.act (GELU)\n") for title in page.titles) == 2


def test_names_are_no_markup():
    """A class may be called anything."""
    assert "<i>" not in CASES["odd names"].to_html()


def test_a_notebook_runs_no_script():
    """The fragment is text and style."""
    assert "<script" not in report()._repr_html_()


def test_a_layer_is_found_by_its_path():
    """Of either side."""
    assert report()["blocks.1.act"].ratio == pytest.approx(8, rel=0.1)
    with pytest.raises(KeyError, match="no layer of this path"):
        report()["nowhere"]


@pytest.mark.parametrize("ending", ["json", "csv", "html", "txt"])
def test_it_is_saved_by_its_ending(ending, tmp_path):
    """Whole."""
    assert report().save(tmp_path / f"a.{ending}").stat().st_size > 500


def test_other_endings_are_refused(tmp_path):
    """With those that would do."""
    with pytest.raises(TracerError, match=r"\.json, \.csv"):
        report().save(tmp_path / "a.png")


# --------------------------------------------------------------------------------------------------------------------
# From files
# --------------------------------------------------------------------------------------------------------------------


def test_files_give_what_the_nets_give(pair):
    """Through a trace and back."""
    found = package.profile(pair.reference, pair.port)
    assert found.first.candidate.path == "blocks.1.act"
    assert found.ratio == pytest.approx(1.18, abs=0.01)


def test_an_open_trace_stays_open(pair):
    """It is the caller's."""
    with package.Trace(pair.reference) as trace:
        package.profile(trace)
        assert trace.timing is not None


def test_pins_need_two_nets(pair):
    """They say what belongs together."""
    with pytest.raises(RuleError, match="two nets"):
        package.profile(pair.reference, pins={"head": "head"})


def test_the_command_prints_the_report(tracer, pair):
    """And says 0, whichever is faster."""
    done = tracer("profile", pair.reference, pair.port)
    assert (done.code, done.stderr) == (0, "")
    assert "by layer, and the code around layers (14 of 14)" in done.stdout
    assert tracer("profile", pair.port, pair.reference).code == 0


def test_top_shortens_tables(tracer, pair):
    """To as many lines."""
    done = tracer("profile", pair.reference, pair.port, "--top", 3, "--by", "layer")
    assert "(3 of 14)" in done.stdout
    assert "by block" not in done.stdout


def test_the_command_writes_what_is_asked_for(tracer, pair, tmp_path):
    """And prints nothing with --quiet."""
    names = {name: tmp_path / f"a.{name}" for name in ("json", "csv", "html", "perfetto")}
    options = [word for name, path in names.items() for word in (f"--{name}", path)]
    done = tracer("profile", pair.reference, pair.port, *options, "-q")
    assert (done.code, done.stdout, done.stderr) == (0, "", "")
    assert json.loads(names["json"].read_text())["format"] == "tracer-profile"
    assert chrome.read(names["perfetto"].read_text())
    assert names["html"].read_text().startswith("<!doctype html>")


@pytest.mark.parametrize("option", ["--json", "--perfetto"])
def test_a_document_is_printed_alone(tracer, pair, option):
    """For a program."""
    assert json.loads(tracer("profile", pair.reference, option, "-").stdout)


@pytest.mark.parametrize("options", [("--json", "-", "--csv", "-"), ("--json", "a.x", "--html", "a.x")])
def test_two_documents_in_one_place_are_refused(tracer, pair, options, tmp_path, monkeypatch):
    """Before anything is written."""
    monkeypatch.chdir(tmp_path)
    assert tracer("profile", pair.reference, *options).code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--json", "--csv", "--html", "--perfetto"])
def test_no_trace_is_written_over(tracer, pair, option):
    """A slip of the hand must not cost a recording."""
    before = pair.port.read_bytes()
    done = tracer("profile", pair.reference, pair.port, option, pair.port)
    assert done.code == 2
    assert done.stderr.startswith("error: ")
    assert pair.port.read_bytes() == before


def test_it_runs_where_no_framework_is_installed(pair):
    """On a laptop, on files that were copied."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['mindspore'] = None; import tracer;"
        f"print(tracer.profile({str(pair.reference)!r}, {str(pair.port)!r}).first.candidate.path)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("blocks.1.act", "")
