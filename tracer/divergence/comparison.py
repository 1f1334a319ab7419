"""One point -> how far apart both nets are there; the only reader of arrays. It remembers what it judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tracer.divergence.flow import Flow, Point
from tracer.divergence.graph import CallGraph, CallId, own_parameters
from tracer.divergence.metrics import (
    MARGIN,
    REORDERED,
    SQUEEZED,
    Array,
    Difference,
    Tolerance,
    coarser,
    compare_blocks,
    fitting,
    is_constant,
    layouts,
    may_be_masks,
    rounding,
    same_values,
    screen,
)
from tracer.divergence.placed import Place, place_of, ways
from tracer.trace.schema import Parameter, Placed, Value

UNKNOWN_CODE_BACKWARD = 1e-3
"""Relative L2 that the gradient of unseen code may be apart between frameworks: MindSpore's own tanh and exp reach
3e-4; a detached or negated gradient is of size one."""

_LAYOUTS_TRIED = 3
_TELLING_ERROR = 0.1
"""Relative L2 up to which two arrays of other shapes are one thing with an error."""


class ArrayReader(Protocol):
    """What is needed of a trace here; `tracer.trace.reader.Trace` is one."""

    def array(self, value: Value | Parameter) -> Array:
        """The whole array."""

    def blocks(self, value: Value | Parameter, elements: int = ...) -> Iterator[Array]:
        """The array as flat C-order blocks."""

    def check(self, value: Value | Parameter) -> None:
        """Raise where the file does not hold the array as it says."""

    def row_blocks(self, parameter: Parameter) -> Array:
        """Sum, sum of squares, minimum and maximum of each block of rows, float64 (n, 4)."""


@dataclass(frozen=True)
class Bank:
    """One side of the comparison: its arrays, its graph, its gradients of parameters."""

    arrays: ArrayReader
    graph: CallGraph
    parameter_gradients: Mapping[tuple[str, str], Value]
    alone: frozenset[CallId] = frozenset()
    """Calls without a partner."""
    doubtful: frozenset[CallId] = frozenset()
    """Calls whose pair is less than certain."""
    partners: Mapping[CallId, CallId] = field(default_factory=dict)
    """For each paired call that of the other side."""


class Comparison:
    """Judges points of the aligned graph; every judgement is kept.

    Args:
        reference, candidate: the two sides.
        tolerance: what counts as equal.
        code: points that code between layers made: there another shape is a finding.
        coarse: judge every value by the coarser of both dtypes (the nets differ in dtype throughout).
        placed: what of the candidate was made of the reference's parameters, by its place.
        otherwise: stored arrays of the reference that lie in the candidate as their weights were placed.
    """

    def __init__(
        self,
        reference: Bank,
        candidate: Bank,
        tolerance: Tolerance,
        code: frozenset[Point] = frozenset(),
        *,
        coarse: bool = False,
        placed: Mapping[Place, Placed] | None = None,
        otherwise: Mapping[str, Placed] | None = None,
    ) -> None:
        self.reference, self.candidate = reference, candidate
        self.tolerance = tolerance
        self.coarse = coarse
        self._placed = {place: one for place, one in (placed or {}).items() if one.changed}
        self._otherwise = otherwise or {}
        self.frameworks = (reference.graph.framework, candidate.graph.framework)
        self.noise: dict[Point, float] = {}
        self.read: set[Point] = set()
        self.code = code
        self.confirmed_missing: set[Point] = set()
        """Points without a gradient on one side, whose parameters further back felt it."""
        self.passed_over: set[Point] = set()
        """Points whose values are known to say nothing."""
        self.filled: dict[Point, Difference] = {}
        """Points at which a mask is -inf on one side and a huge negative number on the other."""
        self._judged: dict[Point, Difference | None] = {}
        self._screened: dict[Point, float | None] = {}
        self._pairs: dict[tuple[str, str, float], Difference] = {}

    # -- tolerances ------------------------------------------------------------------------------------------------

    def op(self, point: Point, flow: Flow) -> str | None:
        """What works at this point: an op, "" for code that no rule knows, None where a value is only handed on."""
        if point in flow.code:
            return ""
        if point.side in {"in", "grad_out"}:
            return None
        node = self.reference.graph.nodes[point.reference]
        other = self.candidate.graph.nodes[point.candidate]
        if not (node.unit or other.unit):
            return None
        return node.meaning.op if node.meaning.op == other.meaning.op else ""

    def spread_noise(self, flow: Flow, order: Sequence[Point], start: Mapping[Point, float] | None = None) -> None:
        """Work out for every point how far rounding may have come there: the noises of the road add in quadrature."""
        for point in order:
            op = self.op(point, flow)
            own = 0.0 if op is None else self.tolerance.noise(op, self.dtype(point), self.frameworks)
            if point.side.startswith("grad"):
                own *= 3  # a backward rule multiplies by what the forward pass rounded already
            above = max((self.noise.get(p, 0.0) for p in flow.graph.predecessors(point)), default=0.0)
            above = max(above, (start or {}).get(point, 0.0))
            self.noise[point] = math.hypot(own, above)

    def limit(self, point: Point, flow: Flow) -> float:
        """The relative L2 that this point alone may add, what fed it being equal."""
        op = self.op(point, flow)
        own = self.tolerance.limit(op or "relu", self.dtype(point), self.frameworks)
        if op == "":
            own = self.tolerance.limit("", self.dtype(point), self.frameworks)
        if not point.side.startswith("grad") or self.tolerance.rtol is not None:
            return own
        unknown = op == "" and self.frameworks[0] != self.frameworks[1]
        return max(3 * own, UNKNOWN_CODE_BACKWARD if unknown else 0.0)

    def allowed(self, point: Point) -> float:
        """The relative L2 up to which the point counts as equal, with all the road behind it."""
        if self.tolerance.rtol is not None:
            return self.tolerance.rtol
        return MARGIN * max(
            self.noise.get(point, 0.0), self.tolerance.noise("linear", self.dtype(point), self.frameworks)
        )

    def dtype(self, point: Point) -> str:
        """The dtype a point is judged by: the reference's, or the coarser of both where the nets differ throughout."""
        ours, theirs = self.values(point)
        floats = [v.dtype for v in ours if rounding(v.dtype)]
        others = [v.dtype for v in theirs if rounding(v.dtype)]
        own = floats[0] if floats else "float32"
        for dtype in floats:
            own = coarser(own, dtype)
        if self.coarse or point.side == "in":
            for dtype in others:
                own = coarser(own, dtype)
        elif others and rounding(own) > rounding("float32"):
            own = min((own, *others), key=rounding)  # a layer that computes finer than it should is wrong too
            own = coarser(own, "float32")
        return own

    def given_the_same(self, side: Bank, id_: CallId) -> bool:
        """Did a call of one side get what its partner got?"""
        partner = side.partners.get(id_)
        if partner is None:
            return False
        pair = (id_, partner) if side is self.reference else (partner, id_)
        return self.diverged(Point(*pair, "in")) is False

    def other_dtype(self, point: Point) -> bool:
        """Do the two sides hold different float types at a point?"""
        pairs = match_leaves(*self.values(point))[0]
        return any(r.dtype != c.dtype and rounding(r.dtype) and rounding(c.dtype) for r, c in pairs)

    # -- values ----------------------------------------------------------------------------------------------------

    def values(self, point: Point) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The tensors of both sides at a point."""
        return (
            _values(self.reference, point.reference, point.side),
            _values(self.candidate, point.candidate, point.side),
        )

    def screened(self, point: Point) -> float | None:
        """How far apart the statistics say both are, at least or likely; None where they cannot say."""
        if point not in self._screened:
            self._screened[point] = self._screen(point)
        return self._screened[point]

    def _screen(self, point: Point) -> float | None:
        worst: float | None = None
        if point in self.passed_over:
            return None
        if point.side == "grad_param":
            pairs = [(r, c) for _, r, c in self.parameter_gradients(point) if r is not None and c is not None]
        else:
            pairs = match_leaves(*self.values(point))[0]
        if point in self.confirmed_missing and len({bool(side) for side in self.values(point)}) == 2:
            return math.inf
        if point.side == "grad_param" and self._one_sided(point):
            return math.inf
        for r, c in pairs:
            if math.prod(r.shape) != math.prod(c.shape) and self._shape_matters(point, r, c):
                return math.inf
            found = self._screen_leaf(r, c)
            if found is not None:
                worst = max(worst or 0.0, found)
        return worst

    def _shape_matters(self, point: Point, r: Value, c: Value) -> bool:
        """Is another number of elements a finding here? Of what went out, of the first thing that came in, and of
        others unless they fit each other: a mask may be handed over in a form that is yet to be broadcast."""
        if point.side != "in":
            return point.side == "out"
        if not rounding(r.dtype):
            return False
        return r.leaf in {"", "0"} or not (len(r.shape) != len(c.shape) or _broadcast(r.shape, c.shape))

    def _screen_leaf(self, r: Value, c: Value) -> float | None:
        if r.digest is not None and r.digest == c.digest and r.shape == c.shape and r.dtype == c.dtype:
            return 0.0
        if r.statistics is None or c.statistics is None:
            return None
        same_shape = r.shape == c.shape and r.stored not in self._otherwise
        if not rounding(r.dtype) and not rounding(c.dtype):
            found = screen(r.statistics, c.statistics, same_shape=same_shape)
            return None if found is None else (math.inf if found > 0 else 0.0)
        return screen(r.statistics, c.statistics, same_shape=same_shape)

    def is_doubtful(self, point: Point) -> bool:
        """Is the pair itself less than certain?"""
        return point.reference in self.reference.doubtful

    # -- judging ---------------------------------------------------------------------------------------------------

    def known(self, point: Point) -> Difference | None:
        """What was judged already; None when the point was not judged, or cannot be."""
        return self._judged.get(point)

    def judge(self, point: Point) -> Difference | None:
        """How far both are apart at a point: the worst of its leaves. None when it cannot be judged."""
        if point not in self._judged:
            self._judged[point] = self._judge(point)
            self.read.add(point)
        return self._judged[point]

    def held_against(self, point: Point, difference: Difference, tolerance: float) -> Difference:
        """The same difference against a narrower tolerance; the share of elements beyond it is counted anew."""
        if difference.problem or difference.from_statistics or tolerance == difference.tolerance:
            return replace(difference, tolerance=tolerance)
        found = [self._judge_leaf(r, c, tolerance, point) for r, c in match_leaves(*self.values(point))[0]]
        again = next((d for d in found if d is not None and d.leaf == difference.leaf), None)
        return replace(difference, tolerance=tolerance, beyond=again.beyond if again else difference.beyond)

    def diverged(self, point: Point) -> bool | None:
        """Is the point further apart than its road allows? None when it cannot be judged."""
        difference = self.judge(point)
        return None if difference is None else self._beyond(difference)

    def _beyond(self, difference: Difference) -> bool:
        return difference.diverged and not (not difference.problem and self.tolerance.accepts(difference.max_abs))

    def _judge(self, point: Point) -> Difference | None:
        allowed = self.allowed(point)
        if point in self.passed_over:
            return None
        if point.side == "grad_param":
            return self._judge_parameter_gradients(point, allowed)
        ours, theirs = self.values(point)
        if point.side.startswith("grad") and bool(ours) != bool(theirs):
            return self._missing_gradient(ours or theirs, allowed, point)
        pairs, problem = match_leaves(ours, theirs)
        found = [d for d in (self._judge_leaf(r, c, allowed, point) for r, c in pairs) if d is not None]
        for d in found:
            if d.filled:
                self.filled[point] = d
        if point.side == "out" and self._is_root(point) and not problem:
            problem = _other_keys(ours, theirs)
        if problem and point.side == "out" and self._returned(point) and (self._is_root(point) or not pairs):
            return Difference(None, allowed, problem="structure", leaf=problem)
        if not found:
            return None
        return max(found, key=lambda d: (d.diverged, d.size))

    def exchanged(self, point: Point) -> tuple[tuple[str, str], ...]:
        """The (reference, candidate) leaves of a point that hold the same numbers though each is paired with another,
        which it differs from: parts of a tuple in each other's place."""
        ours, theirs = self.values(point)
        allowed = self.allowed(point)
        return tuple(
            (other.leaf, c.leaf)
            for r, c in match_leaves(ours, theirs)[0]
            if len(ours) > 1 and not is_constant(c.statistics) and not self._same(r, c, allowed)
            for other in ours
            if other.leaf != r.leaf and other.shape == c.shape and self._same(other, c, allowed)
        )

    def _same(self, r: Value, c: Value, allowed: float) -> bool:
        difference = self._difference(r, c, allowed)
        return difference is not None and not difference.diverged

    def _returned(self, point: Point) -> bool:
        ours, theirs = self.reference.graph.nodes[point.reference], self.candidate.graph.nodes[point.candidate]
        return ours.call.returned and theirs.call.returned

    def _is_root(self, point: Point) -> bool:
        return point.reference in self.reference.graph.roots and point.candidate in self.candidate.graph.roots

    def _judge_leaf(self, r: Value, c: Value, allowed: float, point: Point) -> Difference | None:
        exact = not rounding(r.dtype) and not rounding(c.dtype)
        allowed = 0.0 if exact else allowed
        difference = self._difference(r, c, allowed)
        if difference is None:
            return None
        if difference.problem == "shape" and point.side in {"in", "out"}:
            difference = self._read_as_the_other_side(point, r, c, allowed) or difference
        difference = replace(
            difference, leaf=r.leaf, dtypes=(r.dtype, c.dtype), shapes=(r.shape, c.shape), tolerance=allowed
        )
        if difference.problem == "shape" and not self._shape_matters(point, r, c):
            return None
        if difference.layout and point.side == "out" and self._is_root(point):
            return replace(difference, problem="shape")
        return difference

    def _difference(self, r: Value, c: Value, allowed: float) -> Difference | None:
        """One leaf of each side, from digests, arrays, or statistics, whichever answers with the least reading."""
        if r.digest is not None and r.digest == c.digest and r.dtype == c.dtype and r.shape == c.shape:
            for side, value in ((self.reference, r), (self.candidate, c)):
                if value.stored:
                    side.arrays.check(value)  # nothing is read, yet a file that lies is not believed
            nan = 0 if r.statistics is None else r.statistics.nan + r.statistics.inf
            return Difference(0.0, allowed, 0.0, exact=True, rms_error=0.0, nan_reference=nan, nan_candidate=nan)
        if math.prod(r.shape) != math.prod(c.shape):
            return Difference(None, allowed, problem="shape")
        if math.prod(r.shape) == 0:
            return Difference(0.0, allowed, 0.0, exact=True, problem="" if r.shape == c.shape else "shape")
        if r.stored and c.stored:
            key = (r.stored, c.stored, allowed)
            if key not in self._pairs:
                self._pairs[key] = self._read(r, c, allowed)
            return self._pairs[key]
        return self._from_statistics(r, c, allowed)

    def _read(self, r: Value | Parameter, c: Value | Parameter, allowed: float) -> Difference:
        found = read_difference(self.reference.arrays, r, self.candidate.arrays, c, allowed)
        placed = self._otherwise.get(r.stored or "")
        if placed is None or not found.diverged:
            return found
        here, there = self.reference.arrays.array(r), self.candidate.arrays.array(c)
        found_so = [
            compare_blocks([(np.ravel(way), np.ravel(there))], c.shape, tolerance=allowed, rms=_rms(r))
            for way in ways(here, placed)
            if way.shape == c.shape
        ]
        return min([*found_so, found], key=lambda d: (bool(d.problem), d.size))

    def _read_as_the_other_side(self, point: Point, r: Value, c: Value, allowed: float) -> Difference | None:
        """Numbers that have nothing in common show no layout; but what goes through a layer that keeps its shape goes
        out as it came in, so the layout of the one is that of the other."""
        if not (r.stored and c.stored) or math.prod(r.shape) != math.prod(c.shape):
            return None
        for other_r, other_c in match_leaves(*self.values(point.at("out" if point.side == "in" else "in")))[0]:
            if (other_r.shape, other_c.shape) == (r.shape, c.shape) and other_r.stored and other_c.stored:
                known = self.reference.arrays.array(other_r), self.candidate.arrays.array(other_c)
                layout, sure = fitting(*known)[0]
                if sure:
                    ours, theirs = self.reference.arrays.array(r), self.candidate.arrays.array(c)
                    blocks = [(np.ravel(ours), np.ravel(layout.apply(theirs, r.shape)))]
                    return compare_blocks(blocks, r.shape, tolerance=allowed, rms=_rms(r), layout=layout.name)
        return None

    def _from_statistics(self, r: Value | Parameter, c: Value | Parameter, allowed: float) -> Difference | None:
        if r.statistics is None or c.statistics is None:
            return None
        same_shape = (r.shape == c.shape or _same_parameter_shape(r, c)) and r.stored not in self._otherwise
        found = screen(r.statistics, c.statistics, same_shape=same_shape)
        if found is None or (math.isinf(found) and may_be_masks(r.statistics, c.statistics)):
            return None
        return Difference(
            None if math.isinf(found) else found,
            max(allowed, 1e-6 if allowed else 0.0),
            nan_reference=_odd(r),
            nan_candidate=_odd(c),
            problem="nan" if math.isinf(found) else "",
            mask_differs=math.isinf(found),
            from_statistics=True,
            layout="" if r.shape == c.shape else next(layouts(r.shape, c.shape)).name,
        )

    # -- gradients -------------------------------------------------------------------------------------------------

    def _missing_gradient(self, values: Sequence[Value], allowed: float, point: Point) -> Difference | None:
        """One side has no gradient: the same as zeros. What came in needs none in one framework, so only what went
        out is judged, and only where the net's own parameters felt it (`confirmed_missing`)."""
        if point not in self.confirmed_missing:
            return None
        if all(v.statistics is not None and not v.statistics.l2 for v in values):
            return Difference(0.0, allowed, 0.0, rms_error=0.0)
        return Difference(1.0, allowed, problem="missing", rms_error=max(_rms(v) for v in values))

    def parameter_gradients(self, point: Point) -> list[tuple[str, Value | None, Value | None]]:
        """The gradients of a layer's parameters on both sides, by torch's names."""
        ours, theirs = (
            _parameters(self.reference.graph, point.reference.path),
            _parameters(self.candidate.graph, point.candidate.path),
        )
        mine, other = (
            _gradients(self.reference, point.reference.path),
            _gradients(self.candidate, point.candidate.path),
        )
        return [
            (name, mine.get(name), other.get(their))
            for their, name in _partners(ours, theirs).items()
            if not (
                (placed := self._given(point.reference.path, name, point.candidate.path, their)) and placed.otherwise
            )
        ]

    def _one_sided(self, point: Point) -> bool:
        """Has only one side a gradient that is more than rounding for some parameter?"""
        floor = self._gradient_floor(point)
        for _, r, c in self.parameter_gradients(point):
            present = r or c
            if (r is None or c is None) and present is not None and present.statistics is not None:
                return (present.statistics.l2 or 0.0) > floor
        return False

    def _judge_parameter_gradients(self, point: Point, allowed: float) -> Difference | None:
        found: list[Difference] = []
        for name, r, c in self.parameter_gradients(point):
            floor = self._gradient_floor(point)
            if r is None or c is None:
                present = r or c
                size = 0.0 if present is None or present.statistics is None else present.statistics.l2 or 0.0
                missing = "missing" if size > floor else ""
                found.append(Difference(1.0 if missing else 0.0, allowed, problem=missing, leaf=name))
                continue
            difference = self._judge_leaf(r, c, allowed, point)
            if difference is None:
                continue
            error = (difference.rms_error or 0.0) * math.sqrt(max(math.prod(r.shape), 1))
            known = difference.rms_error is not None
            if known and difference.diverged and not difference.problem and error <= floor:
                difference = replace(difference, relative_l2=0.0, layout="below the rounding of its own sum")
            found.append(replace(difference, leaf=name))
        return max(found, key=lambda d: (d.diverged, d.size), default=None)

    def _gradient_floor(self, point: Point) -> float:
        """The L2 below which a parameter's gradient says nothing: the rounding of the sum that made it."""
        return 8 * rounding(self.dtype(point)) * self.gradient_scale(point)

    def gradient_scale(self, point: Point) -> float:
        """The most that the gradient of a layer's parameters can be in L2, its terms being products of the incoming
        gradient and the input (Cauchy-Schwarz)."""
        node = self.reference.graph.nodes[point.reference]
        incoming = max((v.statistics.l2 or 0.0 for v in node.call.grad_outputs if v.statistics), default=0.0)
        given = max((v.statistics.l2 or 0.0 for v in node.inputs if v.statistics), default=0.0)
        count = max((math.prod(v.shape) for v in node.outputs), default=1)
        return incoming * max(given, math.sqrt(count))

    # -- parameters ------------------------------------------------------------------------------------------------

    def parameters(self, reference: CallId, candidate: CallId) -> tuple[ParameterDifference, ...]:
        """How the parameters of two aligned layers differ, by torch's names; equal ones are left out."""
        ours = _parameters(self.reference.graph, reference.path)
        theirs = _parameters(self.candidate.graph, candidate.path)
        partners = _partners(ours, theirs)
        own_names = {partners.get(name, name): name for name in theirs}
        theirs = {partners.get(name, name): parameter for name, parameter in theirs.items()}
        found: list[ParameterDifference] = []
        unknown = not self.reference.graph.meanings[reference.path].op  # the user's own class: the user's own names
        for name in [*ours, *(n for n in theirs if n not in ours)]:
            r, c = ours.get(name), theirs.get(name)
            if r is None or c is None:
                if "num_batches" not in name and (r or c) is not None:
                    found.append(ParameterDifference(name, r, c, None, (reference.path, candidate.path)))
                continue
            placed = self._given(reference.path, name, candidate.path, own_names[name])
            if placed is not None and placed.changed:
                continue  # it holds the reference's numbers, in its own order
            difference = self.parameter(r, c)
            if difference is not None and difference.diverged:
                said = r.name if unknown else name
                found.append(ParameterDifference(said, r, c, difference, (reference.path, candidate.path)))
        return tuple(found)

    def _given(self, reference: str, ours: str, candidate: str, theirs: str) -> Placed | None:
        """What was done to make this parameter of the candidate's layer, told by torch's names, of that one of the
        reference's layer. Where both layers are of one op a transposed matrix is no other way to write the same."""
        if not self._placed:
            return None
        mine, other = _parameters(self.reference.graph, reference), _parameters(self.candidate.graph, candidate)
        source = place_of(self.reference.graph, reference, ours, mine[ours])
        placed = self._placed.get(place_of(self.candidate.graph, candidate, theirs, other[theirs]))
        if placed is None or source not in {(path, name) for path, name, _ in placed.of}:
            return None
        ops = self.reference.graph.meanings[reference].op, self.candidate.graph.meanings[candidate].op
        return None if placed.turned and ops[0] and ops[0] == ops[1] else placed

    def known_class(self, difference: ParameterDifference) -> bool:
        """Does a rule know the layer that holds the parameter?"""
        return bool(self.reference.graph.meanings[difference.places[0]].op)

    def shared_parameters(self, reference: CallId, candidate: CallId) -> tuple[tuple[Parameter, Parameter], ...]:
        """The parameters that both of two aligned layers have."""
        ours = _parameters(self.reference.graph, reference.path)
        theirs = _parameters(self.candidate.graph, candidate.path)
        return tuple((ours[mine], theirs[other]) for other, mine in _partners(ours, theirs).items())

    def parameter(self, r: Parameter, c: Parameter) -> Difference | None:
        """One parameter of each side; a few roundings of the coarser dtype count as equal."""
        dtype = coarser(r.dtype, c.dtype)
        allowed = 4 * rounding(dtype)
        if r.digest is not None and r.digest == c.digest and math.prod(r.shape) == math.prod(c.shape):
            return None
        if math.prod(r.shape) != math.prod(c.shape):
            return Difference(None, allowed, problem="shape", shapes=(r.shape, c.shape), dtypes=(r.dtype, c.dtype))
        if self._same_blocks(r, c, allowed):
            return None
        found = self._read(r, c, allowed) if r.stored and c.stored else self._from_statistics(r, c, allowed)
        if found is None or (found.layout and found.layout != SQUEEZED and not found.diverged):
            return found
        return replace(found, shapes=(r.shape, c.shape), dtypes=(r.dtype, c.dtype))

    def same_in_reference(self, parameter: Parameter) -> str | None:
        """Where the reference holds this very parameter, if in one other place only."""
        if parameter.digest is None or is_constant(parameter.statistics):
            return None
        places = [
            f"{path}.{p.name}"
            for path, layer in self.reference.graph.layers.items()
            for p in layer.parameters
            if p.digest == parameter.digest and p.owner is None
        ]
        return places[0] if len(places) == 1 else None

    def _same_blocks(self, r: Parameter, c: Parameter, allowed: float) -> bool:
        """Do the samples and the sums over blocks of rows say, without reading the arrays, that both are equal but
        for rounding? A parameter of which some rows differ shows in the sums of their blocks."""
        if r.shape != c.shape or r.statistics is None or c.statistics is None or r.blocks is None or c.blocks is None:
            return False
        apart = screen(r.statistics, c.statistics, same_shape=True)
        if apart is None or apart > allowed or r.block_rows != c.block_rows:
            return False
        ours, theirs = self.reference.arrays.row_blocks(r), self.candidate.arrays.row_blocks(c)
        if ours.shape != theirs.shape:
            return False
        rows = math.prod(r.shape) / max(len(ours), 1)
        sizes = np.sqrt(np.maximum(ours[:, 1], 0))
        scale = np.stack([sizes * math.sqrt(rows), ours[:, 1], sizes, sizes], axis=1)
        return bool(np.all(np.abs(ours - theirs) <= 2 * allowed * scale + 1e-30))


