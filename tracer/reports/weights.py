"""Weights as text and JSON: a map, what was moved by it, what differs between two sides."""

from __future__ import annotations

import html
import json
import math
import os
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tracer.errors import TracerError
from tracer.reports.report import write_whole
from tracer.starting_point.weights import map_file, naming
from tracer.starting_point.weights.differences import Compared, Parameters
from tracer.starting_point.weights.loading import Moved, Transfer
from tracer.starting_point.weights.surroundings import IN_ORDER
from tracer.starting_point.weights.weight_map import SHARED, Choice, ParameterFacts, Placement, WeightMap

WIDTH = 80
_SHOWN = 12
"""How many lines of one kind are shown."""


class _Told:
    """What all of them can: text for people, a page for a notebook, JSON for programs."""

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """The report, line by line; `every` leaves nothing out."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The report as plain Python values, all of them finite."""
        raise NotImplementedError

    def to_json(self) -> str:
        """The same as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def __repr__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


class MapReport(_Told):
    """Which parameter of the candidate is made of which of the reference.

    `weights` holds it as values; `save` writes a file that `load_weights(..., mapping=)` reads.
    """

    def __init__(self, weights: WeightMap, reference: str, candidate: str) -> None:
        self.weights, self.reference, self.candidate = weights, reference, candidate

    @property
    def placements(self) -> tuple[Placement, ...]:
        """One for each parameter of the candidate that is made of something."""
        return self.weights.placements

    @property
    def ambiguous(self) -> tuple[Choice, ...]:
        """Parameters between which nothing decides."""
        return self.weights.choices

    @property
    def whole(self) -> bool:
        """Is every parameter that matters placed?"""
        return self.weights.whole

    @property
    def exit_code(self) -> int:
        """0 where every parameter that matters is placed, else 2."""
        return 0 if self.whole else 2

    def to_toml(self) -> str:
        """The map as a file to read and edit."""
        return map_file.to_toml(self.weights, self.reference, self.candidate)

    def to_dict(self) -> dict[str, Any]:
        """The map as JSON has it."""
        told = map_file.to_json(self.weights, self.reference, self.candidate)
        return {**told, "whole": self.whole, "text": list(self.lines())}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the map to a .toml or .json file, whole or not at all.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        path = Path(path)
        if path.suffix not in {".toml", ".json"}:
            raise TracerError("a map cannot be saved so", where=str(path), then="name a .toml or a .json file")
        write_whole(path, self.to_toml() if path.suffix == ".toml" else self.to_json())
        return path

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """Counts, what is transformed, and what has no place."""
        yield f"weights   {self.reference} -> {self.candidate}"
        yield ""
        yield from wrapped("  ", _counts(self.weights))
        yield from _placed_lines(self.weights, every=every)
        yield from _rest_lines(self.weights, every=every)


class WeightsReport(_Told):
    """What was moved from one side to the other, and the proof."""

    def __init__(self, transfer: Transfer) -> None:
        self.transfer = transfer

    @property
    def weights(self) -> WeightMap:
        """The map by which it was moved."""
        return self.transfer.weights

    @property
    def placed(self) -> tuple[Moved, ...]:
        """A row for each parameter that was filled."""
        return self.transfer.moved

    @property
    def transformed(self) -> tuple[Moved, ...]:
        """Those that were turned, reshaped, split or merged on the way."""
        return tuple(row for row in self.placed if row.transformed)

    @property
    def cast(self) -> tuple[Moved, ...]:
        """Those whose dtype changed."""
        return tuple(row for row in self.placed if row.cast)

    @property
    def ambiguous(self) -> tuple[Choice, ...]:
        """Parameters between which nothing decided; only with partial=True."""
        return self.weights.choices

    @property
    def alone_reference(self) -> tuple[ParameterFacts, ...]:
        """What of the reference was placed nowhere."""
        return self.weights.alone_reference

    @property
    def alone_candidate(self) -> tuple[ParameterFacts, ...]:
        """What of the candidate kept its own numbers."""
        return self.weights.alone_candidate

    @property
    def whole(self) -> bool:
        """Was every parameter that matters placed, and read back equal?"""
        return self.transfer.whole

    @property
    def exit_code(self) -> int:
        """0 where every parameter that matters was placed, else 2."""
        return 0 if self.whole else 2

    def to_dict(self) -> dict[str, Any]:
        """The report as plain Python values."""
        return {
            "format": "tracer-weights-report",
            "version": 1,
            "reference": self.transfer.reference,
            "candidate": self.transfer.candidate,
            "placed": [
                {
                    "candidate": row.target,
                    "reference": row.sources,
                    "shape": list(row.shape),
                    "dtype": [row.before, row.dtype],
                    "transformed": row.transformed,
                    "reason": row.reason,
                    "confidence": row.confidence,
                    "equal": row.equal,
                }
                for row in self.placed
            ],
            **_rest_json(self.weights),
            "notes": list(self.transfer.notes),
            "text": list(self.lines()),
        }

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """Counts and proof, what was transformed, what has no place."""
        yield f"weights   {self.transfer.reference} -> {self.transfer.candidate}"
        yield ""
        words = _counts(self.weights)
        if self.cast:
            words += f", {len(self.cast)} cast"
        proofs = [row.equal for row in self.placed if row.equal is not None]
        if proofs:
            words += f"; read back: {sum(proofs)} of {len(proofs)} equal bit for bit"
        yield from wrapped("  ", words)
        yield from _placed_lines(self.weights, every=every)
        yield from _rest_lines(self.weights, self.transfer.notes, every=every)
        casts = [f"{row.target}  {row.before} -> {row.dtype}" for row in self.cast]
        yield from _section("cast", casts, every=every)


class ParametersReport(_Told):
    """The parameters of two sides, held against each other."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    @property
    def verdict(self) -> str:
        """The verdict: "agree", "diverged" or "unsure"."""
        return self.parameters.verdict

    @property
    def exit_code(self) -> int:
        """0 agree, 1 diverged, 2 could not tell."""
        return {"agree": 0, "diverged": 1}.get(self.verdict, 2)

    @property
    def rows(self) -> tuple[Compared, ...]:
        """A row for each parameter that has a partner."""
        return self.parameters.rows

    @property
    def weights(self) -> WeightMap:
        """Which parameter is which."""
        return self.parameters.weights

    def to_dict(self) -> dict[str, Any]:
        """The report as plain Python values, all of them finite."""
        return {
            "format": "tracer-weights-diff",
            "version": 1,
            "reference": self.parameters.reference,
            "candidate": self.parameters.candidate,
            "verdict": self.verdict,
            "parameters": [
                {
                    "candidate": row.target,
                    "reference": row.sources,
                    "shape": list(row.shape),
                    "dtype": list(row.dtypes),
                    "verdict": row.verdict,
                    "relative_l2": _finite(row.relative_l2),
                    "max_abs": _finite(row.max_abs),
                    "finite_alike": row.finite_alike,
                    "transformed": row.transformed,
                    "unlike": row.unlike,
                    "reason": row.reason,
                    "confidence": row.confidence,
                }
                for row in self.rows
            ],
            **_rest_json(self.weights),
            "notes": list(self.parameters.notes),
        }

    def lines(self, *, every: bool = False) -> Iterator[str]:
        """The verdict, what differs, and what has no partner; the worst first."""
        counts = {word: sum(row.verdict == word for row in self.rows) for word in ("equal", "rounded", "differs")}
        yield f"{self.verdict}   {self.parameters.reference} | {self.parameters.candidate}"
        yield ""
        words = f"{_many(len(self.rows), 'parameter')} paired: {counts['equal']} equal"
        turned = [r for r in self.rows if r.transformed and r.verdict in ("equal", "rounded")]
        words += f", {counts['rounded']} equal but for rounding" if counts["rounded"] else ""
        words += f", {counts['differs']} differ{'s' if counts['differs'] == 1 else ''}" if counts["differs"] else ""
        words += f"; {len(turned)} equal only after a transform" if turned else ""
        lost = sum(row.verdict == "not kept" for row in self.rows)
        words += f", {lost} whose numbers a side does not keep" if lost else ""
        alone = sum(p.needed for side in (self.weights.alone_reference, self.weights.alone_candidate) for p in side)
        words += f"; {alone} without a partner" if alone else ""
        words += f"; {_many(len(self.weights.choices), 'choice')} ambiguous" if self.weights.choices else ""
        yield from wrapped("  ", words)
        apart = sorted((r for r in self.rows if r.verdict == "differs"), key=lambda r: -(r.relative_l2 or math.inf))
        shown = self.rows if every else apart
        yield from _section("every parameter" if every else "differ", _rows(shown), every=every, head=_ROWS_HEAD)
        after = [f"{row.target} = {row.sources}" for row in turned]
        yield from _section("equal after a transform", after, every=every)
        yield from _rest_lines(self.weights, self.parameters.notes, every=every)


