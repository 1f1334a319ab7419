"""Which names of torch a module uses, and where: one `Use` for each place."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Literal

Sort = Literal["call", "method", "operator", "name", "base", "definition"]
"""call: `torch.cat(...)`, `nn.GELU()`, a partial of one; method: `x.view(...)`; operator: `x @ y`; name: a mention
without a call (`torch.float32`, a layer that is handed on, an annotation); base: what a class is derived from;
definition: a method that torch calls by name (`def forward`)."""


@dataclass(frozen=True)
class Use:
    """One place where something of torch is used.

    Attributes:
        file: as the user will recognise it, with `/` between folders.
        line: from 1; of a notebook, the line within the cell that `cell` counts from 1.
        column: from 0, in characters.
        torch: the public full name, "torch.nn.GELU", "torch.Tensor.view", "torch.Tensor.__matmul__".
        sort: what kind of place it is.
        text: the source of the whole expression, as it stands there.
        node: its syntax: the `ast.Call` of a call, method or partial, else the expression or definition.
        sure: False where the name was guessed: a method of something that may be a tensor or something else.
        cell: the notebook's cell, None elsewhere.
        within: the dotted name of the class or function it stands in ("Block.forward"), "" at the top of the file.
        spread: of a call, for each `**name` in it whose keys are known for certain, that `name` and its keys:
            `nn.Linear(1, 2, **dd)` after `dd = {"device": device, "dtype": dtype}`.
        only_asked: a class that is asked after and not handed on: `isinstance(layer, nn.Conv2d)`, an annotation.
    """

    file: str
    line: int
    column: int
    torch: str
    sort: Sort
    text: str
    node: ast.AST
    sure: bool = True
    cell: int | None = None
    within: str = ""
    spread: tuple[tuple[ast.expr, tuple[str, ...]], ...] = ()
    only_asked: bool = False
