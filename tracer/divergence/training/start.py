"""Where training begins: samples, labels, modes and weights that both sides must share; and what changes them between
two steps."""

from __future__ import annotations

from dataclasses import dataclass

from tracer.divergence.case import SIDES, Case
from tracer.divergence.causes import Cause, mode_causes, parameter_causes
from tracer.divergence.flow import Point
from tracer.divergence.places import Origin, Spot, given_origin, given_scalar_origin, spot
from tracer.divergence.training.targets import differing_targets
from tracer.trace.schema import LossTaken, Step


@dataclass(frozen=True)
class Start:
    """What differs before anything ran. `unsure` are samples and labels: nothing can be said of the nets then.
    `quiet` are sentences on differences that are no fault."""

    origins: tuple[Origin, ...] = ()
    unsure: bool = False
    quiet: tuple[str, ...] = ()


def differing_start(case: Case, steps: tuple[Step, Step]) -> Start:
    """Samples, labels, weights and modes, in this order; the first that differ."""
    samples = differing_samples(case, steps)
    if samples.origins:
        return samples
    weights = _weights(case)
    if weights:
        return Start(weights, quiet=samples.quiet)
    return Start(differing_modes(case), quiet=samples.quiet)


def differing_samples(case: Case, steps: tuple[Step, Step]) -> Start:
    """Samples and labels of a step, where they differ."""
    given = given_origin(case) or given_scalar_origin(case)
    if given is not None:
        return Start((given,), unsure=True)
    labels, said = _labels(case, steps)
    return Start((labels,), unsure=True) if labels is not None else Start(quiet=said)


def _labels(case: Case, steps: tuple[Step, Step]) -> tuple[Origin | None, tuple[str, ...]]:
    quiet: list[str] = []
    for ours, theirs in zip(steps[0].losses, steps[1].losses, strict=False):
        found = differing_targets(ours, theirs, case.comparison.reference.arrays, case.comparison.candidate.arrays)
        if found is None:
            continue
        if found.equal:
            quiet.append(found.sentence)
            continue
        spots = loss_spot(ours), loss_spot(theirs)
        cause = Cause("loss", "targets", edit="record both nets with the same labels", sentence=found.sentence)
        said = f"{found.sentence}: nothing can be said of the nets"
        return Origin("start", "input", *spots, found.difference, None, (cause,), sentence=said), tuple(quiet)
    return None, tuple(dict.fromkeys(quiet))


def loss_spot(loss: LossTaken) -> Spot:
    """A loss as a place."""
    source = str(loss.source) if loss.source is not None else None
    return Spot("loss", loss.index, loss.kind or "loss", source, loss.source.text if loss.source else None)


def _weights(case: Case) -> tuple[Origin, ...]:
    """Layers whose parameters hold other numbers, in call order."""
    found = []
    seen: set[str] = set()
    for pair in case.alignment.pairs:
        if pair.reference.path in seen or not case.looks_at(pair.reference, pair.candidate):
            continue
        seen.add(pair.reference.path)
        differing = [d for d in case.comparison.parameters(pair.reference, pair.candidate) if d.difference is not None]
        if differing:
            causes = tuple(parameter_causes(differing, case.comparison, missing=False))
            worst = max((d.difference for d in differing if d.difference), key=lambda d: d.size)
            spots = spot(case, 0, pair.reference), spot(case, 1, pair.candidate)
            order = case.graphs[0].nodes[pair.reference].call.order if pair.reference in case.graphs[0].nodes else -1
            found.append((order, Origin("start", "layer", *spots, worst, None, causes)))
    return tuple(origin for _, origin in sorted(found, key=lambda f: f[0]))


def differing_modes(case: Case) -> tuple[Origin, ...]:
    """The first layer whose numbers depend on the mode, and whose modes differ; the others are told by a note."""
    for id_, theirs in case.alignment.candidate_of.items():
        if id_ not in case.graphs[0].nodes or theirs not in case.graphs[1].nodes:
            continue
        nodes = case.graphs[0].nodes[id_], case.graphs[1].nodes[theirs]
        causes = [c for c in mode_causes(case.comparison, *nodes) if c.name == "training"]
        if causes and case.looks_at(id_, theirs):
            point = Point(id_, theirs, "out")
            difference = case.comparison.judge(point) if point in case.flow.graph else None
            return (
                Origin("start", "layer", spot(case, 0, id_), spot(case, 1, theirs), difference, None, tuple(causes)),
            )
    return ()


def changed_between(before: tuple[Step, Step], now: tuple[Step, Step]) -> dict[int, list[tuple[str, str]]]:
    """Parameters that are, at the beginning of a step, not what they were at the end of the one before, by side."""
    found: dict[int, list[tuple[str, str]]] = {0: [], 1: []}
    for side in (0, 1):
        if now[side].number != before[side].number + 1:
            continue
        for place, value in now[side].parameters_before.items():
            old = before[side].parameters_after.get(place)
            if old is not None and old.digest and value.digest and old.digest != value.digest:
                found[side].append(place)
    return found


def changed_origin(case: Case, before: tuple[Step, Step], now: tuple[Step, Step]) -> Origin | None:
    """Something outside of the steps changed parameters of one side only."""
    changed = changed_between(before, now)
    for side in (0, 1):
        if changed[side] and not changed[1 - side]:
            path, name = changed[side][0]
            more = f" and {len(changed[side]) - 1} more" if len(changed[side]) > 1 else ""
            said = (
                f"{name} of {path}{more} changed in the {SIDES[side]} between step {before[side].number} and step "
                f"{now[side].number}, outside of any step"
            )
            cause = Cause("parameter", name, sentence=said, edit="look for what writes parameters after the update")
            partners = case.alignment.candidate_of if side == 0 else case.alignment.reference_of
            other = next((theirs.path for ours, theirs in partners.items() if ours.path == path), None)
            own = _parameter_spot(case, side, path, name)
            beside = _parameter_spot(case, 1 - side, other, name) if other is not None else None
            spots = [own, beside] if side == 0 else [beside, own]
            return Origin("start", "parameter", spots[0], spots[1], None, None, (cause,), sentence=said)
    return None


def _parameter_spot(case: Case, side: int, path: str, name: str) -> Spot:
    layer = case.graphs[side].layers.get(path)
    source = layer.made_at if layer is not None else None
    full = name if path == "(root)" else f"{path}.{name}"
    return Spot(
        full, None, layer.kind if layer else "?", str(source) if source else None, source.text if source else None
    )
