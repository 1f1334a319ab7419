"""A recording from beginning to end: the net is described, watched, run or left to run, and put back as it was."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from tracer import __version__
from tracer.errors import RecordingError, RuleError, TraceFileError, TracerError, add_note
from tracer.frameworks import watcher_for
from tracer.frameworks.base import Gradients, Watcher
from tracer.frameworks.replaying import Done, Replays
from tracer.recorder.choice import Choice, Patterns
from tracer.recorder.description import describe, parameter_arrays
from tracer.recorder.listener import Progress, Recorder, error_words
from tracer.trace.schema import ROOT, End, Header, Keep, Placed, Replayed
from tracer.trace.writer import TraceWriter

Array = np.ndarray[Any, Any]


def cotangent(rank: int, count: int) -> Array:
    """What the float output leaf number `rank` of `count` elements is multiplied with before all are summed.

    Standard normal float64, flat in C order; the same numbers in every framework, process and version.
    """
    key = np.array([rank, count], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(count)


@dataclass
class Session:
    """A recording that is going on: what `recording` gives. `out` is where the trace will be."""

    out: Path
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep a sentence in the trace."""
        self.notes.append(str(text))

    def __repr__(self) -> str:
        return f"<recording to {self.out}>"


@dataclass(frozen=True)
class Options:
    """How to record."""

    keep: Keep = "values"
    choice: Choice = field(default_factory=Choice)
    note: str | None = None

    @staticmethod
    def of(keep: str, only: Patterns, skip: Patterns, depth: int | None, note: str | None) -> Options:
        """Check what the user gave.

        Raises:
            RuleError: an option that is none.
        """
        if note is not None and not isinstance(note, str):
            raise RuleError(f"note={note!r} is no text", then="give a sentence, or str(...) of what you have")
        if keep == "values":
            return Options("values", Choice.of(only, skip, depth), note)
        if keep == "statistics":
            return Options("statistics", Choice.of(only, skip, depth), note)
        raise RuleError(f"keep={keep!r} is not known", then="give keep='values' or keep='statistics'")


@dataclass
class _Watched:
    """What one recording needs while the net runs."""

    recorder: Recorder
    parameters: dict[tuple[str, str], Any]
    backward: str | None = None
    unrestored: tuple[str, ...] = ()
    replayed: tuple[Replayed, ...] = ()
    placed: tuple[Placed, ...] = ()


def run_and_record(
    net: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Path,
    options: Options,
    *,
    backward: bool,
    progress: Progress | None = None,
    replays: Replays | None = None,
    notes: Sequence[str] = (),
    placed: tuple[Placed, ...] = (),
) -> None:
    """Run the net once, forward and backward, and leave the trace at `out` and the net as it was.

    Args:
        net, args, kwargs: what is called, and with what.
        out: where the trace will be.
        options: how to record.
        backward: also go backward from the outputs.
        progress: is told how far the run is.
        replays: what layers of random output do in place of drawing; the trace says which calls did.
        notes: sentences to keep in the trace.
        placed: which parameters were given another net's numbers, for the trace to say.

    Raises:
        RecordingError: the net cannot be watched, or it is empty.
        TraceFileError: the trace could not be written.
        Exception: whatever the net raised; the trace up to there is at `out`.
    """
    tell = progress or (lambda *_: None)
    tell("reading the net", 0, 0)
    watcher = watcher_for(net)
    with watcher.eager(net) as done:
        args, words = watcher.convert(net, args)
        kwargs, more = watcher.convert(net, kwargs)
        prepare = getattr(watcher, "prepare", None)
        prepared = prepare(net, args, kwargs) if prepare is not None else ()
        said = dict.fromkeys((*notes, *done, *words, *more, *prepared))
        with _watching(watcher, net, out, options, tuple(said), cotangent=True, progress=progress) as watched:
            watched.placed = placed
            restore = watcher.preserve(net)
            gradients = None
            try:
                with _replaying(watcher, net, replays or {}, watched):
                    _, gradients = watcher.run(net, args, kwargs, cotangent if backward else None)
                watched.recorder.whole_parameter_gradients(gradients.parameters, watched.parameters)
            finally:
                try:
                    watched.backward = _why_no_backward(gradients, asked=backward)
                    watched.recorder.close()
                finally:
                    watched.unrestored = restore()
                tell("writing the rest", 0, 0)


@contextlib.contextmanager
def _replaying(watcher: Watcher, net: Any, replays: Replays, watched: _Watched) -> Iterator[None]:
    """Layers do what `replays` says. Which calls did, and which did not, is kept for the trace, whatever is raised."""
    done: Done = set()
    try:
        if replays and hasattr(watcher, "replacing"):
            with watcher.replacing(net, replays) as done:
                yield
        else:
            yield
    finally:
        watched.replayed = tuple(Replayed(path, index, replays[path][index].like) for path, index in sorted(done))
        for path, plan in replays.items():
            if any((path, index) not in done for index in plan):
                watched.recorder.notes[f"{path}: not every call was replayed as it was to be"] = None


def _why_no_backward(gradients: Gradients | None, *, asked: bool) -> str | None:
    if not asked:
        return "it was not asked for: backward=False"
    if gradients is None:
        return "the run ended before it"
    if gradients.error is not None:
        return f"the framework could not run it: {error_words(gradients.error)}"
    return gradients.skipped


@contextlib.contextmanager
def record_while(net: Any, out: Path, options: Options) -> Iterator[Session]:
    """Record whatever the body runs; see `tracer.recording`."""
    watcher = watcher_for(net)
    session = Session(out)
    with watcher.eager(net) as done, _watching(watcher, net, out, options, done) as watched:
        recorder = watched.recorder
        try:
            yield session
        finally:
            recorder.notes.update(dict.fromkeys(session.notes))
            if recorder.parts_missing:
                recorder.notes["Some parameters got gradients more than once; the first is kept"] = None
            if recorder.gradients == 0:
                watched.backward = "no gradient reached the net while it was recorded"


@contextlib.contextmanager
def _watching(
    watcher: Watcher,
    net: Any,
    out: Path,
    options: Options,
    notes: Sequence[str],
    *,
    cotangent: bool = False,
    progress: Progress | None = None,
) -> Iterator[_Watched]:
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
    )
    writer = TraceWriter(out, header)
    try:
        writer.layers(described, parameter_arrays(watcher, parameters))
        recorder = Recorder(watcher, writer, layers, options.choice, progress)
        owned = {key: n.tensor for key, n in parameters.items() if n.trainable and key[0] in watched_layers}
    except TraceFileError:
        _end_quietly(writer, End(complete=False))  # the partial file stays, as the error says
        raise
    except BaseException:
        writer.abandon()
        raise
    watched = _Watched(recorder, owned)
    try:
        try:
            with _short_collections(), watcher.watch(net, recorder, watched_layers):
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
        if not recorder.fired:
            recorder.stopped = "no layer of the net was called while it was recorded"
        writer.finish(_end(watcher, net, watched, left_out, complete=bool(recorder.fired)))
    finally:
        recorder.close()
    if not recorder.fired:  # a run of hours must not be lost for it: no error
        then = "call the net itself inside the block, not a copy of it"
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
    watcher: Watcher, net: Any, watched: _Watched, writer: TraceWriter, left_out: Mapping[str, str]
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


def _end(watcher: Watcher, net: Any, watched: _Watched, left_out: Mapping[str, str], *, complete: bool) -> End:
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
