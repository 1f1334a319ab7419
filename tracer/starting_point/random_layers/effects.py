"""What a net's layers of random output did in a recorded run: read from what went into them and what came out.

Dropout and its kin multiply by 0 or by one factor, for each element, channel or sample; what is kept of a call is which
of the two, a *mask*, and not the numbers: the factor of the candidate is its own affair. RReLU draws slopes. Where an
input is exactly 0 its output tells nothing, but the gradients of the call do, where the trace has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from tracer.divergence.graph import CallGraph, CallId, Node
from tracer.divergence.rules import value_of
from tracer.divergence.sampled import by_sign, ends, may_draw, one_scale, sampled_between, says_that_it_draws, slack_of
from tracer.frameworks.base import FLOATS
from tracer.trace.reader import Trace
from tracer.trace.schema import Value

Array = np.ndarray[Any, Any]
Form = Literal["mask", "alpha", "slopes"]

CHANNELS = {"dropout1d": 1, "dropout2d": 2, "dropout3d": 3, "feature_alpha_dropout": 0}
"""Layers that drop whole channels, and how many axes a channel has (0: all but the first two)."""

ALPHA = 1.7580993408473766
"""torch's constant of AlphaDropout: the negative limit of SELU."""


@dataclass(frozen=True, eq=False)
class Effect:
    """What one call did.

    `field` is the mask (bool, True where kept) or the slopes (float64), broadcastable to `shape`, the input's. `scale`
    is the factor of what was kept, as it was seen (None where nothing was kept). `unknown` counts the elements of which
    nothing could be seen: they are taken as kept. `p` is the layer's setting where a rule knows it, for slopes
    (lower, upper).
    """

    call: CallId
    form: Form
    op: str
    shape: tuple[int, ...]
    field: Array
    like: str
    scale: float | None = None
    unknown: int = 0
    p: tuple[float, ...] = ()


@dataclass(frozen=True)
class Effects:
    """What could be read, and why the rest could not. `code` are calls before which code between layers seems to
    drop."""

    found: Mapping[CallId, Effect] = field(default_factory=dict)
    refused: Mapping[CallId, str] = field(default_factory=dict)
    code: tuple[CallId, ...] = ()


class _Refused(Exception):  # noqa: N818  (a signal between functions of this file)
    """Why an effect cannot be read."""


def effects(trace: Trace, graph: CallGraph) -> Effects:
    """Read what every call of a random layer did, and every call of a class no rule knows that multiplies by 0 or one
    factor as a DropPath does.

    Args:
        trace: a recording in training mode, with arrays.
        graph: its calls.

    Raises:
        TraceFileError: the file does not hold an array that it names.
    """
    found: dict[CallId, Effect] = {}
    refused: dict[CallId, str] = {}
    for id_ in graph.units:
        node = graph.nodes[id_]
        if not node.draws and (node.meaning.op or node.layer.children or not may_draw(node.layer, node.call)):
            continue
        try:
            found[id_] = _effect(trace, node)
        except _Refused as why:
            if node.draws:
                refused[id_] = str(why)
    return Effects(found, refused, tuple(dropped_by_code(graph)))


def _effect(trace: Trace, node: Node) -> Effect:
    op = node.meaning.op
    if op and node.meaning.family != "dropout" and op != "rrelu":
        raise _Refused("it draws inside, where no recording sees what")
    given, gave = ends(node.call)
    if given is None or gave is None or given.shape != gave.shape:
        raise _Refused("it does not give one tensor of its input's shape")
    for value in (given, gave):
        if value.stored is None:
            raise _Refused(value.missing or "the reference keeps no arrays, only statistics")
    if not gave.digest:
        raise _Refused("the reference has no digest of what it gave")
    x, y = (np.asarray(trace.array(value)).astype(np.float64) for value in (given, gave))
    if not {given.dtype, gave.dtype} <= FLOATS:
        raise _Refused(f"its numbers are {given.dtype}")
    slack = slack_of(given.dtype, gave.dtype)
    if op == "rrelu":
        return _slopes(trace, node, given, gave, x, y)
    if "alpha" in op:
        return _alpha(node, gave, x, y, slack)
    return _mask(trace, node, given, gave, x, y, slack)


# --------------------------------------------------------------------------------------------------------------------
# Masks
# --------------------------------------------------------------------------------------------------------------------


