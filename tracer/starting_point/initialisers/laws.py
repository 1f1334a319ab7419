"""What numbers were drawn from, in words, and the call that draws from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
class Scheme:
    """A rule by which an initialiser takes its width from the parameter's shape: what it is called; the square of the
    width, `over` / (`of_in` * fan in + `of_out` * fan out); and how MindSpore and torch write it."""

    text: str
    over: float
    of_in: int
    of_out: int
    mindspore: str
    torch: str

    def width(self, shape: tuple[int, ...]) -> float:
        """The bound of a uniform distribution, the standard deviation of a normal one."""
        area = math.prod(shape[2:])
        return math.sqrt(self.over / (area * (self.of_in * shape[1] + self.of_out * shape[0])))


_UNIFORM = (
    Scheme(
        "He uniform of slope sqrt(5)",
        *(1, 1, 0),
        "HeUniform(math.sqrt(5))",
        "nn.init.kaiming_uniform_({}, a=math.sqrt(5))",
    ),
    Scheme("Xavier uniform", 6, 1, 1, "XavierUniform()", "nn.init.xavier_uniform_({})"),
    Scheme("He uniform", 6, 1, 0, "HeUniform()", "nn.init.kaiming_uniform_({})"),
)
_NORMAL = (
    Scheme("He normal", 2, 1, 0, "HeNormal()", "nn.init.kaiming_normal_({})"),
    Scheme("He normal of fan_out", 2, 0, 1, "HeNormal(mode='fan_out')", "nn.init.kaiming_normal_({}, mode='fan_out')"),
    Scheme("Xavier normal", 2, 1, 1, "XavierNormal()", "nn.init.xavier_normal_({})"),
)


@dataclass(frozen=True)
class Law:
    """What numbers come from: "normal" has (mean, standard deviation), "uniform" (least, greatest), "truncated normal"
    (mean, standard deviation before it was cut off at two of them), "constant" its number. A "table" holds the same
    numbers for every seed. `zeros` is the share of exact zeros among other numbers, `scheme` the only known rule that
    gives this width."""

    name: Name
    numbers: tuple[float, ...] = ()
    zeros: float = 0.0
    scheme: Scheme | None = None

    def __str__(self) -> str:
        return self.text + (f" ({self.scheme.text})" if self.scheme else "")

    @property
    def text(self) -> str:
        """The law without its scheme."""
        shown = ", ".join(_short(number) for number in self.numbers)
        if self.name == "constant":
            return {"0": "zeros", "1": "ones"}.get(shown, f"the constant {shown}")
        if self.name == "table":
            return "the same numbers for every seed"
        if self.name == "not initialised":
            return "numbers that are not finite, as nothing initialises it"
        zeros = f", and {100 * self.zeros:.2g} % zeros" if self.zeros else ""
        if self.name == "other":
            return f"mean {_short(self.numbers[0])}, standard deviation {_short(self.numbers[1])}{zeros}"
        if self.name == "truncated normal":
            return f"N({shown}) cut off at 2 standard deviations{zeros}"
        return f"{'N' if self.name == 'normal' else 'U'}({shown}){zeros}"

    @property
    def kind(self) -> str:
        """The law by its scheme where it has one: what layers of other shapes have in common."""
        return self.text if self.scheme is None else self.scheme.text


def law_of(sample: Sample) -> Law:
    """Name what a parameter is drawn from: only shapes that its numbers do not rule out; round numbers where they are
    as near as can be told."""
    if sample.strange:
        return Law("not initialised")
    if sample.minimum == sample.maximum:
        return Law("constant", (float(f"{sample.minimum:.7g}"),))  # a float32 as it was written
    if sample.fixed:
        return Law("table")
    values, count = sample.values.reshape(-1), sample.count
    mean, std, low, high = sample.mean, sample.std, sample.minimum, sample.maximum
    drawn = values[values != 0]
    zeros = 1 - len(drawn) / len(values)
    if zeros:  # of a row for padding, or of what is sparse
        values, count = drawn, len(drawn)
        mean, std, low, high = (float(v) for v in (drawn.mean(), drawn.std(), drawn.min(), drawn.max()))
    mean_error, std_error = std / math.sqrt(count), std / math.sqrt(2 * count)
    middle = 0.0 if abs(mean) < 4 * mean_error else _round(mean, mean_error)
    if len(values) >= _ENOUGH:
        if _fits(values, stats.uniform(low, high - low).cdf):
            beyond = (high - low) / count  # the bounds lie about so far outside of what was drawn
            if abs(low + high) < 8 * beyond:
                reach = _round(max(high, -low) + beyond / 2, beyond)
                ends = (-reach, reach)
            else:
                ends = (_round(low - beyond, beyond), _round(high + beyond, beyond))
            scheme = _scheme(_UNIFORM, ends[1], sample.shape) if ends[0] == -ends[1] else None
            return Law("uniform", ends, zeros, scheme)
        if _fits(values, stats.norm(mean, std).cdf):
            width = _round(std, std_error)
            return Law("normal", (middle, width), zeros, _scheme(_NORMAL, width, sample.shape) if not middle else None)
        if _fits(values, stats.truncnorm(-2, 2, mean, std / _AT_TWO).cdf):
            return Law("truncated normal", (middle, _round(std / _AT_TWO, std_error)), zeros)
    return Law("other", (middle, float(f"{std:.2g}")), zeros)


def initialiser(law: Law, framework: str) -> str | None:
    """The initialiser that draws from it, as one writes it: an object for a MindSpore layer's argument, a function of
    `torch.nn.init` with `{}` for the parameter; None where there is none."""
    if law.scheme is not None:
        return law.scheme.torch if framework == "torch" else law.scheme.mindspore
    numbers = [_short(number) for number in law.numbers]
    if law.name == "constant":
        word = {"0": "zeros", "1": "ones"}.get(numbers[0])
        if framework == "torch":
            return f"nn.init.{word}_({{}})" if word else f"nn.init.constant_({{}}, {numbers[0]})"
        return f"'{word}'" if word else f"Constant({numbers[0]})"
    if law.name not in ("uniform", "normal", "truncated normal"):
        return None
    first, second = numbers
    if framework == "torch":
        if law.name == "truncated normal":
            reach = _short(2 * law.numbers[1])
            return f"nn.init.trunc_normal_({{}}, {first}, {second}, -{reach}, {reach})" if law.numbers[0] == 0 else None
        return f"nn.init.{law.name}_({{}}, {first}, {second})"
    if law.name == "uniform":
        return f"Uniform({second})" if law.numbers[0] == -law.numbers[1] else None
    kind = "Normal" if law.name == "normal" else "TruncatedNormal"
    return f"{kind}({second})" if law.numbers[0] == 0 else f"{kind}({second}, {first})"


def _scheme(schemes: Sequence[Scheme], width: float, shape: tuple[int, ...]) -> Scheme | None:
    """The one that gives this width. Of a round width nobody can tell, and none may be meant."""
    if len(shape) < 2 or 0 in shape or float(f"{width:.2g}") == width:
        return None
    found = [scheme for scheme in schemes if abs(scheme.width(shape) / width - 1) < 0.005]
    return found[0] if len(found) == 1 else None


def _fits(values: Array, cdf: Callable[[Array], Array]) -> bool:
    return bool(stats.kstest(values, cdf, method="asymp").pvalue > _SURE)


def _round(value: float, error: float) -> float:
    """The shortest number that is within three errors."""
    if abs(value) <= 3 * error:
        return 0.0
    for digits in range(1, 5):
        rounded = float(f"{value:.{digits}g}")
        if abs(rounded - value) <= 3 * error:
            return rounded
    return float(f"{value:.4g}")


def _short(value: float) -> str:
    return f"{value:.7g}" if value else "0"
