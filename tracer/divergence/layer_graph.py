"""A skeleton -> the graph of its layers, for nets that never ran and files that hold nothing but parameters.

Each layer stands for one call, in the order in which the framework walks the net, so the aligner takes it like any
other graph. Who feeds whom is not known. What a net says without running is that members of a list (children named 0,
1, 2 ...) follow one another: that alone are the edges here. Attributes of a class stand side by side, in whatever
order they were written: their order proves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from tracer.divergence.graph import CallGraph, CallId, Feed, Given, Node, names
from tracer.divergence.rules import UserRule, meaning
from tracer.trace.schema import ROOT, Call, Layer, Skeleton


@dataclass(frozen=True)
class LayerGraph(CallGraph):
    """Layers in place of calls; see the module."""

    ran: ClassVar[bool] = False

    def feeds(self, id_: CallId) -> tuple[Feed, ...]:  # noqa: ARG002
        """Nothing is known of tensors."""
        return ()

    def output_feeds(self, id_: CallId) -> tuple[Feed, ...]:  # noqa: ARG002
        """Nothing is known of tensors."""
        return ()

    def fed_key(self, id_: CallId) -> tuple[Any, ...]:
        """Layers of one parent behind the same members of a list are side by side."""
        return (self.nodes[id_].parent, *sorted(self.sources.get(id_, ())))

    @cached_property
    def _origins(self) -> Mapping[CallId, frozenset[CallId | Given]]:
        inside: dict[CallId, frozenset[CallId | Given]] = {}
        for unit in self.units:
            for around in (unit, *self.ancestors(unit)):
                inside[around] = inside.get(around, frozenset()) | {unit}
        before = self._before_in_list
        found: dict[CallId, frozenset[CallId | Given]] = {}
        for unit in self.units:
            behind = next((before[x] for x in (unit, *self.ancestors(unit)) if x in before), None)
            found[unit] = inside.get(behind, frozenset()) if behind is not None else frozenset()
        return found

    @cached_property
    def _before_in_list(self) -> Mapping[CallId, CallId]:
        """For each member of a list the one before it."""
        found: dict[CallId, CallId] = {}
        for node in self.nodes.values():
            members = [child for child in node.children if names(child.path)[-1:] and names(child.path)[-1].isdigit()]
            members.sort(key=lambda child: int(names(child.path)[-1]))
            found.update({after: first for first, after in itertools.pairwise(members)})
        return found


def layer_graph(skeleton: Skeleton, user_rules: Sequence[UserRule] = ()) -> LayerGraph:
    """Build the graph of a net's layers; calls, where the skeleton has some, are left aside."""
    framework, layers = skeleton.header.framework, skeleton.layers
    meanings = {path: meaning(layer, framework, layers, user_rules) for path, layer in layers.items()}
    parents = {path: _parent(path, layers) for path in layers}
    children: dict[str, list[CallId]] = {}
    for path, parent in parents.items():
        if parent is not None:
            children.setdefault(parent, []).append(CallId(path, 0))
    bare = {path for path in layers if all(".parametrizations." in f".{c.path}." for c in children.get(path, ()))}
    # a layer of a known op that holds all parameters of its tree is that op (a norm with its activation inside)
    holding = {parent for path, layer in layers.items() if layer.parameters for parent in _above(path, parents)}
    whole = {path for path, layer in layers.items() if layer.parameters and path not in holding}
    orders = {path: order for order, path in enumerate(layers)}
    nodes: dict[CallId, Node] = {}
    for path, layer in layers.items():
        parent = parents[path]
        above = nodes.get(CallId(parent, 0)) if parent is not None else None
        nodes[CallId(path, 0)] = Node(
            id=CallId(path, 0),
            call=Call(0, orders[path], path, 0, orders[parent] if parent is not None else None),
            layer=layer,
            meaning=meanings[path],
            parent=CallId(parent, 0) if parent is not None else None,
            children=tuple(children.get(path, ())),
            unit=meanings[path].atomic or path in bare or (bool(meanings[path].op) and path in whole),
            hidden=above is not None and (above.unit or above.hidden),
        )
    return LayerGraph(
        framework=framework,
        nodes=nodes,
        roots=tuple(id_ for id_, node in nodes.items() if node.parent is None),
        layers=layers,
        meanings=meanings,
        silent=(),
        by_order={order: CallId(path, 0) for path, order in orders.items()},
    )


def _above(path: str, parents: Mapping[str, str | None]) -> Iterator[str]:
    parent = parents[path]
    while parent is not None:
        yield parent
        parent = parents[parent]


def _parent(path: str, layers: Mapping[str, Layer]) -> str | None:
    """The nearest layer around a path; None for the net itself."""
    if path == ROOT:
        return None
    above = path.rpartition(".")[0]
    while above and above not in layers:
        above = above.rpartition(".")[0]
    return above or (ROOT if ROOT in layers else None)
