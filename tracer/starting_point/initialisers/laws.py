"""What numbers were drawn from, in words, and the call that draws from it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import stats

from tracer.starting_point.initialisers.made_nets import Sample

Array = np.ndarray[Any, Any]

Name = Literal["constant", "table", "normal", "uniform", "truncated normal", "other", "not initialised"]

_ENOUGH = 200
"""Numbers from which the shape of a distribution is named."""

_SURE = 1e-4
"""A shape is ruled out where so unlikely numbers were drawn."""

_AT_TWO = 0.8796256610342398
"""The standard deviation of a standard normal distribution that is cut off at 2."""


@dataclass(frozen=True)
class Law:
    """What numbers come from: "normal" has (mean, standard deviation), "uniform" (least, greatest), "truncated normal"
    (mean, standard deviation before it was cut off at two of them), "constant" its number. `fixed` tables are the same
    numbers for every seed."""

    name: Name
    numbers: tuple[float, ...] = ()

    def __str__(self) -> str:
        shown = ", ".join(_short(number) for number in self.numbers)
        if self.name == "constant":
            return {"0": "zeros", "1": "ones"}.get(shown, f"the constant {shown}")
        if self.name == "table":
            return "the same numbers for every seed"
        if self.name == "not initialised":
            return "numbers that are not finite: nothing initialises it"
        if self.name == "other":
            return f"numbers of mean {_short(self.numbers[0])} and standard deviation {_short(self.numbers[1])}"
        letter = {"normal": "N", "uniform": "U", "truncated normal": "N"}[self.name]
        return f"{letter}({shown})" + (" cut off at 2 standard deviations" if self.name == "truncated normal" else "")


def law_of(sample: Sample) -> Law:
    """Name what a parameter is drawn from: only shapes that its numbers do not rule out; round numbers where they are
    as near as can be told."""
    if sample.strange:
        return Law("not initialised")
    if sample.minimum == sample.maximum:
        return Law("constant", (_seven_digits(sample.minimum),))
    if sample.fixed:
        return Law("table")
    values = sample.values.reshape(-1)
    count = sample.count
    mean_error, std_error = sample.std / math.sqrt(count), sample.std / math.sqrt(2 * count)
    mean = 0.0 if abs(sample.mean) < 4 * mean_error else _round(sample.mean, mean_error)
    if len(values) >= _ENOUGH:
        width = sample.maximum - sample.minimum
        if _fits(values, stats.uniform(sample.minimum, width).cdf):
            error = width / count
            low, high = _round(sample.minimum, 5 * error), _round(sample.maximum, 5 * error)
            if abs(low + high) < 20 * error:
                low = -high
            return Law("uniform", (low, high))
        if _fits(values, stats.norm(sample.mean, sample.std).cdf):
            return Law("normal", (mean, _round(sample.std, std_error)))
        whole = sample.std / _AT_TWO
        if _fits(values, stats.truncnorm(-2, 2, sample.mean, whole).cdf):
            return Law("truncated normal", (mean, _round(whole, std_error)))
    return Law("other", (mean, _round(sample.std, 2 * std_error)))


def initialiser(law: Law, framework: str) -> str | None:
    """The initialiser that draws from it, as one writes it: an object for a MindSpore layer's argument, a function of
    `torch.nn.init` with `{}` for the parameter; None where there is none."""
    torch = framework == "torch"
    numbers = [_short(number) for number in law.numbers]
    if law.name == "constant":
        (number,) = numbers
        word = {"0": "zeros", "1": "ones"}.get(number)
        if torch:
            return f"nn.init.{word}_({{}})" if word else f"nn.init.constant_({{}}, {number})"
        return f"'{word}'" if word else f"Constant({number})"
    if law.name == "uniform":
        low, high = numbers
        if torch:
            return f"nn.init.uniform_({{}}, {low}, {high})"
        return f"Uniform({high})" if law.numbers[0] == -law.numbers[1] else None
    if law.name in ("normal", "truncated normal"):
        mean, std = numbers
        if torch:
            if law.name == "normal":
                return f"nn.init.normal_({{}}, {mean}, {std})"
            reach = _short(2 * law.numbers[1])
            return f"nn.init.trunc_normal_({{}}, {mean}, {std}, -{reach}, {reach})" if law.numbers[0] == 0 else None
        kind = "Normal" if law.name == "normal" else "TruncatedNormal"
        return f"{kind}({std})" if law.numbers[0] == 0 else f"{kind}({std}, {mean})"
    return None


def _fits(values: Array, cdf: Callable[[Array], Array]) -> bool:
    return bool(stats.kstest(values, cdf, method="asymp").pvalue > _SURE)


def _round(value: float, error: float) -> float:
    """The shortest number that is within three errors."""
    for digits in range(1, 5):
        rounded = float(f"{value:.{digits}g}")
        if abs(rounded - value) <= 3 * error:
            return rounded
    return float(f"{value:.4g}")


def _seven_digits(value: float) -> float:
    """A float32 as it was written."""
    return float(f"{value:.7g}")


def _short(value: float) -> str:
    return f"{value:.7g}" if value else "0"
