"""Parameters over several files: shards with an index, Hugging Face folders, MindSpore checkpoints side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.base import DAMAGED, Checkpoint, json_object, reading
from tracer.starting_point.checkpoints.quantised import refuse_quantised_config
from tracer.starting_point.checkpoints.stored import Stored

LARGEST_INDEX = 1 << 28
Opener = Callable[[Path], Checkpoint]

_IN_TURN = (
    ("*.safetensors.index*.json",),
    ("model.safetensors", "*.safetensors"),
    ("*.bin.index*.json",),
    ("pytorch_model.bin", "*.bin"),
    ("*.ckpt",),
    ("*.pth", "*.pt"),
    ("*.npz",),
)
"""What is looked for in a folder; the first that is there is taken."""


def open_folder(path: Path, one: Opener) -> Checkpoint:
    """A folder of one net's parameters.

    Args:
        path: the folder.
        one: opens a single file.

    Raises:
        CheckpointError: there are none, several that could be meant, or they are quantised.
    """
    if (path / "config.json").is_file():
        refuse_quantised_config(_json(path / "config.json"), str(path / "config.json"))
    for turn, patterns in enumerate(_IN_TURN):
        named = [path / patterns[0]] if (path / patterns[0]).is_file() else []
        files = named or sorted(file for pattern in patterns for file in path.glob(pattern) if file.is_file())
        if not files:
            continue
        rest = [pattern for patterns in _IN_TURN[turn + 1 :] for pattern in patterns]
        others = sorted({file.name for pattern in rest for file in path.glob(pattern)} - _own(files))
        notes = (f"took {files[0].name}; the folder also holds {', '.join(others[:6])}",) if others else ()
        if patterns == ("*.ckpt",) and len(files) > 1:
            return open_several(path, files, one, notes)
        if len(files) > 1:
            raise CheckpointError(
                f"the folder holds several files of parameters: {', '.join(file.name for file in files[:6])}",
                where=str(path),
                then="name one of them",
            )
        found = one(files[0])
        found.notes = (*notes, *found.notes)
        return found
    ranks = sorted(each.name for each in path.glob("rank_*") if each.is_dir())
    if ranks:
        raise CheckpointError(
            f"it is a folder of ranks: {', '.join(ranks[:4])}{' ...' if len(ranks) > 4 else ''}",
            where=str(path),
            then=f"give one rank's folder ({path.name}/{ranks[0]}) where each holds the whole net, or merge them first "
            "with MindSpore (mindspore.unified_safetensors, mindspore.transform_checkpoints)",
        )
    raise CheckpointError(
        "the folder holds no parameters",
        where=str(path),
        then="give a folder with .safetensors, .bin, .ckpt, .pth or .npz files in it",
    )


def _own(files: Sequence[Path]) -> set[str]:
    """What the indices among the files name: their own shards are no surplus."""
    named: set[str] = set()
    for file in files:
        places = _json(file).get("weight_map") if file.suffix == ".json" else None
        named |= {str(name) for name in places.values()} if isinstance(places, dict) else set()
    return named


def open_several(path: Path, files: Sequence[Path], one: Opener, notes: tuple[str, ...] = ()) -> Checkpoint:
    """Several files that hold one net's parameters together, each name in one of them.

    Raises:
        CheckpointError: a name is in two of them, or one of them cannot be read.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(one(file)) for file in files]
        stored: dict[str, Stored] = {}
        tied: dict[str, str] = {}
        home: dict[str, Path] = {}
        for each in opened:
            for name, place in each.stored.items():
                if name in home:
                    raise CheckpointError(
                        f"the name {name!r} stands in two files",
                        where=f"{home[name].name}, {each.path.name}",
                        then="give one of them; slices of one parameter over several devices are merged by MindSpore",
                    )
                stored[name], home[name] = place, each.path
            tied |= each.tied
        said = [f"took {len(files)} files together", *notes, *(f"{e.path.name}: {n}" for e in opened for n in e.notes)]
        close = stack.pop_all().close
    return Checkpoint(path, opened[0].format, opened[0].framework, stored, tied=tied, notes=tuple(said), close=close)


def open_index(path: Path, one: Opener) -> Checkpoint:
    """The shards that an index file names.

    Raises:
        CheckpointError: it is no index, a shard is missing or lies elsewhere, or lacks what the index says of it.
    """
    places = _json(path).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(file, str) for file in places.values()):
        raise CheckpointError("the file is no index of shards", where=str(path), then="give the checkpoint itself")
    with ExitStack() as stack:
        shards: dict[str, Checkpoint] = {}
        for file in dict.fromkeys(places.values()):
            if not file or Path(file).name != file or file.endswith(".json") or "\\" in file:
                raise CheckpointError(f"the index names a file elsewhere: {file!r}", where=str(path), then=DAMAGED)
            if not (path.parent / file).is_file():
                raise CheckpointError(
                    f"the shard {file} is missing", where=str(path), then="download it beside its index"
                )
            shards[file] = stack.enter_context(one(path.parent / file))
        lacking = [name for name, file in places.items() if name not in shards[file].stored]
        if lacking:
            raise CheckpointError(
                f"{len(lacking)} names of the index are not in their shards, such as {lacking[0]!r}",
                where=str(path),
                then=DAMAGED,
            )
        stored, tied, surplus = dict[str, Stored](), dict[str, str](), 0
        for file, shard in shards.items():
            stored |= {name: place for name, place in shard.stored.items() if places.get(name) == file}
            tied |= {name: to for name, to in shard.tied.items() if places.get(name) == places.get(to) == file}
            surplus += sum(places.get(name) != file for name in shard.stored)
        notes = [
            f"took {len(shards)} shards together",
            *(f"{s.path.name}: {n}" for s in shards.values() for n in s.notes),
        ]
        notes += [f"{surplus} tensors that the index does not name were passed over"] if surplus else []
        kinds = list(shards.values())
        if not kinds:
            raise CheckpointError("the index names nothing", where=str(path), then=DAMAGED)
        close = stack.pop_all().close
    return Checkpoint(path, kinds[0].format, kinds[0].framework, stored, tied=tied, notes=tuple(notes), close=close)


def _json(path: Path) -> dict[str, object]:
    with reading(path):
        if path.stat().st_size > LARGEST_INDEX:
            raise ValueError("it is too large for an index")
        content = path.read_bytes()
    return json_object(content, str(path))
