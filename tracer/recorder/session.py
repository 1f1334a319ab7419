"""A recording from beginning to end: the net is described, watched, run or left to run, and put back as it was."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
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
from tracer.recorder.sampling import Sampling
from tracer.recorder.steps import StepRecorder
from tracer.trace.schema import ROOT, End, Header, Keep, Placed, Replayed
from tracer.trace.writer import TraceWriter

Array = np.ndarray[Any, Any]


def cotangent(rank: int, count: int) -> Array:
    """What the float output leaf number `rank` of `count` elements is multiplied with before all are summed.

    Standard normal float64, flat in C order; the same numbers in every framework, process and version.
    """
    key = np.array([rank, count], np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).standard_normal(count)


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
        raise RuleError(f"keep={keep!r} is not known", then="give keep='values' or keep='statistics'")


@dataclass
class _Watched:
    """What one recording needs while the net runs. `hooks` are on the net; between training steps they are not."""

    recorder: Recorder
    writer: TraceWriter
    layers: Mapping[str, Any]
    parameters: dict[tuple[str, str], Any]
    hooks: contextlib.ExitStack
    steps: StepRecorder | None = None
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
def record_while(net: Any, out: Path, options: Options, optimizer: Any = None) -> Iterator[Session]:
    """Record whatever the body runs; see `tracer.recording`."""
    watcher = watcher_for(net)
    with watcher.eager(net) as done, _watching(watcher, net, out, options, done) as watched:
        recorder = watched.recorder
        session = Session(out, _Stepping(watcher, net, optimizer, watched, options))
        try:
            yield session
        finally:
            session.close()
            recorder.notes.update(dict.fromkeys(session.notes))
            if recorder.parts_missing:
                recorder.notes["Some parameters got gradients more than once; the first is kept"] = None
            if recorder.gradients == 0:
                watched.backward = "no gradient reached the net while it was recorded"


def train_and_record(
    net: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    out: Path,
    options: Options,
    training: Training,
    *,
    progress: Progress | None = None,
    replays: Replays | None = None,
    notes: Sequence[str] = (),
    placed: tuple[Placed, ...] = (),
) -> None:
    """Train the net for some steps on one batch, leave the trace at `out`, and net and optimizer as they were.

    Args:
        training: the loss, what it is given besides the output, the optimizer, how many steps.
        net, args, kwargs, out, options, progress, replays, notes, placed: as `run_and_record` has them.

    Raises:
        RecordingError: the net, the loss or the optimizer is none.
        TraceFileError: the trace could not be written.
        Exception: whatever the net or the loss raised; the trace up to there is at `out`.
    """
    tell = progress or (lambda *_: None)
    tell("reading the net", 0, 0)
    watcher = watcher_for(net)
    with watcher.eager(net) as done:
        args, words = watcher.convert(net, args)
        kwargs, more = watcher.convert(net, kwargs)
        targets, most = watcher.convert(net, training.targets)
        said = dict.fromkeys((*notes, *done, *words, *more, *most))
        with _watching(watcher, net, out, options, tuple(said), progress=progress) as watched:
            watched.placed = placed
            trainer = watcher.trainer()
            steps = _Stepping(watcher, net, training.optimizer, watched, options)
            session = Session(out, steps)
            put_back = [watcher.preserve(net)]
            if training.optimizer is not None:
                put_back.append(trainer.preserve(training.optimizer))
            loss = _Telling(training.loss, steps)
            try:
                with _replaying(watcher, net, replays or {}, watched):
                    for number in range(training.steps):
                        tell("training", number, training.steps)
                        with session.step():
                            if training.before is not None:
                                training.before(number)
                            trainer.train(net, args, kwargs, loss, targets, training.optimizer, session.loss)
                if watched.recorder.gradients == 0:
                    watched.backward = "no gradient reached the net while it was recorded"
            finally:
                session.close()
                try:
                    watched.recorder.close()
                finally:
                    watched.unrestored = tuple(word for restore in reversed(put_back) for word in restore())
                tell("writing the rest", 0, 0)


@dataclass(frozen=True)
class Training:
    """What is trained with. `before` is called at the beginning of each step, inside it."""

    loss: Any
    targets: tuple[Any, ...] = ()
    optimizer: Any | None = None
    steps: int = 1
    before: Callable[[int], None] | None = None


class _Telling:
    """The loss as it is called, telling the steps what it is called with."""

    def __init__(self, loss: Any, steps: _Stepping) -> None:
        self._loss, self._steps = loss, steps

    def __call__(self, output: Any, *targets: Any) -> Any:
        result = self._loss(output, *targets)
        kind = getattr(self._loss, "__name__", "") or type(self._loss).__name__
        self._steps.now().given(output, targets, kind)
        return result


class _Stepping:
    """Training steps of a recording. The first one takes the hooks off that were on for what is no step."""

    def __init__(self, watcher: Watcher, net: Any, optimizer: Any, watched: _Watched, options: Options) -> None:
        self._watcher, self._net, self._watched, self._options = watcher, net, watched, options
        self._optimizer = optimizer
        self._steps = self._recorder() if options.sampling is not None else None

    def _recorder(self) -> StepRecorder:
        w = self._watched
        sampling = self._options.sampling or Sampling()
        keep = self._options.keep
        w.steps = StepRecorder(
            self._watcher, self._net, self._optimizer, w.recorder, w.writer, w.layers, w.parameters, sampling, keep
        )
        return w.steps

    def now(self) -> StepRecorder:
        """What records steps.

        Raises:
            RecordingError: the net ran already, outside of steps.
        """
        if self._steps is None:
            if self._watched.recorder.fired:
                raise RecordingError(
                    "the net ran before the first step, and that is in the trace already",
                    where="recording.step()",
                    then="give optimizer= to tracer.recording: then nothing is recorded outside of steps",
                )
            self._watched.hooks.close()
            self._watched.recorder.end_step()
            self._steps = self._recorder()
        return self._steps

    def close(self) -> None:
        """The recording ends; a step that is open ends with it."""
        if self._steps is not None:
            self._steps.end(None)

    def callback(self, begin: Callable[[], None], end: Callable[[Any, BaseException | None], None]) -> Any:
        """The framework's own kind of callback."""
        return self._watcher.trainer().callback(begin, end)


