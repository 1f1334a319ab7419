"""Every loss by the textbook is what the frameworks compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training_losses.conftest import MindSpore
from tests.training_losses.in_mindspore import CLASSES
from tracer.divergence.training.losses.formulas import loss_terms
from tracer.divergence.training.losses.terms import reduced
from tracer.divergence.training.losses.meanings import loss_meaning
from tracer.divergence.training.losses.recipes import Recipe, made, near

torch.manual_seed(0)
X, Y = torch.randn(2, 6, 5, dtype=torch.float64)
CHANCES, WEIGHT = torch.rand(6, 5, dtype=torch.float64), torch.rand(5, dtype=torch.float64) + 0.1
BINARY = (Y > 0).double()
SIGNS = 2 * BINARY - 1
LABELS = torch.tensor([0, 4, 2, -100, 1, 1])
PIXELS, MAP = torch.randn(2, 5, 3, 4, dtype=torch.float64), torch.randint(0, 5, (2, 3, 4))

CASES = {
    "cross_entropy": ("cross_entropy", {"input": X, "target": LABELS}, {}),
    "cross_entropy weighted, smoothed": (
        "cross_entropy",
        {"input": X, "target": LABELS, "weight": WEIGHT},
        {"label_smoothing": 0.1},
    ),
    "cross_entropy ignoring": ("cross_entropy", {"input": X, "target": LABELS.clamp(0)}, {"ignore_index": 1}),
    "cross_entropy of chances": (
        "cross_entropy",
        {"input": X, "target": Y.softmax(1), "weight": WEIGHT},
        {"label_smoothing": 0.2},
    ),
    "cross_entropy of pixels": ("cross_entropy", {"input": PIXELS, "target": MAP, "weight": WEIGHT}, {}),
    "nll_loss": ("nll_loss", {"input": X.log_softmax(1), "target": LABELS, "weight": WEIGHT}, {}),
    "mse_loss": ("mse_loss", {"input": X, "target": Y}, {}),
    "l1_loss": ("l1_loss", {"input": X, "target": Y}, {}),
    "smooth_l1_loss": ("smooth_l1_loss", {"input": X, "target": Y}, {"beta": 0.3}),
    "smooth_l1_loss with beta 0": ("smooth_l1_loss", {"input": X, "target": Y}, {"beta": 0.0}),
    "huber_loss": ("huber_loss", {"input": X, "target": Y}, {"delta": 0.3}),
    "binary_cross_entropy": ("binary_cross_entropy", {"input": CHANCES, "target": BINARY, "weight": WEIGHT}, {}),
    "binary_cross_entropy_with_logits": (
        "binary_cross_entropy_with_logits",
        {"input": X, "target": BINARY, "weight": WEIGHT, "pos_weight": WEIGHT + 1},
        {},
    ),
    "kl_div": ("kl_div", {"input": X.log_softmax(1), "target": Y.softmax(1)}, {}),
    "kl_div of logarithms": ("kl_div", {"input": X.log_softmax(1), "target": Y.log_softmax(1)}, {"log_target": True}),
    "poisson_nll_loss": ("poisson_nll_loss", {"input": X, "target": 4 * CHANCES}, {"full": True}),
    "poisson_nll_loss of rates": ("poisson_nll_loss", {"input": CHANCES, "target": CHANCES}, {"log_input": False}),
    "gaussian_nll_loss": ("gaussian_nll_loss", {"input": X, "target": Y, "var": CHANCES}, {"full": True}),
    "soft_margin_loss": ("soft_margin_loss", {"input": X, "target": SIGNS}, {}),
    "hinge_embedding_loss": ("hinge_embedding_loss", {"input": X, "target": SIGNS}, {"margin": 0.7}),
    "margin_ranking_loss": ("margin_ranking_loss", {"input1": X, "input2": Y, "target": SIGNS}, {"margin": 0.5}),
    "cosine_embedding_loss": (
        "cosine_embedding_loss",
        {"input1": X, "input2": Y, "target": SIGNS[:, 0]},
        {"margin": 0.1},
    ),
    "triplet_margin_loss": ("triplet_margin_loss", {"anchor": X, "positive": Y, "negative": CHANCES}, {"swap": True}),
    "multi_margin_loss": ("multi_margin_loss", {"input": X, "target": LABELS.clamp(0), "weight": WEIGHT}, {"p": 2}),
    "multilabel_margin_loss": (
        "multilabel_margin_loss",
        {"input": X, "target": torch.tensor([[0, 3, -1, 0, 0]] * 6)},
        {},
    ),
    "multilabel_soft_margin_loss": (
        "multilabel_soft_margin_loss",
        {"input": X, "target": BINARY, "weight": WEIGHT},
        {},
    ),
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:reduction")
def test_a_formula_is_what_torch_computes(name: str, reduction: str) -> None:
    """To the rounding of float64, with each setting and reduction."""
    op, arrays, settings = CASES[name]
    terms = loss_terms(op, {key: array.numpy() for key, array in arrays.items()}, settings)
    assert terms is not None
    wanted = getattr(F, op)(**arrays, **settings, reduction=reduction).numpy()
    np.testing.assert_allclose(np.ravel(reduced(terms, reduction)), np.ravel(wanted), rtol=1e-9, atol=1e-12)


def test_batchmean_divides_by_the_batch() -> None:
    """kl_div has a reduction that no other loss has."""
    arrays = {"input": X.log_softmax(1), "target": Y.softmax(1)}
    terms = loss_terms("kl_div", {key: array.numpy() for key, array in arrays.items()}, {})
    assert terms is not None
    assert float(reduced(terms, "batchmean")) == pytest.approx(float(F.kl_div(*arrays.values(), reduction="batchmean")))


@pytest.mark.mindspore
@pytest.mark.parametrize("name", CLASSES)
def test_a_formula_is_what_mindspore_computes(name: str, mindspore: MindSpore) -> None:
    """From what a recording holds of the cell: class, settings, arguments; within rounding of float32."""
    side = mindspore.loss(name)
    means = loss_meaning(side)
    assert near(side.value, made(Recipe(means.op, means.settings), means.arrays), 1e-5)


def test_a_loss_without_formula_gives_nothing() -> None:
    """What no formula fits is not made up."""
    assert loss_terms("ctc_loss", {"input": X.numpy()}, {}) is None


def test_labels_that_are_no_class_give_nothing() -> None:
    """A label beyond the classes raises in torch; there is no number to compare."""
    assert loss_terms("cross_entropy", {"input": X.numpy(), "target": np.array([9] * 6)}, {}) is None


@given(st.integers(1, 12), st.integers(2, 9), st.floats(0, 0.9), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_the_class_axis_may_be_the_last(rows: int, classes: int, smoothing: float, seed: int) -> None:
    """(N, T, C) with labels (N, T) is one loss with (N * T, C) and N * T labels."""
    rng = np.random.default_rng(seed)
    scores, labels = rng.standard_normal((rows, 11, classes)), rng.integers(0, classes, (rows, 11))
    if classes == 11:
        return
    told = {"label_smoothing": smoothing}
    wide = loss_terms("cross_entropy", {"input": scores, "target": labels}, told)
    flat = loss_terms("cross_entropy", {"input": scores.reshape(-1, classes), "target": labels.ravel()}, told)
    assert wide is not None and flat is not None
    assert wide.total == pytest.approx(flat.total)
