"""Which columns are query, key and value, which gate and up: computed again from what was recorded.

Plain arrays in, roles out. What projections gave is put through attention (or a gate) in every way that the field
knows; where exactly one way gives what was recorded behind it, that way tells the roles. Everything is computed in
float64 on one sample and a few positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Columns = tuple[int, ...]

_QUERIES = 6
"""How many positions are asked."""
_HEADS = 8
"""How many heads are looked at."""
_MOST_KEYS = 2048
_MOST_AT_ONCE = 1 << 21
_APART = 30.0
"""How many times farther off than the best all other roles must be."""
_NEAR = 1e-4
_NEAR_OF = {"float16": 5e-3, "bfloat16": 2e-2}
"""The greatest relative error of what fits, by the type of what was recorded."""
_FAR = 1e-3
"""The least relative error of what does not fit."""


@dataclass(frozen=True)
class Roles:
    """For each role its columns (in the order of heads, then of the columns of a head), counted over all projections
    one behind the other. `symmetric` says that the roles may be exchanged and nothing changes."""

    columns: Mapping[str, Columns]
    how: str
    symmetric: bool = False


# --------------------------------------------------------------------------------------------------------------------
# Attention
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Layout:
    """Columns of query (heads, d), key and value (heads of keys, d)."""

    query: Array
    key: Array
    value: Array

    @property
    def key_of_roles(self) -> bytes:
        """The same for layouts that give the same columns the same roles."""
        return b"|".join(part.astype(np.int32).tobytes() for part in (self.query, self.key, self.value))

    def roles(self) -> Roles:
        """In words."""
        parts = {"query": self.query, "key": self.key, "value": self.value}
        return Roles(
            {role: tuple(part.reshape(-1).tolist()) for role, part in parts.items()}, "attention computed again"
        )


Errors = dict[bytes, tuple[float, _Layout]]
"""For each assignment of roles its least error, and a layout that has it."""


def attention_roles(projected: Sequence[Array], behind: Array, scores: Sequence[Array] = ()) -> Roles | None:
    """Tell query, key and value.

    Args:
        projected: what one to three projections gave, features on the last axis (or on axis 1 of images).
        behind: what the layer behind the attention was given, heads one behind the other on the feature axis.
        scores: recorded arrays (batch, heads, queries, keys): attention before or after the softmax, where a layer
            took or gave it. They tell also where a bias or a mask that is not known was added.
    """
    tolerance = _tolerance(behind)
    for arranged in _arranged(projected, behind):
        sides, out = arranged
        if min(side.shape[1] for side in sides) < 2 or max(side.shape[1] for side in sides) > _MOST_KEYS:
            continue
        layouts = list(_layouts([side.shape[2] for side in sides], out.shape[2]))
        for turn in (_plain, _turned_in_halves, _turned_in_pairs):
            found = _only_one(_errors(turn, layouts, sides, out, tolerance), tolerance)
            if found is not None:
                return found.roles()
        for recorded in scores:
            found = _only_one(_errors_with_scores(layouts, sides, out, recorded), max(tolerance, 1e-3))
            if found is not None:
                return found.roles()
    return None


def _tolerance(array: Array) -> float:
    return _NEAR_OF.get(array.dtype.name, _NEAR)


def _only_one(errors: Errors, tolerance: float) -> _Layout | None:
    """The assignment that alone gives what was recorded."""
    ranked = sorted(errors.values(), key=lambda item: item[0])
    return ranked[0][1] if _stands_alone([error for error, _ in ranked], tolerance) else None


def _stands_alone(errors: Sequence[float], tolerance: float) -> bool:
    """Is the first of the sorted errors that of what fits, and the second that of what does not?"""
    if not errors or not errors[0] < tolerance:
        return False
    return len(errors) < 2 or errors[1] >= max(_FAR, tolerance, _APART * errors[0])


def _arranged(projected: Sequence[Array], behind: Array) -> Iterator[tuple[list[Array], Array]]:
    """All as (samples, positions, features), batch first and sequence first. Float64 comes later."""
    arrays = [*projected, behind]
    if any(array.ndim < 2 or array.size == 0 for array in arrays):
        return
    if all(array.ndim == 4 for array in projected):  # images: features on axis 1
        images = [np.moveaxis(array.reshape(*array.shape[:2], -1), 1, 2) for array in projected]
        out = np.moveaxis(behind.reshape(*behind.shape[:2], -1), 1, 2) if behind.ndim == 4 else behind
        if out.ndim == 3 and out.shape[0] == images[0].shape[0] and out.shape[1] == images[0].shape[1]:
            yield images, out
    shaped = [array.reshape(array.shape[0], -1, array.shape[-1]) if array.ndim > 3 else array for array in arrays]
    if all(array.ndim == 2 for array in shaped):
        rows = shaped[0].shape[0]
        if any(array.shape[0] != rows for array in shaped):
            return
        for samples in (1, 2, 3, 4, 8):
            if rows % samples == 0 and rows // samples > 1:
                split = [array.reshape(samples, -1, array.shape[-1]) for array in shaped]
                yield split[:-1], split[-1]
        return
    around = next((array.shape[:2] for array in shaped if array.ndim == 3), None)
    if around is None:
        return
    shaped = [a.reshape(*around, -1) if a.ndim == 2 and a.shape[0] == around[0] * around[1] else a for a in shaped]
    if any(array.ndim != 3 for array in shaped):
        return
    if len({array.shape[0] for array in shaped}) == 1:
        yield shaped[:-1], shaped[-1]
    if len({array.shape[1] for array in shaped}) == 1:
        turned = [array.swapaxes(0, 1) for array in shaped]
        yield turned[:-1], turned[-1]


def _layouts(sizes: Sequence[int], width: int) -> Iterator[_Layout]:
    """Every way in which columns of the projections can be queries, keys and values of `width` columns behind."""
    total = sum(sizes)
    keys, odd = divmod(total - width, 2)
    if odd or keys <= 0 or width % keys:
        return
    starts = np.cumsum([0, *sizes])
    parts = [np.arange(starts[n], starts[n + 1]) for n in range(len(sizes))]
    for d in range(1, keys + 1):
        if keys % d or width % d:
            continue
        heads = (width // d, keys // d)
        if len(sizes) == 1:
            yield from _of_one(parts[0], heads, d)
        elif len(sizes) == 2:
            yield from _of_two(parts, heads, d)
        elif len(sizes) == 3:
            yield from _of_three(parts, heads, d)


def _of_three(parts: Sequence[Array], heads: tuple[int, int], d: int) -> Iterator[_Layout]:
    for q, k, v in permutations(parts):
        if (q.size, k.size, v.size) == (heads[0] * d, heads[1] * d, heads[1] * d):
            yield _Layout(q.reshape(-1, d), k.reshape(-1, d), v.reshape(-1, d))


def _of_two(parts: Sequence[Array], heads: tuple[int, int], d: int) -> Iterator[_Layout]:
    for one, two in (parts, parts[::-1]):
        if one.size == heads[0] * d and two.size == 2 * heads[1] * d:
            for a, b in _stacks(two, 2, heads[1], d):
                yield _Layout(one.reshape(-1, d), a, b)
        if heads[0] == heads[1] and one.size == heads[0] * d and two.size == 2 * one.size:
            for a, b in _stacks(two, 2, heads[0], d):
                yield _Layout(a, b, one.reshape(-1, d))


def _of_one(whole: Array, heads: tuple[int, int], d: int) -> Iterator[_Layout]:
    if heads[0] == heads[1]:
        for q, k, v in _stacks(whole, 3, heads[0], d):
            yield _Layout(q, k, v)
        return
    sizes = {"q": heads[0] * d, "k": heads[1] * d, "v": heads[1] * d}
    for order in permutations("qkv"):
        blocks = dict(zip(order, np.split(whole, np.cumsum([sizes[role] for role in order])[:-1]), strict=True))
        yield _Layout(*(blocks[role].reshape(-1, d) for role in "qkv"))
    many = heads[0] // heads[1]
    grouped = whole.reshape(heads[1], many + 2, d)
    for one, other in ((many, many + 1), (many + 1, many)):
        yield _Layout(grouped[:, :many].reshape(-1, d), grouped[:, one], grouped[:, other])


def _stacks(whole: Array, count: int, heads: int, d: int) -> Iterator[tuple[Array, ...]]:
    """The roles of a merged layer whose columns are counted by role, head and column of the head, in any order."""
    sizes = {"role": count, "head": heads, "column": d}
    for order in permutations(sizes):
        array = whole.reshape([sizes[axis] for axis in order])
        array = array.transpose([order.index(axis) for axis in sizes])
        yield from permutations(array)


Turned = Callable[[Array, Array], tuple[Array, Array]]
"""What is done to queries and keys (heads, positions, d) before they meet."""


def _plain(query: Array, key: Array) -> tuple[Array, Array]:
    return query, key


def _turned_in_halves(query: Array, key: Array) -> tuple[Array, Array]:
    """Rotary positions, the halves of a head turned against one another."""
    return _rotated(query, halves=True), _rotated(key, halves=True)


def _turned_in_pairs(query: Array, key: Array) -> tuple[Array, Array]:
    """Rotary positions, neighbours turned against one another."""
    return _rotated(query, halves=False), _rotated(key, halves=False)


def _rotated(array: Array, *, halves: bool) -> Array:
    """Array (heads, positions, d) with rotary positions."""
    d = array.shape[-1]
    if d % 2:
        return array
    angles = np.arange(array.shape[1])[:, None] * 10000.0 ** (-np.arange(0, d, 2) / d)
    cos, sin = np.cos(angles), np.sin(angles)
    x, y = (array[..., : d // 2], array[..., d // 2 :]) if halves else (array[..., ::2], array[..., 1::2])
    one, two = x * cos - y * sin, y * cos + x * sin
    return np.concatenate([one, two], axis=-1) if halves else np.stack([one, two], axis=-1).reshape(array.shape)


def _errors(turn: Turned, layouts: Sequence[_Layout], sides: Sequence[Array], out: Array, tolerance: float) -> Errors:
    """The least error of each assignment over scales and masks. That of its first head, which is no greater, is had for
    all at once; the whole is computed only where that leaves open whether the assignment fits, or stands alone. None
    where nothing fits."""
    features = _Features([np.asarray(side[0], np.float64) for side in sides])
    recorded = np.asarray(out[0], np.float64)
    by_heads: dict[tuple[int, ...], list[_Layout]] = {}
    for layout in layouts:
        by_heads.setdefault((*layout.query.shape, layout.key.shape[0]), []).append(layout)
    ways: list[_Way] = []
    for (heads, d, _), alike in by_heads.items():
        behind = recorded.reshape(recorded.shape[0], heads, d).transpose(1, 0, 2)
        firsts = _first_heads(turn, alike, features, behind[0], heads)
        ways += [_Way(layout, behind, float(first)) for layout, first in zip(alike, firsts, strict=True)]
    ways.sort(key=lambda way: way.first)
    errors: Errors = {}
    bound = tolerance
    for way in ways:
        if way.first >= bound and bound == tolerance:
            return {}  # sorted: nothing that comes can fit
        error = _least(turn, way.layout, features, way.behind) if way.first < bound else way.first
        if error < tolerance:
            bound = max(bound, _FAR, tolerance, _APART * error)
        key = way.layout.key_of_roles
        if key not in errors or error < errors[key][0]:
            errors[key] = (error, way.layout)
    return errors


class _Way(NamedTuple):
    """A layout with what was recorded behind it, by heads, and the error of its first head."""

    layout: _Layout
    behind: Array
    first: float


def _first_heads(
    turn: Turned, layouts: Sequence[_Layout], features: _Features, behind: Array, heads: int
) -> Sequence[float]:
    """The least error of the first head of each layout, all of the same projections at once."""
    found = [float("inf")] * len(layouts)
    of_parts: dict[tuple[int, ...], list[int]] = {}
    for n, layout in enumerate(layouts):
        parts = tuple(features.part(columns) for columns in (layout.query[0], layout.key[0], layout.value[0]))
        of_parts.setdefault(parts, []).append(n)
    for parts, numbers in of_parts.items():
        lengths = [features.parts[part].shape[0] for part in parts]
        if lengths[0] != behind.shape[0] or lengths[1] != lengths[2]:
            continue
        at_once = max(1, _MOST_AT_ONCE // (max(lengths) * layouts[0].query.shape[1]))
        for start in range(0, len(numbers), at_once):
            some = numbers[start : start + at_once]
            query, key, value = (
                features.take(np.stack([getattr(layouts[n], role)[0] for n in some]))
                for role in ("query", "key", "value")
            )
            errors = _ways(*turn(query, key), value, np.broadcast_to(behind, (len(some), *behind.shape)), heads)
            for n, error in zip(some, errors.tolist(), strict=True):
                found[n] = error
    return found


class _Features:
    """Columns of several projections, counted one behind the other."""

    def __init__(self, parts: Sequence[Array]) -> None:
        self.parts = parts
        self.starts = np.cumsum([0, *(part.shape[-1] for part in parts)])

    def part(self, columns: Array) -> int:
        """The projection that columns are of."""
        return int(np.searchsorted(self.starts, columns.flat[0], side="right")) - 1

    def take(self, columns: Array) -> Array:
        """Columns (heads, d), all of one part -> (heads, positions, d)."""
        n = self.part(columns)
        return np.moveaxis(self.parts[n][:, columns - self.starts[n]], 0, 1)


def _least(turn: Turned, layout: _Layout, features: _Features, behind: Array) -> float:
    """The least error of a layout over scales and masks, all heads together."""
    heads = layout.query.shape[0]
    chosen = np.unique(np.linspace(0, heads - 1, _HEADS).round().astype(int))
    of_keys = chosen // (heads // layout.key.shape[0])
    query = features.take(layout.query[chosen])
    key, value = features.take(layout.key[of_keys]), features.take(layout.value[of_keys])
    if query.shape[1] != behind.shape[1] or key.shape[1] != value.shape[1]:
        return float("inf")
    query, key = turn(query, key)
    return float(_ways(query, key, value, behind[chosen], heads).max())


def _ways(query: Array, key: Array, value: Array, behind: Array, heads: int) -> Array:
    """For each head (first axis) the least relative error over scales and masks, at a few positions."""
    asked = np.unique(np.linspace(0, query.shape[1] - 1, _QUERIES).round().astype(int))
    recorded = behind[:, asked]
    size = np.linalg.norm(recorded, axis=(1, 2))
    products = query[:, asked] @ key.swapaxes(1, 2)
    later = np.arange(key.shape[1])[None, :] > asked[:, None] + key.shape[1] - query.shape[1]
    d = query.shape[2]
    least = np.full(len(query), np.inf)
    for scale, causal in product(sorted({d**-0.5, 1.0, (d * heads) ** -0.5}), (False, True)):
        scores = products * scale
        made = _softmax(np.where(later, -np.inf, scores) if causal else scores) @ value
        off = np.linalg.norm(made - recorded, axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            least = np.fmin(least, off / size)
    return np.where(size > 0, least, 0.0)  # where nothing was recorded that could tell, everything fits


def _softmax(scores: Array) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _errors_with_scores(layouts: Sequence[_Layout], sides: Sequence[Array], out: Array, scores: Array) -> Errors:
    """With recorded attention: what was added to the scores is the same for two samples, so their difference tells
    query and key; attention times value gives what was recorded behind."""
    samples, queries = out.shape[:2]
    if samples < 2 or scores.ndim != 4 or scores.shape[0] != samples or scores.shape[2] != queries:
        return {}
    raw = np.asarray(scores, np.float64)
    sums = raw[0].sum(axis=-1)
    probable = bool((raw[0] >= 0).all() and np.allclose(sums, 1, atol=1e-3))
    attention = raw if probable else _softmax(raw)
    with np.errstate(divide="ignore"):
        logits = np.log(attention)
    errors: Errors = {}
    for other in dict.fromkeys((samples // 2, 1)):
        first, second = _Features([s[0] for s in sides]), _Features([s[other] for s in sides])
        known = (logits[0] > -40) & (logits[other] > -40)
        recorded = _centred(logits[0] - logits[other], known)
        for layout in layouts:
            heads, d = layout.query.shape
            if heads != scores.shape[1] or layout.key.shape[0] != heads:
                continue
            products = [
                f.take(layout.query).astype(np.float64) @ f.take(layout.key).astype(np.float64).swapaxes(1, 2)
                for f in (first, second)
            ]
            if products[0].shape != recorded.shape:
                continue
            made = _centred(products[0] - products[1], known)
            scale = float((made * recorded).sum() / max(float((made * made).sum()), 1e-300))
            error = float(np.linalg.norm(recorded - scale * made) / max(float(np.linalg.norm(recorded)), 1e-300))
            behind = out[0].astype(np.float64).reshape(queries, heads, d).transpose(1, 0, 2)
            given = attention[0] @ first.take(layout.value).astype(np.float64)
            off = float(np.linalg.norm(given - behind) / max(float(np.linalg.norm(behind)), 1e-300))
            error = max(error if scale > 0 else float("inf"), off)
            name = layout.key_of_roles
            if name not in errors or error < errors[name][0]:
                errors[name] = (error, layout)
    return errors


def _centred(array: Array, known: Array) -> Array:
    """Rows without their means over what is known, zero elsewhere."""
    plain = np.where(known, array, 0.0)
    means = plain.sum(axis=-1, keepdims=True) / np.maximum(known.sum(axis=-1, keepdims=True), 1)
    return np.where(known, plain - means, 0.0)


# --------------------------------------------------------------------------------------------------------------------
# Gates and sums
# --------------------------------------------------------------------------------------------------------------------

_ROWS = 64


def gate_roles(projected: Sequence[Array], behind: Array) -> Roles | None:
    """Tell gate and up of what was recorded as act(gate) * up; twins whose outputs are added or multiplied as they are
    may be exchanged.

    Args:
        projected: what two or more projections gave, or one of twice the width.
        behind: what came of it.
    """
    width = behind.shape[-1] if behind.ndim > 1 else 0
    if not width or any(a.ndim != behind.ndim for a in projected):
        return None
    tolerance = _tolerance(behind)
    flat = [np.asarray(a.reshape(-1, a.shape[-1])[:_ROWS], np.float64) for a in projected]
    out = np.asarray(behind.reshape(-1, width)[:_ROWS], np.float64)
    if any(a.shape[0] != out.shape[0] for a in flat):
        return None
    size = float(np.linalg.norm(out))
    features = np.concatenate(flat, axis=1)
    if not size > 0 or features.shape[1] % width:
        return None
    count = features.shape[1] // width
    columns = np.arange(features.shape[1])
    if len(flat) == 1:
        ways = [columns.reshape(count, width), columns.reshape(width, count).T]
    elif all(a.shape[1] == width for a in flat):
        ways = [columns.reshape(count, width)]
    else:
        return None
    if count < 2:
        return None
    found: dict[tuple[str, Columns, Columns], float] = {}
    for way in ways:
        parts = [features[:, own] for own in way]
        for made in (sum(parts), np.prod(parts, axis=0)):
            if len(flat) > 1 and float(np.linalg.norm(made - out)) / size < tolerance:
                names = {f"part {n}": tuple(own.tolist()) for n, own in enumerate(way)}
                return Roles(names, "their outputs are only added or multiplied", symmetric=True)
        for one, other in ((0, 1), (1, 0)) if count == 2 else ():
            a, b = parts[one], parts[other]
            gated = min(float(np.linalg.norm(act(a) * b - out)) for act in _ACTIVATIONS.values())
            for kind, error in (("gate", gated), ("minuend", float(np.linalg.norm(a - b - out)))):
                name = (kind, tuple(way[one].tolist()), tuple(way[other].tolist()))
                found[name] = min(error / size, found.get(name, np.inf))
    told = min(found, key=found.__getitem__, default=None)
    if told is None or not _stands_alone(sorted(found.values()), tolerance):
        return None
    kind, one_, other_ = told
    return Roles({kind: one_, _SECOND[kind]: other_}, "what is behind them computed again")


_SECOND = {"gate": "up", "minuend": "subtrahend"}


def joined_at(parts: Sequence[Array], behind: Array) -> list[int | None]:
    """At which place of an array that joins them (one axis longer) each array of one shape lies, as it is or through an
    activation; None where nowhere or at two places, and for all unless those found make the whole."""
    nothing: list[int | None] = [None] * len(parts)
    shape = parts[0].shape
    longer = [axis for axis, (n, m) in enumerate(zip(behind.shape, shape, strict=False)) if n != m]
    if behind.ndim != len(shape) or len(longer) != 1 or not longer[0] or any(part.shape != shape for part in parts):
        return nothing
    axis, width = longer[0], shape[longer[0]]
    if behind.shape[axis] % width:
        return nothing
    found: list[int | None] = []
    for part in parts:
        sample = np.asarray(part[:1], np.float64)
        ways = [sample, *(act(sample) for act in _ACTIVATIONS.values())]
        places = []
        for start in range(0, behind.shape[axis], width):
            block = np.asarray(behind[:1].take(range(start, start + width), axis=axis), np.float64)
            size = float(np.linalg.norm(block))
            if size > 0 and any(float(np.linalg.norm(way - block)) < _tolerance(behind) * size for way in ways):
                places.append(start)
        found.append(places[0] if len(places) == 1 else None)
    whole = sorted(place for place in found if place is not None)
    return found if len(whole) > 1 and whole == list(range(0, behind.shape[axis], width)) else nothing


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _erf(x: Array) -> Array:
    from scipy.special import erf

    return np.asarray(erf(x))


_ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "silu": lambda x: x * _sigmoid(x),
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / np.sqrt(2.0))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x * _sigmoid(1.702 * x),
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}
