"""A net is recorded as another one was: with its samples, its weights, its modes, and what its random layers drew.

The net is run once beforehand, for its calls: where two equal shapes leave a choice, calls tell more than names. What
that run changes is put back, and so is all the rest afterwards.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tracer.divergence.alignment import Alignment, align
from tracer.divergence.graph import CallGraph, call_graph
from tracer.divergence.metrics import Progress
from tracer.divergence.rules import UserRule
from tracer.errors import StartingPointError, TracerError
from tracer.frameworks import watcher_for
from tracer.frameworks.base import Watcher
from tracer.frameworks.replaying import Replays
from tracer.recorder import Options, Training, run_and_record, train_and_record
from tracer.starting_point.holders import Holder, of_net, of_trace
from tracer.starting_point.random_layers.effects import effects
from tracer.starting_point.random_layers.replay import replacements
from tracer.starting_point.resync import resynchronised
from tracer.starting_point.samples.sources import Samples, samples_from
from tracer.starting_point.weights.loading import Transfer, fill, refuse_unplaced
from tracer.starting_point.weights.placing import map_weights
from tracer.starting_point.weights.steps import Reshape, Rows, Step, Turn
from tracer.starting_point.weights.weight_map import Placement, WeightMap, key_of
from tracer.trace.reader import Trace
from tracer.trace.schema import ROOT, Parameter, Placed, Skeleton


@dataclass(frozen=True)
class Wishes:
    """How one net is to be recorded like another.

    `samples` None takes those of the reference's trace. `weights` is a map that is known already, `pins` and `rules`
    are for the alignment. `partial` goes on where weights cannot all be placed, `cast` allows dtypes that lose digits,
    `keep_weights` leaves the net with the weights that it was given. `training` trains it, with `resync` each step from
    what the reference's began with.
    """

    samples: Samples | None = None
    weights: WeightMap | None = None
    pins: tuple[tuple[str, str], ...] = ()
    rules: tuple[UserRule, ...] = ()
    partial: bool = False
    cast: bool = False
    keep_weights: bool = False
    backward: bool = True
    training: Training | None = None
    resync: bool = False


@dataclass(frozen=True)
class Rehearsal:
    """What one run of the candidate told: its calls, their alignment with the reference's, and the weight map; or what
    it `raised`, in words."""

    skeleton: Skeleton | None
    alignment: Alignment | None
    weights: WeightMap
    raised: str = ""
    graph: CallGraph | None = field(default=None, repr=False)
    reference: CallGraph | None = field(default=None, repr=False)


def record_like(
    net: Any,
    reference: Trace,
    out: Path,
    options: Options,
    wishes: Wishes,
    *,
    progress: Progress | None = None,
) -> Transfer:
    """Record `net` at `out` from the starting point of `reference`, and put it back as it was.

    Args:
        net: the candidate.
        reference: a trace that keeps values.
        out: where the new trace will be.
        options: how to record.
        wishes: what to take over, and how.
        progress: is told how far it is.

    Raises:
        StartingPointError: weights that cannot all be placed, or samples that are not in the trace.
        TracerError: the net cannot be watched, or a trace cannot be read or written.
        Exception: whatever the net raised; the trace up to there is at `out`.
    """
    watcher = watcher_for(net)
    _check_trace(reference, out)
    samples = wishes.samples or samples_from(reference)
    with _put_back(watcher, net, keep_weights=wishes.keep_weights):
        take_modes(watcher, net, reference.skeleton, None)
        known = rehearse(net, reference, samples, wishes, out, progress=progress)
        if not wishes.partial:
            refuse_unplaced(known.weights, reference.path.name, f"the {watcher.name} net", raised=known.raised)
        if known.alignment is not None:
            take_modes(watcher, net, reference.skeleton, known.alignment)
        tell = progress or (lambda *_: None)
        tell("moving the weights", 0, 0)
        transfer = fill(net, of_trace(reference), known.weights, partial=wishes.partial, cast=wishes.cast)
        replays, said = _replays(reference, known)
        own = samples.copied()
        notes = (f"recorded like {reference.path.name}: {_counted(transfer)}", *samples.notes, *said)
        taken: dict[str, Any] = {
            "progress": progress,
            "replays": replays,
            "notes": notes,
            "placed": _placed(known.weights, reference.skeleton, known.skeleton or of_net(net).skeleton),
        }
        training = wishes.training
        if training is None:
            run_and_record(net, own.args, dict(own.kwargs), out, options, backward=wishes.backward, **taken)
        else:
            if wishes.resync:
                before = resynchronised(net, training.optimizer, reference, known.weights)
                training = replace(training, before=before)
            train_and_record(net, own.args, dict(own.kwargs), out, options, training, **taken)
    return replace(transfer, notes=(*transfer.notes, *said))


def mapped_like(net: Any, reference: Trace, out: Path) -> tuple[WeightMap, tuple[Placed, ...]]:
    """Which of the reference's parameters is which of the net's, by a run of the net on the reference's samples; and
    what a trace is to say of it. The net is as it was.

    Raises:
        StartingPointError: weights that cannot all be placed, or samples that are not in the trace.
    """
    watcher = watcher_for(net)
    _check_trace(reference, out)
    with _put_back(watcher, net, keep_weights=False):
        known = rehearse(net, reference, samples_from(reference), Wishes(), out)
    refuse_unplaced(known.weights, reference.path.name, f"the {watcher.name} net", raised=known.raised)
    return known.weights, _placed(known.weights, reference.skeleton, known.skeleton or of_net(net).skeleton)


def _check_trace(reference: Trace, out: Path) -> None:
    """The trace to start like has numbers, and is not where the new one is to be.

    Raises:
        StartingPointError: it is not so.
    """
    if reference.skeleton.header.keep != "values":
        raise StartingPointError(
            "the trace to start like keeps statistics only, so it has neither samples nor weights",
            where=str(reference.path),
            then='record it again with keep="values"',
        )
    if out.exists() and out.samefile(reference.path):
        raise StartingPointError(
            "the new trace would replace the one it starts like", where=str(out), then="name another file for it"
        )


def rehearse(
    net: Any, reference: Trace, samples: Samples, wishes: Wishes, beside: Path, *, progress: Progress | None = None
) -> Rehearsal:
    """Run the candidate once as it is, and map the weights by the calls of both nets.

    Where the run raises, the map rests on the layers alone, and a note of it says why. The run is recorded into a
    temporary folder on the disk of `beside`.

    Raises:
        TracerError: a pin or rule does not hold, or the net cannot be watched.
    """
    with tempfile.TemporaryDirectory(prefix=".tracer-", dir=beside.parent) as folder:
        file = Path(folder) / "rehearsal.h5"
        own = samples.copied()
        try:
            if progress is not None:
                progress("running the candidate once, for its calls", 0, 0)
            run_and_record(net, own.args, dict(own.kwargs), file, Options("values"), backward=False)
        except TracerError:
            raise
        except Exception as error:  # whatever the net raises is raised again when it is recorded
            words = (str(error).strip() or type(error).__name__).splitlines()[0]
            said, at = f"{type(error).__name__}: {words}", _where(file)
            problem = f"placed without the net's calls, for it raised{at}: {said}"
            weights = wishes.weights or _map(reference, of_net(net).skeleton, wishes, None)
            return Rehearsal(None, None, replace(weights, notes=(*weights.notes, problem)), raised=f"{at}: {said}")
        with Trace(file) as trace:
            return _aligned(reference, trace, wishes)


def _where(cut: Path) -> str:
    """The layer in which a run ended, as the trace of it says; "" where it says none."""
    try:
        with Trace(cut) as trace:
            place = (trace.skeleton.end.stopped or "").partition(": ")[0]
    except TracerError:
        return ""
    return f" in {place}" if place and place != "outside the net" else ""


def _aligned(reference: Trace, rehearsed: Trace, wishes: Wishes) -> Rehearsal:
    weights = wishes.weights or _map(reference, rehearsed.skeleton, wishes, rehearsed)
    graphs = [call_graph(trace.skeleton, 0, wishes.rules) for trace in (reference, rehearsed)]
    layers = [pin for pin in wishes.pins if pin[0] not in weights.reference or pin[1] not in weights.candidate]
    alignment = align(graphs[0], graphs[1], layers)
    return Rehearsal(rehearsed.skeleton, alignment, weights, graph=graphs[1], reference=graphs[0])


def _map(reference: Trace, candidate: Skeleton, wishes: Wishes, rehearsed: Trace | None) -> WeightMap:
    holder = of_trace(reference)
    return map_weights(
        reference.skeleton,
        candidate,
        pins=wishes.pins,
        rules=wishes.rules,
        read_reference=_reads(holder),
        value_reference=reference.array if reference.skeleton.header.keep == "values" else None,
        value_candidate=rehearsed.array if rehearsed and rehearsed.skeleton.header.keep == "values" else None,
    )


def _reads(holder: Holder) -> Any:
    return holder.read if holder.has is None or holder.has else None


def _placed(weights: WeightMap, reference: Skeleton, candidate: Skeleton) -> tuple[Placed, ...]:
    """What the new trace is to say of the weights that were placed."""
    ours, theirs = _by_key(reference), _by_key(candidate)
    found = []
    for placement in weights.placements:
        sources = [ours.get(piece.source) for piece in placement.pieces]
        target = theirs.get(placement.target)
        of = tuple((path, p.name, p.digest) for path, p in filter(None, sources) if p.digest is not None)
        if target is not None and of and len(of) == len(placement.pieces):
            path, parameter = target
            found.append(_said(placement, path, parameter, of, weights.reference[placement.pieces[0].source].shape))
    return tuple(found)


def _by_key(skeleton: Skeleton) -> dict[str, tuple[str, Parameter]]:
    """Every parameter with the path of its layer, by its structural name."""
    return {key_of(path, p.name): (path, p) for path, layer in skeleton.layers.items() for p in layer.parameters}


def _said(
    placement: Placement, path: str, target: Parameter, of: tuple[tuple[str, str, str], ...], source: tuple[int, ...]
) -> Placed:
    steps: list[Step] = [*placement.pieces[0].steps, *placement.then]
    if len(of) > 1:
        return Placed(path, target.name, of, otherwise=True)
    steps = [s for s in steps if not (isinstance(s, Reshape) and _long(s.to) == _long(source))]  # axes of size one
    match steps:
        case []:
            return Placed(path, target.name, of)
        case [Turn()]:
            return Placed(path, target.name, of, turned=True)
        case [Rows(ranges=ranges)] if sorted(n for span in ranges for n in range(*span)) == [*range(source[0])]:
            return Placed(path, target.name, of, rows=ranges)
    return Placed(path, target.name, of, otherwise=True)


def _long(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _replays(reference: Trace, known: Rehearsal) -> tuple[Replays, tuple[str, ...]]:
    """What the candidate's random layers are to do, and sentences about it."""
    if known.alignment is None or known.graph is None or known.reference is None:
        return {}, ()
    plan = replacements(effects(reference, known.reference), known.alignment.candidate_of, known.graph)
    return plan.replays, plan.notes


