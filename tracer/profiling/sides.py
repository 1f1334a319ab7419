"""One net with its times: what each layer, each block and the code between them took."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, call_graph
from tracer.divergence.rules import UserRule
from tracer.errors import TraceFileError
from tracer.profiling import measured as measuring
from tracer.profiling import work as working
from tracer.profiling.measured import Measured, Spread, Times
from tracer.trace.schema import Skeleton
from tracer.trace.timing import Timing

Sort = Literal["layer", "code", "block"]
"""A layer that is judged whole with all inside it; the code of a container around its layers; a container with all."""


@dataclass(frozen=True, eq=False)
class Taken:
    """What one layer, block or piece of code took in a step.

    Attributes:
        path: the layer's; of code the container's; of several layers that another one stands for all of theirs.
        paths: each of them.
        kind: its class.
        op: its common name; empty where no rule knows it.
        calls: how often it ran in a step.
        forward, backward, whole: its times, `whole` both together; None where there is none.
        work: what it computes; `UNKNOWN` where no formula knows it or a layer with a matrix inside it, and of code.
        peak: bytes allocated at most while it ran, over what was allocated before; None unknown.
        orders: its calls.
    """

    path: str
    paths: tuple[str, ...]
    kind: str
    op: str
    calls: int
    forward: Spread | None
    backward: Spread | None
    whole: Spread | None
    work: working.Work = working.UNKNOWN
    peak: int | None = None
    orders: tuple[int, ...] = ()
    times: Times = field(default_factory=lambda: np.zeros(0), repr=False)

    @property
    def macs(self) -> int | None:
        """Multiply-adds of what `whole` stands for; None where no formula knows them, or there are none."""
        if not self.work.forward:
            return None
        return self.work.forward + (self.work.backward or 0 if self.backward is not None else 0)

    @property
    def rate(self) -> float | None:
        """Billions of floating point operations a second, two for each multiply-add."""
        if self.macs is None or self.whole is None or self.whole.median <= 0:
            return None
        return 2 * self.macs / self.whole.median


@dataclass(frozen=True, eq=False)
class Side:
    """A trace with its times, ready to be held beside another; `phases` are those that are counted in its times."""

    name: str
    skeleton: Skeleton
    graph: CallGraph
    timing: Timing
    measured: Measured
    phases: tuple[str, ...] = ("forward", "backward")

    def taken(self, sort: Sort, ids: Iterable[CallId]) -> Taken:
        """What calls of one layer took together, or of several layers that are one place."""
        ids = tuple(ids)
        paths = tuple(dict.fromkeys(id_.path for id_ in ids))
        node = self.graph.nodes[ids[0]]
        orders = tuple(self.graph.nodes[id_].call.order for id_ in ids)
        if sort == "code":
            means, work = "", working.UNKNOWN
        else:
            means = node.meaning.op
            units = [unit for id_ in ids for unit in self.units_in(id_)]
            works = [self.works[unit] for unit in units]
            hidden = any(
                work.forward is None and self.may_multiply(unit) for work, unit in zip(works, units, strict=True)
            )
            work = working.UNKNOWN if hidden else working.together(works)
        what: Literal["own", "total"] = "own" if sort == "code" else "total"
        times = {phase: self.measured.sum(orders, what, phase) for phase in self.phases}
        both = measuring.together(*times.values())
        spreads = {phase: measuring.spread(found) for phase, found in times.items()}
        peaks = [int(self.timing.peak[self.measured.at[o]]) for o in orders if o in self.measured.at]
        known = [peak for peak in peaks if peak >= 0]
        return Taken(
            path=together(paths),
            paths=paths,
            kind=node.layer.kind,
            op=means,
            calls=len(ids),
            forward=spreads.get("forward"),
            backward=spreads.get("backward"),
            whole=measuring.spread(both),
            work=work,
            peak=max(known) if known and sort != "code" else None,
            orders=orders,
            times=both,
        )

    @cached_property
    def works(self) -> Mapping[CallId, working.Work]:
        """The work of every call that is judged whole."""
        return {id_: working.work_of(self.graph, id_) for id_ in self.graph.units}

    def may_multiply(self, id_: CallId) -> bool:
        """Does a layer, or one inside it that was not watched, hold a matrix?"""
        inside = working.prefix(id_.path)
        within = [layer for path, layer in self.skeleton.layers.items() if path == id_.path or path.startswith(inside)]
        return any(len(p.shape) > 1 for layer in within for p in layer.parameters)

    def units_in(self, id_: CallId) -> Iterator[CallId]:
        """The call itself where it is judged whole, else those inside it."""
        node = self.graph.nodes[id_]
        if node.unit:
            yield id_
            return
        for child in node.children:
            yield from self.units_in(child)

    def inside(self, id_: CallId) -> Iterator[CallId]:
        """All calls inside a call."""
        for child in self.graph.nodes[id_].children:
            yield child
            yield from self.inside(child)


def together(paths: Sequence[str]) -> str:
    """Several layers as one text: those beside the first by the ends of their paths ("attn.q + k + v")."""
    first, *more = paths
    parent = first.rpartition(".")[0]
    return " + ".join([first, *(one.rpartition(".")[2] if one.rpartition(".")[0] == parent else one for one in more)])


def side(name: str, skeleton: Skeleton, timing: Timing | None, rules: Sequence[UserRule] = ()) -> Side:
    """A trace as one side of a profile.

    Raises:
        TraceFileError: it holds no times.
    """
    if timing is None or not timing.orders:
        raise _no_times(name, skeleton, timing)
    if not skeleton.steps or not any(call.order in set(timing.orders) for call in skeleton.steps[0].calls):
        then = "record the net again with keep='timing'"
        raise TraceFileError("the times of the trace belong to no call that is in it", where=name, then=then)
    found = measuring.measured(timing, skeleton.steps[0].calls)
    if not np.isfinite(found.total["forward"]).any():
        raise _no_times(name, skeleton, timing)
    return Side(name, skeleton, call_graph(skeleton, 0, rules), timing, found)


def _no_times(name: str, skeleton: Skeleton, timing: Timing | None) -> TraceFileError:
    if not skeleton.end.complete and skeleton.header.keep == "timing":
        said = (skeleton.end.stopped or "the recording was cut off").splitlines()[0]
        return TraceFileError(
            "the trace ended before a step was timed", where=name, then=f"record it again; it stopped with: {said}"
        )
    if timing is None:
        what = f"the trace holds no times: it was recorded with keep={skeleton.header.keep!r}"
    else:
        what = "the trace holds no step that was timed to its end"
    then = 'tracer.record(net, inputs, out=..., keep="timing", repeat=10) times it'
    return TraceFileError(what, where=name, then=then)
