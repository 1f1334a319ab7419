"""Which layers are recorded."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tracer.errors import RuleError
from tracer.trace.schema import ROOT, Plain

Pattern = str | type | Callable[[str, Any], bool]
Patterns = Pattern | Sequence[Pattern] | None


@dataclass(frozen=True)
class Choice:
    """Which layers are recorded. A pattern is a glob on the path, a class or its name, or `predicate(path, layer)`.

    `depth` counts levels below the net, which is level 0. The net itself is left out only where `skip` names it.
    """

    only: tuple[Pattern, ...] = ()
    skip: tuple[Pattern, ...] = ()
    depth: int | None = None

    @staticmethod
    def of(only: Patterns, skip: Patterns, depth: int | None) -> Choice:
        """Check what the user gave.

        Raises:
            RuleError: a pattern that is none, or a negative depth.
        """
        if depth is not None and (isinstance(depth, bool) or not isinstance(depth, int) or depth < 0):
            raise RuleError(f"depth={depth!r} is no level", then="give 0 for the net alone, 1 for its children, ...")
        return Choice(_patterns("only", only), _patterns("skip", skip), depth)

    def why_not(self, path: str, layer: Any) -> str | None:
        """Why a layer is left out; None when it is recorded.

        Raises:
            RuleError: a predicate raised.
        """
        if self.depth is not None and path != ROOT and path.count(".") >= self.depth:
            return f"left out by depth={self.depth}"
        if any(_matches(pattern, path, layer) for pattern in self.skip):
            return "left out by skip="
        if self.only and path != ROOT and not any(_matches(pattern, path, layer) for pattern in self.only):
            return "left out by only="
        return None

    def check(self, table: Sequence[tuple[str, Any, tuple[str, ...]]]) -> None:
        """Refuse a slip of the pen, which would record nothing or everything. Predicates may match nothing.

        Raises:
            RuleError: a path, glob or class that matches no layer of the net.
        """
        for option, patterns in (("only", self.only), ("skip", self.skip)):
            for pattern in patterns:
                if not isinstance(pattern, str | type):
                    continue
                if not any(_matches(pattern, path, layer) for path, layer, _ in table):
                    raise _no_match(option, pattern, table)

    def words(self) -> dict[str, Plain]:
        """For the trace's header."""
        found: dict[str, Plain] = {}
        if self.only:
            found["only"] = [_pattern_words(p) for p in self.only]
        if self.skip:
            found["skip"] = [_pattern_words(p) for p in self.skip]
        if self.depth is not None:
            found["depth"] = self.depth
        return found


def _patterns(option: str, given: Patterns) -> tuple[Pattern, ...]:
    if given is None:
        return ()
    items = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | type) else (given,)
    for item in items:
        if not (isinstance(item, str | type) or callable(item)):
            raise RuleError(
                f"{option}={item!r} is no pattern",
                then="give a path or glob ('blocks.*'), a class or its name ('Linear'), or predicate(path, layer)",
            )
    return items


def _matches(pattern: Pattern, path: str, layer: Any) -> bool:
    if isinstance(pattern, str):
        return fnmatch.fnmatchcase(path, pattern) or type(layer).__name__ == pattern
    if isinstance(pattern, type):
        return isinstance(layer, pattern)
    try:
        return bool(pattern(path, layer))
    except Exception as error:
        raise RuleError(
            f"The predicate {_pattern_words(pattern)} raised {type(error).__name__}: {error}",
            where=f"asked about {path} ({type(layer).__name__})",
            then="a predicate takes (path, layer) and says True or False for every layer",
        ) from error


def _no_match(option: str, pattern: str | type, table: Sequence[tuple[str, Any, tuple[str, ...]]]) -> RuleError:
    """The error for a pattern that no layer matches, with the paths and kinds that are nearest to it."""
    words = _pattern_words(pattern)
    for path, _, others in table:
        if isinstance(pattern, str) and any(fnmatch.fnmatchcase(other, pattern) for other in others):
            then = f"that is another name of {path!r}: give this one"
            break
    else:
        kinds = dict.fromkeys(type(layer).__name__ for _, layer, _ in table)
        paths = dict.fromkeys(path for path, _, _ in table)
        known = {name.lower(): name for name in ((*paths, *kinds) if isinstance(pattern, str) else kinds)}
        near = [known[name] for name in difflib.get_close_matches(words.lower(), known, n=3, cutoff=0.5)]
        there = f"the net has {', '.join(list(kinds)[:6])}{', ...' if len(kinds) > 6 else ''}"
        then = f"did you mean {' or '.join(map(repr, near))}?" if near else there
    where = f"{type(table[0][1]).__name__} of {len(table)} layers"
    return RuleError(f"{option}={words!r} matches no layer of the net", where=where, then=then)


def _pattern_words(pattern: Pattern) -> str:
    return pattern if isinstance(pattern, str) else str(getattr(pattern, "__qualname__", type(pattern).__name__))
