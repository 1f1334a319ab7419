"""Each thing that ports of a loss get wrong is found and named, with numbers that the frameworks made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.training_losses.conftest import MindSpore
from tests.training_losses.in_torch import layer, node, unseen
from tracer.divergence.training.losses import LossFinding, LossSide, explain_loss

Arrays = dict[str, np.ndarray]


def causes(finding: LossFinding) -> dict[str, tuple]:
    """The causes by name, as (reference, candidate)."""
    assert finding.verdict == "differs"
    return {cause.name: (cause.reference, cause.candidate) for cause in finding.causes}


# --------------------------------------------------------------------------------------------------------------------
# Right ports
# --------------------------------------------------------------------------------------------------------------------

RIGHT = {
    "cross_entropy": (nn.CrossEntropyLoss(), "scores", "labels"),
    "cross_entropy_sum": (nn.CrossEntropyLoss(reduction="sum"), "scores", "labels"),
    "cross_entropy_smoothed": (nn.CrossEntropyLoss(label_smoothing=0.1), "scores", "labels"),
    "cross_entropy_ignoring": (nn.CrossEntropyLoss(ignore_index=3), "scores", "labels"),
    "softmax_cross_entropy": (nn.CrossEntropyLoss(reduction="none"), "scores", "labels"),
    "softmax_cross_entropy_one_hot": (nn.CrossEntropyLoss(), "scores", "labels"),
    "nll_loss": (nn.NLLLoss(), "log_softmax", "labels"),
    "mse_loss": (nn.MSELoss(), "numbers", "wanted"),
    "l1_loss": (nn.L1Loss(), "numbers", "wanted"),
    "smooth_l1_loss": (nn.SmoothL1Loss(reduction="none"), "numbers", "wanted"),
    "smooth_l1_loss_beta": (nn.SmoothL1Loss(beta=0.3), "numbers", "wanted"),
    "huber_loss": (nn.HuberLoss(delta=0.4), "numbers", "wanted"),
    "binary_cross_entropy": (nn.BCEWithLogitsLoss(), "numbers", "binary"),
    "binary_cross_entropy_with_logits": (nn.BCEWithLogitsLoss(), "numbers", "binary"),
    "kl_div": (nn.KLDivLoss(), "log_softmax", "spread"),
    "kl_div_batchmean": (nn.KLDivLoss(reduction="batchmean"), "log_softmax", "spread"),
    "soft_margin_loss": (nn.SoftMarginLoss(), "numbers", "signs"),
}


@pytest.mark.mindspore
@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore:reduction")
def test_a_right_port_agrees(name: str, arrays: Arrays, mindspore: MindSpore) -> None:
    """No cause is said of losses that are one."""
    loss, predictions, targets = RIGHT[name]
    found = explain_loss(layer(loss, arrays[predictions], arrays[targets]), mindspore.loss(name))
    assert (found.verdict, found.causes) == ("agree", ())


def test_a_difference_that_came_in_with_the_predictions_is_inherited(arrays: Arrays) -> None:
    """The reference's rule makes the candidate's number of the candidate's own predictions."""
    reference = layer(nn.MSELoss(), arrays["numbers"], arrays["wanted"])
    found = explain_loss(reference, layer(nn.MSELoss(), arrays["numbers"] * 1.1, arrays["wanted"]))
    assert (found.verdict, found.inherited, found.causes) == ("agree", True, ())


# --------------------------------------------------------------------------------------------------------------------
# Faults between torch and MindSpore
# --------------------------------------------------------------------------------------------------------------------

FAULTS = [
    ("cross_entropy", "cross_entropy_sum", "reduction", ("mean", "sum")),
    ("cross_entropy", "softmax_cross_entropy", "reduction", ("mean", "none")),
    ("cross_entropy", "cross_entropy_smoothed", "label_smoothing", (0.0, 0.1)),
    ("cross_entropy_smoothed", "cross_entropy", "label_smoothing", (0.1, 0.0)),
    ("cross_entropy", "cross_entropy_ignoring", "ignore_index", (-100, 3)),
    ("mse_loss", "mse_loss_sum", "reduction", ("mean", "sum")),
    ("mse_loss", "l1_loss", "kind", ("mse_loss", "l1_loss")),
    ("mse_loss", "rmse_loss", "kind", ("mse_loss", "rmse_loss")),
    ("kl_div_batchmean", "kl_div", "reduction", ("batchmean", "mean")),
]


