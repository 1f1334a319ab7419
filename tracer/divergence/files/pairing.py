"""Which array of one side is which of the other: by name, number, shape and order; by value only between equals.

Values never overrule a name, a shape or an order that can be relied on: a fault would then pair an array away from its
true partner to one that looks like it. Where nothing decides, both stay alone and the candidates are named.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from tracer.divergence.files.doubts import believed
from tracer.divergence.files.names import Named, Words, alike, bare, counted_alike, in_common_words
from tracer.divergence.files.order import Scores, best_in_order, longest_chain
from tracer.divergence.files.search import Matching, Same, Search, fits

_SURE = 0.02
"""How much worse another row of pairs must be for a pair to count as the only one."""

_TRUSTED = 0.8
"""The share of what is paired by name alone that must stand in one order on both sides for the order to decide."""


def pair_up(
    reference: Sequence[Named],
    candidate: Sequence[Named],
    *,
    ordered: tuple[bool, bool],
    same: Same,
    pins: Mapping[int, int] | None = None,
) -> Matching:
    """Pair the arrays of both sides, each given in its order.

    Args:
        reference, candidate: names and shapes.
        ordered: does the order say when an array was made, for each side?
        same: asked where names, shapes and order leave a choice.
        pins: places that belong together whatever speaks against it.
    """
    search = Search(*_counted_alike(*in_common_words(reference, candidate), same), ordered, same)
    for i, j in (pins or {}).items():
        search.take(i, j, "pinned", 1.0)
    _by_whole_names(search)
    search.ordered = all(ordered) and _one_order(search)
    before = -1
    while before < len(search.partner):
        before = len(search.partner)
        if search.ordered:
            _in_order(search, _by_name, "name and order", 0.9)
        _between_neighbours(search)
        _by_value(search, "name", 0.6, lambda a, b: bool(a.words) and a.words == b.words)
        if len(search.partner) > before:
            continue
        _by_like_names(search)
        _by_count(search, bare, 0.7)
        _by_count(search, lambda words: bare(words)[-1:], 0.6)
        if search.ordered:
            _in_order(search, _by_likeness, "like name and order", 0.65)
            _in_order(search, _by_shape, "shape and order", 0.6)
        if len(search.partner) == before:
            _by_value(search, "shape", 0.5, lambda a, b: a.squeezed == b.squeezed)
        if len(search.partner) == before and search.ordered:
            _by_place(search)
    return _matching(search)


def _by_whole_names(search: Search) -> None:
    """Names that each side has once."""
    ours, theirs = (search.groups(side, lambda n: n.words) for side in (0, 1))
    for words, places in ours.items():
        others = theirs.get(words, [])
        if words and len(places) == len(others) == 1:
            search.take(places[0], others[0], "by name", 1.0)


def _one_order(search: Search) -> bool:
    """Do both sides stand in one order? What has its name alone says so, and of names that come more often what
    holds equal numbers as nothing else does."""
    seen = {i: m.candidate for i, m in search.partner.items()}
    if len(seen) < 3 or len(search.chain()) < _TRUSTED * len(seen) or len(seen) < 0.2 * len(search.sides[0]):
        seen |= search.witnesses()
    return len(seen) < 3 or len(longest_chain(seen.items())) >= _TRUSTED * len(seen)


def _in_order(search: Search, score: Callable[[Named, Named], float], by: str, confidence: float) -> None:
    """The row of pairs that crosses nowhere and is the best by far; between rows that are as good, the one with
    equal numbers in its arrays, then the one with equal numbers in its names."""
    scores = search.scores(score)
    if _told_otherwise(search, scores, by):
        scores = search.scores(score)
    open_ = _settle(search, scores, by, confidence, _SURE)
    if not open_:
        return
    for sign, less in (("value", 0.65), ("number", 0.5)):
        tied = np.zeros_like(scores)
        for i, j in open_:
            tied[i, j] = 0.4 * _SURE * (search.same(i, j) if sign == "value" else _same_number(search, i, j))
        if tied.any():
            added = scores + tied
            open_ = _settle(search, added, f"{by}, by {sign}", confidence * less, 0.2 * _SURE, tied)
            scores = added


def _told_otherwise(search: Search, scores: Scores, by: str) -> bool:
    """Take by their values arrays that the best row would pair with others, where none of these crosses another:
    each side may lack another one of a name, and the counts are equal all the same. Two that cross are in each
    other's place, and that is a fault to be shown, not to be hidden."""
    found = {i: j for i, j, ahead in best_in_order(scores) if ahead >= _SURE and i not in search.partner}
    if not found:
        return False
    seen = {i: m.candidate for i, m in search.partner.items()} | (witnesses := search.witnesses())
    clear = _crossing_nowhere(seen)
    back = {j: i for i, j in found.items()}
    against = {i: j for i, j in witnesses.items() if found.get(i, j) != j or back.get(j, i) != i}
    taken = {i: j for i, j in against.items() if i in clear}
    for i, j in taken.items():
        search.take(i, j, f"by {by.removesuffix(' and order')} and value", 0.7, by_value=True)
    return bool(taken)


