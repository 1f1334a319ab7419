"""What an expression can stand for: a thing of torch, a tensor, a layer, a list of such, something else."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

MOST = 4
"""A value that could be more different things than this is no longer followed."""
DEEPEST = 5
"""Lists of lists of ... are followed so far."""
LONGEST = 200
"""A dict with more keys is known by what its values have in common."""


class Thing:
    """Base of all that a value can be; classes, functions and modules of the scanned tree are things too."""

    __slots__ = ()
    depth = 0


@dataclass(frozen=True)
class Torch(Thing):
    """What bears a name of torch: a module, a class, a function, a dtype."""

    name: str


@dataclass(frozen=True)
class Bound(Thing):
    """A method of torch with its receiver, `x.view`."""

    name: str


@dataclass(frozen=True)
class Made(Thing):
    """An instance of a class of torch: a tensor, a layer, an optimizer; of containers also what they hold."""

    name: str
    items: Value | None = None

    @property
    def depth(self) -> int:  # type: ignore[override]
        """How deep what it holds is nested."""
        return 0 if self.items is None else self.items.depth + 1


@dataclass(frozen=True)
class Several(Thing):
    """A list, tuple or iterator of any length whose items are alike."""

    item: Value

    @property
    def depth(self) -> int:  # type: ignore[override]
        """How deep its items are nested."""
        return self.item.depth + 1


@dataclass(frozen=True)
class Row(Thing):
    """A list or tuple whose items are known one by one."""

    items: tuple[Value, ...]

    @property
    def depth(self) -> int:  # type: ignore[override]
        """How deep its items are nested."""
        return max((item.depth for item in self.items), default=0) + 1


@dataclass(frozen=True)
class Table(Thing):
    """A dict: what stands under text keys that are known, and what else it may hold; if `closed`, nothing else."""

    entries: tuple[tuple[str, Value], ...]
    others: Value
    closed: bool = False

    @property
    def depth(self) -> int:  # type: ignore[override]
        """How deep its values are nested."""
        return max([item.depth for _, item in self.entries] + [self.others.depth]) + 1


@dataclass(frozen=True)
class Bundle(Thing):
    """What a DataLoader or a net gives: most likely a tensor, else a tuple or a dict, which holds such a `part`."""

    part: Value


@dataclass(frozen=True)
class Plain(Thing):
    """What is certainly nothing of torch."""

    kind: Literal["text", "number", "numpy", "other"]


@dataclass(frozen=True)
class Outside(Thing):
    """A module, class or function of a package that is neither torch nor scanned, or a builtin ("builtins.len")."""

    name: str


@dataclass(frozen=True)
class Partial(Thing):
    """`functools.partial(of, ...)`; `node` is that call."""

    of: Value
    node: ast.Call = field(repr=False)


@dataclass(frozen=True)
class Code(Thing):
    """A lambda, by what it gives."""

    gives: Value


@dataclass(frozen=True)
class Value:
    """What an expression can be.

    Attributes:
        things: what it can be, None left out, since nobody uses an attribute of None.
        sure: is it certainly one of them? No things and sure is None; no things and not sure is anything.
        spelled: was it brought by an import, so that its mention is a mention of torch?
        depth: how deep its things are nested.
        open: was it joined with what nothing is known of, so that it may be anything else too?
    """

    things: tuple[Thing, ...] = ()
    sure: bool = False
    spelled: bool = False
    depth: int = field(default=0, compare=False)
    open: bool = False

    def unsure(self) -> Value:
        """The same, only guessed."""
        return Value(self.things, False, self.spelled, self.depth, self.open) if self.sure and self.things else self

    def opened(self) -> Value:
        """The same, or anything else."""
        return Value(self.things, False, self.spelled, self.depth, True) if self.things else UNKNOWN

    def without_callables(self) -> Value:
        """The same without classes and functions of torch: of several, one does not speak for the rest."""
        things = tuple(thing for thing in self.things if not isinstance(thing, (Torch, Partial)))
        return self if len(things) == len(self.things) else Value(things, False, depth=self.depth, open=True)

    def handed(self) -> Value:
        """The same under another name than the one an import gave it."""
        return Value(self.things, self.sure, False, self.depth, self.open) if self.spelled else self


UNKNOWN = Value()
NOTHING = Value((), True)


def one(thing: Thing, *, sure: bool = True, spelled: bool = False) -> Value:
    """A value that is this thing; what is nested too deep is unknown."""
    depth = thing.depth
    return UNKNOWN if depth > DEEPEST else Value((thing,), sure, spelled, depth)


TENSOR = one(Made("torch.Tensor"))
LIKELY = TENSOR.opened()
"""What is used like a tensor."""
TENSORS = one(Several(TENSOR))
RESULT = one(Bundle(UNKNOWN), sure=False)
"""What a net gives of which nothing is known, or a loss."""
BATCH = one(Bundle(one(Bundle(one(Bundle(RESULT), sure=False)), sure=False)), sure=False)
"""What comes out of a DataLoader: of a tensor, or of several, or of lists of them."""
NUMBER, TEXT, NUMPY, OTHER = (one(Plain(kind)) for kind in ("number", "text", "numpy", "other"))
LAYER = one(Made("torch.nn.Module"), sure=False)


def join(left: Value, right: Value) -> Value:
    """What is either: after two branches, for instance."""
    if left is right or left == right:
        return left
    if not left.things and not right.things:
        return UNKNOWN
    things = left.things + tuple(thing for thing in right.things if thing not in left.things)
    sure = left.sure and right.sure
    if len(things) > 1:
        things = _known_better(things)
        things = _sequences_joined(things)
    if len(things) > MOST:
        return LAYER if all(isinstance(thing, Made) for thing in things) and _all_layers(things) else UNKNOWN
    depth = max(thing.depth for thing in things)
    if depth > DEEPEST:
        return UNKNOWN
    return Value(things, sure, left.spelled or right.spelled, depth, _open(left) or _open(right))


def bundled(value: Value) -> Value:
    """What a name was bound to that is used like one tensor, before that was concluded."""
    thing = value.things[0] if len(value.things) == 1 else None
    return _concluded(thing) or value


def _concluded(thing: Thing | None) -> Value | None:
    return thing.items if isinstance(thing, Made) and thing.name == "torch.Tensor" else None


def _known_better(things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """Without what may be a tensor, where something else is known."""
    without = tuple(thing for thing in things if not isinstance(thing, Bundle) and not _concluded(thing))
    return without or things[:1]


def _open(value: Value) -> bool:
    return value.open or not (value.things or value.sure)


def joined(values: Iterable[Value]) -> Value:
    """What is any of these; of none, unknown."""
    values = list(values)
    return reduce(join, values) if values else UNKNOWN


def _all_layers(things: tuple[Thing, ...]) -> bool:
    return all(isinstance(thing, Made) and thing.name.startswith("torch.nn.") for thing in things)


def _sequences_joined(things: tuple[Thing, ...]) -> tuple[Thing, ...]:
    """Lists that differ in their items only become one list; containers of torch and dicts likewise."""
    lists = [thing for thing in things if isinstance(thing, (Several, Row))]
    tables = [thing for thing in things if isinstance(thing, Table)]
    if len(lists) > 1:
        things = (*(thing for thing in things if not isinstance(thing, (Several, Row))), _one_list(lists))
    if len(tables) > 1:
        things = (*(thing for thing in things if not isinstance(thing, Table)), _one_table(tables))
    holders = [thing for thing in things if isinstance(thing, Made) and thing.items is not None]
    for name in {thing.name for thing in holders}:
        alike = [thing for thing in things if isinstance(thing, Made) and thing.name == name]
        if len(alike) > 1:
            items = [thing.items for thing in alike if thing.items is not None]
            things = (*(thing for thing in things if thing not in alike), Made(name, joined(items)))
    return things


def _one_list(lists: list[Several | Row]) -> Thing:
    lengths = {len(thing.items) if isinstance(thing, Row) else -1 for thing in lists}
    if len(lengths) == 1 and -1 not in lengths:
        rows = [thing.items for thing in lists if isinstance(thing, Row)]
        return Row(tuple(joined(column) for column in zip(*rows, strict=True)))
    filled = [item_of(thing) for thing in lists if not (isinstance(thing, Row) and not thing.items)]
    return Several(joined(filled))


def _one_table(tables: list[Table]) -> Thing:
    entries: dict[str, Value] = {}
    for table in tables:
        for key, value in table.entries:
            entries[key] = join(entries[key], value) if key in entries else value
    alike = all(table.closed and len(table.entries) == len(entries) for table in tables)
    return Table(tuple(entries.items()), joined(table.others for table in tables), alike)


def item_of(thing: Thing) -> Value:
    """What iterating over a list, or indexing it with any number, gives."""
    if isinstance(thing, Several):
        return thing.item
    if isinstance(thing, Row):
        return joined(thing.items)
    return thing.part if isinstance(thing, Bundle) else UNKNOWN


def table_of(entries: Mapping[str, Value], others: Value = UNKNOWN, *, closed: bool = False) -> Value:
    """A dict with these entries, and perhaps others."""
    if len(entries) > LONGEST:
        return one(Table((), joined([*entries.values(), *([others] if others.things else [])])))
    return one(Table(tuple(entries.items()), others, closed))


def listed(values: list[Value]) -> Value:
    """A list of these; a long one by what its items have in common."""
    return one(Row(tuple(values)) if len(values) <= 16 else Several(joined(values)))


def is_vague(value: Value) -> bool:
    """Is it a list, or a dict, of whatever?"""
    return all(
        (isinstance(thing, Several) and not thing.item.things)
        or (isinstance(thing, Table) and not thing.entries and not thing.others.things)
        or (isinstance(thing, Row) and not any(item.things for item in thing.items))
        for thing in value.things
    )
