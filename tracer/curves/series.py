"""What every reader gives: the curves of one side, and how finely their numbers were written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tracer.errors import CurveError

NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[nN]a[nN]|(?:[iI]nf|INF|[iI]nfinity)\b)"
"""A number as logs write it, NaN and Inf included."""

FLOAT32_DIGITS = 7


@dataclass(frozen=True, slots=True)
class Precision:
    """How finely numbers were written: the most decimals and the most significant digits that were seen.

    A format of fixed decimals bounds the first, one of significant digits the second; so a number is known to the
    coarser of both. None where numbers were not written as text.
    """

    decimals: int | None = None
    digits: int | None = None

    def unit(self, value: float) -> float:
        """The last place of a number of this size; 0 where it is known exactly."""
        found = 0.0
        if self.decimals is not None:
            found = 10.0**-self.decimals
        if self.digits is not None and value and math.isfinite(value):
            found = max(found, 10.0 ** (math.floor(math.log10(abs(value))) + 1 - self.digits))
        return found


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: steps rise and stand once each. `name` is what the source calls it, `measure` what it is."""

    measure: str
    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    precision: Precision = Precision()

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class Curves:
    """All curves of one side by measure. `notes` say what was passed over or assumed.

    `epoch_length` is how many steps an epoch was taken to have, where steps restarted in each and the source did not
    say; `counted` that the source has no steps, so that points were counted.
    """

    source: str
    kind: str
    series: Mapping[str, Series]
    notes: tuple[str, ...] = ()
    epoch_length: int | None = None
    counted: bool = False


@dataclass(slots=True)
class Points:
    """The points of one name as they are read, in the source's order."""

    name: str
    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    decimals: int = 0
    digits: int = 0

    def add(self, step: int, text: str) -> None:
        """One point from its text; raises ValueError where that is no number."""
        value = float(text)
        self.steps.append(step)
        self.values.append(value)
        if math.isfinite(value):
            decimals, digits = _written(text)
            self.decimals, self.digits = max(self.decimals, decimals), max(self.digits, digits)

    def series(self, measure: str, steps: Iterable[int] | None = None, *, exact: bool = False) -> tuple[Series, int]:
        """The curve, and how many points gave way to later ones of the same step."""
        latest = dict(zip(self.steps if steps is None else steps, self.values, strict=True))
        ordered = sorted(latest)
        precision = Precision() if exact else Precision(self.decimals, self.digits or 1)
        found = Series(measure, self.name, tuple(ordered), tuple(latest[step] for step in ordered), precision)
        return found, len(self.values) - len(ordered)


_PARTS = re.compile(r"[-+]?(\d*)\.?(\d*)(?:[eE]([-+]?\d+))?$")


def _written(text: str) -> tuple[int, int]:
    """Decimals and significant digits of a number's text."""
    found = _PARTS.match(text.strip())
    if found is None:
        return 0, 1
    whole, decimals, exponent = found.groups()
    return max(len(decimals) - int(exponent or 0), 0), len((whole + decimals).lstrip("0")) or 1


def no_curves(path: Path, what: str, then: str) -> CurveError:
    """A file without a curve."""
    return CurveError(what, where=str(path), then=then)
