"""A profile -> Chrome's trace JSON: both nets as two processes on one time line, for ui.perfetto.dev.

Shown is one repeat of each side, the median one, as it was measured (with what watching cost). A thread has the phases
of the step, one the forward calls, one or more the backward ones: events of a thread are nested or apart, never
crossed, so backward spans that overlap without being inside one another stand on threads of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tracer.divergence.graph import CallId, Node
from tracer.profiling.beside import Profile
from tracer.profiling.measured import PHASES
from tracer.profiling.sides import Side
from tracer.reports import contract

Json = dict[str, Any]

_STEP, _FORWARD, _BACKWARD = 1, 2, 3
"""Numbers of threads; further lanes of the backward pass follow."""


def to_perfetto(profile: Profile) -> str:
    """The events as JSON text."""
    events: list[Json] = []
    sides = [profile.reference] if profile.candidate is None else [profile.reference, profile.candidate]
    words = ["net"] if profile.candidate is None else ["reference", "candidate"]
    partners = _partners(profile)
    for number, (word, side) in enumerate(zip(words, sides, strict=True)):
        events += _of_side(number + 1, word, side, partners[number])
    return contract.to_text({"traceEvents": events, "displayTimeUnit": "ms"})


def median_repeat(side: Side) -> int:
    """The repeat whose watched step is the middle one of all that were timed."""
    ends = np.where(side.timing.step < 0, 0, side.timing.step).max(axis=1)
    timed = np.flatnonzero((side.timing.forward[:, :, 1] >= 0).any(axis=1))
    ordered = timed[np.argsort(ends[timed], kind="stable")]
    return int(ordered[(len(ordered) - 1) // 2])


def _partners(profile: Profile) -> tuple[Mapping[str, str], Mapping[str, str]]:
    ours: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for row in (*profile.rows, *profile.blocks):
        if row.reference is not None and row.candidate is not None:
            ours |= dict.fromkeys(row.reference.paths, row.candidate.path)
            theirs |= dict.fromkeys(row.candidate.paths, row.reference.path)
    return ours, theirs


def _of_side(process: int, word: str, side: Side, partners: Mapping[str, str]) -> Iterator[Json]:
    header, repeat = side.skeleton.header, median_repeat(side)
    name = f"{word}: {header.framework} {header.net} ({side.name})"
    yield _named("process_name", process, 0, name)
    yield {"ph": "M", "name": "process_sort_index", "pid": process, "tid": 0, "args": {"sort_index": process}}
    yield _named("thread_name", process, _STEP, "step")
    begin = 0
    for phase, end in zip(PHASES, side.timing.step[repeat].tolist(), strict=False):
        if end >= begin:
            yield _event(phase, begin, end, process, _STEP, {})
            begin = end
    for phase, thread in (("forward", _FORWARD), ("backward", _BACKWARD)):
        placed = _lanes(side, phase, repeat)
        for lane in range(max((one.lane for one in placed), default=-1) + 1):
            yield _named("thread_name", process, thread + lane, phase if lane == 0 else f"{phase} {lane + 1}")
        for one in placed:
            more = _facts(side, one.node, phase, repeat, partners)
            title = f"{one.node.id} {one.node.layer.kind}".strip()
            yield _event(title, one.begin, one.end, process, thread + one.lane, more)


def _facts(side: Side, node: Node, phase: str, repeat: int, partners: Mapping[str, str]) -> Json:
    column = side.measured.at[node.call.order]
    own = side.measured.own[phase][repeat, column]
    found: Json = {
        "path": node.id.path,
        "call": node.id.call,
        "kind": node.layer.kind,
        "op": node.meaning.op,
        "own_us": round(float(own) / 1e3, 3) if np.isfinite(own) else None,
    }
    if phase == "forward" and side.timing.peak[column] >= 0:
        found["peak_bytes"] = int(side.timing.peak[column])
    work = side.works.get(node.id)
    if work is not None and work.forward:
        found["multiply_adds"] = work.forward if phase == "forward" else work.backward
    if node.id.path in partners:
        found["partner"] = partners[node.id.path]
    return found


def _event(name: str, begin: int, end: int, process: int, thread: int, more: Json) -> Json:
    return {
        "ph": "X",
        "name": name,
        "cat": "layer" if more else "phase",
        "ts": begin / 1e3,
        "dur": (end - begin) / 1e3,
        "pid": process,
        "tid": thread,
        "args": more,
    }


def _named(what: Literal["process_name", "thread_name"], process: int, thread: int, name: str) -> Json:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": {"name": name}}


# --------------------------------------------------------------------------------------------------------------------
# Lanes
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Placed:
    node: Node
    begin: int
    end: int
    lane: int


def _lanes(side: Side, phase: str, repeat: int) -> list[_Placed]:
    """Each call with its span, cut to the span of the call around it, and the lane it stands on."""
    spans = _spans(side, phase, repeat)
    inside: dict[CallId | None, list[CallId]] = {}
    for id_ in spans:
        inside.setdefault(_around(side, id_, spans), []).append(id_)
    heights: dict[CallId, int] = {}
    offsets: dict[CallId, int] = {}
    for id_ in reversed(list(spans)):  # those inside stand behind the one around them
        heights[id_] = 1
        if id_ in inside:
            heights[id_] = max(1, _stack(inside[id_], spans, heights, offsets))
    _stack(inside.get(None, []), spans, heights, offsets)
    lanes: dict[CallId, int] = {}
    for id_ in spans:
        around = _around(side, id_, spans)
        lanes[id_] = offsets[id_] + (lanes[around] if around is not None else 0)
    return [_Placed(side.graph.nodes[id_], *spans[id_], lanes[id_]) for id_ in spans]


def _spans(side: Side, phase: str, repeat: int) -> dict[CallId, tuple[int, int]]:
    """When each call ran, in the order of the calls; one that is inside another stays inside it."""
    recorded = side.timing.forward if phase == "forward" else side.timing.backward
    found: dict[CallId, tuple[int, int]] = {}
    for id_, node in side.graph.nodes.items():
        column = side.measured.at.get(node.call.order)
        if column is None:
            continue
        begin, end = (int(time) for time in recorded[repeat, column])
        around = _around(side, id_, found)
        if around is not None:
            begin, end = max(begin, found[around][0]), min(end, found[around][1])
        if 0 <= begin <= end:
            found[id_] = (begin, end)
    return found


def _around(side: Side, id_: CallId, known: Mapping[CallId, Any]) -> CallId | None:
    return next((one for one in side.graph.ancestors(id_) if one in known), None)


def _stack(
    ids: Sequence[CallId],
    spans: Mapping[CallId, tuple[int, int]],
    heights: Mapping[CallId, int],
    offsets: dict[CallId, int],
) -> int:
    """Put calls that overlap on lanes above one another; how many lanes that takes."""
    placed: list[CallId] = []
    most = 0
    for id_ in sorted(ids, key=lambda one: spans[one]):
        begin, end = spans[id_]
        crossing = [one for one in placed if spans[one][1] > begin and spans[one][0] < end]
        lane = 0
        while any(lane < offsets[one] + heights[one] and offsets[one] < lane + heights[id_] for one in crossing):
            lane += 1
        offsets[id_] = lane
        placed = [one for one in placed if spans[one][1] > begin]
        placed.append(id_)
        most = max(most, lane + heights[id_])
    return most
