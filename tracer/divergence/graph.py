"""A skeleton -> the graph of its calls: who fed whom, and through what.

A node is one call. It is a *unit* when it is judged whole: a layer without recorded calls inside, or one whose rule
says so (MultiheadAttention). Calls that only make its weight (torch's parametrizations) or draw its random numbers (the
Dropout inside many a DropPath) do not count. The others are *containers*. What feeds a call is told leaf by leaf
(`Feed`): another call's output (the same tensor), an input of the enclosing call that was handed on, or *code* in the
enclosing call, which hid where the numbers came from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import networkx as nx

from tracer.divergence.metrics import one_by_one, same_values
from tracer.divergence.rules import Meaning, UserRule, meaning, random_now
from tracer.divergence.sampled import drew
from tracer.trace.schema import ROOT, Call, Layer, Parameter, Skeleton, Value

_NEAR = 8
"""How many calls before another are looked at for what code may have taken."""


@dataclass(frozen=True, order=True)
class CallId:
    """A call of a layer by its index, or the layer itself when it never fired (`call` -1)."""

    path: str
    call: int = -1

    def __str__(self) -> str:
        return self.path if self.call <= 0 else f"{self.path}#{self.call}"


@dataclass(frozen=True)
class Feed:
    """Where one leaf of a call's input (or of a container's output) came from.

    `kind` is "call": it is leaf `by_leaf` of the output of call `by`; "input": it is leaf `by_leaf` of the input of
    the enclosing call `by`; "code": code inside the call `by` made it (None: code outside the net);
    `by` may also name the call whose output was altered in place (`altered`).
    """

    value: Value
    kind: Literal["call", "input", "code"]
    by: CallId | None
    by_leaf: str = ""
    altered: CallId | None = None


@dataclass(frozen=True)
class Given:
    """A leaf of what the net itself was given."""

    leaf: str


@dataclass(frozen=True)
class Node:
    """One call with all that is known of it. `children` are the calls directly inside, in order; `hidden` says that
    it lies inside a unit and is not looked at by itself; `draws` that it drew random numbers of its own."""

    id: CallId
    call: Call
    layer: Layer
    meaning: Meaning
    parent: CallId | None
    children: tuple[CallId, ...]
    unit: bool
    hidden: bool
    draws: bool = False

    @property
    def inputs(self) -> tuple[Value, ...]:
        """Tensors that came in, positional ones first."""
        return tuple(v for v in (*self.call.inputs, *self.call.kwargs) if v.kind == "tensor")

    @property
    def outputs(self) -> tuple[Value, ...]:
        """Tensors that went out."""
        return tuple(v for v in self.call.outputs if v.kind == "tensor")


@dataclass(frozen=True)
class CallGraph:
    """All calls of one step of one trace, in the order in which they began; `silent` are layers that never fired."""

    framework: str
    nodes: Mapping[CallId, Node]
    roots: tuple[CallId, ...]
    layers: Mapping[str, Layer]
    meanings: Mapping[str, Meaning]
    silent: tuple[str, ...]
    by_order: Mapping[int, CallId] = field(repr=False)

    ran: ClassVar[bool] = True
    """Did the net run, so that it is known who fed whom?"""

    @cached_property
    def units(self) -> tuple[CallId, ...]:
        """The calls that are judged whole, in the order in which they began."""
        return tuple(id_ for id_, node in self.nodes.items() if node.unit and not node.hidden)

    @cached_property
    def containers(self) -> tuple[CallId, ...]:
        """The calls that others lie inside of, outermost first."""
        return tuple(id_ for id_, node in self.nodes.items() if not node.unit and not node.hidden)

    def feeds(self, id_: CallId) -> tuple[Feed, ...]:
        """Where each tensor that came in came from."""
        node = self.nodes[id_]
        return tuple(self._feed(node.parent, value) for value in node.inputs)

    def fed_key(self, id_: CallId) -> tuple[Any, ...]:
        """What a call was given, to tell calls that were given the same."""
        return tuple((f.kind, f.by, f.by_leaf, f.value.digest) for f in self.feeds(id_))

    def output_feeds(self, id_: CallId) -> tuple[Feed, ...]:
        """Where each tensor that a container gave came from; of a unit nothing is known."""
        node = self.nodes[id_]
        return () if node.unit else tuple(self._feed(id_, value) for value in node.outputs)

    def _feed(self, scope: CallId | None, value: Value) -> Feed:
        maker = value.maker
        by = self.by_order.get(maker.order) if maker else None
        if maker is None or by is None:
            return Feed(value, "code", scope)
        if value.changed:
            return Feed(value, "code", scope, altered=by if maker.side == "output" else None)
        given = self._given(scope, value)
        if given is not None and scope is not None:
            return Feed(value, "input", scope, given)
        if maker.side == "input":
            return Feed(value, "input", by, maker.leaf)
        hiding = self._hiding(by)
        return Feed(
            value, "call", hiding or by, maker.leaf if hiding is None else self._leaf_of(hiding, by, maker.leaf)
        )

    def _given(self, scope: CallId | None, value: Value) -> str | None:
        """The leaf under which the enclosing call itself was given this very tensor."""
        if scope is None:
            return None
        return next((v.leaf for v in self.nodes[scope].inputs if v.maker == value.maker and not v.changed), None)

    def _hiding(self, id_: CallId) -> CallId | None:
        """The unit around a hidden call."""
        node = self.nodes[id_]
        while node.hidden and node.parent is not None:
            node = self.nodes[node.parent]
        return None if node.id == id_ else node.id

    def _leaf_of(self, outer: CallId, inner: CallId, leaf: str) -> str:
        order = self.nodes[inner].call.order
        for value in self.nodes[outer].outputs:
            if value.maker and (value.maker.order, value.maker.leaf) == (order, leaf):
                return value.leaf
        return leaf

    def hands_in(self, id_: CallId, leaf: str) -> bool:
        """Does a call directly inside take this leaf of the container's input as it came?"""
        return any(
            feed.kind == "input" and feed.by == id_ and feed.by_leaf == leaf
            for child in self.nodes[id_].children
            for feed in self.feeds(child)
        )

    def ancestors(self, id_: CallId) -> Iterator[CallId]:
        """The calls around this one, innermost first."""
        parent = self.nodes[id_].parent
        while parent is not None:
            yield parent
            parent = self.nodes[parent].parent

    def before(self, id_: CallId) -> tuple[CallId, ...]:
        """The calls of the same enclosing call that began earlier."""
        parent = self.nodes[id_].parent
        siblings = self.nodes[parent].children if parent is not None else ()
        return siblings[: siblings.index(id_)] if id_ in siblings else ()

    def value(self, id_: CallId, side: Literal["input", "output"], leaf: str) -> Value | None:
        """One recorded leaf of a call."""
        node = self.nodes.get(id_)
        values = () if node is None else node.inputs if side == "input" else node.outputs
        return next((v for v in values if v.leaf == leaf), None)

    @cached_property
    def _origins(self) -> Mapping[CallId, frozenset[CallId | Given]]:
        return _Sources(self).all()

    @cached_property
    def sources(self) -> Mapping[CallId, frozenset[CallId]]:
        """For each unit the units that fed it, as narrowly as can be told; what alignment looks at."""
        return {id_: frozenset(x for x in origins if isinstance(x, CallId)) for id_, origins in self._origins.items()}

    @cached_property
    def given(self) -> Mapping[CallId, frozenset[str]]:
        """For each unit the leaves of the net's own input that reached it through no other unit."""
        return {
            id_: frozenset(x.leaf for x in origins if isinstance(x, Given)) for id_, origins in self._origins.items()
        }

    @cached_property
    def takers(self) -> Mapping[CallId, list[CallId]]:
        """For each call those that took what it gave as it was."""
        found: dict[CallId, list[CallId]] = {}
        for id_, node in self.nodes.items():
            for feed in () if node.hidden else self.feeds(id_):
                if feed.kind == "call" and feed.by is not None:
                    found.setdefault(feed.by, []).append(id_)
        return found

    @cached_property
    def flow(self) -> nx.DiGraph:
        """The units and an edge from each to those it fed."""
        graph = nx.DiGraph()
        graph.add_nodes_from(self.units)
        graph.add_edges_from((a, b) for b, sources in self.sources.items() for a in sources)
        return graph


