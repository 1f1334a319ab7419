"""One side of the two trees: which of its layers are shown, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.rules import Meaning
from tracer.starting_point.trees.rows import Part, Whole
from tracer.starting_point.weights.weight_map import ParameterFacts, key_of
from tracer.trace.schema import ROOT, Call, Layer

_LISTS = ("Sequential", "ModuleList", "ModuleDict", "SequentialCell", "CellList", "CellDict")


@dataclass(frozen=True)
class Side:
    """A net or a file as a tree. `bare` says that it is a file of parameters: no classes, no settings."""

    name: str
    net: str
    graph: CallGraph
    facts: Mapping[str, ParameterFacts]

    @property
    def bare(self) -> bool:
        """Is it a file of parameters, which knows neither classes nor settings?"""
        return not self.net

    @property
    def layers(self) -> Mapping[str, Layer]:
        """All layers by path."""
        return self.graph.layers

    def meaning(self, path: str) -> Meaning:
        """What a layer means; of the net itself nothing is known where it was not recorded."""
        return self.graph.meanings.get(path) or Meaning("")

    def node(self, path: str) -> Node:
        """The first call of a layer, or the layer as if it were one."""
        found = self.graph.nodes.get(CallId(path, 0))
        return found or Node(
            CallId(path), Call(0, 0, path, 0, None), self.layers[path], self.meaning(path), None, (), True, False
        )

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """The layer around each layer that is shown, in the order of the net."""
        found: dict[str, str] = {}
        for path in self.layers:
            if path == ROOT:
                continue
            around = self._around(path)
            whole = any(self.meaning(above).atomic for above in [*around, ROOT])
            if not whole and ".parametrizations" not in f".{path}":
                found[path] = around[0] if around else ROOT
        return found

    def _around(self, path: str) -> list[str]:
        """The layers around one, the nearest first, without the net itself."""
        parts = path.split(".")
        paths = (".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
        return [above for above in paths if above in self.layers]

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """The layers in each layer; members of a list by their number."""
        found: dict[str, list[str]] = {}
        for path, parent in self.parents.items():
            found.setdefault(parent, []).append(path)
        return {parent: tuple(_in_order(paths)) for parent, paths in found.items()}

    @cached_property
    def shown(self) -> tuple[str, ...]:
        """All layers that are shown but the net itself, each behind the one around it."""
        return self.below(ROOT)

    def below(self, path: str) -> tuple[str, ...]:
        """All layers inside a layer, each behind the one around it."""
        found: list[str] = []
        todo = list(reversed(self.children.get(path, ())))
        while todo:
            found.append(todo.pop())
            todo += reversed(self.children.get(found[-1], ()))
        return tuple(found)

    def own(self, path: str) -> dict[str, ParameterFacts]:
        """The parameters that a layer computes with, by own name; of a layer that is looked at whole, all inside."""
        found = {}
        layer = self.layers.get(path)
        inside = [path] if not self.meaning(path).atomic else [p for p in self.layers if _within(p, path)]
        for one in inside if layer else ():
            prefix = "" if one == path else f"{one.removeprefix(f'{path}.')}."
            for parameter in self.layers[one].parameters:
                facts = self.facts[key_of(one, parameter.name)]
                if facts.needed:
                    found[f"{prefix}{parameter.name}"] = facts
        return found

    def is_layer(self, path: str) -> bool:
        """Does it count as a layer? Containers do only where they hold parameters, empty lists never."""
        return bool(self.own(path)) or not (self.children.get(path) or self._empty_list(path))

    def computes_nothing(self, path: str) -> bool:
        """Does the layer, with all that lies in it, hand on what it gets, at least in evaluation?"""
        leaves = [p for p in (path, *self.below(path)) if not self.children.get(p)]
        return all(self.meaning(leaf).transparent or self._empty_list(leaf) for leaf in leaves)

    def _empty_list(self, path: str) -> bool:
        layer = self.layers.get(path)
        if layer is None or self.children.get(path) or layer.parameters:
            return False
        names = [base.rpartition(".")[2] for base in (*layer.bases, layer.kind)]
        return any(name in _LISTS for name in names)

    def part(self, path: str, label: str) -> Part:
        """A layer as it is shown."""
        layer, means = self.layers.get(path), self.meaning(path)
        if layer is None:
            return Part(path, label, self.net)
        return Part(
            path=path,
            label=label,
            kind=layer.kind,
            op=means.op,
            settings={name: setting.value for name, setting in means.settings.items()},
            parameters={name: facts.shape for name, facts in self.own(path).items()},
            source=str(layer.made_at) if layer.made_at else None,
        )

    def whole(self) -> Whole:
        """How much there is of it."""
        counted = [f for f in self.facts.values() if f.needed and not f.tied and not f.statistics]
        layers = sum(self.is_layer(path) for path in (ROOT, *self.shown) if path in self.layers)
        numbers = sum(prod(facts.shape) for facts in counted)
        return Whole(self.name, self.graph.framework, self.net, layers, len(counted), numbers)


def _within(path: str, around: str) -> bool:
    return around in {path, ROOT} or path.startswith(f"{around}.")


def _in_order(paths: list[str]) -> list[str]:
    """A list's members by number; attributes as they were written."""
    last = [path.rpartition(".")[2] for path in paths]
    return sorted(paths, key=lambda p: int(p.rpartition(".")[2])) if all(x.isdigit() for x in last) else paths
