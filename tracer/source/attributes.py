"""What `value.name` is: for each thing that the value can be, and which names of torch are mentioned by it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from tracer.source.classes import assigned, order
from tracer.source.guesses import ARRAYS, SHARED
from tracer.source.modules import Class, Function, Instance, Method, Module, Super
from tracer.source.program import ROOTS, Program
from tracer.source.values import (
    NUMPY,
    OTHER,
    TENSOR,
    TEXT,
    UNKNOWN,
    Bound,
    Bundle,
    Made,
    Outside,
    Plain,
    Row,
    Several,
    Table,
    Thing,
    Torch,
    Value,
    join,
    one,
)
from tracer.source.words import words

NAMED_RESULTS = words("values indices eigenvalues eigenvectors Q R U S V Vh L solution sign logabsdet")
"""What torch calls the parts of results that are tuples."""


@dataclass(frozen=True)
class Reached:
    """What an attribute, or a name, is.

    Attributes:
        value: what it can be.
        names: the names of torch that stand there.
        sure: is it certain that they do?
        instance: were they reached through an instance (`x.view`), not through torch's modules and classes?
    """

    value: Value
    names: tuple[str, ...] = ()
    sure: bool = True
    instance: bool = False


OF_PICTURES = frozenset({"torch.Tensor.resize"})
"""What torch has given up long ago and pictures still have, which are handed to `forward` too."""

WRAPPED = "module"
"""Under this name DataParallel and its kin hold the net, which is followed through them as if it were not wrapped."""

NOWHERE = Reached(UNKNOWN, (), False)


def attribute(program: Program, base: Value, name: str) -> Reached:
    """What `base.name` is."""
    if not base.things:
        return NOWHERE
    if len(base.things) == 1:
        found = _of_thing(program, base.things[0], name)
        if base.open and found.instance and name in SHARED:
            return NOWHERE
        if not base.sure and (found.sure or found.value.sure):
            return Reached(found.value.unsure(), found.names, False, found.instance)
        return found
    each = [_of_thing(program, thing, name) for thing in base.things]
    if any(found.instance for found in each) and ((base.open and name in SHARED) or others_have(base, each, name)):
        return NOWHERE
    fruitful = [found for found in each if found.names or found.value.things] or each
    value = fruitful[0].value
    for found in fruitful[1:]:
        value = join(value, found.value)
    names = tuple(dict.fromkeys(full for found in fruitful for full in found.names))
    alike = len(fruitful) == len(each) and len(names) == 1 and all(found.names and found.sure for found in each)
    sure = base.sure and alike
    return Reached(value if sure else value.unsure(), names, sure, any(found.instance for found in fruitful))


def others_have(base: Value, each: list[Reached], name: str) -> bool:
    """Of several things that a value can be, has one that is nothing of torch the attribute too?"""
    for thing, found in zip(base.things, each, strict=True):
        if found.names:
            continue
        if isinstance(thing, Plain):
            if (thing.kind == "numpy" and name in ARRAYS) or (thing.kind == "text" and hasattr(str, name)):
                return True
        elif isinstance(thing, (Row, Several, Table)):
            if hasattr(dict if isinstance(thing, Table) else list, name):
                return True
        elif found.value.things:
            return True
    return False


def _of_thing(program: Program, thing: Thing, name: str) -> Reached:
    handler = HANDLERS.get(type(thing))
    return handler(program, thing, name) if handler else NOWHERE


def _of_torch(program: Program, thing: Torch, name: str) -> Reached:
    torch = program.torch
    sort = torch.sort(thing.name)
    full = f"{thing.name}.{name}"
    if sort in ("module", None):
        known = torch.canonical(full) or full
        if sort is None and torch.sort(known) is None and thing.name.partition(".")[0] not in ROOTS:
            return NOWHERE
        return Reached(one(Torch(known)), (known,))
    if sort == "class":
        member = torch.member(thing.name, name) or torch.canonical(full)
        if member is not None:
            return Reached(one(Torch(member)), (member,))
    elif sort == "dtype":
        member = torch.member("torch.dtype", name)
        if member is not None:
            return Reached(OTHER, (member,), instance=True)
    return NOWHERE


def member_of_instance(program: Program, of: str, name: str) -> Reached:
    """What an instance of a class of torch has under a name."""
    torch = program.torch
    full = torch.member(of, name)
    if full is None:
        return NOWHERE
    if full in OF_PICTURES:
        return NOWHERE
    if torch.sort(full) in ("method", "function"):
        return Reached(one(Bound(full)), (full,), instance=True)
    return Reached(torch.attribute_gives(full), (full,), instance=True)


def _of_made(program: Program, thing: Made, name: str) -> Reached:
    found = member_of_instance(program, thing.name, name)
    if found is NOWHERE and thing.items is not None:
        for held in thing.items.things:
            if isinstance(held, Table) and name in dict(held.entries):
                return Reached(dict(held.entries)[name])
    if found is NOWHERE and name == WRAPPED and program.torch.is_layer(thing.name):
        return Reached(one(thing, sure=False))
    return found


def _of_list(program: Program, thing: Thing, name: str) -> Reached:
    if name in NAMED_RESULTS and isinstance(thing, Several) and program.torch.tensor(thing.item):
        return Reached(TENSOR if thing.item.sure else TENSOR.unsure())
    return Reached(one(Outside(f"list.{name}")))


def _of_table(_program: Program, _thing: Table, name: str) -> Reached:
    return Reached(one(Outside(f"dict.{name}")))


def _of_bundle(program: Program, thing: Bundle, name: str) -> Reached:
    if hasattr(dict, name) or hasattr(list, name):
        return Reached(one(Outside(f"dict.{name}"))) if thing.part.things and hasattr(dict, name) else NOWHERE
    found = member_of_instance(program, "torch.Tensor", name)
    return NOWHERE if found is NOWHERE else Reached(found.value.unsure(), found.names, False, instance=True)


def _of_plain(_program: Program, thing: Plain, _name: str) -> Reached:
    if thing.kind == "numpy":
        return Reached(NUMPY)
    return Reached(TEXT if thing.kind == "text" else OTHER)


def _of_outside(program: Program, thing: Outside, name: str) -> Reached:
    below = program.named.get(f"{thing.name}.{name}")  # a folder without a file of its own
    if below and thing.name.partition(".")[0] not in sys.stdlib_module_names:
        return Reached(one(below[0], spelled=True))
    return Reached(one(Outside(f"{thing.name}.{name}")))


def _of_module(program: Program, thing: Module, name: str) -> Reached:
    value = program.member(thing, name)
    if value is None:
        return NOWHERE
    return Reached(value, tuple(one.name for one in value.things if isinstance(one, Torch)), value.sure)


def _of_class(program: Program, thing: Class, name: str) -> Reached:
    sure = True
    for above in order(thing):
        if above is None:
            sure = False
        elif isinstance(above, str):
            full = program.torch.member(above, name)
            if full is not None:
                return Reached(one(Torch(full), sure=sure), (full,), sure, instance=True)
        elif name in above.names:
            value = above.names[name]
            things = tuple(
                Method(one, thing) if isinstance(one, Function) and one.sort == "class" else one for one in value.things
            )
            return Reached(Value(things, value.sure, depth=value.depth, open=value.open))
    return NOWHERE


def _of_instance(program: Program, thing: Instance, name: str, after: Class | None = None) -> Reached:
    given = assigned(thing.of, name) if after is None else None
    if given is not None and given.things:
        return Reached(given)
    sure = True
    for above in order(thing.of, after):
        if above is None:
            sure = False
        elif isinstance(above, str):
            reached = member_of_instance(program, above, name)
            if reached is not NOWHERE:
                return reached if sure else Reached(reached.value.unsure(), reached.names, False, instance=True)
        elif name in above.names:
            return Reached(_from_body(program, above.names[name], thing.of))
    if name == WRAPPED and any(isinstance(above, str) and program.torch.is_layer(above) for above in order(thing.of)):
        return Reached(one(thing, sure=False))
    return NOWHERE


def _from_body(program: Program, value: Value, of: Class) -> Value:
    """What a class's body binds, as an instance sees it: functions become methods, properties what they give."""
    found: Value | None = None
    for thing in value.things:
        if not isinstance(thing, Function):
            item = one(thing)
        elif thing.sort == "property":
            item = program.result_of(thing)
        else:
            item = one(thing if thing.sort == "static" else Method(thing, of))
        found = item if found is None else join(found, item)
    if found is None:
        return value
    return found if value.sure else found.unsure()


def _of_super(program: Program, thing: Super, name: str) -> Reached:
    return _of_instance(program, Instance(thing.of), name, thing.above)


HANDLERS: dict[type[Thing], Callable[..., Reached]] = {
    Torch: _of_torch,
    Made: _of_made,
    Several: _of_list,
    Row: _of_list,
    Table: _of_table,
    Bundle: _of_bundle,
    Plain: _of_plain,
    Outside: _of_outside,
    Module: _of_module,
    Class: _of_class,
    Instance: _of_instance,
    Super: _of_super,
}
"""By what the thing is; of all others nothing is known."""
