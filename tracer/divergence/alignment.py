"""Two graphs -> pairs and groups, each with its reason and confidence; what stands alone.

The walk: (1) *evidence*: how well each unit of one side could be each unit of the other, by op, shapes, settings,
parameter fingerprints and, weakest, names; never by what ran through them. (2) the heaviest pairing that keeps the
order of execution, found by dynamic programming. (3) what was left over is paired again by itself (branches that run
in another order), where the neighbours agree. (4) within layers that run side by side (query, key, value) the best
assignment replaces the order. (5) doubtful pairs whose neighbours do not agree are let go. (6) containers follow what
lies inside them, layers that never fired follow their parents.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node, names
from tracer.divergence.metrics import is_constant, same_values
from tracer.errors import RuleError
from tracer.trace.schema import ROOT, Layer, Parameter, Statistics

__all__ = ["Alignment", "Alone", "CallId", "Group", "Pair", "align"]


@dataclass(frozen=True)
class Pair:
    """Two calls that mean the same. `confidence` in 0..1; `reason` in words a user can check."""

    reference: CallId
    candidate: CallId
    reason: str
    confidence: float


@dataclass(frozen=True)
class Group:
    """n calls that together mean m calls."""

    reference: tuple[CallId, ...]
    candidate: tuple[CallId, ...]
    reason: str
    confidence: float


@dataclass(frozen=True)
class Alone:
    """A call without a partner."""

    id: CallId
    kind: str


@dataclass(frozen=True)
class Alignment:
    """What belongs to what. Pairs are in the reference's call order."""

    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...] = ()
    alone_reference: tuple[Alone, ...] = ()
    alone_candidate: tuple[Alone, ...] = ()

    @cached_property
    def candidate_of(self) -> Mapping[CallId, CallId]:
        """The partner of each reference call."""
        return {pair.reference: pair.candidate for pair in self.pairs}

    @cached_property
    def reference_of(self) -> Mapping[CallId, CallId]:
        """The partner of each candidate call."""
        return {pair.candidate: pair.reference for pair in self.pairs}


def align(reference: CallGraph, candidate: CallGraph, pins: Sequence[tuple[str, str]] = ()) -> Alignment:
    """Align two graphs.

    Args:
        reference: calls of the net that is right.
        candidate: calls of the port.
        pins: pairs the user insists on, each side "path" or "path#call".

    Raises:
        RuleError: a pin names what is in neither trace, or one side twice.
    """
    pinned = _pins(reference, candidate, pins)
    evidence = _Evidence(reference, candidate, pinned)
    matching = _anchors(evidence)
    matching |= _monotone_around(evidence, matching)
    for _ in range(5):
        more = _leftovers(evidence, matching)
        if not more:
            break
        matching |= more
    matching = _side_by_side(evidence, matching)
    matching = _keep_certain(evidence, matching)
    pairs = {evidence.rows[i]: evidence.columns[j] for i, j in matching.items()}
    sandwiched = _sandwiched(reference, candidate, pairs)
    containers = _containers(reference, candidate, pairs, pinned)
    unsure = _confidences(evidence, matching)
    made = (
        [Pair(evidence.rows[i], evidence.columns[j], *unsure[i]) for i, j in matching.items()] + containers + sandwiched
    )
    made += _silent(reference, candidate, made)
    order = {id_: n for n, id_ in enumerate(reference.nodes)}
    layer_order = {path: n for n, path in enumerate(reference.layers)}
    made.sort(key=lambda p: (order.get(p.reference, len(order)), layer_order.get(p.reference.path, 0)))
    return Alignment(
        pairs=tuple(made),
        alone_reference=_alone(reference, {p.reference for p in made}),
        alone_candidate=_alone(candidate, {p.candidate for p in made}),
    )


def _alone(graph: CallGraph, paired: set[CallId]) -> tuple[Alone, ...]:
    calls = [Alone(id_, node.layer.kind) for id_, node in graph.nodes.items() if not node.hidden and id_ not in paired]
    silent = [Alone(CallId(path), graph.layers[path].kind) for path in graph.silent if CallId(path) not in paired]
    return (*calls, *silent)


