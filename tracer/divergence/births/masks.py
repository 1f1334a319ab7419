"""Infinities that are no fault: masks, which code makes on purpose and a softmax consumes.

A mask is -inf and no NaN; it comes from code, from the caller, from a buffer, or from a class of the user's own, never
out of a layer that computes; and what takes it is a softmax or an attention, or a class of which nothing is known and
whose results are finite. Statistics do not tell the sign of an infinity: with `read` the array is looked at, without it
a tensor that is zero but for its infinities passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from tracer.divergence.births.born import Mask
from tracer.divergence.births.scene import Key, Scene, finite_floats, odd
from tracer.divergence.graph import CallId, Node
from tracer.trace.schema import Parameter, Value

ReadSign = Callable[[Value | Parameter], bool | None]
"""Are all infinities of a value negative? None where its array is not kept."""

_CONSUMERS = ("softmax*", "log_softmax", "softmin", "multi_head_attention", "*attention*", "transformer_*")


def find_masks(scene: Scene, all_negative: ReadSign) -> tuple[Mask, ...]:
    """The masks among the values of a step; puts them into `scene.masks` and `scene.buffers`."""
    found = list(_buffers(scene, all_negative))
    for id_, side in scene.events():
        node = scene.graph.nodes[id_]
        for value in node.inputs if side == "input" else node.outputs:
            key = scene.key(id_, side, value)
            if not odd(value) or key in scene.masks or key.order != node.call.order:
                continue
            if _may_make(scene, id_, side) and _is_mask(scene, id_, key, value, all_negative):
                scene.masks.add(key)
                known = value.statistics
                takers = scene.names(_takers(scene, key))
                counts = (known.inf, known.count) if known is not None else (0, 0)
                found.append(Mask(scene.step.number, id_.path, side, value.leaf, *counts, next(iter(takers), None)))
    return tuple(found)


def _buffers(scene: Scene, all_negative: ReadSign) -> Iterator[Mask]:
    """Buffers of classes that compute nothing known, with -inf and no NaN."""
    layers = scene.skeleton.layers.items()
    trained = {(path, p.name) for path, layer in layers for p in layer.parameters if p.trainable and not p.buffer}
    for (path, name), value in scene.held.items():
        fixed = (path, name) not in trained
        means = scene.graph.meanings.get(path)
        if not odd(value) or not fixed or not _no_nan(value) or (means is not None and means.op):
            continue
        negative = all_negative(value)
        known = value.statistics
        if negative is not False and (negative or _zero(value)) and known is not None:
            scene.buffers.add((path, name))
            yield Mask(scene.step.number, path, "buffer", name, known.inf, known.count)


def _may_make(scene: Scene, id_: CallId, side: str) -> bool:
    """Can a mask come from there: from code or the caller, from a class of the user's own, from a layer that hands its
    input on?"""
    node = scene.graph.nodes[id_]
    if side == "output" and node.unit:
        made_of = [(id_, "input", v) for v in node.inputs]
    else:
        made_of = scene.at_hand(node.parent, id_) if side == "input" else scene.at_hand(id_, None)
    if any(scene.spoilt(call, s, v) for call, s, v in made_of):
        return False  # it may be so since another number is
    if side == "input" or not node.unit or not node.meaning.op:
        return True
    return node.meaning.transparent and any(scene.key(id_, "input", v) in scene.masks for v in node.inputs)


def _is_mask(scene: Scene, id_: CallId, key: Key, value: Value, all_negative: ReadSign) -> bool:
    negative = all_negative(value) if _no_nan(value) else False
    if negative is False:
        return False
    takers = _takers(scene, key)
    if not takers:  # code alone took it
        scope = scene.graph.nodes[id_] if key.side == "input" else None
        parent = scene.graph.nodes[id_].parent
        around = scope or (scene.graph.nodes[parent] if parent is not None else None)
        if around is None or (key.side == "output" and _handed_out(around, key)):
            return False
        return _zero(value) or (negative is True and finite_floats(around.outputs))
    return all(_consumes(scene, scene.graph.nodes[taker], value, all_negative) for taker in takers)


def _handed_out(node: Node, key: Key) -> bool:
    return any(v.maker and (v.maker.order, v.maker.side, v.maker.leaf) == key for v in node.outputs)


def _takers(scene: Scene, key: Key) -> list[CallId]:
    """The innermost calls that took it, without those that hand it on."""
    takers = [t for t in scene.takers.get(key, ()) if not scene.graph.nodes[t].meaning.transparent]
    return [t for t in takers if not any(t in scene.graph.ancestors(other) for other in takers)]


def _consumes(scene: Scene, node: Node, value: Value, all_negative: ReadSign) -> bool:
    """Does a call do with it what is done with masks?"""
    finite, negative = finite_floats(node.outputs), all_negative(value)
    sure = negative is True or _zero(value)
    if any(fnmatchcase(node.meaning.op, pattern) for pattern in _CONSUMERS):
        return finite or sure
    if node.unit and node.meaning.op:
        return False
    if finite or not sure:
        return finite and sure
    spoilt = [(scene.key(node.id, "output", v), v) for v in node.outputs if odd(v)]
    handed_on = all(
        key.order >= node.call.order and _is_mask(scene, node.id, key, v, all_negative) for key, v in spoilt
    )  # a class that adds a mask to scores
    return handed_on or (negative is True and _zero(value))


def _no_nan(value: Value | Parameter) -> bool:
    known = value.statistics
    return known is not None and known.nan == 0 and known.inf > 0


def _zero(value: Value | Parameter) -> bool:
    """Is it zero but for its infinities?"""
    known = value.statistics
    return known is not None and known.minimum == known.maximum == 0
