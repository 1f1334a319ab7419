"""A torch optimizer: what it is told and what it remembers. Needs no import of torch: it is given."""

from __future__ import annotations

import contextlib
import inspect
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tracer.errors import RecordingError
from tracer.frameworks.base import leaves
from tracer.frameworks.source import class_source
from tracer.frameworks.store import is_users
from tracer.frameworks.torch_settings import NotPlain, bases, plain
from tracer.frameworks.training import GroupFacts, OptimizerFacts, StateFacts
from tracer.trace.schema import Plain

Array = np.ndarray[Any, Any]

# --------------------------------------------------------------------------------------------------------------------
# What it is told, and what it remembers
# --------------------------------------------------------------------------------------------------------------------


def check(optimizer: Any) -> None:
    """Refuse what has no groups of parameters and no state.

    Raises:
        RecordingError: this is no optimizer.
    """
    groups, state = getattr(optimizer, "param_groups", None), getattr(optimizer, "state", None)
    if isinstance(groups, list) and isinstance(state, Mapping) and callable(getattr(optimizer, "step", None)):
        return
    raise RecordingError(
        "This is no torch optimizer: it has no parameter groups, no state or no step",
        where=f"{type(optimizer).__module__}.{type(optimizer).__qualname__}",
        then="give a torch.optim.Optimizer, or an object with its param_groups, state and step",
    )