# --------------------------------------------------------------------------------------------------------------------
# Pins
# --------------------------------------------------------------------------------------------------------------------


def _pins(reference: CallGraph, candidate: CallGraph, pins: Sequence[tuple[str, str]]) -> dict[CallId, CallId]:
    pinned: dict[CallId, CallId] = {}
    for left, right in pins:
        a, b = _pin(reference, left, "reference"), _pin(candidate, right, "candidate")
        if (a.call < 0) != (b.call < 0):  # a layer without a call number: all its calls, one by one
            raise RuleError("a pin names a call on one side and a silent layer on the other", where=f"{left}={right}")
        pinned[a] = b
        if "#" not in left and "#" not in right:
            calls = [id_ for id_ in reference.nodes if id_.path == a.path]
            others = {id_.call: id_ for id_ in candidate.nodes if id_.path == b.path}
            pinned |= {id_: others[id_.call] for id_ in calls if id_.call in others}
    if len(set(pinned.values())) < len(pinned):
        raise RuleError("two pins name the same candidate call", where=", ".join(f"{a}={b}" for a, b in pins))
    return pinned


def _pin(graph: CallGraph, text: str, side: str) -> CallId:
    path, _, number = text.partition("#")
    path = path or ROOT
    id_ = CallId(path, int(number) if number.isdigit() else 0)
    if id_ in graph.nodes:
        return id_
    if path in graph.layers and not number:
        return CallId(path)
    import difflib

    near = difflib.get_close_matches(path, list(graph.layers), n=3)
    raise RuleError(
        f"the pin names a call that the {side} has not",
        where=text,
        then=f"nearest: {', '.join(near)}" if near else "`tracer show` lists the paths",
    )


# --------------------------------------------------------------------------------------------------------------------
# Evidence
# --------------------------------------------------------------------------------------------------------------------

_WEIGHTS = {"fingerprint": 3.0, "name": 2.0, "order": 1.5}
"""Equal parameters weigh more than names or order alone, and less than both together: swapped weights do not swap the
layers, yet three projections of one shape, renamed and run in another order, are told apart by their weights."""


class _Evidence:
    """Scores of every unit against every unit; not positive where they cannot be the same."""

    def __init__(self, reference: CallGraph, candidate: CallGraph, pinned: Mapping[CallId, CallId]) -> None:
        self.reference, self.candidate = reference, candidate
        self.rows, self.columns = reference.units, candidate.units
        self.row_of = {id_: i for i, id_ in enumerate(self.rows)}
        self.column_of = {id_: j for j, id_ in enumerate(self.columns)}
        left = [reference.nodes[id_] for id_ in self.rows]
        right = [candidate.nodes[id_] for id_ in self.columns]
        self.structure = _by_class(left, right, _signature, _structure)
        self.fingerprints = _fingerprint_scores(left, right)
        self.naming = _name_scores([n.layer for n in left], [n.layer for n in right])
        index = _equal_codes([n.call.index for n in left], [n.call.index for n in right])
        possible = self.structure > 0
        self.scores = np.where(
            possible,
            self.structure + _WEIGHTS["fingerprint"] * self.fingerprints + _WEIGHTS["name"] * self.naming + 0.2 * index,
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

    def neighbours(
        self, i: int, j: int, matching: Mapping[int, int], inverse: Mapping[int, int]
    ) -> tuple[float, float]:
        """How much of what feeds, and of what is fed by, the two is paired with each other; -1..1 each, 0 where
        there is nothing paired to look at."""
        r, c = self.rows[i], self.columns[j]
        return (
            self._agree(self.reference.flow.predecessors(r), self.candidate.flow.predecessors(c), matching, inverse),
            self._agree(self.reference.flow.successors(r), self.candidate.flow.successors(c), matching, inverse),
        )

    def around(self, i: int, j: int, matching: Mapping[int, int], inverse: Mapping[int, int]) -> tuple[float, float]:
        """Like `neighbours`, but looking through units that are not in the matching to the nearest that are."""
        ours, theirs = self.reference.flow, self.candidate.flow
        r, c = self.rows[i], self.columns[j]
        known_r = {self.rows[k] for k in matching}
        known_c = {self.columns[k] for k in inverse}
        return (
            self._agree(_nearest(ours.pred, r, known_r), _nearest(theirs.pred, c, known_c), matching, inverse),
            self._agree(_nearest(ours.succ, r, known_r), _nearest(theirs.succ, c, known_c), matching, inverse),
        )

    def _agree(
        self, left: Iterable[CallId], right: Iterable[CallId], matching: Mapping[int, int], inverse: Mapping[int, int]
    ) -> float:
        ours, theirs = {self.row_of[x] for x in left}, {self.column_of[x] for x in right}
        mapped = {matching[i] for i in ours if i in matching}
        back = {inverse[j] for j in theirs if j in inverse}
        if not mapped and not back:
            return 0.5 if not ours and not theirs else 0.0
        hits = len(mapped & theirs)
        return 1.0 if hits else (-1.0 if mapped and back else 0.0)


def _nearest(step: Mapping[CallId, Iterable[CallId]], start: CallId, known: set[CallId]) -> list[CallId]:
    """The nearest units in one direction that are known, looking through at most a few that are not."""
    found: list[CallId] = []
    seen, todo = {start}, list(step[start])
    for _ in range(64):
        if not todo:
            break
        at = todo.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if at in known:
            found.append(at)
        else:
            todo.extend(step[at])
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
        _shapes(node),
        tuple(v.shape for v in node.outputs),
        settings,
    )


