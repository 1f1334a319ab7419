"""Which training steps are kept, and how much of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np

from tracer.errors import RuleError
from tracer.trace.schema import Kept, Plain

Rest = Literal["nothing", "statistics", "curve"]
"""What is kept of the steps that are not chosen; "curve" is their numbers alone (`Measures`)."""


@dataclass(frozen=True)
class Sampling:
    """Steps are counted from 0. Chosen are those in `steps`, each `every`-th from 0 on, and the `first` ones; all
    where nothing is said."""

    steps: frozenset[int] | None = None
    every: int | None = None
    first: int | None = None
    rest: Rest = "nothing"
    resync: str = ""
    """The trace whose steps these begin like."""

    @staticmethod
    def of(keep_steps: Any, every: Any, first: Any, rest: Any) -> Sampling:
        """Check what the user gave.

        Raises:
            RuleError: an option that is none.
        """
        for name, value, least in (("every", every, 1), ("first", first, 0)):
            if value is not None and not (_whole(value) and value >= least):
                raise RuleError(f"{name}={value!r} counts no steps", then=f"give a number from {least} on")
        steps: frozenset[int] | None = None
        if keep_steps is not None:
            given = list(keep_steps) if isinstance(keep_steps, Iterable) and not isinstance(keep_steps, str) else None
            if given is None or not all(_whole(n) and n >= 0 for n in given):
                then = "give the numbers of steps from 0 on, as keep_steps=[0, 1, 10, 100]"
                raise RuleError("keep_steps= names no steps", where=f"keep_steps={keep_steps!r}"[:80], then=then)
            steps = frozenset(map(int, given))
        if rest not in ("nothing", "statistics", "curve"):
            then = 'give rest="nothing", rest="curve" or rest="statistics"'
            raise RuleError(f"rest={rest!r} is not known", then=then)
        if rest != "nothing" and steps is None and every is None and first is None:
            then = "say which steps are chosen: keep_steps=, every=, first="
            raise RuleError("rest= says nothing where all steps are kept", where=f"rest={rest!r}", then=then)
        return Sampling(steps, every, first, cast("Rest", rest))

    def kept(self, step: int, keep: Kept) -> Kept | None:
        """What is kept of a step; None for nothing."""
        if self.everything or step in (self.steps or ()) or step < (self.first or 0):
            return keep
        if self.every is not None and step % self.every == 0:
            return keep
        return None if self.rest == "nothing" else self.rest

    @property
    def everything(self) -> bool:
        """Are all steps chosen?"""
        return self.steps is None and self.every is None and self.first is None

    def words(self) -> dict[str, Plain]:
        """What was asked for, for the header of the trace."""
        said: dict[str, Plain] = {}
        if self.steps is not None:
            said["keep_steps"] = [*sorted(self.steps)]
        said |= {name: n for name, n in (("every", self.every), ("first", self.first)) if n is not None}
        said |= {"resync": self.resync} if self.resync else {}
        return said | ({"rest": self.rest} if not self.everything else {})


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