def _settle(
    search: Search, scores: Scores, by: str, confidence: float, margin: float, only: Scores | None = None
) -> list[tuple[int, int]]:
    """Take the pairs of the best row that no other row can do without; give those that are as good as others."""
    open_: list[tuple[int, int]] = []
    for i, j, ahead in best_in_order(scores):
        if i in search.partner or j in search.taken:
            continue
        if ahead >= margin and (only is None or only[i, j] > 0):
            search.take(i, j, f"by {by}" + search.place(i), confidence, by_value="value" in by)
        elif ahead < margin:
            open_.append((i, j))
    return open_


def _by_name(a: Named, b: Named) -> float:
    """Equal names; of other sizes only where nothing else offers itsearch."""
    return (1.0 if a.squeezed == b.squeezed else 0.9 if fits(a, b) else 0.3) * (bool(a.words) and a.words == b.words)


def _by_likeness(a: Named, b: Named) -> float:
    """Names that are alike, of fitting shapes."""
    likeness = alike(a.words, b.words)
    return likeness if fits(a, b) and likeness >= 0.4 else 0.0


def _by_shape(a: Named, b: Named) -> float:
    """Equal shapes, where one has no name."""
    return (0.6 if a.squeezed == b.squeezed else 0.3) if fits(a, b) and not (a.words and b.words) else 0.0


def _between_neighbours(search: Search) -> None:
    """Between two neighbours that are paired: names that come as often on both sides."""
    whole = not search.ordered
    parts = [search.stretches(side, whole=whole) for side in (0, 1)]
    ours, theirs = (search.groups(side, lambda n: n.words, parts[side]) for side in (0, 1))
    for key, places in ours.items():
        others = theirs.get(key, [])
        if not key[1] or len(places) != len(others):
            continue
        if len(places) == 1:
            search.take(places[0], others[0], "by name" + ("" if whole else " between neighbours"), 0.85)
        elif not whole and search.agrees(places, others):
            for i, j in zip(places, others, strict=True):
                search.take(i, j, "by name and order" + search.place(i), 0.75)


def _by_like_names(search: Search) -> None:
    """Names that are alike and that nothing else is as like. Where the order can be relied on, names that come
    more than once must lie between the same neighbours."""
    rows, columns = search.left(0), search.left(1)
    if not rows or not columns:
        return
    scores = search.scores(_by_likeness)[np.ix_(rows, columns)]
    once = [Counter(n.words for n in side) for side in search.sides]
    near = search.near()
    for a, i in enumerate(rows):
        b = int(scores[a].argmax())
        rivals = np.append(np.delete(scores[a], b), np.delete(scores[:, b], a))
        if scores[a, b] >= 0.4 and scores[a, b] - max(rivals, default=0.0) >= 0.1:
            j = columns[b]
            if near(i, j) or once[0][search.sides[0][i].words] == once[1][search.sides[1][j].words] == 1:
                search.take(i, j, "by like name", 0.5 + 0.35 * float(scores[a, b]))


def _by_count(search: Search, key: Callable[[Words], Words], confidence: float) -> None:
    """Names that are one but for their numbers and containers, as many on both sides and of equal shapes: in their
    order, or that of their numbers (layers counted from 0 and from 1)."""
    near = search.near()
    ours, theirs = (search.groups(side, lambda n: (key(n.words), n.squeezed)) for side in (0, 1))
    for group, places in ours.items():
        others = theirs.get(group, [])
        if not group[0] or len(places) != len(others) or len(places) < 2:
            continue
        mine, other = _by_numbers(search, 0, places), _by_numbers(search, 1, others)
        if not mine or not other or not search.agrees(mine, other):
            continue
        if all(near(i, j) for i, j in zip(mine, other, strict=True)):
            for i, j in zip(mine, other, strict=True):
                search.take(i, j, "by name and the order of its numbers", confidence)


def _by_numbers(search: Search, side: int, places: Sequence[int]) -> Sequence[int]:
    """A group in its order, where that can be relied on, or in that of the numbers in its names, where these are
    all that tells them apart; else nothing."""
    words = {n: search.sides[side][n].words for n in places}
    numbers = {n: [int(word) for word in words[n] if word.isdigit()] for n in places}
    if len({len(found) for found in numbers.values()}) == 1:
        running = [set(column) for column in zip(*numbers.values(), strict=True) if len(set(column)) > 1]
        if len(running) == 1 and max(running[0]) - min(running[0]) >= len(places):
            return ()  # one is missing, and nobody knows whether it is missing on the other side
    if search.ordered or (search.kept_order[side] and not all(search.kept_order)):
        return places
    if len(set(words.values())) < len(places) or len({bare(w) for w in words.values()}) > 1:
        return ()
    return sorted(places, key=lambda n: numbers[n])


