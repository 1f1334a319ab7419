"""What is told of numbers that are not finite: where they were born, from what, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Phase = Literal["start", "forward", "loss", "backward", "gradients", "update"]
PHASES: tuple[Phase, ...] = ("start", "forward", "loss", "backward", "gradients", "update")
"""In the order in which a computer does them."""

Where = Literal["call", "code", "input", "parameter", "loss", "gradient"]
"""What made it: a call, code between calls, who called the net, who made its parameters, a loss, what the user's loop
does to gradients."""


@dataclass(frozen=True)
class Seen:
    """One value that was at hand where NaN or Inf was born. `what` names it ("input 0", "parameter weight"); its range
    is that of its finite elements; `mask` that its infinities are a mask."""

    what: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    minimum: float | None = None
    maximum: float | None = None
    nan: int = 0
    inf: int = 0
    mask: bool = False
    l2: float | None = None


@dataclass(frozen=True)
class Birth:
    """The first value that is not finite where all that it was made of was.

    `path`, `call` and `kind` are the call's; of code between calls those of the call around it, with the calls `after`
    and `before` which it stands. `side` and `leaf` say which value it is ("output" of a call; "input" that code or the
    caller made; "grad_input", "grad_param" on the way back). `nan` and `inf` of `count` elements are not finite.
    `given` is what it was made of. `passed_on` are the first calls that took it and show it, `healed_by` those that
    took it and gave finite numbers, `reached` what it got to ("output", "loss", "gradients", "parameters").
    `hints` are sentences on what makes such numbers; not `sure` where what it was made of was not recorded.
    """

    step: int
    phase: Phase
    where: Where
    path: str
    call: int | None
    kind: str
    side: str
    leaf: str
    dtype: str
    count: int
    nan: int
    inf: int
    op: str = ""
    source: str | None = None
    text: str | None = None
    given: tuple[Seen, ...] = ()
    after: str | None = None
    before: str | None = None
    passed_on: tuple[str, ...] = ()
    healed_by: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    sure: bool = True

    @property
    def healed(self) -> bool:
        """Was it swallowed before it reached anything?"""
        return bool(self.healed_by) and not self.reached

    @property
    def name(self) -> str:
        """Its call in one word: path, and which call of it where there were several."""
        return f"{self.path}#{self.call}" if self.call else self.path


@dataclass(frozen=True)
class Mask:
    """Infinities that are a mask and no fault: made on purpose, first seen at `path`, consumed by `taker`."""

    step: int
    path: str
    side: str
    leaf: str
    inf: int
    count: int
    taker: str | None = None


@dataclass(frozen=True)
class Fate:
    """What became of a training step with numbers that are not finite: the optimizer "skipped" it, its parameters were
    "poisoned", nobody updated ("not updated"), or only its numbers are known ("unseen")."""

    step: int
    kind: Literal["skipped", "poisoned", "not updated", "unseen"]
    sentence: str
    scale: float | None = None
    parameter: str | None = None


@dataclass(frozen=True)
class NotFinite:
    """All that is told of one trace."""

    births: tuple[Birth, ...] = ()
    masks: tuple[Mask, ...] = ()
    fates: tuple[Fate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.births or self.fates)
