"""Which parameters are in which group of each optimizer, and with what settings: the same on both sides?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tracer.divergence.training.cause_words import shown
from tracer.divergence.training.rule_meanings import RuleMeaning
from tracer.divergence.training.update_causes import words_apart
from tracer.trace.schema import Place


@dataclass(frozen=True)
class GroupDifference:
    """A setting that some parameters have otherwise on both sides, by the reference's places."""

    word: str
    reference: str
    candidate: str
    parameters: tuple[Place, ...]


@dataclass(frozen=True)
class GroupComparison:
    """`only_reference` and `only_candidate` are parameters that only this side's optimizer holds (places of that side),
    of those that have a partner; `differences` are settings, those of most parameters first; `split` are groups of the
    reference (by number) whose parameters are in several groups of the candidate, with other settings there."""

    only_reference: tuple[Place, ...] = ()
    only_candidate: tuple[Place, ...] = ()
    differences: tuple[GroupDifference, ...] = ()
    split: tuple[int, ...] = ()


def groups_apart(
    reference: Sequence[RuleMeaning], candidate: Sequence[RuleMeaning], partners: Mapping[Place, Place]
) -> GroupComparison:
    """Hold the groups of both optimizers against each other.

    Args:
        reference, candidate: the meanings of each side's groups.
        partners: the candidate's place of each parameter of the reference that has one.
    """
    one, other = _held(reference), _held(candidate)
    back = {theirs: ours for ours, theirs in partners.items()}
    apart: dict[tuple[str, str, str], list[Place]] = {}
    spread: dict[int, set[int]] = {}
    for place, number in one.items():
        partner = other.get(partners[place]) if place in partners else None
        if partner is None:
            continue
        ours, theirs = reference[number], candidate[partner]
        for word in words_apart(ours, theirs):
            said = (ours.kind, theirs.kind) if word == "kind" else (shown(ours, word), shown(theirs, word))
            apart.setdefault((word, *said), []).append(place)
        spread.setdefault(number, set()).add(partner)
    differences = (GroupDifference(*key, tuple(places)) for key, places in apart.items())
    return GroupComparison(
        tuple(place for place in one if place in partners and partners[place] not in other),
        tuple(place for place in other if place in back and back[place] not in one),
        tuple(sorted(differences, key=lambda difference: -len(difference.parameters))),
        tuple(number for number, groups in spread.items() if _settings_differ(candidate, groups)),
    )


def _held(groups: Sequence[RuleMeaning]) -> dict[Place, int]:
    return {place: number for number, means in enumerate(groups) for place in means.parameters}


def _settings_differ(groups: Sequence[RuleMeaning], numbers: Iterable[int]) -> bool:
    first, *rest = sorted(numbers)
    return any(words_apart(groups[first], groups[number]) for number in rest)
