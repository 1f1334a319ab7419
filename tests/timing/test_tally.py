"""What a log of one watched step says of each call: logs are written by hand here."""

from __future__ import annotations

import pytest

from tracer.frameworks.timing import Call, Costs, Line, Log
from tracer.recorder.timing_tally import NONE, Calls, Tally, tally

ROOT, A, B, INNER = ("(root)", 0), ("a", 0), ("b", 0), ("b.inner", 0)
CALLS = Calls((ROOT, A, B, INNER), (NONE, 0, 0, 2))


def log_of(*lines: tuple[int, str, Call | None], **ends: int) -> Log:
    """A log with these lines; "again enter" is a recomputed call."""
    log = Log()
    for time, what, call in lines:
        log.lines.append(Line(time, what.removeprefix("again "), call, what.startswith("again")))  # type: ignore[arg-type]
    log.ends.update(ends)  # type: ignore[typeddict-item]
    return log


def told(log: Log, *, costs: Costs = Costs(), exact: bool = True) -> dict[str, dict[str, list[int]]]:  # noqa: B008
    """By path what the tally says."""
    found = tally(log, 100, CALLS, costs, exact=exact)
    return {
        name: {path: array[n].tolist() for n, (path, _) in enumerate(CALLS.keys)}
        for name, array in vars(found).items()
        if name in ("forward", "backward", "own", "total")
    }


FORWARD = [
    (1, "enter", ROOT), (2, "enter", A), (5, "leave", A), (6, "enter", B), (7, "enter", INNER), (9, "leave", INNER),
    (10, "leave", B), (12, "leave", ROOT),
]  # fmt: skip


def test_calls_begin_and_end_where_the_log_says() -> None:
    """Of the forward pass."""
    assert told(log_of(*FORWARD))["forward"] == {"(root)": [1, 12], "a": [2, 5], "b": [6, 10], "b.inner": [7, 9]}


def test_what_never_came_has_no_time() -> None:
    """A call of the first run that this step has not."""
    assert told(log_of(*FORWARD[:3]))["forward"]["b"] == [NONE, NONE]


def test_a_call_that_the_first_run_had_not_is_said() -> None:
    """Nets need not do the same in every step."""
    found = tally(log_of((1, "enter", ("new", 0)), (2, "leave", ("new", 0))), 9, CALLS, Costs(), exact=True)
    assert "calls that the first run had not" in found.notes[0]


OPERATIONS = [
    (20, "begin", INNER), (24, "end", INNER), (25, "begin", B), (26, "end", B), (27, "begin", INNER),
    (28, "end", INNER), (30, "begin", A), (39, "end", A), (40, "begin", ROOT), (41, "end", ROOT),
]  # fmt: skip


def test_own_backward_is_the_sum_of_operations() -> None:
    """Of those that no layer inside the call has."""
    assert told(log_of(*OPERATIONS))["own"] == {"(root)": 1, "a": 9, "b": 1, "b.inner": 5}


def test_total_backward_has_all_layers_inside() -> None:
    """Own times added up the tree."""
    assert told(log_of(*OPERATIONS))["total"] == {"(root)": 16, "a": 9, "b": 6, "b.inner": 5}


def test_a_backward_spans_from_its_first_operation_to_its_last() -> None:
    """Other operations may lie between."""
    found = told(log_of(*OPERATIONS))["backward"]
    assert (found["b.inner"], found["b"], found["(root)"]) == ([20, 28], [20, 28], [20, 41])


def test_hooks_are_taken_off_each_operation() -> None:
    """And nothing goes below zero."""
    found = told(log_of(*OPERATIONS), costs=Costs(backward=2))["own"]
    assert found == {"(root)": 0, "a": 7, "b": 0, "b.inner": 2}


def test_an_operation_inside_another_is_not_counted_twice() -> None:
    """A checkpoint goes backward within its own operation."""
    found = told(log_of((1, "begin", ROOT), (2, "begin", A), (5, "end", A), (9, "end", ROOT)))["own"]
    assert found == {"(root)": 5, "a": 3, "b": NONE, "b.inner": NONE}


def test_recomputing_is_of_the_layer_that_is_recomputed() -> None:
    """It is in the backward pass, and a note says so."""
    lines = [(1, "begin", ROOT), (2, "again enter", ("a", -1)), (6, "again leave", ("a", -1)), (9, "end", ROOT)]
    log = log_of(*lines)
    assert told(log)["own"]["a"] == 4
    assert "checkpoints" in tally(log, 9, CALLS, Costs(), exact=True).notes[0]


def test_what_is_in_no_call_belongs_to_none() -> None:
    """As what a loss does."""
    assert set(told(log_of((1, "begin", None), (5, "end", None)))["own"].values()) == {NONE}


# Where only the gradients of inputs and outputs are seen:

SEEN = [(20, "begin", B), (20, "begin", INNER), (24, "end", INNER), (30, "begin", A)]


def test_a_backward_lasts_until_the_next_begins() -> None:
    """Where nobody said that it ended."""
    found = told(log_of(*SEEN, backward=39), exact=False)["backward"]
    assert (found["b"], found["b.inner"], found["a"]) == ([20, 30], [20, 24], [30, 39])


def test_own_is_what_lies_outside_of_those_inside() -> None:
    """Of b the time after the layer inside it has ended."""
    assert told(log_of(*SEEN, backward=39), exact=False)["own"] == {"(root)": 0, "a": 9, "b": 6, "b.inner": 4}


def test_the_last_one_ends_with_the_gradients_of_its_parameters() -> None:
    """Not with the backward pass, where those are seen."""
    found = told(log_of(*SEEN, (33, "end", None), backward=39), exact=False)["backward"]
    assert found["a"] == [30, 33]


@pytest.mark.parametrize("exact", [True, False])
def test_a_step_without_a_backward_has_none(exact: bool) -> None:
    """And does not raise."""
    found = tally(log_of(*FORWARD), 12, CALLS, Costs(), exact=exact)
    assert isinstance(found, Tally)
    assert (found.own == NONE).all()


def test_the_ends_of_phases_are_kept_in_their_order() -> None:
    """Those that were not there are -1."""
    found = tally(log_of(forward=3, backward=8), 9, CALLS, Costs(), exact=True)
    assert found.step.tolist() == [3, NONE, 8, NONE]