def _shapes(node: Node) -> tuple[tuple[str, tuple[int, ...]], ...]:
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
    mine, other = dict(_shapes(a)), dict(_shapes(b))
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
        return 0.5 if alike and (not mine or not other or sizes == other_sizes) else 0.0
    if mine or other:
        if sizes == other_sizes:
            return 3.0 if _kind(a) == _kind(b) else 2.0
        return 1.0 if _kind(a) == _kind(b) and bool(sizes & other_sizes) else 0.0
    if not ours.op and not theirs.op:
        return 2.0 if _kind(a) == _kind(b) else 0.6
    return 0.4 if _kind(a) == _kind(b) or not (ours.transparent or theirs.transparent) else 0.0


def _kind(node: Node) -> str:
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


def own_parameters(
    layer: Layer, node_parameters: Mapping[str, Any], layers: Mapping[str, Layer]
) -> dict[str, Parameter]:
    """The recorded parameters of a layer by torch's names."""
    found: dict[str, Parameter] = {}
    for name, common in node_parameters.items():
        holder = layers.get(common.path, layer)
        match = next((p for p in holder.parameters if p.name == common.own_name), None)
        if match is not None:
            found[name] = _owned(match, layers)
    return found


def _owned(parameter: Parameter, layers: Mapping[str, Layer]) -> Parameter:
    """Of a tied parameter what is known at its first place."""
    if parameter.owner is None or parameter.statistics is not None:
        return parameter
    path, name = parameter.owner
    first = next((p for p in layers[path].parameters if p.name == name), None) if path in layers else None
    if first is None:
        return parameter
    return replace(
        parameter,
        statistics=first.statistics,
        digest=first.digest,
        stored=first.stored,
        blocks=first.blocks,
        block_rows=first.block_rows,
    )


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


def _tokens(path: str) -> tuple[str, ...]:
    found = re.findall(r"\d+|[^\W\d_]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", path).lower())
    return tuple(_WORDS.get(word, word) for word in found)


def _name_scores(left: Sequence[Layer], right: Sequence[Layer]) -> np.ndarray[Any, Any]:
    """0..1: whole path equal 1; else the last words and the numbers of the path each count a part."""
    ours, theirs = [_tokens(layer.path) for layer in left], [_tokens(layer.path) for layer in right]
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


# --------------------------------------------------------------------------------------------------------------------
# Assignment
# --------------------------------------------------------------------------------------------------------------------


