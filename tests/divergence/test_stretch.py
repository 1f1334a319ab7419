"""Which lines wrong code between layers stands on."""

import dataclasses

import numpy as np
import pytest

from tests.divergence.worlds import Tensor, World
from tracer.divergence.diagnosis import diagnose
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph, CallId, call_graph
from tracer.divergence.stretch import stretch

X = np.random.default_rng(3).standard_normal((4, 8)).astype(np.float32)
W = np.random.default_rng(4).standard_normal((8, 8)).astype(np.float32)


def run(body, framework: str = "torch"):
    """A net whose forward is `body(fc, x)`; `fc(path, line, x)` calls a Linear there, arrays are code's."""
    world = World(framework)
    kind = "Linear" if framework == "torch" else "Dense"

    def fc(path: str, line: int, x, kind: str = kind):
        return world.call(path, kind, lambda t: t.array @ W, x, parameters={"weight": W}, line=line)

    world.call("(root)", "Net", lambda x: body(fc, x), X)
    return world.trace()


def where(body, taker: str, side: str = "in", call: int = 0) -> str | None:
    """The stretch of code that shows at a call of the net."""
    graph: CallGraph = call_graph(run(body).skeleton, 0, ())
    id_, root = CallId(taker, call), CallId("(root)", 0)
    return stretch(graph, root, Point(id_, id_, side), id_)


def code(*tensors: Tensor) -> np.ndarray:
    return sum(t.array for t in tensors)


def two(fc, x):
    h = fc("a", 18, x)
    return code(fc("b", 24, code(h)))


def test_it_lies_between_two_calls():
    """From the line of the call before to that of the one it made something for."""
    assert where(two, "b") == "torch_net.py:18-24"


def test_before_the_first_call_only_its_end_is_known():
    """What came before no call tells."""
    assert where(lambda fc, x: fc("a", 18, code(x)), "a") == "the lines up to torch_net.py:18"


def test_after_the_last_call_only_its_begin_is_known():
    """The code runs on to the end of the forward."""
    assert where(two, "(root)", "out") == "torch_net.py:24 and after"


def test_after_a_return_there_is_nothing():
    """A line that returns is the last one."""
    trace = run(two)
    (step,) = trace.skeleton.steps
    calls = tuple(
        dataclasses.replace(c, source=dataclasses.replace(c.source, text="return f(self.b(g(h)))")) for c in step.calls
    )
    graph = call_graph(dataclasses.replace(trace.skeleton, steps=(dataclasses.replace(step, calls=calls),)), 0, ())
    root = CallId("(root)", 0)
    assert stretch(graph, root, Point(root, root, "out"), root) == "torch_net.py:24"


def test_all_that_code_may_have_taken_is_within():
    """Three results wait for the code: the first of them begins the stretch."""

    def attention(fc, x):
        q, k, v = fc("q", 10, x), fc("k", 11, x), fc("v", 12, x)
        return fc("proj", 20, code(q, k, v))

    assert where(attention, "proj") == "torch_net.py:10-20"


def test_what_was_made_something_of_already_is_not():
    """The only result that waited is what the code before made its own of."""

    def block(fc, x):
        h = code(x, fc("attn", 66, fc("norm1", 66, x)))
        return code(x, fc("mlp", 70, code(fc("norm2", 68, h))))

    assert where(block, "mlp") == "torch_net.py:68-70"
    assert where(block, "norm2") == "torch_net.py:66-68"


def test_what_a_call_took_as_it_is_is_not():
    """No code came between those."""

    def chain(fc, x):
        return fc("c", 30, code(fc("b", 20, fc("a", 10, x))))

    assert where(chain, "c") == "torch_net.py:20-30"


@pytest.mark.parametrize(("first", "second"), [(45, 45), (47, 45)])
def test_of_a_loop_the_lines_around_are_meant(first, second):
    """What follows a call may stand below it or above it."""

    def loop(fc, x):
        return fc("b", second, code(fc("a", first, x)))

    expected = "torch_net.py:45" if first == second else "torch_net.py:45-47"
    assert where(loop, "b") == f"the code around {expected}"


def test_of_a_gradient_the_code_after_is_meant():
    """What comes back to a call passed the code that took its result."""
    assert where(two, "a", "grad_out") == "torch_net.py:18 and after"


def test_what_the_calls_do_not_tell_is_not_guessed():
    """A call of another scope, or a gradient that a container hands back."""
    assert where(two, "(root)", "grad_in") is None


def test_the_edit_compares_both_stretches():
    """Each net's own lines."""

    def port(fc, x):
        return code(fc("b", 57, 2 * code(fc("a", 50, x))))

    found = diagnose(run(two), run(port, "mindspore")).origin
    assert (found.place, found.causes[0].edit) == (
        "between",
        "compare mindspore_net.py:50-57 with torch_net.py:18-24",
    )
