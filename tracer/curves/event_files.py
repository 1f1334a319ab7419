"""Event files of TensorBoard, and the summaries of MindSpore, whose records are framed alike: scalars only.

A file is records: length (8 bytes), its checksum (4), that many bytes, their checksum (4). A record is a protobuf
message `Event`: field 2 is the step, field 5 a summary of values with a tag (1) and a scalar: TensorBoard's
`simple_value` (field 2, float), a tensor of one number (field 8), or MindSpore's `scalar_value` (field 3, float).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tracer.curves.gathering import Ask, Gathered
from tracer.curves.series import Curves, no_curves
from tracer.curves.wire import BadWire, fields

_HEAD = 12
_WHOLE = 1 << 20
"""Bytes of a record beyond which it is passed over: pictures, graphs and histograms, never a scalar."""

_NAMES = ("tfevents", ".summary.")


def is_event_file(path: Path) -> bool:
    """By its name, or by a first record whose length has the right checksum."""
    if any(name in path.name for name in _NAMES):
        return True
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return len(head) == _HEAD and _length(head) is not None


def event_files(folder: Path) -> list[Path]:
    """The event files of a folder and those below it, in the order of their names."""
    found = (path for path in folder.rglob("*") if any(name in path.name for name in _NAMES) and path.is_file())
    return sorted(found)


def read_events(path: Path, files: list[Path], ask: Ask) -> Curves:
    """The scalars of event files, which are one run taken up again where there are several.

    Raises:
        CurveError: a file cannot be read, or there is no scalar in them.
    """
    gathered = Gathered()
    notes: list[str] = []
    found: dict[int, dict[str, str]] = {}
    for file in files:
        reading = Reading()
        try:
            with file.open("rb") as stream:
                for step, tag, value in reading.scalars(stream):
                    found.setdefault(step, {})[tag] = value
        except OSError as error:
            what = f"the event file cannot be read ({error.strerror or error})"
            raise no_curves(file, what, "check the path and its permissions") from error
        if reading.torn:
            notes.append(f"{file.name} {reading.torn}: {reading.records} whole records before that were read")
    tags = list(dict.fromkeys(tag for row in found.values() for tag in row))
    missing = [tag for measure, tag in ask.columns.items() if measure != "step" and tag not in tags]
    if tags and missing and ask.insists:
        then = f"the tags are {', '.join(map(repr, tags[:12]))}"
        raise no_curves(path, f"there is no tag {missing[0]!r}", then)
    for step, row in found.items():
        gathered.row(row, step, None)
    if not gathered.names:
        said = f" ({notes[0]})" if notes else ""
        then = "write scalars: writer.add_scalar('loss', loss, step); give the folder of the run"
        raise no_curves(path, f"there is no scalar in {len(files)} event file{'s' * (len(files) != 1)}{said}", then)
    if len(files) > 1:
        notes.append(f"{len(files)} event files, read in the order of their names")
    return gathered.curves(str(path), "event files", ask, notes)


@dataclass
class Reading:
    """One pass through a file: how many records were whole, and where it ended before its end."""

    records: int = 0
    torn: str = ""

    def scalars(self, stream: BinaryIO) -> Iterator[tuple[int, str, str]]:
        """Step, tag and value (as text) of each scalar, up to the end or to the first record that is not whole."""
        for data in self._records(stream):
            try:
                yield from _scalars(data)
            except BadWire:
                self.torn = f"has a damaged record after {self.records}"
                return
            self.records += 1

    def _records(self, stream: BinaryIO) -> Iterator[memoryview]:
        while head := stream.read(_HEAD):
            length = _length(head) if len(head) == _HEAD else None
            if length is None:
                self.torn = "is cut off" if len(head) < _HEAD else "is damaged"
                return
            if length > _WHOLE:
                here = stream.tell()
                size = stream.seek(0, 2)
                if here + length + 4 > size:
                    self.torn = "is cut off"
                    return
                stream.seek(here + length + 4)
                self.records += 1
                continue
            data = stream.read(length)
            tail = stream.read(4)
            if len(data) < length or len(tail) < 4:
                self.torn = "is cut off"
                return
            if _masked(data) != struct.unpack("<I", tail)[0]:
                self.torn = "is damaged"
                return
            yield memoryview(data)


def _scalars(event: memoryview) -> Iterator[tuple[int, str, str]]:
    step, summaries = 0, []
    for number, _, value in fields(event):
        if number == 2 and isinstance(value, int):
            step = value if value < 1 << 63 else value - (1 << 64)
        elif number == 5 and isinstance(value, memoryview):
            summaries.append(value)
    for summary in summaries:
        for number, _, value in fields(summary):
            if number == 1 and isinstance(value, memoryview):
                yield from ((step, tag, text) for tag, text in _value(value))


def _value(message: memoryview) -> Iterator[tuple[str, str]]:
    tag, found = "", None
    for number, kind, value in fields(message):
        if number == 1 and isinstance(value, memoryview):
            tag = bytes(value).decode("utf-8", "replace")
        elif number in {2, 3} and kind == 5 and isinstance(value, memoryview):
            found = _shortest(struct.unpack("<f", value)[0])
        elif number == 8 and isinstance(value, memoryview):
            found = _tensor(value) or found
    if tag and found is not None:
        yield tag.removesuffix("[:Scalar]").removesuffix("/scalar"), found


def _tensor(message: memoryview) -> str | None:
    """A tensor of one float or double, by its bytes or by its typed list; None for any other."""
    dtype, size, found = 0, 1, None
    for number, _, value in fields(message):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, memoryview):
            for field, _, dim in fields(value):
                if field == 2 and isinstance(dim, memoryview):
                    size *= next((n for f, _, n in fields(dim) if f == 1 and isinstance(n, int)), 0)
        elif isinstance(value, memoryview):
            code = {(4, 1): "f", (4, 2): "d", (5, 1): "f", (6, 2): "d"}.get((number, dtype))
            if code is not None and len(value) == struct.calcsize(code):
                scalar = struct.unpack(f"<{code}", value)[0]
                found = _shortest(scalar) if code == "f" else repr(scalar)
    return found if size == 1 else None


def _shortest(value: float) -> str:
    """A float32 in as many digits as it has."""
    return f"{value:.8g}" if math.isfinite(value) else repr(value)


# --------------------------------------------------------------------------------------------------------------------
# Checksums: CRC-32C, masked as TensorFlow's records have it
# --------------------------------------------------------------------------------------------------------------------


def _length(head: bytes) -> int | None:
    length, checksum = struct.unpack("<QI", head)
    return length if _masked(head[:8]) == checksum else None


def _masked(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        rows.append(crc)
    return tuple(rows)


_TABLE = _table()
