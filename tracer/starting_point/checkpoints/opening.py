"""From a path to an open checkpoint: what a file is, its first bytes say, never its name alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints import ckpt, folders, npz, pth, safetensors
from tracer.starting_point.checkpoints.base import DAMAGED, Checkpoint, reading
from tracer.starting_point.checkpoints.quantised import UNPACK
from tracer.starting_point.checkpoints.stored import OpenFile
from tracer.starting_point.checkpoints.zips import Zip

_STRANGERS = {
    b"GGUF": ("the file is a GGUF model, packed for inference", UNPACK),
    b"\x89HDF": ("the file is HDF5, as Keras weights and traces are", "give a .pth, .safetensors, .ckpt or .npz"),
    b"\x93NUMPY": ("the file is one array without a name", "save it by np.savez(file, name=array)"),
    b"version https://git-lfs": ("the file is a pointer of Git LFS, not the file itself", "run git lfs pull"),
    b"<": ("the file is a web page", "download the file itself"),
}


def open_checkpoint(
    path: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, part: str | None = None
) -> Checkpoint:
    """Open a file of parameters for reading, whatever format it has; nothing of it is run, no framework is needed.

    Args:
        path: a torch, safetensors, MindSpore or numpy file; an index of shards; a folder of them; or several MindSpore
            checkpoints that belong together.
        part: which part of a nested file to take, keys joined by dots ("model_ema"); the weights, where one part
            clearly is that. "" is the outermost mapping.

    Returns:
        The checkpoint, a context manager.

    Raises:
        CheckpointError: there is no such file, it is no checkpoint, damaged, quantised, wants to run code, or it is not
            clear which part is meant.
    """
    if not isinstance(path, (str, os.PathLike)):
        files = [Path(each) for each in path]
        if not files:
            raise CheckpointError("no files were given", then="give at least one")
        return folders.open_several(files[0].parent, files, lambda file: _one(file, part))
    here = Path(path)
    if here.is_dir():
        return folders.open_folder(here, lambda file: _one(file, part))
    return _one(here, part)


def _one(path: Path, part: str | None) -> Checkpoint:
    """A single file, or the shards it is the index of."""
    with reading(path):
        if not path.exists():
            raise CheckpointError("there is no such file", where=str(path), then="look at the path")
        if not path.is_file():
            raise CheckpointError("this is no file", where=str(path), then="give a file or a folder of files")
        file = OpenFile(path)
    try:
        found = _opened(file, part)
    except BaseException:
        file.close()
        raise
    if part is not None and found.format != "pth":
        found.close()
        raise CheckpointError(f"a .{found.format} file has no parts", where=str(path), then="leave part= away")
    if not found.entries:
        found.notes = (*found.notes, "the file holds no tensors")
    return found


def _opened(file: OpenFile, part: str | None) -> Checkpoint:
    head = file.bytes(0, 64)
    if not head:
        raise CheckpointError("the file is empty", where=str(file.path), then=DAMAGED)
    if head.startswith(b"PK"):
        return _zip(file, part)
    if safetensors.looks_like(head, file.size):
        return safetensors.open_safetensors(file)
    for magic, (what, then) in _STRANGERS.items():
        if head.startswith(magic):
            raise CheckpointError(what, where=str(file.path), then=then)
    if head.lstrip().startswith(b"{") and file.path.suffix == ".json":
        file.close()
        return folders.open_index(file.path, lambda shard: _one(shard, part))
    if head.startswith(b"\x80"):
        return pth.open_legacy(file, part)
    if head.startswith(b"\x0a"):
        return ckpt.open_ckpt(file)
    if file.bytes(257, 5) == b"ustar":
        raise CheckpointError(
            "the file is a tar", where=str(file.path), then="unpack it; a tar of torch 0.1 is loaded and saved by torch"
        )
    raise CheckpointError(
        "the file is no checkpoint of a kind known here",
        where=str(file.path),
        then="give a .pth, .safetensors, .ckpt or .npz file; an encrypted one must be saved again without its key",
    )


def _zip(file: OpenFile, part: str | None) -> Checkpoint:
    archive = Zip(file)
    try:
        if any(name.endswith("/data.pkl") and name.count("/") == 1 for name in archive.members):
            return pth.open_zip(file, archive, part)
        if any(name.endswith(".npy") for name in archive.members) or not archive.members:
            return npz.open_npz(file, archive)
    except BaseException:
        archive.close()
        raise
    archive.close()
    raise CheckpointError(
        "the file is a zip with no parameters in it", where=str(file.path), then="unpack it and give what is inside"
    )
