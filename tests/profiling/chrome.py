"""A strict reader of Chrome's trace event format (JSON object form): what a viewer may stumble over is refused.

After "Trace Event Format" of the Chromium project: complete events (X) and metadata events (M).
"""

from __future__ import annotations

import json
import math
from typing import Any

METADATA = {
    "process_name": "name",
    "thread_name": "name",
    "process_sort_index": "sort_index",
    "thread_sort_index": "sort_index",
}
KEYS = {"X": {"ph", "name", "cat", "ts", "dur", "pid", "tid", "args"}, "M": {"ph", "name", "pid", "tid", "args"}}


def read(text: str) -> list[dict[str, Any]]:
    """The complete events of a trace in which everything holds.

    Raises:
        ValueError: something does not.
    """

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    document = json.loads(text, parse_constant=refuse)
    require(set(document) <= {"traceEvents", "displayTimeUnit", "otherData"}, "no other keys", document)
    require(document["displayTimeUnit"] in {"ms", "ns"}, "a unit that is known", document["displayTimeUnit"])
    named: set[tuple[str, int, int]] = set()
    for event in document["traceEvents"]:
        kind = event.get("ph")
        require(kind in KEYS and set(event) == KEYS[kind], "the keys of its kind", event)
        require(type(event["name"]) is str and event["name"], "a name", event)
        require(type(event["pid"]) is int and type(event["tid"]) is int, "whole numbers of process and thread", event)
        require(type(event["args"]) is dict, "arguments by name", event)
        if kind == "M":
            key = METADATA.get(event["name"], "")
            require(set(event["args"]) == {key}, "what this metadata says", event)
            require(type(event["args"][key]) is (str if key == "name" else int), "a value of its type", event)
            at = (event["name"], event["pid"], 0 if event["name"].startswith("process") else event["tid"])
            require(at not in named, "one name each", event)
            named.add(at)
        else:
            for time in (event["ts"], event["dur"]):
                require(type(time) in {int, float} and math.isfinite(time) and time >= 0, "times from zero on", event)
    events = [event for event in document["traceEvents"] if event["ph"] == "X"]
    for event in events:
        require(("process_name", event["pid"], 0) in named, "a process with a name", event)
        require(("thread_name", event["pid"], event["tid"]) in named, "a thread with a name", event)
    for thread in {(event["pid"], event["tid"]) for event in events}:
        nested([event for event in events if (event["pid"], event["tid"]) == thread])
    return events


def nested(events: list[dict[str, Any]]) -> None:
    """The events of a thread lie inside one another or apart; the format allows nothing else."""
    around: list[float] = []
    for event in sorted(events, key=lambda one: (nanoseconds(one)[0], -nanoseconds(one)[1])):
        begin, end = nanoseconds(event)
        while around and around[-1] <= begin:
            around.pop()
        require(not around or end <= around[-1], "to lie inside the event around it", event)
        around.append(end)


def nanoseconds(event: dict[str, Any]) -> tuple[int, int]:
    """Begin and end, without the rounding of microseconds."""
    return round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)


def require(holds: bool, what: str, of: Any) -> None:
    if not holds:
        raise ValueError(f"needs {what}: {of}")
