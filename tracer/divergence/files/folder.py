"""A folder of .npy and .npz files, or one .npz -> a shelf. The only reader of such files; runs no code from them.

Headers are read at once. Arrays are read when asked for: an .npy by memory map, an array of an .npz whole.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

import numpy as np

from tracer.divergence.files.names import Named, read_name, says_gradient
from tracer.divergence.files.shelf import Shelf
from tracer.divergence.metrics import Array
from tracer.errors import TraceFileError
from tracer.trace.schema import Parameter, Statistics, Value
from tracer.trace.statistics import statistics

_SAVED = "save arrays with np.save or ts.save"
_AGAIN = "save it again with np.save(name, array), or leave it out with --only"
_BROKEN = (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError, SyntaxError)
"""What numpy and zipfile raise at files that are none."""

Header = tuple[tuple[int, ...], np.dtype[Any]]


def open_folder(path: Path, only: Sequence[str] = ()) -> Shelf:
    """The arrays of a folder with its subfolders, or of one .npz, in order.

    Args:
        path: the folder or the .npz.
        only: globs; a file that cannot be read and that none of them names is passed over.

    Raises:
        TraceFileError: no array in it; a file that is broken, unreadable, or holds no numbers; two arrays of one name.
    """
    folder = _Folder(path)
    found: dict[str, Header] = {}
    passed: list[str] = []
    for name, header in folder.headers():
        if name in found:
            raise TraceFileError("two arrays have one name", where=folder.said(name), then="keep one of them")
        try:
            shape, dtype = header()
            _refuse(folder.said(name), dtype)
        except TraceFileError:
            if not only or named_by(name, only):
                raise
            passed.append(name)
        else:
            found[name] = shape, dtype
    if not found:
        raise TraceFileError("no .npy or .npz lies in the folder", where=str(path), then=_SAVED + " into it")
    gradients = says_gradient(path.resolve().name)
    named = [read_name(name, shape) for name, (shape, _) in found.items()]
    named = [replace(n, gradient=n.gradient or gradients) for n in named]
    key, ordered, words = _order(named, archives=folder.in_archives)
    named.sort(key=key)
    values = tuple(
        Value(n.name, "tensor", n.shape, _dtype_name(found[n.name][1]), stored=folder.said(n.name)) for n in named
    )
    notes = folder.notes
    if passed:
        notes = (*notes, f"{len(passed)} that --only does not name cannot be read: {', '.join(passed[:3])}")
    shown = path.name or path.resolve().name
    return Shelf(str(path), "files", "", shown, True, folder, tuple(named), values, ordered, words, notes)


def named_by(name: str, globs: Sequence[str]) -> bool:
    """Does a glob name a file, with or without its folders and its ending?"""
    forms = spellings(name)
    return any(fnmatchcase(form, glob) for form in forms for glob in globs)


def spellings(name: str) -> tuple[str, ...]:
    """What a user may call a file: with its folders and ending, and without either."""
    last = re.split(r"[/:]", name)[-1]
    return tuple(dict.fromkeys((name, re.sub(r"\.npy$", "", name), last, re.sub(r"\.npy$", "", last))))


def _natural(text: str) -> tuple[tuple[int, str], ...]:
    """A key by which 9 comes before 10."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", text))


def _order(named: Sequence[Named], *, archives: bool) -> tuple[Callable[[Named], Any], bool, str]:
    """By what the files are sorted, whether that is the order in which they were made, and what it rests on."""

    def numbers(n: Named) -> Any:
        above = n.name.rpartition("/")[0]
        return _natural(above), -1 if n.front is None else n.front, -1 if n.behind is None else n.behind

    if all(n.front is not None for n in named) and len({numbers(n) for n in named}) == len(named):
        return (lambda n: (*numbers(n), n.name)), True, "the numbers of the files"
    if archives:
        place = {n.name: at for at, n in enumerate(named)}
        return (lambda n: place[n.name]), True, "the order in the archive"
    if len({n.words for n in named}) == 1 and len({numbers(n) for n in named}) == len(named):
        return (lambda n: (*numbers(n), n.name)), True, "the numbers of the list"
    if all(n.front is not None for n in named):
        return (lambda n: (*numbers(n), _natural(n.name))), True, "the numbers of the files, of which some are equal"
    return (lambda n: _natural(n.name)), False, "the names alone"


