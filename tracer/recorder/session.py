"""A recording from beginning to end: the net is described and watched, the trace is opened and closed."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tracer import __version__
from tracer.errors import RecordingError, RuleError, TraceFileError, TracerError, add_note
from tracer.frameworks.base import Watcher
from tracer.recorder.choice import Choice, Patterns
from tracer.recorder.description import describe, parameter_arrays
from tracer.recorder.listener import Progress, Recorder, error_words
from tracer.recorder.sampling import Sampling
from tracer.trace.schema import ROOT, End, Header, Keep, Placed, Replayed
from tracer.trace.writer import TraceWriter

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Options:
    """How to record. `sampling` is None where no training steps are told apart."""

    keep: Keep = "values"
    choice: Choice = field(default_factory=Choice)
    note: str | None = None
    sampling: Sampling | None = None

    @staticmethod
    def of(
        keep: str,
        only: Patterns,
        skip: Patterns,
        depth: int | None,
        note: str | None,
        sampling: Sampling | None = None,
    ) -> Options:
        """Check what the user gave.

        Raises:
            RuleError: an option that is none.
        """
        if note is not None and not isinstance(note, str):
            raise RuleError(f"note={note!r} is no text", then="give a sentence, or str(...) of what you have")
        if keep == "values":
            return Options("values", Choice.of(only, skip, depth), note, sampling)
        if keep == "statistics":
            return Options("statistics", Choice.of(only, skip, depth), note, sampling)
        if keep == "timing":
            return Options("timing", Choice.of(only, skip, depth), note, sampling)
        raise RuleError(f"keep={keep!r} is not known", then="give keep='values', keep='statistics' or keep='timing'")


class Counted(Protocol):
    """Of training steps: the number of the last one, and how many were recorded."""

    number: int
    recorded: int


@dataclass
class Watched:
    """What one recording needs while the net runs. `hooks` are on the net; between training steps they are not.
    `missing` says why what was wanted is not there, and what to do."""

    recorder: Recorder
    writer: TraceWriter
    layers: Mapping[str, Any]
    parameters: dict[tuple[str, str], Any]
    hooks: contextlib.ExitStack
    steps: Counted | None = None
    missing: tuple[str, str] | None = None
    backward: str | None = None
    unrestored: tuple[str, ...] = ()
    replayed: tuple[Replayed, ...] = ()
    placed: tuple[Placed, ...] = ()


@contextlib.contextmanager
def watching(
    watcher: Watcher,
    net: Any,
    out: Path,
    options: Options,
    notes: Sequence[str],
    *,
    cotangent: bool = False,
    progress: Progress | None = None,
) -> Iterator[Watched]:
    """Header and layers are written, hooks are on; at the end the trace is closed, whatever was raised."""
    table = watcher.layers(net)
    if not table:
        raise RecordingError("The net has no layer", then="give a net")
    if len({path for path, _, _ in table}) < len(table):
        raise RecordingError(f"A layer has the net's own path, {ROOT}", then="give that layer another name")
    options.choice.check(table)
    layers = {path: layer for path, layer, _ in table}
    left_out = {path: why for path, layer in layers.items() if (why := options.choice.why_not(path, layer))}
    watched_layers = {path: layer for path, layer in layers.items() if path not in left_out}
    if not watched_layers:
        raise RuleError("The options leave no layer to record", where="only=, skip=, depth=", then="leave out less")
    described, parameters = describe(watcher, table)
    header = Header(
        framework=watcher.name,
        framework_version=watcher.version(),
        net=type(layers[ROOT]).__name__ if ROOT in layers else type(net).__name__,
        keep=options.keep,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        tracer_version=__version__,
        environment=watcher.environment(net),
        filters=options.choice.words(),
        note=options.note,
        notes=tuple(notes),
        cotangent=cotangent,
        sampling=options.sampling.words() if options.sampling is not None else {},
    )
    writer = TraceWriter(out, header)
    try:
        writer.layers(described, parameter_arrays(watcher, parameters) if options.keep != "timing" else ())
        recorder = Recorder(watcher, writer, layers, options.choice, progress)
        owned = {key: n.tensor for key, n in parameters.items() if n.trainable and key[0] in watched_layers}
    except TraceFileError:
        _end_quietly(writer, End(complete=False))  # the partial file stays, as the error says
        raise
    except BaseException:
        writer.abandon()
        raise
    hooks = contextlib.ExitStack()
    watched = Watched(recorder, writer, watched_layers, owned, hooks)
    try:
        try:
            with _short_collections(), hooks:
                if options.sampling is None:
                    hooks.enter_context(watcher.watch(net, recorder, watched_layers))
                    recorder.watch_parameters(owned)
                try:
                    yield watched
                finally:
                    recorder.close()
        except BaseException as error:
            recorder.stop(error)
            watcher.after_error()
            _end_quietly(writer, _end(watcher, net, watched, left_out, complete=False), error)
            raise
        _raise_own_failures(watcher, net, watched, writer, left_out)
        steps = watched.steps
        anything = bool(recorder.fired) or (steps is not None and steps.recorded > 0)
        anything = anything and watched.missing is None
        if not anything:
            recorder.stopped = "no layer of the net was called while it was recorded"
            if steps is not None:
                recorder.stopped = "no step was begun" if steps.number < 0 else "none of the chosen steps was reached"
            if watched.missing is not None:
                recorder.stopped = watched.missing[0]
        writer.finish(_end(watcher, net, watched, left_out, complete=anything))
    finally:
        recorder.close()
    if not anything:  # a run of hours must not be lost for it: no error
        then = "call the net itself inside the block, not a copy of it"
        if steps is not None:
            then = "put `with recording.step():` around each iteration, or give Model.train recording.callback()"
            then = then if steps.number < 0 else f"there were {steps.number + 1} steps, counted from 0: choose of those"
        then = watched.missing[1] if watched.missing is not None else then
        warnings.warn(f"Nothing was recorded: {recorder.stopped}\n  where: {out}\n  next: {then}", stacklevel=5)


@contextlib.contextmanager
def _short_collections() -> Iterator[None]:
    """Python's garbage collector passes over what was there before: the rows of a recorded step set it off, and to
    walk through all that a framework and a net hold takes a tenth of a second."""
    ours = gc.get_freeze_count() == 0
    if ours:
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


def _end_quietly(writer: TraceWriter, end: End, error: BaseException | None = None) -> None:
    """Close the trace of a run that raised; what the writer has to say must not hide that error: it is added to it."""
    try:
        writer.finish(end)
    except TracerError as problem:
        if error is None:
            return
        add_note(error, f"And the trace of this run was not put in its place: {problem}")


def _raise_own_failures(
    watcher: Watcher, net: Any, watched: Watched, writer: TraceWriter, left_out: Mapping[str, str]
) -> None:
    """What went wrong in our own hooks while the net went on."""
    error = watched.recorder.failure
    if error is None:
        return
    watched.recorder.stopped = f"tracer failed while it recorded: {error_words(error)}"
    _end_quietly(writer, _end(watcher, net, watched, left_out, complete=False), error)
    if isinstance(error, TracerError):
        raise error
    raise RecordingError(
        f"Recording failed while the net ran: {error_words(error)}",
        where=f"{writer.out}, which holds what came before",
        then="the net ran to its end and is as it was; please report this with the net",
    ) from error


def _end(watcher: Watcher, net: Any, watched: Watched, left_out: Mapping[str, str], *, complete: bool) -> End:
    recorder = watched.recorder
    quiet = [path for path, _, _ in watcher.layers(net) if path not in recorder.fired]
    reasons = dict(watcher.uncaptured(net, [path for path in quiet if path not in left_out]))
    silent = {path: left_out.get(path) or reasons.get(path) or "it was never called" for path in quiet}
    return End(
        complete=complete,
        stopped=recorder.stopped if not complete else None,
        backward=watched.backward,
        silent=silent,
        unrestored=watched.unrestored,
        uncaptured=tuple(recorder.uncaptured),
        notes=tuple(recorder.notes),
        replayed=watched.replayed,
        placed=watched.placed,
    )
