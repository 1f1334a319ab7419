"""What a run changes besides parameters and buffers is put back: containers, generators, gradients, plain objects."""

from __future__ import annotations

import itertools
import random
import threading
import types
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.recording.nets import D, batch, made
from tests.recording.truth import bits, state
from tracer.frameworks.store import IN_MEMORY, Contents, Store


def unrestored(net, x, out, **options):
    return tracer.record(net, x, out=out, **options).skeleton.end.unrestored


@pytest.fixture
def out(tmp_path):
    return tmp_path / "t.h5"


@dataclass
class Cache:
    """State in an object of the user's own."""

    count: int = 0
    seen: list = field(default_factory=list)
    sums: dict = field(default_factory=lambda: {"x": torch.zeros(D)})


class Changing(nn.Module):
    """Every call changes what the module holds besides parameters and buffers."""

    shared: dict = {}  # noqa: RUF012  (of all of its kind)
    runs = 0

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(D, D)
        self.numbers, self.tensors, self.nested = [1], [torch.ones(2)], {"keys": [torch.ones(2)], "values": ([3],)}
        self.set, self.deque, self.array, self.bytes = {1, 2}, deque([1, 2], maxlen=2), np.zeros(3), bytearray(b"ab")
        self.cells = np.array([[1], None], dtype=object)
        self.numpy, self.old, self.python = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
        self.generators = {"own": torch.Generator().manual_seed(1)}
        self.cache, self.space, self.hidden = Cache(), types.SimpleNamespace(n=1), [nn.BatchNorm1d(D)]

    def forward(self, x):
        self.numbers.append(2)
        self.tensors[0].add_(1)
        self.nested["keys"][0][0] = 7
        self.nested["keys"].append(x)
        self.nested["values"][0].clear()
        self.nested["new"] = x
        self.set.discard(1)
        self.deque.append(3)
        self.array += 1
        self.bytes[0] = 0
        self.cells[0].append(2)
        self.cells[1] = 4
        self.numpy.random(), self.old.rand(), self.python.random()
        torch.rand(1, generator=self.generators["own"])
        self.cache.count += 1
        self.cache.seen.append(x)
        self.cache.sums["x"] += 1
        self.space.n = 2
        self.space.more = x
        self.shared["x"] = x
        Changing.runs += 1
        Changing.made = x
        self.fc.register_forward_hook(lambda *_: None)
        return self.hidden[0](self.fc(x))

    def held(self):
        """All of it as plain values."""
        lists = (self.numbers, self.nested["values"], self.set, self.deque, self.array.tolist(), self.bytes, self.cells)
        states = (self.numpy.bit_generator.state, self.old.get_state()[1].tolist(), self.python.getstate())
        objects = (self.cache, vars(self.space), self.shared, self.runs, sorted(vars(Changing)), sorted(self.nested))
        tensors = (self.tensors, self.nested["keys"], bits(self.generators["own"].get_state()))
        hidden = [(name, bits(t)) for name, t in self.hidden[0].state_dict().items()]
        return repr((lists, states, objects, tensors, hidden, len(self.fc._forward_hooks)))


def test_what_a_module_holds_is_put_back(out):
    """Contents of containers, arrays, generators, objects, class attributes, modules registered nowhere, hooks."""
    net = made(Changing)
    before, objects = net.held(), [id(value) for value in vars(net).values()]
    for _ in range(2):
        assert unrestored(net, batch(4, D), out) == ()
        assert net.held() == before
        assert [id(value) for value in vars(net).values()] == objects


def test_what_a_module_holds_is_put_back_when_it_raises(out):
    """The error comes through."""

    class Raises(Changing):
        def forward(self, x):
            super().forward(x)
            raise ValueError("the net's own")

    net = made(Raises)
    before = net.held()
    with pytest.raises(ValueError, match="own"):
        tracer.record(net, batch(4, D), out=out)
    assert net.held() == before


