"""One call of the tables in torch, and what is suggested for it in MindSpore: are they the same?"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from tests.source_proof.distributions import drawn_differently, same_shapes
from tests.source_proof.every_call import Call
from tests.source_proof.refused import AT_EDGES, REFUSED
from tests.source_proof.naive import with_name_changed
from tests.source_proof.outcome import ROUGH, Outcome, changes_numbers, differences
from tests.source_proof.uses_by_running import uses_in
from tracer.source.facts.table import Facts
from tracer.source.rewriting.suggesting import suggest
from tracer.source.rewriting.suggestion import Suggestion
from tracer.source.rewriting.writing import with_pieces
from tracer.source.uses import Use

Came = Literal["equal", "dtype", "edge", "unequal", "raises", "no_kernel", "by_hand", "unwritten"]
"""dtype: the same numbers of another dtype, a number for a tensor, float64 as exact as float32, a new tensor for one
that is changed in place; edge: not equal, and the call is of NaN, of infinity or of no numbers; raises: what is written
does not run; no_kernel: MindSpore says that it has none for the CPU, for these dtypes or for these shapes; by_hand:
nothing is written; unwritten: something else that stands in the call has nothing to write, so that it cannot be run, or
takes `.values` of the result."""

ODD = set("i j k k2 kv d d2 dpos h h2 c c2 si sd n i32 u8 i8 i16 e".split())
"""Arrays of dtypes that some functions do not take, and one without numbers. Indices and labels are none of them."""

EDGES = {"xn", "e"}
"""Arrays with NaN and infinity, and without numbers: no source says that a tensor is like that."""

OTHER_DTYPES = (
    "must be a type of",
    "supports types",
    "should be one of [mindspore",
    "the dtype of",
    "doesn't support",
    "must have the same data type",
    "kernelmod init failed",
    "must have value",
    "type should be float32",
    "must be tensor and those type must be same",
    "must be int and must > 0",
)
"""What MindSpore says of these; a call that names none of them and is told so raises for everybody."""


@dataclass(frozen=True)
class Proof:
    """What came of one suggestion.

    Attributes:
        call: of torch.
        mint: was mint asked for?
        suggestion: for the use that the call is of.
        text: the whole call, rewritten; "" where it could not be.
        came: of it.
        why: it is not equal.
        naive: what comes of the call with only its name changed; None where that cannot be written or was not asked.
        naive_why: that is not equal.
    """

    call: Call
    mint: bool
    suggestion: Suggestion
    text: str
    came: Came
    why: str = ""
    naive: Came | None = None
    naive_why: str = ""

    @property
    def defect(self) -> str:
        """What is wrong with the suggestion; "" where nothing is."""
        if self.came in ("unequal", "raises"):
            return f"{self.came}: {self.why}"
        at_edge = any(part in self.call.text for part in AT_EDGES)
        if self.came == "edge" and at_edge and not (self.suggestion.differences or self.suggestion.advice):
            return f"not said: {self.why}"
        if self.came == "dtype" and not self.said:
            return f"not said: {self.why}"
        return ""

    @property
    def said(self) -> bool:
        """Do the suggestion's sentences speak of what is otherwise, where that is no matter of numbers?"""
        sentences = " ".join((*self.suggestion.differences, self.suggestion.advice))
        return all(any(word in sentences for word in _words(one)) for one in self.why.split("; "))

    @property
    def silence(self) -> str:
        """How `silent` or `same` is wrong; "" where it is not, or where the naive call could not be measured."""
        if self.came != "equal":
            return ""
        if self.naive == "unequal" and not self.suggestion.silent:
            return f"not said to be silent: {self.naive_why}"
        if self.suggestion.silent and self.naive in ("equal", "raises"):
            return (
                f"said to be silent: with its name alone changed it {'is equal' if self.naive == 'equal' else 'raises'}"
            )
        if self.suggestion.status == "same" and self.naive in ("unequal", "raises"):
            return f"said to be the same: with its name alone changed it {self.naive}: {self.naive_why}"
        return ""


def _words(difference: str) -> tuple[str, ...]:
    """Of which one must stand in the sentences; "" for what nobody can say who reads the source only."""
    what = difference.partition(":")[0]
    if what == "dtype":
        return ("dtype", difference.rpartition(" ")[2])
    words = {"kind": ("number", "tuple", "list", "tensor", "[0]"), "place": ("in place", "instead of changing")}
    return words.get(what, ("",))


@dataclass(frozen=True)
class Plan:
    """A call and what is to be run of it in MindSpore.

    Attributes:
        call: of torch.
        mint: was mint asked for?
        suggestion: for the use that the call is of.
        text: the whole call, rewritten; "" where it could not be.
        naive: the call with only its name changed; "" where that cannot be written.
        why: there is no text.
    """

    call: Call
    mint: bool
    suggestion: Suggestion
    text: str = ""
    naive: str = ""
    why: str = ""


