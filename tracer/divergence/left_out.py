"""Layers that a recording left out (skip=, only=, depth=): what an origin shows may have been made in one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tracer.divergence.case import SIDES, Case, few
from tracer.divergence.causes import Cause, parameter_causes, setting_causes
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallGraph, CallId, Node, names
from tracer.trace.schema import ROOT, Call

_REASON = "left out by "


@dataclass(frozen=True)
class LeftOut:
    """What was left out where an origin is. `paths` are the outermost layers of one side (`side`), those that lie next
    to the origin; `pairs` what answers each other of both sides, the nearest first, `near` how many of them are
    near; `by` the option."""

    side: str
    paths: tuple[str, ...]
    by: str
    pairs: tuple[tuple[Node, Node], ...]
    near: int

    @property
    def sentence(self) -> str:
        """That they were left out, and which."""
        count = "1 layer was" if len(self.paths) == 1 else f"{len(self.paths)} layers were"
        where = "" if self.side == "both" else f" of the {self.side}"
        return f"{count} left out here by {self.by}{where}: {few(self.paths)}"


def reasons(case: Case, side: int) -> dict[str, str]:
    """Layers of one side that its recording left out, each with the option that did."""
    silent = case.traces[side].skeleton.end.silent
    return {path: why.removeprefix(_REASON) for path, why in silent.items() if why.startswith(_REASON)}


def left_out_at(case: Case, ours: CallId, theirs: CallId, point: Point) -> LeftOut | None:
    """What was left out directly in the calls that an origin is named by; None when nothing was."""
    inside = [_inside(case, 0, ours), _inside(case, 1, theirs)]
    if not any(inside):
        return None
    near = [_near(case, 0, ours, point.reference, inside[0]), _near(case, 1, theirs, point.candidate, inside[1])]
    side = 0 if inside[0] else 1
    outermost = [p for p in near[side] if not any(p.startswith(f"{other}.") for other in near[side])]
    by = dict.fromkeys(reasons(case, side)[path] for path in outermost)
    pairs = _answering(case, inside, (ours, theirs))
    first = [pair for pair in pairs if pair[0].id.path in near[0] or pair[1].id.path in near[1]]
    rest = [pair for pair in pairs if pair not in first]
    word = "both" if all(inside) else SIDES[side]
    return LeftOut(word, tuple(outermost), " and ".join(by), (*first, *rest), len(first))


def causes_left_out(case: Case, hidden: LeftOut, causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """The causes of an origin where layers were left out: what differs between those, else that they may be it."""
    found: list[Cause] = []
    for n, (ours, theirs) in enumerate(hidden.pairs):
        if n >= hidden.near and found:
            break
        differences = case.comparison.parameters(ours.id, theirs.id)
        own = [
            *setting_causes(case.comparison, ours, theirs),
            *parameter_causes([d for d in differences if d.difference is not None], case.comparison, missing=False),
        ]
        at = f" at {ours.id.path}, left out by {hidden.by}"
        found += [replace(cause, sentence=f"{cause.sentence}{at}") for cause in own]
    paths = [*hidden.paths, *(node.layer.path for pair in hidden.pairs for node in pair)]
    kept = [
        cause
        for cause in causes
        if (cause.kind, cause.name) != ("code", "forward") and not cause.fallback and not _is_lone(cause, paths)
    ]
    if found or kept:
        return (*found, *kept)
    whose = "both nets" if hidden.side == "both" else f"the {hidden.side}"
    said = f"what was left out may have made it: {hidden.sentence}"
    return (Cause("code", "forward", sentence=said, edit=f"record {whose} again without {hidden.by}"),)


def notes_left_out(case: Case) -> list[str]:
    """What the recordings left out, a sentence for both sides or one for each."""
    said = []
    for side in (0, 1):
        found = reasons(case, side)
        by = " and ".join(dict.fromkeys(found.values()))
        count = "1 layer" if len(found) == 1 else f"{len(found)} layers"
        said.append(f"{by} left {count} out" if found else "")
    if said[0] and said[0] == said[1]:
        return [f"when both nets were recorded, {said[0]}; what is around them was judged"]
    return [
        f"when the {word} was recorded, {each}; what is around them was judged"
        for word, each in zip(SIDES, said, strict=True)
        if each
    ]


def _inside(case: Case, side: int, scope: CallId) -> list[str]:
    """The layers left out of which a call is the innermost around that has a partner."""
    partners = case.alignment.reference_of if side else case.alignment.candidate_of
    paired = {id_.path for id_ in partners if id_.call >= 0}
    return [path for path in reasons(case, side) if _around(path, paired) == scope.path]


def _around(path: str, paired: set[str]) -> str:
    parts = names(path)
    above = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
    return next((p for p in above if p in paired), ROOT)


def _near(case: Case, side: int, scope: CallId, shown_by: CallId, inside: list[str]) -> list[str]:
    """Those defined between the last layer that ran before the origin and the one that shows it; all where nothing
    is. Definitions need not follow the order of calls."""
    graph = case.graphs[side]
    order = {path: n for n, path in enumerate(graph.layers)}
    at_end = shown_by == scope
    before = graph.nodes[scope].children if at_end else graph.before(shown_by)
    low = order[before[-1].path] if before else -1
    high = len(order) if at_end else order[shown_by.path]
    return [path for path in inside if low < order[path] < high] or inside


def _answering(case: Case, inside: list[list[str]], scopes: tuple[CallId, CallId]) -> list[tuple[Node, Node]]:
    """What was left out, with what answers it on the other side: by the alignment, else by its name there."""
    ours, theirs = case.graphs
    found = []
    for path in inside[0]:
        partner = case.alignment.candidate_of.get(CallId(path)) or _named_alike(case, 1, path, scopes, inside[1])
        if partner is not None:
            found.append((_node(ours, CallId(path)), _node(theirs, partner)))
    known = {pair[1].id.path for pair in found}
    for path in inside[1]:
        other = _named_alike(case, 0, path, scopes[::-1], inside[0]) if path not in known else None
        if other is not None:
            found.append((_node(ours, other), _node(theirs, CallId(path))))
    return found


def _named_alike(
    case: Case, side: int, path: str, scopes: tuple[CallId, ...], left_out: Sequence[str]
) -> CallId | None:
    """What of one side, left out too or a call without a partner, has the same name within its scope as a layer of the
    other side has in its."""
    lone = case.alignment.alone_candidate if side else case.alignment.alone_reference
    ids = [*map(CallId, left_out), *(one.id for one in lone)]
    tail = names(path)[len(names(scopes[0].path)) :]
    whole = (*names(scopes[1].path), *tail)
    return next((id_ for id_ in ids if names(id_.path) == whole), None)


def _node(graph: CallGraph, id_: CallId) -> Node:
    """A call, or a layer that was not recorded as if it had been called with nothing."""
    if id_ in graph.nodes:
        return graph.nodes[id_]
    call = Call(step=0, order=-1, path=id_.path, index=-1, parent=None)
    return Node(id_, call, graph.layers[id_.path], graph.meanings[id_.path], None, (), True, False)


def _is_lone(cause: Cause, paths: Sequence[str]) -> bool:
    """Does a cause only say that a layer has no partner, which was left out or has in it what was left out?"""
    alone = names(cause.alone)
    return bool(cause.alone) and any(names(path)[: len(alone)] == alone for path in paths)
