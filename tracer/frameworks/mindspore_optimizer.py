"""A MindSpore optimizer: what it is told and what it remembers. Needs no import of MindSpore: it is given.

- Optimizers are cells. Those of `nn` keep settings as Tensors, Parameters and attributes, and one entry per parameter;
  those of `experimental.optim` and `mint.optim` keep `param_groups`, as torch does.
- Numbers are told as they are used: a beta that is kept in float32 is 0.8999999761581421. An `nn` optimizer keeps its
  weight decay times its loss scale; it is told as the user gave it.
- Without groups `nn` optimizers do not decay parameters named gamma or beta: those are told as a group of their own.
- What is remembered of parameters lies in tuples and lists, one entry for each, under the name of the attribute.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks.mindspore_settings import NotPlain, constructor_arguments, plain, settings
from tracer.frameworks.source import class_source
from tracer.frameworks.store import is_users
from tracer.frameworks.training import GroupFacts, OptimizerFacts, StateFacts
from tracer.trace.schema import Plain

Array = np.ndarray[Any, Any]

_OWN_BOOKKEEPING = frozenset(
    {
        *(
            "init_params",
            "init_learning_rate",
            "init_args",
            "dynamic_lr",
            "dynamic_weight_decay",
            "dynamic_decay_flags",
        ),
        *("is_group", "is_group_lr", "is_group_params_ordered", "group_params", "group_lr", "group_weight_decay"),
        *("group_grad_centralization", "grad_centralization_flags", "grad_centralization", "decay_flags"),
        *("exec_weight_decay", "need_scale", "param_length", "optim_filter", "param_rank", "use_parallel", "lens"),
        *("enable_tuple_broaden", "skip_auto_parallel_compile", "reciprocal_scale", "global_step_increase_tensor"),
        *(
            "increase_tensor",
            "defaults",
            "state",
            "param_groups",
            "lrs",
            "group_start_id",
            "param_names",
            "max_v_group",
        ),
        *("learning_rate", "weight_decay", "params", "parameters"),
    }
)
"""Attributes of an optimizer that are no settings, or are told of groups."""

_NO_STATE = frozenset({"learning_rate", "lrs", "group_lr", "fake_lr", "fake_param"})
"""Parameters under these names are settings."""

_FLAGS_UNUSED = frozenset({"AdaFactor", "ThorGpu", "ThorAscend"})
"""Optimizers of MindSpore that do not ask by name whether a parameter is to be decayed, or by a rule of the user's."""


def parameters(mindspore: Any, optimizer: Any) -> tuple[Any, ...]:
    """What it updates, in its order.

    Raises:
        RecordingError: it is no optimizer.
    """
    held = getattr(optimizer, "parameters", None) if isinstance(optimizer, mindspore.nn.Cell) else None
    if isinstance(held, tuple | list) and held and all(isinstance(p, mindspore.Parameter) for p in held):
        return tuple(held)
    raise RecordingError(
        "This is no MindSpore optimizer: it is no cell with the parameters that it updates",
        where=f"{type(optimizer).__module__}.{type(optimizer).__qualname__}",
        then="give a mindspore.nn.Optimizer, or one of mindspore.experimental.optim or mindspore.mint.optim",
    )


def facts(mindspore: Any, optimizer: Any, every_cell: frozenset[str]) -> OptimizerFacts:
    """Class, settings and groups at this moment; `every_cell` are attributes that all cells have."""
    updated = parameters(mindspore, optimizer)
    kind: Any = type(optimizer)
    bases = kind.__mro__[: kind.__mro__.index(mindspore.nn.Cell)]
    if isinstance(getattr(optimizer, "param_groups", None), list):
        groups = _dict_groups(mindspore, optimizer)
        own = _plains(mindspore, getattr(optimizer, "defaults", {}))
        shared = {
            key: own[key] for key in own if all(key in g.settings and g.settings[key] == own[key] for g in groups)
        }
    else:
        groups = _flat_groups(mindspore, optimizer, updated)
        shared = _own_settings(mindspore, optimizer, every_cell)
        first = groups[0].settings
        shared |= {key: first[key] for key in first if all(g.settings.get(key) == first[key] for g in groups)}
    return OptimizerFacts(
        kind=kind.__name__,
        bases=tuple(f"{base.__module__}.{base.__qualname__}" for base in bases),
        settings=shared,
        groups=groups,
        source=class_source(kind) if is_users(kind) else None,
    )


# --------------------------------------------------------------------------------------------------------------------
# Settings
# --------------------------------------------------------------------------------------------------------------------


def _number(mindspore: Any, value: Any) -> Any:
    """A tensor of a few elements as numbers, in the dtype in which it is used; anything else itself."""
    if isinstance(value, mindspore.Tensor):
        array = np.asarray(_made(value).asnumpy())
        return array.reshape(-1)[0].item() if array.size == 1 else array.tolist() if array.size <= 16 else value
    if isinstance(value, tuple | list):
        return [_number(mindspore, item) for item in value]
    return value