def _anchors(evidence: _Evidence) -> dict[int, int]:
    """Pairs that belong together whatever the order in which the port runs them: units of one op that hold the same
    numbers, as no other two do, where the whole name is the same, or the units around them that hold the same numbers
    agree and no name speaks against it. (Swapped weights make such pairs too; their surroundings disagree.)"""
    same = (evidence.fingerprints >= 1) & (evidence.scores > 0)
    alone = (same.sum(axis=1, keepdims=True) == 1) & (same.sum(axis=0, keepdims=True) == 1)
    named = evidence.naming >= 0.99
    pinned = evidence.scores > 1e5
    found = {int(i): int(j) for i, j in zip(*np.nonzero(pinned), strict=True)}
    found |= {int(i): int(j) for i, j in zip(*np.nonzero(same & alone & named), strict=True)}
    rivals = ((named & (evidence.structure > 0)).any(axis=1), (named & (evidence.structure > 0)).any(axis=0))
    unnamed = {
        int(i): int(j)
        for i, j in zip(*np.nonzero(same & alone & ~named), strict=True)
        if not (rivals[0][i] or rivals[1][j]) and int(i) not in found
    }
    trial = found | unnamed
    inverse = {j: i for i, j in trial.items()}
    for i, j in unnamed.items():
        before, after = evidence.around(i, j, trial, inverse)
        if before + after > 0 and min(before, after) >= 0:
            found[i] = j
    return found


def _monotone_around(evidence: _Evidence, anchors: Mapping[int, int]) -> dict[int, int]:
    """The heaviest pairing in order of what the anchors leave, their neighbourhood speaking for and against."""
    scores = evidence.scores.copy()
    inverse = {j: i for i, j in anchors.items()}
    for i, j in zip(*np.nonzero(scores > 0), strict=True) if anchors else ():
        if i in anchors or j in inverse:
            continue
        before, after = evidence.neighbours(int(i), int(j), anchors, inverse)
        scores[i, j] = max(scores[i, j] + before + after, 0.05 if before + after >= 0 else 0.0)
    kept = _in_order(anchors)
    for i, j in anchors.items():
        own = scores[i, j]
        scores[i, :], scores[:, j] = 0.0, 0.0
        scores[i, j] = own if i in kept else 0.0
    return {i: j for i, j in _monotone(scores).items() if i not in anchors and j not in inverse}


def _in_order(pairs: Mapping[int, int]) -> set[int]:
    """The rows of a longest part of the pairs that crosses nowhere."""
    import bisect

    tails: list[int] = []
    ends: list[int] = []
    before: dict[int, int | None] = {}
    for i, j in sorted(pairs.items()):
        at = bisect.bisect_left(tails, j)
        before[i] = ends[at - 1] if at else None
        tails[at : at + 1], ends[at : at + 1] = [j], [i]
    kept: set[int] = set()
    row = ends[-1] if ends else None
    while row is not None:
        kept.add(row)
        row = before[row]
    return kept