def planned(call: Call, *, mint: bool) -> Plan:
    """What is suggested for a call, and the call with only its name changed."""
    tree, uses = uses_in(call.text)
    found = suggestions(uses, mint)
    use = the_use(call, uses)
    suggestion = found[use.node]
    text = written(tree, found)
    if text is None:
        return Plan(call, mint, suggestion, why=_why_not(found))
    target = suggestion.mint if mint and suggestion.mint else suggestion.mindspore
    naive = None
    if target is not None and use.sort != "operator":
        naive = with_name_changed(tree, use, target, found)
    return Plan(call, mint, suggestion, text, naive or "")


def proven(plan: Plan, wanted: Outcome, outcomes: Mapping[str, Outcome]) -> Proof:
    """What came of it, of what torch computed and of what each text came to in MindSpore."""
    call, suggestion = plan.call, plan.suggestion
    if not plan.text:
        came: Came = "by_hand" if suggestion.write is None else "unwritten"
        return Proof(call, plan.mint, suggestion, "", came, plan.why)
    came, why = came_to(call, wanted, outcomes[plan.text])
    if not plan.naive:
        return Proof(call, plan.mint, suggestion, plan.text, came, why)
    return Proof(call, plan.mint, suggestion, plan.text, came, why, *came_to(call, wanted, outcomes[plan.naive]))


def suggestions(uses: dict[ast.AST, Use], mint: bool) -> dict[ast.AST, Suggestion]:
    """What is suggested for each use of a call."""
    facts = Facts.load()
    return {node: suggest(use, facts, mint=mint, uses_within=uses) for node, use in uses.items()}


def the_use(call: Call, uses: dict[ast.AST, Use]) -> Use:
    """The use that the call stands in the tables for."""
    facts = Facts.load()
    names = {call.torch, facts.canonical(call.torch)}
    for use in uses.values():
        if use.torch in names:
            return use
    raise AssertionError(f"{call.text} is no call of {call.torch}: it is one of {[use.torch for use in uses.values()]}")


def written(tree: ast.expr, found: dict[ast.AST, Suggestion]) -> str | None:
    """The call with its outermost uses rewritten; None where one of them is not."""
    instead: dict[ast.AST, ast.expr] = {}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if node not in found:
            waiting += ast.iter_child_nodes(node)
            continue
        write = found[node].write
        if write is None:
            return None
        instead[node] = ast.parse(write, mode="eval").body
    return ast.unparse(ast.fix_missing_locations(with_pieces(tree, instead)))


def came_to(call: Call, wanted: Outcome, got: Outcome) -> tuple[Came, str]:
    """The verdict on one run, and why."""
    if got.error:
        return _failed(call, got), got.error
    if call.numbers == "equal":
        found = differences(wanted, got, call.torch.rpartition(".")[2] in ROUGH)
    else:
        found = (drawn_differently if call.numbers == "drawn" else same_shapes)(wanted, got)
    if not found:
        return "equal", ""
    edge = EDGES & _named(call) or any(part in call.text for part in AT_EDGES)
    came: Came = "dtype" if not changes_numbers(found[0]) else "edge" if edge else "unequal"
    return came, "; ".join(found)


def _failed(call: Call, got: Outcome) -> Came:
    said = got.error.lower()
    if "'tuple' object has no attribute" in said:
        return "unwritten"
    if not got.kernel or call.text in REFUSED or (_odd(call) and any(one in said for one in OTHER_DTYPES)):
        return "no_kernel"
    return "edge" if EDGES & _named(call) else "raises"


def _odd(call: Call) -> bool:
    return bool(ODD & _named(call)) or "double" in call.text or "float64" in call.text


def _named(call: Call) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(call.text)) if isinstance(node, ast.Name)}


def not_as_said(proofs: Iterable[Proof]) -> list[Proof]:
    """Those whose `silent` or `same` is not what was measured.

    A source shows no shapes and no numbers: a call that is said to be silent may well be equal for the arrays at hand,
    as long as another one of its name, that is said to be silent too, is not.
    """
    proofs = list(proofs)
    rightly = {(p.call.torch, p.mint) for p in proofs if p.suggestion.silent and p.naive == "unequal"}
    return [
        p
        for p in proofs
        if p.silence and not p.defect and not (p.suggestion.silent and (p.call.torch, p.mint) in rightly)
    ]


def _why_not(found: dict[ast.AST, Suggestion]) -> str:
    for suggestion in found.values():
        if suggestion.write is None:
            return "; ".join((suggestion.status, *suggestion.differences, suggestion.advice))
    return ""
