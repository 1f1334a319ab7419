"""The verbs that watch a net."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
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
from tracer.recorder import (
    Options,
    Patterns,
    Repeats,
    Rest,
    Sampling,
    Session,
    Training,
    record_while,
    run_and_record,
    time_and_record,
    time_while,
    train_and_record,
)
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
    loss: Any = None,
    targets: Any = None,
    optimizer: Any = None,
    steps: int | None = None,
    resync: bool = False,
    keep: Keep = "values",
    repeat: int | None = None,
    warmup: int | None = None,
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

    With `loss=` the net is trained instead, on this one batch: forward, `loss(output, targets)`, backward from it, and
    with `optimizer=` the update, `steps` times. The trace then holds the loss, gradients as the optimizer got them, its
    settings and state, and all parameters before and after each step; net and optimizer are put back.

    With `keep="timing"` no values are kept, but how long each call takes, forward and backward: after one run that is
    recorded without its numbers and `warmup` more, the step runs `2 * repeat` times, in turn unwatched and watched.
    With `loss=` and `optimizer=` that is a step of training, else a forward and a backward pass; net and optimizer are
    put back. `Trace.timing` has the times.

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
        loss: a layer or function that makes the loss of the net's output and the targets.
        targets: what the loss is given besides the output: one argument, a tuple of several, or nothing.
        optimizer: what updates the net's parameters after each backward pass.
        steps: how many training steps; 1 where it is not said.
        resync: with `like=` and `optimizer=`: begin each step with the parameters and the optimizer's state that the
            other net had before its step of that number, so that each step is judged by itself.
        keep: "values" keeps every array, "statistics" only what is known of each without reading it, "timing" neither,
            but times.
        repeat: with `keep="timing"`: how many steps are timed; 10 where it is not said.
        warmup: with `keep="timing"`: how many steps run before that; 3 where it is not said.
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
    training = training_of(loss, targets, optimizer, steps, resync=resync, like=like, backward=backward)
    sampling = Sampling(resync=_name_of(like) if resync else "") if training is not None else None
    options = Options.of(keep, only, skip, depth, note, sampling)
    if not isinstance(backward, bool):
        raise RuleError("backward= is neither True nor False", where=given_words(backward), then="give one of the two")
    path = file_of(out, "out").absolute()  # the net may change the folder
    refuse_with_times(keep, like=like, steps=steps, resync=resync or None)
    repeats = repeats_of(keep, repeat, warmup)
    if like is None:
        _only_with_like(partial=partial, keep_weights=keep_weights, cast=cast, pins=pins, rules=rules)
        if inputs is None and not kwargs:
            then = "give inputs, or like= the trace of the net to start like"
            raise RuleError("the net is given nothing to run on", where="inputs=", then=then)
        args, named = arguments_of(inputs) if inputs is not None else ((), {})
        more = keywords_of(kwargs, named)
        with told_progress() as progress:
            if repeats is not None:
                time_and_record(
                    net,
                    args,
                    {**named, **more},
                    path,
                    options,
                    repeats,
                    backward=backward,
                    training=training,
                    progress=progress,
                )
            elif training is not None:
                train_and_record(net, args, {**named, **more}, path, options, training, progress=progress)
            else:
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
        training=training,
        resync=resync,
    )
    return Trace(path)


def training_of(
    loss: Any, targets: Any, optimizer: Any, steps: int | None, *, resync: bool, like: Any, backward: bool
) -> Training | None:
    """What the user gave to train with; None where it is no training.

    Raises:
        RuleError: an option that does not hold.
    """
    if loss is None:
        beside = {"targets": targets, "optimizer": optimizer, "steps": steps, "resync": resync or None}
        for name, value in beside.items():
            if value is not None:
                then = "give the loss too, as loss=torch.nn.CrossEntropyLoss()"
                raise RuleError(f"{name}= says nothing without loss=", where=given_words(value), then=then)
        return None
    if not callable(loss):
        then = "give a layer or a function of (output, targets)"
        raise RuleError("loss= cannot be called", where=given_words(loss), then=then)
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise RuleError("steps= counts no steps", where=given_words(steps), then="give a number from 1 on")
    if (steps or 1) > 1 and optimizer is None:
        then = "give optimizer=, or leave steps= out"
        raise RuleError("without an optimizer each step is the same", where=f"steps={steps}", then=then)
    if backward is not True:
        then = "leave backward= out"
        raise RuleError("training goes backward", where=f"backward={backward!r}", then=then)
    if resync and (like is None or optimizer is None):
        then = "give like= the reference's trace and optimizer="
        raise RuleError("resync= takes each step's beginning from another trace", where="resync=True", then=then)
    given = () if targets is None else targets if isinstance(targets, tuple) else (targets,)
    return Training(loss, arguments_of(given)[0], optimizer, steps or 1)


def repeats_of(keep: str, repeat: int | None, warmup: int | None) -> Repeats | None:
    """How often a step is timed; None where nothing is timed.

    Raises:
        RuleError: an option that counts nothing, or that is of timing where nothing is timed.
    """
    if keep == "timing":
        return Repeats.of(repeat, warmup)
    for name, value in {"repeat": repeat, "warmup": warmup}.items():
        if value is not None:
            then = 'give keep="timing" too, or leave it out'
            raise RuleError(f'{name}= says nothing without keep="timing"', where=given_words(value), then=then)
    return None


def refuse_with_times(keep: str, **given: Any) -> None:
    """Options that say nothing, or something else, where times are kept.

    Raises:
        RuleError: one was given, and `keep` is "timing".
    """
    if keep != "timing":
        return
    why = {
        "like": "times need no equal start: record both nets by themselves, tracer profile puts them side by side",
        "steps": "give repeat= for how many steps are timed",
        "resync": "leave it out",
        "keep_steps": "leave it out: every second step is watched",
        "every": "leave it out: every second step is watched",
        "first": "give repeat= for how many steps are timed",
        "rest": "leave it out",
    }
    for name, value in given.items():
        if value is not None:
            where = given_words(value)
            raise RuleError(f'{name}= does not go together with keep="timing"', where=where, then=why[name])


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
    training: Training | None = None,
    resync: bool = False,
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
        training=training,
        resync=resync,
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
    optimizer: Any = None,
    keep_steps: Iterable[int] | None = None,
    every: int | None = None,
    first: int | None = None,
    rest: Rest = "nothing",
    like: str | os.PathLike[str] | Trace | None = None,
    resync: bool = False,
    keep: Keep = "values",
    repeat: int | None = None,
    warmup: int | None = None,
    only: Patterns = None,
    skip: Patterns = None,
    depth: int | None = None,
    note: str | None = None,
) -> AbstractContextManager[Session]:
    """Record what the body of the `with` statement does with `net`: a training loop of one's own, `Model.train`, ...

    A training loop says where its steps and its losses are::

        with tracer.recording(net, out="pt.h5", optimizer=opt) as recording:
            for x, y in batches:
                with recording.step():
                    loss = recording.loss(criterion(net(x), y))
                    loss.backward()
                    opt.step()
                    opt.zero_grad()

    Then each step is kept with its calls, its loss, the gradients as they were sent back and as the optimizer got them,
    the optimizer's settings and state, and all parameters before and after. Which steps are kept can be chosen; those
    that are not are not watched at all. Without `optimizer=`, options for steps and `recording.step()` all that the
    body runs is one run: every call of the net is a further call of its root, the first gradient of each parameter is
    kept.

    Nothing is put back, for the run is the user's own, and the training is bit for bit what it was without tracer.

    With `keep="timing"` steps are timed: the first is recorded for its calls, `warmup` are let be, then `repeat` are
    watched, in turn with as many that are not. What comes after runs as if nobody looked.

    Args:
        net: a `torch.nn.Module` or a `mindspore.nn.Cell`.
        out: where the trace will be.
        optimizer: what updates the net. With it nothing outside of steps is recorded.
        keep_steps: the numbers of steps to keep; they are counted from 0.
        every: keep each so-manieth step too, from 0 on.
        first: keep so many steps at the beginning too.
        rest: what is kept of the others: "nothing", "curve" (loss and norms), or "statistics" of everything.
        like: with `resync=True`: the trace of the net to train like, with its values.
        resync: begin each step with the parameters and the optimizer's state that the other net had before its step of
            that number.
        keep, repeat, warmup, only, skip, depth, note: as `record` has them.

    Raises:
        RecordingError: the net cannot be watched, or the optimizer is none.
        RuleError: an option does not hold.
        TraceFileError: the trace could not be written.
    """
    steps = (keep_steps, every, first)
    chosen = optimizer is not None or any(option is not None for option in steps) or rest != "nothing"
    sampling = Sampling.of(*steps, rest) if chosen else None
    options = Options.of(keep, only, skip, depth, note, sampling)
    path = file_of(out, "out").absolute()
    refuse_with_times(keep, like=like, resync=resync or None, keep_steps=keep_steps, every=every, first=first)
    refuse_with_times(keep, rest=None if rest == "nothing" else rest)
    repeats = repeats_of(keep, repeat, warmup)
    if repeats is not None:
        return time_while(net, path, options, repeats, optimizer)
    if like is None and not resync:
        return record_while(net, path, options, optimizer)
    if like is None or not resync or optimizer is None:
        then = 'give all three: optimizer=opt, like="pt.h5", resync=True'
        raise RuleError("like=, resync= and optimizer= go together here", where="tracer.recording", then=then)
    from tracer.starting_point.checks.resynced import record_resynced

    trace = like if isinstance(like, Trace) else file_of(like, "reference")
    options = replace(options, sampling=replace(sampling or Sampling(), resync=_name_of(like)))
    return record_resynced(net, path, options, optimizer, trace)


def _name_of(trace: Any) -> str:
    """A trace's file name."""
    return str((trace.path if isinstance(trace, Trace) else file_of(trace, "reference")).name)
