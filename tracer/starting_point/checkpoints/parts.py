"""Which part of a file are the weights: files nest them beside optimizers, averages and counters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from tracer.errors import CheckpointError
from tracer.starting_point.checkpoints.pickled import HeldArray, TensorView, Unusual

Tensors = Mapping[str, Any]
Kept = TypeVar("Kept")

WEIGHTS = {
    *("state_dict", "model_state_dict", "model_state", "model_weights", "model", "module", "state"),
    *("net", "net_state_dict", "network", "params", "weights"),
}
AVERAGES = {
    *("model_ema", "ema", "ema_model", "ema_state_dict", "model_ema_state_dict", "state_dict_ema", "params_ema"),
    *("shadow_params", "averaged_model", "swa_model"),
}
OPTIMIZERS = {
    "optimizer",
    "optim",
    "opt",
    "scheduler",
    "lr_scheduler",
    "scaler",
    "amp",
    "grad_scaler",
    "callbacks",
    "loops",
}
DEEPEST = 4
MOST_SEEN = 10_000  # a file may hold one mapping in many places; nobody nests more on purpose

MOMENTS = {
    *("moments", "moment1", "moment2", "accum", "accumulation", "mean_square", "mean_gradient", "mean_gradients"),
    *("adam_m", "adam_v", "exp_avg", "exp_avg_sq", "momentum_buffer"),
}
COUNTERS = {
    *("learning_rate", "global_step", "momentum", "beta1_power", "beta2_power", "weight_decay", "scale_sense"),
    *("epoch_num", "step_num", "loss_scale", "current_iterator_step", "last_overflow_iterator_step", "growth_tracker"),
}


@dataclass(frozen=True)
class Part:
    """A mapping of names to tensors inside a file.

    Args:
        name: its place, keys joined by dots.
        tensors: its tensors.
        beside: how many other things are in it.
        mapping: which object of the file it is: one may stand under two names.
    """

    name: str
    tensors: Tensors
    beside: int
    mapping: int

    @property
    def rank(self) -> int:
        """0 for plain weights, 1 for an average of them, 2 for a part whose name says nothing."""
        keys = self.name.split(".")
        if any(key.lower() in AVERAGES for key in keys):
            return 1
        return 0 if all(key.lower() in WEIGHTS for key in keys) else 2


def chosen(root: Any, part: str | None, where: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The tensors of the part that holds the weights, and what was assumed.

    Args:
        root: what the file holds, as `unpickle` gives it.
        part: the part the user names, keys joined by dots; "" for the outermost mapping itself.
        where: the file, for messages.

    Returns:
        name -> tensor, in file order; and the notes.

    Raises:
        CheckpointError: there are no tensors, no such part, or several that could be meant.
    """
    if not isinstance(root, dict):
        raise CheckpointError(
            "the file holds no parameters by name", where=where, then="save net.state_dict(), and nothing around it"
        )
    parts = list(_parts(root, (), itertools.count()))
    if not parts:
        raise CheckpointError("the file holds no tensors by name", where=where, then="save net.state_dict()")
    if part is not None:
        found = [each for each in parts if each.name == part]
        if not found:
            raise CheckpointError(f"there is no part {part!r} in the file", where=where, then=_choose(parts))
        taken, notes = found[0], []
    else:
        taken = _obvious(parts, where)
        others = [str(key) for key in root if str(key) != taken.name.split(".")[0]]
        notes = [f"took {taken.name!r}; beside it the file holds {_few(others)}"] if taken.name and others else []
        notes += [f"took {taken.name!r}"] if taken.name and not others else []
        more = [each.name for each in parts if each is not taken and each.name]
        notes += [f"other parts with tensors: {_few(more)}"] if more else []
    if taken.beside:
        notes.append(f"{taken.beside} things that are no tensor were passed over")
    return dict(taken.tensors), tuple(notes)


def without_optimizer(entries: Mapping[str, Kept]) -> tuple[dict[str, Kept], tuple[str, ...]]:
    """The tensors of a flat file without those of an optimizer that MindSpore saves among them.

    What is an optimizer's is a copy of a parameter's shape under a moment's name (`moments.conv.weight` beside
    `conv.weight`); only where there is one, its counters (`learning_rate`, `global_step`) are left out too.
    """

    def moment(name: str) -> bool:
        head, _, rest = name.partition(".")
        mine, other = entries[name], entries.get(rest)
        return head in MOMENTS and other is not None and getattr(mine, "shape", 0) == getattr(other, "shape", 1)

    moments = {name for name in entries if moment(name)}
    if not moments:
        return dict(entries), ()
    left = moments | {name for name in entries if name in COUNTERS}
    kept = {name: each for name, each in entries.items() if name not in left}
    return kept, (f"{len(left)} tensors of an optimizer were passed over ({_few(sorted(left))})",)


def _parts(thing: dict[Any, Any], path: tuple[str, ...], seen: Iterator[int]) -> Iterator[Part]:
    """Every mapping with tensors in it that is not an optimizer's, outermost first."""
    if next(seen) > MOST_SEEN or len(path) > DEEPEST or "param_groups" in thing:
        return
    tensors = {
        key: value
        for key, value in thing.items()
        if isinstance(key, str) and isinstance(value, (TensorView, HeldArray, Unusual))
    }
    if tensors:
        yield Part(".".join(path), tensors, len(thing) - len(tensors), id(thing))
    for key, value in thing.items():
        if isinstance(key, str) and isinstance(value, dict) and not _of_an_optimizer(key):
            yield from _parts(value, (*path, key), seen)


def _of_an_optimizer(key: str) -> bool:
    low = key.lower()
    return low in OPTIMIZERS or low.startswith("optimizer") or low.endswith(("optimizer", "_scheduler", "_optim"))


def _obvious(parts: list[Part], where: str) -> Part:
    """The one part that must be meant."""
    outer = [each for each in parts if not each.name]
    best = {each.mapping: each for each in sorted(parts, key=lambda each: -each.rank) if each.name}
    inner = [each for each in parts if best.get(each.mapping) is each]
    if outer and (not inner or not _counters(outer[0])):
        if not inner:
            return outer[0]
    elif len(inner) == 1:
        return inner[0]
    else:
        for rank in (0, 1):
            ranked = [each for each in inner if each.rank == rank]
            if len(ranked) == 1:
                return ranked[0]
            if ranked:
                break
    raise CheckpointError(
        f"the file holds several sets of tensors: {_few([each.name or 'the outermost' for each in parts])}",
        where=where,
        then=_choose(parts),
    )


def _counters(part: Part) -> bool:
    """Are these single numbers only, such as an epoch kept as a tensor?"""
    return all(getattr(each, "shape", None) == () for each in part.tensors.values())


def _choose(parts: list[Part]) -> str:
    names = [repr(each.name) for each in parts if each.name][:12]
    return f"say which by part=...: {', '.join(names)}" if names else "leave part= out: the file has no parts"


def _few(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
