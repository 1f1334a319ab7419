"""What may be believed of nets that never ran: layers that only their place in a class tells apart are in doubt.

Attributes stand in a class in whatever order they were written, so their order proves nothing. What does: that a layer
is the only one of its sizes; the rank in a list; that what lies around a layer has the same content on both sides and
other content than around its rivals; and names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tracer.divergence.graph import CallGraph, CallId, names
from tracer.starting_point.weights.naming import MARGIN, likeness, name_words

Open = tuple[tuple[str, ...], tuple[str, ...]]


def in_doubt(reference: CallGraph, candidate: CallGraph, pairs: Iterable[tuple[str, str]]) -> list[Open]:
    """Groups of layers, by path, of which nothing but the order in classes tells which is which.

    Args:
        reference: layers of the one net.
        candidate: layers of the other.
        pairs: what is paired.
    """
    sides = (_Places(reference), _Places(candidate))
    pairs = [(a, b) for a, b in pairs if a in sides[0].sizes and sides[0].sizes[a] == sides[1].sizes.get(b)]
    partner, back = dict(pairs), {b: a for a, b in pairs}
    rivals: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for a, b in pairs:
        even = len(sides[0].alike(a)) == len(sides[1].alike(b))
        ours = {
            k
            for k in sides[0].alike(a)
            if not (_told(sides, a, b, k, b) or (even and k in partner and _in_order(a, k, b, partner[k])))
        }
        theirs = {
            k
            for k in sides[1].alike(b)
            if not (_told(sides, a, b, a, k) or (even and k in back and _in_order(a, back[k], b, k)))
        }
        rivals[a, b] = ours, theirs
    groups = [(ours | {a}, theirs | {b}) for (a, b), (ours, theirs) in _without_told(rivals).items()]
    return [
        (tuple(p for p in sides[0].sizes if p in ours), tuple(p for p in sides[1].sizes if p in theirs))
        for ours, theirs in _joined(groups)
    ]


def by_names(reference: CallGraph, candidate: CallGraph, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Layers of the same sizes and the same words in their paths that alignment has paired with no layer of their
    sizes."""
    ours, theirs = _Places(reference), _Places(candidate)
    fitting = [(a, b) for a, b in pairs if a in ours.sizes and ours.sizes[a] == theirs.sizes.get(b)]
    taken = ({a for a, _ in fitting}, {b for _, b in fitting})
    words: list[dict[Any, list[str]]] = []
    for side, used in ((ours, taken[0]), (theirs, taken[1])):
        found: dict[Any, list[str]] = defaultdict(list)
        for path, sizes in side.sizes.items():
            if path not in used:
                found[name_words(path), sizes].append(path)
        words.append(found)
    return [(p[0], words[1][key][0]) for key, p in words[0].items() if len(p) == len(words[1].get(key, ())) == 1]


def _told(sides: tuple[_Places, _Places], a: str, b: str, k: str, m: str) -> bool:
    """Is it told that a with b is right and not k with m, of which one is a or b?"""
    ops = sides[0].graph.meanings[k].op, sides[1].graph.meanings[m].op
    if all(ops) and ops[0] != ops[1] and sides[0].graph.meanings[a].op == sides[1].graph.meanings[b].op:
        return True
    exact = name_words(a) == name_words(b), name_words(k) == name_words(m)
    if exact[0] != exact[1]:
        return exact[0]
    own, other = (sides[0].place(x) == sides[1].place(y) for x, y in ((a, b), (k, m)))
    if own and not other:
        return True
    return likeness(a, b) - likeness(k, m) >= MARGIN


def _in_order(a: str, k: str, b: str, m: str) -> bool:
    """Do lists put a and k into the same order as b and m? Where both nets have as many of one kind, that tells."""
    first = _before(a, k)
    return first is not None and first == _before(b, m)


def _before(one: str, other: str) -> bool | None:
    """Does the first path stand before the second in a list that holds both? None where no list tells."""
    for mine, its in zip(names(one), names(other), strict=False):
        if mine != its:
            return int(mine) < int(its) if mine.isdigit() and its.isdigit() else None
    return None


def _without_told(
    rivals: dict[tuple[str, str], tuple[set[str], set[str]]],
) -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """Pairs with rivals. A layer whose own pair has none is nobody's rival."""
    while True:
        told = [pair for pair, (ours, theirs) in rivals.items() if not ours and not theirs]
        if not told:
            return rivals
        ours_told, theirs_told = {a for a, _ in told}, {b for _, b in told}
        rivals = {
            pair: (ours - ours_told, theirs - theirs_told) for pair, (ours, theirs) in rivals.items() if ours or theirs
        }


def _joined(groups: Sequence[tuple[set[str], set[str]]]) -> list[tuple[set[str], set[str]]]:
    """Groups that share a layer are one."""
    found: list[tuple[set[str], set[str]]] = []
    for ours, theirs in groups:
        touching = [one for one in found if one[0] & ours or one[1] & theirs]
        found = [one for one in found if one not in touching]
        found.append((ours.union(*(one[0] for one in touching)), theirs.union(*(one[1] for one in touching))))
    return found


class _Places:
    """The layers of one net that hold parameters, with their sizes and what lies around them."""

    def __init__(self, graph: CallGraph) -> None:
        self.graph = graph
        self.sizes: dict[str, tuple[Any, ...]] = {}
        content: dict[CallId, Counter[Any]] = defaultdict(Counter)
        for unit, node in graph.nodes.items():
            shapes = [p.shape for p in node.meaning.parameters.values() if p.shape]
            if not shapes or node.hidden:
                continue
            sizes = tuple(sorted(tuple(sorted(n for n in shape if n != 1)) for shape in shapes))
            self.sizes.setdefault(unit.path, sizes)
            for around in (unit, *graph.ancestors(unit)):
                content[around][sizes] += 1
        for id_, found in content.items():  # a container without parameters of its own is known by what lies in it
            self.sizes.setdefault(id_.path, ("container", frozenset(found.items())))
        self.content: Mapping[CallId, Any] = {id_: frozenset(found.items()) for id_, found in content.items()}
        self.by_sizes: dict[Any, list[str]] = defaultdict(list)
        for path, sizes in self.sizes.items():
            self.by_sizes[sizes].append(path)
        self.places: dict[str, tuple[Any, ...]] = {}

    def alike(self, path: str) -> list[str]:
        """The other layers of the same sizes."""
        return [other for other in self.by_sizes[self.sizes[path]] if other != path]

    def place(self, path: str) -> tuple[Any, ...]:
        """What lies around a layer, outermost first, with its rank where that is a list; wrappers left out."""
        if path not in self.places:
            unit = CallId(path, 0)
            found: list[tuple[Any, tuple[int, ...]]] = []
            for at in (*reversed(list(self.graph.ancestors(unit))), unit):
                rank = self._rank(at)
                if found and found[-1][0] == self.content[at]:
                    found[-1] = (found[-1][0], found[-1][1] + rank)
                else:
                    found.append((self.content[at], rank))
            self.places[path] = tuple(found)
        return self.places[path]

    def _rank(self, at: CallId) -> tuple[int, ...]:
        """Which one it is of a list, counting those that hold parameters."""
        parent = self.graph.nodes[at].parent
        own = names(at.path)[-1:]
        if parent is None or not own or not own[0].isdigit():
            return ()
        siblings = [child for child in self.graph.nodes[parent].children if child in self.content]
        numbers = [names(child.path)[-1] for child in siblings]
        if len(siblings) < 2 or not all(number.isdigit() for number in numbers):
            return ()
        return (sum(int(number) < int(own[0]) for number in numbers),)
