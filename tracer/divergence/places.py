"""Points where divergence begins -> origins: the place, both sides of it, and its causes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import networkx as nx

from tracer.divergence.case import SIDES, Case
from tracer.divergence.causes import (
    Cause,
    code_causes,
    layer_causes,
    no_cause_known,
    parameter_causes,
    setting_causes,
)
from tracer.divergence.flow import Flow, Point
from tracer.divergence.graph import CallId, names
from tracer.divergence.left_out import causes_left_out, left_out_at, reasons
from tracer.divergence.metrics import MARGIN, Difference, rounding
from tracer.divergence.origins import Begin
from tracer.divergence.scalars import argument, differing_inputs, differing_results
from tracer.divergence.stretch import stretch
from tracer.divergence.ties import tie_causes
from tracer.trace.schema import Source

PhaseName = Literal["start", "forward", "loss", "backward", "gradients", "update"]
Place = Literal["layer", "between", "input", "output", "file", "loss", "parameter", "group"]


@dataclass(frozen=True)
class Spot:
    """One side of an origin or a step of the road. `source` is "file:line" of the line that made the layer, else of
    the calling line; `text` that line's code. `called_at` is the calling line next to wrong code between layers,
    `called_text` its code. `call` is None for a layer that never fired."""

    path: str
    call: int | None
    kind: str
    source: str | None = None
    text: str | None = None
    called_at: str | None = None
    called_text: str | None = None
    caller: bool = False
    """`source` is where it was called; which line made it is not known."""


@dataclass(frozen=True)
class Origin:
    """The first pair that diverged while all that fed it matched. `faded` says that no output of the net shows it;
    `point` is where that was judged: of wrong code between layers the call that took what it made."""

    phase: PhaseName
    place: Place
    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    fed_by: float | None
    causes: tuple[Cause, ...] = ()
    faded: bool = False
    sentence: str = ""
    point: Point | None = None
    left_out: tuple[str, ...] = ()
    """Layers that the recording left out there."""
    step: int | None = None
    """Of training the step."""


def spot(case: Case, side: int, id_: CallId, shown_by: Point | None = None) -> Spot:
    """One side of a pair, in words. `shown_by` is the point that shows what wrong code of this call made: the calling
    line there, or of the last layer before the call gives its output, is next to that code."""
    graph = case.graphs[side]
    node = graph.nodes.get(id_)
    layer = graph.layers.get(id_.path)
    if node is None:
        return _spot(id_.path, None, layer.kind if layer else "?", layer.made_at if layer else None)
    found = _spot(id_.path, id_.call, node.layer.kind, node.layer.made_at or node.call.source or node.layer.source)
    found = replace(found, caller=node.layer.made_at is None and node.call.source is not None)
    if shown_by is None:
        return found
    taker = shown_by.reference if side == 0 else shown_by.candidate
    beside = node.children[-1:] if taker == id_ else (taker,)
    line = next((graph.nodes[call].call.source for call in beside), None)
    return found if line is None else replace(found, called_at=str(line), called_text=line.text)


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


def given_scalar_origin(case: Case) -> Origin | None:
    """The first argument of the net that is no tensor, where both sides were given it and it differs."""
    for point in case.flow.given[:1]:
        found = differing_inputs(case, point)
        if found is not None:
            name, values = argument(found.leaf), (found.reference, found.candidate)
            sentence = f"the nets were given different inputs ({name} is {values[0]!r} and {values[1]!r})"
            edit = f"record both nets with the same {name}"
            cause = Cause("parameter", name, *values, edit=edit, sentence=sentence)
            spots = spot(case, 0, point.reference), spot(case, 1, point.candidate)
            said = f"{sentence}: nothing can be said of the nets"
            return Origin("start", "input", *spots, found.difference, None, (cause,), sentence=said, point=point)
    return None


def returned_scalar_origin(case: Case) -> Origin | None:
    """A leaf of the net's output that is no tensor, where it differs though all tensors agree."""
    for point in case.flow.sinks:
        found = None if case.within is not None and point not in case.within else differing_results(case, point)
        if found is not None:
            name = f"output {found.leaf}".strip()
            said = f"{name} is {found.reference!r} in the reference and {found.candidate!r} in the candidate"
            cause = Cause("code", name, found.reference, found.candidate, sentence=said)
            begin = Begin(point, found.difference or Difference(None, 0.0, leaf=found.leaf), None)
            return _origin(case, case.flow, begin, "forward", "output", point.reference, point.candidate, (cause,))
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
    blamed = {path for path, _ in named} | (set(reasons(case, 0)) if named else set())
    ordered = _once(origin for _, origin in sorted(found, key=lambda f: f[0]))
    return _alike(ordered), tuple(path for path in quiet if path not in blamed)


