"""The whole check: weights moved, one mode, the same samples, both recorded, and the diff of each sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tracer.divergence.diagnosis import Diagnosis
from tracer.divergence.metrics import Progress
from tracer.starting_point.samples import Samples
from tracer.starting_point.sides import Mode, Side, Terms, Weights
from tracer.trace.reader import Trace

Verdict = Literal["agree", "diverged", "unsure"]
Judge = Callable[[Trace, Trace], Diagnosis]


@dataclass(frozen=True)
class Outcome:
    """What came of a check. `diagnoses` has one for each sample; none where the starting points differ, for then
    nothing was compared. `assumed` are sentences on what the check took for granted."""

    names: tuple[str, str]
    weights: Weights | None
    diagnoses: tuple[Diagnosis, ...]
    assumed: tuple[str, ...]
    stopped: str = ""

    @property
    def verdict(self) -> Verdict:
        """Diverged where one sample did, else unsure where one is, else agreement."""
        found = {diagnosis.verdict for diagnosis in self.diagnoses}
        return "diverged" if "diverged" in found else "agree" if found == {"agree"} else "unsure"

    @property
    def decisive(self) -> int | None:
        """The number of the first sample with that verdict."""
        return next((n for n, diagnosis in enumerate(self.diagnoses) if diagnosis.verdict == self.verdict), None)


def check(
    reference: Side,
    candidate: Side,
    samples: Sequence[Samples | None],
    terms: Terms,
    folder: Path,
    judge: Judge,
    *,
    assumed: Sequence[str] = (),
    progress: Progress | None = None,
) -> Outcome:
    """Record both sides for each sample and judge.

    Args:
        reference: the net that is right.
        candidate: its port.
        samples: what both are given, one after the other; None where a side has samples of its own.
        terms: on what terms they run.
        folder: where the traces go: reference.h5 and candidate.h5, of several samples reference-0.h5 and so on.
        judge: the diff of two traces.
        assumed: what the caller took for granted.
        progress: is told how far it is.

    Raises:
        TracerError: a side cannot be recorded, or a trace not be read.
        Exception: what a net in this process raised.
    """
    said = [_mode_words(terms.mode), f"seed {terms.seed}", *assumed]
    diagnoses: list[Diagnosis] = []
    weights: Weights | None = None
    for number, sample in enumerate(samples):
        at = f"-{number}" if len(samples) > 1 else ""
        ours, theirs = folder / f"reference{at}.h5", folder / f"candidate{at}.h5"
        reference.record(sample, ours, terms, progress)
        recorded = candidate.record_like(ours, sample, theirs, terms, progress)
        weights = weights or recorded.weights
        if not recorded.whole:
            stopped = "the weights cannot all be placed, so nothing was compared"
            return Outcome((reference.name, candidate.name), recorded.weights, (), tuple(said), stopped)
        with Trace(ours) as first, Trace(theirs) as second:
            diagnoses.append(judge(first, second))
    return Outcome((reference.name, candidate.name), weights, tuple(diagnoses), tuple(said))


def _mode_words(mode: Mode) -> str:
    words = {"eval": "both nets in evaluation mode", "train": "both nets in training mode"}
    return words.get(mode, "the reference in the mode it was in, the candidate likewise")
