"""Layers of the user's own classes that may draw random numbers: told by the code of the class, which is read as text
where its file still says what the trace does, and never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from tracer.divergence.case import SIDES, Case, few
from tracer.divergence.graph import Node
from tracer.divergence.places import Origin
from tracer.trace.schema import Source

_DRAWING = {
    *("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm"),
    *("normal", "normal_", "uniform", "uniform_", "bernoulli", "bernoulli_", "exponential_", "cauchy_", "log_normal_"),
    *("multinomial", "poisson", "gumbel", "gumbel_softmax", "standard_normal", "standard_laplace", "laplace"),
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout", "rrelu", "rsample"),
    *("StandardNormal", "UniformReal", "UniformInt", "Dropout"),
}
"""Functions and methods of torch, MindSpore and numpy that draw."""

_MAKING = ("__init__", "reset", "init", "_init")
"""How methods begin that make a layer's parameters, not its output."""

_MOST_BYTES = 1 << 20


def notes_drawing_code(case: Case, origins: Sequence[Origin]) -> list[str]:
    """Where something diverged: which layers in training mode may have drawn random numbers that nobody replayed."""
    if not origins:
        return []
    found = []
    blamed = {spot.path for o in origins if o.place == "layer" for spot in (o.reference, o.candidate) if spot}
    for side, word in enumerate(SIDES):
        known: dict[str, None] = {}
        for node in _unknown(case, side):
            path, kind = node.id.path, node.layer.kind
            calls = drawing_calls(node.layer.source, kind)
            if calls:
                known[f"{path} ({kind}: {', '.join(calls)})"] = None
            elif calls is None and path in blamed and not node.children and not node.layer.parameters:
                known[f"{path} ({kind}, whose code could not be read)"] = None
        if known:
            found.append(
                f"layers in training mode that may draw random numbers of their own in the {word}: {few(known)}"
            )
    advice = "what such layers draw is not replayed: compare in evaluation mode, or give the net its noise as an input"
    return [*found, advice] if found else []


def _unknown(case: Case, side: int) -> Iterator[Node]:
    """Calls in training mode of the user's own classes, of which it is not known already that they draw."""
    replayed = {(pair.reference, pair.candidate)[side] for pair in case.replayed}
    for id_, node in case.graphs[side].nodes.items():
        own = not node.layer.bases or node.layer.bases[0].partition(".")[0] not in {"torch", "mindspore"}
        if node.call.training and own and not (node.meaning.op or node.draws or id_ in replayed):
            yield node


def drawing_calls(source: Source | None, kind: str) -> tuple[str, ...] | None:
    """The drawing functions that the methods of a class call, but for those that make its parameters; None where its
    code cannot be read."""
    return None if source is None else _drawing_calls(source, kind)


@lru_cache(maxsize=1024)
def _drawing_calls(source: Source, kind: str) -> tuple[str, ...] | None:
    try:
        file = Path(source.file)
        if file.suffix != ".py" or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return None
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    found = next((node for node in classes if (node.name, node.lineno) == (kind, source.line)), None)
    if found is None:
        return None
    methods = [m for m in found.body if isinstance(m, ast.FunctionDef) and not m.name.startswith(_MAKING)]
    return tuple(dict.fromkeys(name for method in methods for name in _drawn_in(method)))


def _drawn_in(method: ast.FunctionDef) -> Iterator[str]:
    own = method.args.args[0].arg if method.args.args else ""
    for node in ast.walk(method):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id in _DRAWING:
            yield called.id
        elif isinstance(called, ast.Attribute) and called.attr in _DRAWING and not _is(called.value, own):
            yield called.attr  # but self.dropout(x) calls a layer


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
