"""What stands in a trace of a torch net: values, makers, gradients, settings, lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import tracer
from tests.recording import nets
from tests.recording.nets import D, batch, made


@pytest.fixture
def record(tmp_path):
    """Record a net to a file of its own."""

    def run(net, inputs, **options):
        return tracer.record(net, inputs, out=tmp_path / "t.h5", **options)

    return run


def calls(trace):
    return trace.skeleton.steps[0].calls


def call(trace, path, index=0):
    return next(c for c in calls(trace) if (c.path, c.index) == (path, index))


def array(trace, value):
    return trace.array(value)


# What came in, and from where.


def test_an_input_made_by_a_layer_is_not_stored_again(record):
    """It names its maker, and shares that one's array."""
    trace = record(made(nets.Plain), batch(2, D))
    (value,) = call(trace, "b").inputs
    assert (value.maker.order, value.maker.side, value.changed) == (call(trace, "act").order, "output", False)
    assert value.stored == call(trace, "act").outputs[0].stored


def test_an_input_handed_on_by_the_enclosing_call_says_so(record):
    """The root's own input goes to its first layer unchanged."""
    trace = record(made(nets.Plain), batch(2, D))
    assert call(trace, "a").inputs[0].maker.side == "input"
    assert call(trace, "a").inputs[0].maker.order == 0


