"""Rows come back from JSON as they were, and JSON that says something else is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.trace.rows import Malformed, decode, decode_row, encode
from tracer.trace.schema import (
    End,
    Entered,
    Gradient,
    Layer,
    Maker,
    Parameter,
    ParameterGradient,
    Returned,
    Source,
    Statistics,
    Value,
)

texts = st.text(st.characters(), max_size=8)
floats = st.floats(allow_nan=False)
literals = st.one_of(st.none(), st.booleans(), st.integers(), floats, texts)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), floats, texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
counts = st.integers(0, 2**40)
statistics = st.builds(
    Statistics, counts, counts, counts, floats, floats, floats, floats, st.lists(floats, max_size=4).map(tuple)
)
values = st.builds(
    Value,
    leaf=texts,
    kind=st.sampled_from(["tensor", "none", "scalar", "other"]),
    shape=st.lists(counts, max_size=4).map(tuple),
    dtype=texts,
    literal=literals,
    maker=st.none() | st.builds(Maker, counts, st.sampled_from(["input", "output"]), texts),
    changed=st.booleans(),
    statistics=st.none() | statistics,
    digest=st.none() | texts,
    stored=st.none() | texts,
)
many = st.lists(values, max_size=3).map(tuple)
sources = st.none() | st.builds(Source, texts, counts, st.none() | texts)
rows = st.one_of(
    st.builds(
        Entered, counts, counts, texts, counts, st.none() | counts, many, many, st.none() | st.booleans(), sources
    ),
    st.builds(Returned, counts, counts, many, st.none() | floats, st.none() | texts),
    st.builds(Gradient, counts, counts, st.sampled_from(["grad_input", "grad_output"]), values),
    st.builds(ParameterGradient, counts, texts, texts, values),
    st.builds(End, st.booleans(), st.none() | texts, st.none() | texts, st.dictionaries(texts, texts, max_size=3)),
)


def exact(thing: object) -> str:
    """Types included: 1, 1.0 and True are three things."""
    return repr(thing)


@settings(max_examples=150, deadline=None)
@given(rows)
def test_rows_come_back(row):
    """Any row is the same after a trip through JSON, strange texts and infinities included."""
    text = encode(row)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert "\0" not in text
    assert exact(decode_row(text.encode())) == exact(row)


@settings(max_examples=100, deadline=None)
@given(texts, st.dictionaries(texts, plain, max_size=4))
def test_settings_come_back(path, given_settings):
    """Settings of a layer are plain values of any nesting; keys that look like our own marks too."""
    layer = Layer(path, "Linear", settings={**given_settings, "$float": "nan", "$$": {"$float": 1}})
    assert exact(decode(Layer, encode(layer))) == exact(layer)


def test_nan_is_kept():
    """NaN in a sample or in settings is NaN again."""
    layer = Layer(
        "a",
        "K",
        settings={"x": [math.nan]},
        parameters=(Parameter("w", (), "f", statistics=Statistics(1, sample=(math.nan,))),),
    )
    back = decode(Layer, encode(layer))
    assert math.isnan(back.settings["x"][0])
    assert math.isnan(back.parameters[0].statistics.sample[0])


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        ((1, 2), [1, 2]),
        (object(), "object"),
        pytest.param(10**5000, None, id="huge"),
    ],
)
def test_what_is_not_plain_is_made_plain(given_value, kept):
    """numpy scalars become numbers, tuples lists, other objects the name of their class."""
    back = decode(Layer, encode(Layer("a", "K", settings={"x": given_value}))).settings["x"]
    assert back == kept or kept is None


def test_endless_nesting_is_cut():
    """Settings that contain themselves do not keep the trace from being written."""
    knot: list = []
    knot.append(knot)
    assert decode(Layer, encode(Layer("a", "K", settings={"x": knot})))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nonsense",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"row": "nothing"}',
        '{"row": []}',
        '{"row": "entered"}',
        '{"row": "returned", "step": "0", "order": 0}',
        '{"row": "returned", "step": true, "order": 0}',
        '{"row": "returned", "step": 0.5, "order": 0}',
        '{"row": "returned", "step": 99999999999999999999999, "order": 0}',
        f'{{"row": "returned", "step": {"9" * 5000}, "order": 0}}',
        '{"row": "returned", "step": 0, "order": 0, "outputs": 3}',
        '{"row": "returned", "step": 0, "order": 0, "outputs": [{"leaf": "", "kind": "wonder"}]}',
        '{"row": "returned", "step": 0, "order": 0, "outputs": [{"leaf": "", "kind": "tensor", "shape": "12"}]}',
        '{"row": "returned", "step": 0, "order": 0, "seconds": "fast"}',
        '{"row": "returned", "step": 0, "order": 0, "seconds": {"$float": "much"}}',
        '{"row": "end", "silent": []}',
        b"\xff\xfe\x00",
    ],
)
def test_other_json_is_refused(text):
    """JSON that is no row is an error of ours, and never one of another kind."""
    with pytest.raises(Malformed):
        decode_row(text)


def test_unknown_fields_are_passed_over():
    """A later version may add fields."""
    assert decode_row('{"row": "returned", "step": 0, "order": 1, "colour": "red"}') == Returned(0, 1)