def _monotone(scores: np.ndarray[Any, Any]) -> dict[int, int]:
    """The heaviest pairing of rows and columns that crosses nowhere (dynamic programming, gaps cost nothing)."""
    n, m = scores.shape
    best = np.zeros((n + 1, m + 1), np.float32)
    for i in range(n):
        diagonal = np.where(scores[i] > 0, best[i, :-1] + scores[i], 0)
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, 1:], diagonal))
    pairs: dict[int, int] = {}
    i, j = n, m
    while i and j:
        here = best[i, j]
        if scores[i - 1, j - 1] > 0 and here == best[i - 1, j - 1] + scores[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs[i] = j
        elif here == best[i - 1, j]:
            i -= 1
        else:
            j -= 1
    return dict(sorted(pairs.items()))


def _leftovers(evidence: _Evidence, matching: Mapping[int, int]) -> dict[int, int]:
    """Pair what is left by itself, in order; keep only what parameters, names or neighbours speak for."""
    taken = set(matching.values())
    rows = [i for i in range(len(evidence.rows)) if i not in matching]
    columns = [j for j in range(len(evidence.columns)) if j not in taken]
    if not rows or not columns:
        return {}
    found = _monotone(evidence.scores[np.ix_(rows, columns)])
    inverse = {j: i for i, j in matching.items()}
    trial = dict(matching) | {rows[a]: columns[b] for a, b in found.items()}
    back = inverse | {columns[b]: rows[a] for a, b in found.items()}
    kept: dict[int, int] = {}
    for a, b in found.items():
        i, j = rows[a], columns[b]
        before, after = evidence.neighbours(i, j, trial, back)
        speaks = evidence.fingerprints[i, j] > 0.5 or evidence.naming[i, j] >= 0.99 or evidence.scores[i, j] > 1e5
        if speaks or (before > 0 and after >= 0) or (after > 0 and before >= 0):
            kept[i] = j
    return kept


def _side_by_side(evidence: _Evidence, matching: dict[int, int]) -> dict[int, int]:
    """Within units of one kind that are fed by the same and do not feed one another, order says little: there the
    best assignment by parameters, names and order is taken."""
    classes: dict[Any, list[int]] = defaultdict(list)
    for i in matching:
        node = evidence.reference.nodes[evidence.rows[i]]
        feeds = _feed_key(evidence.reference, node.id)
        classes[node.meaning.op, _shapes(node), tuple(v.shape for v in node.outputs), feeds].append(i)
    result = dict(matching)
    for rows in classes.values():
        columns = [matching[i] for i in rows]
        if len(rows) < 2 or not _parallel(evidence.candidate, [evidence.columns[j] for j in columns]):
            continue
        from scipy.optimize import linear_sum_assignment  # a quarter of a second, and most nets need it not

        names_ = evidence.naming[np.ix_(rows, columns)]
        names_ = np.where(names_ >= 0.99, names_, names_ - names_.min())  # what all have in common tells nothing
        total = (
            _WEIGHTS["fingerprint"] * evidence.fingerprints[np.ix_(rows, columns)]
            + _WEIGHTS["name"] * names_
            + _WEIGHTS["order"] * np.eye(len(rows), dtype=np.float32)
            + np.where(evidence.scores[np.ix_(rows, columns)] > 1e5, 1e6, 0)
        )
        left, right = linear_sum_assignment(total, maximize=True)
        result |= {rows[a]: columns[b] for a, b in zip(left, right, strict=True)}
    return result


def _parallel(graph: CallGraph, ids: Sequence[CallId]) -> bool:
    """Are all of these fed by the same tensors?"""
    return len({_feed_key(graph, id_) for id_ in ids}) == 1


def _keep_certain(evidence: _Evidence, matching: dict[int, int]) -> dict[int, int]:
    """Let go of pairs that only fit by place (another op, or classes that no rule knows) unless both neighbourhoods
    agree; a wrong pair is worse than none."""
    kept = dict(matching)
    for _ in range(3):
        inverse = {j: i for i, j in kept.items()}
        doubtful = [
            i
            for i, j in kept.items()
            if not _same_op(evidence, i, j)
            and evidence.scores[i, j] < 1e5
            and evidence.fingerprints[i, j] < 0.5
            and min(evidence.neighbours(i, j, kept, inverse)) <= 0
        ]
        if not doubtful:
            break
        for i in doubtful:
            del kept[i]
    for i, j in list(kept.items()):
        if (
            evidence.scores[i, j] < 1e5
            and _other_weights_shape(evidence, i, j)
            and _has_lone_sibling(evidence, i, j, kept)
        ):
            del kept[i]
    inverse = {j: i for i, j in kept.items()}
    for i, j in list(kept.items()):
        before, after = evidence.neighbours(i, j, kept, inverse)
        speaks = evidence.fingerprints[i, j] > 0.5 or evidence.naming[i, j] >= 0.99 or evidence.scores[i, j] > 1e5
        if before < 0 and after < 0 and not speaks:
            del kept[i]
    return kept


def _other_weights_shape(evidence: _Evidence, i: int, j: int) -> bool:
    ours = dict(_shapes(evidence.reference.nodes[evidence.rows[i]]))
    theirs = dict(_shapes(evidence.candidate.nodes[evidence.columns[j]]))
    return any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())