def test_an_input_made_between_layers_is_stored(record):
    """x + branch(x) in front of a layer has no maker; its numbers are kept."""

    class Between(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(D, D), nn.Linear(D, D)

        def forward(self, x):
            return self.b(self.a(x) + x)

    net, x = made(Between), batch(2, D)
    trace = record(net, x)
    (value,) = call(trace, "b").inputs
    assert value.maker is None
    assert np.array_equal(array(trace, value), (net.a(x) + x).detach().numpy())


def test_an_input_altered_in_place_since_is_stored_with_its_maker(record):
    """`h[:, 0] = ...` after a layer: the output keeps its numbers, the next input has its own."""
    net, x = made(nets.Setitem), batch(2, D)
    trace = record(net, x)
    (value,) = call(trace, "b").inputs
    assert value.changed
    assert value.maker.order == call(trace, "a").order
    altered = net.a(x).detach().numpy()
    assert np.array_equal(array(trace, call(trace, "a").outputs[0]), altered)
    altered[:, 0] = 0.5
    assert np.array_equal(array(trace, value), altered)


def test_an_in_place_layer_keeps_input_and_output_apart(record):
    """ReLU(inplace=True): what came in is what the layer before gave."""
    trace = record(made(nets.InPlaceReLU), batch(4, D))
    before, after = call(trace, "net.1").inputs[0], call(trace, "net.1").outputs[0]
    assert array(trace, before).min() < 0 <= array(trace, after).min()
    assert after.maker is None


def test_an_in_place_layer_has_the_gradient_of_its_input(record):
    """The part that the overwriting operation hands on: zero where ReLU was off."""
    trace = record(made(nets.InPlaceReLU), batch(4, D))
    relu = call(trace, "net.1")
    off = array(trace, relu.inputs[0]) < 0
    (gradient,) = relu.grad_inputs
    assert off.any()
    assert not array(trace, gradient)[off].any()
    assert np.array_equal(array(trace, gradient)[~off], array(trace, relu.grad_outputs[0])[~off])


def test_a_gradient_of_an_input_is_this_calls_part(record):
    """A tensor used twice: each call has its own part, and the maker's output has the sum."""

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.a, self.b = nn.Linear(D, D), nn.Linear(D, D), nn.Linear(D, D)

        def forward(self, x):
            h = self.first(x)
            return self.a(h) + self.b(h)

    trace = record(made(Twice), batch(2, D))
    parts = [array(trace, call(trace, name).grad_inputs[0]) for name in "ab"]
    assert not np.array_equal(*parts)
    assert np.array_equal(parts[0] + parts[1], array(trace, call(trace, "first").grad_outputs[0]))


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_has_inputs_gradients_and_calls_like_the_plain_net(record, reentrant):
    """The same rows as without a checkpoint, bit for bit, gradients of inputs included."""

    def rows(net):
        torch.manual_seed(3)
        trace = record(net, batch(4, D))
        return [
            (c.path, c.index, c.parent, side, v.leaf, v.digest)
            for c in calls(trace)
            for side in ("inputs", "outputs", "grad_inputs", "grad_outputs")
            for v in getattr(c, side)
            if not (side == "grad_inputs" and c.path == "block")
        ]

    with_checkpoint = made(lambda: nets.Checkpointed(reentrant=reentrant, repeat=2))
    plain = made(lambda: nets.Checkpointed(reentrant=reentrant, repeat=2))
    plain.forward = lambda x: plain.last(plain.block(plain.block(plain.first(x))))
    assert sorted(map(str, rows(with_checkpoint))) == sorted(map(str, rows(plain)))


def test_the_same_tensor_given_twice_stays_one_tensor(record):
    """Attention asks whether query, key and value are the same object."""

    class Asks(nn.Module):
        def forward(self, a, b, *, c):
            return a * (1.0 if a is b is c else 2.0)

    class Gives(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.asks = nn.Linear(D, D), Asks()

        def forward(self, x):
            h = self.fc(x)
            return self.asks(h, h, c=h)

    net, x = made(Gives), batch(2, D)
    trace = record(net, x)
    assert np.array_equal(array(trace, call(trace, "asks").outputs[0]), net.fc(x).detach().numpy())


def test_a_list_that_a_layer_appends_to_grows_for_the_caller(record):
    """Aliases are handed over in a copy of the list; what is done to it is done to the caller's."""
    trace = record(made(nets.TakesContainers), batch(2, D))
    leaves = {v.leaf: v for v in call(trace, "take").inputs}
    assert leaves["0.count"].literal == 3
    assert leaves["0.last"].maker.order == call(trace, "fc").order
    assert {g.leaf for g in call(trace, "take").grad_inputs} == {"0.first", "0.last", "scale"} - {"0.last"}


# Kinds of values.


def test_nested_results_are_walked_to_their_leaves(record):
    """Dicts, tuples, named tuples, dataclasses, mappings; None, numbers, texts and objects among them."""
    trace = record(made(nets.GivesDataclass), batch(2, D))
    found = {v.leaf: (v.kind, v.literal) for v in call(trace, "(root)").outputs}
    assert found == {
        "value": ("tensor", None),
        "extra.0": ("tensor", None),
        "extra.1": ("none", None),
        "extra.2": ("scalar", 3),
        "extra.3": ("scalar", "text"),
    }
    assert [v.leaf for v in call(trace, "pair").outputs] == ["left", "right"]


@pytest.mark.parametrize(
    "dtype", ["float16", "bfloat16", "float32", "float64", "int8", "int64", "bool", "complex64", "uint8"]
)
def test_every_dtype_is_kept_as_what_it_is(record, dtype):
    """Bit for bit, under numpy's or ml_dtypes' name."""
    x = (batch(3, 4) * 3).to(getattr(torch, dtype))
    trace = record(nn.Identity(), x)
    value = call(trace, "(root)").inputs[0]
    assert (value.dtype, value.shape) == (dtype, (3, 4))
    assert array(trace, value).tobytes() == x.contiguous().view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize(
    ("made_of", "x"),
    [
        ("empty", torch.zeros(0, 4)),
        ("a number", torch.tensor(2.5)),
        ("transposed", batch(4, 3).t()),
        ("a broadcast", torch.ones(1).expand(5, 4)),
        ("conjugated", torch.ones(3, dtype=torch.complex64).mul(1j).conj()),
        ("sparse", torch.eye(3).to_sparse()),
    ],
)
def test_tensors_of_every_layout_are_read(record, made_of, x):
    """What is stored is what a dense copy holds."""
    trace = record(nn.Identity(), x)
    dense = x.to_dense() if x.is_sparse else x
    assert np.array_equal(array(trace, call(trace, "(root)").inputs[0]), dense.resolve_conj().numpy())


def test_tensors_without_data_say_why(record):
    """On the meta device there are shapes and no numbers."""
    trace = record(nn.Linear(4, 3).to("meta"), torch.zeros(2, 4, device="meta"))
    (value,) = call(trace, "(root)").outputs
    assert (value.shape, value.stored) == ((2, 3), None)
    assert "no data" in value.missing


def test_sparse_gradients_are_stored_dense(record):
    """Embedding(sparse=True)."""
    net = made(lambda: nn.Embedding(5, 3, sparse=True))
    trace = record(net, torch.tensor([1, 1, 4]))
    gradient = array(trace, trace.skeleton.steps[0].parameter_gradients["(root)", "weight"])
    assert gradient.shape == (5, 3)
    assert [bool(row.any()) for row in gradient] == [False, True, False, False, True]


def test_autocast_is_recorded_with_each_call(record):
    """The dtype operations are cast to, and the outputs as they came."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trace = record(made(nets.Plain), batch(2, D))
    assert {c.autocast for c in calls(trace)} == {"bfloat16"}
    assert call(trace, "a").outputs[0].dtype == "bfloat16"


# What a user may give.


@pytest.mark.parametrize(
    "inputs",
    [
        np.ones((2, D)),
        np.ones((2, D), np.float32),
        torch.ones(2, D),
        (torch.ones(2, D),),
        {"x": torch.ones(2, D)},
        [[1.0] * D] * 2,
    ],
    ids=["float64", "float32", "tensor", "tuple", "dict", "list"],
)
def test_inputs_of_all_sorts_become_the_nets_own(record, inputs):
    """Arrays, tensors, tuples, keyword dicts, lists of numbers."""
    trace = record(made(nets.Plain), inputs)
    (value,) = (*call(trace, "(root)").inputs, *call(trace, "(root)").kwargs)
    assert (value.dtype, value.shape) == ("float32", (2, D))


def test_float64_arrays_become_the_nets_float_type_and_it_says_so(record):
    """A net in float64 takes them as they are."""
    assert record(made(nets.Plain), np.ones((1, D))).skeleton.header.notes == (
        "float64 arrays were given to the net as float32",
    )
    assert record(made(nets.Plain).double(), np.ones((1, D))).skeleton.header.notes == ()


def test_keyword_arguments_are_leaves_by_name(record):
    """With None and flags among them."""

    class Masked(nn.Module):
        def forward(self, x, *, mask=None, scale=1.0):
            return x if mask is None else x * mask * scale

    trace = record(Masked(), torch.ones(3), kwargs={"mask": np.array([1.0, 0, 1]), "scale": 2.0})
    assert {v.leaf: (v.kind, v.dtype, v.literal) for v in call(trace, "(root)").kwargs} == {
        "mask": ("tensor", "float32", None),
        "scale": ("scalar", "", 2.0),
    }


# Forward only, and why.


def why(trace):
    assert not any(c.grad_outputs for c in calls(trace))
    return trace.skeleton.end.backward


def test_no_backward_pass_has_its_reason(record):
    """Not asked for, switched off, nothing to train, no float output."""
    net, x = made(nets.Plain), batch(2, D)
    assert "not asked for" in why(record(net, x, backward=False))
    with torch.no_grad():
        assert "switched off" in why(record(net, x))
    with torch.inference_mode():
        assert "switched off" in why(record(net, x))
    assert "no trainable parameter" in why(record(nn.ReLU(), x))
    assert "no output" in why(record(nn.Sequential(net, ArgMax()), x))


class ArgMax(nn.Module):
    def forward(self, x):
        return x.argmax(-1)


def test_a_backward_pass_that_fails_leaves_the_forward_trace_whole(record):
    """What torch said stands in the trace; the net and its gradients are as they were."""

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            raise RuntimeError("no such kernel")

    class Layer(nn.Module):
        def forward(self, x):
            return Fails.apply(x)

    net = made(lambda: nn.Sequential(nn.Linear(D, D), Layer(), nn.Linear(D, D)))
    trace = record(net, batch(2, D))
    assert trace.complete
    assert "no such kernel" in trace.skeleton.end.backward
    assert [c.path for c in calls(trace) if c.grad_outputs] == ["(root)", "1", "2"]
    assert all(p.grad is None for p in net.parameters())


# Filters.


@pytest.mark.parametrize(
    ("options", "paths"),
    [
        ({"only": "b.*"}, ["(root)", "b.a", "b.act", "b.b"]),
        ({"only": ["a", nn.Tanh]}, ["(root)", "a", "a.act", "b.act"]),
        ({"skip": "Linear"}, ["(root)", "a", "a.act", "b", "b.act"]),
        ({"skip": ["*.a", "(root)"]}, ["a", "a.act", "a.b", "b", "b.act", "b.b"]),
        ({"depth": 1}, ["(root)", "a", "b"]),
        ({"depth": 0}, ["(root)"]),
        ({"only": lambda path, layer: isinstance(layer, nn.Tanh)}, ["(root)", "a.act", "b.act"]),
    ],
)
def test_filters_choose_layers(record, options, paths):
    """By glob, class, name of a class, predicate and depth; the rest is listed with the reason."""
    trace = record(made(nets.Residual), batch(2, D), **options)
    assert [c.path for c in calls(trace)] == paths
    assert set(trace.skeleton.end.silent) == set(trace.skeleton.layers) - set(paths)
    assert all("left out by" in reason for reason in trace.skeleton.end.silent.values())


def test_inputs_whose_maker_was_left_out_are_stored(record):
    """Nothing recorded made them."""
    trace = record(made(nets.Plain), batch(2, D), skip="act")
    (value,) = call(trace, "b").inputs
    assert value.maker is None
    assert value.stored is not None


def test_layers_left_out_have_no_parameter_gradients(record):
    """Neither from a hook nor from what the backward pass left."""
    trace = record(made(nets.Plain), batch(2, D), only="b")
    assert set(trace.skeleton.steps[0].parameter_gradients) == {("b", "weight"), ("b", "bias")}


def test_filters_stand_in_the_header(record):
    """In words."""
    trace = record(made(nets.Plain), batch(2, D), only=["a", nn.Tanh], depth=3, note="by hand")
    assert trace.skeleton.header.filters == {"only": ["a", "Tanh"], "depth": 3}
    assert trace.skeleton.header.note == "by hand"


def test_statistics_alone_keep_no_arrays(record):
    """All that is known without reading, of every value and gradient."""
    trace = record(made(nets.Plain), batch(2, D), keep="statistics")
    for one in calls(trace):
        for value in (*one.inputs, *one.outputs, *one.grad_inputs, *one.grad_outputs):
            assert value.stored is None
            assert value.statistics is not None
            assert value.digest is not None


# The net itself.


class Described(nn.Module):
    def __init__(self, width, *, mode="fast", act=torch.relu):
        super().__init__()
        self.width, self.mode, self.act, self.secret = width, mode, act, object()
        self.norm = nn.LayerNorm(width, eps=1e-3)
        self.body = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.Dropout(0.1),
        )
        layers = []
        for _ in range(2):
            layers.append(nn.Conv1d(1, 1, 3, padding=(1,)))
            layers.append(nn.GELU(approximate="tanh"))
        self.tail = nn.Sequential(*layers)
        self.heads = nn.ModuleDict({"one": nn.Linear(width, 1), "two": nn.Linear(width, 2)})

    def forward(self, x):
        return self.heads["one"](self.tail(self.body(self.norm(x))))


def test_settings_are_the_constructors_in_plain_values(record):
    """Tuples as lists, functions by name, a missing bias as False; what has no plain form is left out."""
    layers = record(made(lambda: Described(D)), batch(1, D), backward=False).skeleton.layers
    assert layers["(root)"].settings == {"width": D, "mode": "fast", "act": "relu"}
    assert layers["norm"].settings["eps"] == 1e-3
    assert layers["norm"].settings["normalized_shape"] == [D]
    assert layers["body.0"].settings["bias"] is False
    assert layers["heads.one"].settings["bias"] is True
    assert layers["tail.0"].settings["padding"] == [1]
    assert layers["tail.1"].settings["approximate"] == "tanh"
    assert layers["body.1"].settings["p"] == 0.1


def test_the_line_that_made_a_layer_is_found(record):
    """Its own attribute, its element of a Sequential, of a dict, an append in a loop."""
    layers = record(made(lambda: Described(D)), batch(1, D), backward=False).skeleton.layers
    text = {path: layer.made_at and layer.made_at.text for path, layer in layers.items()}
    assert text["(root)"] is None
    assert text["norm"] == "self.norm = nn.LayerNorm(width, eps=1e-3)"
    assert text["body"] == "self.body = nn.Sequential("
    assert text["body.0"] == "nn.Linear(width, width, bias=False),"
    assert text["body.1"] == "nn.Dropout(0.1),"
    assert text["tail.0"] == text["tail.2"] == "layers.append(nn.Conv1d(1, 1, 3, padding=(1,)))"
    assert text["tail.3"] == 'layers.append(nn.GELU(approximate="tanh"))'
    assert text["heads.two"].startswith("self.heads = nn.ModuleDict(")


def test_classes_and_calling_lines_are_found(record):
    """The class's own line; the line of the user's code that was running, not torch's Sequential."""
    trace = record(made(lambda: Described(D)), batch(1, D), backward=False)
    assert trace.skeleton.layers["(root)"].source.text == "class Described(nn.Module):"
    assert trace.skeleton.layers["norm"].bases == ("torch.nn.modules.normalization.LayerNorm",)
    line = 'return self.heads["one"](self.tail(self.body(self.norm(x))))'
    assert {call(trace, path).source.text for path in ("norm", "body.0", "tail.3")} == {line}


def test_layers_that_never_fired_have_a_reason(record):
    """Containers, functional use, branches not taken."""

    class Quiet(nn.Module):
        def __init__(self):
            super().__init__()
            self.items = nn.ModuleList([nn.Linear(D, D)])
            self.attention, self.unused = nn.MultiheadAttention(D, 2), nn.Sequential(nn.Linear(D, D))
            self.functional, self.direct = nn.Linear(D, D), nn.Linear(D, D)

        def forward(self, x):
            x = self.items[0](x)
            x = self.attention(x, x, x)[0]
            return nn.functional.linear(x, self.functional.weight)

    silent = record(made(Quiet), batch(3, 2, D)).skeleton.end.silent
    assert set(silent) == {"items", "attention.out_proj", "unused", "unused.0", "functional", "direct"}
    assert "container" in silent["items"]
    assert "MultiheadAttention" in silent["attention.out_proj"]
    assert silent["unused.0"] == "the layer that holds it, unused, was not called"
    assert "uses its parameters" in silent["functional"]
    assert silent["direct"] == "it was not called in this run"


def test_shared_layers_are_one_layer_with_aliases_and_many_calls(record):
    """`named_modules` hides the second name."""

    class Aliased(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(D, D)
            self.two = self.one

        def forward(self, x):
            return self.two(self.one(x))

    trace = record(made(Aliased), batch(2, D))
    assert trace.skeleton.layers["one"].aliases == ("two",)
    assert [(c.path, c.index) for c in calls(trace)] == [("(root)", 0), ("one", 0), ("one", 1)]


def test_wrappers_take_no_part_in_paths(record):
    """DataParallel, compiled and checkpointed modules hand their path on."""
    plain = [c.path for c in calls(record(made(nets.Plain), batch(2, D)))]
    for wrap in (nn.DataParallel, lambda net: torch.compile(net, backend="eager")):
        assert [c.path for c in calls(record(wrap(made(nets.Plain)), batch(2, D)))] == plain


def test_the_header_says_where_it_ran(record):
    """Versions, device, flags."""
    header = record(made(nets.Plain), batch(2, D)).skeleton.header
    assert (header.framework, header.net, header.framework_version) == ("torch", "Plain", torch.__version__)
    assert header.environment["device"] == "cpu"
    assert {"threads", "deterministic", "tf32_matmul", "autocast", "default_dtype"} <= set(header.environment)


def test_time_in_a_call_leaves_our_own_out(record):
    """A container takes at least as long as what is inside, and every call has its time."""
    trace = record(made(nets.Residual), batch(2, D))
    assert all(c.seconds is not None and c.seconds >= 0 for c in calls(trace))
    inside = sum(c.seconds for c in calls(trace) if c.parent == 0)
    assert call(trace, "(root)").seconds >= 0.5 * inside
