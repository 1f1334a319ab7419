"""A weight map as a file that a person reads and edits: TOML, or JSON for programs.

A line of the table `parameters` says what a parameter of the candidate is made of::

    "head.weight" = "fc.weight"
    "attn.q.weight" = "attn.qkv.weight | rows 0:64"
    "attn.qkv.weight" = ["attn.q.weight", "attn.k.weight", "attn.v.weight"]
    "c_attn.weight" = { from = ["q.weight", "k.weight", "v.weight"], then = "T" }
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.errors import RuleError
from tracer.starting_point.weights.steps import read_step
from tracer.starting_point.weights.weight_map import Choice, ParameterFacts, Piece, Placement, WeightMap

FORMAT = "tracer-weights"
VERSION = 1
BY_THE_MAP = "by the map"
"""The reason of whatever a map says."""


def to_toml(weights: WeightMap, reference: str, candidate: str) -> str:
    """The map as TOML, a comment with its reason behind every line; what is open as lines to choose from."""
    return "\n".join(_toml_lines(weights, reference, candidate)) + "\n"


def _toml_lines(weights: WeightMap, reference: str, candidate: str) -> Iterator[str]:
    yield f"# Each parameter of {_one_line(candidate)}, and what of {_one_line(reference)} it is made of."
    yield f"format = {_quoted(FORMAT)}"
    yield f"version = {VERSION}"
    yield f"reference = {_quoted(reference)}"
    yield f"candidate = {_quoted(candidate)}"
    yield ""
    yield "[parameters]"
    lines = [(f"{_quoted(p.target)} = {_toml_value(p)}", p.reason) for p in weights.placements]
    width = min(max((len(line) for line, _ in lines), default=0), 100)
    yield from (f"{line:<{width}}  # {_one_line(reason)}" for line, reason in lines)
    for choice in weights.choices:
        yield ""
        yield f"# ambiguous: {_one_line(choice.why)}. Choose, and take the # away:"
        for target in choice.candidates:
            fits = _suggestions(weights, choice, target)
            yield f"# {_quoted(target)} = " + (" or ".join(map(_quoted, fits)) or "...  # nothing of it fits as it is")
    yield ""
    yield "[alone]  # placed nowhere; nothing reads this"
    yield f"reference = {_quoted([p.key for p in weights.alone_reference])}"
    yield f"candidate = {_quoted([p.key for p in weights.alone_candidate])}"


def _suggestions(weights: WeightMap, choice: Choice, target: str) -> list[str] | list[list[str]]:
    """What of a choice can stand for the target as it is: of equal shape, or rows of something longer (which rows is
    for the reader to say); under its own last name where there is one."""
    wanted, own = weights.candidate[target].shape, target.rpartition(".")[2]
    whole, rows = [], []
    for key in choice.references:
        shape = weights.reference[key].shape
        if shape == wanted:
            whole.append(key)
        elif shape and wanted and shape[1:] == wanted[1:] and shape[0] > wanted[0]:
            size = wanted[0]
            spans = [(start, start + size) for start in range(0, shape[0] - size + 1, size)]
            rows += [f"{key} | rows {start}:{stop}" for start, stop in spans[:4]]
    found = whole or rows
    alike = [key for key in found if key.partition(" | ")[0].rpartition(".")[2] == own]
    parts = [key for key in choice.references if key.rpartition(".")[2] == own]
    shapes = [weights.reference[key].shape for key in parts]
    if not found and all(shapes) and sum(shape[0] for shape in shapes) == (wanted or (0,))[0]:
        return [parts]  # one behind the other, in an order that is for the reader to mend
    return alike or found


def _toml_value(placement: Placement) -> str:
    pieces = [str(piece) for piece in placement.pieces]
    value = _quoted(pieces[0] if len(pieces) == 1 else pieces)
    if placement.then:
        return f"{{ from = {value}, then = {_quoted(' | '.join(map(str, placement.then)))} }}"
    return value


def _quoted(value: str | Sequence[str]) -> str:
    """A string or a list of strings; JSON's escapes are TOML's."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def to_json(weights: WeightMap, reference: str, candidate: str) -> dict[str, Any]:
    """The map for programs; `reasons` tells of every target why, `ambiguous` what is open."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "reference": reference,
        "candidate": candidate,
        "parameters": {p.target: _json_value(p) for p in weights.placements},
        "reasons": {p.target: {"reason": p.reason, "confidence": p.confidence} for p in weights.placements},
        "ambiguous": [
            {"reference": list(c.references), "candidate": list(c.candidates), "why": c.why} for c in weights.choices
        ],
        "alone": {
            "reference": [p.key for p in weights.alone_reference],
            "candidate": [p.key for p in weights.alone_candidate],
        },
    }


def _json_value(placement: Placement) -> Any:
    pieces = [str(piece) for piece in placement.pieces]
    value: Any = pieces[0] if len(pieces) == 1 else pieces
    return {"from": value, "then": " | ".join(map(str, placement.then))} if placement.then else value


# --------------------------------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------------------------------


def read_map(
    path: str | os.PathLike[str],
    reference: Mapping[str, ParameterFacts],
    candidate: Mapping[str, ParameterFacts] | None,
) -> WeightMap:
    """Read a map for two sides.

    Args:
        path: a file that `to_toml` or `to_json` wrote, or a person in the same form.
        reference: the parameters that the numbers come from, by key.
        candidate: the parameters that they go to; None takes the map's word for them.

    Raises:
        RuleError: the file cannot be read, or says what cannot be: a parameter that is not there, shapes that do not
            fit, the same target twice.
    """
    file = Path(path)
    table = _load(file)
    if table.get("format") != FORMAT:
        raise RuleError(
            "the file is no map of weights",
            where=str(file),
            then=f'tracer weights map A B -o map.toml writes one; it begins with format = "{FORMAT}"',
        )
    if table.get("version") != VERSION:
        raise RuleError(
            f"the map is of version {table.get('version')!r}; this tracer reads version {VERSION}",
            where=str(file),
            then="write it anew with tracer weights map",
        )
    lines = table.get("parameters")
    if not isinstance(lines, Mapping):
        raise RuleError("the map has no table `parameters`", where=str(file), then="write [parameters] and lines below")
    return map_of(lines, reference, candidate, where=str(file))


def map_of(
    lines: Mapping[str, Any],
    reference: Mapping[str, ParameterFacts],
    candidate: Mapping[str, ParameterFacts] | None,
    *,
    where: str = "mapping=",
) -> WeightMap:
    """A map from its lines, as they stand in a file, and checked against both sides.

    Raises:
        RuleError: see `read_map`.
    """
    if candidate is None:
        candidate = _as_the_map_says(lines, reference, where)
    aliases = {p.alias: p.key for p in candidate.values() if p.alias}
    placements: dict[str, Placement] = {}
    for name, value in lines.items():
        target = name if name in candidate else aliases.get(name, name)
        if target not in candidate:
            raise _not_there(name, candidate, "candidate", f"{where}, {name!r}")
        target = candidate[target].tied or target
        if target in placements:
            raise RuleError("the map fills one parameter twice", where=f"{where}, {name!r}", then="keep one line")
        placement = _placement(target, value, reference, f"{where}, {name!r}")
        shape = _shape(placement, reference, f"{where}, {name!r}")
        if shape != candidate[target].shape:
            raise RuleError(
                f"the map makes an array of shape {shape}, where the candidate has {candidate[target].shape}",
                where=f"{where}, {name!r}",
                then=_MEND,
            )
        placements[target] = placement
    order = [placements[key] for key in candidate if key in placements]
    return WeightMap(reference, candidate, tuple(order))


def _as_the_map_says(
    lines: Mapping[str, Any], reference: Mapping[str, ParameterFacts], where: str
) -> dict[str, ParameterFacts]:
    """A candidate that nobody has seen, as the lines of the map make it."""
    found = {}
    for name, value in lines.items():
        placement = _placement(name, value, reference, f"{where}, {name!r}")
        first = reference[placement.pieces[0].source]
        found[name] = ParameterFacts(name, _shape(placement, reference, f"{where}, {name!r}"), first.dtype)
    return found


def _shape(placement: Placement, reference: Mapping[str, ParameterFacts], where: str) -> tuple[int, ...]:
    try:
        return placement.shape(reference)
    except ValueError as error:
        raise RuleError(f"the map cannot be followed: {error}", where=where, then=_MEND) from None


_MEND = 'mend the line: steps are "| T", "| reshape 64x3x1x7", "| rows 0:64"'


def _placement(target: str, value: Any, reference: Mapping[str, ParameterFacts], where: str) -> Placement:
    then: Any = ""
    if isinstance(value, Mapping):
        if set(value) - {"from", "then"} or "from" not in value:
            raise RuleError("a line of the map has other keys than from and then", where=where, then=_MEND)
        value, then = value["from"], value.get("then", "")
    pieces = value if isinstance(value, list) else [value]
    if not pieces or not all(isinstance(piece, str) and piece for piece in pieces) or not isinstance(then, str):
        raise RuleError("a line of the map holds no names", where=where, then=_MEND)
    steps = tuple(read_step(part, where) for part in then.split("|")) if then else ()
    return Placement(target, tuple(_piece(piece, reference, where) for piece in pieces), BY_THE_MAP, then=steps)


def _piece(text: str, reference: Mapping[str, ParameterFacts], where: str) -> Piece:
    name, *steps = (text,) if text in reference else tuple(part.strip() for part in text.split(" | "))
    aliases = {p.alias: p.key for p in reference.values() if p.alias}
    key = name if name in reference else aliases.get(name, name)
    if key not in reference:
        raise _not_there(name, reference, "reference", where)
    return Piece(reference[key].tied or key, tuple(read_step(step, where) for step in steps))


def _not_there(name: str, known: Mapping[str, ParameterFacts], side: str, where: str) -> RuleError:
    near = difflib.get_close_matches(name, known, n=3)
    then = (
        f"did you mean {' or '.join(map(repr, near))}?" if near else f"the {side} has {', '.join(list(known)[:4])} ..."
    )
    return RuleError(f"the map names {name!r}, which the {side} has not", where=where, then=then)


def _load(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        then = "give a file that tracer weights map wrote"
        raise RuleError(f"the map cannot be read: {error.strerror}", where=str(file), then=then) from error
    except UnicodeDecodeError as error:
        raise RuleError("the map is no UTF-8 text", where=str(file), then="save it as UTF-8") from error
    try:
        if text.lstrip().startswith("{"):
            loaded = json.loads(text, object_pairs_hook=_once)
        else:
            try:
                import tomllib
            except ImportError:  # Python 3.10
                import tomli as tomllib  # type: ignore[no-redef,import-not-found,unused-ignore]
            loaded = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RuleError(
            f"the map cannot be read: {words}", where=str(file), then="mend the line named above"
        ) from error
    if not isinstance(loaded, Mapping):
        raise RuleError("the map is no table", where=str(file), then="give a file that tracer weights map wrote")
    return loaded


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} stands there twice")
        found[key] = value
    return found
