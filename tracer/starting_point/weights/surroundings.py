"""Layers in doubt, told by where they stand: beside layers whose partners are known, and in lists, whose order means
something.

A norm that stands in one block with a convolution of known partner belongs into that partner's block. And where a
list of the one net has three layers of equal sizes one behind the other, and a list of the other three, they belong
together in that order, however deep inside the items they lie. The order of attributes in a class says nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from tracer.divergence.graph import CallGraph, names

Open = tuple[tuple[str, ...], tuple[str, ...]]
Steps = tuple[str, ...]
"""A path, cut into its parts."""

Shapes = tuple[tuple[int, ...], ...]
"""Of all parameters of a layer, axes of size 1 left out."""

BESIDE = "beside layers of known partners"
IN_ORDER = "by the order in lists"


def by_surroundings(
    graphs: tuple[CallGraph, CallGraph], groups: Sequence[Open], sure: Mapping[str, str], aligned: Mapping[str, str]
) -> tuple[dict[str, tuple[str, str]], list[Open]]:
    """Pairs of layers in doubt, with the reason, and what stays of the groups, in as many parts as can be told apart.

    Args:
        graphs: both nets.
        groups: layers of equal sizes of which it is not told which is which.
        sure: layers in no doubt with their partners.
        aligned: what alignment paired; order in lists counts only where it says the same.
    """
    search = _Search(graphs, dict(sure), aligned)
    open_ = [group for group in groups if group[0] and group[1]]
    while True:
        before = len(search.told)
        open_ = [part for group in open_ for part in search.parts(group)]
        if len(search.told) == before:
            return search.told, open_


class _Search:
    def __init__(self, graphs: tuple[CallGraph, CallGraph], sure: dict[str, str], aligned: Mapping[str, str]) -> None:
        self.graphs, self.aligned = graphs, aligned
        self.told: dict[str, tuple[str, str]] = {}
        self.inside: tuple[dict[Steps, list[Steps]], ...] = (defaultdict(list), defaultdict(list))
        self.partner: tuple[dict[Steps, Steps], ...] = ({}, {})
        self.lists = [_lists(graph) for graph in graphs]
        for a, b in sure.items():
            self._know(a, b)

    def _know(self, a: str, b: str) -> None:
        """Layers whose partners are known, by every layer around them."""
        for side, one, other in ((0, names(a), names(b)), (1, names(b), names(a))):
            self.partner[side][one] = other
            for depth in range(len(one)):
                self.inside[side][one[:depth]].append(one)

    def parts(self, group: Open) -> list[Open]:
        """What stays of a group, in as many parts as can be told apart."""
        left = []
        for part in [part for alike in self._by_shapes(group) for part in self._by_order(alike)]:
            for ours, theirs in self._by_neighbours(part):
                if len(ours) == len(theirs) == 1:
                    why = BESIDE if (ours, theirs) != part else IN_ORDER
                    self.told[ours[0]] = (theirs[0], why)
                    self._know(ours[0], theirs[0])
                elif ours and theirs:
                    left.append((ours, theirs))
        return left

    def _by_shapes(self, group: Open) -> Iterator[Open]:
        """Kernels of equal sizes in another order of axes are no rivals; a matrix may be stored transposed."""
        sides = []
        for side, paths in enumerate(group):
            found: dict[Shapes, list[str]] = defaultdict(list)
            for path in paths:
                found[_shapes(self.graphs[side], path)].append(path)
            sides.append(found)
        if {shapes: len(paths) for shapes, paths in sides[0].items()} != {k: len(v) for k, v in sides[1].items()}:
            yield group
            return
        for shapes, alike in sides[0].items():
            yield tuple(alike), tuple(sides[1][shapes])

    # ------------------------------------------------------------------------------------------- neighbours

    def _by_neighbours(self, group: Open) -> Iterator[Open]:
        """Parts of which each side points at the other: the layers next to them are partners."""
        if len(group[0]) == len(group[1]) == 1:
            yield group
            return
        points = tuple({path: self._points_at(side, path, group[1 - side]) for path in group[side]} for side in (0, 1))
        done: tuple[set[str], set[str]] = (set(), set())
        for a in group[0]:
            there = points[0][a]
            if a in done[0] or there is None:
                continue
            back = {points[1][b] for b in there}
            mine = next(iter(back))
            if len(back) > 1 or mine is None or a not in mine or len(mine) != len(there):
                continue
            if all(points[0][k] == there for k in mine) and mine != frozenset(group[0]):
                done[0].update(mine)
                done[1].update(there)
                yield tuple(p for p in group[0] if p in mine), tuple(p for p in group[1] if p in there)
        yield tuple(p for p in group[0] if p not in done[0]), tuple(p for p in group[1] if p not in done[1])

    def _points_at(self, side: int, path: str, others: Collection[str]) -> frozenset[str] | None:
        """Which of `others` stand where the partners of the layers next to `path` stand."""
        steps = names(path)
        for depth in range(len(steps) - 1, 0, -1):
            near = [one for one in self.inside[side].get(steps[:depth], ()) if one != steps]
            if near:
                return _around([self.partner[side][one] for one in near], others)
        return None

    # ------------------------------------------------------------------------------------------------ order

    def _by_order(self, group: Open) -> Iterator[Open]:
        """A group cut wherever lists of both sides put all that comes before ahead of all that comes after."""
        ours, theirs = group
        if len(ours) != len(theirs):
            yield group
            return
        sides = [self._sorted(side, paths) for side, paths in enumerate(group)]
        cuts = [self._cuts(side, paths) for side, paths in enumerate(sides)]
        start = 0
        for stop in (*sorted(cuts[0] & cuts[1]), len(ours)):
            part = tuple(sides[0][start:stop]), tuple(sides[1][start:stop])
            if any(self.aligned.get(a, part[1][0]) not in part[1] for a in part[0]):
                yield group
                return
            start = stop
        start = 0
        for stop in (*sorted(cuts[0] & cuts[1]), len(ours)):
            yield tuple(sides[0][start:stop]), tuple(sides[1][start:stop])
            start = stop

    def _sorted(self, side: int, paths: Sequence[str]) -> list[str]:
        """In the net's own order, which is that of its lists too."""
        place = {path: n for n, path in enumerate(self.graphs[side].layers)}
        return sorted(paths, key=lambda path: place[path])

    def _cuts(self, side: int, paths: Sequence[str]) -> set[int]:
        """Places in the order at which a list parts all before from all behind."""
        steps = [names(path) for path in paths]
        return {
            at
            for at in range(1, len(steps))
            if all(self._parted(side, one, other) for one in steps[:at] for other in steps[at:])
        }

    def _parted(self, side: int, one: Steps, other: Steps) -> bool:
        shared = _shared(one, other)
        return shared in self.lists[side] and len(one) > len(shared) and int(one[len(shared)]) < int(other[len(shared)])