@pytest.mark.mindspore
@pytest.mark.parametrize("seen", [True, False], ids=["settings seen", "values only"])
@pytest.mark.parametrize(("right", "wrong", "name", "values"), FAULTS)
@pytest.mark.filterwarnings("ignore:reduction")
def test_a_fault_is_named(
    right: str, wrong: str, name: str, values: tuple, seen: bool, arrays: Arrays, mindspore: MindSpore
) -> None:
    """From settings where they were seen, from the candidate's number where they were not; and nothing else is said."""
    loss, predictions, targets = RIGHT[right]
    found = explain_loss(layer(loss, arrays[predictions], arrays[targets]), mindspore.loss(wrong, seen=seen))
    assert causes(found) == {name: values}


@pytest.mark.mindspore
def test_smooth_l1_by_default_is_not_reduced(arrays: Arrays, mindspore: MindSpore) -> None:
    """The edit names MindSpore's argument."""
    reference = layer(nn.SmoothL1Loss(), arrays["numbers"], arrays["wanted"])
    (cause,) = explain_loss(reference, mindspore.loss("smooth_l1_loss")).causes
    assert (cause.name, cause.edit_hint) == ("reduction", "nn.SmoothL1Loss(..., reduction='mean')")


@pytest.mark.mindspore
@pytest.mark.parametrize("seen", [True, False], ids=["settings seen", "values only"])
def test_softmax_before_a_cross_entropy(arrays: Arrays, mindspore: MindSpore, seen: bool) -> None:
    """A net with softmax at its end, under a loss that has its own."""
    side = mindspore.loss("cross_entropy_of_softmax", seen=seen)
    if not seen:
        side = replace(side, predictions=arrays["scores"])
    (cause,) = explain_loss(layer(nn.CrossEntropyLoss(), arrays["scores"], arrays["labels"]), side).causes
    assert cause.name == "kind" and "softmax is applied to the candidate's predictions" in cause.sentence


@pytest.mark.mindspore
@pytest.mark.parametrize("seen", [True, False], ids=["settings seen", "values only"])
def test_class_weights_that_are_missing(arrays: Arrays, mindspore: MindSpore, seen: bool) -> None:
    """Only the reference weighs its classes."""
    weighted = nn.CrossEntropyLoss(weight=torch.from_numpy(arrays["weight"]))
    reference = layer(weighted, arrays["scores"], arrays["labels"])
    assert causes(explain_loss(reference, mindspore.loss("cross_entropy", seen=seen))) == {"weight": (True, False)}


@pytest.mark.mindspore
def test_class_weights_that_nobody_asked_for(arrays: Arrays, mindspore: MindSpore) -> None:
    """Only the candidate weighs its classes."""
    reference = layer(nn.CrossEntropyLoss(), arrays["scores"], arrays["labels"])
    assert causes(explain_loss(reference, mindspore.loss("cross_entropy_weighted"))) == {"weight": (False, True)}


@pytest.mark.mindspore
def test_the_same_class_weights_agree(arrays: Arrays, mindspore: MindSpore) -> None:
    """On both sides."""
    weighted = nn.CrossEntropyLoss(weight=torch.from_numpy(arrays["weight"]))
    reference = layer(weighted, arrays["scores"], arrays["labels"])
    assert explain_loss(reference, mindspore.loss("cross_entropy_weighted")).verdict == "agree"


@pytest.mark.mindspore
def test_pos_weight_that_is_missing(arrays: Arrays, mindspore: MindSpore) -> None:
    """Of a loss whose constructor takes arguments in another order."""
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.from_numpy(arrays["positive"]))
    found = explain_loss(
        layer(loss, arrays["numbers"], arrays["binary"]), mindspore.loss("binary_cross_entropy_with_logits")
    )
    assert causes(found) == {"pos_weight": (True, False)}


@pytest.mark.mindspore
def test_labels_that_are_not_shifted(arrays: Arrays, mindspore: MindSpore) -> None:
    """A language model scores position n against the label of n + 1; the candidate does not."""
    text, words = torch.from_numpy(arrays["text"]), torch.from_numpy(arrays["words"]).long()
    value = F.cross_entropy(text[:, :-1].reshape(-1, 7), words[:, 1:].reshape(-1))
    given = {"predictions": arrays["text"], "targets": arrays["words"]}
    told = mindspore.told["text_unshifted"]
    candidate = LossSide(np.array(told["value"], np.float32), "mindspore", **given)
    assert causes(explain_loss(unseen(value, **given), candidate)) == {"targets": (1, 0)}


# --------------------------------------------------------------------------------------------------------------------
# Faults that one framework can make
# --------------------------------------------------------------------------------------------------------------------


