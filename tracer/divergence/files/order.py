"""Two rows of things in order -> what belongs to what when neither order is broken, and how sure that is."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Scores = np.ndarray[Any, Any]


def best_in_order(scores: Scores) -> list[tuple[int, int, float]]:
    """The pairs of the best row of pairs that crosses nowhere, each with its margin: how much worse the best one
    without it is. A margin of 0 says that another choice is just as good.

    Args:
        scores: float (n, m), not negative; 0 where two do not fit.
    """
    rows, columns = scores.shape
    if not rows or not columns:
        return []
    before = _sums(scores)
    after = _sums(scores[::-1, ::-1])[::-1, ::-1]
    through = np.where(scores > 0, before[:-1, :-1] + scores + after[1:, 1:], -np.inf)
    best = float(before[-1, -1])
    skipped = (before[:-1] + after[1:]).max(axis=1)  # the best where a row has no partner
    unused = (before[:, :-1] + after[:, 1:]).max(axis=0)
    pairs = []
    for i, j in zip(*np.nonzero(through >= best - 1e-9), strict=True):
        row, column = through[i].copy(), through[:, j].copy()
        row[j] = column[i] = -np.inf
        rival = max(float(row.max()), float(column.max()), float(skipped[i]), float(unused[j]))
        pairs.append((int(i), int(j), max(best - rival, 0.0)))
    return pairs


def _sums(scores: Scores) -> Scores:
    """The best sum of pairs among the first i rows and j columns, for all i and j."""
    found = np.zeros((scores.shape[0] + 1, scores.shape[1] + 1))
    for i, row in enumerate(scores):
        found[i + 1, 1:] = np.maximum.accumulate(np.maximum(found[i, 1:], found[i, :-1] + row))
    return found


def longest_chain(pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The most of the pairs that do not cross one another."""
    ordered = sorted(pairs)
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for n, (_, j) in enumerate(ordered):
        place = bisect.bisect_left(ends, j)
        before.append(at[place - 1] if place else -1)
        if place == len(ends):
            ends.append(j)
            at.append(n)
        else:
            ends[place], at[place] = j, n
    chain: list[tuple[int, int]] = []
    n = at[-1] if at else -1
    while n >= 0:
        chain.append(ordered[n])
        n = before[n]
    return chain[::-1]


def stretches(chain: Sequence[tuple[int, int]], side: int, count: int) -> list[int]:
    """For each of `count` things of one side between which pairs of a chain it lies."""
    ends = [pair[side] for pair in chain]
    return [bisect.bisect_left(ends, n) for n in range(count)]
