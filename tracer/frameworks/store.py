"""Where copies of a net's arrays wait until they are put back: bounded memory, then a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import IO, Any

import numpy as np

Array = np.ndarray[Any, Any]

IN_MEMORY = 256 << 20
"""Bytes of a net that are kept in memory to be put back; the rest goes to a temporary file."""


class Store:
    """Bytes of many arrays: in memory as long as they are few, then in a temporary file."""

    def __init__(self, limit: int = IN_MEMORY) -> None:
        self._left = limit
        self._file: IO[bytes] | None = None
        self._end = 0

    def keep(self, array: Array) -> Callable[[], Array]:
        """Keep a copy; returns how to get it back, in C order and not to be written to."""
        if array.nbytes <= self._left:
            self._left -= array.nbytes
            copy = np.array(array, order="C")
            return lambda: copy
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="tracer-")  # noqa: SIM115 (closed by `close`)
        file, start, size, dtype, shape = self._file, self._end, array.nbytes, array.dtype, array.shape
        file.seek(start)
        file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        self._end += size

        def read() -> Array:
            file.seek(start)
            found: Array = np.frombuffer(file.read(size), np.uint8).view(dtype).reshape(shape)
            return found

        return read

    def close(self) -> None:
        """Give the temporary file back; what it held cannot be had any more."""
        if self._file is not None:
            self._file.close()
