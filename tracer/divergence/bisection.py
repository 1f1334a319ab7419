"""Which pair diverged first: on any graph of what feeds what, with any judge."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

import networkx as nx

Point = TypeVar("Point", bound=Hashable)


def first_divergences(
    graph: nx.DiGraph, sinks: Iterable[Point], diverged: Callable[[Point], bool | None]
) -> list[Point]:
    """The points that diverged while all that fed them matched, for every sink that diverged.

    Each sink is judged. For one that diverged the longest road to it is halved, which finds a point near the origin
    with few judgements; then `climb` makes it an origin by construction, also where divergence comes and goes.

    Args:
        graph: an edge leads from what feeds to what is fed; without circles.
        sinks: the points to explain.
        diverged: judges a point; None when it cannot be judged. Called again for the same point: remember.
    """
    found: dict[Point, None] = {}
    for sink in sinks:
        if diverged(sink):
            start = halve(road_to(graph, sink), diverged)
            found |= dict.fromkeys(climb(graph, start if start is not None else sink, diverged))
    return list(found)


def halve(road: list[Point], diverged: Callable[[Point], bool | None]) -> Point | None:
    """A point of the road that diverged while the last judged one before it did not; None when none diverged.

    Points that cannot be judged are passed over. The end of the road is taken to have diverged.
    """
    low, high, answer = -1, len(road) - 1, road[-1] if road else None
    while high - low > 1:
        middle = (low + high) // 2
        at, verdict = middle, None
        while at > low and verdict is None:  # the nearest earlier point that can be judged
            verdict = diverged(road[at])
            at -= verdict is None
        if verdict is None:
            low = middle
        elif verdict:
            high, answer = at, road[at]
        else:
            low = middle
    return answer


def climb(graph: nx.DiGraph, start: Point, diverged: Callable[[Point], bool | None]) -> list[Point]:
    """From a point that diverged, up through all that also diverged, to those that nothing diverged feeds."""
    origins: dict[Point, None] = {}
    seen = {start}
    todo = [start]
    while todo:
        point = todo.pop()
        above = [p for p in feeding(graph, point, diverged) if diverged(p)]
        if not above:
            origins[point] = None
        todo.extend(p for p in above if p not in seen)
        seen.update(above)
    return list(origins)


def feeding(graph: nx.DiGraph, point: Point, diverged: Callable[[Point], bool | None]) -> Iterator[Point]:
    """The nearest points upstream that can be judged: those that cannot are walked through."""
    seen: set[Point] = set()
    todo = list(graph.predecessors(point))
    while todo:
        above = todo.pop()
        if above in seen:
            continue
        seen.add(above)
        if diverged(above) is None:
            todo.extend(graph.predecessors(above))
        else:
            yield above


def road_to(graph: nx.DiGraph, sink: Point) -> list[Point]:
    """The longest road that ends at the sink, from its far end."""
    above = nx.ancestors(graph, sink) | {sink}
    longest: dict[Point, int] = {}
    via: dict[Point, Point | None] = {}
    for point in nx.topological_sort(graph.subgraph(above)):
        best = max(graph.predecessors(point), key=lambda p: longest[p], default=None)
        longest[point] = 0 if best is None else longest[best] + 1
        via[point] = best
    road: list[Point] = []
    at: Point | None = sink
    while at is not None:
        road.append(at)
        at = via[at]
    return road[::-1]