def test_two_faults_are_both_named(arrays: Arrays) -> None:
    """A smoothing and a sum."""
    given = arrays["scores"], arrays["labels"]
    value = F.cross_entropy(_t(given[0]), _t(given[1]), label_smoothing=0.1, reduction="sum")
    found = causes(explain_loss(node("cross_entropy", *given), unseen(value, *given)))
    assert found == {"reduction": ("mean", "sum"), "label_smoothing": (0.0, 0.1)}


def test_padding_that_is_counted(arrays: Arrays) -> None:
    """The reference leaves label 2 out, the candidate does not."""
    given = arrays["scores"], arrays["labels"]
    found = explain_loss(
        node("cross_entropy", *given, ignore_index=2), unseen(F.cross_entropy(*map(_t, given)), *given)
    )
    assert causes(found) == {"ignore_index": (2, None)}


def test_padding_in_the_divisor(arrays: Arrays) -> None:
    """The sum over words that count, divided by all of them."""
    given = arrays["scores"], arrays["labels"]
    value = F.cross_entropy(*map(_t, given), ignore_index=2, reduction="sum") / 24
    found = causes(explain_loss(node("cross_entropy", *given, ignore_index=2), unseen(value, *given)))
    assert list(found) == ["reduction"]


@pytest.mark.parametrize("beta", [0.3, 1 / 9, 0.5])
def test_another_beta(beta: float, arrays: Arrays) -> None:
    """Solved for from the value."""
    given = arrays["numbers"], arrays["wanted"]
    value = F.smooth_l1_loss(*map(_t, given), beta=beta)
    found = causes(explain_loss(node("smooth_l1_loss", *given), unseen(value, *given)))
    assert found["beta"] == pytest.approx((1.0, beta))


def test_another_delta(arrays: Arrays) -> None:
    """Solved for from the value."""
    given = arrays["numbers"], arrays["wanted"]
    found = explain_loss(node("huber_loss", *given), unseen(F.huber_loss(*map(_t, given), delta=0.35), *given))
    assert causes(found) == {"delta": (1.0, 0.35)}


def test_log_target(arrays: Arrays) -> None:
    """The candidate takes chances for their logarithms."""
    given = arrays["log_softmax"], arrays["spread"]
    value = F.kl_div(*map(_t, given), reduction="batchmean", log_target=True)
    found = explain_loss(node("kl_div", *given, reduction="batchmean"), unseen(value, *given))
    assert causes(found) == {"log_target": (False, True)}


def test_half_of_a_mean_square(arrays: Arrays) -> None:
    """A factor that some define the loss with."""
    given = arrays["numbers"], arrays["wanted"]
    found = causes(explain_loss(node("mse_loss", *given), unseen(F.mse_loss(*map(_t, given)) / 2, *given)))
    assert found == {"scale": (1, 0.5)}


def test_a_divisor_of_micro_batches(arrays: Arrays) -> None:
    """Named by what the caller says there is four of."""
    given = arrays["scores"], arrays["labels"]
    value = F.cross_entropy(*map(_t, given)) / 4
    found = explain_loss(node("cross_entropy", *given), unseen(value, *given), counts={"micro-batches": 4})
    assert causes(found) == {"scale": (1, 0.25)} and "micro-batches" in found.causes[0].sentence


def test_sigmoid_twice(arrays: Arrays) -> None:
    """Chances where logits are wanted."""
    reference = node("binary_cross_entropy_with_logits", arrays["numbers"], arrays["binary"])
    candidate = node("binary_cross_entropy_with_logits", arrays["chances"], arrays["binary"])
    (cause,) = explain_loss(reference, candidate).causes
    assert cause.name == "kind" and "sigmoid is applied" in cause.sentence


def test_chances_and_their_own_loss_are_no_fault(arrays: Arrays) -> None:
    """Beside a sum, which is one."""
    reference = node("binary_cross_entropy_with_logits", arrays["numbers"], arrays["binary"])
    candidate = node("binary_cross_entropy", arrays["chances"], arrays["binary"], reduction="sum")
    assert causes(explain_loss(reference, candidate)) == {"reduction": ("mean", "sum")}


def test_logits_where_logarithms_are_wanted(arrays: Arrays) -> None:
    """NLLLoss without log_softmax."""
    reference = node("cross_entropy", arrays["scores"], arrays["labels"])
    assert causes(explain_loss(reference, node("nll_loss", arrays["scores"], arrays["labels"]))).keys() == {"kind"}


def test_a_column_against_a_row(arrays: Arrays) -> None:
    """(N, 1) and (N,) broadcast without an error."""
    numbers, wanted = arrays["numbers"][:, :1], arrays["wanted"][:, :1]
    with pytest.warns(UserWarning, match="target size"):
        candidate = node("mse_loss", numbers, wanted[:, 0])
    assert causes(explain_loss(node("mse_loss", numbers, wanted), candidate)).keys() == {"shape"}


