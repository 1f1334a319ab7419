"""Whether both sides' targets say the same."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.divergence.training.losses import same_targets

LABELS = np.array([[3, 1, 4, 1, 5, 2, 6, 0], [5, 3, 5, 2, 1, 0, 2, 2]])


def test_int32_is_int64() -> None:
    """MindSpore wants labels of int32; they say the same."""
    found = same_targets(LABELS.astype(np.int64), LABELS.astype(np.int32))
    assert found.same and found.kind == "dtype"


def test_one_hot_is_indices() -> None:
    """SoftmaxCrossEntropyWithLogits takes one-hot labels."""
    found = same_targets(LABELS, np.eye(7, dtype=np.float32)[LABELS])
    assert found.same and found.kind == "one-hot"


def test_one_hot_with_classes_first_is_indices() -> None:
    """torch puts the classes on axis 1."""
    assert same_targets(np.moveaxis(np.eye(7)[LABELS], -1, 1), LABELS).same


def test_one_hot_of_other_classes_differs() -> None:
    """One label of sixteen is another."""
    hot = np.eye(7)[LABELS]
    hot[0, 0] = np.eye(7)[0]
    found = same_targets(LABELS, hot)
    assert not found.same and found.differing == 1


def test_smoothed_labels_are_said() -> None:
    """Smoothing that was put into the labels is no one-hot."""
    found = same_targets(LABELS, np.eye(7)[LABELS] * 0.9 + 0.1 / 7)
    assert found.kind == "smoothed" and "0.1" in found.sentence


def test_a_column_is_a_row() -> None:
    """(N, 1) holds what (N,) holds."""
    assert same_targets(LABELS[0], LABELS[0][:, None]).same


def test_labels_one_position_later() -> None:
    """The candidate's label at n is the reference's at n + 1."""
    found = same_targets(LABELS, np.concatenate([LABELS[:, 1:], LABELS[:, :1]], 1))
    assert (found.kind, found.by) == ("shifted", 1)


def test_labels_one_position_earlier() -> None:
    """And the other way round."""
    found = same_targets(LABELS, np.concatenate([LABELS[:, -1:], LABELS[:, :-1]], 1))
    assert (found.kind, found.by) == ("shifted", -1)


def test_labels_that_were_shifted_before_all_became_one_row() -> None:
    """Each sample lost its first label in the reference only."""
    found = same_targets(LABELS[:, 1:].ravel(), LABELS.ravel())
    assert (found.kind, found.by) == ("shifted", -1)


def test_labels_that_count_from_one() -> None:
    """Every label is one more; those that are left out (-100) are not."""
    labels = np.array([0, 2, -100, 1])
    found = same_targets(labels, np.where(labels < 0, labels, labels + 1))
    assert (found.kind, found.by) == ("classes", 1)


def test_other_samples_in_another_order() -> None:
    """A shuffled batch is said to be one."""
    assert same_targets(LABELS[0], LABELS[0][::-1]).kind == "order"


def test_other_numbers_are_counted() -> None:
    """How many differ."""
    found = same_targets(np.arange(5.0), np.array([0.0, 1.0, 2.5, 3.0, 9.0]))
    assert (found.kind, found.differing) == ("values", 2)


@given(st.lists(st.integers(-100, 50), min_size=1, max_size=30), st.sampled_from(["int32", "int64", "float32"]))
@settings(max_examples=60, deadline=None)
def test_the_same_numbers_are_the_same_targets(labels: list[int], dtype: str) -> None:
    """Whatever the dtype."""
    assert same_targets(np.array(labels), np.array(labels).astype(dtype)).same


@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(0, 29), st.integers(2, 9))
@settings(max_examples=60, deadline=None)
def test_one_other_label_is_never_the_same(labels: list[int], at: int, by: int) -> None:
    """However it is called."""
    reference = np.array(labels)
    candidate = reference.copy()
    candidate[at % len(labels)] += by
    assert not same_targets(reference, candidate).same
