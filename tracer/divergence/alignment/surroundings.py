"""What follows from paired units: containers, layers against their pieces, layers that never fired."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from tracer.divergence.alignment.evidence import kind_word, words_of
from tracer.divergence.alignment.pairs import Pair
from tracer.divergence.graph import CallGraph, CallId, Node, names
from tracer.trace.schema import ROOT, Maker

_PIECES = "a layer against its pieces"


def one_against_pieces(
    reference: CallGraph, candidate: CallGraph, pairs: Mapping[CallId, CallId], weighed: Mapping[CallId, CallId]
) -> list[Pair]:
    """A unit on one side that is a container on the other (a layer against the pieces it is made of): paired where
    what feeds it and what it feeds are paired, and the shapes are equal; or where a piece holds the very parameters
    of the unit (`weighed`: units of other kinds with equal parameters)."""
    found = [Pair(a, b, f"{_PIECES}, equal parameters", 0.9) for a, b in _holding(reference, candidate, pairs, weighed)]
    known = dict(pairs) | {p.reference: p.candidate for p in found}
    forth = _one_against_many(reference, candidate, known)
    back = _one_against_many(candidate, reference, {b: a for a, b in known.items()})
    around = f"{_PIECES}, fed by and feeding the same"
    return [*found, *(Pair(a, b, around, 0.6) for a, b in forth), *(Pair(b, a, around, 0.6) for a, b in back)]


def _holding(
    reference: CallGraph, candidate: CallGraph, pairs: Mapping[CallId, CallId], weighed: Mapping[CallId, CallId]
) -> list[tuple[CallId, CallId]]:
    taken = set(pairs.values())
    found = []
    for a, b in weighed.items():
        ours = _made_of(reference, a, candidate.nodes[b], set(pairs))
        theirs = _made_of(candidate, b, reference.nodes[a], taken)
        if (ours is None) != (theirs is None):
            found.append((ours or a, theirs or b))
    return found


def _made_of(graph: CallGraph, piece: CallId, other: Node, paired: set[CallId]) -> CallId | None:
    """The container that means what the unit `other` does, where `piece`, which holds its parameters, is but a part
    of it: nothing else inside has a partner or parameters, and it does more than to call the piece."""
    if graph.nodes[piece].meaning.op:
        return None
    for id_ in graph.ancestors(piece):
        node = graph.nodes[id_]
        inside = set(_inside(graph, id_)) - {piece}
        if node.parent is None or inside & paired or any(graph.nodes[u].meaning.parameters for u in inside):
            return None
        handed_on = all(f.kind == "input" and f.by == id_ for f in graph.feeds(piece))
        handed_out = all(f.kind == "call" and f.by == piece for f in graph.output_feeds(id_))
        if not (handed_on and handed_out):
            return id_ if [v.shape for v in node.outputs] == [v.shape for v in other.outputs] else None
    return None


def _one_against_many(one: CallGraph, many: CallGraph, pairs: Mapping[CallId, CallId]) -> list[tuple[CallId, CallId]]:
    taken = set(pairs.values())
    edges: dict[CallId, tuple[set[CallId], set[CallId]]] = {}
    for container in many.containers:
        inside = set(_inside(many, container))
        if many.nodes[container].parent is not None and not inside & taken:
            above = {x for u in inside for x in many.sources.get(u, ())} - inside
            below = {x for u in inside for x in many.flow.successors(u)} - inside
            edges[container] = (above, below)
    known = {a: {b} for a, b in pairs.items()}
    found: list[tuple[CallId, CallId]] = []
    for unit in one.units if edges else ():
        if unit in known:
            continue
        shapes = [v.shape for v in one.nodes[unit].outputs]
        sources, fed = one.sources[unit], set(one.flow.successors(unit))
        feeding, taking = ({x for id_ in ids for x in known.get(id_, ())} for ids in (sources, fed))
        for container in chain([unit] if unit in edges else [], edges):  # its own path first
            above, below = edges[container]
            if [v.shape for v in many.nodes[container].outputs] != shapes:
                continue
            said = {_says(feeding, above, bool(sources)), _says(taking, below, bool(fed))}
            if said == {True} or (container == unit and True in said and False not in said):
                found.append((unit, container))
                known[unit] = set(_inside(many, container))
                around = set(many.ancestors(container))
                edges = {c: e for c, e in edges.items() if c != container and c not in around}
                break
    return found


def _says(known: set[CallId], around: set[CallId], some: bool) -> bool | None:
    """Do the partners of what stands on one side of a layer (`some`: does anything?) stand there too? None where no
    partner is known."""
    if known & around or not (some or around):
        return True
    return False if known else None


def inside_of(graph: CallGraph, ids: set[CallId]) -> set[CallId]:
    """The units inside any of these containers."""
    return {unit for id_ in ids if id_ in graph.nodes and not graph.nodes[id_].unit for unit in _inside(graph, id_)}


def _inside(graph: CallGraph, id_: CallId) -> list[CallId]:
    """The units inside a container."""
    found: list[CallId] = []
    todo = list(graph.nodes[id_].children)
    while todo:
        child = todo.pop()
        node = graph.nodes[child]
        if node.unit:
            found.append(child)
        else:
            todo.extend(node.children)
    return found


class _Choice(NamedTuple):
    """A pair of containers that may be one: the share of paired units that lie in both, how alike they are, and
    whether paired units stand at their two ends."""

    share: float
    likeness: float
    ends: float
    reference: CallId
    candidate: CallId


def _ends(
    graph: CallGraph, id_: CallId, inside: Sequence[CallId], partner: Mapping[CallId, CallId]
) -> tuple[frozenset[CallId | None], frozenset[CallId | None]]:
    """The partners of the units that take what a container is given, and of those that make what it gives; None where
    code does, or a unit without a partner."""
    node = graph.nodes[id_]
    own = {v.leaf: Maker(node.call.order, "input", v.leaf) for v in node.inputs}
    given = {own[v.leaf] if v.maker is None or v.changed else v.maker for v in node.inputs}
    first = {partner.get(u) for u in inside if any(v.maker in given and not v.changed for v in graph.nodes[u].inputs)}
    return frozenset(first or {None}), frozenset(partner.get(u) if u else None for u in _makers(graph, id_))


def _makers(graph: CallGraph, id_: CallId) -> Iterator[CallId | None]:
    """The units that made what a container gives; None for code."""
    for feed in graph.output_feeds(id_):
        if feed.kind != "call" or feed.by is None:
            yield None
        elif graph.nodes[feed.by].unit:
            yield feed.by
        else:
            yield from _makers(graph, feed.by)


def containers(
    reference: CallGraph, candidate: CallGraph, pairs: Mapping[CallId, CallId], pinned: Mapping[CallId, CallId]
) -> list[Pair]:
    """Pair the calls that lie around paired units: those that share most, the outermost first."""
    inside_r = {id_: _inside(reference, id_) for id_ in reference.containers}
    inside_c = {id_: _inside(candidate, id_) for id_ in candidate.containers}
    around: dict[CallId, list[CallId]] = defaultdict(list)
    for container, units in inside_c.items():
        for unit in units:
            around[unit].append(container)
    found: dict[CallId, tuple[CallId, str, float]] = {}
    for a, b in zip(reference.roots, candidate.roots, strict=False):
        # where one side left the net itself out, the roots are other things; a net without layers is paired already
        if (a.path == ROOT) == (b.path == ROOT) and pairs.get(a) != b:
            found[a] = (b, "the net itself", 1.0)
    found |= {a: (b, "pinned", 1.0) for a, b in pinned.items() if a in inside_r and b in inside_c}
    matched = set(pairs.values())
    size_r = {id_: sum(u in pairs for u in units) for id_, units in inside_r.items()}
    size_c = {id_: sum(u in matched for u in units) for id_, units in inside_c.items()}
    ends_r = {id_: _ends(reference, id_, inside_r[id_], pairs) for id_ in inside_r}
    themselves = {b: b for b in matched}
    ends_c = {id_: _ends(candidate, id_, inside_c[id_], themselves) for id_ in inside_c}
    choices: list[_Choice] = []
    for container, units in inside_r.items():
        shared = Counter(x for u in units if u in pairs for x in around[pairs[u]])
        for other, count in shared.items():
            share = count / max(size_r[container], size_c[other])
            if share >= 0.9:  # less would be another part of the net: what goes in and out is compared
                likeness = _likeness(reference.nodes[container], candidate.nodes[other])
                likeness += 0.5 * min(size_r[container] / len(units), size_c[other] / len(inside_c[other]))
                ends = sum(0.5 for ours, theirs in zip(ends_r[container], ends_c[other], strict=True) if ours == theirs)
                choices.append(_Choice(share, likeness, ends, container, other))
    # of nested containers with the same layers inside, the one whose parent is paired too speaks for itself; parents
    # are known after a first round
    first = _greedy(reference, candidate, choices, found, {})
    second = _greedy(reference, candidate, choices, found, {a: b for a, (b, _, _) in first.items()})
    return [Pair(a, b, reason, min(confidence, 1.0)) for a, (b, reason, confidence) in second.items()]


def _greedy(
    reference: CallGraph,
    candidate: CallGraph,
    choices: Sequence[_Choice],
    fixed: Mapping[CallId, tuple[CallId, str, float]],
    parents: Mapping[CallId, CallId],
) -> dict[CallId, tuple[CallId, str, float]]:
    """The best choices that nest; `parents` are pairs of an earlier round."""
    depth_r = {id_: n for n, id_ in enumerate(reference.containers)}
    depth_c = {id_: n for n, id_ in enumerate(candidate.containers)}

    def worth(choice: _Choice) -> tuple[float, float, int, int]:
        share, likeness, ends, a, b = choice
        above_a, above_b = reference.nodes[a].parent, candidate.nodes[b].parent
        below = above_a is not None and above_b is not None and parents.get(above_a) == above_b
        return (share, likeness + ends + 0.5 * below, -depth_r[a], -depth_c[b])

    found = dict(fixed)
    taken = {b for b, _, _ in found.values()}
    for share, likeness, _, a, b in sorted(choices, key=worth, reverse=True):
        if a in found or b in taken or not _nested(reference, candidate, found, a, b):
            continue
        found[a] = (
            b,
            f"{round(100 * share)} % of what lies inside is paired",
            round(min(0.5 * share + 0.3 * likeness, 0.99), 3),
        )
        taken.add(b)
    return found


def _likeness(a: Node, b: Node) -> float:
    kind = kind_word(a) == kind_word(b)
    own, other = words_of(a.id.path), words_of(b.id.path)
    name = 1.0 if own == other else 0.6 if own[-1:] == other[-1:] else 0.0
    shapes = [v.shape for v in a.outputs] == [v.shape for v in b.outputs]
    return 0.4 * kind + 0.4 * name + 0.2 * shapes


def _nested(
    reference: CallGraph, candidate: CallGraph, found: Mapping[CallId, tuple[CallId, str, float]], a: CallId, b: CallId
) -> bool:
    """Would the pair keep inside and outside apart? The containers paired around `a` must lie around `b`."""
    theirs = set(candidate.ancestors(b))
    return all(found[x][0] in theirs for x in reference.ancestors(a) if x in found)


def silent_layers(reference: CallGraph, candidate: CallGraph, pairs: Sequence[Pair]) -> list[Pair]:
    """Pair layers that never fired: below paired layers, by name or as the only one of their op and shapes; lists of
    layers by the layers in them."""
    layer_of = {p.reference.path: p.candidate.path for p in pairs}
    open_ = set(candidate.silent)
    found: list[Pair] = []
    for path in reference.silent:
        match, reason = _silent_match(reference, candidate, path, layer_of, open_)
        if match is not None:
            open_.discard(match)
            layer_of[path] = match
            found.append(Pair(CallId(path), CallId(match), reason, 0.8))
    return found


def _silent_match(
    reference: CallGraph, candidate: CallGraph, path: str, layer_of: Mapping[str, str], open_: set[str]
) -> tuple[str | None, str]:
    parts = names(path)
    parent = ".".join(parts[:-1]) or ROOT
    other = layer_of.get(parent)
    if other is not None:
        below = [p for p in candidate.layers if p in open_ and (".".join(names(p)[:-1]) or ROOT) == other]
        named = next((p for p in below if words_of(p)[-1:] == words_of(path)[-1:]), None)
        if named is not None:
            return named, "never fired; same name below paired layers"
        alike = [p for p in below if _layer_key(candidate, p) == _layer_key(reference, path)]
        if len(alike) == 1:
            return alike[0], "never fired; the only one of its kind below paired layers"
    inside = [p for p in reference.layers if p.startswith(f"{path}.") and p in layer_of]
    holders = Counter(
        ".".join(names(layer_of[p])[: len(names(layer_of[p])) - (len(names(p)) - len(parts))]) for p in inside
    )
    for holder, count in holders.most_common(1):
        if holder in open_ and count > len(inside) / 2:
            return holder, "never fired; holds the same layers"
    return None, ""


def _layer_key(graph: CallGraph, path: str) -> tuple[Any, ...]:
    means = graph.meanings[path]
    return (means.op or graph.layers[path].kind.lower(), tuple(sorted(p.shape for p in means.parameters.values())))
