"""What a scan comes to, as values: each use with its suggestion, the files, and what could not be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from tracer.source.facts.proofs import State
from tracer.source.reading import SourceFile, Unread
from tracer.source.rewriting.suggestion import STATUSES, Status, Suggestion
from tracer.source.uses import Sort, Use


@dataclass(frozen=True)
class Finding:
    """One use of torch and what a port is told about it; all that either knows can be asked of it."""

    use: Use
    suggestion: Suggestion
    proof: State | None = None
    """What has been proven of suggestions for its name, by running both; None where nothing is known of the name."""

    @property
    def file(self) -> str:
        """The file, as it was asked for."""
        return self.use.file

    @property
    def line(self) -> int:
        """From 1; of a notebook, within its cell."""
        return self.use.line

    @property
    def column(self) -> int:
        """From 0."""
        return self.use.column

    @property
    def cell(self) -> int | None:
        """The notebook's cell, from 1."""
        return self.use.cell

    @property
    def within(self) -> str:
        """The class or function it stands in."""
        return self.use.within

    @property
    def torch(self) -> str:
        """The full name in torch."""
        return self.use.torch

    @property
    def sort(self) -> Sort:
        """What kind of place it is."""
        return self.use.sort

    @property
    def text(self) -> str:
        """The expression as it stands there."""
        return self.use.text

    @property
    def sure(self) -> bool:
        """False where it may be something else than torch's."""
        return self.use.sure

    @property
    def mindspore(self) -> str | None:
        """The classic counterpart."""
        return self.suggestion.mindspore

    @property
    def mint(self) -> str | None:
        """The counterpart in `mindspore.mint`."""
        return self.suggestion.mint

    @property
    def status(self) -> Status:
        """How much of it is otherwise there."""
        return self.suggestion.status

    @property
    def silent(self) -> bool:
        """Would it run but compute something else if only the name were changed?"""
        return self.suggestion.silent

    @property
    def differences(self) -> tuple[str, ...]:
        """What is otherwise there, a sentence each."""
        return self.suggestion.differences

    @property
    def write(self) -> str | None:
        """The expression to write; None by hand and unknown."""
        return self.suggestion.write

    @property
    def advice(self) -> str:
        """What to do by hand, or to look at."""
        return self.suggestion.advice

    @property
    def place(self) -> str:
        """File and line as one names them: "vit.py:41", "vit.ipynb cell 3:2"."""
        return f"{self.file}{'' if self.cell is None else f' cell {self.cell}'}:{self.line}"


@dataclass(frozen=True)
class Scan:
    """All that was found.

    Attributes:
        findings: the uses in order of file and place.
        files: the files that were read, those without a use too.
        unread: what could not be read.
        mint: is `write` a call of `mindspore.mint` where there is one?
    """

    findings: tuple[Finding, ...]
    files: tuple[SourceFile, ...] = field(repr=False)
    unread: tuple[Unread, ...] = ()
    mint: bool = False

    @cached_property
    def counts(self) -> dict[Status, int]:
        """How many uses have each status, in the order of `STATUSES`."""
        found = Counter(finding.status for finding in self.findings)
        return {status: found[status] for status in STATUSES}

    @cached_property
    def silent(self) -> tuple[Finding, ...]:
        """The uses that would run but compute something else if only the name were changed."""
        return tuple(finding for finding in self.findings if finding.silent)

    @property
    def exit_code(self) -> int:
        """0 where each use has a counterpart that is told from it, 1 where some go wrong silently, are by hand or
        unknown, 2 where something could not be read."""
        if self.unread:
            return 2
        return int(bool(self.silent or self.counts["by_hand"] or self.counts["unknown"]))
