"""What names say of layers that nothing else tells apart: likeness, contrast, numbers."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from tracer.divergence.alignment.evidence import words_of

Pairs = dict[str, tuple[str, str]]
"""For a path of the reference that of the candidate, and why."""

TIE = "names break the tie"
NUMBERS = "by the numbers in their names"

MARGIN = 0.15
"""By how much a name must be liker than the next one to break a tie."""


def by_likeness(left: Sequence[str], right: Sequence[str]) -> Pairs:
    """Paths that are each other's likest by clear margins."""
    return _clear(left, right, likeness, TIE)


def by_contrast(left: Sequence[str], right: Sequence[str]) -> Pairs:
    """The same by those words alone in which the paths of a side differ: "5b" and "5c" of two long names.

    A number says something only where both sides number alike: the 2 of "fc2, fc3" is not that of "layers.1, layers.2".
    """
    ours, theirs = _contrasts(left), _contrasts(right)
    if ours is None or theirs is None:
        return {}
    counted = {frozenset(c.numbers) for c in ours if c.numbers} & {frozenset(c.numbers) for c in theirs if c.numbers}
    words: dict[str, set[Any]] = {}
    for side, columns in ((left, ours), (right, theirs)):
        for column in columns:
            numbers = frozenset(column.numbers)
            if numbers and numbers not in counted:
                continue
            for path, token in zip(side, column.tokens, strict=True):
                words.setdefault(path, set()).add((numbers, token))

    def score(a: str, b: str) -> float:
        one, other = words.get(a, set()), words.get(b, set())
        return len(one & other) / len(one | other) if one | other else 0.0

    return _clear(left, right, score, TIE)


def by_numbers(left: Sequence[str], right: Sequence[str]) -> Pairs:
    """Paths that differ by numbers only, on each side, in the order of those numbers, where both count alike: as many
    at each level."""
    ours, theirs = _numbered(left), _numbered(right)
    if len(left) != len(right) or ours is None or theirs is None or _levels(ours) != _levels(theirs):
        return {}
    made = zip(sorted(left, key=ours.__getitem__), sorted(right, key=theirs.__getitem__), strict=True)
    return {a: (b, NUMBERS) for a, b in made}


def _clear(left: Sequence[str], right: Sequence[str], score_of: Callable[[str, str], float], why: str) -> Pairs:
    """Pairs that each score highest for the other, and clearly higher than the next."""
    score = {(a, b): score_of(a, b) for a in left for b in right}
    found = {}
    for a in left:
        row = sorted((score[a, b] for b in right), reverse=True)
        best = max(right, key=lambda b: score[a, b])
        column = sorted((score[k, best] for k in left), reverse=True)
        clear = all(len(line) < 2 or line[0] - line[1] >= MARGIN for line in (row, column))
        if clear and score[a, best] == row[0] == column[0] and row[0] > 0:
            found[a] = (best, why)
    return found


class _Column(NamedTuple):
    """One place in the paths of a side at which they differ: the word of each path, and the numbers among them where
    all are numbers."""

    tokens: tuple[str, ...]
    numbers: AbstractSet[str]


def _contrasts(paths: Sequence[str]) -> list[_Column] | None:
    """Where the paths of a side differ; None where they are not of one make."""
    split = [name_words(path) for path in paths]
    if len({len(words) for words in split}) != 1 or len(paths) < 2:
        return None
    columns = [tuple(column) for column in zip(*split, strict=True) if len(set(column)) > 1]
    return [_Column(c, set(c) if all(token.isdigit() for token in c) else set()) for c in columns]


def _numbered(paths: Sequence[str]) -> dict[str, tuple[int, ...]] | None:
    """The numbers that alone tell the paths apart; "first" and "second" are numbers too."""
    parts = [re.split(r"(\d+)", _ORDINAL.sub(lambda m: _ORDINALS[m[0]], path.lower())) for path in paths]
    if len({len(split) for split in parts}) != 1 or len(paths) < 2:
        return None
    differ = [n for n, column in enumerate(zip(*parts, strict=True)) if len(set(column)) > 1]
    if not differ or any(n % 2 == 0 for n in differ):
        return None
    return {path: tuple(int(split[n]) for n in differ) for path, split in zip(paths, parts, strict=True)}


def _levels(numbers: Mapping[str, tuple[int, ...]]) -> list[list[int]]:
    """How many paths there are below each number, level by level, in order."""
    depth = len(next(iter(numbers.values())))
    return [
        [count for _, count in sorted(Counter(values[:level] for values in numbers.values()).items())]
        for level in range(1, depth + 1)
    ]


_ORDINALS = {"first": "1", "second": "2", "third": "3", "fourth": "4"}
_ORDINAL = re.compile(r"(?<![a-z])(?:first|second|third|fourth)(?![a-z])")

_SAME_WORDS = {
    "q": "query",
    "k": "key",
    "v": "value",
    "o": "out",
    "output": "out",
    "wq": "query",
    "wk": "key",
    "wv": "value",
    "wo": "out",
    "img": "image",
    "vision": "image",
    "visual": "image",
    "txt": "text",
    "enc": "encoder",
    "dec": "decoder",
    "src": "source",
    "tgt": "target",
    "emb": "embedding",
    "embed": "embedding",
    "embeddings": "embedding",
    "pos": "position",
    "rel": "relative",
    "reg": "regression",
    "cls": "class",
    "mu": "mean",
    "sigma": "std",
}
"""Short and long words of one meaning in names of layers."""


@functools.cache
def name_words(path: str) -> tuple[str, ...]:
    """The words and numbers of a path, with one word for each meaning."""
    return tuple(_SAME_WORDS.get(word, word) for word in words_of(path))


def named_roles(paths: Sequence[str], roles: AbstractSet[str]) -> dict[str, str] | None:
    """The role that the last part of each path names; None unless each names one, and each another."""
    found = {path: set(name_words(path.rpartition(".")[2])) & roles for path in paths}
    if any(len(named) != 1 for named in found.values()):
        return None
    told = {path: next(iter(named)) for path, named in found.items()}
    return told if len(set(told.values())) == len(told) == len(roles) else None


def likeness(one: str, other: str) -> float:
    """How alike two paths are, 0 to 1: shared words, those near the end counting more."""
    ours, theirs = _weighed(one), _weighed(other)
    shared = sum(min(weight, theirs[word]) for word, weight in ours.items() if word in theirs)
    total = sum(ours.values()) + sum(theirs.values()) - shared
    return shared / total if total else 0.0


@functools.cache
def _weighed(path: str) -> dict[str, float]:
    """The words of a path with their weights, half of that of the part behind. A number counts with the word before
    it only: the 2 of "fc2" is another one than that of "layers.2"."""
    found: dict[str, float] = {}
    parts = path.split(".")
    for n, part in enumerate(parts):
        weight = 0.5 ** (len(parts) - 1 - n)
        before = name_words(parts[n - 1])[-1:] if n else ()
        for word in name_words(part):
            token = f"{before[0] if before else ''}{word}" if word.isdigit() else word
            found[token] = max(found.get(token, 0.0), weight)
            before = (word,)
    return found
