"""A recorded optimizer in common words: by which rule each of its groups updates, with what numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from tracer.frameworks.mindspore_optimizer_rules import MINDSPORE_OPTIMIZERS
from tracer.frameworks.optimizer_rules import QUIRKS, OptimizerRule
from tracer.frameworks.torch_optimizer_rules import TORCH_OPTIMIZERS
from tracer.trace.schema import Optimizer, Place, Plain

TABLES: Mapping[str, tuple[OptimizerRule, ...]] = {"torch": TORCH_OPTIMIZERS, "mindspore": MINDSPORE_OPTIMIZERS}


@dataclass(frozen=True)
class RuleMeaning:
    """How one group of an optimizer updates its parameters.

    `rule` is "" of a class that no table knows. `hyper` are its settings in common words ("lr", "beta1", ...), all of
    them numbers or truths; `quirks` what the class does and no setting says. `kind` is the class, `call` the name under
    which a user imports it, `own_words` what the class calls each setting, `defaults` what its constructor takes.
    `missing` are settings that were not recorded and have no default. `parameters` are those of the group.
    """

    rule: str
    kind: str
    framework: str = ""
    call: str = ""
    hyper: Mapping[str, float] = field(default_factory=dict)
    quirks: Mapping[str, Plain] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    own_words: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Plain] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    parameters: tuple[Place, ...] = ()

    @property
    def known(self) -> bool:
        """Can its update be recomputed?"""
        return bool(self.rule) and not self.missing

    def number(self, word: str, otherwise: float = 0.0) -> float:
        """A setting as a float64; rounded to float32 before where the class does."""
        value = float(self.hyper.get(word, otherwise))
        return float(np.float32(value)) if self.quirks.get("single_precision") else value

    def with_words(self, **words: Plain) -> RuleMeaning:
        """The same rule with other settings or quirks."""
        quirks = {word: value for word, value in words.items() if word in QUIRKS}
        hyper = {word: _number(value) for word, value in words.items() if word not in QUIRKS}
        return replace(self, hyper={**self.hyper, **hyper}, quirks={**self.quirks, **quirks})


def meanings(optimizer: Optimizer, framework: str) -> tuple[RuleMeaning, ...]:
    """What each group of an optimizer means, in the order of its groups.

    Args:
        optimizer: as recorded; settings of a group go before those that hold for all.
        framework: "torch" or "mindspore"; of another one nothing is known.
    """
    row = _row_of(optimizer, framework)
    groups = optimizer.groups
    if not groups:
        return (_meaning(optimizer, framework, row, optimizer.settings, ()),)
    return tuple(
        _meaning(optimizer, framework, row, {**optimizer.settings, **group.settings}, group.parameters)
        for group in groups
    )


def _meaning(
    optimizer: Optimizer,
    framework: str,
    row: OptimizerRule | None,
    settings: Mapping[str, Plain],
    parameters: tuple[Place, ...],
) -> RuleMeaning:
    if row is None:
        return RuleMeaning("", optimizer.kind, framework, optimizer.kind, parameters=parameters)
    hyper = {word: _number(value) for word, value in {**row.fixed, **row.defaults}.items()}
    missing = []
    for word, spellings in row.settings.items():
        found = _read(settings, spellings)
        if found is not None:
            hyper[word] = found
        elif word not in hyper and word not in QUIRKS:
            missing.append(word)
    quirks: dict[str, Plain] = {**QUIRKS, **row.quirks}
    if "decoupled" in hyper:
        quirks["decoupled"] = bool(hyper.pop("decoupled")) or bool(row.quirks.get("decoupled"))
    return RuleMeaning(
        rule=row.rule,
        kind=optimizer.kind,
        framework=framework,
        call=row.kinds[0].rpartition(".")[0] + "." + optimizer.kind if row.kinds else optimizer.kind,
        hyper=hyper,
        quirks=quirks,
        states={own: word for word, names in row.states.items() for own in names.split("|")},
        own_words={word: names.split("|")[0].partition(".")[0] for word, names in row.settings.items()},
        defaults=row.defaults,
        notes=row.notes,
        missing=tuple(missing),
        parameters=parameters,
    )


def _read(settings: Mapping[str, Plain], spellings: str) -> float | None:
    """A setting under any of its spellings; None where none was recorded as a number."""
    for spelling in spellings.split("|"):
        name, _, index = spelling.partition(".")
        value = settings.get(name)
        if index and isinstance(value, list | tuple) and len(value) > int(index):
            value = value[int(index)]
        elif index:
            continue
        if isinstance(value, bool | int | float):
            return float(value)
    return None


def _number(value: Plain) -> float:
    return float(value) if isinstance(value, bool | int | float) else 0.0


@lru_cache(maxsize=8)
def _index(framework: str) -> Mapping[str, OptimizerRule]:
    return {kind: row for row in TABLES.get(framework, ()) for kind in row.kinds}


def _row_of(optimizer: Optimizer, framework: str) -> OptimizerRule | None:
    table = _index(framework)
    for base in optimizer.bases or (optimizer.kind,):
        row = table.get(base) or table.get(public_name(base))
        if row is not None:
            return row
    return None


def public_name(base: str) -> str:
    """A recorded class path as a user imports it: "torch.optim.adamw.AdamW" -> "torch.optim.AdamW"."""
    module, _, name = base.rpartition(".")
    for package, inside in (
        ("torch.optim", "torch.optim"),
        ("mindspore.nn", "mindspore.nn.optim"),
        ("mindspore.experimental.optim", "mindspore.experimental.optim"),
        ("mindspore.mint.optim", "mindspore.mint.optim"),
    ):
        if module == inside or module.startswith(f"{inside}."):
            return f"{package}.{name}"
    return base
