"""What `tracer.profile` gives back: where the time goes, to be read, printed and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tracer.profiling.beside import Kind, Profile
from tracer.profiling.measured import Spread
from tracer.profiling.rows import Row
from tracer.reports import contract, profile_contract, profile_words
from tracer.reports.report import saved, write_whole

Json = dict[str, Any]


class ProfileReport:
    """Where the time of a step goes, in one net or in two beside each other.

    `profile` holds it as values; `repr` is the report in 80 columns, a notebook shows it with a flame view.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile

    @property
    def summary(self) -> str:
        """The answer in one line."""
        return profile_words.summary(self.profile)

    @property
    def ratio(self) -> float | None:
        """The candidate's step by the reference's; None for one net."""
        return self.profile.ratio

    @property
    def steps(self) -> tuple[Spread | None, Spread | None]:
        """A step of each side in nanoseconds: `.median`, `.low`, `.high`, `.repeats`."""
        return self.profile.steps

    @property
    def first(self) -> Row | None:
        """Where the candidate loses most time, more than noise; None where nowhere. Of one net what takes most."""
        return self.profile.first

    @property
    def rows(self) -> tuple[Row, ...]:
        """Layers and the code between them: `.reference`, `.candidate`, `.lost`, `.ratio`, `.state`."""
        return self.profile.rows

    @property
    def blocks(self) -> tuple[Row, ...]:
        """Blocks with all inside them, in the order in which they run."""
        return self.profile.blocks

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All layers of one op together."""
        return self.profile.kinds

    @property
    def alone(self) -> tuple[Row, ...]:
        """Layers that one side has and the other has not."""
        return self.profile.alone

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known to read it: other conditions, what could not be separated."""
        return (*profile_words.beforehand(self.profile), *profile_words.notes(self.profile))

    def __getitem__(self, path: str) -> Row:
        for row in (*self.blocks, *self.rows):
            if row.sort != "code" and any(path in one.paths for one in (row.reference, row.candidate) if one):
                return row
        raise KeyError(f"{path}: no layer of this path was timed")

    def to_text(self, *, top: int = 20, by: Sequence[str] = ("layer", "block"), width: int = 80) -> str:
        """The report.

        Args:
            top: how many lines a table has.
            by: the tables: "layer", "block", "kind".
            width: how many columns there are.
        """
        from tracer.reports.terminal_profile import profile_text

        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return profile_text(self.profile, width=width, encoding=encoding, top=top, by=by)

    def to_dict(self) -> Json:
        """The JSON contract (docs/reference/profile.schema.json) as plain Python values, all of them finite."""
        return profile_contract.to_json(self.profile)

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def to_csv(self) -> str:
        """A line for every layer, piece of code between layers, and block."""
        return profile_contract.to_csv(self.profile)

    def to_html(self) -> str:
        """A page with a flame view of both nets that needs nothing but itself."""
        from tracer.reports import html_profile

        return html_profile.page(self.profile)

    def to_perfetto(self) -> str:
        """Chrome's trace JSON, which ui.perfetto.dev opens: both nets on one time line."""
        from tracer.reports import perfetto

        return perfetto.to_perfetto(self.profile)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json, .csv, .html or .txt file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        makers: dict[str, Callable[[], str | bytes]] = {
            ".json": self.to_json,
            ".csv": self.to_csv,
            ".html": self.to_html,
            ".txt": lambda: f"{self.to_text()}\n",
        }
        return saved(path, "a profile", makers)

    def save_perfetto(self, path: str | os.PathLike[str]) -> Path:
        """Write the time line for ui.perfetto.dev, whole or not at all, and return its path.

        Raises:
            TracerError: a file that cannot be written.
        """
        write_whole(Path(path), self.to_perfetto())
        return Path(path)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from tracer.reports import html_profile

        return html_profile.fragment(self.profile)
