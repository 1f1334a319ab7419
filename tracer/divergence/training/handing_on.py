"""The phase `gradients`: what the optimizers got, held against what the backward passes gave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tracer.divergence.case import SIDES, Case, few
from tracer.divergence.causes import Cause
from tracer.divergence.graph import CallId
from tracer.divergence.metrics import Array, Difference, compare_blocks, rounding
from tracer.divergence.places import Origin, Spot
from tracer.divergence.training.gradients import GradientCause, Handed, common_factor, explain, handed, same, total_norm
from tracer.divergence.training.step_trace import StepTrace, scale_of, scales_of
from tracer.trace.schema import Parameter, Place, Step, Value

_APART = 1e-3
"""Relative L2 from which what a loop made of equal gradients differs: the sums of accumulation and the norm of clipping
stay far below."""


_FACTOR = 2e-4
"""Relative difference from which two factors are two: each is known from its own side's numbers alone."""


@dataclass(frozen=True)
class PairedParameter:
    """A trained parameter of both sides: where it lives, which layer's it is, its common name."""

    name: str
    layers: tuple[CallId, CallId]
    places: tuple[Place, Place]
    parameters: tuple[Parameter, Parameter]


def paired_parameters(case: Case) -> list[PairedParameter]:
    """All parameters that both sides have, in the order of the reference's calls; a tied one once."""
    order = {id_: n for n, id_ in enumerate(case.graphs[0].nodes)}
    pairs = sorted(case.alignment.pairs, key=lambda p: order.get(p.reference, len(order)))
    found: list[PairedParameter] = []
    seen: set[tuple[Place, Place]] = set()
    for pair in pairs:
        for r, c in case.comparison.shared_parameters(pair.reference, pair.candidate):
            places = _place(case, 0, pair.reference.path, r), _place(case, 1, pair.candidate.path, c)
            if places not in seen and None not in places:
                seen.add(places)
                found.append(PairedParameter(r.name, (pair.reference, pair.candidate), places, (r, c)))
    return found


def _place(case: Case, side: int, path: str, parameter: Parameter) -> Place:
    """Where a parameter that a layer calls its own lives: in it, or in a part of it."""
    if parameter.owner is not None:
        return parameter.owner
    layers = case.graphs[side].layers
    below = [path, *(other for other in layers if other.startswith(f"{path}."))]
    return next(((p, parameter.name) for p in below if any(q is parameter for q in layers[p].parameters)),
                (path, parameter.name))  # fmt: skip


@dataclass(frozen=True)
class Handing:
    """What the phase shows. `inherited` is the furthest that raw gradients were apart already."""

    origins: tuple[Origin, ...]
    relative_l2: float | None
    said: str = ""


def judge_handing_on(
    case: Case, traces: tuple[StepTrace, StepTrace], pairs: list[PairedParameter], *, fresh: bool
) -> Handing:
    """Compare what both loops did with their gradients. In a `fresh` step (from the same weights) gradients that were
    sent back alike must also arrive alike, whatever was done to them."""
    steps = traces[0].step, traces[1].step
    lone = [n for n, step in enumerate(steps) if not step.update_gradients]
    if len(lone) == 1 and not any(trace.step.failed for trace in traces):
        none = "made an update in this step" if traces[lone[0]].optimized else "was watched"
        return Handing((), None, f"no optimizer {none} in the {SIDES[lone[0]]}")
    if lone:
        none = "made an update in this step" if all(trace.optimized for trace in traces) else "was watched"
        return Handing((), None, f"no optimizer {none}")
    sides: tuple[dict[int, Handed], dict[int, Handed]] = ({}, {})
    added: set[int] = set()
    squares = error = 0.0
    for n, pair in enumerate(pairs):
        got = [step.update_gradients.get(place) for step, place in zip(steps, pair.places, strict=True)]
        if got[0] is None and got[1] is None:
            continue
        for side in (0, 1):
            sides[side][n] = _handed(traces[side], pair.places[side], got[side])
        if got[0] is None or got[1] is None or not (got[0].stored and got[1].stored):
            continue
        difference = _difference(traces, got[0], got[1])
        if difference is None or difference.relative_l2 is None:
            continue
        size = got[0].statistics.l2 or 0.0 if got[0].statistics else 0.0
        squares += size**2
        error += (difference.relative_l2 * size) ** 2
        if fresh and difference.size > _APART + 5 * _sent_apart(traces, pair):
            added.add(n)
    measured = math.sqrt(error / squares) if squares else None
    return Handing(tuple(_origins(case, traces, pairs, sides, added)), measured)