@dataclass(frozen=True)
class ParameterDifference:
    """A parameter that is missing on one side (`difference` None) or holds other numbers; `places` are the paths of
    its layer."""

    name: str
    reference: Parameter | None
    candidate: Parameter | None
    difference: Difference | None
    places: tuple[str, str]


def read_difference(
    ours: ArrayReader, r: Value | Parameter, theirs: ArrayReader, c: Value | Parameter, allowed: float
) -> Difference:
    """How far two stored arrays of as many elements are apart, in whatever layout the candidate's is; a "shape" problem
    where it is in none."""
    rms = _rms(r)
    if r.shape == c.shape or _same_parameter_shape(r, c):
        blocks = zip(ours.blocks(r), theirs.blocks(c), strict=True)
        return compare_blocks(blocks, r.shape, tolerance=allowed, rms=rms)
    here, there = ours.array(r), theirs.array(c)
    best: Difference | None = None
    for layout, sure in fitting(here, there)[:_LAYOUTS_TRIED]:
        turned = layout.apply(there, r.shape)
        found = compare_blocks(
            [(np.ravel(here), np.ravel(turned))], r.shape, tolerance=allowed, rms=rms, layout=layout.name
        )
        if sure or not found.diverged:
            return found
        if best is None or found.size < best.size:
            best = found
    if best is None or not best.diverged:
        return Difference(None, allowed, problem="shape")
    if same_values(r.statistics, c.statistics, within=1e-5):
        sides = [(np.sort(here, axis=None), np.sort(there, axis=None))]
        again = compare_blocks(sides, r.shape, tolerance=allowed, rms=rms, layout=REORDERED)
        if not again.diverged:
            return again
    if best.size > _TELLING_ERROR:
        return Difference(None, allowed, problem="shape", nan_reference=_odd(r), nan_candidate=_odd(c))
    return best


