"""What the name of a file says: words, numbers that belong to them, and numbers that only count files.

`3_fc1.npy` (counted in front), `fc1_float32_0.npy` (counted behind its dtype), `0_grads_5.npy` (a list, counted twice)
and `blocks.0.attn.npy` (counts nothing: 0 is part of the name). Words are those of the alignment, `words_of`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracer.divergence.alignment.evidence import words_of

Words = tuple[str, ...]

_FRONT = re.compile(r"(\d+)(?:[_\- ]+|$)")
_DTYPE = re.compile(
    r"[_\-. ](?:b?float(?:16|32|64)|u?int(?:8|16|32|64)|bool|complex(?:64|128))(?:[_\-](\d+))?$", re.IGNORECASE
)
_BEHIND = re.compile(r"[_\- ]\(?(\d+)\)?$")
_NAMELESS = {"none", "tensor", "array", "arr", "npy"}
"""What tools write where nobody gave a name."""
_GRADIENT = {"grad", "gradient"}


@dataclass(frozen=True)
class Named:
    """An array by its name: `words` without numbers that only count; `front` counts files, `behind` those of one name
    or the members of a list. `shape` is the array's."""

    name: str
    words: Words
    front: int | None = None
    behind: int | None = None
    shape: tuple[int, ...] = ()
    gradient: bool = False

    @property
    def squeezed(self) -> tuple[int, ...]:
        """The shape without axes of size one."""
        return tuple(n for n in self.shape if n != 1)

    @property
    def count(self) -> int:
        """How many numbers it holds."""
        found = 1
        for size in self.shape:
            found *= size
        return found


def read_name(name: str, shape: tuple[int, ...]) -> Named:
    """Take the name of a file below its folder apart: "step0/3_fc1.npy", "arrays.npz:fc1".

    Args:
        name: with folders parted by "/", the name inside an archive after ":".
        shape: of the array.
    """
    *above, stem = re.split(r"[/:]", re.sub(r"\.np[yz](?=:|$)", "", name))
    front = behind = None
    dumped = _DTYPE.search(stem)
    if dumped:
        stem = stem[: dumped.start()]
    found = _FRONT.match(stem)
    counted = dumped[1] if dumped else None
    if found and (found.end() < len(stem) or counted is None):  # in "0_float32_16" 0 is the name
        front, stem = int(found[1]), stem[found.end() :]
    if counted is not None and front is None:
        front = int(counted)
    elif counted is not None:
        behind = int(counted)
    found = _BEHIND.search(stem)
    if found and behind is None:
        behind, stem = int(found[1]), stem[: found.start()]
    words = tuple(_plain(word) for part in (*above, stem) for word in words_of(part))
    gradient = any(word in _GRADIENT for word in words)
    return Named(name, words, front, behind, shape, gradient)


def _plain(word: str) -> str:
    """One word for one and several."""
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def says_gradient(text: str) -> bool:
    """Does the name of a folder say that gradients lie in it?"""
    return any(_plain(word) in _GRADIENT for word in words_of(text))


def in_common_words(ours: Sequence[Named], theirs: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """Both sides without words that say nothing: those for nameless arrays, and those that all files of a side begin
    with (the net's own name), if more names are the same without them."""
    sides = [[replace(n, words=_telling(n.words)) for n in side] for side in (ours, theirs)]
    cut = [_shared(side) for side in sides]
    choices = [(a, b) for a in dict.fromkeys((0, cut[0])) for b in dict.fromkeys((0, cut[1]))]
    best = max(choices, key=lambda choice: _same(sides, choice))
    return _without(sides[0], best[0]), _without(sides[1], best[1])


def _telling(words: Words) -> Words:
    left = tuple(word for word in words if word not in _NAMELESS)
    return left if any(not word.isdigit() for word in left) or len(left) == len(words) else ()


def _shared(side: Sequence[Named]) -> int:
    """How many words all names begin with, one word at least being left to each."""
    count = 0
    while len(side) > 1 and all(len(n.words) > count + 1 for n in side):
        if len({n.words[count] for n in side}) > 1:
            break
        count += 1
    return count


def _same(sides: Sequence[Sequence[Named]], cut: tuple[int, int]) -> int:
    found = [Counter(n.words[drop:] for n in side) for side, drop in zip(sides, cut, strict=True)]
    return sum((found[0] & found[1]).values())


def _without(side: Sequence[Named], drop: int) -> list[Named]:
    return [replace(n, words=n.words[drop:]) for n in side]


def counted_alike(ours: Sequence[Named], theirs: Sequence[Named]) -> tuple[list[Named], list[Named]] | None:
    """Both sides with the blocks of their nets counted from 0, where one counts as many from 0 and the other from 1;
    None where they do not. Whether that is meant, only the numbers in the arrays tell."""
    sides = [list(ours), list(theirs)]
    blocks = [_blocks(side) for side in sides]
    numbers = [sorted(found) for _, found in blocks]
    if not numbers[0] or not numbers[1] or sorted((numbers[0][0], numbers[1][0])) != [0, 1]:
        return None
    if any(found != list(range(found[0], found[0] + len(numbers[0]))) for found in numbers):
        return None
    late = 0 if numbers[0][0] else 1
    sides[late] = [_counted_down(n, blocks[late][0]) for n in sides[late]]
    return sides[0], sides[1]


def _blocks(side: Sequence[Named]) -> tuple[Words, set[int]]:
    """What stands before the numbers of most blocks, and these numbers: ("block",) of "blocks.0.norm"."""
    found: dict[Words, list[int]] = {}
    for n in side:
        at = next((at for at, word in enumerate(n.words) if word.isdigit()), len(n.words))
        if at + 1 < len(n.words):
            found.setdefault(n.words[:at], []).append(int(n.words[at]))
    most = max(found, key=lambda before: len(found[before]), default=())
    return most, set(found.get(most, ()))


def _counted_down(n: Named, before: Words) -> Named:
    at = len(before)
    if n.words[:at] != before or len(n.words) <= at or not n.words[at].isdigit():
        return n
    return replace(n, words=(*before, str(int(n.words[at]) - 1), *n.words[at + 1 :]))


def alike(a: Words, b: Words) -> float:
    """0..1: how much of two names is the same, in order. A word also stands for what it shortens ("attn" for
    "attention"). Numbers on both sides that are not the same speak against it."""
    if not a or not b:
        return 0.0
    numbers = [tuple(w for w in words if w.isdigit()) for words in (a, b)]
    best = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], best[i][j] + _weight(left, right))
    last = 1.0 if _weight(_last(a), _last(b)) else 0.0
    sizes = [sum(0.5 if w.isdigit() else 1.0 for w in words) for words in (a, b)]
    score = (2 * best[-1][-1] + last) / (sum(sizes) + 1.0)
    return score * (0.3 if all(numbers) and numbers[0] != numbers[1] else 1.0)


def bare(words: Words) -> Words:
    """A name without its numbers."""
    return tuple(word for word in words if not word.isdigit())


def _last(words: Words) -> str:
    return next((w for w in reversed(words) if not w.isdigit()), words[-1])


def _weight(a: str, b: str) -> float:
    if a == b:
        return 0.5 if a.isdigit() else 1.0
    short, long = sorted((a, b), key=len)
    if len(short) < 2 or a.isdigit() or b.isdigit() or not _shortens(short, long):
        return 0.0
    return 0.8 if long.startswith(short[:2]) else 0.5


def _shortens(short: str, long: str) -> bool:
    """Are the letters of one word among those of another, in order and from the first on?"""
    letters = iter(long)
    return short[0] == long[0] and all(letter in letters for letter in short)
