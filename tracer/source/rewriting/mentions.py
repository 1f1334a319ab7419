"""What to write for a use that is no call: a name handed on, an attribute, an operator, a base, a definition."""

from __future__ import annotations

import ast

from tracer.source.rewriting.calls import Asked, Call, by_hand, names, required, suggestion_of
from tracer.source.rewriting.rules import ByHand
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.tables import RULES
from tracer.source.rewriting.writing import Value


def suggestion_of_mention(asked: Asked) -> Suggestion:
    """What to write for a use that is no call."""
    try:
        return _handed_on(asked)
    except ByHand as reason:
        return by_hand(asked, str(reason))


def _handed_on(asked: Asked) -> Suggestion:
    """A layer or function that is handed on: its name, and what its defaults mean where it is called later."""
    mindspore, mint = names(asked, None)
    name = (mint or mindspore) if asked.mint else (mindspore or mint)
    if not RULES.get(asked.use.torch) and asked.facts.pair(asked.use.torch) is None:
        return Suggestion(None, None, "unknown")
    if name is None:
        raise ByHand(f"{asked.use.torch} has no counterpart")
    open_ended = [Value(ast.Name(name, ast.Load()), name) for name in required(asked)]
    called = suggestion_of(asked, Call(tuple(open_ended), ()))
    advice = called.advice
    if called.status == "differs":
        advice = advice or f"where it is called with nothing else: {called.write}"
    return Suggestion(mindspore, mint, called.status, called.silent, called.differences, name, advice)