def _origins(
    case: Case,
    traces: tuple[StepTrace, StepTrace],
    pairs: list[PairedParameter],
    sides: tuple[dict[int, Handed], dict[int, Handed]],
    added: set[int],
) -> Iterator[Origin]:
    missing = [n for n in sides[0] if _got(sides[0][n]) != _got(sides[1][n]) and _informative(sides[0][n], sides[1][n])]
    both = {n for n in sides[0] if _got(sides[0][n]) and _got(sides[1][n])}
    scales = tuple(scale_of(t.step.losses[0]) if t.step.losses else 1.0 for t in traces)
    differing = [n for n in sorted(both) if _differs(sides[0][n], sides[1][n]) or n in added]
    if missing or (_clipped_alike(sides, both) and not added):  # a norm by which all are clipped changes with it
        differing = []
    few = differing and len(differing) < max(2, len(both) // 2)
    if differing and not few:
        ours, theirs = ({n: side[n] for n in both} for side in sides)
        cause = _of_own_scale(explain(ours, theirs, (scales[0], scales[1])), traces)
        first = pairs[differing[0]]
        yield _origin(case, first, sides, differing[0], _cause(cause, sides, both))
        return
    for n in sorted({*missing, *(differing if few else [])})[:3]:
        yield _origin(case, pairs[n], sides, n, _one(traces, pairs[n], sides[0][n], sides[1][n]))


def _of_own_scale(cause: GradientCause | None, traces: tuple[StepTrace, StepTrace]) -> GradientCause | None:
    """A factor that is an optimizer's own `loss_scale`, which no loss was multiplied with."""
    if cause is None or cause.name != "scale" or not cause.reference or not cause.candidate:
        return cause
    for side, (trace, factor) in enumerate(zip(traces, (cause.reference, cause.candidate), strict=True)):
        scale = trace.step.optimizer.settings.get("loss_scale") if trace.step.optimizer is not None else None
        other = (cause.candidate, cause.reference)[side]
        if isinstance(scale, float | int) and scale not in (0, 1) and same(other / factor, float(scale), 2e-3):
            said = (
                f"the {SIDES[side]}'s optimizer divides its gradients by loss_scale={scale:g}, and no loss was scaled"
            )
            return GradientCause("loss_scale", cause.reference, cause.candidate, said)
    return cause


def _clipped_alike(sides: tuple[dict[int, Handed], dict[int, Handed]], both: set[int]) -> bool:
    """Were all gradients brought to one norm on both sides, by factors that differ as their own norms do?"""
    ours, theirs = ({n: side[n] for n in both} for side in sides)
    factors = common_factor(ours), common_factor(theirs)
    if factors[0] is None or factors[1] is None or factors[0] * factors[1] <= 0:
        return False
    return same(total_norm(ours), total_norm(theirs), 3e-4)


def _sent_apart(traces: tuple[StepTrace, StepTrace], pair: PairedParameter) -> float:
    """How far apart the gradients were that the backward passes gave (the first of each); 1 where that is not known."""
    values = [t.skeleton.steps[0].parameter_gradients.get(p) for t, p in zip(traces, pair.places, strict=True)]
    if values[0] is None or values[1] is None or not (values[0].stored and values[1].stored):
        return 1.0
    if math.prod(values[0].shape) != math.prod(values[1].shape):
        return 1.0
    r = traces[0].array(values[0]).reshape(-1).astype(float)
    c = traces[1].array(values[1]).reshape(-1).astype(float)
    size = float((r @ r) ** 0.5)
    return float(((c - r) @ (c - r)) ** 0.5) / size if size else 1.0


def _got(h: Handed) -> bool:
    """Did the optimizer get anything? Zeros are nothing."""
    return bool(h.norm)


def _informative(ours: Handed, theirs: Handed) -> bool:
    sizes = [h.norm or 0.0 for h in (ours, theirs)]
    given = [h.given or 0.0 for h in (ours, theirs)]
    return max(sizes) > 1e-6 * max(given, default=0.0)


def _differs(ours: Handed, theirs: Handed) -> bool:
    if not ours.factors or not theirs.factors:
        return False
    if len(ours.factors) != len(theirs.factors):
        return abs(sum(ours.factors) / len(ours.factors) - sum(theirs.factors) / len(theirs.factors)) > _APART
    if not all(map(math.isfinite, (*ours.factors, *theirs.factors))):
        return False
    scale = max(map(abs, (*ours.factors, *theirs.factors)))
    apart = any(abs(a - b) > _FACTOR * scale for a, b in zip(ours.factors, theirs.factors, strict=True))
    return apart or abs(ours.left - theirs.left) > 5 * _APART


def _handed(trace: StepTrace, place: Place, got: Value | None) -> Handed:
    scales = scales_of(trace.step)
    own = trace.step
    parts = [v for v in (own.parameter_gradients.get(place), *own.gradient_parts.get(place, ())) if v is not None]
    arrays = [trace.recorded(v) / s for v, s in zip(parts, _spread(scales, len(parts)), strict=True) if v.stored]
    if len(arrays) < len(parts):
        arrays = []
    value = trace.recorded(got) if got is not None and got.stored else None
    if got is not None and value is None:
        norm = got.statistics.l2 if got.statistics else None
        return Handed((), 0.0, norm, None, None)
    return handed(arrays, _without_loss_scale(trace, value))


def _without_loss_scale(trace: StepTrace, value: Array | None) -> Array | None:
    """MindSpore's optimizers may divide by a scale of their own, which is no fault of the loop's."""
    optimizer = trace.step.optimizer
    scale = optimizer.settings.get("loss_scale") if optimizer is not None else None
    if value is None or not isinstance(scale, float | int) or scale in (0, 1):
        return value
    divided: Array = value / value.dtype.type(scale)
    return divided


def _spread(scales: list[float], count: int) -> list[float]:
    return [scales[min(n, len(scales) - 1)] for n in range(count)]


def _difference(traces: tuple[StepTrace, StepTrace], ours: Value, theirs: Value) -> Difference | None:
    if math.prod(ours.shape) != math.prod(theirs.shape):
        return None
    r, c = (_without_loss_scale(t, t.recorded(v)) for t, v in zip(traces, (ours, theirs), strict=True))
    assert r is not None
    assert c is not None
    rms = float((r.astype(float) ** 2).mean() ** 0.5) if r.size else 0.0
    return compare_blocks([(r.reshape(-1), c.reshape(-1))], ours.shape, tolerance=_APART, rms=rms,
                          dtypes=(ours.dtype, theirs.dtype), shapes=(ours.shape, theirs.shape))  # fmt: skip


def _cause(
    found: GradientCause | None, sides: tuple[dict[int, Handed], dict[int, Handed]], both: set[int]
) -> tuple[Cause, ...]:
    if found is None:
        counts = [max((len(side[n].factors) for n in both), default=0) for side in sides]
        if counts[0] != counts[1] and all(counts):
            said = f"the reference goes backward {counts[0]} times in this step, the candidate {counts[1]} times"
            return (
                Cause("optimizer", "accumulation", counts[0], counts[1], sentence=said, edit=_EDITS["accumulation"]),
            )
        norms = [total_norm({n: side[n] for n in both}) for side in sides]
        said = f"the optimizers get other gradients than the backward passes gave: norms {norms[0]:.4g}, {norms[1]:.4g}"
        return (Cause("optimizer", "gradients", norms[0], norms[1], sentence=said),)
    return (
        Cause(
            "optimizer", found.name, found.reference, found.candidate, sentence=found.sentence, edit=_EDITS[found.name]
        ),
    )


_EDITS = {
    "clip_grad_norm": "clip by the global norm with the reference's limit, after unscaling",
    "clip_grad_value": "clip as the reference does",
    "accumulation": "divide the accumulated gradients as the reference does",
    "loss_scale": "divide the gradients by the loss scale before the update",
    "scale": "take out what multiplies the gradients before the update",
    "lost": "hand the gradients to the optimizer",
}


def _one(traces: tuple[StepTrace, StepTrace], pair: PairedParameter, ours: Handed, theirs: Handed) -> tuple[Cause, ...]:
    """Why one parameter's gradient reached only one optimizer, or in another size."""
    both = (ours, theirs)
    for side in (0, 1):
        if _got(both[side]) or not _got(both[1 - side]):
            continue
        word = SIDES[side]
        parameter, name = pair.parameters[side], f"{pair.places[side][1]} of {pair.places[side][0]}"
        optimizer = traces[side].step.optimizer
        inside = optimizer is not None and any(pair.places[side] in group.parameters for group in optimizer.groups)
        if not parameter.trainable:
            said, kind = f"{name} is frozen in the {word} (requires_grad is False)", "requires_grad"
        elif not inside and optimizer is not None:
            said, kind = f"{name} is in no group of the {word}'s optimizer", "groups"
        elif both[side].given:
            said, kind = (
                f"{name} got a gradient in the backward pass of the {word}, and none reached the optimizer",
                "lost",
            )
        else:
            said, kind = f"{name} got no gradient in the {word}: it was not used, or was cut off", "unused"
        values: tuple[bool, bool] = (side == 1, side == 0)
        edit = {"requires_grad": f"let {name} be trained", "groups": f"give {name} to the optimizer"}.get(kind, "")
        return (Cause("optimizer", kind, *values, sentence=said, edit=edit),)
    factors = [h.factor for h in both]
    if None not in factors and factors[0] and same(factors[1] / factors[0], -1.0):  # type: ignore[operator]
        said = "the candidate's optimizer gets this gradient negated"
    else:
        shown = [f"{f:.4g}" if f is not None else "no one number" for f in factors]
        said = f"this gradient reaches the reference's optimizer times {shown[0]}, the candidate's times {shown[1]}"
    return (Cause("optimizer", "scale", factors[0], factors[1], sentence=said),)


def none_against_zeros(steps: tuple[Step, Step], pairs: list[PairedParameter]) -> list[str]:
    """Gradients that are None on one side and zeros on the other: they say the same."""
    found: dict[int, list[str]] = {0: [], 1: []}
    known = {place for pair in pairs for place in pair.places}
    # a layer that only one side calls has no partner, but mostly the same place
    lone = {place for step in steps for place in step.parameters_before} - known
    places = [*((pair.places, parameter_name(pair)) for pair in pairs), *(((p, p), ".".join(p)) for p in sorted(lone))]
    for both, name in places:
        values = [step.parameter_gradients.get(place) for step, place in zip(steps, both, strict=True)]
        for side in (0, 1):
            other = values[1 - side]
            if both[side] not in steps[side].parameters_before or values[side] is not None or other is None:
                continue
            if other.statistics is not None and other.statistics.l2 == 0:
                found[side].append(name)
    return [
        f"the gradient of {few(names)} is None in the {SIDES[side]} and zeros in the {SIDES[1 - side]}: equal"
        for side, names in found.items()
        if names
    ]


def parameter_name(pair: PairedParameter) -> str:
    """A parameter's full name in the reference."""
    path, name = pair.places[0]
    return name if path == "(root)" else f"{path}.{name}"


def not_optimized(traces: tuple[StepTrace, StepTrace], pairs: list[PairedParameter], path: str) -> Cause | None:
    """Where a layer's parameter has a gradient on one side only: does only that side's optimizer hold it? Then the
    other side did not ask for it."""
    optimizers = [trace.step.optimizer for trace in traces]
    if optimizers[0] is None or optimizers[1] is None:
        return None
    for pair in pairs:
        if pair.layers[0].path != path:
            continue
        held = [
            any(place in group.parameters for group in optimizer.groups)
            for place, optimizer in zip(pair.places, optimizers, strict=True)
            if optimizer is not None
        ]
        side = 0 if not held[0] else 1
        if held[0] != held[1] and pair.parameters[side].trainable:
            name = f"{pair.places[side][1]} of {pair.places[side][0]}"
            said = f"{name} is in no group of the {SIDES[side]}'s optimizer, so no gradient was asked for"
            return Cause("optimizer", "groups", held[0], held[1], sentence=said, edit=f"give {name} to the optimizer")
    return None


def _origin(
    case: Case,
    pair: PairedParameter,
    sides: tuple[dict[int, Handed], dict[int, Handed]],
    n: int,
    causes: tuple[Cause, ...],
) -> Origin:
    ours, theirs = sides[0][n], sides[1][n]
    norms = (ours.norm or 0.0, theirs.norm or 0.0)
    size = abs(norms[1] - norms[0]) / norms[0] if norms[0] else 1.0
    if ours.factors and theirs.factors and len(ours.factors) == len(theirs.factors):
        total = max(math.sqrt(sum(f * f for f in ours.factors)), 1e-300)
        size = math.sqrt(sum((a - b) ** 2 for a, b in zip(ours.factors, theirs.factors, strict=True))) / total
        size = math.hypot(size, ours.left, theirs.left)
    difference = Difference(size, _APART)
    spots = parameter_spot(case, 0, pair), parameter_spot(case, 1, pair)
    return Origin("gradients", "parameter", *spots, difference, None, causes)


def parameter_spot(case: Case, side: int, pair: PairedParameter) -> Spot:
    """A parameter as a place: its layer's path and its name."""
    path, name = pair.places[side]
    layer = case.graphs[side].layers.get(path)
    source = layer.made_at if layer is not None else None
    shown = name if path == "(root)" else f"{path}.{name}"
    kind = layer.kind if layer is not None else "?"
    return Spot(shown, None, kind, str(source) if source else None, source.text if source else None)


def informative_floor(case: Case, layer: CallId, dtype: str) -> float:
    """The L2 below which the gradient of a layer's parameters says nothing: the rounding of the sum that made it."""
    node = case.graphs[0].nodes.get(layer)
    if node is None:
        return 0.0
    incoming = max((v.statistics.l2 or 0.0 for v in node.call.grad_outputs if v.statistics), default=0.0)
    given = max((v.statistics.l2 or 0.0 for v in node.inputs if v.statistics), default=0.0)
    count = max((math.prod(v.shape) for v in node.outputs), default=1)
    return 8 * rounding(dtype) * incoming * max(given, math.sqrt(count))
