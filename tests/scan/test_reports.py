"""A scan as a value, as text, as documents: what stands where."""

from __future__ import annotations

import ast
import csv
import functools
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import tracer
from tests.scan.sources import notebook, tree
from tracer.errors import RuleError, SourceError
from tracer.reports.scan_contract import COLUMNS
from tracer.reports.scans import ScanReport

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "scan.schema.json"

NET = """\
import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.act = nn.GELU()

    def forward(self, x):
        x = self.act(self.conv(x))
        return torch.cat((x, x), dim=1)
"""


@functools.cache
def scanned(folder: Path) -> ScanReport:
    """The report on `NET`."""
    return tracer.scan(tree(folder, {"net.py": NET}) / "net.py")


@pytest.fixture
def report(tmp_path_factory: pytest.TempPathFactory) -> ScanReport:
    return scanned(tmp_path_factory.getbasetemp())


def scan_of(folder: Path, source: str) -> ScanReport:
    """The report on a few lines."""
    return tracer.scan(tree(folder, {"it.py": source}) / "it.py")


# --------------------------------------------------------------------------------------------------------------------
# The value
# --------------------------------------------------------------------------------------------------------------------


def test_each_use_has_its_place_and_the_call_to_write(report: ScanReport) -> None:
    """Line and column are those of the expression; the class around it is said."""
    (use,) = [use for use in report if use.torch == "torch.nn.Conv2d"]
    assert (use.line, use.column, use.within) == (8, 20, "Net.__init__")
    assert use.text == "nn.Conv2d(3, 64, 7, stride=2, padding=3)"
    assert use.mindspore == "mindspore.nn.Conv2d"
    assert use.mint == "mindspore.mint.nn.Conv2d"
    assert use.write == ("mindspore.nn.Conv2d(3, 64, 7, stride=2, pad_mode='pad', padding=3, has_bias=True)")


def test_uses_stand_in_the_order_of_the_file(report: ScanReport) -> None:
    """By line, then by column."""
    places = [(use.line, use.column) for use in report]
    assert places == sorted(places)


def test_what_would_go_wrong_silently_is_known(report: ScanReport) -> None:
    """GELU runs under its name and computes the approximation; a convolution that is given its padding raises."""
    assert [use.torch for use in report.silent] == ["torch.nn.GELU"]


def test_fewer_uses_can_be_listed(report: ScanReport) -> None:
    """The summary and the exit code stay those of all."""
    fewer = report.only("silent")
    assert tuple(fewer) == report.silent
    assert (fewer.summary, fewer.exit_code) == (report.summary, report.exit_code)


def test_a_notebook_tells_the_cell(tmp_path: Path) -> None:
    """The line is the one within it."""
    tree(tmp_path, {"it.ipynb": notebook("%pip install torch\nimport torch", "#md", "x = 1\ny = torch.zeros(3)")})
    (use,) = [use for use in tracer.scan(tmp_path / "it.ipynb") if use.torch == "torch.zeros"]
    assert (use.cell, use.line, use.column) == (3, 2, 4)
    assert use.place.endswith("it.ipynb cell 3:2")


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import os\n", 0),
        ("import torch\nx = torch.abs(torch.ones(3))\n", 0),
        ("from torch import nn\nact = nn.GELU()\n", 1),
        ("import torch\nx = torch.no_such_name(3)\n", 1),
    ],
)
def test_the_exit_code_says_whether_something_is_left_to_do(tmp_path: Path, source: str, code: int) -> None:
    """0 all has a counterpart, 1 something goes wrong silently, is by hand or unknown."""
    assert scan_of(tmp_path, source).exit_code == code


def test_what_could_not_be_read_makes_two(tmp_path: Path) -> None:
    """The other files are scanned all the same."""
    report = tracer.scan(tree(tmp_path, {"a.py": "print 'x'", "b.py": NET}))
    assert report.exit_code == 2
    assert len(report) > 3
    assert [one.line for one in report.unread] == [1]


def test_code_is_not_run(tmp_path: Path) -> None:
    """Not the file's, and not that of what it imports."""
    sign = tmp_path / "sign"
    boom = f"import torch\nopen({str(sign)!r}, 'w')\nx = torch.zeros(2)\n"
    tree(tmp_path, {"boom.py": boom, "it.py": "import boom\nfrom boom import x\n"})
    assert len(tracer.scan(tmp_path)) > 0
    assert not sign.exists()


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    """It says the first reason, and which others there are."""
    with pytest.raises(SourceError, match="Python 2"):
        tracer.scan([tree(tmp_path, {"a.py": "print 'x'"}) / "a.py", tmp_path / "gone.py"])


@pytest.mark.parametrize("paths", [[], "", None, 3, b"x.py", [3], {"a.py"}])
def test_no_paths_are_refused(paths: Any) -> None:
    """With what to give."""
    with pytest.raises(RuleError, match="names no source"):
        tracer.scan(paths)


