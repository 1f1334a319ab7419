"""How sure each pair is, when all of them are known: what speaks against it lowers its confidence."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from tracer.divergence.files.names import bare
from tracer.divergence.files.search import Match, Search

_ONLY_A_GUESS = 0.45
"""Below what a verdict rests on."""

_OTHER_COUNT = 0.75
_OUT_OF_ORDER = 0.8


def believed(search: Search) -> tuple[Match, ...]:
    """The pairs in the reference's order, each as sure as it is.

    Without names, equal shapes in order say something only where the shapes of both sides are the same one by one, or
    the numbers are nearly equal. Of a name that one side has more often, some pair may be another's; and a name that
    is there once, but elsewhere, may be that of something else.
    """
    told, back = _told_of_nameless(search)
    alike = [n.squeezed for n in search.sides[0]] == [n.squeezed for n in search.sides[1]]
    alike &= all(search.partner[i].candidate == j for i, j in told.items() if i in search.partner)
    last = [Counter(bare(n.words)[-1:] for n in side) for side in search.sides]
    chain = set(search.chain())
    found = []
    for i in sorted(search.partner):
        match = search.partner[i]
        j, reason, sure = match.candidate, match.reason, match.confidence
        words = [bare(search.sides[0][i].words)[-1:], bare(search.sides[1][j].words)[-1:]]
        if match.by_value or reason == "pinned":
            pass
        elif reason.startswith("by shape and order"):
            if told.get(i, j) != j or back.get(j, i) != i or not (alike or search.same(i, j)):
                sure = min(sure, _ONLY_A_GUESS)
        elif "order" in reason or "neighbours" in reason:
            if last[0][words[0]] != last[1][words[1]] and not search.same(i, j):
                sure *= _OTHER_COUNT
        elif reason == "by name" and search.ordered and (i, j) not in chain:
            sure *= _OUT_OF_ORDER
        found.append(replace(match, confidence=round(sure, 2)))
    return tuple(found)


def _told_of_nameless(search: Search) -> tuple[dict[int, int], dict[int, int]]:
    """What the values say of arrays without names, either way."""
    if all(n.words for side in search.sides for n in side):
        return {}, {}
    groups: tuple[dict[tuple[int, ...], list[int]], ...] = (defaultdict(list), defaultdict(list))
    for side, group in zip(search.sides, groups, strict=True):
        for at, n in enumerate(side):
            group[n.squeezed].append(at)
    told: dict[int, int] = {}
    for shape, places in groups[0].items():
        told |= search.only_equals(places, groups[1].get(shape, []))
    return told, {j: i for i, j in told.items()}
