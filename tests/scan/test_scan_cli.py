"""`tracer scan` as it is typed: where output goes, what is refused, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Done
from tests.scan.sources import tree

Command = Callable[..., Done]

NET = "import torch\nfrom torch import nn\nact = nn.GELU()\nx = torch.cat((torch.ones(2), torch.ones(2)), dim=0)\n"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return tree(tmp_path, {"net.py": NET}) / "net.py"


def test_the_report_is_printed(tracer: Command, net: Path) -> None:
    """And nothing else; exit 1, since GELU would go wrong silently."""
    done = tracer("scan", net)
    assert "mindspore.ops.cat((mindspore.ops.ones(2), mindspore.ops.ones(2)), axis=0)" in " ".join(done.stdout.split())
    assert (done.code, done.stderr) == (1, "")


def test_json_to_a_pipe_is_json_alone(tracer: Command, net: Path) -> None:
    """`--json -` prints the document instead of the report."""
    done = tracer("scan", net, "--json", "-")
    assert json.loads(done.stdout)["format"] == "tracer-scan"
    assert done.stderr == ""


@pytest.mark.parametrize("words", [("--csv", "-"), ("--csv",)])
def test_csv_to_a_pipe_is_csv_alone(tracer: Command, net: Path, words: tuple[str, ...]) -> None:
    """`--csv -` likewise, and `--csv` with nothing behind it."""
    rows = list(csv.DictReader(io.StringIO(tracer("scan", net, *words).stdout)))
    assert {row["torch"] for row in rows} == {"torch.nn.GELU", "torch.cat", "torch.ones"}


def test_files_are_written_beside_the_report(tracer: Command, net: Path, tmp_path: Path) -> None:
    """Each option its own, all in one call."""
    made = [tmp_path / name for name in ("s.json", "s.csv", "s.html")]
    done = tracer("scan", net, "--json", made[0], "--csv", made[1], "--html", made[2])
    assert "uses of torch" in done.stdout
    assert all("GELU" in path.read_text(encoding="utf-8") for path in made)


def test_quiet_says_it_by_the_exit_code(tracer: Command, net: Path) -> None:
    """Nothing is printed."""
    assert tracer("scan", net, "-q") == Done(1, "", "")


def test_only_lists_fewer(tracer: Command, net: Path) -> None:
    """`--only` may be repeated; the summary counts all."""
    done = tracer("scan", net, "--only", "silent", "--json", "-")
    document = json.loads(done.stdout)
    assert [use["torch"] for use in document["uses"]] == ["torch.nn.GELU"]
    assert document["summary"]["uses"] == 4


def test_what_cannot_be_read_is_told_in_the_report(tracer: Command, net: Path) -> None:
    """With the line and what to do; the other file is scanned; exit 2."""
    bad = tree(net.parent, {"old.py": "import torch\nprint 'loss'\n"}) / "old.py"
    done = tracer("scan", net, bad)
    assert "old.py:2" in done.stdout
    assert "it is Python 2" in done.stdout
    assert "mindspore.nn.GELU(approximate=" in done.stdout
    assert done.code == 2


def test_nothing_read_is_an_error(tracer: Command, tmp_path: Path) -> None:
    """In three beats on the standard error."""
    done = tracer("scan", tmp_path / "gone.py")
    assert (done.code, done.stdout) == (2, "")
    assert "no source could be read: there is no such file or folder" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give a file, a folder or a package"),
        (("--facts", "x.py"), "and no PATH"),
        (("x.py", "--json", "-", "--csv", "-"), "only one of"),
        (("x.py", "--only", "quiet"), "quiet"),
    ],
)
def test_a_slip_in_the_words_is_answered(tracer: Command, words: tuple[str, ...], said: str) -> None:
    """With what to write instead."""
    done = tracer("scan", *words)
    assert done.code == 2
    assert said in done.stderr


@pytest.mark.parametrize("name", ["net.py", "other.py", "it.ipynb"])
def test_a_report_never_takes_the_place_of_source(tracer: Command, net: Path, name: str) -> None:
    """A slip of the hand must not cost a file."""
    done = tracer("scan", net, "--json", net.parent / name)
    assert done.code == 2
    assert "written over source" in done.stderr
    assert net.read_text() == NET


def test_annotated_copies_are_told_of(tracer: Command, net: Path, tmp_path: Path) -> None:
    """How many, and where."""
    done = tracer("scan", net, "--annotate", tmp_path / "out")
    assert "1 annotated copy in" in done.stdout
    assert (tmp_path / "out" / "net.py").exists()


def test_what_is_known_is_told(tracer: Command) -> None:
    """`--facts` needs no source."""
    done = tracer("scan", "--facts")
    assert (done.code, done.stderr) == (0, "")
    assert "names of torch" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(net: Path) -> None:
    """`tracer scan ... | head -1` keeps the exit code and is silent."""
    command = f"{sys.executable} -m tracer scan {net.parent} --json - | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=os.environ)
    assert (done.returncode, done.stdout, done.stderr) == (1, "{", "")
