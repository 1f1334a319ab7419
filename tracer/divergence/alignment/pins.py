"""Pairs that the user insists on."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from tracer.divergence.graph import CallGraph, CallId
from tracer.errors import RuleError
from tracer.trace.schema import ROOT


def read_pins(reference: CallGraph, candidate: CallGraph, pins: Sequence[tuple[str, str]]) -> dict[CallId, CallId]:
    """The pairs as calls; of layers named without a call number all calls, one by one.

    Raises:
        RuleError: a pin names what is not there, or one call twice, or a whole net and a part of the other.
    """
    pinned: dict[CallId, CallId] = {}
    for left, right in dict.fromkeys(pins):
        a, b = _pin(reference, left, "reference"), _pin(candidate, right, "candidate")
        if (a.call < 0) != (b.call < 0):  # a layer without a call number: all its calls, one by one
            raise RuleError(
                "a pin names a call on one side and a layer that never ran on the other",
                where=f"{left}={right}",
                then="pin two layers that ran, or two that did not; `tracer show FILE` tells which did",
            )
        if (a.path == ROOT) != (b.path == ROOT):
            raise RuleError(
                "a pin names a whole net on one side and a part of the other",
                where=f"{left}={right}",
                then=f"leave it out: the nets themselves, {ROOT}, are a pair always",
            )
        made = {a: b}
        if "#" not in left and "#" not in right:
            calls = [id_ for id_ in reference.nodes if id_.path == a.path]
            others = {id_.call: id_ for id_ in candidate.nodes if id_.path == b.path}
            made |= {id_: others[id_.call] for id_ in calls if id_.call in others}
        _free(pinned, made, f"{left}={right}")
        pinned |= made
    return pinned


def _free(pinned: Mapping[CallId, CallId], made: Mapping[CallId, CallId], pin: str) -> None:
    """No other pin names these calls already."""
    before = {b: a for a, b in pinned.items()}
    for a, b in made.items():
        for word, taken in (("reference", pinned.get(a, b) != b), ("candidate", before.get(b, a) != a)):
            if taken:
                raise RuleError(
                    f"two pins name the same {word} call, {a if word == 'reference' else b}",
                    where=pin,
                    then="keep one of them: a call has one partner",
                )


def _pin(graph: CallGraph, text: str, side: str) -> CallId:
    path, numbered, number = text.rpartition("#")
    if not numbered or text in graph.layers:  # a layer may have such a name
        path, numbered, number = text, "", ""
    if numbered and not (number.isascii() and number.isdigit()):
        raise RuleError(
            "what stands after # in a pin is no number of a call",
            where=text,
            then=f"write {path or ROOT}#0 for the first call, or {path or ROOT} for all of them",
        )
    path = path or ROOT
    id_ = CallId(path, int(number or 0))
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
