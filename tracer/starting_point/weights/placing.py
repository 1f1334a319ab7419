"""Two skeletons -> which parameter of the candidate is made of which of the reference.

The walk: both nets become graphs (of their calls where both ran, else of their layers) and are aligned as the diff
aligns them. Within each pair of layers parameters belong together by their common names, else by shapes that no other
has. What alignment paired by order alone is settled by values or names, or stays open. Merged projections are found
among what is left, and parameters that lie at another level of the net by their name and shape.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tracer.divergence.graph import CallGraph, call_graph
from tracer.divergence.layer_graph import layer_graph
from tracer.divergence.rules import CommonParameter, Meaning, UserRule
from tracer.errors import RuleError
from tracer.starting_point.weights.groups import AGAINST_NAMES, BY_NAMES, merged_layers
from tracer.starting_point.weights.leftovers import leftovers
from tracer.starting_point.weights.linking import Link, Sides, equal, link_layers, same_names
from tracer.starting_point.weights.naming import name_words
from tracer.starting_point.weights.roles import ReadValue, layer_roles, other_rows, rows_of, turned_layers
from tracer.starting_point.weights.steps import Reshape, Rows, Shape, Step, Turn, without_ones
from tracer.starting_point.weights.weight_map import (
    SHARED,
    Choice,
    ParameterFacts,
    Piece,
    Placement,
    WeightMap,
    key_of,
    parameters_of,
)
from tracer.trace.schema import Skeleton

Array = np.ndarray[Any, Any]
Read = Callable[[str], Array]


def map_weights(
    reference: Skeleton,
    candidate: Skeleton,
    *,
    pins: Sequence[tuple[str, str]] = (),
    rules: Sequence[UserRule] = (),
    read_reference: Read | None = None,
    read_candidate: Read | None = None,
    value_reference: ReadValue | None = None,
    value_candidate: ReadValue | None = None,
) -> WeightMap:
    """Say for every parameter of the candidate what it is made of.

    Args:
        reference: the net that the numbers come from. Calls are used where both skeletons have some.
        candidate: the net that they go to.
        pins: pairs that the user insists on, of layers by path or of parameters by key, the reference's first.
        rules: the user's own layers in common words.
        read_reference: gives an array of the reference, to see which layers hold equal numbers. Asked for only where
            structure leaves a choice.
        read_candidate: gives an array of the candidate. Leave it out where it holds no numbers that mean anything.
        value_reference: gives the array of a value that the reference recorded (`Trace.array`), so that its calls tell
            query, key and value, gate and up.
        value_candidate: likewise of the candidate.

    Raises:
        RuleError: a pin names what is not there, or a parameter twice.
    """
    both = graphs(reference, candidate, rules)
    calls = (
        _calls(reference, both[0], rules, value_reference),
        _calls(candidate, both[1], rules, value_candidate),
    )
    roles = [layer_roles(*told) if told else () for told in calls]
    turned = [turned_layers(*told) if told else {} for told in calls]
    sides = Sides(both, (read_reference, read_candidate), (roles[0], roles[1]), (turned[0], turned[1]))
    found = _Placing(reference, candidate, pins, sides).result()
    if all(graph.ran for graph in both) and (found.missing or found.surplus):
        layers = layer_graph(reference, rules), layer_graph(candidate, rules)
        return _completed(found, _Placing(reference, candidate, _settled(found, pins), replace(sides, graphs=layers)))
    return found


def _settled(found: WeightMap, pins: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """What the user insists on, and the pairs of layers that calls have made, as pins."""
    made = [
        (p.pieces[0].source.rpartition(".")[0], p.target.rpartition(".")[0])
        for p in found.placements
        if len(p.pieces) == 1 and not any(isinstance(step, Rows) for step in p.pieces[0].steps)
    ]
    pairs = list(dict.fromkeys(pair for pair in made if all(pair)))
    often = [Counter(side) for side in zip(*pairs, strict=True)] if pairs else []
    taken = [{pin[n] for pin in pins} for n in (0, 1)]
    sure = [(a, b) for a, b in pairs if often[0][a] == often[1][b] == 1 and a not in taken[0] and b not in taken[1]]
    return [*pins, *sure]


def _completed(found: WeightMap, by_layers: _Placing) -> WeightMap:
    """What calls leave alone (layers that never ran, or that run inside others) finds its place by the layers alone,
    with all that the calls tell kept."""
    left = {p.key for p in found.alone_reference}, {p.key for p in found.alone_candidate}
    more = [
        replace(placement, reason=f"{placement.reason}, by the layers alone")
        for placement in by_layers.result().placements
        if placement.target in left[1] and all(piece.source in left[0] for piece in placement.pieces)
    ]
    order = {key: n for n, key in enumerate(found.candidate)}
    return replace(found, placements=tuple(sorted((*found.placements, *more), key=lambda p: order[p.target])))


def graphs(reference: Skeleton, candidate: Skeleton, rules: Sequence[UserRule] = ()) -> tuple[CallGraph, CallGraph]:
    """Of calls where both ran, else of layers."""
    if all(skeleton.steps and skeleton.steps[0].calls for skeleton in (reference, candidate)):
        return call_graph(reference, 0, rules), call_graph(candidate, 0, rules)
    return layer_graph(reference, rules), layer_graph(candidate, rules)


def _calls(
    skeleton: Skeleton, graph: CallGraph, rules: Sequence[UserRule], value: ReadValue | None
) -> tuple[CallGraph, ReadValue] | None:
    """The calls of one net and how their values are read, also where the other never ran."""
    if value is None or not skeleton.steps:
        return None
    return (graph if graph.ran else call_graph(skeleton, 0, rules)), value


_ROLES = {"query", "key", "value", "gate", "up"}
"""Words in names that say what a layer is for."""


class _Placing:
    def __init__(self, reference: Skeleton, candidate: Skeleton, pins: Sequence[tuple[str, str]], sides: Sides) -> None:
        self.ours, self.theirs = parameters_of(reference), parameters_of(candidate)
        self.sides, self.graphs, self.read = sides, sides.graphs, sides.read
        self.placed: dict[str, Placement] = {}
        self.choices: list[Choice] = []
        self.notes: list[str] = []
        self.also: set[str] = set()
        keys = [(a, b) for a, b in pins if a in self.ours and b in self.theirs]
        self.pins = [pin for pin in pins if pin not in keys]
        for a, b in keys:
            self._pin(a, b)

    def result(self) -> WeightMap:
        linked = link_layers(self.sides, self.pins)
        turned = self._turned_kinds(linked.links)
        for link in linked.links:
            self._place_layer(link, turned)
        for references, candidates in linked.open:
            self._leave_open(references, candidates)
        for found in merged_layers(self.sides, linked.partner, self._free(0), self._free(1)):
            self._place_merged(found.placements, found.open)
        free = [
            [facts[key] for key in facts if key in keys]
            for facts, keys in ((self.ours, self._free(0)), (self.theirs, self._free(1)))
        ]
        single = tuple(frozenset(unit.path for unit in graph.units) for graph in self.graphs)
        straight = [
            frozenset(path for path, means in graph.meanings.items() if means.op == "linear" or means.family == "conv")
            for graph in self.graphs
        ]
        sides = (self.ours, self.theirs), (single[0], single[1]), (straight[0], straight[1])
        for placement in leftovers(free[0], free[1], linked.partner, *sides):
            self._place(placement)
        self._tied()
        self._by_names_only()
        self._across_names()
        order = {key: n for n, key in enumerate(self.theirs)}
        placements = sorted(self.placed.values(), key=lambda p: order[p.target])
        return WeightMap(
            self.ours, self.theirs, tuple(placements), tuple(self.choices), frozenset(self.also), tuple(self.notes)
        )

    def _means(self, side: int, path: str) -> Meaning:
        return self.graphs[side].meanings[path]

    # -------------------------------------------------------------------------------------------- parameters

    def _turned_kinds(self, links: Iterable[Link]) -> dict[tuple[str, str], bool]:
        """Pairs of classes: does one keep its matrices transposed? As those tell that are not square."""
        straight: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for link in links:
            if self._means(0, link.reference).op and self._means(1, link.candidate).op:
                continue  # the rules know how both keep them: other sizes are other layers
            for x, y in same_names(self._means(0, link.reference), self._means(1, link.candidate)):
                if len(x.shape) == len(y.shape) == 2 and x.shape[0] != x.shape[1]:
                    straight[self._kinds(link)] |= (
                        {y.shape == x.shape} if y.shape in (x.shape, x.shape[::-1]) else set()
                    )
        return {kinds: found == {False} for kinds, found in straight.items() if len(found) == 1}

    def _turn(self, link: Link, x: CommonParameter, turned: Mapping[tuple[str, str], bool]) -> bool | None:
        """Is a matrix to be transposed? None where it is square, of a class that no rule knows, and nothing tells."""
        if len(x.shape) != 2 or (self._means(0, link.reference).op and self._means(1, link.candidate).op):
            return False
        if x.shape[0] != x.shape[1]:
            return turned.get(self._kinds(link), False)
        ways = []
        for side, path in enumerate((link.reference, link.candidate)):
            means, own = self._means(side, path), self.sides.turned[side]
            ways.append(own.get(path, False if means.op else None))
        if None not in ways:
            return ways[0] != ways[1]
        kinds = self._kinds(link)
        if kinds in turned or kinds[0] == kinds[1] or not all(kinds) or x.name != "weight":
            return turned.get(kinds, False)
        return None

    def _kinds(self, link: Link) -> tuple[str, str]:
        return self.graphs[0].layers[link.reference].kind, self.graphs[1].layers[link.candidate].kind

    def _place_layer(self, link: Link, turned: Mapping[tuple[str, str], bool]) -> None:
        ours, theirs = self._means(0, link.reference), self._means(1, link.candidate)
        pairs = same_names(ours, theirs)
        taken = {id(p) for pair in pairs for p in pair}
        left = [p for p in ours.parameters.values() if id(p) not in taken]
        right = [p for p in theirs.parameters.values() if id(p) not in taken]
        pairs += _only_of_its_shape(left, right)
        rows = self._other_order(link)
        made: list[Placement] = []
        for x, y in pairs:
            a, b = self.ours[key_of(x.path, x.own_name)], self.theirs[key_of(y.path, y.own_name)]
            turn = self._turn(link, x, turned)
            if turn is None and a.shape == b.shape:
                why = "a square matrix of a class that no rule knows: it may be transposed, and nothing tells"
                self.choices.append(Choice((a.key,), (b.key,), why))
                continue
            steps = fit(a, x, b, y, turn=bool(turn), one_op=bool(ours.op) and ours.op == theirs.op)
            if steps is None and b.needed:
                return  # layers of other sizes: what fits of them by chance is not to be trusted
            if steps is not None and rows is not None and x.name in {"weight", "bias"}:
                made += self._reordered(link, a, b, rows)
            elif steps is not None:
                words = f"{link.reason}, transposed, as the calls or others of its class tell" if turn else link.reason
                made.append(Placement(b.key, (Piece(a.key, steps),), words, link.confidence))
        for placement in made:
            self._place(placement)

    def _other_order(self, link: Link) -> Rows | None:
        """Which rows of the reference's merged layer stand in the candidate's, where the calls tell that both keep
        them in other orders."""
        ours, theirs = self.sides.groups[0].get(link.reference), self.sides.groups[1].get(link.candidate)
        if ours is None or theirs is None or ours.symmetric or theirs.symmetric:
            return None
        rows, own = other_rows(ours, theirs), ours.own_rows(link.reference)
        wanted = [rows.get(row, -1) for row in theirs.own_rows(link.candidate)] if rows else []
        if not wanted or wanted == list(own) or any(row not in own for row in wanted):
            return None
        return rows_of([row - own.start for row in wanted])

    def _reordered(self, link: Link, a: ParameterFacts, b: ParameterFacts, rows: Rows) -> Iterator[Placement]:
        """A merged layer into one that keeps its rows in another order."""
        turned, back = (len(p.shape) == 2 and p.shape[0] != rows.count for p in (a, b))
        before, after = (p.shape[::-1] if turn else p.shape for p, turn in ((a, turned), (b, back)))
        if before == after and before[0] == rows.count:
            steps: tuple[Step, ...] = (Turn(), rows) if turned else (rows,)
            then: tuple[Step, ...] = (Turn(),) if back else ()
            words = "the rows in another order, by the calls"
            yield Placement(b.key, (Piece(a.key, steps),), words, link.confidence, then)

    def _place(self, placement: Placement) -> None:
        """Ahead of what comes later: the surest first; of a tied parameter at its first place."""
        target = self.theirs[placement.target].tied or placement.target
        pieces = tuple(replace(p, source=self.ours[p.source].tied or p.source) for p in placement.pieces)
        placement = replace(placement, target=target, pieces=pieces)
        other = self.placed.get(target)
        if other is None:
            self.placed[target] = placement
        elif [str(p) for p in other.pieces] != [str(p) for p in pieces]:
            self._two_sources(other, placement)

    def _two_sources(self, first: Placement, second: Placement) -> None:
        """A parameter that the candidate shares where the reference has two."""
        read = self.read[0]
        a, b = first.pieces[0].source, second.pieces[0].source
        if read is not None and not (first.transformed or second.transformed) and equal(read(a), read(b)):
            self.also.add(b)
            self.notes.append(f"{first.target} is shared in the candidate; {a} and {b} hold the same numbers")
        else:
            self.choices.append(Choice((a, b), (first.target,), SHARED))

    def _leave_open(self, references: Sequence[str], candidates: Sequence[str]) -> None:
        ours = [self._keys(0, path) for path in references]
        theirs = [self._keys(1, path) for path in candidates]
        for name in dict.fromkeys(name for keys in (*ours, *theirs) for name in keys):
            left = tuple(keys[name] for keys in ours if name in keys)
            right = tuple(keys[name] for keys in theirs if name in keys and keys[name] not in self.placed)
            if left and right:
                self.choices.append(
                    Choice(left, right, "equal shapes, and neither calls nor names tell which is which")
                )

    def _keys(self, side: int, path: str) -> dict[str, str]:
        return {name: key_of(p.path, p.own_name) for name, p in self._means(side, path).parameters.items()}

    def _free(self, side: int) -> frozenset[str]:
        """Keys that are neither placed nor open."""
        if side == 0:
            used = {piece.source for p in self.placed.values() for piece in p.pieces} | self.also
            open_ = {key for choice in self.choices for key in choice.references}
        else:
            used = set(self.placed)
            open_ = {key for choice in self.choices for key in choice.candidates}
        facts, taken = (self.ours, self.theirs)[side], used | open_
        return frozenset(key for key, p in facts.items() if not p.tied and key not in taken)

    def _place_merged(self, placements: Sequence[Placement], open_: Choice | None) -> None:
        for placement in placements:
            self._place(placement)
        if open_ is not None:
            self.choices.append(open_)

    def _across_names(self) -> None:
        """Say where calls sent a layer's numbers past the one that bears its name: those two may be swapped in the code
        of the port, which weights that follow the code do not show."""
        named = {name_words(key): key for key, facts in self.theirs.items() if not facts.tied}
        crossed: dict[tuple[str, str], None] = {}
        for placement in self.placed.values():
            source = placement.pieces[0].source
            other = named.get(name_words(source), placement.target)
            plain = len(placement.pieces) == 1 and other != placement.target and other in self.placed
            past = plain and self.theirs[other].shape == self.theirs[placement.target].shape
            roles = [set(name_words(key.split(".")[-2])) & _ROLES for key in (source, placement.target) if "." in key]
            another = len(roles) == 2 and all(roles) and not roles[0] & roles[1]
            if past or another or placement.reason.endswith(AGAINST_NAMES):
                crossed[
                    source.rpartition(".")[0] or source, placement.target.rpartition(".")[0] or placement.target
                ] = None
        if crossed:
            told = ", ".join(f"{a} -> {b}" for a, b in list(crossed)[:4])
            more = f" and {len(crossed) - 4} more" if len(crossed) > 4 else ""
            self.notes.append(
                f"placed across the names, as the calls tell: {told}{more}. Are these swapped in the candidate's code? "
                "Pin them by their names to have the code judged"
            )

    def _by_names_only(self) -> None:
        """Say where rows rest on a custom of the field that this net need not follow."""
        named = [p for p in self.placed.values() if p.reason.endswith(BY_NAMES)]
        if named:
            self.notes.append(
                f"{len(named)} parameters are rows of merged ones, or made of rows, in the order that names tell, "
                "block by block; no call confirms it (like=, compare and two traces ask the calls)"
            )

    def _tied(self) -> None:
        """Say where one side ties what the other does not."""
        targets = defaultdict(list)
        for placement in self.placed.values():
            if len(placement.pieces) == 1 and not placement.transformed:
                targets[placement.pieces[0].source].append(placement.target)
        for source, found in targets.items():
            if len(found) > 1:
                self.notes.append(
                    f"{source} is one parameter in the reference, and {len(found)} in the candidate: {', '.join(found)}"
                )

    def _pin(self, a: str, b: str) -> None:
        steps = straight(self.ours[a].shape, self.theirs[b].shape)
        if steps is None:
            raise RuleError(
                "a pin pairs parameters of other shapes",
                where=f"{self.ours[a]} = {self.theirs[b]}",
                then="write what is to be done to it into a map: tracer weights map ... -o map.toml",
            )
        if b in self.placed:
            raise RuleError("two pins name the same parameter", where=b, then="keep one of them")
        self._place(Placement(b, (Piece(a, steps),), "pinned", 1.0))


# --------------------------------------------------------------------------------------------------------------------
# Pairs of parameters
# --------------------------------------------------------------------------------------------------------------------


def _only_of_its_shape(
    left: Sequence[CommonParameter], right: Sequence[CommonParameter]
) -> list[tuple[CommonParameter, CommonParameter]]:
    """Parameters of one layer under other names: those whose shape no other of the layer has."""

    def by_shape(side: Sequence[CommonParameter]) -> dict[Shape, list[CommonParameter]]:
        found: dict[Shape, list[CommonParameter]] = defaultdict(list)
        for parameter in side:
            if parameter.shape:
                found[without_ones(parameter.shape)].append(parameter)
        return found

    ours, theirs = by_shape(left), by_shape(right)
    return [
        (found[0], theirs[shape][0])
        for shape, found in ours.items()
        if len(found) == 1 and len(theirs.get(shape, ())) == 1
    ]


def fit(
    a: ParameterFacts,
    x: CommonParameter,
    b: ParameterFacts,
    y: CommonParameter,
    *,
    turn: bool = False,
    one_op: bool = False,
) -> tuple[Step, ...] | None:
    """What makes `b` of `a`, by the layouts that the rules tell of and by shapes; None where they do not fit. Layers of
    one op hold their matrices as the rules say: other sizes are no transposed ones."""
    if turn and a.shape[::-1] == b.shape:
        return (Turn(),)
    if a.shape == b.shape:
        return ()
    if x.shape == y.shape:
        return (Reshape(b.shape),)
    steps = straight(a.shape, b.shape)
    return None if one_op and steps and isinstance(steps[0], Turn) else steps


def straight(ours: Shape, theirs: Shape) -> tuple[Step, ...] | None:
    """What makes an array of one shape of another where only axes of size 1 differ, or a matrix is transposed."""
    if ours == theirs:
        return ()
    if without_ones(ours) == without_ones(theirs):
        return (Reshape(theirs),)
    if len(ours) == len(theirs) == 2 and ours[::-1] == theirs:
        return (Turn(),)
    return None
