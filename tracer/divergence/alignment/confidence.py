"""How sure each pair is, and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np

from tracer.divergence.alignment.anchors import Places
from tracer.divergence.alignment.assignment import heaviest_in_order, in_order, other_weights_shape, same_op
from tracer.divergence.alignment.evidence import Evidence, Steps, parameter_shapes

GUESS = 0.45
"""The most that is said of a pair that nothing but the order of calls tells from another."""

_TRIFLE = 0.25
"""What a pairing may weigh less and be as good: less than like numbers in names weigh, more than a like call number."""


def untold(evidence: Evidence, matching: Mapping[int, int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Rows that nothing but their order tells from one another, with the columns that are between them: of layers side
    by side those paired, of a row of alike layers of which some are missing also those that stand alone."""
    sides = [(rows, tuple(matching[i] for i in rows)) for rows in _components(_interchangeable(evidence, matching))]
    by_kind: dict[Any, list[int]] = defaultdict(list)
    for i in sorted(_shiftable(evidence, matching)):
        by_kind[evidence.kinds[0][i]].append(i)
    paired = set(matching.values())
    for kind, rows in by_kind.items():
        lone = [i for i, own in enumerate(evidence.kinds[0]) if own == kind and i not in matching]
        other = [j for j, own in enumerate(evidence.kinds[1]) if own == kind and j not in paired]
        among = (*sorted([*rows, *lone]),), (*sorted([*(matching[i] for i in rows), *other]),)
        touching = [side for side in sides if set(side[0]) & set(among[0])]
        sides = [side for side in sides if side not in touching]
        merged = [sorted({n for side in (*touching, among) for n in side[at]}) for at in (0, 1)]
        sides.append((tuple(merged[0]), tuple(merged[1])))
    return sides


def confidences(
    evidence: Evidence, matching: Mapping[int, int], guessed: AbstractSet[int]
) -> dict[int, tuple[str, float]]:
    """For each row why it is paired and how sure that is; `guessed` are those that only their order tells apart."""
    inverse = {j: i for i, j in matching.items()}
    found: dict[int, tuple[str, float]] = {}
    for i, j in matching.items():
        a = evidence.reference.nodes[evidence.rows[i]]
        if evidence.scores[i, j] > 1e5:
            found[i] = ("pinned", 1.0)
            continue
        before, after = evidence.neighbours(i, j, matching, inverse)
        fingerprint, naming = float(evidence.fingerprints[i, j]), float(evidence.naming[i, j])
        same = same_op(evidence, i, j)
        reasons = [f"op {a.meaning.op}" if same and a.meaning.op else "same class" if same else "same place"]
        if parameter_shapes(a):
            reasons.append("other shapes" if other_weights_shape(evidence, i, j) else "shapes")
        doubt = 1.0 if same else 2.5
        if fingerprint > 0:
            reasons.append("equal parameters" if fingerprint == 1 else "some equal parameters")
            doubt *= 0.08 if fingerprint == 1 else 0.3
        if before > 0:
            reasons.append("fed by the same" if evidence.ran else "behind the same in a list")
            doubt *= 0.45
        if after > 0:
            reasons.append("feeds the same" if evidence.ran else "before the same in a list")
            doubt *= 0.45
        if naming >= 0.99:
            reasons.append("same name")
            doubt *= 0.4
        elif naming > 0.4:
            reasons.append("like name")
            doubt *= 0.7
        if before < 0 or after < 0:
            doubt *= 1.8
        rivals = _rivals(evidence, i, j)
        doubt *= 0.5 if rivals == 0 else 1.0
        sure = round(float(np.clip(1.0 - 0.5 * doubt, 0.05, 0.999)), 3)
        if i in guessed:
            reasons.append("another would fit as well")
        found[i] = (", ".join(reasons), min(sure, GUESS) if i in guessed else sure)
    return found


def _rivals(evidence: Evidence, i: int, j: int) -> int:
    """How many others would fit about as well."""
    own = evidence.scores[i, j] - 0.5
    return int(np.count_nonzero(evidence.scores[i] > own) + np.count_nonzero(evidence.scores[:, j] > own)) - 2


