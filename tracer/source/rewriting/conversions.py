"""From torch's value of an argument to MindSpore's: exact where the source says it, else an expression."""

from __future__ import annotations

import ast
import decimal
from collections.abc import Callable, Mapping

from tracer.source.rewriting.rules import ByHand, Conversion
from tracer.source.rewriting.writing import NOT_LITERAL, Value, literal_number, plain

_INT_CALLS = ("len", "int", "round", "ord")


def as_tuple(value: Value) -> str:
    """An int becomes a tuple of one, a list a tuple; what may be either is asked at run time."""
    if isinstance(value.node, (ast.Tuple, ast.Constant, ast.List)) or is_int(value.node):
        return f"({value.text},)" if is_int(value.node) else _bracketed(value)
    return f"({value.text},) if isinstance({value.text}, int) else {value.text}"


def one_shape(value: Value) -> str:
    """The sizes of a `*size` parameter as one value: `(2, 3)`; a single one stays what it is, a number or a tuple."""
    if isinstance(value.node, ast.Tuple) and len(value.node.elts) == 1 and value.text.endswith(",)"):
        return value.text if isinstance(value.node.elts[0], ast.Starred) else value.text[1:-2]
    return value.text


def one_tuple(value: Value) -> str:
    """As `one_shape`, where MindSpore takes a tuple and no number or list: `(2,)`, `(2, 3)`."""
    if isinstance(value.node, ast.Tuple) and len(value.node.elts) == 1:
        only = value.node.elts[0]
        if isinstance(only, ast.Starred) or is_int(only):
            return value.text
        return as_tuple(Value(only, value.text[1:-2], value.trouble))
    return value.text


def no_list(value: Value) -> str:
    """A list as a tuple, where MindSpore takes no list."""
    return _bracketed(value) if isinstance(value.node, ast.List) else value.text


def plain_number(value: Value) -> str:
    """Numpy's limits as plain numbers: MindSpore takes no scalar of numpy there."""
    return f"float({value.text})" if value.text.startswith("__import__('numpy').finfo(") else value.text


def as_bool(value: Value) -> str:
    """Truth values, where whole numbers are counted wrongly; what is one by its look stays as it is."""
    node = value.node
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Invert, ast.Not)):
        node = node.operand
    if isinstance(node, ast.Compare):
        return value.text
    called = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    if called.startswith(("is", "logical_")) or called in ("eq", "ne", "lt", "le", "gt", "ge", "bool", "equal"):
        return value.text
    return f"{value.atom}.bool()"


def as_int32(value: Value) -> str:
    """Indices as MindSpore's kernels want them."""
    return f"{value.atom}.astype(mindspore.int32)"


def as_tensor(value: Value) -> str:
    """A number as a tensor, where MindSpore takes no number."""
    return f"mindspore.Tensor({value.text})"


def _bracketed(value: Value) -> str:
    if isinstance(value.node, ast.List):
        return f"({value.text[1:-1].rstrip(', ')},)" if len(value.node.elts) == 1 else f"({value.text[1:-1]})"
    return value.text


def is_int(node: ast.expr) -> bool:
    """Is this an int whatever its names stand for (a literal, a length, a size, a difference)?"""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int)
    if isinstance(node, ast.UnaryOp):
        return is_int(node.operand)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, (ast.Sub, ast.FloorDiv)):
            return True
        return is_int(node.left) and is_int(node.right) and not isinstance(node.op, (ast.Div, ast.Pow))
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _INT_CALLS
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
        return not isinstance(node.slice, ast.Slice)
    return False


def one_minus(value: Value) -> str:
    """1 - x; of a number exactly: 0.1 becomes 0.9."""
    exact = literal_number(value.text)
    return plain(decimal.Decimal(1) - exact) if exact is not None else f"1 - {value.atom}"


def negated(value: Value) -> str:
    """The opposite; of True and False the other one."""
    known = value.literal
    return str(not known) if isinstance(known, bool) else f"not {value.atom}"


def as_float(value: Value) -> str:
    """A whole number becomes a float where MindSpore takes nothing else: 1 becomes 1.0."""
    known = value.literal
    if isinstance(known, bool) or known is NOT_LITERAL:
        return value.text if not isinstance(known, bool) else f"{float(known)}"
    return f"{float(known)}" if isinstance(known, int) else value.text


def one_of(known: Mapping[object, str]) -> Conversion:
    """A conversion of a few literal values, by their source: `one_of({"none": "False", "tanh": "True"})`."""

    def convert(value: Value) -> str:
        worth = value.literal
        for key, text in known.items():
            if type(worth) is type(key) and worth == key:
                return text
        raise ByHand(f"what {value.text} is in MindSpore cannot be read off the source")

    return convert


def expression(literals: Mapping[object, str], otherwise: Callable[[Value], str]) -> Conversion:
    """As `one_of`, and an expression for what the source does not say."""

    def convert(value: Value) -> str | None:
        worth = value.literal
        if worth is NOT_LITERAL:
            return otherwise(value)
        return one_of(literals)(value)

    return convert


def whole(why: str) -> Conversion:
    """A conversion of a whole number, also one that is written as a float; by hand, with this reason, of all else."""

    def convert(value: Value) -> str:
        worth = value.literal
        if isinstance(worth, (int, float)) and float(worth).is_integer():
            return str(int(worth))
        raise ByHand(why)

    return convert
