"""A trace reads like a mapping, and its skeleton is put together from rows in any order."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest

from tests.trace.samples import HEADER, W, X, Y, same, small, tensor
from tracer.errors import TraceFileError, TracerError
from tracer.trace.assembly import assemble
from tracer.trace.reader import Trace
from tracer.trace.rows import Malformed
from tracer.trace.schema import (
    ROOT,
    End,
    Entered,
    Gradient,
    Layer,
    Maker,
    Parameter,
    ParameterGradient,
    Returned,
    Statistics,
    Value,
)
from tracer.trace.views import nest
from tracer.trace.writer import TraceWriter


@pytest.fixture
def trace(tmp_path):
    """The small trace, open."""
    with Trace(small(tmp_path / "a.h5")) as opened:
        yield opened


# A mapping


def test_it_is_a_mapping_of_layers(trace):
    """Iteration, length and membership are those of the paths, in the framework's order."""
    assert list(trace) == [ROOT, "fc", "head"]
    assert len(trace) == 3
    assert "fc" in trace
    assert "nothing" not in trace
    assert trace.get("nothing") is None
    assert list(trace.layers) == list(trace)
    assert dict(trace)["fc"].kind == "Linear"


def test_a_layer_says_what_it_is(trace):
    """Kind, settings, children and calls of a layer."""
    fc = trace["fc"]
    assert (fc.path, fc.kind, fc.training, len(fc.calls)) == ("fc", "Linear", True, 1)
    assert fc.settings == {"in_features": 3, "eps": float("inf")}
    assert trace[ROOT].children == ("fc", "head")
    assert trace["head"].calls == []


def test_a_call_has_its_results(trace):
    """Inputs, keyword arguments, outputs and gradients, nested as they were."""
    root, fc = trace[ROOT].calls[0], trace["fc"].calls[0]
    assert same(np.asarray(root.inputs[0]), X)
    assert root.kwargs == {"scale": 2.0}
    assert set(root.output) == {"logits", "past"}
    assert root.output["past"][0] is None
    assert same(np.asarray(root.output["past"][1]), Y + Y)
    assert same(np.asarray(fc.output), Y)
    assert same(np.asarray(fc.grad_output), Y)
    assert same(np.asarray(fc.grad_inputs["0"]), X + 1)
    assert (fc.seconds, fc.index, fc.order, str(fc.source)) == (0.25, 0, 1, "a.py:3")
    assert root.grad_output is None


def test_a_value_works_in_numpy(trace):
    """Shape, dtype and statistics without reading; arithmetic, casts and indexing read it."""
    value = trace["fc"].calls[0].inputs[0]
    before = trace.bytes_read
    assert (value.shape, value.dtype, value.ndim, len(value)) == ((2, 3), "float32", 2, 2)
    assert value.statistics.maximum == 4
    assert trace.bytes_read == before
    assert np.asarray(value, np.float64).dtype == np.float64
    assert np.array(value, copy=True).sum() == X.sum()
    assert (value[0] == X[0]).all()
    assert np.allclose(value, X)
    with pytest.raises(ValueError, match="copy"):
        value.__array__(copy=False)


def test_a_value_with_a_maker_is_what_made_it(trace):
    """Statistics, digest and place come from the call that made the tensor."""
    root, fc = (trace.skeleton.steps[0].calls[order] for order in (0, 1))
    assert fc.inputs[0].statistics == root.inputs[0].statistics
    assert root.outputs[0].stored == fc.outputs[0].stored
    assert same(trace.array(root.outputs[0]), Y)


def test_parameters_have_full_names_and_gradients(trace):
    """Parameters by their names in the whole net; a tied one is its owner."""
    assert list(trace.parameters) == ["fc.weight", "head.weight"]
    assert same(np.asarray(trace.parameters["fc.weight"]), W)
    assert same(np.asarray(trace.parameters["head.weight"]), W)
    assert same(np.asarray(trace.parameters["fc.weight"].grad), W * 2)
    assert same(np.asarray(trace["head"].parameters["weight"].grad), W * 2)


