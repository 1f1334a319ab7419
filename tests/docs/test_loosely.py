"""What counts as the same when a page is held against what is printed."""

from __future__ import annotations

import pytest

from tests.docs.loosely import matches

SAME = [
    ("relative L2 4.7e-04, 23 %", "relative  L2 4.9e-04, 7 %"),
    ("took 3 s", "took 12.5 s"),
    ("judged 9 of 54 pairs (4 more by", "judged 11 of 54 pairs (2 more by"),
    ("a\n...\nz", "a\nb\nc\nz"),
    ("torch 2.13.0+cpu", "torch 2.13.1"),
    ("mean -0.012  l2 3.5  2241", "mean 0.01  l2 4.0  24"),
    ("apart at [0, 6, 111]", "apart at [1]"),
]
OTHER = [
    ("diverged at blocks.0", "diverged at blocks.1"),
    ("shape (2, 17)", "shape (2, 18)"),
    ("vit.py:41", "vit.py:42"),
    ("9 of 54 pairs", "9 of 55 pairs"),
    ("a", "a b"),
    ("approximate is True", "approximate is False"),
]


@pytest.mark.parametrize(("page", "printed"), SAME)
def test_measured_numbers_may_move(page: str, printed: str) -> None:
    """Numbers that are measured, times, white space and `...` do not count."""
    assert matches(page, printed)


@pytest.mark.parametrize(("page", "printed"), OTHER)
def test_words_and_places_may_not(page: str, printed: str) -> None:
    """Words, paths, shapes, lines and counts count."""
    assert not matches(page, printed)
