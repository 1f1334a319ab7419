"""An argument keeps its meaning wherever it is written: what is put together of texts has brackets where it needs them."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

import pytest

from tests.source_layers.calls import CALLS as LAYERS
from tests.source_layers.calls_optimizers import OPTIMIZERS, SCHEDULERS
from tests.source_proof.every_call import every_call
from tests.source_rewriting.real import suggested

COMPOUND = "a_ if b_ else c_"
"""What binds least: where it needs no brackets, nothing does."""
CALLS = [
    *((call.torch, call.text) for call in every_call()),
    *((row.torch, text) for row in LAYERS for text in row.calls),
    *((torch, torch + text) for table in (OPTIMIZERS, SCHEDULERS) for torch, texts in table.items() for text in texts),
]


def with_each_argument(text: str) -> Iterator[str]:
    """The call with one argument after the other replaced."""
    tree = ast.parse(text, mode="eval").body
    assert isinstance(tree, ast.Call)
    for n in range(len(tree.args) + len(tree.keywords)):
        new = copy.deepcopy(tree)
        node = ast.parse(COMPOUND, mode="eval").body
        if n < len(new.args):
            if isinstance(new.args[n], ast.Starred):
                continue
            new.args[n] = node
        elif new.keywords[n - len(new.args)].arg is None:
            continue
        else:
            new.keywords[n - len(new.args)].value = node
        yield ast.unparse(new)


def is_whole(text: str) -> bool:
    """Do the parts of the compound stand nowhere but in the compound?"""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return False
    wanted = ast.dump(ast.parse(COMPOUND, mode="eval").body)
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if ast.dump(node) == wanted:
            continue
        if isinstance(node, ast.Name) and node.id in ("a_", "b_", "c_"):
            return False
        waiting += ast.iter_child_nodes(node)
    return True


@pytest.mark.parametrize("mint", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["classic", "mint"])
def test_an_argument_of_several_parts_stays_one(mint: bool) -> None:
    """`a if b else c` as an argument stands in the call to write as `a if b else c`, and its parts nowhere else."""
    wrong = []
    for torch, text in CALLS:
        if not isinstance(ast.parse(text, mode="eval").body, ast.Call):
            continue
        for call in with_each_argument(text):
            write = suggested(call, torch, mint=mint).write
            if write is not None and not is_whole(write):
                wrong.append(f"{call}  ->  {write}")
    assert not wrong, "\n".join(wrong)
