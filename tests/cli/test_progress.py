"""Progress is shown on a terminal only, and only when it takes long."""

import io
import time

from tracer.reports.terminal import LateProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_shown_for_what_is_quick():
    """Below the two seconds not a letter."""
    stream = Terminal()
    with LateProgress(stream) as progress:
        progress("judging", 1, 2)
    assert stream.getvalue() == ""


def test_what_takes_long_is_shown(monkeypatch):
    """With what is being done and how far it is."""
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with LateProgress(stream, after=0.01) as progress:
        progress("judging", 3, 7)
        deadline = time.monotonic() + 10
        while "3/7" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
            progress("judging", 3, 7)
    assert "judging" in stream.getvalue()
    assert "3/7" in stream.getvalue()


def test_a_file_gets_no_progress():
    """Logs stay clean."""
    stream = io.StringIO()
    with LateProgress(stream, after=0.0) as progress:
        time.sleep(0.05)
        progress("judging", 3, 7)
    assert stream.getvalue() == ""


def test_quiet_means_quiet():
    """--quiet shows no progress either."""
    stream = Terminal()
    with LateProgress(stream, quiet=True, after=0.0):
        time.sleep(0.05)
    assert stream.getvalue() == ""