def _has_lone_sibling(evidence: _Evidence, i: int, j: int, matching: Mapping[int, int]) -> bool:
    """Does another unit of the op, fed by the same tensors, stand alone? Then one may mean several (a merged
    projection), and a pair of two of them would be wrong."""
    taken = set(matching.values())
    lone_r = [evidence.rows[k] for k in range(len(evidence.rows)) if k not in matching]
    lone_c = [evidence.columns[k] for k in range(len(evidence.columns)) if k not in taken]
    for graph, own, lone in (
        (evidence.reference, evidence.rows[i], lone_r),
        (evidence.candidate, evidence.columns[j], lone_c),
    ):
        op, feeds = graph.nodes[own].meaning.op, _feed_key(graph, own)
        if any(graph.nodes[k].meaning.op == op and _feed_key(graph, k) == feeds for k in lone):
            return True
    return False


def _feed_key(graph: CallGraph, id_: CallId) -> tuple[Any, ...]:
    """What a call was given, to tell calls that were given the same."""
    return tuple((f.kind, f.by, f.by_leaf, f.value.digest) for f in graph.feeds(id_))


def _same_op(evidence: _Evidence, i: int, j: int) -> bool:
    a = evidence.reference.nodes[evidence.rows[i]]
    b = evidence.candidate.nodes[evidence.columns[j]]
    if a.meaning.op or b.meaning.op:
        return a.meaning.op == b.meaning.op
    return _kind(a) == _kind(b)


def _confidences(evidence: _Evidence, matching: Mapping[int, int]) -> dict[int, tuple[str, float]]:
    """For each row why it is paired and how sure that is."""
    inverse = {j: i for i, j in matching.items()}
    found: dict[int, tuple[str, float]] = {}
    for i, j in matching.items():
        a = evidence.reference.nodes[evidence.rows[i]]
        if evidence.scores[i, j] > 1e5:
            found[i] = ("pinned", 1.0)
            continue
        before, after = evidence.neighbours(i, j, matching, inverse)
        fingerprint, naming = float(evidence.fingerprints[i, j]), float(evidence.naming[i, j])
        same = _same_op(evidence, i, j)
        reasons = [f"op {a.meaning.op}" if same and a.meaning.op else "same class" if same else "same place"]
        if _shapes(a):
            reasons.append("other shapes" if _other_weights_shape(evidence, i, j) else "shapes")
        doubt = 1.0 if same else 2.5
        if fingerprint > 0:
            reasons.append("equal parameters" if fingerprint == 1 else "some equal parameters")
            doubt *= 0.08 if fingerprint == 1 else 0.3
        if before > 0:
            reasons.append("fed by the same")
            doubt *= 0.45
        if after > 0:
            reasons.append("feeds the same")
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
        found[i] = (", ".join(reasons), round(float(np.clip(1.0 - 0.5 * doubt, 0.05, 0.999)), 3))
    return found


def _rivals(evidence: _Evidence, i: int, j: int) -> int:
    """How many others would fit about as well."""
    own = evidence.scores[i, j] - 0.5
    return int(np.count_nonzero(evidence.scores[i] > own) + np.count_nonzero(evidence.scores[:, j] > own)) - 2


# --------------------------------------------------------------------------------------------------------------------
# What follows from the units
# --------------------------------------------------------------------------------------------------------------------


def _sandwiched(reference: CallGraph, candidate: CallGraph, pairs: dict[CallId, CallId]) -> list[Pair]:
    """A unit on one side that is a container on the other (a layer against the pieces it is made of): paired where
    what feeds it and what it feeds are paired, and the shapes are equal."""
    found = _one_against_many(reference, candidate, pairs)
    back = _one_against_many(candidate, reference, {b: a for a, b in pairs.items()})
    return [Pair(a, b, "a layer against its pieces, fed by and feeding the same", 0.6) for a, b in found] + [
        Pair(b, a, "a layer against its pieces, fed by and feeding the same", 0.6) for a, b in back
    ]


