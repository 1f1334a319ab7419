"""Two nets with their times -> layer beside layer, block beside block, and where the candidate loses time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from tracer.divergence.alignment import Alignment, CallId, Pair
from tracer.divergence.placed import align_placed, placed_from
from tracer.profiling.measured import Spread, apart, spread
from tracer.profiling.sides import Side, Sort, Taken
from tracer.profiling.step import AROUND, Share, common_phases, shares, step_times

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
        share: of all that the candidate loses anywhere; of one net: of its step.
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


@dataclass(frozen=True)
class Kind:
    """All layers of one op: how many calls each side has of it, and what they take together; else as `Row`."""

    op: str
    calls: tuple[int, int]
    reference: Spread | None
    candidate: Spread | None
    state: State
    lost: float | None = None
    ratio: float | None = None
    share: float | None = None


_Place = TypeVar("_Place", Row, Kind)


@dataclass(frozen=True)
class Profile:
    """Where the time of a step goes, in one net or in two beside each other.

    Attributes:
        reference, candidate: the sides; None for the candidate where one net is looked at alone.
        phases: those that are compared: of the step's phases those that both sides ran.
        steps: a step of each side, of these phases.
        shares: what a step is made of.
        rows: layers and code, where the candidate loses most first (of one net: what takes most first).
        blocks: containers, in the order in which they run.
        kinds: by op, as `rows`.
        lost, gained: nanoseconds at all places where the difference is more than noise.
        aligned: how many layers of both belong together.
    """

    reference: Side
    candidate: Side | None
    phases: tuple[str, ...]
    steps: tuple[Spread | None, Spread | None]
    shares: tuple[Share, ...]
    rows: tuple[Row, ...]
    blocks: tuple[Row, ...]
    kinds: tuple[Kind, ...]
    lost: float = 0.0
    gained: float = 0.0
    aligned: int = 0

    @property
    def ratio(self) -> float | None:
        """The candidate's step by the reference's; None for one net."""
        return quotient(*self.steps)

    @property
    def alike(self) -> bool:
        """Do the steps of both differ by no more than they vary?"""
        ours, theirs = self.steps
        return bool(ours and theirs and not apart(ours, theirs))

    @property
    def first(self) -> Row | None:
        """Where the candidate loses most time beyond noise, None where nowhere; of one net what takes most."""
        wanted = {"timed"} if self.candidate is None else {"slower", "candidate only"}
        return next((row for row in self.rows if row.state in wanted), None)

    @property
    def alone(self) -> tuple[Row, ...]:
        """Layers that one side has and the other has not."""
        return tuple(row for row in self.rows if row.sort == "layer" and row.state.endswith("only"))


def alone(side: Side) -> Profile:
    """One net by itself: what takes most."""
    phases = common_phases(side, None)
    side = replace(side, phases=_in_layers(phases, side, None))
    whole = spread(step_times(side, phases))
    rows = [_single(row, whole) for row in _lone_rows(side)]
    rows.sort(key=lambda row: -_median(_whole(row.reference)))
    kinds = [replace(kind, state="timed", share=_part(kind.reference, whole)) for kind in _kinds(side, None)]
    kinds.sort(key=lambda kind: -_median(kind.reference))
    return Profile(
        reference=side,
        candidate=None,
        phases=phases,
        steps=(whole, None),
        shares=shares(side, None, phases),
        rows=tuple(row for row in rows if row.sort != "block"),
        blocks=_in_order([row for row in rows if row.sort == "block"], side),
        kinds=tuple(kinds),
    )


def beside(reference: Side, candidate: Side, pins: Sequence[tuple[str, str]] = ()) -> Profile:
    """Two nets beside each other.

    Args:
        reference: the net that is right.
        candidate: its port.
        pins: pairs of layers that the user insists on.

    Raises:
        RuleError: a pin names what is in neither trace, or one side twice.
    """
    phases = common_phases(reference, candidate)
    timed = _in_layers(phases, reference, candidate)
    ours, theirs = replace(reference, phases=timed), replace(candidate, phases=timed)
    alignment = align_placed(ours.graph, theirs.graph, pins, placed_from(ours.skeleton, theirs.skeleton))
    rows = _paired_rows(ours, theirs, alignment)
    parts = shares(ours, theirs, phases)
    kinds = _kinds(ours, theirs)
    places = [row for row in rows if row.sort != "block"]
    differences = [row.lost or 0.0 for row in places if row.state != "alike"]
    differences += [part.lost or 0.0 for part in parts if part.name in (*AROUND, "rest") and part.beyond]
    lost = sum(one for one in differences if one > 0)
    places = [_of_all(row, lost) for row in places]
    places.sort(key=lambda row: -(row.lost or 0.0))
    return Profile(
        reference=ours,
        candidate=theirs,
        phases=phases,
        steps=(spread(step_times(ours, phases)), spread(step_times(theirs, phases))),
        shares=parts,
        rows=tuple(places),
        blocks=_in_order([_of_all(row, lost) for row in rows if row.sort == "block"], ours),
        kinds=tuple(sorted((_of_all(kind, lost) for kind in kinds), key=lambda kind: -(kind.lost or 0.0))),
        lost=lost,
        gained=-sum(one for one in differences if one < 0),
        aligned=sum(row.sort == "layer" and bool(row.reference and row.candidate) for row in places),
    )


def _in_layers(phases: Sequence[str], reference: Side, candidate: Side | None) -> tuple[str, ...]:
    """The phases in which layers run: backward only where the calls of every side have one."""
    sides = [reference] if candidate is None else [reference, candidate]
    back = all(side.measured.backward for side in sides) and "backward" in phases
    return ("forward", "backward") if back else ("forward",)


# --------------------------------------------------------------------------------------------------------------------
# Rows
# --------------------------------------------------------------------------------------------------------------------


def _paired_rows(ours: Side, theirs: Side, alignment: Alignment) -> list[Row]:
    """All places: pairs, and what one side has alone. What lies inside a container whose partner is judged whole is
    that partner's, and stands nowhere else."""
    pairs = [p for p in alignment.pairs if p.reference in ours.graph.nodes and p.candidate in theirs.graph.nodes]
    covered: tuple[set[CallId], set[CallId]] = (set(), set())
    for pair in pairs:
        units = ours.graph.nodes[pair.reference].unit, theirs.graph.nodes[pair.candidate].unit
        if units[0] and not units[1]:
            covered[1].update(theirs.inside(pair.candidate))
        if units[1] and not units[0]:
            covered[0].update(ours.inside(pair.reference))
    groups: dict[tuple[Sort, str, str], list[Pair]] = {}
    for pair in pairs:
        if pair.reference in covered[0] or pair.candidate in covered[1]:
            continue
        whole = ours.graph.nodes[pair.reference].unit or theirs.graph.nodes[pair.candidate].unit
        for sort in _sorts(unit=whole):
            groups.setdefault((sort, pair.reference.path, pair.candidate.path), []).append(pair)
    rows = []
    for (sort, _, _), members in groups.items():
        left = ours.taken(sort, [p.reference for p in members])
        right = theirs.taken(sort, [p.candidate for p in members])
        depth = sum(1 for _ in ours.graph.ancestors(members[0].reference))
        sure = min(members, key=lambda p: p.confidence)
        rows.append(
            Row(sort, left, right, *_stand(left, right, ours, theirs), None, depth, sure.reason, sure.confidence)
        )
    for side, lone, inside in ((ours, alignment.alone_reference, covered[0]),
                               (theirs, alignment.alone_candidate, covered[1])):  # fmt: skip
        ids = [one.id for one in lone if one.id in side.graph.nodes and one.id not in inside]
        rows += [_one_sided(sort, taken, reference=side is ours) for sort, taken in _each_layer(side, ids)]
    return rows


