"""The lines of a text file as a person reads them: any common encoding, no colour codes, progress bars line by line."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from tracer.curves.series import no_curves

LONGEST = 20_000
"""Letters of a line beyond which nothing is looked for."""

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def lines_of(path: Path) -> Iterator[str]:
    """Line after line without its end; what is no text becomes question marks.

    Raises:
        CurveError: the file cannot be read.
    """
    try:
        with path.open("rb") as raw:
            begin = raw.read(4)
        encoding = next((name for mark, name in _MARKS if begin.startswith(mark)), "utf-8")
        with path.open(encoding=encoding, errors="replace") as stream:
            while line := stream.readline(LONGEST):
                yield _COLOUR.sub("", line).rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        what = f"the file cannot be read ({getattr(error, 'strerror', None) or error})"
        raise no_curves(path, what, "check the path and its permissions") from error


def first_line(path: Path) -> str | None:
    """The first line that is not blank, None where there is none."""
    return next((line for line in lines_of(path) if line.strip()), None)
