"""A weight map put into a live net: all of it or nothing, and read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.errors import StartingPointError, TracerError
from tracer.frameworks import watcher_for
from tracer.frameworks.base import Unreadable, Watcher
from tracer.frameworks.store import Store, same_bits
from tracer.starting_point.checkpoints.dtypes import numpy_dtype
from tracer.starting_point.holders import Holder
from tracer.starting_point.weights.steps import apply_steps
from tracer.starting_point.weights.weight_map import SHARED, Choice, ParameterFacts, Placement, WeightMap, key_of, some

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Moved:
    """One parameter that was filled: what of, and in which dtype it came and went. `equal`: read back, it holds bit for
    bit what was to be placed; None where nothing was written (a plan, a file)."""

    target: str
    sources: str
    shape: tuple[int, ...]
    before: str
    dtype: str
    transformed: bool
    reason: str
    confidence: float
    equal: bool | None = None

    @property
    def cast(self) -> bool:
        """Was the dtype changed?"""
        return self.before != self.dtype


@dataclass(frozen=True)
class Transfer:
    """Weights that went from one side to the other."""

    reference: str
    candidate: str
    weights: WeightMap
    moved: tuple[Moved, ...]
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Was every parameter that matters placed, and read back equal?"""
        return self.weights.whole and all(m.equal is not False for m in self.moved)


class UnplacedWeights(StartingPointError):  # noqa: N818  (it says what is the matter)
    """Weights that cannot all be placed; `weights` is the map as far as it goes."""

    def __init__(self, what: str, *, where: str, then: str, weights: WeightMap) -> None:
        super().__init__(what, where=where, then=then)
        self.weights = weights


def made(placement: Placement, reference: Holder) -> Array:
    """The array that a placement makes, in the dtype of the reference; may share its memory."""
    pieces = [apply_steps(piece.steps, reference.read(piece.source)) for piece in placement.pieces]
    whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return apply_steps(placement.then, whole)


def fill(net: Any, reference: Holder, weights: WeightMap, *, partial: bool = False, cast: bool = False) -> Transfer:
    """Put the numbers of `reference` into a live net as the map says.

    Args:
        net: the net; only its parameters and buffers are written to, in place.
        reference: whose numbers they are.
        weights: from the reference to this net.
        partial: go on where parameters that matter have no partner.
        cast: allow dtypes that lose digits (float32 into float16).

    Raises:
        StartingPointError: something has no place, or does not fit; the net is as it was.
    """
    watcher = watcher_for(net)
    if not partial:
        refuse_unplaced(weights, reference.name, f"the {watcher.name} net")
    check_dtypes(weights, cast=cast)
    tensors = {
        key_of(path, named.name): named.tensor
        for path, layer, _ in watcher.layers(net)
        for named in watcher.parameters(layer)
    }
    store = Store()
    undo: list[tuple[Any, Callable[[], Array]]] = []
    moved: list[Moved] = []
    facts: ParameterFacts | None = None
    try:
        for placement in weights.placements:
            facts = weights.candidate[placement.target]
            tensor = tensors[placement.target]
            array = in_dtype(made(placement, reference), facts)
            undo.append((tensor, store.keep(_readable(watcher, tensor, facts))))
            _write(watcher, tensor, array, facts)
            moved.append(moved_of(placement, weights, equal=True))
    except BaseException as error:
        for tensor, kept in reversed(undo):
            with suppress(Exception):
                watcher.assign(tensor, kept())
        if isinstance(error, TracerError) or not isinstance(error, Exception):
            raise
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StartingPointError(
            f"the weights could not be put into the net: {words}",
            where=str(facts or ""),
            then="the net is as it was; free memory or disk space, or mend the source",
        ) from error
    finally:
        store.close()
    notes = (*reference.notes, *weights.notes)
    return Transfer(reference.name, f"{watcher.name} {type(net).__name__}", weights, tuple(moved), notes)


def _readable(watcher: Watcher, tensor: Any, facts: ParameterFacts) -> Array:
    array = watcher.array(tensor)
    if isinstance(array, Unreadable):
        raise StartingPointError(
            f"a parameter of the net cannot be written to: {array.reason}",
            where=str(facts),
            then="bring it to ordinary memory first, or leave its layer out with partial=True",
        )
    return array


def _write(watcher: Watcher, tensor: Any, array: Array, facts: ParameterFacts) -> None:
    """Write, and prove it by reading."""
    watcher.assign(tensor, array)
    found = watcher.array(tensor)
    if isinstance(found, Unreadable) or not same_bits(np.asarray(found, order="C"), array):
        raise StartingPointError(
            "a parameter does not hold what was written into it",
            where=str(facts),
            then="the net is as it was; look for a hook, a parametrization or a view that changes it",
        )


def moved_of(placement: Placement, weights: WeightMap, *, equal: bool | None, dtype: str | None = None) -> Moved:
    """The row of a report."""
    facts = weights.candidate[placement.target]
    return Moved(
        placement.target,
        str(placement).partition(" = ")[2],
        facts.shape,
        weights.reference[placement.pieces[0].source].dtype,
        dtype or facts.dtype,
        placement.transformed,
        placement.reason,
        placement.confidence,
        equal,
    )


# --------------------------------------------------------------------------------------------------------------------
# What does not fit
# --------------------------------------------------------------------------------------------------------------------