def _once(origins: Iterable[Origin]) -> tuple[Origin, ...]:
    """Of what shows one wrong call, or several in the same code, the first."""
    found: list[Origin] = []
    seen: set[tuple[str, int | None]] = set()
    for origin in origins:
        called = origin.reference is not None and any((c.kind, c.name) == ("code", "call") for c in origin.causes)
        if origin.reference is not None and called:
            key = origin.reference.path, origin.reference.call
            if key in seen:
                continue
            seen.add(key)
        found.append(origin)
    return tuple(found)


def _alike(origins: tuple[Origin, ...]) -> tuple[Origin, ...]:
    """Where the same lines are run again, and what fed them differs already so that the numbers no longer show the
    cause, it is the one that was told at first."""
    told: dict[object, tuple[Cause, ...]] = {}
    found: list[Origin] = []
    for origin in origins:
        lines = [
            (side.kind, side.called_at) if side and side.called_at else None
            for side in (origin.reference, origin.candidate)
        ]
        key = (origin.phase, origin.place, *lines)
        if None not in lines:
            if not no_cause_known(origin.causes):
                told.setdefault(key, origin.causes)
            elif key in told:
                causes = tuple(replace(c, reference=None, candidate=None) for c in told[key][:1])
                found.append(replace(origin, causes=causes))
                continue
        found.append(origin)
    return tuple(found)


def _other_parameters(case: Case) -> tuple[list[Begin], tuple[str, ...]]:
    """Layers whose parameters differ: where the output diverges it begins there; the paths of the others."""
    found: list[Begin] = []
    quiet: list[str] = []
    seen: set[str] = set()
    for pair in case.alignment.pairs:
        if pair.reference.path in seen or (pair.reference.call < 0 and _part_of_unit(case, pair.reference.path)):
            continue
        point = Point(pair.reference, pair.candidate, "out")
        if case.within is not None and point not in case.within:
            continue
        seen.add(pair.reference.path)
        differences = case.comparison.parameters(pair.reference, pair.candidate)
        if all(d.difference is None for d in differences):
            continue
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
    begin = _shaped(case, flow, begin)
    point = begin.point
    unit = any(node.unit for node in case.nodes(point))
    code = point.side in {"in", "grad_out"} or not unit
    own = not any(node.meaning.op for node in case.nodes(point))
    if point.side == "grad_out" and unit and own and point not in flow.code:
        code = False  # its very tensor went on, and no gradient came for it: the user's own layer cut it off
    if code:
        return _code_origin(case, flow, begin, phase)
    causes = layer_causes(case.comparison, point, begin.difference)
    ties = tie_causes(case, point) if phase == "backward" else ()
    causes = (*ties, *(c for c in causes if not ties or c.kind not in {"code", "framework"}))
    other = {d.name for d in case.comparison.parameters(point.reference, point.candidate) if d.difference is not None}
    weights = [c for c in causes if c.kind == "parameter" and c.name in other]
    if phase == "forward" and weights and not [c for c in causes if c.kind in {"mode", "dtype", "setting"}]:
        called = _other_call(case, point)
        if called is not None:
            return _called_origin(case, flow, begin, called)
        phase = "start"
        causes = (*weights, *(c for c in causes if c not in weights))
    inside = all(node.meaning.op and node.parent is not None for node in case.nodes(point))
    if inside and any(c.name == "arguments" for c in causes):
        ours, theirs = _scopes(case, point.at("in"))  # a layer of the framework's is not to blame for who called it
        return _origin(case, flow, begin, phase, "between", ours, theirs, causes)
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
    settings = [*own, *_beside(case, begin)]
    code = code_causes(case.comparison, point, begin.difference)
    causes = (*settings, *(() if settings and no_cause_known(code) else code))
    root = ours in case.graphs[0].roots and point.side == "out"
    shaped = root and begin.difference.problem in {"shape", "structure"}
    framework = bool(own) and all(
        graph.nodes[id_].meaning.op for graph, id_ in zip(case.graphs, (ours, theirs), strict=True)
    )
    if framework:  # a composite of the framework (TransformerEncoderLayer) is a layer to whoever set it
        return _origin(case, flow, begin, phase, "layer", ours, theirs, tuple(own))
    return _origin(case, flow, begin, phase, "output" if shaped else "between", ours, theirs, causes)


_OF_SHAPES = frozenset({"padding", "output_padding", "dilation", "kernel_size", "stride", "dim", "batch_first"})
"""Settings that code next to the layer has to fit: what it pads, crops, or turns."""


