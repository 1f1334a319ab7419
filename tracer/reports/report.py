"""What `tracer.diff` gives back: a diagnosis that can be read, printed and kept."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.errors import TracerError

if TYPE_CHECKING:
    from tracer.divergence.alignment import Alignment
    from tracer.divergence.diagnosis import Coverage, Diagnosis, Origin, Verdict

EXIT_CODES = {"agree": 0, "diverged": 1, "unsure": 2}


class Report:
    """The verdict on two traces, why, and how much of the nets it rests on.

    `repr` is the report as text of at most 80 columns; a notebook shows it as HTML.
    """

    def __init__(self, diagnosis: Diagnosis) -> None:
        self.diagnosis = diagnosis

    @property
    def verdict(self) -> Verdict:
        """The verdict: "agree", "diverged" or "unsure"."""
        return self.diagnosis.verdict

    @property
    def reason(self) -> str:
        """The verdict in one sentence."""
        return self.diagnosis.reason

    @property
    def origin(self) -> Origin | None:
        """The first place that diverged while all that fed it matched; None where there is none to name."""
        return self.diagnosis.origin

    @property
    def origins(self) -> tuple[Origin, ...]:
        """All independent origins, the first first."""
        return self.diagnosis.origins

    @property
    def alignment(self) -> Alignment:
        """Which call of the one net belongs to which of the other."""
        return self.diagnosis.alignment

    @property
    def coverage(self) -> Coverage:
        """How many pairs were judged, and which phases."""
        return self.diagnosis.coverage

    @property
    def exit_code(self) -> int:
        """0 agree, 1 diverged, 2 could not tell: what the command line returns."""
        return EXIT_CODES.get(self.verdict, 2)

    def to_dict(self) -> dict[str, Any]:
        """The JSON contract (docs/reference/report.schema.json) as plain Python values, all of them finite."""
        from tracer.reports import contract

        return contract.to_json(self.diagnosis)

    def to_json(self) -> str:
        """The same as text."""
        from tracer.reports import contract

        return contract.to_text(self.to_dict())

    def to_csv(self) -> str:
        """A line for every pair; all of them are judged after `diff(..., every=True)`. Of training also one for every
        phase of every step."""
        from tracer.reports import table

        return table.to_csv(self.diagnosis)

    def to_html(self) -> str:
        """A page that needs nothing but itself."""
        from tracer.reports import html

        return html.page(self.diagnosis)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json, .csv or .html file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        return saved(path, "a report", {".json": self.to_json, ".csv": self.to_csv, ".html": self.to_html})

    def __repr__(self) -> str:
        from tracer.reports.terminal import report_text

        return report_text(self.diagnosis, encoding=getattr(sys.stdout, "encoding", None) or "utf-8")

    def _repr_html_(self) -> str:
        from tracer.reports import html

        return html.fragment(self.diagnosis)


def saved(path: str | os.PathLike[str], what: str, makers: Mapping[str, Callable[[], str | bytes]]) -> Path:
    """Write what the maker of the path's suffix gives, whole or not at all; the path.

    Raises:
        TracerError: another suffix, or a file that cannot be written.
    """
    path = Path(path)
    make = makers.get(path.suffix.lower())
    if make is None:
        raise TracerError(
            f"{what} cannot be saved as {path.suffix or 'a file without a suffix'}",
            where=str(path),
            then=f"use one of {', '.join(makers)}",
        )
    write_whole(path, make())
    return path


def write_whole(path: Path, text: str | bytes) -> None:
    """Put a text, or a picture, into a file so that a reader sees the old one or the new one, never half of it.

    What is no ordinary file (a pipe, /dev/stdout) is written to directly.

    Raises:
        TracerError: it cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    device = path.parts[:2] in {("/", "dev"), ("/", "proc")} or (path.exists() and not path.is_file())
    target = Path(os.path.realpath(path))  # a link stays a link
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        if device:
            with path.open("wb") as stream:
                stream.write(data)
            return
        partial.write_bytes(data)
        partial.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise TracerError(
            f"the report cannot be written ({error.strerror or error})",
            where=str(path),
            then="name a file in a folder that exists and can be written to",
        ) from error
