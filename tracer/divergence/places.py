"""Points where divergence begins -> origins: the place, both sides of it, and its causes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import networkx as nx

from tracer.divergence.case import SIDES, Case
from tracer.divergence.causes import Cause, code_causes, layer_causes, parameter_causes, setting_causes
from tracer.divergence.flow import Flow, Point
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import MARGIN, Difference, rounding
from tracer.divergence.origins import Begin
from tracer.trace.schema import Source

PhaseName = Literal["start", "forward", "backward"]
Place = Literal["layer", "between", "input", "output"]


@dataclass(frozen=True)
class Spot:
    """One side of an origin or a step of the road. `source` is "file:line" of the line that made the layer, else of
    the calling line; `text` that line's code. `call` is None for a layer that never fired."""

    path: str
    call: int | None
    kind: str
    source: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Origin:
    """The first pair that diverged while all that fed it matched. `faded` says that no output of the net shows it."""

    phase: PhaseName
    place: Place
    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    fed_by: float | None
    causes: tuple[Cause, ...] = ()
    faded: bool = False
    sentence: str = ""


def spot(case: Case, side: int, id_: CallId, consumer: Point | None = None) -> Spot:
    """One side of a pair, in words. `consumer` is the call that took what wrong code made: its calling line is next to
    that code."""
    graph = case.graphs[side]
    node = graph.nodes.get(id_)
    layer = graph.layers.get(id_.path)
    if node is None:
        return _spot(id_.path, None, layer.kind if layer else "?", layer.made_at if layer else None)
    source = node.layer.made_at or node.call.source
    if consumer is not None:
        taker = graph.nodes[consumer.reference if side == 0 else consumer.candidate]
        source = taker.call.source if taker.id != id_ and taker.call.source else source
    return _spot(id_.path, id_.call, node.layer.kind, source or node.layer.source)


def _spot(path: str, call: int | None, kind: str, source: Source | None) -> Spot:
    return Spot(path, call, kind, None if source is None else str(source), None if source is None else source.text)


def given_origin(case: Case) -> Origin | None:
    """The inputs of the net, where they differ."""
    for point in case.flow.given[:1]:
        ours, theirs = case.comparison.values(point)
        difference = case.comparison.judge(point)
        if difference is None and ours and theirs and ours[0].shape != theirs[0].shape:
            difference = Difference(None, 0.0, problem="shape", shapes=(ours[0].shape, theirs[0].shape))
        allowed = 4 * rounding(case.comparison.dtype(point))
        if difference is None or (difference.size <= allowed and difference.problem != "shape"):
            continue
        shaped = difference.problem == "shape"
        shapes = difference.shapes or ((), ())
        said = f"shapes {shapes[0]} and {shapes[1]}" if shaped else f"relative L2 {difference.size:.1e}"
        sentence = f"the nets were given different inputs ({said})"
        cause = Cause(
            "shape" if shaped else "parameter", "input", sentence=sentence, edit="record both nets on the same arrays"
        )
        return Origin(
            "start",
            "input",
            spot(case, 0, point.reference),
            spot(case, 1, point.candidate),
            replace(difference, tolerance=allowed),
            None,
            (cause,),
            sentence=f"{sentence}: nothing can be said of the nets",
        )
    return None


def loss_origin(case: Case, flow: Flow, begins: Iterable[Begin]) -> Origin | None:
    """The gradients that came in at an output of the net, where they differ: then the losses differ, and nothing can
    be said of what the net made of them."""
    for begin in begins:
        if begin.point in flow.given:
            sentence = "the gradients that came in at the output of the net differ: compare the losses"
            cause = Cause("code", "loss", sentence=sentence, edit="take the same loss of the outputs on both sides")
            ours, theirs = spot(case, 0, begin.point.reference), spot(case, 1, begin.point.candidate)
            return Origin("backward", "input", ours, theirs, begin.difference, None, (cause,), sentence=sentence)
    return None


