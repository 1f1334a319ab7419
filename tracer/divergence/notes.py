"""Findings that are no origin, a sentence each, the most important first."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from tracer.divergence.case import SIDES, Case, few
from tracer.divergence.causes import QUIET_SETTINGS, Cause, for_one_layer
from tracer.divergence.comparison import match_leaves, pairs_read
from tracer.divergence.flow import Point
from tracer.divergence.graph import Node
from tracer.divergence.left_out import notes_left_out
from tracer.divergence.metrics import layouts, rounding
from tracer.divergence.places import Origin
from tracer.divergence.rules import mode_matters
from tracer.divergence.scalars import one_sided_inputs
from tracer.trace.schema import Header

_FLAGS = ("tf32_matmul", "autocast")
_FLAGS_OF_DEVICES = ("deterministic",)
"""On the CPU both frameworks compute the same bits each time, whatever these say."""


def beforehand(case: Case) -> tuple[str, ...]:
    """What a reader must know before any number: dtypes that differ, modes that differ where it matters, active
    dropout, and what the step writes otherwise without showing it in any output."""
    coarse = "the nets compute in different float types; judged by the coarser of both"
    return (
        *([coarse] if case.comparison.coarse else []),
        *_other_dtypes(case),
        *_other_modes(case),
        *_random(case),
        *_replayed(case),
        *_other_memories(case),
    )


def notes(case: Case, origins: Sequence[Origin], quiet_parameters: Sequence[str]) -> tuple[str, ...]:
    """What differs besides the origins and what `beforehand` says: layouts, inputs, parameters, settings, flags."""
    found = [*notes_left_out(case), *_fills(case), *_layouts(case), *_input_counts(case), *_result_forms(case)]
    if origins:
        found = [*_swapped(case), *found]
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
    for point in case.flow.sinks:  # code may have changed the type of what the net returns after its last layer
        for r, c in match_leaves(*case.comparison.values(point))[0]:
            if r.dtype != c.dtype and rounding(r.dtype) and rounding(c.dtype) and (r.dtype, c.dtype) not in found:
                found[r.dtype, c.dtype][point.reference.path] = None
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


def _fills(case: Case) -> list[str]:
    """Where a mask is -inf on one side and a huge negative number on the other."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for point, d in case.comparison.filled.items():
        fill, infinite = SIDES[d.fill_side], SIDES[1 - d.fill_side]
        found[f"a mask is -inf in the {infinite} and {d.fill:g} in the {fill}"][point.reference.path] = None
    return [f"{said} at {few(paths)}: counted as equal" for said, paths in found.items()]


def _other_modes(case: Case) -> list[str]:
    """Layers whose numbers depend on the mode, and whose modes differ; those with random masks are told by these."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for pair in case.alignment.pairs:
        nodes = [graph.nodes.get(id_) for graph, id_ in zip(case.graphs, (pair.reference, pair.candidate), strict=True)]
        if nodes[0] is None or nodes[1] is None or None in {node.call.training for node in nodes if node}:
            continue
        modes = [_mode(node) for node in nodes if node]
        random = any(node.draws for node in nodes if node)
        if modes[0] != modes[1] and not random and any(mode_matters(node.meaning) for node in nodes if node):
            found[f"the reference is in {modes[0]} mode and the candidate in {modes[1]} mode"][pair.reference.path] = (
                None
            )
    return [f"{said} at {few(paths)}" for said, paths in found.items()]


def _mode(node: Node) -> str:
    return "training" if node.call.training else "evaluation"


def _random(case: Case) -> list[str]:
    """Where dropout is active, on both sides or on one; the keys are the reference's words for the same layers."""
    active: list[dict[str, str]] = [{}, {}]
    for graph, found, partners in zip(case.graphs, active, ({}, case.alignment.reference_of), strict=True):
        for id_, node in graph.nodes.items():
            if not node.hidden and node.draws:
                found[partners.get(id_, id_).path] = id_.path
    if active[0].keys() == active[1].keys():
        return [f"dropout is active on both sides at {few(active[0])}"] if active[0] else []
    return [
        f"dropout is active in the {word} at {few(found.values())}"
        for word, found in zip(SIDES, active, strict=True)
        if found
    ]


def _replayed(case: Case) -> list[str]:
    """Where the candidate's random layers did what the reference's did."""
    paths = dict.fromkeys(pair.reference.path for pair in case.replayed)
    return [f"random layers of both sides drew the same numbers (replayed) at {few(paths)}"] if paths else []


