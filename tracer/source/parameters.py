"""What the parameters of a function are: by annotation, by default, by calls, and because torch calls it."""

from __future__ import annotations

import ast

from tracer.source.classes import line, torch_bases
from tracer.source.modules import Function, FunctionNode, Instance, Names
from tracer.source.torch_names import TorchNames
from tracer.source.values import (
    NOTHING,
    TENSOR,
    UNKNOWN,
    Made,
    Several,
    Table,
    Value,
    is_vague,
    join,
    one,
)
from tracer.source.words import words


def parameters(torch: TorchNames, function: Function) -> Names:
    """The names that a function's body begins with."""
    arguments = function.node.args
    ordered = [*arguments.posonlyargs, *arguments.args]
    names: Names = {}
    owner = function.owner
    if owner is not None and function.sort != "static" and ordered:
        names[ordered.pop(0).arg] = one(owner if function.sort == "class" else Instance(owner))
    given = _given_by_torch(torch, function)
    certain = _is_called_by_torch(torch, function)
    if given is not None and certain and function.sort == "static" and ordered:
        names[ordered.pop(0).arg] = one(Made("torch.autograd.function.FunctionCtx"))
    for argument in (*ordered, *arguments.kwonlyargs):
        names[argument.arg] = _parameter(function, argument, given)
    if arguments.vararg:
        told = function.annotated.get(arguments.vararg.arg, UNKNOWN)
        names[arguments.vararg.arg] = one(Several(told if told.things else (given or UNKNOWN).unsure()))
    if arguments.kwarg:
        names[arguments.kwarg.arg] = one(Table((), function.annotated.get(arguments.kwarg.arg, UNKNOWN)))
    return names


def _parameter(function: Function, argument: ast.arg, given: Value | None) -> Value:
    name = argument.arg
    handed = function.given(name)
    default = function.defaults.get(name)
    if argument.annotation is not None:
        told = function.annotated.get(name, UNKNOWN)
        if told.things:
            return handed.unsure() if is_vague(told) and handed.things and not is_vague(handed) else told
        given = None
    known = handed if default is None or default is NOTHING else join(default, handed) if handed.things else default
    if given is not None and (default is None or default is NOTHING):
        if handed.things and not all(isinstance(thing, Made) for thing in handed.things):
            return join(given, handed).unsure()
        if function.lists is None:
            function.lists = handled_as_list(function.node)
        if name in function.lists:
            return given.opened()
        return given if given.sure and default is None else given.unsure()
    return known if _agreed(function, name, known, default) else known.unsure()


def _agreed(function: Function, name: str, known: Value, default: Value | None) -> bool:
    """Do all calls hand it the same optimizer, loader or net? Of tensors it is a guess: others hand arrays."""
    if default is not None or name in function.open or function.exposed or len(known.things) != 1:
        return False
    thing = known.things[0]
    return isinstance(thing, Instance) or (
        isinstance(thing, Made) and thing.name not in ("torch.Tensor", "torch.nn.Parameter")
    )


def _given_by_torch(torch: TorchNames, function: Function) -> Value | None:
    """What torch hands to a method that it calls itself: tensors to `forward`."""
    if function.owner is None or function.node.name not in ("forward", "backward"):
        return None
    bases = torch_bases(function.owner)
    if any(torch.is_layer(base) for base in bases):
        return (
            (TENSOR if None not in line(function.owner) else TENSOR.unsure())
            if function.node.name == "forward"
            else None
        )
    if any(torch.derives(base, "torch.autograd.Function") for base in bases):
        return TENSOR if function.node.name == "backward" else TENSOR.unsure()
    if not bases and None in line(function.owner) and function.node.name == "forward" and function.sort == "plain":
        return TENSOR.unsure()
    return None


def _is_called_by_torch(torch: TorchNames, function: Function) -> bool:
    owner = function.owner
    return owner is not None and any(torch.derives(base, "torch.autograd.Function") for base in torch_bases(owner))


LISTS_ONLY = words("append extend insert keys items values get pop update copy setdefault")


LOOKED_INTO = words("len zip enumerate isinstance list tuple")
"""Builtins that a body may call to see whether it has been given a list."""


def handled_as_list(node: FunctionNode) -> frozenset[str]:
    """The names that a body may treat as a list or a dict: it loops over them, unpacks them, takes an item."""
    found: set[str] = set()

    def note(part: ast.AST | None) -> None:
        if isinstance(part, ast.Name):
            found.add(part.id)

    for part in ast.walk(node):
        if isinstance(part, (ast.For, ast.comprehension)):
            note(part.iter)
        elif isinstance(part, ast.Starred) or (
            isinstance(part, ast.Assign) and isinstance(part.targets[0], (ast.Tuple, ast.List))
        ):
            note(part.value)
        elif isinstance(part, ast.Subscript) and isinstance(part.ctx, ast.Load):
            index = part.slice.operand if isinstance(part.slice, ast.UnaryOp) else part.slice
            if isinstance(index, ast.Constant) and isinstance(index.value, (str, int)):
                note(part.value)
        elif isinstance(part, ast.Attribute) and part.attr in LISTS_ONLY:
            note(part.value)
        elif isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in LOOKED_INTO:
            for argument in part.args:
                note(argument)
    return frozenset(found)
