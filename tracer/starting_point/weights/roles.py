"""What the calls of one net tell of layers side by side: which projection (or which rows of a merged one) is query,
key or value, which gate or up, and which twins may be exchanged. Told from that net's own recording alone."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node, own_parameters
from tracer.errors import TracerError
from tracer.starting_point.weights.recomputing import Roles, attention_roles, gate_roles, joined_at
from tracer.starting_point.weights.steps import Rows
from tracer.trace.schema import Parameter, Value

Array = np.ndarray[Any, Any]
ReadValue = Callable[[Any], Array]
"""Gives the array of a recorded `Value` or `Parameter`, as `Trace.array` does."""

_MOST_LAYERS = 12
"""A container with more projections than these is looked at through what lies in it."""
_MOST_BEHIND = 4
"""How many values that code made behind projections are looked at."""
_MOST_ELEMENTS = 1 << 24


@dataclass(frozen=True)
class RoleGroup:
    """Layers that play roles together. `rows` are for each role the rows, counted over all layers one behind the other,
    in the order in which the role uses them."""

    layers: tuple[str, ...]
    sizes: tuple[int, ...]
    rows: Mapping[str, tuple[int, ...]]
    why: str
    symmetric: bool = False

    def roles_in(self, path: str) -> frozenset[str]:
        """The roles that rows of a layer play."""
        own = self.own_rows(path)
        return frozenset(role for role, rows in self.rows.items() if any(row in own for row in rows))

    def own_rows(self, path: str) -> range:
        """The rows of a layer, as they are counted over all."""
        start = sum(self.sizes[: self.layers.index(path)])
        return range(start, start + self.sizes[self.layers.index(path)])


def other_rows(ours: RoleGroup, theirs: RoleGroup) -> dict[int, int] | None:
    """For each row of the one the row of the other that plays the same role; None where they have other roles."""
    if {role: len(rows) for role, rows in ours.rows.items()} != {role: len(rows) for role, rows in theirs.rows.items()}:
        return None
    return {row: ours.rows[role][n] for role, rows in theirs.rows.items() for n, row in enumerate(rows)}


def rows_of(numbers: Sequence[int]) -> Rows:
    """Row numbers as ranges."""
    ranges: list[tuple[int, int]] = []
    for n in numbers:
        if ranges and ranges[-1][1] == n:
            ranges[-1] = (ranges[-1][0], n + 1)
        else:
            ranges.append((n, n + 1))
    return Rows(tuple(ranges))


def layer_roles(graph: CallGraph, read: ReadValue) -> tuple[RoleGroup, ...]:
    """All groups of one net whose roles its recording tells.

    Args:
        graph: the calls of the net.
        read: gives arrays of recorded values; values that are not kept are passed over.
    """
    if not graph.ran:
        return ()
    search = _Search(graph, read)
    found = list(search.found())
    for more in (_by_output(graph), _by_given(graph, search.array)):
        layers = {path: role for path, role in more.items() if all(path not in group.layers for group in found)}
        if len(layers) > 1:
            rows = {role: (n,) for n, role in enumerate(layers.values())}
            found.append(RoleGroup(tuple(layers), (1,) * len(layers), rows, "what the net gives or is given"))
    return tuple(found)


def _by_output(graph: CallGraph) -> dict[str, str]:
    """Layers whose output is one of the net's own, by which."""
    found: dict[str, str] = {}
    for root in graph.roots[:1]:
        for feed in graph.output_feeds(root):
            by, leaf = (feed.by, feed.by_leaf) if feed.kind == "call" else (None, "")
            while by is not None and not graph.nodes[by].unit:
                inner = next((f for f in graph.output_feeds(by) if f.value.leaf == leaf and f.kind == "call"), None)
                by, leaf = (inner.by, inner.by_leaf) if inner else (None, "")
            if by is not None and graph.nodes[by].meaning.parameters:
                found.setdefault(by.path, f"output {feed.value.leaf}")
    return found


def _by_given(graph: CallGraph, array: Callable[[Value], Array | None]) -> dict[str, str]:
    """Layers that were given whole numbers (words, positions), by the numbers, where no two were given the same."""
    found: dict[str, str] = {}
    for unit in graph.units:
        values = [v for v in graph.nodes[unit].inputs if v.dtype.startswith(("int", "uint"))]
        if len(values) == 1 and graph.nodes[unit].meaning.parameters and unit.path not in found:
            numbers = array(values[0])
            if numbers is not None:
                content = np.ascontiguousarray(numbers.astype(np.int64)).reshape(-1)
                found[unit.path] = f"given {hashlib.blake2b(content.tobytes(), digest_size=8).hexdigest()}"
    often = Counter(found.values())
    return {path: role for path, role in found.items() if often[role] == 1}


