"""Checks that run in a process of their own: `python checks.py NAME...` prints one JSON line for each.

MindSpore keeps state for the whole process that an error in a net can spoil, and it must not be forked after its
first operation; so no check runs inside pytest's own process. Each check returns None, or raises.
"""

from __future__ import annotations

import copy
import json
import os
import random
import sys
import threading
import traceback
from collections import OrderedDict, deque
from pathlib import Path

os.environ.setdefault("GLOG_v", "3")
sys.path.insert(0, str(Path(__file__).parent))

import mindspore as ms  # noqa: E402
import numpy as np  # noqa: E402
from listening import Listening, copied, listen  # noqa: E402
from mindspore import nn, ops  # noqa: E402
from nets import NETS, IDS, Block, ManyConsumers, _net, _tensor  # noqa: E402

import tracer  # noqa: E402
from tracer.errors import RecordingError  # noqa: E402
from tracer.frameworks.base import Unreadable, leaves  # noqa: E402
from tracer.frameworks.mindspore import watcher  # noqa: E402

CHECKS = {}


def check(function):
    CHECKS[function.__name__] = function
    return function


def cotangent(rank, count):
    return np.random.RandomState(rank).randn(count)


def arrays(tree):
    return [np.array(leaf.value.asnumpy()) for leaf in leaves(tree) if isinstance(leaf.value, ms.Tensor)]


def same(a, b):
    return len(a) == len(b) and all(
        x.dtype == y.dtype and x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b)
    )


def step(net, args, kwargs):
    """What a user's own training step yields: outputs, loss, gradients of parameters."""
    seen = []

    def forward():
        output = net(*args, **kwargs)
        seen.append(output)
        return sum(
            (leaf.value * 1.5).sum()
            for leaf in leaves(output)
            if isinstance(leaf.value, ms.Tensor) and leaf.value.dtype == ms.float32
        )

    loss, gradients = ms.value_and_grad(forward, None, net.trainable_params())()
    return arrays(seen), arrays([loss]), arrays(gradients)


def parameters(net):
    return arrays([p for _, p in net.parameters_and_names()])


def leftovers(net):
    """Hooks that are still on the net."""
    names = (
        "_forward_hook",
        "_forward_pre_hook",
        "_forward_hook_with_kwargs",
        "_forward_pre_hook_with_kwargs",
        "_backward_hook",
    )
    return [(path, name) for path, cell in net.cells_and_names() for name in names if getattr(cell, name)] + [
        (path, "_run_construct") for path, cell in net.cells_and_names() if "_run_construct" in vars(cell)
    ]


def bitwise(name, make=None):
    """Outputs, loss and gradients of the user's step are the same bits before, during and after; the recorded ones too."""
    make = make or NETS[name]
    net, args, kwargs = make()
    w = watcher()
    again = lambda: make()[0]
    before = step(again(), args, kwargs)
    stack, heard = listen(net, w)
    found = {}
    with stack:
        for path, layer, _ in w.layers(net):
            for named in w.parameters(layer):
                stack.callback(
                    w.on_gradient(named.tensor, lambda g, k=id(named.tensor): found.__setitem__(k, copied(w, g)))
                    or (lambda: None)
                )
        during = step(net, args, kwargs)
    state = parameters(net)
    for one, other in zip(before, during):
        assert same(one, other), [float(abs(a - b).max()) for a, b in zip(one, other) if a.shape == b.shape]
    fresh = again()
    step(fresh, args, kwargs)
    assert same(parameters(fresh), state)
    assert same(step(fresh, args, kwargs)[2], step(net, args, kwargs)[2]), "after"
    assert not leftovers(net), leftovers(net)
    for parameter, gradient in zip(net.trainable_params(), during[2]):
        if id(parameter) in found:
            assert same([found[id(parameter)]], [gradient]), parameter.name
        else:
            assert not gradient.any(), f"{parameter.name} has a gradient that was not seen"
    return heard


for _name in NETS:
    CHECKS[f"bitwise: {_name}"] = lambda name=_name: bitwise(name) and None


LAYERS_READING_ONCE = {
    "Dense": ("nn.Dense(6, 6)", (4, 6)),
    "Conv1d": ("nn.Conv1d(4, 4, 3)", (2, 4, 6)),
    "Conv2d": ("nn.Conv2d(4, 4, 3, has_bias=True)", (2, 4, 6, 6)),
    "Conv1dTranspose": ("nn.Conv1dTranspose(4, 4, 3)", (2, 4, 6)),
    "Conv2dTranspose": ("nn.Conv2dTranspose(4, 4, 3)", (2, 4, 6, 6)),
    "Conv3d": ("nn.Conv3d(2, 2, 3)", (1, 2, 4, 4, 4)),
    "Conv3dTranspose": ("nn.Conv3dTranspose(2, 2, 3)", (1, 2, 4, 4, 4)),
    "Linear": ("ms.mint.nn.Linear(6, 6)", (4, 6)),
    "BatchNorm1d": ("nn.BatchNorm1d(6).set_train()", (4, 6)),
    "BatchNorm2d": ("nn.BatchNorm2d(4).set_train()", (2, 4, 6, 6)),
    "LayerNorm": ("nn.LayerNorm((6,))", (4, 6)),
    "PReLU": ("nn.PReLU(6)", (4, 6)),
    "MaxPool1d": ("nn.MaxPool1d(3, 1, pad_mode='same')", (2, 4, 6)),
    "MaxPool2d": ("nn.MaxPool2d(3, 1, pad_mode='same')", (2, 4, 6, 6)),
    "AvgPool1d": ("nn.AvgPool1d(3, 1, pad_mode='same')", (2, 4, 6)),
    "AvgPool2d": ("nn.AvgPool2d(3, 1, pad_mode='same')", (2, 4, 6, 6)),
    "AdaptiveAvgPool2d": ("nn.AdaptiveAvgPool2d(6)", (2, 4, 6, 6)),
    "LayerNormExt": ("nn.LayerNorm((6,))", (4, 6)),  # no kernel on CPU
}


class Crowded(nn.Cell):
    """A tensor that many read: before a layer, in it, and after it."""

    def __init__(self, layer, size):
        super().__init__()
        self.first, self.layer = nn.Dense(size, size), layer

    def construct(self, x):
        h = self.first(x)
        before = ops.sin(h) + h * 1.7
        y = self.layer(h)
        return before * 0.3 + y * ops.cos(h) + h * h * 0.7


@check
def layers_said_to_read_their_input_once_do():
    from tracer.frameworks.mindspore import READS_ONCE

    for name in sorted(READS_ONCE):
        code, shape = LAYERS_READING_ONCE.get(name, (f"nn.{name}()", (4, 6)))
        make = lambda: (_net(lambda: Crowded(eval(code), shape[-1])), (_tensor(*shape),), {})
        heard = bitwise(name, make)
        assert ("layer", 0, 1) in heard.input_gradients, name
        assert ("(root)", 0, 1) not in heard.input_gradients


