"""From two traces to what a reader is shown: verdict, origins with their causes, the road, coverage."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Literal, Protocol

import networkx as nx

from tracer.divergence.alignment import Alignment, CallId, align
from tracer.divergence.causes import (
    Cause,
    code_causes,
    differing_settings,
    layer_causes,
    parameter_causes,
    setting_causes,
)
from tracer.divergence.comparison import ArrayReader, Bank, Comparison, points_read
from tracer.divergence.flow import Flow, Point, backward_flow, forward_flow
from tracer.divergence.graph import call_graph
from tracer.divergence.metrics import MARGIN, Difference, Progress, Tolerance, rounding
from tracer.divergence.origins import Begin, OriginSearch, Search
from tracer.divergence.rules import UserRule, random_now
from tracer.trace.schema import Skeleton

__all__ = ["Cause", "Coverage", "Diagnosis", "Origin", "PairRow", "RoadStep", "Spot", "TraceSide", "diagnose"]

Verdict = Literal["agree", "diverged", "unsure"]
Phase = Literal["start", "forward", "backward"]


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

    phase: Phase
    place: Literal["layer", "between", "input", "output"]
    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    fed_by: float | None
    causes: tuple[Cause, ...] = ()
    faded: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class RoadStep:
    """One pair on the road through the first origin, in call order."""

    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    state: Literal["agrees", "starts here", "carried on", "unknown"]


@dataclass(frozen=True)
class PairRow:
    """One row of the table of every pair (`--every`, `--csv`); `state` also "not judged"."""

    reference: Spot | None
    candidate: Spot | None
    op: str
    phase: Phase
    difference: Difference | None
    fed_by: float | None
    state: str
    reason: str
    confidence: float


@dataclass(frozen=True)
class Coverage:
    """How much of the two nets the verdict rests on. `phases` says "judged" or why not."""

    judged: int
    aligned: int
    alone: int
    unjudgeable: int
    phases: Mapping[str, str]
    screened: int = 0
    """Pairs of which the recorded statistics were held against each other, without reading arrays."""


@dataclass(frozen=True)
class TraceSide:
    """One of the two traces, in words."""

    file: str
    framework: str
    framework_version: str
    net: str
    complete: bool
    keep: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report shows. `notes` are findings that are no origin (settings that differ without effect,
    versions and flags that differ), one sentence each, most important first."""

    verdict: Verdict
    reason: str
    reference: TraceSide
    candidate: TraceSide
    origins: tuple[Origin, ...]
    road: tuple[RoadStep, ...]
    alignment: Alignment
    coverage: Coverage
    notes: tuple[str, ...] = ()
    rows: tuple[PairRow, ...] = ()

    @property
    def origin(self) -> Origin | None:
        """The first origin, None when nothing diverged or no place can be named."""
        return self.origins[0] if self.origins else None


class TraceLike(ArrayReader, Protocol):
    """What the diff needs of a trace."""

    @property
    def skeleton(self) -> Skeleton:
        """All of it but the arrays."""

    @property
    def path(self) -> object:
        """The file."""


def diagnose(
    reference: TraceLike,
    candidate: TraceLike,
    *,
    tolerance: Tolerance | None = None,
    pins: Sequence[tuple[str, str]] = (),
    only: Sequence[str] = (),
    every: bool = False,
    rules: Sequence[UserRule] = (),
    progress: Progress | None = None,
) -> Diagnosis:
    """Find where the candidate first diverges from the reference, and why.

    Args:
        reference, candidate: two traces, in this order.
        tolerance: what counts as equal; by default what the op and its dtype allow.
        pins: pairs the user insists on ("path" or "path#call" each).
        only: globs; pairs whose path on neither side matches are left out of judging.
        every: judge every pair and keep a row for each.
        rules: the user's own rules for layers.
        progress: told what is being done.

    Raises:
        RuleError: a pin that names nothing.
    """
    return _Diagnosing(reference, candidate, tolerance or Tolerance(), pins, only, every, rules, progress).run()


