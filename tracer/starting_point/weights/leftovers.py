"""Parameters that no pair of layers accounts for: they lie at another level of the net (a scale that is an attribute
here and a layer there), or in a layer that has no partner.

They are looked for from the inside out: within the nearest layer around them that has a partner, among those of one
shape. Where several are left names must tell them apart, all of them, or they stay alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from math import prod
from operator import contains

from tracer.starting_point.weights.choices import settle
from tracer.starting_point.weights.naming import likeness, name_words
from tracer.starting_point.weights.steps import Reshape, Shape, without_ones
from tracer.starting_point.weights.weight_map import ParameterFacts, Piece, Placement
from tracer.trace.schema import ROOT

_LIKE = 0.55
"""How alike names must be of parameters that are not the only ones of their size in the whole of the nets."""

_Scope = tuple[str, str]
"""A layer of the reference and its partner."""

_Groups = dict[tuple[_Scope, Shape], list[ParameterFacts]]


def leftovers(
    references: Sequence[ParameterFacts],
    candidates: Sequence[ParameterFacts],
    partner: Mapping[str, str],
    every: tuple[Mapping[str, ParameterFacts], Mapping[str, ParameterFacts]],
    single: tuple[AbstractSet[str], AbstractSet[str]],
    straight: tuple[AbstractSet[str], AbstractSet[str]],
) -> Iterator[Placement]:
    """Place what is left.

    Args:
        references: parameters of the reference that are placed nowhere.
        candidates: parameters of the candidate that nothing is placed into.
        partner: the candidate's layer of each of the reference's, by path.
        every: all parameters of the reference, and of the candidate.
        single: layers without others inside, by path, of the reference, and of the candidate. Two of those should have
            been paired as layers; why they were not nobody knows, so their parameters must be of like names.
        straight: layers that keep a matrix or kernel as torch does, outputs first. Of others nobody knows which axis is
            which, so that the only matrix of a size may be another one, transposed.
    """
    back = {b: a for a, b in partner.items()}
    ours, theirs = list(references), list(candidates)
    common = {
        size
        for facts in every
        for size, count in Counter(_size(one) for one in facts.values() if not one.tied and one.needed).items()
        if count > 1
    }
    while ours and theirs:
        left: _Groups = defaultdict(list)
        right: _Groups = defaultdict(list)
        for side, facts, found in ((partner, ours, left), (back, theirs, right)):
            for one in facts:
                path = _around(one.key, side)
                scope = (path, side.get(path, path)) if side is partner else (side.get(path, path), path)
                found[scope, _size(one)].append(one)
        placed = [
            placement
            for key, group in left.items()
            if key in right
            for placement in _within(group, right[key], inside=key[0] != (ROOT, ROOT), many=key[1] in common)
            if not _of_two_layers(placement, single)
            or _alike(placement.target, placement.pieces[0].source) > _LIKE
            or key[0] == _layers(placement)
            or (
                (_only_inside(key, every) or _only_one(key[1], every))
                and all(map(contains, straight, _layers(placement)))
            )
        ]
        yield from placed
        inside = _layers_of([p for p in placed if _of_two_layers(p, single)], partner, back)
        sources = {piece.source for placement in placed for piece in placement.pieces}
        targets = {placement.target for placement in placed}
        ours = [one for one in ours if one.key not in sources]
        theirs = [one for one in theirs if one.key not in targets]
        scopes = {scope for scope, _ in (*left, *right)} - {(ROOT, ROOT)}
        if not scopes and not inside:
            return
        deepest = max((scope[0].count(".") for scope in scopes), default=-1)
        gone = {scope for scope in scopes if scope[0].count(".") == deepest}
        partner = {a: b for a, b in partner.items() if (a, b) not in gone} | inside
        back = {b: a for a, b in partner.items()}


def _within(
    left: Sequence[ParameterFacts], right: Sequence[ParameterFacts], *, inside: bool, many: bool
) -> Iterator[Placement]:
    """Parameters of one size inside one pair of layers; in the whole net a shape alone says little, and that one of
    `many` is left over says nothing."""
    by_key = {one.key: one for one in (*left, *right)}
    if len(left) == len(right) == 1:
        a, b = left[0], right[0]
        if not inside and many and _alike(a.key, b.key) < _LIKE:
            return
        if inside or a.key.rpartition(".")[2] == b.key.rpartition(".")[2] or _alike(a.key, b.key) > 0:
            words = (
                "the only one of its shape that is left inside paired layers"
                if inside
                else "the only one of its shape left"
            )
            yield _placement(a, b, words)
        return
    settled = settle([one.key for one in left], [one.key for one in right])
    if settled.open or len(settled.pairs) < min(len(left), len(right)):
        return
    for key, (other, why) in settled.pairs.items():
        yield _placement(by_key[key], by_key[other], f"of its shape inside paired layers, {why}")


def _alike(one: str, other: str) -> float:
    """How alike the names are; that both are a "weight" says nothing."""
    names = [key.rpartition(".") for key in (one, other)]
    if all(name_words(last) in {("weight",), ("bias",)} and path for path, _, last in names):
        return likeness(names[0][0], names[1][0])
    return likeness(one, other)


def _of_two_layers(placement: Placement, single: tuple[AbstractSet[str], AbstractSet[str]]) -> bool:
    """Is it a parameter of a layer without others inside, on either side?"""
    return all(path in paths for path, paths in zip(_layers(placement), single, strict=True))


def _layers(placement: Placement) -> _Scope:
    """The two layers whose parameters are placed."""
    return placement.pieces[0].source.rpartition(".")[0], placement.target.rpartition(".")[0]


def _only_inside(
    key: tuple[_Scope, Shape], every: tuple[Mapping[str, ParameterFacts], Mapping[str, ParameterFacts]]
) -> bool:
    """Is there one parameter of this size inside a layer that has a partner, whatever is placed, and one inside that
    partner? A kernel of one pixel is a matrix then."""
    scope, size = key
    if ROOT in scope or len(size) < 2:
        return False
    counts = (
        sum(one.key.startswith(f"{path}.") and _size(one) == size for one in facts.values())
        for path, facts in zip(scope, every, strict=True)
    )
    return all(count == 1 for count in counts)


def _only_one(size: Shape, every: tuple[Mapping[str, ParameterFacts], Mapping[str, ParameterFacts]]) -> bool:
    """Is there one matrix or kernel of this size in either net, whatever is placed?"""
    counts = (sum(_size(one) == size and not one.tied for one in facts.values()) for facts in every)
    return len(size) > 1 and all(count == 1 for count in counts)


def _layers_of(placed: Sequence[Placement], partner: Mapping[str, str], back: Mapping[str, str]) -> dict[str, str]:
    """Layers of which one parameter has found its place: the others of the same two layers go together."""
    return {a: b for a, b in map(_layers, placed) if a and b and a not in partner and b not in back}


def _placement(a: ParameterFacts, b: ParameterFacts, why: str) -> Placement:
    steps = () if a.shape == b.shape else (Reshape(b.shape),)
    return Placement(b.key, (Piece(a.key, steps),), why, 0.7)


def _around(key: str, partner: Mapping[str, str]) -> str:
    """The nearest layer around a parameter that has a partner."""
    path = key
    while path:
        path = path.rpartition(".")[0]
        if path in partner:
            return path
    return ROOT


def _size(facts: ParameterFacts) -> Shape:
    return without_ones(facts.shape) or (prod(facts.shape),)
