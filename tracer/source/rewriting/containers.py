"""What layers stand in: containers of cells, which take no functions, and lists that are lists."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.rules import Rule, Written, to
from tracer.source.rewriting.writing import Value, with_fields

_CELLS = "what MindSpore has as a function alone stands in a cell of its own: a container takes nothing else"


def as_cells(value: Value) -> str:
    """The layers, each function among them (`lambda x: ...`) as a cell that calls it."""
    new = _celled(value.node)
    return value.text if new is value.node else ast.unparse(ast.fix_missing_locations(new))


def listed(value: Value) -> str:
    """As `as_cells`, in a list: MindSpore takes no generator and no tuple."""
    node = _celled(value.node)
    if isinstance(node, ast.GeneratorExp):
        node = ast.ListComp(node.elt, node.generators)
    elif isinstance(node, ast.Tuple):
        node = ast.List(node.elts, ast.Load())
    return value.text if node is value.node else ast.unparse(ast.fix_missing_locations(node))


def _celled(node: ast.expr) -> ast.expr:
    """The same syntax where nothing in it is a function in a layer's place."""
    if isinstance(node, ast.Lambda):
        return _cell(node)
    parts: dict[str, list[ast.expr]] = {}
    if isinstance(node, (ast.List, ast.Tuple)):
        parts = {"elts": node.elts}
    elif isinstance(node, ast.Dict):
        parts = {"values": node.values}
    elif isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)) and _is_dict(node.func):
        parts = {"args": node.args}
    new: dict[str, object] = {name: [_celled(part) for part in old] for name, old in parts.items()}
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        new = {"elt": _celled(node.elt)}
    elif isinstance(node, ast.Starred):
        new = {"value": _celled(node.value)}
    elif isinstance(node, ast.IfExp):
        new = {"body": _celled(node.body), "orelse": _celled(node.orelse)}
    elif isinstance(node, ast.BinOp):
        new = {"left": _celled(node.left), "right": _celled(node.right)}
    return with_fields(node, new)


def _is_dict(called: ast.Name | ast.Attribute) -> bool:
    return (called.id if isinstance(called, ast.Name) else called.attr) in ("OrderedDict", "dict")


def _cell(function: ast.Lambda) -> ast.expr:
    """`type('Softplus', (mindspore.nn.Cell,), {'construct': lambda self, x: ...})()`: a class, and one of it."""
    called = function.body.func if isinstance(function.body, ast.Call) else None
    name = called.attr.title().replace("_", "") if isinstance(called, ast.Attribute) else "Function"
    given = ast.unparse(function.args)
    text = f"lambda {', '.join(filter(None, ('self', given)))}: {ast.unparse(function.body)}"
    return ast.parse(f"type('{name}', (mindspore.nn.Cell,), {{'construct': {text}}})()", mode="eval").body


def _sequential(call: Bound) -> Written:
    texts = [as_cells(value) for value in call.rest]
    changed = texts != [value.text for value in call.rest]
    return Written(f"mindspore.nn.SequentialCell({', '.join(texts)})", (_CELLS,) if changed else ())


CONTAINERS: tuple[Rule, ...] = (
    Rule("torch.nn.Sequential", "mindspore.nn.SequentialCell", takes="*args", write=_sequential),
    Rule(
        "torch.nn.ModuleList",
        "mindspore.nn.CellList",
        takes="modules=None",
        arguments=(to("modules", convert=listed, why=f"a list it is, and {_CELLS}"),),
        silent=False,
    ),
    Rule(
        "torch.nn.ModuleDict",
        "mindspore.nn.CellDict",
        takes="modules=None",
        arguments=(to("modules", convert=as_cells, why=_CELLS),),
        silent=False,
    ),
)
