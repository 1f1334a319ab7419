"""Evidence: how well each unit of one net could be each unit of the other. Never by what ran through them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.metrics import is_constant, same_values
from tracer.frameworks.base import WRAPPERS
from tracer.trace.schema import Layer, Statistics

WEIGHTS = {"fingerprint": 3.0, "name": 2.0, "order": 1.5, "written": 0.5}
"""Equal parameters weigh more than names or order alone, and less than both together: swapped weights do not swap the
layers, yet three projections of one shape, renamed and run in another order, are told apart by their weights. Of nets
that never ran only the order is known in which layers were written, which says less than names."""

Steps = Sequence[list[int]]
"""For each unit the numbers of the units one step away."""


class Evidence:
    """Scores of every unit against every unit; not positive where they cannot be the same."""

    def __init__(self, reference: CallGraph, candidate: CallGraph, pinned: Mapping[CallId, CallId]) -> None:
        self.reference, self.candidate = reference, candidate
        self.ran = reference.ran and candidate.ran
        self._nothing = 0.5 if self.ran else 0.0
        self.rows, self.columns = reference.units, candidate.units
        self.row_of = {id_: i for i, id_ in enumerate(self.rows)}
        self.column_of = {id_: j for j, id_ in enumerate(self.columns)}
        left = [reference.nodes[id_] for id_ in self.rows]
        right = [candidate.nodes[id_] for id_ in self.columns]
        self.structure = _by_class(left, right, _signature, _structure)
        self.fingerprints = _fingerprint_scores(left, right)
        self.naming = _name_scores([n.layer for n in left], [n.layer for n in right])
        index = _equal_codes([n.call.index for n in left], [n.call.index for n in right])
        self.same_index = index > 0
        self.kinds = ([_sort(n) for n in left], [_sort(n) for n in right])
        self.alike = _equal_codes(*self.kinds) > 0
        entries = _entries(reference, candidate)
        sides = ((reference, self.row_of, entries[0]), (candidate, self.column_of, entries[1]))
        (before_r, after_r), (before_c, after_c) = (_steps(*side) for side in sides)
        self.before, self.after = (before_r, before_c), (after_r, after_c)
        possible = self.structure > 0
        self.scores = np.where(
            possible,
            self.structure + WEIGHTS["fingerprint"] * self.fingerprints + WEIGHTS["name"] * self.naming + 0.2 * index,
            0.0,
        ).astype(np.float32)
        for a, b in pinned.items():
            i, j = self.row_of.get(a), self.column_of.get(b)
            if i is not None:
                self.scores[i, :] = 0.0
            if j is not None:
                self.scores[:, j] = 0.0
            if i is not None and j is not None:
                self.scores[i, j] = 1e6

    def calls(self, matching: Mapping[int, int]) -> dict[CallId, CallId]:
        """The pairs of rows and columns as calls."""
        return {self.rows[i]: self.columns[j] for i, j in matching.items()}

    def neighbours(
        self, i: int, j: int, matching: Mapping[int, int], inverse: Mapping[int, int]
    ) -> tuple[float, float]:
        """How much of what feeds, and of what is fed by, the two is paired with each other; -1..1 each, 0 where
        there is nothing paired to look at. What the net itself was given is paired from the start."""
        return (
            _agree(self.before[0][i], self.before[1][j], matching, inverse, self._nothing),
            _agree(self.after[0][i], self.after[1][j], matching, inverse, self._nothing),
        )

    def around(self, i: int, j: int, matching: Mapping[int, int], inverse: Mapping[int, int]) -> tuple[float, float]:
        """Like `neighbours`, but looking through units that are not in the matching to the nearest that are."""
        (ours, theirs), (below, under) = self.before, self.after
        return (
            _agree(nearest(ours, i, matching), nearest(theirs, j, inverse), matching, inverse, self._nothing),
            _agree(nearest(below, i, matching), nearest(under, j, inverse), matching, inverse, self._nothing),
        )

    def agreement(self, matching: Mapping[int, int]) -> np.ndarray[Any, Any]:
        """Both numbers of `neighbours` together, of every unit with every unit."""
        fed = _agreement(*self.before, *self.after, matching)
        return np.asarray(fed + _agreement(*self.after, *self.before, matching))


def _steps(graph: CallGraph, at: Mapping[CallId, int], entry: Mapping[str, int]) -> tuple[Steps, Steps]:
    """For each unit the numbers of those that fed it, entries of the net below zero, and of those that it fed."""
    before = [
        [*sorted(at[x] for x in graph.sources[id_]), *sorted(entry[x] for x in graph.given[id_] if x in entry)]
        for id_ in at
    ]
    after: list[list[int]] = [[] for _ in at]
    for i, sources in enumerate(before):
        for k in sources:
            if k >= 0:
                after[k].append(i)
    return before, after


def _entries(reference: CallGraph, candidate: CallGraph) -> tuple[dict[str, int], dict[str, int]]:
    """One number below zero for what both nets were given, leaf by leaf: by name, or, where as many of the same sizes
    came, by place."""
    ours, theirs = (
        {v.leaf: int(np.prod(v.shape)) for v in graph.nodes[graph.roots[0]].inputs} if graph.roots else {}
        for graph in (reference, candidate)
    )
    if ours.keys() == theirs.keys():
        numbers = {leaf: -1 - n for n, leaf in enumerate(ours)}
        return numbers, numbers
    if list(ours.values()) == list(theirs.values()):
        mine, other = ({leaf: -1 - n for n, leaf in enumerate(side)} for side in (ours, theirs))
        return mine, other
    return {}, {}


def _agree(
    ours: Sequence[int],
    theirs: Sequence[int],
    matching: Mapping[int, int],
    inverse: Mapping[int, int],
    nothing: float,
) -> float:
    """`nothing` is what it says of two that nothing leads to: of a net that ran, that both begin it."""
    mapped = {i if i < 0 else matching[i] for i in ours if i < 0 or i in matching}
    back = {j if j < 0 else inverse[j] for j in theirs if j < 0 or j in inverse}
    if not mapped and not back:
        return nothing if not ours and not theirs else 0.0
    return 1.0 if not mapped.isdisjoint(theirs) else (-1.0 if mapped and back else 0.0)


def _agreement(
    ours: Steps, theirs: Steps, back: Steps, under: Steps, matching: Mapping[int, int]
) -> np.ndarray[Any, Any]:
    """`_agree` of every row with every column; `ours` and `theirs` lead to the neighbours, `back` and `under` away."""
    paired = set(matching.values())
    known = np.array([any(k < 0 or k in matching for k in steps) for steps in ours], bool)
    told = np.array([any(k < 0 or k in paired for k in steps) for steps in theirs], bool)
    none, no = (np.array([not steps for steps in side], bool) for side in (ours, theirs))
    found = np.where(np.logical_and.outer(known, told), -1.0, 0.0).astype(np.float32)
    found[np.logical_and.outer(none, no)] = 0.5
    for i, j in matching.items():
        rows, columns = [k for k in back[i] if k >= 0], [k for k in under[j] if k >= 0]  # below zero: the net's inputs
        if rows and columns:
            found[np.ix_(rows, columns)] = 1.0
    by_entry: dict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, steps_of in enumerate((ours, theirs)):
        for n, steps in enumerate(steps_of):
            for k in steps:
                if k < 0:
                    by_entry[k][side].append(n)
    for taken, took in by_entry.values():
        found[np.ix_(taken, took)] = 1.0
    return found


def nearest(steps: Steps, start: int, known: Mapping[int, Any]) -> list[int]:
    """The nearest units in one direction that are known, looking through at most a few that are not."""
    found: list[int] = []
    seen, todo = {start}, list(steps[start])
    for at in todo:
        if at in seen:
            continue
        seen.add(at)
        if at < 0 or at in known:
            found.append(at)
        elif len(seen) <= 64:
            todo.extend(steps[at])
    return found


def _by_class(left: Sequence[Node], right: Sequence[Node], key: Any, score: Any) -> np.ndarray[Any, Any]:
    """A score matrix, worked out once for each two classes of equal key."""
    left_keys, right_keys = [key(n) for n in left], [key(n) for n in right]
    kinds_left = dict(zip(left_keys, left, strict=True))
    kinds_right = dict(zip(right_keys, right, strict=True))
    at_left = {k: i for i, k in enumerate(kinds_left)}
    at_right = {k: j for j, k in enumerate(kinds_right)}
    table = np.array(
        [[score(a, b) for b in kinds_right.values()] for a in kinds_left.values()], dtype=np.float32
    ).reshape(len(kinds_left), len(kinds_right))
    rows = np.array([at_left[k] for k in left_keys], dtype=np.intp)
    columns = np.array([at_right[k] for k in right_keys], dtype=np.intp)
    return table[rows][:, columns] if left and right else np.zeros((len(left), len(right)), np.float32)


def _signature(node: Node) -> tuple[Any, ...]:
    means = node.meaning
    settings = tuple(sorted((k, repr(s.value)) for k, s in means.settings.items()))
    return (
        means.op,
        means.family,
        node.layer.kind.lower(),
        parameter_shapes(node),
        tuple(v.shape for v in node.outputs),
        settings,
    )


def _sort(node: Node) -> tuple[Any, ...]:
    """The op, or the class where no rule knows it, with the sizes of its parameters."""
    return (node.meaning.op or kind_word(node), sizes_of(node))


def sizes_of(node: Node) -> tuple[tuple[int, ...], ...]:
    """The sizes of its parameters, whatever they are called."""
    return tuple(sorted(shape for _, shape in parameter_shapes(node)))


def parameter_shapes(node: Node) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Parameters with their shapes, axes of size 1 left out."""
    return tuple(
        sorted((p.name, tuple(n for n in p.shape if n != 1)) for p in node.meaning.parameters.values() if p.shape)
    )


