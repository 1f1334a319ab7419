"""What the verbs are given in Python and cannot use: told in three beats, never a library's own error."""

import numpy as np
import pytest

import tracer
from tracer.errors import TracerError


class Net:
    """Stands for any object that is no trace."""


def refused(call) -> TracerError:
    """The error of a call; it has all three beats."""
    with pytest.raises(TracerError) as caught:
        call()
    error = caught.value
    assert error.what
    assert error.where
    assert error.then
    return error


@pytest.mark.parametrize("tolerance", [1e-3, "1e-3", {"rtol": 1e-3}], ids=repr)
def test_a_tolerance_says_of_what(pair, tolerance):
    """A bare number could be relative or absolute."""
    error = refused(lambda: tracer.diff(pair.reference, pair.clean, tolerance=tolerance))
    assert "Tolerance(rtol=" in error.then


@pytest.mark.parametrize("bound", ["1e-3", -1, -1e-9, float("nan"), True, [1e-3]], ids=repr)
def test_a_bound_is_a_number_from_0_on(bound):
    """What no difference can be held against is refused where it is written."""
    assert repr(bound) in refused(lambda: tracer.Tolerance(rtol=bound)).where
    refused(lambda: tracer.Tolerance(atol=bound))


def test_a_bound_may_be_of_any_kind_of_real_number():
    """Integers and numpy's numbers too."""
    assert tracer.Tolerance(rtol=0, atol=np.float32(0.5)).accepts(0.25)


@pytest.mark.parametrize(
    "pins", ["fc1=fc1", ["fc1=fc1"], [("fc1", "fc1")], {"fc1": "fc1"}, [["fc1", "fc1"]], ("fc1=fc1", ("act", "act"))]
)
def test_pins_come_in_many_forms(pair, pins):
    """As on the command line, as pairs, as a mapping."""
    report = tracer.diff(pair.reference, pair.clean, pins=pins)
    assert [p.reason for p in report.alignment.pairs if p.reference.path == "fc1"] == ["pinned"]


@pytest.mark.parametrize("pins", [["fc1"], "fc1=", [("fc1",)], [("fc1", "act", "fc2")], [3], 3, None, {"fc1": 3}])
def test_a_pin_names_two_paths(pair, pins):
    """Anything else is refused, with how it is written."""
    assert "candidate.path" in refused(lambda: tracer.diff(pair.reference, pair.clean, pins=pins)).then


@pytest.mark.parametrize("given", [None, Net(), 3, b"pt.h5", ("pt.h5", "ms.h5")], ids=lambda g: type(g).__name__)
def test_a_diff_is_of_traces(pair, given):
    """A net, say, has to be recorded first; which of both sides it was is said."""
    assert "reference" in refused(lambda: tracer.diff(given, pair.clean)).what
    error = refused(lambda: tracer.diff(pair.reference, given))
    assert "candidate" in error.what
    assert "tracer.record(" in error.then


@pytest.mark.parametrize("option", [{"only": None}, {"only": [3]}, {"rules": None}, {"rules": [{"kind": "Linear"}]}])
def test_filters_and_rules_are_what_they_are(pair, option):
    """None is no glob, and a dict no rule."""
    refused(lambda: tracer.diff(pair.reference, pair.clean, **option))


@pytest.mark.parametrize("out", [None, 3, b"pt.h5"], ids=repr)
def test_a_trace_needs_a_file(out):
    """Said before the net is touched."""
    assert 'out="pt.h5"' in refused(lambda: tracer.record(Net(), 1, out=out)).then
    refused(lambda: tracer.recording(Net(), out=out))


def test_a_glob_that_matches_nothing_names_the_nearest(tracer, pair):
    """A slip of the keyboard is no verdict."""
    done = tracer("diff", pair.reference, pair.clean, "--only", "fc1", "--only", "atc")
    assert done.stdout == ""
    assert "where: atc" in done.stderr
    assert "act" in done.stderr.splitlines()[-1]
    assert done.code == 2
