"""Findings that are no origin, a sentence each, the most important first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracer.divergence.case import SIDES, Case
from tracer.divergence.comparison import match_leaves
from tracer.divergence.flow import Point
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import layouts, rounding
from tracer.divergence.places import Origin
from tracer.divergence.rules import random_now

_FLAGS = ("tf32_matmul", "autocast", "deterministic")


def notes(case: Case, origins: Sequence[Origin], quiet_parameters: Sequence[str]) -> tuple[str, ...]:
    """What differs besides the origins: dtypes, active dropout, inputs, parameters, settings, flags."""
    found: list[str] = []
    if case.comparison.coarse:
        found.append("the nets compute in different float types; judged by the coarser of both")
    found += _other_dtypes(case)
    found += _layouts(case)
    found += _random_layers(case)
    found += _input_counts(case)
    if quiet_parameters:
        found.append(f"parameters differ without effect on the output at {few(quiet_parameters)}")
    found += _quiet_settings(case, origins)
    found += _environments(case)
    return tuple(dict.fromkeys(found))


def _other_dtypes(case: Case) -> list[str]:
    """Units whose results are of another float type."""
    found: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for id_ in case.graphs[0].units:
        partner = case.alignment.candidate_of.get(id_)
        point = Point(id_, partner, "out") if partner is not None else None
        for r, c in match_leaves(*case.comparison.values(point))[0] if point in case.flow.graph and point else ():
            if r.dtype != c.dtype and rounding(r.dtype) and rounding(c.dtype):
                found[r.dtype, c.dtype][id_.path] = None
    return [
        f"dtype is {r} in the reference and {c} in the candidate at {few(paths)}" for (r, c), paths in found.items()
    ]


def _layouts(case: Case) -> list[str]:
    """Units whose results hold as many numbers in another shape."""
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], dict[str, None]] = defaultdict(dict)
    for id_ in case.graphs[0].units:
        partner = case.alignment.candidate_of.get(id_)
        if partner is None or Point(id_, partner, "out") not in case.flow.graph:
            continue
        for r, c in match_leaves(*case.comparison.values(Point(id_, partner, "out")))[0]:
            if r.shape != c.shape and math.prod(r.shape) == math.prod(c.shape):
                layout = next(layouts(r.shape, c.shape), None)
                if layout is not None and layout.name != "size-1 axes":
                    found[r.shape, c.shape][id_.path] = None
    return [f"layout: {r} in the reference, {c} in the candidate at {few(paths)}" for (r, c), paths in found.items()]


def _random_layers(case: Case) -> list[str]:
    found = []
    for graph, word, ids in zip(case.graphs, SIDES, _paired(case), strict=True):
        active = [
            i.path for i in ids if i in graph.nodes and random_now(graph.nodes[i].meaning, graph.nodes[i].call.training)
        ]
        if active:
            found.append(f"dropout is active in the {word} at {few(active)}")
    return found


def _paired(case: Case) -> tuple[list[CallId], list[CallId]]:
    return [p.reference for p in case.alignment.pairs], [p.candidate for p in case.alignment.pairs]


def _input_counts(case: Case) -> list[str]:
    counts = [tuple(map(len, case.comparison.values(point))) for point in case.flow.given[:1]]
    return [f"the nets were given {ours} and {theirs} tensors" for ours, theirs in counts if ours != theirs]


def _quiet_settings(case: Case, origins: Sequence[Origin]) -> list[str]:
    """Settings that differ where no origin is."""
    begun = {(o.reference.path, o.reference.call) for o in origins if o.reference is not None}
    places: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for point, differences in case.settings.items():
        if (point.reference.path, point.reference.call) not in begun:
            kind = case.graphs[1].nodes[point.candidate].layer.kind
            for difference in differences:
                places[kind, difference.sentence][point.reference.path] = None
    effect = "" if origins else "; without effect on these numbers"
    return [f"{kind}: {sentence} at {few(paths)}{effect}" for (kind, sentence), paths in places.items()]


def _environments(case: Case) -> list[str]:
    """Versions and flags that differ: all of them within one framework, else those that both have."""
    ours, theirs = (trace.skeleton.header for trace in case.traces)
    if ours.framework == theirs.framework:
        shared = sorted(ours.environment.keys() & theirs.environment.keys())
        differing = [k for k in shared if ours.environment[k] != theirs.environment[k]]
    else:
        differing = [k for k in _FLAGS if is_on(ours.environment.get(k)) != is_on(theirs.environment.get(k))]
        on_cuda = any("cuda" in str(side.environment.get("device")) for side in (ours, theirs))
        differing += [
            k for k in ("tf32_cudnn",) if on_cuda and is_on(ours.environment.get(k)) != is_on(theirs.environment.get(k))
        ]
    return [
        f"{key} is {ours.environment.get(key)} in the reference and {theirs.environment.get(key)} in the candidate"
        for key in differing
    ]


def is_on(flag: object) -> bool:
    """Is a flag set, in whatever words a framework says it?"""
    return str(flag).lower() not in {"none", "false", "off", "0", ""}


def few(paths: Iterable[str]) -> str:
    """The first three, and how many more."""
    listed = list(paths)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
