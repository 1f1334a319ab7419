"""Two aligned graphs -> one graph of points: what can be judged, and what fed it.

A point is one side of a pair: what came "in", or what went "out". Calls without a partner are walked through; code
between layers is fed by what its enclosing call was given and by the calls in it that came before. The edges are the
union of what both nets say, so that "all that fed it" misses nothing either of them knows. The backward graph is the
same one reversed, with the gradients of parameters added.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import networkx as nx

from tracer.divergence.alignment import Alignment
from tracer.divergence.graph import CallGraph, CallId, Feed

Side = Literal["in", "out", "grad_out", "grad_in", "grad_param"]


@dataclass(frozen=True)
class Point:
    """One side of a pair of calls; the pair is named by both calls."""

    reference: CallId
    candidate: CallId
    side: Side

    def at(self, side: Side) -> Point:
        """Another side of the same pair."""
        return Point(self.reference, self.candidate, side)


@dataclass(frozen=True)
class Flow:
    """`graph` leads from what feeds to what is fed. `code` are the points that code between layers made, on either
    side; `given` the inputs of the net; `sinks` its outputs."""

    graph: nx.DiGraph
    code: frozenset[Point]
    given: tuple[Point, ...]
    sinks: tuple[Point, ...]


def forward_flow(reference: CallGraph, candidate: CallGraph, alignment: Alignment) -> Flow:
    """The graph of all inputs and outputs of aligned calls."""
    graph = nx.DiGraph()
    code: set[Point] = set()
    pairs = [p for p in alignment.pairs if p.reference in reference.nodes and p.candidate in candidate.nodes]
    sides = (
        _OneSide(reference, {p.reference: (p.reference, p.candidate) for p in pairs}),
        _OneSide(candidate, {p.candidate: (p.reference, p.candidate) for p in pairs}),
    )
    for pair in pairs:
        came, went = (Point(pair.reference, pair.candidate, side) for side in ("in", "out"))
        graph.add_edge(came, went)
        for side, id_ in zip(sides, (pair.reference, pair.candidate), strict=True):
            feeds, made = side.graph.feeds(id_), side.graph.output_feeds(id_)
            above, through = side.feeding(feeds, id_)
            graph.add_edges_from((point, came) for point in above if point != came)
            if through or any(f.kind == "code" and f.by is not None for f in feeds):
                code.add(came)
            above, through = side.feeding(made, None)
            graph.add_edges_from((point, went) for point in above if point != went)
            if through or any(f.kind == "code" for f in made) or (not made and not side.graph.nodes[id_].unit):
                code.add(went)
    _cut_circles(graph, reference)
    roots = [p for p in pairs if p.reference in reference.roots and p.candidate in candidate.roots]
    return Flow(
        graph=graph,
        code=frozenset(code),
        given=tuple(Point(p.reference, p.candidate, "in") for p in roots),
        sinks=tuple(Point(p.reference, p.candidate, "out") for p in roots),
    )


_REVERSED: Mapping[str, Side] = {"in": "grad_in", "out": "grad_out"}


def backward_flow(forward: Flow, reference: CallGraph) -> Flow:
    """The same road walked back by gradients. Parameters' gradients hang on the gradient of their layer's output; of
    a container, whose code may use them anywhere, on what comes back from the calls in it too."""
    graph = nx.DiGraph()
    for a, b in forward.graph.edges:
        graph.add_edge(b.at(_REVERSED[b.side]), a.at(_REVERSED[a.side]))
    holders = _gradient_holders(forward, reference)
    for point in list(forward.graph):
        if point.side == "out" and point.reference.path in holders:
            for holder in holders[point.reference.path]:
                graph.add_edge(point.at("grad_out"), holder.at("grad_param"))
    for point in list(forward.graph):
        parent = reference.nodes[point.reference].parent
        if point.side == "in" and parent is not None and parent.path in holders:
            for holder in holders[parent.path]:
                graph.add_edge(point.at("grad_in"), holder.at("grad_param"))
    ends = tuple(p for p in graph if graph.out_degree(p) == 0)
    through_code = {a for a, b in forward.graph.edges if b in forward.code}
    return Flow(
        graph=graph,
        code=frozenset(p.at(_REVERSED[p.side]) for p in through_code),
        given=tuple(p.at("grad_out") for p in forward.sinks),
        sinks=ends,
    )


def _gradient_holders(forward: Flow, reference: CallGraph) -> dict[str, list[Point]]:
    """For each layer the points at which gradients of its parameters are judged: one for all its calls, and those of
    layers that share a parameter with it, whose gradient is one sum."""
    first: dict[str, Point] = {}
    for point in forward.graph:
        if point.side == "out":
            known = first.get(point.reference.path)
            if known is None or point.reference.call < known.reference.call:
                first[point.reference.path] = point
    sharing: dict[tuple[str, str], list[Point]] = {}
    for path, point in first.items():
        for parameter in reference.nodes[point.reference].layer.parameters:
            sharing.setdefault(parameter.owner or (path, parameter.name), []).append(point)
    found: dict[str, list[Point]] = {path: [point] for path, point in first.items()}
    for points in sharing.values():
        for point in points if len(points) > 1 else ():
            found[point.reference.path] = list(dict.fromkeys([*found[point.reference.path], *points]))
    return found


class _OneSide:
    """What one of the two nets knows of who fed whom, in points of the aligned graph."""

    def __init__(self, graph: CallGraph, pairs: Mapping[CallId, tuple[CallId, CallId]]) -> None:
        self.graph, self.pairs = graph, pairs
        self.taken = self._taken()

    def _taken(self) -> set[CallId]:
        return {
            f.by
            for id_, node in self.graph.nodes.items()
            if not node.hidden
            for f in self.graph.feeds(id_)
            if f.kind == "call" and f.by is not None
        }

    def feeding(self, feeds: Iterable[Feed], consumer: CallId | None) -> tuple[list[Point], bool]:
        """The points that fed these leaves, and whether a call without a partner lies on the way; `consumer` is the
        call they went into, None for a container's output."""
        points: dict[Point, None] = {}
        through = False
        todo = [step for feed in feeds for step in self._steps(feed, consumer)]
        seen = set(todo)
        while todo:
            side, id_ = todo.pop()
            pair = self.pairs.get(id_)
            if pair is not None:
                points[Point(*pair, "out" if side == "out" else "in")] = None
                continue
            through |= side == "out"
            steps = [step for step in self._through(side, id_) if step not in seen]
            seen.update(steps)
            todo.extend(steps)
        return list(points), through

    def _steps(self, feed: Feed, consumer: CallId | None) -> Iterator[tuple[str, CallId]]:
        if feed.by is None:
            return
        if feed.kind == "call":
            yield ("out", feed.by)
        elif feed.kind == "input":
            yield ("in", feed.by)
        else:
            yield ("in", feed.by)
            if feed.altered is not None:
                yield ("out", feed.altered)
            earlier = self.graph.nodes[feed.by].children if consumer is None else self.graph.before(consumer)
            for n, child in enumerate(reversed(earlier)):
                if n == 0 or child not in self.taken:
                    yield ("out", child)

    def _through(self, side: str, id_: CallId) -> Iterator[tuple[str, CallId]]:
        """One step further up from a call that has no partner."""
        node = self.graph.nodes[id_]
        if side == "in" or node.unit:
            for feed in self.graph.feeds(id_):
                yield from self._steps(feed, id_)
        else:
            for feed in self.graph.output_feeds(id_):
                yield from self._steps(feed, None)


def _cut_circles(graph: nx.DiGraph, reference: CallGraph) -> None:
    """A wrong pair may close a circle; its edge that runs against the reference's order is cut."""
    if nx.is_directed_acyclic_graph(graph):
        return
    order = {id_: node.call.order for id_, node in reference.nodes.items()}
    for a, b in list(graph.edges):
        inside = order[b.reference] > order[a.reference]
        contains = a.side == "out" and b.side == "out" and order[b.reference] < order[a.reference]
        if not (inside or contains or a.reference == b.reference):
            graph.remove_edge(a, b)
    while True:
        try:
            circle = nx.find_cycle(graph)
        except nx.NetworkXNoCycle:
            return
        graph.remove_edge(*circle[-1][:2])
