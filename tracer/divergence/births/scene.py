"""One step laid out: which recorded values are not finite, who took them, which parameters there were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from tracer.divergence.births.born import Seen
from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.metrics import rounding
from tracer.trace.schema import ROOT, Parameter, Place, Skeleton, Statistics, Step, Value


class Key(NamedTuple):
    """A recorded value, however often it is seen: the call and the side at which it was seen first."""

    order: int
    side: str
    leaf: str


def odd(value: Value | Parameter | None) -> bool:
    """Does it hold NaN or Inf?"""
    known = value.statistics if value is not None else None
    return known is not None and bool(known.nan or known.inf)


def finite_floats(values: Iterable[Value]) -> bool:
    """Are there floats among these, and all of them finite?"""
    floats = [v for v in values if v.kind == "tensor" and rounding(v.dtype) and v.statistics is not None]
    return bool(floats) and not any(map(odd, floats))


def seen(what: str, value: Value | Parameter, *, mask: bool = False) -> Seen:
    """A value as it is told of."""
    known = value.statistics or Statistics(0)
    return Seen(what, value.shape, value.dtype, known.minimum, known.maximum, known.nan, known.inf, mask, known.l2)


@dataclass(frozen=True)
class Scene:
    """One step of a trace with the graph of its calls; `masks` and `buffers` hold infinities that are no fault."""

    skeleton: Skeleton
    step: Step
    graph: CallGraph
    masks: set[Key] = field(default_factory=set)
    buffers: set[Place] = field(default_factory=set)

    def key(self, id_: CallId, side: str, value: Value) -> Key:
        """Which value this is."""
        maker = value.maker
        if maker is None or value.changed:
            return Key(self.graph.nodes[id_].call.order, side, value.leaf)
        return Key(maker.order, maker.side, maker.leaf)

    def spoilt(self, id_: CallId, side: str, value: Value) -> bool:
        """Is it not finite, and no mask?"""
        return odd(value) and self.key(id_, side, value) not in self.masks

    def spoilt_keys(self, id_: CallId, side: str) -> list[Key]:
        """The values on one side of a call that are not finite and no masks."""
        node = self.graph.nodes[id_]
        values = node.inputs if side == "input" else node.outputs
        return [self.key(id_, side, v) for v in values if self.spoilt(id_, side, v)]

    def clean(self, id_: CallId) -> bool:
        """Is all finite that a call took, gave and holds?"""
        if self.spoilt_keys(id_, "input") or self.spoilt_keys(id_, "output"):
            return False
        return not self.spoilt_parameters(id_)

    def events(self) -> Iterator[tuple[CallId, str]]:
        """Calls as they begin ("input") and end ("output"); what lies inside a unit is not looked at."""
        todo = [(root, "input") for root in reversed(self.graph.roots)]
        while todo:
            id_, side = todo.pop()
            node = self.graph.nodes[id_]
            yield id_, side
            if side == "output":
                continue
            todo.append((id_, "output"))
            if not node.unit:
                todo += [(child, "input") for child in reversed(node.children) if not self.graph.nodes[child].hidden]

    @cached_property
    def takers(self) -> dict[Key, list[CallId]]:
        """The calls that were given a value, containers too, in the order in which they began."""
        found: dict[Key, list[CallId]] = {}
        for id_, node in self.graph.nodes.items():
            for value in () if node.hidden else node.inputs:
                found.setdefault(self.key(id_, "input", value), []).append(id_)
        return found

    # ----------------------------------------------------------------------------------------------------------------
    # Parameters
    # ----------------------------------------------------------------------------------------------------------------

    @cached_property
    def held(self) -> dict[Place, Value | Parameter]:
        """All parameters and buffers as this step found them."""
        before = self.step.parameters_before
        own: dict[Place, Value | Parameter] = {
            (path, p.name): before.get(p.owner or (path, p.name), p)
            for path, layer in self.skeleton.layers.items()
            for p in layer.parameters
        }
        return own | {place: value for place, value in before.items() if place not in own}

    @cached_property
    def _silent(self) -> frozenset[str]:
        return frozenset(self.graph.silent)

    def parameters(self, id_: CallId) -> list[tuple[Place, Value | Parameter]]:
        """What a call computes with: its own; of a unit what lies below too, of others what lies in layers below that
        never ran (code may use it)."""
        node = self.graph.nodes[id_]
        return [
            (place, value)
            for place, value in self.held.items()
            if place[0] == id_.path or (below(place[0], id_.path) and (node.unit or place[0] in self._silent))
        ]

    def spoilt_parameters(self, id_: CallId) -> list[tuple[str, str, str]]:
        """Those of them that are not finite, and no masks, as keys of a ledger."""
        held = self.parameters(id_)
        return [("parameter", *place) for place, value in held if odd(value) and place not in self.buffers]

    # ----------------------------------------------------------------------------------------------------------------
    # What a value was made of
    # ----------------------------------------------------------------------------------------------------------------

    def before(self, scope: CallId | None, id_: CallId | None) -> list[CallId]:
        """The calls directly inside `scope` that began before call `id_` (None: all of them)."""
        siblings = self.graph.roots if scope is None else self.graph.nodes[scope].children
        shown = [sibling for sibling in siblings if not self.graph.nodes[sibling].hidden]
        return shown[: shown.index(id_)] if id_ in shown else shown

    def at_hand(self, scope: CallId | None, id_: CallId | None) -> list[tuple[CallId, str, Value]]:
        """What code of `scope` could use before call `id_`: what the call was given, and what calls inside gave."""
        values = [] if scope is None else [(scope, "input", v) for v in self.graph.nodes[scope].inputs]
        for sibling in self.before(scope, id_):
            values += [(sibling, "output", v) for v in self.graph.nodes[sibling].outputs]
        return values

    def given(self, id_: CallId, side: str = "input") -> list[Seen]:
        """What a call took (or gave), as it is told of."""
        node = self.graph.nodes[id_]
        values = node.inputs if side == "input" else node.outputs
        return [
            seen(f"{side} {v.leaf}".rstrip(), v, mask=odd(v) and self.key(id_, side, v) in self.masks) for v in values
        ]

    def given_parameters(self, id_: CallId) -> list[Seen]:
        """The parameters a call computes with, as they are told of."""
        prefix = "" if id_.path == ROOT else f"{id_.path}."
        return [
            seen(
                f"parameter {'' if path == id_.path else path.removeprefix(prefix) + '.'}{name}",
                value,
                mask=(path, name) in self.buffers,
            )
            for (path, name), value in self.parameters(id_)
        ]

    def names(self, ids: Iterable[CallId]) -> tuple[str, ...]:
        """Calls as they are told of, each once."""
        return tuple(dict.fromkeys(str(id_) for id_ in ids))

    def node(self, order: int) -> Node | None:
        """The call of an order."""
        id_ = self.graph.by_order.get(order)
        return self.graph.nodes.get(id_) if id_ is not None else None


def below(path: str, above: str) -> bool:
    """Does a path lie below another?"""
    return path != above and (above == ROOT or path.startswith(f"{above}."))
