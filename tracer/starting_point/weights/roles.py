"""What the calls of one net tell of layers side by side: which projection (or which rows of a merged one) is query,
key or value, which gate or up, and which twins may be exchanged. Told from that net's own recording alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.errors import TracerError
from tracer.starting_point.weights.recomputing import Roles, attention_roles, gate_roles
from tracer.starting_point.weights.steps import Rows
from tracer.trace.schema import Value

Array = np.ndarray[Any, Any]
ReadValue = Callable[[Value], Array]
"""Gives the array of a recorded value, as `Trace.array` does."""

_MOST_LAYERS = 12
"""A container with more projections than these is looked at through what lies in it."""
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
    return tuple(_Search(graph, read).found()) if graph.ran else ()


class _Search:
    def __init__(self, graph: CallGraph, read: ReadValue) -> None:
        self.graph, self.read = graph, read
        self.arrays: dict[str, Array | None] = {}
        self.told: set[str] = set()
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

    def _in(self, scope: CallId, units: Sequence[CallId]) -> Iterator[RoleGroup]:
        behinds = list(self._behind(scope))
        if not behinds:
            return
        scores = [array for value in self._scores(scope) if (array := self._array(value)) is not None]
        for size in (3, 1, 2):
            for chosen in combinations(units, size):
                paths = {unit.path for unit in chosen}
                if paths & self.told or len(paths) < size:
                    continue
                group = self._told(chosen, behinds, scores)
                if group is not None:
                    self.told |= paths
                    yield group

    def _told(self, chosen: Sequence[CallId], behinds: Sequence[tuple[int, Value]], scores: Sequence[Array]) -> Any:
        last = max(self.graph.nodes[unit].call.order for unit in chosen)
        outputs = [self.graph.nodes[unit].outputs[0] for unit in chosen]
        sizes = tuple(_rows(self.graph.nodes[unit]) for unit in chosen)
        for order, value in behinds:
            if order <= last or not self._may_be(outputs, sizes, value):
                continue
            arrays = [self._array(v) for v in outputs]
            behind = self._array(value)
            if behind is None or any(array is None for array in arrays):
                continue
            known = [array for array in arrays if array is not None]
            roles = gate_roles(known, behind) if self._one_feed(chosen) else None
            roles = roles or attention_roles(known, behind, scores)
            if roles is not None:
                return _group(chosen, sizes, roles)
        return None

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

    def _array(self, value: Value) -> Array | None:
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
        and _rows(node) > 1
    )


def _rows(node: Node) -> int:
    """How many features it gives."""
    shape = node.outputs[0].shape
    weight = node.meaning.parameters["weight"]
    return shape[1] if len(weight.shape) > 2 else shape[-1]


def _count(value: Value) -> int:
    return int(np.prod(value.shape, dtype=np.int64))


def _group(chosen: Sequence[CallId], sizes: tuple[int, ...], roles: Roles) -> RoleGroup:
    return RoleGroup(tuple(unit.path for unit in chosen), sizes, roles.columns, roles.how, roles.symmetric)
