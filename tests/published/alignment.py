"""How well the pairs of a report fit the map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.published.pairs import Pair
from tracer.trace.schema import ROOT, Skeleton


@dataclass(frozen=True)
class Fit:
    """`wrong` pairs contradict the map, `missed` are pairs of the map that the report lacks; `known` counts the map's
    pairs of layers that ran in both nets or in neither, `right` those that the report has too."""

    known: int
    right: int
    wrong: tuple[tuple[str, str], ...]
    missed: tuple[tuple[str, str], ...]


def fit(pair: Pair, report: dict[str, Any], reference: Skeleton, candidate: Skeleton) -> Fit:
    """Hold the pairs of `report` (its JSON) against the map."""
    named = {path: path if path == ROOT else pair.rename(path) for path in reference.layers}
    truth = {path: place for path, place in named.items() if place in candidate.layers}
    back = {place: path for path, place in truth.items()}
    paired = {(p["reference"]["path"], p["candidate"]["path"]) for p in report["alignment"]["pairs"]}
    wrong = []
    for path, place in paired:
        inner = _innermost(reference.layers, path), _innermost(candidate.layers, place)
        if truth.get(inner[0], inner[1]) != inner[1] or back.get(inner[1], inner[0]) != inner[0]:
            wrong.append((path, place))
    ran = _ran(reference), _ran(candidate)
    known = {(path, place) for path, place in truth.items() if (path in ran[0]) == (place in ran[1])}
    reached = {(_innermost(reference.layers, a), _innermost(candidate.layers, b)) for a, b in paired} | paired
    missed = known - reached
    return Fit(len(known), len(known) - len(missed), tuple(sorted(wrong)), tuple(sorted(missed)))


def _innermost(layers: Mapping[str, Any], path: str) -> str:
    """A list of one layer and that layer are one thing; the map may name either."""
    while path != ROOT and len(layers[path].children) == 1 and "Sequential" in layers[path].kind:
        path = layers[path].children[0]
    return path


def _ran(skeleton: Skeleton) -> set[str]:
    return {call.path for step in skeleton.steps for call in step.calls}
