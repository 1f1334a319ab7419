"""The arrays of one side, however they are kept: in order, with names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from tracer.divergence.files.names import Named
from tracer.divergence.metrics import Array
from tracer.trace.schema import Parameter, Statistics, Value


class Arrays(Protocol):
    """Reads the arrays of a shelf, and what is known of each."""

    def array(self, value: Value | Parameter) -> Array:
        """The whole array."""

    def blocks(self, value: Value | Parameter, elements: int = ...) -> Iterator[Array]:
        """The array as flat C-order blocks."""

    def check(self, value: Value | Parameter) -> None:
        """Raise where it cannot be read as it says."""

    def row_blocks(self, parameter: Parameter) -> Array:
        """Sums of blocks of rows; only traces have them."""

    def statistics(self, value: Value) -> Statistics:
        """What is known of all its elements."""


@dataclass(frozen=True)
class Shelf:
    """Named arrays in an order.

    `names` and `values` are parallel. `ordered` that the order is that in which they were made, so far as anybody can
    say; `order` what it rests on, in words. `framework` is "files" where nobody knows it.
    """

    place: str
    framework: str
    framework_version: str
    net: str
    complete: bool
    arrays: Arrays
    names: tuple[Named, ...]
    values: tuple[Value, ...]
    ordered: bool
    order: str
    notes: tuple[str, ...] = ()
    whole: bool = True
    """Is an array that has no partner a finding? Not of a trace, which has all that anybody may have saved."""
    cotangent: bool = False
    """Are gradients those of fixed pseudo-random numbers sent back, and not of a loss?"""
