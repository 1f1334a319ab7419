"""Which parameter of the candidate was given which of the reference's numbers, where its recording tells so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tracer.divergence.alignment import Alignment, align
from tracer.divergence.alignment.pins import read_pins
from tracer.divergence.graph import CallGraph, CallId
from tracer.trace.schema import Parameter, Placed, Skeleton

Array = np.ndarray[Any, Any]
Place = tuple[str, str]
"""A parameter's layer and name."""


def placed_from(reference: Skeleton, candidate: Skeleton) -> dict[Place, Placed]:
    """What of the candidate was made of this very reference, by its place: path, name and digest are those of there."""
    held = {(path, p.name, p.digest) for path, layer in reference.layers.items() for p in layer.parameters if p.digest}
    return {(one.path, one.name): one for one in candidate.end.placed if one.of and held.issuperset(one.of)}


def place_of(graph: CallGraph, path: str, name: str, parameter: Parameter) -> Place:
    """Where a parameter of a layer, told by torch's name, lives first."""
    common = graph.meanings[path].parameters[name]
    return parameter.owner or (common.path, common.own_name)


def align_placed(
    reference: CallGraph,
    candidate: CallGraph,
    pins: Sequence[tuple[str, str]],
    placed: Mapping[Place, Placed],
) -> Alignment:
    """Align two graphs; where that pairs a layer with another than the one it has its weights from, whose numbers went
    through it were others: then the weights decide, unless the user's pins say otherwise.

    Raises:
        RuleError: a pin names what is in neither trace, or one side twice.
    """
    found = align(reference, candidate, pins)
    own = read_pins(reference, candidate, pins)
    fixed = {id_.path for id_ in own}, {id_.path for id_ in own.values()}
    more = [
        (ours, theirs)
        for ours, theirs in _layers(placed)
        if ours not in fixed[0] and theirs not in fixed[1] and _contradicted(reference, candidate, found, ours, theirs)
    ]
    if not more:
        return found
    again = align(reference, candidate, [*pins, *more])
    decided = {ours for ours, _ in more}
    said = [
        replace(p, reason="has its weights") if p.reason == "pinned" and p.reference.path in decided else p
        for p in again.pairs
    ]
    return replace(again, pairs=tuple(said))


def _layers(placed: Mapping[Place, Placed]) -> list[tuple[str, str]]:
    """Layers of which one has all that was placed of the other, and nothing else."""
    theirs_of: dict[str, set[str]] = defaultdict(set)
    ours_of: dict[str, set[str]] = defaultdict(set)
    for one in placed.values():
        for path, _, _ in one.of:
            theirs_of[path].add(one.path)
            ours_of[one.path].add("" if one.otherwise else path)
    return [
        (ours, next(iter(theirs)))
        for ours, theirs in theirs_of.items()
        if len(theirs) == 1 and ours_of[next(iter(theirs))] == {ours}
    ]


def _contradicted(reference: CallGraph, candidate: CallGraph, found: Alignment, ours: str, theirs: str) -> bool:
    """Did both run as often, and is a call of the one paired with another layer than the other?"""
    calls = [
        [id_ for id_ in graph.units if id_.path == path] for graph, path in ((reference, ours), (candidate, theirs))
    ]
    if not calls[0] or len(calls[0]) != len(calls[1]):
        return False
    return any(found.candidate_of.get(id_, CallId(theirs)).path != theirs for id_ in calls[0])


def other_ways(
    graph: CallGraph, alignment: Alignment, gradients: Mapping[Place, Any], placed: Mapping[Place, Placed]
) -> dict[str, Placed]:
    """Stored arrays of the reference that lie otherwise in the candidate, as its weights were placed: their gradients,
    and where rows changed places also what the layer gave and the gradient of that."""
    found: dict[str, Placed] = {}
    for one in placed.values():
        if not (one.rows or one.turned):
            continue
        ours, name, _ = one.of[0]
        values = [gradients[ours, name]] if (ours, name) in gradients else []
        for pair in alignment.pairs if one.rows else ():
            if (pair.reference.path, pair.candidate.path) == (ours, one.path) and pair.reference in graph.nodes:
                node = graph.nodes[pair.reference]
                values += [*node.outputs, *node.call.grad_outputs]
        found |= {value.stored: one for value in values if value.stored}
    return found


def ways(array: Array, placed: Placed) -> list[Array]:
    """The reference's array as it may lie in the candidate."""
    if placed.turned:
        return [array.T] if array.ndim == 2 else []
    rows = np.concatenate([np.arange(*span) for span in placed.rows])
    return [np.take(array, rows, axis=axis) for axis, size in enumerate(array.shape) if size == len(rows)]
