"""Complex numbers between layers: what code made of them is said as it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import tracer

X = np.random.default_rng(3).normal(size=(4, 8)).astype(np.float32)


class Spectrum(torch.nn.Module):
    """A transform whose result goes on changed, through a layer that only hands it on."""

    def __init__(self, change):
        super().__init__()
        torch.manual_seed(0)
        self.first = torch.nn.Linear(8, 8)
        self.passed = torch.nn.Identity()
        self.last = torch.nn.Linear(8, 8)
        self.change = (change,)

    def forward(self, x):
        spectrum = self.passed(self.change[0](torch.fft.fft(self.first(x))))
        return self.last(spectrum.real + spectrum.imag)


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (lambda s: s * 1j, "scale", "0+1j times"),
        (lambda s: s * 2, "scale", "2 times"),
        (lambda s: s.conj().resolve_conj(), "conj", "conjugate"),
        (lambda s: s.flip(-1), "order", "another order"),
        (lambda s: s + (3 - 1j), "shift", "plus 3-1j"),
    ],
)
def test_what_is_done_to_complex_numbers_is_told(tmp_path, change, name, said):
    """A factor that turns, a conjugate, a shift and another order are told apart; nothing is cast to real numbers."""
    traces = [
        tracer.record(Spectrum(what), X, out=tmp_path / f"{side}.h5", backward=False)
        for side, what in (("left", lambda s: s), ("right", change))
    ]
    causes = tracer.diff(*traces).to_dict()["origin"]["causes"]
    assert [(c["kind"], c["name"]) for c in causes] == [("code", name)]
    assert said in causes[0]["sentence"]