class Session:
    """A recording that is going on: what `recording` gives. `out` is where the trace will be."""

    def __init__(self, out: Path, steps: _Stepping) -> None:
        self.out = out
        self.notes: list[str] = []
        self._steps = steps

    def note(self, text: str) -> None:
        """Keep a sentence in the trace."""
        self.notes.append(str(text))

    def step(self) -> AbstractContextManager[None]:
        """A training step: `with recording.step():` around one iteration, from the forward pass to the update (several
        forward and backward passes, if gradients are accumulated). Steps are counted from 0; of those that are not
        chosen nothing is recorded, and nothing is watched.

        Raises:
            RecordingError: the step before is not over.
        """
        return _Step(self._steps.now())

    def loss(self, loss: Any, targets: Any = None) -> Any:
        """Name the loss of the step, where it is known and not yet sent back: `recording.loss(loss).backward()`. With
        accumulation once for each part. What it was made of is found out where the framework shows it.

        Args:
            loss: the tensor.
            targets: what the loss was held against, where it is made by plain functions, which nobody sees.

        Returns:
            The loss itself.

        Raises:
            RecordingError: no step has begun.
        """
        steps = self._steps.now()
        if not steps.running:
            then = "put the iteration into `with recording.step():`"
            raise RecordingError("a loss outside of a step", where="recording.loss(...)", then=then)
        steps.loss(loss, targets)
        return loss

    def callback(self) -> Any:
        """What the framework's own training loop takes as a callback (`mindspore.train.Model.train`): each of its
        steps becomes one here.

        Raises:
            RecordingError: the framework has no such loop.
        """
        steps = self._steps.now()

        def end(loss: Any, error: BaseException | None) -> None:
            if steps.running:
                if loss is not None and error is None and not steps.losses:
                    steps.loss(loss)
                steps.end(error)

        return self._steps.callback(steps.begin_next, end)

    def close(self) -> None:
        """Nothing is recorded any more."""
        self._steps.close()

    def __repr__(self) -> str:
        return f"<recording to {self.out}>"


class _Step:
    """One training step as a context; as light as can be for those that are not kept."""

    __slots__ = ("_steps",)

    def __init__(self, steps: StepRecorder) -> None:
        self._steps = steps

    def __enter__(self) -> None:
        self._steps.begin()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._steps.end(error)


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
        sampling=options.sampling.words() if options.sampling is not None else {},
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
    hooks = contextlib.ExitStack()
    watched = _Watched(recorder, writer, watched_layers, owned, hooks)
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
        if not anything:
            recorder.stopped = "no layer of the net was called while it was recorded"
            if steps is not None and steps.number < 0:
                recorder.stopped = "no step was begun: `with recording.step():` around each iteration"
        writer.finish(_end(watcher, net, watched, left_out, complete=anything))
    finally:
        recorder.close()
    if not anything:  # a run of hours must not be lost for it: no error
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
