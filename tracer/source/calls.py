"""What a call gives, for each thing that may be called, and what is learned from it of the tree's own functions."""

from __future__ import annotations

import ast

from tracer.source.classes import line, method, overriding, torch_bases
from tracer.source.modules import Class, Function, Instance, Method
from tracer.source.outside import Given, outside_gives
from tracer.source.program import Program
from tracer.source.torch_names import ITSELF, SAME
from tracer.source.values import (
    TENSOR,
    UNKNOWN,
    Bound,
    Code,
    Made,
    Outside,
    Partial,
    Thing,
    Torch,
    Value,
    joined,
    one,
)


def call_gives(program: Program, callee: Value, given: Given) -> Value:
    """What calling a value gives; the parameters of functions of the tree learn what they are handed."""
    if not callee.things:
        return UNKNOWN
    results = [_thing_gives(program, thing, given, callee.sure) for thing in callee.things]
    return joined(results)


def _thing_gives(program: Program, thing: Thing, given: Given, sure: bool) -> Value:
    if isinstance(thing, (Torch, Bound)):
        result = _torch_gives(program, thing, given)
        if not sure and isinstance(thing, Torch):
            return result.unsure()
        receiver = given.receiver
        return result if not isinstance(thing, Bound) or receiver.sure or not receiver.things else result.unsure()
    if isinstance(thing, Made):
        first = given.arguments[0] if given.arguments else UNKNOWN
        tensor = first.sure and program.torch.tensor(first)
        return program.torch.layer_gives(thing.name, tensor=tensor, sure=sure)
    if isinstance(thing, Class):
        _construct(thing, given)
        return one(Instance(thing), sure=sure)
    if isinstance(thing, Instance):
        return _instance_gives(program, thing, given, sure)
    if isinstance(thing, Function):
        _hand(thing, given, bound=thing.sort == "class")
        return program.result_of(thing)
    if isinstance(thing, Method):
        return _method_gives(program, thing, given)
    if isinstance(thing, Partial):
        return call_gives(program, thing.of, given)
    if isinstance(thing, Code):
        return thing.gives
    if isinstance(thing, Outside):
        return outside_gives(program, thing.name, given)
    return UNKNOWN


def _torch_gives(program: Program, thing: Torch | Bound, given: Given) -> Value:
    name = thing.name
    last = name.rpartition(".")[2]
    arguments = given.arguments
    if isinstance(thing, Bound):
        if last in ITSELF and name.startswith("torch.nn.Module."):
            return given.receiver
        if name in ("torch.nn.Module.register_buffer", "torch.nn.Module.register_parameter"):
            _register(given, TENSOR)
        elif name in ("torch.nn.Module.add_module", "torch.nn.Module.register_module") and len(arguments) > 1:
            _register(given, arguments[1])
    if name in SAME and arguments:
        return arguments[0]
    if name == "torch.utils.checkpoint.checkpoint" and arguments:
        inner = Given(given.node, arguments[1:], {}, given.rest)
        return call_gives(program, arguments[0], inner)
    flags = any(
        keyword.arg is not None
        and (keyword.arg.startswith("return_") or keyword.arg == "as_tuple")
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value is True
        for keyword in given.node.keywords
    )
    if given.rest is not None:
        found = program.torch.found(name)
        if found is not None and found.sort != "class":
            return program.torch.attribute_gives(name)
    return program.torch.call_gives(name, arguments, given.keywords, flags=flags)


def _register(given: Given, value: Value) -> None:
    """`self.register_buffer("name", ...)` makes an attribute."""
    name = given.node.args[0] if given.node.args else None
    if isinstance(name, ast.Constant) and isinstance(name.value, str):
        for thing in given.receiver.things:
            if isinstance(thing, Instance):
                thing.of.assign(name.value, value)


def _construct(made: Class, given: Given) -> None:
    function = method(made, "__init__")
    if function is not None:
        _hand(function, given, bound=True)


def _instance_gives(program: Program, thing: Instance, given: Given, sure: bool) -> Value:
    bases = torch_bases(thing.of)
    for name in ("__call__", "forward"):
        function = method(thing.of, name)
        if function is not None:
            return _method_gives(program, Method(function, thing.of), given)
    first = given.arguments[0] if given.arguments else UNKNOWN
    for base in bases:
        if program.torch.is_layer(base) and base != "torch.nn.Module":
            certain = sure and None not in line(thing.of)
            return program.torch.layer_gives(base, tensor=first.sure and program.torch.tensor(first), sure=certain)
    return UNKNOWN


def _method_gives(program: Program, thing: Method, given: Given) -> Value:
    bound = thing.function.sort != "static"
    _hand(thing.function, given, bound=bound)
    for other in overriding(thing.of, thing.function.node.name):
        if other is not thing.function:
            _hand(other, given, bound=bound)
    return program.result_of(thing.function)


def _hand(function: Function, given: Given, *, bound: bool) -> None:
    """Tell a function of the tree what a call gives to its parameters."""
    arguments = function.node.args
    places = [*arguments.posonlyargs, *arguments.args][1 if bound else 0 :]
    for parameter, value in zip(places, given.arguments, strict=False):
        function.hand(parameter.arg, value)
    if given.keywords:
        known = {parameter.arg for parameter in (*places, *arguments.kwonlyargs)}
        for name, value in given.keywords.items():
            if name in known:
                function.hand(name, value)
