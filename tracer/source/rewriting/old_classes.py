"""torch's classes of tensors by dtype (`torch.FloatTensor`), and the dtype that each stands for."""

from __future__ import annotations

import ast
from collections.abc import Callable

DTYPES = {
    "Tensor": "float32",
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "BFloat16Tensor": "bfloat16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ShortTensor": "int16",
    "CharTensor": "int8",
    "ByteTensor": "uint8",
    "BoolTensor": "bool_",
}
"""By torch's name of the class, MindSpore's of the dtype."""

_ROOMS = ("torch", "torch.cuda")


def dtype_of(node: ast.expr, is_use: Callable[[ast.AST, str], bool]) -> ast.expr | None:
    """The dtype, as MindSpore's source, of what names such a class, also by text or one of two by a condition."""
    if isinstance(node, ast.IfExp):
        body, other = dtype_of(node.body, is_use), dtype_of(node.orelse, is_use)
        return None if body is None or other is None else ast.IfExp(node.test, body, other)
    for name, dtype in DTYPES.items():
        for room in _ROOMS:
            full = f"{room}.{name}"
            if is_use(node, full) or (isinstance(node, ast.Constant) and node.value == full):
                return ast.Attribute(ast.Name("mindspore", ast.Load()), dtype, ast.Load())
    return None
