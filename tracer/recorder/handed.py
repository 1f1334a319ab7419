"""What a layer does to a container that it got as a copy, the caller must see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from tracer.frameworks.base import children


@dataclass(slots=True)
class Handed:
    """A container of the caller's, and the copy with aliases that the layer got instead. What the layer does to the
    copy the caller must see: `items` and `fields` are what the copy held, `given` the caller's own tensors by alias."""

    own: Any
    copy: Any
    items: Any
    fields: Mapping[str, Any]
    given: Mapping[int, Any]

    def settle(self) -> None:
        """Bring to the caller's container what was done to the copy."""
        now = _items(self.copy)
        if isinstance(now, list):
            if len(now) != len(self.items) or any(a is not b for a, b in zip(now, self.items, strict=True)):
                self.own[:] = [self._callers(item) for item in now]
        elif now is not None and (list(now) != list(self.items) or any(now[k] is not self.items[k] for k in now)):
            if list(now)[: len(self.items)] != list(self.items):
                self.own.clear()
            for key, item in now.items():
                self.own[key] = self._callers(item)
        fields = _fields(self.copy)
        for name, value in fields.items():
            if name not in self.fields or value is not self.fields[name]:
                object.__setattr__(self.own, name, self._callers(value))
        for name in self.fields:
            if name not in fields:
                object.__delattr__(self.own, name)

    def _callers(self, value: Any) -> Any:
        return self.given.get(id(value), value)


def _items(container: Any) -> Any:
    """What a list or mapping holds now; None for what is neither."""
    if isinstance(container, list):
        return list(container)
    return dict(container.items()) if isinstance(container, MutableMapping) else None


def _fields(container: Any) -> dict[str, Any]:
    """The attributes of a container now, those in slots too."""
    found: dict[str, Any] = dict(getattr(container, "__dict__", ()))
    for kind in type(container).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in {"__dict__", "__weakref__"} and hasattr(container, name):
                found[name] = getattr(container, name)
    return found


def handed(own: Any, copy: Any, given: Mapping[int, Any]) -> Iterator[Handed]:
    """Every container that can be altered and was replaced by a copy."""
    if own is copy:
        return
    if not isinstance(own, tuple) and (children(own) is not None):
        yield Handed(own, copy, _items(copy), _fields(copy), given)
    for (_, a), (_, b) in zip(children(own) or (), children(copy) or (), strict=True):
        yield from handed(a, b, given)
