"""A weight map put into a file: tensor by tensor, never the whole of it in memory."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from tracer.errors import StartingPointError
from tracer.starting_point.checkpoints import Entry, write_checkpoint
from tracer.starting_point.holders import BLOCK, Holder
from tracer.starting_point.weights.loading import Transfer, check_dtypes, in_dtype, made, moved_of
from tracer.starting_point.weights.steps import Reshape, Rows
from tracer.starting_point.weights.weight_map import ParameterFacts, Piece, Placement, WeightMap

Array = np.ndarray[Any, Any]
_TORCH = {".pth", ".pt", ".bin"}
_FLOATS = ("float16", "bfloat16", "float32", "float64")

Rename = Mapping[str, str] | Callable[[str], str]


def unchanged(reference: Holder) -> WeightMap:
    """The map of a file that keeps its names and shapes."""
    facts = reference.parameters()
    placements = (
        Placement(key, (Piece(key),), "as it is") for key, p in facts.items() if not p.tied and reference.holds(key)
    )
    return WeightMap(facts, facts, tuple(placements), notes=("no nets were given: names and shapes stay as they are",))


def without_tables(weights: WeightMap, reference: Holder) -> WeightMap:
    """The map without tables that the candidate makes itself and the source did not save (masks, positions)."""
    kept = [
        placement
        for placement in weights.placements
        if weights.candidate[placement.target].trainable
        or weights.candidate[placement.target].statistics
        or all(reference.holds(piece.source) for piece in placement.pieces)
    ]
    return replace(weights, placements=tuple(kept))


def write(
    target: Path,
    reference: Holder,
    weights: WeightMap,
    *,
    candidate: Holder | None = None,
    prefix: str = "",
    rename: Rename | None = None,
    dtype: str | None = None,
    cast: bool = False,
) -> Transfer:
    """Write the parameters of the candidate, made of those of the reference.

    Args:
        target: the file; its suffix says the format.
        reference: whose numbers they are.
        weights: from the reference to the candidate.
        candidate: the net that will load the file, whose framework decides what names are written.
        prefix: what is put before every name.
        rename: other names for some, or a function of the name.
        dtype: write all floats in this dtype.
        cast: allow dtypes that lose digits.

    Raises:
        StartingPointError: names that would stand there twice, dtypes that lose digits.
        CheckpointError: a file that cannot be read or written.
    """
    if dtype is not None and dtype not in _FLOATS:
        raise StartingPointError(
            "floats cannot be written in this dtype", where=f"dtype={dtype!r}", then=f"use one of {', '.join(_FLOATS)}"
        )
    keep = candidate is None
    sources = weights.reference
    weights = _of_the_file(weights, candidate)
    beside = _beside(weights, candidate)
    facts: dict[str, ParameterFacts] = {p.key: p for p in beside}
    for placement in weights.placements:
        own = weights.candidate[placement.target]
        wanted = sources[placement.pieces[0].source].dtype if keep else own.dtype
        if dtype is not None and wanted.startswith(("float", "bfloat")):
            wanted = dtype
        facts[placement.target] = replace(own, dtype=wanted)
    check_dtypes(_of_dtypes(weights, facts), cast=cast or dtype is not None)
    _check_rename(rename, [*weights.candidate, *(p.alias for p in weights.candidate.values() if p.alias)])
    suffix = target.suffix.lower()
    keys = [key for key in weights.candidate if key in facts]
    names = _names(weights, keys, aliases=suffix == ".ckpt", prefix=prefix, rename=rename)
    by_name = {names[key]: key for key in keys}
    tied = {}
    if suffix in _TORCH:  # torch lists a tied parameter at each of its places; the others know it once
        for own in weights.candidate.values():
            if own.tied and own.tied in names:
                tied[_renamed(own.key, prefix, rename)] = names[own.tied]
    entries = [
        Entry(name, facts[key].shape, facts[key].dtype)
        for name, key in [*by_name.items(), *((name, by_name[first]) for name, first in tied.items())]
    ]

    def pieces(name: str) -> Iterator[Array]:
        key = by_name[tied.get(name, name)]
        placement = weights.by_target.get(key)
        if placement is not None:
            for block in blocks(placement, reference):
                yield in_dtype(block, facts[key], whole=lambda: blocks(placement, reference))
        elif candidate is not None:
            yield from candidate.pieces(key)

    framework = candidate.framework if candidate is not None else reference.framework
    write_checkpoint(target, entries, pieces, tied=tied, framework=framework)
    moved = [moved_of(p, weights, equal=None, dtype=facts[p.target].dtype) for p in weights.placements]
    notes = (*reference.notes, *weights.notes, *_beside_words(beside, candidate))
    return Transfer(reference.name, target.name, weights, tuple(moved), notes)


def _of_the_file(weights: WeightMap, candidate: Holder | None) -> WeightMap:
    """Without what stands in no file of the candidate: a loader would not know the name."""
    if candidate is None or candidate.net is None or not candidate.unsaved:
        return weights
    placements = tuple(p for p in weights.placements if p.target not in candidate.unsaved)
    return replace(weights, placements=placements, also=weights.also | weights.used)


def _beside(weights: WeightMap, candidate: Holder | None) -> list[ParameterFacts]:
    """What a file of the candidate holds although no number of it matters (counters, masks, ones of a norm layer): a
    strict loader wants it, and it comes from the candidate itself."""
    if candidate is None:
        return []
    return [
        p for p in weights.alone_candidate if not p.needed and candidate.holds(p.key) and p.key not in candidate.unsaved
    ]


def _beside_words(beside: Sequence[ParameterFacts], candidate: Holder | None) -> list[str]:
    if not beside or candidate is None:
        return []
    kinds = ", ".join(dict.fromkeys(p.key.rpartition(".")[2] for p in beside))
    return [f"not needed, and written as {candidate.name} has it, for loaders that are strict: {kinds}"]


def _of_dtypes(weights: WeightMap, facts: Mapping[str, ParameterFacts]) -> WeightMap:
    return WeightMap(weights.reference, {**weights.candidate, **facts}, weights.placements)


def _names(
    weights: WeightMap, keys: Sequence[str], *, aliases: bool, prefix: str, rename: Rename | None
) -> dict[str, str]:
    """What each parameter is called in the file."""
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for key in keys:
        facts = weights.candidate[key]
        name = _renamed(facts.alias if aliases and facts.alias else facts.key, prefix, rename)
        if name in taken:
            raise StartingPointError(
                "two parameters would have one name in the file",
                where=f"{name!r}: {taken[name]} and {facts.key}",
                then="mend rename=, or give the parameters of the net names of their own",
            )
        taken[name], found[key] = facts.key, name
    return found


def _check_rename(rename: Rename | None, names: Sequence[str]) -> None:
    """A name that is not there was misspelt."""
    for name in rename if isinstance(rename, Mapping) else ():
        if name not in names:
            near = difflib.get_close_matches(str(name), names, n=3)
            raise StartingPointError(
                f"{name!r} is to be renamed, and no parameter is called so",
                where="rename",
                then=f"did you mean {' or '.join(map(repr, near))}?" if near else "look at the names in the map",
            )


def _renamed(name: str, prefix: str, rename: Rename | None) -> str:
    if rename is not None:
        new = rename.get(name, name) if isinstance(rename, Mapping) else rename(name)
        if not isinstance(new, str) or not new:
            raise StartingPointError(
                f"rename= makes {new!r} of a name", where=name, then="let it give a name for each parameter"
            )
        name = new
    return f"{prefix}{name}"


# --------------------------------------------------------------------------------------------------------------------
# Block by block
# --------------------------------------------------------------------------------------------------------------------


def blocks(placement: Placement, reference: Holder) -> Iterator[Array]:
    """What a placement makes, as flat blocks in C order. One source array at a time is in memory at most, and none of
    it where rows follow one another."""
    if placement.then:
        yield from _cut(made(placement, reference))
        return
    for piece in placement.pieces:
        steps = [step for step in piece.steps if not isinstance(step, Reshape)]
        if not steps:
            yield from reference.pieces(piece.source)
        elif len(steps) == 1 and isinstance(piece.steps[0], Rows) and _rises(piece.steps[0]):
            yield from _rows(piece.steps[0], piece.source, reference)
        else:
            yield from _cut(made(Placement(placement.target, (piece,), ""), reference))


def _cut(array: Array) -> Iterator[Array]:
    """A view of any order as flat blocks."""
    if array.flags.c_contiguous or array.ndim < 2:
        flat = array.reshape(-1)
        yield from (flat[start : start + BLOCK] for start in range(0, flat.size, BLOCK))
        return
    rows = max(1, BLOCK // max(1, array[0].size))
    yield from (array[start : start + rows].reshape(-1) for start in range(0, len(array), rows))


def _rises(rows: Rows) -> bool:
    return all(before[1] <= after[0] for before, after in pairwise(rows.ranges))


def _rows(rows: Rows, source: str, reference: Holder) -> Iterator[Array]:
    """Ranges of rows out of a stream of blocks."""
    shape = reference.parameters()[source].shape
    width = int(np.prod(shape[1:], dtype=np.int64))
    spans = [(start * width, stop * width) for start, stop in rows.ranges]
    at = 0
    for block in reference.pieces(source):
        for start, stop in spans:
            low, high = max(start, at), min(stop, at + block.size)
            if low < high:
                yield block[low - at : high - at]
        at += block.size
        if at >= spans[-1][1]:
            return
