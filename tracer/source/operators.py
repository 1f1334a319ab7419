"""Operators: which method of a tensor one stands for, and what it gives."""

from __future__ import annotations

import ast

from tracer.source.torch_names import TorchNames
from tracer.source.values import LIKELY, TENSOR, UNKNOWN, Bundle, Made, Plain, Row, Several, Value, item_of, join, one

_NAMES = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.MatMult: "matmul", ast.Div: "truediv", ast.Mod: "mod",
    ast.Pow: "pow", ast.LShift: "lshift", ast.RShift: "rshift", ast.BitOr: "or", ast.BitXor: "xor",
    ast.BitAnd: "and", ast.FloorDiv: "floordiv",
}  # fmt: skip

WORKED: dict[type[ast.operator], str] = {op: f"__{name}__" for op, name in _NAMES.items()}
AUGMENTED: dict[type[ast.operator], str] = {op: f"__i{name}__" for op, name in _NAMES.items()}
REFLECTED = {f"__{name}__": f"__r{name}__" for name in _NAMES.values()} | {
    f"__i{name}__": f"__r{name}__" for name in _NAMES.values()
}
UNARY: dict[type[ast.unaryop], str] = {ast.USub: "__neg__", ast.UAdd: "__pos__", ast.Invert: "__invert__"}
COMPARED: dict[type[ast.cmpop], tuple[str, str]] = {
    ast.Eq: ("__eq__", "__eq__"),
    ast.NotEq: ("__ne__", "__ne__"),
    ast.Lt: ("__lt__", "__gt__"),
    ast.LtE: ("__le__", "__ge__"),
    ast.Gt: ("__gt__", "__lt__"),
    ast.GtE: ("__ge__", "__le__"),
}
"""A comparison, and the one that the right side is asked for when the left is no tensor."""


def ambiguous(torch: TorchNames, value: Value) -> bool:
    """Can a value that may be a tensor also be something else that has operators: a list, a dict, an array?"""
    return value.open or any(
        not (isinstance(thing, Made) and torch.is_tensor(thing.name))
        and not (isinstance(thing, Plain) and thing.kind in ("number", "other"))
        for thing in value.things
    )


def number(value: Value) -> bool:
    """Can a value be a number?"""
    return any(isinstance(thing, Plain) for thing in value.things)


def operated(torch: TorchNames, left: Value, right: Value, name: str, reflected: str) -> tuple[str | None, bool, Value]:
    """The tensor's method that an operator with two sides calls, whether that is certain, and the result."""
    if torch.tensor(right) and left.things and all(isinstance(thing, Bundle) for thing in left.things):
        left = TENSOR.unsure()  # no list or dict works with a tensor
    if torch.tensor(left) and not left.sure and right.things and (_lists(right) or _text(right)):
        return None, False, UNKNOWN  # so it was a list, or a text
    if torch.tensor(left):
        doubtful = number(left) and (not torch.tensor(right) or number(right))  # perhaps Python's own, of two numbers
        if doubtful or ambiguous(torch, left):
            certain = left.open and right.sure and len(right.things) == 1 and torch.tensor(right)
            return None, False, TENSOR if certain else LIKELY
        sure = left.sure and len(left.things) == 1
        return name, sure, TENSOR if sure else TENSOR.unsure()
    if torch.tensor(right):
        known = bool(left.things) and left.sure and all(isinstance(thing, Plain) for thing in left.things)
        if known and any(isinstance(thing, Plain) and thing.kind != "number" for thing in left.things):
            return None, False, left if _text(left) else UNKNOWN  # numpy's and text's own operators
        if left.things and not all(isinstance(thing, Plain) for thing in left.things):
            return None, False, UNKNOWN
        if number(right) or ambiguous(torch, right):
            return None, False, LIKELY
        sure = right.sure and len(right.things) == 1
        if known:
            return reflected, sure, TENSOR if sure else TENSOR.unsure()
        # Is the left side a number, it is the reflected one; nothing is known of it.
        return None, False, TENSOR if sure else TENSOR.unsure()
    if left.things and right.things and _lists(left) and _lists(right):
        return None, False, _together(left, right)
    if _text(left) or (left == right and left.things and all(isinstance(one, Plain) for one in left.things)):
        return None, False, left
    if _lists(left) and left.things and name == "__mul__":
        return None, False, one(Several(item_of(left.things[0])))
    if left.things and all(isinstance(thing, Made) and thing.name == "torch.Size" for thing in left.things):
        return None, False, left
    return None, False, UNKNOWN


def _text(value: Value) -> bool:
    return bool(value.things) and all(isinstance(thing, Plain) and thing.kind == "text" for thing in value.things)


def _lists(value: Value) -> bool:
    return all(isinstance(thing, (Row, Several)) for thing in value.things)


def _together(left: Value, right: Value) -> Value:
    first, second = left.things[0], right.things[0]
    if isinstance(first, Row) and isinstance(second, Row) and len(first.items) + len(second.items) <= 16:
        return one(Row((*first.items, *second.items)))
    filled = [thing for thing in (first, second) if not (isinstance(thing, Row) and not thing.items)]
    found = [item_of(thing) for thing in filled]
    return one(Several(join(found[0], found[-1]) if found else UNKNOWN))
