"""One trace looked at step by step, in the order in which a step computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np

from tracer.divergence.births.backward import Backward, anything_odd
from tracer.divergence.births.born import Birth, Fate, Mask, NotFinite
from tracer.divergence.births.forward import walk_forward
from tracer.divergence.births.ledger import Ledger
from tracer.divergence.births.masks import ReadSign, find_masks
from tracer.divergence.births.reasons import healing
from tracer.divergence.births.scene import Scene, odd
from tracer.divergence.births.training import fate, walk_losses, walk_update
from tracer.divergence.case import TraceLike
from tracer.divergence.comparison import ArrayReader
from tracer.divergence.graph import call_graph
from tracer.divergence.rules import UserRule
from tracer.trace.schema import Parameter, Place, Skeleton, Step, Value


def births(skeleton: Skeleton, step: int | None = None) -> tuple[Birth, ...]:
    """Where NaN and Inf were born in one step, or in all; the first is first."""
    return survey(skeleton, step).births


def survey(
    skeleton: Skeleton,
    step: int | None = None,
    *,
    arrays: ArrayReader | None = None,
    rules: Sequence[UserRule] = (),
) -> NotFinite:
    """All that is to be told of numbers that are not finite.

    Args:
        skeleton: the trace.
        step: the number of one step; None looks at all.
        arrays: the trace, to look at the sign of infinities that may be a mask; without it statistics must do.
        rules: the user's own layers.
    """
    found: list[Birth] = []
    masks: list[Mask] = []
    fates: list[Fate] = []
    spoilt: frozenset[Place] = frozenset()
    for index, one in enumerate(skeleton.steps):
        after = frozenset(place for place, value in one.parameters_after.items() if odd(value))
        if step in {None, one.number}:
            told = _step(skeleton, index, _signs(arrays), rules, spoilt)
            found += told.births
            masks += told.masks
            fates += told.fates
        spoilt = after if one.parameters_after else spoilt
    return NotFinite(tuple(found), tuple(masks), tuple(fates))


def survey_both(traces: tuple[TraceLike, TraceLike]) -> tuple[NotFinite, NotFinite]:
    """Both sides of a diff."""
    ours, theirs = (survey(trace.skeleton, arrays=trace) for trace in traces)
    return ours, theirs


def _step(
    skeleton: Skeleton, index: int, signs: ReadSign, rules: Sequence[UserRule], inherited: frozenset[Place]
) -> NotFinite:
    step = skeleton.steps[index]
    if step.keep == "curve":
        told = fate(Scene(skeleton, step, call_graph(skeleton, index, rules)), (), inherited=False)
        return NotFinite(fates=() if told is None else (told,))
    if not any(map(odd, _values(skeleton, step))):
        return NotFinite()
    scene = Scene(skeleton, step, call_graph(skeleton, index, rules))
    masks = find_masks(scene, signs)
    ledger = Ledger()
    walk_forward(scene, ledger, inherited=inherited)
    walk_losses(scene, ledger)
    if anything_odd(scene) and not inherited:
        Backward(scene, ledger).walk()
    if step.keep:
        walk_update(scene, ledger)
    closed = tuple(healing(birth, scene) for birth in ledger.closed())
    told = fate(scene, closed, inherited=bool(inherited))
    return NotFinite(closed, masks, () if told is None else (told,))


def _values(skeleton: Skeleton, step: Step) -> Iterator[Value | Parameter]:
    """Every recorded value of a step."""
    for call in step.calls:
        yield from chain(call.inputs, call.kwargs, call.outputs, call.grad_inputs, call.grad_outputs)
    for loss in step.losses:
        yield from (loss.value, *loss.inputs, *([loss.gradient] if loss.gradient is not None else []))
    yield from chain.from_iterable(step.gradient_parts.values())
    for values in (
        step.parameter_gradients,
        step.parameters_before,
        step.parameters_after,
        step.update_gradients,
    ):
        yield from values.values()
    if not step.parameters_before:
        yield from chain.from_iterable(layer.parameters for layer in skeleton.layers.values())


def _signs(arrays: ArrayReader | None) -> ReadSign:
    def all_negative(value: Value | Parameter) -> bool | None:
        if arrays is None or value.stored is None or value.dtype.startswith("complex"):
            return None
        return not any(bool(np.isposinf(block.astype(np.float64)).any()) for block in arrays.blocks(value))

    return all_negative
