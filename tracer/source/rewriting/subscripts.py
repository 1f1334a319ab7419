"""An int and a list as indices, parted by a slice: `x[0, 1:, [0, 2]]`.

Torch takes the int first and leaves the list's dimension where it stands; MindSpore, as numpy, takes both together and
puts theirs first.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Literal

Sort = Literal["int", "list", "kept", "unknown"]
"""kept: a slice, None or an ellipsis, which leave or make a dimension."""

PARTED = "an int and a list parted by a slice: MindSpore puts the list's dimension first, torch leaves it where it is"
LOOK = (
    "where an index beside the int is a tensor or a list MindSpore puts its dimension first: take the int and the "
    "slices in one step, x[0, :][:, index]"
)


def parted(node: ast.Subscript, makes_list: Callable[[ast.AST], bool]) -> bool | None:
    """Is the list's dimension at another place in MindSpore? None where the source does not say what an index is."""
    items = items_of(node)
    sorts = [_sort(item, makes_list) for item in items]
    taken = [place for place, sort in enumerate(sorts) if sort != "kept"]
    lists = [place for place, sort in enumerate(sorts) if sort in ("list", "unknown")]
    if "int" not in sorts or not lists or "kept" not in sorts[taken[0] : taken[-1]]:
        return False
    stays = "kept" in sorts[: lists[0]] and "kept" not in sorts[lists[0] : lists[-1]]
    if not stays:
        return False
    return None if "unknown" in sorts else True


def in_two_steps(node: ast.Subscript, makes_list: Callable[[ast.AST], bool]) -> ast.expr:
    """The ints and slices first, then the lists: `x[0, 1:, :][:, [0, 2]]`."""
    pairs = [(item, _sort(item, makes_list)) for item in items_of(node)]
    first = [ast.Slice() if sort == "list" else item for item, sort in pairs]
    then = [item if sort == "list" else _whole(item) for item, sort in pairs if sort != "int"]
    return _indexed(_indexed(node.value, first), then)


def with_slices(node: ast.Subscript, makes_list: Callable[[ast.AST], bool]) -> ast.expr:
    """Each int as a slice of one, for what is written to: `x[0:1, 1:, [0, 2]]`."""
    items = [_of_one(item) if _sort(item, makes_list) == "int" else item for item in items_of(node)]
    return _indexed(node.value, items)


def items_of(node: ast.Subscript) -> Sequence[ast.expr]:
    """The indices, one for each place."""
    return node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]


def _sort(item: ast.expr, makes_list: Callable[[ast.AST], bool]) -> Sort:
    if isinstance(item, ast.Slice) or (isinstance(item, ast.Constant) and item.value in (None, ...)):
        return "kept"
    if isinstance(item, ast.Attribute) and item.attr == "newaxis":
        return "kept"
    if _number(item) is not None:
        return "int"
    return "list" if isinstance(item, (ast.List, ast.ListComp)) or makes_list(item) else "unknown"


def _number(item: ast.expr) -> int | None:
    if isinstance(item, ast.UnaryOp) and isinstance(item.op, ast.USub):
        worth = _number(item.operand)
        return None if worth is None else -worth
    if isinstance(item, ast.Constant) and isinstance(item.value, int) and not isinstance(item.value, bool):
        return item.value
    return None


def _of_one(item: ast.expr) -> ast.expr:
    number = _number(item)
    assert number is not None
    return ast.Slice(item, None if number == -1 else ast.parse(str(number + 1), mode="eval").body)


def _whole(item: ast.expr) -> ast.expr:
    return item if isinstance(item, ast.Constant) and item.value is ... else ast.Slice()


def _indexed(value: ast.expr, items: Sequence[ast.expr]) -> ast.expr:
    index = items[0] if len(items) == 1 else ast.Tuple([*items], ast.Load())
    return ast.Subscript(value, index, ast.Load())
