"""The diff where one side at least is a folder of arrays."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import file_of
from tracer.divergence.metrics import Progress, Tolerance
from tracer.errors import RuleError, TraceFileError
from tracer.trace.reader import Trace

if TYPE_CHECKING:
    from tracer.divergence.files import Shelf
    from tracer.reports.report import Report


def diff_folders(
    reference: str | os.PathLike[str] | Trace,
    candidate: str | os.PathLike[str] | Trace,
    tolerance: Tolerance | None,
    pins: Sequence[tuple[str, str]],
    only: Sequence[str],
    progress: Progress | None,
) -> Report:
    """Pair the files of both sides, judge every pair, and name the first in order that differs.

    Args:
        reference, candidate: a folder, an .npz, or a trace; one of both is no trace.
        tolerance, pins, only, progress: as in `tracer.diff`, of the names of files.

    Raises:
        TraceFileError: a file or a trace that cannot be read, or holds no arrays.
        RuleError: a pin or a glob that names no file; one array instead of a folder.
    """
    from tracer.divergence.files import diagnose_files, open_folder, traced
    from tracer.reports.report import Report

    sides = (reference, candidate)
    with ExitStack() as opened:
        shelves: dict[int, Shelf] = {}
        for at, side in enumerate(sides):
            if not isinstance(side, Trace) and holds_arrays(side):
                shelves[at] = open_folder(Path(side), only)
        for at, (side, name) in enumerate(zip(sides, ("reference", "candidate"), strict=True)):
            if at not in shelves:
                trace = side if isinstance(side, Trace) else opened.enter_context(Trace(_beside_folder(side, name)))
                gradients = [n.gradient for n in shelves[1 - at].names]
                shelves[at] = traced(trace, outputs=not all(gradients), gradients=any(gradients))
        ours, theirs = _told_apart(shelves[0], shelves[1])
        return Report(diagnose_files(ours, theirs, tolerance=tolerance, pins=pins, only=only, progress=progress))


def _told_apart(ours: Shelf, theirs: Shelf) -> tuple[Shelf, Shelf]:
    """Two folders of one name are shown with what lies above them: pt/npy, ms/npy."""
    if ours.net != theirs.net or ours.framework != theirs.framework:
        return ours, theirs
    above = [Path(side.place).resolve().parts for side in (ours, theirs)]
    count = next((n for n in range(1, min(map(len, above)) + 1) if above[0][-n:] != above[1][-n:]), 1)
    shown = ["/".join(parts[-count:]) for parts in above]
    return replace(ours, net=shown[0]), replace(theirs, net=shown[1])


def holds_arrays(value: Any) -> bool:
    """Is it a folder of arrays, or one archive of them, and no trace?"""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        return False
    path = Path(value)
    return path.is_dir() or (path.suffix.lower() == ".npz" and path.is_file())


def _beside_folder(value: Any, name: str) -> Path:
    """The trace that a folder is to be compared with.

    Raises:
        RuleError: one array.
        TraceFileError: there is nothing of that name.
    """
    path = file_of(value, name)
    if not path.exists() and path.suffix.lower() not in {".h5", ".hdf5", ".npz", ".npy"}:
        then = "give a folder of .npy files, or a trace"
        raise TraceFileError(f"the {name} is not there", where=str(path), then=then)
    if path.suffix.lower() == ".npy":
        then = "give the folder that it lies in, and --only or only= with its name to judge it alone"
        raise RuleError(f"the {name} is one array and the other side a folder", where=str(path), then=then)
    return path