def turned_layers(graph: CallGraph, read: Callable[[Any], Array]) -> dict[str, bool]:
    """For layers that no rule knows and that hold one square matrix: is it stored transposed (inputs first)? Told by
    computing again what they gave.

    Args:
        graph: the calls of a net.
        read: gives arrays of recorded values and parameters.
    """
    found: dict[str, bool] = {}
    search = _Search(graph, read)
    for unit in graph.units if graph.ran else ():
        node = graph.nodes[unit]
        own = own_parameters(node.layer, node.meaning.parameters, graph.layers)
        weight, bias = own.get("weight"), own.get("bias")
        if node.meaning.op or unit.path in found or weight is None or len(weight.shape) != 2:
            continue
        if weight.shape[0] != weight.shape[1] or not node.inputs or not node.outputs:
            continue
        x, y, w = (search.array(v) for v in (node.inputs[0], node.outputs[0], weight))
        if x is None or y is None or w is None or x.shape[-1] != len(w) or y.shape != x.shape:
            continue
        b = search.array(bias) if bias is not None else np.zeros(())
        if b is None:
            continue
        rows, made = (a.reshape(-1, len(w))[:64].astype(np.float64) for a in (x, y))
        matrix = w.astype(np.float64)
        errors = [float(np.linalg.norm(rows @ m + b - made)) for m in (matrix.T, matrix)]
        size = max(float(np.linalg.norm(made)), 1e-300)
        if min(errors) < 1e-4 * size and max(errors) > 1e-2 * size:
            found[unit.path] = errors[1] < errors[0]
    return found


