"""What the skeleton alone tells of a call: by which factors its output is its input, at the elements that were kept.

Enough to know a class that drops (DropPath and its kin, which no rule knows), the factor it gives to what it keeps, and
code between layers that drops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from tracer.frameworks.base import FLOATS
from tracer.trace.schema import Call, Layer, Plain, Value

Array = np.ndarray[Any, Any]

_DROPS = ("drop", "stochastic")
"""In the names of classes that drop."""


def ends(call: Call) -> tuple[Value | None, Value | None]:
    """The one tensor that came in and the one that went out; None where there are others."""
    came = [v for v in (*call.inputs, *call.kwargs) if v.kind == "tensor"]
    went = [v for v in call.outputs if v.kind == "tensor"]
    return came[0] if len(came) == 1 else None, went[0] if len(went) == 1 and not went[0].leaf else None


@dataclass(frozen=True, eq=False)
class Sampled:
    """What some elements of a call tell: where each sits (flat, C order), whether its input was above zero, whether it
    was kept, and the factor of those that were (None where none was); `levels` is False where the factors of the kept
    are not one."""

    places: Array
    above: Array
    kept: Array
    scale: float | None
    levels: bool


def sampled(call: Call) -> Sampled | None:
    """The factors at the elements that the skeleton keeps of what came in and went out; None where nothing is known."""
    given, gave = ends(call)
    return None if given is None or gave is None else sampled_between(given, gave)


def sampled_between(given: Value, gave: Value) -> Sampled | None:
    """The same of any two values of one shape."""
    if given.shape != gave.shape or given.statistics is None or gave.statistics is None:
        return None
    if not {given.dtype, gave.dtype} <= FLOATS:
        return None
    x, y = np.array(given.statistics.sample), np.array(gave.statistics.sample)
    if not x.size or x.size != y.size:
        return None
    count = math.prod(given.shape)
    places = np.round(np.linspace(0, count - 1, x.size)).astype(np.int64)
    known = np.isfinite(x) & np.isfinite(y) & (x != 0)
    if not known.any():
        return None
    x, y, places = x[known], y[known], places[known]
    kept = y != 0
    slack = slack_of(given.dtype, gave.dtype)
    scale = one_scale(x[kept], y[kept], slack) if kept.any() else None
    return Sampled(places, x > 0, kept, scale, scale is not None or not kept.any())


def slack_of(*dtypes: str) -> tuple[float, float]:
    """How far a product of floats may be from the exact one: relative, and absolute for numbers too small for them."""
    worst = (0.0, 0.0)
    for name in dtypes:
        facts = ml_dtypes.finfo(name)
        worst = max(worst[0], 16 * float(facts.eps)), max(worst[1], float(facts.smallest_normal))
    return worst


def one_scale(x: Array, y: Array, slack: tuple[float, float]) -> float | None:
    """The one factor between two arrays; None where there is none."""
    large = np.abs(x) > slack[1] / slack[0]
    if not large.any():
        return None
    scale = float(np.median(y[large] / x[large]))
    fits = np.abs(y - scale * x) <= slack[0] * np.abs(scale * x) + 2 * slack[1]
    return scale if fits.all() and scale != 0 else None


def by_sign(above: Array, kept: Array) -> bool:
    """Is kept what is above zero, or what is not? So do ReLU and its kin."""
    return bool(above.any() and not above.all() and ((kept == above).all() or (kept != above).all()))


def divisor_of(settings: Mapping[str, Plain], scale: float, slack: float) -> float | None:
    """The number by which a layer divides what it keeps, where a setting says it: 1 - p, or the share that is kept."""
    shares = [value for value in settings.values() if isinstance(value, float) and 0 < value < 1]
    divisors = (divisor for share in shares for divisor in (1.0 - share, share))
    return next((divisor for divisor in divisors if abs(scale * divisor - 1) <= slack), None)


def may_draw(layer: Layer, call: Call) -> bool:
    """Of a layer that no rule knows: is it one in training mode without parameters, whose output is its input times 0
    or one factor, as far as samples tell?"""
    if layer.parameters or not call.training:
        return False
    seen = sampled(call)
    return seen is not None and seen.levels


def drew(layer: Layer, call: Call) -> bool:
    """Of a layer that no rule knows: do its samples say that it dropped, as DropPath does?"""
    if not may_draw(layer, call):
        return False
    seen = sampled(call)
    if seen is None or (seen.kept.all() and seen.scale == 1):
        return False
    return says_that_it_draws(layer, seen.above, seen.kept, seen.scale)


def says_that_it_draws(layer: Layer, above: Array, kept: Array, scale: float | None) -> bool:
    """Of a layer that multiplies by 0 or one factor: its name speaks for it, or a factor that makes up for what a
    setting says is dropped; a mask that the sign of the input decides speaks against it."""
    if by_sign(above, kept):
        return False
    made_up = not kept.all() and scale is not None and divisor_of(layer.settings, scale, 1e-3) is not None
    return made_up or any(word in layer.kind.lower() for word in _DROPS)
