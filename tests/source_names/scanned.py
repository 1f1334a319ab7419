"""Source is written to files, read and scanned; what is found is told in one line a use."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import read_sources
from tracer.source.uses import Use


def uses(source: str | Mapping[str, str]) -> list[Use]:
    """The uses in one file, or in a tree of files by their paths."""
    files = {"net.py": source} if isinstance(source, str) else source
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            place = Path(folder, path)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(dedent(text), encoding="utf-8")
        found = read_sources([folder])
    assert not found.unread, found.unread
    return find_uses(found.files, Facts.load())


def told(source: str | Mapping[str, str], *sorts: str) -> list[str]:
    """Each use as `sort torch.name`, with `?` behind a guess; only those of these sorts if some are named."""
    return [
        f"{use.sort} {use.torch}{'' if use.sure else '?'}" for use in uses(source) if not sorts or use.sort in sorts
    ]
