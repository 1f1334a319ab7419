"""Patterns of layers, and how one is laid over the layers that are there."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tracer.frameworks.making.code import Expr

_MOST_STEPS = 200_000
"""Transitions looked at when a pattern is laid over layers."""


@dataclass(frozen=True, eq=False)
class Item:
    """One layer, made by this expression; under this key, where one is written."""

    expr: Expr
    key: ast.expr | None = None


@dataclass(frozen=True, eq=False)
class Many:
    """Any number of layers that this expression brings from where nobody can look; None: that were made elsewhere."""

    expr: Expr | None


@dataclass(frozen=True, eq=False)
class Row:
    """These parts one after the other."""

    parts: tuple[Pattern, ...] = ()


@dataclass(frozen=True, eq=False)
class Either:
    """One of these parts."""

    parts: tuple[Pattern, ...]


@dataclass(frozen=True, eq=False)
class Again:
    """One part any number of times."""

    part: Pattern


Pattern = Item | Many | Row | Either | Again
Label = Item | Many
NOTHING = Row()


def labels(pattern: Pattern) -> Iterator[Label]:
    """All expressions in a pattern."""
    if isinstance(pattern, Item | Many):
        yield pattern
    elif isinstance(pattern, Again):
        yield from labels(pattern.part)
    else:
        for part in pattern.parts:
            yield from labels(part)


@dataclass
class _Machine:
    """A pattern as states: `steps` consume a layer, `free` do not."""

    steps: list[tuple[int, int, Label]] = field(default_factory=list)
    free: list[tuple[int, int]] = field(default_factory=list)
    size: int = 1

    def new(self, before: int) -> int:
        self.size += 1
        self.free.append((before, self.size - 1))
        return self.size - 1

    def add(self, pattern: Pattern, start: int) -> int:
        """Put a pattern behind a state; the state after it."""
        if isinstance(pattern, Item):
            self.size += 1
            self.steps.append((start, self.size - 1, pattern))
            return self.size - 1
        if isinstance(pattern, Many):
            here = self.new(start)
            self.steps.append((here, here, pattern))
            return here
        if isinstance(pattern, Row):
            for part in pattern.parts:
                start = self.add(part, start)
            return start
        if isinstance(pattern, Again):
            here = self.new(start)
            self.free.append((self.add(pattern.part, here), here))
            return self.new(here)
        ends = [self.add(part, self.new(start)) for part in pattern.parts]
        end = self.new(ends[0]) if ends else start
        self.free += [(other, end) for other in ends[1:]]
        return end


def fit(pattern: Pattern, count: int, cost: Callable[[Label, int], float]) -> tuple[float, list[list[Label]]]:
    """Lay a pattern over `count` layers: the least cost (infinite where it does not fit), and for each layer the
    expressions that make it in some way of that cost. `cost(label, n)` is that of layer n."""
    machine = _Machine()
    end = machine.add(pattern, 0)
    if len(machine.steps) * count > _MOST_STEPS:
        return math.inf, [[] for _ in range(count)]
    table = [[cost(label, n) for _, _, label in machine.steps] for n in range(count)]
    ahead = [_spread({0: 0.0}, machine.free)]
    for costs in table:
        ahead.append(_spread(_step(ahead[-1], [(a, b) for a, b, _ in machine.steps], costs), machine.free))
    best = ahead[-1].get(end, math.inf)
    if math.isinf(best):
        return best, [[] for _ in range(count)]
    backward = [(b, a) for a, b in machine.free]
    behind = [_spread({end: 0.0}, backward)]
    for costs in reversed(table):
        behind.append(_spread(_step(behind[-1], [(b, a) for a, b, _ in machine.steps], costs), backward))
    behind.reverse()
    nowhere = math.inf
    chosen = [
        [
            label
            for (a, b, label), price in zip(machine.steps, costs, strict=True)
            if ahead[n].get(a, nowhere) + price + behind[n + 1].get(b, nowhere) <= best + 1e-6
        ]
        for n, costs in enumerate(table)
    ]
    return best, chosen


def _step(states: Mapping[int, float], steps: Sequence[tuple[int, int]], costs: Sequence[float]) -> dict[int, float]:
    found: dict[int, float] = {}
    for (a, b), price in zip(steps, costs, strict=True):
        total = states.get(a, math.inf) + price
        if total < found.get(b, math.inf):
            found[b] = total
    return found


def _spread(states: dict[int, float], free: Sequence[tuple[int, int]]) -> dict[int, float]:
    changed = True
    while changed:
        changed = False
        for a, b in free:
            if states.get(a, math.inf) < states.get(b, math.inf):
                states[b] = states[a]
                changed = True
    return states
