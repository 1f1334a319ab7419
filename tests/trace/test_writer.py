"""What was written is in the file: for our reader, for plain h5py, and for the tools of HDF5."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.trace.samples import DTYPES, HEADER, W, X, Y, one_value, same, small, tensor
from tracer.errors import TraceFileError
from tracer.trace.reader import Trace
from tracer.trace.schema import ROOT, End, Entered, Gradient, Header, Layer, Parameter, Returned, Value
from tracer.trace.statistics import digest, statistics
from tracer.trace.writer import TraceWriter


def outputs(path):
    """The arrays of the first call's outputs."""
    with Trace(path) as trace:
        return [trace.array(value) for value in trace.skeleton.steps[0].calls[0].outputs]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (5, 7), (2, 1, 40_000)])
def test_every_dtype_comes_back(tmp_path, dtype, shape):
    """Bit for bit, small and beyond the size from which arrays get pages of their own."""
    raw = np.random.default_rng(0).integers(0, 2 if dtype == bool else 256, (*shape, dtype.itemsize), dtype=np.uint8)
    array = np.frombuffer(raw.tobytes(), dtype).reshape(shape)
    assert same(outputs(one_value(tmp_path / "a.h5", [array]))[0], array)


arrays = hnp.arrays(st.sampled_from(DTYPES[:14]), hnp.array_shapes(min_dims=0, min_side=0, max_side=6))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(arrays, max_size=6))
def test_any_values_come_back(tmp_path, given_arrays):
    """Any mix of dtypes and shapes, with NaN and both zeros, bit for bit; statistics and digests are theirs."""
    path = one_value(tmp_path / "a.h5", given_arrays)
    with Trace(path) as trace:
        values = trace.skeleton.steps[0].calls[0].outputs
        for value, array in zip(values, given_arrays, strict=True):
            assert same(trace.array(value), array)
            assert value.digest == digest(array)
            assert repr(value.statistics) == repr(statistics(array))


@pytest.mark.parametrize("elements", [1, 7, 1000, 1 << 20])
def test_blocks_are_the_array_in_pieces(tmp_path, elements):
    """The pieces put together are the array in C order, none larger than asked for."""
    array = np.arange(3000, dtype=np.float32).reshape(30, 100).T
    with Trace(one_value(tmp_path / "a.h5", [array])) as trace:
        pieces = list(trace.blocks(trace.skeleton.steps[0].calls[0].outputs[0], elements))
    assert max(piece.size for piece in pieces) <= elements
    assert same(np.concatenate(pieces), np.ascontiguousarray(array).reshape(-1))


def test_other_memory_layouts_come_back(tmp_path):
    """Transposed, strided, reversed and big-endian arrays are kept as what they mean."""
    base = np.arange(24, dtype=np.float64).reshape(4, 6)
    given_arrays = [base.T, base[::2, ::-3], np.broadcast_to(base[0], (3, 6)), base.astype(">f4")]
    for found, array in zip(outputs(one_value(tmp_path / "a.h5", given_arrays)), given_arrays, strict=True):
        assert found.tolist() == array.tolist()


def test_plain_h5py_reads_it(tmp_path):
    """With h5py alone: attributes, rows, arrays where the schema says they are; bfloat16 as numbers, bool as bool."""
    small(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file.attrs["format"], file.attrs["version"], file.attrs["complete"]) == ("tracer", 1, True)
        assert [name for name, value in file.attrs.items() if not isinstance(value, str)] == ["complete", "version"]
        fc = file["steps/0/layers/fc"]
        assert (fc["params/weight"][:] == W).all()
        assert (fc["param_grads/weight"][:] == W * 2).all()
        assert (fc["calls/0/output"][:] == Y.astype(np.float32)).all()
        assert (fc["calls/0/grad_input/0"][:] == X + 1).all()
        assert (file["steps/0/layers/(root)/calls/0/input/0"][:] == X).all()
        assert file["skeleton/calls"][0].startswith(b'{"row":"entered"')
        assert file["skeleton/blocks"].shape == (1, 4)
    one_value(tmp_path / "b.h5", [np.array([True, False]), np.array([1 + 2j], np.complex64)])
    with h5py.File(tmp_path / "b.h5") as file:
        call = file["steps/0/layers/(root)/calls/0/output"]
        assert call["0"].dtype == bool
        assert call["1"][0] == 1 + 2j