def test_gradients_altered_in_place_are_put_back(out):
    """A net that goes backward in its own forward pass, and one that sets its gradients to zero."""

    class Meddles(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.other = nn.Linear(D, D), nn.Linear(D, D)

        def forward(self, x):
            self.fc(x).sum().backward()
            self.other.weight.grad.data.zero_()
            self.other.bias.grad.mul_(2)
            return self.other(self.fc(x))

    net = made(Meddles)
    for n, p in enumerate(net.parameters()):
        p.grad = torch.full_like(p, 0.1 + n)
    held, before = [p.grad for p in net.parameters()], state(net)
    assert unrestored(net, batch(4, D), out) == ()
    assert [p.grad for p in net.parameters()] == held
    assert all(p.grad is g for p, g in zip(net.parameters(), held, strict=True))
    assert state(net) == before


def test_what_nobody_can_put_back_is_named(out):
    """By its place in the net and the reason; nothing is named that the run did not touch, where that can be known."""

    class Refusing(list):
        def __setitem__(self, index, value):
            raise TypeError("read only")

    class Holds(nn.Module):
        def __init__(self):
            super().__init__()
            self.log, self.count, self.idle = Refusing(), itertools.count(), itertools.count()
            self.items, self.rest, self.made = iter([1, 2]), iter([1]), (n for n in range(3))
            self.system = random.SystemRandom()

        def forward(self, x):
            self.log.append(1)
            next(self.count), next(self.items), next(self.made)
            return x

    found = unrestored(nn.Sequential(Holds()), batch(2, D), out)
    assert {line.partition(" (")[0].partition(":")[0] for line in found} == {
        *("0.log", "0.count", "0.items", "0.made", "0.system")
    }
    assert "0.log: read only" in found


def test_an_array_in_a_file_is_named(out, tmp_path):
    """It may be larger than any disk has room for, so it is not copied."""
    net = nn.Linear(D, D)
    net.table = np.memmap(tmp_path / "table", np.float32, "w+", shape=(4,))
    assert unrestored(net, batch(2, D), out) == (
        "table (memmap): an array in a file, which is not copied; what the net wrote into it stays",
    )


def test_the_rest_of_a_program_is_left_alone(out):
    """Locks, threads' queues and objects far from the net are not looked into."""

    class Deep:
        def __init__(self, below):
            self.below, self.n = below, 0

    net = nn.Linear(D, D)
    far = Deep(None)
    net.chain, net.lock, net.self_again = Deep(Deep(Deep(far))), threading.Lock(), [net]
    net.register_forward_hook(lambda *_: setattr(far, "n", 1))
    assert unrestored(net, batch(2, D), out) == ()
    assert far.n == 1


def test_lazy_layers_that_an_error_leaves_initialised_are_named(out):
    """The run that was to initialise all of them stopped."""
    net = nn.Sequential(nn.LazyLinear(3), nn.Linear(4, 4), nn.LazyLinear(3))
    with pytest.raises(RuntimeError, match="shapes"):
        tracer.record(net, batch(2, D), out=out)
    assert "those that were stay so" in tracer.Trace(out).skeleton.header.notes[0]
    assert isinstance(net[2], nn.LazyLinear)


def test_kept_memory_is_bounded():
    """Whatever a net holds, more than so much of it waits in a file."""
    from tracer.frameworks.torch import TorchWatcher

    net = nn.Linear(2, 2)
    net.arrays = [np.ones(IN_MEMORY // 4, np.uint8) for _ in range(6)]
    restore = TorchWatcher().preserve(net)
    left = restore.__self__._store._left
    for array in net.arrays:
        array[:] = 2
    assert 0 <= left < IN_MEMORY // 2
    assert restore() == ()
    assert all((array == 1).all() for array in net.arrays)


class Unsaid:
    """Has no text and no attributes."""

    def __str__(self):
        raise ValueError("not said")

    __repr__ = __str__

    def __getattr__(self, name):
        raise RuntimeError(name)


class Stubborn(nn.Module):
    """Attributes that raise, that nobody can pickle, compare or hash."""

    def __init__(self, kind=None, eps=None, table=None):
        super().__init__()
        self.kind = self.table = Unsaid()
        self.fc = nn.Linear(D, D)
        self.options = {"rate": 0.5, "names": ["a", {"b": (1, 2)}], 3: None, "self": self.options_of, Unsaid(): 1}
        self.odd = [threading.Lock(), lambda x: x, open, self]
        self.nothing, self.wide, self.text = float("nan"), 10**400, "x" * 5000

    @property
    def inplace(self):
        raise RuntimeError("ask later")

    @property
    def eps(self):
        raise KeyError("eps")

    def options_of(self):
        return self.options

    def forward(self, x):
        return self.fc(x)


def test_settings_that_refuse_to_be_read_break_nothing(out):
    """What has a plain form is in the trace."""
    net = nn.Sequential(Stubborn())
    trace = tracer.record(net, batch(2, D), out=out)
    assert trace.complete
    assert trace.skeleton.end.unrestored == ()
    assert "fc" in {path.rpartition(".")[2] for path in trace.layers}


class OnTwo(nn.Module):
    """One half on each device; with `moves` the net carries its tensors over, as pipelines do."""

    def __init__(self, moves):
        super().__init__()
        self.first, self.second, self.moves = nn.Linear(D, D), nn.Linear(D, D).to("meta"), moves

    def forward(self, x):
        x = self.first(x)
        return self.second(x.to("meta") if self.moves else x)


def test_a_net_on_two_devices_that_carries_its_tensors_over_is_recorded(out):
    """Each value is on its own device; the environment names both; inputs go to the first one."""
    trace = tracer.record(OnTwo(moves=True), np.ones((2, D), np.float32), out=out)
    devices = {c.path: c.outputs[0].device for c in trace.skeleton.steps[0].calls}
    assert devices == {"(root)": "meta", "first": "cpu", "second": "meta"}
    assert trace.skeleton.header.environment["device"] == "cpu, meta"
    assert trace.complete
    assert trace.skeleton.end.unrestored == ()


def test_a_net_on_two_devices_that_does_not_says_where_it_stopped(out):
    """Torch's own error comes through, the net is as it was, the trace ends at the layer on the other device."""
    net = OnTwo(moves=False)
    before = bits(net.first.weight)
    with pytest.raises(RuntimeError, match="device"):
        tracer.record(net, batch(2, D), out=out)
    trace = tracer.Trace(out)
    assert trace.skeleton.end.stopped.startswith("second (call 0): RuntimeError")
    assert [c.path for c in trace.skeleton.steps[0].calls if c.returned] == ["first"]
    assert bits(net.first.weight) == before


def test_an_interrupt_while_a_net_is_put_back_waits_until_all_of_it_is():
    """What was interrupted is put back again, and the rest too; then the interrupt comes."""
    contents, done, interrupts = Contents(Store(), lambda _: None), [], [KeyboardInterrupt()]

    def interrupted():
        done.append("first")
        if interrupts:
            raise interrupts.pop()

    contents.add("first", interrupted)
    contents.add("second", lambda: done.append("second"))
    with pytest.raises(KeyboardInterrupt):
        contents.restore()
    assert done == ["first", "first", "second"]