def call_graph(skeleton: Skeleton, step: int = 0, user_rules: Sequence[UserRule] = ()) -> CallGraph:
    """Build the graph of one step. Calls that never returned take part; their outputs are missing."""
    framework = skeleton.header.framework
    layers = skeleton.layers
    meanings = {path: meaning(layer, framework, layers, user_rules) for path, layer in layers.items()}
    calls = skeleton.steps[step].calls if step < len(skeleton.steps) else ()
    ids = {call.order: CallId(call.path, call.index) for call in calls}
    drawing = {call.order for call in calls if random_now(meanings.get(call.path) or Meaning(""), call.training)}
    drawn = _drawn_inside(calls, layers, meanings)
    inside: dict[int, list[CallId]] = {}
    for call in calls:
        if call.parent is not None:
            inside.setdefault(call.parent, []).append(ids[call.order])
    nodes: dict[CallId, Node] = {}
    for call in calls:
        id_ = ids[call.order]
        parent = ids.get(call.parent) if call.parent is not None else None
        layer = layers.get(call.path) or Layer(call.path, "?")
        means = meanings.get(call.path) or Meaning("")
        above = nodes.get(parent) if parent is not None else None
        children = tuple(inside.get(call.order, ()))
        nodes[id_] = Node(
            id=id_,
            call=call,
            layer=layer,
            meaning=means,
            parent=parent,
            children=children,
            unit=means.atomic
            or call.order in drawn
            or all(".parametrizations." in f".{child.path}." for child in children),
            hidden=above is not None and (above.unit or above.hidden),
            draws=call.order in drawing
            or bool(drawn.get(call.order, set()) & drawing)
            or (not means.op and not children and drew(layer, call)),
        )
    fired = {call.path for call in calls}
    hidden = {id_.path for id_, node in nodes.items() if node.hidden}
    atomic = {node.id.path for node in nodes.values() if node.unit}
    silent = tuple(path for path in layers if path not in fired and not _below(path, atomic | hidden))
    return CallGraph(
        framework=framework,
        nodes=nodes,
        roots=tuple(id_ for id_, node in nodes.items() if node.parent is None),
        layers=layers,
        meanings=meanings,
        silent=silent,
        by_order=ids,
    )


