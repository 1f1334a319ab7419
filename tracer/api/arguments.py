"""What the user gave, checked and brought into the form that the rooms below take."""

from __future__ import annotations

import numbers
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tracer.divergence.metrics import Progress
from tracer.errors import RecordingError, RuleError, TraceFileError

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.trace.reader import Trace


Pins = Mapping[str, str] | str | Sequence[str | tuple[str, str]]
"""Pairs that belong together, the reference's first: a mapping, pairs, or texts "A=B"."""


def file_of(value: Any, name: str) -> Path:
    """The path that an argument is to be."""
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    if name == "out":
        raise RuleError("out= names no file", where=given_words(value), then='give a path, as out="pt.h5"')
    then = 'give the file that tracer.record(net, inputs, out="pt.h5") wrote, or the Trace that it returned'
    raise RuleError(f"the {name} is no trace", where=given_words(value), then=then)


def refuse_times(trace: Trace, name: str) -> None:
    """Values are wanted, and a trace of `keep="timing"` has none.

    Raises:
        TraceFileError: it is such a trace.
    """
    if trace.skeleton.header.keep == "timing":
        raise TraceFileError(
            f'the {name} holds times and no values: it was recorded with keep="timing"',
            where=str(trace.path),
            then='record the net again without keep="timing"; tracer profile shows the times',
        )


def given_words(value: Any) -> str:
    """What was given instead, short: a number or a text as it is, anything else by its class."""
    short = value is None or isinstance(value, str | numbers.Number | tuple)
    return repr(value)[:80] if short else f"an object of class {type(value).__module__}.{type(value).__qualname__}"


def told_progress() -> AbstractContextManager[Progress | None]:
    """What tells of the progress on a terminal; nothing, not even an import, where nobody looks."""
    try:
        watched = sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed, or replaced by something else
        watched = False
    if not watched:
        return nullcontext()
    from tracer.reports.terminal import LateProgress

    return LateProgress(redirect=False)


def arguments_of(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What the user gave as positional and keyword arguments."""
    if isinstance(inputs, tuple) and not hasattr(inputs, "_fields"):
        return tuple(_numbers(item) for item in inputs), {}
    if isinstance(inputs, Mapping):
        if not all(isinstance(key, str) for key in inputs):
            raise RecordingError(
                "inputs= is a mapping, whose keys are the names of the net's arguments, but not all keys are text",
                where=f"keys {list(inputs)[:5]}",
                then="to give the mapping itself as the one argument, put it into a tuple: (inputs,)",
            )
        return (), {key: _numbers(value) for key, value in inputs.items()}
    return (_numbers(inputs),), {}


def keywords_of(kwargs: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """What the user gave in `kwargs=`, beside the arguments that `inputs=` names."""
    if kwargs is None:
        return {}
    if not isinstance(kwargs, Mapping) or not all(isinstance(key, str) for key in kwargs):
        then = 'give the names of arguments with what they are, as kwargs={"attention_mask": mask}'
        raise RuleError("kwargs= is no mapping of names", where=given_words(kwargs), then=then)
    twice = [key for key in kwargs if key in named]
    if twice:
        raise RuleError(f"{twice[0]!r} is in inputs= and in kwargs=", where="the net's arguments", then="give it once")
    return {key: _numbers(value) for key, value in kwargs.items()}


def _numbers(value: Any) -> Any:
    """Nested lists of numbers as an array, what `np.load` gives for an .npz as a dict; everything else as it is."""
    if isinstance(value, np.lib.npyio.NpzFile):  # each look at it reads the file
        return dict(value)
    if isinstance(value, list) and value and _all_numbers(value):
        try:
            array = np.array(value)
        except ValueError:
            return value
        return array if array.dtype.kind in "biufc" else value
    return value


def _all_numbers(value: Any) -> bool:
    if isinstance(value, list):
        return all(_all_numbers(item) for item in value)
    return isinstance(value, numbers.Number)


def pairs_of(pins: Any) -> tuple[tuple[str, str], ...]:
    """Pins in any form as pairs of paths; the first "=" of a text parts them."""
    if isinstance(pins, Mapping):
        given: list[Any] = list(pins.items())
    else:
        given = list(pins) if isinstance(pins, Iterable) and not isinstance(pins, str) else [pins]
    pairs = []
    for pin in given:
        pair = tuple(pin.split("=", 1)) if isinstance(pin, str) else tuple(pin) if isinstance(pin, Sequence) else ()
        if len(pair) != 2 or not all(isinstance(path, str) and path for path in pair):
            then = 'give pins={"reference.path": "candidate.path"}, or texts "reference.path=candidate.path"'
            raise RuleError("a pin does not name two paths", where=given_words(pin), then=then)
        pairs.append((pair[0], pair[1]))
    return tuple(pairs)


def rules_of(rules: Any) -> tuple[UserRule, ...]:
    """The user's own rules: given, or in a TOML file.

    Raises:
        RuleError: something that is no rule.
    """
    from tracer.divergence.rules import UserRule, load_rules

    if isinstance(rules, str | os.PathLike):
        return load_rules(Path(rules))
    given = tuple(rules) if isinstance(rules, Iterable) else (rules,)
    for rule in given:
        if not isinstance(rule, UserRule):
            then = "give the path of a TOML file, or a list of tracer.divergence.rules.UserRule"
            raise RuleError("rules= holds what is no rule", where=given_words(rule), then=then)
    return given


def globs_of(only: Any) -> tuple[str, ...]:
    """Globs of paths: one, or several.

    Raises:
        RuleError: something that is no text.
    """
    globs = (only,) if isinstance(only, str) else tuple(only) if isinstance(only, Iterable) else (only,)
    for glob in globs:
        if not isinstance(glob, str):
            raise RuleError(
                "only= is no glob of paths", where=given_words(glob), then='give one or several, as "blocks.2.*"'
            )
    return globs