@pytest.mark.skipif(shutil.which("h5dump") is None, reason="h5dump is not installed")
def test_h5dump_reads_it(tmp_path):
    """HDF5's own tool shows rows as texts and bfloat16 as numbers."""
    small(tmp_path / "a.h5")
    shown = subprocess.run(["h5dump", tmp_path / "a.h5"], capture_output=True, text=True, check=True).stdout
    assert '"row":"entered"' in shown.replace("\\", "")
    assert "16-bit little-endian floating-point" in shown
    assert f"{float(Y[0, 0]):.6g}" in shown


def test_bfloat16_is_a_true_float_of_hdf5(tmp_path):
    """One sign bit, eight of exponent, seven of mantissa; not an opaque lump."""
    one_value(tmp_path / "a.h5", [np.array([1.5, -2], ml_dtypes.bfloat16)])
    with h5py.File(tmp_path / "a.h5") as file:
        kind = file["steps/0/layers/(root)/calls/0/output/0"].id.get_type()
        assert kind.get_fields() == (15, 7, 8, 0, 7)
        assert kind.get_ebias() == 127


def test_equal_arrays_are_stored_once(tmp_path):
    """Equal bytes, dtype and shape: one place on the disk with two names, both of which read well."""
    big = np.random.default_rng(0).normal(size=(300, 1000))
    path = one_value(tmp_path / "a.h5", [big, big + 1, big.copy(), big.reshape(1000, 300)])
    assert path.stat().st_size < 3.2 * big.nbytes
    with h5py.File(path) as file:
        call = file["steps/0/layers/(root)/calls/0/output"]
        offsets = [call[name].id.get_offset() for name in "0123"]
        assert offsets[0] == offsets[2]
        assert len(set(offsets)) == 3
        assert (call["2"][:] == big).all()
    for found, array in zip(outputs(path), [big, big + 1, big, big.reshape(1000, 300)], strict=True):
        assert same(found, array)


def test_large_arrays_begin_on_a_page(tmp_path):
    """From 64 KiB on an array begins on a page of its own, so that it can be written directly."""
    path = one_value(tmp_path / "a.h5", [np.ones(3), np.random.default_rng(0).normal(size=50_001), np.zeros(20_003)])
    with h5py.File(path) as file:
        call = file["steps/0/layers/(root)/calls/0/output"]
        assert [call[name].id.get_offset() % 4096 for name in "12"] == [0, 0]


def test_statistics_only(tmp_path):
    """With keep="statistics" no array is in the file, but all statistics, digests and row blocks are."""
    small(tmp_path / "a.h5", keep="statistics")
    with h5py.File(tmp_path / "a.h5") as file:
        assert "steps" not in file
    with Trace(tmp_path / "a.h5") as trace:
        fc = trace.skeleton.steps[0].calls[1]
        assert fc.outputs[0].statistics == statistics(Y)
        assert fc.outputs[0].digest == digest(Y)
        assert trace.row_blocks(trace.skeleton.layers["head"].parameters[0])[0].tolist() == pytest.approx(
            [W.sum(dtype=float), (W.astype(float) ** 2).sum(), 0, W.max()]
        )
        with pytest.raises(TraceFileError, match="statistics"):
            trace.array(fc.outputs[0])