def _drawn_inside(
    calls: Sequence[Call], layers: Mapping[str, Layer], meanings: Mapping[str, Meaning]
) -> dict[int, set[int]]:
    """The calls of layers without parameters inside which nothing runs but dropout on a constant (ones), made by code:
    they take it for random numbers. By order, with the calls inside."""
    inside: dict[int, list[Call]] = {}
    for call in calls:
        if call.parent is not None:
            inside.setdefault(call.parent, []).append(call)
    orders = {call.order: call for call in calls}

    def is_source(call: Call) -> bool:
        means = meanings.get(call.path) or Meaning("")
        tensors = [v for v in (*call.inputs, *call.kwargs) if v.kind == "tensor"]
        return means.family == "dropout" and call.order not in inside and all(map(_constant, tensors))

    found = {}
    for order, within in inside.items():
        path = orders[order].path if order in orders else ""
        plain = path in layers and not layers[path].parameters and not (meanings.get(path) or Meaning("")).op
        if plain and all(map(is_source, within)):
            found[order] = {call.order for call in within}
    return found


def _constant(value: Value) -> bool:
    """Made by code, of one number throughout?"""
    seen = value.statistics
    return value.maker is None and seen is not None and seen.minimum is not None and seen.minimum == seen.maximum


def _below(path: str, paths: set[str]) -> bool:
    """Does the path lie below a layer that is judged whole? Its parameters are that layer's; MultiheadAttention's
    out_proj all the same is listed (it holds parameters under its own path)."""
    parts = path.split(".")
    above = {".".join(parts[:i]) for i in range(1, len(parts))}
    return bool(above & paths) and parts[-1] != "out_proj"


