"""Layers that one net has as one and the other as several (`qkv` against `q`, `k`, `v`): told by what they compute."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tracer.divergence.alignment import Alignment
from tracer.divergence.graph import CallId, Node
from tracer.profiling.sides import Side

REASON = "together they compute as much, from the same input"
CONFIDENCE = 0.8


@dataclass(frozen=True)
class Gathered:
    """Calls of layers that together do what calls of other layers do."""

    reference: tuple[CallId, ...]
    candidate: tuple[CallId, ...]


@dataclass(frozen=True)
class _Layer:
    """A layer without a partner: its calls, and what they compute."""

    ids: tuple[CallId, ...]
    node: Node
    macs: int


def gathered(
    ours: Side, theirs: Side, alignment: Alignment, alone: tuple[Collection[CallId], Collection[CallId]]
) -> list[Gathered]:
    """Of the layers without a partner those of which one stands for several that follow each other.

    They do the same op in the same block, take the same input, and have as many multiply-adds in all.

    Args:
        ours, theirs: both nets.
        alignment: what belongs to what.
        alone: calls of layers that have no partner, of each side.
    """
    homes = {pair.reference: n for n, pair in enumerate(alignment.pairs)}
    left = _by_home(ours, alone[0], homes)
    right = _by_home(theirs, alone[1], {pair.candidate: n for n, pair in enumerate(alignment.pairs)})
    found = []
    for place in left.keys() & right.keys():
        found += [Gathered(one.ids, _ids(run)) for one, run in _one_for_several(left[place], right[place])]
        found += [Gathered(_ids(run), one.ids) for one, run in _one_for_several(right[place], left[place])]
    return found


def _by_home(side: Side, alone: Collection[CallId], homes: dict[CallId, int]) -> dict[tuple[int, str], list[_Layer]]:
    """Layers with multiply-adds by the block that has a partner and their op, in the order of their first calls."""
    calls: dict[str, list[CallId]] = {}
    for id_ in side.graph.units:
        if id_ in alone:
            calls.setdefault(id_.path, []).append(id_)
    found: dict[tuple[int, str], list[_Layer]] = {}
    for ids in calls.values():
        node = side.graph.nodes[ids[0]]
        home = next((homes[one] for one in side.graph.ancestors(ids[0]) if one in homes), None)
        macs = sum(side.works[id_].forward or 0 for id_ in ids)
        if home is not None and macs and node.inputs:
            found.setdefault((home, node.meaning.op), []).append(_Layer(tuple(ids), node, macs))
    return found


def _one_for_several(ones: Sequence[_Layer], several: Sequence[_Layer]) -> Iterator[tuple[_Layer, tuple[_Layer, ...]]]:
    free = list(several)
    for one in ones:
        run = next((run for run in _runs(free) if _stands_for(one, run)), None)
        if run is not None:
            free = [layer for layer in free if layer not in run]
            yield one, run


def _runs(layers: Sequence[_Layer]) -> Iterator[tuple[_Layer, ...]]:
    """All that follow each other, two or more."""
    for begin in range(len(layers)):
        for end in range(begin + 2, len(layers) + 1):
            yield tuple(layers[begin:end])


def _stands_for(one: _Layer, run: tuple[_Layer, ...]) -> bool:
    inputs = {(layer.node.inputs[0].maker, layer.node.inputs[0].shape) for layer in run}
    return (
        len(inputs) == 1
        and one.node.inputs[0].shape == run[0].node.inputs[0].shape
        and {len(layer.ids) for layer in run} == {len(one.ids)}
        and sum(layer.macs for layer in run) == one.macs
    )


def _ids(run: tuple[_Layer, ...]) -> tuple[CallId, ...]:
    return tuple(id_ for layer in run for id_ in layer.ids)