def refuse_unplaced(weights: WeightMap, reference: str, candidate: str, *, raised: str = "") -> None:
    """Raise with a list where parameters that matter have no place; `raised` is what the candidate raised, whose calls
    would have told more.

    Raises:
        UnplacedWeights: there are some.
    """
    if weights.whole:
        return
    parts = [
        (
            f"{len(weights.choices)} {'choice is' if len(weights.choices) == 1 else 'choices are'} ambiguous",
            [_choice_words(c) for c in weights.choices],
        ),
        (_without_partner(weights.missing, candidate), list(map(str, weights.missing))),
        (_without_partner(weights.surplus, reference), list(map(str, weights.surplus))),
    ]
    said = [(what, which) for what, which in parts if which]
    what = f"not all weights can be placed: {', '.join(what for what, _ in said)}"
    raise UnplacedWeights(
        f"the candidate raised{raised}; so its calls could not tell where weights belong, and {what}"
        if raised
        else what,
        where="; ".join(f"{what}: {some(which)}" for what, which in said),
        then=_what_to_do(weights, raised),
        weights=weights,
    )


def _what_to_do(weights: WeightMap, raised: str) -> str:
    if raised:
        return "mend what it raises first; tracer structure A B shows the layers and settings that differ"
    if any(choice.why == SHARED for choice in weights.choices):
        return (
            "the candidate runs one layer where the reference has two: give it a layer for each (tracer structure A B "
            "shows both), or go on without them (partial=True, --partial)"
        )
    return (
        "pin what belongs together (pins={'reference.path': 'candidate.path'}, --pin), look for layers that differ "
        "(tracer structure A B), write a map (tracer weights map), or go on without them (partial=True, --partial)"
    )


def _without_partner(alone: Sequence[ParameterFacts], side: str) -> str:
    one = len(alone) == 1
    return f"{len(alone)} parameter{'' if one else 's'} of {side} {'has' if one else 'have'} no partner"


def _choice_words(choice: Choice) -> str:
    return f"{some(choice.candidates, 4)} could be {some(choice.references, 4)} ({choice.why})"


_EXACT: Mapping[str, frozenset[str]] = {
    "float16": frozenset({"float32", "float64"}),
    "bfloat16": frozenset({"float32", "float64"}),
    "float32": frozenset({"float64"}),
    "complex64": frozenset({"complex128"}),
}
"""Into which dtypes the numbers of one go without loss; integers are asked by their values."""


def check_dtypes(weights: WeightMap, *, cast: bool) -> None:
    """Raise where a dtype would lose digits and nobody asked for it.

    Raises:
        StartingPointError: a narrower float, or floats into integers.
    """
    lossy = []
    for placement in weights.placements:
        target = weights.candidate[placement.target]
        for piece in placement.pieces:
            source = weights.reference[piece.source]
            if source.dtype == target.dtype or target.dtype in _EXACT.get(source.dtype, ()):
                continue
            whole = _is_whole(source.dtype)
            if whole != _is_whole(target.dtype) and not (whole and cast):
                raise StartingPointError(
                    f"{source.dtype} numbers do not go into {target.dtype}",
                    where=f"{source} -> {target}",
                    then="the two are not one parameter: pin others, or leave them out of the map",
                )
            if not whole and not cast:
                lossy.append(f"{source.key} {source.dtype} -> {target.key} {target.dtype}")
    if lossy:
        raise StartingPointError(
            f"{len(lossy)} parameters would lose digits",
            where=some(lossy, 4),
            then="say cast=True (--cast) to round them, or give the net the dtype of the weights",
        )


def _is_whole(dtype: str) -> bool:
    return dtype.startswith(("int", "uint", "bool"))


def in_dtype(array: Array, facts: ParameterFacts, whole: Callable[[], Iterable[Array]] | None = None) -> Array:
    """The array in C order in a parameter's dtype.

    Args:
        array: the parameter, or a block of it.
        facts: the parameter as it is to be.
        whole: all blocks of the parameter, for an error that counts them; None where `array` is all of it.

    Raises:
        StartingPointError: whole numbers that the dtype cannot hold, finite numbers that it would make infinite.
    """
    wanted = numpy_dtype(facts.dtype, where=str(facts))
    if array.dtype == wanted:
        return np.ascontiguousarray(array).reshape(array.shape)
    with np.errstate(all="ignore"):
        new = np.ascontiguousarray(array).reshape(array.shape).astype(wanted)
    if array.dtype.kind in "iub" and not np.array_equal(new.astype(array.dtype), array):
        raise StartingPointError(
            f"{array.dtype.name} numbers do not go into {facts.dtype}",
            where=str(facts),
            then="give the net a wider dtype there",
        )
    if _become_infinite(array, new).any():
        raise _overflow([array] if whole is None else whole(), facts, wanted)
    return new


def _become_infinite(array: Array, new: Array) -> Array:
    """Where finite numbers are finite no more."""
    lost: Array = np.isfinite(array) & ~np.isfinite(new)
    return lost


def _overflow(blocks: Iterable[Array], facts: ParameterFacts, wanted: np.dtype[Any]) -> StartingPointError:
    count, largest, before = 0, 0.0, ""
    for block in blocks:
        with np.errstate(all="ignore"):
            lost = block[_become_infinite(block, block.astype(wanted))]
        before = block.dtype.name
        count += lost.size
        largest = max(largest, float(np.max(np.abs(lost), initial=0)))
    numbers = f"{count} number{' is' if count == 1 else 's are'}"
    return StartingPointError(
        f"{numbers} too large for {facts.dtype} and would become infinite; the largest is {largest:.3g}",
        where=f"{facts}, {before} -> {facts.dtype}",
        then="keep a dtype of wider range there (bfloat16 has that of float32), or mend the numbers first",
    )