def _shapes(graph: CallGraph, path: str) -> Shapes:
    shapes = [parameter.shape for parameter in graph.meanings[path].parameters.values()]
    sizes = [(len(shape) > 2, [n for n in shape if n != 1]) for shape in shapes]
    return tuple(sorted(tuple(own if kernel else sorted(own)) for kernel, own in sizes))


def _around(near: Sequence[Steps], others: Collection[str]) -> frozenset[str] | None:
    """Those of `others` in the smallest layer that holds all of `near` and one of them."""
    around = near[0][:-1]
    for one in near[1:]:
        around = _shared(around, one[:-1])
    for depth in range(len(around), 0, -1):
        found = frozenset(path for path in others if names(path)[:depth] == around[:depth])
        if found:
            return found
    return None


def _shared(one: Steps, other: Steps) -> Steps:
    """What two paths begin with."""
    size = next((n for n, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    return one[:size]


def _lists(graph: CallGraph) -> set[Steps]:
    """Layers whose children are numbered."""
    below: dict[Steps, Counter[bool]] = defaultdict(Counter)
    for path in graph.layers:
        steps = names(path)
        if steps:
            below[steps[:-1]][steps[-1].isdigit()] += 1
    return {steps for steps, count in below.items() if count[True] > 1 and not count[False]}
