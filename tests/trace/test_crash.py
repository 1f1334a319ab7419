"""A process that is killed leaves OUT as it was and a partial file that opens."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import h5py
import pytest

from tracer.trace.reader import Trace

PROGRAM = """
import sys, time, numpy as np
from tracer.trace import file, writer as module
from tracer.trace.schema import *
file.COMMIT_SECONDS = float(sys.argv[2])
writer = module.TraceWriter(sys.argv[1], Header("torch", "2", "Net"))
writer.layers([Layer("(root)", "Net")], [])
print("ready", flush=True)
order = 0
while True:
    writer.write(Entered(0, order, f"layer {order}", 0, None))
    array = writer.copy(np.full((order % 7 + 1) * 3_000, order, np.float64)).array
    writer.write(Returned(0, order, (Value("", "tensor", array.shape, "float64"),)), [array])
    order += 1
    if order % 20 == 0:
        time.sleep(0.001)
"""


def kill_one(folder, seconds: float, every: float) -> int:
    """Record, kill after some time, check what is left; returns how many calls are in it."""
    out = folder / "a.h5"
    out.write_bytes(b"old")
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(out), str(every)], stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    assert out.read_bytes() == b"old"
    with Trace(folder / "a.h5.partial") as trace:
        assert not trace.complete
        assert "cut off" in trace.skeleton.end.stopped
        calls = trace.skeleton.steps[0].calls if trace.skeleton.steps else ()
        assert [call.order for call in calls] == list(range(len(calls)))
        for call in calls:
            if call.returned:
                assert (trace.array(call.outputs[0]) == call.order).all()
    return len(calls)


@pytest.mark.parametrize("seed", range(4))
def test_killed_while_it_commits_all_the_time(tmp_path, seed):
    """Commits every few milliseconds, so that many kills fall into one."""
    assert kill_one(tmp_path, random.Random(seed).uniform(0.1, 0.6), 0.002) > 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_killed_many_times(tmp_path, seed):
    """The same at many more moments."""
    kill_one(tmp_path, random.Random(seed).uniform(0.0, 0.5), random.Random(seed).choice([0.0, 0.002, 0.05]))


def test_no_more_than_a_second_is_lost(tmp_path):
    """With the usual rhythm what is older than about a second is in the file, and plain h5py opens it."""
    assert kill_one(tmp_path, 2.5, 1.0) > 10
    with h5py.File(tmp_path / "a.h5.partial") as file:
        assert len(file["skeleton/calls"]) > 10
    assert os.path.exists(tmp_path / "a.h5")