def test_a_status_that_is_none_is_refused(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(RuleError, match="no use has that status"):
        tracer.scan(tree(tmp_path, {"a.py": ""}), only="quiet")


# --------------------------------------------------------------------------------------------------------------------
# Text and pages
# --------------------------------------------------------------------------------------------------------------------


def test_the_summary_is_first_and_the_silent_ones_follow(report: ScanReport) -> None:
    """Then the file with all of its uses."""
    lines = repr(report).splitlines()
    assert "uses of torch in 1 file" in lines[0]
    silent = next(n for n, line in enumerate(lines) if "would run, and compute something else" in line)
    table = next(n for n, line in enumerate(lines) if "net.py  " in line)
    gelu = next(n for n, line in enumerate(lines) if "+ mindspore.nn.GELU(approximate=" in line)
    assert silent < gelu < table


def test_text_keeps_to_its_width(report: ScanReport) -> None:
    """Eighty columns, or as many as there are."""
    assert max(map(len, report.to_text().splitlines())) <= 80
    assert max(map(len, report.to_text(width=50).splitlines())) <= 50


def test_every_use_can_be_told_by_itself(report: ScanReport) -> None:
    """A line of the file table for each use."""
    told = report.to_text(every=True)
    table = told[told.index("net.py  ") :]
    assert all(str(use.line) in table for use in report)


def test_many_files_have_a_line_each(tmp_path: Path) -> None:
    """Those with most to look at first."""
    tree(tmp_path, {f"f{n}.py": NET if n == 5 else "import torch\nx = torch.abs(y)\n" for n in range(9)})
    told = repr(tracer.scan(tmp_path)).splitlines()
    head = next(n for n, line in enumerate(told) if line.startswith("file "))
    lines = told[head + 1 : head + 10]
    assert "f5.py" in lines[0]
    assert all(".py " in line for line in lines)


def test_html_escapes_what_stands_in_the_code(tmp_path: Path) -> None:
    """Text of the source is text of the page."""
    html = scan_of(tmp_path, "import torch\nx = torch.no_such('<script>')\n")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_no_use_at_all_is_said(tmp_path: Path) -> None:
    """A tree without torch is no error."""
    assert scan_of(tmp_path, "x = 1\n").summary == "no use of torch in 1 file"


# --------------------------------------------------------------------------------------------------------------------
# Documents
# --------------------------------------------------------------------------------------------------------------------


def validate(document: dict[str, Any]) -> None:
    """Hold a document against the schema."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)


def test_the_document_is_as_the_schema_has_it(report: ScanReport) -> None:
    """Format, version, and a row for each use."""
    document = json.loads(report.to_json())
    validate(document)
    assert (document["format"], document["version"]) == ("tracer-scan", 1)
    assert len(document["uses"]) == document["summary"]["uses"] == len(report)


def test_the_document_of_what_was_not_read_is_as_the_schema_has_it(tmp_path: Path) -> None:
    """Files and cells, with lines and without."""
    tree(tmp_path, {"a.py": "print 'x'", "b.py": b"\0", "c.ipynb": notebook("x = (", "y = 1")})
    validate(tracer.scan(tmp_path).to_dict())


def test_the_statuses_add_up(report: ScanReport) -> None:
    """Each use has one."""
    summary = report.to_dict()["summary"]
    assert sum(summary[status] for status in ("same", "renamed", "differs", "by_hand", "unknown")) == summary["uses"]


def test_what_is_to_be_written_is_an_expression(report: ScanReport) -> None:
    """None by hand and unknown."""
    for use in report.to_dict()["uses"]:
        if use["write"] is None:
            assert use["status"] in ("by_hand", "unknown") or use["sort"] == "definition"
        else:
            ast.parse(use["write"], mode="eval")


def test_the_csv_has_a_line_for_each_use(report: ScanReport) -> None:
    """Below the names of the columns; line breaks of the source stay within their field."""
    rows = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert tuple(rows[0]) == COLUMNS
    assert [row["torch"] for row in rows] == [use.torch for use in report]
    assert {row["silent"] for row in rows} == {"true", "false"}


@pytest.mark.parametrize("suffix", ["json", "csv", "html", "txt"])
def test_a_report_is_saved_by_its_suffix(report: ScanReport, tmp_path: Path, suffix: str) -> None:
    """The file is whole."""
    path = report.save(tmp_path / f"scan.{suffix}")
    assert "GELU" in path.read_text(encoding="utf-8")


def test_mint_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    """And the classic name stays known."""
    (use,) = tracer.scan(tree(tmp_path, {"a.py": "from torch import nn\nact = nn.GELU()\n"}), mint=True)
    assert (use.write or "").startswith("mindspore.mint.nn.GELU(")
    assert use.mindspore == "mindspore.nn.GELU"
