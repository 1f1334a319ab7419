"""Arguments that many layers share, and what becomes of them: sizes, paddings, dtypes."""

from __future__ import annotations

import ast

from tracer.source.rewriting.binding import Bound
from tracer.source.rewriting.conversions import is_int
from tracer.source.rewriting.rules import Written, to
from tracer.source.rewriting.writing import NOT_LITERAL, ByHand, Value

FUNCTION = "a function takes the layer's place: where a container takes cells only, give it a cell that calls it"
BY_PADDING = "pad_mode left out is 'same' in MindSpore: torch pads by padding alone"


def tupled(value: Value) -> str:
    """A list as the tuple that MindSpore takes nothing else for; else as it stands."""
    if not isinstance(value.node, ast.List):
        return value.text
    inner = value.text[1:-1].rstrip(", ")
    return f"({inner},)" if len(value.node.elts) == 1 else f"({inner})"


def single(value: Value) -> str:
    """The number itself where torch also takes it alone in a tuple; else as it stands."""
    if isinstance(value.node, (ast.Tuple, ast.List)) and len(value.node.elts) == 1:
        return value.text.strip("()[]").rstrip(", ")
    return value.text


def doubled(value: Value) -> str:
    """A padding for each direction becomes one for each end: `(1, 2)` is `(1, 1, 2, 2)`; one for all stays."""
    if isinstance(value.node, (ast.Tuple, ast.List)):
        if any(isinstance(part, ast.Starred) for part in value.node.elts):
            raise ByHand(f"how many paddings are behind {value.text} cannot be read off the source")
        ends = [ast.unparse(part) for part in value.node.elts for _ in range(2)]
        return f"({', '.join(ends)})"
    if is_int(value.node) or value.literal is not NOT_LITERAL:
        return value.text
    return f"{value.atom} if isinstance({value.text}, int) else tuple(n for n in {value.atom} for _ in range(2))"


def known_dtype(value: Value) -> str | None:
    """A dtype; what may be None at run time is float32 then."""
    if value.literal is None:
        return None
    if isinstance(value.node, ast.Attribute):
        return value.text
    return f"{value.atom} or mindspore.float32"


DTYPE = to("dtype", convert=known_dtype, keyword=True, form=True)
"""The dtype of a layer's parameters."""


def is_zero(call: Bound, name: str) -> bool:
    """Is the argument, one number or several, 0 as far as the source says?"""
    worth = call.literal(name)
    if isinstance(worth, (tuple, list)):
        return all(part == 0 for part in worth)
    return worth == 0


def is_known(call: Bound, name: str) -> bool:
    """Does the source say what the argument is worth?"""
    return call.literal(name) is not NOT_LITERAL


def function(call: Bound, target: str, inputs: str, *names: str, made: str = "") -> Written:
    """A function of the inputs in the place of a layer: `lambda x: target(x, ...)` with what the call gives by name."""
    more = [f"{name}={call.text(name)}" for name in names if call.has(name)]
    arguments = ", ".join([inputs, *([made] if made else []), *more])
    return Written(f"lambda {inputs}: {target}({arguments})", (FUNCTION,))
