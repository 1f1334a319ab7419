"""The verbs that watch a net."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import (
    Pins,
    arguments_of,
    file_of,
    given_words,
    keywords_of,
    pairs_of,
    rules_of,
    told_progress,
)
from tracer.errors import RuleError
from tracer.recorder import Options, Patterns, Session, record_while, run_and_record
from tracer.starting_point.samples.sources import Samples
from tracer.trace.reader import Trace
from tracer.trace.schema import Keep

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.starting_point.weights.loading import Transfer


def record(
    net: Any,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    out: str | os.PathLike[str],
    like: str | os.PathLike[str] | Trace | None = None,
    backward: bool = True,
    keep: Keep = "values",
    only: Patterns = None,
    skip: Patterns = None,
    depth: int | None = None,
    note: str | None = None,
    partial: bool = False,
    keep_weights: bool = False,
    cast: bool = False,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
) -> Trace:
    """Run `net` once in the mode it is in, and keep every call of every layer in a trace.

    The backward pass goes from the sum, over all float outputs, of output times a fixed pseudo-random cotangent, which
    is the same in every framework. Afterwards the net is bit for bit what it was. What takes longer than two seconds
    shows its progress on stderr where that is a terminal.

    With `like=` the net starts where another one started: it gets the samples of that trace, its weights (by
    alignment, for which it is run once beforehand), the modes of its layers, and in training mode its layers of random
    output drop what the other's dropped.

    Args:
        net: a `torch.nn.Module` or a `mindspore.nn.Cell`.
        inputs: one argument (an array or tensor of any framework, a nested list of numbers), a tuple of positional
            arguments, or a mapping of keyword arguments. Arrays become tensors on the net's device. With `like=` they
            may be left out.
        kwargs: further keyword arguments.
        out: where the trace will be; an older one there is replaced when the new one is whole.
        like: the trace of the net to start like, with its values.
        backward: record gradients too.
        keep: "values" keeps every array, "statistics" only what is known of each without reading it.
        only: record only the layers that match: globs on paths, classes or their names, or `predicate(path, layer)`.
        skip: leave out the layers that match.
        depth: leave out layers more than so many levels below the net.
        note: free text, kept in the trace.
        partial: with `like=`: go on where weights cannot all be placed, and say so in the trace.
        keep_weights: with `like=`: leave the net with the weights that it was given.
        cast: with `like=`: allow dtypes that lose digits.
        pins: with `like=`: layers by path, or parameters by name, that belong together, the other net's first.
        rules: with `like=`: your own layers in common words, or the TOML file that has them.

    Returns:
        The trace, open.

    Raises:
        RecordingError: the net cannot be watched.
        RuleError: an option does not hold.
        StartingPointError: with `like=`: weights that cannot all be placed; the net is as it was.
        TraceFileError: the trace could not be written.
        Exception: whatever the net raised. The trace at `out` then holds what came before.
    """
    options = Options.of(keep, only, skip, depth, note)
    if not isinstance(backward, bool):
        raise RuleError("backward= is neither True nor False", where=given_words(backward), then="give one of the two")
    path = file_of(out, "out").absolute()  # the net may change the folder
    if like is None:
        _only_with_like(partial=partial, keep_weights=keep_weights, cast=cast, pins=pins, rules=rules)
        if inputs is None and not kwargs:
            then = "give inputs, or like= the trace of the net to start like"
            raise RuleError("the net is given nothing to run on", where="inputs=", then=then)
        args, named = arguments_of(inputs) if inputs is not None else ((), {})
        more = keywords_of(kwargs, named)
        with told_progress() as progress:
            run_and_record(net, args, {**named, **more}, path, options, backward=backward, progress=progress)
        return Trace(path)
    recorded_like(
        net,
        like,
        path,
        options,
        _samples(inputs, kwargs),
        backward=backward,
        partial=partial,
        keep_weights=keep_weights,
        cast=cast,
        pins=pins,
        rules=rules,
    )
    return Trace(path)


def recorded_like(
    net: Any,
    like: str | os.PathLike[str] | Trace,
    out: Path,
    options: Options,
    samples: Samples | None,
    *,
    backward: bool,
    partial: bool,
    keep_weights: bool,
    cast: bool,
    pins: Pins,
    rules: str | os.PathLike[str] | Sequence[UserRule],
) -> Transfer:
    """`record` with `like=`; gives what was moved.

    Raises:
        UnplacedWeights: weights that cannot all be placed.
        TracerError: see `record`.
    """
    from tracer.starting_point.checks.likewise import Wishes, record_like

    wishes = Wishes(
        samples=samples,
        pins=pairs_of(pins),
        rules=rules_of(rules),
        partial=partial,
        cast=cast,
        keep_weights=keep_weights,
        backward=backward,
    )
    with ExitStack() as opened, told_progress() as progress:
        trace = like if isinstance(like, Trace) else opened.enter_context(Trace(file_of(like, "reference")))
        return record_like(net, trace, out, options, wishes, progress=progress)


def _samples(inputs: Any, kwargs: Mapping[str, Any] | None) -> Samples | None:
    """Samples of one's own, instead of those in the trace."""
    if inputs is None and not kwargs:
        return None
    args, named = arguments_of(inputs) if inputs is not None else ((), {})
    return Samples(args, {**named, **keywords_of(kwargs, named)})


def _only_with_like(**given: Any) -> None:
    for name, value in given.items():
        if value is not False and value != ():
            raise RuleError(f"{name}= says nothing without like=", where=given_words(value), then="leave it out")


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
    return record_while(net, file_of(out, "out").absolute(), Options.of(keep, only, skip, depth, note))
