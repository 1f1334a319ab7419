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


def changed_in_place(use: Use, receiver: Value, inner: Callable[[Use], Suggestion]) -> Suggestion | None:
    """`x.add_(y)` as `x.copy_(x.add(y))`, where `x.add(y)` can be written; None where it cannot.

    A part of a tensor is a copy in MindSpore, so only names and attributes of names are changed.
    """
    name = use.torch.removeprefix("torch.Tensor.")
    if name == use.torch or not name.endswith("_") or name.endswith("__"):
        return None
    if not _is_named(receiver.node):
        return None
    found = inner(replace(use, torch=use.torch.removesuffix("_")))
    if found.write is None:
        return None
    silent = name in UNCHANGED
    target = f"mindspore.Tensor.{name}" if silent else "mindspore.Tensor.copy_"
    said = f"on the CPU MindSpore's {name} gives the result and leaves the tensor as it is: copy_ writes it there"
    if not silent:
        said = f"what {name} does is written over the tensor by copy_"
    return Suggestion(
        target, found.mint, "differs", silent, (*found.differences, said), f"{receiver.atom}.copy_({found.write})"
    )


def _is_named(node: ast.expr) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)