class _Sources:
    """Works out `CallGraph.sources`. Code between layers hides the exact road; then a tensor with the same numbers as
    an earlier one (a reshape, a transpose) is taken to come from there, else from every earlier sibling whose output
    nobody has been seen to take."""

    def __init__(self, graph: CallGraph) -> None:
        self.graph = graph
        self.memo: dict[tuple[CallId, str, str], frozenset[CallId | Given]] = {}
        self.taken = self._taken()

    def all(self) -> dict[CallId, frozenset[CallId | Given]]:
        return {
            id_: frozenset().union(*(self._of(feed, id_) for feed in self.graph.feeds(id_))) for id_ in self.graph.units
        }

    def _taken(self) -> dict[CallId, set[CallId]]:
        """For each container: its calls whose output a later call inside it took as it was."""
        taken: dict[CallId, set[CallId]] = {}
        for id_, node in self.graph.nodes.items():
            if node.parent is None or node.hidden:
                continue
            for feed in self.graph.feeds(id_):
                if feed.kind == "call" and feed.by is not None:
                    child = self._child_of(node.parent, feed.by)
                    if child is not None:
                        taken.setdefault(node.parent, set()).add(child)
                elif feed.kind == "code" and feed.by == node.parent:
                    before = self.graph.before(id_)
                    plain = (
                        self._plain(feed.by, feed.value, before) if self._likewise(feed.value, before) is None else None
                    )
                    if plain is not None and plain[0] != node.parent:
                        taken.setdefault(node.parent, set()).add(plain[0])
        return taken

    def _likewise(self, value: Value, earlier: Sequence[CallId]) -> tuple[Feed, CallId] | None:
        """What an earlier call was fed with the very same numbers by code, and that call."""
        for id_ in reversed(earlier[-_NEAR:]):
            for feed in self.graph.feeds(id_):
                if feed.kind == "code" and value.digest is not None and feed.value.digest == value.digest:
                    return feed, id_
        return None

    def _plain(self, scope: CallId, value: Value, earlier: Sequence[CallId]) -> tuple[CallId, str] | None:
        """The call inside `scope`, or `scope` for its input, whose numbers code handed on: the same in another shape,
        else each by itself through a function."""
        made = [(child, v) for child in reversed(earlier) for v in self.graph.nodes[child].outputs]
        given = [(scope, v) for v in self.graph.nodes[scope].inputs]
        for id_, v in (*made, *given):
            if same_values(v.statistics, value.statistics):
                return id_, v.leaf
        for id_, v in (*made[:_NEAR], *given):
            if v.shape == value.shape and one_by_one(v.statistics, value.statistics):
                return id_, v.leaf
        return None

    def _child_of(self, scope: CallId, id_: CallId) -> CallId | None:
        """The call directly inside `scope` that is, or lies around, `id_`."""
        while True:
            parent = self.graph.nodes[id_].parent
            if parent is None:
                return None
            if parent == scope:
                return id_
            id_ = parent

    def _of(self, feed: Feed, consumer: CallId | None) -> frozenset[CallId | Given]:
        if feed.by is None:
            return frozenset({Given(feed.value.leaf)})
        if feed.kind == "call":
            return self._output(feed.by, feed.by_leaf)
        if feed.kind == "input":
            return self._input(feed.by, feed.by_leaf)
        return self._code(feed, consumer)

    def _output(self, id_: CallId, leaf: str) -> frozenset[CallId | Given]:
        node = self.graph.nodes[id_]
        if node.unit:
            return frozenset({id_})
        key = (id_, "output", leaf)
        if key not in self.memo:
            self.memo[key] = frozenset()  # a circle cannot be, but a damaged file may claim one
            feeds = [f for f in self.graph.output_feeds(id_) if f.value.leaf == leaf] or self.graph.output_feeds(id_)
            self.memo[key] = frozenset().union(*(self._of(f, None) for f in feeds))
        return self.memo[key]

    def _input(self, id_: CallId, leaf: str) -> frozenset[CallId | Given]:
        key = (id_, "input", leaf)
        if key not in self.memo:
            self.memo[key] = frozenset()
            feeds = [f for f in self.graph.feeds(id_) if f.value.leaf == leaf]
            self.memo[key] = frozenset().union(*(self._of(f, id_) for f in feeds))
        return self.memo[key]

    def _code(self, feed: Feed, consumer: CallId | None) -> frozenset[CallId | Given]:
        scope = feed.by
        if scope is None:
            return frozenset()
        node = self.graph.nodes[scope]
        earlier = node.children if consumer is None else self.graph.before(self._child_of(scope, consumer) or consumer)
        likewise = self._likewise(feed.value, earlier)
        if likewise is not None:
            return self._of(*likewise)
        plain = self._plain(scope, feed.value, earlier)
        if plain is not None:
            return self._input(*plain) if plain[0] == scope else self._output(*plain)
        open_ = [child for child in earlier if child not in self.taken.get(scope, set())] or list(earlier[-1:])
        made = [self._output(child, v.leaf) for child in open_[-_NEAR:] for v in self.graph.nodes[child].outputs]
        if feed.altered is not None:
            made.append(self._output(feed.altered, ""))
        handed = [self._input(scope, value.leaf) for value in node.inputs] if len(open_) < 2 else []
        return frozenset().union(*made, *handed)


def names(path: str) -> tuple[str, ...]:
    """The parts of a structural path; none for the net itself."""
    return () if path == ROOT else tuple(path.split("."))


def own_parameters(
    layer: Layer, node_parameters: Mapping[str, Any], layers: Mapping[str, Layer]
) -> dict[str, Parameter]:
    """The recorded parameters of a layer by torch's names."""
    found: dict[str, Parameter] = {}
    for name, common in node_parameters.items():
        holder = layers.get(common.path, layer)
        match = next((p for p in holder.parameters if p.name == common.own_name), None)
        if match is not None:
            found[name] = _owned(match, layers)
    return found


def _owned(parameter: Parameter, layers: Mapping[str, Layer]) -> Parameter:
    """Of a tied parameter what is known at its first place."""
    if parameter.owner is None or parameter.statistics is not None:
        return parameter
    path, name = parameter.owner
    first = next((p for p in layers[path].parameters if p.name == name), None) if path in layers else None
    if first is None:
        return parameter
    return replace(
        parameter,
        statistics=first.statistics,
        digest=first.digest,
        stored=first.stored,
        blocks=first.blocks,
        block_rows=first.block_rows,
    )
