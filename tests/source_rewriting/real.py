"""What is suggested for one expression, by the facts that come with the package."""

from __future__ import annotations

import ast

from tracer.source.facts.table import Facts
from tracer.source.rewriting.suggesting import suggest
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.uses import Sort, Use


def suggested(text: str, torch: str, *, mint: bool = False) -> Suggestion:
    """For one expression that uses one torch name: a call, a method of a tensor, an attribute or a name."""
    node = ast.parse(text, mode="eval").body
    sort: Sort = "name"
    if isinstance(node, ast.Call):
        sort = "method" if torch.startswith("torch.Tensor.") else "call"
    return suggest(Use("a.py", 1, 0, torch, sort, text, node), Facts.load(), mint=mint)


def indexed(text: str) -> Suggestion:
    """For an expression that indexes a tensor."""
    node = ast.parse(text, mode="eval").body
    return suggest(Use("a.py", 1, 0, "torch.Tensor.__getitem__", "operator", text, node), Facts.load())
