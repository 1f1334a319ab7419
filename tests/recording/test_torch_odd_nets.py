"""Nets that cannot be watched are refused in plain words; odd ones are recorded as far as torch lets one see."""

from __future__ import annotations

import contextlib
import sys
import threading

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.recording import nets
from tests.recording.nets import D, batch, made
from tests.recording.truth import state
from tracer.errors import RecordingError, RuleError, TraceFileError


UNCOMPILED = "compiled code ran uncompiled for the trace: results may differ in the last digits"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


def refused(net, out, x=None):
    with pytest.raises(RecordingError) as caught:
        tracer.record(net, batch(2, D) if x is None else x, out=out)
    assert not list(out.parent.iterdir())
    text = str(caught.value)
    assert "\n  next: " in text
    return text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_scripted_and_traced_nets_are_refused(out):
    """Their layers call no hooks; the message says what to record instead."""
    assert "before torch.jit.script" in refused(torch.jit.script(made(nets.Plain)), out)
    assert "before torch.jit.script" in refused(torch.jit.trace(made(nets.Plain), batch(2, D)), out)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_scripted_layer_inside_is_named(out):
    """The rest of the net is recorded."""
    net = nn.Sequential(nn.Linear(D, D), torch.jit.script(nn.Sequential(nn.ReLU())))
    trace = tracer.record(net, batch(2, D), out=out)
    assert [c.path for c in trace.skeleton.steps[0].calls] == ["(root)", "0"]
    assert trace.skeleton.end.silent["1"] == "a scripted or traced module, which calls no hooks"
    assert "scripted" in trace.skeleton.end.silent["1.0"]


def test_exported_programs_are_refused(out):
    """The program, and its module."""
    program = torch.export.export(made(nets.Plain), (batch(2, D),))
    assert "exported" in refused(program, out)
    assert "exported" in refused(program.module(), out)


@pytest.mark.parametrize("thing", [3, None, lambda x: x, torch.ones(2), {"net": 1}], ids=repr)
def test_what_is_no_net_is_refused(thing, out):
    """Also a tensor, which is torch's but no module."""
    refused(thing, out)


def test_compiled_nets_run_eagerly_for_the_trace(out):
    """All layers are seen, and the trace says what was done."""
    net = made(nets.Plain)
    net.compile(backend="eager")
    trace = tracer.record(net, batch(2, D), out=out)
    assert len(trace.skeleton.steps[0].calls) == 4
    assert trace.skeleton.header.notes == (UNCOMPILED,)
    assert net._compiled_call_impl is not None


