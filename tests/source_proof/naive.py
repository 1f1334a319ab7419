"""The call that someone writes who only changes the name: what `silent` and `same` speak of."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.uses import Use


def with_name_changed(tree: ast.expr, use: Use, target: str, found: Mapping[ast.AST, Suggestion]) -> str | None:
    """The expression with the name of one use changed to `target`, and all other uses as they are to be written.

    A method stays a method where the target is one; of a function it becomes the first argument. None where another
    use has nothing to write, or holds this one.
    """
    try:
        return ast.unparse(ast.fix_missing_locations(_Names(use, target, found).visit(tree)))
    except _Unwritten:
        return None


class _Unwritten(Exception):
    pass


class _Names(ast.NodeTransformer):
    def __init__(self, use: Use, target: str, found: Mapping[ast.AST, Suggestion]) -> None:
        self.use, self.target, self.found = use, target, found

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self.use.node:
            return self.changed(node)
        if node in self.found:
            write = self.found[node].write
            if write is None or any(part is self.use.node for part in ast.walk(node)):
                raise _Unwritten
            return ast.parse(write, mode="eval").body
        new = type(node)(**{name: self.inside(value) for name, value in ast.iter_fields(node)})
        return ast.copy_location(new, node) if hasattr(node, "lineno") else new

    def inside(self, value: object) -> object:
        if isinstance(value, list):
            return [self.inside(part) for part in value]
        return self.visit(value) if isinstance(value, ast.AST) else value

    def changed(self, node: ast.AST) -> ast.AST:
        short, of_tensor = self.target.rpartition(".")[2], self.target.startswith("mindspore.Tensor.")
        if isinstance(node, ast.Attribute) and self.use.torch.startswith("torch.Tensor.") and of_tensor:
            return ast.Attribute(self.visit(node.value), short, node.ctx)
        if not isinstance(node, ast.Call):
            raise _Unwritten
        arguments = [self.visit(argument) for argument in node.args]
        keywords = [self.visit(keyword) for keyword in node.keywords]
        function: ast.expr = ast.parse(self.target, mode="eval").body
        if self.use.sort == "method" and isinstance(node.func, ast.Attribute):
            receiver = self.visit(node.func.value)
            if of_tensor:
                function = ast.Attribute(receiver, short, ast.Load())  # type: ignore[arg-type]
            else:
                arguments.insert(0, receiver)
        return ast.Call(function, arguments, keywords)  # type: ignore[arg-type]
