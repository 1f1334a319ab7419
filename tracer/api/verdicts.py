"""The verbs that hold one side against the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import Pins, file_of, given_words, globs_of, pairs_of, refuse_times, rules_of, told_progress
from tracer.api.folders import diff_folders, holds_arrays
from tracer.api.sides import folder_of, samples_of, sides_of, weights_by_map
from tracer.divergence.metrics import Progress, Tolerance
from tracer.errors import RuleError
from tracer.starting_point.checks.sides import Mode
from tracer.starting_point.weights.weight_map import key_of
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.diagnosis import Diagnosis
    from tracer.divergence.rules import UserRule
    from tracer.reports.report import Report
    from tracer.reports.starting_point import CheckReport


def diff(
    reference: str | os.PathLike[str] | Trace,
    candidate: str | os.PathLike[str] | Trace,
    *,
    tolerance: Tolerance | None = None,
    pins: Mapping[str, str] | str | Sequence[str | tuple[str, str]] = (),
    only: str | Sequence[str] = (),
    every: bool = False,
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    progress: Progress | None = None,
) -> Report:
    """Find the first layer where the candidate goes another way than the reference, and why.

    Either side may also be a folder of .npy and .npz files, or one .npz: then files are paired, by name, number, shape
    and order, each pair is judged, and the first in order that differs is named.

    Args:
        reference: the trace of the net that is right: a file, or a `Trace`, which stays open; or a folder of arrays.
        candidate: the trace of its port, or a folder.
        tolerance: what counts as equal; without it what rounding explains, by op and dtype.
        pins: pairs of layers that belong together, the reference's first: a mapping, pairs, or texts "A=B"; a side is
            "path", or "path#1" for one call; of folders the files' names, with or without their ending.
        only: globs of paths; other layers are not judged. Of folders globs of the files' names.
        every: judge every pair and keep a row for each, instead of as few as the verdict needs. Files always are.
        rules: your own layers in common words, or the TOML file that has them; not for folders.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        TraceFileError: a file is no trace, or cannot be read.
        RuleError: a tolerance, pin, filter or rule that does not hold, or rules for folders.
    """
    from tracer.divergence.training.verdict import diagnose_traces
    from tracer.reports.report import Report

    if any(holds_arrays(side) for side in (reference, candidate)):
        if rules:
            then = "leave it out; --pin pairs two files"
            raise RuleError("rules say what layers mean, and files have no layers", where=given_words(rules), then=then)
        return diff_folders(reference, candidate, _tolerance(tolerance), pairs_of(pins), globs_of(only), progress)
    for side in (reference, candidate):
        if isinstance(side, str) and ":" in side and not Path(side).exists():
            then = f"tracer compare {reference} {candidate} --input SHAPE:DTYPE runs two nets and compares them"
            raise RuleError("there is no such trace; it reads like the name of a net", where=side, then=then)
    tolerance, pairs = _tolerance(tolerance), pairs_of(pins)
    own_rules = rules_of(rules)
    globs = globs_of(only)
    with ExitStack() as opened:
        ours, theirs = (
            trace if isinstance(trace, Trace) else opened.enter_context(Trace(file_of(trace, name)))
            for trace, name in ((reference, "reference"), (candidate, "candidate"))
        )
        refuse_times(ours, "reference")
        refuse_times(theirs, "candidate")
        diagnosis = diagnose_traces(
            ours,
            theirs,
            tolerance=tolerance,
            pins=pairs,
            only=globs,
            every=every,
            rules=own_rules,
            progress=progress,
        )
    return Report(diagnosis)


def compare(
    reference: Any,
    candidate: Any,
    inputs: Any = None,
    *,
    mode: Mode = "eval",
    seed: int = 0,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    mapping: Any = None,
    backward: bool = True,
    partial: bool = False,
    cast: bool = False,
    keep_weights: bool = False,
    processes: bool = False,
    out: str | os.PathLike[str] | None = None,
    tolerance: Tolerance | None = None,
    only: str | Sequence[str] = (),
    every: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Check a port in one call: move the weights, give both nets one mode and the same samples, record both, diff.

    The candidate is run once beforehand, so that the calls of both nets can say which weight belongs where. Where not
    all weights that matter can be placed nothing is compared, and the verdict is "unsure". The nets are left as they
    were.

    Args:
        reference: the net that is right; with `processes=True` where it is made: "module:factory", "file.py:factory",
            or a script that records to $TRACER_OUT.
        candidate: its port, likewise.
        inputs: what both are given, as `tracer.record` takes it, or what `tracer.inputs(...)` drew; a list of such, for
            several samples; the path of an .npz, .npy, a folder of .npy, or a trace. Scripts may have their own.
        mode: "eval", "train", or "as is": the mode the reference is in.
        seed: what random generators start from.
        pins: pairs that belong together, of layers by path or of parameters by name, the reference's first.
        rules: your own layers in common words, or the TOML file that has them.
        mapping: a map of the weights, instead of the alignment; not with `processes=True`.
        backward: record and compare gradients too.
        partial: go on where weights cannot all be placed, and say so.
        cast: allow dtypes that lose digits.
        keep_weights: leave the candidate with the weights that it was given.
        processes: record each net in a process of its own: the way where both frameworks cannot live together.
        out: a folder for the traces; without it they are not kept.
        tolerance: what counts as equal; see `diff`.
        only: globs of paths; other layers are not judged.
        every: judge every pair.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        TracerError: an option does not hold, or a net cannot be recorded.
        Exception: what a net in this process raised.
    """
    from tracer.divergence.training.verdict import diagnose_traces
    from tracer.reports.starting_point import CheckReport
    from tracer.starting_point.checks.checking import check
    from tracer.starting_point.checks.likewise import Wishes
    from tracer.starting_point.checks.sides import Terms

    tolerance, layer_rules, globs = _tolerance(tolerance), rules_of(rules), globs_of(only)
    all_pins = pairs_of(pins)
    samples, assumed = samples_of(inputs)
    sides = sides_of(reference, candidate, processes=processes, needs_samples=samples == [None])
    if mode not in {"eval", "train", "as is"}:
        raise RuleError("the mode is not known", where=f"mode={mode!r}", then='give mode="eval", "train" or "as is"')
    if processes and (keep_weights or mapping is not None):
        word = "keep_weights" if keep_weights else "mapping"
        raise RuleError(f"{word}= needs the nets in this process", where="processes=True", then="leave one of them out")
    rules_file = _file_of_rules(rules) if processes else None
    wishes = Wishes(
        weights=None,
        pins=all_pins,
        rules=layer_rules,
        partial=partial,
        cast=cast,
        keep_weights=keep_weights,
        backward=backward,
    )
    if mapping is not None:
        wishes = replace(wishes, weights=weights_by_map(reference, candidate, mapping))

    def judge(ours: Trace, theirs: Trace) -> Diagnosis:
        layers = _layer_pins(ours, theirs, all_pins)
        return diagnose_traces(
            ours,
            theirs,
            tolerance=tolerance,
            pins=layers,
            only=globs,
            every=every,
            rules=layer_rules,
            progress=progress,
        )

    with ExitStack() as stack:
        if out is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracer-")))
        else:
            folder = folder_of(out)
        told = progress or stack.enter_context(told_progress())
        outcome = check(
            *sides,
            samples,
            Terms(mode, seed, wishes, rules_file),
            folder,
            judge,
            keep=out is not None,
            assumed=assumed,
            progress=told,
        )
    return CheckReport(outcome)


def _file_of_rules(rules: Any) -> Path | None:
    """The file of the rules, for another process."""
    if isinstance(rules, str | os.PathLike):
        return Path(rules).absolute()
    if rules:
        then = "write them into a TOML file and give its path, or leave processes=True out"
        raise RuleError("rules= cannot go to another process as they are", where="processes=True", then=then)
    return None


def _layer_pins(ours: Trace, theirs: Trace, pins: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The pins that name layers; those of parameters are for the weights."""
    keys = [
        {key_of(path, p.name) for path, layer in trace.skeleton.layers.items() for p in layer.parameters}
        for trace in (ours, theirs)
    ]
    return tuple((a, b) for a, b in pins if not (a in keys[0] and b in keys[1]))


def _tolerance(value: Any) -> Tolerance | None:
    if value is None or isinstance(value, Tolerance):
        return value
    raise RuleError(
        "tolerance= does not say of what it is the tolerance",
        where=given_words(value),
        then="give tracer.Tolerance(rtol=1e-3), a relative L2, or tracer.Tolerance(atol=1e-5), a largest difference",
    )