def _one_against_many(one: CallGraph, many: CallGraph, pairs: Mapping[CallId, CallId]) -> list[tuple[CallId, CallId]]:
    taken = set(pairs.values())
    edges: dict[CallId, tuple[set[CallId], set[CallId]]] = {}
    for container in many.containers:
        inside = set(_inside(many, container))
        if many.nodes[container].parent is not None and not inside & taken:
            above = {x for u in inside for x in many.sources.get(u, ())} - inside
            below = {x for u in inside for x in many.flow.successors(u)} - inside
            edges[container] = (above, below)
    found: list[tuple[CallId, CallId]] = []
    for unit in one.units if edges else ():
        if unit in pairs:
            continue
        shapes = [v.shape for v in one.nodes[unit].outputs]
        feeding = {pairs[x] for x in one.sources[unit] if x in pairs}
        fed = {pairs[x] for x in one.flow.successors(unit) if x in pairs}
        for container, (above, below) in edges.items():
            if [v.shape for v in many.nodes[container].outputs] != shapes:
                continue
            if (above & feeding or not (above or feeding)) and (below & fed or not (below or fed)):
                found.append((unit, container))
                around = set(many.ancestors(container))
                edges = {c: e for c, e in edges.items() if c != container and c not in around}
                break
    return found


def _inside(graph: CallGraph, id_: CallId) -> list[CallId]:
    """The units inside a container."""
    found: list[CallId] = []
    todo = list(graph.nodes[id_].children)
    while todo:
        child = todo.pop()
        node = graph.nodes[child]
        if node.unit:
            found.append(child)
        else:
            todo.extend(node.children)
    return found


def _containers(
    reference: CallGraph, candidate: CallGraph, pairs: Mapping[CallId, CallId], pinned: Mapping[CallId, CallId]
) -> list[Pair]:
    """Pair the calls that lie around paired units: those that share most, the outermost first."""
    inside_r = {id_: _inside(reference, id_) for id_ in reference.containers}
    inside_c = {id_: _inside(candidate, id_) for id_ in candidate.containers}
    around: dict[CallId, list[CallId]] = defaultdict(list)
    for container, units in inside_c.items():
        for unit in units:
            around[unit].append(container)
    found: dict[CallId, tuple[CallId, str, float]] = {}
    for a, b in zip(reference.roots, candidate.roots, strict=False):
        found[a] = (b, "the net itself", 1.0)
    found |= {a: (b, "pinned", 1.0) for a, b in pinned.items() if a in inside_r and b in inside_c}
    matched = set(pairs.values())
    size_r = {id_: sum(u in pairs for u in units) for id_, units in inside_r.items()}
    size_c = {id_: sum(u in matched for u in units) for id_, units in inside_c.items()}
    choices: list[tuple[float, float, CallId, CallId]] = []
    for container, units in inside_r.items():
        shared = Counter(x for u in units if u in pairs for x in around[pairs[u]])
        for other, count in shared.items():
            share = count / max(size_r[container], size_c[other])
            if share >= 0.9:  # less would be another part of the net: what goes in and out is compared
                likeness = _likeness(reference.nodes[container], candidate.nodes[other])
                choices.append((share, likeness, container, other))
    # of nested containers with the same layers inside, the one whose parent is paired too speaks for itself; parents
    # are known after a first round
    first = _greedy(reference, candidate, choices, found, {})
    second = _greedy(reference, candidate, choices, found, {a: b for a, (b, _, _) in first.items()})
    return [Pair(a, b, reason, min(confidence, 1.0)) for a, (b, reason, confidence) in second.items()]


