"""The whole check: weights moved, one mode, the same samples, both recorded, and the diff of each sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tracer.divergence.diagnosis import Diagnosis
from tracer.divergence.metrics import Progress
from tracer.errors import TracerError, add_note
from tracer.starting_point.checks.sides import Mode, Side, Terms, Weights
from tracer.starting_point.samples.sources import Samples
from tracer.starting_point.weights.loading import Transfer
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
    kept: bool = True
    """Are the traces kept?"""
    frameworks: tuple[str, str] = ("unknown", "unknown")

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
    keep: bool = True,
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
        keep: whether traces stay when they were judged.
        assumed: what the caller took for granted.
        progress: is told how far it is.

    Raises:
        TracerError: a side cannot be recorded, or a trace not be read.
        Exception: what a net in this process raised.
    """
    said = [*_terms_words(reference, candidate, terms), *assumed]
    diagnoses: list[Diagnosis] = []
    weights: Weights | None = None
    for number, sample in enumerate(samples):
        at = f"-{number}" if len(samples) > 1 else ""
        ours, theirs = folder / f"reference{at}.h5", folder / f"candidate{at}.h5"
        try:
            reference.record(sample, ours, terms, progress)
            recorded = candidate.record_like(ours, sample, theirs, terms, progress)
        except TracerError:
            raise
        except Exception as error:
            if len(samples) > 1:
                add_note(error, f"with sample {number} (the first is 0)")
            raise
        if weights is None:
            weights = recorded.weights
            said += _left_words(weights) if recorded.whole else ()
        if not recorded.whole:
            return Outcome(
                (reference.name, candidate.name),
                recorded.weights,
                (),
                tuple(said),
                "the weights cannot all be placed, so nothing was compared",
                kept=keep,
                frameworks=(_framework(reference, recorded.weights, 0), _framework(candidate, recorded.weights, 1)),
            )
        with Trace(ours) as first, Trace(theirs) as second:
            diagnoses.append(judge(first, second))
        if not keep:
            for trace in (ours, theirs):
                trace.unlink()
    return Outcome((reference.name, candidate.name), weights, tuple(diagnoses), tuple(said), kept=keep)


def _framework(side: Side, weights: Weights, at: int) -> str:
    """Of which framework a side is: its own word, else that of the weights' report of another process."""
    told = weights.get("frameworks", ()) if isinstance(weights, Mapping) else ()
    return side.framework or (str(told[at]) if len(told) == 2 else "unknown")


def _terms_words(reference: Side, candidate: Side, terms: Terms) -> list[str]:
    """Mode and seed, of those sides that do not choose their own."""
    if reference.brings_its_own and candidate.brings_its_own:
        return ["both scripts bring their own modes, seeds and weights"]
    seed = f"seed {terms.seed}"
    for side, word in ((reference, "reference"), (candidate, "candidate")):
        if side.brings_its_own:
            other = "candidate" if word == "reference" else "reference"
            mode = "in the reference's mode" if other == "candidate" else f"in {_mode_word(terms.mode)}"
            own = "its own mode and seed" if word == "reference" else "its own mode, seed and weights"
            return [f"the {word}'s script brings {own}", f"the {other} {mode}", f"{seed} for the {other}"]
    if terms.mode == "as is":
        return ["the reference in the mode it was in, the candidate likewise", seed]
    return [f"both nets in {_mode_word(terms.mode)}", seed]


def _mode_word(mode: Mode) -> str:
    return {"eval": "evaluation mode", "train": "training mode"}.get(mode, "the mode it was in")


def _left_words(weights: Weights) -> tuple[str, ...]:
    """Parameters that matter and found no partner, where the check went on without them."""
    if isinstance(weights, Transfer):
        left = [len(weights.weights.missing), len(weights.weights.surplus)]
    elif isinstance(weights, Mapping):
        alone = weights.get("alone") or {}
        left = [sum(bool(p.get("needed")) for p in alone.get(side, ())) for side in ("candidate", "reference")]
    else:
        left = [0, 0]
    words = (
        f"{_parameters(left[0])} of the candidate without partner kept their own numbers",
        f"{_parameters(left[1])} of the reference without partner went nowhere",
    )
    return tuple(said for said, count in zip(words, left, strict=True) if count)


def _parameters(count: int) -> str:
    return f"{count} parameter{'s' if count != 1 else ''}"
