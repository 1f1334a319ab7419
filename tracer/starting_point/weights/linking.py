"""Which layers of two nets belong together: the diff's alignment, and what it leaves open settled by what the calls
tell of roles, by values, by names. What is settled goes back to the aligner as pins, so that what lies behind the
layers follows them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tracer.divergence.alignment import Alignment, CallId, align
from tracer.divergence.graph import CallGraph
from tracer.divergence.rules import CommonParameter, Meaning
from tracer.starting_point.weights.choices import settle
from tracer.starting_point.weights.doubts import Open, by_names, in_doubt
from tracer.starting_point.weights.naming import named_roles
from tracer.starting_point.weights.roles import RoleGroup
from tracer.starting_point.weights.steps import without_ones
from tracer.starting_point.weights.surroundings import by_surroundings
from tracer.starting_point.weights.weight_map import key_of

Array = np.ndarray[Any, Any]
Read = Callable[[str], Array]

_ROUNDS = 4


@dataclass(frozen=True)
class Link:
    """Two layers that belong together."""

    reference: str
    candidate: str
    reason: str
    confidence: float


@dataclass(frozen=True)
class Linked:
    """The alignment, the pairs of layers, the surest first, what stays open between layers of equal shapes, and the
    partner of each layer, containers included, that is not in doubt."""

    alignment: Alignment
    links: tuple[Link, ...]
    open: tuple[Open, ...] = ()
    partner: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sides:
    """Both nets with what tells layers apart."""

    graphs: tuple[CallGraph, CallGraph]
    read: tuple[Read | None, Read | None] = (None, None)
    roles: tuple[tuple[RoleGroup, ...], tuple[RoleGroup, ...]] = ((), ())
    turned: tuple[Mapping[str, bool], Mapping[str, bool]] = field(default_factory=lambda: ({}, {}))
    groups: tuple[dict[str, RoleGroup], dict[str, RoleGroup]] = field(init=False)

    def __post_init__(self) -> None:
        of = [{path: group for group in groups for path in group.layers} for groups in self.roles]
        object.__setattr__(self, "groups", (of[0], of[1]))

    def means(self, side: int, path: str) -> Meaning:
        """A layer in common words."""
        return self.graphs[side].meanings[path]

    def same(self, a: str, b: str) -> bool:
        """Do a layer of the reference and one of the candidate hold the same numbers?"""
        return self._equal_layers((0, a), (1, b))

    def alike(self, a: str, b: str) -> bool:
        """Do two layers of the reference hold the same numbers?"""
        return self._equal_layers((0, a), (0, b))

    def _equal_layers(self, one: tuple[int, str], other: tuple[int, str]) -> bool:
        ours, theirs = self.read[one[0]], self.read[other[0]]
        pairs = same_names(self.means(*one), self.means(*other))
        if ours is None or theirs is None or not pairs:
            return False
        return all(equal(ours(key_of(x.path, x.own_name)), theirs(key_of(y.path, y.own_name))) for x, y in pairs)

    def exchangeable(self, references: Sequence[str], candidates: Sequence[str]) -> bool:
        """Are these twins on either side whose outputs are only added or multiplied?"""
        for of, paths in zip(self.groups, (references, candidates), strict=True):
            group = of.get(paths[0])
            if group is None or not group.symmetric or not set(paths) <= set(group.layers):
                return False
        return True


def link_layers(sides: Sides, pins: Sequence[tuple[str, str]] = ()) -> Linked:
    """Align and settle.

    Args:
        sides: both nets.
        pins: what the user insists on.

    Raises:
        RuleError: a pin names what is not there, or one layer twice.
    """
    told: dict[str, tuple[str, str]] = {}
    open_: list[Open] = []
    alignment = align(*sides.graphs, pins)
    for _ in range(_ROUNDS):
        new, open_ = _settled(sides, alignment, pins, told)
        paired = {(pair.reference.path, pair.candidate.path) for pair in alignment.pairs}
        told |= new
        if all((a, b) in paired for a, (b, _) in new.items()):
            break
        alignment = align(*sides.graphs, [*pins, *((a, b) for a, (b, _) in told.items() if _ran(sides, a, b))])
    if _both_ran(sides):
        told |= _fed_alike(sides, _aligned(alignment) | {a: b for a, (b, _) in told.items()}, open_)
    doubted = {a for references, _ in open_ for a in references}
    if not _both_ran(sides):
        doubted |= (
            {a for references, _ in _untold(sides, alignment) for a in references} - told.keys() - {a for a, _ in pins}
        )
    partner = {pair.reference.path: pair.candidate.path for pair in reversed(alignment.pairs)}
    sure = {a: b for a, b in partner.items() if a not in doubted and (_both_ran(sides) or _one_level(sides, a, b))}
    sure |= {a: b for a, (b, _) in told.items()}
    return Linked(alignment, tuple(_links(alignment, told, doubted)), tuple(open_), sure)


def _one_level(sides: Sides, a: str, b: str) -> bool:
    """Are both layers without others inside, or both with? That one is what the other holds only calls can tell."""
    nodes = (sides.graphs[0].nodes.get(CallId(a, 0)), sides.graphs[1].nodes.get(CallId(b, 0)))
    return nodes[0] is None or nodes[1] is None or nodes[0].unit == nodes[1].unit


def _both_ran(sides: Sides) -> bool:
    return all(graph.ran for graph in sides.graphs)


def _ran(sides: Sides, a: str, b: str) -> bool:
    return CallId(a, 0) in sides.graphs[0].nodes and CallId(b, 0) in sides.graphs[1].nodes


def _settled(
    sides: Sides, alignment: Alignment, pins: Sequence[tuple[str, str]], told: Mapping[str, tuple[str, str]]
) -> tuple[dict[str, tuple[str, str]], list[Open]]:
    """What this alignment lets one tell beyond what is told, and what stays open."""
    ours = {a for a, _ in pins} | set(told)
    theirs = {b for _, b in pins} | {b for b, _ in told.values()}
    new = {a: made for a, made in _by_roles(sides, alignment).items() if a not in ours and made[0] not in theirs}
    ours |= set(new)
    theirs |= {b for b, _ in new.values()}
    if not _both_ran(sides):
        named = [pair for pair in _paths(alignment) if pair[0] not in ours and pair[1] not in theirs]
        for a, b in by_names(*sides.graphs, named):
            if a not in ours and b not in theirs:
                new[a] = (b, "same name and shapes")
        ours |= set(new)
        theirs |= {b for b, _ in new.values()}
    open_: list[Open] = []
    groups = []
    for among in _untold(sides, alignment):
        references, candidates = (
            tuple(path for path in paths if sides.means(side, path).parameters and path not in taken)
            for side, (paths, taken) in enumerate(zip(among, (ours, theirs), strict=True))
        )
        if references and candidates:
            groups.append((references, candidates))
    if not _both_ran(sides):
        known = dict(told) | new
        pairs, groups = by_surroundings(
            sides.graphs, groups, _sure(sides, alignment, groups, known), _aligned(alignment)
        )
        new |= pairs
    for references, candidates in groups:
        found = settle(
            references,
            candidates,
            same=sides.same if sides.read[1] is not None else None,
            alike=sides.alike if sides.read[0] else None,
            exchangeable=sides.exchangeable,
        )
        new |= found.pairs
        ours |= set(found.pairs)
        theirs |= {b for b, _ in found.pairs.values()}
        open_ += found.open
    return new, open_


def _fed_alike(sides: Sides, partner: Mapping[str, str], open_: Sequence[Open]) -> dict[str, tuple[str, str]]:
    """Layers without partner that hold parameters of the same sizes and are fed by partners: a norm that has its
    activation inside is no one call of the other net, but its parameters are those of a norm there."""
    in_doubt = ({a for references, _ in open_ for a in references}, {b for _, candidates in open_ for b in candidates})
    ours = {a for a, b in partner.items() if _one_size(sides, a, b)}
    paired = (ours, {partner[a] for a in ours})
    found: list[dict[frozenset[str], list[str]]] = [defaultdict(list), defaultdict(list)]
    for side, graph in enumerate(sides.graphs):
        for id_, node in graph.nodes.items():
            path = id_.path
            if id_.call or node.hidden or path in paired[side] | in_doubt[side] or not node.meaning.parameters:
                continue
            feeds = {feed.by.path for feed in graph.feeds(id_) if feed.kind == "call" and feed.by is not None}
            if side == 0:
                feeds = {partner.get(one, "") for one in feeds}
            if feeds and "" not in feeds:
                found[side][frozenset(feeds)].append(path)
    return {
        ours[0]: (theirs[0], "fed by the same")
        for feeds, ours in found[0].items()
        for theirs in (found[1].get(feeds, []),)
        if len(ours) == len(theirs) == 1 and _one_size(sides, ours[0], theirs[0])
    }


def _sure(
    sides: Sides, alignment: Alignment, groups: Sequence[Open], told: Mapping[str, tuple[str, str]]
) -> dict[str, str]:
    """Layers with parameters of equal sizes that are in no doubt, and their partners."""
    ours = {a for references, _ in groups for a in references} | set(told)
    theirs = {b for _, candidates in groups for b in candidates} | {b for b, _ in told.values()}
    return {a: b for a, (b, _) in told.items()} | {
        a: b
        for a, b in _aligned(alignment).items()
        if a not in ours and b not in theirs and sides.means(0, a).parameters and _one_size(sides, a, b)
    }


def _aligned(alignment: Alignment) -> dict[str, str]:
    return dict(reversed(_paths(alignment)))


def _untold(sides: Sides, alignment: Alignment) -> list[Open]:
    """Layers that alignment has paired by order alone, by path."""
    if not _both_ran(sides):
        return in_doubt(*sides.graphs, _paths(alignment))
    found: list[Open] = []
    for untold in alignment.untold:
        both = (untold.reference, untold.candidate)
        kept = [[id_ for id_ in both[n] if not _is_a_part(sides, n, id_.path, both[1 - n])] for n in (0, 1)]
        levels = [_levels(graph, ids) for graph, ids in zip(sides.graphs, kept, strict=True)]
        if Counter(levels[0].values()) != Counter(levels[1].values()):
            levels = [_side_by_side(graph, ids) for graph, ids in zip(sides.graphs, kept, strict=True)]
        if Counter(levels[0].values()) != Counter(levels[1].values()):
            levels = [dict.fromkeys(level, 0) for level in levels]
        for n in sorted(set(levels[0].values())):
            ours, theirs = (
                tuple(dict.fromkeys(id_.path for id_, own in level.items() if own == n)) for level in levels
            )
            found.append((ours, theirs))
    return found


def _is_a_part(sides: Sides, side: int, path: str, others: Sequence[CallId]) -> bool:
    """Does the layer play a role together with others of its net, and none of the other net's does? Then it is a part
    of what is merged there."""
    group = sides.groups[side].get(path)
    if group is None or group.symmetric or len(group.layers) < 2:
        return False
    there = [sides.groups[1 - side].get(other.path) for other in others]
    return all(other is None or other.rows.keys() != group.rows.keys() for other in there)


def _paths(alignment: Alignment) -> list[tuple[str, str]]:
    return [(pair.reference.path, pair.candidate.path) for pair in alignment.pairs]


def _levels(graph: CallGraph, ids: Sequence[CallId]) -> dict[CallId, int]:
    """How many of these calls lead to each of them: what feeds another is told from it, whatever its name."""
    found: dict[CallId, int] = {}
    for id_ in ids:
        seen: set[CallId] = set()
        todo = [id_]
        while todo:
            new = graph.sources.get(todo.pop(), frozenset()) - seen
            seen |= new
            todo.extend(new)
        found[id_] = len(seen & set(ids))
    return found


def _side_by_side(graph: CallGraph, ids: Sequence[CallId]) -> dict[CallId, int]:
    """How many of these calls were given the same as each."""
    keys = {id_: graph.fed_key(id_) for id_ in ids}
    often = Counter(keys.values())
    return {id_: often[key] for id_, key in keys.items()}


def _links(alignment: Alignment, told: Mapping[str, tuple[str, str]], in_doubt: set[str]) -> list[Link]:
    """The pairs that count, the surest first."""
    counts: Counter[tuple[str, str]] = Counter()
    best: dict[tuple[str, str], Link] = {}
    taken = {b for b, _ in told.values()}
    for pair in alignment.pairs:
        a, b = pair.reference.path, pair.candidate.path
        if a in in_doubt or a in told or b in taken:
            continue
        counts[a, b] += 1
        if (a, b) not in best or best[a, b].confidence < pair.confidence:
            best[a, b] = Link(a, b, pair.reason, pair.confidence)
    links = sorted(best.values(), key=lambda link: (-counts[link.reference, link.candidate], -link.confidence))
    return [Link(a, b, reason, 0.9) for a, (b, reason) in told.items()] + links


# --------------------------------------------------------------------------------------------------------------------
# Roles
# --------------------------------------------------------------------------------------------------------------------


def _by_roles(sides: Sides, alignment: Alignment) -> dict[str, tuple[str, str]]:
    """Layers of groups that alignment brings together, paired by the roles that they play. Where one side's calls do
    not tell, its names may."""
    partner: dict[str, str] = {}
    for pair in alignment.pairs:
        partner.setdefault(pair.reference.path, pair.candidate.path)
    back = {b: a for a, b in partner.items()}
    found: dict[str, tuple[str, str]] = {}
    for group in sides.roles[0]:
        made = _role_pairs(group, partner, sides.groups[1], _only_alike(group, sides.roles))
        if all(_one_size(sides, a, b) for a, b, _ in made):
            found |= {a: (b, why) for a, b, why in made if a not in found}
    for group in sides.roles[1]:
        made = [(a, b, why) for b, a, why in _role_pairs(group, back, sides.groups[0], None)]
        if all(_one_size(sides, a, b) for a, b, _ in made):
            found |= {a: (b, why) for a, b, why in made if a not in found}
    for a, (b, _) in list(found.items()):
        for before, behind in _feeders(sides, a, b):
            found.setdefault(before, (behind, "feeds what the calls tell"))
    seen = Counter(b for b, _ in found.values())
    return {a: made for a, made in found.items() if seen[made[0]] == 1}


def _feeders(sides: Sides, a: str, b: str) -> Iterator[tuple[str, str]]:
    """Upstream of two layers that are told, as long as each has one layer before it, of the same sizes."""
    while _both_ran(sides):
        before = [_only_before(graph, path) for graph, path in zip(sides.graphs, (a, b), strict=True)]
        if before[0] is None or before[1] is None or not _one_size(sides, before[0], before[1]):
            return
        a, b = before[0], before[1]
        yield a, b


def _only_before(graph: CallGraph, path: str) -> str | None:
    """The one layer with parameters that feeds a layer, which feeds no other; functions between are looked through."""
    id_ = CallId(path, 0)
    while id_ in graph.flow and len(before := list(graph.flow.predecessors(id_))) == 1:
        id_ = before[0]
        if graph.flow.out_degree(id_) != 1:
            return None
        if graph.nodes[id_].meaning.parameters:
            return id_.path if id_.path != path else None
    return None


def _only_alike(group: RoleGroup, roles: tuple[tuple[RoleGroup, ...], tuple[RoleGroup, ...]]) -> RoleGroup | None:
    """The group of the candidate with the same roles, where either net has one such group only."""
    ours, theirs = ([one for one in side if one.rows.keys() == group.rows.keys()] for side in roles)
    return theirs[0] if len(ours) == len(theirs) == 1 else None


def _one_size(sides: Sides, a: str, b: str) -> bool:
    """Do two layers hold parameters of the same sizes, whatever their axes?"""
    sizes = [
        sorted(sorted(p.shape) for p in sides.means(side, path).parameters.values() if p.shape)
        for side, path in ((0, a), (1, b))
    ]
    return [[n for n in size if n != 1] for size in sizes[0]] == [[n for n in size if n != 1] for size in sizes[1]]


def _role_pairs(
    group: RoleGroup, partner: Mapping[str, str], others: Mapping[str, RoleGroup], only: RoleGroup | None
) -> list[tuple[str, str, str]]:
    """(layer of this side, layer of the other, why) for the layers of one group."""
    if group.symmetric or len(group.layers) < 2:
        return []
    there = [partner[path] for path in group.layers if path in partner]
    votes = Counter(others[path].layers for path in there if path in others)
    ours = {path: group.roles_in(path) for path in group.layers}
    if votes:
        layers, count = votes.most_common(1)[0]
        other = others[layers[0]] if 2 * count > len(there) else only
        if other is None or other.symmetric:
            return []
        theirs, how = {path: other.roles_in(path) for path in other.layers}, "by the calls"
    else:
        named = named_roles(there, set().union(*ours.values()))
        if named is None:
            return []
        theirs, how = {path: frozenset({role}) for path, role in named.items()}, "by the calls and the names"
    if len(ours) != len(theirs) or set(ours.values()) != set(theirs.values()) or len(set(ours.values())) != len(ours):
        return []
    by_roles = {roles: path for path, roles in theirs.items()}
    return [(path, by_roles[roles], f"{how}: {' and '.join(sorted(roles))}") for path, roles in ours.items()]


# --------------------------------------------------------------------------------------------------------------------
# Parameters that are the same
# --------------------------------------------------------------------------------------------------------------------


def same_names(ours: Meaning, theirs: Meaning) -> list[tuple[CommonParameter, CommonParameter]]:
    """Parameters of two layers under one common name."""
    return [(p, theirs.parameters[name]) for name, p in ours.parameters.items() if name in theirs.parameters]


def equal(one: Array, other: Array) -> bool:
    """The same numbers, whatever the axes of size 1 and the float type."""
    if without_ones(one.shape) != without_ones(other.shape):
        return False
    return bool(
        np.array_equal(one.reshape(-1).astype(np.float64), other.reshape(-1).astype(np.float64), equal_nan=True)
    )