def _greedy(
    reference: CallGraph,
    candidate: CallGraph,
    choices: Sequence[tuple[float, float, CallId, CallId]],
    fixed: Mapping[CallId, tuple[CallId, str, float]],
    parents: Mapping[CallId, CallId],
) -> dict[CallId, tuple[CallId, str, float]]:
    """The best choices that nest; `parents` are pairs of an earlier round."""
    depth_r = {id_: n for n, id_ in enumerate(reference.containers)}
    depth_c = {id_: n for n, id_ in enumerate(candidate.containers)}

    def worth(choice: tuple[float, float, CallId, CallId]) -> tuple[float, float, int, int]:
        share, likeness, a, b = choice
        above_a, above_b = reference.nodes[a].parent, candidate.nodes[b].parent
        below = above_a is not None and above_b is not None and parents.get(above_a) == above_b
        return (share, likeness + 0.5 * below, -depth_r[a], -depth_c[b])

    found = dict(fixed)
    taken = {b for b, _, _ in found.values()}
    for share, likeness, a, b in sorted(choices, key=worth, reverse=True):
        if a in found or b in taken or not _nested(reference, candidate, found, a, b):
            continue
        found[a] = (b, f"{round(100 * share)} % of what lies inside is paired", round(0.5 * share + 0.45 * likeness, 3))
        taken.add(b)
    return found


def _likeness(a: Node, b: Node) -> float:
    kind = _kind(a) == _kind(b)
    own, other = _tokens(a.id.path), _tokens(b.id.path)
    name = 1.0 if own == other else 0.6 if own[-1:] == other[-1:] else 0.0
    shapes = [v.shape for v in a.outputs] == [v.shape for v in b.outputs]
    return 0.4 * kind + 0.4 * name + 0.2 * shapes


def _nested(
    reference: CallGraph, candidate: CallGraph, found: Mapping[CallId, tuple[CallId, str, float]], a: CallId, b: CallId
) -> bool:
    """Would the pair keep inside and outside apart? The containers paired around `a` must lie around `b`."""
    theirs = set(candidate.ancestors(b))
    return all(found[x][0] in theirs for x in reference.ancestors(a) if x in found)


def _silent(reference: CallGraph, candidate: CallGraph, pairs: Sequence[Pair]) -> list[Pair]:
    """Pair layers that never fired: below paired layers, by name or as the only one of their op and shapes; lists of
    layers by the layers in them."""
    layer_of = {p.reference.path: p.candidate.path for p in pairs}
    open_ = set(candidate.silent)
    found: list[Pair] = []
    for path in reference.silent:
        match, reason = _silent_match(reference, candidate, path, layer_of, open_)
        if match is not None:
            open_.discard(match)
            layer_of[path] = match
            found.append(Pair(CallId(path), CallId(match), reason, 0.8))
    return found


def _silent_match(
    reference: CallGraph, candidate: CallGraph, path: str, layer_of: Mapping[str, str], open_: set[str]
) -> tuple[str | None, str]:
    parts = names(path)
    parent = ".".join(parts[:-1]) or ROOT
    other = layer_of.get(parent)
    if other is not None:
        below = [p for p in candidate.layers if p in open_ and (".".join(names(p)[:-1]) or ROOT) == other]
        named = next((p for p in below if _tokens(p)[-1:] == _tokens(path)[-1:]), None)
        if named is not None:
            return named, "never fired; same name below paired layers"
        alike = [p for p in below if _layer_key(candidate, p) == _layer_key(reference, path)]
        if len(alike) == 1:
            return alike[0], "never fired; the only one of its kind below paired layers"
    inside = [p for p in reference.layers if p.startswith(f"{path}.") and p in layer_of]
    holders = Counter(
        ".".join(names(layer_of[p])[: len(names(layer_of[p])) - (len(names(p)) - len(parts))]) for p in inside
    )
    for holder, count in holders.most_common(1):
        if holder in open_ and count > len(inside) / 2:
            return holder, "never fired; holds the same layers"
    return None, ""


def _layer_key(graph: CallGraph, path: str) -> tuple[Any, ...]:
    means = graph.meanings[path]
    return (means.op or graph.layers[path].kind.lower(), tuple(sorted(p.shape for p in means.parameters.values())))