def _plains(mindspore: Any, found: Mapping[str, Any]) -> dict[str, Plain]:
    said: dict[str, Plain] = {}
    for key, value in found.items():
        with contextlib.suppress(NotPlain):
            said[str(key)] = plain(_number(mindspore, value))
    return said


def _dict_groups(mindspore: Any, optimizer: Any) -> tuple[GroupFacts, ...]:
    """Of the optimizers that have `param_groups`. What they remember in them is no setting."""
    return tuple(
        GroupFacts(
            _plains(mindspore, {key: value for key, value in group.items() if key != "params" and not _entries(value)}),
            tuple(group["params"]),
        )
        for group in optimizer.param_groups
    )


def _flat_groups(mindspore: Any, optimizer: Any, updated: tuple[Any, ...]) -> tuple[GroupFacts, ...]:
    """Parameters with the same learning rate, weight decay and treatment, in the order in which they first come."""
    rate = _for_each(getattr(optimizer, "learning_rate", None), len(updated), getattr(optimizer, "is_group_lr", False))
    grouped = bool(getattr(optimizer, "is_group", False))
    decay = _for_each(getattr(optimizer, "weight_decay", None), len(updated), grouped)
    flags = _flags(optimizer, len(updated))
    central = tuple(getattr(optimizer, "grad_centralization_flags", ())) or (None,) * len(updated)
    found: dict[Any, tuple[dict[str, Plain], list[Any]]] = {}
    for parameter, own_rate, own_decay, flag, centralized in zip(updated, rate, decay, flags, central, strict=True):
        said = _plains(
            mindspore,
            {
                "learning_rate": _now(mindspore, optimizer, own_rate),
                "weight_decay": 0.0 if flag is False else _decay(mindspore, optimizer, own_decay),
                "decay_flags": flag,
                "grad_centralization": centralized,
            },
        )
        said = {key: value for key, value in said.items() if value is not None}
        key = (id(own_rate), *((name, str(value)) for name, value in said.items()))
        found.setdefault(key, (said, []))[1].append(parameter)
    return tuple(GroupFacts(said, tuple(held)) for said, held in found.values())


def _for_each(value: Any, count: int, one_each: bool) -> tuple[Any, ...]:
    return tuple(value) if one_each else (value,) * count


def _flags(optimizer: Any, count: int) -> tuple[bool | None, ...]:
    """Is each parameter decayed? None where they are all treated alike: with groups the decay itself says it."""
    flags = tuple(getattr(optimizer, "decay_flags", ()))
    alike = getattr(optimizer, "is_group", False) or not getattr(optimizer, "exec_weight_decay", False)
    if alike or len(flags) != count or len(set(flags)) < 2 or type(optimizer).__name__ in _FLAGS_UNUSED:
        return (None,) * count
    return tuple(bool(flag) for flag in flags)


def _now(mindspore: Any, optimizer: Any, value: Any) -> Any:
    """A number, or what a schedule gives for the update that comes next. Schedules compute from the count alone."""
    if isinstance(value, mindspore.nn.Cell):
        return value.construct(mindspore.Tensor(_made(optimizer.global_step).asnumpy()))
    return value


def _decay(mindspore: Any, optimizer: Any, value: Any) -> Any:
    """It is kept times the loss scale; a schedule of the user's lies inside the one that multiplies."""
    if isinstance(value, mindspore.nn.Cell):
        inner = getattr(value, "weight_decay", value)
        return _now(mindspore, optimizer, inner)
    number = _number(mindspore, value)
    scale = getattr(optimizer, "loss_scale", 1.0)
    return number / scale if isinstance(number, float) and isinstance(scale, float) else number


def _own_settings(mindspore: Any, optimizer: Any, every_cell: frozenset[str]) -> dict[str, Plain]:
    """Attributes, tensors of a few elements among them, and arguments that only their primitive keeps."""
    ignored = every_cell | _OWN_BOOKKEEPING
    found = {key: value for key, value in settings(optimizer, ignored).items() if "." not in key and key not in ignored}
    arguments = _arguments(optimizer)
    tensors = {name: value for name, value in vars(optimizer).items() if isinstance(value, mindspore.Tensor)}
    tensors |= {name: value for name, value in optimizer._params.items() if name in arguments}  # noqa: SLF001
    found |= _plains(mindspore, {n: t for n, t in tensors.items() if n not in ignored and not n.startswith("_")})
    given = getattr(optimizer, "init_args", None)
    if isinstance(given, Mapping):
        hidden = {key: value for key, value in given.items() if key not in found and key not in {*ignored, "kwargs"}}
        found |= _plains(mindspore, hidden)
    return found


def _arguments(optimizer: Any) -> frozenset[str]:
    """Names of what its constructor takes, also where MindSpore has wrapped it."""
    kind: Any = type(optimizer)
    given = getattr(optimizer, "init_args", None)
    return frozenset((*constructor_arguments(kind), *(given if isinstance(given, Mapping) else ())))


