"""What is said of each step: a row of phases, in the order in which a computer does them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tracer.trace.schema import Skeleton, Step

PHASES = ("start", "forward", "loss", "backward", "gradients", "update")

PhaseVerdict = Literal["agree", "diverged", "unsure", "not judged"]


@dataclass(frozen=True)
class PhaseRow:
    """One phase of one step. `relative_l2` is how far apart both sides are there, inherited differences included:
    parameters at the start, outputs, losses, the gradient that came furthest, gradients as the optimizer got them,
    parameters after the update. `said` is what a number does not say."""

    verdict: PhaseVerdict
    relative_l2: float | None = None
    said: str = ""


@dataclass(frozen=True)
class StepRow:
    """One step of both traces."""

    step: int
    phases: Mapping[str, PhaseRow] = field(default_factory=dict)


def trains(skeleton: Skeleton) -> bool:
    """Does a trace hold training steps?"""
    return any(step.keep for step in skeleton.steps)


def common_steps(reference: Skeleton, candidate: Skeleton) -> list[tuple[Step, Step]]:
    """The steps of which both traces keep more than a curve, in order."""
    theirs = {step.number: step for step in candidate.steps if step.keep != "curve"}
    ours = (step for step in reference.steps if step.keep != "curve")
    return [(step, theirs[step.number]) for step in ours if step.number in theirs]


def only_one_has(reference: Skeleton, candidate: Skeleton) -> str:
    """Which steps only one trace keeps, in words; "" where there are none."""
    numbers = [[s.number for s in side.steps if s.keep != "curve"] for side in (reference, candidate)]
    said = []
    for word, own, other in (("reference", numbers[0], numbers[1]), ("candidate", numbers[1], numbers[0])):
        lone: list[int] = [n for n in own if n not in set(other)]
        if lone:
            said.append(f"only the {word} has {'step' if len(lone) == 1 else 'steps'} {ranges(lone)}")
    return "; ".join(said)


def ranges(numbers: Sequence[int]) -> str:
    """Numbers in words, neighbours joined: "0, 3 to 9, 20"."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    said = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs]
    return ", ".join(said[:6]) + (f" and {len(said) - 6} more" if len(said) > 6 else "")