class _Search:
    def __init__(self, graph: CallGraph, read: ReadValue) -> None:
        self.graph, self.read = graph, read
        self.arrays: dict[str, Array | None] = {}
        self.told: set[str] = set()
        self.tried: set[tuple[tuple[str, ...], str | None]] = set()
        self.inside: dict[CallId, list[CallId]] = {}
        for unit in graph.units:
            if _projects(graph.nodes[unit]) and unit not in graph.takers:
                for around in graph.ancestors(unit):
                    self.inside.setdefault(around, []).append(unit)

    def found(self) -> Iterator[RoleGroup]:
        for scope in reversed(self.graph.containers):  # what lies inside begins later
            units = [unit for unit in self.inside.get(scope, ()) if unit.path not in self.told]
            if units and len(units) <= _MOST_LAYERS:
                yield from self._in(scope, units)
            yield from self._joined(scope)

    def _in(self, scope: CallId, units: Sequence[CallId]) -> Iterator[RoleGroup]:
        behinds = list(self._behind(scope))
        if not behinds:
            return
        scores = [array for value in self._scores(scope) if (array := self.array(value)) is not None]
        for size in (3, 1, 2):
            for chosen in combinations(units, size):
                paths = {unit.path for unit in chosen}
                if paths & self.told or len(paths) < size or not self._side_by_side(chosen):
                    continue
                group = self._told(chosen, behinds, scores)
                if group is not None:
                    self.told |= paths
                    yield group

    def _joined(self, scope: CallId) -> Iterator[RoleGroup]:
        """Layers directly inside whose outputs lie one behind the other in what a later call was given."""
        by_shape: dict[tuple[int, ...], list[CallId]] = {}
        for unit in self.graph.nodes[scope].children:
            node = self.graph.nodes[unit]
            plain = node.unit and node.meaning.parameters and len(node.outputs) == 1 and unit not in self.graph.takers
            if plain and unit.path not in self.told and node.outputs[0].dtype.startswith("float"):
                by_shape.setdefault(node.outputs[0].shape, []).append(unit)
        for units in by_shape.values():
            if not 2 <= len(units) <= _MOST_LAYERS:
                continue
            read = {unit: self.array(self.graph.nodes[unit].outputs[0]) for unit in units}
            arrays = {unit: array for unit, array in read.items() if array is not None}
            for order, value in list(self._behind(scope))[: 4 * _MOST_BEHIND]:
                before = [unit for unit in arrays if self.graph.nodes[unit].call.order < order]
                whole = self.array(value) if len(before) > 1 else None
                places = joined_at([arrays[unit] for unit in before], whole) if whole is not None else []
                chosen = {unit.path: place for unit, place in zip(before, places, strict=False) if place is not None}
                if len(chosen) > 1 and not set(chosen) & self.told:
                    self.told |= set(chosen)
                    rows = {f"place {place}": (n,) for n, place in enumerate(chosen.values())}
                    yield RoleGroup(tuple(chosen), (1,) * len(chosen), rows, "where their outputs lie, joined")

    def _told(self, chosen: Sequence[CallId], behinds: Sequence[tuple[int, Value]], scores: Sequence[Array]) -> Any:
        last = max(self.graph.nodes[unit].call.order for unit in chosen)
        outputs = [self.graph.nodes[unit].outputs[0] for unit in chosen]
        sizes = tuple(_rows(self.graph.nodes[unit]) for unit in chosen)
        near = [value for order, value in behinds if order > last][:_MOST_BEHIND]
        for value in near:
            key = (tuple(unit.path for unit in chosen), value.stored)
            if key in self.tried or not self._may_be(outputs, sizes, value):
                continue
            self.tried.add(key)
            arrays = [self.array(v) for v in outputs]
            behind = self.array(value)
            if behind is None or any(array is None for array in arrays):
                continue
            known = [array for array in arrays if array is not None]
            roles = gate_roles(known, behind) if self._one_feed(chosen) else None
            roles = roles or attention_roles(known, behind, scores)
            if roles is not None:
                return _group(chosen, sizes, roles)
        return None

    def _side_by_side(self, chosen: Sequence[CallId]) -> bool:
        """Do none of them feed another, and are key and value (two of three) fed by the same?"""
        if any(self.graph.sources[unit] & set(chosen) for unit in chosen):
            return False
        return len(chosen) < 3 or len({self.graph.fed_key(unit) for unit in chosen}) < len(chosen)

    def _one_feed(self, chosen: Sequence[CallId]) -> bool:
        return len({self.graph.fed_key(unit) for unit in chosen}) == 1

    def _may_be(self, outputs: Sequence[Value], sizes: Sequence[int], value: Value) -> bool:
        """Could the value be attention or a gate of them, by sizes?"""
        total = sum(sizes)
        positions = [_count(v) // max(size, 1) for v, size in zip(outputs, sizes, strict=True)]
        widths = {value.shape[-1], value.shape[1] if len(value.shape) == 4 else value.shape[-1]}
        return any(
            width < total and _count(value) // max(width, 1) in positions and width >= total // 6 for width in widths
        )

    def _behind(self, scope: CallId) -> Iterator[tuple[int, Value]]:
        """Values that code inside the call made, with the order of the call that took them."""
        seen = set()
        last = 0
        for id_, node in self.graph.nodes.items():
            if node.hidden or scope not in self.graph.ancestors(id_):
                continue
            last = max(last, node.call.order)
            for feed in self.graph.feeds(id_):
                if feed.kind == "code" and feed.value.stored and len(feed.value.shape) > 1:
                    key = feed.value.digest or feed.value.stored
                    if key not in seen:
                        seen.add(key)
                        yield node.call.order, feed.value
        for feed in self.graph.output_feeds(scope):
            if feed.kind == "code" and feed.value.stored and len(feed.value.shape) > 1:
                yield last + 1, feed.value

    def _scores(self, scope: CallId) -> list[Value]:
        """Values that may be attention: (batch, heads, queries, keys)."""
        found = [
            v
            for unit in self.graph.units
            if scope in self.graph.ancestors(unit) and not self.graph.nodes[unit].meaning.parameters
            for v in (*self.graph.nodes[unit].outputs, *self.graph.nodes[unit].inputs)
            if len(v.shape) == 4 and v.stored
        ]
        return found[:4]

    def array(self, value: Value | Parameter) -> Array | None:
        """The array of a value, if it is kept, not large, and finite."""
        if value.stored is None or _count(value) > _MOST_ELEMENTS:
            return None
        if value.stored not in self.arrays:
            if len(self.arrays) > 16:
                self.arrays.clear()
            try:
                array = self.read(value)
                self.arrays[value.stored] = array if np.isfinite(array.sum(dtype=np.float64)) else None
            except (TracerError, TypeError):
                self.arrays[value.stored] = None
        return self.arrays[value.stored]


def _projects(node: Node) -> bool:
    """A layer with one matrix or kernel of size 1, and one output."""
    weight = node.meaning.parameters.get("weight")
    return (
        weight is not None
        and len(weight.shape) >= 2
        and not set(node.meaning.parameters) - {"weight", "bias"}
        and all(size == 1 for size in weight.shape[2:])
        and len(node.outputs) == 1
        and len(node.outputs[0].shape) >= 2
        and node.outputs[0].dtype.startswith(("float", "bfloat"))
        and all(value.dtype.startswith(("float", "bfloat")) for value in node.inputs)
        and _rows(node) > 1
    )


def _rows(node: Node) -> int:
    """How many features it gives."""
    shape = node.outputs[0].shape
    weight = node.meaning.parameters["weight"]
    return shape[1] if len(weight.shape) > 2 else shape[-1]


def _count(value: Value | Parameter) -> int:
    return int(np.prod(value.shape, dtype=np.int64))


def _group(chosen: Sequence[CallId], sizes: tuple[int, ...], roles: Roles) -> RoleGroup:
    return RoleGroup(tuple(unit.path for unit in chosen), sizes, roles.columns, roles.how, roles.symmetric)
