"""What alignment gives: pairs and groups, each with its reason and confidence, and what stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from tracer.divergence.graph import CallId


@dataclass(frozen=True)
class Pair:
    """Two calls that mean the same. `confidence` in 0..1; `reason` in words a user can check."""

    reference: CallId
    candidate: CallId
    reason: str
    confidence: float


@dataclass(frozen=True)
class Group:
    """n calls that together mean m calls."""

    reference: tuple[CallId, ...]
    candidate: tuple[CallId, ...]
    reason: str
    confidence: float


@dataclass(frozen=True)
class Untold:
    """Calls that only their order tells from one another; those paired among them are paired by that order."""

    reference: tuple[CallId, ...]
    candidate: tuple[CallId, ...]


@dataclass(frozen=True)
class Alone:
    """A call without a partner."""

    id: CallId
    kind: str


@dataclass(frozen=True)
class Alignment:
    """What belongs to what. Pairs are in the reference's call order."""

    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...] = ()
    alone_reference: tuple[Alone, ...] = ()
    alone_candidate: tuple[Alone, ...] = ()
    untold: tuple[Untold, ...] = ()
    unit: str = "layer"
    """What is paired, in a word: layers of nets, or files, of which each has one call."""

    @cached_property
    def candidate_of(self) -> Mapping[CallId, CallId]:
        """The partner of each reference call."""
        return {pair.reference: pair.candidate for pair in self.pairs}

    @cached_property
    def reference_of(self) -> Mapping[CallId, CallId]:
        """The partner of each candidate call."""
        return {pair.candidate: pair.reference for pair in self.pairs}