def raised_origin(case: Case) -> Origin | None:
    """The layer that raised on one side only, where its settings or parameters say why: what ran before it agrees."""
    for side, graph in enumerate(case.graphs):
        raised = [id_ for id_, node in graph.nodes.items() if node.unit and not node.hidden and not node.call.returned]
        partners = case.alignment.candidate_of if side == 0 else case.alignment.reference_of
        for id_ in raised[-1:]:
            other = partners.get(id_)
            if other is None or not case.graphs[1 - side].nodes[other].call.returned:
                continue
            ours, theirs = (id_, other) if side == 0 else (other, id_)
            nodes = (case.graphs[0].nodes[ours], case.graphs[1].nodes[theirs])
            differences = case.comparison.parameters(ours, theirs)
            causes = (
                *setting_causes(case.comparison, *nodes),
                *parameter_causes([d for d in differences if d.difference is not None], case.comparison, missing=False),
            )
            if causes:
                said = (
                    f"it raised in the {SIDES[side]}: {(graph.nodes[id_].call.failed or 'no result').splitlines()[0]}"
                )
                return Origin(
                    "forward", "layer", spot(case, 0, ours), spot(case, 1, theirs), None, None, causes, sentence=said
                )
    return None


def forward_origins(case: Case, begins: Iterable[Begin]) -> tuple[tuple[Origin, ...], tuple[str, ...]]:
    """The origins of the forward pass in call order, those of other parameters among them; and the layers whose
    parameters differ without effect."""
    order = {id_: n for n, id_ in enumerate(case.graphs[0].nodes)}
    found = [
        ((order[b.point.reference], b.point.side == "out"), name_origin(case, case.flow, b, "forward")) for b in begins
    ]
    named = {(o.reference.path, o.reference.call) for _, o in found if o.reference is not None}
    others, quiet = _other_parameters(case)
    for begin in others:
        origin = name_origin(case, case.flow, begin, "forward")
        if origin.reference is not None and (origin.reference.path, origin.reference.call) not in named:
            found.append(((order[begin.point.reference], True), origin))
    named |= {(o.reference.path, o.reference.call) for _, o in found if o.reference is not None}
    blamed = {path for path, _ in named}
    ordered = tuple(origin for _, origin in sorted(found, key=lambda f: f[0]))
    return ordered, tuple(path for path in quiet if path not in blamed)


def _other_parameters(case: Case) -> tuple[list[Begin], tuple[str, ...]]:
    """Layers whose parameters differ: where the output diverges it begins there; the paths of the others."""
    found: list[Begin] = []
    quiet: list[str] = []
    seen: set[str] = set()
    for pair in case.alignment.pairs:
        if pair.reference.path in seen or (pair.reference.call < 0 and _part_of_unit(case, pair.reference.path)):
            continue
        seen.add(pair.reference.path)
        differences = case.comparison.parameters(pair.reference, pair.candidate)
        if all(d.difference is None for d in differences):
            continue
        point = Point(pair.reference, pair.candidate, "out")
        difference = case.comparison.judge(point) if point in case.flow.graph else None
        if difference is not None and case.comparison.diverged(point):
            fed = case.comparison.known(point.at("in"))
            found.append(Begin(point, difference, None if fed is None else fed.size))
        else:
            quiet.append(pair.reference.path)
    return found, tuple(quiet)


def _part_of_unit(case: Case, path: str) -> bool:
    """Does a layer that never fired lie inside one that is judged whole, and whose parameters are its own?"""
    return any(path.startswith(f"{unit.path}.") for unit in case.graphs[0].units)


