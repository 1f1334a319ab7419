"""Layer beside layer and block beside block: what each place took on both sides, and what that says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tracer.divergence.alignment import Alignment, CallId, Pair
from tracer.profiling.gathered import CONFIDENCE, REASON, gathered
from tracer.profiling.measured import Spread, apart
from tracer.profiling.sides import Side, Sort, Taken

State = Literal["slower", "faster", "alike", "reference only", "candidate only", "timed"]
"""How a place stands: "alike" where the difference is within what both vary by; "timed" where there is one net only."""


@dataclass(frozen=True)
class Row:
    """One place of both nets, or of one.

    Attributes:
        sort: "layer", "code" (of a container, around its layers) or "block".
        reference, candidate: what it took on each side; None where that side has no such layer.
        state: slower, faster or alike, of the candidate.
        lost: nanoseconds that the candidate takes longer, below zero where it is faster; None for one net.
        ratio: candidate by reference; None where one side is missing or took nothing.
        share: the part of the candidate's step that is lost here, None where nothing is; of one net: its part of the
            step.
        depth: how many blocks are around it.
        reason, confidence: why the two belong together.
    """

    sort: Sort
    reference: Taken | None
    candidate: Taken | None
    state: State
    lost: float | None = None
    ratio: float | None = None
    share: float | None = None
    depth: int = 0
    reason: str = ""
    confidence: float = 1.0

    @property
    def op(self) -> str:
        """The common name of what the layers do; the class where no rule knows it."""
        one = self.reference or self.candidate
        return "" if one is None else one.op or one.kind


def lone_rows(side: Side) -> list[Row]:
    """All places of one net."""
    ids = [*side.graph.units, *side.graph.containers]
    return [_one_sided(sort, side, members, reference=True) for sort, members in _each_layer(side, ids)]


def paired_rows(ours: Side, theirs: Side, alignment: Alignment) -> list[Row]:
    """All places of two nets: pairs, layers of which one stands for several, and what one side has alone. What lies
    inside a container whose partner is judged whole is that partner's, and stands nowhere else."""
    pairs = [p for p in alignment.pairs if p.reference in ours.graph.nodes and p.candidate in theirs.graph.nodes]
    covered = _covered(ours, theirs, pairs)
    rows = [
        *_of_pairs(ours, theirs, [p for p in pairs if p.reference not in covered[0] and p.candidate not in covered[1]])
    ]
    alone = [
        [one.id for one in lone if one.id in side.graph.nodes and one.id not in inside]
        for side, lone, inside in (
            (ours, alignment.alone_reference, covered[0]),
            (theirs, alignment.alone_candidate, covered[1]),
        )
    ]
    for one in gathered(ours, theirs, alignment, (set(alone[0]), set(alone[1]))):
        rows.append(_row("layer", one.reference, one.candidate, ours, theirs, REASON, CONFIDENCE))
        alone = [[id_ for id_ in ids if id_ not in {*one.reference, *one.candidate}] for ids in alone]
    for side, ids in ((ours, alone[0]), (theirs, alone[1])):
        rows += [_one_sided(sort, side, members, reference=side is ours) for sort, members in _each_layer(side, ids)]
    return rows


def _covered(ours: Side, theirs: Side, pairs: Sequence[Pair]) -> tuple[set[CallId], set[CallId]]:
    """Calls inside a container whose partner has none inside."""
    found: tuple[set[CallId], set[CallId]] = (set(), set())
    for pair in pairs:
        units = ours.graph.nodes[pair.reference].unit, theirs.graph.nodes[pair.candidate].unit
        if units[0] and not units[1]:
            found[1].update(theirs.inside(pair.candidate))
        if units[1] and not units[0]:
            found[0].update(ours.inside(pair.reference))
    return found