def _dtype_name(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("=").name


def _refuse(where: str, dtype: np.dtype[Any]) -> None:
    """Only numbers are read."""
    if dtype.kind in "biufc":
        return
    if dtype.hasobject:
        what = "holds Python objects, which are pickled: reading them would run code"
        raise TraceFileError(f"the file {what}", where=where, then="save an array of numbers, or one file for each")
    if dtype.kind == "V" and dtype.names is None and dtype.itemsize == 2:
        then = "save it as float32: array.float().numpy(), or array.astype(numpy.float32)"
        raise TraceFileError("the file holds bytes without a dtype, as numpy saves bfloat16", where=where, then=then)
    kind = {"U": "text", "S": "text", "M": "dates", "m": "times"}.get(dtype.kind, f"records of dtype {dtype}")
    raise TraceFileError(f"the file holds {kind}, not numbers", where=where, then=_AGAIN)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether in Fortran order, and dtype, of an .npy."""
    form: Any = np.lib.format
    version = form.read_magic(stream)
    if version not in {(1, 0), (2, 0)}:  # 3.0 differs in the letters of field names only, and records are refused
        raise ValueError(f"version {version}")
    found: tuple[tuple[int, ...], bool, np.dtype[Any]]
    found = form.read_array_header_1_0(stream) if version == (1, 0) else form.read_array_header_2_0(stream)
    return found


class _Folder:
    """The files, and what was read of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.single = path.is_file()
        self.in_archives = False
        self._statistics: dict[str, Statistics] = {}
        self._kept: tuple[str, Array] | None = None
        self._others = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What lies beside the arrays."""
        count = self._others
        return (f"{count} file{'s' * (count > 1)} in {self.path} are no .npy or .npz",) if count > 1 else ()

    def said(self, name: str) -> str:
        """Where an array lies, for a reader."""
        if self.single:
            return f"{self.path}:{name.partition(':')[2]}"
        return str(self.path / name)

    def headers(self) -> Iterator[tuple[str, Callable[[], Header]]]:
        """Every array's name, and what reads its shape and dtype."""
        archives = plain = 0
        for file in self._files():
            name = file.name if self.single else file.relative_to(self.path).as_posix()
            if file.suffix.lower() == ".npz":
                archives += 1
                yield from self._members(file, name)
            else:
                plain += 1
                yield name, lambda file=file: self._header(file)  # type: ignore[misc]
        self.in_archives = archives == 1 and not plain

    def _files(self) -> list[Path]:
        if self.single:
            return [self.path]
        found: list[Path] = []

        def refused(error: OSError) -> None:
            where = str(error.filename or self.path)
            raise TraceFileError(
                f"the folder cannot be read ({error.strerror})", where=where, then="give yourself the right to read it"
            ) from error

        for above, folders, files in os.walk(self.path, onerror=refused):
            folders[:] = sorted((f for f in folders if not f.startswith(".")), key=_natural)
            arrays = [f for f in files if Path(f).suffix.lower() in {".npy", ".npz"} and not f.startswith(".")]
            self._others += sum(not f.startswith(".") for f in files) - len(arrays)
            found += [Path(above, f) for f in sorted(arrays, key=_natural)]
        return found

    def _header(self, file: Path) -> Header:
        try:
            with file.open("rb") as stream:
                shape, _, dtype = _read_header(stream)
                start = stream.tell()
            held = file.stat().st_size - start
        except _BROKEN as error:
            raise _broken(str(file), error) from None
        self._whole(str(file), shape, dtype, held)
        return shape, dtype

    def _members(self, file: Path, name: str) -> Iterator[tuple[str, Callable[[], Header]]]:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
        except _BROKEN as error:
            raise _broken(str(file), error) from None
        twice = [m for m, count in Counter(member.filename for member in members).items() if count > 1]
        if twice:
            raise TraceFileError("two arrays have one name", where=f"{file}:{twice[0]}", then="keep one of them")
        for member in members:
            if member.filename.endswith(".npy"):
                key = member.filename.removesuffix(".npy")
                yield f"{name}:{key}", lambda member=member, key=key: self._member(file, member, key)  # type: ignore[misc]

    def _member(self, file: Path, member: zipfile.ZipInfo, key: str) -> Header:
        where = f"{file}:{key}"
        try:
            with zipfile.ZipFile(file) as archive, archive.open(member) as stream:
                shape, _, dtype = _read_header(stream)
                held = member.file_size - stream.tell()
        except (*_BROKEN, RuntimeError) as error:
            raise _broken(where, error) from None
        self._whole(where, shape, dtype, held)
        return shape, dtype

    def _whole(self, where: str, shape: tuple[int, ...], dtype: np.dtype[Any], held: int) -> None:
        """Does the file hold as many bytes as its header says?"""
        wanted = dtype.itemsize
        for size in shape:
            wanted *= size
        if not dtype.hasobject and held < wanted:
            what = f"the file is cut off: its header says {wanted} bytes of numbers, and {max(held, 0)} are there"
            raise TraceFileError(what, where=where, then=_AGAIN)

    # -- arrays ----------------------------------------------------------------------------------------------------

    def array(self, value: Value | Parameter) -> Array:
        """The array, not copied where it can be mapped."""
        assert isinstance(value, Value)
        where = self.said(value.leaf)
        if self._kept is not None and self._kept[0] == value.leaf:
            return self._kept[1]
        archive, inside, key = value.leaf.partition(":")
        file = self.path if self.single else self.path / archive
        try:
            if inside:
                with np.load(file, allow_pickle=False) as arrays:
                    found = arrays[key]
                self._kept = value.leaf, found  # an archive is unpacked once for all blocks of an array
            elif value.shape and 0 not in value.shape:
                found = np.load(file, mmap_mode="r", allow_pickle=False)
            else:
                found = np.load(file, allow_pickle=False)
        except (*_BROKEN, MemoryError) as error:
            raise _broken(where, error) from None
        if found.shape != value.shape or _dtype_name(found.dtype) != value.dtype:
            raise TraceFileError("the file was altered while it was read", where=where, then="compare again")
        return np.asarray(found)

    def blocks(self, value: Value | Parameter, elements: int = 1 << 20) -> Iterator[Array]:
        """The array as flat C-order pieces, one in memory at a time."""
        array = self.array(value)
        flat: Any = array.reshape(-1) if array.flags.c_contiguous else array.flat
        for start in range(0, array.size, elements):
            yield np.array(flat[start : start + elements])

    def check(self, value: Value | Parameter) -> None:
        """Look whether the array can be read."""
        self.array(value)

    def row_blocks(self, parameter: Parameter) -> Array:
        """Files have none."""
        raise TraceFileError(
            "files have no sums of rows", where=f"{self.path}: {parameter.name}", then="record a trace"
        )

    def statistics(self, value: Value) -> Statistics:
        """Of all elements, read once."""
        if value.leaf not in self._statistics:
            array = self.array(value)
            if array.flags.c_contiguous or array.dtype.kind not in "fc":
                found = statistics(array)
            else:  # nothing is copied: the same numbers, but for the order of those that are sampled
                at = np.linspace(0, array.size - 1, min(array.size, 64)).round().astype(np.int64)
                sample = np.abs(array.flat[at]) if array.dtype.kind == "c" else array.flat[at]
                found = replace(statistics(array.T), sample=tuple(float(x) for x in sample))
            self._statistics[value.leaf] = found
        return self._statistics[value.leaf]


def _broken(where: str, error: BaseException) -> TraceFileError:
    if isinstance(error, OSError) and error.strerror:
        what = f"the file cannot be read ({error.strerror})"
        return TraceFileError(what, where=where, then="give yourself the right to read it, or leave it out with --only")
    if "Object arrays" in str(error) or "pickle" in str(error):
        what = "the file holds Python objects, which are pickled: reading them would run code"
        return TraceFileError(what, where=where, then="save an array of numbers, or one file for each")
    return TraceFileError("the file is no array that numpy can read", where=where, then=_AGAIN)
