"""A rule on a call: the call to write, what is otherwise there, and whether a mere change of name goes unnoticed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tracer.source.facts.table import Signature
from tracer.source.rewriting.binding import Bound, bind
from tracer.source.rewriting.floats import floated, refused
from tracer.source.rewriting.rules import Argument, ByHand
from tracer.source.rewriting.suggestion import Status
from tracer.source.rewriting.writing import NOT_LITERAL, Value, call, literal, number, value_of

NO_NUMBERS = {
    "device": "",
    "requires_grad": "a tensor of MindSpore has no requires_grad: value_and_grad is told what to differentiate by",
    "pin_memory": "",
    "memory_format": "",
    "non_blocking": "",
    "layout": "",
    "inplace": "MindSpore makes a new tensor instead of changing this one: go on with the result",
}
"""Arguments that change no number, with what is to be said where one is given (and not False or None)."""

OWNERS = ("mindspore.Tensor.", "mindspore.nn.Cell.", "mindspore.Parameter.")
"""What is called on a receiver; all else is a function that takes it as its first argument."""


@dataclass(frozen=True)
class Outcome:
    """The call to write and what is to be said of it."""

    text: str
    status: Status
    silent: bool
    differences: tuple[str, ...] = ()


@dataclass
class _Draft:
    positional: list[str] = field(default_factory=list)
    keywords: list[tuple[str, str]] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)  # MindSpore's parameter: its text
    differences: list[str] = field(default_factory=list)
    means_otherwise: bool = False  # a default, a constant, a conversion or a place
    loud: bool = False


def apply(
    arguments: Sequence[Argument],
    target: str,
    bound: Bound,
    called: Sequence[Value],
    keywords: Sequence[tuple[str | None, Value]],
    signatures: Sequence[Signature],
    drops: Sequence[str] = (),
    torch: str = "",
) -> Outcome:
    """What to write for a bound call.

    Args:
        arguments: of the rule, in MindSpore's order.
        target: MindSpore's full name.
        bound: the call's arguments by torch's names.
        called: the arguments by position as they stand, rewritten inside.
        keywords: those by name as they stand.
        signatures: MindSpore's; empty where they are not known.
        drops: arguments that MindSpore does without.
        torch: the full torch name.

    Raises:
        ByHand: where the rule cannot say what to write.
    """
    draft = _Draft()
    arguments = _first_by_its_name(arguments, receiver(target, bound), signatures)
    _drop(arguments, bound, drops, target, draft)
    _fill(arguments, target, bound, signatures, draft)
    text = call(callee(target, bound), [*receiver(target, bound), *draft.positional], draft.keywords)
    written_over = torch.startswith("torch.nn.functional.") and bound.literal("inplace") is True
    if written_over and "inplace" not in draft.values and isinstance(called[0].node if called else None, ast.Name):
        text = f"{called[0].text}.copy_({text})"
        draft.differences = [
            "copy_ writes it over the tensor" if said == NO_NUMBERS["inplace"] else said for said in draft.differences
        ]
    naive = _naive(target, called, keywords, receiver(target, bound), signatures)
    right = {**draft.values}
    silent = naive is not None and not draft.loud and _unlike(naive, right, signatures)
    as_it_stands = [value.source for value in called] == draft.positional and draft.keywords == [
        (name or "**", value.source) for name, value in keywords
    ]
    if draft.means_otherwise or silent:
        status: Status = "differs"
    elif as_it_stands and target.rpartition(".")[2] == torch.rpartition(".")[2]:
        status = "same"
    else:
        status = "renamed"
    return Outcome(text, status, silent, tuple(draft.differences))


def _first_by_its_name(
    arguments: Sequence[Argument], before: Sequence[str], signatures: Sequence[Signature]
) -> Sequence[Argument]:
    """MindSpore's own name for the first argument (`input`, `x`, `input_x`), where the rule has another."""
    first = arguments[0] if arguments and not before else None
    names = [signature.parameters[0].name for signature in signatures if signature.parameters]
    known = {parameter.name for signature in signatures for parameter in signature.parameters}
    if first is None or first.torch not in ("input", "tensors", "x") or not names or first.name in known:
        return arguments
    return (replace(first, name=names[0]), *arguments[1:])


def callee(target: str, bound: Bound) -> str:
    """What is called: a method on the receiver, else the full name."""
    if bound.receiver is not None and target.startswith(OWNERS):
        return f"{bound.receiver.atom}.{target.rpartition('.')[2]}"
    return target


def receiver(target: str, bound: Bound) -> list[str]:
    """The receiver as first argument, where a method becomes a function."""
    return [] if bound.receiver is None or target.startswith(OWNERS) else [bound.receiver.text]


def _drop(arguments: Sequence[Argument], bound: Bound, drops: Sequence[str], target: str, draft: _Draft) -> None:
    carried = {argument.torch for argument in arguments}
    for name, value in bound.given.items():
        if name in carried or name in drops:
            continue
        worth, default = value.literal, bound.default(name)
        if name in NO_NUMBERS:
            if NO_NUMBERS[name] and worth is not False and worth is not None:
                draft.differences.append(NO_NUMBERS[name])
                draft.means_otherwise = draft.means_otherwise or name != "requires_grad"
        elif default is None or worth is NOT_LITERAL or not alike(value.text, default):
            raise ByHand(f"{target} has no {name.lstrip('*')}")