class CompiledMethod(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nets.Plain()

    @torch.compile(backend="eager")
    def forward(self, x):
        return self.inner(x)


class CompiledAttribute(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nets.Plain()
        self.call = torch.compile(self.inner.forward, backend="eager")

    def forward(self, x):
        return self.call(x)


def compiled_child():
    net = nn.Sequential(nets.Plain(), nn.Tanh())
    net[0] = torch.compile(net[0], backend="eager")
    return net


@pytest.mark.parametrize("make", [compiled_child, CompiledMethod, CompiledAttribute])
def test_compiled_parts_run_eagerly_and_the_trace_says_so(make, out):
    """A child, a method, a function that a layer holds; the layers inside are seen."""
    trace = tracer.record(made(make), batch(2, D), out=out)
    assert trace.skeleton.header.notes == (UNCOMPILED,)
    assert any(c.path.endswith(".act") for c in trace.skeleton.steps[0].calls)


def test_a_compiled_net_that_has_run_before_is_seen_whole(out):
    """Hooks put on after the first compiled call."""
    net = torch.compile(made(nets.Plain), backend="eager")
    net(batch(2, D))
    assert len(tracer.record(net, batch(2, D), out=out).skeleton.steps[0].calls) == 4


def test_the_fused_transformer_path_is_off(out):
    """In evaluation without gradients torch would call a single fused kernel."""
    net = made(nets.Transformer).eval()
    with torch.no_grad():
        trace = tracer.record(net, batch(2, D), out=out)
    assert "encoder.layers.1.linear2" in {c.path for c in trace.skeleton.steps[0].calls}
    assert "fused transformer kernels were off" in trace.skeleton.header.notes[0]
    assert torch.backends.mha.get_fastpath_enabled()


def test_lazy_layers_are_initialised_before(out):
    """So that their parameters are in the trace; random state does not notice."""
    net = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d())
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    trace = tracer.record(net, batch(4, D), out=out)
    assert torch.rand(1) == expected
    assert [p.shape for p in trace.skeleton.layers["0"].parameters] == [(3, D), (3,)]
    assert int(net[1].num_batches_tracked) == 0
    assert "lazy modules were initialised" in trace.skeleton.header.notes[0]


def test_layers_made_while_the_net_runs_are_recorded_and_gone_after(out):
    """Their calls are; the net is as before its first run."""

    class Grows(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = None

        def forward(self, x):
            if self.fc is None:
                self.fc = nn.Linear(D, 2)
            return self.fc(x)

    net = Grows()
    trace = tracer.record(net, batch(2, D).requires_grad_(), out=out)
    found = trace.skeleton.steps[0].calls[1]
    assert (found.path, len(found.grad_outputs), len(found.grad_inputs)) == ("fc", 1, 1)
    assert "fc (Linear) was made while the net ran" in trace.skeleton.end.notes[0]
    assert net.fc is None
    assert not list(net.children())


def test_layers_that_are_registered_nowhere_are_named(out):
    """One in a plain list."""

    class Hides(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = [nn.Linear(D, D)]

        def forward(self, x):
            return self.items[0](x)

    trace = tracer.record(Hides(), batch(2, D), out=out)
    assert trace.skeleton.end.uncaptured == ("a Linear that is registered nowhere in the net was called unseen",)


def test_an_empty_net_is_recorded(out):
    """One call, whose output is its input."""
    (only,) = tracer.record(nn.Sequential(), batch(2, D), out=out).skeleton.steps[0].calls
    assert only.outputs[0].maker.side == "input"


def test_odd_names_are_kept(out):
    """Slashes, other scripts, `output`."""
    net = nn.Sequential()
    names = ["output", "a/b", "größe%", "日本"]
    for name in names:
        net.add_module(name, nn.Linear(D, D))
    trace = tracer.record(net, batch(2, D), out=out)
    assert [c.path for c in trace.skeleton.steps[0].calls[1:]] == names
    assert np.asarray(trace["a/b"].calls[0].output).shape == (2, D)


def test_a_net_that_differentiates_inside_keeps_the_outer_gradients(out):
    """Forces as the gradient of an energy: the trace holds the gradients of the loss, not those of the energy."""

    class Force(nn.Module):
        def __init__(self):
            super().__init__()
            self.energy = made(nets.Plain)

        def forward(self, p):
            p = p.detach().requires_grad_()
            (force,) = torch.autograd.grad(self.energy(p).pow(2).sum(), p, create_graph=True)
            return force

    net = Force()
    trace = tracer.record(net, batch(2, D), out=out)
    seen = []
    handle = net.energy.register_forward_hook(lambda _, __, o: o.register_hook(lambda g: seen.append(g)) and None)
    result = net(batch(2, D))
    weights = torch.from_numpy(tracer.recorder.cotangent(0, result.numel())).reshape(result.shape).float()
    result.backward(weights)
    handle.remove()
    call = next(c for c in trace.skeleton.steps[0].calls if c.path == "energy")
    assert np.array_equal(trace.array(call.grad_outputs[0]), seen[-1].detach().numpy())
    assert "own forward pass" in trace.skeleton.end.notes[0]


def test_an_error_the_net_catches_is_one_call_that_failed(out):
    """What came after has the right parent, and the trace is complete."""
    trace = tracer.record(made(nets.Caught), batch(2, D), out=out)
    found = [(c.path, c.parent, c.returned) for c in trace.skeleton.steps[0].calls]
    assert found == [("(root)", None, True), ("bad", 0, False), ("good", 0, True)]
    assert trace.complete


def test_a_call_while_an_error_is_handled_is_no_failure(out):
    """A layer that gives None inside an `except` block returned."""

    class GivesNone(nn.Module):
        def forward(self, x):
            return None

    class Handles(nn.Module):
        def __init__(self):
            super().__init__()
            self.none = GivesNone()

        def forward(self, x):
            try:
                raise ValueError("handled")
            except ValueError:
                self.none(x)
            return x

    trace = tracer.record(Handles(), batch(2, D), out=out)
    assert all(c.returned for c in trace.skeleton.steps[0].calls)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": "everything"}, "keep='values'"),
        ({"depth": -1}, "level"),
        ({"only": 3.5}, "pattern"),
        ({"skip": lambda path, layer: 1 / 0}, "ZeroDivisionError"),
    ],
)
def test_options_that_do_not_hold_are_refused(options, words, out):
    """Before the net runs, with nothing left on the disk."""
    net = made(nets.Plain)
    before = state(net)
    with pytest.raises((RuleError, TypeError), match=words):
        tracer.record(net, batch(2, D), out=out, **options)
    assert state(net) == before
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    """A missing folder, a folder in the place of the file."""
    ran = []
    net = nn.Sequential(nn.Identity())
    net.register_forward_hook(lambda *_: ran.append(1))
    for place in (tmp_path / "no" / "t.h5", tmp_path):
        with pytest.raises(TraceFileError):
            tracer.record(net, batch(2, D), out=place)
    assert not ran


def test_a_net_that_raises_leaves_an_older_trace_replaced_by_what_ran(out):
    """And the run before it was whole."""
    net = made(nets.Plain)
    tracer.record(net, batch(2, D), out=out).close()
    with pytest.raises(RuntimeError):
        tracer.record(net, batch(2, D + 1), out=out)
    assert not tracer.Trace(out).complete


def test_a_net_that_changes_the_folder_leaves_its_trace_where_it_was_asked_for(tmp_path, monkeypatch):
    """A relative place is meant from where the recording began."""

    class Moves(nn.Module):
        def forward(self, x):
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            monkeypatch.chdir(tmp_path / "elsewhere")
            return x

    monkeypatch.chdir(tmp_path)
    assert tracer.record(Moves(), batch(1), out="one.h5").complete
    monkeypatch.chdir(tmp_path)
    net = Moves()
    recording = tracer.recording(net, out="two.h5")
    monkeypatch.chdir("/")
    with recording as session:
        net(batch(1))
    assert session.out == tmp_path / "two.h5"
    assert {p.name for p in tmp_path.glob("*.h5")} == {"one.h5", "two.h5"}


def test_a_full_disk_is_a_clear_error_and_the_net_is_as_it_was(out):
    """The run goes to its end, the older trace stays, and so does what was written."""
    resource = pytest.importorskip("resource")
    net = made(lambda: nn.Sequential(nn.BatchNorm1d(512), nn.Linear(512, 512)))
    tracer.record(net, batch(2, 512), out=out, keep="statistics").close()
    older, before = out.read_bytes(), state(net)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 21, hard))
    try:
        with pytest.raises(TraceFileError, match="could not be written"):
            tracer.record(net, batch(2048, 512), out=out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert state(net) == before
    assert out.read_bytes() == older


@contextlib.contextmanager
def largest_file(size):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class RaisesAfter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(512, 512)

    def forward(self, x):
        self.fc(x)
        raise ValueError("the net's own")


def test_a_net_that_raises_while_the_disk_is_full_tells_both(out):
    """The net's error comes through, with a note (a warning before Python 3.11) that there is no trace."""
    told = contextlib.nullcontext() if sys.version_info >= (3, 11) else pytest.warns(RuntimeWarning, match="not put")
    with largest_file(1 << 21), told, pytest.raises(ValueError, match="own") as caught:
        tracer.record(made(RaisesAfter), batch(2048, 512), out=out)
    if sys.version_info >= (3, 11):
        assert "could not be written" in "".join(caught.value.__notes__)
    assert not out.exists()


def test_parameters_that_fill_the_disk_leave_the_partial_file(out):
    """It holds what was written, as the error says, and the net did not run."""
    with largest_file(1 << 20), pytest.raises(TraceFileError, match="could not be written"):
        tracer.record(made(lambda: nn.Linear(1024, 1024)), batch(1, 1024), out=out)
    partial = out.with_name(out.name + ".partial")
    assert partial.exists()
    assert not tracer.Trace(partial).complete
    assert not out.exists()


def test_a_disk_that_is_full_lets_the_users_loop_run_on(out):
    """`recording` says so at its end; what the user computed is whole."""
    resource = pytest.importorskip("resource")
    net, x = made(lambda: nn.Linear(256, 256)), batch(4096, 256)
    expected = net(x)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(TraceFileError), tracer.recording(net, out=out):
            got = [net(x) for _ in range(3)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all(torch.equal(one, expected) for one in got)


def test_endless_lists_are_cut(out):
    """A long list of data that passes through a layer does not fill the trace."""

    class Passes(nn.Module):
        def forward(self, x, items):
            return x

    trace = tracer.record(
        Passes(),
        (
            batch(1),
            list(range(20_000)),
        ),
        out=out,
    )
    assert len(trace.skeleton.steps[0].calls[0].inputs) == 2
    trace = tracer.record(Passes(), (batch(1), [str(n) for n in range(20_000)]), out=out)
    assert len(trace.skeleton.steps[0].calls[0].inputs) == 10_000
    assert "10000 leaves" in trace.skeleton.end.uncaptured[0]


@pytest.mark.parametrize("name", ["store", "source", "making", "torch_state"])
def test_a_module_of_the_users_may_be_called_as_one_of_ours(name, out):
    """What the file of the net is called says nothing of its framework."""
    kind = type("Net", (nn.Linear,), {"__module__": name})
    assert tracer.record(kind(D, D), batch(2, D), out=out).complete


class Threaded(nn.Module):
    """Runs its parts side by side."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(nn.Sequential(nn.Linear(D, D), nn.ReLU()) for _ in range(4))

    def forward(self, x):
        found = [None] * len(self.parts)

        def run(n):
            found[n] = self.parts[n](x)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(found))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(found)


def test_layers_run_by_several_threads_are_recorded_as_they_nest(out):
    """Each call once, below the call that it was made in, whichever thread made it."""
    for _ in range(5):
        skeleton = tracer.record(made(Threaded), batch(2, D), out=out).skeleton
        calls = {call.order: call for call in skeleton.steps[0].calls}
        above = {call.path: calls[call.parent].path for call in calls.values() if call.parent is not None}
        assert len(calls) == 13
        assert all(call.returned and call.failed is None for call in calls.values())
        assert all(above[f"parts.{n}.{k}"] == f"parts.{n}" for n in range(4) for k in range(2))
        assert {above[f"parts.{n}"] for n in range(4)} == {"(root)"}
