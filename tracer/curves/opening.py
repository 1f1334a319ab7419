"""One side as it was given: a trace, a log, a table, event files, or numbers in memory. What it is says its content."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.curves.event_files import event_files, is_event_file, read_events
from tracer.curves.gathering import Ask, Gathered
from tracer.curves.logs import read_log
from tracer.curves.series import Curves, no_curves
from tracer.curves.tables import is_csv, looks_like_json, read_csv, read_json
from tracer.curves.text_lines import lines_of
from tracer.curves.traced import read_trace
from tracer.errors import CurveError, RuleError
from tracer.trace.reader import Trace

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TABLES = {".csv", ".tsv", ".json", ".jsonl"}
"""Endings of files that are no logs, whatever pattern is given for the other side."""


def read_curves(given: Any, ask: Ask | None = None) -> Curves:
    """The curves of one side.

    Args:
        given: a trace or its path, a log, CSV, JSON or event file, a folder of event files, or a mapping of names to
            numbers: a sequence (of steps 0, 1, ...), or a mapping of steps to numbers.
        ask: how the user wants it read.

    Raises:
        CurveError: it cannot be read, or has no curve.
        TraceFileError: a trace that cannot be read.
        RuleError: a pattern or column that does not hold.
    """
    ask = ask or Ask()
    if isinstance(given, Trace):
        return read_trace(given)
    if isinstance(given, Mapping):
        return _in_memory(given, ask)
    return _of_path(Path(os.fspath(given)), ask)


def _of_path(path: Path, ask: Ask) -> Curves:
    if not path.exists():
        raise no_curves(path, "there is no such file", "check the path; a folder of event files may be given, too")
    if path.is_dir():
        files = event_files(path)
        if not files:
            then = "give the log, the trace, or the folder in which TensorBoard's event files lie"
            raise no_curves(path, "the folder holds no event file", then)
        return read_events(path, files, ask)
    if _begins(path) == _HDF5:
        with Trace(path) as trace:
            return read_trace(trace)
    if is_event_file(path):
        return read_events(path, [path], ask)
    if ask.pattern is not None and path.suffix.lower() not in _TABLES:
        return read_log(path, ask)
    lines = (line for line in lines_of(path) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    if looks_like_json(first):
        found = read_json(path, ask)
        if found is not None:
            return found
    return read_csv(path, ask) if is_csv(path, first, second) else read_log(path, ask)


def _begins(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_HDF5))
    except OSError as error:
        what = f"the file cannot be read ({error.strerror or error})"
        raise no_curves(path, what, "check the path and its permissions") from error


def _in_memory(given: Mapping[Any, Any], ask: Ask) -> Curves:
    """Numbers by name; each name may have steps of its own."""
    rows: dict[int, dict[str, str]] = {}
    for name, values in given.items():
        if not isinstance(name, str):
            then = 'give {"loss": losses}'
            raise RuleError("a mapping of curves has names", where=f"key {name!r}"[:80], then=then)
        try:
            for step, value in _points(values):
                rows.setdefault(int(step), {})[name] = repr(float(value))
        except (TypeError, ValueError) as error:
            then = "give a sequence of numbers, or a mapping of steps to numbers"
            raise RuleError(f"the curve {name!r} is no row of numbers ({error})", where=name, then=then) from error
    if not rows:
        raise CurveError("there is no number in the curves", where="the mapping", then='give {"loss": losses}')
    gathered = Gathered()
    for step, row in rows.items():
        gathered.row(row, step, None)
    return gathered.curves("numbers", "numbers", ask, exact=True)


def _points(values: Any) -> list[tuple[Any, Any]]:
    if isinstance(values, Mapping):
        return list(values.items())
    if isinstance(values, str | bytes) or not (isinstance(values, Sequence) or hasattr(values, "__iter__")):
        raise TypeError(f"a {type(values).__name__}")
    return list(enumerate(values))
