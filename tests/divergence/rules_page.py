"""The table of ops in docs/reference/rules.md, made from the tables of the frameworks.

Run it to write the page anew: python tests/divergence/rules_page.py
"""

from __future__ import annotations

from pathlib import Path

from tracer.divergence.rules import TABLES
from tracer.divergence.rules.facts import FACTS
from tracer.divergence.rules.meanings import family_of
from tracer.frameworks.base import LayerRule

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "rules.md"
MARK = "<!-- made by tests/divergence/rules_page.py: {} -->"


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for name, table in (("ops", ops()), ("facts", facts())):
        begin, end = MARK.format(name), MARK.format(f"end of {name}")
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return text


def ops() -> str:
    """One section for each family, one row for each op."""
    families: dict[str, list[str]] = {}
    for rules in TABLES.values():
        for rule in rules:
            rows = families.setdefault(family_of(rule.op), [])
            if rule.op not in rows:
                rows.append(rule.op)
    parts = []
    for family, names in families.items():
        lines = [
            f"### {family.capitalize()}",
            "",
            "| op | torch.nn | mindspore.nn, mint.nn | settings |",
            "|---|---|---|---|",
        ]
        lines += [f"| `{op}` | {_kinds(op, 'torch')} | {_kinds(op, 'mindspore')} | {_settings(op)} |" for op in names]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def facts() -> str:
    """One line for each fact."""
    return "\n".join(f"- {', '.join(f'`{op}`' for op in fact.ops)}: {fact.sentence}." for fact in FACTS)


def _rules(op: str, framework: str) -> list[LayerRule]:
    return [rule for rule in TABLES[framework] if rule.op == op]


def _kinds(op: str, framework: str) -> str:
    kinds = [kind for rule in _rules(op, framework) for kind in rule.kinds]
    short = [
        kind.replace("torch.nn.", "").replace("mindspore.mint.nn.", "mint.").replace("mindspore.nn.", "")
        for kind in kinds
    ]
    return ", ".join(f"`{kind}`" for kind in short) or "none"


def _settings(op: str) -> str:
    names = {row.name: None for rule in _rules(op, "torch") for row in rule.settings}
    told = []
    for name in names:
        own = {row.argument for rule in _rules(op, "mindspore") for row in rule.settings if row.name == name}
        other = sorted(o for o in own - {name, None} if o)
        told.append(f"`{name}`" + (f" ({', '.join(f'`{o}`' for o in other)})" if other else ""))
    return ", ".join(told) or "none"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
