"""Two nets that need not have run -> both trees side by side, and what differs between them.

The way through this folder: `sides` says which layers of a net are shown and what they are; `partners` aligns two sides
with the diff's aligner; `merging` makes one tree of rows of the two; `differences` holds two layers against each other
by the diff's rules; `rows` is what comes out, and `folding` how it is shortened for a reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from tracer.divergence.rules import UserRule
from tracer.errors import RuleError
from tracer.starting_point.holders import Holder
from tracer.starting_point.trees.merging import merged_rows
from tracer.starting_point.trees.partners import partners
from tracer.starting_point.trees.rows import Difference, Part, Row, Trees, Whole
from tracer.starting_point.trees.sides import Side
from tracer.starting_point.weights.placing import graphs

__all__ = ["Difference", "Part", "Row", "Trees", "Whole", "beside"]


def beside(
    reference: Holder,
    candidate: Holder,
    *,
    pins: Sequence[tuple[str, str]] = (),
    only: Sequence[str] = (),
    rules: Sequence[UserRule] = (),
) -> Trees:
    """Put two trees side by side.

    Args:
        reference: the net that is right.
        candidate: its port.
        pins: pairs of layers that the user insists on, the reference's path first.
        only: globs of paths; other layers are not held against each other.
        rules: the user's own layers in common words.

    Raises:
        RuleError: a pin that does not hold, or a glob that matches no layer.
    """
    both = graphs(reference.skeleton, candidate.skeleton, rules)
    sides = [
        Side(holder.name, holder.skeleton.header.net, graph, holder.parameters())
        for holder, graph in zip((reference, candidate), both, strict=True)
    ]
    root = merged_rows(sides[0], sides[1], partners(sides[0], sides[1], pins))
    if only:
        root = _only(root, only)
    rows = list(root.walk())
    kinds = Counter(kind for row in rows if row.marked for kind in row.kinds)
    return Trees(
        reference=sides[0].whole(),
        candidate=sides[1].whole(),
        root=root,
        layers=sum(row.layer for row in rows),
        differing=sum(row.marked for row in rows),
        kinds=dict(kinds.most_common()),
        apart=sum(row.layer and row.state == "apart" for row in rows),
        not_compared=sum(row.layer and row.state == "not compared" for row in rows),
        aligned=sum(row.layer and row.paired and row.state != "not compared" for row in rows),
        notes=(*reference.notes, *candidate.notes, *_notes(sides[0], sides[1], rows)),
    )


def _only(root: Row, globs: Sequence[str]) -> Row:
    """The rows whose path on either side matches, and what lies around them."""
    for glob in globs:
        if not any(_matches(row, [glob]) for row in root.walk()):
            raise RuleError(
                "only= matches no layer of either net", where=glob, then="give a path or a glob, as 'blocks.2.*'"
            )
    return _kept(root, globs) or root


def _kept(row: Row, globs: Sequence[str]) -> Row | None:
    inside = tuple(kept for child in row.children if (kept := _kept(child, globs)) is not None)
    if _matches(row, globs):
        return replace(row, children=inside)
    return replace(row, layer=False, state="frame", differences=(), note="", children=inside) if inside else None


def _matches(row: Row, globs: Sequence[str]) -> bool:
    return any(fnmatchcase(part.path, glob) for part in (row.reference, row.candidate) if part for glob in globs)


def _notes(ours: Side, theirs: Side, rows: Sequence[Row]) -> list[str]:
    """What could not be compared, and why."""
    said = [
        f"{side.name} is a file of parameters: classes, settings and layers without parameters are not compared"
        for side in (ours, theirs)
        if side.bare
    ]
    if said:
        return said
    strangers: Counter[str] = Counter()
    for row in rows:
        parts = [part for part in (row.reference, row.candidate) if part]
        if row.paired and row.layer and not row.children and not all(part.op for part in parts):
            strangers.update({part.kind for part in parts if not part.op})
    if strangers:
        names = ", ".join(list(strangers)[:5]) + (" ..." if len(strangers) > 5 else "")
        word = "a class" if len(strangers) == 1 else f"{len(strangers)} classes"
        said.append(
            f"no rule knows {word} of these nets ({names}): of such layers parameters are compared, and "
            "settings of one name"
        )
    lone = sum(_may_be_function(child) for row in rows if row.paired for child in row.children)
    if lone:
        many = (
            ("1 layer", "holds", "it as a function") if lone == 1 else (f"{lone} layers", "hold", "them as functions")
        )
        said.append(f"{many[0]} on one side only {many[1]} no parameters: the other net may call {many[2]}")
    return said


def _may_be_function(row: Row) -> bool:
    """Is it a layer of one side, without parameters, in a layer that both have?"""
    part = row.reference or row.candidate
    return row.marked and not row.paired and not row.children and not (part and part.parameters)