def _structure(a: Node, b: Node) -> float:
    """How alike two units are by op, parameter shapes, output shapes and settings; 0 where they cannot be the same."""
    score = _op_score(a, b)
    if score <= 0:
        return 0.0
    score += _output_score(a, b)
    score += 0.5 * _setting_score(a, b)
    return max(score, 0.05)


def _op_score(a: Node, b: Node) -> float:
    ours, theirs = a.meaning, b.meaning
    mine, other = dict(parameter_shapes(a)), dict(parameter_shapes(b))
    sizes, other_sizes = Counter(mine.values()), Counter(other.values())
    if ours.op and ours.op == theirs.op:
        if not mine and not other:
            return 2.0
        shared = mine.keys() & other.keys()
        same = sum(mine[k] == other[k] for k in shared)
        if not shared:
            return 0.8
        return 3.0 + 2.0 * same / max(len(mine), len(other)) - 2.0 * (same < len(shared))
    if ours.op and theirs.op:
        alike = bool(ours.family) and ours.family == theirs.family and ours.family not in {"shape", "dropout", "loss"}
        alike |= "_pad" in ours.op and "_pad" in theirs.op
        return 0.5 if alike and (not mine or not other or sizes == other_sizes) else 0.0
    if mine or other:
        if sizes == other_sizes:
            return 3.0 if kind_word(a) == kind_word(b) else 2.0
        return 1.0 if kind_word(a) == kind_word(b) and bool(sizes & other_sizes) else 0.0
    same_shape = [v.shape for v in a.inputs[:1]] == [v.shape for v in b.inputs[:1]]
    if same_shape and a.draws and b.draws:  # both drop, one of them in a class that no rule knows
        return 2.0 if kind_word(a) == kind_word(b) else 1.0
    if not same_shape or hands_on(a) != hands_on(b):
        return 0.0  # only the place speaks for these two: then they must at least take and do the same kind of thing
    if not ours.op and not theirs.op:
        return 2.0 if kind_word(a) == kind_word(b) else 0.6
    if kind_word(a) == kind_word(b) or hands_on(a):  # both hand on what they are given
        return 0.4
    return 0.0 if ours.transparent or theirs.transparent else 0.4


