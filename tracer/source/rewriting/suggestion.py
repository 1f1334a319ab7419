"""What a port is told about one use of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["same", "renamed", "differs", "by_hand", "unknown"]
"""same: the arguments as they stand; renamed: another name of the function or of arguments, the same meaning; differs:
these arguments, or what is left out here, mean something else there, and `write` makes up for it; by_hand: no rewriting
keeps the meaning; unknown: the facts know nothing."""

STATUSES: tuple[Status, ...] = ("same", "renamed", "differs", "by_hand", "unknown")


@dataclass(frozen=True)
class Suggestion:
    """The counterpart of one use, and the call to write.

    Attributes:
        mindspore: the classic counterpart (`nn`, `ops`, `Tensor` ...), full name; None without one.
        mint: the counterpart in `mindspore.mint`; None without one.
        status: see `Status`.
        silent: would it run but compute something else if only the name were changed?
        differences: what is otherwise there, for the arguments that stand here; a sentence each.
        write: an expression that runs after `import mindspore` and gives the same numbers; None by hand and unknown.
        advice: what to do by hand, or to look at; "" when nothing.
    """

    mindspore: str | None
    mint: str | None
    status: Status
    silent: bool = False
    differences: tuple[str, ...] = ()
    write: str | None = None
    advice: str = ""