class _Diagnosing:
    """One diff, step by step; each method is one step of the walk."""

    def __init__(
        self,
        reference: TraceLike,
        candidate: TraceLike,
        tolerance: Tolerance,
        pins: Sequence[tuple[str, str]],
        only: Sequence[str],
        every: bool,
        rules: Sequence[UserRule],
        progress: Progress | None,
    ) -> None:
        self.traces = (reference, candidate)
        self.only, self.every, self.progress = only, every, progress
        self.graphs = tuple(call_graph(t.skeleton, 0, rules) for t in self.traces)
        ours, theirs = self.graphs
        self.alignment = align(ours, theirs, pins)
        banks = [
            Bank(
                t,
                g,
                t.skeleton.steps[0].parameter_gradients if t.skeleton.steps else {},
                t.skeleton.end.backward,
                frozenset(a.id for a in alone),
            )
            for t, g, alone in zip(
                self.traces, self.graphs, (self.alignment.alone_reference, self.alignment.alone_candidate), strict=True
            )
        ]
        self.comparison = Comparison(banks[0], banks[1], tolerance, coarse=self._other_dtype_throughout())
        self.flow = self._restricted(forward_flow(ours, theirs, self.alignment))
        self.comparison.code = self.flow.code
        self.suspects = self._suspects()
        self.phases: dict[str, str] = {}
        self.notes: list[str] = []
        self.backward: Flow | None = None

    # -- the walk --------------------------------------------------------------------------------------------------

    def run(self) -> Diagnosis:
        comparison = self.comparison
        nothing = self._nothing_to_judge()
        if nothing:
            return self._diagnosis("unsure", nothing, ())
        comparison.spread_noise(self.flow, list(nx.topological_sort(self.flow.graph)))
        given = self._given()
        if given is not None:
            self.phases = {"forward": "not judged: the inputs differ", "backward": "not judged: the inputs differ"}
            return self._diagnosis("unsure", given.sentence, (given,))
        search = OriginSearch(comparison, self.flow, self.suspects, progress=self.progress)
        found = search.run(self._sinks(self.flow))
        if self.every:
            search.every()
        self.phases["forward"] = self._phase_forward()
        origins = self._forward_origins(found)
        judged_backward: Search | None = None
        if origins:
            self.phases["backward"] = "not judged: the forward pass diverged"
        else:
            judged_backward = self._judge_backward()
            origins = self._backward_origins(judged_backward)
        return self._verdict(found, judged_backward, origins)

    def _verdict(self, found: Search, backward: Search | None, origins: tuple[Origin, ...]) -> Diagnosis:
        ours, theirs = (t.skeleton.end for t in self.traces)
        random = [o for o in origins if _random(o)]
        if origins and len(random) == len(origins):
            return self._diagnosis(
                "unsure",
                "dropout is active on both sides: its masks differ, so what comes after it cannot be compared",
                origins,
            )
        if origins:
            first = origins[0]
            place = (first.reference or first.candidate or Spot("?", None, "?")).path
            where = {
                "layer": f"at {place}",
                "between": f"in code between the layers of {place}",
                "input": "at the input",
                "output": f"at the output of {place}",
            }[first.place]
            return self._diagnosis("diverged", f"{first.phase} diverges {where}", origins)
        stopped = ours.stopped or theirs.stopped
        if stopped or not (ours.complete and theirs.complete):
            side = "reference" if not ours.complete else "candidate"
            return self._diagnosis(
                "unsure",
                f"the {side} trace is not complete ({(stopped or 'cut off').splitlines()[0]}); what ran agrees",
                (),
            )
        drift = found.drift or (backward.drift if backward else None)
        if drift is not None:
            size = drift.difference.relative_l2 or 0.0
            return self._diagnosis(
                "unsure",
                f"{drift.point.reference} is {size:.1e} apart, more than rounding should give, yet no pair on its "
                "road introduces it",
                (),
            )
        unjudged = [p for p in self._sinks(self.flow) if self.comparison.judge(p) is None]
        if unjudged or not self._sinks(self.flow):
            return self._diagnosis("unsure", "not every output of the net could be judged", ())
        runs = [len(graph.roots) for graph in self.graphs]
        if runs[0] != runs[1] and not self.only:
            return self._diagnosis(
                "unsure",
                f"the reference was run {runs[0]} times, the candidate {runs[1]}; the runs that both have agree",
                (),
            )
        both = self.phases.get("backward") == "judged"
        said = "forward and backward agree" if both else "the forward pass agrees"
        return self._diagnosis("agree", said, ())

    def _nothing_to_judge(self) -> str | None:
        for graph, word in zip(self.graphs, ("reference", "candidate"), strict=True):
            if not graph.nodes:
                return f"the {word} trace holds no call"
        units = sum(
            p.reference in self.graphs[0].nodes and self.graphs[0].nodes[p.reference].unit for p in self.alignment.pairs
        )
        if not units:
            return "nothing could be aligned: do both traces come from the same net?"
        if not self.flow.graph:
            return "no pair matches --only"
        smaller = min(len(g.units) for g in self.graphs)
        if units < 0.2 * smaller and smaller > 5:
            return f"only {units} of {smaller} layers could be aligned: do both traces come from the same net?"
        return None

    def _sinks(self, flow: Flow) -> tuple[Point, ...]:
        """The outputs of the net; where there are none (it raised), the last points that can be judged."""
        sinks = tuple(p for p in flow.sinks if p in flow.graph)
        complete = all(t.skeleton.end.complete for t in self.traces)
        if sinks and complete and not self.only:
            return sinks
        ends = [p for p in flow.graph if flow.graph.out_degree(p) == 0 or p in sinks]
        last = {p for e in ends for p in self._judgeable_back(flow, e)}
        return tuple(dict.fromkeys([*sinks, *last])) if not complete or self.only else sinks

    def _judgeable_back(self, flow: Flow, point: Point) -> list[Point]:
        found, todo, seen = [], [point], {point}
        while todo:
            at = todo.pop()
            if self.comparison.screened(at) is not None:
                found.append(at)
                continue
            above = [p for p in flow.graph.predecessors(at) if p not in seen]
            seen.update(above)
            todo.extend(above)
        return found

    # -- what both nets were given ---------------------------------------------------------------------------------

    def _given(self) -> Origin | None:
        for point in self.flow.given[:1]:
            ours, theirs = self.comparison.values(point)
            if len(ours) != len(theirs):
                self.notes.append(f"the nets were given {len(ours)} and {len(theirs)} tensors")
            difference = self.comparison.judge(point)
            if difference is None and ours and theirs and ours[0].shape != theirs[0].shape:
                difference = Difference(None, 0.0, problem="shape", shapes=(ours[0].shape, theirs[0].shape))
            if difference is None:
                continue
            allowed = 4 * rounding(self.comparison.dtype(point))
            if difference.size <= allowed and difference.problem != "shape":
                continue
            shapes = difference.shapes or ((), ())
            said = (
                f"shapes {shapes[0]} and {shapes[1]}"
                if difference.problem == "shape"
                else (f"relative L2 {difference.size:.1e}")
            )
            cause = Cause(
                "shape" if difference.problem == "shape" else "parameter",
                "input",
                sentence=f"the nets were given different inputs ({said})",
                edit="record both nets on the same arrays",
            )
            return Origin(
                "start",
                "input",
                self._spot(0, point.reference),
                self._spot(1, point.candidate),
                replace(difference, tolerance=allowed),
                None,
                (cause,),
                sentence=f"the nets were given different inputs ({said}): nothing can be said of the nets",
            )
        return None

    def _other_dtype_throughout(self) -> bool:
        """Do the nets compute in different float types nearly everywhere?"""
        count: Counter[bool] = Counter()
        for pair in self.alignment.pairs:
            ours, theirs = self.graphs[0].nodes.get(pair.reference), self.graphs[1].nodes.get(pair.candidate)
            if ours is None or theirs is None or not ours.unit:
                continue
            for a, b in zip(ours.outputs, theirs.outputs, strict=False):
                if rounding(a.dtype) and rounding(b.dtype):
                    count[a.dtype != b.dtype] += 1
        return count[True] > max(count[False], 1)

    def _suspects(self) -> frozenset[Point]:
        """Pairs whose settings differ, or whose mode does where it matters: there less is believed to be rounding."""
        self.setting_notes: dict[tuple[str, str, str], list[Point]] = defaultdict(list)
        found: set[Point] = set()
        for point in self.flow.graph:
            if point.side != "out":
                continue
            ours, theirs = self.graphs[0].nodes[point.reference], self.graphs[1].nodes[point.candidate]
            differences = differing_settings(ours, theirs, self.comparison.frameworks)
            for d in differences:
                self.setting_notes[(theirs.layer.kind, d.name, d.sentence)].append(point)
            if differences or (ours.meaning.mode and ours.call.training != theirs.call.training):
                found.add(point)
        return frozenset(found)

    def _restricted(self, flow: Flow) -> Flow:
        if not self.only:
            return flow
        kept = {
            p
            for p in flow.graph
            if any(fnmatchcase(p.reference.path, g) or fnmatchcase(p.candidate.path, g) for g in self.only)
        }
        return Flow(
            flow.graph.subgraph(kept).copy(),
            flow.code & kept,
            tuple(p for p in flow.given if p in kept),
            tuple(p for p in flow.sinks if p in kept),
        )

    # -- forward ---------------------------------------------------------------------------------------------------

    def _phase_forward(self) -> str:
        keeps = {t.skeleton.header.keep for t in self.traces}
        return "judged" if keeps == {"values"} else "judged from statistics"

    def _forward_origins(self, found: Search) -> tuple[Origin, ...]:
        origins = [self._origin(begin, "forward") for begin in found.begins]
        named = {(o.reference.path, o.reference.call) for o in origins if o.reference is not None}
        more = [
            o for o in self._parameter_origins() if o.reference and (o.reference.path, o.reference.call) not in named
        ]
        order = {id_: n for n, id_ in enumerate(self.graphs[0].nodes)}
        position = {}
        for n, begin in enumerate(found.begins):
            position[id(origins[n])] = (order[begin.point.reference], begin.point.side == "out")
        for origin in more:
            spot = origin.reference
            assert spot is not None
            position[id(origin)] = (order.get(CallId(spot.path, spot.call or 0), 0), True)
        return tuple(sorted([*origins, *more], key=lambda o: position[id(o)]))

    def _parameter_origins(self) -> list[Origin]:
        """Layers whose parameters differ and whose output diverges; where the output agrees it is a note."""
        found: list[Origin] = []
        quiet: list[str] = []
        seen: set[str] = set()
        for pair in self.alignment.pairs:
            path = pair.reference.path
            if path in seen:
                continue
            seen.add(path)
            differences = [
                d for d in self.comparison.parameters(pair.reference, pair.candidate) if d.difference is not None
            ]
            if not differences:
                continue
            point = Point(pair.reference, pair.candidate, "out")
            if point in self.flow.graph and self.comparison.diverged(point):
                found.append(self._origin(self._begin(point), "forward"))
            else:
                quiet.append(path)
        if quiet:
            self.notes.append(f"parameters differ without effect on the output at {_few(quiet)}")
        return found

    def _begin(self, point: Point) -> Begin:
        difference = self.comparison.judge(point)
        assert difference is not None
        fed = self.comparison.known(point.at("in"))
        return Begin(point, difference, None if fed is None else fed.size)

    def _origin(self, begin: Begin, phase: Phase) -> Origin:
        """Name the place of a point where divergence begins, and its causes."""
        point = begin.point
        ours, theirs = self.graphs[0].nodes[point.reference], self.graphs[1].nodes[point.candidate]
        unit = ours.unit or theirs.unit
        code = point.side in {"in", "grad_out"} or not unit
        if point.side == "grad_out" and unit and self.backward is not None and point not in self.backward.code:
            code = False  # its very tensor went on, and no gradient came for it: the layer cut it off
        if code:
            return self._code_origin(begin, phase)
        causes = layer_causes(self.comparison, point, begin.difference)
        other_weights = [c for c in causes if c.kind == "parameter" and c.name != "requires_grad"]
        certain = [c for c in causes if c.kind in {"mode", "dtype", "setting"}]
        start = phase == "forward" and bool(other_weights) and not certain
        if start:
            causes = (*other_weights, *(c for c in causes if c not in other_weights))
        return self._made(begin, "start" if start else phase, "layer", point.reference, point.candidate, causes)

    def _code_origin(self, begin: Begin, phase: Phase) -> Origin:
        point = begin.point
        if point.side in {"in", "grad_out"}:
            ours, theirs = self._scopes(point)
        else:
            ours, theirs = point.reference, point.candidate
        weights = (
            ()
            if phase != "forward"
            else parameter_causes(
                [d for d in self.comparison.parameters(ours, theirs) if d.difference is not None], missing=False
            )
        )
        if weights:
            return self._made(begin, "start", "layer", ours, theirs, tuple(weights))
        own = setting_causes(self.comparison, self.graphs[0].nodes[ours], self.graphs[1].nodes[theirs])
        causes = (*own, *code_causes(self.comparison, point, begin.difference))
        root = ours in self.graphs[0].roots and point.side == "out"
        shaped = root and begin.difference.problem in {"shape", "structure"}
        return self._made(begin, phase, "output" if shaped else "between", ours, theirs, causes)

    def _scopes(self, point: Point) -> tuple[CallId, CallId]:
        """The calls whose code made what came in at a point: the innermost enclosing ones that are paired."""
        ours, theirs = self.graphs
        partner = self.alignment.candidate_of
        scope_of: set[CallId] = set(theirs.ancestors(point.candidate))
        for scope in ours.ancestors(point.reference):
            if partner.get(scope) in scope_of:
                return scope, partner[scope]
        return (
            ours.nodes[point.reference].parent or point.reference,
            theirs.nodes[point.candidate].parent or point.candidate,
        )

    def _made(
        self,
        begin: Begin,
        phase: Phase,
        place: Literal["layer", "between", "input", "output"],
        ours: CallId,
        theirs: CallId,
        causes: tuple[Cause, ...],
    ) -> Origin:
        inside = begin.point if place == "between" else None
        flow = self.backward if begin.point.side.startswith("grad") and self.backward else self.flow
        sinks = [s for s in flow.sinks if s in flow.graph]
        faded = phase != "backward" and not any(
            s == begin.point
            or (nx.has_path(flow.graph, begin.point, s) and self._carried(s, begin.difference, begin.fed_by))
            for s in sinks
        )
        said = [_given(inside, ours)] if inside is not None else []
        if faded:
            said.append("the difference fades before it reaches an output of the net")
        sentence = "; ".join(s for s in said if s)
        return Origin(
            phase,
            place,
            self._spot(0, ours, inside),
            self._spot(1, theirs, inside),
            begin.difference,
            begin.fed_by,
            causes,
            faded,
            sentence,
        )

    def _spot(self, side: int, id_: CallId, consumer: Point | None = None) -> Spot:
        """`consumer` is the call that took what wrong code made: its calling line is next to that code."""
        graph = self.graphs[side]
        node = graph.nodes.get(id_)
        layer = graph.layers.get(id_.path)
        if node is None:
            source = layer.made_at if layer else None
            return Spot(id_.path, None, layer.kind if layer else "?", _place(source), source.text if source else None)
        source = node.layer.made_at or node.call.source
        if consumer is not None:
            taker = graph.nodes[consumer.reference if side == 0 else consumer.candidate]
            source = taker.call.source if taker.id != id_ and taker.call.source else source
        source = source or node.layer.source
        return Spot(id_.path, id_.call, node.layer.kind, _place(source), source.text if source else None)

    # -- backward --------------------------------------------------------------------------------------------------

    def _judge_backward(self) -> Search | None:
        for trace, word in zip(self.traces, ("reference", "candidate"), strict=True):
            why = trace.skeleton.end.backward
            if why is not None:
                self.phases["backward"] = f"not judged: the {word} has none ({why})"
                return None
        if any(p.reference in self.graphs[0].nodes and self._other_shape(p) for p in self.flow.sinks):
            self.phases["backward"] = "not judged: the outputs have other shapes, so the cotangents differ"
            return None
        flow = backward_flow(self.flow, self.graphs[0])
        self.backward = flow
        if not any(bank.parameter_gradients for bank in (self.comparison.reference, self.comparison.candidate)):
            self.phases["backward"] = "not judged: no gradient was recorded"
            return None
        order = list(nx.topological_sort(flow.graph))
        start = {p: self.comparison.noise.get(p.at("out"), 0.0) for p in flow.given}
        self.comparison.spread_noise(flow, order, start)
        self.comparison.confirmed_missing = self._missing_gradients(flow, order)
        search = OriginSearch(self.comparison, flow, frozenset(), self._forward_size, self.progress)
        found = search.run(self._backward_sinks(flow, order))
        if self.every:
            search.every()
        self.phases["backward"] = "judged"
        return found

    def _other_shape(self, point: Point) -> bool:
        ours, theirs = self.comparison.values(point)
        return [v.shape for v in ours if rounding(v.dtype)] != [v.shape for v in theirs if rounding(v.dtype)]

    def _forward_size(self, point: Point) -> float:
        """How far apart the forward values are that the backward rule at a point uses."""
        sizes = [0.0]
        for side in ("in", "out"):
            forward = point.at(side)
            if forward in self.flow.graph:
                known = self.comparison.known(forward)
                size = known.size if known is not None else self.comparison.screened(forward)
                sizes.append(size if size is not None and math.isfinite(size) else 0.0)
        return max(sizes)

    def _missing_gradients(self, flow: Flow, order: Sequence[Point]) -> set[Point]:
        """Where one side has no gradient and the parameters further back felt it."""
        felt: dict[Point, bool] = {}
        for point in reversed(order):
            if point.side == "grad_param":
                felt[point] = self._felt(point)
            else:
                felt[point] = any(felt.get(p, False) for p in flow.graph.successors(point))
        return {
            p
            for p, seen in felt.items()
            if seen and (p.side == "grad_out" or (p.side == "grad_in" and self._own_code(p)))
        }

    def _own_code(self, point: Point) -> bool:
        """Is the pair a class of the user's own that got a gradient for its output on both sides? Then it owes one for
        its input; layers of a framework always pay, and have none only where their input asks for none."""
        nodes = (self.graphs[0].nodes[point.reference], self.graphs[1].nodes[point.candidate])
        return all(n.unit and not n.meaning.op and n.call.grad_outputs for n in nodes)

    def _felt(self, point: Point) -> bool:
        """Is a parameter's gradient missing, all zeros, or far off on one side?"""
        for _, r, c in self.comparison.parameter_gradients(point):
            sizes = [0.0 if v is None or v.statistics is None else v.statistics.l2 or 0.0 for v in (r, c)]
            if min(sizes) == 0.0 < max(sizes):
                judged = self.comparison.judge(point)
                return judged is not None and judged.size >= 0.5
        screened = self.comparison.screened(point)
        if screened is None or screened < 0.05:
            return False
        judged = self.comparison.judge(point)
        return judged is not None and judged.size >= 0.05

    def _backward_sinks(self, flow: Flow, order: Sequence[Point]) -> list[Point]:
        """The gradients that have come furthest: those after which no other gradient of a value can be judged."""
        after: dict[Point, bool] = {}
        sinks: list[Point] = []
        for point in reversed(order):
            below = any(after.get(p, False) for p in flow.graph.successors(point))
            here = point.side != "grad_param" and self.comparison.screened(point) is not None
            if here and not below:
                sinks.append(point)
            after[point] = here or below
        return sinks[:16]

    def _backward_origins(self, found: Search | None) -> tuple[Origin, ...]:
        return () if found is None else tuple(self._origin(begin, "backward") for begin in found.begins)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def _diagnosis(self, verdict: Verdict, reason: str, origins: tuple[Origin, ...]) -> Diagnosis:
        road = self._road(origins[0]) if origins else ()
        self._add_notes(origins)
        pairs = self.alignment.pairs
        graph = self.flow.graph
        judgeable = (
            {(p.reference, p.candidate) for p in graph if self.comparison.screened(p) is not None} if graph else set()
        )
        coverage = Coverage(
            judged=points_read(self.comparison),
            aligned=len(pairs) + len(self.alignment.groups),
            alone=len(self.alignment.alone_reference) + len(self.alignment.alone_candidate),
            unjudgeable=sum((p.reference, p.candidate) not in judgeable for p in pairs),
            phases=self.phases or {"forward": "not judged", "backward": "not judged"},
            screened=len(judgeable),
        )
        return Diagnosis(
            verdict,
            reason,
            self._side(0),
            self._side(1),
            origins,
            road,
            self.alignment,
            coverage,
            tuple(dict.fromkeys(self.notes)),
            self._rows(origins) if self.every else (),
        )

    def _side(self, side: int) -> TraceSide:
        trace = self.traces[side]
        header, end = trace.skeleton.header, trace.skeleton.end
        return TraceSide(
            str(trace.path), header.framework, header.framework_version, header.net, end.complete, header.keep
        )

    def _road(self, origin: Origin) -> tuple[RoadStep, ...]:
        """The last units that agree, the origin, and how it grows to the output of the net."""
        if origin.reference is None or origin.phase not in {"forward", "start"} or origin.place == "input":
            return ()
        order = list(self.graphs[0].nodes)
        partner = self.alignment.candidate_of
        at = CallId(origin.reference.path, origin.reference.call or 0)
        begin = next((p for p in self.flow.graph if p.reference == at and p.side == "out"), None)
        if begin is None:
            return ()
        units = [
            Point(id_, partner[id_], "out")
            for id_ in order
            if id_ in partner and self.graphs[0].nodes[id_].unit and Point(id_, partner[id_], "out") in self.flow.graph
        ]
        above = nx.ancestors(self.flow.graph, begin)
        below = nx.descendants(self.flow.graph, begin)
        before = [p for p in units if p in above and p != begin and self._agrees(p)][-2:]
        after = [p for p in units if p in below and p != begin and self._shows(p, origin)]
        shown = [*before, begin, *after[:2], *after[-1:], *(s for s in self.flow.sinks if s != begin)]
        steps = []
        for point in dict.fromkeys(shown):
            difference = self.comparison.judge(point)
            if point == begin:
                difference = origin.difference or difference
            state: Literal["agrees", "starts here", "carried on", "unknown"] = "agrees"
            if point == begin:
                state = "starts here"
            elif difference is None:
                state = "unknown"
            elif point in below and self._carried(point, origin.difference, origin.fed_by):
                state = "carried on"
            steps.append(RoadStep(self._spot(0, point.reference), self._spot(1, point.candidate), difference, state))
        return tuple(steps)

    def _carried(self, point: Point, begun: Difference | None, fed_by: float | None) -> bool:
        """Does a point downstream of an origin still show it, above what fed the origin?"""
        difference = self.comparison.judge(point)
        if difference is None:
            return False
        inherited = MARGIN * (fed_by if fed_by is not None and math.isfinite(fed_by) else 0.0)
        own = begun.tolerance if begun is not None else 0.0
        return difference.size > max(inherited, own) or bool(self.comparison.diverged(point))

    def _shows(self, point: Point, origin: Origin) -> bool:
        """Do the statistics of a point downstream show the origin?"""
        screened = self.comparison.screened(point)
        return screened is not None and screened > MARGIN * (origin.fed_by or 1e-7)

    def _agrees(self, point: Point) -> bool:
        known = self.comparison.known(point)
        if known is not None:
            return not known.diverged
        screened = self.comparison.screened(point)
        return screened is not None and screened <= self.comparison.allowed(point)

    def _rows(self, origins: Sequence[Origin]) -> tuple[PairRow, ...]:
        starts = {
            (o.phase if o.phase != "start" else "forward", o.reference.path, o.reference.call)
            for o in origins
            if o.reference is not None
        }
        rows = []
        sides: list[tuple[Phase, Literal["out", "grad_out"], Flow | None]] = [
            ("forward", "out", self.flow),
            ("backward", "grad_out", self.backward),
        ]
        for phase, side, flow in sides:
            if flow is None:
                continue
            for pair in self.alignment.pairs:
                point = Point(pair.reference, pair.candidate, side)
                known = self.comparison.known(point)
                fed = self.comparison.known(point.at("in" if side == "out" else "grad_in"))
                here = (phase, pair.reference.path, pair.reference.call) in starts
                state = (
                    "starts here"
                    if here
                    else "not judged"
                    if known is None
                    else ("carried on" if self.comparison.diverged(point) else "agrees")
                )
                node = self.graphs[0].nodes.get(pair.reference)
                rows.append(
                    PairRow(
                        self._spot(0, pair.reference),
                        self._spot(1, pair.candidate),
                        node.meaning.op if node else "",
                        phase,
                        known,
                        None if fed is None else fed.size,
                        state,
                        pair.reason,
                        pair.confidence,
                    )
                )
        return tuple(rows)

    def _add_notes(self, origins: Sequence[Origin]) -> None:
        header, other = (t.skeleton.header for t in self.traces)
        for key in header.environment.keys() & other.environment.keys():
            if header.framework == other.framework and header.environment[key] != other.environment[key]:
                self.notes.append(f"{key}: {header.environment[key]} against {other.environment[key]}")
        for key in ("tf32", "autocast", "deterministic"):
            a, b = header.environment.get(key), other.environment.get(key)
            if header.framework != other.framework and _on(a) != _on(b):
                self.notes.append(f"{key} is {a} in the reference and {b} in the candidate")
        if self.comparison.coarse:
            self.notes.insert(0, "the nets compute in different float types; judged by the coarser of both")
        begun = {(o.reference.path, o.reference.call) for o in origins if o.reference is not None}
        for (kind, _, sentence), points in self.setting_notes.items():
            quiet = [p for p in points if (p.reference.path, p.reference.call) not in begun]
            if quiet:
                paths = list(dict.fromkeys(p.reference.path for p in quiet))
                effect = "" if origins else "; without effect on these numbers"
                self.notes.append(f"{kind}: {sentence} at {_few(paths)}{effect}")
        modes = [
            p.reference.path
            for p in self.alignment.pairs
            if p.reference in self.graphs[0].nodes
            and p.candidate in self.graphs[1].nodes
            and random_now(self.graphs[0].nodes[p.reference].meaning, self.graphs[0].nodes[p.reference].call.training)
        ]
        if modes:
            self.notes.append(f"dropout is active in the reference at {_few(modes)}")


def _given(point: Point, scope: CallId) -> str:
    """Which call shows what wrong code made."""
    words = {"in": "is given", "grad_out": "gets back as gradient", "grad_in": "hands back as gradient"}
    return (
        f"what {point.reference} {words[point.side]} differs"
        if point.side in words and point.reference != scope
        else ""
    )


def _random(origin: Origin) -> bool:
    """Is the only thing against the pair that both sides draw random masks?"""
    kinds = {c.kind for c in origin.causes}
    return any(c.kind == "mode" and c.name == "p" for c in origin.causes) and "setting" not in kinds


def _on(flag: object) -> bool:
    """Is a flag set, in whatever words a framework says it?"""
    return str(flag).lower() not in {"none", "false", "off", "0", ""}


def _place(source: object) -> str | None:
    return None if source is None else str(source)


def _few(paths: Iterable[str]) -> str:
    listed = list(paths)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
