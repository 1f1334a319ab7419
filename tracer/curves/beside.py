"""Two sides beside each other: what both measured, how each pair of curves stands, and the verdict on all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from tracer.curves.measures import KNOWN, in_order
from tracer.curves.parting import Parting, Verdict, parting
from tracer.curves.series import Curves, Series
from tracer.errors import CurveError, RuleError


@dataclass(frozen=True, slots=True)
class Beside:
    """Two sides held against each other.

    `partings` are the measures that both have, known ones first; `counting` those that the verdict rests on;
    `first` the one that parts first (None where none does); `alone` measures of one side only, with that side's name.
    """

    reference: Curves
    candidate: Curves
    verdict: Verdict
    partings: tuple[Parting, ...]
    counting: tuple[str, ...]
    first: Parting | None
    alone: Mapping[str, str]
    notes: tuple[str, ...]


def beside(reference: Curves, candidate: Curves, only: Sequence[str] = ()) -> Beside:
    """Hold all measures of both sides against each other.

    Args:
        reference: the side that is right.
        candidate: the other one.
        only: globs of measures; without any all are shown, and the known ones are what the verdict rests on.

    Raises:
        CurveError: no measure, or no step, is common to both.
        RuleError: a glob fits no measure.
    """
    ours, theirs, notes = _numbered_alike(reference, candidate)
    for glob in only:
        if not any(fnmatchcase(name, glob) for name in (*ours.series, *theirs.series)):
            then = f"the measures are {_some({*ours.series, *theirs.series})}"
            raise RuleError("no measure is called so", where=glob, then=then)
    common = in_order(name for name in ours.series if name in theirs.series and _wanted(name, only))
    alone = {
        name: word
        for word, side, other in (("reference", ours, theirs), ("candidate", theirs, ours))
        for name in in_order(side.series)
        if name not in other.series and _wanted(name, only)
    }
    if not common:
        raise _nothing_common(ours, theirs, only)
    partings = tuple(found for name in common if (found := parting(ours.series[name], theirs.series[name])) is not None)
    if not partings:
        raise _no_step_common(ours.series[common[0]], theirs.series[common[0]], ours, theirs)
    notes += [f"{name} has no step in common" for name in common if name not in {p.measure for p in partings}]
    counting = tuple(p.measure for p in partings if only or p.measure.partition(".")[0] in KNOWN)
    if not counting:
        notes.append("none of these measures is known: name those that count with only= (--only)")
    judged = [p for p in partings if p.measure in counting]
    apart = [p for p in judged if p.verdict == "diverged"] or [p for p in judged if p.step is not None]
    first = min(apart, key=lambda p: p.step if p.step is not None else 0, default=None)
    return Beside(ours, theirs, _verdict(judged), partings, counting, first, alone, tuple(notes))


def _verdict(judged: Sequence[Parting]) -> Verdict:
    words = {p.verdict for p in judged}
    return "diverged" if "diverged" in words else "agree" if words == {"agree"} else "unsure"


def _wanted(name: str, only: Sequence[str]) -> bool:
    return not only or any(fnmatchcase(name, glob) for glob in only)


# --------------------------------------------------------------------------------------------------------------------
# Steps
# --------------------------------------------------------------------------------------------------------------------


def _numbered_alike(reference: Curves, candidate: Curves) -> tuple[Curves, Curves, list[str]]:
    """Both with one way to count steps, and what was done for it."""
    if reference.counted != candidate.counted:
        counted, other = (reference, candidate) if reference.counted else (candidate, reference)
        steps = sorted({step for series in other.series.values() for step in series.steps})
        said = f"the points of {counted.source} stand in order beside the steps of {other.source}"
        longest = max(max(series.steps) for series in counted.series.values())
        steps += range(steps[-1] + 1, steps[-1] + 2 + max(longest - len(steps), 0))
        renamed = _renumbered(counted, dict(enumerate(steps)))
        pair = (renamed, candidate) if reference.counted else (reference, renamed)
        return *pair, [said]
    if reference.epoch_length != candidate.epoch_length:
        guessed = reference if reference.epoch_length is not None else candidate
        raise CurveError(
            "steps begin anew in each epoch, and how many an epoch has cannot be told from these lines alone",
            where=f"{guessed.source}: the last seen in an epoch is {guessed.epoch_length}",
            then="say it: --epoch-steps N (epoch_steps=N)",
        )
    ours, theirs = (_dense_from(side) for side in (reference, candidate))
    if {ours, theirs} == {0, 1}:
        late = "reference" if ours == 1 else "candidate"
        said = f"one side counts steps from 0, the other from 1: the {late}'s are told one less"
        moved = [_moved(side) if name == late else side
                 for name, side in (("reference", reference), ("candidate", candidate))]  # fmt: skip
        return moved[0], moved[1], [said]
    return reference, candidate, []


def _dense_from(side: Curves) -> int | None:
    """Where the steps of a side begin that leave no step out; None of others."""
    steps = sorted({step for series in side.series.values() for step in series.steps})
    return steps[0] if len(steps) > 1 and steps[-1] - steps[0] == len(steps) - 1 else None


def _moved(side: Curves) -> Curves:
    return _renumbered(side, {step: step - 1 for series in side.series.values() for step in series.steps})


def _renumbered(side: Curves, steps: Mapping[int, int]) -> Curves:
    series = {name: replace(one, steps=tuple(steps[step] for step in one.steps)) for name, one in side.series.items()}
    return replace(side, series=series, counted=False)


# --------------------------------------------------------------------------------------------------------------------
# Nothing in common
# --------------------------------------------------------------------------------------------------------------------


def _nothing_common(ours: Curves, theirs: Curves, only: Sequence[str]) -> CurveError:
    alone = [name for name in (*ours.series, *theirs.series) if _wanted(name, only)]
    if only and alone:
        side = "reference" if alone[0] in ours.series else "candidate"
        what = f"only the {side} has {alone[0]}"
    else:
        what = "no measure is common to both"
    then = "name what belongs together: --column loss=NAME, --column-candidate loss=NAME (columns=, columns_candidate=)"
    return CurveError(what, where=f"{_some(ours.series)} | {_some(theirs.series)}", then=then)


def _no_step_common(ours: Series, theirs: Series, left: Curves, right: Curves) -> CurveError:
    where = f"{left.source}: {_range(ours)} | {right.source}: {_range(theirs)}"
    then = "let both count alike: name the group or column that counts with (?P<step>...) or --column step=NAME"
    return CurveError("both sides have no step in common", where=where, then=then)


def _range(series: Series) -> str:
    steps = series.steps
    return f"steps {steps[0]} to {steps[-1]}, {len(steps)} of them" if len(steps) > 1 else f"step {steps[0]}"


def _some(names: object) -> str:
    listed = in_order(names)  # type: ignore[arg-type]
    return ", ".join(listed[:8]) + (f" and {len(listed) - 8} more" if len(listed) > 8 else "")
