"""What to write for a use that is no call: a name handed on, an attribute, an operator, a base, a definition."""

from __future__ import annotations

import ast
from dataclasses import replace

from tracer.source.rewriting import subscripts
from tracer.source.rewriting.calls import Asked, Call, by_hand, names, required, suggestion_of
from tracer.source.rewriting.layer_attributes import KEPT_BY_MINT
from tracer.source.rewriting.rules import ByHand, Mention
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.tables import MENTIONS, RULES
from tracer.source.rewriting.writing import Value, with_pieces

_INDEXED = ("torch.Tensor.__getitem__", "torch.Tensor.__setitem__")
_METHODS = ("mindspore.Tensor.", "mindspore.Parameter.", "mindspore.nn.Cell.", "mindspore.mint.nn.Cell.")


def suggestion_of_mention(asked: Asked) -> Suggestion:
    """What to write for a use that is no call."""
    try:
        mention = MENTIONS.get(asked.use.torch)
        if mention is not None:
            return _indexed(asked, mention) if asked.use.torch in _INDEXED else _mentioned(asked, mention)
        if asked.use.sort == "operator":
            return Suggestion(None, None, "unknown")
        return _handed_on(asked)
    except ByHand as reason:
        return by_hand(asked, str(reason))


def _mentioned(asked: Asked, mention: Mention) -> Suggestion:
    _, mint = names(asked, None)
    if mention.by_hand:
        return Suggestion(mention.mindspore, mint, "by_hand", mention.silent, mention.differences, None, mention.advice)
    write = _text(asked, mention)
    if mention.differences:
        status = "differs"
    else:
        own, other = mention.torch.rpartition(".")[2], (mention.mindspore or "").rpartition(".")[2]
        status = "same" if own == other else "renamed"
    return Suggestion(
        mention.mindspore,
        mint,
        "differs" if status == "differs" else "same" if status == "same" else "renamed",
        mention.silent,
        mention.differences,
        write,
        mention.advice,
    )


def _indexed(asked: Asked, mention: Mention) -> Suggestion:
    """An index: another one where MindSpore puts a list's dimension elsewhere."""
    found, node = _mentioned(asked, mention), asked.use.node
    if not isinstance(node, ast.Subscript):
        return found

    def makes_list(part: ast.AST) -> bool:
        return any(asked.is_use(part, name) for name in ("torch.tensor", "torch.arange", "torch.LongTensor"))

    differs = subscripts.parted(node, makes_list)
    if not differs:
        return found if differs is False else replace(found, advice=subscripts.LOOK)
    reads = asked.use.torch == _INDEXED[0]
    new = (subscripts.in_two_steps if reads else subscripts.with_slices)(node, makes_list)
    parts = {part: asked.value(part).node for part in (node.value, *subscripts.items_of(node))}
    text = ast.unparse(with_pieces(new, {part: other for part, other in parts.items() if part is not other}))
    return replace(found, status="differs", silent=True, differences=(subscripts.PARTED,), write=text)


def _text(asked: Asked, mention: Mention) -> str:
    node, name = asked.use.node, mention.mindspore or ""
    if isinstance(node, ast.AugAssign):
        return _new_value(asked, node)
    if asked.use.sort == "operator":
        return asked.whole().text if isinstance(node, ast.expr) else asked.use.text
    if _is_member(asked, mention.torch) and isinstance(node, ast.Attribute) and asked.use.sort == "name":
        receiver = asked.value(node.value)
        if asked.mint and mention.torch.rpartition(".")[0] in KEPT_BY_MINT:
            return f"{receiver.atom}.{node.attr}"
        if mention.write:
            return mention.write.replace("{x}", receiver.atom)
        return f"{receiver.atom}.{name.rpartition('.')[2]}"
    return mention.write or name


def _is_member(asked: Asked, torch: str) -> bool:
    """Is it taken of a tensor, a net or a layer?"""
    owner = asked.facts.name(torch.rpartition(".")[0])
    return torch.startswith(("torch.Tensor.", "torch.nn.Module.")) or (owner is not None and owner.sort == "class")


def _new_value(asked: Asked, node: ast.AugAssign) -> str:
    """What `x += y` makes of x, as an expression."""
    target = ast.parse(ast.unparse(node.target), mode="eval").body
    value = ast.parse(asked.value(node.value).text, mode="eval").body
    return ast.unparse(ast.BinOp(target, node.op, value))


def _receiver(asked: Asked) -> Value | None:
    """Of a method that is mentioned and not called, what it is a method of."""
    known = asked.facts.name(asked.use.torch)
    if known is None or known.sort != "method":
        return None
    if isinstance(asked.use.node, ast.Attribute):
        return asked.value(asked.use.node.value)
    return Value(ast.Name("self", ast.Load()), "self")


def _handed_on(asked: Asked) -> Suggestion:
    """A layer or function that is handed on: its name, and what its defaults mean where it is called later."""
    mindspore, mint = names(asked, None)
    name = (mint or mindspore) if asked.mint else (mindspore or mint)
    pair = asked.facts.pair(asked.use.torch)
    if not RULES.get(asked.use.torch) and pair is None:
        return Suggestion(None, None, "unknown")
    if name is None or (pair is not None and pair.by_hand and not RULES.get(asked.use.torch)):
        raise ByHand(pair.advice if pair and pair.advice else f"{asked.use.torch} has no counterpart")
    receiver = _receiver(asked)
    if receiver is not None and isinstance(asked.use.node, ast.Attribute):
        if not name.startswith(_METHODS):
            raise ByHand(f"{name} is there in place of a method: hand on a function that calls it")
        name = f"{receiver.atom}.{name.rpartition('.')[2]}"
    if asked.use.only_asked:
        alike = name.rpartition(".")[2] == asked.use.torch.rpartition(".")[2]
        return Suggestion(mindspore, mint, "same" if alike else "renamed", write=name)
    open_ended = [Value(ast.Name(one, ast.Load()), one) for one in required(asked)]
    try:
        called = suggestion_of(asked, Call(tuple(open_ended), (), receiver))
    except ByHand as reason:
        return Suggestion(mindspore, mint, "differs", False, (str(reason),), name, str(reason))
    advice = called.advice
    if called.status == "differs":
        advice = advice or f"where it is called with nothing else: {called.write}"
    return Suggestion(mindspore, mint, called.status, called.silent, called.differences, name, advice)
