"""Which layer of the one tree stands beside which of the other: the alignment, read layer by layer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from tracer.divergence.alignment import Alignment, CallId, Pair, align
from tracer.divergence.alignment.surroundings import silent_layers
from tracer.starting_point.trees.sides import Side
from tracer.starting_point.weights.groups import merged_layers
from tracer.starting_point.weights.linking import Sides
from tracer.trace.schema import ROOT

_Alike = Callable[[Side, str, Side, str], bool]
_SHORTEST = 3


@dataclass(frozen=True)
class Partners:
    """`pairs` by the reference's path; `again` tells layers of either side whose partner stands beside another layer
    already (one layer called twice against two); `merged` in words what lone layers are merged with, for each side."""

    pairs: Mapping[str, Pair]
    again: tuple[Mapping[str, str], Mapping[str, str]]
    merged: tuple[Mapping[str, str], Mapping[str, str]]


def partners(ours: Side, theirs: Side, pins: Sequence[tuple[str, str]]) -> Partners:
    """Align two sides.

    Raises:
        RuleError: a pin names what is not there, or one side twice.
    """
    alignment = align(ours.graph, theirs.graph, pins)
    made = {ROOT: Pair(CallId(ROOT), CallId(ROOT), "the net itself", 1.0)}
    taken = {ROOT: ROOT}
    again: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for pair in alignment.pairs:
        a, b = pair.reference.path, pair.candidate.path
        if a not in made and b not in taken:
            made[a], taken[b] = pair, a
    for pair in alignment.pairs:
        a, b = pair.reference.path, pair.candidate.path
        if a not in made:
            again[0].setdefault(a, b)
        if b not in taken:
            again[1].setdefault(b, a)
    merged = _merged(ours, theirs, alignment, (set(made) | set(again[0]), set(taken) | set(again[1])))
    doubtful = [made.pop(a) for a in list(made) if _is_doubtful(ours, theirs, made[a])]
    doubtful = [pair for pair in doubtful if not _only_numbered(ours, theirs, pair)]
    known = (
        set(made) | set(again[0]) | set(merged[0]),
        {p.candidate.path for p in made.values()} | set(again[1]) | set(merged[1]),
    )
    for pair in [*_in_their_places(ours, theirs, list(made.values()), known), *doubtful]:
        if pair.reference.path not in made and pair.candidate.path not in known[1]:
            made[pair.reference.path] = pair
            known[1].add(pair.candidate.path)
    return Partners(made, again, merged)


def _is_doubtful(ours: Side, theirs: Side, pair: Pair) -> bool:
    """Do only neighbours speak for it? Where nothing ran, layers without parameters that do other things stand beside
    each other for want of a better one."""
    a, b = pair.reference.path, pair.candidate.path
    if ours.graph.ran or pair.reason == "pinned" or ROOT in {a, b}:
        return False
    if _holds_parameters(ours, a) or _holds_parameters(theirs, b) or (ours.children.get(a) and theirs.children.get(b)):
        return False
    return ours.meaning(a).op != theirs.meaning(b).op or not ours.meaning(a).op


def _in_their_places(ours: Side, theirs: Side, pairs: list[Pair], known: tuple[set[str], set[str]]) -> list[Pair]:
    """Lone layers in paired ones: those alone of their op, those of one name, those alone of their family, which are
    one thing done in two ways, and those that only a name speaks for. Attributes may be written in any order, which the
    graph of layers cannot know."""
    open_ = tuple(set(_lone(side, taken)) for side, taken in zip((ours, theirs), known, strict=True))
    found: list[Pair] = []

    def take(pair: Pair) -> None:
        if pair.reference.path in open_[0] and pair.candidate.path in open_[1]:
            open_[0].discard(pair.reference.path)
            open_[1].discard(pair.candidate.path)
            found.append(pair)

    def take_only_ones(alike: _Alike, reason: str) -> None:
        for around in (*pairs, *found):
            lone = [p for p in ours.children.get(around.reference.path, ()) if p in open_[0]]
            beside = [p for p in theirs.children.get(around.candidate.path, ()) if p in open_[1]]
            for a, b in _only_ones(ours, theirs, lone, beside, alike):
                take(Pair(CallId(a), CallId(b), reason, 0.6))

    take_only_ones(_one_op, "the only one of its op there")
    graphs = [
        replace(side.graph, silent=tuple(p for p in side.shown if p in rest))
        for side, rest in zip((ours, theirs), open_, strict=True)
    ]
    for pair in silent_layers(graphs[0], graphs[1], [*pairs, *found]):
        if _may_be_one(ours, theirs, pair):
            take(replace(pair, reason=pair.reason.removeprefix("never fired; ")))
    take_only_ones(_one_family, "the only one of its family there")
    take_only_ones(_one_name, "a name like no other's")
    return found


def _may_be_one(ours: Side, theirs: Side, pair: Pair) -> bool:
    """Both containers or neither, and more alike than in their number."""
    a, b = pair.reference.path, pair.candidate.path
    return bool(ours.children.get(a)) == bool(theirs.children.get(b)) and not _only_numbered(ours, theirs, pair)


def _only_numbered(ours: Side, theirs: Side, pair: Pair) -> bool:
    """What computes nothing is no other layer only for its number in a list."""
    a, b = pair.reference.path, pair.candidate.path
    numbered = a.rpartition(".")[2].isdigit() or b.rpartition(".")[2].isdigit()
    return numbered and ours.computes_nothing(a) != theirs.computes_nothing(b)


def _holds_parameters(side: Side, path: str) -> bool:
    return any(side.own(p) for p in (path, *side.below(path)))


def _lone(side: Side, known: set[str]) -> list[str]:
    """Layers that are not paired, and around none that is."""
    around: set[str] = set()
    for path in known:
        above = side.parents.get(path, ROOT)
        while above != ROOT and above not in around:
            around.add(above)
            above = side.parents[above]
    return [path for path in side.shown if path not in known and path not in around]


def _only_ones(
    ours: Side, theirs: Side, lone: Sequence[str], beside: Sequence[str], alike: _Alike
) -> list[tuple[str, str]]:
    """The pairs in which each is like one of the other side only."""
    right = {a: [b for b in beside if alike(ours, a, theirs, b)] for a in lone}
    left = {b: [a for a in lone if b in right[a]] for b in beside}
    return [(a, found[0]) for a, found in right.items() if len(found) == 1 and len(left[found[0]]) == 1]


def _one_op(ours: Side, a: str, theirs: Side, b: str) -> bool:
    mine, other = ours.meaning(a), theirs.meaning(b)
    shapes = [sorted(p.shape for p in means.parameters.values()) for means in (mine, other)]
    return bool(mine.op) and mine.op == other.op and shapes[0] == shapes[1]


def _one_family(ours: Side, a: str, theirs: Side, b: str) -> bool:
    mine, other = ours.meaning(a), theirs.meaning(b)
    return bool(mine.family) and mine.family == other.family and not mine.transparent and not other.transparent


def _one_name(ours: Side, a: str, theirs: Side, b: str) -> bool:
    """Layers without parameters, at least one of a class that no rule knows, the name of one in the name of the other:
    nobody can tell what they compute."""
    if ours.meaning(a).op and theirs.meaning(b).op:
        return False
    if _holds_parameters(ours, a) or _holds_parameters(theirs, b):
        return False
    mine, other = (re.sub(r"[^a-z]", "", path.rpartition(".")[2].lower()) for path in (a, b))
    return len(min(mine, other, key=len)) >= _SHORTEST and (mine in other or other in mine)


def _merged(
    ours: Side, theirs: Side, alignment: Alignment, known: tuple[set[str], set[str]]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Lone layers that are one projection here and several there, as the weights' map finds them."""
    free = tuple(
        {f.key: path for path in side.shown if path not in paired for f in side.own(path).values()}
        for side, paired in zip((ours, theirs), known, strict=True)
    )
    said: tuple[dict[str, str], dict[str, str]] = ({}, {})
    if not all(free):
        return said
    sides = Sides((ours.graph, theirs.graph))
    partner = {pair.reference.path: pair.candidate.path for pair in reversed(alignment.pairs)}
    for found in merged_layers(sides, partner, frozenset(free[0]), frozenset(free[1])):
        choice = found.open
        keys = (
            {piece.source for placement in found.placements for piece in placement.pieces},
            {placement.target for placement in found.placements},
        )
        if choice is not None:
            keys = keys[0] | set(choice.references), keys[1] | set(choice.candidates)
        lone = [list(dict.fromkeys(path for key, path in free[n].items() if key in keys[n])) for n in (0, 1)]
        for n in (0, 1):
            beside = " + ".join(path.rpartition(".")[2] for path in lone[1 - n])
            said[n].update(dict.fromkeys(lone[n], f"merged with {beside}" if beside else "merged"))
    return said
