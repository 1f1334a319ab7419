"""Times of calls come back as they were written; a file whose times contradict it is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import h5py
import numpy as np
import pytest

from tests.trace.samples import W, tensor
from tracer.errors import TraceFileError
from tracer.trace.reader import Trace
from tracer.trace.schema import ROOT, End, Entered, Header, Layer, Parameter, Returned
from tracer.trace.timing import Timing
from tracer.trace.writer import TraceWriter

TIMING = Timing(
    orders=(0, 1),
    forward=np.array([[[0, 90], [10, 50]], [[0, 80], [-1, -1]]]),
    backward=np.array([[[100, 190], [110, 150]], [[100, 180], [-1, -1]]]),
    backward_own=np.array([[50, 40], [80, -1]]),
    backward_total=np.array([[90, 40], [80, -1]]),
    step=np.array([[90, -1, 190, -1], [80, -1, 180, -1]]),
    bare=np.array([170, 175]),
    enter_cost=2,
    leave_cost=1,
    inside_cost=3,
    peak=np.array([-1, 4096]),
    rest="nothing had to be waited for",
    notes=("a note",),
)


def timed(path, timing=TIMING):
    """A trace of a net and one layer in it, with times."""
    writer = TraceWriter(path, Header("torch", "2.13.0", "Net", keep="timing"))
    weight = Parameter("weight", W.shape, "float32", "cpu")
    writer.layers([Layer(ROOT, "Net", children=("fc",)), Layer("fc", "Linear", parameters=(weight,))], [])
    writer.write(Entered(0, 0, ROOT, 0, None, (tensor("0", W),)), [None])
    writer.write(Entered(0, 1, "fc", 0, 0, (tensor("0", W),)), [writer.copy(W).array])
    writer.write(Returned(0, 1, (tensor("", W),)), [None])
    writer.write(Returned(0, 0, (tensor("", W),)), [None])
    if timing is not None:
        writer.timing(timing)
    return writer.finish(End())


def test_times_come_back(tmp_path):
    """Every field is what was written."""
    with Trace(timed(tmp_path / "a.h5")) as trace:
        found = trace.timing
    for field in fields(Timing):
        wanted = getattr(TIMING, field.name)
        assert np.array_equal(getattr(found, field.name), wanted), field.name


def test_no_values_are_kept(tmp_path):
    """Neither arrays nor what is known of them, only shapes and dtypes."""
    with Trace(timed(tmp_path / "a.h5")) as trace:
        value = trace["fc"].calls[0].output.value
        assert (value.shape, value.statistics, value.digest, value.stored) == (W.shape, None, None, None)
        assert trace.skeleton.layers["fc"].parameters[0].digest is None


def test_a_trace_that_was_cut_off_has_no_times(tmp_path):
    """What was not reached is not there, and that is no damage."""
    with Trace(timed(tmp_path / "a.h5", None)) as trace:
        assert trace.timing is None


def test_other_traces_have_no_times(tmp_path):
    """Only `keep="timing"` keeps times."""
    writer = TraceWriter(tmp_path / "a.h5", Header("torch", "2.13.0", "Net"))
    writer.layers([Layer(ROOT, "Net")], [])
    with Trace(writer.finish(End())) as trace:
        assert trace.timing is None


def test_a_closed_trace_gives_no_times(tmp_path):
    """As its arrays; what was read before stays."""
    trace = Trace(timed(tmp_path / "a.h5"))
    trace.close()
    with pytest.raises(TraceFileError, match="closed"):
        _ = trace.timing


@pytest.mark.parametrize(
    "wrong",
    [
        {"orders": (0, 7)},
        {"orders": (0, 0)},
        {"forward": TIMING.forward[..., ::-1]},
        {"forward": TIMING.forward[:1]},
        {"backward_own": TIMING.backward_own - 60},
        {"step": TIMING.step[:, :3]},
        {"bare": np.array([1 << 63, 2], np.uint64).astype(np.int64)},
        {"peak": np.array([1])},
        {"inside_cost": -5},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_times_that_contradict_are_refused(tmp_path, wrong):
    """Unknown calls, ends before beginnings, other axes, negative times."""
    with Trace(timed(tmp_path / "a.h5", replace(TIMING, **wrong))) as trace:
        with pytest.raises(TraceFileError, match="damaged"):
            _ = trace.timing


@pytest.mark.parametrize("name", ["forward", "orders", "facts"])
@pytest.mark.parametrize(
    "put", [lambda f, at: f.create_group(at), lambda f, at: f.create_dataset(at, data=np.zeros(3))]
)
def test_a_file_with_something_else_there_is_refused(tmp_path, name, put):
    """Groups, floats, compressed or missing arrays: an error that names the file, or no times at all."""
    path = timed(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        del file[f"timing/{name}"]
        put(file, f"timing/{name}")
    with Trace(path) as trace:
        try:
            assert trace.timing is None
        except TraceFileError as error:
            assert "a.h5" in str(error)