# --------------------------------------------------------------------------------------------------------------------
# State
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Slot:
    """A Parameter or a plain value that is remembered, and how a plain one is set."""

    parameter: Any | None
    key: str
    value: Any
    put: Callable[[Any], None] | None = None


def state(mindspore: Any, optimizer: Any) -> list[StateFacts]:
    """All that it remembers: of parameters, in their order, then of none."""
    order = {id(parameter): rank for rank, parameter in enumerate(parameters(mindspore, optimizer))}
    slots = sorted(_slots(mindspore, optimizer), key=lambda slot: order.get(id(slot.parameter), len(order)))
    return [StateFacts(slot.parameter, slot.key, slot.value) for slot in slots]


def assign_state(
    mindspore: Any,
    write: Callable[[Any, Array], None],
    optimizer: Any,
    parameter: Any | None,
    values: Mapping[str, Array | Plain],
) -> tuple[str, ...]:
    """Write what it remembers, in place; the keys it could not be told."""
    slots = {slot.key: slot for slot in _slots(mindspore, optimizer) if slot.parameter is parameter}
    return tuple(
        key for key, value in values.items() if key not in slots or not _put(mindspore, write, slots[key], value)
    )


def _put(mindspore: Any, write: Callable[[Any, Array], None], slot: _Slot, value: Any) -> bool:
    if isinstance(slot.value, mindspore.Tensor):
        array = np.asarray(value)
        dtype = str(slot.value.dtype).lower()
        if array.size != slot.value.size or array.dtype.kind in "OUSMm":
            return False
        if dtype != "bfloat16":
            array = array.astype(dtype)
        write(slot.value, array.reshape(slot.value.shape))
        return True
    if slot.put is None or isinstance(value, np.ndarray):
        return False
    slot.put(value)
    return True


def _slots(mindspore: Any, optimizer: Any) -> Iterator[_Slot]:
    """Of the optimizer, and of an optimizer that it hands its gradients to ("opt.moments")."""
    known: set[int] = set()
    for path, cell in optimizer.cells_and_names():
        if path and not isinstance(getattr(cell, "parameters", None), tuple | list):
            continue  # a schedule: what it holds is a setting
        for slot in _slots_of(mindspore, cell):
            if id(slot.value) not in known or not isinstance(slot.value, mindspore.Tensor):
                known.add(id(slot.value))
                yield _Slot(slot.parameter, f"{path}.{slot.key}" if path else slot.key, slot.value, slot.put)


def _slots_of(mindspore: Any, optimizer: Any) -> Iterator[_Slot]:
    updated = parameters(mindspore, optimizer)
    own = {id(parameter) for parameter in updated}
    told: set[int] = set()
    for name, value in vars(optimizer).items():
        entries = _entries(value) if not name.startswith("_") and name not in _NO_STATE else ()
        if not entries or any(id(entry) in own for entry in entries):
            continue
        owners = updated if len(entries) == len(updated) else (None,) * len(entries)
        for rank, (owner, entry) in enumerate(zip(owners, entries, strict=True)):
            told.add(id(entry))
            yield _Slot(owner, name if owner is not None else f"{name}.{rank}", _made(entry))
    for group in getattr(optimizer, "param_groups", None) or ():
        for name, value in group.items():
            entries = _entries(value) if name != "params" else ()
            if len(entries) == len(group["params"]):
                told |= {id(entry) for entry in entries}
                yield from (_Slot(p, name, _made(e)) for p, e in zip(group["params"], entries, strict=True))
    yield from _slots_of_mapping(mindspore, getattr(optimizer, "state", None))
    arguments = _arguments(optimizer)
    for name, value in optimizer._params.items():  # noqa: SLF001
        named = name in vars(optimizer) or hasattr(type(optimizer), name) or "." not in name
        if value is None or id(value) in own | told or name in _NO_STATE or name in arguments or not named:
            continue
        yield _Slot(None, name, _made(value))


def _slots_of_mapping(mindspore: Any, held: Any) -> Iterator[_Slot]:
    """`state`, where a user's optimizer keeps what it remembers as torch does."""
    if not isinstance(held, Mapping):
        return
    for parameter, entry in held.items():
        if not isinstance(parameter, mindspore.Parameter) or not isinstance(entry, dict):
            continue
        for key, value in entry.items():
            if isinstance(value, mindspore.Tensor):
                yield _Slot(parameter, str(key), value)
            elif isinstance(value, bool | int | float):
                yield _Slot(parameter, str(key), value, functools.partial(entry.__setitem__, key))


def _entries(value: Any) -> tuple[Any, ...]:
    """The Parameters of a tuple or list of nothing else."""
    kinds = {type(item).__name__ for item in value} if isinstance(value, tuple | list) and value else set()
    return tuple(value) if kinds and kinds <= {"Parameter"} else ()


def _made(tensor: Any) -> Any:
    """With its numbers: those of a Parameter may wait until they are needed."""
    if getattr(tensor, "has_init", False):
        tensor.init_data()
    return tensor
