"""The schedulers of torch.optim.lr_scheduler: a row each, as in `layers.py`.

They go with the optimizers of mindspore.experimental.optim.
"""

from __future__ import annotations

import ast

from tracer.source.rewriting.rules import Argument, Rule, to
from tracer.source.rewriting.writing import Value

ROOM = "mindspore.experimental.optim.lr_scheduler"
_LAST = "last_epoch=-1, verbose='deprecated'"


def listed(value: Value) -> str:
    """A tuple as the list that MindSpore takes nothing else for; else as it stands."""
    if not isinstance(value.node, ast.Tuple):
        return value.text
    return f"[{value.text.strip().removeprefix('(').removesuffix(')').rstrip().removesuffix(',')}]"


def _scheduler(name: str, takes: str, *arguments: Argument | str, last: bool = True) -> Rule:
    """One whose arguments are torch's, but what torch printed long ago."""
    return Rule(
        f"torch.optim.lr_scheduler.{name}",
        f"{ROOM}.{name}",
        takes=f"optimizer, {takes}" + (f", {_LAST}" if last else ""),
        arguments=("optimizer", *arguments, *(("last_epoch",) if last else ())),
        drops=("verbose",),
    )


SCHEDULERS: tuple[Rule, ...] = (
    _scheduler("StepLR", "step_size, gamma=0.1", "step_size", "gamma"),
    _scheduler("MultiStepLR", "milestones, gamma=0.1", to("milestones", convert=listed, loud=True), "gamma"),
    _scheduler("ExponentialLR", "gamma", "gamma"),
    _scheduler("LambdaLR", "lr_lambda", "lr_lambda"),
    _scheduler("MultiplicativeLR", "lr_lambda", "lr_lambda"),
    _scheduler("ConstantLR", "factor=1/3, total_iters=5", "factor", "total_iters"),
    _scheduler(
        "LinearLR",
        "start_factor=1/3, end_factor=1.0, total_iters=5",
        "start_factor",
        "end_factor",
        "total_iters",
    ),
    _scheduler("PolynomialLR", "total_iters=5, power=1.0", "total_iters", "power"),
    _scheduler("CosineAnnealingLR", "T_max, eta_min=0.0", "T_max", "eta_min"),
    _scheduler("CosineAnnealingWarmRestarts", "T_0, T_mult=1, eta_min=0.0", "T_0", "T_mult", "eta_min"),
    _scheduler("SequentialLR", "schedulers, milestones", "schedulers", to("milestones", convert=listed, loud=True)),
    _scheduler(
        "ReduceLROnPlateau",
        "mode='min', factor=0.1, patience=10, threshold=0.0001, threshold_mode='rel', cooldown=0, min_lr=0, "
        "eps=1e-08, verbose='deprecated'",
        "mode",
        "factor",
        "patience",
        "threshold",
        "threshold_mode",
        "cooldown",
        "min_lr",
        "eps",
        last=False,
    ),
    Rule(
        "torch.optim.lr_scheduler.CyclicLR",
        f"{ROOM}.CyclicLR",
        takes="optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode='triangular', gamma=1.0, "
        "scale_fn=None, scale_mode='cycle', cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, " + _LAST,
        when=lambda call: call.literal("cycle_momentum") is False,
        arguments=(
            "optimizer",
            "base_lr",
            "max_lr",
            "step_size_up",
            "step_size_down",
            "mode",
            "gamma",
            "scale_fn",
            "scale_mode",
            to("last_epoch", keyword=True),
        ),
        drops=("cycle_momentum", "base_momentum", "max_momentum", "verbose"),
    ),
    Rule(
        "torch.optim.lr_scheduler.CyclicLR",
        f"{ROOM}.CyclicLR",
        by_hand="MindSpore's cycles the learning rate alone: torch's cycles the momentum too, unless "
        "cycle_momentum=False.",
    ),
)
