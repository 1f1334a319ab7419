"""How two trainings drift apart from step to step: rounding that grows, told apart from a fault."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tracer.divergence.training.steps import StepRow


def growth_notes(rows: Sequence[StepRow]) -> list[str]:
    """What to say of how far parameters and losses are apart at each step, where there is more than one."""
    said = []
    for name, word in (("start", "parameters"), ("loss", "losses")):
        curve = [(row.step, row.phases[name].relative_l2) for row in rows if name in row.phases]
        known = [(step, size) for step, size in curve if size is not None]
        if len(known) < 2 or not any(size for _, size in known):
            continue
        shown = ", ".join(f"{size:.1e}" for _, size in (known if len(known) <= 6 else [*known[:3], *known[-2:]]))
        factor = growth(known)
        per = f", times {factor:.2g} a step" if factor is not None else ""
        said.append(f"{word} are apart by {shown} over steps {known[0][0]} to {known[-1][0]}{per}")
    return said


def growth(curve: Sequence[tuple[int, float]]) -> float | None:
    """By what a difference grows in each step: the slope of its logarithm, by least squares over the steps at which it
    is not zero; None where fewer than three are left."""
    points = [(step, math.log(size)) for step, size in curve if size > 0 and math.isfinite(size)]
    if len(points) < 3:
        return None
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return math.exp(sum((x - mean_x) * (y - mean_y) for x, y in points) / spread)
