"""What a reader is shown: verdict, origins with their causes, the road, coverage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tracer.divergence.alignment import Alignment
from tracer.divergence.metrics import Difference
from tracer.trace.schema import Plain

Verdict = Literal["agree", "diverged", "unsure"]
Phase = Literal["start", "forward", "backward"]


@dataclass(frozen=True)
class Spot:
    """One side of an origin or a step of the road. `source` is "file:line" of the line that made the layer, else of
    the calling line; `text` that line's code. `call` is None for a layer that never fired."""

    path: str
    call: int | None
    kind: str
    source: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Cause:
    """What may explain an origin. `name` is the torch word; the values are as each side had them. `edit` is what to
    write where ("vit.py:41  nn.GELU()  ->  nn.GELU(approximate=False)"); `sentence` says it for a reader."""

    kind: Literal["setting", "parameter", "mode", "dtype", "shape", "nan", "layout", "framework", "code"]
    name: str
    reference: Plain = None
    candidate: Plain = None
    proven: bool = False
    edit: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Origin:
    """The first pair that diverged while all that fed it matched. `faded` says that no output of the net shows it."""

    phase: Phase
    place: Literal["layer", "between", "input", "output"]
    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    fed_by: float | None
    causes: tuple[Cause, ...] = ()
    faded: bool = False
    sentence: str = ""


@dataclass(frozen=True)
class RoadStep:
    """One pair on the road through the first origin, in call order."""

    reference: Spot | None
    candidate: Spot | None
    difference: Difference | None
    state: Literal["agrees", "starts here", "carried on", "unknown"]


@dataclass(frozen=True)
class PairRow:
    """One row of the table of every pair (`--every`, `--csv`); `state` also "not judged"."""

    reference: Spot | None
    candidate: Spot | None
    op: str
    phase: Phase
    difference: Difference | None
    fed_by: float | None
    state: str
    reason: str
    confidence: float


@dataclass(frozen=True)
class Coverage:
    """How much of the two nets the verdict rests on. `phases` says "judged" or why not."""

    judged: int
    aligned: int
    alone: int
    unjudgeable: int
    phases: Mapping[str, str]


@dataclass(frozen=True)
class TraceSide:
    """One of the two traces, in words."""

    file: str
    framework: str
    framework_version: str
    net: str
    complete: bool
    keep: str


@dataclass(frozen=True)
class Diagnosis:
    """Everything a report shows. `notes` are findings that are no origin (settings that differ without effect,
    versions and flags that differ), one sentence each, most important first."""

    verdict: Verdict
    reason: str
    reference: TraceSide
    candidate: TraceSide
    origins: tuple[Origin, ...]
    road: tuple[RoadStep, ...]
    alignment: Alignment
    coverage: Coverage
    notes: tuple[str, ...] = ()
    rows: tuple[PairRow, ...] = ()

    @property
    def origin(self) -> Origin | None:
        """The first origin, None when nothing diverged or no place can be named."""
        return self.origins[0] if self.origins else None
