"""The verb that reads source and never runs it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import given_words, told_progress
from tracer.errors import RuleError

if TYPE_CHECKING:
    from tracer.reports.scans import ScanReport


def scan(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    mint: bool = False,
    only: str | Sequence[str] = (),
) -> ScanReport:
    """Find every use of torch in source code, and say for each what to write in MindSpore, for the arguments there.

    The source is read and never imported or run; neither framework is needed.

    Args:
        paths: a file, a notebook, a folder (to its end), the dotted name of an installed package, or several of these.
        mint: write calls of `mindspore.mint` where it has a counterpart.
        only: list only uses of these statuses ("same", "renamed", "differs", "by_hand", "unknown", "silent").

    Returns:
        A report that prints as a page; iterating over it gives each use with `.file`, `.line`, `.torch`, `.mindspore`,
        `.status`, `.silent`, `.write` and more. `.silent` are the lines that would run and compute something else if
        only the name were changed; `.unread` is what could not be read.

    Raises:
        SourceError: nothing could be read.
        RuleError: an argument that does not hold.
    """
    from tracer.reports.scans import ScanReport, chosen_of
    from tracer.source.scanning import scan_sources

    if mint not in (True, False):
        raise RuleError("mint= is neither True nor False", where=given_words(mint), then="give one of them")
    chosen = chosen_of((only,) if isinstance(only, str) else tuple(only))
    with told_progress() as progress:
        return ScanReport(scan_sources(_paths(paths), mint=mint, progress=progress), chosen)


def _paths(paths: Any) -> list[str | os.PathLike[str]]:
    given = [paths] if isinstance(paths, str | os.PathLike) else paths
    several = isinstance(given, Sequence) and bool(given) and not isinstance(given, bytes)
    if not several or not all(isinstance(path, str | os.PathLike) and str(path) for path in given):
        then = 'give a file, a folder or a package, as tracer.scan("src/"), or a list of them'
        raise RuleError("paths= names no source", where=given_words(paths), then=then)
    return list(given)