def hands_on(node: Node) -> bool:
    """Did the unit give what it was given, in another shape at most?"""
    given, made = node.inputs[:1], node.outputs[:1]
    return bool(given and made) and given[0].digest is not None and given[0].digest == made[0].digest


def kind_word(node: Node) -> str:
    """The class name without what frameworks add to it ("cell", "module", "layer"), lower case."""
    return re.sub(r"[^a-z0-9]|cell$|module$|layer$", "", node.layer.kind.lower())


def _output_score(a: Node, b: Node) -> float:
    ours, theirs = [v.shape for v in a.outputs], [v.shape for v in b.outputs]
    if not ours or not theirs:
        return 0.0
    if ours == theirs:
        return 1.0
    if ours[0] == theirs[0]:
        return 0.9
    if int(np.prod(ours[0])) == int(np.prod(theirs[0])):
        return 0.6
    return -0.4 if len(ours[0]) == len(theirs[0]) else -1.0


def _setting_score(a: Node, b: Node) -> float:
    ours, theirs = a.meaning.settings, b.meaning.settings
    shared = ours.keys() & theirs.keys()
    if not shared:
        return 0.0
    return sum(ours[k].value == theirs[k].value for k in shared) / len(shared)


def _fingerprint_scores(left: Sequence[Node], right: Sequence[Node]) -> np.ndarray[Any, Any]:
    """The share of parameters that hold the same numbers, of those whose numbers say something; 0 when none does."""
    ours, theirs = [_telling(n) for n in left], [_telling(n) for n in right]
    code = _codes([s for node in (*ours, *theirs) for s in node])
    rows = _holders([[code[id(s)] for s in node] for node in ours])
    columns = _holders([[code[id(s)] for s in node] for node in theirs])
    hits = np.zeros((len(left), len(right)), np.float32)
    for number, holders in rows.items():
        for i, n in holders.items():
            for j, m in columns.get(number, {}).items():
                hits[i, j] += min(n, m)
    sizes = np.maximum.outer([len(n) for n in ours] or [0], [len(n) for n in theirs] or [0])
    return hits / np.maximum(sizes, 1).reshape(hits.shape) if hits.size else hits


