"""Two trees -> as few lines as tell all: runs of equal members of lists become one, and where there is much to show,
subtrees without a difference close."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.starting_point.trees.rows import Part, Row, Trees


@dataclass(frozen=True)
class Line:
    """One line to be shown, `depth` levels below the net. `count` says of how many equal members of a list it is the
    first, `last` which is the last; `closed` how many layers lie in it and are not shown, `inside` how many of them
    differ."""

    row: Row
    depth: int
    count: int = 1
    last: Row | None = None
    closed: int = 0
    inside: int = 0


def folded(trees: Trees, *, most: int = 60, depth: int | None = None, every: bool = False) -> tuple[Line, ...]:
    """The lines that show two trees.

    Args:
        trees: what is shown.
        most: how many lines there may be before subtrees without a difference close, the deepest first.
        depth: how many levels below the net are shown.
        every: a line for each layer: nothing is folded or closed.
    """
    if every:
        return tuple(_lines(trees.root, 0, _Way({}, depth, None)))
    signatures: dict[int, Any] = {}
    _sign(trees.root, signatures)
    lines = tuple(_lines(trees.root, 0, _Way(signatures, depth, None)))
    level = max(line.depth for line in lines)
    while len(lines) > most and level > 1:
        level -= 1
        lines = tuple(_lines(trees.root, 0, _Way(signatures, depth, level)))
    return lines


@dataclass(frozen=True)
class _Way:
    """`signatures` say by identity which rows are equal; `quiet` is the level from which on equal subtrees close."""

    signatures: Mapping[int, Any]
    depth: int | None
    quiet: int | None


def _lines(row: Row, depth: int, way: _Way, count: int = 1, last: Row | None = None) -> Iterator[Line]:
    below = list(row.walk())[1:]
    differ = sum(one.marked for one in below)
    plain = all(one.state in {"same", "frame"} for one in below)
    closes = (way.depth is not None and depth >= way.depth) or (
        way.quiet is not None and depth >= way.quiet and not differ and plain
    )
    if below and closes:
        yield Line(row, depth, count, last, sum(one.layer for one in below), differ)
        return
    yield Line(row, depth, count, last)
    for run in _runs(row.children, way.signatures):
        yield from _lines(run[0], depth + 1, way, len(run), run[-1] if len(run) > 1 else None)


def _runs(rows: Sequence[Row], signatures: Mapping[int, Any]) -> list[list[Row]]:
    """Neighbours that are equal, and count on by one on both sides."""
    runs: list[list[Row]] = []
    for row in rows:
        last = runs[-1][-1] if runs else None
        equal = last is not None and id(row) in signatures and signatures[id(row)] == signatures[id(last)]
        if last is not None and equal and _follows(last, row):
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _follows(first: Row, second: Row) -> bool:
    sides = ((first.reference, second.reference), (first.candidate, second.candidate))
    return all((a is None and b is None) or (a and b and _next(a.label, b.label)) for a, b in sides)


def _next(one: str, other: str) -> bool:
    head, _, last = one.rpartition(".")
    head_2, _, last_2 = other.rpartition(".")
    return head == head_2 and last.isdigit() and last_2.isdigit() and int(last_2) == int(last) + 1


def _sign(row: Row, signatures: dict[int, Any]) -> Any:
    """What a row and all in it are, without its own number in a list."""
    inside = tuple((_own_name(child), _sign(child, signatures)) for child in row.children)
    differences = tuple((d.kind, d.name, repr(d.reference), repr(d.candidate)) for d in row.differences)
    moved = any(d.kind == "moved" for d in row.differences)
    sides = tuple(_sign_part(part) for part in (row.reference, row.candidate))
    signatures[id(row)] = (sides, row.state, row.note, differences, inside, id(row) if moved else None)
    return signatures[id(row)]


def _own_name(row: Row) -> tuple[str, str]:
    return tuple(part.label if part else "" for part in (row.reference, row.candidate))  # type: ignore[return-value]


def _sign_part(part: Part | None) -> Any:
    if part is None:
        return None
    return part.kind, part.op, repr(sorted(part.settings.items())), tuple(part.parameters.items())