def _lone_rows(side: Side) -> list[Row]:
    ids = [*side.graph.units, *side.graph.containers]
    return [_one_sided(sort, taken, reference=True) for sort, taken in _each_layer(side, ids)]


def _each_layer(side: Side, ids: Iterable[CallId]) -> list[tuple[Sort, Taken]]:
    """Calls of one layer together."""
    groups: dict[tuple[Sort, str], list[CallId]] = {}
    for id_ in ids:
        for sort in _sorts(unit=side.graph.nodes[id_].unit):
            groups.setdefault((sort, id_.path), []).append(id_)
    return [(sort, side.taken(sort, members)) for (sort, _), members in groups.items()]


def _sorts(*, unit: bool) -> tuple[Sort, ...]:
    return ("layer",) if unit else ("code", "block")


def _one_sided(sort: Sort, taken: Taken, *, reference: bool) -> Row:
    time = _median(taken.whole)
    if reference:
        return Row(sort, taken, None, "reference only", -time)
    return Row(sort, None, taken, "candidate only", time)


def _single(row: Row, whole: Spread | None) -> Row:
    assert row.reference is not None
    return replace(row, state="timed", lost=None, share=_part(row.reference.whole, whole))


def _stand(ours: Taken, theirs: Taken, left: Side, right: Side) -> tuple[State, float, float | None]:
    """How two stand to each other. What is less than the watching of the calls costs is not told from it."""
    cost = max(left.measured.cost * ours.calls, right.measured.cost * theirs.calls)
    return _weigh(ours.whole, theirs.whole, float(cost))


