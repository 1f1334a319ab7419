"""From what came of the calls of a name to one word for it, and to the rows of proofs.csv."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from tracer.source.facts.proofs import Proven, State
from tracer.source.facts.table import Facts
from tracer.source.rewriting.tables import MENTIONS, RULES

TABLE = Path(__file__).parents[2] / "tracer" / "source" / "facts" / "proofs.csv"


def state_of(came: Iterable[str]) -> State:
    """The state of a name, of what came of its calls (`proving.Came`)."""
    found = set(came)
    if found & {"unequal", "raises"}:
        return "unequal"
    if found & {"equal", "dtype"}:  # edges alone prove nothing
        return "proven"
    if "no_kernel" in found:
        return "no_kernel"
    return "by_hand" if "by_hand" in found else "untested"


def row(
    torch: str, classic: Sequence[str], mint: Sequence[str], targets: tuple[str | None, str | None], versions: str
) -> Proven:
    """The row of a name, of what came of its calls and its counterparts, classic and mint."""
    equal, mint_equal = ((Counter(came)["equal"] + Counter(came)["dtype"]) for came in (classic, mint))
    return Proven(torch, *targets, state_of(classic), state_of(mint), len(classic), equal, mint_equal, versions)


def row_unrun(torch: str) -> Proven:
    """The row of a name of which no calls are in the tables."""
    pair = Facts.load().pair(torch)
    rules, mention = RULES.get(torch, ()), MENTIONS.get(torch)
    writes = any(not rule.by_hand for rule in rules) or (mention is not None and not mention.by_hand)
    if not rules and mention is None and pair is not None:
        writes = bool(pair.mindspore or pair.mint) and not pair.by_hand
    state: State = "untested" if writes else "by_hand"
    classic = next((r.mindspore for r in rules if r.mindspore), None) or (mention and mention.mindspore)
    mint = next((r.mint for r in rules if r.mint), None)
    return Proven(
        torch,
        classic or (pair.mindspore if pair else None),
        mint or (pair.mint if pair else None),
        state,
        state,
        0,
        0,
        0,
        "",
    )


def names_with_facts() -> set[str]:
    """Every torch name that the facts or the tables of rewritings speak of; of a part as a whole not."""
    facts = Facts.load()
    found = {pair.torch for pair in facts.pairs()} | set(RULES) | set(MENTIONS)
    return {facts.canonical(name) or name for name in found if not name.endswith("*")}


def write_table(rows: Iterable[Proven]) -> None:
    """Write proofs.csv, sorted."""
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, [field.name for field in fields(Proven)], lineterminator="\n")
        lines.writeheader()
        for one in sorted(rows, key=lambda row: row.torch):
            lines.writerow({name: "" if value is None else value for name, value in asdict(one).items()})