@check
def the_users_gradients_keep_their_bits_where_many_read_one_tensor():
    bitwise("many", lambda: (_net(ManyConsumers), (_tensor(2, 4, 6),), {}))


@check
def run_hears_input_gradients_of_containers_too():
    net = nn.SequentialCell(nn.Dense(6, 6), _net(ManyConsumers))
    _, _, heard, _ = _recorded(net, (_tensor(2, 4, 6),))
    assert np.array_equal(heard.input_gradients["1", 0, 1], heard.output_gradients["0", 0, ""])


@check
def calls_are_counted():
    heard = bitwise("shared three times")
    assert heard.counts == {"(root)": 1, "layer": 3}, heard.counts
    assert bitwise("recompute").counts == {
        "(root)": 1,
        "first": 1,
        "block": 1,
        "block.a": 1,
        "block.act": 1,
        "block.b": 1,
        "last": 1,
    }


@check
def every_output_on_the_way_to_the_loss_has_its_gradient():
    for name in ("plain", "recompute", "custom bprop", "lstm", "transformer layer", "residual"):
        heard = bitwise(name)
        missing = {key for key in heard.outputs if key not in heard.output_gradients}
        allowed = {"lstm": ("lstm.rnn", "lstm"), "custom bprop": ()}.get(name, ())
        missing = {key for key in missing if not key[0].startswith(allowed or ("?",))}
        assert not missing, (name, missing)


@check
def custom_bprop_is_seen():
    bitwise("custom bprop")
    net, args, kwargs = NETS["custom bprop"]()
    _, _, heard, _ = _recorded(net, args)
    assert heard.counts["mine"] == 1
    into, out = heard.input_gradients["mine", 0, 1], heard.output_gradients["mine", 0, ""]
    assert np.array_equal(into, out * 5)


@check
def input_gradients_are_this_calls_part():
    net, args, _ = NETS["residual"]()
    _, _, heard, _ = _recorded(net, args)
    assert np.array_equal(heard.output_gradients["a", 0, ""], heard.input_gradients["act", 0, 1])
    weight = net.b.weight.asnumpy()
    np.testing.assert_allclose(heard.input_gradients["b", 0, 1], heard.output_gradients["b", 0, ""] @ weight, rtol=1e-5)


def _recorded(net, args, kwargs=None, w=None, ask=cotangent):
    w = w or watcher()
    stack, heard = listen(net, w)
    with stack:
        back = w.preserve(net)
        try:
            output, gradients = w.run(net, args, kwargs or {}, ask)
        finally:
            unrestored = back()
    return output, gradients, heard, unrestored


@check
def run_gives_the_real_output_and_runs_once():
    for name in NETS:
        net, args, kwargs = NETS[name]()
        bare = NETS[name]()[0](*args, **kwargs)
        output, gradients, heard, unrestored = _recorded(net, args, kwargs)
        assert gradients.error is None and gradients.skipped is None, (name, gradients)
        assert type(output) is type(bare) and same(arrays(output), arrays(bare)), name
        assert [leaf.path for leaf in leaves(output)] == [leaf.path for leaf in leaves(bare)], name
        assert heard.counts["(root)"] == 1, name
        assert not unrestored, (name, unrestored)
        fresh = NETS[name]()[0]
        assert same(parameters(net), parameters(fresh)), name
        assert not leftovers(net)


@check
def run_goes_backward_from_the_cotangent():
    net, args, kwargs = NETS["nested dict"]()
    output, gradients, heard, _ = _recorded(net, args, kwargs)
    floats = [leaf for leaf in leaves(output) if isinstance(leaf.value, ms.Tensor) and leaf.value.dtype == ms.float32]
    assert [leaf.path for leaf in floats] == ["logits", "more.0", "more.1.2"]
    for rank, leaf in enumerate(floats):
        expected = cotangent(rank, leaf.value.size).reshape(leaf.value.shape).astype(np.float32)
        assert np.array_equal(heard.output_gradients["(root)", 0, leaf.path], expected), leaf.path
    assert {id(p) for p in net.trainable_params()} == set(gradients.parameters)


@check
def a_copy_of_a_watched_cell_is_a_cell_of_its_own():
    net, x = nn.SequentialCell(nn.Dense(6, 6), nn.ReLU()), _tensor(4, 6)
    out = Path(os.environ.get("TMPDIR", "/tmp")) / f"copy{os.getpid()}.h5"
    with tracer.recording(net, out=out):
        net(x)
        other = copy.deepcopy(net)
        other[0].bias.set_data(other[0].bias + 1)
        inside = other(x).asnumpy()
    assert len(tracer.Trace(out)["0"].calls) == 1
    assert same(inside, other(x).asnumpy())
    assert not same(inside, net(x).asnumpy())
    out.unlink()


@check
def a_net_in_training_is_put_back():
    net, args, _ = NETS["convolutions in training"]()
    modes = {path: cell.training for path, cell in net.cells_and_names()}
    objects = [id(p) for _, p in net.parameters_and_names()]
    values = parameters(net)
    w = watcher()
    back = w.preserve(net)
    w.run(net, args, {}, cotangent)
    assert not same(values, parameters(net)), "BatchNorm did not move its statistics"
    net.set_train(False)
    assert back() == ()
    assert same(values, parameters(net))
    assert objects == [id(p) for _, p in net.parameters_and_names()]
    assert modes == {path: cell.training for path, cell in net.cells_and_names()}


@check
def random_state_is_put_back():
    ms.set_seed(5)
    make = lambda: (
        np.random.seed(0),
        ms.set_seed(5),
        nn.SequentialCell(nn.Dense(6, 6), nn.Dropout(p=0.5)).set_train(),
    )[2]
    draw = lambda net: (
        arrays(net(_tensor(4, 6))),
        arrays(ops.dropout(_tensor(4, 6), 0.5, True)),
        np.random.rand(),
        random.random(),
    )
    random.seed(0)
    net = make()
    draw(net)
    expected = [draw(net) for _ in range(2)]
    random.seed(0)
    net = make()
    draw(net)
    original = net[1].dropout
    _, _, _, unrestored = _recorded(net, (_tensor(4, 6),))
    np.random.rand(), random.random()
    w = watcher()
    back = w.preserve(net)
    draw(net), draw(net)
    unrestored += back()
    net_again = [draw(net) for _ in range(2)]
    assert net[1].dropout is original and net[1]._primitives["dropout"] is original
    assert unrestored == (), unrestored
    assert same(net_again[0][0], expected[0][0]) and same(net_again[1][0], expected[1][0]), "the cell's generator moved"
    assert same(net_again[0][1], expected[0][1]), "the seeds of operators moved"