# --------------------------------------------------------------------------------------------------------------------
# Words
# --------------------------------------------------------------------------------------------------------------------


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


_ROWS_HEAD = "relative L2, shape, candidate = reference"


def _rows(rows: Sequence[Compared]) -> list[str]:
    """A line for each pair, in columns; what stands under one name on both sides is named once."""
    shapes = [_shape(row.shape) for row in rows]
    width = max(map(len, shapes), default=0)
    return [
        f"{_difference(row)}  {shape:<{width}}  {row.target}"
        + (f" = {row.sources}" if row.sources != row.target else "")
        + _said_of(row)
        for row, shape in zip(rows, shapes, strict=True)
    ]


def _said_of(row: Compared) -> str:
    """What the number alone does not tell."""
    said = [f"{row.dtypes[0]} -> {row.dtypes[1]}"] if row.dtypes[0] != row.dtypes[1] else []
    said += ["counts as equal"] if row.verdict == "rounded" else []
    said += ["NaN or Inf at other places"] if not row.finite_alike else []
    said += [row.unlike] if row.unlike else []
    return f"   {', '.join(said)}" if said else ""


def _difference(row: Compared) -> str:
    """Equal numbers are said in a word, so that a difference stands out."""
    if row.verdict == "equal":
        return "equal  "
    if row.verdict == "not kept":
        return "unknown"
    return "   -   " if not row.relative_l2 or not math.isfinite(row.relative_l2) else f"{row.relative_l2:7.1e}"


