"""The uses of torch in one call of the tables: which parts are tensors is found by running them.

The package finds uses by reading alone; here nothing is to depend on that, only on what is suggested for them.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

from tests.source_proof.arrays import ARRAYS
from tracer.source.facts.table import Facts
from tracer.source.uses import Sort, Use

OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.USub: "neg",
    ast.UAdd: "pos",
    ast.Invert: "invert",
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
BUILTINS = {"abs": "abs", "len": "len", "bool": "bool", "int": "int", "float": "float", "list": "iter"}
SHORT = {"F": "torch.nn.functional", "nn": "torch.nn"}


def uses_in(text: str) -> tuple[ast.expr, dict[ast.AST, Use]]:
    """The syntax of `text` and the uses of torch in it by their syntax."""
    tree = ast.parse(text, mode="eval").body
    finding = _Finding(text, Facts.load())
    finding.visit(tree)
    return tree, finding.uses


class _Finding(ast.NodeVisitor):
    def __init__(self, text: str, facts: Facts) -> None:
        import torch

        self.text, self.facts, self.uses = text, facts, dict[ast.AST, Use]()
        self.tensor = torch.Tensor
        named = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
        arrays = {name: torch.from_numpy(array.copy()) for name, array in ARRAYS.items() if name in named}
        self.world: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, **arrays}

    def add(self, node: ast.expr, torch: str, sort: Sort) -> None:
        whole = ast.get_source_segment(self.text, node) or ast.unparse(node)
        self.uses[node] = Use("a call", node.lineno, node.col_offset, torch, sort, whole, node)

    def dotted(self, node: ast.expr) -> str | None:
        """The public torch name of `torch.a.b`, None of anything else."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in ("torch", *SHORT):
            return None
        name = ".".join((SHORT.get(node.id, node.id), *parts))
        return self.facts.canonical(name) or name

    def value(self, node: ast.expr) -> object:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return eval(compile(ast.Expression(node), "a call", "eval"), dict(self.world))
        except Exception:  # a name that a lambda binds
            return None

    def is_tensor(self, node: ast.expr) -> bool:
        return isinstance(self.value(node), self.tensor)

    def member(self, node: ast.Attribute) -> str | None:
        """The full name of a member of what the expression before the dot gives; None where that is nothing of torch."""
        found = self.value(node.value)
        if isinstance(found, self.tensor):
            return self.facts.attribute("torch.Tensor", node.attr)
        kind = self.facts.canonical(f"{type(found).__module__}.{type(found).__qualname__}")
        return self.facts.attribute(kind, node.attr) if kind else None

    def visit_Call(self, node: ast.Call) -> None:
        inside: list[ast.AST] = [*node.args, *node.keywords]
        name = self.dotted(node.func)
        method = self.member(node.func) if isinstance(node.func, ast.Attribute) and name is None else None
        if name is not None:
            self.add(node, name, "call")
        elif method is not None and isinstance(node.func, ast.Attribute):
            self.add(node, method, "method")
            inside.append(node.func.value)
        elif isinstance(node.func, ast.Name) and node.func.id in BUILTINS and self.is_tensor(node.args[0]):
            self.add(node, f"torch.Tensor.__{BUILTINS[node.func.id]}__", "operator")
        else:
            inside.append(node.func)
        for part in inside:
            self.visit(part)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self.dotted(node)
        if name is not None:
            self.add(node, name, "name")
            return
        method = self.member(node)
        if method is not None:
            self.add(node, method, "name")
        self.visit(node.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if self.is_tensor(node.left):
            self.add(node, f"torch.Tensor.__{OPERATORS[type(node.op)]}__", "operator")
        elif self.is_tensor(node.right):
            self.add(node, f"torch.Tensor.__r{OPERATORS[type(node.op)]}__", "operator")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if type(node.op) in OPERATORS and self.is_tensor(node.operand):
            self.add(node, f"torch.Tensor.__{OPERATORS[type(node.op)]}__", "operator")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        if isinstance(node.ops[0], ast.In) and self.is_tensor(node.comparators[0]):
            self.add(node, "torch.Tensor.__contains__", "operator")
        if type(node.ops[0]) in OPERATORS and self.is_tensor(node.left):
            self.add(node, f"torch.Tensor.__{OPERATORS[type(node.ops[0])]}__", "operator")
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if self.is_tensor(node.value):
            self.add(node, "torch.Tensor.__getitem__", "operator")
        self.generic_visit(node)
