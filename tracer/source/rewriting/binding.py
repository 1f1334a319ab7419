"""Which argument of a call answers which parameter of torch: the call as Python would bind it, without running it."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracer.source.facts.table import Parameter, ParameterSort, Signature
from tracer.source.rewriting.writing import NOT_LITERAL, Value, value_of


@dataclass(frozen=True)
class Bound:
    """A call's arguments by the names of torch's parameters.

    Attributes:
        signature: the one the arguments fit.
        given: the arguments; those of a `*rest` parameter as one tuple under `*rest`.
        positional: the names of those given by position, in order.
        rest: the arguments of the `*rest` parameter, as they stand.
        receiver: what a method is called on, None for a function.
        within: the class or function the call stands in.
        called: the source of what is called, without its arguments.
    """

    signature: Signature
    given: Mapping[str, Value]
    positional: tuple[str, ...] = ()
    rest: tuple[Value, ...] = ()
    receiver: Value | None = None
    within: str = ""
    called: str = ""

    def has(self, name: str) -> bool:
        """Is the argument given?"""
        return name in self.given

    def default(self, name: str) -> str | None:
        """The source of torch's default, None where there is none."""
        return next((p.default for p in self.signature.parameters if p.name == name.lstrip("*")), None)

    def value(self, name: str) -> Value | None:
        """The argument, or torch's default where it is left out; None where there is neither."""
        if name in self.given:
            return self.given[name]
        default = self.default(name)
        return None if default is None else _default_value(default)

    def literal(self, name: str) -> object:
        """What the argument, or torch's default, is worth; `NOT_LITERAL` where the source does not say."""
        value = self.value(name)
        return NOT_LITERAL if value is None else value.literal

    def text(self, name: str) -> str:
        """The source of the argument or of torch's default, "None" where there is neither."""
        value = self.value(name)
        return "None" if value is None else value.text

    def atom(self, name: str) -> str:
        """As `text`, with brackets round it where it could not stand before a dot."""
        value = self.value(name)
        return "None" if value is None else value.atom

    def operand(self, name: str) -> str:
        """As `text`, with brackets round it where it could not stand beside a sign."""
        value = self.value(name)
        if value is None or isinstance(value.node, ast.Constant):
            return self.text(name)
        return value.atom


@dataclass
class _Filling:
    given: dict[str, Value] = field(default_factory=dict)
    positional: list[str] = field(default_factory=list)
    rest: list[Value] = field(default_factory=list)


def bind(
    arguments: Sequence[Value], keywords: Sequence[tuple[str | None, Value]], signatures: Sequence[Signature]
) -> Bound | str:
    """The arguments by the parameters of the first signature that they fit, or a sentence saying why they fit none.

    Args:
        arguments: those given by position; `*a` is a value whose syntax is `ast.Starred`.
        keywords: those given by name; the name of `**k` is None.
        signatures: the likeliest first.
    """
    if any(name is None for name, _ in keywords):
        return "the arguments behind ** cannot be read off the source"
    why = "nothing is known of its parameters"
    for signature in signatures:
        bound = _bind(arguments, [(name or "", value) for name, value in keywords], signature)
        if isinstance(bound, Bound):
            return bound
        why = bound
    return why


def _bind(arguments: Sequence[Value], keywords: Sequence[tuple[str, Value]], signature: Signature) -> Bound | str:
    places = [p for p in signature.parameters if p.sort in ("positional", "positional_only")]
    rest = next((p for p in signature.parameters if p.sort == "rest"), None)
    filling = _Filling()
    for index, value in enumerate(arguments):
        spread = isinstance(value.node, ast.Starred)
        if index < len(places) and not filling.rest:
            if spread:
                return f"the arguments behind {value.source} cannot be read off the source"
            filling.given[places[index].name] = value
            filling.positional.append(places[index].name)
        elif rest is not None:
            filling.rest.append(value)
        elif spread:
            return f"the arguments behind {value.source} cannot be read off the source"
        else:
            return "it is given more arguments than torch takes"
    wrong = _keywords(keywords, signature, filling)
    if wrong:
        return wrong
    for parameter in signature.parameters:
        if (
            parameter.default is None
            and parameter.sort not in ("rest", "keywords")
            and parameter.name not in filling.given
        ):
            return f"{parameter.name} is missing"
    if rest is not None and filling.rest:
        filling.given[f"*{rest.name}"] = _tuple(filling.rest)
    return Bound(signature, filling.given, tuple(filling.positional), tuple(filling.rest))


def _keywords(keywords: Sequence[tuple[str, Value]], signature: Signature, filling: _Filling) -> str:
    known = {p.name for p in signature.parameters if p.sort in ("positional", "keyword_only")}
    rest = next((p.name for p in signature.parameters if p.sort == "rest"), None)
    open_ended = any(p.sort == "keywords" for p in signature.parameters)
    for name, value in keywords:
        if name in filling.given:
            return f"{name} is given twice"
        if name == rest and not filling.rest:  # torch.zeros(size=(2, 3)) is torch.zeros((2, 3))
            filling.rest.append(value)
        elif name not in known and not open_ended:
            return f"torch has no argument {name} here"
        else:
            filling.given[name] = value
    return ""


def _tuple(values: Sequence[Value]) -> Value:
    text = ", ".join(value.source for value in values)
    trouble = next((value.trouble for value in values if value.trouble), "")
    node = ast.Tuple([value.node for value in values], ast.Load())
    return Value(node, f"({text},)" if len(values) == 1 else f"({text})", trouble)


def _default_value(default: str) -> Value:
    try:
        return value_of(default)
    except SyntaxError:  # a default that is an object, written by its repr
        return Value(ast.Name("...", ast.Load()), default)


_MARKS: Mapping[str, ParameterSort] = {"/": "positional_only", "*": "keyword_only"}


def read_signature(text: str) -> Signature:
    """A signature from its source: `read_signature("input, dim=None, *, keepdim=False")`."""
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    parameters: list[Parameter] = []
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + [ast.unparse(d) for d in arguments.defaults]
    for place, (argument, default) in enumerate(zip(plain, defaults, strict=True)):
        sort: ParameterSort = "positional_only" if place < len(arguments.posonlyargs) else "positional"
        parameters.append(Parameter(argument.arg, default, sort))
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, None, "rest"))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        parameters.append(Parameter(argument.arg, None if default is None else ast.unparse(default), "keyword_only"))
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, None, "keywords"))
    return Signature(tuple(parameters))
