"""The calls of a step as a tree of paths, for a flame view: how long each took in all, and where it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tracer.divergence.graph import CallId
from tracer.profiling.measured import spread, together
from tracer.profiling.sides import Side

Chain = tuple[str, ...]


@dataclass(frozen=True)
class Flame:
    """One layer where it was called: `chain` are the paths around it and its own, `begin` and `length` nanoseconds of
    a step in which everything stands in the order of its first call, forward and backward put together."""

    chain: Chain
    begin: float
    length: float
    calls: int
    kind: str

    @property
    def path(self) -> str:
        """The layer's."""
        return self.chain[-1]

    @property
    def depth(self) -> int:
        """How many layers are around it."""
        return len(self.chain) - 1


def flames(side: Side) -> tuple[Flame, ...]:
    """All layers of a side that took any time, each inside the one that called it."""
    groups: dict[Chain, list[CallId]] = {}
    chains: dict[CallId, Chain] = {}
    for id_, node in side.graph.nodes.items():
        above = chains.get(node.parent, ()) if node.parent is not None else ()
        chains[id_] = (*above, id_.path)
        groups.setdefault(chains[id_], []).append(id_)
    lengths = {chain: _length(side, ids) for chain, ids in groups.items()}
    inside: dict[Chain, list[Chain]] = {}
    for chain in groups:
        inside.setdefault(chain[:-1], []).append(chain)
    kinds = {chain: side.graph.nodes[ids[0]].layer.kind for chain, ids in groups.items()}

    def walk(begin: float, room: float, chains: list[Chain]) -> Iterator[Flame]:
        whole = sum(lengths[chain] for chain in chains)
        scale = min(1.0, room / whole) if whole > 0 else 1.0  # medians need not add up exactly
        for chain in chains:
            length = lengths[chain] * scale
            if length > 0:
                yield Flame(chain, begin, length, len(groups[chain]), kinds[chain])
                yield from walk(begin, length, inside.get(chain, []))
            begin += length

    top = inside.get((), [])
    return tuple(walk(0.0, sum(lengths[chain] for chain in top), top))


def _length(side: Side, ids: list[CallId]) -> float:
    orders = [side.graph.nodes[id_].call.order for id_ in ids]
    found = spread(together(*(side.measured.sum(orders, "total", phase) for phase in side.phases)))
    return found.median if found else 0.0