def name_origin(case: Case, flow: Flow, begin: Begin, phase: PhaseName) -> Origin:
    """Name the place of a point where divergence begins, and its causes."""
    point = begin.point
    unit = any(node.unit for node in case.nodes(point))
    code = point.side in {"in", "grad_out"} or not unit
    own = not any(node.meaning.op for node in case.nodes(point))
    if point.side == "grad_out" and unit and own and point not in flow.code:
        code = False  # its very tensor went on, and no gradient came for it: the user's own layer cut it off
    if code:
        return _code_origin(case, flow, begin, phase)
    causes = layer_causes(case.comparison, point, begin.difference)
    other = {d.name for d in case.comparison.parameters(point.reference, point.candidate) if d.difference is not None}
    weights = [c for c in causes if c.kind == "parameter" and c.name in other]
    if phase == "forward" and weights and not [c for c in causes if c.kind in {"mode", "dtype", "setting"}]:
        phase = "start"
        causes = (*weights, *(c for c in causes if c not in weights))
    return _origin(case, flow, begin, phase, "layer", point.reference, point.candidate, causes)


def _code_origin(case: Case, flow: Flow, begin: Begin, phase: PhaseName) -> Origin:
    """Code between layers went wrong, unless the container's own parameters differ."""
    point = begin.point
    ours, theirs = _scopes(case, point) if point.side in {"in", "grad_out"} else (point.reference, point.candidate)
    if phase == "forward":
        differences = [d for d in case.comparison.parameters(ours, theirs) if d.difference is not None]
        weights = parameter_causes(differences, case.comparison, missing=False)
        if weights:
            return _origin(case, flow, begin, "start", "layer", ours, theirs, tuple(weights))
    own = setting_causes(case.comparison, case.graphs[0].nodes[ours], case.graphs[1].nodes[theirs])
    causes = (*own, *code_causes(case.comparison, point, begin.difference))
    root = ours in case.graphs[0].roots and point.side == "out"
    shaped = root and begin.difference.problem in {"shape", "structure"}
    return _origin(case, flow, begin, phase, "output" if shaped else "between", ours, theirs, causes)


def _scopes(case: Case, point: Point) -> tuple[CallId, CallId]:
    """The calls whose code made what came in at a point: the innermost enclosing ones that are paired."""
    ours, theirs = case.graphs
    partner = case.alignment.candidate_of
    around = set(theirs.ancestors(point.candidate))
    for scope in ours.ancestors(point.reference):
        if partner.get(scope) in around:
            return scope, partner[scope]
    return (
        ours.nodes[point.reference].parent or point.reference,
        theirs.nodes[point.candidate].parent or point.candidate,
    )


def _origin(
    case: Case,
    flow: Flow,
    begin: Begin,
    phase: PhaseName,
    place: Place,
    ours: CallId,
    theirs: CallId,
    causes: tuple[Cause, ...],
) -> Origin:
    consumer = begin.point if place == "between" else None
    faded = (
        phase != "backward"
        and case.complete
        and not any(
            sink == begin.point or (nx.has_path(flow.graph, begin.point, sink) and carries(case, sink, begin))
            for sink in flow.sinks
            if sink in flow.graph
        )
    )
    said = [_shown_by(consumer, ours)] if consumer is not None else []
    if faded:
        said.append("the difference fades before it reaches an output of the net")
    return Origin(
        phase,
        place,
        spot(case, 0, ours, consumer),
        spot(case, 1, theirs, consumer),
        begin.difference,
        begin.fed_by,
        causes,
        faded,
        "; ".join(s for s in said if s),
    )


def carries(case: Case, point: Point, begin: Begin | Origin) -> bool:
    """Does a point downstream of an origin still show it, above what fed the origin?"""
    difference = case.comparison.judge(point)
    if difference is None:
        return False
    fed = begin.fed_by if begin.fed_by is not None and math.isfinite(begin.fed_by) else 0.0
    own = begin.difference.tolerance if begin.difference is not None else 0.0
    return difference.size > max(MARGIN * fed, own) or bool(case.comparison.diverged(point))


def _shown_by(point: Point, scope: CallId) -> str:
    """Which call shows what wrong code made."""
    words = {"in": "is given", "grad_out": "gets back as gradient", "grad_in": "hands back as gradient"}
    if point.side not in words or point.reference == scope:
        return ""
    return f"what {point.reference} {words[point.side]} differs"
