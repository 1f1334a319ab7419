"""Tables: CSV with a header, JSON lines, and JSON documents that hold a list of rows."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.curves.gathering import Ask, Gathered
from tracer.curves.measures import EPOCH_NAMES, STEP_NAMES
from tracer.curves.series import NUMBER, Curves, no_curves
from tracer.curves.text_lines import LONGEST, first_line, lines_of

_NUMBER = re.compile(rf"\s*{NUMBER}\s*")
_HISTORY = "log_history"


def is_csv(path: Path, first: str, second: str) -> bool:
    """A header of several names and a row with as many fields, one of them a number."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        return True
    mark = _mark(first)
    names, fields = first.split(mark), second.split(mark)
    no_number = not any(_NUMBER.fullmatch(name) or set(name) & set("{}[]():=") for name in names)
    return len(names) == len(fields) > 1 and no_number and any(_NUMBER.fullmatch(field) for field in fields)


def read_csv(path: Path, ask: Ask) -> Curves:
    """The columns of a CSV; the mark between fields is what the header has most of.

    Raises:
        CurveError: it cannot be read, is empty, has no column of numbers or not the column that the user names.
    """
    header = first_line(path)
    if header is None:
        raise no_curves(path, "the file is empty", "check that the run wrote it")
    lines = (line for line in lines_of(path) if line.strip())
    table = csv.reader(lines, delimiter=_mark(header), skipinitialspace=True)
    try:
        names = [name.strip() for name in next(table)]
        rows = (dict(zip(names, map(str.strip, fields), strict=False)) for fields in table)
        return _read(path, "CSV", rows, ask, names)
    except csv.Error as error:
        raise no_curves(path, f"the table cannot be read ({error})", "check that it is a CSV with a header") from error


def read_json(path: Path, ask: Ask) -> Curves | None:
    """The rows of JSON lines, of a list, or of a Hugging Face trainer_state.json; None where it is no JSON.

    Raises:
        CurveError: it cannot be read, or has no numbers.
    """
    rows, torn = _json_rows(path)
    if rows is None:
        return None
    flat = [{str(key): _text(value) for key, value in row.items()} for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    notes = [f"what is no JSON was passed over: {torn} line{'s' * (torn > 1)}"] if torn else []
    return _read(path, "JSON", flat, ask, names, notes)


def _read(
    path: Path, kind: str, rows: Iterable[Mapping[str, str]], ask: Ask, names: list[str], notes: Iterable[str] = ()
) -> Curves:
    missing = [name for name in ask.columns.values() if name not in names]
    if missing and ask.insists:
        raise no_curves(path, f"there is no column {missing[0]!r}", f"the columns are {_some(names)}")
    step_name = _first(names, (ask.columns.get("step", ""), *STEP_NAMES))
    epoch_name = _first(names, (ask.columns.get("epoch", ""), *EPOCH_NAMES))
    gathered = Gathered()
    unread = 0
    for row in rows:
        numbers = {name: text for name, text in row.items() if name not in {step_name, epoch_name} and text}
        numbers = {name: text for name, text in numbers.items() if _NUMBER.fullmatch(text)}
        step = _count(row.get(step_name)) if step_name else None
        if numbers and (step is not None or step_name is None):
            gathered.row(numbers, step, _count(row.get(epoch_name)) if epoch_name else None)
        else:
            unread += 1
    if not gathered.names:
        then = "name what counts the steps and what is measured: --column step=NAME --column loss=NAME"
        raise no_curves(path, f"no column beside the step has a number; the columns are {_some(names)}", then)
    said = [f"what has no step or no number was passed over: {unread} row{'s' * (unread > 1)}"] if unread else []
    return gathered.curves(str(path), kind, ask, [*notes, *said])


def _mark(header: str) -> str:
    return max(",;\t", key=header.count)


def _first(names: Sequence[str], wanted: Iterable[str]) -> str | None:
    lower = {name.lower(): name for name in reversed(list(names))} | {name: name for name in names}
    return next((lower[name] for name in wanted if name in lower), None)


def _count(text: str | None) -> int | None:
    try:
        number = float(text) if text else math.nan
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number == int(number) else None


def _some(names: list[str]) -> str:
    return ", ".join(map(repr, names[:12])) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


# --------------------------------------------------------------------------------------------------------------------
# JSON
# --------------------------------------------------------------------------------------------------------------------


def _json_rows(path: Path) -> tuple[list[dict[str, Any]] | None, int]:
    """Rows, and how many lines are none; None where most are none."""
    rows, torn = [], 0
    for line in lines_of(path):
        if not line.strip():
            continue
        one = _loads(line) if len(line) < LONGEST else None
        if isinstance(one, dict):
            rows.append(one)
        else:
            torn += 1
    if len(rows) > torn:
        return (_history(rows[0]) if len(rows) == 1 else None) or rows, torn
    whole = _loads("\n".join(lines_of(path)))
    return _history(whole), 0


def _history(document: Any) -> list[dict[str, Any]] | None:
    """The rows that stand in a document: itself, or the list of a trainer's history."""
    found = document.get(_HISTORY) if isinstance(document, dict) else document
    if not isinstance(found, list):
        return None
    return [row for row in found if isinstance(row, dict)] or None


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_float=_Written, parse_int=_Written, parse_constant=_Written)
    except (ValueError, RecursionError):
        return None


class _Written(str):
    """A number as it was written."""

    __slots__ = ()


def _text(value: Any) -> str:
    return str(value) if isinstance(value, _Written) else ""


def looks_like_json(first: str) -> bool:
    """Does a file that begins so hold JSON?"""
    return first.lstrip()[:1] in {"{", "["} and _starts_json(first)


def _starts_json(first: str) -> bool:
    rest = first.lstrip()[1:].lstrip()
    return not rest or rest[:1] in {'"', "{", "[", "}", "]"}
