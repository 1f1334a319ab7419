"""Many calls proven, in several processes; and the rows of proofs.csv that follow."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.source_proof.every_call import Call
from tests.source_proof.outcome import Outcome
from tests.source_proof.proving import Plan, Proof, planned, proven
from tests.source_proof.states import row
from tests.source_proof.workers import MindSpore, run_torch
from tracer.source.facts.proofs import Proven
from tracer.source.facts.table import Facts


def prove(calls: Iterable[Call]) -> list[Proof]:
    """Each call with what is suggested for it, without mint and with it."""
    plans: list[Plan] = []
    wanted: dict[str, Outcome] = {}
    for call in calls:
        wanted[call.text] = run_torch(call.text)
        assert not wanted[call.text].error, f"torch does not take {call.text}: {wanted[call.text].error}"
        plans += [planned(call, mint=mint) for mint in (False, True)]
    texts = list(dict.fromkeys(text for plan in plans for text in (plan.text, plan.naive) if text))
    with MindSpore() as mindspore:
        outcomes = dict(zip(texts, mindspore.ask_all(texts), strict=True))
    return [proven(plan, wanted[plan.call.text], outcomes) for plan in plans]


def prove_in_processes(calls: Sequence[Call], processes: int = 2) -> list[Proof]:
    """The same, shared out by names."""
    names = sorted({call.torch for call in calls})
    shares: list[list[Call]] = [[] for _ in range(processes)]
    for call in calls:
        shares[names.index(call.torch) % processes].append(call)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        return [proof for share in pool.map(prove, shares) for proof in share]


def rows_of(proofs: Iterable[Proof]) -> list[Proven]:
    """A row of proofs.csv for each name that was tried."""
    facts, versions = Facts.load(), frameworks()
    came: dict[str, dict[bool, list[str]]] = defaultdict(lambda: {False: [], True: []})
    targets: dict[str, tuple[str | None, str | None]] = {}
    for proof in proofs:
        name = facts.canonical(proof.call.torch) or proof.call.torch
        came[name][proof.mint].append(proof.came)
        targets[name] = (proof.suggestion.mindspore, proof.suggestion.mint)
    return [row(name, found[False], found[True], targets[name], versions) for name, found in came.items()]


def frameworks() -> str:
    """The versions that run here."""
    return ", ".join(f"{name} {importlib.metadata.version(name).partition('+')[0]}" for name in ("torch", "mindspore"))
