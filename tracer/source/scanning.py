"""The whole walk: paths -> files -> uses of torch -> what to write for each."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from tracer.errors import SourceError
from tracer.source.deep_syntax import with_deep_stack
from tracer.source.facts.proofs import proof_of
from tracer.source.facts.table import Facts
from tracer.source.finding import find_uses
from tracer.source.reading import Sources, read_sources
from tracer.source.rewriting.suggesting import suggest_all
from tracer.source.scanned import Finding, Scan
from tracer.source.uses import Use

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and how much there is (0: nobody knows)."""


def scan_sources(
    paths: Sequence[str | os.PathLike[str]], *, mint: bool = False, progress: Progress | None = None
) -> Scan:
    """Find every use of torch in the sources, and what to write for each.

    Args:
        paths: files, folders, installed packages by their dotted name.
        mint: prefer `mindspore.mint`.
        progress: is told how far it is.

    Raises:
        SourceError: nothing could be read.
    """
    tell = progress or _silently
    with _without_collecting():
        sources = read_sources(paths, progress=lambda number: tell("reading", number, 0))
        if not sources.files:
            raise _nothing_read(sources)
        return with_deep_stack(lambda: _scan(sources, mint, tell))


@contextlib.contextmanager
def _without_collecting() -> Iterator[None]:
    """Syntax trees are millions of objects that all stay: looking through them for garbage takes a third of it."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _scan(sources: Sources, mint: bool, tell: Progress) -> Scan:
    facts = Facts.load()
    tell("looking for uses", 0, 0)
    uses = find_uses(sources.files, facts)
    tell("looking up calls", 0, len(uses))
    findings: list[Finding] = []
    for file in _by_file(uses):
        suggestions = suggest_all(file, facts, mint=mint)
        findings += [
            Finding(use, suggestion, proof_of(use.torch, mint=mint))
            for use, suggestion in zip(file, suggestions, strict=True)
        ]
        tell("looking up calls", len(findings), len(uses))
    return Scan(tuple(findings), sources.files, sources.unread, mint)


def _silently(_what: str, _done: int, _total: int) -> None:
    pass


def _by_file(uses: Sequence[Use]) -> Iterator[list[Use]]:
    for _, group in groupby(uses, key=lambda use: use.file):
        yield list(group)


def _nothing_read(sources: Sources) -> SourceError:
    """The first reason, and which others there are."""
    first, *others = sources.unread
    where = f"{first.path}" + (f":{first.line}" if first.line else "")
    if others:
        names = ", ".join(other.path for other in others[:4])
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        where += f"; nor could be read: {names}{more}"
    return SourceError(f"no source could be read: {first.why}", where=where, then=first.then)