def match_leaves(ours: Sequence[Value], theirs: Sequence[Value]) -> tuple[list[tuple[Value, Value]], str]:
    """Pair the leaves of two results: by where they sit, else those of one name, and the rest in order. Second: what
    is left over, in words."""
    if [v.leaf for v in ours] == [v.leaf for v in theirs]:
        return list(zip(ours, theirs, strict=True)), ""
    partners = {v.leaf: v for v in theirs}
    common = [v for v in ours if v.leaf in partners]
    if len(common) < min(len(ours), len(theirs)):
        # a place tells nothing where an argument is handed over by its name on the other side; a name always does
        partners = {leaf: v for leaf, v in partners.items() if not leaf.split(".")[0].isdigit()}
        names = {v.leaf for v in ours}
        mine = [v for v in ours if v.leaf not in partners]
        other = [v for v in theirs if v.leaf not in partners or v.leaf not in names]
        partners |= {r.leaf: c for r, c in zip(mine, other, strict=False)}
    pairs = [(v, partners[v.leaf]) for v in ours if v.leaf in partners]
    if len(ours) == len(theirs):
        return pairs, ""
    return pairs, f"{len(ours)} tensors against {len(theirs)}"


def _broadcast(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Do two shapes of equally many axes fit each other?"""
    return all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True))


def _other_keys(ours: Sequence[Value], theirs: Sequence[Value]) -> str:
    """Two results with names for their leaves, but other names; a tuple may stand for a dict at any level."""
    return _keys_differ([v.leaf.split(".") for v in ours], [v.leaf.split(".") for v in theirs])


def _keys_differ(ours: Sequence[Sequence[str]], theirs: Sequence[Sequence[str]]) -> str:
    mine, other = ({leaf[0] for leaf in side if leaf} for side in (ours, theirs))
    if not (mine and other) or any(key.isdigit() or not key for key in mine | other):
        return ""
    if mine != other:
        return f"{', '.join(sorted(mine - other)) or 'nothing'} against {', '.join(sorted(other - mine)) or 'nothing'}"
    below = (
        [[leaf[1:] for leaf in side if leaf and leaf[0] == key] for side in (ours, theirs)] for key in sorted(mine)
    )
    return next((found for a, b in below if (found := _keys_differ(a, b))), "")


def _values(bank: Bank, id_: CallId, side: str) -> tuple[Value, ...]:
    node = bank.graph.nodes[id_]
    if side == "in":
        return node.inputs
    if side == "out":
        return node.outputs
    if side == "grad_out":
        return tuple(v for v in node.call.grad_outputs if v.kind == "tensor")
    if side == "grad_in":
        back = node.call.grad_inputs or (node.call.grad_outputs if node.meaning.op == "identity" else ())
        return tuple(v for v in back if v.kind == "tensor")
    return tuple(_gradients(bank, id_.path).values())


def _gradients(bank: Bank, path: str) -> dict[str, Value]:
    """The gradients of a layer's parameters by torch's names; of a tied one the sum, kept at its first place."""
    layer, means = bank.graph.layers.get(path), bank.graph.meanings.get(path)
    if layer is None or means is None:
        return {}
    found: dict[str, Value] = {}
    for name, common in means.parameters.items():
        key = (common.path, common.own_name)
        holder = bank.graph.layers.get(common.path, layer)
        owner = next((p.owner for p in holder.parameters if p.name == common.own_name), None)
        value = bank.parameter_gradients.get(key) or bank.parameter_gradients.get(owner or key)
        if value is not None and value.kind == "tensor":
            found[name] = value
    return found


def _partners(ours: Mapping[str, Parameter], theirs: Mapping[str, Parameter]) -> dict[str, str]:
    """Candidate name -> reference name of the parameters that both have: by torch's names; else (the user's own) by
    what they hold, equal numbers before the same numbers in another order; else in their order, where both sides have
    as many of a shape."""
    names = {n: n for n in theirs if n in ours}
    mine = {n: p for n, p in ours.items() if n not in theirs}
    other = {n: p for n, p in theirs.items() if n not in ours}
    for same in (_same_numbers, _same_elements):
        for name in list(mine):
            found = next((n for n in other if same(mine[name], other[n])), None)
            if found is not None:
                names[found] = name
                del mine[name], other[found]
    for shape in {_squeezed(p) for p in mine.values()}:
        alike = [[n for n, p in side.items() if _squeezed(p) == shape] for side in (mine, other)]
        if len(alike[0]) == len(alike[1]):
            names |= dict(zip(alike[1], alike[0], strict=True))
    return names


def _same_numbers(r: Parameter, c: Parameter) -> bool:
    return r.digest is not None and r.digest == c.digest and _squeezed(r) == _squeezed(c)


def _same_elements(r: Parameter, c: Parameter) -> bool:
    return sorted(_squeezed(r)) == sorted(_squeezed(c)) and same_values(r.statistics, c.statistics)


def _same_parameter_shape(r: Value | Parameter, c: Value | Parameter) -> bool:
    """Do two parameters differ in axes of size one only (MindSpore's Conv1d has one more)? Of what flows such an axis
    may be wrong; of a parameter it is the framework's own."""
    return isinstance(r, Parameter) and isinstance(c, Parameter) and _squeezed(r) == _squeezed(c)


def _squeezed(parameter: Parameter) -> tuple[int, ...]:
    return tuple(n for n in parameter.shape if n != 1)


def _parameters(graph: CallGraph, path: str) -> dict[str, Parameter]:
    layer = graph.layers.get(path)
    means = graph.meanings.get(path)
    return {} if layer is None or means is None else own_parameters(layer, means.parameters, graph.layers)


def _rms(value: Value | Parameter) -> float:
    s = value.statistics
    return 0.0 if s is None or s.l2 is None or s.count == 0 else s.l2 / math.sqrt(s.count)


def _odd(value: Value | Parameter) -> int:
    return 0 if value.statistics is None else value.statistics.nan + value.statistics.inf


def pairs_read(comparison: Comparison) -> set[tuple[CallId, CallId]]:
    """The pairs that were judged at any of their sides."""
    return {(p.reference, p.candidate) for p in comparison.read if comparison.known(p) is not None}
