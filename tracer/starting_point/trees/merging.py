"""Two trees -> one tree of rows, in the reference's order; what only the candidate has stands where it has it."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracer.starting_point.trees.differences import compared
from tracer.starting_point.trees.partners import Partners
from tracer.starting_point.trees.rows import Difference, Row, State
from tracer.starting_point.trees.sides import Side
from tracer.trace.schema import ROOT


@dataclass(eq=False)
class _Slot:
    """A row in the making."""

    reference: str | None
    candidate: str | None
    above: _Slot | None = None
    inside: list[_Slot] = field(default_factory=list)

    def below(self, other: _Slot) -> bool:
        slot: _Slot | None = self
        while slot is not None and slot is not other:
            slot = slot.above
        return slot is other

    def put(self, slot: _Slot, after: _Slot | None = None, before: _Slot | None = None) -> None:
        slot.above = self
        at = self.inside.index(after) + 1 if after else self.inside.index(before) if before else len(self.inside)
        self.inside.insert(at, slot)


def merged_rows(ours: Side, theirs: Side, partners: Partners) -> Row:
    """Hold one side against the other, layer by layer."""
    return _Merging(ours, theirs, partners).row()


class _Merging:
    def __init__(self, ours: Side, theirs: Side, partners: Partners) -> None:
        self.sides = (ours, theirs)
        self.partners = partners
        self.candidate_of = {a: pair.candidate.path for a, pair in partners.pairs.items()}
        self.reference_of = {b: a for a, b in self.candidate_of.items()}
        self.beside: dict[str, _Slot] = {}
        """The slot of each layer of the candidate that has one."""
        self.root = _Slot(ROOT, ROOT)
        self.beside[ROOT] = self.root
        slots = {ROOT: self.root}
        for path in ours.shown:
            slots[path] = _Slot(path, self.candidate_of.get(path))
            slots[ours.parents[path]].put(slots[path])
            if path in self.candidate_of:
                self.beside[self.candidate_of[path]] = slots[path]
        self.framing = tuple(
            {above for path in paired for above in _around(side, path)}
            for side, paired in ((ours, self.candidate_of), (theirs, self.reference_of))
        )
        for path in theirs.shown:
            if path not in self.beside and (path not in self.framing[1] or theirs.own(path)):
                self._put(path)
        self.moved = self._moved()

    # ------------------------------------------------------------------------------------------------ places

    def _put(self, path: str) -> None:
        """A layer that only the candidate has: behind its neighbour before it, else before the one behind it."""
        theirs = self.sides[1]
        slot = _Slot(None, path)
        around = next(self.beside[above] for above in (*_around(theirs, path), ROOT) if above in self.beside)
        siblings = theirs.children[theirs.parents[path]]
        at = siblings.index(path)
        before = (self._last(sibling) for sibling in reversed(siblings[:at]))
        after = (self._first(sibling) for sibling in siblings[at + 1 :])
        neighbour = next((s for s in before if s is not None and s is not around and s.below(around)), None)
        if neighbour is not None and neighbour.above is not None:
            neighbour.above.put(slot, after=neighbour)
        else:
            neighbour = next((s for s in after if s is not None and s is not around and s.below(around)), None)
            home = neighbour.above if neighbour is not None and neighbour.above is not None else around
            home.put(slot, before=neighbour if home is not around or neighbour in home.inside else None)
        self.beside[path] = slot

    def _first(self, path: str) -> _Slot | None:
        return next((self.beside[p] for p in (path, *self.sides[1].below(path)) if p in self.beside), None)

    def _last(self, path: str) -> _Slot | None:
        if path in self.beside:
            return self.beside[path]
        return next((self.beside[p] for p in reversed(self.sides[1].below(path)) if p in self.beside), None)

    def _moved(self) -> Mapping[str, Difference]:
        """Members of lists that stand in another order, as few as explain it."""
        found: dict[str, Difference] = {}
        for members in self.sides[0].children.values():
            lists: dict[str, list[tuple[int, str]]] = defaultdict(list)
            for path in members:
                other = self.candidate_of.get(path, "")
                if _number(path) is not None and (at := _number(other)) is not None:
                    lists[self.sides[1].parents[other]].append((at, path))
            for pairs in lists.values():
                kept = _longest_rise([at for at, _ in pairs])
                for at, path in (pair for n, pair in enumerate(pairs) if n not in kept):
                    sentence = f"member {_number(path)} of the reference's list is number {at} in the candidate"
                    found[path] = Difference("moved", "order", _number(path), at, sentence)
        return found

    # ------------------------------------------------------------------------------------------------ rows

    def row(self) -> Row:
        """The whole tree."""
        return self._row(self.root, "", "")

    def _row(self, slot: _Slot, around_a: str, around_b: str) -> Row:
        a, b = slot.reference, slot.candidate
        ours, theirs = self.sides
        layer = any(p is not None and side.is_layer(p) for side, p in zip(self.sides, (a, b), strict=True))
        state, differences, note = self._judged(a, b, layer)
        whole = not (a and b) and self._in_whole(*((0, a) if a else (1, b or "")))
        pair = self.partners.pairs.get(a) if a and b else None
        return Row(
            reference=ours.part(a, _label(a, around_a)) if a else None,
            candidate=theirs.part(b, _label(b, around_b)) if b else None,
            state=state,
            layer=layer and state != "frame" and not whole,
            differences=differences,
            note=note,
            reason=pair.reason if pair else "",
            confidence=pair.confidence if pair else 1.0,
            children=tuple(self._row(child, a or around_a, b or around_b) for child in slot.inside),
        )

    def _judged(self, a: str | None, b: str | None, layer: bool) -> tuple[State, tuple[Difference, ...], str]:
        if a and b:
            result = compared(*self.sides, a, b)
            moved = (self.moved[a],) if a in self.moved else ()
            if result.differences or moved:
                return "differs", (*result.differences, *moved), result.unsaid
            return ("not compared" if result.unsaid else "same"), (), result.unsaid
        n, path = (0, a or "") if a else (1, b or "")
        side, other = self.sides[n], self.sides[1 - n]
        again, merged = self.partners.again[n].get(path), self.partners.merged[n].get(path)
        if path in self.framing[n] and not layer:
            return "frame", (), ""
        if again is not None and not side.own(path):
            return "merged", (), f"{again.rpartition('.')[2]} once more"
        if merged is not None:
            return "merged", (), merged
        if side.computes_nothing(path):
            return "apart", (), ""
        if other.bare and not any(side.own(p) for p in (path, *side.below(path))):
            return "not compared", (), "has no parameters"
        if self._in_whole(n, path):
            return "not compared", (), ""
        return ("missing" if n == 0 else "extra"), (), f"shares {again}" if again is not None else ""

    def _in_whole(self, n: int, path: str) -> bool:
        """Does it lie in a layer whose partner has nothing inside?"""
        partner = self.candidate_of if n == 0 else self.reference_of
        for above in _around(self.sides[n], path):
            if above in partner:
                return not self.sides[1 - n].children.get(partner[above])
        return False


def _around(side: Side, path: str) -> list[str]:
    """The layers around one, the nearest first, without the net itself."""
    found = []
    above = side.parents.get(path, ROOT)
    while above != ROOT:
        found.append(above)
        above = side.parents[above]
    return found


def _label(path: str, around: str) -> str:
    inside = path.removeprefix(f"{around}.") if around else path
    return inside if inside != path or around in {"", ROOT} else f".{path}" if around else path


def _number(path: str) -> int | None:
    last = path.rpartition(".")[2]
    return int(last) if last.isdigit() else None


def _longest_rise(numbers: list[int]) -> set[int]:
    """Positions of a longest increasing run of numbers, gaps allowed."""
    ends: list[int] = []
    at: list[int] = []
    before: list[int | None] = []
    for n, number in enumerate(numbers):
        place = bisect.bisect_left(ends, number)
        before.append(at[place - 1] if place else None)
        ends[place : place + 1] = [number]
        at[place : place + 1] = [n]
    found: set[int] = set()
    here = at[-1] if at else None
    while here is not None:
        found.add(here)
        here = before[here]
    return found