def _beside(case: Case, begin: Begin) -> list[Cause]:
    """Settings that differ at the layer that is given other things, where the code that makes them has to fit it; and
    at the last layer before it, unless what that gave is known to be the same."""
    point = begin.point
    if point.side != "in":
        return []
    shaped = begin.difference.problem == "shape"
    found = [c for c in _settings_at(case, point) if shaped or c.name in _OF_SHAPES]
    before = [id_ for id_ in case.graphs[0].before(point.reference) if id_ in case.alignment.candidate_of][-1:]
    for id_ in before:
        last = Point(id_, case.alignment.candidate_of[id_], "out")
        gave = case.comparison.judge(last) if case.settings.get(last) else None
        if gave is None or gave.diverged or gave.layout:
            found += _settings_at(case, last)
    return found


def _settings_at(case: Case, point: Point) -> list[Cause]:
    """The settings that differ between two layers, told with their place."""
    found = setting_causes(case.comparison, *case.nodes(point))
    return [replace(c, sentence=f"{c.sentence} at {point.reference.path}") for c in found]


def _shaped(case: Case, flow: Flow, begin: Begin) -> Begin:
    """An output of the net in another shape is told at the layer that shaped it, where its settings say so: what came
    in had one shape there, what went out has two."""
    if begin.point not in flow.sinks or begin.point.side != "out" or begin.difference.problem != "shape":
        return begin
    above = nx.ancestors(flow.graph, begin.point)
    for point, differing in case.settings.items():
        if differing and point in above and all(node.unit for node in case.nodes(point)):
            shapes = [[v.shape for v in side] for side in case.comparison.values(point)]
            given = [[v.shape for v in side] for side in case.comparison.values(point.at("in"))]
            difference = case.comparison.judge(point)
            if shapes[0] != shapes[1] and given[0] == given[1] and difference is not None:
                return replace(begin, point=point, difference=replace(difference, problem="shape"))
    return begin


@dataclass(frozen=True)
class _Called:
    """A call of another layer than the reference's: the two calls, and what the candidate's layer is there."""

    reference: CallId
    candidate: CallId
    really: str


def _other_call(case: Case, point: Point) -> _Called | None:
    """Was another layer called, not this one loaded wrongly? So it is where the candidate's layer holds all the weights
    of one of the reference's whose name or number it bears, or which it answers in another call. Told of the outermost
    call around that is of another layer."""
    theirs = point.candidate
    graph = case.graphs[0]
    registered = case.graphs[1].layers[theirs.path].aliases
    if any(a == point.reference.path or _same_name(point.reference.path, a, theirs.path) for a in registered):
        return None  # the layer stands under this name too: it is the right one and shares its weights with another
    answered = [p.reference for p in case.alignment.pairs if p.candidate.path == theirs.path and p.reference.call >= 0]
    same = [
        id_
        for id_ in dict.fromkeys([*answered, *graph.units])
        if id_.path != point.reference.path
        and (id_ in answered or _same_name(id_.path, theirs.path, point.reference.path))
        and graph.nodes[id_].layer.parameters
        and not case.comparison.parameters(id_, theirs)
    ]
    found: _Called | None = None
    inner, outer, really = point.reference, theirs, same[0].path if same else ""
    while really:
        if inner.path == really:
            break
        found = _Called(inner, outer, really)
        above, around = graph.nodes[inner].parent, case.graphs[1].nodes[outer].parent
        if above is None or around is None or case.alignment.candidate_of.get(above) != around:
            break
        cut = len(names(outer.path)) - len(names(around.path))
        really = ".".join(names(really)[:-cut]) if cut > 0 else ""
        inner, outer = above, around
    return found


def _same_name(path: str, theirs: str, ours: str) -> bool:
    """Does the candidate's path name this path of the reference, and not the one it is paired with?"""
    numbers = [re.findall(r"[0-9]+", each) for each in (path, theirs, ours)]
    return path == theirs or (bool(numbers[0]) and numbers[0] == numbers[1] != numbers[2])


