"""A scan in words: what it comes to, what is said of a use, and uses that can be told of together."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tracer.source.reading import Unread
from tracer.source.rewriting.suggestion import Status
from tracer.source.scanned import Finding, Scan

STATUS_WORDS: dict[Status, str] = {
    "same": "same",
    "renamed": "renamed",
    "differs": "differs",
    "by_hand": "by hand",
    "unknown": "unknown",
}

MEANINGS: dict[Status, str] = {
    "same": "the call as it stands, under MindSpore's name",
    "renamed": "arguments or the call are named otherwise, with the same meaning",
    "differs": "something means something else there, and the call to write makes up for it",
    "by_hand": "no rewriting keeps the meaning",
    "unknown": "nothing is known of it",
}

OPERATORS = {
    "matmul": "@",
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "iadd": "+=",
    "isub": "-=",
    "imul": "*=",
    "itruediv": "/=",
    "neg": "-x",
    "invert": "~x",
    "and": "&",
    "or": "|",
    "xor": "^",
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "getitem": "x[...]",
    "setitem": "x[...] =",
}
"""Operators on tensors by their signs."""

_URGENCY: dict[Status, int] = {"by_hand": 1, "unknown": 2, "differs": 3, "renamed": 4, "same": 5}


@dataclass(frozen=True)
class Group:
    """Uses of one name that differ alike; the first stands for them."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The one that is shown."""
        return self.findings[0]


# --------------------------------------------------------------------------------------------------------------------
# The whole
# --------------------------------------------------------------------------------------------------------------------


