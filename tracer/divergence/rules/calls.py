"""Constructor calls as they stand in source text: found, read, and written anew."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from tracer.trace.schema import Plain


class Unknown(Enum):
    """What cannot be read (an expression, a starred argument); never equal to a value."""

    UNKNOWN = "unknown"

    def __repr__(self) -> str:
        return "..."


UNKNOWN = Unknown.UNKNOWN
Known = Plain | Unknown


class Gone(Enum):
    """Stands for an argument that is to be taken out of a call."""

    GONE = "gone"


GONE = Gone.GONE
Changes = Mapping[str, Plain | Gone]


@dataclass(frozen=True)
class Signature:
    """A constructor's arguments in order; `positional` of them may be given without a name. `defaults` holds those
    that have one; `Unknown` for one that is no plain value."""

    names: tuple[str, ...] = ()
    positional: int = 0
    defaults: Mapping[str, Known] = ()  # type: ignore[assignment]

    @property
    def required(self) -> tuple[str, ...]:
        """Arguments that must be given."""
        return tuple(name for name in self.names if name not in self.defaults)


@lru_cache(maxsize=1024)
def signature(text: str) -> Signature:
    """Read an argument list ("num_features, eps=1e-05, *, bias=True"; a default "..." is no plain value)."""
    arguments = ast.parse(f"def f({text}): pass").body[0].args  # type: ignore[attr-defined]
    names = [a.arg for a in arguments.args]
    defaults: dict[str, Known] = {}
    for name, node in zip(names[len(names) - len(arguments.defaults) :], arguments.defaults, strict=True):
        defaults[name] = literal(node)
    for argument, node in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if node is not None:
            defaults[argument.arg] = literal(node)
    keyword_only = tuple(a.arg for a in arguments.kwonlyargs)
    return Signature((*names, *keyword_only), len(names), defaults)


def literal(node: ast.expr) -> Known:
    """The plain value of an expression; tuples become lists, as in a trace."""
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return UNKNOWN
    return _plain(value)


def _plain(value: object) -> Known:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        items = [_plain(item) for item in value]
        return UNKNOWN if any(item is UNKNOWN for item in items) else items  # type: ignore[return-value]
    return UNKNOWN


@dataclass(frozen=True)
class SourceCall:
    """A call found in a line of source. `partial` says that the line ends before the call does."""

    callee: str
    text: str
    positional: tuple[str, ...]
    keywords: tuple[tuple[str, str], ...]
    partial: bool = False

    @property
    def open(self) -> bool:
        """May the call hold arguments that cannot be seen here?"""
        return self.partial or any(p.startswith("*") for p in self.positional) or any(not k for k, _ in self.keywords)

    def values(self, names: Signature) -> dict[str, Known]:
        """The arguments by name, as far as they can be told."""
        given: dict[str, Known] = {}
        for name, text in zip(names.names[: names.positional], self.positional, strict=False):
            if text.startswith("*"):
                break
            given[name] = literal(ast.parse(text, mode="eval").body)
        for name, text in self.keywords:
            if name:
                given[name] = literal(ast.parse(text, mode="eval").body)
        return given


def find_calls(text: str, names: Iterable[str]) -> tuple[SourceCall, ...]:
    """Every call in a line of source whose callee's last word is one of `names`, in order; the line may be a piece of
    a larger statement."""
    wanted = set(names)
    return tuple(call for call in _calls(text) if call.callee.rsplit(".", 1)[-1] in wanted)


@lru_cache(maxsize=4096)
def _calls(text: str) -> tuple[SourceCall, ...]:
    return tuple(_each_call(text))


def _each_call(text: str) -> Iterator[SourceCall]:
    for match in re.finditer(r"(?<![\w.])([A-Za-z_][\w.]*)\s*\(", text):
        call = _call_at(text[match.start() :], match.group(1), match.end() - match.start())
        if call is not None:
            yield call


def _call_at(text: str, callee: str, opened: int) -> SourceCall | None:
    end = _closing(text, opened)
    whole = text[:end] if end else None
    pieces = [whole] if whole else [text.rstrip().rstrip(",") + ")", _without_last(text) + ")"]
    for piece in pieces:
        try:
            node = ast.parse(piece, mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(node, ast.Call):
            return SourceCall(
                callee=callee,
                text=whole or text.rstrip(),
                positional=tuple(ast.unparse(a) for a in node.args),
                keywords=tuple((k.arg or "", ast.unparse(k.value)) for k in node.keywords),
                partial=whole is None,
            )
    return SourceCall(callee, text.rstrip(), (), (), partial=True) if whole is None else None


def _without_last(text: str) -> str:
    return text.rpartition(",")[0] if "," in text else text


def _closing(text: str, opened: int) -> int | None:
    """Where the bracket that was opened just before position `opened` closes, one past it; None if it does not."""
    depth = 1
    try:
        for token in tokenize.generate_tokens(io.StringIO(text[opened:]).readline):
            if token.type == tokenize.OP:
                depth += (token.string in "([{") - (token.string in ")]}")
                if depth == 0:
                    return opened + token.end[1]
    except (tokenize.TokenError, SyntaxError):
        return None
    return None


def rewrite(call: SourceCall, names: Signature, changes: Changes) -> str:
    """The call with some arguments set or taken out, the others kept as they are written.

    An argument that was given by position stays there; one that was not given is added by name.
    """
    positional = list(call.positional)
    keywords = dict(call.keywords) if all(k for k, _ in call.keywords) else {k: v for k, v in call.keywords if k}
    doubled = [v for k, v in call.keywords if not k]
    places = {name: i for i, name in enumerate(names.names[: names.positional])}
    starred = next((i for i, p in enumerate(positional) if p.startswith("*")), len(positional))
    for name, value in changes.items():
        place = places.get(name)
        if value is GONE:
            keywords.pop(name, None)
            if place is not None and place < starred and place < len(positional):
                keywords = {**dict(zip(names.names[place + 1 :], positional[place + 1 :], strict=False)), **keywords}
                del positional[place:]
        elif name not in keywords and place is not None and place < min(starred, len(positional)):
            positional[place] = written(value)
        else:
            keywords[name] = written(value)
    return _render(call.callee, positional, keywords, doubled, unseen=call.partial)


def compose(callee: str, given: Changes, *, unseen: bool) -> str:
    """A call from nothing but its arguments; `unseen` says that others belong there too."""
    keywords = {name: written(value) for name, value in given.items() if value is not GONE}
    return _render(callee, [], keywords, [], unseen=unseen)


def _render(
    callee: str, positional: list[str], keywords: Mapping[str, str], doubled: list[str], *, unseen: bool
) -> str:
    parts = [*positional, *(["..."] if unseen else []), *(f"{k}={v}" for k, v in keywords.items())]
    return f"{callee}({', '.join([*parts, *(f'**{d}' for d in doubled)])})"


def written(value: Plain | Gone | tuple[Plain, ...]) -> str:
    """A plain value as Python text; lists as tuples."""
    if isinstance(value, list | tuple):
        inner = ", ".join(written(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)
