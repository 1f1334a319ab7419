"""Evidence -> which unit is which: anchors, order, leftovers, layers side by side; doubtful pairs are let go."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tracer.divergence.alignment.anchors import anchors
from tracer.divergence.alignment.evidence import WEIGHTS, Evidence, kind_word, parameter_shapes, sizes_of
from tracer.divergence.graph import CallGraph, CallId

_SURE = np.float32(8.0)
"""What a sure pair weighs at most where the order of the others is looked for: about a pair that all speaks for."""


def assign(evidence: Evidence) -> dict[int, int]:
    """For each row (unit of the reference) that has a partner its column (unit of the candidate)."""
    matching = anchors(evidence)
    matching |= _monotone_around(evidence, matching)
    for _ in range(5):
        more = _leftovers(evidence, matching)
        if not more:
            break
        matching |= more
    return _keep_certain(evidence, _side_by_side(evidence, matching))


def _monotone_around(evidence: Evidence, sure: Mapping[int, int]) -> dict[int, int]:
    """The heaviest pairing in order of what the anchors leave, their neighbourhood speaking for and against."""
    scores = evidence.scores.copy()
    inverse = {j: i for i, j in sure.items()}
    if sure:
        agreement = evidence.agreement(sure)
        least = np.where(agreement >= 0, np.float32(0.05), np.float32(0.0))
        scores = np.where(scores > 0, np.maximum(scores + agreement, least), np.float32(0.0))
    kept = in_order(sure)
    for i, j in sure.items():
        own = scores[i, j]
        scores[i, :], scores[:, j] = 0.0, 0.0
        # a pin that stands across the order of all others must not keep them from one another
        scores[i, j] = min(own, _SURE) if i in kept else 0.0
    return {i: j for i, j in _monotone(scores).items() if i not in sure and j not in inverse}


def in_order(pairs: Mapping[int, int]) -> set[int]:
    """The rows of a longest part of the pairs that crosses nowhere."""
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
    best = heaviest_in_order(scores)
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


def heaviest_in_order(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What the heaviest pairing in order of the first i rows and the first j columns weighs, for each i and j."""
    best = np.zeros((scores.shape[0] + 1, scores.shape[1] + 1), np.float32)
    for i in range(scores.shape[0]):
        diagonal = np.where(scores[i] > 0, best[i, :-1] + scores[i], 0)
        best[i + 1, 1:] = np.maximum.accumulate(np.maximum(best[i, 1:], diagonal))
    return best


def _leftovers(evidence: Evidence, matching: Mapping[int, int]) -> dict[int, int]:
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


def _side_by_side(evidence: Evidence, matching: dict[int, int]) -> dict[int, int]:
    """Within units of one kind that are fed by the same and do not feed one another, order says little: there the
    best assignment by parameters, names and order is taken."""
    classes: dict[Any, list[int]] = defaultdict(list)
    for i in matching:
        node = evidence.reference.nodes[evidence.rows[i]]
        feeds = evidence.reference.fed_key(node.id)
        classes[node.meaning.op, parameter_shapes(node), tuple(v.shape for v in node.outputs), feeds].append(i)
    result = dict(matching)
    for rows in classes.values():
        columns = [matching[i] for i in rows]
        if len(rows) < 2 or not _parallel(evidence.candidate, [evidence.columns[j] for j in columns]):
            continue
        from scipy.optimize import linear_sum_assignment  # a quarter of a second, and most nets need it not

        names_ = evidence.naming[np.ix_(rows, columns)]
        names_ = np.where(names_ >= 0.99, names_, names_ - names_.min())  # what all have in common tells nothing
        total = (
            WEIGHTS["fingerprint"] * evidence.fingerprints[np.ix_(rows, columns)]
            + WEIGHTS["name"] * names_
            + WEIGHTS["order" if evidence.ran else "written"] * np.eye(len(rows), dtype=np.float32)
            + np.where(evidence.scores[np.ix_(rows, columns)] > 1e5, 1e6, 0)
        )
        left, right = linear_sum_assignment(total, maximize=True)
        result |= {rows[a]: columns[b] for a, b in zip(left, right, strict=True)}
    return result


def _parallel(graph: CallGraph, ids: Sequence[CallId]) -> bool:
    """Are all of these fed by the same tensors?"""
    return len({graph.fed_key(id_) for id_ in ids}) == 1


def _keep_certain(evidence: Evidence, matching: dict[int, int]) -> dict[int, int]:
    """Let go of pairs that only fit by place (another op, or classes that no rule knows) unless both neighbourhoods
    agree; a wrong pair is worse than none."""
    kept = dict(matching)
    for _ in range(3):
        inverse = {j: i for i, j in kept.items()}
        doubtful = [
            i
            for i, j in kept.items()
            if not same_op(evidence, i, j)
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
            and other_weights_shape(evidence, i, j)
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


def other_weights_shape(evidence: Evidence, i: int, j: int) -> bool:
    """Do parameters of one name have other shapes?"""
    ours = dict(parameter_shapes(evidence.reference.nodes[evidence.rows[i]]))
    theirs = dict(parameter_shapes(evidence.candidate.nodes[evidence.columns[j]]))
    return any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys())


def _has_lone_sibling(evidence: Evidence, i: int, j: int, matching: Mapping[int, int]) -> bool:
    """Does another unit of the op, fed by the same tensors, stand alone? Then one may mean several (a merged
    projection), and a pair of two of them would be wrong."""
    taken = set(matching.values())
    lone_r = [evidence.rows[k] for k in range(len(evidence.rows)) if k not in matching]
    lone_c = [evidence.columns[k] for k in range(len(evidence.columns)) if k not in taken]
    for graph, own, lone in (
        (evidence.reference, evidence.rows[i], lone_r),
        (evidence.candidate, evidence.columns[j], lone_c),
    ):
        op, feeds = graph.nodes[own].meaning.op, graph.fed_key(own)
        if any(graph.nodes[k].meaning.op == op and graph.fed_key(k) == feeds for k in lone):
            return True
    return False


def same_op(evidence: Evidence, i: int, j: int) -> bool:
    """Do both mean one op, or, where no rule knows either, go by one class name?"""
    a = evidence.reference.nodes[evidence.rows[i]]
    b = evidence.candidate.nodes[evidence.columns[j]]
    if not (a.layer.kind and b.layer.kind):  # a file of parameters tells no class: then their sizes speak
        return sizes_of(a) == sizes_of(b)
    if a.meaning.op or b.meaning.op:
        return a.meaning.op == b.meaning.op
    return kind_word(a) == kind_word(b)
