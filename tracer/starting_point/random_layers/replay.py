"""What a candidate's layers of random output are to do so that they drop what the reference's layers dropped.

Of the reference comes which elements were kept; the arithmetic stays the candidate's: its own p, its own factor as a
rehearsal showed it. So a port with another p, or one that forgets to scale, still differs and is found. Where a layer
cannot be replayed without hiding such a thing it is not replayed, and named.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ml_dtypes
import numpy as np

from tracer.divergence.case import few
from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.rules import value_of
from tracer.divergence.sampled import Sampled, divisor_of, ends, sampled, slack_of
from tracer.frameworks.base import FLOATS
from tracer.frameworks.replaying import Replay, Replays
from tracer.starting_point.random_layers.effects import ALPHA, CHANNELS, Effect, Effects, dropped_by_code
from tracer.trace.schema import Plain, Value

Array = np.ndarray[Any, Any]

_BY_CHANCE = 1e-2
"""How probable it may be that a mask looks as if it were drawn by groups when it is not."""


@dataclass(frozen=True)
class Plan:
    """What the candidate's layers are to do, and sentences about it: what is replayed, and what is not and why.
    `refused` are those reasons by the reference's call, or the candidate's where the reference has no such layer."""

    replays: Replays = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    refused: Mapping[CallId, str] = field(default_factory=dict)


class _Refused(Exception):  # noqa: N818  (a signal between functions of this file)
    """Why a call is not replayed."""


def replacements(effects: Effects, alignment: Mapping[CallId, CallId], candidate: CallGraph) -> Plan:
    """Say what each random layer of the candidate is to do.

    Args:
        effects: what the reference's layers did.
        alignment: the candidate's call of each reference's call, by the rehearsal.
        candidate: the calls of a rehearsal of the candidate, in the mode and on the samples of the recording to come.
    """
    plans: dict[str, dict[int, Replay]] = {}
    notes: dict[str, None] = {}
    refused: dict[CallId, str] = dict(effects.refused)
    unseen = 0
    for id_, effect in effects.found.items():
        partner = alignment.get(id_)
        node = candidate.nodes.get(partner) if partner is not None else None
        try:
            replay, note = _replay(effect, node, candidate)
        except _Refused as why:
            if _drew(effect) or (node is not None and node.draws):
                refused[id_] = str(why)
            continue
        assert node is not None
        plans.setdefault(node.id.path, {})[node.id.call] = replay
        unseen += effect.unknown
        if note:
            notes[note] = None
    said = [f"{id_.path}: its randomness is not replayed, {why}" for id_, why in refused.items()]
    answered = {alignment[id_] for id_ in (*effects.found, *effects.refused) if id_ in alignment}
    for id_ in candidate.units:
        if candidate.nodes[id_].draws and id_ not in answered:
            refused[id_] = "no layer of the reference that draws answers it"
            said.append(f"{id_.path}: it draws in the candidate, and {refused[id_]}")
    for word, calls in (("reference", effects.code), ("candidate", tuple(dropped_by_code(candidate)))):
        if calls:
            said.append(
                f"code between layers of the {word} seems to drop before {few(id_.path for id_ in calls)}: what code "
                "drops (F.dropout) is not replayed; make it a layer on both sides"
            )
    if unseen:
        said.append(
            f"of {unseen} elements it could not be seen whether they were dropped, as they were 0: they are kept, "
            "which changes no output, but may change gradients"
        )
    if plans:
        said.insert(0, f"randomness replayed from the reference at {few(plans)}")
    return Plan(plans, tuple(dict.fromkeys((*said, *notes))), refused)


def _drew(effect: Effect) -> bool:
    """Did the reference's call do more than hand its input on?"""
    return bool(effect.op) or not effect.field.all() or effect.scale not in {None, 1.0}


def _replay(effect: Effect, node: Node | None, candidate: CallGraph) -> tuple[Replay, str | None]:
    """What one call is to give, and what a reader must know of it."""
    if node is None:
        raise _Refused("no call of the candidate answers it")
    where = f"{node.layer.kind} {node.id.path}"
    if node.hidden or not node.unit:
        raise _Refused(f"{where} of the candidate holds layers of its own")
    if not node.call.training and node.meaning.mode != "always random":
        raise _Refused(f"{where} of the candidate is in evaluation mode")
    given, gave = ends(node.call)
    if given is None or gave is None or (given.shape, given.dtype) != (gave.shape, gave.dtype):
        raise _Refused(f"{where} of the candidate does not give one tensor like the one it is given")
    if given.dtype not in FLOATS:
        raise _Refused(f"the numbers of the candidate are {given.dtype}")
    if given.shape != effect.shape:
        raise _Refused(f"its input is {effect.shape} in the reference and {given.shape} in the candidate")
    if node.layer.settings.get("inplace") is True and any("mindspore" in base for base in node.layer.bases):
        raise _Refused(f"{where} of the candidate works in place")
    if effect.form == "slopes":
        return _slopes(effect, node, given), None
    if effect.form == "alpha":
        return _alpha(effect, node, given), None
    return _mask(effect, node, given, candidate)


