"""The time line: Chrome's trace JSON by the letter, both nets as processes, calls inside the calls around them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.profiling import chrome
from tests.profiling.nets import Net, mlp
from tracer.profiling.beside import alone, beside
from tracer.profiling.sides import side
from tracer.reports.perfetto import median_repeat, to_perfetto
from tracer.trace.schema import ROOT

TORCH = Net(mlp(), seed=1, update=30.0)
PORT = Net(mlp("mindspore", slow=8.0), framework="mindspore", seed=2, update=30.0)
BOTH = to_perfetto(beside(TORCH.side(), PORT.side()))
EVENTS = chrome.read(BOTH)


def threads(text: str) -> dict[tuple[int, int], str]:
    return {(e["pid"], e["tid"]): e["args"]["name"] for e in json.loads(text)["traceEvents"]
            if e["name"] == "thread_name"}  # fmt: skip


def of(path: str, process: int = 1, thread: str = "forward") -> dict:
    named = threads(BOTH)
    return next(e for e in EVENTS if e["args"].get("path") == path and e["pid"] == process
                and named[e["pid"], e["tid"]] == thread)  # fmt: skip


def test_each_net_is_a_process():
    """Named after its side, framework, net and file."""
    names = [e["args"]["name"] for e in json.loads(BOTH)["traceEvents"] if e["name"] == "process_name"]
    assert names == ["reference: torch Net (torch.h5)", "candidate: mindspore Net (mindspore.h5)"]


def test_one_net_is_one_process():
    """Without a candidate."""
    assert {e["pid"] for e in chrome.read(to_perfetto(alone(TORCH.side())))} == {1}


def test_each_process_has_a_thread_for_the_step_the_forward_and_the_backward():
    """In this order."""
    names = threads(BOTH)
    for process in (1, 2):
        assert [names[process, n] for n in (1, 2, 3)] == ["step", "forward", "backward"]


def test_every_call_is_there():
    """Forward and backward, on both sides."""
    calls = len(TORCH.skeleton().steps[0].calls)
    assert sum(e["cat"] == "layer" for e in EVENTS) == 4 * calls


def test_the_step_has_its_phases():
    """One after the other."""
    phases = [e for e in EVENTS if e["pid"] == 1 and e["cat"] == "phase"]
    assert [e["name"] for e in phases] == ["forward", "backward", "update"]
    assert all(a["ts"] + a["dur"] == pytest.approx(b["ts"]) for a, b in zip(phases, phases[1:]))


def test_calls_lie_inside_the_calls_around_them():
    """By path."""
    begin, end = chrome.nanoseconds(of("blocks.1.act"))
    around = chrome.nanoseconds(of("blocks.1"))
    assert around[0] <= begin <= end <= around[1]


def test_the_forward_lies_in_the_phase():
    """On one clock."""
    phase = next(e for e in EVENTS if e["pid"] == 1 and e["name"] == "forward" and e["cat"] == "phase")
    assert phase["ts"] <= of(ROOT)["ts"]
    assert of(ROOT)["ts"] + of(ROOT)["dur"] <= phase["ts"] + phase["dur"]


def test_times_are_microseconds_of_the_median_repeat():
    """As measured."""
    timing, repeat = TORCH.timing(), median_repeat(TORCH.side())
    column = next(c.order for c in TORCH.skeleton().steps[0].calls if c.path == "head")
    begin, end = timing.forward[repeat, column]
    assert chrome.nanoseconds(of("head")) == (begin, end)


def test_an_event_names_its_partner():
    """In the other net."""
    assert of("head")["args"]["partner"] == "head"


def test_backward_spans_that_cross_stand_on_threads_of_their_own():
    """A viewer would draw them wrong, or not at all."""
    timing = TORCH.timing()
    paths = [c.path for c in TORCH.skeleton().steps[0].calls]
    ours, theirs = paths.index("blocks.1"), paths.index("blocks.2")
    timing.backward[:, theirs, 1] = timing.backward[:, ours, 0] + 5000
    text = to_perfetto(alone(side("a.h5", TORCH.skeleton(), timing)))
    chrome.read(text)
    assert "backward 2" in threads(text).values()


@pytest.mark.parametrize("seed", range(20))
def test_any_backward_spans_make_a_valid_trace(seed):
    """However operations of layers are mixed."""
    chance = np.random.default_rng(seed)
    timing = TORCH.timing()
    spans = np.sort(chance.integers(1000, 90000, timing.backward.shape), axis=-1)
    gone = chance.random(spans.shape[:2]) < 0.2
    spans[gone] = -1
    chrome.read(to_perfetto(alone(side("a.h5", TORCH.skeleton(), replace(timing, backward=spans)))))


def test_the_validator_refuses_what_crosses():
    """Else it would prove nothing."""
    event = {"ph": "X", "name": "a", "cat": "layer", "ts": 0.0, "dur": 5.0, "pid": 1, "tid": 1, "args": {}}
    with pytest.raises(ValueError, match="inside"):
        chrome.nested([event, event | {"ts": 3.0}])