@check
def parameters_are_kept_in_bounded_memory():
    import tracemalloc

    from tracer.frameworks.store import IN_MEMORY

    net = nn.SequentialCell(*[nn.Dense(4096, 4096, weight_init="ones", has_bias=False) for _ in range(6)])
    net[1].weight = net[0].weight
    w = watcher()
    w.run(net, (_tensor(1, 4096),), {}, None)
    tracemalloc.start()
    back = w.preserve(net)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    ops.assign(net[0].weight, ops.zeros_like(net[0].weight)), ops.assign(net[5].weight, net[5].weight * 3)
    w.after_error()  # waits
    assert back() == ()
    assert all(float(p.asnumpy().min()) == float(p.asnumpy().max()) == 1 for p in net.trainable_params())
    assert held < IN_MEMORY + (1 << 20), held >> 20


class Changing(nn.Cell):
    """Every call changes what the cell holds besides Parameters."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Dense(6, 6)
        self.calls, self.mask, self.step = 0, None, _tensor(6)
        self.numbers, self.tensors, self.nested = [1], [_tensor(2)], {"keys": [_tensor(2)], "values": ([3],)}
        self.set, self.deque, self.array = {1, 2}, deque([1, 2], maxlen=2), np.zeros(3)
        self.numpy, self.old, self.python = np.random.default_rng(0), np.random.RandomState(0), random.Random(0)
        self.own = ms.Generator()
        self.own.manual_seed(3)

    def construct(self, x):
        self.calls = self.calls + 1
        if self.mask is None:
            self.mask, self.made, self.late = ops.ones_like(x), nn.Dense(6, 6), ms.Parameter(_tensor(1))
            self.more = [ms.Parameter(_tensor(1), name="more")]
        self.step = self.step + 1
        self.numbers.append(2)
        self.tensors[0][0] = 7.0
        self.nested["keys"].append(x)
        self.nested["values"][0].clear()
        self.nested["new"] = x
        self.set.discard(1)
        self.deque.append(3)
        self.array += 1
        self.numpy.random(), self.old.rand(), self.python.random(), self.own.seed()
        return self.made(self.dense(x)) * self.mask

    def held(self):
        """All of it as plain values."""
        plain = (self.calls, self.mask, self.numbers, self.nested["values"], self.set, self.deque, self.array.tolist())
        states = (self.numpy.bit_generator.state, self.old.get_state()[1].tolist(), self.python.getstate())
        tensors = (self.step, self.tensors, self.nested["keys"], self.own.get_state())
        names = (sorted(vars(self)), list(self._params), list(self._cells), sorted(self.nested))
        return repr((plain, states, names)), arrays(tensors)


@check
def attributes_that_a_cell_changes_are_put_back():
    net = _net(Changing)
    objects = [id(net.step), id(net.numbers), id(net.tensors[0]), id(net.nested["keys"])]
    text, tensors = net.held()
    for _ in range(2):
        _, _, _, unrestored = _recorded(net, (_tensor(4, 6),))
        assert unrestored == (), unrestored
        again, tensors_again = net.held()
        assert again == text, (text, again)
        assert same(tensors, tensors_again)
        assert objects == [id(net.step), id(net.numbers), id(net.tensors[0]), id(net.nested["keys"])]
    net(_tensor(4, 6))


@check
def what_a_cell_holds_and_nobody_can_put_back_is_named():
    class Refusing(list):
        def __setitem__(self, index, value):
            raise TypeError("read only")

    class Holder(nn.Cell):
        def __init__(self):
            super().__init__()
            self.dense, self.log, self.system = nn.Dense(6, 6), Refusing(), random.SystemRandom()

        def construct(self, x):
            self.log.append(1)
            return self.dense(x)

    net = nn.SequentialCell(_net(Holder))
    _, _, _, unrestored = _recorded(net, (_tensor(4, 6),))
    assert [line.partition(":")[0].partition(" (")[0] for line in unrestored] == ["0.system", "0.log"], unrestored


class Stubborn(nn.Cell):
    """Attributes that raise, that nobody can pickle, compare or hash."""

    def __init__(self, rate=0.5, kind=None, table=None):
        super().__init__()
        self.dense = nn.Dense(6, 6)
        self.options = {"rate": 0.5, "names": ["a", {"b": (1, 2)}], 3: None, "self": self.listen, Unsaid(): 1}
        self.odd = [threading.Lock(), lambda x: x, open, self]
        self.nothing, self.text, self.kind = float("nan"), "x" * 5000, Unsaid()

    def listen(self):
        return self.options

    @property
    def inplace(self):
        raise RuntimeError("ask later")

    @property
    def rate(self):
        raise KeyError("rate")

    def construct(self, x):
        return self.dense(x)


class Unsaid:
    """Has no text and no attributes."""

    def __str__(self):
        raise ValueError("not said")

    __repr__ = __str__

    def __getattr__(self, name):
        raise RuntimeError(name)


@check
def settings_that_refuse_to_be_read_break_nothing():
    for make in (lambda: nn.SequentialCell(_net(Stubborn)), lambda: _net(Stubborn)):
        trace = _trace(make(), _tensor(4, 6))
        assert trace.complete and trace.skeleton.end.unrestored == (), trace.skeleton.end
        assert any(path.endswith("dense") for path in trace.layers)
        assert trace.skeleton.end.backward is None


@check
def what_cannot_be_put_back_is_named():
    net = nn.SequentialCell(nn.Dense(6, 6), nn.Dropout1d(p=0.5)).set_train()
    _, _, _, unrestored = _recorded(net, (_tensor(2, 4, 6),))
    assert unrestored == ("1 (Dropout1d): its random generator",), unrestored


class Raising(nn.Cell):
    def __init__(self, error):
        super().__init__()
        self.before, self.bad, self.after, self.error = nn.Dense(6, 6), Bad(error), nn.Dense(6, 6), error

    def construct(self, x):
        return self.after(self.bad(self.before(x)))


class Bad(nn.Cell):
    def __init__(self, error):
        super().__init__()
        self.inner, self.error = nn.LayerNorm((6,)), error

    def construct(self, x):
        self.inner(x)
        if self.error is not None:
            raise self.error
        return x


def _raises(error):
    expected = step(*NETS["plain"]()), step(*NETS["lstm"]()), step(*NETS["transformer layer"]())
    net = _net(lambda: Raising(error))
    w = watcher()
    values = parameters(net)
    back = w.preserve(net)
    stack, heard = listen(net, w)
    try:
        with stack:
            w.run(net, (_tensor(4, 6),), {}, cotangent)
    except type(error) as raised:
        assert raised is error or str(raised) == str(error)
    else:
        raise AssertionError("nothing was raised")
    w.after_error()
    back()
    assert heard.failed == [("bad", type(error).__name__), ("(root)", type(error).__name__)], heard.failed
    assert heard.counts == {"(root)": 1, "before": 1, "bad": 1, "bad.inner": 1}
    assert not heard.open and not leftovers(net) and same(values, parameters(net))
    later = step(*NETS["plain"]()), step(*NETS["lstm"]()), step(*NETS["transformer layer"]())
    for one, other in zip(expected, later):
        assert all(same(a, b) for a, b in zip(one, other)), "later gradients are spoiled"
    net.bad.error = None
    assert step(net, (_tensor(4, 6),), {})
    assert all(not cell.requires_grad and not cell.is_top_cell for _, cell in net.cells_and_names())


@check
def a_net_that_raises():
    _raises(ValueError("too wide"))


@check
def a_keyboard_interrupt_in_a_net():
    _raises(KeyboardInterrupt())


@check
def an_error_that_the_net_catches_itself():
    class Catching(nn.Cell):
        def __init__(self):
            super().__init__()
            self.bad, self.good = Bad(ValueError("no")), nn.Dense(6, 6)

        def construct(self, x):
            try:
                self.bad(x)
            except ValueError:
                pass
            return self.good(x)

    net = _net(Catching)
    _, gradients, heard, _ = _recorded(net, (_tensor(4, 6),))
    assert gradients.error is None
    assert heard.failed == [("bad", "ValueError")] and heard.counts["good"] == 1 and not heard.open


@check
def a_failing_listener_harms_nobody():
    expected = step(*NETS["plain"]())
    net, args, kwargs = NETS["plain"]()
    w = watcher()
    heard = Listening(w)
    heard.leave = lambda *_: 1 / 0
    try:
        with w.watch(net, heard, {path: cell for path, cell, _ in w.layers(net)}):
            during = step(net, args, kwargs)
    except ZeroDivisionError:
        pass
    else:
        raise AssertionError("the failure was lost")
    assert all(same(a, b) for a, b in zip(expected, during))
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["plain"]())))


@check
def an_interrupt_inside_a_hook():
    expected = step(*NETS["plain"]())
    net, args, kwargs = NETS["plain"]()
    w = watcher()
    heard = Listening(w)

    def interrupted(path, *_):
        raise KeyboardInterrupt

    heard.leave = interrupted
    try:
        with w.watch(net, heard, {path: cell for path, cell, _ in w.layers(net)}):
            w.run(net, args, kwargs, cotangent)
    except KeyboardInterrupt:
        w.after_error()
    else:
        raise AssertionError("the interrupt was lost")
    assert not leftovers(net)
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["plain"]())))


@check
def no_gradient_no_backward():
    from tracer.frameworks.mindspore import _without_gradient

    net, args, _ = NETS["plain"]()
    with _without_gradient():
        _, gradients, heard, _ = _recorded(net, args)
    assert "switched off" in gradients.skipped and heard.outputs and not heard.output_gradients
    _, gradients, _, _ = _recorded(net, args, ask=None)
    assert gradients.skipped
    _, gradients, _, _ = _recorded(nn.ReLU(), args)
    assert "no trainable parameter" in gradients.skipped

    class Whole(nn.Cell):
        def __init__(self):
            super().__init__()
            self.dense = nn.Dense(6, 6)

        def construct(self, x):
            return ops.argmax(self.dense(x), -1)

    output, gradients, heard, _ = _recorded(Whole(), args)
    assert "float" in gradients.skipped and output.dtype == ms.int64 or output.dtype == ms.int32
    assert heard.counts == {"(root)": 1, "dense": 1}
    step(*NETS["plain"]())


@check
def a_backward_that_cannot_run_leaves_the_forward_whole():
    class NoBackward(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Dense(6, 6), Unbackable()

        def construct(self, x):
            return self.b(self.a(x))

    class Unbackable(nn.Cell):
        def construct(self, x):
            return x * 2

        def bprop(self, x, out, dout):
            raise RuntimeError("no kernel for this gradient")

    net, args = _net(NoBackward), (_tensor(4, 6),)
    expected = step(*NETS["plain"]())
    output, gradients, heard, _ = _recorded(net, args)
    assert gradients.error is not None and "no kernel" in str(gradients.error), gradients
    assert same(arrays(output), [heard.outputs["(root)", 0, ""]])
    assert heard.counts == {"(root)": 1, "a": 1, "b": 1} and not heard.failed
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["plain"]())))


class OutOfRange(nn.Cell):
    """Its operation fails when it runs, which is long after it was called."""

    def construct(self, x):
        return ops.gather_elements(x, 1, ms.Tensor(np.full(x.shape, 99, np.int64)))


class BackOutOfRange(nn.Cell):
    def construct(self, x):
        return x * 2

    def bprop(self, x, out, dout):
        return (OutOfRange()(dout),)


def _between(layer):
    net = nn.SequentialCell(nn.Dense(6, 6), layer, nn.ReLU())
    net.bad_path = "1"
    return net


@check
def an_error_that_comes_late_belongs_to_its_layer():
    expected = step(*NETS["transformer layer"]())
    net, w = _net(lambda: _between(OutOfRange())), watcher()
    for run in (lambda: w.run(net, (_tensor(4, 6),), {}, cotangent), lambda: net(_tensor(4, 6))):
        stack, heard = listen(net, w)
        try:
            with stack:
                run()
        except RuntimeError as error:
            assert "index" in str(error)
            w.after_error()
        else:
            raise AssertionError("nothing was raised")
        assert [path for path, _ in heard.failed] == ["1", "(root)"] and heard.counts["2"] == 0, heard.failed
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["transformer layer"]())))


@check
def a_late_error_of_the_backward_pass_leaves_the_forward_whole():
    expected = step(*NETS["transformer layer"]())
    net = _net(lambda: _between(BackOutOfRange()))
    output, gradients, heard, _ = _recorded(net, (_tensor(4, 6),))
    assert "index" in str(gradients.error), gradients
    assert not heard.failed and heard.counts == {"(root)": 1, "0": 1, "1": 1, "2": 1}
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["transformer layer"]())))


@check
def the_users_own_gradient_functions_are_heard():
    net, args, _ = NETS["plain"]()
    w = watcher()
    by_list = ms.ParameterTuple(net.trainable_params())
    optimizer = nn.SGD(net.trainable_params(), 0.0)
    loss = nn.WithLossCell(net, nn.MSELoss())
    label = _tensor(4, 3, seed=2)
    trainer = nn.TrainOneStepCell(loss, optimizer)
    runs = {
        "value_and_grad": lambda: ms.value_and_grad(lambda x: net(x).sum(), None, net.trainable_params())(*args),
        "grad": lambda: ms.grad(lambda x: net(x).sum(), 0)(*args),
        "GradOperation": lambda: ops.GradOperation(get_by_list=True)(net, by_list)(*args),
        "TrainOneStepCell": lambda: trainer(*args, label),
    }
    for name, run in runs.items():
        stack, heard = listen(net, w)
        with stack:
            run()
        assert heard.counts["(root)"] == 1, name
        assert set(heard.output_gradients) == set(heard.outputs), (
            name,
            heard.outputs.keys() - heard.output_gradients.keys(),
        )


@check
def model_train_is_heard():
    import mindspore.dataset as ds

    net, _, _ = NETS["plain"]()
    data = ds.NumpySlicesDataset((_tensor(8, 6).asnumpy(), _tensor(8, 3).asnumpy()), ["x", "y"], shuffle=False).batch(4)
    model = ms.Model(net, nn.MSELoss(), nn.SGD(net.trainable_params(), 0.01))
    w = watcher()
    stack, heard = listen(net, w)
    with stack:
        model.train(1, data, dataset_sink_mode=False)
    assert heard.counts["(root)"] == 2 and ("(root)", 1, "") in heard.output_gradients, heard.counts


def _eager_like(make, args, call=None):
    """A compiled net records the values that it yields compiled, and is compiled again afterwards."""
    net = make()
    call = call or net
    bare = arrays(call(*args))
    stack, heard = listen(call, watcher())
    with stack:
        during = arrays(call(*args))
    assert same(bare, during), "eager values differ"
    assert same(bare, arrays(call(*args)))
    return heard


def _jitted(mode):
    class Jitted(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a, self.act, self.b = nn.Dense(6, 6), nn.Sigmoid(), nn.Dense(6, 6)

        @ms.jit(capture_mode=mode)
        def construct(self, x):
            return self.b(self.act(self.a(x)))

    heard = _eager_like(lambda: _net(Jitted), (_tensor(4, 6),))
    assert heard.counts == {"(root)": 1, "a": 1, "act": 1, "b": 1}, heard.counts
    net = _net(Jitted)
    _, gradients, heard, _ = _recorded(net, (_tensor(4, 6),))
    assert gradients.error is None and len(heard.output_gradients) == 4
    assert "construct" not in vars(net) and os.environ.get("MS_JIT") is None


@check
def jit_by_ast():
    _jitted("ast")


@check
def jit_by_bytecode():
    _jitted("bytecode")


@check
def jit_by_trace():
    _jitted("trace")


@check
def a_jitted_inner_method():
    class Jitted(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Dense(6, 6), nn.Dense(6, 6)

        def construct(self, x):
            return self.inner(self.a(x))

        @ms.jit
        def inner(self, x):
            return self.b(x)

    heard = _eager_like(lambda: _net(Jitted), (_tensor(4, 6),))
    assert heard.counts == {"(root)": 1, "a": 1, "b": 1}, heard.counts


def _compiled_places(mode):
    """Nets with something compiled in another place each, and the names that the trace must say."""
    jit = lambda function: ms.jit(function, capture_mode=mode)

    @jit
    def everywhere(x, y):
        return ops.softmax(x) + ops.gelu(y)

    def plain(x, y):
        return everywhere(x, y)

    class Calls(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Dense(6, 6), nn.Dense(6, 6)

        def construct(self, x):
            return plain(self.a(x), self.b(x))

    class Holds(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a = Block()
            self.call, self.calls, self.named = jit(self.a), [jit(self.a)], {"c": jit(self.a.construct)}

        def construct(self, x):
            return self.call(x) + self.calls[0](x) + self.named["c"](x)

    class Static(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a = nn.Dense(6, 6)

        @staticmethod
        @jit
        def double(x):
            return x * 2

        def construct(self, x):
            return self.double(self.a(x))

    class Inner(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a = Block()

        @jit
        def construct(self, x):
            return ops.tanh(self.a(x))

    return {
        Calls: "(root): jit was switched off for everywhere",
        Holds: "(root): jit was switched off for call, calls, named",
        Static: "(root): jit was switched off for double",
        lambda: nn.SequentialCell(Inner()): "0: jit was switched off for construct",
    }


def _jit_wherever_it_is(mode):
    for make, words in _compiled_places(mode).items():
        net = _net(make)
        trace = _trace(net, _tensor(4, 6))
        assert words in trace.skeleton.header.notes, trace.skeleton.header.notes
        assert "gradients of compiled code may differ" in trace.skeleton.header.notes[-1]
        assert trace.complete and trace.skeleton.end.backward is None, trace.skeleton.end
        seen = {call.path for call in trace.skeleton.steps[0].calls}
        leaves = {path for path, cell in net.cells_and_names() if path and not cell._cells}
        assert leaves <= seen, (leaves, seen)
        assert len(trace.skeleton.steps[0].parameter_gradients) == len(net.trainable_params())
        if mode == "ast":  # the others cannot run all of these nets
            compiled = net(_tensor(4, 6)).asnumpy()
            assert np.array_equal(np.asarray(trace["(root)"].calls[0].output), compiled), words


@check
def jit_by_ast_wherever_it_is():
    _jit_wherever_it_is("ast")


@check
def jit_by_trace_wherever_it_is():
    _jit_wherever_it_is("trace")


@check
def jit_by_bytecode_wherever_it_is():
    _jit_wherever_it_is("bytecode")


@check
def the_entrances_of_jit_are_as_before():
    find = lambda name: [
        vars(m)[name] for m in list(sys.modules.values()) if hasattr(m, "_jit_trace_begin") and hasattr(m, name)
    ]
    before, environment = find("jit_context"), dict(os.environ)
    assert before, "MindSpore has moved it"
    with watcher().eager(_net(Block)):
        assert all(found() is True for found in find("jit_context")[:1])
    assert find("jit_context") == before and dict(os.environ) == environment


@check
def a_net_given_to_jit():
    net = _net(Block)
    compiled = ms.jit(net)
    heard = _eager_like(lambda: compiled, (_tensor(4, 6),))
    assert heard.counts["a"] == heard.counts["b"] == 1, heard.counts
    output, gradients, heard, _ = _recorded(compiled, (_tensor(4, 6),))
    assert heard.counts == {"(root)": 1, "a": 1, "act": 1, "b": 1} and gradients.error is None


@check
def graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)
    heard = _eager_like(lambda: _net(Block), (_tensor(4, 6),))
    assert heard.counts == {"(root)": 1, "a": 1, "act": 1, "b": 1}, heard.counts
    assert ms.context.get_context("mode") == ms.GRAPH_MODE and os.environ.get("MS_JIT") is None
    net = _net(Block)
    net(_tensor(4, 6))
    _, gradients, heard, _ = _recorded(net, (_tensor(4, 6),))
    assert gradients.error is None and len(heard.output_gradients) == 4
    assert ms.context.get_context("mode") == ms.GRAPH_MODE


@check
def a_gradient_compiled_before_is_refused():
    ms.set_context(mode=ms.GRAPH_MODE)
    net = _net(Block)

    def forward(x):
        return net(x).sum()

    function = ms.value_and_grad(forward, None, net.trainable_params())
    function(_tensor(4, 6))
    try:
        stack, heard = listen(net, watcher())
        with stack:
            function(_tensor(4, 6))
    except RecordingError as error:
        assert "next:" in str(error) and "where:" in str(error)
    else:
        assert heard.counts, "nothing was heard and nothing was said"
    assert ms.context.get_context("mode") == ms.GRAPH_MODE


@check
def a_graph_loaded_from_a_file_is_refused():
    ms.export(_net(Block), _tensor(4, 6), file_name="block", file_format="MINDIR")
    loaded = nn.GraphCell(ms.load("block.mindir"))
    try:
        _trace(loaded, _tensor(4, 6))
    except RecordingError as error:
        assert "next:" in str(error)
    else:
        raise AssertionError("nothing was said")


@check
def arrays_of_every_dtype():
    import ml_dtypes

    w = watcher()
    for dtype in (np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.bool_, np.complex64):
        tensor = ms.Tensor(np.ones((2, 3), dtype))
        assert w.array(tensor).dtype == dtype and w.facts(tensor).dtype == np.dtype(dtype).name
    brain = ms.Tensor(np.array([1.5, -2.0, np.inf], np.float32)).astype(ms.bfloat16)
    assert w.array(brain).dtype == ml_dtypes.bfloat16 and w.facts(brain).dtype == "bfloat16"
    assert w.array(brain).astype(np.float32).tolist() == [1.5, -2.0, np.inf]
    assert w.array(ms.Tensor(1.0)).shape == () and w.array(ms.Tensor(np.zeros((0, 3), np.float32))).shape == (0, 3)
    assert w.array(ops.transpose(_tensor(2, 3), (1, 0))).flags.c_contiguous
    sparse = ms.COOTensor(ms.Tensor([[0, 1], [1, 2]]), ms.Tensor([1, 2], dtype=ms.float32), (3, 4))
    assert w.is_tensor(sparse) and w.facts(sparse).shape == (3, 4)
    assert isinstance(w.array(sparse), Unreadable) or w.array(sparse)[1, 2] == 2
    assert not w.is_tensor(np.ones(3)) and not w.is_tensor(None)
    parameter = ms.Parameter(_tensor(3), name="p")
    assert w.is_tensor(parameter) and w.alias(parameter) is None and w.facts(parameter).requires_grad


@check
def inputs_are_converted():
    import ml_dtypes

    class Foreign:
        """What a torch tensor can do, as far as it is asked."""

        dtype = "foreign.float64"

        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.array

    w, net = watcher(), nn.Dense(3, 3)
    own = _tensor(2)
    array = np.arange(6.0).reshape(2, 3)
    tree, done = w.convert(
        net,
        {"a": array, "b": (np.arange(3), [own, None, 7, "x"]), "c": Foreign(np.ones(2, np.int64)), "d": np.float32(2)},
    )
    assert tree["a"].dtype == ms.float32 and tree["b"][0].dtype == ms.int64 and tree["b"][1][0] is own
    assert tree["b"][1][1:] == [None, 7, "x"] and tree["c"].dtype == ms.int64 and tree["d"] == 2.0
    assert any("float32" in line for line in done) and len(done) == 2
    tree["a"][0] = 100.0
    assert array.max() == 5.0
    tree, done = w.convert(
        net, (np.ones(2, ml_dtypes.bfloat16), np.ones((3, 2), ">f4").T, np.array(True), np.zeros((0, 2), np.float16))
    )
    assert [t.dtype for t in tree] == [ms.bfloat16, ms.float32, ms.bool_, ms.float16] and done == ()
    half = nn.Dense(3, 3, dtype=ms.float16)
    assert w.convert(half, array)[0].dtype == ms.float16
    assert w.convert(nn.ReLU(), array)[0].dtype == ms.float32


@check
def names_aliases_and_recomputed_cells():
    class Shared(nn.Cell):
        def __init__(self):
            super().__init__()
            self.a = nn.Dense(6, 6)
            self.list = nn.CellList([self.a, nn.ReLU()])
            self.block = Block()
            self.block.recompute()

    w, net = watcher(), Shared()
    found = w.layers(net)
    assert [(path, others) for path, _, others in found if others] == [("a", ("list.0",))], found
    assert [path for path, _, _ in found] == [
        "(root)",
        "a",
        "list",
        "list.1",
        "block",
        "block.a",
        "block.act",
        "block.b",
    ]
    tied, _, _ = NETS["tied"]()
    table = {path: [(p.name, p.alias) for p in w.parameters(cell)] for path, cell, _ in w.layers(tied)}
    assert table["embed"][0][0] == "embedding_table" and table["head"][0][0] == "weight", table
    norm = w.parameters(nn.BatchNorm2d(3))
    assert [(p.name, p.trainable) for p in norm] == [
        ("moving_mean", False),
        ("moving_variance", False),
        ("gamma", True),
        ("beta", True),
    ]
    assert dict((p.name, p.alias) for p in norm)["moving_mean"] == "mean"


@check
def silent_layers_have_reasons():
    class Quiet(nn.Cell):
        def __init__(self):
            super().__init__()
            self.list = nn.CellList([nn.Dense(6, 6)])
            self.direct, self.functional, self.never = nn.Dense(6, 6), nn.Dense(6, 6), Block()
            self.attention = nn.MultiheadAttention(6, 2, batch_first=True)

        def construct(self, x):
            x = self.direct.construct(self.list[0](x))
            x = ops.matmul(x, self.functional.weight)
            return self.attention(x, x, x)[0]

    w, net = watcher(), _net(Quiet)
    stack, heard = listen(net, w)
    with stack:
        net(_tensor(2, 4, 6))
    silent = [path for path, _, _ in w.layers(net) if path not in heard.counts]
    why = w.uncaptured(net, silent)
    assert (
        set(why)
        == set(silent)
        == {"list", "direct", "functional", "never", "never.a", "never.act", "never.b", "attention.out_proj"}
    ), silent
    assert "container" in why["list"] and "construct" in why["direct"] and "parameters" in why["functional"], why
    assert (
        "not called" in why["never"] and "never" in why["never.a"] and "MultiheadAttention" in why["attention.out_proj"]
    ), why


@check
def facts_of_layers():
    w = watcher()
    facts = w.describe(nn.Dense(3, 4, has_bias=False), None, "")
    assert facts.kind == "Dense" and facts.bases == ("mindspore.nn.layer.basic.Dense",) and facts.training is False
    assert facts.settings["in_channels"] == 3 and facts.settings["has_bias"] is False
    assert facts.source.text.startswith("class Dense")
    json.dumps(dict(w.environment(nn.ReLU())), allow_nan=False)
    assert w.environment(nn.ReLU())["mode"] == "pynative" and w.version() == ms.__version__


class Stage(nn.SequentialCell):
    """Hands its base a list, or its cells one by one."""

    def __init__(self, width, act=nn.ReLU, *, listed=True):
        cells = [nn.Dense(width, width)]
        if act is not None:
            cells.append(act())
        if listed:
            super().__init__(cells)
        else:
            super().__init__(*cells)


class MakesCells(nn.Cell):
    def __init__(self, wide):
        super().__init__()
        self.listed, self.starred = Stage(2), Stage(2, nn.GELU, listed=False)
        if wide:
            self.body = nn.SequentialCell([nn.Dense(2, 8)])
        else:
            self.body = nn.SequentialCell(nn.Dense(2, 4))  # narrow
        self.cells_ = nn.CellList([nn.Dense(2, 2) for _ in range(2)])
        self.cells_.append(nn.Tanh())
        self.insert_child_to_cell("inserted", nn.Sigmoid())
        self.named = nn.SequentialCell(OrderedDict([("one", nn.Dense(2, 2)), ("two", nn.ELU())]))


@check
def lines_that_made_cells():
    w = watcher()
    table = w.layers(MakesCells(wide=False))
    made = {path: w.describe(cell, None, "").made_at for path, cell, _ in table}
    text = {path: source and source.text for path, source in made.items()}
    assert text["listed.0"] == text["starred.0"] == "cells = [nn.Dense(width, width)]", text
    assert text["listed.1"] == text["starred.1"] == "cells.append(act())", text
    assert text["body.0"].endswith("# narrow"), text
    assert text["cells_.1"] == "self.cells_ = nn.CellList([nn.Dense(2, 2) for _ in range(2)])", text
    assert text["cells_.2"] == "self.cells_.append(nn.Tanh())", text
    assert text["inserted"] == 'self.insert_child_to_cell("inserted", nn.Sigmoid())', text
    assert "OrderedDict" in text["named.two"], text


SETTINGS = {
    "nn.BatchNorm2d(3)": {"momentum": 0.1, "eps": 1e-5, "affine": True, "use_batch_statistics": None},
    "nn.BatchNorm1d(3, affine=False)": {"affine": False},
    "nn.BatchNorm3d(3, momentum=0.8)": {"momentum": 0.2, "num_features": 3, "eps": 1e-5},
    "nn.Dropout(p=0.3)": {"p": 0.3, "dropout.keep_prob": 0.7},
    "nn.Dropout(0.1)": {"p": None, "keep_prob": 0.1},
    "nn.Dropout2d(p=0.2)": {"p": 0.2, "keep_prob": 0.8},
    "nn.Conv2d(3, 4, 3)": {
        "pad_mode": "same",
        "has_bias": False,
        "padding": 0,
        "stride": [1, 1],
        "dilation": [1, 1],
        "group": 1,
    },
    "nn.Conv1d(3, 4, 3, pad_mode='pad', padding=1)": {
        "pad_mode": "pad",
        "kernel_size": [1, 3],
        "padding": [0, 0, 1, 1],
    },
    "nn.Conv2dTranspose(3, 4, 3)": {"pad_mode": "same", "has_bias": False, "output_padding": 0},
    "nn.MaxPool2d(3, 2)": {"kernel_size": 3, "stride": 2, "pad_mode": "VALID", "padding": 0},
    "nn.MaxPool2d(3, 2, 'pad', 1, ceil_mode=True)": {
        "pad_mode": "PAD",
        "padding": [0, 1, 1],
        "ceil_mode": True,
        "dilation": 1,
    },
    "nn.AvgPool2d(3, 2, 'pad', 1, count_include_pad=False)": {"padding": 1, "count_include_pad": False},
    "nn.AvgPool1d(3, 2, 'pad', 1)": {"padding": 1, "count_include_pad": True},
    "nn.AdaptiveAvgPool2d(2)": {"output_size": 2},
    "nn.LayerNorm((4,))": {"epsilon": 1e-7, "normalized_shape": [4], "begin_norm_axis": -1},
    "nn.GroupNorm(2, 4)": {"eps": 1e-5, "affine": True},
    "nn.Embedding(5, 3)": {"vocab_size": 5, "embedding_size": 3, "padding_idx": None, "use_one_hot": False},
    "nn.LeakyReLU()": {"alpha": 0.2},
    "nn.ELU(0.5)": {"alpha": 0.5},
    "nn.GELU()": {"approximate": "tanh"},
    "nn.GELU(approximate=False)": {"approximate": "none"},
    "nn.RReLU()": {"lower": 0.125},
    "nn.PReLU(3)": {"channel": 3},
    "nn.HShrink(0.3)": {"lambd": 0.3},
    "nn.Softmax(1)": {"axis": 1},
    "nn.LogSoftmax()": {"axis": -1},
    "nn.GLU(1)": {"axis": 1},
    "nn.Dense(3, 4, activation='relu')": {"activation": "ReLU", "has_bias": True},
    "nn.LSTM(3, 4, 2, bidirectional=True)": {
        "input_size": 3,
        "hidden_size": 4,
        "num_layers": 2,
        "bidirectional": True,
        "has_bias": True,
    },
    "nn.RNN(3, 4, nonlinearity='relu')": {"nonlinearity": "relu", "input_size": 3},
    "nn.MultiheadAttention(8, 2, has_bias=False)": {"has_bias": False, "num_heads": 2, "batch_first": False},
    "nn.TransformerEncoderLayer(8, 2, dropout=0.2)": {
        "activation": "relu",
        "dropout": 0.2,
        "layer_norm_eps": 1e-5,
        "norm_first": False,
    },
    "nn.MSELoss('sum')": {"reduction": "sum"},
    "nn.SmoothL1Loss()": {"reduction": "none", "beta": 1.0},
    "nn.CrossEntropyLoss()": {"reduction": "mean", "ignore_index": -100, "label_smoothing": 0.0},
    "nn.SoftmaxCrossEntropyWithLogits()": {"reduction": "none", "sparse": False},
    "nn.BCEWithLogitsLoss()": {"reduction": "mean"},
    "nn.TripletMarginLoss()": {"margin": 1.0, "p": 2},
    "nn.Upsample(scale_factor=2.0, recompute_scale_factor=True)": {
        "scale_factor": 2.0,
        "mode": "nearest",
        "recompute_scale_factor": True,
    },
    "nn.Unfold([1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1])": {"ksizes": [1, 1, 2, 2], "padding": "valid"},
    "nn.Flatten()": {"start_dim": 1, "end_dim": -1},
    "ms.mint.nn.Linear(3, 4, bias=False)": {"has_bias": False, "in_features": 3},
    "ms.mint.nn.GELU()": {"approximate": "none"},
    "ms.mint.nn.Softmax(dim=1)": {"dim": 1},
    "ms.mint.nn.BatchNorm2d(3)": {"momentum": 0.1, "affine": True},
}


@check
def settings_of_layers():
    w = watcher()
    for code, expected in SETTINGS.items():
        found = w.describe(eval(code), None, "").settings
        json.dumps(dict(found), allow_nan=False)
        for name, value in expected.items():
            close = isinstance(value, float) and isinstance(found.get(name), float) and abs(found[name] - value) < 1e-7
            assert name in found and (found[name] == value or close), (code, name, found.get(name, "absent"))


@check
def a_lazily_initialised_net():
    class Counting(nn.Cell):
        """Keeps state in plain attributes."""

        def __init__(self):
            super().__init__()
            self.dense, self.state = nn.Dense(6, 6), ms.Tensor(np.zeros(6, np.float32))

        def construct(self, x):
            self.state = self.state + 1
            return self.dense(x) + self.state

    net = _net(Counting)
    state = net.state
    _recorded(net, (_tensor(4, 6),))
    assert net.state is state and not state.asnumpy().any()


# ---------------------------------------------------------------------------------------- through tracer.record


def _trace(net, args, kwargs=None, **options):
    import tempfile

    import tracer

    out = Path(tempfile.mkdtemp()) / "t.h5"
    return tracer.record(net, args, kwargs=kwargs, out=out, **options)


def bare_step(net, args, kwargs):
    """The gradients of the sum of float outputs times the recorder's cotangent, by (path, name)."""
    from tracer.recorder import cotangent as fixed

    def forward():
        total, rank = 0.0, 0
        for leaf in leaves(net(*args, **kwargs)):
            if isinstance(leaf.value, ms.Tensor) and leaf.value.dtype == ms.float32:
                weights = fixed(rank, leaf.value.size).reshape(leaf.value.shape).astype(np.float32)
                total, rank = total + (leaf.value * ms.Tensor(weights)).sum(), rank + 1
        return total

    trainable = net.trainable_params()
    return dict(zip(map(id, trainable), arrays(ms.value_and_grad(forward, None, trainable)()[1])))


