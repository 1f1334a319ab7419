"""Pairs of random layers that drew the same numbers: one recording took them from the other."""

from __future__ import annotations

from dataclasses import replace

from tracer.divergence.alignment import Alignment, Pair
from tracer.divergence.graph import CallGraph, CallId
from tracer.trace.schema import End


def drawn_alike(graphs: tuple[CallGraph, CallGraph], alignment: Alignment, ends: tuple[End, End]) -> tuple[Pair, ...]:
    """The pairs of which one call was replayed from this very trace's other: a recording says the digest of what the
    call gave whose randomness it took. Also those that both took from a third trace."""
    taken = [{CallId(r.path, r.index): r.like for r in end.replayed} for end in ends]

    def alike(pair: Pair) -> bool:
        ours, theirs = taken[0].get(pair.reference), taken[1].get(pair.candidate)
        if ours and theirs:
            return ours == theirs
        if theirs:
            return theirs == _gave(graphs[0], pair.reference)
        return bool(ours) and ours == _gave(graphs[1], pair.candidate)

    return tuple(pair for pair in alignment.pairs if alike(pair)) if any(taken) else ()


def _gave(graph: CallGraph, id_: CallId) -> str | None:
    """The digest of the one tensor that a call gave."""
    node = graph.nodes.get(id_)
    return node.outputs[0].digest if node is not None and len(node.outputs) == 1 else None


def without_draws(graphs: tuple[CallGraph, CallGraph], pairs: tuple[Pair, ...]) -> tuple[CallGraph, CallGraph]:
    """Both graphs, in which the calls of these pairs draw nothing of their own."""
    sides = ({pair.reference for pair in pairs}, {pair.candidate for pair in pairs})

    def settled(graph: CallGraph, ids: set[CallId]) -> CallGraph:
        nodes = {id_: replace(node, draws=False) if id_ in ids else node for id_, node in graph.nodes.items()}
        return replace(graph, nodes=nodes) if ids else graph

    return settled(graphs[0], sides[0]), settled(graphs[1], sides[1])