def _called_origin(case: Case, flow: Flow, begin: Begin, called: _Called) -> Origin:
    """Code that calls another layer than the reference does."""
    handed = Point(called.reference, called.candidate, "in")
    ours, theirs = _scopes(case, handed)
    said = f"the reference calls {called.reference.path} here, the candidate {called.candidate.path}"
    said += "" if called.really == called.candidate.path else f", which is the reference's {called.really}"
    cause = Cause("code", "call", called.reference.path, called.candidate.path, sentence=said)
    return _origin(case, flow, begin, "forward", "between", ours, theirs, (cause,), shown_by=handed)


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
    shown_by: Point | None = None,
) -> Origin:
    if place in {"between", "output"}:
        shown_by = shown_by or begin.point
    faded = (
        phase != "backward"
        and case.complete
        and not any(
            sink == begin.point or (nx.has_path(flow.graph, begin.point, sink) and carries(case, sink, begin))
            for sink in flow.sinks
            if sink in flow.graph
        )
    )
    said = [_shown_by(case, begin, ours)] if shown_by is not None else []
    hidden = left_out_at(case, ours, theirs, begin.point) if phase != "start" else None
    if hidden is not None:
        causes = causes_left_out(case, hidden, causes)
        said.append(hidden.sentence)
    if faded:
        said.append("the difference fades before it reaches an output of the net")
    spots = spot(case, 0, ours, shown_by), spot(case, 1, theirs, shown_by)
    called = any((c.kind, c.name) == ("code", "call") for c in causes)  # there the line of the call is the wrong one
    code = None if called else shown_by
    causes = _compared(causes, *(_line(case, side, id_, spots[side], code) for side, id_ in enumerate((ours, theirs))))
    return Origin(
        phase,
        place,
        *spots,
        begin.difference,
        begin.fed_by,
        causes,
        faded,
        "; ".join(s for s in said if s),
        begin.point,
        () if hidden is None else hidden.paths,
    )


def _line(case: Case, side: int, id_: CallId, at: Spot, shown_by: Point | None) -> str:
    """Where to look where code differs: of code between layers the lines it stands on, else that next to it; of a layer
    its class."""
    if shown_by is not None:
        found = stretch(case.graphs[side], id_, shown_by, shown_by.reference if side == 0 else shown_by.candidate)
        if found is not None:
            return found
    if at.called_at is not None:
        return at.called_at
    layer = case.graphs[side].layers.get(id_.path)
    lines = [str(layer.source)] if layer is not None and layer.source is not None else []
    lines += [at.source] if at.source else []
    own = [line for line in lines if not _INSTALLED.search(line)]
    if layer is not None and layer.bases and layer.bases[0].partition(".")[0] in {"torch", "mindspore"}:
        lines = []  # nobody mends the framework
    return next(iter([*own, *lines]), "")


_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")
"""What is in a path of a package that pip installed."""


def _compared(causes: tuple[Cause, ...], ours: str, theirs: str) -> tuple[Cause, ...]:
    """Causes that no call written otherwise would mend: which lines to compare."""
    if not ours or not theirs or any(c.edit for c in causes if c.kind != "mode"):
        return causes
    kinds = {"code", "shape", "layout", "nan"}
    for words, again in (("the code ", "that "), ("the lines ", "those ")):
        if ours.startswith(words) and theirs.startswith(words):
            ours = again + ours.removeprefix(words)
    return tuple(replace(c, edit=f"compare {theirs} with {ours}") if c.kind in kinds else c for c in causes)


def carries(case: Case, point: Point, begin: Begin | Origin) -> bool:
    """Does a point downstream of an origin still show it?"""
    difference = case.comparison.judge(point)
    if difference is None:
        return False
    accepted = not difference.problem and case.comparison.tolerance.accepts(difference.max_abs)
    shows = difference.size > limit_after(case, point, begin) and not accepted
    return shows or bool(case.comparison.diverged(point))


def limit_after(case: Case, point: Point, begin: Begin | Origin) -> float:
    """The relative L2 up to which a point downstream of an origin does not show it: what fed the origin, or rounding,
    may have made it. Never wider than what the point's own road allows."""
    fed = begin.fed_by if begin.fed_by is not None and math.isfinite(begin.fed_by) else 0.0
    own = begin.difference.tolerance if begin.difference is not None else 0.0
    rounded = max(MARGIN * fed, own, case.comparison.noise.get(point, 0.0))
    return min(rounded, case.comparison.allowed(point))


def _shown_by(case: Case, begin: Begin, scope: CallId) -> str:
    """Which call shows what wrong code made."""
    point = begin.point
    words = {
        "in": ("what {} is given differs", "{} is given nothing"),
        "grad_out": ("what {} gets back as gradient differs", "{} gets no gradient back"),
        "grad_in": ("what {} hands back as gradient differs", "{} hands no gradient back"),
    }
    if point.side not in words or point.reference == scope:
        return ""
    differs, nothing = words[point.side]
    has = [bool(values) for values in case.comparison.values(point)]
    if begin.difference.problem == "missing" and has[0] != has[1]:
        return f"{nothing.format(point.reference)} in the {SIDES[has.index(False)]}"
    return differs.format(point.reference)
