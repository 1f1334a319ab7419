"""A layer that is run on the same numbers in another shape: that is a layout, and what is wrong elsewhere is found."""

from __future__ import annotations

import numpy as np
import pytest

from tests.divergence.worlds import Tensor, World
from tracer.divergence.diagnosis import Diagnosis, diagnose
from tracer.divergence.metrics import REORDERED, fitting, layouts
from tracer.trace.schema import ROOT

N, T, C = 3, 20, 8
RNG = np.random.default_rng(3)
X = RNG.normal(size=(N, T, 4)).astype(np.float32)
IN, HIDDEN, LAST = (RNG.normal(size=shape).astype(np.float32) for shape in ((C, 4), (C, C), (5, C)))
MEAN, VARIANCE = RNG.normal(size=C).astype(np.float32), RNG.uniform(0.2, 2, C).astype(np.float32)

TO_NORM = {
    "": lambda h: h.swapaxes(1, 2),
    "flat": lambda h: h.reshape(N * T, C),
    "size 1": lambda h: h.swapaxes(1, 2)[:, :, None],
    "windows": lambda h: h.reshape(N, 4, 5, C).transpose(1, 3, 0, 2).reshape(4 * C, N * 5),
    "no transpose": lambda h: h.swapaxes(1, 2).reshape(N * T, C),
}
FROM_NORM = {
    "": lambda h: h.swapaxes(1, 2),
    "flat": lambda h: h.reshape(N, T, C),
    "size 1": lambda h: h[:, :, 0].swapaxes(1, 2),
    "windows": lambda h: h.reshape(4, C, N, 5).transpose(2, 0, 3, 1).reshape(N, T, C),
    "no transpose": lambda h: h.reshape(N, C, T).swapaxes(1, 2),
}
"""Channels last -> what the norm is given, and back."""


