"""What `tracer.curve` gives back: curves of two sides that can be read, plotted and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from tracer.curves.beside import Beside
from tracer.curves.parting import Parting, Verdict
from tracer.curves.series import Curves
from tracer.reports import contract, curve_words
from tracer.reports.report import saved

Json = dict[str, Any]

FORMAT = "tracer-curve"
VERSION = 1
EXIT_CODES = {"agree": 0, "diverged": 1, "unsure": 2}


class CurveReport:
    """Where the curves of two sides part beyond the noise of both.

    `both` holds it as values; `repr` is the report in 80 columns, and so is what a notebook shows.
    """

    def __init__(self, both: Beside) -> None:
        self.both = both

    @property
    def verdict(self) -> Verdict:
        """The verdict: "agree", "diverged" or "unsure"."""
        return self.both.verdict

    @property
    def diverged(self) -> bool:
        """Do they part beyond the noise of both?"""
        return self.verdict == "diverged"

    @property
    def step(self) -> int | None:
        """The first step where a curve parts; None where none does."""
        return None if self.both.first is None else self.both.first.step

    @property
    def measure(self) -> str | None:
        """The curve that parts first."""
        return None if self.both.first is None else self.both.first.measure

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return curve_words.summary(self.both)

    @property
    def partings(self) -> tuple[Parting, ...]:
        """How the curves of each common measure stand: `.state`, `.step`, `.steps`, `.reference`, `.candidate`."""
        return self.both.partings

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed or passed over, and what only one side has."""
        return tuple(curve_words.notes(self.both))

    @property
    def exit_code(self) -> int:
        """0 agree, 1 diverged, 2 could not tell: what the command line returns."""
        return EXIT_CODES[self.verdict]

    def __getitem__(self, measure: str) -> Parting:
        for found in self.partings:
            if found.measure == measure:
                return found
        raise KeyError(f"{measure}: the measures are {', '.join(p.measure for p in self.partings)}")

    def to_text(self, *, every: bool = False, width: int = 80) -> str:
        """The report: verdict, plot, and a line for each measure.

        Args:
            every: plot every measure, not only the one that tells most.
            width: how many columns there are.
        """
        from tracer.reports.terminal_curves import curves_text

        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return curves_text(self.both, width=width, encoding=encoding, every=every)

    def to_png(self) -> bytes:
        """Every measure with its difference below, as a picture.

        Raises:
            TracerError: matplotlib is not installed.
        """
        from tracer.reports.plots import png

        return png(self.both)

    def to_dict(self) -> Json:
        """The JSON contract (docs/reference/curve.schema.json) as plain Python values, all of them finite."""
        return to_json(self.both)

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json, .png or .txt file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, a file that cannot be written, or a picture without matplotlib.
        """
        makers: dict[str, Callable[[], str | bytes]] = {
            ".json": self.to_json,
            ".png": self.to_png,
            ".txt": lambda: f"{self.to_text()}\n",
        }
        return saved(path, "the curves", makers)

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


# --------------------------------------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------------------------------------


def to_json(both: Beside) -> Json:
    """Curves beside each other as plain values."""
    first = both.first
    document: Json = {
        "format": FORMAT,
        "version": VERSION,
        "verdict": both.verdict,
        "summary": curve_words.summary(both),
        "step": None if first is None else first.step,
        "measure": None if first is None else first.measure,
        "reference": _side(both.reference),
        "candidate": _side(both.candidate),
        "notes": curve_words.notes(both),
        "alone": dict(both.alone),
        "measures": [_parting(parting, both) for parting in both.partings],
    }
    finite: Json = contract.finite(document)
    return finite


def _side(side: Curves) -> Json:
    return {"source": side.source, "kind": side.kind, "measures": list(side.series)}


def _parting(parting: Parting, both: Beside) -> Json:
    reference, candidate = parting.not_finite
    return {
        "measure": parting.measure,
        "names": [both.reference.series[parting.measure].name, both.candidate.series[parting.measure].name],
        "counts": parting.measure in both.counting,
        "state": parting.state,
        "verdict": parting.verdict,
        "how": parting.how,
        "sentence": curve_words.sentence(parting),
        "step": parting.step,
        "about": parting.about,
        "relative": parting.relative,
        "begins": parting.begins,
        "largest": parting.largest,
        "largest_at": parting.largest_at,
        "growth": parting.growth,
        "not_finite": {"reference": reference, "candidate": candidate},
        "only_reference": list(parting.only_reference),
        "only_candidate": list(parting.only_candidate),
        "steps": list(parting.steps),
        "reference": list(parting.reference),
        "candidate": list(parting.candidate),
        "noise": list(parting.noise),
        "band": list(parting.band),
    }
