"""What is known of torch's names and what has been proven of it, in words: `tracer scan --facts`."""

from __future__ import annotations

from tracer.source.facts.proofs import Proven, State, counts, proofs
from tracer.source.facts.table import Facts, read_json

MEANINGS: dict[State, str] = {
    "proven": "each call that the CPU has a kernel for gave torch's numbers",
    "no_kernel": "the CPU has no kernel for it: not compared",
    "by_hand": "nothing is written for it; what to do is said",
    "unequal": "a call gave other numbers, or did not run",
    "untested": "nothing was run",
}


def versions() -> str:
    """Of which versions that is true."""
    torch, mindspore = read_json("torch_names.json")["torch"], read_json("mindspore_signatures.json")["mindspore"]
    return f"torch {torch}, MindSpore {mindspore}"


def known(facts: Facts) -> list[tuple[int, str]]:
    """Numbers and what they count."""
    rows = proofs()
    return [
        (len(list(facts.torch_names())), "names of torch are known"),
        (len(rows), "of them are spoken of: a counterpart, or what to do instead"),
        (sum(row.mindspore is not None for row in rows), "have a counterpart in mindspore.nn, mindspore.ops and kin"),
        (sum(row.mint is not None for row in rows), "have one in mindspore.mint"),
    ]


def tried() -> str:
    """How it was proven."""
    calls = sum(row.calls for row in proofs())
    return f"{calls:,} calls were run in torch, and what is written for them in MindSpore, on the CPU:"


def states() -> list[tuple[str, int, int, str]]:
    """A state, how many names have it, how many where mint is preferred, and what it means."""
    rows = proofs()
    classic, mint = counts(rows), counts(rows, mint=True)
    return [(state.replace("_", " "), classic[state], mint[state], said) for state, said in MEANINGS.items()]


def unequal() -> list[str]:
    """The names of which a call gave other numbers, with mint where it is mint's alone."""

    def name(row: Proven) -> str:
        return row.torch if row.state == "unequal" else f"{row.torch} (mint)"

    return [name(row) for row in proofs() if "unequal" in (row.state, row.mint_state)]
