"""Methods of tensors without a row of their own: those that are functions too, and those that change their tensor."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace

from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.writing import Value
from tracer.source.uses import Use

OTHERWISE = {"where", "tensor_split", "new_tensor", "take", "to", "type", "data", "unfold", "polygamma"}
"""Methods whose function, if there is one, takes the tensor at another place or means something else."""

UNCHANGED = ("add_", "sub_", "mul_", "div_", "exp_")
"""Methods that MindSpore has and that leave the tensor as it is on the CPU: nothing says so."""


def as_function(torch: str) -> tuple[str, ...]:
    """The functions that do what a method does, with the tensor as their first argument, likeliest first."""
    name = torch.removeprefix("torch.Tensor.")
    if name == torch or name in OTHERWISE or name.endswith("_"):
        return ()
    return f"torch.{name}", f"torch.nn.functional.{name}"


FRESH = ("empty", "zeros", "ones", "full", "rand", "randn", "tensor", "clone", "copy")
"""What makes a tensor that nobody else holds."""


_NEW = (
    "add sub mul div true_divide pow sqrt rsqrt square exp log sum mean abs neg flip clamp clip matmul sin cos sigmoid "
    "tanh relu softmax cumsum floor ceil round where masked_fill lerp addcmul addcdiv norm std var rsub reciprocal "
    "sign maximum minimum amax amin"
)
"""Methods that give a new tensor each time: what changes it in place changes nothing else."""


def changed_in_place(use: Use, receiver: Value, inner: Callable[[Use, Value], Suggestion | None]) -> Suggestion | None:
    """`x.add_(y)` as `x.copy_(x.add(y))`, where `x.add(y)` can be written; None where it cannot.

    A part of a tensor is a copy in MindSpore, so only names, attributes of names and what was just made are changed.
    """
    name = use.torch.removeprefix("torch.Tensor.")
    if name == use.torch or not name.endswith("_") or name.endswith("__"):
        return None
    if _is_new(receiver.node):
        plain = inner(replace(use, torch=use.torch.removesuffix("_")), receiver)
        said = (
            f"the tensor was just made, so {name.removesuffix('_')} does: MindSpore changes nothing in place on the CPU"
        )
        return None if plain is None else replace(plain, status="differs", differences=(*plain.differences, said))
    if is_named(receiver.node):
        it, around = receiver, "{}"
    elif is_its_own(receiver.node):
        it, around = Value(ast.Name("it", ast.Load()), "it"), f"(lambda it: {{}})({receiver.text})"
    else:
        return None
    found = inner(replace(use, torch=use.torch.removesuffix("_")), it)
    if found is None or found.write is None:
        return None
    silent = name in UNCHANGED
    target = f"mindspore.Tensor.{name}" if silent else "mindspore.Tensor.copy_"
    said = f"what {name} does is written over the tensor by copy_"
    if silent:
        said = f"on the CPU MindSpore's {name} gives the result and leaves the tensor as it is: copy_ writes it there"
    write = around.format(f"{it.atom}.copy_({found.write})")
    return Suggestion(target, found.mint, "differs", silent, (*found.differences, said), write)


def is_named(node: ast.expr) -> bool:
    """Is it a name, or an attribute of one?"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _is_new(node: ast.expr) -> bool:
    """Is it the result of arithmetic?"""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in _NEW.split()
    return isinstance(node, (ast.BinOp, ast.UnaryOp))


def is_its_own(node: ast.expr) -> bool:
    """Is it the result of a call that made it, or that changed it in place?"""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return called in FRESH or (called.endswith("_") and not called.endswith("__"))