def _mask(
    trace: Trace, node: Node, given: Value, gave: Value, x: Array, y: Array, slack: tuple[float, float]
) -> Effect:
    known = np.isfinite(x) & np.isfinite(y) & (x != 0)
    kept = y != 0
    scale = one_scale(x[known & kept], y[known & kept], slack) if (known & kept).any() else None
    if scale is None and (known & kept).any():
        raise _Refused("what it gives is not its input times 0 or one factor")
    if not node.meaning.op and not node.draws and not _is_random(node, x, kept, known, scale):
        raise _Refused("nothing says that it draws")
    idle = _by_gradients(trace, node, given, gave, kept, known)
    mask, known = _in_groups(kept, known, node.meaning.op)
    unknown = int((~np.broadcast_to(known, x.shape) & ~idle).sum())
    return Effect(node.id, "mask", node.meaning.op, x.shape, mask | ~known, gave.digest or "", scale, unknown, _p(node))


def _is_random(node: Node, x: Array, kept: Array, known: Array, scale: float | None) -> bool:
    """Of a class that no rule knows: does it draw what it keeps? Besides what samples tell, whole samples that vanish
    speak for it."""
    if not known.any() or by_sign((x > 0)[known], kept[known]):
        return False
    rows = kept.reshape(len(kept), -1) if kept.ndim else kept.reshape(1, 1)
    seen = known.reshape(rows.shape)
    full, empty = (rows | ~seen).all(axis=1), (~rows | ~seen).all(axis=1)
    by_sample = bool((full | empty).all() and (empty & seen.any(axis=1)).any() and rows.shape[1] > 1)
    return by_sample or says_that_it_draws(node.layer, (x > 0)[known], kept[known], scale)


def _by_gradients(trace: Trace, node: Node, given: Value, gave: Value, kept: Array, known: Array) -> Array:
    """Fill in what the values do not tell from the gradients that came in and went out of the call. Gives where none
    came, so that it does not matter what was dropped."""
    into = next((v for v in node.call.grad_inputs if v.leaf == given.leaf), None)
    out = next((v for v in node.call.grad_outputs if v.leaf == gave.leaf), None)
    idle = np.zeros(kept.shape, bool)
    if known.all() or into is None or out is None or into.stored is None or out.stored is None:
        return idle
    if into.shape != kept.shape or out.shape != kept.shape:
        return idle
    handed, came = (np.asarray(trace.array(value)).astype(np.float64) for value in (into, out))
    told = ~known & np.isfinite(handed) & np.isfinite(came) & (came != 0)
    kept[told] = handed[told] != 0
    known |= told
    return np.asarray(came == 0)


def _in_groups(kept: Array, known: Array, op: str) -> tuple[Array, Array]:
    """The mask by samples or channels, where it is one number for each of them; what is known of one element of a
    group is known of all."""
    rank = kept.ndim
    if op in CHANNELS:
        choices: Sequence[int] = (max(1, rank - CHANNELS[op]) if CHANNELS[op] else min(2, rank),)
    else:
        choices = () if op else (1, 2)
    for axes in choices:
        if axes >= rank:
            continue
        shape = kept.shape[:axes]
        rows, seen = kept.reshape(*shape, -1), known.reshape(*shape, -1)
        some = (rows & seen).any(axis=-1)
        if not (some & (~rows & seen).any(axis=-1)).any():
            ones = (1,) * (rank - axes)
            return some.reshape(*shape, *ones), seen.any(axis=-1).reshape(*shape, *ones)
    return kept, known


def _p(node: Node) -> tuple[float, ...]:
    p = value_of(node.meaning, "p", 0.5) if node.meaning.family == "dropout" else None
    return (float(p),) if isinstance(p, int | float) else ()


# --------------------------------------------------------------------------------------------------------------------
# AlphaDropout, RReLU
# --------------------------------------------------------------------------------------------------------------------


def _alpha(node: Node, gave: Value, x: Array, y: Array, slack: tuple[float, float]) -> Effect:
    """torch's: what is dropped becomes -ALPHA, then everything is scaled and shifted."""
    p = _p(node)
    if not p or not 0 < p[0] < 1:
        raise _Refused("nothing is left of its input")
    a = 1 / math.sqrt((ALPHA * ALPHA * p[0] + 1) * (1 - p[0]))
    keeping, dropping = x * a + ALPHA * a * p[0], ALPHA * a * (p[0] - 1)
    off, other = np.abs(y - keeping), np.abs(y - dropping)
    if (np.minimum(off, other) > slack[0] * (np.abs(keeping) + 2)).any():
        raise _Refused("what it gives is not what torch's formula says")
    known = np.abs(keeping - dropping) > 4 * slack[0] * (np.abs(keeping) + 2)
    mask, known = _in_groups(off < other, known, node.meaning.op)
    return Effect(node.id, "alpha", node.meaning.op, x.shape, mask | ~known, gave.digest or "", a, 0, p)


