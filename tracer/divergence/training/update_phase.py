"""The phase `update`: parameters and what the optimizer remembers, after the step."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.divergence.case import Case
from tracer.divergence.places import Origin
from tracer.divergence.training.handing_on import PairedParameter
from tracer.divergence.training.step_trace import StepTrace
from tracer.divergence.training.steps import PhaseRow


@dataclass(frozen=True)
class UpdatePhase:
    """What the phase shows."""

    row: PhaseRow
    origins: tuple[Origin, ...] = ()
    notes: tuple[str, ...] = ()


def judge_update(case: Case, traces: tuple[StepTrace, StepTrace], pairs: list[PairedParameter]) -> UpdatePhase:
    """Judge the update."""
    del case, traces, pairs
    return UpdatePhase(PhaseRow("not judged", None, "not yet"))
