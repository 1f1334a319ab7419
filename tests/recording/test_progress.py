"""`tracer.record` tells how far it is: late, on a terminal, and nowhere else."""

from __future__ import annotations

import io
import subprocess
import sys
import time

from torch import nn

import tracer
from tests.recording.nets import D, batch


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Slow(nn.Module):
    def forward(self, x):
        time.sleep(0.6)
        print("from the net")
        return x + 1


def test_a_long_run_tells_how_far_it_is(tmp_path, monkeypatch, capsys):
    """On stderr; what the net prints goes where it always goes."""
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    tracer.record(nn.Sequential(*(Slow() for _ in range(5))), batch(1, D), out=tmp_path / "t.h5")
    assert "forward" in terminal.getvalue()
    assert "/6" in terminal.getvalue()
    assert "from the net" not in terminal.getvalue()
    assert capsys.readouterr().out == "from the net\n" * 5


def test_a_short_run_tells_nothing(tmp_path, monkeypatch):
    """Not a letter."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    tracer.record(nn.Linear(D, D), batch(1, D), out=tmp_path / "t.h5")
    assert terminal.getvalue() == ""


def test_without_a_terminal_the_terminal_library_is_not_even_imported(tmp_path):
    """A log, a notebook, a pytest run."""
    code = f"""
import sys, torch, tracer
tracer.record(torch.nn.Linear(2, 2), torch.ones(1, 2), out={str(tmp_path / "t.h5")!r})
print("rich" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("False", "")
