"""How the tables of calls are written: torch name -> calls, each as one would write it."""

from __future__ import annotations

Calls = dict[str, list[str]]


def for_each(names: str, *calls: str) -> Calls:
    """The calls of several names of `torch`, which stand as NAME in the calls."""
    return {f"torch.{name}": [call.replace("NAME", name) for call in calls] for name in names.split()}


def together(*tables: Calls) -> Calls:
    """One table of several; a name's calls are those of all, each once."""
    whole: dict[str, dict[str, None]] = {}
    for table in tables:
        for name, calls in table.items():
            whole.setdefault(name, {}).update(dict.fromkeys(calls))
    return {name: list(calls) for name, calls in whole.items()}
