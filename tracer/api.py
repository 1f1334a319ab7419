"""The verbs, each a short recipe."""

from __future__ import annotations

import numbers
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.divergence.metrics import Progress, Tolerance
from tracer.errors import RecordingError, RuleError
from tracer.recorder import Options, Patterns, Session, record_while, run_and_record
from tracer.trace.reader import Trace
from tracer.trace.schema import Keep

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.report import Report


def record(
    net: Any,
    inputs: Any,
    *,
    kwargs: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str],
    backward: bool = True,
    keep: Keep = "values",
    only: Patterns = None,
    skip: Patterns = None,
    depth: int | None = None,
    note: str | None = None,
) -> Trace:
    """Run `net` once in the mode it is in, and keep every call of every layer in a trace.

    The backward pass goes from the sum, over all float outputs, of output times a fixed pseudo-random cotangent, which
    is the same in every framework. Afterwards the net is bit for bit what it was. What takes longer than two seconds
    shows its progress on stderr where that is a terminal.

    Args:
        net: a `torch.nn.Module` or a `mindspore.nn.Cell`.
        inputs: one argument (an array or tensor of any framework, a nested list of numbers), a tuple of positional
            arguments, or a mapping of keyword arguments. Arrays become tensors on the net's device.
        kwargs: further keyword arguments.
        out: where the trace will be; an older one there is replaced when the new one is whole.
        backward: record gradients too.
        keep: "values" keeps every array, "statistics" only what is known of each without reading it.
        only: record only the layers that match: globs on paths, classes or their names, or `predicate(path, layer)`.
        skip: leave out the layers that match.
        depth: leave out layers more than so many levels below the net.
        note: free text, kept in the trace.

    Returns:
        The trace, open.

    Raises:
        RecordingError: the net cannot be watched.
        RuleError: an option does not hold.
        TraceFileError: the trace could not be written.
        Exception: whatever the net raised. The trace at `out` then holds what came before.
    """
    options = Options.of(keep, only, skip, depth, note)
    if not isinstance(backward, bool):
        raise RuleError("backward= is neither True nor False", where=_given(backward), then="give one of the two")
    args, named = _arguments(inputs)
    more = _keywords(kwargs, named)
    path = _file(out, "out").absolute()  # the net may change the folder
    with _progress() as progress:
        run_and_record(net, args, {**named, **more}, path, options, backward=backward, progress=progress)
    return Trace(path)


