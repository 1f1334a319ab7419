"""What a log of one watched step says of each call. Pure: a log and the skeleton's calls in, arrays out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from tracer.frameworks.timing import PHASES, Call, Costs, Line, Log
from tracer.trace.timing import Nanoseconds

NONE = -1


@dataclass(frozen=True)
class Calls:
    """The calls of the skeleton, in their order.

    Attributes:
        keys: path and index of each.
        parents: where in `keys` the enclosing call stands, -1 of the outermost ones.
    """

    keys: tuple[Call, ...]
    parents: tuple[int, ...]
    at: dict[Call, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "at", {key: n for n, key in enumerate(self.keys)})

    def above(self, call: int) -> Iterable[int]:
        """The call itself and those around it, from the inside out."""
        while call != NONE:
            yield call
            call = self.parents[call]

    def of(self, path: str) -> list[int]:
        """All calls of a layer."""
        return [n for n, (known, _) in enumerate(self.keys) if known == path]


@dataclass(frozen=True)
class Tally:
    """One repeat; see `tracer.trace.timing.Timing`."""

    forward: Nanoseconds
    backward: Nanoseconds
    own: Nanoseconds
    total: Nanoseconds
    step: Nanoseconds
    watched: int
    notes: tuple[str, ...] = ()


def tally(log: Log, watched: int, calls: Calls, costs: Costs, *, exact: bool) -> Tally:
    """Work out a log.

    Args:
        log: of one step.
        watched: how long the whole step took.
        calls: the skeleton's.
        costs: what watching adds; it is taken off what the backward pass took.
        exact: does the log say when each operation of the backward pass ended? Else the beginnings and some of the
            ends of calls' backward passes, of which the missing ones follow from the order of the calls.
    """
    notes = dict(log.notes)
    forward = _forward(log.lines, calls, notes)
    lines = [line for line in log.lines if line.again or line.what in ("begin", "end")]
    matched = _matched(lines, calls, notes)
    if not exact:
        lines = list(nested(lines, calls, matched, _over(lines) or log.ends.get("backward", watched)))
    span, own = _backward(lines, calls, matched, costs)
    total = own.copy()
    for call in reversed(range(len(calls.keys))):
        parent = calls.parents[call]
        if total[call] == NONE or parent == NONE:
            continue
        total[parent] = max(total[parent], 0) + total[call]
        own[parent] = max(own[parent], 0)
        known = span[[parent, call]][span[[parent, call], 0] != NONE]
        span[parent] = known[:, 0].min(), known[:, 1].max()
    ends = [log.ends.get(phase, NONE) for phase in PHASES]
    return Tally(forward, span, own, total, np.array(ends, np.int64), watched, tuple(notes))


def _forward(lines: Sequence[Line], calls: Calls, notes: dict[str, None]) -> Nanoseconds:
    found = np.full((len(calls.keys), 2), NONE, np.int64)
    open_: dict[Call, int] = {}
    for line in lines:
        if line.again or line.call is None or line.what not in ("enter", "leave"):
            continue
        if line.what == "enter":
            open_[line.call] = line.time
        elif (began := open_.pop(line.call, None)) is not None:
            if line.call in calls.at:
                found[calls.at[line.call]] = began, line.time
            else:
                notes["Some steps had calls that the first run had not; those have no times"] = None
    return found


# --------------------------------------------------------------------------------------------------------------------
# Backward
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class _Span:
    """Something that runs: whose it is, since when, and what within it was not its own."""

    call: int
    began: int
    inner: int = 0


def _backward(
    lines: Iterable[Line], calls: Calls, matched: dict[Call, int], costs: Costs
) -> tuple[Nanoseconds, Nanoseconds]:
    """From when to when each call's own operations ran, and for how long. Recomputing is the recomputed call's own."""
    span = np.full((len(calls.keys), 2), NONE, np.int64)
    own = np.full(len(calls.keys), NONE, np.int64)
    running: list[_Span] = []
    for line in lines:
        call = _position(line, calls, matched)
        if line.what in ("begin", "enter"):
            running.append(_Span(call, line.time))
            continue
        at = next((n for n in reversed(range(len(running))) if running[n].call == call), None)
        if at is None:
            continue
        done = running.pop(at)
        took = line.time - done.began
        inside, around = (costs.inside, costs.enter + costs.leave) if line.again else (costs.backward, costs.backward)
        if at == len(running) and running:  # else something of another thread runs too
            running[-1].inner += took + around
        if done.call == NONE:
            continue
        own[done.call] = max(own[done.call], 0) + max(0, took - done.inner - inside)
        first = span[done.call, 0]
        span[done.call] = done.began if first == NONE else min(first, done.began), max(span[done.call, 1], line.time)
    return span, own


def _position(line: Line, calls: Calls, matched: dict[Call, int]) -> int:
    if line.call is None:
        return NONE
    return matched.get(line.call, calls.at.get(line.call, NONE))


def _matched(lines: Sequence[Line], calls: Calls, notes: dict[str, None]) -> dict[Call, int]:
    """Which calls the recomputed ones are. Recomputations run from the last to the first, each from its beginning: so
    many calls of a layer as follow each other are the last ones of those that were not yet recomputed."""
    found: dict[Call, int] = {}
    waiting: dict[str, list[int]] = {}
    burst: dict[str, list[Call]] = {}

    def settle() -> None:
        for path, again in burst.items():
            known = waiting.setdefault(path, calls.of(path))
            if len(known) > 1:
                notes[f"{path} is called more than once and recomputed: which call it was is told from the order"] = (
                    None
                )
            first = max(0, len(known) - len(again))
            found.update(zip(again, known[first:], strict=False))
            del known[first:]
        burst.clear()

    for line in lines:
        if not line.again:
            settle()
        elif line.what == "enter" and line.call is not None:
            burst.setdefault(line.call[0], []).append(line.call)
    settle()
    if found:
        notes["Recomputed calls (checkpoints) are counted in the backward pass, with the layers recomputed"] = None
    return found


def _over(lines: Sequence[Line]) -> int | None:
    """When the last gradient of a call that nothing else ends was there."""
    last = lines[-1] if lines else None
    return last.time if last is not None and last.what == "end" and last.call is None else None


def nested(lines: Sequence[Line], calls: Calls, matched: dict[Call, int], over: int) -> Iterable[Line]:
    """Beginnings and ends of the backward passes of calls as if each were one operation that those inside it interrupt.

    The backward pass goes through the calls in reverse order: where one begins that does not lie in the one that runs,
    that one has ended, whether or not the log says so; `over` is when the last of them has.
    """
    running: list[int] = []

    def close(until: Callable[[int], bool], time: int) -> Iterable[Line]:
        while running and not until(running[-1]):
            yield Line(time, "end", calls.keys[running.pop()])

    done: set[int] = set()
    for line in lines:
        if line.again:
            yield line
            continue
        call = _position(line, calls, matched)
        if call == NONE:
            continue
        above = list(calls.above(call))
        if line.what == "begin" and call not in running and call not in done:
            yield from close(lambda top, above=above: top in above, line.time)  # type: ignore[misc]
            for around in reversed(above):
                if around not in running:
                    running.append(around)
                    yield Line(line.time, "begin", calls.keys[around])
        elif line.what == "end" and call in running:
            yield from close(lambda top, call=call: top == call, line.time)  # type: ignore[misc]
            yield Line(line.time, "end", calls.keys[running.pop()])
            done.add(call)
    yield from close(lambda _: False, over)
