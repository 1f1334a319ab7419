"""Pairs that belong together whatever the order in which the port runs them: by weights, by names, by a place that no
other unit has. Each is kept only where the units around it, paired so themselves, speak for it and none against."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np

from tracer.divergence.alignment.evidence import Evidence, kind_word, nearest, parameter_shapes
from tracer.divergence.graph import CallGraph, CallId

_ROUNDS = 8


def anchors(evidence: Evidence) -> dict[int, int]:
    """For each row that is sure by itself its column."""
    possible = evidence.scores > 0
    same = possible & (evidence.fingerprints >= 1)
    weighed = _only(same)
    named = possible & (evidence.naming >= 0.99)
    found = _pairs(evidence.scores > 1e5)
    found |= _pairs(weighed & named)
    found |= _supported(evidence, found, _pairs(weighed & ~named & ~_rivals(named)))
    alike = evidence.alike & (evidence.naming >= 0.99) & evidence.same_index
    found |= _supported(evidence, found, _pairs(_only(alike) & ~_rivals(same & ~alike)))
    return _grown(evidence, found, _rivals(same) | _rivals(named))


def _only(marks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The marks that stand alone in their row and in their column."""
    return np.asarray(marks & (marks.sum(axis=1, keepdims=True) == 1) & (marks.sum(axis=0, keepdims=True) == 1))


def _rivals(marks: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Where the row or the column has a mark."""
    return np.asarray(np.logical_or.outer(marks.any(axis=1), marks.any(axis=0)))


def _pairs(marks: np.ndarray[Any, Any]) -> dict[int, int]:
    return {int(i): int(j) for i, j in zip(*np.nonzero(marks), strict=True)}


def _supported(evidence: Evidence, found: Mapping[int, int], more: Mapping[int, int]) -> dict[int, int]:
    """Those of `more` for which their surroundings speak, once all without support are gone."""
    taken = set(found.values())
    kept = {i: j for i, j in more.items() if i not in found and j not in taken}
    while True:
        trial = {**found, **kept}
        inverse = {j: i for i, j in trial.items()}
        agrees = {i: evidence.around(i, j, trial, inverse) for i, j in kept.items()}
        lost = [i for i, (before, after) in agrees.items() if min(before, after) < 0 or before + after <= 0]
        if not lost:
            return kept
        for i in lost:
            del kept[i]


def _grown(evidence: Evidence, found: dict[int, int], spoken: np.ndarray[Any, Any]) -> dict[int, int]:
    """Add, round by round, units whose place no other has on their side: by op, shapes, and what lies around them.
    Where weights or names speak (`spoken`), they decide, not the place."""
    places = (Places(evidence, 0), Places(evidence, 1))
    loops = (_in_loops(evidence.reference, evidence.rows), _in_loops(evidence.candidate, evidence.columns))
    while True:
        new: dict[int, int] = {}
        for depth, (ours, theirs) in enumerate(zip(*(side.levels(found) for side in places), strict=True)):
            more = {r[0]: c[0] for r, c in _shared(ours, theirs) if len(r) == len(c) == 1}
            if depth == 0:
                more |= _looped(evidence, _shared(ours, theirs))
            else:  # the calls of a loop keep their order
                more = {i: j for i, j in more.items() if i not in loops[0] and j not in loops[1]}
            new = _supported(evidence, found, {i: j for i, j in more.items() if not spoken[i, j]})
            if new:
                break
        if not new:
            return found
        found = found | new


def _looped(evidence: Evidence, groups: Iterable[tuple[list[int], list[int]]]) -> dict[int, int]:
    """The calls of a layer that is the only one of its op and shapes on each side, in order."""
    return {
        i: j
        for rows, columns in groups
        if len(rows) == len(columns) and _one_layer(evidence, rows, columns)
        for i, j in zip(rows, columns, strict=True)
    }


def _in_loops(graph: CallGraph, units: Sequence[CallId]) -> set[int]:
    """The units whose layer runs again on what came of its first call."""
    calls: dict[str, list[int]] = defaultdict(list)
    for n, id_ in enumerate(units):
        if graph.nodes[id_].meaning.parameters:
            calls[id_.path].append(n)
    return {
        n
        for found in calls.values()
        if len(found) > 1 and nx.has_path(graph.flow, units[found[0]], units[found[-1]])
        for n in found
    }


def _shared(ours: Mapping[Any, list[int]], theirs: Mapping[Any, list[int]]) -> Iterator[tuple[list[int], list[int]]]:
    return ((rows, theirs[place]) for place, rows in ours.items() if place in theirs)


def _one_layer(evidence: Evidence, rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Are these the calls of one layer on each side?"""
    return len({evidence.rows[i].path for i in rows}) == 1 and len({evidence.columns[j].path for j in columns}) == 1


class Places:
    """What tells the units of one side apart without names, weights and order. Around them only units that hold
    parameters are looked at: what is a layer in one net is a function in another."""

    def __init__(self, evidence: Evidence, side: int) -> None:
        graph: CallGraph = (evidence.reference, evidence.candidate)[side]
        units = (evidence.rows, evidence.columns)[side]
        self.side = side
        nodes = [graph.nodes[id_] for id_ in units]
        self.own = {
            n: (node.meaning.op or kind_word(node), parameter_shapes(node), tuple(v.shape for v in node.outputs))
            for n, node in enumerate(nodes)
        }
        solid = {n: True for n, node in enumerate(nodes) if node.meaning.parameters}
        self.before = {n: nearest(evidence.before[side], n, solid) for n in self.own}
        self.after = {n: nearest(evidence.after[side], n, solid) for n in self.own}

    def levels(self, found: Mapping[int, int]) -> Iterator[dict[Any, list[int]]]:
        """The open units by their place, told first by themselves, then by more and more of what lies around them."""
        known = {pair[self.side]: pair[0] for pair in found.items()}
        place: dict[int, Any] = {n: hash((known[n],)) if n in known else hash(own) for n, own in self.own.items()}
        for _ in range(_ROUNDS):
            groups: dict[Any, list[int]] = defaultdict(list)
            for n, here in place.items():
                if n not in known:
                    groups[here].append(n)
            yield groups
            place = {
                n: here if n in known else hash((here, _sorted(place, self.before[n]), _sorted(place, self.after[n])))
                for n, here in place.items()
            }


def _sorted(place: Mapping[int, Any], steps: Sequence[int]) -> tuple[Any, ...]:
    return tuple(sorted(place[k] if k >= 0 else hash(("given", str(k))) for k in steps))