def recording(
    net: Any,
    *,
    out: str | os.PathLike[str],
    keep: Keep = "values",
    only: Patterns = None,
    skip: Patterns = None,
    depth: int | None = None,
    note: str | None = None,
) -> AbstractContextManager[Session]:
    """Record all that the body of the `with` statement runs through `net`: a loop of one's own, `Model.train`, ...

    Nothing is put back, for the run is the user's own. Options and errors are those of `record`. Every call of the
    net is a further call of its root; the first gradient of each parameter is kept.
    """
    return record_while(net, _file(out, "out").absolute(), Options.of(keep, only, skip, depth, note))


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

    Args:
        reference: the trace of the net that is right: a file, or a `Trace`, which stays open.
        candidate: the trace of its port.
        tolerance: what counts as equal; without it what rounding explains, by op and dtype.
        pins: pairs of layers that belong together, the reference's first: a mapping, pairs, or texts "A=B"; a side is
            "path", or "path#1" for one call.
        only: globs of paths; other layers are not judged.
        every: judge every pair and keep a row for each, instead of as few as the verdict needs.
        rules: your own layers in common words, or the TOML file that has them.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        TraceFileError: a file is no trace, or cannot be read.
        RuleError: a tolerance, pin, filter or rule that does not hold.
    """
    from tracer.divergence.diagnosis import diagnose
    from tracer.divergence.rules import load_rules
    from tracer.reports.report import Report

    tolerance, pairs = _tolerance(tolerance), _pairs(pins)
    own_rules = load_rules(Path(rules)) if isinstance(rules, str | os.PathLike) else _rules(rules)
    globs = _globs(only)
    with ExitStack() as opened:
        ours, theirs = (
            trace if isinstance(trace, Trace) else opened.enter_context(Trace(_file(trace, name)))
            for trace, name in ((reference, "reference"), (candidate, "candidate"))
        )
        diagnosis = diagnose(
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


def _file(value: Any, name: str) -> Path:
    """The path that an argument is to be."""
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    if name == "out":
        raise RuleError("out= names no file", where=_given(value), then='give a path, as out="pt.h5"')
    then = 'give the file that tracer.record(net, inputs, out="pt.h5") wrote, or the Trace that it returned'
    raise RuleError(f"the {name} is no trace", where=_given(value), then=then)


def _tolerance(value: Any) -> Tolerance | None:
    if value is None or isinstance(value, Tolerance):
        return value
    raise RuleError(
        "tolerance= does not say of what it is the tolerance",
        where=_given(value),
        then="give tracer.Tolerance(rtol=1e-3), a relative L2, or tracer.Tolerance(atol=1e-5), a largest difference",
    )


def _pairs(pins: Any) -> tuple[tuple[str, str], ...]:
    """Pins in any form as pairs of paths; the first "=" of a text parts them."""
    if isinstance(pins, Mapping):
        given: list[Any] = list(pins.items())
    else:
        given = list(pins) if isinstance(pins, Iterable) and not isinstance(pins, str) else [pins]
    pairs = []
    for pin in given:
        pair = tuple(pin.split("=", 1)) if isinstance(pin, str) else tuple(pin) if isinstance(pin, Sequence) else ()
        if len(pair) != 2 or not all(isinstance(path, str) and path for path in pair):
            then = 'give pins={"reference.path": "candidate.path"}, or texts "reference.path=candidate.path"'
            raise RuleError("a pin does not name two paths", where=_given(pin), then=then)
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)


def _globs(only: Any) -> tuple[str, ...]:
    globs = (only,) if isinstance(only, str) else tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise RuleError(
                "only= is no glob of paths", where=_given(glob), then='give one or several, as "blocks.2.*"'
            )
    return globs


def _rules(rules: Any) -> tuple[UserRule, ...]:
    from tracer.divergence.rules import UserRule

    given = tuple(rules) if isinstance(rules, Iterable) else (rules,)
    for rule in given:
        if not isinstance(rule, UserRule):
            then = "give the path of a TOML file, or a list of tracer.divergence.rules.UserRule"
            raise RuleError("rules= holds what is no rule", where=_given(rule), then=then)
    return given


def _given(value: Any) -> str:
    """What was given instead, short: a number or a text as it is, anything else by its class."""
    short = value is None or isinstance(value, str | numbers.Number | tuple)
    return repr(value)[:80] if short else f"an object of class {type(value).__module__}.{type(value).__qualname__}"


def _progress() -> AbstractContextManager[Progress | None]:
    """What tells of the progress on a terminal; nothing, not even an import, where nobody looks."""
    try:
        watched = sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed, or replaced by something else
        watched = False
    if not watched:
        return nullcontext()
    from tracer.reports.terminal import LateProgress

    return LateProgress(redirect=False)


def _arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the user gave as positional and keyword arguments."""
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return tuple(_numbers(item) for item in inputs), {}
    if isinstance(inputs, Mapping):
        if not all(isinstance(key, str) for key in inputs):
            raise RecordingError(
                "inputs= is a mapping, whose keys are the names of the net's arguments, but not all keys are text",
                where=f"keys {list(inputs)[:5]}",
                then="to give the mapping itself as the one argument, put it into a tuple: (inputs,)",
            )
        return (), {key: _numbers(value) for key, value in inputs.items()}
    return (_numbers(inputs),), {}


def _keywords(kwargs: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """What the user gave in `kwargs=`, beside the arguments that `inputs=` names."""
    if kwargs is None:
        return {}
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        then = 'give the names of arguments with what they are, as kwargs={"attention_mask": mask}'
        raise RuleError("kwargs= is no mapping of names", where=_given(kwargs), then=then)
    twice = [key for key in kwargs if key in named]
    if twice:
        raise RuleError(f"{twice[0]!r} is in inputs= and in kwargs=", where="the net's arguments", then="give it once")
    return {key: _numbers(value) for key, value in kwargs.items()}


def _numbers(value: Any) -> Any:
    """Nested lists of numbers as an array, what `np.load` gives for an .npz as a dict; everything else as it is."""
    if isinstance(value, np.lib.npyio.NpzFile):  # each look at it reads the file
        return dict(value)
    if isinstance(value, list) and value and _all_numbers(value):
        try:
            array = np.array(value)
        except ValueError:
            return value
        return array if array.dtype.kind in "biufc" else value
    return value


def _all_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(_all_numbers(item) for item in value)
    return isinstance(value, numbers.Number)
