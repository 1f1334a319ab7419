"""Where divergence begins: statistics propose for free, arrays decide, bisection explains what statistics missed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import networkx as nx
import numpy as np

from tracer.divergence.bisection import climb, feeding, first_divergences
from tracer.divergence.comparison import Comparison
from tracer.divergence.flow import Flow, Point, Side
from tracer.divergence.graph import CallId, Node
from tracer.divergence.metrics import MARGIN, SQUEEZED, Difference, Progress

_NORMS = {"layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm"}
_KINKS = {"relu", "relu6", "leaky_relu", "prelu", "hardtanh", "hardswish", "hardsigmoid", "max_pool", "elu", "selu"}
_ESTIMATE = 2.0
"""How much further than it is a sample of 64 elements may put a difference."""

_BORDER = 0.05
"""Relative L2 from which two values are other things, not one thing with an error."""

_SHOWN = 1e-3
"""The part of such a difference that may be left in what it feeds."""


@dataclass(frozen=True)
class Begin:
    """A point where divergence begins: how far apart both sides are there, and the furthest of what fed it."""

    point: Point
    difference: Difference
    fed_by: float | None


@dataclass(frozen=True)
class Search:
    """What a search found. `drift` is a sink that is further apart than its road allows although no point of the
    road introduces it: rounding that grew."""

    begins: tuple[Begin, ...]
    drift: Begin | None = None


def norm_axes(op: str, shape: tuple[int, ...], node: Node) -> tuple[int, ...]:
    """The axes that a norm takes together: all but the channels in training, the last ones of its parameters' shape;
    none of what is not known here, or normed by moving statistics."""
    if op == "batch_norm" and node.call.training and len(shape) > 1:
        return (0, *range(2, len(shape)))
    if op in {"layer_norm", "rms_norm"} and shape:
        dims = max((len(p.shape) for p in node.layer.parameters), default=1)
        return tuple(range(len(shape) - min(dims, len(shape)), len(shape)))
    return ()


class OriginSearch:
    """Searches one phase.

    Args:
        comparison: the judge.
        flow: the points of the phase.
        suspects: points of pairs whose settings or modes differ: there a smaller jump is believed.
        inherited: for a backward point how far apart the forward values are that its rule uses.
        within: the only points that are proposed; None for all.
        progress: told what is being done.
    """

    def __init__(
        self,
        comparison: Comparison,
        flow: Flow,
        suspects: frozenset[Point] = frozenset(),
        inherited: Callable[[Point], float] | None = None,
        within: frozenset[Point] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.comparison, self.flow, self.suspects = comparison, flow, suspects
        self.inherited = inherited or (lambda _: 0.0)
        self.within = within
        self.progress = progress
        self.order: list[Point] = list(nx.topological_sort(flow.graph))

    def run(self, sinks: Sequence[Point]) -> Search:
        """All points where divergence begins, in the order of the flow; `sinks` are judged by their arrays."""
        begins: dict[Point, Begin] = {}
        for point in self.proposed():
            begins |= self._verified(point)
        drift: Begin | None = None
        for n, sink in enumerate(sinks):
            if self.progress is not None:
                self.progress("judging outputs", n, len(sinks))
            if not self.comparison.diverged(sink) or self._explained(sink, begins):
                continue
            for point in first_divergences(self.flow.graph, [sink], self.diverged):
                found = self._verified(point)
                begins |= found
                if not found and not self._explained(sink, begins):
                    found = self._slow(sink)
                    begins |= found
                    if not found:
                        drift = drift or self.begin(sink)
        position = {point: n for n, point in enumerate(self.order)}
        return Search(tuple(sorted(begins.values(), key=lambda b: position[b.point])), drift)

    def every(self) -> None:
        """Judge all points."""
        for n, point in enumerate(self.order):
            if self.progress is not None:
                self.progress("judging every pair", n, len(self.order))
            self.comparison.judge(point)

    def diverged(self, point: Point) -> bool | None:
        """Did the point diverge? Unknown where it cannot be judged, or where nothing it feeds shows its difference."""
        verdict = self.comparison.diverged(point)
        difference = self.comparison.known(point)
        return None if verdict and difference is not None and self._idle(point, difference) else verdict

    # -- proposals -------------------------------------------------------------------------------------------------

    def proposed(self) -> Iterator[Point]:
        """Points whose statistics lie further apart than what fed them explains."""
        reach: dict[Point, float] = {}
        for point in self.order:
            above = max((reach[p] for p in self.flow.graph.predecessors(point)), default=0.0)
            above = max(above, self.inherited(point))
            own = self.comparison.screened(point)
            if own is None:
                reach[point] = above
                continue
            reach[point] = above if self._converted(point) else max(own, 0.0)
            if self.within is not None and point not in self.within:
                continue
            limit = self.comparison.limit(point, self.flow)
            jump = 0.3 if point in self.suspects else 0.5
            if math.isinf(own):
                if not math.isinf(above):
                    yield point
            elif own > max(jump * limit, (1.5 if point in self.suspects else 3) * above):
                yield point

    # -- verification ----------------------------------------------------------------------------------------------

    def _verified(self, point: Point) -> dict[Point, Begin]:
        """The point itself where it introduces its difference, else those upstream that do."""
        found: dict[Point, Begin] = {}
        if self.introduces(point):
            begin = self._handed_in_another_layout(point) or self.begin(point)
            return {begin.point: begin}
        if self.comparison.diverged(point):
            for above in climb(self.flow.graph, point, self.diverged):
                if above != point and self.introduces(above):
                    begin = self._handed_in_another_layout(above) or self.begin(above)
                    found[begin.point] = begin
        return found

    def _handed_in_another_layout(self, point: Point) -> Begin | None:
        """What came in at a layer that gives something else altogether, although nothing of the layer differs: equal
        numbers, but in axes that mean something else. Then the code that made them is at fault."""
        difference, came = self.comparison.judge(point), point.at("in")
        if point.side != "out" or point in self.suspects or came not in self.flow.graph or difference is None:
            return None
        given = self.comparison.judge(came)
        if given is None or given.diverged or given.layout in {"", SQUEEZED} or difference.size < _BORDER:
            return None
        nodes = (
            self.comparison.reference.graph.nodes[point.reference],
            self.comparison.candidate.graph.nodes[point.candidate],
        )
        if not all(node.unit for node in nodes) or self.comparison.parameters(point.reference, point.candidate):
            return None
        return Begin(came, replace(given, problem="shape"), 0.0)

    def begin(self, point: Point) -> Begin:
        """The judgement of a point together with what fed it."""
        difference = self.comparison.judge(point)
        if difference is None:
            raise AssertionError(point)
        fed = [d.size for d in self._fed(point)]
        most = max([*fed, self.inherited(point)]) if fed else None
        limit = min(difference.tolerance, self.expected(point, most or 0.0)) if math.isfinite(most or 0.0) else 0.0
        return Begin(point, self.comparison.held_against(point, difference, limit), most)

    def expected(self, point: Point, fed_by: float) -> float:
        """The relative L2 up to which a point is explained by its own rounding and by what fed it."""
        if self.comparison.tolerance.rtol is not None:
            return self.comparison.tolerance.rtol
        suspect = point in self.suspects
        limit = self.comparison.limit(point, self.flow) * (0.3 if suspect else 1.0)
        return max(limit, (3.0 if suspect else MARGIN) * fed_by)

    def _fed(self, point: Point) -> list[Difference]:
        found: list[Difference] = []
        for feeder in feeding(self.flow.graph, point, self.diverged):
            if self._converted(feeder) and not self.diverged(feeder):
                found += self._fed(feeder)
            else:
                judged = self.comparison.judge(feeder)
                found += [judged] if judged is not None else []
        return found

    def _unseen(self, point: Point) -> list[Point]:
        """Of the calls beside a point that code made those whose statistics lie apart, the nearest first, which mostly
        explains it alone: the code may have used any of them, also one that another call took (a skip connection)."""
        if point not in self.flow.code:
            return []
        graph = self.comparison.reference.graph
        came = point.side in {"in", "grad_out"}  # from the code of the enclosing call, not from that of its own
        scope = graph.nodes[point.reference].parent if came else point.reference
        beside = graph.nodes[scope].children if scope is not None else ()
        at = beside.index(point.reference) if point.reference in beside else len(beside)
        beside = beside[at + 1 :] if point.side == "grad_out" else beside[:at][::-1]
        side: Side = "out" if point.side in {"in", "out"} else "grad_in"
        found = []
        for id_ in beside:
            other = self._points.get((id_, side))
            apart = self.comparison.screened(other) if other is not None else None
            if other is not None and apart is not None and apart > self.comparison.limit(other, self.flow):
                found.append(other)
        return found

    @cached_property
    def _points(self) -> dict[tuple[CallId, Side], Point]:
        return {(point.reference, point.side): point for point in self.flow.graph}

    def _converted(self, point: Point) -> bool:
        """Was what came in brought to another float type on one side? Then it differs by that rounding, which belongs
        to the layer that computes in that type."""
        return point.side == "in" and not self.comparison.coarse and self.comparison.other_dtype(point)

    def introduces(self, point: Point) -> bool:
        """Is the difference at a point a jump against what fed it, relative and in absolute size?

        A subtraction of nearly equal numbers, or a division by a small spread, makes an inherited error large
        relative to the result without adding to it; so the absolute error must jump too.
        """
        difference = self.comparison.judge(point)
        if difference is None:
            return False
        fed = self._fed(point)
        if math.isinf(difference.size):
            feeders = [*feeding(self.flow.graph, point, self.diverged), *self._unseen(point)]
            return not any(self.diverged(p) for p in feeders) and not self._idle(point, difference)
        if self.comparison.tolerance.rtol is not None:
            apart = any(d.diverged for d in fed) or any(map(self.diverged, self._unseen(point)))
            return bool(self.comparison.diverged(point)) and not apart
        inherited = max([self.inherited(point), *(d.size for d in fed)])
        expected = self.expected(point, inherited)
        expected = _ESTIMATE * expected if difference.from_statistics else expected
        if difference.size <= expected or self.comparison.tolerance.accepts(difference.max_abs):
            return False
        if self._kink(point, difference, expected) or self._idle(point, difference):
            return False
        unseen = (d for p in self._unseen(point) if self.diverged(p) and (d := self.comparison.judge(p)) is not None)
        if any(difference.size <= MARGIN * other.size for other in unseen):
            return False
        if point.side == "grad_param" and not difference.problem:
            # a sum in which much cancels keeps little of itself and all of the errors of its terms
            error = (difference.rms_error or 0.0) * math.sqrt(math.prod((difference.shapes or ((), ()))[0]))
            if error <= inherited * self.comparison.gradient_scale(point):
                return False
        errors = [d.rms_error for d in fed if d.rms_error is not None]
        if not errors or difference.rms_error is None or difference.size > 1000 * inherited:
            return True
        return difference.rms_error > 3 * max(errors) * self._gain(point)

    def _idle(self, point: Point, difference: Difference) -> bool:
        """Does nothing that the point feeds show its difference, a large one? Then the two nets only draw the border
        of a layer elsewhere (a container that takes in one layer more), hand arguments over in another form, or the
        pair is wrong. Of two layers that are paired beyond doubt this is believed only of what came in."""
        if point.side not in {"in", "out"} or point in self.flow.sinks or difference.size < _BORDER:
            return False
        ours = self.comparison.reference.graph.nodes[point.reference]
        theirs = self.comparison.candidate.graph.nodes[point.candidate]
        unit = ours.unit and theirs.unit
        if point.side == "out" and unit and not self.comparison.is_doubtful(point):
            return False
        fed = list(self.flow.graph.successors(point))
        inside = [p for p in fed if p != point.at("out")]
        if point.side == "in" and not unit and inside:
            # an argument that only the container's own code uses shows in what the container gives
            graphs = (
                (self.comparison.reference.graph, point.reference),
                (self.comparison.candidate.graph, point.candidate),
            )
            handed = any(graph.hands_in(id_, difference.leaf) for graph, id_ in graphs)
            fed = inside if handed else [point.at("out")]
        judged = [(p, d) for p in fed if (d := self.comparison.judge(p)) is not None]
        shown = min(difference.size, 1.0) * _SHOWN
        return bool(judged) and all(
            not d.problem and d.size <= max(self.comparison.limit(p, self.flow), shown) for p, d in judged
        )

    def _gain(self, point: Point) -> float:
        """By how much a layer may by right enlarge the root mean square of an error: a norm divides by the spread of
        its input; a weight W gives an error without direction ||W|| / sqrt(rows) (columns on the way back)."""
        node = self.comparison.reference.graph.nodes[point.reference]
        if point.side == "out" and node.meaning.op in _NORMS:
            spreads = []
            for value in node.inputs[:1]:
                s = value.statistics
                if s is not None and s.l2 is not None and s.mean is not None and s.count:
                    spreads.append(math.sqrt(max(s.l2**2 / s.count - s.mean**2, 1e-12)))
            narrow = self._narrowest(node)
            return max(1.0, narrow, 1.0 / min(spreads)) if spreads else 1.0
        weights = [p for p in node.layer.parameters if len(p.shape) > 1 and p.statistics and p.statistics.l2]
        if point.side in {"out", "grad_in"} and weights and node.unit:
            axis = 0 if point.side == "out" else 1
            return max(1.0, *((p.statistics.l2 or 0.0) / math.sqrt(p.shape[axis]) for p in weights if p.statistics))
        return 1.0

    def _narrowest(self, node: Node) -> float:
        """By how much a norm that takes each channel, or each row, by itself enlarges an error: the root mean square of
        1 / spread over them, since one whose numbers are nearly alike says little of the spread of all."""
        given = node.inputs[0] if node.inputs else None
        axes = norm_axes(node.meaning.op, given.shape if given is not None else (), node)
        if given is None or given.stored is None or not axes:
            return 1.0
        array = self.comparison.reference.arrays.array(given)
        variance = np.var(array.astype(np.float64), axis=axes)
        return float(np.sqrt(np.mean(1.0 / np.maximum(variance, 1e-12))))

    def _kink(self, point: Point, difference: Difference, expected: float) -> bool:
        """A gradient that is off in a few elements only, where rounding decides on which side of a kink they are:
        without them it is within what is expected."""
        if not point.side.startswith("grad") or difference.trimmed is None or difference.problem:
            return False
        op = self.comparison.op(point, self.flow)
        return difference.trimmed <= expected and (op == "" or op in _KINKS)

    def _explained(self, sink: Point, begins: dict[Point, Begin]) -> bool:
        return any(p == sink or nx.has_path(self.flow.graph, p, sink) for p in begins)

    def _slow(self, sink: Point) -> dict[Point, Begin]:
        """Nothing jumps: among the pairs on the road whose settings differ, the first that adds to what it was fed."""
        above = nx.ancestors(self.flow.graph, sink)
        for point in self.order:
            if point in above and point in self.suspects:
                difference = self.comparison.judge(point)
                if difference is None or difference.problem:
                    continue
                begin = self.begin(point)
                if difference.size > max(0.2 * self.comparison.limit(point, self.flow), 1.5 * (begin.fed_by or 0.0)):
                    return {point: begin}
        return {}
