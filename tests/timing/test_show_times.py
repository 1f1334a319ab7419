"""`tracer record --keep timing` and `tracer show` of what it wrote, in this process."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("torch")

from tracer.cli import cli  # noqa: E402

pytestmark = pytest.mark.torch

NET = """
from torch import nn
def net(): return nn.Sequential(nn.Linear(4, 4), nn.ReLU())
"""


def run(*args: str) -> Result:
    """The command."""
    return CliRunner().invoke(cli, list(args))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace by the command."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "timed_net.py").write_text(NET)
    out = folder / "a.h5"
    given = ("--input", "2x4:float32", "--keep", "timing", "--repeat", "2", "--warmup", "0", "-o", str(out))
    done = run("record", f"{folder / 'timed_net.py'}:net", *given)
    assert done.exit_code == 0, done.output
    return out


def test_show_says_that_it_holds_times(file: Path) -> None:
    """And where to look further."""
    text = " ".join(run("show", str(file)).output.split())
    assert "times, no values" in text
    assert "2 steps timed" in text
    assert "tracer profile" in text


def test_show_has_the_time_of_each_layer(file: Path) -> None:
    """That of the timed steps."""
    assert "ms" in run("show", str(file), "0").output


def test_like_is_refused_with_times(file: Path) -> None:
    """Times need no equal start."""
    net = f"{file.parent / 'timed_net.py'}:net"
    done = run("record", net, "--like", str(file), "--keep", "timing", "-o", str(file.parent / "b.h5"))
    assert "like= does not go together" in str(done.exception)


def test_repeat_says_nothing_without_times(file: Path) -> None:
    """It is no number of runs to record."""
    net = f"{file.parent / 'timed_net.py'}:net"
    done = run("record", net, "--input", "2x4:float32", "--repeat", "3", "-o", str(file.parent / "b.h5"))
    assert "repeat= says nothing without keep=" in str(done.exception)
