"""The verbs that watch a net."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from tracer.api.arguments import arguments_of, file_of, given_words, keywords_of, told_progress
from tracer.errors import RuleError
from tracer.recorder import Options, Patterns, Session, record_while, run_and_record
from tracer.trace.reader import Trace
from tracer.trace.schema import Keep


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
        raise RuleError("backward= is neither True nor False", where=given_words(backward), then="give one of the two")
    args, named = arguments_of(inputs)
    more = keywords_of(kwargs, named)
    path = file_of(out, "out").absolute()  # the net may change the folder
    with told_progress() as progress:
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
    return record_while(net, file_of(out, "out").absolute(), Options.of(keep, only, skip, depth, note))