def _other_memories(case: Case) -> list[str]:
    """Layers in training mode whose settings make them remember other things of this step."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for point, differences in case.settings.items():
        for difference in differences:
            if difference.name in QUIET_SETTINGS and _writes(case, point):
                found[difference.sentence][point.reference.path] = None
    return [
        f"{said} at {few(paths)}: no output of this step shows it, the moving statistics that it writes differ"
        for said, paths in found.items()
    ]


def _writes(case: Case, point: Point) -> bool:
    return any(node.call.training for node in case.nodes(point))


def _input_counts(case: Case) -> list[str]:
    counts = [tuple(map(len, case.comparison.values(point))) for point in case.flow.given[:1]]
    said = [f"the nets were given {ours} and {theirs} tensors" for ours, theirs in counts if ours != theirs]
    return [*said, *(line for point in case.flow.given[:1] for line in one_sided_inputs(case, point))]


def _result_forms(case: Case) -> list[str]:
    """What the nets return, where one gives the same tensors under other keys, or under none."""
    said = []
    for point in case.flow.sinks:
        ours, theirs = ([v.leaf for v in side] for side in case.comparison.values(point))
        if len(ours) == len(theirs) and _form(ours) != _form(theirs):
            named = [leaf for leaf in ours if leaf in theirs and not leaf.split(".")[0].isdigit()]
            how = "in order" if not named else "by name" if len(named) == len(ours) else "by name, the rest in order"
            said.append(f"the reference returns {_form(ours)}, the candidate {_form(theirs)}; compared {how}")
    return said


def _form(leaves: Sequence[str]) -> str:
    keys = list(dict.fromkeys(leaf.split(".")[0] for leaf in leaves))
    if keys in ([], [""]):
        return "a tensor"
    return "a tuple" if all(key.isdigit() for key in keys) else f"a mapping ({few(keys)})"


def _quiet_settings(case: Case, origins: Sequence[Origin]) -> list[str]:
    """Settings that differ where no origin is."""
    begun = {o.reference.path for o in origins if o.reference is not None}
    told = {cause.sentence: cause for origin in origins for cause in origin.causes}
    places: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
    for point, differences in case.settings.items():
        if point.reference.path not in begun and case.looks_at(point.reference, point.candidate):
            kind = case.graphs[1].nodes[point.candidate].layer.kind
            for difference in differences:
                if difference.name in QUIET_SETTINGS and _writes(case, point):
                    continue  # said beforehand
                placed = told.get(f"{difference.sentence} at {point.reference.path}")
                if placed is not None:  # told as a cause, of an origin next to this layer
                    told[difference.sentence] = placed
                    continue
                places[kind, difference.sentence][point.reference.path] = None
    judged = pairs_read(case.comparison)
    effect = "; without effect beyond the tolerance" if judged and not origins else ""
    return [
        _again(told[sentence], paths) if sentence in told else f"{kind}: {sentence} at {few(paths)}{effect}"
        for (kind, sentence), paths in places.items()
    ]


def _again(cause: Cause, paths: Iterable[str]) -> str:
    """A setting that differs at further layers as at an origin, where its values and its edit are told."""
    listed = list(paths)
    layers = "1 more layer" if len(listed) == 1 else f"{len(listed)} more layers"
    same = "the same edit" if cause.edit and not for_one_layer(cause) else "the same difference"
    return f"{cause.name}: {same} at {layers}: {few(listed)}"


def _swapped(case: Case) -> list[str]:
    """That the traces were perhaps given the other way round: most ports go from torch to MindSpore."""
    if [trace.skeleton.header.framework for trace in case.traces] != ["mindspore", "torch"]:
        return []
    return [
        "the MindSpore net is the reference here, the torch net its port: if it is the other way round, swap the files"
    ]


def _environments(case: Case) -> list[str]:
    """Versions and flags that differ: all of them within one framework, else those that both have."""
    ours, theirs = (trace.skeleton.header for trace in case.traces)
    if ours.framework == theirs.framework:
        shared = sorted(ours.environment.keys() & theirs.environment.keys())
        differing = [k for k in shared if ours.environment[k] != theirs.environment[k]]
    else:
        differing = [k for k in _FLAGS if is_on(ours.environment.get(k)) != is_on(theirs.environment.get(k))]
        devices = [_device(side) for side in (ours, theirs)]
        more = ["tf32_cudnn"] if any("cuda" in device for device in devices) else []
        more += _FLAGS_OF_DEVICES if any(device not in {"", "cpu"} for device in devices) else ()
        differing += [k for k in more if is_on(ours.environment.get(k)) != is_on(theirs.environment.get(k))]
    return [
        f"{key} is {ours.environment.get(key)} in the reference and {theirs.environment.get(key)} in the candidate"
        for key in differing
    ]


def _device(header: Header) -> str:
    """Where a net ran, in its framework's word."""
    found = header.environment
    return str(found.get("device") or found.get("device_target") or "").lower()


def is_on(flag: object) -> bool:
    """Is a flag set, in whatever words a framework says it?"""
    return str(flag).lower() not in {"none", "false", "off", "0", ""}