def _of_pairs(ours: Side, theirs: Side, pairs: Iterable[Pair]) -> Iterable[Row]:
    """All calls of a layer that belong to calls of one other layer are one row."""
    groups: dict[tuple[Sort, str, str], list[Pair]] = {}
    for pair in pairs:
        whole = ours.graph.nodes[pair.reference].unit or theirs.graph.nodes[pair.candidate].unit
        for sort in _sorts(unit=whole):
            groups.setdefault((sort, pair.reference.path, pair.candidate.path), []).append(pair)
    for (sort, _, _), members in groups.items():
        sure = min(members, key=lambda p: p.confidence)
        ids = [p.reference for p in members], [p.candidate for p in members]
        yield _row(sort, *ids, ours, theirs, sure.reason, sure.confidence)


def _row(
    sort: Sort,
    ours: Sequence[CallId],
    theirs: Sequence[CallId],
    reference: Side,
    candidate: Side,
    reason: str,
    confidence: float,
) -> Row:
    left, right = reference.taken(sort, ours), candidate.taken(sort, theirs)
    state, lost, ratio = stand(left, right, reference, candidate)
    return Row(sort, left, right, state, lost, ratio, None, _depth(reference, ours[0]), reason, confidence)


def _each_layer(side: Side, ids: Iterable[CallId]) -> list[tuple[Sort, list[CallId]]]:
    """Calls of one layer together."""
    groups: dict[tuple[Sort, str], list[CallId]] = {}
    for id_ in ids:
        for sort in _sorts(unit=side.graph.nodes[id_].unit):
            groups.setdefault((sort, id_.path), []).append(id_)
    return [(sort, members) for (sort, _), members in groups.items()]


def _sorts(*, unit: bool) -> tuple[Sort, ...]:
    return ("layer",) if unit else ("code", "block")


def _one_sided(sort: Sort, side: Side, ids: Sequence[CallId], *, reference: bool) -> Row:
    taken = side.taken(sort, ids)
    time, depth = median(taken.whole), _depth(side, ids[0])
    if reference:
        return Row(sort, taken, None, "reference only", -time, depth=depth)
    return Row(sort, None, taken, "candidate only", time, depth=depth)


def _depth(side: Side, id_: CallId) -> int:
    return sum(1 for _ in side.graph.ancestors(id_))


def in_order(rows: Sequence[Row], ours: Side, theirs: Side | None) -> tuple[Row, ...]:
    """In the order of the reference's calls; what only the candidate has follows what runs before it there."""
    first = {id_.path: n for n, id_ in reversed(list(enumerate(ours.graph.nodes)))}
    partners = {row.candidate.path: first[row.reference.path] for row in rows if row.reference and row.candidate}
    places: dict[str, int] = {}
    last = -1
    for id_ in theirs.graph.nodes if theirs is not None else ():
        last = partners.get(id_.path, last)
        places.setdefault(id_.path, last)

    def key(row: Row) -> tuple[int, int]:
        if row.reference is not None:
            return first[row.reference.path], 0
        return (places[row.candidate.path], 1) if row.candidate is not None else (-1, 1)

    return tuple(sorted(rows, key=key))


# --------------------------------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------------------------------


def stand(ours: Taken, theirs: Taken, left: Side, right: Side) -> tuple[State, float, float | None]:
    """How two stand to each other, what is lost, and the ratio. What is less than the watching of the calls costs is
    not told from it."""
    cost = max(left.measured.cost * ours.calls, right.measured.cost * theirs.calls)
    lost = median(theirs.whole) - median(ours.whole)
    told = bool(ours.whole and theirs.whole and apart(ours.whole, theirs.whole)) and abs(lost) > cost
    state: State = "alike" if not told else "slower" if lost > 0 else "faster"
    return state, lost, quotient(ours.whole, theirs.whole)


def single(row: Row, whole: float) -> Row:
    """A row of one net that is looked at alone."""
    assert row.reference is not None
    return replace(row, state="timed", lost=None, share=part(row.reference.whole, whole))


def median(time: Spread | None) -> float:
    """Nothing where there is no time."""
    return 0.0 if time is None else time.median


def part(time: Spread | None, whole: float) -> float | None:
    """What a time is of the whole."""
    return time.median / whole if time is not None and whole > 0 else None


def quotient(ours: Spread | None, theirs: Spread | None) -> float | None:
    """The candidate's time by the reference's."""
    if ours is None or theirs is None or ours.median <= 0:
        return None
    return theirs.median / ours.median