def _slopes(trace: Trace, node: Node, given: Value, gave: Value, x: Array, y: Array) -> Effect:
    """The slope of each element that was not above zero; of the others the mean slope."""
    bounds = tuple(value_of(node.meaning, name, other) for name, other in (("lower", 1 / 8), ("upper", 1 / 3)))
    if not all(isinstance(bound, int | float) for bound in bounds):
        raise _Refused("its bounds are not known")
    lower, upper = (float(bound) for bound in bounds)  # type: ignore[arg-type]
    slopes = np.full(x.shape, (lower + upper) / 2)
    into = next((v for v in node.call.grad_inputs if v.leaf == given.leaf), None)
    out = next((v for v in node.call.grad_outputs if v.leaf == gave.leaf), None)
    products = [(x, y)]
    if into is not None and out is not None and into.stored and out.stored and into.shape == out.shape == x.shape:
        came, handed = (np.asarray(trace.array(value)).astype(np.float64) for value in (out, into))
        products.append((came, handed))
    for before, after in reversed(products):
        told = np.isfinite(before) & np.isfinite(after) & (before != 0) & (x <= 0)
        slopes[told] = after[told] / before[told]
    below = np.isfinite(x) & (x <= 0)
    dtype = np.dtype(given.dtype if given.dtype in {"float16", "float32"} else "float64")
    slopes[below] = _to_the_bit(slopes[below], [(a[below], b[below]) for a, b in products], dtype)
    return Effect(node.id, "slopes", "rrelu", x.shape, slopes, gave.digest or "", None, 0, (lower, upper))


def _to_the_bit(slopes: Array, products: Sequence[tuple[Array, Array]], dtype: np.dtype[Any]) -> Array:
    """The slopes, or their neighbours in the dtype, with which the products come out to the last bit, the first ones
    before all: a quotient of rounded numbers is not quite what was drawn."""
    near = [slopes.astype(dtype)]
    for end in (dtype.type(-np.inf), dtype.type(np.inf)):
        near.append(np.nextafter(near[0], end))
        near.append(np.nextafter(near[-1], end))
    best, most = near[0], np.full(near[0].shape, -1)
    rounded = [(before.astype(dtype), after.astype(dtype)) for before, after in products]
    for other in near:
        hits = np.zeros(other.shape, int)
        for worth, (before, after) in zip((2, 1), rounded, strict=False):
            hits += worth * (other * before == after)
        best, most = np.where(hits > most, other, best), np.maximum(hits, most)
    return best.astype(np.float64)


# --------------------------------------------------------------------------------------------------------------------
# Code between layers
# --------------------------------------------------------------------------------------------------------------------

_NEAR = 8
"""How many calls before another are looked at for what code dropped of."""

_FEWEST = 3
"""Elements that must have been dropped, and kept."""


def dropped_by_code(graph: CallGraph) -> Iterator[CallId]:
    """Calls whose input is what an earlier call beside them gave, times 0 or a factor above 1: F.dropout in code."""
    for id_, node in graph.nodes.items():
        if node.hidden or node.parent is None or not node.call.training:
            continue
        fed = [feed.value for feed in graph.feeds(id_) if feed.kind == "code"]
        made = [v for other in graph.before(id_)[-_NEAR:] for v in graph.nodes[other].outputs]
        made = [*reversed(made), *graph.nodes[node.parent].inputs]
        if any(_is_dropped(next(_behind(value, made), None), value) for value in fed):
            yield id_


def _behind(value: Value, made: Sequence[Value]) -> Iterator[Value]:
    """The values of which this one is some factor at each element, 0 or one number; the nearest first."""
    for other in made:
        seen = sampled_between(other, value)
        if seen is not None and seen.levels and seen.scale is not None:
            yield other


def _is_dropped(before: Value | None, after: Value) -> bool:
    seen = sampled_between(before, after) if before is not None else None
    if seen is None or seen.scale is None or seen.scale <= 1 + 1e-3 or by_sign(seen.above, seen.kept):
        return False
    return min(int(seen.kept.sum()), int((~seen.kept).sum())) >= _FEWEST
