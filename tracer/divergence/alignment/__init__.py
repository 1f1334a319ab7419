"""Two graphs -> pairs and groups, each with its reason and confidence; what stands alone.

The walk: (1) *evidence*: how well each unit of one side could be each unit of the other, by op, shapes, settings,
parameter fingerprints and, weakest, names; never by what ran through them. (2) *anchors*: pairs that weights, names or
a place like no other make sure, where what lies around them agrees; in whatever order the port runs them. (3) the
heaviest pairing of the rest that keeps the order of execution, found by dynamic programming. (4) what was left over is
paired again by itself (branches that run in another order), where the neighbours agree. (5) within layers that run side
by side (query, key, value) the best assignment replaces the order. (6) doubtful pairs whose neighbours do not agree are
let go. (7) containers follow what lies inside them, layers that never fired follow their parents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tracer.divergence.alignment.assignment import assign, same_op
from tracer.divergence.alignment.confidence import GUESS, confidences, untold
from tracer.divergence.alignment.evidence import Evidence
from tracer.divergence.alignment.pairs import Alignment, Alone, Group, Pair, Untold
from tracer.divergence.alignment.pins import read_pins
from tracer.divergence.alignment.surroundings import containers, inside_of, one_against_pieces, silent_layers
from tracer.divergence.graph import CallGraph, CallId

__all__ = ["Alignment", "Alone", "CallId", "Group", "Pair", "Untold", "align"]


def align(reference: CallGraph, candidate: CallGraph, pins: Sequence[tuple[str, str]] = ()) -> Alignment:
    """Align two graphs.

    Args:
        reference: calls of the net that is right.
        candidate: calls of the port.
        pins: pairs the user insists on, each side "path" or "path#call".

    Raises:
        RuleError: a pin names what is in neither trace, or one side twice.
    """
    pinned = read_pins(reference, candidate, pins)
    if _rank(candidate) < _rank(reference):  # so that ties fall alike, whichever net is the reference
        turned, open_ = _pairs(candidate, reference, {b: a for a, b in pinned.items()})
        made = [replace(pair, reference=pair.candidate, candidate=pair.reference) for pair in turned]
        open_ = [Untold(reference=one.candidate, candidate=one.reference) for one in open_]
    else:
        made, open_ = _pairs(reference, candidate, pinned)
    order = {id_: n for n, id_ in enumerate(reference.nodes)}
    layer_order = {path: n for n, path in enumerate(reference.layers)}
    made.sort(key=lambda p: (order.get(p.reference, len(order)), layer_order.get(p.reference.path, 0)))
    return Alignment(
        pairs=tuple(made),
        alone_reference=_alone(reference, {p.reference for p in made}),
        alone_candidate=_alone(candidate, {p.candidate for p in made}),
        untold=tuple(open_),
    )


def _rank(graph: CallGraph) -> tuple[Any, ...]:
    return (len(graph.nodes), [(id_, node.layer.kind) for id_, node in graph.nodes.items()])


def _pairs(
    reference: CallGraph, candidate: CallGraph, pinned: Mapping[CallId, CallId]
) -> tuple[list[Pair], list[Untold]]:
    evidence = Evidence(reference, candidate, pinned)
    matching = assign(evidence)
    certain = {i: j for i, j in matching.items() if same_op(evidence, i, j)}
    weighed = {i: j for i, j in matching.items() if i not in certain and evidence.fingerprints[i, j] >= 1}
    pieces = one_against_pieces(reference, candidate, evidence.calls(certain), evidence.calls(weighed))
    taken = [  # on each side the layers that are told already, and what lies inside them
        inside_of(graph, whole) | whole
        for graph, whole in (
            (reference, {p.reference for p in pieces}),
            (candidate, {p.candidate for p in pieces}),
        )
    ]
    matching = {
        i: j
        for i, j in matching.items()
        if i in certain or not (evidence.rows[i] in taken[0] or evidence.columns[j] in taken[1])
    }
    pairs = evidence.calls(matching)
    open_ = untold(evidence, matching)
    said = confidences(evidence, matching, {i for rows, _ in open_ for i in rows if i in matching})
    made = [Pair(evidence.rows[i], evidence.columns[j], *said[i]) for i, j in matching.items()]
    guessed = {pair.reference for pair in made if pair.confidence <= GUESS}
    made += [_as_sure_as(pair, reference, guessed, pairs) for pair in containers(reference, candidate, pairs, pinned)]
    made += pieces
    calls = [
        Untold(tuple(evidence.rows[i] for i in rows), tuple(evidence.columns[j] for j in columns))
        for rows, columns in open_
    ]
    return made + silent_layers(reference, candidate, made), calls


def _as_sure_as(pair: Pair, reference: CallGraph, guessed: set[CallId], pairs: Mapping[CallId, CallId]) -> Pair:
    """A container whose layers are paired by guess alone is no surer than they."""
    inside = inside_of(reference, {pair.reference}) & pairs.keys()
    if inside and inside <= guessed and reference.nodes[pair.reference].parent is not None:
        return replace(pair, confidence=min(pair.confidence, GUESS))
    return pair


def _alone(graph: CallGraph, paired: set[CallId]) -> tuple[Alone, ...]:
    calls = [Alone(id_, node.layer.kind) for id_, node in graph.nodes.items() if not node.hidden and id_ not in paired]
    silent = [Alone(CallId(path), graph.layers[path].kind) for path in graph.silent if CallId(path) not in paired]
    return (*calls, *silent)
