"""What structure leaves open: layers of equal shapes that only their order tells from one another.

Names may break such a tie, and so may values, where both sides hold them. Where nothing does, it is said: equal numbers
are interchangeable, everything else is ambiguous and asks the user.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from tracer.divergence.alignment.evidence import words_of

Same = Callable[[str, str], bool]
"""Do two layers, by their paths, hold the same numbers, parameter for parameter?"""

_MARGIN = 0.15
"""By how much a name must be liker than the next one to break a tie."""


@dataclass(frozen=True)
class Settled:
    """Pairs of layer paths with their reasons, and what stays open: (references, candidates)."""

    pairs: Mapping[str, tuple[str, str]]
    open: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()


def settle(
    references: Sequence[str],
    candidates: Sequence[str],
    *,
    same: Same | None = None,
    alike: Same | None = None,
    exchangeable: Callable[[Sequence[str], Sequence[str]], bool] | None = None,
) -> Settled:
    """Pair layers of one op and shapes that structure does not tell apart.

    Args:
        references: paths in the reference, in order.
        candidates: paths in the candidate, in order.
        same: do a layer of the reference and one of the candidate hold the same numbers?
        alike: do two layers of the reference hold the same numbers?
        exchangeable: are what they give, on either side, only added or multiplied, so that any pairing is right?
    """
    pairs: dict[str, tuple[str, str]] = {}
    for choose in (_by_value, _by_name, _by_number):
        left = [a for a in references if a not in pairs]
        taken = {b for b, _ in pairs.values()}
        right = [b for b in candidates if b not in taken]
        if left and right:
            pairs |= choose(left, right, same)
    left = [a for a in references if a not in pairs]
    taken = {b for b, _ in pairs.values()}
    right = [b for b in candidates if b not in taken]
    if not left or not right:
        return Settled(pairs)
    if len(left) == len(right) == 1 and len(references) == len(candidates):
        return Settled(pairs | {left[0]: (right[0], "the only one left")})
    if len(left) == len(right) and alike is not None and all(alike(left[0], other) for other in left[1:]):
        made = zip(left, right, strict=True)
        return Settled(pairs | {a: (b, "interchangeable: all hold the same numbers") for a, b in made})
    if len(left) == len(right) and exchangeable is not None and exchangeable(left, right):
        made = zip(left, right, strict=True)
        why = "interchangeable: their outputs are only added or multiplied"
        return Settled(pairs | {a: (b, why) for a, b in made})
    return Settled(pairs, ((tuple(left), tuple(right)),))


def _by_value(left: Sequence[str], right: Sequence[str], same: Same | None) -> dict[str, tuple[str, str]]:
    if same is None:
        return {}
    fits = {a: [b for b in right if same(a, b)] for a in left}
    count = Counter(b for found in fits.values() for b in found)
    return {a: (found[0], "by value") for a, found in fits.items() if len(found) == 1 and count[found[0]] == 1}


def _by_name(left: Sequence[str], right: Sequence[str], _: Same | None) -> dict[str, tuple[str, str]]:
    """Pairs that are each other's likest by clear margins."""
    score = {(a, b): likeness(a, b) for a in left for b in right}
    found = {}
    for a in left:
        row = sorted((score[a, b] for b in right), reverse=True)
        best = max(right, key=lambda b: score[a, b])
        column = sorted((score[k, best] for k in left), reverse=True)
        clear = all(len(line) < 2 or line[0] - line[1] >= _MARGIN for line in (row, column))
        if clear and score[a, best] == row[0] == column[0] and row[0] > 0:
            found[a] = (best, "names break the tie")
    # one pair alone by its name would leave the rest to a guess that rests on nothing: all or those that are clear
    return found


def _by_number(left: Sequence[str], right: Sequence[str], _: Same | None) -> dict[str, tuple[str, str]]:
    """Paths that differ by one number only, on each side, in the order of that number."""
    ours, theirs = _numbered(left), _numbered(right)
    if len(left) != len(right) or ours is None or theirs is None:
        return {}
    made = zip(sorted(left, key=ours.__getitem__), sorted(right, key=theirs.__getitem__), strict=True)
    return {a: (b, "by the numbers in their names") for a, b in made}


def _numbered(paths: Sequence[str]) -> dict[str, int] | None:
    """The number that alone tells the paths apart; "first" and "second" are numbers too."""
    parts = {path: re.split(r"(\d+)", _ORDINAL.sub(lambda m: _ORDINALS[m[0]], path.lower())) for path in paths}
    if len({len(split) for split in parts.values()}) != 1 or len(paths) < 2:
        return None
    differ = [n for n, column in enumerate(zip(*parts.values(), strict=True)) if len(set(column)) > 1]
    if len(differ) != 1 or differ[0] % 2 == 0:
        return None
    return {path: int(split[differ[0]]) for path, split in parts.items()}


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
