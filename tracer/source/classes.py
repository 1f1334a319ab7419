"""Classes of the tree: in which order Python looks through their bases, and what an instance has under a name."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.source.modules import Class, Function
from tracer.source.values import UNKNOWN, Outside, Torch, Value, join

Above = Class | str | None
"""A class of the tree, a class of torch by its full name, or one that nothing is known of."""


def line(of: Class) -> list[Above]:
    """The class and its bases in the order in which attributes are looked up."""
    if of.line is None:
        of.line = [of, None]  # what it is to itself, if it is derived from itself in a circle
        try:
            of.line = _line(of)
        except RecursionError:  # derived from more classes than anybody writes
            of.line = [of, None]
    return of.line


def _line(of: Class) -> list[Above]:
    found: list[Above] = []
    for base in of.bases:
        if not base.things or not base.sure:
            found.append(None)
        for thing in base.things:
            if isinstance(thing, Class):
                found += line(thing)
            elif isinstance(thing, Torch):
                found.append(thing.name)
            elif not (isinstance(thing, Outside) and thing.name.startswith(HARMLESS)):
                found.append(None)
    # What stands below several comes after the last of them; what nothing is known of is doubtful from its first on.
    place = {one: number for number, one in enumerate(found)}
    if None in place:
        place[None] = found.index(None)
    return [of, *(one for number, one in enumerate(found) if place[one] == number and one is not of)]


HARMLESS = ("builtins.", "typing.", "abc.", "enum.", "dataclasses.", "collections.", "typing_extensions.")
"""Where bases come from that have no attribute of the name of one of torch's."""


def assigned(of: Class, name: str) -> Value | None:
    """What methods of a class and its bases assign to an attribute of `self`; None where nobody does."""
    found: Value | None = None
    for above in line(of):
        if isinstance(above, Class):
            value = above.before.get(name) or above.assigned.get(name)
            if value is not None:
                found = value if found is None else join(found, value)
    return found


def order(of: Class, after: Class | None = None) -> list[Above]:
    """As `line`, only what comes above `after` where one is given."""
    whole = line(of)
    if after is None:
        return whole
    return whole[whole.index(after) + 1 :] if after in whole else line(after)[1:]


def torch_bases(of: Class) -> list[str]:
    """The classes of torch that a class is derived from, nearest first."""
    return [above for above in line(of) if isinstance(above, str)]


def method(of: Class, name: str) -> Function | None:
    """The method of the tree that an instance has under a name."""
    for above in line(of):
        if isinstance(above, Class) and name in above.names:
            return next((thing for thing in above.names[name].things if isinstance(thing, Function)), None)
    return None


def overriding(of: Class, name: str, seen: set[Class] | None = None) -> Iterator[Function]:
    """The methods of this name in classes derived from it."""
    seen = seen if seen is not None else set()
    for heir in of.heirs:
        if heir in seen:
            continue
        seen.add(heir)
        for thing in heir.names.get(name, UNKNOWN).things:
            if isinstance(thing, Function):
                yield thing
        yield from overriding(heir, name, seen)
