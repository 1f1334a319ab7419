"""What two aligned trees are: rows of layers with what differs in them, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tracer.trace.schema import Plain

State = Literal["same", "differs", "missing", "extra", "apart", "merged", "not compared", "frame"]
"""What is said of a row. Of two layers: "same", "differs", or "not compared" where nobody can tell. Of a layer on one
side only: "missing" in the candidate, "extra" there, "apart" where it computes nothing, "merged" where it is one with
others there, "not compared" where the other side could not show it, "frame" around layers that are paired."""

Verdict = Literal["same", "differ", "unsure"]


@dataclass(frozen=True)
class Difference:
    """One real difference of two layers. `kind` is "op", "missing bias", "extra bias", "setting", "size",
    "missing parameter", "extra parameter" or "moved"; `edit` the call to write in the candidate, where there is one."""

    kind: str
    name: str
    reference: Plain
    candidate: Plain
    sentence: str
    edit: str = ""


@dataclass(frozen=True)
class Part:
    """A layer of one side: `label` is its path below the layer around it, `settings` are in torch's words,
    `parameters` by own name with the shapes that the framework has."""

    path: str
    label: str
    kind: str
    op: str = ""
    settings: Mapping[str, Plain] = field(default_factory=dict)
    parameters: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    source: str | None = None


@dataclass(frozen=True)
class Row:
    """One line of the two trees. `layer` tells a layer that is counted from a container without parameters; `reason`
    and `confidence` are those of the alignment; `note` says why it was not compared, or what it is merged with."""

    reference: Part | None
    candidate: Part | None
    state: State
    layer: bool
    differences: tuple[Difference, ...] = ()
    note: str = ""
    reason: str = ""
    confidence: float = 1.0
    children: tuple[Row, ...] = ()

    def walk(self) -> Iterator[Row]:
        """The row and all below it, in the order in which they stand."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def paired(self) -> bool:
        """Is it a layer of both sides?"""
        return self.reference is not None and self.candidate is not None

    @property
    def marked(self) -> bool:
        """Is it a real difference?"""
        return bool(self.differences) or (self.layer and self.state in {"missing", "extra"})

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of what kinds its differences are, each once."""
        if self.layer and self.state in {"missing", "extra"}:
            return (f"{self.state} layer",)
        return tuple(dict.fromkeys(difference.kind for difference in self.differences))


@dataclass(frozen=True)
class Whole:
    """One side: its name, what it is, and how much there is of it. `numbers` counts the elements of parameters, tied
    ones once, moving statistics left out."""

    name: str
    framework: str
    net: str
    layers: int
    parameters: int
    numbers: int


@dataclass(frozen=True)
class Trees:
    """Two nets held against each other. `layers` is how many there are, those on one side only included; `kinds` how
    many layers differ in which way; `apart` those on one side only that compute nothing."""

    reference: Whole
    candidate: Whole
    root: Row
    layers: int
    differing: int
    kinds: Mapping[str, int]
    apart: int
    not_compared: int
    aligned: int
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Whether they are the same; "unsure" where nothing could be aligned."""
        if not self.aligned:
            return "unsure"
        return "differ" if self.differing else "same"
