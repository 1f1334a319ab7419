"""Inputs drawn from a description: the same everywhere, within bounds, and refused with what to write instead."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

import tracer
from tracer.errors import RuleError, StartingPointError
from tracer.starting_point.samples.drawing import draw
from tracer.starting_point.samples.wanted import DTYPES, INTEGERS, Wanted, parse_input


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8x3x224x224:float32", Wanted(None, (8, 3, 224, 224), "float32")),
        ("8:int64<1000", Wanted(None, (8,), "int64", 0, 1000)),
        ("8:int64<=999", Wanted(None, (8,), "int64", 0, 1000)),
        ("8:5<=int64<10", Wanted(None, (8,), "int64", 5, 10)),
        ("8:-5<=int8<0", Wanted(None, (8,), "int8", -5, 0)),
        ("ids=2x16:int64<30522", Wanted("ids", (2, 16), "int64", 0, 30522)),
        (" mask = 2 x 16 : bool ", Wanted("mask", (2, 16), "bool")),
        ("scalar:float32", Wanted(None, (), "float32")),
        ("2,3:torch.float16", Wanted(None, (2, 3), "float16")),
        ("(2, 3):bf16", Wanted(None, (2, 3), "bfloat16")),
        ("0x4:float64", Wanted(None, (0, 4), "float64")),
    ],
)
def test_a_text_is_read(text: str, expected: Wanted) -> None:
    """Shape, dtype, bounds and name are taken from it, spaces or not."""
    assert parse_input(text) == expected


@pytest.mark.parametrize(
    "text", ["8x3:float32", "8:int64<1000", "8:5<=int64<10", "ids=2x16:int64<30522", "scalar:bool"]
)
def test_what_was_read_reads_as_it_was_written(text: str) -> None:
    """Its text is one that gives the same again."""
    assert str(parse_input(text)) == text


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("", "SHAPE:DTYPE"),
        ("8", "8:float32"),
        ("8x3", "8x3:float32"),
        ("float32", "SHAPE:DTYPE"),
        ("8:float23", "float32"),
        ("8:itn64<5", "int64"),
        ("8:string", "float16"),
        ("8:int64", "int64<1000"),
        ("8:int64<", "int64<1000"),
        ("8:int64<1e3", "int64<1000"),
        ("8:float32<3", "leave the bound out"),
        ("8:bool<2", "leave the bound out"),
        ("8:int64<0", "a bound above"),
        ("8:9<=int64<9", "a bound above"),
        ("8:int8<1000", "wider dtype"),
        ("8:-1<=uint8<5", "wider dtype"),
        ("x:float32", "8x3x224x224"),
        ("8x:float32", "8x3x224x224"),
        ("8x-3:float32", "8x3x224x224"),
        (":float32", "8x3x224x224"),
        ("8.5:float32", "8x3x224x224"),
        ("1" + "x1" * 40 + ":float32", "8x3x224x224"),
        ("2d=8:float32", "name=SHAPE"),
        ("ids=8", "8:float32"),
        ("²:float32", "8x3x224x224"),
    ],
)
def test_a_misspelt_text_is_refused_with_what_to_write(text: str, help: str) -> None:
    """The error says what is wrong, repeats the text, and gives an example that holds."""
    with pytest.raises(StartingPointError) as refused:
        parse_input(text)
    assert help in refused.value.then
    assert text[:60] in refused.value.where or not text


@pytest.mark.parametrize("given", [None, 3, 2.5, b"8:float32", object(), ["8:float32", 3, 4]])
def test_what_is_no_text_is_refused(given: object) -> None:
    """No other value is taken for a description."""
    with pytest.raises(StartingPointError):
        tracer.inputs(given)


def test_one_input_of_shape_and_dtype() -> None:
    """A shape and a dtype are one positional argument."""
    (x,) = tracer.inputs((2, 3), "float32")
    assert (x.shape, x.dtype) == ((2, 3), np.float32)


def test_a_dtype_may_be_any_frameworks() -> None:
    """numpy's types and dtypes are taken; so is what only has a name."""
    for dtype in (np.float32, np.dtype("float32")):
        assert tracer.inputs((2,), dtype)[0].dtype == np.float32


def test_several_texts_are_positional_arguments() -> None:
    """Their order is that of the arguments."""
    images, labels = tracer.inputs("8x3x4x4:float32", "8:int64<1000")
    assert images.shape == (8, 3, 4, 4)
    assert labels.dtype == np.int64


def test_names_make_keyword_arguments() -> None:
    """Texts with names, and a mapping, give the same dict."""
    texts = tracer.inputs("ids=2x16:int64<30522", "mask=2x16:int64<2")
    mapping = tracer.inputs({"ids": "2x16:int64<30522", "mask": ((2, 16), "int64<2")})
    assert isinstance(texts, dict) and isinstance(mapping, Mapping)
    assert all(np.array_equal(texts[name], mapping[name]) for name in ("ids", "mask"))


