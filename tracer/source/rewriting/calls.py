"""What to write for a call: rows by hand first, then what the facts say of the pair; classic MindSpore and mint."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tracer.source.facts.table import Pair, Signature
from tracer.source.rewriting.applying import Outcome, apply
from tracer.source.rewriting.binding import Bound, bind, read_signature
from tracer.source.rewriting.generic import arguments_from
from tracer.source.rewriting.known import Known
from tracer.source.rewriting.limits import limits_of
from tracer.source.rewriting.old_classes import dtype_of
from tracer.source.rewriting.receivers import as_function, changed_in_place
from tracer.source.rewriting.rules import ByHand, Rule, arguments_of
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.tables import RULES
from tracer.source.rewriting.writing import Value
from tracer.source.uses import Use


@dataclass(frozen=True)
class Asked:
    """A use, what is known, and how its parts are read.

    Attributes:
        use: the place.
        facts: what is known of both frameworks.
        mint: is mint preferred?
        value: a part of the use with the uses inside it rewritten; raises `ByHand` where one cannot be.
        whole: the use itself, with the uses inside it rewritten.
        is_use: is this syntax a use of that torch name?
    """

    use: Use
    facts: Known
    mint: bool
    value: Callable[[ast.expr], Value]
    whole: Callable[[], Value]
    is_use: Callable[[ast.AST, str], bool]


@dataclass(frozen=True)
class Call:
    """The parts of a call as they stand, rewritten inside."""

    arguments: tuple[Value, ...]
    keywords: tuple[tuple[str | None, Value], ...]
    receiver: Value | None = None


def suggestion_of_call(asked: Asked, node: ast.Call) -> Suggestion:
    """What to write for a call, a method or a `partial`."""
    torch = asked.use.torch
    if asked.use.sort == "method" and not RULES.get(torch) and (torch.endswith("_") or _has_rule(torch)):
        return _otherwise(asked, node) or _by_its_own(asked, node)
    found = _by_its_own(asked, node)
    by_row = any(row.by_hand for row in RULES.get(torch, ()))
    if found.write is None and asked.use.sort == "method" and not by_row:
        found = _otherwise(asked, node) or found
    return found


def _has_rule(method: str) -> bool:
    return any(RULES.get(function) for function in as_function(method))


def _by_its_own(asked: Asked, node: ast.Call) -> Suggestion:
    if not _is_known(asked, asked.use.torch):
        return Suggestion(None, None, "unknown")
    try:
        if _is_partial(asked, node):
            return _of_partial(asked, node)
        return suggestion_of(asked, _parts(asked, node))
    except ByHand as reason:
        found = by_hand(asked, str(reason), silent=reason.silent)
        return _but_for_spread(asked, node, found) if any(key.arg is None for key in node.keywords) else found


def _but_for_spread(asked: Asked, node: ast.Call, found: Suggestion) -> Suggestion:
    """What would be written without the arguments behind `**`, as advice."""
    try:
        parts = _parts(asked, node)
        told = suggestion_of(asked, replace(parts, keywords=tuple(pair for pair in parts.keywords if pair[0])))
    except ByHand:
        return found
    spread = ", ".join(f"**{ast.unparse(key.value)}" for key in node.keywords if key.arg is None)
    return replace(found, silent=told.silent, advice=f"without {spread} it is {told.write}: add what {spread} holds")


def _otherwise(asked: Asked, node: ast.Call) -> Suggestion | None:
    """A method through the function of its name, or written over its tensor."""
    try:
        parts = _parts(asked, node)
    except ByHand:
        return None
    if parts.receiver is None:
        return None
    for function in as_function(asked.use.torch):
        if _is_known(asked, function):
            try:
                through = replace(asked, use=replace(asked.use, torch=function, sort="call"))
                return suggestion_of(through, Call((parts.receiver, *parts.arguments), parts.keywords))
            except ByHand:
                continue
    return changed_in_place(asked.use, parts.receiver, lambda use, it: _of_parts(replace(asked, use=use), parts, it))


def _of_parts(asked: Asked, parts: Call, receiver: Value) -> Suggestion | None:
    """A method on another receiver: the function of its name where that has a row, else its own, else the function."""
    call = replace(parts, receiver=receiver)
    own = [(asked, call)] if _is_known(asked, asked.use.torch) else []
    through = [
        (
            replace(asked, use=replace(asked.use, torch=name, sort="call")),
            Call((receiver, *call.arguments), call.keywords),
        )
        for name in as_function(asked.use.torch)
        if _is_known(asked, name)
    ]
    first = not RULES.get(asked.use.torch) and _has_rule(asked.use.torch)
    for way, parts_of_it in (*through, *own) if first else (*own, *through):
        try:
            return suggestion_of(way, parts_of_it)
        except ByHand:
            continue
    return None


def _is_known(asked: Asked, torch: str) -> bool:
    return bool(RULES.get(torch)) or asked.facts.pair(torch) is not None


def suggestion_of(asked: Asked, call: Call) -> Suggestion:
    """What to write for the parts of a call; classic, or mint where that is preferred or alone can."""
    reasons: list[ByHand] = []
    for in_mint in (asked.mint, not asked.mint):
        try:
            outcome, rule = _written(asked, call, in_mint)
        except ByHand as reason:
            reasons.append(reason)
            continue
        mindspore, mint = names(asked, rule)
        preferred, other = (mint, "MindSpore's classic") if asked.mint else (mindspore, "mint's")
        if in_mint != asked.mint and preferred is not None:
            outcome = _not_by_its_name(outcome, preferred, other, reasons)
        advice = rule.advice if rule and rule.advice else _advice(asked)
        advice = "; ".join(filter(None, (advice, limits_of((mint if in_mint else mindspore) or ""))))
        return Suggestion(mindspore, mint, outcome.status, outcome.silent, outcome.differences, outcome.text, advice)
    first = next((reason for reason in reasons if str(reason)), reasons[0])
    raise ByHand(str(first), silent=any(reason.silent for reason in reasons))


def _not_by_its_name(outcome: Outcome, preferred: str, other: str, reasons: Sequence[ByHand]) -> Outcome:
    """The other counterpart's call where the preferred one cannot: what is said is said of the preferred name."""
    why = next((str(reason) for reason in reasons if str(reason)), "it takes other arguments")
    said = f"{preferred} cannot ({why}): {other} function can"
    silent = any(reason.silent for reason in reasons)
    return replace(outcome, status="differs", silent=silent, differences=(said, *outcome.differences))


