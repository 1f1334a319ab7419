"""What the command line does with nets that are named by text."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.recordings import record, recorded_like, refuse_with_times, repeats_of
from tracer.api.sides import samples_of
from tracer.api.verdicts import compare
from tracer.errors import RecordingError, RuleError, StartingPointError, TracerError
from tracer.frameworks import watcher_for
from tracer.recorder import Options
from tracer.reports.report import write_whole
from tracer.reports.starting_point import unmoved
from tracer.reports.weights import WeightsReport
from tracer.starting_point.checks.likewise import set_mode
from tracer.starting_point.checks.sides import said_who
from tracer.starting_point.checks.targets import error_line, make_net, own_line, read_target
from tracer.starting_point.randomness import fixed
from tracer.starting_point.samples.drawing import draw_all
from tracer.starting_point.samples.sources import Samples
from tracer.starting_point.samples.wanted import wanted_all
from tracer.starting_point.weights.loading import UnplacedWeights
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.reports.starting_point import CheckReport


def named_side(text: str | None) -> Any:
    """What a text names where a net, a trace or a file of parameters is wanted: "module:factory" or "file.py:factory"
    is the net that it makes, which is not run; any other text is a path.

    Raises:
        TracerError: there is no such net, or its factory raises.
    """
    if text is None or ":" not in text or os.path.exists(text):  # noqa: PTH110  (a text that may be no path at all)
        return text
    return make_net(read_target(text), 0)


def given_inputs(inputs: Sequence[str], seed: int, samples: int | None = None) -> Any:
    """Inputs as the command line says them: a path, or descriptions that are drawn; None where there are none.

    Raises:
        TracerError: a description that says no shape or dtype, or paths among descriptions.
    """
    if not inputs:
        if samples is not None:
            raise RuleError("nothing says what the samples are", where=f"--samples {samples}", then="give --input too")
        return None
    paths = [text for text in inputs if os.path.exists(text)]  # noqa: PTH110  (a text that may be no path at all)
    if paths:
        if len(inputs) > 1 or samples is not None:
            raise RuleError("samples are in one file or folder, or drawn", where=paths[0], then="give one --input")
        return Path(paths[0])
    wants = wanted_all(inputs)
    if samples is None:
        return draw_all(wants, seed)
    return [draw_all(wants, seed, number) for number in range(samples)]


def record_target(
    target: str,
    out: str,
    inputs: Sequence[str],
    *,
    seed: int,
    mode: str,
    like: str | None,
    told: str | None,
    repeat: int | None = None,
    warmup: int | None = None,
    **options: Any,
) -> list[str]:
    """Make the net that a text names, record it, and say in lines what came of it.

    Raises:
        TracerError: there is no such net, it cannot be recorded, or its weights cannot be placed.
    """
    place = read_target(target)
    if place.is_script:
        then = f"run it: TRACER_OUT={out} python {target}"
        raise StartingPointError("a script records itself", where=target, then=then)
    if like is not None:
        refuse_with_times(options["keep"], like=like)
        repeats_of(options["keep"], repeat, warmup)
    given = given_inputs(inputs, seed)
    if given is None and like is None:
        then = "say what the net is given: --input 8x3x224x224:float32, or --like another trace"
        raise RuleError("the net is given nothing to run on", where=target, then=then)
    net = make_net(place, seed)
    watcher = watcher_for(net)
    if mode != "as is":
        set_mode(watcher, net, training=mode == "train")
    samples = None if given is None else samples_of(given)[0][0]
    with fixed(seed), _plainly("the net", Path(out)):
        if like is None:
            assert samples is not None
            record(net, samples.args, kwargs=dict(samples.kwargs), out=out, repeat=repeat, warmup=warmup, **options)
            lines: list[str] = []
        else:
            report = _like(net, out, like, samples, told, options)
            lines = [*report.lines(), ""]
    with Trace(out) as trace:
        calls = sum(len(step.calls) for step in trace.skeleton.steps)
        return [*lines, f"{out}   {len(trace.skeleton.layers)} layers, {calls} calls of {trace.skeleton.header.net}"]


def _like(
    net: Any, out: str, like: str, samples: Samples | None, told: str | None, options: dict[str, Any]
) -> WeightsReport:
    """Record from the starting point of another trace; `told` gets the report on the weights, also of those that have
    no place."""
    own = {name: options.pop(name) for name in ("keep", "only", "skip", "depth", "note")}
    try:
        transfer = recorded_like(
            net, like, Path(out).absolute(), Options.of(**own), samples, keep_weights=False, **options
        )
    except UnplacedWeights as error:
        if told is not None:
            write_whole(Path(told), _unplaced(error, like, net))
        raise
    report = WeightsReport(transfer)
    if told is not None:
        write_whole(Path(told), report.to_json())
    return report


def _unplaced(error: UnplacedWeights, like: str, net: Any) -> str:
    """The map as far as it goes, as JSON, and of which frameworks both sides are."""
    ours = watcher_for(net).name
    with Trace(like) as trace:
        frameworks = [trace.skeleton.header.framework, ours]
    told = unmoved(error.weights, Path(like).name, f"{ours} {type(net).__name__}").to_dict()
    return json.dumps({**told, "frameworks": frameworks}, indent=2, ensure_ascii=False) + "\n"


def compare_targets(
    reference: str,
    candidate: str,
    inputs: Sequence[str],
    *,
    samples: int | None,
    seed: int,
    processes: bool,
    **options: Any,
) -> CheckReport:
    """The whole check of two nets that are named by text.

    Raises:
        TracerError: see `tracer.compare`.
    """
    given = given_inputs(inputs, seed, samples)
    if processes:
        return compare(reference, candidate, given, seed=seed, processes=True, **options)
    places = [read_target(text) for text in (reference, candidate)]
    for place in places:
        if place.is_script:
            then = "leave out --one-process"
            raise StartingPointError("a script runs in a process of its own", where=place.text, then=then)
    nets = [make_net(place, seed) for place in places]
    with _plainly():
        return compare(nets[0], nets[1], given, seed=seed, **options)


@contextlib.contextmanager
def _plainly(who: str | None = None, out: Path | None = None) -> Iterator[None]:
    """What a net raises is told in three beats, with the layer and the line of the user's code."""
    try:
        with said_who(who, out) if who is not None and out is not None else contextlib.nullcontext():
            yield
    except TracerError:
        raise
    except Exception as error:
        notes = [note for note in getattr(error, "__notes__", ()) if " raised" in note] or ["the net raised"]
        samples = [note for note in getattr(error, "__notes__", ()) if note.startswith("with sample")]
        raise RecordingError(
            f"{' '.join([*notes[:1], *samples[:1]])}: {error_line(error)}",
            where=own_line(error),
            then="mend the net, or what it is given (--input)",
        ) from error
