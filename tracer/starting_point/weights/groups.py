"""Merged projections: one layer that holds, row under row, what the other net has in several (query, key and value;
gate and up), MultiheadAttention against linear layers, either way.

Which rows are whose is told by values where both sides hold them, else by the names of the parts and of the whole.
Where neither tells it stays open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tracer.divergence.alignment import CallId
from tracer.divergence.graph import CallGraph
from tracer.starting_point.weights.linking import Read, Sides
from tracer.starting_point.weights.naming import named_roles
from tracer.starting_point.weights.roles import rows_of
from tracer.starting_point.weights.steps import Rows, Shape, Step, Turn
from tracer.starting_point.weights.weight_map import Choice, Piece, Placement, key_of
from tracer.trace.schema import ROOT

Array = np.ndarray[Any, Any]

_MOST = 4
"""How many parts are looked for in one layer."""


@dataclass(frozen=True)
class Part:
    """One layer, or one role of MultiheadAttention: the keys of its matrix and its bias, the shape of the matrix in
    torch's layout (rows first), and whether the matrix is stored transposed."""

    path: str
    weight: str
    bias: str | None
    shape: Shape
    turned: bool = False


BY_NAMES = "in the order that names tell"
ATTENTION = "in the order of MultiheadAttention"
"""How the rows of a whole are known where no call tells."""

AGAINST_NAMES = "by the calls, against the names"


@dataclass(frozen=True)
class Merged:
    """What came of one merged layer: placements, or why there are none."""

    placements: tuple[Placement, ...] = ()
    open: Choice | None = None


def merged_layers(
    sides: Sides, partner: Mapping[str, str], free_reference: frozenset[str], free_candidate: frozenset[str]
) -> Iterator[Merged]:
    """Find the merged layers among the parameters that are free, in either net.

    Args:
        sides: both nets with what tells their layers apart.
        partner: the candidate's layer of each of the reference's; parts are looked for inside the partner of the layer
            around the whole.
        free_reference: keys that are placed nowhere yet.
        free_candidate: likewise.
    """
    back = {b: a for a, b in partner.items()}
    yield from _Search(sides, 0, partner, free_reference, free_candidate).found(merged_in_reference=True)
    yield from _Search(sides, 1, back, free_candidate, free_reference).found(merged_in_reference=False)


