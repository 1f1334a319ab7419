"""Samples as files: `samples.npz` as it is written here, any other .npz, .npy, and folders of .npy. No pickle, ever.

A file written here is an ordinary .npz, whose arrays numpy reads by where they lie in the batch, with one member more:
`tracer.json` says how they are nested, and the dtypes that numpy has no name for.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from tracer.errors import StartingPointError
from tracer.starting_point.samples.nesting import NARROW, flatten, unflatten

Array = np.ndarray[Any, Any]

NEST = "tracer.json"
_NEWEST = 1
_FORMAT: Any = np.lib.format
_LONGEST_NOTE = 64 << 20
_NUMBERED = re.compile(r"(?:arr_)?(\d+)(?:[_.\- ].*)?")


def write_samples(batch: Any, path: Path) -> tuple[str, ...]:
    """Write a batch to an .npz file, which replaces an older one when it is whole; what changes when it is read again.

    Raises:
        StartingPointError: something in the batch cannot be kept, or the file cannot be written.
    """
    if path.suffix != ".npz":
        raise StartingPointError(
            "samples are kept in an .npz file",
            where=str(path),
            then=f"call it {path.with_suffix('.npz').name if path.suffix else path.name + '.npz'}",
        )
    flat = flatten(batch)
    names = _member_names(flat.arrays)
    nest = {"format": "tracer samples", "version": _NEWEST, "batch": flat.tree, "members": names}
    with _written_whole(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        _add(archive, NEST, lambda member: member.write(json.dumps(nest).encode()))
        for name, array in flat.arrays.items():
            kept = array.view(f"V{array.dtype.itemsize}") if array.dtype.name in NARROW else array
            _add(archive, f"{names[name]}.npy", lambda member, kept=kept: _write_npy(member, kept))
    return tuple(flat.notes)


def read_batch(path: Path) -> tuple[Any, bool]:
    """The batch that `write_samples` wrote, arrays as numpy's, and True; of any other .npz a dict of its arrays, and
    False.

    Raises:
        StartingPointError: the file is missing, damaged, or holds what only running code could read.
    """
    with _opened(path) as stream, _explained(path), zipfile.ZipFile(stream) as archive:
        members = {info.filename: info for info in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise ValueError("two arrays have one name")
        if NEST in members:
            return _read_nest(archive, members), True
        strange = [name for name in members if not name.endswith(".npy")]
        if strange:
            raise ValueError(f"{strange[0]!r} is no array")
        return {name.removesuffix(".npy"): _read_member(archive, info) for name, info in members.items()}, False


def read_array(path: Path) -> Array:
    """The array in one .npy file.

    Raises:
        StartingPointError: as `read_batch`.
    """
    with _opened(path) as stream, _explained(path):
        return _read_npy(stream, path.stat().st_size)


def read_folder(path: Path) -> dict[str, Array]:
    """The arrays of all .npy files in a folder, by name without the suffix, in numeric order where they have numbers.

    Raises:
        StartingPointError: there are none, or one cannot be read.
    """
    try:
        files = sorted(file for file in path.iterdir() if file.suffix == ".npy")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if not files:
        raise StartingPointError(
            "the folder has no .npy files",
            where=str(path),
            then="give a folder with one file for each input, as 0_images.npy and 1_labels.npy",
        )
    files.sort(key=lambda file: (number_of(file.stem) is None, number_of(file.stem) or 0, file.stem))
    return {file.stem: read_array(file) for file in files}


def number_of(name: str) -> int | None:
    """The number that a name begins with, which says where an array belongs: "0_images", "1", "arr_2"."""
    found = _NUMBERED.fullmatch(name)
    return int(found[1]) if found else None


def _member_names(arrays: Mapping[str, Array]) -> dict[str, str]:
    """Names as a zip can hold them: none is a path, none that of the note."""
    names: dict[str, str] = {}
    for name in arrays:
        plain = re.sub(r"[^\w.~ -]", "_", name)[:200].strip(". ") or "_"
        taken, count = plain, 1
        while taken in names.values():
            count += 1
            taken = f"{plain}~{count}"
        names[name] = taken
    return names


def _add(archive: zipfile.ZipFile, name: str, write: Any) -> None:
    info = zipfile.ZipInfo(name)  # of no date: equal batches are equal files
    with archive.open(info, "w", force_zip64=True) as member:
        write(member)


def _write_npy(member: IO[bytes], array: Array) -> None:
    _FORMAT.write_array(member, array, allow_pickle=False)


def _read_nest(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> Any:
    if members[NEST].file_size > _LONGEST_NOTE:
        raise ValueError("its description of the batch is too long")
    nest = json.loads(archive.read(NEST))
    if not isinstance(nest, dict) or not isinstance(nest.get("members"), dict):
        raise ValueError("its description of the batch is none")  # noqa: TRY004 (it is of the file, not of a caller)
    if nest.get("version") != _NEWEST:
        raise ValueError(f"it is of version {str(nest.get('version'))[:20]}, which a newer tracer reads")
    names = nest["members"]

    def array(name: str) -> Array:
        info = members.get(f"{names.get(name)}.npy")
        if info is None:
            raise ValueError(f"its array {name[:80]!r} is missing")
        return _read_member(archive, info, noted=True)

    return unflatten(nest.get("batch"), array)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, noted: bool = False) -> Array:
    with archive.open(info) as member:
        return _read_npy(member, info.file_size, noted=noted)


def _read_npy(stream: Any, size: int, *, noted: bool = False) -> Array:
    """An array out of .npy data of so many bytes, which are counted before memory is taken. `noted` where a note beside
    it says the dtype of bare bytes."""
    version = _FORMAT.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"its format {version} is not known")
    # the second reads the third as well, but for names of fields, and arrays with fields are refused
    read = _FORMAT.read_array_header_1_0 if version == (1, 0) else _FORMAT.read_array_header_2_0
    shape, columns_first, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which only running code from the file could make")
    if dtype.names is not None or dtype.kind not in ("biufcUSV" if noted else "biufcUS"):
        raise ValueError(f"its dtype {dtype} is none that numpy can name (of bfloat16, use tracer.save_samples)")
    count = int(np.prod(shape, dtype=object)) if shape else 1
    if stream.tell() + count * dtype.itemsize != size:
        raise ValueError("it is shorter or longer than it says")
    array = np.empty(count, dtype)
    buffer = memoryview(array.view(np.uint8).data if array.nbytes else b"")
    at = 0
    while at < len(buffer):
        piece = stream.read(min(len(buffer) - at, 1 << 22))
        if not piece:
            raise ValueError("it is shorter than it says")
        buffer[at : at + len(piece)] = piece
        at += len(piece)
    if stream.read(1):  # and at its end a member of an archive is held against its checksum
        raise ValueError("it is longer than it says")
    return array.reshape(shape[::-1]).T if columns_first else array.reshape(shape)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if path.exists() and not path.is_file():
        raise _unreadable(path, "it is no file")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    with stream:
        yield stream


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What the libraries below raise becomes an error that names the file."""
    try:
        yield
    except StartingPointError:
        raise
    except zipfile.BadZipFile as error:
        raise _unreadable(path, f"it is no .npz, or cut off ({error})") from None
    except Exception as error:  # of damaged files numpy and zipfile raise whatever comes
        raise _unreadable(path, str(error).partition("\n")[0] or type(error).__name__) from None


def _unreadable(path: Path, why: str) -> StartingPointError:
    return StartingPointError(
        f"samples cannot be read: {why[:200]}",
        where=str(path),
        then="give what tracer.save_samples or numpy.savez wrote, an .npy file, a folder of them, or a trace",
    )


@contextlib.contextmanager
def _written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file beside the target, which takes its place when nothing was raised."""
    target = Path(os.path.realpath(path))  # a link stays a link
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except OSError as error:
        raise StartingPointError(
            f"the samples cannot be written ({error.strerror or error})",
            where=str(path),
            then="name a file in a folder that exists, can be written to and has room",
        ) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()