def many(number: int, one: str, several: str = "") -> str:
    """A count with its noun."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def headline(scan: Scan) -> str:
    """How many uses of torch there are, in how many files."""
    uses = many(len(scan.findings), "use") if scan.findings else "no use"
    return f"{uses} of torch in {many(len(scan.files), 'file')}"


def counted(counts: dict[Status, int]) -> str:
    """The statuses with their counts; those without a use are left out."""
    words = {**STATUS_WORDS, "differs": "differ"}
    return ", ".join(f"{number:,} {words[status]}" for status, number in counts.items() if number)


def silently(scan: Scan) -> str:
    """How many go wrong silently; empty where none does."""
    number = len(scan.silent)
    return f"{number:,} would go wrong silently" if number else ""


def summary(scan: Scan) -> str:
    """All of it in one line."""
    said = headline(scan)
    if scan.findings:
        said += f": {counted(scan.counts)}"
    unread = f"{len(scan.unread):,} not read" if scan.unread else ""
    return "; ".join(part for part in (said, silently(scan), unread) if part)


def listed(scan: Scan, shown: Sequence[Finding]) -> str:
    """How many uses are listed, where they are not all; empty where they are."""
    if len(shown) == len(scan.findings):
        return ""
    return f"{len(shown):,} of them are listed" if shown else "none of them is of the kind that was asked for"


def notes(scan: Scan) -> list[str]:
    """What must be known to read the rest."""
    out = []
    guessed = sum(not finding.sure for finding in scan.findings)
    if guessed:
        verb = "is" if guessed == 1 else "are"
        out.append(f"{guessed:,} of the uses {verb} guessed (~): what stands there may be something else than torch's")
    unequal = sum(finding.proof == "unequal" and finding.write is not None for finding in scan.findings)
    if unequal:
        verb = "is of a name" if unequal == 1 else "are of names"
        out.append(f"{unequal:,} {verb} whose call to write gave other numbers for some arguments: tracer scan --facts")
    return out


def unread(one: Unread) -> tuple[str, str]:
    """Where something could not be read, and why with what to do."""
    cell = "" if one.cell is None else f" cell {one.cell}"
    line = "" if one.line is None else f":{one.line}"
    return f"{one.path}{cell}{line}", f"{one.why}; {one.then}"


# --------------------------------------------------------------------------------------------------------------------
# Uses
# --------------------------------------------------------------------------------------------------------------------


def text(finding: Finding) -> str:
    """The use as it stands there, in one line; of a definition its head."""
    said = finding.text.strip()
    if "\n" not in said:
        return said
    if isinstance(finding.use.node, ast.expr):
        return ast.unparse(finding.use.node)
    return said.split("\n")[0].strip()


def call_alone(finding: Finding) -> str:
    """Of a method what follows its value: ".view(2, -1)"; empty where it is none."""
    node = finding.use.node
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return ""
    return "." + ast.unparse(ast.Call(ast.Name(node.func.attr), node.args, node.keywords))


def written(finding: Finding) -> str:
    """The call to write in one line, empty where there is none."""
    return " ".join(line.strip() for line in (finding.write or "").split("\n"))


def counterpart(finding: Finding) -> str:
    """What to write, or what is nearest where no rewriting keeps the meaning, or what is known."""
    if finding.write is not None:
        return written(finding)
    if finding.status == "unknown":
        return "unknown"
    nearest = finding.mindspore or finding.mint
    return f"nearest is {nearest}" if nearest else "no counterpart"


def is_plain(finding: Finding) -> bool:
    """Is all said with its name?"""
    return finding.status == "same" and not finding.silent and finding.write is not None and not sentences(finding)


def sentences(finding: Finding) -> list[str]:
    """What is otherwise there, and the advice."""
    known = ("", f"{finding.torch} has no counterpart")  # which is said in its place
    said = [s for s in dict.fromkeys((*finding.differences, finding.advice)) if s not in known]
    return said or (["when only the name was changed it ran, and computed something else"] if finding.silent else [])


def groups(findings: Iterable[Finding], *, coarse: bool = False) -> list[Group]:
    """Uses that can be told of together: of one name, with the same said of each; those that go wrong silently first.

    Args:
        findings: of one file, or of all.
        coarse: one group for each name and status, whatever is said of each.
    """
    held: dict[object, list[Finding]] = {}
    for finding in findings:
        said = () if coarse else (finding.differences, finding.advice, finding.write is None)
        held.setdefault((finding.torch, finding.status, finding.silent, said), []).append(finding)
    made = [Group(tuple(found)) for found in held.values()]
    return sorted(made, key=lambda group: (not group.first.silent, _URGENCY[group.first.status]))


def alike(group: Group) -> list[Group]:
    """The uses of a group by what stands there and what is to be written, in the order of the first of each."""
    held: dict[object, list[Finding]] = {}
    for finding in group.findings:
        held.setdefault((text(finding), finding.write, finding.sure), []).append(finding)
    return [Group(tuple(found)) for found in held.values()]


def lines(group: Group, most: int) -> str:
    """The lines of a group of one file: "12, 40, 51 +3"; of a notebook with the cell before."""
    told = list(dict.fromkeys(line_words(finding) for finding in group.findings))
    more = f" +{len(told) - most}" if len(told) > most else ""
    return ", ".join(told[:most]) + more


def places(group: Group, most: int) -> str:
    """The places of a group in all files: "net.py:12, 40; vit.py:8 and 3 more"."""
    told = list(dict.fromkeys((finding.file, finding.cell is None, line_words(finding)) for finding in group.findings))
    more = f" and {len(told) - most:,} more" if len(told) > most else ""
    by_file = [
        f"{file}{':' if module else ' cell '}" + ", ".join(line for _, _, line in found)
        for (file, module), found in groupby(told[:most], key=lambda one: one[:2])
    ]
    return "; ".join(by_file) + more


def line_words(finding: Finding) -> str:
    """The line; of a notebook with its cell before."""
    return str(finding.line) if finding.cell is None else f"{finding.cell}:{finding.line}"


def names(findings: Sequence[Finding]) -> list[str]:
    """The names that were used and how often, the most frequent first: "Tensor.reshape x8", "abs -> ops.abs"."""
    found = Counter(_renaming(finding) for finding in findings)
    return [name if number == 1 else f"{name} x{number}" for name, number in found.most_common()]


def _renaming(finding: Finding) -> str:
    """A name, and the other one where it does not only stand in the other framework."""
    name = finding.torch.removeprefix("torch.")
    write = finding.write or ""
    there = next((one for one in (finding.mint, finding.mindspore) if one and one in write), finding.mindspore or "")
    other = there.removeprefix("mindspore.")
    sign = OPERATORS.get(name.removeprefix("Tensor.__").removesuffix("__"), name)
    return sign if other in ("", name) else f"{sign} -> {other}"
