"""Interrupts at bad moments, copies of a watched net, options that are none."""

from __future__ import annotations

import copy
import gc

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tracer.errors import RecordingError, RuleError
from tracer.trace.schema import Entered
from tracer.trace.writer import TraceWriter

X = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)


@pytest.mark.parametrize("moment", range(4))
def test_an_interrupt_inside_a_hook_leaves_a_trace_that_opens(moment, tmp_path, monkeypatch):
    """Also where the call that began was not written yet."""
    write, seen = TraceWriter.write, []

    def interrupted(self, row, arrays=()):
        if isinstance(row, Entered):
            seen.append(row)
            if len(seen) == moment + 1:
                raise KeyboardInterrupt
        write(self, row, arrays)

    monkeypatch.setattr(TraceWriter, "write", interrupted)
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
    with pytest.raises(KeyboardInterrupt):
        tracer.record(net, X, out=tmp_path / "t.h5")
    trace = tracer.Trace(tmp_path / "t.h5")
    assert not trace.complete
    assert sum(len(layer.calls) for layer in trace.layers.values()) == moment


def test_a_copy_of_the_net_is_not_recorded(tmp_path):
    """A teacher that is copied from the net while it is watched runs for itself, then and later."""
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with tracer.recording(net, out=tmp_path / "t.h5"):
        net(torch.from_numpy(X))
        teacher = copy.deepcopy(net)
        teacher(torch.from_numpy(X))
    torch.save(teacher, tmp_path / "teacher.pt")
    assert torch.equal(teacher(torch.from_numpy(X)), net(torch.from_numpy(X)))
    assert len(tracer.Trace(tmp_path / "t.h5")["0"].calls) == 1


def test_a_net_is_pickled_while_it_is_watched(tmp_path):
    """What is loaded runs as the net does."""
    net = nn.Linear(4, 4)
    with tracer.recording(net, out=tmp_path / "t.h5"):
        net(torch.from_numpy(X))
        torch.save(net, tmp_path / "net.pt")
    again = torch.load(tmp_path / "net.pt", weights_only=False)
    assert torch.equal(again(torch.from_numpy(X)), net(torch.from_numpy(X)))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_quantised_values_are_what_they_stand_for(tmp_path):
    """They are kept as float32 and say so."""
    net = nn.Sequential(torch.ao.nn.quantized.Quantize(0.1, 0, torch.quint8), torch.ao.nn.quantized.DeQuantize())
    value = tracer.record(net, X, out=tmp_path / "t.h5")["0"].calls[0].output
    assert value.dtype == "float32"
    assert np.array_equal(np.asarray(value), net(torch.from_numpy(X)).numpy())


def test_a_note_that_is_no_text_is_refused_before_the_run(tmp_path):
    """The trace that was there stays."""
    tracer.record(nn.Linear(4, 4), X, out=tmp_path / "t.h5")
    with pytest.raises(RuleError, match="note=5 is no text"):
        tracer.record(nn.Linear(4, 4), X, out=tmp_path / "t.h5", note=5)
    assert tracer.Trace(tmp_path / "t.h5").complete


def test_a_net_that_raised_says_why_there_is_no_backward_pass(tmp_path):
    """The run did not get there."""
    with pytest.raises(RuntimeError):
        tracer.record(nn.Linear(3, 3), X, out=tmp_path / "t.h5")
    assert tracer.Trace(tmp_path / "t.h5").skeleton.end.backward == "the run ended before it"


def test_a_layer_with_the_path_of_the_net_is_refused(tmp_path):
    """Two layers cannot have one path."""
    net = nn.Sequential()
    net.add_module("(root)", nn.Linear(4, 4))
    with pytest.raises(RecordingError, match="another name"):
        tracer.record(net, X, out=tmp_path / "t.h5")


@pytest.mark.parametrize("theirs", [False, True])
def test_the_garbage_collector_is_left_as_it_was(theirs, tmp_path):
    """What lay outside its reach before, and only that, does so afterwards: also what a program put there itself."""
    net = nn.Linear(4, 4)
    if theirs:
        gc.freeze()
    before = gc.get_freeze_count()
    try:
        tracer.record(net, X, out=tmp_path / "t.h5").close()
        assert (gc.get_freeze_count() > 0) == theirs
        assert abs(gc.get_freeze_count() - before) < 1000  # some of it is gone for good
    finally:
        gc.unfreeze()