def test_other_labels(arrays: Arrays) -> None:
    """Labels of other samples are no fault of the loss: the targets are said to differ."""
    reference = node("cross_entropy", arrays["scores"], arrays["labels"])
    candidate = node("cross_entropy", arrays["scores"], arrays["labels"][::-1].copy())
    assert causes(explain_loss(reference, candidate)).keys() == {"targets"}


def test_labels_of_another_class(arrays: Arrays) -> None:
    """A candidate that adds one to every label inside of its loss."""
    labels = np.minimum(arrays["labels"], 5)
    value = F.cross_entropy(_t(arrays["scores"]), _t(labels) + 1)
    found = explain_loss(node("cross_entropy", arrays["scores"], labels), unseen(value, arrays["scores"], labels))
    assert causes(found) == {"targets": (0, 1)}


# --------------------------------------------------------------------------------------------------------------------
# Little known
# --------------------------------------------------------------------------------------------------------------------


def test_a_ratio_of_the_batch_is_a_missing_mean(arrays: Arrays) -> None:
    """Where only two numbers and the shape of the predictions are known."""
    value = F.cross_entropy(_t(arrays["scores"]), _t(arrays["labels"]))
    (cause,) = explain_loss(unseen(value), unseen(value * 24, arrays["scores"])).causes
    assert (cause.name, cause.proven) == ("reduction", False)
    assert "24 times" in cause.sentence and "samples" in cause.sentence


def test_many_numbers_against_one(arrays: Arrays) -> None:
    """A loss that was not reduced, its mean that of the reference."""
    each = F.cross_entropy(_t(arrays["scores"]), _t(arrays["labels"]), reduction="none")
    (cause,) = explain_loss(unseen(each.mean()), unseen(each)).causes
    assert (cause.name, cause.reference, cause.candidate) == ("reduction", "mean", "none")


def test_a_number_of_no_known_origin_is_not_explained(arrays: Arrays) -> None:
    """Nothing is made up."""
    reference = node("cross_entropy", arrays["scores"], arrays["labels"])
    found = explain_loss(reference, unseen(torch.tensor(1.2345), arrays["scores"], arrays["labels"]))
    assert (found.verdict, found.causes, found.explained) == ("differs", (), False)


def test_not_a_number_differs(arrays: Arrays) -> None:
    """And raises nothing."""
    reference = node("cross_entropy", arrays["scores"], arrays["labels"])
    found = explain_loss(reference, unseen(torch.tensor(float("nan")), arrays["scores"], arrays["labels"]))
    assert found.verdict == "differs"


@given(st.integers(2, 40), st.integers(2, 12), st.floats(1e-6, 3.0), st.integers(0, 2**31))
@settings(max_examples=40, deadline=None)
def test_rounding_is_no_difference(rows: int, classes: int, size: float, seed: int) -> None:
    """Predictions that differ as two frameworks' do make losses that agree, or that inherit."""
    rng = np.random.default_rng(seed)
    scores = (size * rng.standard_normal((rows, classes))).astype(np.float32)
    noisy = (scores * (1 + 3e-7 * rng.standard_normal(scores.shape))).astype(np.float32)
    labels = rng.integers(0, classes, rows)
    found = explain_loss(node("cross_entropy", scores, labels), node("cross_entropy", noisy, labels.astype(np.int32)))
    assert found.verdict == "agree"


@given(
    st.integers(2, 40),
    st.integers(3, 12),
    st.sampled_from([0.1, 0.2, 0.3]),
    st.sampled_from(["mean", "sum"]),
    st.integers(0, 2**31),
)
@settings(max_examples=40, deadline=None)
def test_a_smoothing_is_never_taken_for_another(
    rows: int, classes: int, smoothing: float, reduction: str, seed: int
) -> None:
    """Where one is named it is the right one, and nothing else is named instead."""
    rng = np.random.default_rng(seed)
    scores = 4 * rng.standard_normal((rows, classes)).astype(np.float32)
    labels = rng.integers(0, classes, rows)
    value = F.cross_entropy(_t(scores), _t(labels), label_smoothing=smoothing, reduction=reduction)
    found = explain_loss(node("cross_entropy", scores, labels, reduction=reduction), unseen(value, scores, labels))
    named = {cause.name: cause.candidate for cause in found.causes}
    assert found.verdict == "agree" or named in ({"label_smoothing": smoothing}, {})


def _t(array: np.ndarray) -> torch.Tensor:
    made = torch.from_numpy(np.array(array))
    return made.long() if made.dtype == torch.int32 else made
