"""Diagnoses of training steps made by hand, one for each face that a report of them can have."""

from __future__ import annotations

import dataclasses

from tests.reports import builders
from tests.reports.builders import difference, spot
from tracer.divergence.diagnosis import Cause, Coverage, Diagnosis, Origin
from tracer.divergence.training.growth import growth_notes
from tracer.divergence.training.steps import PHASES, PhaseRow, StepRow

LATER = "not judged: an earlier phase or step explains what follows"


def row(step: int, *sizes: float | None, said: str = "", **verdicts: str) -> StepRow:
    """A step of which each phase agrees as far apart as `sizes` say (None: not judged), unless a verdict is named."""
    phases = {}
    for name, size in zip(PHASES, [*sizes, *[None] * len(PHASES)], strict=False):
        verdict = verdicts.get(name, "not judged" if size is None else "agree")
        phases[name] = PhaseRow(verdict, size, said if verdict == "not judged" else "")
    return StepRow(step, phases)


def later(step: int, *sizes: float | None) -> StepRow:
    """A step after the origin: measured and not judged."""
    return row(step, *sizes, said=LATER, **dict.fromkeys(PHASES, "not judged"))


def training(steps: tuple[StepRow, ...], *origins: Origin, **more) -> Diagnosis:
    fields = {
        "verdict": "diverged" if origins else "agree",
        "reason": "the update of step 0 diverges" if origins else f"{len(steps)} steps agree in every phase",
        "origins": origins,
        "road": (),
        "steps": steps,
        "coverage": Coverage(15, 15, 0, 0, dict.fromkeys(PHASES, "judged")),
        "notes": tuple(growth_notes(steps)),
    }
    return builders.diagnosis(**(fields | more))


def drifting() -> Diagnosis:
    """Two right ports, forty steps: rounding grows."""
    steps = tuple(row(n, 1e-7 * n * 1.2**n, 3e-7 * 1.2**n, 1e-7 * 1.2**n, 4e-7, 4e-7, 1e-7 * n) for n in range(40))
    return training(steps, notes=(*growth_notes(steps), "key.bias gets gradients that are rounding in both nets"))


def equal_steps() -> Diagnosis:
    """Bit for bit the same: there is no curve."""
    return training(tuple(row(n, *[0.0] * 6) for n in range(3)))


def one_step() -> Diagnosis:
    return training((row(10, 0.0, 2e-7, 0.0, 3e-7, 3e-7, 1e-7),))


EPS = Cause(
    "optimizer",
    "eps_placement",
    "outside",
    "inside",
    edit="train_ms.py:12  nn.Adam(params, eps=1e-8)  ->  mint.optim.AdamW(params, eps=1e-8)",
    sentence="nn.Adam adds eps before the bias correction, PyTorch's Adam after it",
)


def other_update() -> Diagnosis:
    """An optimizer of another rule; all parameters are updated otherwise, and the first is named."""
    origin = Origin(
        "update",
        "parameter",
        spot("fc1.weight", "Linear", "train.py:7", text="self.fc1 = nn.Linear(4, 8)", call=None),
        spot("fc1.weight", "Dense", "train_ms.py:9", call=None),
        difference(3.1e-2, 1e-3),
        None,
        (EPS,),
        step=0,
    )
    steps = (
        row(0, 0.0, 2e-7, 0.0, 3e-7, 3e-7, 3.1e-2, update="diverged"),
        *(later(n, 1e-3 * n, 2e-3 * n, 1e-3, None, 4e-3) for n in range(1, 5)),
    )
    return training(steps, origin)


def other_group() -> Diagnosis:
    """A hyperparameter: the place is a group."""
    cause = Cause("optimizer", "weight_decay", 0.01, 0.0, edit="train_ms.py:12  give weight_decay=0.01")
    spots = spot("group 0", "AdamW", "train.py:20", call=None), spot("group 0", "AdamWeightDecay", None, call=None)
    origin = Origin("update", "group", *spots, difference(1e-4, 1e-6), None, (cause,), step=0)
    return training((row(0, 0.0, 2e-7, 0.0, 3e-7, 3e-7, 1e-4, update="diverged"),), origin)


