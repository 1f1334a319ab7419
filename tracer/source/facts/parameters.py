"""From a signature as the tables write it (`input, dim=None, *, keepdim=False -> t`) to a value."""

from __future__ import annotations

import ast
import re
from functools import lru_cache

from tracer.source.facts.values import Gives, Parameter, Signature

GIVES: dict[str, Gives] = {
    "t": "tensor",
    "s": "tensors",
    "l": "layer",
    "f": "function",
    "o": "other",
    "u": "unknown",
}
"""What an overload gives, as the tables abbreviate it."""

NUMPYS_NAMES = {
    "dim": ("axis",),
    "keepdim": ("keepdims",),
    "input": ("x", "a", "x1"),
    "other": ("x2",),
}
"""Keywords that every builtin of torch takes in place of its own, for the sake of numpy's users."""

_MEMBER = re.compile(r"<(\w+\.\w+): [^>]*>")
"""How Python shows a default that is a member of an enumeration."""


@lru_cache(maxsize=4096)
def parsed(text: str, gives: Gives = "unknown", *, builtin: bool = False) -> Signature:
    """One signature.

    Args:
        text: the parameters as Python writes them between parentheses, then perhaps ` -> ` and what is given back.
        gives: what is given back where the text does not say so.
        builtin: is it one of torch's builtins, which take numpy's names too?
    """
    between, _, letter = _MEMBER.sub(r"\1", text).partition(" -> ")
    arguments = ast.parse(f"def f({between}): 0").body[0].args  # type: ignore[attr-defined]
    found = []

    def add(one: ast.arg, default: ast.expr | None, sort: str) -> None:
        also = NUMPYS_NAMES.get(one.arg, ()) if builtin and sort != "positional_only" else ()
        found.append(Parameter(one.arg, None if default is None else ast.unparse(default), sort, also))  # type: ignore[arg-type]

    ordered = [(one, "positional_only") for one in arguments.posonlyargs]
    ordered += [(one, "positional") for one in arguments.args]
    missing: list[ast.expr | None] = [None] * (len(ordered) - len(arguments.defaults))
    for (one, sort), default in zip(ordered, missing + arguments.defaults, strict=True):
        add(one, default, sort)
    if arguments.vararg:
        add(arguments.vararg, None, "rest")
    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        add(one, default, "keyword_only")
    if arguments.kwarg:
        add(arguments.kwarg, None, "keywords")
    return Signature(tuple(found), GIVES[letter] if letter else gives)