class _Search:
    """One direction: `one` has the merged layers, `many` their parts."""

    def __init__(
        self,
        sides: Sides,
        side: int,
        partner: Mapping[str, str],
        free_one: frozenset[str],
        free_many: frozenset[str],
    ) -> None:
        self.one, self.many = sides.graphs[side], sides.graphs[1 - side]
        self.reads = (sides.read[side], sides.read[1 - side])
        self.roles = (sides.groups[side], sides.groups[1 - side])
        self.partner = partner
        self.free_one, self.free_many = set(free_one), set(free_many)

    def found(self, *, merged_in_reference: bool) -> Iterator[Merged]:
        """Everything that is merged on this side."""
        for path in self.one.layers:
            for whole in _wholes(self.one, path, self.free_one):
                parts = self._parts_of(whole)
                if not parts:
                    continue
                self.free_many -= {key for part in parts for key in (part.weight, part.bias) if key}
                self.free_one -= {key for key in (whole.weight, whole.bias) if key}
                yield self._told(whole, parts, merged_in_reference=merged_in_reference)

    def _parts_of(self, whole: Part) -> tuple[Part, ...]:
        """The parts whose rows together are those of the whole, inside the partner of what lies around it. None where
        more than one set would do."""
        scope = self._scope(whole.path)
        if scope is None:
            return ()
        inside = [p for path in _below(self.many, scope) for p in _simple(self.many, path, self.free_many)]
        one = whole.weight.endswith("in_proj_weight")  # against a merged layer it is a set of one
        fitting = [p for p in inside if p.shape[1:] == whole.shape[1:] and p.shape[0] < whole.shape[0] + one]
        for parent in dict.fromkeys(_parent(p.path) for p in fitting):
            near = [p for p in fitting if _parent(p.path) == parent]
            sets = [
                chosen
                for size in range(1 if one else 2, _MOST + 1)
                for chosen in combinations(near, size)
                if sum(p.shape[0] for p in chosen) == whole.shape[0]
            ]
            if len(sets) > 1:
                sets = [chosen for chosen in sets if self._play_together(chosen)] or sets
            if len(sets) > 1:
                roles = set(_order_of(whole) or ())
                sets = [chosen for chosen in sets if _named(chosen, roles) is not None] or self._fed_alike(sets)
            if len(sets) == 1:
                return sets[0]
        return ()

    def _play_together(self, parts: Sequence[Part]) -> bool:
        """Do the calls tell roles of just these?"""
        group = self.roles[1].get(parts[0].path)
        return group is not None and set(group.layers) == {part.path for part in parts}

    def _fed_alike(self, sets: Sequence[tuple[Part, ...]]) -> list[tuple[Part, ...]]:
        """Those whose parts are given the same tensor: only a net that ran tells."""
        if not self.many.ran:
            return []
        return [
            chosen
            for chosen in sets
            if len({self.many.fed_key(CallId(p.path, 0)) for p in chosen if CallId(p.path, 0) in self.many.nodes}) == 1
        ]

    def _scope(self, path: str) -> str | None:
        """The partner of the nearest layer around (or of the layer itself) that has one which holds parameters."""
        while True:
            scope = self.partner.get(path)
            if scope is not None and any(self.many.meanings[one].parameters for one in _below(self.many, scope)):
                return scope
            if path == ROOT:
                return ROOT if ROOT in self.many.layers else None
            path = _parent(path)

    def _told(self, whole: Part, parts: tuple[Part, ...], *, merged_in_reference: bool) -> Merged:
        rows, why = self._rows(whole, parts)
        keys = tuple(key for part in parts for key in (part.weight, part.bias) if key)
        wholes = tuple(key for key in (whole.weight, whole.bias) if key)
        references, candidates = (wholes, keys) if merged_in_reference else (keys, wholes)
        if rows is None:
            return Merged(open=Choice(references, candidates, "merged rows, and nothing tells whose they are"))
        if len({part.bias is None for part in (whole, *parts)}) > 1:
            return Merged(open=Choice(references, candidates, "merged rows, but not all have a bias"))
        make = _split if merged_in_reference else _join
        return Merged(tuple(make(whole, parts, rows, f"merged rows, {why}")))

    def _rows(self, whole: Part, parts: tuple[Part, ...]) -> tuple[list[Rows] | None, str]:
        """Which rows of the whole each part is, and how that is known."""
        ours, theirs = self.reads
        if ours is not None and theirs is not None:
            rows = _rows_by_value(_matrix(ours, whole), [_matrix(theirs, part) for part in parts])
            if rows is not None:
                return rows, "by value"
        own, of_parts = self._whole_roles(whole), self._part_roles(parts)
        order = _order_of(whole)
        named = _named(parts, set(own or of_parts or order or ()))
        if len(parts) == 1 and order is not None and _order_of(parts[0]) is not None:
            third = parts[0].shape[0] // len(order)
            rows_there = _blocks(_order_of(parts[0]) or (), dict.fromkeys(order, third))
            named = {role: (0, rows) for role, rows in rows_there.items()}
        if own and (of_parts or named):
            why = "by the calls" if of_parts else "by the calls and the names"
            if of_parts and named and any(named[r][0] != n for r, (n, _) in of_parts.items() if r in named):
                why = AGAINST_NAMES
        elif of_parts and order is not None and set(order) == set(of_parts):
            own, why = _blocks(order, {r: len(rows) for r, (_, rows) in of_parts.items()}), "by the calls and the names"
        elif not of_parts and named is not None and order is not None and set(order) == set(named):
            own = _blocks(order, {r: len(rows) for r, (_, rows) in named.items()})
            why = ATTENTION if whole.weight.endswith("in_proj_weight") else BY_NAMES
        else:
            return None, ""
        roles = of_parts or named or {}
        if {role: len(rows) for role, rows in own.items()} != {role: len(rows) for role, (_, rows) in roles.items()}:
            return None, ""
        found = []
        for n, part in enumerate(parts):
            at = {row: own[role][k] for role, (m, rows) in roles.items() if m == n for k, row in enumerate(rows)}
            if set(at) != set(range(part.shape[0])):
                return None, ""
            found.append(rows_of([at[row] for row in range(part.shape[0])]))
        return found, why

    def _whole_roles(self, whole: Part) -> dict[str, tuple[int, ...]] | None:
        """The rows of each role in the whole, as the calls tell."""
        group = self.roles[0].get(whole.path)
        return dict(group.rows) if group and group.layers == (whole.path,) and not group.symmetric else None

    def _part_roles(self, parts: Sequence[Part]) -> dict[str, tuple[int, tuple[int, ...]]] | None:
        """For each role its part and the rows there, as the calls tell."""
        group = self.roles[1].get(parts[0].path)
        if group is None or group.symmetric or not self._play_together(parts):
            return None
        found = {}
        for role, rows in group.rows.items():
            n = next((n for n, part in enumerate(parts) if rows[0] in group.own_rows(part.path)), None)
            own = group.own_rows(parts[n].path) if n is not None else range(0)
            if n is None or any(row not in own for row in rows):
                return None
            found[role] = (n, tuple(row - own.start for row in rows))
        return found


