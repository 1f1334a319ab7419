"""Two graphs -> pairs and groups, each with its reason and confidence; what stands alone."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class CallId:
    """A call of a layer, or the layer itself when it never fired (`call` None is stored as -1)."""

    path: str
    call: int = -1


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
