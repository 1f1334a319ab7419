"""Proves the suggestions: runs torch calls of every name and what is written for them in MindSpore, and compares.

    python benchmarks/facts.py                      all calls; writes tracer/source/facts/proofs.csv, prints the counts
    python benchmarks/facts.py torch.cat topk       the calls of the names that hold one of these words, each printed

    python benchmarks/facts.py --unrun              nothing is run: rows for names that are new in the facts

The calls stand in `tests/source_proof/calls_*.py` (functions, methods, operators) and `tests/source_layers/calls_*.py`
(layers, losses, optimizers, schedulers). On two cores the whole takes one to two minutes. The exit code is 1 where a
suggestion is not equal, or what is said of a call with only its name changed is not what it does.
"""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.source_proof.every_call import every_call
from tests.source_proof.layers import NAMES, rows_of_layers
from tests.source_proof.proving import not_as_said
from tests.source_proof.states import names_with_facts, row_unrun, write_table
from tests.source_proof.whole import frameworks, prove_in_processes, rows_of
from tracer.source.facts.proofs import counts, proofs


def one(proof):
    """A call, what is written and what came of it."""
    side = "mint   " if proof.mint else "classic"
    naive = f"; with its name alone changed: {proof.naive}" if proof.naive else ""
    silent = ", silent" if proof.suggestion.silent else ""
    lines = [f"{side} {proof.call.text}", f"        {proof.text or '-'}"]
    lines.append(f"        {proof.came} ({proof.suggestion.status}{silent}){naive}")
    why = [proof.defect or proof.why, proof.silence]
    return "\n".join(lines + [f"        {text[:300]}" for text in why if text])


def some(words):
    calls = [call for call in every_call() if any(word in call.torch for word in words)]
    for proof in prove_in_processes(calls, 1):
        print(one(proof))


def whole():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        layers = pool.submit(rows_of_layers, NAMES, frameworks())
        found = prove_in_processes(every_call(), 1)
        rows = {row.torch: row for row in [*rows_of(found), *layers.result()]}
    write(rows)
    wrong = [proof for proof in found if proof.defect] + not_as_said(found)
    for proof in wrong:
        print(one(proof))
    unequal = sorted(row.torch for row in rows.values() if "unequal" in (row.state, row.mint_state))
    print("unequal:", ", ".join(unequal) or "none")
    print(f"{len(found) // 2} calls of functions, methods and operators, {len(wrong)} not as said")
    return bool(wrong or unequal)


def write(rows):
    for name in names_with_facts() - set(rows):
        rows[name] = row_unrun(name)
    write_table(rows.values())
    proofs.cache_clear()
    for mint in (False, True):
        print(
            "mint:  " if mint else "classic:",
            ", ".join(f"{n} {state}" for state, n in counts(proofs(), mint=mint).items()),
        )


if __name__ == "__main__":
    if sys.argv[1:] == ["--unrun"]:
        write({row.torch: row for row in proofs() if row.calls})
    else:
        sys.exit(some(sys.argv[1:]) if sys.argv[1:] else whole())
