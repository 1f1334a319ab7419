"""What structure leaves open: layers of equal shapes that only their order tells from one another.

Names may break such a tie, and so may values, where both sides hold them. Where nothing does, it is said: equal numbers
are interchangeable, everything else is ambiguous and asks the user.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tracer.starting_point.weights.naming import by_contrast, by_likeness, by_numbers

Same = Callable[[str, str], bool]
"""Do two layers, by their paths, hold the same numbers, parameter for parameter?"""


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
    for choose in (lambda left, right: _by_value(left, right, same), by_contrast, by_likeness, by_numbers):
        left = [a for a in references if a not in pairs]
        taken = {b for b, _ in pairs.values()}
        right = [b for b in candidates if b not in taken]
        if left and right:
            pairs |= choose(left, right)
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