@pytest.mark.parametrize(
    "path", ["a/b", "100%", "a%2Fb", "output", "calls", "params", "层.é", "..", ".", "a\0b", "x" * 70_000, "\ud800"]
)
def test_any_name_of_a_layer(tmp_path, path):
    """Slashes, percent signs, our own words, other scripts, dots, very long names: each is one group."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    writer.layers(
        [Layer(ROOT, "Net"), Layer(path, "K", parameters=(Parameter(path, (6,), "float32"),))],
        [((path, path), np.arange(6, dtype="f4"))],
    )
    writer.write(Entered(0, 0, path, 0, None))
    writer.write(Returned(0, 0, (tensor(path, X),)), [X])
    writer.finish(End())
    with Trace(tmp_path / "a.h5") as trace:
        assert (np.asarray(trace.array(trace.skeleton.steps[0].calls[0].outputs[0])) == X).all()
        assert trace.array(trace.skeleton.layers[path].parameters[0]).tolist() == list(range(6))
    if len(path) < 100:
        with h5py.File(tmp_path / "a.h5") as file:
            assert len(file["steps/0/layers"]) == 1


def test_two_values_at_one_place(tmp_path):
    """A leaf that stands where others have their group is kept all the same."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    writer.write(Entered(0, 0, "a", 0, None))
    leaves = [("x", X), ("", X + 1), ("x", X + 2)]
    writer.write(Returned(0, 0, tuple(tensor(*leaf) for leaf in leaves)), [array for _, array in leaves])
    writer.finish(End())
    assert [found.tolist() for found in outputs(tmp_path / "a.h5")] == [array.tolist() for _, array in leaves]


@pytest.mark.parametrize(
    "array", [np.array([object()]), np.array(["text"]), np.zeros(2, "M8[s]"), np.zeros(2, np.longdouble)]
)
def test_what_cannot_be_stored_is_named(tmp_path, array):
    """An array that HDF5 or a trace has no type for is listed with the reason, and the recording goes on."""
    with Trace(one_value(tmp_path / "a.h5", [array, X])) as trace:
        strange, plain = trace.skeleton.steps[0].calls[0].outputs
        assert "no place" in strange.missing
        assert same(trace.array(plain), X)


def test_a_copy_is_private(tmp_path):
    """What happens to the net's own memory after `copy` does not reach the trace."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    own = np.ones(100_000)
    copy = writer.copy(own).array
    own[:] = 7
    writer.write(Entered(0, 0, "a", 0, None))
    writer.write(Returned(0, 0, (tensor("", copy),)), [copy])
    writer.finish(End())
    assert (outputs(tmp_path / "a.h5")[0] == 1).all()


def test_memory_is_bounded_by_the_queue(tmp_path):
    """`copy` waits while more than the queue's bytes wait for the disk; all arrives."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER, queue_bytes=1 << 20)
    writer.write(Entered(0, 0, "a", 0, None))
    most = 0
    for at in range(40):
        copy = writer.copy(np.full(60_000, at, np.float64)).array
        writer.write(Returned(0, 0, (tensor("", copy),)), [copy])
        del copy
        most = max(most, writer._waiting)
    writer.finish(End())
    assert most <= 2 << 20
    assert (outputs(tmp_path / "a.h5")[0] == 39).all()


def test_one_array_larger_than_the_queue(tmp_path):
    """An array that the queue cannot hold is written all the same."""
    assert outputs(one_value(tmp_path / "a.h5", [np.ones(70_000), np.zeros(70_000)], queue_bytes=1000))[0].all()


