"""What a file of parameters is to the rest of tracer: names, shapes, dtypes, and values in pieces."""

from __future__ import annotations

import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.dtypes import numpy_dtype
from tracer.starting_point.checkpoints.stored import FileBytes, Stored

Array: TypeAlias = npt.NDArray[Any]
Pieces: TypeAlias = Callable[[str], Iterator[Array]]

MOST_AXES = 32  # what numpy of any version can hold
DAMAGED = "copy or download the file again: it is damaged, or no checkpoint at all"


@dataclass(frozen=True)
class Entry:
    """One tensor of a file.

    Args:
        name: its name in the file.
        shape: its shape; () for a single number.
        dtype: the name of its dtype in numpy or ml_dtypes, such as "float32" or "bfloat16".
    """

    name: str
    shape: tuple[int, ...]
    dtype: str

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes its numbers take."""
        return self.count * numpy_dtype(self.dtype).itemsize


Blocks: TypeAlias = Callable[[Entry], Iterator[memoryview]]
"""What a format writes an entry from: its numbers as bytes, a block at a time."""


class Checkpoint:
    """A file of parameters, open for reading; a context manager.

    Nothing is read before it is asked for. What is read is at most a block at a time.

    Args:
        path: the file or folder.
        format: "pth", "safetensors", "ckpt" or "npz".
        framework: "torch" or "mindspore"; empty where the file does not tell.
        stored: of each name, in file order, where its numbers are.
        tied: name -> an earlier name that shows the very same numbers of one storage.
        notes: what was assumed while opening, a sentence each.
        close: closes the files below.
    """

    def __init__(
        self,
        path: Path,
        format: str,  # noqa: A002 (the word the reader of a report knows)
        framework: str,
        stored: Mapping[str, Stored],
        *,
        tied: Mapping[str, str] | None = None,
        notes: tuple[str, ...] = (),
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self.format = format
        self.framework = framework
        self.stored: Mapping[str, Stored] = MappingProxyType(dict(stored))
        self.entries: Mapping[str, Entry] = MappingProxyType(
            {name: Entry(name, each.shape, each.dtype.name) for name, each in stored.items()}
        )
        self.tied: Mapping[str, str] = MappingProxyType(dict(tied or {}))
        self.notes = notes
        self._close = close
        self._open = True

    def pieces(self, name: str, elements: int = 1 << 20) -> Iterator[Array]:
        """The numbers of one tensor in C order, flat, at most `elements` at a time; each piece is a fresh array.

        Raises:
            CheckpointError: there is no such name, the file is closed, or its bytes cannot be read.
        """
        stored = self._stored(name)
        count = 0
        with reading(self.path, name):
            for block in stored.blocks(max(1, elements)):
                count += block.size
                yield block
        if count != self.entries[name].count:
            raise CheckpointError("a tensor is cut off", where=f"{self.path}: {name}", then=DAMAGED)

    def read(self, name: str) -> Array:
        """One tensor whole: a fresh, writable array in C order.

        Raises:
            CheckpointError: as `pieces`; or the tensor is one number repeated more often than memory should hold.
        """
        stored = self._stored(name)
        if stored.inflated:
            raise CheckpointError(
                f"a tensor repeats few numbers {self.entries[name].count} times",
                where=f"{self.path}: {name}, shape {stored.shape}",
                then="save it without the expansion, or read it in pieces",
            )
        if isinstance(stored.source, FileBytes):  # straight into its place, in one piece
            with reading(self.path, name):
                for piece in self.pieces(name, self.entries[name].count):
                    return piece.reshape(stored.shape)
        with reading(self.path, name):
            whole = np.empty(stored.shape, stored.dtype)
        flat, start = whole.reshape(-1), 0
        for piece in self.pieces(name):
            flat[start : start + piece.size] = piece
            start += piece.size
        return whole

    def close(self) -> None:
        """Close the file; closing twice is no matter."""
        if self._open:
            self._open = False
            self._close()

    def __enter__(self) -> Checkpoint:  # noqa: PYI034 (Self is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stored(self, name: str) -> Stored:
        if not self._open:
            raise CheckpointError(
                "a checkpoint was read after it was closed", where=str(self.path), then="open it again"
            )
        if name not in self.stored:
            near = ", ".join(list(self.stored)[:5])
            raise CheckpointError(
                f"there is no parameter {name!r}", where=str(self.path), then=f"its names are {near}, ..."
            )
        return self.stored[name]


@contextmanager
def reading(path: object, name: str = "") -> Iterator[None]:
    """Whatever goes wrong inside while a file is read becomes a `CheckpointError` that names the file."""
    where = f"{path}: {name}" if name else str(path)
    try:
        yield
    except MemoryError as error:
        raise CheckpointError("a tensor does not fit into memory", where=where, then="read it in pieces") from error
    except OSError as error:
        raise CheckpointError(
            f"a file of parameters cannot be read ({error.strerror or error})",
            where=where,
            then="see that the path is right and that you may read it",
        ) from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        ValueError,  # json, utf-8 and numpy complain with its kin
        NotImplementedError,  # zipfile, of versions and methods it does not know
        RuntimeError,  # zipfile, of encrypted members
        EOFError,
        LookupError,
        OverflowError,
    ) as error:
        raise CheckpointError(f"a file of parameters cannot be read ({error})", where=where, then=DAMAGED) from error


def checked_shape(shape: object, dtype: np.dtype[Any], where: str) -> tuple[int, ...]:
    """A shape a file claims, if an array can have it.

    Raises:
        CheckpointError: it is no tuple of lengths, has too many axes, or is larger than anything can be.
    """
    whole = isinstance(shape, (tuple, list)) and all(type(length) is int and length >= 0 for length in shape)
    if not isinstance(shape, (tuple, list)) or not whole or len(shape) > MOST_AXES:
        raise CheckpointError(f"a tensor claims the shape {_short(shape)}", where=where, then=DAMAGED)
    if math.prod(length for length in shape if length) * dtype.itemsize >= 1 << 63:
        raise CheckpointError(f"a tensor claims the shape {_short(shape)}", where=where, then=DAMAGED)
    return tuple(shape)


def without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object's pairs as a dict; for `json.loads(object_pairs_hook=...)`.

    Raises:
        CheckpointError: a name stands there twice.
    """
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise CheckpointError(f"the name {name!r} stands twice in one file", then=DAMAGED)
        found[name] = value
    return found


def json_object(text: bytes, where: str) -> dict[str, Any]:
    """The JSON object in some bytes of a file.

    Raises:
        CheckpointError: it is none, or a name stands in it twice.
    """
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=without_twins)
    except CheckpointError as error:
        raise CheckpointError(error.what, where=where, then=error.then) from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError("the names in a file cannot be read as JSON", where=where, then=DAMAGED) from error
    if not isinstance(found, dict):
        raise CheckpointError("the names in a file are no JSON object", where=where, then=DAMAGED)
    return found


def _short(thing: object) -> str:
    """A claimed shape as text; a nonsensical one is not printed whole."""
    if not isinstance(thing, (tuple, list)) or len(thing) > 8:
        return f"of {len(thing)} axes" if isinstance(thing, (tuple, list)) else f"({type(thing).__name__})"
    return "(" + ", ".join(str(n) if type(n) is int and abs(n) < 1 << 80 else "?" for n in thing) + ")"
