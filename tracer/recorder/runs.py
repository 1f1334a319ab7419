"""The net is run, or left to run, while it is recorded, and put back as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tracer.frameworks import watcher_for
from tracer.frameworks.base import Gradients, Watcher
from tracer.frameworks.replaying import Done, Replays
from tracer.frameworks.training import trainer_of
from tracer.recorder.listener import Progress, error_words
from tracer.recorder.loop import Session, Stepping, step_recorder
from tracer.recorder.session import Options, Watched, watching
from tracer.recorder.steps import Prepare
from tracer.trace.schema import Placed, Replayed

Array = np.ndarray[Any, Any]


def cotangent(rank: int, count: int) -> Array:
    """What the float output leaf number `rank` of `count` elements is multiplied with before all are summed.

    Standard normal float64, flat in C order; the same numbers in every framework, process and version.
    """
    key = np.array([rank, count], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(count)


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
        with watching(watcher, net, out, options, tuple(said), cotangent=True, progress=progress) as watched:
            watched.placed = placed
            restore = watcher.preserve(net)
            gradients = None
            try:
                with replaying(watcher, net, replays or {}, watched):
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
def replaying(watcher: Watcher, net: Any, replays: Replays, watched: Watched) -> Iterator[None]:
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
def record_while(
    net: Any,
    out: Path,
    options: Options,
    optimizer: Any = None,
    *,
    prepare: Prepare | None = None,
    placed: tuple[Placed, ...] = (),
) -> Iterator[Session]:
    """Record whatever the body runs; see `tracer.recording`. `prepare` is called before each step that is kept,
    `placed` is what the trace is to say of weights that were given."""
    watcher = watcher_for(net)
    if optimizer is not None:
        trainer_of(watcher).optimizer(optimizer)  # that it is one is said before anything is written
    whole = options.sampling is None or watcher.environment(net).get("mode") == "graph"
    with watcher.eager(net) as done:
        pass  # what cannot be watched is refused before anything is written
    with (
        watcher.eager(net) if whole else contextlib.nullcontext(),
        watching(watcher, net, out, options, done) as watched,
    ):
        recorder = watched.recorder
        watched.placed = placed
        eager = None if whole else partial(watcher.eager, net)
        make = partial(step_recorder, watcher, net, optimizer, watched, options, eager, prepare)
        session = Session(out, Stepping(watcher, watched, make, at_once=options.sampling is not None))
        try:
            yield session
        finally:
            session.close()
            recorder.notes.update(dict.fromkeys(session.notes))
            if recorder.parts_missing:
                recorder.notes["Some parameters got gradients more than once; the first is kept"] = None
            if recorder.gradients == 0:
                watched.backward = "no gradient reached the net while it was recorded"
