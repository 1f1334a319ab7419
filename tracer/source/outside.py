"""What a call of something gives that is neither torch's nor scanned: builtins, lists and dicts, numpy, others."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracer.source.modules import Instance
from tracer.source.program import Program
from tracer.source.values import (
    BATCH,
    NOTHING,
    NUMBER,
    NUMPY,
    OTHER,
    TENSOR,
    TEXT,
    UNKNOWN,
    Bundle,
    Made,
    Row,
    Several,
    Table,
    Torch,
    Value,
    item_of,
    join,
    joined,
    one,
)
from tracer.source.words import words


@dataclass(frozen=True)
class Given:
    """What a call hands over.

    Attributes:
        node: the call.
        arguments: its positional arguments up to the first with a star.
        keywords: its keyword arguments.
        rest: what `*rest` and what comes after it may be.
        receiver: of a method, what it is called on.
    """

    node: ast.Call
    arguments: Sequence[Value]
    keywords: Mapping[str, Value]
    rest: Value | None = None
    receiver: Value = UNKNOWN

    def all(self) -> list[Value]:
        """Everything that is handed over."""
        return [*self.arguments, *self.keywords.values(), *([self.rest] if self.rest else [])]


NUMBERS = words(
    """
    len int float bool abs round ord hash id isinstance issubclass hasattr callable any all pow divmod
    """
)
SAME_ITEMS = words("list tuple sorted reversed set frozenset iter")
COPIES = frozenset({"copy.copy", "copy.deepcopy", "builtins.vars"})
TENSOR_IN_TENSOR_OUT = frozenset({"einops.rearrange", "einops.repeat", "einops.reduce", "einops.einsum"})
PASSING_ON = frozenset({"itertools.islice", "itertools.cycle", "rich.progress.track"})
"""What gives one after the other what is in the first it is given; tqdm too."""
DECORATORS = frozenset({"functools.wraps", "functools.lru_cache", "functools.cache"})


def items(value: Value) -> Value:
    """What iterating over a value gives."""
    found = []
    for thing in value.things:
        if isinstance(thing, Made):
            if thing.name in ("torch.Tensor", "torch.nn.Parameter") and thing.items is None:
                found.append(TENSOR)
            elif thing.name == "torch.Size":
                found.append(NUMBER)
            elif thing.items is not None:
                found.append(items(thing.items))
            elif thing.name == "torch.utils.data.DataLoader":
                found.append(BATCH)
        elif isinstance(thing, Table):
            found.append(TEXT)
        else:
            found.append(item_of(thing))
    result = joined(found)
    return result if value.sure else result.unsure()


def values_of(value: Value) -> Value:
    """What stands in a dict under any of its keys."""
    found = []
    for thing in value.things:
        table = thing.items.things[0] if isinstance(thing, Made) and thing.items and thing.items.things else thing
        if isinstance(table, Bundle):
            found.append(table.part)
        elif isinstance(table, Table):
            found += [entry for _, entry in table.entries]
            if not table.closed:
                found.append(table.others)
    result = joined(found)
    return result if value.sure else result.unsure()


def outside_gives(program: Program, name: str, given: Given) -> Value:
    """What calling a name from outside gives: a builtin, a method of a list or dict, numpy, some others."""
    arguments = given.arguments
    first = arguments[0] if arguments else UNKNOWN
    room, _, last = name.rpartition(".")
    if room == "builtins":
        return _builtin_gives(program, last, given, first)
    if room == "list":
        if last == "pop":
            return items(given.receiver)
        return given.receiver if last == "copy" else OTHER
    if room == "dict":
        return _table_gives(last, given)
    if room.startswith("numpy") or name.startswith("numpy."):
        return NUMPY
    if room == "math":
        return NUMBER
    if name in COPIES:
        return first
    if name == "collections.OrderedDict":
        return _ordered(first)
    if name in PASSING_ON or (last in ("tqdm", "tqdm_notebook") and room.startswith("tqdm")):
        return one(Several(items(first)))
    if name == "itertools.chain":
        return one(Several(joined([items(argument) for argument in arguments])))
    if name in TENSOR_IN_TENSOR_OUT:
        return first if program.torch.tensor(first) else UNKNOWN
    return UNKNOWN


def _builtin_gives(program: Program, name: str, given: Given, first: Value) -> Value:
    if name in NUMBERS:
        return first if name in ("abs", "round", "pow") and program.torch.tensor(first) else NUMBER
    if name in ("str", "repr", "format", "chr", "input"):
        return TEXT
    if name == "range":
        return one(Several(NUMBER))
    if name in SAME_ITEMS:
        if any(isinstance(thing, (Row, Several)) for thing in first.things) and name != "reversed":
            return first
        return one(Several(items(first))) if given.arguments else one(Row(()))
    if name == "enumerate":
        return one(Several(one(Row((NUMBER, items(first))))))
    if name == "zip":
        if given.rest is not None:
            return one(Several(UNKNOWN))
        return one(Several(one(Row(tuple(items(argument) for argument in given.arguments)))))
    if name == "dict":
        entries = tuple((key, value.handed()) for key, value in given.keywords.items())
        if not given.arguments:
            return one(Table(entries, UNKNOWN, closed=all(keyword.arg for keyword in given.node.keywords)))
        return first if any(isinstance(thing, Table) for thing in first.things) else one(Table(entries, UNKNOWN))
    if name in ("sum", "next"):
        return items(first)
    if name in ("min", "max"):
        return items(first) if len(given.arguments) == 1 else joined(given.arguments)
    if name in ("print", "setattr", "delattr", "exec", "super"):
        return NOTHING
    if name == "type" and len(given.arguments) == 1:
        of = [thing.of if isinstance(thing, Instance) else Torch(thing.name) for thing in first.things
              if isinstance(thing, (Instance, Made))]  # fmt: skip
        return joined([one(thing, sure=False) for thing in of])
    return UNKNOWN


def _table_gives(name: str, given: Given) -> Value:
    if name in ("get", "pop", "setdefault"):
        key = given.node.args[0] if given.node.args else None
        found = entry(given.receiver, key.value if isinstance(key, ast.Constant) else None)
        return join(found, given.arguments[1]) if len(given.arguments) > 1 else found
    if name == "items":
        return one(Several(one(Row((TEXT, values_of(given.receiver))))))
    if name == "values":
        return one(Several(values_of(given.receiver)))
    if name == "keys":
        return one(Several(TEXT))
    return given.receiver if name == "copy" else OTHER


def entry(value: Value, key: object) -> Value:
    """What a dict, or a container of torch with names, holds under a key; under an unknown one what it may hold."""
    if isinstance(key, str):
        for thing in value.things:
            table = thing.items.things[0] if isinstance(thing, Made) and thing.items and thing.items.things else thing
            if isinstance(table, Table):
                found = dict(table.entries).get(key)
                if found is not None:
                    return found if value.sure else found.unsure()
                return table.others if value.sure else table.others.unsure()
    return values_of(value).unsure()


def _ordered(first: Value) -> Value:
    """An OrderedDict of a list of pairs: what they hold, without their names."""
    held = [item for thing in first.things for item in (item_of(thing),) if isinstance(thing, (Row, Several))]
    pairs = [
        thing.items[1] for value in held for thing in value.things if isinstance(thing, Row) and len(thing.items) == 2
    ]
    return one(Table((), joined(pairs))) if pairs else one(Table((), UNKNOWN))