def _by_value(search: Search, by: str, confidence: float, like: Callable[[Named, Named], bool]) -> None:
    """Like candidates, one of which holds nearly equal numbers, and no other does; or several that hold all the
    same, so that it does not matter which is which."""
    ours, theirs, near = search.left(0), search.left(1), search.near()
    equals = {
        i: [j for j in theirs if near(i, j) and like(search.sides[0][i], search.sides[1][j]) and search.same(i, j)]
        for i in ours
    }
    holders: dict[int, list[int]] = defaultdict(list)
    for i, those in equals.items():
        for j in those:
            holders[j].append(i)
    for i, those in equals.items():
        if len(those) == 1 and holders[those[0]] == [i]:
            search.take(i, those[0], f"by {by} and value", confidence, by_value=True)
            continue
        first = holders[those[0]] if those else []
        if len(those) == len(first) > 1 and all(holders[j] == first for j in those):
            for a, b in _most_alike(search, first, those):
                search.take(a, b, f"by {by} and value, one of {len(those)} that are equal", confidence, by_value=True)


def _most_alike(search: Search, places: Sequence[int], others: Sequence[int]) -> list[tuple[int, int]]:
    """Of arrays that are all equal, those together whose names are most alike; else in their order."""
    likeness = np.array([[alike(search.sides[0][i].words, search.sides[1][j].words) for j in others] for i in places])
    in_place = 1e-6 * np.eye(len(places))
    rows, columns = linear_sum_assignment(likeness + in_place, maximize=True)
    return [(places[a], others[b]) for a, b in zip(rows, columns, strict=True)]


def _by_place(search: Search) -> None:
    """Alone between the same neighbours, and of one shape: nothing but the place speaks for it."""
    parts = [search.stretches(side) for side in (0, 1)]
    ours, theirs = (search.groups(side, lambda n: n.squeezed, parts[side]) for side in (0, 1))
    for key, places in ours.items():
        others = theirs.get(key, [])
        if len(places) == len(others) == 1:
            a, b = search.sides[0][places[0]], search.sides[1][others[0]]
            if not _contradict(a, b):
                search.take(places[0], others[0], "by shape and place", 0.4)


def _same_number(search: Search, i: int, j: int) -> bool:
    a, b = search.sides[0][i], search.sides[1][j]
    return (a.front, a.behind) == (b.front, b.behind) != (None, None)


def _matching(search: Search) -> Matching:
    """What was found, and what could belong together of the rest."""
    could: tuple[dict[int, list[int]], dict[int, list[int]]] = (defaultdict(list), defaultdict(list))
    parts = [search.stretches(side, whole=not search.ordered) for side in (0, 1)]
    for i in search.left(0):
        for j in search.left(1):
            a, b = search.sides[0][i], search.sides[1][j]
            if parts[0][i] != parts[1][j]:
                continue
            if (a.words and a.words == b.words) or (fits(a, b) and not _contradict(a, b)):
                could[0][i].append(j)
                could[1][j].append(i)
    ours, theirs = ({n: tuple(those) for n, those in side.items()} for side in could)
    return Matching(believed(search), ours, theirs, search.ordered)


def _counted_alike(
    ours: Sequence[Named], theirs: Sequence[Named], same: Same
) -> tuple[Sequence[Named], Sequence[Named]]:
    """Names as they are, or, if more arrays of one name then hold equal numbers, with blocks counted from 0."""
    other = counted_alike(ours, theirs)
    if other is None:
        return ours, theirs

    def equal(sides: tuple[Sequence[Named], Sequence[Named]]) -> int:
        place = {n.words: j for j, n in enumerate(sides[1])}
        partners = ((i, place[n.words]) for i, n in enumerate(sides[0]) if n.words in place)
        return sum(sides[0][i].count == sides[1][j].count and same(i, j) for i, j in partners)

    return other if equal(other) > equal((ours, theirs)) else (ours, theirs)


def _crossing_nowhere(pairs: Mapping[int, int]) -> set[int]:
    """Which of the pairs cross no other one, by their first places."""
    ordered = sorted(pairs.items())
    places = [j for _, j in ordered]
    highest = list(itertools.accumulate(places, max, initial=-1))
    lowest = list(itertools.accumulate(reversed(places), min, initial=max(places, default=0) + 1))[::-1]
    return {i for n, (i, j) in enumerate(ordered) if highest[n] < j < lowest[n + 1]}


def _contradict(a: Named, b: Named) -> bool:
    """Do the names say that these are two things: one name with other numbers, or nothing in common?"""
    return bool(a.words and b.words) and alike(a.words, b.words) < 0.3