def test_many_rows(tmp_path):
    """Thousands of calls over several steps come back in order."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    writer.layers([Layer(ROOT, "Net")], [])
    for step in range(3):
        for order in range(1500):
            writer.write(Entered(step, order, ROOT, order, None))
            writer.write(Returned(step, order, (Value("", "scalar", literal=order),)))
    writer.finish(End())
    with Trace(tmp_path / "a.h5") as trace:
        assert [len(step.calls) for step in trace.skeleton.steps] == [1500] * 3
        assert [call.outputs[0].literal for call in trace.skeleton.steps[2].calls] == list(range(1500))


def test_out_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    """An older trace stays until `finish`; the partial file is gone then."""
    out = tmp_path / "a.h5"
    out.write_bytes(b"old")
    writer = TraceWriter(out, HEADER)
    writer.write(Entered(0, 0, "a", 0, None))
    assert out.read_bytes() == b"old"
    assert writer.partial.exists()
    assert writer.finish(End()) == out
    assert os.listdir(tmp_path) == ["a.h5"]
    assert len(Trace(out).skeleton.steps) == 1


def test_abandon_leaves_nothing(tmp_path):
    """Giving up removes the partial file and leaves OUT as it was."""
    out = tmp_path / "a.h5"
    out.write_bytes(b"old")
    writer = TraceWriter(out, HEADER)
    writer.write(Entered(0, 0, "a", 0, None, (tensor("0", X),)), [X])
    writer.abandon()
    writer.abandon()
    writer.write(Returned(0, 0))
    assert os.listdir(tmp_path) == ["a.h5"]
    assert out.read_bytes() == b"old"


def test_an_incomplete_run_says_so(tmp_path):
    """`complete` false and where it stopped."""
    small(tmp_path / "a.h5", end=End(complete=False, stopped="fc raised"))
    with Trace(tmp_path / "a.h5") as trace:
        assert not trace.complete
        assert trace.skeleton.end.stopped == "fc raised"
        assert "incomplete" in repr(trace)


def test_two_recordings_to_one_file(tmp_path):
    """The second is refused while the first is at work, and may begin after it."""
    first = TraceWriter(tmp_path / "a.h5", HEADER)
    with pytest.raises(TraceFileError, match="Another recording"):
        TraceWriter(tmp_path / "a.h5", HEADER)
    first.finish(End())
    TraceWriter(tmp_path / "a.h5", HEADER).finish(End())


def test_what_a_dead_run_left_is_replaced(tmp_path):
    """A partial file without an owner is no obstacle, whatever is in it."""
    (tmp_path / "a.h5.partial").write_bytes(b"x" * 100_000)
    TraceWriter(tmp_path / "a.h5", HEADER).finish(End())
    assert Trace(tmp_path / "a.h5").complete


def test_a_link_is_followed_to_its_file(tmp_path):
    """OUT may be a symbolic link: the file it means is replaced, not the link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "a.h5").symlink_to(tmp_path / "real" / "b.h5")
    TraceWriter(tmp_path / "a.h5", HEADER).finish(End())
    assert (tmp_path / "a.h5").is_symlink()
    assert Trace(tmp_path / "real" / "b.h5").complete


@pytest.mark.parametrize("out", ["missing/a.h5", "", "file/a.h5", "n" * 300])
def test_a_place_that_cannot_be_written(tmp_path, out):
    """The error comes before the net runs, in three beats."""
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(TraceFileError) as caught:
        TraceWriter(tmp_path / out, HEADER)
    assert caught.value.what
    assert caught.value.where
    assert caught.value.then


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    """No right to write is said as that."""
    tmp_path.chmod(0o500)
    with pytest.raises(TraceFileError, match="Permission"):
        TraceWriter(tmp_path / "a.h5", HEADER)


