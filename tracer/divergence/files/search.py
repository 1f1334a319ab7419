"""What is paired so far on both sides, and what can be asked of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tracer.divergence.files.names import Named
from tracer.divergence.files.order import Scores, longest_chain, stretches

Same = Callable[[int, int], bool]
"""Do two arrays hold nearly equal numbers? By their places on both sides. Reads them, so it is asked seldom."""


@dataclass(frozen=True)
class Match:
    """Two arrays that belong together, by their places on both sides; `by_value` that values had to decide."""

    reference: int
    candidate: int
    reason: str
    confidence: float
    by_value: bool = False


@dataclass(frozen=True)
class Matching:
    """All pairs, and for what is left alone though something like it is on the other side, which those are."""

    pairs: tuple[Match, ...]
    could_be_reference: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    could_be_candidate: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    in_order: bool = True
    """Do both sides stand in one order?"""


class Search:
    """What is paired so far, with what the steps of `pairing` ask."""

    def __init__(
        self, ours: Sequence[Named], theirs: Sequence[Named], kept_order: tuple[bool, bool], same: Same
    ) -> None:
        self.sides = _with_names(ours, theirs)
        self.partner: dict[int, Match] = {}
        self.taken: set[int] = set()
        self.kept_order = kept_order
        self.ordered = False
        """Do both orders say when an array was made, and the same?"""
        self._same_known: dict[tuple[int, int], bool] = {}
        self._same = same

    def take(self, i: int, j: int, reason: str, confidence: float, *, by_value: bool = False) -> None:
        """Make a pair, unless one of both has a partner. Names that are one and shapes that are not lower it."""
        if i in self.partner or j in self.taken:
            return
        a, b = self.sides[0][i], self.sides[1][j]
        if not fits(a, b) and reason != "pinned":
            reason, confidence = f"{reason}, though not by shape", confidence * 0.7
        self.partner[i] = Match(i, j, reason, round(confidence, 2), by_value)
        self.taken.add(j)

    def left(self, side: int) -> list[int]:
        """What has no partner yet, in order."""
        done = self.taken if side else self.partner
        return [n for n in range(len(self.sides[side])) if n not in done]

    def same(self, i: int, j: int) -> bool:
        """Are the numbers nearly equal?"""
        if (i, j) not in self._same_known:
            self._same_known[i, j] = fits(self.sides[0][i], self.sides[1][j]) and self._same(i, j)
        return self._same_known[i, j]

    def chain(self) -> list[tuple[int, int]]:
        """The pairs that stand in one order on both sides, the most of them."""
        return longest_chain((i, m.candidate) for i, m in self.partner.items())

    def groups(
        self, side: int, key: Callable[[Named], Any], parts: Sequence[int] | None = None
    ) -> dict[Any, list[int]]:
        """What is left of one side, what has one key together; `parts` say which stretch each lies in."""
        found: dict[Any, list[int]] = defaultdict(list)
        for n in self.left(side):
            own = key(self.sides[side][n])
            found[own if parts is None else (parts[n], own)].append(n)
        return found

    def stretches(self, side: int, *, whole: bool = False) -> list[int]:
        """For each array of a side between which pairs it lies; where they are one `whole`, 0 for all."""
        count = len(self.sides[side])
        return [0] * count if whole else stretches(self.chain(), side, count)

    def near(self) -> Callable[[int, int], bool]:
        """Do two lie between the same neighbours that are paired? Where the order says nothing, all do."""
        parts = [self.stretches(side, whole=not self.ordered) for side in (0, 1)]
        return lambda i, j: parts[0][i] == parts[1][j]

    def only_equals(self, places: Sequence[int], others: Sequence[int]) -> dict[int, int]:
        """What holds the numbers of one of the others, and of no other one, and that one of nothing else."""
        equals = {i: [j for j in others if self.same(i, j)] for i in places}
        count = Counter(j for those in equals.values() for j in those)
        return {i: those[0] for i, those in equals.items() if len(those) == 1 and count[those[0]] == 1}

    def witnesses(self) -> dict[int, int]:
        """Of what is left and has one name and shape, what holds equal numbers as nothing else does."""
        found: dict[int, int] = {}
        ours, theirs = (self.groups(side, lambda n: (n.words, n.squeezed)) for side in (0, 1))
        for key, places in ours.items():
            found |= self.only_equals(places, theirs.get(key, []))
        return found

    def agrees(self, places: Sequence[int], others: Sequence[int]) -> bool:
        """Does no value speak for another order of these?"""
        return all(i == places[others.index(j)] for i, j in self.only_equals(places, others).items())

    def scores(self, score: Callable[[Named, Named], float]) -> Scores:
        """Of all with all; what is paired already goes with its partner and with nothing else."""
        ours, theirs = self.sides
        scores = np.zeros((len(ours), len(theirs)))
        kinds = [list(dict.fromkeys(_kind(n) for n in side)) for side in self.sides]
        table = np.array([[score(_sample(a), _sample(b)) for b in kinds[1]] for a in kinds[0]])
        at = [{kind: n for n, kind in enumerate(side)} for side in kinds]
        rows, columns = self.left(0), self.left(1)
        if rows and columns:
            picked = table[[at[0][_kind(ours[i])] for i in rows]][:, [at[1][_kind(theirs[j])] for j in columns]]
            scores[np.ix_(rows, columns)] = picked
        for i, match in self.partner.items():
            scores[i, match.candidate] = 2.0 * match.confidence
        return scores

    def place(self, i: int) -> str:
        """Which of several of one name."""
        words = self.sides[0][i].words
        alike_ = [n for n, other in enumerate(self.sides[0]) if other.words == words]
        return f" ({alike_.index(i) + 1} of {len(alike_)})" if words and len(alike_) > 1 else ""


def _with_names(ours: Sequence[Named], theirs: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """A side of which all have one name has none, unless the other has that name too."""
    words = [{n.words for n in side} for side in (ours, theirs)]
    if words[0] & words[1]:
        return list(ours), list(theirs)
    mine, other = (
        [replace(n, words=()) for n in side] if len(side) > 1 and len(own) == 1 else list(side)
        for side, own in zip((ours, theirs), words, strict=True)
    )
    return mine, other


def _kind(n: Named) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return n.words, n.shape


def _sample(kind: tuple[tuple[str, ...], tuple[int, ...]]) -> Named:
    return Named("", kind[0], shape=kind[1])


def fits(a: Named, b: Named) -> bool:
    """Can both hold the same numbers?"""
    return a.count == b.count
