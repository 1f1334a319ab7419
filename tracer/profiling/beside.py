"""Two nets with their times -> layer beside layer, block beside block, and where the candidate loses time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tracer.divergence.alignment import CallId
from tracer.divergence.placed import align_placed, placed_from
from tracer.profiling.measured import Spread, apart, spread
from tracer.profiling.rows import (
    Row,
    State,
    in_order,
    lone_rows,
    median,
    paired_rows,
    part,
    quotient,
    single,
    stand,
)
from tracer.profiling.sides import Side, Taken
from tracer.profiling.step import AROUND, Share, common_phases, shares, step_times


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
        wholes: nanoseconds of which shares are, of each side: its step; where its calls take longer one by one, as they
            are watched, than a bare step in which they overlap, what they take. 0 for no step.
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
    wholes: tuple[float, float]
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
    def first_around(self) -> Share | None:
        """Loss or update, where the candidate loses more time beyond noise than at any layer; else None."""
        around = [part for part in self.shares if part.name in AROUND and part.beyond and (part.lost or 0.0) > 0]
        most = max(around, key=lambda part: part.lost or 0.0, default=None)
        at_layers = self.first.lost or 0.0 if self.candidate is not None and self.first is not None else 0.0
        return most if most is not None and (most.lost or 0.0) > at_layers else None

    @property
    def alone(self) -> tuple[Row, ...]:
        """Layers that one side has and the other has not."""
        return tuple(row for row in self.rows if row.sort == "layer" and row.state.endswith("only"))


def alone(side: Side) -> Profile:
    """One net by itself: what takes most."""
    phases = common_phases(side, None)
    side = replace(side, phases=_in_layers(phases, side, None))
    step = spread(step_times(side, phases, bare=True))
    parts = shares(side, None, phases)
    whole, _ = _wholes((step, None), parts)
    rows = [single(row, whole) for row in lone_rows(side)]
    rows.sort(key=lambda row: -median(_whole(row.reference)))
    kinds = [replace(kind, state="timed", lost=None, share=part(kind.reference, whole)) for kind in _kinds(side, None)]
    kinds.sort(key=lambda kind: -median(kind.reference))
    return Profile(
        reference=side,
        candidate=None,
        phases=phases,
        steps=(step, None),
        wholes=(whole, 0.0),
        shares=parts,
        rows=tuple(row for row in rows if row.sort != "block"),
        blocks=in_order([row for row in rows if row.sort == "block"], side, None),
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
    bare = whole_steps(phases, ours, theirs)
    steps = spread(step_times(ours, phases, bare=bare)), spread(step_times(theirs, phases, bare=bare))
    alignment = align_placed(ours.graph, theirs.graph, pins, placed_from(ours.skeleton, theirs.skeleton))
    parts = shares(ours, theirs, phases, bare=bare)
    wholes = _wholes(steps, parts)
    rows = [_of_step(row, wholes[1]) for row in paired_rows(ours, theirs, alignment)]
    kinds = [_of_step(kind, wholes[1]) for kind in _kinds(ours, theirs)]
    places = sorted((row for row in rows if row.sort != "block"), key=lambda row: -(row.lost or 0.0))
    differences = [row.lost or 0.0 for row in places if row.state != "alike"]
    differences += [one.lost or 0.0 for one in parts if one.beyond and (one.name in AROUND or _is_rest(one))]
    return Profile(
        reference=ours,
        candidate=theirs,
        phases=phases,
        steps=steps,
        wholes=wholes,
        shares=parts,
        rows=tuple(places),
        blocks=in_order([row for row in rows if row.sort == "block"], ours, theirs),
        kinds=tuple(sorted(kinds, key=lambda kind: -(kind.lost or 0.0))),
        lost=sum(one for one in differences if one > 0),
        gained=-sum(one for one in differences if one < 0),
        aligned=sum(row.sort == "layer" and bool(row.reference and row.candidate) for row in places),
    )


def _is_rest(one: Share) -> bool:
    """Is anything left? Below nothing it only says that bare steps overlap what watched ones run one by one."""
    return one.name == "rest" and min(median(one.reference), median(one.candidate)) >= 0


def whole_steps(phases: Sequence[str], *sides: Side) -> bool:
    """Are whole steps compared, for which there are bare ones on every side? Else watched ones are."""
    return all(set(phases) == set(side.measured.phases) and side.measured.has_bare for side in sides)


def _in_layers(phases: Sequence[str], reference: Side, candidate: Side | None) -> tuple[str, ...]:
    """The phases in which layers run: backward only where the calls of every side have one."""
    sides = [reference] if candidate is None else [reference, candidate]
    back = all(side.measured.backward for side in sides) and "backward" in phases
    return ("forward", "backward") if back else ("forward",)


def _wholes(steps: tuple[Spread | None, Spread | None], parts: Sequence[Share]) -> tuple[float, float]:
    found = []
    for step, name in zip(steps, ("reference", "candidate"), strict=True):
        explained = sum(median(getattr(one, name)) for one in parts if one.name != "rest")
        found.append(max(step.median, explained) if step is not None else 0.0)
    return found[0], found[1]


def _of_step(row: _Place, whole: float) -> _Place:
    """With what part of the candidate's step is lost there."""
    counts = row.state in {"slower", "candidate only"} and whole > 0
    return replace(row, share=(row.lost or 0.0) / whole if counts else None)


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
            state, lost, ratio = stand(mine, other, ours, theirs)
        else:
            state = "reference only" if mine is not None else "candidate only"
            lost, ratio = median(_whole(other)) - median(_whole(mine)), None
        made.append(Kind(op, calls, _whole(mine), _whole(other), state, lost, ratio))
    return made


def _by_op(side: Side) -> dict[str, list[CallId]]:
    found: dict[str, list[CallId]] = {}
    for id_ in side.graph.units:
        node = side.graph.nodes[id_]
        found.setdefault(node.meaning.op or node.layer.kind, []).append(id_)
    return found


def _whole(taken: Taken | None) -> Spread | None:
    return None if taken is None else taken.whole