def test_a_pipe_is_no_place_for_a_trace(tmp_path):
    """Only ordinary files are replaced."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TraceFileError, match="no file"):
        TraceWriter(tmp_path / "pipe", HEADER)


def test_without_direct_writing(tmp_path, monkeypatch):
    """A file system that refuses O_DIRECT, at opening or at the first write, gets the same trace."""
    array = np.random.default_rng(0).normal(size=100_001)
    real = os.pwrite
    monkeypatch.setattr("tracer.trace.file._open_direct", lambda _: None)
    assert same(outputs(one_value(tmp_path / "a.h5", [array]))[0], array)
    monkeypatch.undo()
    import fcntl

    def refuse(descriptor, data, offset):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & getattr(os, "O_DIRECT", 0):
            raise OSError(22, "refused")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", refuse)
    assert same(outputs(one_value(tmp_path / "b.h5", [array]))[0], array)


def test_a_failure_is_kept_until_the_end(tmp_path, monkeypatch):
    """A full disk does not raise into the net; `finish` says it, and the partial file holds what was written."""
    out = tmp_path / "a.h5"
    out.write_bytes(b"old")
    writer = TraceWriter(out, HEADER)
    writer.layers([Layer(ROOT, "Net")], [])
    writer.write(Entered(0, 0, ROOT, 0, None, (tensor("0", X),)), [X])
    deadline = time.monotonic() + 10
    while writer._waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    real = os.pwrite

    def full(descriptor, data, offset):
        if len(data) > 300_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    big = np.zeros(50_000)
    writer.write(Returned(0, 0, (tensor("", big),)), [big])
    for _ in range(10):
        writer.write(Gradient(0, 0, "grad_output", tensor("", big)), [writer.copy(big).array])
    with pytest.raises(TraceFileError) as caught:
        writer.finish(End())
    assert isinstance(writer.failure, OSError)
    assert "No space left" in caught.value.what
    assert "keep='statistics'" in caught.value.then
    assert out.read_bytes() == b"old"
    with Trace(writer.partial) as trace:
        call = trace.skeleton.steps[0].calls[0]
        assert same(trace.array(call.inputs[0]), X)
        assert not call.returned
        assert not trace.complete


def test_a_limit_on_file_size(tmp_path):
    """The kernel's limit on file sizes ends in the same clear error, and the process lives."""
    program = f"""
import resource, sys, numpy as np
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
from tracer.errors import TraceFileError
from tracer.trace.schema import *
from tracer.trace.writer import TraceWriter
writer = TraceWriter({str(tmp_path / "a.h5")!r}, Header("torch", "2", "Net"))
writer.layers([Layer("(root)", "Net")], [])
for at in range(100):
    writer.write(Entered(0, at, "(root)", at, None))
    array = writer.copy(np.full(20_000, at, np.float64)).array
    writer.write(Returned(0, at, (Value("", "tensor", (20_000,), "float64"),)), [array])
try:
    writer.finish(End())
except TraceFileError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert "File too large" in done.stdout
    assert "ulimit" in done.stdout
    assert not done.stderr
    with Trace(tmp_path / "a.h5.partial") as trace:
        whole = [call for call in trace.skeleton.steps[0].calls if call.returned]
        assert 5 < len(whole) < 19
        assert all((trace.array(call.outputs[0]) == call.order).all() for call in whole)


def test_a_process_that_forgets_to_finish(tmp_path):
    """A script that ends without `finish` ends quietly, and leaves OUT as it was."""
    program = f"""
import numpy as np
from tracer.trace.schema import *
from tracer.trace.writer import TraceWriter
writer = TraceWriter({str(tmp_path / "a.h5")!r}, Header("torch", "2", "Net"))
for at in range(50):
    writer.write(Entered(0, at, "a", at, None))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert not done.stderr
    assert os.listdir(tmp_path) == ["a.h5.partial"]
    assert not Trace(tmp_path / "a.h5.partial").complete


def test_no_thread_is_left(tmp_path):
    """After `finish` and `abandon` the writer's thread is gone."""
    small(tmp_path / "a.h5")
    writer = TraceWriter(tmp_path / "b.h5", HEADER)
    writer.write(Entered(0, 0, "a", 0, None))
    writer.abandon()
    assert not [thread for thread in threading.enumerate() if thread.name == "trace writer"]


def test_an_empty_net(tmp_path):
    """No layers, no calls: still a trace."""
    writer = TraceWriter(tmp_path / "a.h5", Header("mindspore", "2.10.0", "Net"))
    writer.layers([], [])
    writer.finish(End())
    with Trace(tmp_path / "a.h5") as trace:
        assert len(trace) == 0
        assert trace.skeleton.steps == ()
        assert repr(trace)


def test_an_interrupt_waits_until_the_file_is_whole(tmp_path):
    """Ctrl-C while a trace is closed: it is closed and in its place, then the interrupt comes."""
    program = f"""
import os, signal, numpy as np
from tracer.trace import file
from tracer.trace.schema import *
from tracer.trace.writer import TraceWriter
close = file.GrowingFile.close
def interrupted(self, **options):
    os.kill(os.getpid(), signal.SIGINT)
    close(self, **options)
file.GrowingFile.close = interrupted
writer = TraceWriter({str(tmp_path / "a.h5")!r}, Header("torch", "2", "Net"))
writer.layers([Layer("(root)", "Net")], [])
writer.write(Entered(0, 0, "(root)", 0, None))
try:
    writer.finish(End())
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    with Trace(tmp_path / "a.h5") as trace:
        assert trace.complete
