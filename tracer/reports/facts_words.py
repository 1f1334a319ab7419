"""What is known of torch's names, in words: `tracer scan --facts`."""

from __future__ import annotations

from tracer.source.facts.table import Facts, read_json


def known(facts: Facts) -> list[tuple[str, str]]:
    """Numbers and what they count."""
    names, pairs = list(facts.torch_names()), list(facts.pairs())
    counts = [
        (len(names), "names of torch are known"),
        (len(pairs), "of them have a row: a counterpart, or what to do instead"),
        (
            sum(pair.mindspore is not None for pair in pairs),
            "have a counterpart in mindspore.nn, mindspore.ops and their kin",
        ),
        (sum(pair.mint is not None for pair in pairs), "have one in mindspore.mint"),
    ]
    return [(f"{number:,}", what) for number, what in counts]


def versions() -> str:
    """Of which versions that is true."""
    torch, mindspore = read_json("torch_names.json")["torch"], read_json("mindspore_signatures.json")["mindspore"]
    return f"torch {torch}, MindSpore {mindspore}"