def _interchangeable(evidence: Evidence, matching: Mapping[int, int]) -> set[tuple[int, int]]:
    """Pairs of rows that, side by side, have the like place, on both sides, and no weight, no name and no unit around
    them tells which is which. Of nets that never ran it is enough that one side says nothing: a list in the other may
    well be in another order than that in which attributes were written."""
    told = _told(evidence, matching)
    inverse = {j: i for i, j in matching.items()}
    twins = [_twins(list(Places(evidence, side).levels(told))[-1].values(), evidence.before[side]) for side in (0, 1)]
    ours = {(i, k) for i, others in twins[0].items() for k in others if i in matching and k in matching}
    theirs = {(inverse[j], inverse[m]) for j, others in twins[1].items() for m in others if {j, m} <= inverse.keys()}
    both = ours & theirs if evidence.ran else ours | theirs
    return {(i, k) for i, k in both if not _told_apart(evidence, i, matching[i], k, matching[k])}


def _components(edges: Iterable[tuple[int, int]]) -> list[tuple[int, ...]]:
    """What edges join, each part in order."""
    graph = nx.Graph(edges)
    return sorted(tuple(sorted(part)) for part in nx.connected_components(graph))


def _told(evidence: Evidence, matching: Mapping[int, int]) -> dict[int, int]:
    """Those that weights or the whole name speak for."""
    speaking = np.maximum(evidence.fingerprints, evidence.naming)
    return {i: j for i, j in matching.items() if speaking[i, j] >= 0.99}


def _told_apart(evidence: Evidence, i: int, j: int, k: int, m: int) -> bool:
    """Do names or weights speak for i with j and k with m rather than the other way round?"""
    speaking = evidence.naming + evidence.fingerprints
    return bool(speaking[i, j] + speaking[k, m] > speaking[i, m] + speaking[k, j] + 0.1)


def _twins(groups: Iterable[Sequence[int]], before: Steps) -> dict[int, list[int]]:
    """For each unit those in the like place just before or after it in order that it neither feeds nor is fed by."""
    found: dict[int, list[int]] = defaultdict(list)
    for group in groups:
        for a, b in pairwise(group):
            if not _leads(a, b, before):
                found[a].append(b)
                found[b].append(a)
    return found


def _leads(a: int, b: int, before: Steps) -> bool:
    """Is there a way from a to the later b?"""
    seen, todo = {b}, [b]
    while todo:
        new = {k for k in before[todo.pop()] if k >= a} - seen
        if a in new:
            return True
        seen |= new
        todo.extend(new)
    return False


def _shiftable(evidence: Evidence, matching: Mapping[int, int]) -> set[int]:
    """Rows that another pairing in order, as heavy but for a trifle, gives to another column, or whose column it
    gives to another row: of a row of alike layers one is missing, and nothing says which."""
    kinds = (Counter(evidence.kinds[0]), Counter(evidence.kinds[1]))
    if all(kinds[0][kind] == kinds[1][kind] for kind in kinds[0].keys() & kinds[1].keys()):
        return set()
    kept = in_order(matching)
    scores = evidence.scores.copy()
    crossing = {i: j for i, j in matching.items() if i not in kept}
    scores[list(crossing), :] = 0.0
    scores[:, list(crossing.values())] = 0.0
    through = np.where(scores > 0, scores, -np.inf).astype(np.float32)
    through += heaviest_in_order(scores)[:-1, :-1]
    through += heaviest_in_order(scores[::-1, ::-1])[::-1, ::-1][1:, 1:]
    told = _told(evidence, matching)
    found: set[int] = set()
    for i in kept:
        j = matching[i]
        if i in told or any(
            told.get(k) in theirs[j] for ours, theirs in (evidence.before, evidence.after) for k in ours[i]
        ):
            continue
        least = through[i, j] - _TRIFLE
        if np.count_nonzero(through[i] >= least) > 1 or np.count_nonzero(through[:, j] >= least) > 1:
            found.add(i)
    return found
