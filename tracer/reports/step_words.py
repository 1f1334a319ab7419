"""The training steps of a diagnosis for a reader: the state of each phase, which steps are shown, how the difference
grows and what that means. Plain values and sentences, no layout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tracer.divergence.training.growth import growth, growth_notes
from tracer.divergence.training.steps import PHASES, PhaseRow, StepRow, ranges
from tracer.reports import wording

if TYPE_CHECKING:
    from tracer.divergence.diagnosis import Diagnosis

State = Literal["agrees", "starts here", "carried on", "unsure", "not judged"]

MARKS: Mapping[State, str] = {"agrees": "=", "starts here": ">", "carried on": "+", "unsure": "?", "not judged": "-"}
"""What stands for a state in the table."""

_NOT_JUDGED = "not judged: "

_STEADY = 0.03
"""How much a difference may grow in a step and be called steady."""


# --------------------------------------------------------------------------------------------------------------------
# The table
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PhaseCell:
    """One phase of one step as it is shown."""

    phase: str
    state: State
    relative_l2: float | None
    said: str = ""

    @property
    def number(self) -> str:
        """The difference; empty where there is none and nothing was judged."""
        return "" if self.relative_l2 is None and self.state == "not judged" else wording.number(self.relative_l2)


def cells(diagnosis: Diagnosis, row: StepRow) -> list[PhaseCell]:
    """All phases of a step, in their order."""
    return [_cell(diagnosis, row, name) for name in PHASES]


def _cell(diagnosis: Diagnosis, row: StepRow, name: str) -> PhaseCell:
    found = row.phases.get(name, PhaseRow("not judged"))
    state: State = "not judged"
    if found.verdict == "unsure":
        state = "unsure"
    elif found.verdict == "diverged":
        state = "starts here"
    elif found.verdict == "agree":
        state = "agrees"
    elif found.relative_l2 is not None and _after_origin(diagnosis, row.step, name):
        state = "carried on" if found.relative_l2 else "agrees"
    return PhaseCell(name, state, found.relative_l2, found.said)


def _after_origin(diagnosis: Diagnosis, step: int, phase: str) -> bool:
    """Does a phase come after the first origin?"""
    origin = diagnosis.origin
    if origin is None or origin.step is None:
        return False
    return (step, PHASES.index(phase)) > (origin.step, PHASES.index(origin.phase))


@dataclass(frozen=True)
class LeftOut:
    """Steps of which no line is shown."""

    numbers: tuple[int, ...]

    @property
    def words(self) -> str:
        """How many there are, and which."""
        return f"{wording.plural(len(self.numbers), 'step')} left out: {ranges(self.numbers)}"


def shown_steps(diagnosis: Diagnosis, most: int) -> list[StepRow | LeftOut]:
    """At most about `most` steps: the first, those around the origin, the last; what is left out between them."""
    rows = diagnosis.steps
    if len(rows) <= most + 1:
        return list(rows)
    origin = diagnosis.origin
    at = next((n for n, row in enumerate(rows) if origin is not None and row.step == origin.step), None)
    around = [] if at is None else [at, at + 1, at - 1]
    order = [*around[:1], 0, len(rows) - 1, *around[1:], *_spread(len(rows))]
    chosen = sorted(list(dict.fromkeys(n for n in order if 0 <= n < len(rows)))[:most])
    shown: list[StepRow | LeftOut] = []
    for here, following in zip(chosen, [*chosen[1:], len(rows)], strict=True):
        shown.append(rows[here])
        if following > here + 1:
            shown.append(LeftOut(tuple(row.step for row in rows[here + 1 : following])))
    return shown


def _spread(count: int) -> Iterable[int]:
    """Places from both ends towards the middle."""
    for n in range(1, (count + 1) // 2):
        yield n
        yield count - 1 - n


def step_sentence(diagnosis: Diagnosis, row: StepRow) -> str:
    """One step in words, for where no table has room: "start agrees, forward 1.5e-04 starts here"."""
    said = [" ".join(part for part in (c.phase, c.number, c.state) if part) for c in cells(diagnosis, row)]
    return f"step {row.step}: {', '.join(said)}"


# --------------------------------------------------------------------------------------------------------------------
# What was not judged, and what a number does not say
# --------------------------------------------------------------------------------------------------------------------


def unjudged(diagnosis: Diagnosis) -> list[str]:
    """Phases that were not judged, each reason once; what follows from the origin is said in one sentence."""
    reasons: dict[str, dict[str, list[int]]] = {}
    followed = False
    for row in diagnosis.steps:
        for name in PHASES:
            found = row.phases.get(name)
            if found is None or found.verdict != "not judged":
                continue
            if _after_origin(diagnosis, row.step, name):
                followed = True
            else:
                reason = found.said.removeprefix(_NOT_JUDGED) or "not recorded"
                reasons.setdefault(reason, {}).setdefault(name, []).append(row.step)
    lines = []
    if followed:
        lines.append("what comes after the origin was measured (gradients by their norms alone), and not judged")
    count = len(diagnosis.steps)
    for reason, phases in reasons.items():
        steps = sorted({step for those in phases.values() for step in those})
        of = "" if len(steps) == count else f" of {_steps(steps)}"
        lines.append(f"{_and(list(phases))}{of} not judged: {reason}")
    weaker = {state for state in diagnosis.coverage.phases.values() if state.startswith("judged ")}
    for state in sorted(weaker):
        names = [name for name, its in diagnosis.coverage.phases.items() if its == state]
        lines.append(f"{_and(names)} {state}")
    return lines


def remarks(diagnosis: Diagnosis) -> list[str]:
    """What is said of phases that were judged, for the first step that has it; how many others have the like."""
    said: dict[str, list[tuple[int, str]]] = {}
    for row in diagnosis.steps:
        for name, found in row.phases.items():
            if found.said and found.verdict != "not judged":
                said.setdefault(name, []).append((row.step, found.said))
    lines = []
    for name, those in said.items():
        step, words = those[-1]
        more = f"; the like in {wording.plural(len(those) - 1, 'step')} before it" if len(those) > 1 else ""
        lines.append(f"{name} of step {step}: {words}{more}")
    return lines


def notes_after(diagnosis: Diagnosis) -> list[str]:
    """The notes that the curve does not show already."""
    drawn = set(growth_notes(diagnosis.steps)) if curves(diagnosis.steps) else set()
    notes = [note for note in wording.notes_after(diagnosis) if note not in drawn]
    return [*notes, *(line for line in remarks(diagnosis) if line not in notes)]


def _steps(numbers: Sequence[int]) -> str:
    return f"step{'s' * (len(numbers) != 1)} {ranges(numbers)}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


# --------------------------------------------------------------------------------------------------------------------
# Growth
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """How far apart both sides are at each step. `sizes` are relative; None where nothing was recorded."""

    name: str
    steps: tuple[int, ...]
    sizes: tuple[float | None, ...]

    @property
    def known(self) -> list[tuple[int, float]]:
        """The steps at which it is known."""
        return [(n, s) for n, s in zip(self.steps, self.sizes, strict=True) if s is not None and math.isfinite(s)]

    def words(self, rate: float | None) -> str:
        """From where to where, and by which factor it grows in a step."""
        known = self.known
        ends = f"{wording.number(known[0][1])} at step {known[0][0]}, {wording.number(known[-1][1])} at {known[-1][0]}"
        top = max(known, key=lambda point: point[1])
        if top[1] > 2 * max(known[0][1], known[-1][1]):
            ends += f", at most {wording.number(top[1])} at {top[0]}"
        if rate is None:
            return ends
        return ends + ("; steady" if abs(rate - 1) < _STEADY else f"; times {rate:.2g} a step")


def curves(rows: Sequence[StepRow]) -> list[Curve]:
    """Parameters before each step, and losses, where two steps or more are known and not all of it is equal."""
    return [curve for _, curve in _curves(rows)]


def _curves(rows: Sequence[StepRow]) -> Iterable[tuple[str, Curve]]:
    for phase, name in (("start", "parameters"), ("loss", "losses")):
        sizes = tuple(row.phases[phase].relative_l2 if phase in row.phases else None for row in rows)
        curve = Curve(name, tuple(row.step for row in rows), sizes)
        if len(curve.known) > 1 and any(size for _, size in curve.known):
            yield phase, curve


def levels(drawn: Sequence[Curve], width: int, top: int) -> list[list[int | None]]:
    """The heights of the curves, from 0 (equal) to `top`, in at most `width` columns each; of the steps that share a
    column the largest. The scale is logarithmic and one for all curves."""
    logs = [math.log10(size) for curve in drawn for _, size in curve.known if size > 0]
    high = max(logs, default=0.0)
    low = min(min(logs, default=0.0), high - 1)
    return [[_level(part, low, high, top) for part in _columns(curve.sizes, width)] for curve in drawn]


def _level(sizes: Sequence[float | None], low: float, high: float, top: int) -> int | None:
    known = [size for size in sizes if size is not None]
    if not known:
        return None
    size = max(known)
    if size <= 0:
        return 0
    return top if math.isinf(size) else 1 + round((math.log10(size) - low) / (high - low) * (top - 1))


def _columns(sizes: Sequence[float | None], width: int) -> Iterable[Sequence[float | None]]:
    count = min(len(sizes), max(width, 1))
    for n in range(count):
        yield sizes[n * len(sizes) // count : (n + 1) * len(sizes) // count]


def told_curves(diagnosis: Diagnosis) -> list[tuple[Curve, str]]:
    """The curves, each with its words. Where there is an origin the rate is that of what follows from it."""
    origin = diagnosis.origin
    told = []
    for phase, curve in _curves(diagnosis.steps):
        known = curve.known
        if origin is not None and origin.step is not None:
            known = [point for point in known if _after_origin(diagnosis, point[0], phase)]
        told.append((curve, curve.words(growth(known))))
    return told


def growth_story(diagnosis: Diagnosis) -> str:
    """Is it rounding that grew, or a fault?"""
    drawn = curves(diagnosis.steps)
    origin = diagnosis.origin
    if not drawn:
        return ""
    if origin is not None and origin.step is not None:
        before = any(size for curve in drawn for step, size in curve.known if step < origin.step)
        first = f"up to step {origin.step} rounding that grew, then " if before else ""
        if diagnosis.verdict != "diverged":
            return f"{first}what follows from the difference {wording.when(origin)}"
        return f"{first}not rounding but a fault: it begins {wording.when(origin)}, and what follows carries it on"
    if diagnosis.verdict != "agree":
        return ""
    judged = [row.phases["update"].verdict == "agree" for row in diagnosis.steps if "update" in row.phases]
    if judged and all(judged):
        return "rounding that grew, no fault: no phase of any step adds more than rounding explains"
    return (
        "no phase that was judged adds more than rounding explains; the update was not judged"
        + (" in every step" if any(judged) else "")
        + ", so another optimizer may have made it as well"
    )