# --------------------------------------------------------------------------------------------------------------------
# Masks
# --------------------------------------------------------------------------------------------------------------------


def _mask(effect: Effect, node: Node, given: Value, candidate: CallGraph) -> tuple[Replay, str | None]:
    op = node.meaning.op
    if op and (node.meaning.family != "dropout" or "alpha" in op):
        raise _Refused(f"the candidate's layer there is a {node.layer.kind}")
    if op and not node.draws:
        raise _Refused("the candidate's layer is set to draw nothing")
    if op and effect.op and (op in CHANNELS) != (effect.op in CHANNELS):
        raise _Refused(f"it is {effect.op} in the reference and {op} in the candidate")
    seen = sampled(node.call)
    if not op:
        if seen is None or not seen.levels:
            raise _Refused("in the candidate the layer does not multiply by 0 or one factor")
        if not node.draws and seen.kept.all() and seen.scale == 1:
            raise _Refused("the candidate's layer dropped nothing when it was tried")
    narrow = slack_of(given.dtype)[0]
    if seen is not None and not (op and effect.op):
        _same_groups(effect, seen)
    if seen is not None and not op and not _same_backward(node, seen, narrow):
        raise _Refused("in the candidate the layer does not hand gradients on as it hands on numbers")
    measured = [seen, *(sampled(other.call) for other in candidate.nodes.values() if other.id.path == node.id.path)]
    shown = next((one.scale for one in measured if one is not None and one.levels and one.scale is not None), None)
    divisor, scale, note = _scale(effect, node, shown, narrow)
    if (
        not effect.field.any()
        and (effect.scale is None or abs(scale / effect.scale - 1) > narrow)
        and not _same_p(effect, divisor)
    ):
        raise _Refused("the reference kept nothing, so that another p would not show")
    return Replay(effect.shape, _levels(effect.field, divisor, scale, given.dtype), like=effect.like), note


def _same_p(effect: Effect, divisor: float | None) -> bool:
    return bool(effect.p) and divisor is not None and abs(1 - effect.p[0] - divisor) <= 1e-6


def _scale(effect: Effect, node: Node, measured: float | None, narrow: float) -> tuple[float | None, float, str | None]:
    """The candidate's own factor of what is kept: the number that it divides by where that is known, the factor, and a
    note where it had to be taken from the reference."""
    p = value_of(node.meaning, "p", 0.5) if node.meaning.family == "dropout" else None
    if isinstance(p, int | float):
        divisor = 1.0 - p
        scale = 1 / divisor if divisor else 0.0
        if measured is None or abs(measured - scale) <= narrow * abs(scale):
            return divisor, scale, None
    settings = node.layer.settings
    if measured is not None:
        stands_for = divisor_of(settings, measured, narrow)
        return stands_for, 1 / stands_for if stands_for else measured, None
    stated = _stated(settings)
    if stated is not None and settings.get("scale_by_keep") is not False:
        return stated, 1 / stated, None
    note = (
        f"{node.id.path} dropped all when it was tried: its own factor is not known, the reference's is used, and a "
        "fault in it would not show"
    )
    return None, effect.scale if effect.scale is not None else 1.0, note


_DROPPED = ("drop_prob", "drop_rate", "drop_path_rate", "p", "rate", "prob")
_KEPT = ("keep_prob", "keep_rate", "survival_prob")
"""Attributes under which classes hold the share that they drop, or keep."""


def _stated(settings: Mapping[str, Plain]) -> float | None:
    """The share that a layer keeps, as its settings say it."""
    shares = [settings.get(name) for name in _KEPT]
    shares += [1.0 - p for name in _DROPPED if isinstance(p := settings.get(name), float)]
    return next((share for share in shares if isinstance(share, float) and 0 < share < 1), None)