# --------------------------------------------------------------------------------------------------------------------
# Wholes and parts
# --------------------------------------------------------------------------------------------------------------------


def _simple(graph: CallGraph, path: str, free: set[str]) -> Iterator[Part]:
    """A layer with one matrix (or kernel), if that is free."""
    named = graph.meanings[path].parameters
    weight = named.get("weight")
    if weight is None or len(weight.shape) < 2 or set(named) - {"weight", "bias"}:
        return
    key = key_of(weight.path, weight.own_name)
    bias = named.get("bias")
    own = key_of(bias.path, bias.own_name) if bias is not None else None
    if key in free and (own is None or own in free):
        yield Part(path, key, own, weight.shape)


def _wholes(graph: CallGraph, path: str, free: set[str]) -> Iterator[Part]:
    """What may be merged: a layer with one matrix, either way round, and MultiheadAttention's own."""
    for part in _simple(graph, path, free):
        yield part
        if len(part.shape) == 2 and part.shape[0] < part.shape[1]:
            yield Part(path, part.weight, part.bias, part.shape[::-1], turned=True)
    named = graph.meanings[path].parameters
    weight, bias = named.get("in_proj_weight"), named.get("in_proj_bias")
    if weight is not None:
        key = key_of(weight.path, weight.own_name)
        if key in free:
            yield Part(path, key, key_of(bias.path, bias.own_name) if bias is not None else None, weight.shape)


def _below(graph: CallGraph, scope: str) -> list[str]:
    return [path for path in graph.layers if scope in (ROOT, path) or path.startswith(f"{scope}.")]


def _parent(path: str) -> str:
    return path.rpartition(".")[0] or ROOT


def _matrix(read: Read, part: Part) -> Array:
    array = read(part.weight)
    return array.T if part.turned else array.reshape(part.shape)


# --------------------------------------------------------------------------------------------------------------------
# Whose rows
# --------------------------------------------------------------------------------------------------------------------

_ORDERS = (("query", "key", "value"), ("key", "value"), ("gate", "up"))
"""Merged layers that the field has names for."""

_WHOLES = {
    "qkv": _ORDERS[0],
    "wqkv": _ORDERS[0],
    "toqkv": _ORDERS[0],
    "cattn": _ORDERS[0],
    "inproj": _ORDERS[0],
    "queryvaluekey": ("query", "value", "key"),
    "kv": _ORDERS[1],
    "tokv": _ORDERS[1],
    "keyvalue": _ORDERS[1],
    "gateup": _ORDERS[2],
    "gateupproj": _ORDERS[2],
}
"""Names of the field's merged layers, without what parts their words, and the order of what they hold."""


