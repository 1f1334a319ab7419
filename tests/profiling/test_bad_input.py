"""What cannot be profiled is said in three beats, and nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest

import tracer as package
from tests.profiling.nets import Net, mlp
from tracer.errors import TraceFileError, TracerError
from tracer.trace.schema import End, Header, Layer
from tracer.trace.writer import TraceWriter

NET = Net(mlp())


def untimed(path, keep="values", end=None):
    writer = TraceWriter(path, Header("torch", "2.13.0", "Net", keep=keep))
    writer.layers([Layer("(root)", "Net")], [])
    return writer.finish(end or End())


def test_a_trace_without_times_says_how_to_record_them(tmp_path):
    """And how it was recorded."""
    with pytest.raises(TraceFileError, match=r"(?s)no times: it was recorded with keep='values'.*keep=\"timing\""):
        package.profile(untimed(tmp_path / "a.h5"))


def test_a_recording_that_was_cut_off_says_why(tmp_path):
    """The net raised before a step was timed."""
    end = End(complete=False, stopped="RuntimeError: shapes\nmore")
    with pytest.raises(TraceFileError, match="RuntimeError: shapes"):
        package.profile(untimed(tmp_path / "a.h5", "timing", end))


def test_the_side_that_has_none_is_named(tmp_path):
    """By its file."""
    good = NET.write(tmp_path / "good.h5")
    with pytest.raises(TraceFileError, match=r"bad\.h5"):
        package.profile(good, untimed(tmp_path / "bad.h5"))


@pytest.mark.parametrize("given", ["nowhere.h5", 3, None])
def test_what_is_no_file(given, tmp_path, monkeypatch):
    """Is said to be none."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TracerError):
        package.profile(given)


def test_text_is_no_trace(tmp_path):
    """Whatever it is called."""
    path = tmp_path / "a.h5"
    path.write_text("no trace")
    with pytest.raises(TraceFileError):
        package.profile(path)


def test_times_of_which_no_step_came_to_its_end(tmp_path):
    """All of them -1."""
    timing = NET.timing()
    gone = {name: np.full_like(getattr(timing, name), -1) for name in ("forward", "backward", "step", "bare")}
    with pytest.raises(TraceFileError, match="no step that was timed"):
        package.profile(NET.write(tmp_path / "a.h5", replace(timing, **gone)))


def test_damaged_times_are_refused(tmp_path):
    """A call that ends before it begins."""
    path = NET.write(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file["timing/forward"][0, 0] = 9, 3
    with pytest.raises(TraceFileError, match="damaged"):
        package.profile(path)


@pytest.mark.parametrize("options", [(), ("--json", "out.json"), ("--perfetto", "out.json")])
def test_the_command_says_2_and_writes_nothing(tracer, tmp_path, options, monkeypatch):
    """One error, no traceback."""
    monkeypatch.chdir(tmp_path)
    done = tracer("profile", untimed(tmp_path / "a.h5"), *options)
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the trace holds no times")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]


def test_times_at_the_edge_of_what_is_believed(tmp_path):
    """Years of nanoseconds are shown as they are."""
    timing = NET.timing()
    big = replace(timing, bare=np.full_like(timing.bare, 1 << 61), step=np.where(timing.step < 0, -1, 1 << 61))
    assert "s" in str(package.profile(NET.write(tmp_path / "a.h5", big)))


def test_steps_that_took_no_time(tmp_path):
    """Nothing is divided by."""
    timing = NET.timing()
    none = {name: np.where(getattr(timing, name) < 0, -1, 0)
            for name in ("forward", "backward", "backward_own", "backward_total", "step", "bare")}  # fmt: skip
    path = NET.write(tmp_path / "a.h5", replace(timing, **none))
    report = package.profile(path, path)
    assert report.ratio is None
    assert report.to_json()
    assert report.to_html()
    assert str(report)