def by_hand(asked: Asked, why: str, *, silent: bool = False) -> Suggestion:
    """A use that nobody can write for the user, and why."""
    mindspore, mint = names(asked, None)
    advice = _advice(asked)
    return Suggestion(mindspore, mint, "by_hand", silent, (why,) if why and why != advice else (), None, advice or why)


def names(asked: Asked, rule: Rule | None) -> tuple[str | None, str | None]:
    """The counterparts, classic and mint: of the rule, of any other row of the name, of the pair."""
    pair = asked.facts.pair(asked.use.torch)
    rows = ((rule,) if rule else ()) + RULES.get(asked.use.torch, ())
    mindspore = next((row.mindspore for row in rows if row.mindspore), pair.mindspore if pair else None)
    mint = next((row.mint for row in rows if row.mint), pair.mint if pair else None)
    return mindspore, mint


def _advice(asked: Asked) -> str:
    pair = asked.facts.pair(asked.use.torch)
    return pair.advice if pair else ""


def _parts(asked: Asked, node: ast.Call) -> Call:
    receiver = None
    if asked.use.sort == "method" and isinstance(node.func, ast.Attribute):
        receiver = asked.value(node.func.value)
    keywords = tuple(pair for keyword in node.keywords for pair in _keyword(asked, keyword))
    return Call(tuple(_value(asked, argument) for argument in node.args), keywords, receiver)


def _keyword(asked: Asked, keyword: ast.keyword) -> Iterator[tuple[str | None, Value]]:
    """A keyword as it stands; `**name` as its keys, where they are known."""
    keys = next((keys for spread, keys in asked.use.spread if spread is keyword.value), None)
    if keyword.arg is not None or keys is None:
        yield keyword.arg, _value(asked, keyword.value)
        return
    for key in keys:
        node = ast.Subscript(keyword.value, ast.Constant(key), ast.Load())
        yield key, Value(node, ast.unparse(node))


def _value(asked: Asked, node: ast.expr) -> Value:
    """An argument; one that cannot be rewritten is trouble only where it is needed."""
    if asked.use.torch == "torch.Tensor.type":
        dtype = dtype_of(node, asked.is_use)
        if dtype is not None:
            return Value(dtype, ast.unparse(dtype))
    try:
        return asked.value(node)
    except ByHand as reason:
        return Value(node, ast.unparse(node), str(reason))


def _written(asked: Asked, call: Call, mint: bool) -> tuple[Outcome, Rule | None]:
    rows = [row for row in RULES.get(asked.use.torch, ()) if _speaks(row, mint)]
    why = ""
    for row in rows:
        bound = _bind(asked, call, row)
        if isinstance(bound, str):
            why = why or bound
        elif row.when is None or row.when(bound):
            return _by_rule(asked, call, row, bound, mint), row
    if rows and any(not row.by_hand for row in rows):
        raise ByHand(why or "these arguments have no counterpart")
    return _by_pair(asked, call, mint), None


def _speaks(row: Rule, mint: bool) -> bool:
    """Does the row say something of mint, or of classic MindSpore?"""
    if row.by_hand:
        return True
    return bool(row.mint or row.mint_write) if mint else bool(row.mindspore or row.write)


def _bind(asked: Asked, call: Call, row: Rule | None) -> Bound | str:
    if row and row.takes:
        signatures: Sequence[Signature] = (read_signature(row.takes if row.takes != "()" else ""),)
    else:
        known = asked.facts.name(asked.use.torch)
        signatures = known.signatures if known else ()
    bound = bind(call.arguments, call.keywords, signatures)
    return bound if isinstance(bound, str) else replace(bound, receiver=call.receiver, within=asked.use.within)


