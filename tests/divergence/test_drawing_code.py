"""Where something diverged in training mode, layers that may draw random numbers are named by their code."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.divergence.worlds import World
from tracer.divergence.diagnosis import diagnose
from tracer.divergence.drawing_code import drawing_calls
from tracer.trace.schema import ROOT, Source

CODE = """\
class Noise(nn.Module):
    def __init__(self):
        self.scale = torch.randn(3)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        return self.dropout(x) + self.scale{}
"""
X = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)


def written(folder, more):
    file = folder / "net.py"
    file.write_text(CODE.format(more))
    return Source(str(file), 1, "class Noise(nn.Module):")


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("torch.randn_like(x)", "randn_like"),
        ("F.gumbel_softmax(x)", "gumbel_softmax"),
        ("x.new_empty(3).bernoulli_(0.5)", "bernoulli_"),
    ],
)
def test_what_the_code_of_a_class_draws_with_is_told(tmp_path, code, name):
    """By the names of the functions; what makes parameters and what other layers do does not count."""
    assert drawing_calls(written(tmp_path, f" + {code}"), "Noise") == (name,)


def test_code_that_draws_nothing_is_told_from_code_that_cannot_be_read(tmp_path):
    """No names, and None."""
    source = written(tmp_path, "")
    assert drawing_calls(source, "Noise") == ()
    others = [None, replace(source, line=2), replace(source, file="gone.py"), replace(source, file="/dev/zero")]
    assert [drawing_calls(other, "Noise") for other in others] == [None] * 4


def trace(framework, seed, source=None, *, training=True):
    world = World(framework)
    noise = np.random.default_rng(seed).normal(size=X.shape).astype(np.float32)

    def net(x):
        return world.call("n", "Noise", lambda t: t.array + noise, x, training=training)

    world.call(ROOT, "Net", net, X)
    world.layers["n"] = replace(world.layers["n"], source=source)
    return world.trace()


def said(source, *, seed=2, training=True):
    sides = trace("torch", 1, source, training=training), trace("mindspore", seed, source, training=training)
    return [note for note in diagnose(*sides).notes if "draw" in note]


def test_a_layer_that_may_have_drawn_is_named_with_what_to_do(tmp_path):
    """On each side, and the advice once."""
    notes = said(written(tmp_path, " + torch.randn_like(x)"))
    assert notes[0].endswith("of their own in the reference: n (Noise: randn_like)")
    assert "compare in evaluation mode, or give the net its noise as an input" in notes[-1]
    assert len(notes) == 3


def test_an_origin_whose_code_cannot_be_read_may_have_drawn():
    """It is said that nobody could look."""
    assert said(None)[0].endswith("n (Noise, whose code could not be read)")


def test_nothing_is_said_of_layers_that_cannot_be_to_blame(tmp_path):
    """Their code draws nothing, the net is in evaluation mode, or nothing diverged."""
    drawing = written(tmp_path, " + torch.randn_like(x)")
    assert said(drawing, training=False) == said(drawing, seed=1) == []
    quiet = tmp_path / "quiet"
    quiet.mkdir()
    assert said(written(quiet, "")) == []