@check
def traces_hold_what_the_net_computes():
    for name, make in NETS.items():
        net, args, kwargs = make()
        values = parameters(net)
        with _trace(net, args, kwargs) as trace:
            end = trace.skeleton.end
            assert end.complete and end.backward is None and end.unrestored == (), (name, end)
            assert same(values, parameters(net)) and not leftovers(net), name
            twin, args, kwargs = make()
            gradients = bare_step(twin, args, kwargs)
            fresh, args, kwargs = make()
            bare = [leaf for leaf in leaves(fresh(*args, **kwargs))]
            root = trace.steps[0]["(root)"].calls[0]
            seen = [v for v in trace.skeleton.steps[0].calls[0].outputs]
            assert [v.leaf for v in seen] == [leaf.path for leaf in bare], name
            for value, leaf in zip(seen, bare):
                if isinstance(leaf.value, ms.Tensor):
                    assert same([trace.array(value)], arrays([leaf.value])), (name, leaf.path)
            found = trace.skeleton.steps[0].parameter_gradients
            for path, cell in twin.cells_and_names():
                for own, parameter in cell._params.items():
                    key = (path or "(root)", own)
                    if id(parameter) in gradients and key in found:
                        one, other = trace.array(found[key]), gradients.pop(id(parameter))
                        exact = name not in ("setitem of an input",)
                        assert same([one], [other]) or not exact, (name, key, abs(one - other).max())
            assert not gradients, (name, "parameters without gradient")
            assert root.output is not None