def _by_rule(asked: Asked, call: Call, row: Rule, bound: Bound, mint: bool) -> Outcome:
    if row.by_hand:
        silent = row.silent if isinstance(row.silent, bool) or row.silent is None else row.silent(bound)
        raise ByHand(row.by_hand, silent=bool(silent) and not mint)
    target, write = (row.mint, row.mint_write) if mint else (row.mindspore, row.write)
    if write is not None:
        made = write(bound)
        status = made.status or ("differs" if made.differences else "renamed")
        outcome = Outcome(made.text, status, made.silent, made.differences)
    else:
        assert target is not None
        arguments = row.mint_arguments if mint else row.arguments
        if arguments is None:
            return _by_signatures(asked, call, bound, target, row.drops, mint)
        signatures = asked.facts.signature_of(target)
        outcome = apply(
            arguments_of(arguments), target, bound, call.arguments, call.keywords, signatures, row.drops, row.torch
        )
    outcome = replace(outcome, differences=(*outcome.differences, *(row.mint_differences if mint else row.differences)))
    if mint and row.mint_differences:
        outcome = replace(outcome, status="differs")
    if not mint or not (row.mindspore or row.write):
        if row.silent is not None:
            silent = row.silent if isinstance(row.silent, bool) else row.silent(bound)
            only_silent = outcome.silent and not outcome.differences
            status = "renamed" if only_silent and not silent else outcome.status
            outcome = replace(outcome, silent=silent, status=status)
        if row.loud is not None and row.loud(bound):
            outcome = replace(outcome, silent=False)
        if outcome.silent or row.differences:
            outcome = replace(outcome, status="differs")
    return outcome


def _by_pair(asked: Asked, call: Call, mint: bool) -> Outcome:
    pair = asked.facts.pair(asked.use.torch)
    target = (pair.mint if mint else pair.mindspore) if pair else None
    if pair is None or target is None:
        raise ByHand(f"{asked.use.torch} has no counterpart")
    if pair.by_hand:
        raise ByHand(pair.advice)
    bound = _bind(asked, call, None)
    if isinstance(bound, str):
        raise ByHand(bound)
    return _by_signatures(asked, call, bound, target, (), mint)


def _by_signatures(asked: Asked, call: Call, bound: Bound, target: str, drops: Sequence[str], mint: bool) -> Outcome:
    reasons: list[ByHand] = []
    signatures = asked.facts.signature_of(target)
    codes = _codes(asked.facts.pair(asked.use.torch), target, mint)
    for signature in signatures:
        try:
            arguments = arguments_from(bound.signature, signature, codes)
            ordered = (signature, *(other for other in signatures if other is not signature))
            return apply(arguments, target, bound, call.arguments, call.keywords, ordered, drops, asked.use.torch)
        except ByHand as reason:
            reasons.append(reason)
    raise reasons[0] if reasons else ByHand(f"the parameters of {target} are not known")


def _codes(pair: Pair | None, target: str, mint: bool) -> tuple[str, ...]:
    if pair is None or target != (pair.mint if mint else pair.mindspore):
        return ()
    return pair.mint_codes if mint and pair.mindspore else pair.mint_codes or pair.codes if mint else pair.codes


def _is_partial(asked: Asked, node: ast.Call) -> bool:
    if asked.use.sort != "call" or not node.args:
        return False
    called = ast.unparse(node.func).rpartition(".")[2]
    handed_on = not isinstance(node.args[0], ast.Call)  # f(f(x)) is a call of f
    return called == "partial" or (handed_on and asked.is_use(node.args[0], asked.use.torch))


def _of_partial(asked: Asked, node: ast.Call) -> Suggestion:
    """A function of what is still to be given: `lambda x: ...`, since functools is not imported where this stands."""
    keywords = tuple((keyword.arg, asked.value(keyword.value)) for keyword in node.keywords)
    given = tuple(asked.value(argument) for argument in node.args[1:])
    open_ended = _missing(asked, len(given), {name for name, _ in keywords})
    more = tuple(Value(ast.Name(name, ast.Load()), name) for name in open_ended)
    found = suggestion_of(asked, Call((*given, *more), keywords))
    write = f"lambda {', '.join(open_ended)}: {found.write}" if open_ended else f"lambda: {found.write}"
    return replace(found, write=write, differences=found.differences)


def _missing(asked: Asked, given: int, named: set[str | None]) -> list[str]:
    return [name for name in required(asked)[given:] if name not in named]


def required(asked: Asked) -> list[str]:
    """The names of the arguments that torch must be given."""
    return next(iter(_required(asked)), [])


def _required(asked: Asked) -> Iterator[list[str]]:
    for row in RULES.get(asked.use.torch, ()):
        if row.takes:
            yield _needs(read_signature(row.takes if row.takes != "()" else ""))
    known = asked.facts.name(asked.use.torch)
    for signature in known.signatures if known else ():
        yield _needs(signature)


def _needs(signature: Signature) -> list[str]:
    return [p.name for p in signature.parameters if p.default is None and p.sort in ("positional", "positional_only")]