def parameters(optimizer: Any) -> list[Any]:
    """The tensors it updates, in its order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def facts(torch: Any, optimizer: Any) -> OptimizerFacts:
    """Class, settings and groups at this moment."""
    kind: Any = type(optimizer)
    groups = [
        GroupFacts(
            _plains(torch, {key: value for key, value in group.items() if key not in {"params", "param_names"}}),
            tuple(group["params"]),
        )
        for group in optimizer.param_groups
    ]
    own = _plains(torch, getattr(optimizer, "defaults", {}))
    shared = {key: value for key, value in own.items() if all(_same(group.settings, key, value) for group in groups)}
    return OptimizerFacts(
        kind=kind.__name__,
        bases=bases(kind, "torch.optim.optimizer.Optimizer"),
        settings=shared,
        groups=tuple(groups),
        source=class_source(kind) if is_users(kind) else None,
    )


def _same(settings: Mapping[str, Plain], key: str, value: Plain) -> bool:
    return key in settings and settings[key] == value


def _plains(torch: Any, settings: Mapping[str, Any]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for key, value in settings.items():
        with contextlib.suppress(NotPlain):
            found[str(key)] = plain(_as_numbers(torch, value))
    return found


def _as_numbers(torch: Any, value: Any) -> Any:
    """Tensors of one element as numbers, also in a tuple (betas)."""
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 and value.device.type != "meta" else value
    if isinstance(value, tuple | list):
        return [_as_numbers(torch, item) for item in value]
    return value


def state(torch: Any, optimizer: Any) -> list[StateFacts]:
    """Every entry, those of parameters in the order of the groups, then the rest. Lists are opened: "old_dirs.0"."""
    held = optimizer.state
    known = {id(parameter): parameter for parameter in parameters(optimizer)}
    places = [(p, "", held[p]) for p in known.values() if p in held]
    places += [
        (key, "", entry) if isinstance(key, torch.Tensor) else (None, str(key), entry)
        for key, entry in held.items()
        if id(key) not in known
    ]
    found = []
    for parameter, prefix, entry in places:
        for leaf in leaves(entry, prefix):
            with contextlib.suppress(NotPlain):
                value = leaf.value if isinstance(leaf.value, torch.Tensor) else plain(leaf.value)
                found.append(StateFacts(parameter, leaf.path or "value", value))
    return found


# --------------------------------------------------------------------------------------------------------------------
# Making it remember
# --------------------------------------------------------------------------------------------------------------------


def assign_state(
    torch: Any,
    make: Callable[[Array], Any],
    optimizer: Any,
    parameter: Any | None,
    values: Mapping[str, Array | Plain],
) -> tuple[str, ...]:
    """Write what it remembers of a parameter, in place where it remembers already; the keys it could not be told."""
    if parameter is None:
        return tuple(key for key, value in values.items() if not _write(torch, make, optimizer.state, key, value))
    if not any(parameter is known for known in parameters(optimizer)):
        return tuple(values)
    held = optimizer.state.get(parameter) or {}
    missing = {key: value for key, value in values.items() if "." not in key and held.get(key) is None}
    if missing:
        held = _entries(torch, make, optimizer, parameter, missing)
    return tuple(key for key, value in values.items() if not _write(torch, make, held, key, value))


def _entries(
    torch: Any, make: Callable[[Array], Any], optimizer: Any, parameter: Any, values: Mapping[str, Any]
) -> dict[str, Any]:
    """The state of a parameter with all entries of `values` that the optimizer would make itself."""
    first = _first_state(torch, optimizer, parameter)
    if first is None:  # a rule of the user's own, which is not run for a trial
        first = {key: _like(torch, make, parameter, value) for key, value in values.items()}
    held: dict[str, Any] = optimizer.state.setdefault(parameter, {})
    for key, value in first.items():
        if held.get(key) is None and (key in values or key not in held):
            held[key] = value
    return held


def _first_state(torch: Any, optimizer: Any, parameter: Any) -> dict[str, Any] | None:
    """What torch's own optimizers make at the first step, from a step of a stand-in with a zero gradient; None for
    others."""
    step = inspect.unwrap(type(optimizer).step)
    init = getattr(type(optimizer), "_init_group", step)
    if not (step.__module__.startswith("torch.optim.") and init.__module__.startswith("torch.optim.")):
        return None
    try:
        group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
        weight = torch.zeros_like(parameter, requires_grad=True)
        weight.grad = torch.zeros_like(parameter)
        trial = object.__new__(type(optimizer))
        vars(trial).update(vars(optimizer))
        vars(trial).update(state=defaultdict(dict), param_groups=[{**group, "params": [weight]}])
        with torch.no_grad():
            step(trial)
        return dict(trial.state[weight])
    except Exception:  # it needs a closure, other devices, sparse gradients
        return None


def _like(torch: Any, make: Callable[[Array], Any], parameter: Any, value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.shape == tuple(parameter.shape) and value.ndim:
        return torch.zeros_like(parameter, requires_grad=False)
    return make(value) if value.ndim else torch.zeros((), dtype=torch.float32)


def _write(torch: Any, make: Callable[[Array], Any], held: Any, key: str, value: Any) -> bool:
    """Put a value to its place, "old_dirs.0" into a list; False where there is no such place or it does not fit."""
    for name in key.split(".")[:-1]:
        held = _item(held, name)
    last = key.rpartition(".")[2]
    old = _item(held, last)
    if old is _NOTHING:
        return False
    try:
        if isinstance(old, torch.Tensor):
            new = make(np.asarray(value))
            if tuple(new.shape) != tuple(old.shape) and not new.numel() == old.numel() == 1:
                return False
            with torch.no_grad():
                old.copy_(new.reshape(old.shape))
        else:
            number = value.item() if isinstance(value, np.ndarray) else value
            held[int(last) if isinstance(held, list) else last] = number if old is None else type(old)(number)
    except Exception:  # nothing that could stand here
        return False
    return True


_NOTHING = object()


def _item(held: Any, name: str) -> Any:
    if isinstance(held, Mapping):
        return held[name] if name in held else _NOTHING  # noqa: SIM401  (a defaultdict must not grow)
    if isinstance(held, list) and name.isdigit() and int(name) < len(held):
        return held[int(name)]
    return _NOTHING


def needs_closure(optimizer: Any) -> bool:
    """Can it not update without a function that computes the gradients (LBFGS)?"""
    try:
        closure = inspect.signature(optimizer.step).parameters.get("closure")
    except (TypeError, ValueError):
        return False
    return closure is not None and closure.default is closure.empty