def test_pairs_of_shape_and_dtype_are_several() -> None:
    """Each pair is an argument."""
    one, other = tracer.inputs(((2, 3), "float32"), ((2,), "int64<5"))
    assert (one.shape, other.shape) == ((2, 3), (2,))


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("8:bool", "x=8:bool"),
        ("x=8:bool", "x=8:bool"),
        ({"x": "y=8:bool"},),
        ({"a b": "8:bool"},),
        ((2, 3),),
        ((2, 3), (4,)),
    ],
)
def test_descriptions_that_do_not_go_together_are_refused(given: tuple[object, ...]) -> None:
    """None at all, some with names and some without, one name twice, a shape without dtype."""
    with pytest.raises(StartingPointError) as refused:
        tracer.inputs(*given)
    assert refused.value.then


def test_samples_are_a_list_of_different_ones() -> None:
    """Each sample has numbers of its own; the first is what comes without `samples=`."""
    several = tracer.inputs("64:float32", samples=3)
    assert len({one[0].tobytes() for one in several}) == 3
    assert np.array_equal(several[0][0], tracer.inputs("64:float32")[0])


@pytest.mark.parametrize("options", [{"samples": 0}, {"samples": 1.5}, {"seed": -1}, {"seed": "1"}, {"samples": True}])
def test_options_that_say_nothing_are_refused(options: dict[str, object]) -> None:
    """A seed and a number of samples are whole numbers."""
    with pytest.raises(RuleError, match="whole number"):
        tracer.inputs("8:float32", **options)


def test_arguments_of_one_shape_have_different_numbers() -> None:
    """Two inputs of a net are not the same array."""
    one, other = tracer.inputs("64:float32", "64:float32")
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("1000:float64", "cb97741d8864c3e1"),
        ("1000:float32", "fe179e509cbc3bc5"),
        ("1000:bfloat16", "d4ce1fadbab6ec0d"),
        ("1000:int64<30522", "194bad2dc412c733"),
        ("1000:bool", "7657cd6e646be93c"),
    ],
)
def test_the_numbers_are_these_for_ever(text: str, digest: str) -> None:
    """Every process, machine and version draws these very bits; changing them would part traces that belong together."""
    (array,) = tracer.inputs(text, seed=1)
    assert hashlib.sha256(array.tobytes()).hexdigest()[:16] == digest


def test_a_long_array_begins_as_a_short_one_does() -> None:
    """That it is drawn in blocks does not show."""
    short, long = tracer.inputs("1000:float32")[0], tracer.inputs("600000:float32")[0]
    assert np.array_equal(long[:1000], short)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_floats_are_standard_normal(dtype: str) -> None:
    """By a test of Kolmogorov and Smirnov over 100000 of them."""
    (values,) = tracer.inputs(f"100000:{dtype}", seed=3)
    assert stats.kstest(values.astype(np.float64), "norm").pvalue > (1e-3 if dtype != "float16" else 0)
    assert abs(values.astype(np.float64).std() - 1) < 0.01


def test_complex_numbers_have_variance_one() -> None:
    """Half of it in each part."""
    (values,) = tracer.inputs("100000:complex64")
    assert abs(np.mean(np.abs(values) ** 2) - 1) < 0.02


@pytest.mark.parametrize("dtype", INTEGERS)
def test_whole_numbers_fill_their_bounds(dtype: str) -> None:
    """All of them come, evenly, and none beyond."""
    low = -3 if dtype.startswith("int") else 0
    (values,) = tracer.inputs(f"7000:{low}<={dtype}<4")
    counts = np.bincount(values.astype(np.int64) - low)
    assert len(counts) == 4 - low
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("dtype", INTEGERS)
def test_the_whole_range_of_a_dtype_can_be_asked_for(dtype: str) -> None:
    """Its least and its greatest number are bounds."""
    info = np.iinfo(dtype)
    values = draw(Wanted(None, (4000,), dtype, int(info.min), int(info.max) + 1), 0, 0)
    assert values.dtype == dtype
    middle = (int(info.min) + int(info.max)) // 2
    assert 0.4 < np.mean(values > middle) < 0.6


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_can_be_drawn_empty_and_scalar(dtype: str) -> None:
    """Shapes without elements and without axes too."""
    bound = "<5" if dtype in INTEGERS else ""
    for shape, size in (("0x3", 0), ("scalar", 1), ("1", 1)):
        assert tracer.inputs(f"{shape}:{dtype}{bound}")[0].size == size


def test_seeds_and_positions_are_independent() -> None:
    """Neighbouring seeds do not give shifted or related numbers."""
    several = [tracer.inputs("5000:float64", seed=seed)[0] for seed in range(5)]
    assert all(abs(np.corrcoef(one, other)[0, 1]) < 0.06 for one, other in pairwise(several))


def test_what_is_larger_than_memory_is_refused() -> None:
    """In words, not by a traceback of numpy's."""
    with pytest.raises(StartingPointError, match="larger than the memory"):
        tracer.inputs("9999999x9999999x99:float32")
