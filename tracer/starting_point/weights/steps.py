"""What is done to an array on its way from one net to the other: turned, reshaped, rows of it taken.

A step reads as it is written in a map: "T", "reshape 64x3x1x7", "rows 0:64", "rows 0:64,128:192".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tracer.errors import RuleError

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Turn:
    """A matrix transposed."""

    def __str__(self) -> str:
        return "T"

    def shape(self, before: Shape) -> Shape:
        """(rows, columns) -> (columns, rows)."""
        if len(before) != 2:
            raise ValueError(f"T is for matrices, not for shape {before}")
        return before[::-1]

    def apply(self, array: Array) -> Array:
        """A view."""
        return array.T


@dataclass(frozen=True)
class Reshape:
    """The same numbers in C order under another shape."""

    to: Shape

    def __str__(self) -> str:
        return f"reshape {'x'.join(map(str, self.to)) or '()'}"

    def shape(self, before: Shape) -> Shape:
        """The new shape."""
        if prod(before) != prod(self.to):
            raise ValueError(f"{self} does not fit {before}")
        return self.to

    def apply(self, array: Array) -> Array:
        """A view where the array lies in C order."""
        return array.reshape(self.to)


@dataclass(frozen=True)
class Rows:
    """Some rows of axis 0, in the order given; each range is (first, one past the last)."""

    ranges: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        return "rows " + ",".join(f"{start}:{stop}" for start, stop in self.ranges)

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(stop - start for start, stop in self.ranges)

    def shape(self, before: Shape) -> Shape:
        """As many rows as the ranges hold."""
        if not before or any(not 0 <= start < stop <= before[0] for start, stop in self.ranges):
            raise ValueError(f"{self} does not fit {before}")
        return (self.count, *before[1:])

    def apply(self, array: Array) -> Array:
        """A view where it is one range."""
        if len(self.ranges) == 1:
            return array[slice(*self.ranges[0])]
        return np.concatenate([array[start:stop] for start, stop in self.ranges])


Step = Turn | Reshape | Rows


def shape_after(steps: Sequence[Step], shape: Shape) -> Shape:
    """The shape at the end.

    Raises:
        ValueError: a step does not fit.
    """
    for step in steps:
        shape = step.shape(shape)
    return shape


def apply_steps(steps: Sequence[Step], array: Array) -> Array:
    """All steps one after the other."""
    for step in steps:
        array = step.apply(array)
    return array


def read_step(text: str, where: str = "") -> Step:
    """A step as it is written in a map, at a place that messages name.

    Raises:
        RuleError: the text is no step.
    """
    text = text.strip()
    if text == "T":
        return Turn()
    if text == "reshape ()":
        return Reshape(())
    shape = re.fullmatch(r"reshape (\d{1,18}(?:x\d{1,18})*)", text)
    if shape:
        return Reshape(tuple(map(int, shape[1].split("x"))))
    rows = re.fullmatch(r"rows (\d{1,18}:\d{1,18}(?:,\d{1,18}:\d{1,18})*)", text)
    if rows:
        pairs = (part.split(":") for part in rows[1].split(","))
        return Rows(tuple((int(start), int(stop)) for start, stop in pairs))
    raise RuleError(
        "a map holds a step that is none",
        where=f"{where}: {text[:80]}" if where else text[:80],
        then="write T, reshape 64x3x1x7 or rows 0:64",
    )


def without_ones(shape: Shape) -> Shape:
    """The sizes that say something: axes of size 1 are a matter of taste."""
    return tuple(size for size in shape if size != 1)
