"""torch.nn.functional.pad: what a negative padding cuts off is cut off by a slice."""

from __future__ import annotations

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.rules import Rule, Written, to

_TAKES = "input, pad, mode='constant', value=None"
_CUT = "on the CPU MindSpore's pad gives other numbers for a negative padding, and others each time: a slice cuts"
_LOOK = "where a padding is negative cut with a slice: on the CPU MindSpore's pad gives other numbers each time"


def _numbers(call: Bound) -> tuple[int, ...] | None:
    """The padding, where the source says it."""
    worth = call.literal("pad")
    if not isinstance(worth, (tuple, list)) or not all(isinstance(part, int) for part in worth) or len(worth) % 2:
        return None
    return tuple(int(part) for part in worth)


def _cuts(call: Bound) -> bool:
    numbers = _numbers(call)
    return numbers is not None and any(number < 0 for number in numbers) and call.literal("mode") == "constant"


def _cut(call: Bound) -> Written:
    """The last dimension comes first in torch's padding."""
    numbers, value = _numbers(call), call.value("input")
    assert numbers is not None
    assert value is not None
    ends = [numbers[i : i + 2] for i in range(0, len(numbers), 2)]
    slices = ", ".join(_slice(*map(_as_cut, pair)) for pair in reversed(ends))
    text = f"{value.atom}[..., {slices}]"
    added = [max(number, 0) for number in numbers]
    if any(added):
        filled = [] if call.literal("value") is None else [f"value={call.text('value')}"]
        text = f"mindspore.ops.pad({', '.join([text, str(tuple(added)), *filled])})"
    return Written(text, (_CUT,), silent=not (call.has("pad") and "pad" not in call.positional))


def _as_cut(number: int) -> int:
    return max(-number, 0)


def _slice(first: int, last: int) -> str:
    return f"{first or ''}:{-last if last else ''}"


PADDING: tuple[Rule, ...] = (
    Rule(
        "torch.nn.functional.pad",
        "mindspore.ops.pad",
        mint="mindspore.mint.nn.functional.pad",
        takes=_TAKES,
        when=_cuts,
        write=_cut,
        mint_arguments=("input", "pad", "mode", "value"),
    ),
    *(
        Rule(
            "torch.nn.functional.pad",
            "mindspore.ops.pad",
            mint="mindspore.mint.nn.functional.pad",
            takes=_TAKES,
            when=when,
            arguments=("input", to("pad", "padding"), "mode", "value"),
            mint_arguments=("input", "pad", "mode", "value"),
            advice=advice,
        )
        for when, advice in ((lambda call: _numbers(call) is not None, ""), (None, _LOOK))
    ),
)
