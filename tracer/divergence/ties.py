"""Parameters that one net shares between layers and the other has twice: then their gradients are other sums."""

from __future__ import annotations

from tracer.divergence.case import SIDES, Case
from tracer.divergence.causes import Cause
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph
from tracer.trace.schema import ROOT

Place = tuple[str, str]
"""A parameter of a layer: the layer's path, and torch's name of the parameter."""


def tie_causes(case: Case, point: Point) -> tuple[Cause, ...]:
    """What is tied otherwise of the parameters of the two layers of a point."""
    ours, theirs = case.graphs
    layers = {pair.reference.path: pair.candidate.path for pair in case.alignment.pairs}
    found = []
    for name in _names(ours, point.reference.path):
        mine = _sharing(ours, (point.reference.path, name))
        other = _sharing(theirs, (point.candidate.path, name))
        answered = {(layers[path], n) for path, n in mine if path in layers}
        if not other or len(answered) < len(mine) or answered == set(other):
            continue
        # only layers that have such a parameter on both sides can be tied there
        tied = answered - set(other)
        if tied and all(n in _names(theirs, path) for path, n in tied):
            found.append(_cause(case, name, 0, mine, (point.candidate.path, name), sorted(tied)))
        elif len(other) > len(mine):
            found.append(_cause(case, name, 1, other, (point.candidate.path, name), []))
    return tuple(found)


def _cause(case: Case, name: str, side: int, places: list[Place], here: Place, apart: list[Place]) -> Cause:
    theirs = case.graphs[1]
    spelled = [_written(case.graphs[side], place) for place in places]
    said = f"the {SIDES[side]} ties {' and '.join(spelled)}, the {SIDES[1 - side]} has a parameter for each"
    if apart:
        edit = "; ".join(f"tie them: {_written(theirs, place)} = {_written(theirs, here)}" for place in apart)
    else:
        edit = f"give each of {', '.join(spelled)} a parameter of its own"
    return Cause("parameter", name, side == 0, side == 1, edit=edit, sentence=said)


def _names(graph: CallGraph, path: str) -> tuple[str, ...]:
    means = graph.meanings.get(path)
    return () if means is None else tuple(means.parameters)


def _sharing(graph: CallGraph, place: Place) -> list[Place]:
    """All places in the net where the parameter of a place lives, in the order of the layers."""
    owner = _owner(graph, place)
    return [
        (path, name) for path in graph.layers for name in _names(graph, path) if _owner(graph, (path, name)) == owner
    ]


def _owner(graph: CallGraph, place: Place) -> Place | None:
    """Where the parameter lives first, under its own name."""
    means = graph.meanings.get(place[0])
    common = None if means is None else means.parameters.get(place[1])
    if common is None:
        return None
    layer = graph.layers.get(common.path)
    found = () if layer is None else (p for p in layer.parameters if p.name == common.own_name)
    owner = next((p.owner for p in found if p.owner is not None), None)
    return owner or (common.path, common.own_name)


def _written(graph: CallGraph, place: Place) -> str:
    """A parameter as one would write it below the net."""
    common = graph.meanings[place[0]].parameters[place[1]]
    return common.own_name if common.path == ROOT else f"{common.path}.{common.own_name}"