def _weigh(ours: Spread | None, theirs: Spread | None, cost: float) -> tuple[State, float, float | None]:
    lost = _median(theirs) - _median(ours)
    told = ours is not None and theirs is not None and apart(ours, theirs) and abs(lost) > cost
    state: State = "alike" if not told else "slower" if lost > 0 else "faster"
    return state, lost, quotient(ours, theirs)


def _in_order(rows: Sequence[Row], side: Side) -> tuple[Row, ...]:
    """In the order of the reference's calls; what only the candidate has stands last."""
    order = {id_.path: n for n, id_ in reversed(list(enumerate(side.graph.nodes)))}

    def key(row: Row) -> int:
        return order[row.reference.path] if row.reference is not None else len(order)

    return tuple(sorted(rows, key=key))


# --------------------------------------------------------------------------------------------------------------------
# Kinds
# --------------------------------------------------------------------------------------------------------------------


def _kinds(ours: Side, theirs: Side | None) -> list[Kind]:
    """All layers of one op together, on each side."""
    left, right = _by_op(ours), {} if theirs is None else _by_op(theirs)
    made = []
    for op in dict.fromkeys((*left, *right)):
        mine = ours.taken("layer", left[op]) if op in left else None
        other = theirs.taken("layer", right[op]) if theirs is not None and op in right else None
        calls = (mine.calls if mine else 0, other.calls if other else 0)
        if mine is not None and other is not None and theirs is not None:
            state, lost, ratio = _stand(mine, other, ours, theirs)
        else:
            state = "reference only" if mine is not None else "candidate only"
            lost, ratio = _median(_whole(other)) - _median(_whole(mine)), None
        made.append(Kind(op, calls, _whole(mine), _whole(other), state, lost, ratio))
    return made


def _by_op(side: Side) -> dict[str, list[CallId]]:
    found: dict[str, list[CallId]] = {}
    for id_ in side.graph.units:
        node = side.graph.nodes[id_]
        found.setdefault(node.meaning.op or node.layer.kind, []).append(id_)
    return found


# --------------------------------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------------------------------


def _of_all(row: _Place, lost: float) -> _Place:
    counts = row.state in {"slower", "candidate only"} and lost > 0
    return replace(row, share=(row.lost or 0.0) / lost if counts else None)


def _whole(taken: Taken | None) -> Spread | None:
    return None if taken is None else taken.whole


def _part(time: Spread | None, whole: Spread | None) -> float | None:
    return time.median / whole.median if time is not None and whole is not None and whole.median > 0 else None


def quotient(ours: Spread | None, theirs: Spread | None) -> float | None:
    """The candidate's time by the reference's."""
    if ours is None or theirs is None or ours.median <= 0:
        return None
    return theirs.median / ours.median


def _median(time: Spread | None) -> float:
    return time.median if time is not None else 0.0