@check
def the_users_loop_is_recorded():
    import tempfile

    import tracer

    out = Path(tempfile.mkdtemp()) / "t.h5"
    net, args, kwargs = NETS["plain"]()
    expected = step(*NETS["plain"]())
    with tracer.recording(net, out=out):
        during = step(net, args, kwargs)
    assert all(same(a, b) for a, b in zip(expected, during))
    trace = tracer.Trace(out)
    found = trace.skeleton.steps[0].parameter_gradients
    assert len(found) == len(net.trainable_params())
    for value, gradient in zip(found.values(), during[2]):
        assert any(same([trace.array(value)], [g]) for g in during[2])


@check
def a_trace_of_a_net_that_raises():
    import tempfile

    import tracer

    out = Path(tempfile.mkdtemp()) / "t.h5"
    expected = step(*NETS["transformer layer"]())
    net = _net(lambda: Raising(ValueError("too wide")))
    values = parameters(net)
    try:
        tracer.record(net, _tensor(4, 6), out=out)
    except ValueError as error:
        assert "too wide" in str(error)
    end = tracer.Trace(out).skeleton.end
    assert not end.complete and "bad" in end.stopped and "too wide" in end.stopped
    assert [c.path for c in tracer.Trace(out).skeleton.steps[0].calls] == ["(root)", "before", "bad", "bad.inner"]
    assert same(values, parameters(net)) and not leftovers(net)
    assert all(same(a, b) for a, b in zip(expected, step(*NETS["transformer layer"]())))


