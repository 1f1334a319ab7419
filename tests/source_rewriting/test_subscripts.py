"""An index that means another place in MindSpore is written otherwise."""

from __future__ import annotations

import pytest

from tests.source_rewriting.real import indexed


@pytest.mark.parametrize(
    ("text", "write"),
    [
        ("x[0, 1:, [0, 2]]", "x[0, 1:, :][:, [0, 2]]"),
        ("x[-1, ..., [0, 2]]", "x[-1, ..., :][..., [0, 2]]"),
        ("x[:, [0, 2], :, 1]", "x[:, :, :, 1][:, [0, 2], :]"),
    ],
)
def test_an_int_and_a_list_parted_by_a_slice_are_taken_in_two_steps(text: str, write: str) -> None:
    """MindSpore puts the list's dimension first, and nothing tells."""
    found = indexed(text)
    assert (found.write, found.status, found.silent) == (write, "differs", True)


@pytest.mark.parametrize("text", ["x[0, [0, 2]]", "x[[0, 1], :, 1]", "x[[0, 1], :, [0, 2]]", "x[0, :, 1]", "x[:, i]"])
def test_other_indices_stay_as_they_are(text: str) -> None:
    """Where the lists stand together, or none is kept before them, both frameworks agree."""
    assert (indexed(text).write, indexed(text).status, indexed(text).advice) == (text, "same", "")


def test_what_may_be_a_list_is_to_be_looked_at() -> None:
    """A name beside an int, behind a slice, may be either."""
    assert "in one step" in indexed("x[0, :, index]").advice