def _codes(all_statistics: Sequence[Statistics]) -> dict[int, int]:
    """One number for all statistics that mean the same numbers, by the identity of the object."""
    found: dict[int, int] = {}
    recent: list[tuple[Statistics, int]] = []
    for statistics in sorted(all_statistics, key=lambda s: (s.count, s.l2 or 0.0)):
        recent = [(s, n) for s, n in recent if s.count == statistics.count and _near_l2(s, statistics)]
        match = next((n for s, n in recent if same_values(s, statistics)), None)
        if match is None:
            match = len(found)
            recent.append((statistics, match))
        found[id(statistics)] = match
    return found


def _near_l2(a: Statistics, b: Statistics) -> bool:
    return abs((a.l2 or 0.0) - (b.l2 or 0.0)) <= 1e-5 * abs(b.l2 or 0.0)


def _holders(codes: Sequence[Sequence[int]]) -> dict[int, Counter[int]]:
    """For each code which nodes hold it, and how often."""
    found: dict[int, Counter[int]] = defaultdict(Counter)
    for n, node in enumerate(codes):
        for code in node:
            found[code][n] += 1
    return found


def _telling(node: Node) -> list[Statistics]:
    return [p.statistics for p in node.layer.parameters if p.statistics and not is_constant(p.statistics)]


_WORDS = {
    "gamma": "weight",
    "beta": "bias",
    "dense": "linear",
    "fc": "linear",
    "cell": "layer",
    "cells": "layers",
    "bn": "norm",
    "ln": "norm",
    "downsample": "shortcut",
    "act": "activation",
}


def words_of(path: str) -> tuple[str, ...]:
    """The words and numbers of a path, with what frameworks call otherwise under one word, and without wrappers."""
    bare = ".".join(part for part in path.split(".") if part not in WRAPPERS)
    found = re.findall(r"\d+|[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", bare or path).lower())
    return tuple(_WORDS.get(word, word) for word in found)


def _name_scores(left: Sequence[Layer], right: Sequence[Layer]) -> np.ndarray[Any, Any]:
    """0..1: whole path equal 1; else the last words and the numbers of the path each count a part."""
    ours, theirs = [words_of(layer.path) for layer in left], [words_of(layer.path) for layer in right]
    whole = _equal_codes(ours, theirs)
    last = _equal_codes([_last_words(t) for t in ours], [_last_words(t) for t in theirs])
    numbers = _equal_codes([_numbers(t) for t in ours], [_numbers(t) for t in theirs])
    return np.maximum(whole, 0.45 * last + 0.25 * numbers)


def _last_words(tokens: tuple[str, ...]) -> tuple[str, ...]:
    words = [i for i, t in enumerate(tokens) if not t.isdigit()]
    return tokens[words[-1] :] if words else tokens


def _numbers(tokens: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(t for t in tokens if t.isdigit())


def _equal_codes(left: Sequence[Any], right: Sequence[Any]) -> np.ndarray[Any, Any]:
    codes: dict[Any, int] = {}
    a = np.array([codes.setdefault(x, len(codes)) for x in left], dtype=np.int64)
    b = np.array([codes.setdefault(x, len(codes)) for x in right], dtype=np.int64)
    return np.asarray(a[:, None] == b[None, :], dtype=np.float32)