def test_steps_are_the_long_form(trace):
    """`trace[path]` means step 0."""
    assert trace.steps.numbers == [0]
    assert trace.steps[0]["fc"].calls[0].order == trace["fc"].calls[0].order
    assert [call.order for call in trace.steps[0].calls] == [0, 1]
    assert (trace.steps[0].number, len(trace.steps[0])) == (0, 3)


@pytest.mark.parametrize("ask", [lambda t: t["fcc"], lambda t: t.layers["fcc"], lambda t: t.steps[0]["fcc"]])
def test_an_unknown_layer_names_the_nearest(trace, ask):
    """A KeyError that is ours too, with what was perhaps meant."""
    with pytest.raises(KeyError, match="did you mean 'fc'") as caught:
        ask(trace)
    assert isinstance(caught.value, TracerError)
    assert str(caught.value).startswith("There is no layer 'fcc'\n")


def test_other_unknown_names(trace):
    """Steps, parameters and things that are no names."""
    with pytest.raises(KeyError, match="There is no step 7"):
        trace.steps.at(7)
    with pytest.raises(KeyError, match=r"did you mean 'fc.weight'"):
        trace.parameters["fc.wieght"]
    with pytest.raises(KeyError, match=r"this is a parameter: trace.parameters\['fc.weight'\]"):
        trace["fc.weight"]
    with pytest.raises(KeyError, match="no layer 3"):
        trace[3]


def test_everything_has_a_repr(trace):
    """One line each, that says the main thing."""
    assert repr(trace) == "<Trace a.h5: Net in torch 2.13.0, 3 layers, 2 calls in 1 step, values, complete>"
    assert repr(trace["fc"]) == "<Linear fc: 1 call, parameters weight>"
    assert repr(trace["head"]) == "<Linear head: never called, parameters weight>"
    assert repr(trace["fc"].calls[0]).startswith("<call 0 of fc, 250 ms: bfloat16 [2, 4], mean ")
    assert repr(trace["fc"].calls[0].output).startswith("<fc call 0 output: bfloat16 [2, 4], mean ")
    assert repr(trace.parameters["fc.weight"]).startswith("<parameter fc.weight: float32 [4, 3], mean ")
    for thing in (trace.layers, trace.parameters, trace.steps, trace.steps[0]):
        assert "a.h5" in repr(thing)


def test_nests():
    """Leaves by their names become lists and dicts again."""
    assert nest([]) is None
    assert nest([("", 1)]) == 1
    assert nest([("0", 1), ("1.a", 2), ("1.b.0", 3)]) == [1, {"a": 2, "b": [3]}]
    assert nest([("1", 1), ("0", 2)]) == {"1": 1, "0": 2}
    assert nest([("a", 1), ("a.b", 2)]) == {"a": 1, "a.b": 2}


def test_opening_reads_little(tmp_path):
    """The skeleton of a trace with large arrays is read without them."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    writer.write(Entered(0, 0, "a", 0, None))
    big = np.random.default_rng(0).normal(size=1_000_000)
    writer.write(Returned(0, 0, (tensor("", big),)), [big])
    writer.finish(End())
    with Trace(tmp_path / "a.h5") as trace:
        assert trace.bytes_read < 100_000
        next(trace.blocks(trace.skeleton.steps[0].calls[0].outputs[0], 1000))
        assert trace.bytes_read < 120_000
        trace.array(trace.skeleton.steps[0].calls[0].outputs[0])
        assert trace.bytes_read > 8_000_000


def test_after_closing(tmp_path):
    """The skeleton stays; arrays cannot be read any more, and it says so."""
    trace = Trace.open(small(tmp_path / "a.h5"))
    trace.close()
    trace.close()
    assert len(trace["fc"].calls) == 1
    with pytest.raises(TraceFileError, match="closed"):
        np.asarray(trace["fc"].calls[0].output)


def test_several_threads_read_one_trace(trace):
    """Arrays may be read by several threads at once."""
    wrong = []

    def read():
        for _ in range(50):
            if not same(np.asarray(trace["fc"].calls[0].output), Y):
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_trace_open_at_exit_ends_quietly(tmp_path):
    """A script may leave a trace open, and fail while one is."""
    small(tmp_path / "a.h5")
    program = f"""