def _fill(
    arguments: Sequence[Argument], target: str, bound: Bound, signatures: Sequence[Signature], draft: _Draft
) -> None:
    by_position = True
    for argument in arguments:
        by_position = by_position and not argument.keyword
        if argument.torch.startswith("*") and argument.convert is None:
            draft.positional += [value.text for value in bound.rest]
            continue
        text = _text(argument, bound, signatures, draft)
        if text is None:
            by_position = False
            continue
        text = floated(target, argument.name, text)
        draft.values[argument.name] = text
        if by_position and (argument.torch in bound.positional or argument.torch.startswith("*")):
            draft.positional.append(text)
            continue
        if argument.torch in bound.positional:
            draft.differences.append(f"{argument.torch} stands at another place: it is given as {argument.name}=")
        elif argument.torch in bound.given and argument.torch != argument.name:
            draft.differences.append(f"{argument.torch} is called {argument.name}")
        by_position = False
        draft.keywords.append((argument.name, text))


def _text(argument: Argument, bound: Bound, signatures: Sequence[Signature], draft: _Draft) -> str | None:
    own = default_of(argument.name, signatures)
    if argument.make is not None:
        text = argument.make(bound)
        if text is not None and (own is None or not alike(text, own)):
            draft.differences.append(argument.why or _otherwise(argument.name, text, own))
            draft.means_otherwise = True
            draft.loud = draft.loud or argument.loud
        return text
    given = bound.given.get(argument.torch)
    if given is None:
        if argument.needed:
            raise ByHand(f"what torch does without {argument.torch} cannot be said in MindSpore")
        return _left_out(argument, bound, own, draft)
    if argument.only is not None and not any(_is(given.literal, value) for value in argument.only):
        raise ByHand(f"MindSpore knows {argument.name} only as {', '.join(map(repr, argument.only))}")
    text = given.text if argument.convert is None else argument.convert(given)
    if text is None:
        return None
    if argument.form:
        draft.loud = draft.loud or (argument.loud and text != given.text[1:-2])
        return text
    if text != given.text and not alike(text, given.text):
        draft.differences.append(
            argument.why or f"{argument.torch}={given.text} is {argument.name}={text} in MindSpore"
        )
        draft.means_otherwise = True
        draft.loud = draft.loud or argument.loud
    return text


def _left_out(argument: Argument, bound: Bound, own: str | None, draft: _Draft) -> str | None:
    default = bound.default(argument.torch)
    if not argument.always or default is None:
        return None
    text = number(default) if argument.convert is None else argument.convert(value_of(number(default)))
    if text is None:
        return None
    draft.differences.append(argument.why or _otherwise(argument.name, text, own))
    draft.means_otherwise = True
    draft.loud = draft.loud or argument.loud
    return text


def _otherwise(name: str, text: str, own: str | None) -> str:
    if own is None:
        return f"{name}={text} is to be said in MindSpore"
    return f"{name} left out is {number(own)} in MindSpore: torch's is {text}"


def _naive(
    target: str,
    called: Sequence[Value],
    keywords: Sequence[tuple[str | None, Value]],
    first: Sequence[str],
    signatures: Sequence[Signature],
) -> dict[str, str] | None:
    """MindSpore's parameters as the call with only its name changed would fill them; None where it would raise."""
    bound = bind([*map(value_of, first), *called], keywords, signatures)
    if isinstance(bound, str):
        return None
    for name, value in bound.given.items():
        if _mistyped(name, value, default_of(name, signatures)) or refused(target, name, value):
            return None
    return {name: value.source for name, value in bound.given.items()}


def _mistyped(name: str, value: Value, default: str | None) -> bool:
    """Is the value of another kind than MindSpore's default of the parameter, so that MindSpore refuses it?"""
    own = NOT_LITERAL if default is None else literal(value_of(default).node)
    worth = value.literal
    if name.endswith("_init"):
        return isinstance(worth, str)  # an initializer is known by its name, or is a number
    if own is NOT_LITERAL or own is None:
        return False
    if worth is NOT_LITERAL:
        return value.source.startswith("mindspore.") and isinstance(value.node, ast.Attribute)  # a dtype
    if isinstance(own, bool) or isinstance(worth, bool):
        return isinstance(own, bool) != isinstance(worth, bool)
    return worth is None or isinstance(own, str) != isinstance(worth, str)


def _unlike(naive: dict[str, str], right: dict[str, str], signatures: Sequence[Signature]) -> bool:
    for name in {*naive, *right}:
        default = default_of(name, signatures)
        a, b = naive.get(name, default), right.get(name, default)
        if name in naive and name not in right and default is None:
            continue  # the receiver, or what the rule passes on as it stands
        if a is None or b is None or not (alike(a, b) or {a, b} in ({"True", "1"}, {"False", "0"})):
            return True
    return False


def default_of(name: str, signatures: Sequence[Signature]) -> str | None:
    """MindSpore's default of a parameter, None where it has none or is not known."""
    for signature in signatures:
        for parameter in signature.parameters:
            if parameter.name == name:
                return parameter.default
    return None


def alike(a: str, b: str) -> bool:
    """Are two pieces of source the same value, as far as the source says?"""
    if a == b:
        return True
    try:
        worth, other = literal(value_of(a).node), literal(value_of(b).node)
    except SyntaxError:
        return False
    return worth is not NOT_LITERAL and _is(worth, other)


def _is(worth: object, other: object) -> bool:
    if isinstance(worth, bool) != isinstance(other, bool) or worth is NOT_LITERAL or other is NOT_LITERAL:
        return False
    return worth == other
