"""Infinities that are no fault: masks, which code makes on purpose and a softmax consumes.

A mask is -inf and no NaN; it comes from code, from the caller, from a buffer, or from a class of the user's own, never
out of a layer that computes; and what takes it is a softmax or an attention, or a class of which nothing is known and
whose results are finite. Statistics do not tell the sign of an infinity: with `read` the array is looked at, without it
a tensor that is zero but for its infinities passes.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from tracer.divergence.births.born import Mask
from tracer.divergence.births.scene import Key, Scene, finite_floats, odd
from tracer.divergence.graph import CallId, Node
from tracer.trace.schema import Parameter, Value

ReadSign = Callable[[Value | Parameter], bool | None]
"""Are all infinities of a value negative? None where its array is not kept."""

_CONSUMERS = ("softmax*", "log_softmax", "softmin", "multi_head_attention", "*attention*", "transformer_*")


def find_masks(scene: Scene, all_negative: ReadSign) -> tuple[Mask, ...]:
    """The masks among the values of a step; puts them into `scene.masks`."""
    found = []
    for id_, side in scene.events():
        node = scene.graph.nodes[id_]
        for value in node.inputs if side == "input" else node.outputs:
            key = scene.key(id_, side, value)
            if not odd(value) or key in scene.masks or key.order != node.call.order:
                continue
            if _may_make(scene, id_, side) and _is_mask(scene, id_, key, value, all_negative(value)):
                scene.masks.add(key)
                known = value.statistics
                takers = scene.names(_takers(scene, key))
                counts = (known.inf, known.count) if known is not None else (0, 0)
                found.append(Mask(scene.step.number, id_.path, side, value.leaf, *counts, next(iter(takers), None)))
    return tuple(found)


def blamable(parameter: Parameter | Value) -> bool:
    """Is a parameter not finite, and no buffer that holds a mask (zero but for infinities)?"""
    fixed = isinstance(parameter, Value) or not parameter.trainable
    return odd(parameter) and not (fixed and _no_nan(parameter) and _zero(parameter))


def _may_make(scene: Scene, id_: CallId, side: str) -> bool:
    """Can a mask come from there: from code or the caller, from a class of the user's own, from a layer that hands its
    input on?"""
    node = scene.graph.nodes[id_]
    if side == "input" or not node.unit or not node.meaning.op:
        return True
    return node.meaning.transparent and any(scene.key(id_, "input", v) in scene.masks for v in node.inputs)


def _is_mask(scene: Scene, id_: CallId, key: Key, value: Value, negative: bool | None) -> bool:
    if negative is False or not _no_nan(value):
        return False
    takers = _takers(scene, key)
    if not takers:  # code alone took it
        scope = scene.graph.nodes[id_] if key.side == "input" else None
        parent = scene.graph.nodes[id_].parent
        around = scope or (scene.graph.nodes[parent] if parent is not None else None)
        if around is None or (key.side == "output" and _handed_out(around, key)):
            return False
        return _zero(value) or (negative is True and finite_floats(around.outputs))
    return all(_consumes(scene.graph.nodes[taker], value, negative) for taker in takers)


def _handed_out(node: Node, key: Key) -> bool:
    return any(v.maker and (v.maker.order, v.maker.side, v.maker.leaf) == key for v in node.outputs)


def _takers(scene: Scene, key: Key) -> list[CallId]:
    """The innermost calls that took it, without those that hand it on."""
    takers = [t for t in scene.takers.get(key, ()) if not scene.graph.nodes[t].meaning.transparent]
    return [t for t in takers if not any(t in scene.graph.ancestors(other) for other in takers)]


def _consumes(node: Node, value: Value, negative: bool | None) -> bool:
    finite = finite_floats(node.outputs)
    sure = negative is True or _zero(value)
    if any(fnmatchcase(node.meaning.op, pattern) for pattern in _CONSUMERS):
        return finite or sure
    if node.unit and node.meaning.op:
        return False
    return (finite and sure) or _zero(value)


def _no_nan(value: Value | Parameter) -> bool:
    known = value.statistics
    return known is not None and known.nan == 0 and known.inf > 0


def _zero(value: Value | Parameter) -> bool:
    """Is it zero but for its infinities?"""
    known = value.statistics
    return known is not None and known.minimum == known.maximum == 0
