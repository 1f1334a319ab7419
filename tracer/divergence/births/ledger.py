"""Who is to blame for which value that is not finite, and what became of it: filled while a step is walked through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace

from tracer.divergence.births.born import Birth
from tracer.divergence.graph import CallId

MOST = 16
"""How many calls that pass a birth on, or heal it, are told."""


@dataclass
class Ledger:
    """Births of one step in order. `blame` says for each value that is not finite by which of them it is so; nothing
    where it was so before the step."""

    births: list[Birth] = field(default_factory=list)
    blame: dict[Hashable, set[int]] = field(default_factory=dict)
    passed_on: dict[int, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    healed_by: dict[int, dict[CallId | str, None]] = field(default_factory=lambda: defaultdict(dict))
    reached: dict[int, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))

    def born(self, birth: Birth, keys: Iterable[Hashable]) -> int:
        """A birth, and the values that it is."""
        number = len(self.births)
        self.births.append(birth)
        for key in keys:
            self.blame[key] = {number}
        return number

    def of(self, keys: Iterable[Hashable]) -> set[int]:
        """The births that are to blame for any of these values."""
        return {number for key in keys for number in self.blame.get(key, ())}

    def pass_on(self, sources: Iterable[Hashable], keys: Iterable[Hashable]) -> set[int]:
        """Values that are not finite since others were not."""
        blamed = self.of(sources)
        for key in keys:
            self.blame.setdefault(key, set()).update(blamed)
        return blamed

    def closed(self) -> tuple[Birth, ...]:
        """The births with what became of them."""
        return tuple(
            replace(
                birth,
                passed_on=(*birth.passed_on, *self.passed_on[n])[:MOST],
                healed_by=(*birth.healed_by, *(str(x) for x in self.healed_by[n]))[:MOST],
                reached=(*birth.reached, *self.reached[n]),
            )
            for n, birth in enumerate(self.births)
        )