def take_modes(watcher: Watcher, net: Any, reference: Skeleton, alignment: Alignment | None) -> None:
    """Put all layers into the mode of the reference's net, and those that are aligned each into that of its partner."""
    whole = reference.layers[ROOT].training if ROOT in reference.layers else None
    modes = dict.fromkeys(watcher.modes(net), whole) if whole is not None else {}
    for pair in alignment.pairs if alignment is not None else ():
        training = reference.layers[pair.reference.path].training
        if training is not None and pair.candidate.path in modes:
            modes[pair.candidate.path] = training
    watcher.set_modes(net, {path: mode for path, mode in modes.items() if mode is not None})


def set_mode(watcher: Watcher, net: Any, *, training: bool) -> None:
    """Put all layers of a net into one mode."""
    watcher.set_modes(net, dict.fromkeys(watcher.modes(net), training))


@contextlib.contextmanager
def _put_back(watcher: Watcher, net: Any, *, keep_weights: bool) -> Iterator[None]:
    """Afterwards the net is as it was; one that keeps its new weights is in its own modes, and only an error takes the
    weights back."""
    modes = watcher.modes(net)
    restore = watcher.preserve(net)
    done = False
    try:
        yield
        done = True
    finally:
        if not (done and keep_weights):
            restore()
        watcher.set_modes(net, modes)


def _counted(transfer: Transfer) -> str:
    placed, own = len(transfer.moved), sum(not p.tied for p in transfer.weights.candidate.values())
    return f"its samples, its modes, and {placed} of {own} parameters"
