"""What `tracer.scan` gives back: the uses of torch in a source tree, to be read, filtered and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from tracer.errors import RuleError
from tracer.reports import contract, scan_contract, scan_words
from tracer.reports.report import saved
from tracer.source.reading import Unread
from tracer.source.rewriting.suggestion import STATUSES, Status
from tracer.source.scanned import Finding, Scan

Json = dict[str, Any]
Only = Literal["same", "renamed", "differs", "by_hand", "unknown", "silent"]

CHOICES: tuple[str, ...] = (*STATUSES, "silent")
"""What a scan can be asked to list: uses of a status, or those that would go wrong silently."""


class ScanReport(Sequence[Finding]):
    """Each use of torch in some source, its counterpart in MindSpore, and the call to write.

    It is a sequence of the uses that are listed, in order of file and place; `scan` holds all of it as values. `repr`
    is the report in 80 columns, and a notebook shows it as HTML.
    """

    def __init__(self, scan: Scan, only: Sequence[str] = ()) -> None:
        self.scan = scan
        self._only = frozenset(only)
        self._shown = tuple(finding for finding in scan.findings if self._listed(finding))

    def _listed(self, finding: Finding) -> bool:
        return not self._only or finding.status in self._only or (finding.silent and "silent" in self._only)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...

    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self._shown[index]

    def __len__(self) -> int:
        return len(self._shown)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._shown)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The uses that are listed."""
        return self._shown

    @property
    def silent(self) -> tuple[Finding, ...]:
        """Those that would run but compute something else if only the name were changed."""
        return tuple(finding for finding in self._shown if finding.silent)

    @property
    def by_status(self) -> dict[Status, tuple[Finding, ...]]:
        """The uses that are listed, by status, each status in its turn."""
        return {status: tuple(f for f in self._shown if f.status == status) for status in STATUSES}

    @property
    def counts(self) -> dict[Status, int]:
        """How many uses of all that were found have each status."""
        return dict(self.scan.counts)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read."""
        return tuple(file.path for file in self.scan.files)

    @property
    def unread(self) -> tuple[Unread, ...]:
        """What could not be read: `.path`, `.line`, `.why`, `.then`."""
        return self.scan.unread

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return scan_words.summary(self.scan)

    @property
    def exit_code(self) -> int:
        """0 each use has a counterpart, 1 some go wrong silently, are by hand or unknown, 2 something was not read."""
        return self.scan.exit_code

    def only(self, *chosen: Only) -> ScanReport:
        """The same scan with fewer uses listed; its summary and exit code stay those of all.

        Args:
            chosen: statuses ("same", "renamed", "differs", "by_hand", "unknown") and "silent"; a use that is one of
                them is listed.

        Raises:
            RuleError: another word.
        """
        return ScanReport(self.scan, chosen_of(chosen))

    def to_text(self, *, every: bool = False, width: int = 80) -> str:
        """The report.

        Args:
            every: a line for each use of every file: nothing is counted only.
            width: how many columns there are.
        """
        from tracer.reports.terminal_scan import scan_text

        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return scan_text(self.scan, self._shown, width=width, encoding=encoding, every=every)

    def to_html(self) -> str:
        """The report as a page that needs nothing else; every use is in it."""
        from tracer.reports import html_scan

        return html_scan.page(self.scan, self._shown)

    def to_dict(self) -> Json:
        """The JSON contract (docs/reference/scan.schema.json) as plain Python values."""
        return scan_contract.to_json(self.scan, self._shown)

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def to_csv(self) -> str:
        """A line for each use."""
        return scan_contract.to_csv(self._shown)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json, .csv, .html or .txt file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        makers = {
            ".json": self.to_json,
            ".csv": self.to_csv,
            ".html": self.to_html,
            ".txt": lambda: f"{self.to_text()}\n",
        }
        return saved(path, "a scan", makers)

    def annotate(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write a copy of each file into a new folder, with a comment above each statement that uses torch.

        Returns:
            The files that were written.

        Raises:
            SourceError: the folder lies in a scanned one, has one of the files already, or cannot be written to.
        """
        from tracer.reports.annotated import save_annotated

        return save_annotated(self.scan, folder, self._shown)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from tracer.reports import html_scan

        return html_scan.fragment(self.scan, self._shown)


def chosen_of(chosen: Sequence[object]) -> tuple[str, ...]:
    """What is to be listed. Raises RuleError for a word that says nothing of the kind."""
    for word in chosen:
        if word not in CHOICES:
            raise RuleError("no use has that status", where=repr(word)[:80], then=f"choose among {', '.join(CHOICES)}")
    return tuple(str(word) for word in chosen)
