"""What is known of torch's names and their counterparts: `Facts`, read from the tables beside this file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from tracer.source.facts.parameters import parsed
from tracer.source.facts.unlisted import UNLISTED, is_unlisted
from tracer.source.facts.values import Gives, Pair, Parameter, ParameterSort, Signature, TorchName

__all__ = ["Facts", "Gives", "Pair", "Parameter", "ParameterSort", "Signature", "TorchName"]

FOLDER = Path(__file__).parent

BUILTIN = {"builtin": "function", "builtin_method": "method"}
"""How the table marks what torch's own argument parser reads, and what sort of name it is."""


class Facts:
    """Torch's names, MindSpore's signatures, and the pairs between them; read once, each part when it is first asked.

    `Facts.load()` gives the one value that everybody shares; nothing changes it.
    """

    @staticmethod
    def load() -> Facts:
        """The facts that come with the package."""
        return loaded()

    # ------------------------------------------------------------------------------------------------- torch's names

    def canonical(self, name: str) -> str | None:
        """The public full name of what `name` stands for in torch; None when torch has no such name.

        Modules count, and members of classes through their bases: "torch.nn.modules.activation.GELU" is
        "torch.nn.GELU", "torch.functional.einsum" is "torch.einsum", "torch.nn.Linear.cuda" is "torch.nn.Module.cuda".
        """
        if name in self._canonical:
            return self._canonical[name]
        found = self._found(name)
        self._canonical[name] = found
        return found

    def _found(self, name: str) -> str | None:
        room, _, last = name.rpartition(".")
        if last in self._names.get(room, ()) or name in self._old:
            return self._old[name]["now"] or name if name in self._old else name
        alias = self._aliases.get(room, {}).get(last)
        if alias is not None:
            return alias
        if not room:
            return None
        if room.rpartition(".")[0]:
            above = self.canonical(room)
            if above is None:
                return name if is_unlisted(name) else None
            if above != room:
                return self.canonical(f"{above}.{last}")
        found = self.attribute(room, last)
        row = self._row(room)
        if found is None and row is not None and row[0] == "dtype":
            found = self.attribute("torch.dtype", last)
        return name if found is None and is_unlisted(name) else found

    def name(self, name: str) -> TorchName | None:
        """What is known of a torch name, under any of its names; None when torch has no such name."""
        full = self.canonical(name)
        if full is None:
            return None
        if full not in self._made:
            self._made[full] = self._torch_name(full)
        return self._made[full]

    def _torch_name(self, full: str) -> TorchName:
        room, _, last = full.rpartition(".")
        row = self._names.get(room, {}).get(last)
        if row is None and full in self._old:
            old = self._old[full]
            texts = [old["signature"]] if old["signature"] else []
            signatures = tuple(parsed(text, old["gives"]) for text in texts)
            return TorchName(full, old["sort"], signatures, old["gives"], old=True)
        if row is None and not full.endswith(".__init__"):
            return TorchName(full, "module" if full in UNLISTED else "value")
        if row is None:  # a constructor, named through its class
            of = self.name(room)
            assert of is not None
            return TorchName(full, "method", of.signatures, "other")
        sort, gives, texts, bases = row[0], row[1], row[2] if len(row) > 2 else [], row[3] if len(row) > 3 else []
        builtin = sort in BUILTIN
        signatures = tuple(parsed(text, gives, builtin=builtin) for text in texts)
        return TorchName(full, BUILTIN.get(sort, sort), signatures, gives, tuple(bases))

    def members(self, module: str) -> tuple[str, ...]:
        """The names that `from module import *` binds, without the module's name; () when torch has no such module."""
        full = self.canonical(module)
        if full is None:
            return ()
        hidden = set(self._torch["hidden"].get(full, ()))
        names = {*self._names.get(full, ()), *self._aliases.get(full, ())}
        return tuple(sorted(one for one in names if not one.startswith("_") and one not in hidden))

    def attribute(self, of: str, attribute: str) -> str | None:
        """The full name of an attribute or method of a class, looked up through its bases; None when it has none."""
        full = self.canonical(of)
        row = None if full is None else self._row(full)
        if full is None or row is None or row[0] != "class":
            return None
        for one in (full, *(row[3] if len(row) > 3 else ())):
            if attribute in self._names.get(one, ()):
                return f"{one}.{attribute}"
        return f"{full}.__init__" if attribute == "__init__" else None

    def torch_names(self) -> Iterator[str]:
        """Every full name of today's torch, sorted by room."""
        for room, names in self._names.items():
            for last in names:
                yield f"{room}.{last}" if room else last

    def _row(self, full: str) -> list[Any] | None:
        room, _, last = full.rpartition(".")
        row: list[Any] | None = self._names.get(room, {}).get(last)
        return row

    # ------------------------------------------------------------------------------------------------- counterparts

    def pair(self, name: str) -> Pair | None:
        """The counterparts of a torch name, or advice in their place; None when the facts know nothing.

        A member of a class that has no row of its own goes by that of its base, and what stands in a part of torch that
        is spoken of as a whole ("torch.distributed.*") by that.
        """
        full = self.canonical(name) or name
        for one in self._kin(full):
            if one in self._pairs:
                return self._pairs[one]
        room = full if self.canonical(name) else ""
        while "." in room:
            room = room.rpartition(".")[0]
            if f"{room}.*" in self._pairs:
                return self._pairs[f"{room}.*"]
        return None

    def _kin(self, full: str) -> Iterator[str]:
        yield full
        room, _, last = full.rpartition(".")
        row = self._row(room) if room else None
        if row is not None and row[0] == "class":
            for base in row[3] if len(row) > 3 else ():
                yield f"{base}.{last}"

    def pairs(self) -> Iterator[Pair]:
        """Every pair, sorted by torch name."""
        yield from self._pairs.values()

    def signature_of(self, mindspore: str) -> tuple[Signature, ...]:
        """The signatures of a MindSpore function, class or method by full name; () where none could be read."""
        return tuple(parsed(text) for text in self._mindspore(mindspore) or ())

    def exists(self, mindspore: str) -> bool:
        """Has MindSpore 2.10 this name? A parameter has what a tensor has, and every cell what `nn.Cell` has."""
        return self._mindspore(mindspore) is not None

    def _mindspore(self, name: str) -> list[str] | None:
        room, _, last = name.rpartition(".")
        names: dict[str, dict[str, list[str]]] = self._signatures["names"]
        found = names.get(room, {}).get(last)
        if found is None and room == "mindspore.Parameter":
            found = names["mindspore.Tensor"].get(last)
        if found is None and room.startswith(("mindspore.nn.", "mindspore.mint.nn.")) and self.exists(room):
            found = names["mindspore.nn.Cell"].get(last)
        return found

    # ------------------------------------------------------------------------------------------------- the files

    @cached_property
    def _torch(self) -> dict[str, Any]:
        return read_json("torch_names.json")

    @cached_property
    def _signatures(self) -> dict[str, Any]:
        return read_json("mindspore_signatures.json")

    @cached_property
    def _names(self) -> dict[str, dict[str, list[Any]]]:
        names: dict[str, dict[str, list[Any]]] = self._torch["names"]
        return names

    @cached_property
    def _aliases(self) -> dict[str, dict[str, str]]:
        aliases: dict[str, dict[str, str]] = self._torch["aliases"]
        return aliases

    @cached_property
    def _old(self) -> dict[str, Any]:
        return {row["torch"]: row for row in read_rows("old_names.csv")}

    @cached_property
    def _canonical(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _made(self) -> dict[str, TorchName]:
        return {}

    @cached_property
    def _pairs(self) -> dict[str, Pair]:
        found = {**table_pairs(), **own_pairs()}
        full = {self.canonical(name) or name: pair for name, pair in found.items()}
        return {name: replace(full[name], torch=name) for name in sorted(full)}


@lru_cache(maxsize=1)
def loaded() -> Facts:
    """The one value behind `Facts.load`."""
    return Facts()


def table_pairs() -> dict[str, Pair]:
    """The pairs of MindSpore's public mapping tables; of several counterparts the first, the others as a word."""
    found: dict[str, Pair] = {}
    others: dict[str, list[str]] = {}
    for row in read_rows("api_map.csv"):
        torch = row["torch"]
        if torch in found:
            others.setdefault(torch, []).append(row["mindspore"])
            continue
        alone = not row["mindspore"]
        codes = split(row["diff"])
        found[torch] = Pair(
            torch,
            row["mindspore"] or None,
            row["mint"] or None,
            () if alone else codes,
            codes if alone else split(row["mint_diff"]),
        )
    for torch, names in others.items():
        one = found[torch]
        advice = f"The mapping tables also name {' and '.join(names)}."
        found[torch] = Pair(torch, one.mindspore, one.mint, one.codes, one.mint_codes, advice)
    return found


def own_pairs() -> dict[str, Pair]:
    """The pairs that the tables lack, or have wrong."""
    return {
        row["torch"]: Pair(
            row["torch"],
            row["mindspore"] or None,
            row["mint"] or None,
            split(row["codes"]),
            split(row["mint_codes"]),
            row["advice"],
            row["by_hand"] == "yes",
            "own",
        )
        for row in read_rows("own_pairs.csv")
    }


def split(codes: str) -> tuple[str, ...]:
    """The codes of one cell."""
    return tuple(one.strip() for one in codes.split(";") if one.strip())


def read_rows(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this file."""
    with (FOLDER / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def read_json(name: str) -> dict[str, Any]:
    """A table beside this file that a program wrote."""
    found: dict[str, Any] = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return found