def channels(how: str, per_channel: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Numbers of each channel in the shape that the norm works in."""
    whole = TO_NORM["flat" if how == "no transpose" else how](np.broadcast_to(per_channel, (N, T, C)))
    return whole.reshape(like.shape)


def net(
    how: str = "",
    *,
    eps: float = 1e-5,
    scale: float = 1.0,
    double: bool = False,
    residual: bool = False,
    noise: np.ndarray | None = None,
    keep: str = "values",
) -> World:
    """Linear, a norm in the layout `how`, Linear, Linear. `scale` is a fault after the norm, `double` one before it;
    `residual` adds a second Linear before it, `noise` stands there instead."""
    world = World(keep=keep)

    def linear(path, w):
        return lambda x: world.call(path, "Linear", lambda t: t.array @ w.T, x, parameters={"weight": w})

    def norm(t):
        mean, variance = channels(how, MEAN, t.array), channels(how, VARIANCE, t.array)
        return ((t.array - mean) / np.sqrt(variance + np.float32(eps))).astype(np.float32)

    def forward(x):
        h = linear("a", IN)(x).array * np.float32(2 if double else 1)
        more = linear("a2", 2 * IN[::-1])(x).array
        h = h + more if residual else h
        h = h if noise is None else noise
        given = {"running_mean": MEAN, "running_var": VARIANCE}
        h = world.call(
            "n", "Norm", norm, Tensor(np.ascontiguousarray(TO_NORM[how](h))), parameters=given, settings={"eps": eps}
        )
        h = linear("b", HIDDEN)(Tensor(np.ascontiguousarray(FROM_NORM[how](h.array))))
        return Tensor(linear("c", LAST)(h).array * np.float32(scale))

    world.call(ROOT, "Net", forward, X)
    return world


def diff(candidate: World, reference: World | None = None, **more) -> Diagnosis:
    return diagnose((reference or net()).trace(), candidate.trace(), **more)


HARMLESS = ["flat", "size 1", "windows"]


@pytest.mark.parametrize("how", HARMLESS)
@pytest.mark.parametrize("keep", ["values", "statistics"])
@pytest.mark.parametrize("every", [False, True])
def test_a_layer_run_in_another_layout_agrees(how, keep, every):
    """Nothing is wrong: no number differs."""
    assert diff(net(how, keep=keep), net(keep=keep), every=every).verdict == "agree"


@pytest.mark.parametrize("how", HARMLESS)
@pytest.mark.parametrize("keep", ["values", "statistics"])
def test_a_fault_after_another_layout_is_found_where_it_is(how, keep):
    """The layout is not taken for the origin: it is what the last layer's output is made into."""
    found = diff(net(how, scale=1.5, keep=keep), net(keep=keep))
    assert [(o.place, o.reference.path, o.point.side) for o in found.origins] == [("between", ROOT, "out")]


@pytest.mark.parametrize("how", HARMLESS)
def test_a_fault_before_another_layout_is_found_where_it_is(how):
    """What the norm is given is twice the reference's, seen through the layout it is given it in; windows say no
    number, but are no second origin."""
    found = diff(net(how, double=True))
    assert [(o.place, o.point.reference.path, o.point.side) for o in found.origins] == [("between", "n", "in")]


@pytest.mark.parametrize("how", ["flat", "size 1"])
@pytest.mark.parametrize("eps", [1e-2, 1.0, 100.0])
def test_a_fault_in_a_layer_with_another_layout_has_its_number(how, eps):
    """However large the difference is, it is told as one, with the setting that made it."""
    origin = diff(net(how, eps=eps)).origin
    assert (origin.place, origin.reference.path) == ("layer", "n")
    assert origin.difference.problem == ""
    assert origin.difference.relative_l2 > 1e-3
    assert [c.name for c in origin.causes if c.kind == "setting"] == ["eps"]


@pytest.mark.parametrize("how", ["", "flat", "size 1"])
def test_a_lost_residual_before_another_layout_is_said_so(how):
    """Less than half of the numbers is what it should be, in other axes: still a number, and the summand."""
    origin = diff(net(how), net(residual=True)).origin
    assert (origin.place, origin.reference.path, origin.point.side) == ("between", ROOT, "in")
    assert origin.difference.problem == ""
    assert [c.name for c in origin.causes] == ["residual"]


def test_another_thing_handed_in_has_its_number_by_the_layout_of_the_other_side():
    """What the norm is given has nothing to do with what it should be, so shows no layout; what it gives does, by the
    numbers of each channel."""
    noise = np.random.default_rng(2).normal(size=(N, T, C)).astype(np.float32)
    origin = diff(net("flat", noise=noise)).origin
    assert (origin.place, origin.point.reference.path, origin.point.side) == ("between", "n", "in")
    assert origin.difference.problem == ""


def test_every_row_of_another_layout_agrees():
    """With all pairs judged, the norm in its layout is not said to carry on what nothing before it has."""
    found = diff(net("flat", scale=1.5), every=True)
    assert {row.reference.path: row.state for row in found.rows if row.reference.path != ROOT} == dict.fromkeys(
        ["a", "a2", "n", "b", "c"], "agrees"
    )


def test_reshaping_without_transposing_is_wrong_code_before_the_layer():
    """The numbers agree in order, but their channels are others: the layer itself is not blamed."""
    origin = diff(net("no transpose")).origin
    assert (origin.place, origin.reference.path, origin.point.side) == ("between", ROOT, "in")
    assert [c.kind for c in origin.causes] == ["layout"]


def test_layouts_cost_no_more_reading():
    """A fault far behind another layout is found with the arrays of few pairs."""
    reference, candidate = net().trace(), net("flat", scale=1.5).trace()
    diagnose(reference, candidate)
    assert len(set(candidate.read)) <= 6


@pytest.mark.parametrize(
    ("reference", "candidate", "axes"),
    [((3, 8, 20), (60, 8), (0, 2, 1)), ((2, 3, 4, 5), (40, 3), (0, 2, 3, 1)), ((4, 1, 6, 5), (5, 24), (2, 0, 1))],
)
@pytest.mark.parametrize("turned_round", [False, True])
def test_permuted_and_flattened_axes_are_recognised(reference, candidate, axes, turned_round):
    """Either side may be the flattened one, and an error does not hide it."""
    r = np.random.default_rng(0).normal(size=reference).astype(np.float32)
    c = np.transpose(r.squeeze() if 1 in reference else r, axes).reshape(candidate) * 3 + 0.1
    a, b = (c, r) if turned_round else (r, c)
    layout, sure = fitting(a, b)[0]
    assert sure
    assert np.corrcoef(a.ravel(), layout.apply(b, a.shape).ravel())[0, 1] > 0.999


def test_unrelated_numbers_have_no_sure_layout():
    """Of two arrays that have nothing in common none is said to fit."""
    rng = np.random.default_rng(0)
    assert not any(sure for _, sure in fitting(rng.normal(size=(3, 8, 20)), rng.normal(size=(60, 8))))


def test_joining_in_order_comes_first():
    """A plain reshape is likelier than a permutation."""
    assert next(layouts((6, 4), (2, 3, 4))).name == "reshaped"


def test_the_same_numbers_in_an_order_that_no_axes_tell_are_known():
    """Windows are cut out of an axis, which no permutation of recorded axes undoes."""
    found = diff(net("windows"), every=True)
    assert [row.difference.layout for row in found.rows if row.reference.path == "n"] == [REORDERED]


@pytest.mark.parametrize("width", [4, 8])
def test_results_in_each_other_s_place_are_said_so(width):
    """A tuple whose parts were swapped, of other shapes or of one."""
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=(n, 4)).astype(np.float32) for n in (8, width)]

    def pair(swapped):
        world = World()

        def forward(x):
            parts = [
                world.call(path, "Linear", lambda t, w=w: t.array @ w.T, x, parameters={"weight": w})
                for path, w in zip("ab", weights, strict=True)
            ]
            return tuple(parts[::-1] if swapped else parts)

        world.call(ROOT, "Net", forward, X)
        return world

    origin = diff(pair(True), pair(False)).origin
    assert (origin.reference.path, origin.causes[0].kind, origin.causes[0].name) == (ROOT, "code", "order")
    assert origin.causes[0].sentence == "output[0] is the reference's output[1], output[1] is the reference's output[0]"


def test_arguments_in_each_other_s_place_are_said_so():
    """A call that is given its two arguments the wrong way round."""

    def attention(swapped):
        world = World()

        def forward(x):
            a, b = Tensor(np.sin(x.array)), Tensor(np.cos(x.array))
            given = (b, a) if swapped else (a, b)
            return world.call("mix", "Mix", lambda q, k: q.array - 2 * k.array, *given)

        world.call(ROOT, "Net", forward, X)
        return world

    causes = diff(attention(True), attention(False)).origin.causes
    assert causes[0].sentence == "input[0] is the reference's input[1], input[1] is the reference's input[0]"
