"""Two traces, aligned and ready to be judged: everything that the steps after it look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Protocol

from tracer.divergence.alignment import Alignment, Pair
from tracer.divergence.alignment.pins import nearest_paths
from tracer.divergence.causes import QUIET_SETTINGS, differing_settings
from tracer.divergence.comparison import ArrayReader, Bank, Comparison
from tracer.divergence.flow import Flow, Point, forward_flow
from tracer.divergence.graph import CallGraph, CallId, Node, call_graph
from tracer.divergence.metrics import Tolerance, rounding
from tracer.divergence.placed import align_placed, other_ways, placed_from
from tracer.divergence.replayed import drawn_alike, without_draws
from tracer.divergence.rules import SettingDifference, UserRule
from tracer.errors import RuleError
from tracer.trace.schema import Skeleton

SIDES = ("reference", "candidate")

_CERTAIN = 0.97
"""Confidence from which a pair is not doubted, whatever its numbers say."""


class TraceLike(ArrayReader, Protocol):
    """What the diff needs of a trace."""

    @property
    def skeleton(self) -> Skeleton:
        """All of it but the arrays."""

    @property
    def path(self) -> object:
        """The file."""


@dataclass(frozen=True)
class Case:
    """The two traces with their graphs, the alignment, the judge, and the points to judge.

    `settings` are the settings that differ at each output; `suspects` the outputs where these, the mode, or the dtype
    differ. `within` are the points that --only names, None where all are looked at; the others still feed them.
    `replayed` are the pairs whose randomness one side took from the other: they are judged like any other.
    """

    traces: tuple[TraceLike, TraceLike]
    graphs: tuple[CallGraph, CallGraph]
    alignment: Alignment
    comparison: Comparison
    flow: Flow
    settings: Mapping[Point, tuple[SettingDifference, ...]]
    suspects: frozenset[Point]
    within: frozenset[Point] | None
    only: tuple[str, ...] = ()
    replayed: tuple[Pair, ...] = ()

    def looks_at(self, reference: CallId, candidate: CallId) -> bool:
        """Is a pair among those that --only names, or are all looked at?"""
        return matches(reference.path, candidate.path, self.only)

    def nodes(self, point: Point) -> tuple[Node, Node]:
        """Both calls of a point."""
        return self.graphs[0].nodes[point.reference], self.graphs[1].nodes[point.candidate]

    @property
    def complete(self) -> bool:
        """Did both recordings come to their end?"""
        return all(trace.skeleton.end.complete for trace in self.traces)


def open_case(
    reference: TraceLike,
    candidate: TraceLike,
    tolerance: Tolerance,
    pins: Sequence[tuple[str, str]],
    only: Sequence[str],
    rules: Sequence[UserRule],
    known: Alignment | None = None,
) -> Case:
    """Build the graphs, align them (unless the alignment is `known`), and lay out the points; reads no array.

    Raises:
        RuleError: a pin or a glob of `only` that names nothing.
    """
    traces = (reference, candidate)
    _known(only, list(dict.fromkeys(path for trace in traces for path in trace.skeleton.layers)))
    graphs = (call_graph(reference.skeleton, 0, rules), call_graph(candidate.skeleton, 0, rules))
    placed = placed_from(reference.skeleton, candidate.skeleton)
    alignment = known or align_placed(*graphs, pins, placed)
    replayed = drawn_alike(graphs, alignment, (reference.skeleton.end, candidate.skeleton.end))
    graphs = without_draws(graphs, replayed)
    flow = forward_flow(*graphs, alignment)
    doubtful = frozenset(p.reference for p in alignment.pairs if p.confidence < _CERTAIN)
    lone = (alignment.alone_reference, alignment.alone_candidate)
    partnered = (alignment.candidate_of, alignment.reference_of)
    banks = [
        Bank(
            trace,
            graph,
            trace.skeleton.steps[0].parameter_gradients if trace.skeleton.steps else {},
            frozenset(a.id for a in alone),
            doubtful,
            partners,
        )
        for trace, graph, alone, partners in zip(traces, graphs, lone, partnered, strict=True)
    ]
    coarse = _other_dtype_throughout(graphs, alignment)
    otherwise = other_ways(graphs[0], alignment, banks[0].parameter_gradients, placed)
    comparison = Comparison(banks[0], banks[1], tolerance, flow.code, coarse=coarse, placed=placed, otherwise=otherwise)
    settings = {}
    suspects = set()
    for point in flow.graph:
        if point.side != "out":
            continue
        ours, theirs = graphs[0].nodes[point.reference], graphs[1].nodes[point.candidate]
        settings[point] = differing_settings(ours, theirs, comparison.frameworks)
        telling = any(d.name not in QUIET_SETTINGS for d in settings[point])
        other_dtype = not coarse and comparison.other_dtype(point)
        if telling or other_dtype or (ours.meaning.mode and ours.call.training != theirs.call.training):
            suspects.add(point)
    return Case(
        traces,
        graphs,
        alignment,
        comparison,
        flow,
        settings,
        frozenset(suspects),
        _within(flow, only),
        tuple(only),
        replayed,
    )


def _other_dtype_throughout(graphs: tuple[CallGraph, CallGraph], alignment: Alignment) -> bool:
    """Do the nets compute in different float types nearly everywhere?"""
    count: Counter[bool] = Counter()
    for pair in alignment.pairs:
        ours, theirs = graphs[0].nodes.get(pair.reference), graphs[1].nodes.get(pair.candidate)
        if ours is None or theirs is None or not ours.unit:
            continue
        for a, b in zip(ours.outputs, theirs.outputs, strict=False):
            if rounding(a.dtype) and rounding(b.dtype):
                count[a.dtype != b.dtype] += 1
    return count[True] > max(count[False], 1)


def _known(only: Sequence[str], paths: Sequence[str]) -> None:
    for glob in only:
        if not any(fnmatchcase(path, glob) for path in paths):
            near = nearest_paths(glob, paths)
            then = "`tracer show FILE` lists the paths" + (f"; nearest: {', '.join(near)}" if near else "")
            raise RuleError("only= or --only matches no layer of either net", where=glob, then=then)


def _within(flow: Flow, only: Sequence[str]) -> frozenset[Point] | None:
    if not only:
        return None
    return frozenset(p for p in flow.graph if matches(p.reference.path, p.candidate.path, only))


def matches(reference: str, candidate: str, globs: Sequence[str]) -> bool:
    """Does one of the globs name a pair by either path? All are named where there is none."""
    return not globs or any(fnmatchcase(reference, glob) or fnmatchcase(candidate, glob) for glob in globs)


def few(paths: Iterable[str]) -> str:
    """The first three, and how many more."""
    listed = list(paths)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
