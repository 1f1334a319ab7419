"""Where NaN and Inf leave nothing to judge, agreement is not claimed."""

from __future__ import annotations

import numpy as np

from tests.divergence.nets import Twist, gelu_tanh, transformer, weights
from tests.divergence.test_diagnosis import X
from tests.divergence.worlds import World
from tracer.divergence.diagnosis import diagnose
from tracer.trace.schema import ROOT


def spoilt(share):
    """A tanh GELU of which the first share of the elements are NaN; a row of which spoils what it goes through."""

    def act(array):
        out = gelu_tanh(array)
        out[: int(share * len(out))] = np.nan
        return out

    return act


def diff(share):
    sides = [Twist(framework=name, act=spoilt(share), only_block=1) for name in ("torch", "mindspore")]
    return diagnose(*(transformer(side, weights(), X).trace() for side in sides))


def test_two_nets_that_give_nothing_but_nan_do_not_agree():
    """Nothing could be judged, which the reason says."""
    found = diff(1)
    assert (found.verdict, found.origins) == ("unsure", ())
    assert found.reason == "all outputs are NaN or Inf on both sides: nothing could be judged"


def test_the_first_call_without_a_finite_number_is_named():
    """The layer that made the NaN, on both sides."""
    said = "the first output without a finite number is that of blocks.1.act of the reference and blocks.1.act of the"
    assert any(note.startswith(said) for note in diff(1).notes)


def test_nan_in_a_part_of_the_output_is_counted_in_a_note():
    """The rest agrees."""
    found = diff(0.5)
    assert found.verdict == "agree"
    assert any(note.startswith("20 of 40 elements of (root) are NaN or Inf on both sides") for note in found.notes)


def test_finite_numbers_need_no_note():
    """Nothing is said of NaN where there is none."""
    assert not any("NaN" in note for note in diff(0).notes)


def attention(framework, fill, scale=1.0):
    """A layer that is given scores and a mask that code made."""
    world = World(framework)
    mask = np.where(np.triu(np.ones((4, 4)), 1) > 0, fill, 0).astype(np.float32)

    def net(x):
        def attend(scores, hidden):
            made = np.exp(scale * scores.array + hidden.array)
            return (made / made.sum(-1, keepdims=True)).astype(np.float32)

        return world.call("attend", "Attend", attend, x, mask)

    world.call(ROOT, "Net", net, X[0] @ X[0].T)
    return world.trace()


def test_a_mask_in_other_numbers_is_a_note():
    """-inf on one side, -1e9 on the other, at the same places."""
    found = diagnose(attention("torch", -np.inf), attention("mindspore", -1e9))
    assert found.verdict == "agree"
    assert "a mask is -inf in the reference and -1e+09 in the candidate at attend: counted as equal" in found.notes


def test_a_mask_in_other_numbers_hides_no_fault():
    """The layer that is given it computes otherwise, and is named."""
    found = diagnose(attention("torch", -np.inf), attention("mindspore", -1e9, scale=0.5))
    assert (found.verdict, found.origin.place, found.origin.reference.path) == ("diverged", "layer", "attend")
