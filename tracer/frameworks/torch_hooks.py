"""Hooks on torch modules that stay where they were put. Needs no import of torch: it is given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any


class Hook(functools.partial[Any]):
    """A hook that stays with its module: copies of the module, made while it is watched, get one that does nothing."""

    def __deepcopy__(self, memo: Any) -> Callable[..., None]:
        return _nothing

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[()]]:
        return _of_a_copy, ()


def _nothing(*_: Any) -> None:
    """The hook of a copy."""


def _of_a_copy() -> Callable[..., None]:
    return _nothing


@functools.cache
def always(torch: Any) -> Mapping[str, bool]:
    """The hook is called when the module raises too, where torch knows that."""
    known = inspect.signature(torch.nn.Module.register_forward_hook).parameters
    return {"always_call": True} if "always_call" in known else {}