def _same_groups(effect: Effect, seen: Sampled) -> None:
    """The candidate must drop in groups as the reference does (samples, channels, elements), as far as one can tell."""
    mask, places, kept = effect.field, seen.places, seen.kept
    if not mask.any() or mask.all():
        return
    share = min(max(float(mask.mean()), 0.05), 0.95)
    axes = next((n for n in range(mask.ndim, 0, -1) if mask.shape[n - 1] != 1), 0)
    by_group = mask.size < math.prod(effect.shape)
    groups = places // max(1, math.prod(effect.shape[axes:] if by_group else effect.shape[1:]))
    ones = [kept[groups == group] for group in np.unique(groups)]
    mixed = any(inside.any() and not inside.all() for inside in ones)
    if by_group and mixed:
        raise _Refused("the reference drops whole samples or channels, the candidate single elements")
    alike = share ** len(ones) + (1 - share) ** len(ones)
    if by_group and len({bool(inside[0]) for inside in ones}) == 1 and alike < _BY_CHANCE:
        raise _Refused("the reference drops samples or channels one by one, the candidate all or none of them")
    chance = math.prod(share ** len(inside) + (1 - share) ** len(inside) for inside in ones)
    if not by_group and not mixed and chance < _BY_CHANCE and not kept.all():
        raise _Refused("the reference drops single elements, the candidate whole samples")


def _same_backward(node: Node, seen: Sampled, slack: float) -> bool:
    """Are the gradients of the rehearsal, where it has some, multiplied by the same factors?"""
    into, out = node.call.grad_inputs, node.call.grad_outputs
    if len(into) != 1 or len(out) != 1 or into[0].statistics is None or out[0].statistics is None:
        return True
    count = math.prod(into[0].shape)
    handed, came = np.array(into[0].statistics.sample), np.array(out[0].statistics.sample)
    places = np.round(np.linspace(0, count - 1, handed.size)).astype(np.int64)
    here = np.isin(places, seen.places)
    if into[0].shape != out[0].shape or here.sum() != seen.places.size:
        return True
    factor = np.where(seen.kept, seen.scale or 0.0, 0.0)
    off = np.abs(handed[here] - factor * came[here])
    return bool((off <= slack * np.abs(factor * came[here]) + 1e-30).all())


def _levels(mask: Array, divisor: float | None, scale: float, dtype: str) -> Array:
    """The factors in the candidate's dtype, computed as a framework does: what is kept divided by 1 - p in float32 (of
    float64 in that), then rounded."""
    wide = np.float64 if dtype == "float64" else np.float32
    kept = wide(1) / wide(divisor) if divisor else wide(scale)
    return _narrow(np.where(mask, kept, wide(0)), dtype)


def _narrow(array: Array, dtype: str) -> Array:
    return np.asarray(array).astype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)


# --------------------------------------------------------------------------------------------------------------------
# AlphaDropout, RReLU
# --------------------------------------------------------------------------------------------------------------------


def _alpha(effect: Effect, node: Node, given: Value) -> Replay:
    if node.meaning.op != effect.op:
        raise _Refused(f"the candidate's layer there is a {node.layer.kind}, whose constants are not known")
    p = value_of(node.meaning, "p", 0.5)
    if not isinstance(p, int | float) or not 0 < p < 1:
        raise _Refused("the candidate's layer is set to draw nothing")
    wide: Any = np.float64 if given.dtype == "float64" else np.float32
    a = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    noise: Array = effect.field.astype(wide)
    shift = (noise - wide(1)) * wide(ALPHA * a) + wide(ALPHA * a * p)
    return Replay(effect.shape, _narrow(noise * wide(a), given.dtype), _narrow(shift, given.dtype), like=effect.like)


def _slopes(effect: Effect, node: Node, given: Value) -> Replay:
    if node.meaning.op != "rrelu":
        raise _Refused(f"the candidate's layer there is a {node.layer.kind}")
    bounds = [value_of(node.meaning, name, other) for name, other in (("lower", 1 / 8), ("upper", 1 / 3))]
    if not all(isinstance(bound, int | float) for bound in bounds):
        raise _Refused("the bounds of the candidate's layer are not known")
    lower, upper = (float(bound) for bound in bounds)  # type: ignore[arg-type]
    slopes = effect.field
    was = effect.p
    if abs(lower - was[0]) > 1e-6 or abs(upper - was[1]) > 1e-6:
        share = (slopes - was[0]) / (was[1] - was[0])
        slopes = lower + share * (upper - lower)
    return replace(Replay(effect.shape, _narrow(slopes, given.dtype), like=effect.like), below=True)