def _counts(weights: WeightMap) -> str:
    own = [p for p in weights.candidate.values() if not p.tied]
    words = f"{len(weights.placements)} of {len(own)} parameters placed"
    changed = sum(p.transformed for p in weights.placements)
    words += f", {changed} transformed" if changed else ""
    tied = len(weights.candidate) - len(own)
    words += f", {tied} tied" if tied else ""
    words += f"; {_many(len(weights.choices), 'choice')} ambiguous" if weights.choices else ""
    return words


def _placed_lines(weights: WeightMap, *, every: bool) -> Iterator[str]:
    """What is not merely copied, what names alone tell; or all of it."""
    yield from _section("transformed", [str(p) for p in weights.placements if p.transformed], every=every)
    named = [f"{p}   {p.reason}" for p in weights.placements if any(why in p.reason for why in _NAMES_ALONE)]
    yield from _section("by names", named, every=every, shown=_SHOWN // 2, head="look these over, or pin them")
    if every:
        placed = [f"{_shape(weights.candidate[p.target].shape)}  {p}   {p.reason}" for p in weights.placements]
        yield from _section("every parameter", placed, every=True, head="shape, candidate = reference, reason")


_NAMES_ALONE = (naming.TIE, naming.NUMBERS, IN_ORDER)
"""Reasons of choices that neither calls nor layers confirm; a note counts the rows of merged ones."""


def _rest_lines(weights: WeightMap, notes: Sequence[str] = (), *, every: bool) -> Iterator[str]:
    ambiguous = [
        f"{_few(c.candidates, every)}  could be  {_few(c.references, every)}: {c.why}"
        + ("" if c.why == SHARED else "; pin them")
        for c in weights.choices
    ]
    yield from _section("ambiguous", ambiguous, every=every)
    for side, alone in (("reference", weights.alone_reference), ("candidate", weights.alone_candidate)):
        yield from _section(f"alone in the {side}", _alone(alone, every=every), every=every)
    yield from _section("note", list(dict.fromkeys((*weights.notes, *notes))), every=True)


def _few(keys: Sequence[str], every: bool) -> str:
    """The first of many names."""
    shown = keys if every or len(keys) <= 5 else keys[:4]
    return ", ".join(shown) + (f" and {len(keys) - len(shown)} more" if len(shown) < len(keys) else "")


def _alone(alone: Sequence[ParameterFacts], *, every: bool) -> list[str]:
    """Those that matter one by one, the others by the last part of their names."""
    if every:
        return [f"{p}{'' if p.needed else '  (not needed)'}" for p in alone]
    names = Counter(p.key.rpartition(".")[2] for p in alone if not p.needed)
    rest = [f"{name}{f', {count} of them' if count > 1 else ''}  (not needed)" for name, count in names.items()]
    return [*(str(p) for p in alone if p.needed), *rest]


def _rest_json(weights: WeightMap) -> dict[str, Any]:
    return {
        "whole": weights.whole,
        "ambiguous": [
            {"reference": list(c.references), "candidate": list(c.candidates), "why": c.why} for c in weights.choices
        ],
        "alone": {
            side: [{"name": p.key, "shape": list(p.shape), "dtype": p.dtype, "needed": p.needed} for p in alone]
            for side, alone in (("reference", weights.alone_reference), ("candidate", weights.alone_candidate))
        },
    }


def _section(title: str, lines: Sequence[str], *, every: bool, head: str = "", shown: int = _SHOWN) -> Iterator[str]:
    if not lines:
        return
    yield ""
    yield f"  {title}{f' ({len(lines)})' if len(lines) > 1 else ''}{f'   {head}' if head else ''}"
    first = lines if every else lines[:shown]
    for line in first:
        yield from wrapped("    ", line)
    if len(first) < len(lines):
        yield f"    ... and {len(lines) - len(first)} more"


def wrapped(indent: str, text: str) -> Iterable[str]:
    """A text as lines of the page's width, those after the first a little further in."""
    found = textwrap.wrap(text, WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
    return (f"{indent}{line}" if n == 0 else f"{indent}  {line}" for n, line in enumerate(found))


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
