"""Code between calls -> the lines it stands on: from the calls whose results it took to the call it made something for.

A trace knows the line of every call, not of what runs in between. The stretch is as narrow as the calls tell, and never
so narrow that the code may lie outside it.
"""

from __future__ import annotations

from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph, CallId
from tracer.trace.schema import Source


def stretch(graph: CallGraph, scope: CallId, point: Point, taker: CallId) -> str | None:
    """Where to look for wrong code of the call `scope` that shows at `point`, whose call in this net is `taker`: words
    like "vit.py:18-24"; None where the lines of the calls do not tell."""
    if point.side == "out" and taker == scope:
        return _after(graph, graph.nodes[scope].children)
    if taker not in graph.nodes or graph.nodes[taker].parent != scope:
        return None
    line = graph.nodes[taker].call.source
    if line is None:
        return None
    if point.side == "grad_out":
        return f"{line} and after"
    return _between(graph, graph.before(taker), taker, line) if point.side == "in" else None


def lines_before(graph: CallGraph, taker: CallId) -> str | None:
    """Where the code stands that made something for a call."""
    line = graph.nodes[taker].call.source
    return None if line is None else _between(graph, graph.before(taker), taker, line)


def lines_after(graph: CallGraph, scope: CallId) -> str | None:
    """Where the code stands that made last what a call gives."""
    return _after(graph, graph.nodes[scope].children)


def _between(graph: CallGraph, earlier: tuple[CallId, ...], taker: CallId, line: Source) -> str:
    if not earlier:
        return f"the lines up to {line}"
    numbers = _lines(graph, pending(graph, earlier), line.file)
    if not numbers:
        return f"the code around {line}"
    last = graph.nodes[earlier[-1]]
    again = last.layer.kind == graph.nodes[taker].layer.kind and numbers[-1] == line.line
    first, end = min(*numbers, line.line), max(*numbers, line.line)
    around = "the code around " if again or end > line.line else ""  # a loop came back to this line
    return f"{around}{_range(line.file, first, end)}"


def _after(graph: CallGraph, children: tuple[CallId, ...]) -> str | None:
    last = graph.nodes[children[-1]].call.source if children else None
    if last is None:
        return None
    numbers = _lines(graph, pending(graph, children), last.file)
    end = max(numbers)
    over = (last.text or "").startswith("return ") and end == last.line
    return _range(last.file, min(numbers), end) + ("" if over else " and after")


def pending(graph: CallGraph, calls: tuple[CallId, ...]) -> list[CallId]:
    """Of calls that follow each other those whose results code may still take: no later call was given them as they
    are, nor are they the only ones of which code can have made what a later call was given. The last one is always
    among them."""
    waiting: list[CallId] = []
    for id_ in calls:
        feeds = graph.feeds(id_)
        if len(waiting) == 1 and any(feed.kind == "code" for feed in feeds):
            waiting = []
        taken = {_child(graph, feed.by, graph.nodes[id_].parent) for feed in feeds if feed.kind == "call"}
        waiting = [*(other for other in waiting if other not in taken), id_]
    return waiting


def _child(graph: CallGraph, id_: CallId | None, scope: CallId | None) -> CallId | None:
    """The call directly inside `scope` that is this one or holds it."""
    while id_ is not None and graph.nodes[id_].parent != scope:
        id_ = graph.nodes[id_].parent
    return id_


def _lines(graph: CallGraph, calls: list[CallId], file: str) -> list[int]:
    """The lines of calls in one file, in the order of the calls."""
    sources = [graph.nodes[id_].call.source for id_ in calls]
    return [source.line for source in sources if source is not None and source.file == file]


def _range(file: str, first: int, last: int) -> str:
    return f"{file}:{first}" if first == last else f"{file}:{first}-{last}"
