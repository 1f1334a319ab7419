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
from tracer.frameworks.replaying import Replay, Replays
from tracer.starting_point.effects import ALPHA, CHANNELS, Effect, Effects, ends, may_drop, sampled, slack_of
from tracer.trace.schema import Value

Array = np.ndarray[Any, Any]

_BY_CHANCE = 1e-6
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
        try:
            partner = alignment.get(id_)
            node = candidate.nodes.get(partner) if partner is not None else None
            replay, note = _replay(effect, node)
        except _Refused as why:
            if effect.op or partner is not None and node is not None and _draws(node):
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
    if effects.code:
        said.append(
            f"code between layers seems to drop before {few(id_.path for id_ in effects.code)}: what code drops "
            "(F.dropout) is not replayed; make it a layer on both sides"
        )
    if unseen:
        said.append(
            f"of {unseen} elements it could not be seen whether they were dropped, as they were 0: they are kept, which "
            "changes no output, but may change gradients"
        )
    if plans:
        said.insert(0, f"randomness replayed from the reference at {few(plans)}")
    return Plan(plans, tuple(dict.fromkeys((*said, *notes))), refused)


def _draws(node: Node) -> bool:
    return node.draws or may_drop(node)


def _replay(effect: Effect, node: Node | None) -> tuple[Replay, str | None]:
    """What one call is to give, and what a reader must know of it."""
    if node is None:
        raise _Refused("no call of the candidate answers it")
    where = f"{node.layer.kind} {node.id.path}"
    if node.hidden or not node.unit:
        raise _Refused(f"{where} of the candidate holds layers of its own")
    if not node.call.training and node.meaning.mode != "always random":
        raise _Refused(f"{where} of the candidate is in evaluation mode")
    given, gave = ends(node)
    if given is None or gave is None:
        raise _Refused(f"{where} of the candidate does not give one tensor for one")
    if given.shape != effect.shape:
        raise _Refused(f"its input is {effect.shape} in the reference and {given.shape} in the candidate")
    if node.layer.settings.get("inplace") is True and any("mindspore" in base for base in node.layer.bases):
        raise _Refused(f"{where} of the candidate works in place")
    if effect.form == "slopes":
        return _slopes(effect, node, given), None
    if effect.form == "alpha":
        return _alpha(effect, node, given), None
    return _mask(effect, node, given)


# --------------------------------------------------------------------------------------------------------------------
# Masks
# --------------------------------------------------------------------------------------------------------------------


def _mask(effect: Effect, node: Node, given: Value) -> tuple[Replay, str | None]:
    op = node.meaning.op
    if op and (node.meaning.family != "dropout" or "alpha" in op):
        raise _Refused(f"the candidate's layer there is a {node.layer.kind}")
    if op and not node.draws:
        raise _Refused("the candidate's layer is set to draw nothing")
    if op and effect.op and (op in CHANNELS) != (effect.op in CHANNELS):
        raise _Refused(f"it is {effect.op} in the reference and {op} in the candidate")
    seen = sampled(node)
    if not op:
        if seen is None or not seen.levels:
            raise _Refused("in the candidate the layer does not multiply by 0 or one factor")
        if not node.draws and seen.kept.all() and seen.scale == 1:
            raise _Refused("the candidate's layer dropped nothing when it was tried")
    if seen is not None and not op:
        _same_groups(effect, seen.places, seen.kept)
    narrow = slack_of(given.dtype)[0]
    divisor, scale, note = _scale(effect, node, seen.scale if seen is not None else None, narrow)
    if not effect.field.any() and (effect.scale is None or abs(scale / effect.scale - 1) > narrow) and not _same_p(
        effect, divisor
    ):
        raise _Refused("the reference kept nothing, so that another p would not show")
    return Replay(effect.shape, _levels(effect.field, divisor, scale, given.dtype), like=effect.like), note


def _same_p(effect: Effect, divisor: float | None) -> bool:
    return bool(effect.p) and divisor is not None and abs(1 - effect.p[0] - divisor) <= 1e-6


def _scale(
    effect: Effect, node: Node, measured: float | None, narrow: float
) -> tuple[float | None, float, str | None]:
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
        divisor = next((d for d in _divisors(node) if abs(measured * d - 1) <= narrow), None)
        return divisor, 1 / divisor if divisor else measured, None
    stated = [settings.get(name) for name in ("drop_prob", "drop_rate", "drop_path_rate", "p", "rate", "prob")]
    p = next((value for value in stated if isinstance(value, float) and 0 < value < 1), None)
    if p is not None and settings.get("scale_by_keep") is not False:
        return 1.0 - p, 1 / (1.0 - p), None
    note = (
        f"{node.id.path} dropped all when it was tried: its own factor is not known, the reference's is used, and a "
        "fault in it would not show"
    )
    return None, effect.scale if effect.scale is not None else 1.0, note


def _divisors(node: Node) -> list[float]:
    """Numbers a layer may divide by what it keeps, as its settings say: 1 - p, or the share that is kept."""
    shares = [v for v in node.layer.settings.values() if isinstance(v, float) and 0 < v < 1]
    return [d for share in shares for d in (1.0 - share, share)]


def _same_groups(effect: Effect, places: Array, kept: Array) -> None:
    """The candidate must drop in groups as the reference does (samples, channels, elements), as far as one can tell."""
    mask = np.broadcast_to(effect.field, effect.shape)
    share = min(max(float(effect.field.mean()), 0.05), 0.95)
    axes = next((n for n in range(effect.field.ndim, 0, -1) if effect.field.shape[n - 1] != 1), 0)
    inner = max(1, math.prod(effect.shape[axes:]))
    if effect.field.size < mask.size and (effect.field.any() and not effect.field.all()):
        groups = places // inner
        for group in np.unique(groups):
            inside = kept[groups == group]
            if inside.any() and not inside.all():
                raise _Refused("the reference drops whole samples or channels, the candidate single elements")
        return
    if effect.field.size == mask.size and len(effect.shape) > 1:
        rows = places // max(1, math.prod(effect.shape[1:]))
        chance = 1.0
        for row in np.unique(rows):
            inside = kept[rows == row]
            if inside.any() and not inside.all():
                return
            chance *= share ** len(inside) + (1 - share) ** len(inside)
        if chance < _BY_CHANCE and not kept.all():
            raise _Refused("the reference drops single elements, the candidate whole samples")


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
    wide = np.float64 if given.dtype == "float64" else np.float32
    a = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    noise = effect.field.astype(wide)
    shift = (noise - wide(1)) * wide(ALPHA * a) + wide(ALPHA * a * p)
    return Replay(
        effect.shape, _narrow(noise * wide(a), given.dtype), _narrow(shift, given.dtype), like=effect.like
    )


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
