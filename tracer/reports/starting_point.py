"""The whole check as text and JSON: the weights in front, then the verdict."""

from __future__ import annotations

import html as html_text
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer import __version__
from tracer.errors import TracerError
from tracer.reports import contract
from tracer.reports.report import EXIT_CODES, Report, write_whole
from tracer.reports.weights import WIDTH, MapReport, WeightsReport
from tracer.starting_point.checks.checking import Outcome, Verdict
from tracer.starting_point.weights.loading import Transfer, moved_of
from tracer.starting_point.weights.weight_map import WeightMap

if TYPE_CHECKING:
    from tracer.divergence.diagnosis import Origin


_EMPTY_PAGE = (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    '<meta name="color-scheme" content="light dark">\n'
    "<title>tracer compare: unsure</title></head>\n<body>\n</body></html>\n"
)
_NEXT = (
    "pin what belongs together (--pin A=B, pins=), give a map of your own (mapping=), or go on without what is alone "
    "(--partial, partial=True)"
)


def unmoved(weights: WeightMap, reference: str, candidate: str) -> WeightsReport:
    """The report on weights that were not moved, for not all have a place: what would have gone where."""
    moved = tuple(moved_of(placement, weights, equal=None) for placement in weights.placements)
    return WeightsReport(Transfer(reference, candidate, weights, moved, weights.notes))


def _labelled(label: str, text: str) -> Iterator[str]:
    """A sentence beside its label, of which further lines stand below its beginning."""
    lines = textwrap.wrap(text, WIDTH - 10, break_long_words=False, break_on_hyphens=False) or [""]
    yield from (f"{label if n == 0 else '':<10}{line}".rstrip() for n, line in enumerate(lines))


class CheckReport:
    """What `tracer.compare` gives back: the verdict of `tracer.diff`, the report on the weights in front of it.

    `reports` has the diff of each sample, `report` the one that decides; both are empty where the starting points
    differ, for then nothing was compared.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.reports = tuple(Report(diagnosis) for diagnosis in outcome.diagnoses)

    @property
    def report(self) -> Report | None:
        """The diff of the first sample that has the verdict of the whole."""
        decisive = self.outcome.decisive
        return self.reports[decisive] if decisive is not None else None

    @property
    def verdict(self) -> Verdict:
        """The verdict: "agree", "diverged" or "unsure"."""
        return self.outcome.verdict

    @property
    def reason(self) -> str:
        """The verdict in one sentence."""
        return self.report.reason if self.report is not None else self.outcome.stopped

    @property
    def origin(self) -> Origin | None:
        """The first place that diverged while all that fed it matched."""
        return self.report.origin if self.report is not None else None

    @property
    def origins(self) -> tuple[Origin, ...]:
        """All independent origins, the first first."""
        return self.report.origins if self.report is not None else ()

    @property
    def weights(self) -> WeightsReport | MapReport | None:
        """The report on the weights; None where another process moved them (see `to_dict()["weights"]`)."""
        told = self.outcome.weights
        if isinstance(told, Transfer):
            return WeightsReport(replace(told, reference=self.outcome.names[0], candidate=self.outcome.names[1]))
        return MapReport(told, *self.outcome.names) if isinstance(told, WeightMap) else None

    @property
    def assumed(self) -> tuple[str, ...]:
        """What the check took for granted, a sentence each."""
        return self.outcome.assumed

    @property
    def exit_code(self) -> int:
        """0 agree, 1 diverged, 2 could not tell."""
        return EXIT_CODES.get(self.verdict, 2)

    def to_dict(self) -> dict[str, Any]:
        """The JSON of the decisive diff (docs/reference/report.schema.json), with `weights`, `assumed`, and a row for
        each of the `samples`."""
        found = self.report.to_dict() if self.report is not None else self._stopped()
        weights = self.weights
        if not self.outcome.kept:
            for side in ("reference", "candidate"):
                found[side] = {**found[side], "file": ""}
        if isinstance(weights, MapReport):
            weights = unmoved(weights.weights, *self.outcome.names)
        found["weights"] = weights.to_dict() if weights is not None else self._told()
        found["assumed"] = list(self.assumed)
        found["samples"] = [{"sample": n, "verdict": r.verdict, "reason": r.reason} for n, r in enumerate(self.reports)]
        return found

    def _told(self) -> dict[str, Any] | None:
        """The weights' report of another process, with the names that the sides have here."""
        told = self.outcome.weights
        if not isinstance(told, Mapping) or not told:
            return None
        ours, theirs = self.outcome.names
        text = [f"weights   {ours} -> {theirs}", *list(told.get("text", ()))[1:]]
        return {**told, "reference": ours, "candidate": theirs, "text": text}

    def _stopped(self) -> dict[str, Any]:
        """The same keys where no diff was made."""
        sides = [
            {"file": "", "framework": framework, "framework_version": "", "net": name, "complete": False}
            for name, framework in zip(self.outcome.names, self.outcome.frameworks, strict=True)
        ]
        return {
            "format": contract.FORMAT,
            "version": contract.VERSION,
            "verdict": self.verdict,
            "reason": self.reason,
            "reference": sides[0],
            "candidate": sides[1],
            "origin": None,
            "origins": [],
            "alignment": {"pairs": [], "groups": [], "alone": {"reference": [], "candidate": []}},
            "coverage": contract.no_coverage(),
            "road": [],
            "notes": [],
            "beforehand": [],
            "tracer_version": __version__,
        }

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def to_html(self) -> str:
        """A page that needs nothing but itself: the decisive diff's, the rest in front of it."""
        front = f"<pre>{html_text.escape(chr(10).join(self.front()))}</pre>"
        page = self.report.to_html() if self.report is not None else _EMPTY_PAGE
        head, body, rest = page.replace("<title>tracer diff:", "<title>tracer compare:", 1).partition("<body>")
        return f"{head}{body}{front}{rest}"

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json or .html file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        path = Path(path)
        makers = {".json": self.to_json, ".html": self.to_html}
        make = makers.get(path.suffix.lower())
        if make is None:
            given = path.suffix or "a file without a suffix"
            raise TracerError(f"a check cannot be saved as {given}", where=str(path), then="use .json or .html")
        write_whole(path, make())
        return path

    def front(self, *, every: bool = False) -> Iterator[str]:
        """What stands in front of the diff: the weights, what was assumed, the samples."""
        weights, told = self.weights, self._told()
        if weights is not None:
            yield from weights.lines(every=every)
            yield ""
        elif told is not None:
            yield from told["text"]
            yield ""
        yield from _labelled("assumed", "; ".join(self.assumed))
        if len(self.reports) > 1:
            words = ", ".join(f"{n} {report.verdict}" for n, report in enumerate(self.reports))
            yield from _labelled("samples", f"{words}; sample {self.outcome.decisive} is shown")
        if self.report is None:
            yield ""
            yield from _labelled(self.verdict, self.reason)
            yield from _labelled("next", _NEXT)
        yield ""

    def __repr__(self) -> str:
        text = "\n".join(self.front())
        if self.report is None:
            return text.rstrip()
        from tracer.reports.terminal import report_text

        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return f"{text}\n{report_text(self.report.diagnosis, encoding=encoding, command='tracer compare')}"

    def _repr_html_(self) -> str:
        front = f"<pre>{html_text.escape(chr(10).join(self.front()))}</pre>"
        return front + (self.report._repr_html_() if self.report is not None else "")