def other_loss() -> Diagnosis:
    """A loss that is summed, in the second of the steps that were kept, and its second loss."""
    cause = Cause(
        "loss",
        "reduction",
        "mean",
        "sum",
        sentence="the reference takes the mean of 12 elements, the candidate the sum",
    )
    spots = spot("loss", "CrossEntropyLoss", None, call=1), spot("loss", "loss", None, call=1)
    origin = Origin("loss", "loss", *spots, difference(11.0, 1e-5, max_abs=17.5), 0.0, (cause,), step=10)
    steps = (
        row(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
        row(10, 1e-7, 2e-7, 11.0, said="not judged: the losses differ", loss="diverged"),
        later(100, 0.4, 0.2, 11.2, None, 9.8),
    )
    return training(steps, origin)


def late_fault() -> Diagnosis:
    """A forward fault in the midst of many steps, with its road."""
    origin = dataclasses.replace(builders.GELU_ORIGIN, step=50)
    before = tuple(row(n, 1e-8 * n, 3e-7, 1e-7, 4e-7, 4e-7, 1e-7) for n in range(50))
    here = row(50, 5e-7, 9.2e-3, 1e-3, said=LATER, forward="diverged", loss="not judged")
    after = tuple(later(n, 1e-3 * (n - 49), 2e-2, 3e-2, None, 2e-2) for n in range(51, 100))
    return training((*before, here, *after), origin, road=builders.GELU_ROAD)


def changed_outside() -> Diagnosis:
    """A parameter that something wrote to between two steps, on one side."""
    said = "weight of fc1 changed in the candidate between step 0 and step 1, outside of any step"
    cause = Cause("parameter", "weight", sentence=said, edit="look for what writes parameters after the update")
    origin = Origin("start", "parameter", None, spot("fc1", "Dense", "train_ms.py:9", call=None), None, None, (cause,),
                    sentence=said, step=1)  # fmt: skip
    steps = (row(0, *[0.0] * 6), row(1, 0.3, said="not judged: the starting points differ", start="diverged"))
    return training(steps, origin)


def other_labels() -> Diagnosis:
    said = "the labels differ in 12 of 12 places"
    cause = Cause("loss", "targets", edit="record both nets with the same labels", sentence=said)
    spots = spot("loss", "CrossEntropyLoss", None), spot("loss", "cross_entropy", None)
    origin = Origin("start", "input", *spots, difference(1.0, 0.0, max_abs=3.0), None, (cause,), sentence=said, step=0)
    here = row(
        0, 0.0, 0.0, 6.4e-2, None, 5.5e-2, said=LATER, **dict.fromkeys(PHASES, "not judged") | {"start": "unsure"}
    )
    return training((here,), origin, verdict="unsure", reason=f"{said}: no verdict")


def nothing_updated() -> Diagnosis:
    """No optimizer was given: the gradients and the update could not be judged."""
    said = "not judged: no optimizer was watched"
    steps = tuple(row(n, 1e-3 * n, 1e-3, 1e-4, 1e-3, said=said) for n in range(3))
    return training(steps, coverage=Coverage(15, 15, 0, 0, {name: "judged" for name in PHASES[:4]} | {
        "gradients": said, "update": said}))  # fmt: skip


TRAININGS = {
    "steps_drifting": drifting,
    "steps_equal": equal_steps,
    "steps_one": one_step,
    "steps_update": other_update,
    "steps_group": other_group,
    "steps_loss": other_loss,
    "steps_late_fault": late_fault,
    "steps_changed_outside": changed_outside,
    "steps_labels": other_labels,
    "steps_no_optimizer": nothing_updated,
}

EVERY = builders.ALL | TRAININGS
"""Every face of a report."""
