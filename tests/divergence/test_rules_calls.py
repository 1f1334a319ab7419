"""Constructor calls in source text: found in pieces of statements, and written anew with the rest kept."""

from __future__ import annotations

import pytest

from tracer.divergence.rules.calls import GONE, UNKNOWN, find_calls, rewrite, signature

CONV = signature("in_channels, out_channels, kernel_size, stride=1, pad_mode='same', padding=0, has_bias=False")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("self.act = nn.GELU()", "nn.GELU()"),
        ("self.act = nn.GELU(approximate=f(x, (1, 2)))", "nn.GELU(approximate=f(x, (1, 2)))"),
        ("nn.Dense(3, 4), nn.GELU(), nn.Dense(4, 5))", "nn.GELU()"),
        ("'act': nn.GELU(),", "nn.GELU()"),
        ("act=nn.GELU(),", "nn.GELU()"),
        ("else: self.act = GELU()", "GELU()"),
        ("return mindspore.nn.GELU ( )", "mindspore.nn.GELU ( )"),
        ("x = nn.GELU(a=')')", "nn.GELU(a=')')"),
        ("self.act = nn.GELU()  # nn.ReLU()", "nn.GELU()"),
        ("self.act = nn.GELU(", "nn.GELU("),
        ("é = 'ü'; y = nn.GELU()", "nn.GELU()"),
    ],
)
def test_a_call_is_found_in_a_piece_of_code(line: str, text: str) -> None:
    """The line may begin or end in the middle of a statement."""
    assert [call.text for call in find_calls(line, ["GELU"])] == [text]


@pytest.mark.parametrize("line", ["self.act = FastGELU()", "GELU = 1", "", "self.act = make(GELU)", "(((", "\x00 GELU"])
def test_what_is_no_call_is_not_found(line: str) -> None:
    """Names that only contain the name, or are not called."""
    assert find_calls(line, ["GELU"]) == ()


def test_arguments_are_read_by_position_and_name() -> None:
    """Expressions are not guessed."""
    (call,) = find_calls("nn.Conv2d(3, width, 7, pad_mode='pad', padding=(1, 2))", ["Conv2d"])
    assert call.values(CONV) == {
        "in_channels": 3,
        "out_channels": UNKNOWN,
        "kernel_size": 7,
        "pad_mode": "pad",
        "padding": [1, 2],
    }


@pytest.mark.parametrize("line", ["nn.Conv2d(3, 4,", "nn.Conv2d(3, *args)", "nn.Conv2d(3, **more)"])
def test_a_call_with_hidden_arguments_is_open(line: str) -> None:
    """What is not seen must not be taken for a default."""
    assert find_calls(line, ["Conv2d"])[0].open


@pytest.mark.parametrize(
    ("line", "changes", "written"),
    [
        ("nn.Conv2d(3, 64, 7, 2)", {"padding": 3}, "nn.Conv2d(3, 64, 7, 2, padding=3)"),
        ("nn.Conv2d(3, n * 2, 7)", {"stride": 2}, "nn.Conv2d(3, n * 2, 7, stride=2)"),
        ("nn.Conv2d(3, 64, 7, 2)", {"stride": 1}, "nn.Conv2d(3, 64, 7, 1)"),
        ("nn.Conv2d(3, 64, 7, stride=2)", {"stride": 1}, "nn.Conv2d(3, 64, 7, stride=1)"),
        ("nn.Conv2d(3, 64, 7, padding=3)", {"padding": GONE}, "nn.Conv2d(3, 64, 7)"),
        ("nn.Conv2d(3, 64, 7, 2, 'pad', 3)", {"stride": GONE}, "nn.Conv2d(3, 64, 7, pad_mode='pad', padding=3)"),
        ("nn.Conv2d(3, 64,", {"padding": 3}, "nn.Conv2d(3, 64, ..., padding=3)"),
        ("nn.Conv2d(3, *rest)", {"padding": 3}, "nn.Conv2d(3, *rest, padding=3)"),
        ("nn.Conv2d(3, 4, 5, **more)", {"padding": 3}, "nn.Conv2d(3, 4, 5, padding=3, **more)"),
        ("nn.Conv2d(3, 4, 5)", {"padding": [1, 2]}, "nn.Conv2d(3, 4, 5, padding=(1, 2))"),
    ],
)
def test_a_call_is_rewritten(line: str, changes: dict, written: str) -> None:
    """Arguments stay where and as they were."""
    (call,) = find_calls(line, ["Conv2d"])
    assert rewrite(call, CONV, changes) == written
