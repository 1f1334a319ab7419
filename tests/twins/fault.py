"""Faults: how a port is spoiled, and what a right verdict says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.twins.twin import ROOT, Inputs

__all__ = ["ROOT", "Edit", "Fault"]


@dataclass(frozen=True)
class Edit:
    """The line a user got wrong: `right` in the net's file is replaced by `slip`. `right` must stand there once,
    or `times` times (all are replaced)."""

    right: str
    slip: str
    times: int = 1


@dataclass(frozen=True)
class Fault:
    """A slip planted in one twin, and the right verdict.

    How it is planted: `edits` in the candidate's file, `reference_edits` in the reference's; `swapped` pairs of
    candidate layers get each other's weights, `unloaded` candidate parameters (paths that begin so) keep what the
    framework gave them, `rolled` ones are shifted by one row; `training` and `reference_training` the modes if not
    the twin's; `inputs` what the candidate is fed.

    What is right: the verdict, and of the first origin its phase, place, both paths (the candidate's is the
    reference's unless given, "*" does not ask) and calls, and a cause (kind, torch word). None does not ask. `also` are reference paths
    of further origins; `says` are words that stand in the report. `why` says in a line why this is the right answer.
    """

    name: str
    twin: str
    why: str
    edits: tuple[Edit, ...] = ()
    reference_edits: tuple[Edit, ...] = ()
    swapped: tuple[tuple[str, str], ...] = ()
    unloaded: tuple[str, ...] = ()
    rolled: tuple[str, ...] = ()
    training: bool | None = None
    reference_training: bool | None = None
    inputs: Callable[[Inputs], Inputs] | None = None
    verdict: str = "diverged"
    phase: str | None = "forward"
    place: str | None = "layer"
    reference: str | None = None
    candidate: str | None = None
    call: int | None = 0
    cause: tuple[str, str | None] | None = None
    also: tuple[str, ...] = ()
    says: tuple[str, ...] = ()
    raises: bool = False
    """The candidate cannot run to its end; its trace holds what ran."""
    alone: bool = False
    """Recorded in a process of its own, because it may leave the framework in disorder."""

    @property
    def candidate_path(self) -> str | None:
        """The candidate's path, which is the reference's unless the twin's names differ."""
        return self.candidate if self.candidate is not None else self.reference
