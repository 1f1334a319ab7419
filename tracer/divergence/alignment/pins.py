"""Pairs that the user insists on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from tracer.divergence.graph import CallGraph, CallId
from tracer.errors import RuleError
from tracer.trace.schema import ROOT


def read_pins(reference: CallGraph, candidate: CallGraph, pins: Sequence[tuple[str, str]]) -> dict[CallId, CallId]:
    """The pairs as calls; of layers named without a call number all calls, one by one.

    Raises:
        RuleError: a pin names what is in neither trace, or one call twice.
    """
    pinned: dict[CallId, CallId] = {}
    for left, right in pins:
        a, b = _pin(reference, left, "reference"), _pin(candidate, right, "candidate")
        if (a.call < 0) != (b.call < 0):  # a layer without a call number: all its calls, one by one
            raise RuleError("a pin names a call on one side and a silent layer on the other", where=f"{left}={right}")
        pinned[a] = b
        if "#" not in left and "#" not in right:
            calls = [id_ for id_ in reference.nodes if id_.path == a.path]
            others = {id_.call: id_ for id_ in candidate.nodes if id_.path == b.path}
            pinned |= {id_: others[id_.call] for id_ in calls if id_.call in others}
    if len(set(pinned.values())) < len(pinned):
        raise RuleError("two pins name the same candidate call", where=", ".join(f"{a}={b}" for a, b in pins))
    return pinned


def _pin(graph: CallGraph, text: str, side: str) -> CallId:
    path, _, number = text.partition("#")
    path = path or ROOT
    id_ = CallId(path, int(number) if number.isdigit() else 0)
    if id_ in graph.nodes:
        return id_
    if path in graph.layers and not number:
        return CallId(path)
    near = nearest_paths(path, list(graph.layers))
    raise RuleError(
        f"the pin names a call that the {side} has not",
        where=text,
        then=f"`tracer show FILE` of the {side}'s trace lists the paths"
        + (f"; nearest: {', '.join(near)}" if near else ""),
    )


def nearest_paths(path: str, known: Sequence[str]) -> list[str]:
    """Up to three paths: those spelled nearly so, those that end alike, those whose last part nearly does."""
    last = path.rpartition(".")[2]
    ending = [other for other in known if other.rpartition(".")[2] == last]
    whole = difflib.get_close_matches(path, known, n=3)
    ends = difflib.get_close_matches(last, {other.rpartition(".")[2] for other in known}, n=3)
    alike = [other for end in ends for other in known if other.rpartition(".")[2] == end]
    return list(dict.fromkeys([*whole, *ending, *alike]))[:3]
