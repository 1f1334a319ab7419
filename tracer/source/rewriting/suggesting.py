"""The door: from one use of torch to what to write in MindSpore.

A use within a use is rewritten too, so that what is written runs; where the inner one cannot be, neither can the outer.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping

from tracer.source.rewriting.calls import Asked, suggestion_of_call
from tracer.source.rewriting.known import Known
from tracer.source.rewriting.mentions import suggestion_of_mention
from tracer.source.rewriting.rules import ByHand
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.writing import Value, source_of, with_pieces
from tracer.source.uses import Use


def suggest(
    use: Use, facts: Known, *, mint: bool = False, uses_within: Mapping[ast.AST, Use] | None = None
) -> Suggestion:
    """What to write for a use.

    Args:
        use: the place.
        facts: what is known of both frameworks.
        mint: prefer `mindspore.mint` where it has a counterpart.
        uses_within: the uses of the file by their syntax; those inside this one are rewritten too.
    """
    return _Rewriting(facts, mint, uses_within or {}).suggestion(use)


def suggest_all(uses: Iterable[Use], facts: Known, *, mint: bool = False) -> list[Suggestion]:
    """What to write for each use of a file, in the order of the uses; inner ones are worked out once."""
    uses = list(uses)
    rewriting = _Rewriting(facts, mint, {use.node: use for use in uses})
    for use in sorted(uses, key=_inner_first):
        rewriting.suggestion(use)
    return [rewriting.suggestion(use) for use in uses]


def _inner_first(use: Use) -> tuple[int, int, int, int]:
    node = use.node
    end, column = getattr(node, "end_lineno", 0) or 0, getattr(node, "end_col_offset", 0) or 0
    return end, column, -getattr(node, "lineno", 0), -getattr(node, "col_offset", 0)


class _Rewriting:
    """All uses of a file, and what has been found for them so far."""

    def __init__(self, facts: Known, mint: bool, uses: Mapping[ast.AST, Use]) -> None:
        self.facts, self.mint, self.uses = facts, mint, uses
        self.found: dict[ast.AST, Suggestion] = {}

    def suggestion(self, use: Use) -> Suggestion:
        known = self.found.get(use.node)
        if known is None or self.uses.get(use.node) is not use:
            known = self._safely(use)
            self.found[use.node] = known
        return known

    def _safely(self, use: Use) -> Suggestion:
        """A row that fails on a call nobody thought of costs that one use, not the scan of a tree."""
        try:
            found = self._suggest(use)
            if found.write is not None:
                ast.parse(found.write, mode="eval")
        except Exception as fault:
            pair = self.facts.pair(use.torch)
            trouble = f"tracer failed on this call ({type(fault).__name__}): please report it, and write it by hand."
            return Suggestion(pair.mindspore if pair else None, pair.mint if pair else None, "by_hand", advice=trouble)
        return found

    def _suggest(self, use: Use) -> Suggestion:
        asked = Asked(
            use, self.facts, self.mint, lambda node: self.value(node, use), lambda: self.inside(use), self._is_use
        )
        if isinstance(use.node, ast.Call) and use.sort in ("call", "method"):
            return suggestion_of_call(asked, use.node)
        return suggestion_of_mention(asked)

    def inside(self, use: Use) -> Value:
        """The whole use with the uses inside it rewritten, but not itself."""
        assert isinstance(use.node, ast.expr)
        return self.value(use.node, use, itself=False)

    def _is_use(self, node: ast.AST, torch: str) -> bool:
        return node in self.uses and self.uses[node].torch == torch

    def value(self, node: ast.expr, use: Use, itself: bool = True) -> Value:
        """A part of a use, with the uses inside it rewritten."""
        inner = self._outermost(node, itself)
        if not inner:
            return Value(node, source_of(node, use.node, use.text))
        instead: dict[ast.AST, ast.expr] = {}
        for place in inner:
            number = self._element(place)
            inner_use = self.uses[place.value if isinstance(place, ast.Attribute) and number is not None else place]
            found = self.suggestion(inner_use)
            if found.write is None:
                raise ByHand(f"{inner_use.torch} in it has no call to write")
            written = ast.parse(found.write, mode="eval").body
            instead[place] = written if number is None else ast.Subscript(written, ast.Constant(number), ast.Load())
        new = with_pieces(node, instead)
        return Value(new, ast.unparse(new))

    def _element(self, node: ast.AST) -> int | None:
        """Of `torch.max(x, 1).values`, which of a plain tuple's elements it is; None of all else."""
        if node in self.uses or not isinstance(node, ast.Attribute) or node.value not in self.uses:
            return None
        said = " ".join(self.suggestion(self.uses[node.value]).differences)
        named = re.search(rf"\[(\d)\] for \.{node.attr}\b", said)
        return None if named is None else int(named[1])

    def _outermost(self, node: ast.AST, itself: bool) -> list[ast.AST]:
        if not self.uses:
            return []
        found: list[ast.AST] = []
        waiting = [node] if itself else [*ast.iter_child_nodes(node)]
        while waiting:
            part = waiting.pop()
            if part in self.uses or self._element(part) is not None:
                found.append(part)
            else:
                waiting += ast.iter_child_nodes(part)
        return found