from tracer.trace.reader import Trace
trace = Trace({str(tmp_path / "a.h5")!r})
values = [call.output for call in trace["fc"].calls]
try:
    Trace({str(tmp_path)!r})
except Exception as error:
    kept = error
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_a_trace_that_h5py_wrote_to_is_still_one(tmp_path):
    """Attributes and notes added by hand do no harm."""
    path = small(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["mine"] = "a note"
        file["mine/array"] = np.arange(5)
    with Trace(path) as trace:
        assert same(np.asarray(trace["fc"].calls[0].output), Y)


def test_reading_while_it_is_written(tmp_path):
    """The partial file of a running recording can be opened, by us and by h5py."""
    writer = TraceWriter(tmp_path / "a.h5", HEADER)
    writer.layers([Layer(ROOT, "Net")], [])
    with Trace(writer.partial) as trace:
        assert list(trace) == [ROOT]
    with h5py.File(writer.partial) as file:
        assert len(file["skeleton/layers"]) == 1
    writer.finish(End())


# Putting together


FULL = Statistics(1, minimum=1.0, maximum=1.0, mean=1.0, l2=1.0, sample=(1.0,))


def value(leaf="", **more):
    """A tensor of one element."""
    return Value(leaf, "tensor", (1,), "float32", **more)


ROWS = [
    Entered(0, 0, ROOT, 0, None, (value("0", statistics=FULL, stored="/steps/x"),)),
    Entered(0, 1, "a", 0, 0, (value("0", maker=Maker(0, "input", "0")),)),
    Returned(0, 1, (value("", maker=Maker(1, "input", "0")),), 0.5),
    Entered(
        0,
        2,
        "a",
        1,
        0,
        (value("0", maker=Maker(1, "output", "")), value("1", maker=Maker(1, "output", ""), changed=True)),
    ),
    Returned(0, 2, failed="ValueError: no"),
    Gradient(0, 1, "grad_output", value("")),
    ParameterGradient(0, "a", "w", value("")),
    Returned(0, 0, (value("", maker=Maker(2, "output", "")),)),
    End(),
]
LAYERS = [Layer(ROOT, "Net"), Layer("a", "K")]


@pytest.mark.parametrize("seed", range(10))
def test_rows_come_in_any_order(seed):
    """The same skeleton, however the rows are shuffled."""
    rows = list(ROWS)
    random.Random(seed).shuffle(rows)
    assert assemble(HEADER, LAYERS, rows) == assemble(HEADER, LAYERS, ROWS)


def test_chains_of_makers_are_followed():
    """Through inputs and outputs of several calls to the value that has statistics; not where it changed."""
    calls = assemble(HEADER, LAYERS, ROWS).steps[0].calls
    assert calls[1].outputs[0].statistics == FULL
    assert calls[2].inputs[0].stored == "/steps/x"
    assert calls[2].inputs[1].statistics is None


def test_a_maker_that_is_not_there_is_said():
    """A value whose maker never returned, or is of another shape, has none of its facts."""
    rows = [
        *ROWS[:3],
        Entered(
            0,
            3,
            "a",
            2,
            0,
            (
                value("0", maker=Maker(9, "output", "")),
                Value("1", "tensor", (2,), "float32", maker=Maker(0, "input", "0")),
            ),
        ),
    ]
    inputs = assemble(HEADER, LAYERS, rows).steps[0].calls[2].inputs
    assert all("not in the trace" in one.missing for one in inputs)


def test_makers_in_a_circle():
    """Two values that claim to be each other end as missing."""
    rows = [
        Entered(
            0, 0, "a", 0, None, (value("0", maker=Maker(0, "input", "1")), value("1", maker=Maker(0, "input", "0")))
        )
    ]
    inputs = assemble(HEADER, LAYERS, rows).steps[0].calls[0].inputs
    assert [one.statistics for one in inputs] == [None, None]


def test_a_chain_of_makers_as_long_as_the_net():
    """Ten thousand layers that hand on one tensor."""
    rows = [Entered(0, 0, "a", 0, None, (value("0", statistics=FULL),))]
    rows += [Entered(0, n, "a", n, None, (value("0", maker=Maker(n - 1, "input", "0")),)) for n in range(1, 10_000)]
    assert assemble(HEADER, LAYERS, reversed(rows)).steps[0].calls[-1].inputs[0].statistics == FULL


def test_a_call_that_failed_or_never_returned():
    """`returned` is False for both; `failed` says what was raised."""
    calls = assemble(HEADER, LAYERS, [*ROWS, Entered(0, 3, "a", 2, 0)]).steps[0].calls
    assert [(call.returned, call.failed) for call in calls] == [
        (True, None),
        (True, None),
        (False, "ValueError: no"),
        (False, None),
    ]


def test_a_trace_without_an_end():
    """It is incomplete, and says that it was cut off."""
    end = assemble(HEADER, LAYERS, ROWS[:-1]).end
    assert (end.complete, "cut off" in end.stopped) == (False, True)


def test_a_layer_that_was_made_on_the_way():
    """A call of a layer that the table does not have still has a layer."""
    assert "new" in assemble(HEADER, LAYERS, [Entered(0, 0, "new", 0, None)]).layers


def test_tied_parameters_are_their_owner():
    """A tied parameter gets statistics, place and row blocks of its first place."""
    own = Parameter("w", (1,), "float32", statistics=FULL, digest="d", stored="/steps/w", blocks=(0, 1), block_rows=16)
    tied = Parameter("v", (1,), "float32", owner=("a", "w"))
    layers = assemble(HEADER, [Layer("a", "K", parameters=(own,)), Layer("b", "K", parameters=(tied,))], []).layers
    found = layers["b"].parameters[0]
    assert (found.statistics, found.stored, found.blocks, found.owner) == (FULL, "/steps/w", (0, 1), ("a", "w"))


@pytest.mark.parametrize(
    "rows",
    [
        [Returned(0, 0)],
        [Gradient(0, 0, "grad_output", value())],
        [Entered(0, 0, "a", 0, None), Entered(0, 0, "a", 0, None)],
        [Entered(0, 0, "a", 0, 5)],
        [Entered(0, 0, "a", 0, 0)],
        [Entered(0, 0, "a", 0, None, (Value("0", "tensor", (-1,)),))],
        [Entered(0, 0, "a", 0, None, (Value("0", "tensor", (2**61, 2**61)),))],
        [ParameterGradient(0, "a", "w", Value("", "tensor", (-5,)))],
    ],
)
def test_rows_that_contradict_each_other(rows):
    """Calls without a beginning, with two, in circles; shapes that cannot be."""
    with pytest.raises(Malformed):
        assemble(HEADER, LAYERS, rows)


def test_two_layers_at_one_path():
    """A path is one layer."""
    with pytest.raises(Malformed):
        assemble(HEADER, [Layer("a", "K"), Layer("a", "K")], [])


def test_the_file_is_closed(tmp_path):
    """No descriptor stays open after closing, nor after a failure."""
    small(tmp_path / "a.h5")
    (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:5000])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        Trace(tmp_path / "a.h5").close()
        with pytest.raises(TraceFileError):
            Trace(tmp_path / "b.h5")
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_empty_argument_keeps_the_place_of_the_others(tmp_path):
    """`net(None, [], x)`: the third argument is `inputs[2]`."""
    from tracer.trace.reader import Trace
    from tracer.trace.schema import End, Entered, Header, Layer, Returned, Value
    from tracer.trace.writer import TraceWriter

    writer = TraceWriter(tmp_path / "a.h5", Header("torch", "0", "Net"))
    writer.layers([Layer("(root)", "Net")], [])
    given = (Value("0", "none"), Value("2", "scalar", literal=3))
    writer.write(Entered(0, 0, "(root)", 0, None, inputs=given), [None, None])
    writer.write(Returned(0, 0), [])
    with Trace(writer.finish(End())) as trace:
        assert trace["(root)"].calls[0].inputs == [None, [], 3]