def _order_of(whole: Part) -> tuple[str, ...] | None:
    """The roles of the rows of a merged layer, one block behind the other, as its name tells."""
    if whole.weight.endswith("in_proj_weight"):
        return _ORDERS[0]
    name = re.sub(r"[^a-z]", "", whole.path.rpartition(".")[2].lower())
    return _WHOLES.get(name) or _WHOLES.get(name.removesuffix("proj")) or _letters(name)


def _named(parts: Sequence[Part], roles: set[str]) -> dict[str, tuple[int, tuple[int, ...]]] | None:
    """For each role the part that bears its name, with all its rows."""
    named = named_roles([part.path for part in parts], roles)
    if named is None:
        return None
    return {named[part.path]: (n, tuple(range(part.shape[0]))) for n, part in enumerate(parts)}


def _blocks(order: Sequence[str], sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Rows of roles that lie one block behind the other."""
    found, start = {}, 0
    for role in order:
        found[role] = tuple(range(start, start + sizes[role]))
        start += sizes[role]
    return found


def _letters(name: str) -> tuple[str, ...] | None:
    """A name made of the letters q, k and v tells their order."""
    found = re.search(r"(?:^|[^a-z])?([qkv]{2,3})$", name)
    words = {"q": "query", "k": "key", "v": "value"}
    letters = found[1] if found else ""
    return tuple(words[letter] for letter in letters) if letters and len(set(letters)) == len(letters) else None


def _rows_by_value(whole: Array, parts: Sequence[Array]) -> list[Rows] | None:
    """Where the rows of each part stand in the whole; None where one is nowhere or at two places."""
    place: dict[bytes, int] = {}
    for n, row in enumerate(whole):
        if place.setdefault(np.ascontiguousarray(row).tobytes(), n) != n:
            return None
    found = []
    for part in parts:
        numbers = [place.get(np.ascontiguousarray(row.astype(whole.dtype)).tobytes()) for row in part]
        known = [n for n in numbers if n is not None]
        if len(known) < len(numbers):
            return None
        found.append(rows_of(known))
    return found


# --------------------------------------------------------------------------------------------------------------------
# Placements
# --------------------------------------------------------------------------------------------------------------------


def _split(whole: Part, parts: Sequence[Part], rows: Sequence[Rows], why: str) -> Iterator[Placement]:
    """The reference's whole into the candidate's parts."""
    turn: tuple[Step, ...] = (Turn(),) if whole.turned else ()
    for part, own in zip(parts, rows, strict=True):
        yield Placement(part.weight, (Piece(whole.weight, (*turn, own)),), why, 0.85)
        if part.bias and whole.bias:
            yield Placement(part.bias, (Piece(whole.bias, (own,)),), why, 0.85)


def _join(whole: Part, parts: Sequence[Part], rows: Sequence[Rows], why: str) -> Iterator[Placement]:
    """The reference's parts into the candidate's whole: each range of rows is a piece."""
    spans = sorted((span, n, at) for n, own in enumerate(rows) for span, at in _spans(own))
    turn: tuple[Step, ...] = (Turn(),) if whole.turned else ()
    for of in ("weight", "bias"):
        target = getattr(whole, of)
        if target is None:
            continue
        pieces = []
        for (start, stop), n, at in spans:
            all_rows = stop - start == parts[n].shape[0]
            steps: tuple[Step, ...] = () if all_rows else (Rows(((at, at + stop - start),)),)
            pieces.append(Piece(getattr(parts[n], of), steps))
        yield Placement(target, tuple(pieces), why, 0.85, then=turn if of == "weight" else ())


def _spans(rows: Rows) -> Iterator[tuple[tuple[int, int], int]]:
    """The ranges, each with the row of the part at which it begins."""
    at = 0
    for start, stop in rows.ranges:
        yield (start, stop), at
        at += stop - start