@check
def a_trace_in_graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE)
    net = _net(Block)
    bare = arrays(net(_tensor(4, 6)))
    with _trace(net, _tensor(4, 6)) as trace:
        assert trace.skeleton.header.environment["mode"] == "graph"
        assert "MS_JIT" not in trace.skeleton.header.environment
        assert any("graph mode" in note for note in trace.skeleton.header.notes)
        assert same([np.asarray(trace["(root)"].calls[0].output)], bare)
        assert len(trace.skeleton.steps[0].parameter_gradients) == 4
    assert ms.context.get_context("mode") == ms.GRAPH_MODE
    assert same(arrays(net(_tensor(4, 6))), bare)
    with _trace(ms.jit(net), _tensor(4, 6)) as trace:
        assert same([np.asarray(trace["(root)"].calls[0].output)], bare)


@check
def mixed_precision_nets():
    for level in ("O1", "O2", "O3"):
        net = ms.amp.auto_mixed_precision(_net(Block), level, ms.float16)
        bare = arrays(net(_tensor(4, 6)))
        with _trace(net, _tensor(4, 6)) as trace:
            end = trace.skeleton.end
            assert end.complete and end.backward is None, (level, end)
            assert same([np.asarray(trace["(root)"].calls[0].output)], bare), level
    net = _net(Block).to_float(ms.float16)
    with _trace(net, _tensor(4, 6)) as trace:
        assert trace.skeleton.header.environment["to_float"] == "fp16"
        assert trace["(root)"].calls[0].output.dtype == "float16"


def main(checks):
    failed = False
    for name in sys.argv[1:] or checks:
        try:
            checks[name]()
            print(json.dumps({"check": name, "ok": True}), flush=True)
        except BaseException:
            failed = True
            watcher().after_error()
            print(json.dumps({"check": name, "ok": False, "why": traceback.format_exc()[-3000:]}), flush=True)
        finally:
            ms.set_context(mode=ms.PYNATIVE_MODE)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(CHECKS))
