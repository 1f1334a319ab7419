"""Rules that a user adds: in Python, or as a small TOML file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracer.divergence.rules.conversions import READ
from tracer.errors import RuleError
from tracer.frameworks.base import LayerRule, ParameterRule, SettingRule

CONVERSIONS = ("same", "one_minus", "negate")
"""What a user's rule may do to a value."""

_MODES = ("", "statistics", "random", "always random")


@dataclass(frozen=True)
class UserRule:
    """One row that a user adds: all classes in `kinds` mean the same.

    Args:
        kinds: class names, with the module ("my_net.RMSNorm") or without; classes derived from them count too.
        op: the common name; of an op that is known already ("linear") or of the user's own.
        settings: attribute as recorded -> torch's word.
        parameters: attribute as recorded (dotted below the layer) -> torch's word.
        convert: attribute -> "same", "one_minus" or "negate", where the value means something else.
        defaults: attribute -> the value it has where it was not recorded.
        mode: "" where the training flag changes nothing, "statistics", "random" or "always random".
        transparent: the layer hands its input on unchanged, at least in evaluation.
        atomic: the layer is judged whole although it has layers inside.

    Raises:
        RuleError: a field does not hold what it must.
    """

    kinds: tuple[str, ...]
    op: str
    settings: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    convert: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""
    transparent: bool = False
    atomic: bool = False

    def __post_init__(self) -> None:
        where = f"rule for {', '.join(map(str, self.kinds)) or 'no class'}"
        if isinstance(self.kinds, str) or not self.kinds or not all(isinstance(k, str) and k for k in self.kinds):
            raise RuleError("a rule names no classes", where=where, then='write kinds=("my_net.RMSNorm",)')
        if not isinstance(self.op, str) or not self.op:
            raise RuleError("a rule says no op", where=where, then='write op="linear", or a name of your own')
        for name, words in (("settings", self.settings), ("parameters", self.parameters), ("convert", self.convert)):
            if not isinstance(words, Mapping) or not all(isinstance(v, str) for v in words.values()):
                raise RuleError(f"{name} must map names to names", where=where, then='write {"epsilon": "eps"}')
        for attribute, conversion in self.convert.items():
            if conversion not in CONVERSIONS:
                raise RuleError(
                    f"no conversion {conversion!r}",
                    where=f"{where}, convert.{attribute}",
                    then=_nearest(conversion, CONVERSIONS),
                )
        for name, other in (("convert", self.convert), ("defaults", self.defaults)):
            for attribute in other:
                if attribute not in self.settings:
                    raise RuleError(
                        f"{name} names a setting that the rule has not",
                        where=f"{where}, {name}.{attribute}",
                        then=_nearest(attribute, tuple(self.settings)),
                    )
        if self.mode not in _MODES:
            raise RuleError(f"no mode {self.mode!r}", where=where, then=_nearest(str(self.mode), _MODES))

    def as_layer_rule(self) -> LayerRule:
        """The same as a row of a framework's table."""
        return LayerRule(
            kinds=tuple(self.kinds),
            op=self.op,
            settings=tuple(
                SettingRule(
                    attribute,
                    name,
                    self.convert.get(attribute, "same"),
                    attribute,
                    self.defaults.get(attribute),
                    attribute in self.defaults,
                )
                for attribute, name in self.settings.items()
            ),
            parameters=tuple(ParameterRule(attribute, name) for attribute, name in self.parameters.items()),
            mode=self.mode,
            transparent=self.transparent,
            atomic=self.atomic,
        )


assert set(CONVERSIONS) <= set(READ)

_KEYS = ("kinds", "op", "settings", "parameters", "convert", "defaults", "mode", "transparent", "atomic")


def load_rules(path: str | Path) -> tuple[UserRule, ...]:
    """Read rules from a TOML file: one `[[rule]]` for each, with the fields of `UserRule` as keys.

    Raises:
        RuleError: the file is missing, is no TOML, or says something that no rule can mean.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        then = "give the path of a TOML file with [[rule]] tables"
        raise RuleError(f"the rules cannot be read: {error.strerror}", where=str(file), then=then) from error
    except UnicodeDecodeError as error:
        raise RuleError("the rules are no UTF-8 text", where=str(file), then="save the file as UTF-8") from error
    table = _parse(text, file)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*rule\s*\]\]", line)]
    _only(table, ("rule",), str(file))
    rows = table.get("rule", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RuleError("`rule` is no list of tables", where=str(file), then="write [[rule]] with two brackets")
    return tuple(_rule(row, _where(file, lines, index)) for index, row in enumerate(rows))


def _where(file: Path, lines: Sequence[int], index: int) -> str:
    return f"{file}:{lines[index]}" if index < len(lines) else f"{file}, rule {index + 1}"


def _parse(text: str, file: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli as tomllib  # type: ignore[no-redef,import-not-found,unused-ignore]
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"the rules are no TOML: {error}", where=str(file), then="mend the line named above") from error


def _rule(row: Mapping[str, Any], where: str) -> UserRule:
    _only(row, _KEYS, where)
    for key in ("kinds", "op"):
        if key not in row:
            raise RuleError(f"a rule without `{key}`", where=where, then='a rule needs kinds = ["..."] and op = "..."')
    kinds = row["kinds"]
    if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
        raise RuleError("`kinds` is no list of class names", where=where, then='write kinds = ["my_net.RMSNorm"]')
    for key in ("settings", "parameters", "convert", "defaults"):
        if not isinstance(row.get(key, {}), dict):
            then = f'write [rule.{key}] and below it lines like epsilon = "eps"'
            raise RuleError(f"`{key}` is no table", where=where, then=then)
    for key in ("transparent", "atomic"):
        if not isinstance(row.get(key, False), bool):
            raise RuleError(f"`{key}` is neither true nor false", where=where, then=f"write {key} = true")
    try:
        return UserRule(**{**row, "kinds": tuple(kinds)})
    except RuleError as error:
        raise RuleError(error.what, where=f"{where}: {error.where}", then=error.then) from None


def _only(table: Mapping[str, Any], keys: Sequence[str], where: str) -> None:
    for key in table:
        if key not in keys:
            raise RuleError(f"no key `{key}` in rules", where=where, then=_nearest(key, keys))


def _nearest(word: str, words: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, words, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"one of {', '.join(repr(w) for w in words)}" if words else "the rule has none"
