"""What `tracer.structure` gives back: two trees side by side that can be read, printed and kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from tracer.reports import contract, tree_words
from tracer.reports.report import saved
from tracer.starting_point.trees.rows import Difference, Part, Row, Trees, Verdict, Whole

Json = dict[str, Any]

FORMAT = "tracer-structure"
VERSION = 1
EXIT_CODES = {"same": 0, "differ": 1, "unsure": 2}


class StructureReport:
    """Whether two nets are built alike, layer by layer, and where they are not.

    `trees` holds it as values; `repr` is both trees in 80 columns, and so is what a notebook shows.
    """

    def __init__(self, trees: Trees) -> None:
        self.trees = trees

    @property
    def verdict(self) -> Verdict:
        """The verdict: "same", "differ" or "unsure"."""
        return self.trees.verdict

    @property
    def differs(self) -> bool:
        """Was a real difference found?"""
        return self.verdict == "differ"

    @property
    def summary(self) -> str:
        """All of it in one line."""
        return tree_words.summary(self.trees)

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every layer of both nets, in the order in which they are shown."""
        return tuple(self.trees.root.walk())

    @property
    def differing(self) -> tuple[Row, ...]:
        """The rows that differ, with what differs in them."""
        return tuple(row for row in self.rows if row.marked)

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be compared, and why."""
        return self.trees.notes

    @property
    def exit_code(self) -> int:
        """0 same, 1 differ, 2 could not tell: what the command line returns."""
        return EXIT_CODES[self.verdict]

    def to_text(self, *, depth: int | None = None, every: bool = False, width: int = 80) -> str:
        """Both trees side by side.

        Args:
            depth: how many levels below the net are shown.
            every: a line for each layer: nothing is folded.
            width: how many columns there are.
        """
        from tracer.reports.terminal_trees import trees_text

        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return trees_text(self.trees, width=width, encoding=encoding, depth=depth, every=every)

    def to_dict(self) -> Json:
        """The JSON contract (docs/reference/structure.schema.json) as plain Python values, all of them finite."""
        return to_json(self.trees)

    def to_json(self) -> str:
        """The same as text."""
        return contract.to_text(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report to a .json or .txt file, whole or not at all, and return its path.

        Raises:
            TracerError: another suffix, or a file that cannot be written.
        """
        return saved(path, "the trees", {".json": self.to_json, ".txt": lambda: f"{self.to_text()}\n"})

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


# --------------------------------------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------------------------------------


def to_json(trees: Trees) -> Json:
    """Two trees as plain values."""
    document: Json = {
        "format": FORMAT,
        "version": VERSION,
        "verdict": trees.verdict,
        "summary": tree_words.summary(trees),
        "reference": _whole(trees.reference),
        "candidate": _whole(trees.candidate),
        "layers": trees.layers,
        "aligned": trees.aligned,
        "differing": trees.differing,
        "kinds": dict(trees.kinds),
        "apart": trees.apart,
        "not_compared": trees.not_compared,
        "notes": list(trees.notes),
        "rows": list(_rows(trees.root, 0)),
    }
    finite: Json = contract.finite(document)
    return finite


def _whole(whole: Whole) -> Json:
    return {
        "name": whole.name,
        "framework": whole.framework,
        "net": whole.net,
        "layers": whole.layers,
        "parameters": whole.parameters,
        "numbers": whole.numbers,
    }


def _rows(row: Row, depth: int) -> Iterator[Json]:
    yield {
        "depth": depth,
        "state": row.state,
        "layer": row.layer,
        "reference": _part(row.reference),
        "candidate": _part(row.candidate),
        "differences": [_difference(difference) for difference in row.differences],
        "note": row.note,
        "reason": row.reason,
        "confidence": row.confidence,
    }
    for child in row.children:
        yield from _rows(child, depth + 1)


def _part(part: Part | None) -> Json | None:
    if part is None:
        return None
    return {
        "path": part.path,
        "kind": part.kind,
        "op": part.op,
        "settings": dict(part.settings),
        "parameters": {name: list(shape) for name, shape in part.parameters.items()},
        "source": part.source,
    }


def _difference(difference: Difference) -> Json:
    return {
        "kind": difference.kind,
        "name": difference.name,
        "reference": difference.reference,
        "candidate": difference.candidate,
        "sentence": difference.sentence,
        "edit": difference.edit,
    }
